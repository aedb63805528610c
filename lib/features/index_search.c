/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* index_search.c - where a window begins and ends among the times of its entity.
 *
 * Where the cutoff is the row's own date, the index knows where windows begin (index_starts), and
 * by `place` where those of dates without a delay end. Everything else is searched for. A window's
 * end lies next to the row itself, so it is looked for from there, in growing steps. Its beginning
 * can lie anywhere, and is searched for every row and window. An entity with few rows is counted
 * through. The span of one with many is cut into buckets of equal length, one for every BUCKET_ROWS
 * rows, and beside the index stands the position at which each begins: an edge's bucket is a
 * multiplication away, and holds a few rows whatever the entity has. (Interpolation search,
 * Peterson 1957, with its first step written down.) */
#include <stdbool.h>

#include "base/date.h"
#include "base/mem.h"
#include "features/index.h"

/* The end of day d is at or after an edge exactly if d >= floor(edge / day). Every date fits into
 * int32. */
static int32_t edge_day(int64_t us)
{
    int64_t day = us >= 0 ? us / DATE_US_PER_DAY : -((-us + DATE_US_PER_DAY - 1) / DATE_US_PER_DAY);
    return day < INT32_MIN ? INT32_MIN : day > INT32_MAX ? INT32_MAX : (int32_t)day;
}

static int64_t edge_itself(int64_t us)
{
    return us;
}

/* How many of times[low .. high) are before the edge, plus low. */
#define COUNT_SORTED(times, low, high, edge)                                                       \
    ({                                                                                             \
        int32_t at_ = (low);                                                                       \
        for (int32_t k_ = (low); k_ < (high); k_++)                                                \
            at_ += (times)[k_] < (edge);                                                           \
        at_;                                                                                       \
    })

/* The same by halves. The number of steps depends on the length alone and each step is an addition,
 * so there is nothing to mispredict. */
#define SEARCH_SORTED(times, low, high, edge)                                                      \
    ({                                                                                             \
        int32_t at_ = (low), left_ = (high) - (low);                                               \
        while (left_ > 1) {                                                                        \
            int32_t half_ = left_ / 2;                                                             \
            at_ += half_ & -(int32_t)((times)[at_ + half_ - 1] < (edge));                          \
            left_ -= half_;                                                                        \
        }                                                                                          \
        at_ + (left_ == 1 && (times)[at_] < (edge));                                               \
    })

/* ---- where a window ends ---- */

/* From the end backwards with doubling steps, then by halves. */
#define SEARCH_BACKWARDS(times, from, to, edge)                                                    \
    ({                                                                                             \
        int32_t step_ = 1, low_ = (to), high_ = (to);                                              \
        while (low_ > (from) && (times)[low_ - 1] >= (edge)) {                                     \
            high_ = low_ - 1;                                                                      \
            low_ = low_ - (from) > step_ ? low_ - step_ : (from);                                  \
            step_ *= 2;                                                                            \
        }                                                                                          \
        SEARCH_SORTED(times, low_, high_, edge);                                                   \
    })

int32_t index_before(const struct index *x, int32_t from, int32_t to, int64_t edge_us)
{
    if (x->day) {
        int32_t edge = edge_day(edge_us);
        return SEARCH_BACKWARDS(x->day, from, to, edge);
    }
    return x->us ? SEARCH_BACKWARDS(x->us, from, to, edge_us) : to;
}

/* ---- buckets ---- */

enum { BUCKET_ROWS = 8, FEW_ROWS = 32 };

/* The buckets of one entity: those of entity e begin at offsets[e] / BUCKET_ROWS + e, which leaves
 * room for all before it. */
struct ladder {
    int64_t first; /* time of the first row */
    int64_t at, n; /* in index->buckets */
    double per_time;
};

static int64_t time_at(const struct index *x, int32_t p)
{
    return x->day ? x->day[p] : x->us[p];
}

static inline struct ladder ladder_of(const struct index *x, int32_t entity)
{
    int32_t from = x->offsets[entity], end = x->offsets[entity + 1];
    struct ladder l = {.first = time_at(x, from),
                       .at = from / BUCKET_ROWS + entity,
                       .n = (end - from) / BUCKET_ROWS + 1};
    double span = (double)time_at(x, end - 1) - (double)l.first + 1;
    l.per_time = (double)l.n / span;
    return l;
}

/* Never smaller for a later time: rounding keeps the order. */
static inline int64_t ladder_bucket(const struct ladder *l, int64_t time)
{
    double bucket = ((double)time - (double)l->first) * l->per_time;
    return bucket <= 0 ? 0 : bucket >= (double)l->n ? l->n - 1 : (int64_t)bucket;
}

int64_t index_n_buckets(const struct index *x)
{
    return x->entities ? x->n / BUCKET_ROWS + x->entities : 0;
}

int32_t *index_buckets(const struct index *x)
{
    int32_t *buckets = mem_zalloc(((size_t)index_n_buckets(x) + 1) * sizeof *buckets);
    for (int32_t e = 0; e < x->entities; e++) {
        int32_t from = x->offsets[e], end = x->offsets[e + 1];
        if (from == end)
            continue;
        struct ladder l = ladder_of(x, e);
        int64_t next = 0;
        for (int32_t p = from; p < end; p++)
            for (int64_t bucket = ladder_bucket(&l, time_at(x, p)); next <= bucket; next++)
                buckets[l.at + next] = p;
        for (; next < l.n; next++)
            buckets[l.at + next] = end;
    }
    return buckets;
}

/* ---- where windows begin that are cut off at a row's own date ----
 *
 * Most are. Then that is known as soon as the index is: within an entity it never moves backwards.
 */

int32_t *index_starts(const struct index *x, const struct column *time, const uint8_t *keep,
                      int64_t days)
{
    int32_t *starts = mem_zalloc(((size_t)x->table_rows + 1) * sizeof *starts);
    for (int32_t e = 0; e < x->entities; e++) {
        int32_t start = x->offsets[e];
        for (int32_t p = start; p < x->offsets[e + 1]; p++) {
            while (index_day(x, start) < index_day(x, p) - days)
                start++;
            starts[x->rows[p]] = start;
        }
    }
    for (int64_t row = 0; keep && row < x->table_rows; row++) {
        int32_t e = x->entity[row];
        if (e >= 0 && !keep[row])
            starts[row] = index_before(x, x->offsets[e], x->place[row],
                                       (column_day(time, row) - days) * DATE_US_PER_DAY);
    }
    return starts;
}

/* ---- where any window begins ----
 *
 * Entities lie far apart, so the time goes into waiting for memory. Each step is done for BATCH
 * rows before the next, and asks early for what the next one reads. */

enum { BATCH = 64 };

struct search {
    int32_t low, high; /* the answer is in here */
    int64_t bucket;    /* where in index->buckets to look; -1: not worth it */
    bool last;         /* of its entity */
};

static void ask_for_time(const struct index *x, int32_t p)
{
    __builtin_prefetch(x->day ? (const void *)&x->day[p] : (const void *)&x->us[p]);
}

static void find_entities(const struct index *x, int64_t n, const int32_t *entity,
                          const int32_t *to, struct search *s)
{
    for (int64_t i = 0; i < n; i++) {
        s[i] =
            (struct search){.low = entity[i] >= 0 ? x->offsets[entity[i]] : to[i], .high = to[i]};
        ask_for_time(x, s[i].low);
        if (s[i].high - s[i].low > FEW_ROWS)
            ask_for_time(x, x->offsets[entity[i] + 1] - 1);
    }
}

static void find_bucket(const struct index *x, int32_t entity, int64_t time, struct search *s)
{
    s->bucket = -1;
    if (s->high - s->low <= FEW_ROWS)
        return;
    struct ladder l = ladder_of(x, entity);
    int64_t bucket = ladder_bucket(&l, time);
    s->bucket = l.at + bucket;
    s->last = bucket + 1 == l.n;
    __builtin_prefetch(&x->buckets[s->bucket]);
}

static int32_t between(int32_t low, int32_t p, int32_t high)
{
    return p < low ? low : p > high ? high : p;
}

static void narrow(const struct index *x, struct search *s)
{
    if (s->bucket < 0)
        return;
    const int32_t *begin = &x->buckets[s->bucket];
    s->low = between(s->low, begin[0], s->high);
    s->high = s->last ? s->high : between(s->low, begin[1], s->high);
    ask_for_time(x, s->low);
}

#define SINCE(times, to_edge)                                                                      \
    do {                                                                                           \
        for (int64_t i = 0; i < n; i++)                                                            \
            find_bucket(x, entity[i], to_edge(edge_us[i] - back_us), &s[i]);                       \
        for (int64_t i = 0; i < n; i++)                                                            \
            narrow(x, &s[i]);                                                                      \
        for (int64_t i = 0; i < n; i++) {                                                          \
            __auto_type edge = to_edge(edge_us[i] - back_us);                                      \
            ret_from[i] = s[i].high - s[i].low <= FEW_ROWS                                         \
                              ? COUNT_SORTED(times, s[i].low, s[i].high, edge)                     \
                              : SEARCH_SORTED(times, s[i].low, s[i].high, edge);                   \
        }                                                                                          \
    } while (0)

static void since_batch(const struct index *x, int64_t n, const int32_t *entity,
                        const int64_t *edge_us, int64_t back_us, const int32_t *to,
                        int32_t *ret_from)
{
    struct search s[BATCH];
    find_entities(x, n, entity, to, s);
    if (x->day)
        SINCE(x->day, edge_day);
    else
        SINCE(x->us, edge_itself);
}

void index_since(const struct index *x, int64_t n, const int32_t *entity, const int64_t *edge_us,
                 int64_t back_us, const int32_t *to, int32_t *ret_from)
{
    bool timed = x->day || x->us;
    for (int64_t i = 0; !timed && i < n; i++)
        ret_from[i] = entity[i] >= 0 ? x->offsets[entity[i]] : to[i];
    for (int64_t i = 0; timed && i < n; i += BATCH)
        since_batch(x, n - i < BATCH ? n - i : BATCH, entity + i, edge_us + i, back_us, to + i,
                    ret_from + i);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* calc_window.c - how calculations read a window: series as plain arrays. */
#include "features/calc_window.h"

struct calc_scratch *calc_scratch_new(void)
{
    return MEM_NEW(struct calc_scratch);
}

void calc_scratch_free(struct calc_scratch *scratch)
{
    if (!scratch)
        return;
    for (int slot = 0; slot < SCRATCH_SLOTS; slot++)
        free(scratch->at[slot]);
    free(scratch);
}

void *scratch_grow(struct calc_scratch *scratch, enum scratch_slot slot, size_t bytes)
{
    scratch->at[slot] =
        mem_grow(scratch->at[slot], &scratch->cap[slot], bytes < 512 ? 512 : bytes, 1);
    return scratch->at[slot];
}

double series_f64(const struct series *x, int64_t row)
{
    if (x->type == TYPE_BOOL)
        return x->b[row];
    return x->type == TYPE_INT ? (double)x->i[row] : x->f[row];
}

int64_t series_count(const struct series *x, int64_t n)
{
    if (!x->valid)
        return n;
    int64_t count = 0;
    for (int64_t k = 0; k < n; k++)
        count += x->valid[k];
    return count;
}

int64_t series_first(const struct series *x, int64_t n)
{
    int64_t first = 0;
    while (first < n && !series_has(x, first))
        first++;
    return first;
}

/* series_NAME: the row whose value beats every other by `beats`; >= prefers newer rows. */
#define SCAN(values, beats)                                                                        \
    do {                                                                                           \
        __typeof__(x->values[0] + 0) value = x->values[best];                                      \
        for (int64_t k = best + 1; k < n; k++) {                                                   \
            if (series_has(x, k) && x->values[k] beats value) {                                    \
                value = x->values[k];                                                              \
                best = k;                                                                          \
            }                                                                                      \
        }                                                                                          \
    } while (0)
#define DEFINE_EXTREME(name, beats)                                                                \
    int64_t name(const struct series *x, int64_t n)                                                \
    {                                                                                              \
        int64_t best = series_first(x, n);                                                         \
        if (best == n)                                                                             \
            return -1;                                                                             \
        if (x->type == TYPE_BOOL)                                                                  \
            SCAN(b, beats);                                                                        \
        else if (x->type == TYPE_STRING)                                                           \
            SCAN(code, beats);                                                                     \
        else if (x->type == TYPE_FLOAT || x->type == TYPE_DECIMAL)                                 \
            SCAN(f, beats);                                                                        \
        else                                                                                       \
            SCAN(i, beats);                                                                        \
        return best;                                                                               \
    }
DEFINE_EXTREME(series_min, <)
DEFINE_EXTREME(series_max, >)
DEFINE_EXTREME(series_newest_max, >=)

static inline int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

double decimal_unit(int scale)
{
    static const double unit[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    return unit[scale];
}

/* A decimal has at most 15 digits, so the product is within 1/4 of its integer. */
static int64_t decimals_sum(const struct series *x, int64_t from, int64_t to, double unit)
{
    int64_t sum = 0;
    for (int64_t k = from; k < to; k++)
        sum += series_has(x, k) ? llrint(x->f[k] * unit) : 0;
    return sum;
}

__int128 series_sum(const struct series *x, int64_t n, int64_t *ret_count)
{
    __int128 sum = 0;
    if (x->type == TYPE_BOOL) {
        for (int64_t k = 0; k < n; k++)
            sum += x->b[k] & series_has(x, k);
    } else if (x->type == TYPE_INT) {
        for (int64_t k = 0; k < n; k++)
            sum += x->i[k] & -(int64_t)series_has(x, k);
    } else {
        enum { BLOCK = 512 }; /* this many always fit into 64 bits */
        double unit = decimal_unit(x->scale);
        for (int64_t k = 0; k < n; k += BLOCK)
            sum += decimals_sum(x, k, smaller(k + BLOCK, n), unit);
    }
    *ret_count = series_count(x, n);
    return sum;
}

/* ret[0 .. count) = value(k) of the rows k that are not null. Every row is written and the next one
 * overwrites it if it was null: no branch to mispredict. */
#define GATHER(value)                                                                              \
    for (int64_t k = 0; k < n; k++) {                                                              \
        ret[count] = (value);                                                                      \
        count += series_has(x, k);                                                                 \
    }

double *window_doubles_copy(const struct window *w, int64_t *ret_n)
{
    const struct series *x = &w->arg[0];
    int64_t n = w->n, count = 0;
    double *ret = scratch_take(w->scratch, SCRATCH_VALUES, (size_t)n * sizeof(double));
    if (x->type == TYPE_BOOL) {
        GATHER(x->b[k])
    } else if (x->type == TYPE_INT) {
        GATHER((double)x->i[k])
    } else {
        GATHER(x->f[k])
    }
    *ret_n = count;
    return ret;
}

const double *window_doubles(const struct window *w, int64_t *ret_n)
{
    const struct series *x = &w->arg[0];
    if (x->valid || type_is_integer(x->type))
        return window_doubles_copy(w, ret_n);
    *ret_n = w->n;
    return x->f;
}

double *window_shifted(const struct window *w, int64_t *ret_n)
{
    const struct series *x = &w->arg[0];
    int64_t n = w->n, count = 0, first = series_first(x, n);
    double *ret = scratch_take(w->scratch, SCRATCH_VALUES, (size_t)n * sizeof(double));
    *ret_n = 0;
    if (first == n)
        return ret;
    if (x->type == TYPE_BOOL) {
        GATHER(x->b[k] - x->b[first])
    } else if (x->type == TYPE_INT) {
        GATHER((double)((__int128)x->i[k] - x->i[first]))
    } else {
        GATHER(x->f[k] - x->f[first])
    }
    *ret_n = count;
    return ret;
}

/* IEEE doubles order as sign and magnitude; all other bits of a negative one are turned over to
 * make that two's complement. */
static inline int64_t double_key(double f)
{
    int64_t bits;
    f += 0.0; /* -0 is 0 */
    memcpy(&bits, &f, sizeof(bits));
    return bits ^ (int64_t)((uint64_t)(bits >> 63) >> 1);
}

int64_t window_keys(const struct window *w, int64_t *ret)
{
    const struct series *x = &w->arg[0];
    int64_t n = w->n, count = 0;
    if (x->type == TYPE_BOOL) {
        GATHER(x->b[k])
    } else if (x->type == TYPE_STRING) {
        GATHER(x->code[k])
    } else if (x->type == TYPE_FLOAT || x->type == TYPE_DECIMAL) {
        GATHER(double_key(x->f[k]))
    } else {
        GATHER(x->i[k])
    }
    return count;
}

struct keyed *window_keyed(const struct window *w, int64_t *ret_n)
{
    const struct series *x = &w->arg[0];
    int64_t n = w->n, count = 0;
    struct keyed *ret = scratch_take(w->scratch, SCRATCH_KEYED, (size_t)n * sizeof(*ret));
    if (x->type == TYPE_BOOL) {
        GATHER(((struct keyed){x->b[k], k}))
    } else if (x->type == TYPE_STRING) {
        GATHER(((struct keyed){x->code[k], k}))
    } else if (x->type == TYPE_FLOAT || x->type == TYPE_DECIMAL) {
        GATHER(((struct keyed){double_key(x->f[k]), k}))
    } else {
        GATHER(((struct keyed){x->i[k], k}))
    }
    *ret_n = count;
    return ret;
}

static void keyed_insertion_sort(struct keyed *keyed, int64_t n)
{
    for (int64_t k = 1; k < n; k++) {
        struct keyed moved = keyed[k];
        int64_t at = k;
        for (; at > 0 && keyed[at - 1].key > moved.key; at--)
            keyed[at] = keyed[at - 1];
        keyed[at] = moved;
    }
}

static void keyed_merge(const struct keyed *a, const struct keyed *a_end, const struct keyed *b,
                        const struct keyed *b_end, struct keyed *ret)
{
    while (a < a_end && b < b_end)
        *ret++ = b->key < a->key ? *b++ : *a++;
    while (a < a_end)
        *ret++ = *a++;
    while (b < b_end)
        *ret++ = *b++;
}

/* Merge sort from runs that insertion sort has made: stable, and never quadratic. */
void keyed_sort(struct keyed *keyed, int64_t n, struct calc_scratch *scratch)
{
    enum { RUN = 16 };
    for (int64_t at = 0; at < n; at += RUN)
        keyed_insertion_sort(keyed + at, smaller(RUN, n - at));
    if (n <= RUN)
        return;
    struct keyed *from = keyed;
    struct keyed *to = scratch_take(scratch, SCRATCH_MERGE, (size_t)n * sizeof(*to));
    for (int64_t run = RUN; run < n; run *= 2) {
        for (int64_t at = 0; at < n; at += 2 * run) {
            int64_t middle = smaller(at + run, n), end = smaller(at + 2 * run, n);
            keyed_merge(from + at, from + middle, from + middle, from + end, to + at);
        }
        struct keyed *swap = from;
        from = to;
        to = swap;
    }
    if (from != keyed)
        memcpy(keyed, from, (size_t)n * sizeof(*keyed));
}

void window_where(const struct window *w, struct window *ret)
{
    uint8_t *keep = scratch_take(w->scratch, SCRATCH_KEEP, (size_t)w->n);
    for (int64_t k = 0; k < w->n; k++)
        keep[k] = series_has(&w->arg[0], k) & series_true(&w->arg[1], k);
    *ret = *w;
    ret->arg[0].valid = keep;
}

bool result_integer(__int128 i, const struct calc_params *p, union calc_value *ret)
{
    if (p->wide)
        return result_float((double)i, ret);
    ret->i = (int64_t)i;
    return i >= INT64_MIN && i <= INT64_MAX;
}

bool result_difference(const struct series *x, int64_t a, int64_t b, const struct calc_params *p,
                       union calc_value *ret)
{
    if (type_is_integer(x->type))
        return result_integer((__int128)series_i64(x, a) - series_i64(x, b), p, ret);
    return result_float(x->f[a] - x->f[b], ret);
}

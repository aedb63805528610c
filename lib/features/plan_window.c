/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan_window.c - stage B, first half: which rows of history each target row looks at.
 *
 * The window rule (SEMANTICS): rows h with equal `by` values and
 *     cutoff - days <= h.time < cutoff     and where(h, target),     the newest `last` of them.
 * Without filters a window is a range of positions of its index: where history ends is searched
 * once for all windows of an entry, where it begins once for each. Rows that are cut off at their
 * own date find the beginning in the index, and the end too where times are dates and nothing is
 * delayed. `where` with target. and known_at look at each row of the range and leave a list of
 * positions. */
#include "features/plan_parts.h"

#include <math.h>
#include <string.h>

#include "base/date.h"

/* ---- entries: the entity, and where its history ends ---- */

/* Rows of the snapshot know their entity and the place before which their history lies: the cutoff
 * is never after the row's own time. The times before it are asked for early, for they lie far
 * apart and are looked at next, here or by calculations. */
static void find_own(const struct chunk *c, const struct index *x, struct ends *ends)
{
    enum { AHEAD = 16 };
    int64_t row = c->target->rows->first + c->first;
    for (int64_t i = 0; i < c->n; i++) {
        int32_t entity = x->entity[row + i];
        int32_t soon = x->entity[row + (i + AHEAD < c->n ? i + AHEAD : i)];
        __builtin_prefetch(&x->offsets[soon < 0 ? 0 : soon]);
        ends->entity[i] = entity;
        ends->from[i] = entity >= 0 ? x->offsets[entity] : 0;
        ends->end[i] = entity >= 0 ? x->place[row + i] : 0;
        int32_t last = ends->end[i] > 0 ? ends->end[i] - 1 : 0;
        const void *near = x->day  ? (const void *)&x->day[last]
                           : x->us ? (const void *)&x->us[last]
                                   : NULL;
        __builtin_prefetch(near);
    }
}

/* An integer as the one double that is equal to it, and the other way round. False: none is. */
static bool to_f64(int64_t from, double *ret)
{
    *ret = (double)from;
    return *ret < 0x1p63 && (int64_t)*ret == from;
}

static bool to_i64(double from, int64_t *ret)
{
    bool is_whole = from >= -0x1p63 && from < 0x1p63 && from == floor(from);
    *ret = is_whole ? (int64_t)from : 0;
    return is_whole;
}

/* The target's column in the keys' type. A value that has no equal there becomes null, which has no
 * history either. Decimals and floats are doubles alike, whatever the number of places. */
static struct column as_keys(struct column values, enum type keys)
{
    struct column ret;
    if ((values.type == TYPE_INT) == (keys == TYPE_INT) || !type_is_number(keys))
        return values;
    column_alloc(&ret, keys, values.rows, true);
    for (int64_t row = 0; row < values.rows; row++)
        ret.valid[row] = !column_is_null(&values, row) &&
                         (keys == TYPE_INT ? to_i64(values.f[row], &ret.i[row])
                                           : to_f64(values.i[row], &ret.f[row]));
    return ret;
}

static void find_by_value(const struct chunk *c, const struct plan_entry *e, const struct index *x,
                          struct ends *ends)
{
    struct column by[GROUP_MAX_BY];
    for (int k = 0; k < x->n_by; k++) {
        const struct column *values = rows_column(c->target->rows, e->by_target[k]);
        by[k] = as_keys(column_slice(values, c->first, c->n), x->keys[k].type);
    }
    for (int64_t i = 0; i < c->n; i++) {
        int32_t entity = index_find(x, by, i);
        ends->entity[i] = entity;
        ends->from[i] = entity >= 0 ? x->offsets[entity] : 0;
        ends->end[i] = entity >= 0 ? x->offsets[entity + 1] : 0;
    }
    for (int k = 0; k < x->n_by; k++)
        column_deinit(&by[k]);
}

static void bind_entry(const struct chunk *c, const struct plan_entry *e, struct ends *ends)
{
    const struct index *x = c->plan->indexes[e->index].index;
    bool own = e->own && c->target->in_snapshot;
    if (own)
        find_own(c, x, ends);
    else
        find_by_value(c, e, x, ends);
    bool ends_there = own && x->day && c->target->own_dates && !e->delay_days;
    for (int64_t i = 0; !ends_there && i < c->n; i++)
        ends->end[i] =
            index_before(x, ends->from[i], ends->end[i],
                         c->target->cutoff_us[c->first + i] - e->delay_days * DATE_US_PER_DAY);
}

/* ---- windows without filters ---- */

static void bind_ranges(const struct chunk *c, const struct plan_window *w, const struct ends *ends,
                        struct spans *s)
{
    const struct index *x = c->plan->indexes[w->index].index;
    int64_t back_us = (c->plan->entries[w->entry].delay_days + w->days) * DATE_US_PER_DAY;
    memcpy(s->hi, ends->end, (size_t)c->n * sizeof *s->hi);
    if (w->start >= 0 && c->target->own_dates)
        memcpy(s->lo, x->starts[w->start] + c->target->rows->first + c->first,
               (size_t)c->n * sizeof *s->lo);
    else if (w->days)
        index_since(x, c->n, ends->entity, c->target->cutoff_us + c->first, back_us, s->hi, s->lo);
    else
        memcpy(s->lo, ends->from, (size_t)c->n * sizeof *s->lo);
    for (int64_t i = 0; w->last && !s->filtered && i < c->n; i++)
        s->lo[i] = s->hi[i] - s->lo[i] > w->last ? s->hi[i] - (int32_t)w->last : s->lo[i];
}

/* ---- filters ---- */

struct filter {
    const struct chunk *chunk;
    const struct plan_window *window;
    const struct index *index;
    struct expr_slot *places; /* of the window's where */
};

static void filter_init(struct filter *f)
{
    const struct bound *where = &f->window->where;
    f->index = f->chunk->plan->indexes[f->window->index].index;
    f->places = MEM_ARRAY(struct expr_slot, (size_t)where->n_slots + 1);
    for (int k = 0; k < where->n_slots; k++) {
        bool of_target = where->slots[k].space == SLOT_TARGET;
        int number = where->slots[k].number;
        f->places[k] =
            (struct expr_slot){.column = of_target ? rows_column(f->chunk->target->rows, number)
                                                   : &f->index->columns[number].values,
                               .constant = of_target};
    }
}

/* Null is not known; a date counts as the end of its day. */
static bool known_before(const struct column *c, int64_t p, int64_t cutoff_us)
{
    if (column_is_null(c, p))
        return false;
    int64_t us = c->type == TYPE_DATE ? (c->i[p] + 1) * DATE_US_PER_DAY - 1 : c->i[p];
    return us < cutoff_us;
}

static void filter_block(const struct filter *f, int64_t row, int32_t first, int32_t n,
                         uint8_t *keep)
{
    const struct bound *where = &f->window->where;
    memset(keep, 1, (size_t)n);
    for (int k = 0; k < where->n_slots; k++)
        f->places[k].first = f->places[k].constant ? row : first;
    if (where->tree)
        expr_filter(where->tree, f->places, n, keep);
    if (f->window->known_at < 0)
        return;
    const struct column *known = &f->index->columns[f->window->known_at].values;
    for (int32_t i = 0; i < n; i++)
        keep[i] &= known_before(known, first + i, f->chunk->target->cutoff_us[row]);
}

static void turn_around(int32_t *list, size_t n)
{
    for (size_t i = 0, j = n; i + 1 < j; i++) {
        int32_t swap = list[i];
        list[i] = list[--j];
        list[j] = swap;
    }
}

/* Keep what passes, newest first until there are enough, then turn the list around. */
static void filter_range(const struct filter *f, int64_t row, int32_t lo, int32_t hi,
                         struct spans *s)
{
    enum { BLOCK = 256 };
    int64_t enough = f->window->last ? f->window->last : INT64_MAX, kept = 0;
    size_t begin = s->list_n;
    uint8_t keep[BLOCK];
    for (int32_t end = hi; end > lo && kept < enough; end -= BLOCK) {
        int32_t first = end - lo > BLOCK ? end - BLOCK : lo, n = end - first;
        filter_block(f, row, first, n, keep);
        s->list = mem_grow(s->list, &s->list_cap, s->list_n + BLOCK, sizeof *s->list);
        for (int32_t i = n - 1; i >= 0 && kept < enough; i--)
            if (keep[i]) {
                s->list[s->list_n++] = first + i;
                kept++;
            }
    }
    turn_around(s->list + begin, s->list_n - begin);
}

static void bind_filtered(const struct chunk *c, const struct plan_window *w, struct spans *s)
{
    struct filter f = {.chunk = c, .window = w};
    bool everybody = c->plan->indexes[w->index].n_by == 0;
    const int64_t *cutoff = c->target->cutoff_us + c->first;
    filter_init(&f);
    s->list_n = 0;
    for (int64_t i = 0; i < c->n; i++) {
        if (everybody && i > 0 && cutoff[i] == cutoff[i - 1]) {
            s->lo[i] = s->lo[i - 1]; /* the same rows for all who share a cutoff */
            s->hi[i] = s->hi[i - 1];
            continue;
        }
        int32_t begin = (int32_t)s->list_n;
        filter_range(&f, c->first + i, s->lo[i], s->hi[i], s);
        s->lo[i] = begin;
        s->hi[i] = (int32_t)s->list_n;
    }
    free(f.places);
}

/* ---- the chunk ---- */

void chunk_init(struct chunk *c, const struct plan *plan, const struct target_rows *target)
{
    *c = (struct chunk){.plan = plan, .target = target, .scratch = calc_scratch_new()};
    c->ends = mem_zalloc(sizeof *c->ends * (size_t)(plan->n_entries + 1));
    c->spans = mem_zalloc(sizeof *c->spans * (size_t)(plan->n_windows + 1));
    for (int e = 0; e < plan->n_entries; e++) {
        c->ends[e].entity = MEM_ARRAY(int32_t, CHUNK_ROWS);
        c->ends[e].from = MEM_ARRAY(int32_t, CHUNK_ROWS);
        c->ends[e].end = MEM_ARRAY(int32_t, CHUNK_ROWS);
    }
    for (int w = 0; w < plan->n_windows; w++) {
        c->spans[w].lo = MEM_ARRAY(int32_t, CHUNK_ROWS);
        c->spans[w].hi = MEM_ARRAY(int32_t, CHUNK_ROWS);
        c->spans[w].filtered = plan->windows[w].where.tree || plan->windows[w].known_at >= 0;
    }
}

void chunk_bind(struct chunk *c, int64_t first, int64_t n)
{
    const struct plan *plan = c->plan;
    c->first = first;
    c->n = n;
    for (int e = 0; e < plan->n_entries; e++)
        bind_entry(c, &plan->entries[e], &c->ends[e]);
    for (int w = 0; w < plan->n_windows; w++) {
        const struct plan_window *window = &plan->windows[w];
        bind_ranges(c, window, &c->ends[window->entry], &c->spans[w]);
        if (c->spans[w].filtered)
            bind_filtered(c, window, &c->spans[w]);
    }
}

void chunk_deinit(struct chunk *c)
{
    for (int e = 0; e < c->plan->n_entries; e++) {
        free(c->ends[e].entity);
        free(c->ends[e].from);
        free(c->ends[e].end);
    }
    for (int w = 0; w < c->plan->n_windows; w++) {
        free(c->spans[w].lo);
        free(c->spans[w].hi);
        free(c->spans[w].list);
    }
    free(c->ends);
    free(c->spans);
    calc_scratch_free(c->scratch);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan_window.c - stage B: the slices of history that a chunk of target rows looks at, and
 * calculations over them.
 *
 * The window rule (SEMANTICS): rows h with equal `by` values and
 *     cutoff - days <= h.time < cutoff     and where(h, target),     the newest `last` of them.
 * Without filters a window is a range of positions of its index and costs two searches; `where` with
 * target. and known_at look at each row of the range and leave a list of positions. */
#include "features/plan_parts.h"

#include <math.h>
#include <string.h>

#include "base/date.h"

/* ---- binding ---- */

static bool is_filtered(const struct plan_window *w)
{
    return w->where.tree || w->known_at >= 0;
}

/* What binding one chunk needs to know of its window. */
struct binder {
    const struct plan_window *window;
    const struct index *index;
    const struct target_rows *target;
    struct column by[GROUP_MAX_BY]; /* of the target rows; unless rows know their entity */
    struct expr_slot *places;       /* of the window's where */
    struct spans *spans;
};

static void binder_init(struct binder *b, const struct plan *plan)
{
    const struct plan_index *x = &plan->indexes[b->window->index];
    b->index = x->index;
    for (int k = 0; k < x->n_by; k++)
        b->by[k] = *rows_column(b->target->rows, b->window->by_target[k]);
    const struct bound *where = &b->window->where;
    b->places = where->tree ? MEM_ARRAY(struct expr_slot, (size_t)where->n_slots + 1) : NULL;
    for (int k = 0; where->tree && k < where->n_slots; k++) {
        bool of_target = where->slots[k].space == SLOT_TARGET;
        int number = where->slots[k].number;
        b->places[k] = (struct expr_slot){
            .column = of_target ? rows_column(b->target->rows, number) : &b->index->columns[number].values,
            .constant = of_target};
    }
}

/* Positions [lo, hi) of one target row's entity between its edges; none for an unknown entity. */
static void bind_range(const struct binder *b, int64_t row, int32_t *lo, int32_t *hi)
{
    const struct index *x = b->index;
    const struct plan_window *w = b->window;
    bool knows = w->own && b->target->in_snapshot;
    int64_t at = b->target->rows->first + row;
    int32_t entity = knows ? x->entity[at] : index_find(x, b->by, row);
    *lo = *hi = 0;
    if (entity < 0)
        return;
    /* The cutoff is never after the row's own time, so history ends before its place. */
    int32_t from = x->offsets[entity], to = knows ? x->place[at] : x->offsets[entity + 1];
    int64_t cutoff = b->target->cutoff_us[row] - w->delay_days * DATE_US_PER_DAY;
    *hi = index_before(x, from, to, cutoff);
    *lo = w->days ? index_before(x, from, *hi, cutoff - w->days * DATE_US_PER_DAY) : from;
}

enum { BLOCK = 256 }; /* rows that a filter looks at in one go */

/* Null is not known; a date counts as the end of its day. */
static bool known_before(const struct column *c, int64_t p, int64_t cutoff_us)
{
    if (column_is_null(c, p))
        return false;
    int64_t us = c->type == TYPE_DATE ? (c->i[p] + 1) * DATE_US_PER_DAY - 1 : c->i[p];
    return us < cutoff_us;
}

static void filter_block(const struct binder *b, int64_t row, int32_t first, int32_t n, uint8_t *keep)
{
    const struct bound *where = &b->window->where;
    memset(keep, 1, (size_t)n);
    for (int k = 0; where->tree && k < where->n_slots; k++)
        b->places[k].first = b->places[k].constant ? row : first;
    if (where->tree)
        expr_filter(where->tree, b->places, n, keep);
    if (b->window->known_at < 0)
        return;
    const struct column *known = &b->index->columns[b->window->known_at].values;
    for (int32_t i = 0; i < n; i++)
        keep[i] &= known_before(known, first + i, b->target->cutoff_us[row]);
}

/* Keep what passes, newest first until there are enough, then turn the list around. */
static void filter_range(const struct binder *b, int64_t row, int32_t *lo, int32_t *hi)
{
    struct spans *s = b->spans;
    size_t begin = s->list_n;
    int64_t enough = b->window->last ? b->window->last : INT64_MAX, kept = 0;
    uint8_t keep[BLOCK];
    for (int32_t end = *hi; end > *lo && kept < enough; end -= BLOCK) {
        int32_t first = end - *lo > BLOCK ? end - BLOCK : *lo, n = end - first;
        filter_block(b, row, first, n, keep);
        s->list = mem_grow(s->list, &s->list_cap, s->list_n + BLOCK, sizeof *s->list);
        for (int32_t i = n - 1; i >= 0 && kept < enough; i--)
            if (keep[i]) {
                s->list[s->list_n++] = first + i;
                kept++;
            }
    }
    for (size_t i = begin, j = s->list_n; i + 1 < j; i++) {
        int32_t swap = s->list[i];
        s->list[i] = s->list[--j];
        s->list[j] = swap;
    }
    *lo = (int32_t)begin;
    *hi = (int32_t)s->list_n;
}

void spans_bind(struct spans *spans, const struct plan *plan, const struct plan_window *w,
                const struct target_rows *target, int64_t first, int64_t n)
{
    struct binder b = {.window = w, .target = target, .spans = spans};
    bool filtered = is_filtered(w);
    if ((size_t)n > spans->rows_cap) {
        spans->rows_cap = (size_t)n;
        spans->lo = mem_realloc(spans->lo, (size_t)n * sizeof *spans->lo);
        spans->hi = mem_realloc(spans->hi, (size_t)n * sizeof *spans->hi);
    }
    spans->list_n = 0;
    spans->filtered = filtered;
    binder_init(&b, plan);
    bool everybody = b.index->n_by == 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t *lo = &spans->lo[i], *hi = &spans->hi[i];
        if (everybody && i > 0 && target->cutoff_us[first + i] == target->cutoff_us[first + i - 1]) {
            *lo = lo[-1]; /* the same rows for all who share a cutoff */
            *hi = hi[-1];
            continue;
        }
        bind_range(&b, first + i, lo, hi);
        if (filtered)
            filter_range(&b, first + i, lo, hi);
        else if (w->last && *hi - *lo > w->last)
            *lo = *hi - (int32_t)w->last;
    }
    free(b.places);
}

void spans_deinit(struct spans *s)
{
    free(s->lo);
    free(s->hi);
    free(s->list);
    *s = (struct spans){0};
}

/* ---- calculating ---- */

/* What calculations over one window see: slices of the index itself, or copies of listed positions. */
struct view {
    const struct index *index;
    const struct spans *spans;
    const struct index_column *arg[2];
    int n_args;
    struct column copy[2];
    int32_t *day;
    int64_t *us;
    struct window w;
};

static int64_t longest_list(const struct spans *s, int64_t n)
{
    int64_t longest = 0;
    for (int64_t i = 0; i < n; i++)
        longest = s->hi[i] - s->lo[i] > longest ? s->hi[i] - s->lo[i] : longest;
    return longest;
}

static void view_init(struct view *v, int64_t n, struct calc_scratch *scratch)
{
    v->w = (struct window){.scratch = scratch};
    if (!v->spans->filtered)
        return;
    int64_t room = longest_list(v->spans, n);
    for (int k = 0; k < v->n_args; k++) {
        const struct column *values = &v->arg[k]->values;
        column_alloc(&v->copy[k], values->type, room, true);
        v->copy[k].scale = values->scale;
        v->copy[k].dict = values->dict;
    }
    if (v->index->day)
        v->day = MEM_ARRAY(int32_t, (size_t)room + 1);
    if (v->index->us)
        v->us = MEM_ARRAY(int64_t, (size_t)room + 1);
}

static void view_deinit(struct view *v)
{
    column_deinit(&v->copy[0]);
    column_deinit(&v->copy[1]);
    free(v->day);
    free(v->us);
}

static void copy_listed(struct view *v, const int32_t *positions, int64_t n)
{
    for (int k = 0; k < v->n_args; k++) {
        for (int64_t i = 0; i < n; i++)
            value_copy(&v->copy[k], i, &v->arg[k]->values, positions[i]);
        v->w.arg[k] = value_series(&v->copy[k], 0);
    }
    for (int64_t i = 0; i < n; i++) {
        if (v->day)
            v->day[i] = v->index->day[positions[i]];
        if (v->us)
            v->us[i] = v->index->us[positions[i]];
    }
    v->w.day = v->day;
    v->w.us = v->us;
}

/* Point the window at row i of the chunk. */
static void view_move(struct view *v, int64_t i, int64_t cutoff_us)
{
    int32_t lo = v->spans->lo[i], hi = v->spans->hi[i];
    v->w.n = hi - lo;
    v->w.cutoff_us = cutoff_us;
    if (v->spans->filtered) {
        copy_listed(v, v->spans->list + lo, hi - lo);
        return;
    }
    for (int k = 0; k < v->n_args; k++)
        v->w.arg[k] = value_series(&v->arg[k]->values, lo);
    v->w.day = v->index->day ? v->index->day + lo : NULL;
    v->w.us = v->index->us ? v->index->us + lo : NULL;
}

/* Where the value of a RESULT_ROW is, for value_store. */
static const struct column *view_values(const struct view *v, int64_t i, union calc_value *value)
{
    if (v->spans->filtered)
        return &v->copy[0];
    value->i += v->spans->lo[i];
    return &v->arg[0]->values;
}

static void count_rows(const struct spans *s, int64_t first, int64_t n, struct column *ret)
{
    for (int64_t i = 0; i < n; i++) {
        ret->i[first + i] = s->hi[i] - s->lo[i];
        ret->valid[first + i] = 1;
    }
}

/* Two reads of prefix sums instead of the window's rows. */
static void from_sums(const struct plan_feature *f, const struct index_column *c, const struct spans *s, int64_t first,
                      int64_t n, struct column *ret)
{
    const struct calc_use *use = &f->use;
    bool wide = use->params.wide && c->values.type != TYPE_DECIMAL;
    enum type type = wide ? TYPE_DECIMAL : c->values.type;
    int scale = wide ? 0 : c->values.scale;
    for (int64_t i = 0; i < n; i++) {
        const int64_t *lo = c->sums + (int64_t)s->lo[i] * c->stride, *hi = c->sums + (int64_t)s->hi[i] * c->stride;
        int64_t count = c->stride == 2 ? hi[1] - lo[1] : s->hi[i] - s->lo[i];
        union calc_value value;
        if (use->calc->sums((__int128)hi[0] - lo[0], count, type, scale, &value))
            value_store(ret, first + i, use->calc->result, value, &c->values);
        else
            value_null(ret, first + i);
    }
}

static void from_values(const struct plan_feature *f, struct view *v, const struct target_rows *target, int64_t first,
                        int64_t n, struct column *ret)
{
    const struct calc_use *use = &f->use;
    for (int64_t i = 0; i < n; i++) {
        union calc_value value;
        view_move(v, i, target->cutoff_us[first + i]);
        if (!use->calc->window(&v->w, &use->params, &value)) {
            value_null(ret, first + i);
            continue;
        }
        const struct column *values = use->calc->result == RESULT_ROW ? view_values(v, i, &value) : NULL;
        value_store(ret, first + i, use->calc->result, value, values);
    }
}

/* ---- priors ---- */

static double exact_or_float_sum(const struct window *w, int64_t *ret_n)
{
    static const struct calc_params wide = {.wide = true};
    union calc_value sum, count;
    calc_find("count")->window(w, &wide, &count);
    *ret_n = count.i;
    if (count.i == 0 || !calc_find("sum")->window(w, &wide, &sum))
        return 0;
    return sum.f;
}

/* (S + k p) / (n + k), with p the mean of everybody: SEMANTICS, "prior". */
static void shrink(const struct plan_feature *f, struct view *own, struct view *all, const struct target_rows *target,
                   int64_t first, int64_t n, struct column *ret)
{
    double k = f->spec->prior, p = NAN;
    for (int64_t i = 0; i < n; i++) {
        int64_t cutoff = target->cutoff_us[first + i], n_own, n_all;
        bool same = i > 0 && all->spans->lo[i] == all->spans->lo[i - 1] && all->spans->hi[i] == all->spans->hi[i - 1];
        if (!same) {
            view_move(all, i, cutoff);
            double sum = exact_or_float_sum(&all->w, &n_all);
            p = n_all ? sum / (double)n_all : NAN;
        }
        view_move(own, i, cutoff);
        double sum = exact_or_float_sum(&own->w, &n_own);
        union calc_value value = {.f = (sum + k * p) / ((double)n_own + k)};
        value_store(ret, first + i, RESULT_FLOAT, value, NULL); /* a p that is NaN gives null */
    }
}

/* ---- one feature ---- */

static int64_t newest_day(const struct view *v, int64_t i)
{
    int32_t p = v->spans->hi[i] - 1;
    if (v->spans->filtered)
        p = v->spans->list[p];
    return v->index->day ? v->index->day[p] : timestamp_day(v->index->us[p]);
}

static void ages(const struct view *v, const struct target_rows *target, int64_t first, int64_t n, struct column *ret)
{
    for (int64_t i = 0; i < n; i++) {
        if (v->spans->hi[i] == v->spans->lo[i]) {
            value_null(ret, first + i);
            continue;
        }
        ret->i[first + i] = timestamp_day(target->cutoff_us[first + i]) - newest_day(v, i);
        ret->valid[first + i] = 1;
    }
}

/* As-of values that are too old, and windows with too few rows. */
static void withdraw(const struct plan_feature *f, const struct view *v, const struct target_rows *target,
                     int64_t first, int64_t n, struct column *ret)
{
    const struct spans *s = v->spans;
    int64_t max_age = f->spec->kind == SPEC_ASOF ? f->spec->max_age_days : 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t rows = s->hi[i] - s->lo[i];
        bool old = max_age && rows > 0 && timestamp_day(target->cutoff_us[first + i]) - newest_day(v, i) > max_age;
        if (old || rows < f->spec->min_rows)
            value_null(ret, first + i);
    }
}

static struct view view_of(const struct plan *plan, const struct plan_feature *f, int window, const int *fields,
                           const struct spans *spans)
{
    struct view v = {.index = plan->indexes[plan->windows[window].index].index, .spans = spans};
    v.n_args = f->use.n_args;
    for (int k = 0; k < v.n_args; k++)
        v.arg[k] = &v.index->columns[fields[k]];
    return v;
}

static void with_prior(const struct plan *plan, const struct plan_feature *f, struct view *own,
                       const struct spans *prior, const struct target_rows *target, int64_t first, int64_t n,
                       struct calc_scratch *scratch, struct column *ret)
{
    struct view all = view_of(plan, f, f->prior_window, &f->field[1], prior);
    view_init(&all, n, scratch);
    view_init(own, n, scratch);
    shrink(f, own, &all, target, first, n, ret);
    view_deinit(&all);
}

void plan_window_feature(const struct plan *plan, const struct plan_feature *f, const struct spans *spans,
                         const struct spans *prior, const struct target_rows *target, int64_t first, int64_t n,
                         struct calc_scratch *scratch, struct column *ret)
{
    struct view v = view_of(plan, f, f->window, f->field, spans);
    bool sums = f->use.calc->sums && f->use.n_args == 1 && v.arg[0]->sums && !spans->filtered;
    if (f->how == HOW_AGE) {
        ages(&v, target, first, n, ret);
    } else if (f->prior_window >= 0) {
        with_prior(plan, f, &v, prior, target, first, n, scratch, ret);
    } else if (f->use.calc->never_null && f->use.n_args == 0) {
        count_rows(spans, first, n, ret);
    } else if (sums) {
        from_sums(f, v.arg[0], spans, first, n, ret);
    } else {
        view_init(&v, n, scratch);
        from_values(f, &v, target, first, n, ret);
    }
    if (f->spec->min_rows > 0 || f->spec->max_age_days > 0)
        withdraw(f, &v, target, first, n, ret);
    view_deinit(&v);
}

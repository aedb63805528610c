/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan_chunk.c - stage B, second half: one calculation over the windows of a chunk of target rows.
 *
 * The row loop is the outer one of tens of millions of short windows, so what can be decided per
 * chunk is: where arguments lie, how wide they are, where answers go. */
#include "features/plan_parts.h"

#include <math.h>

#include "base/date.h"

/* What calculations over one window see: slices of the index itself, or copies of listed positions.
 */
struct view {
    const struct chunk *chunk;
    const struct index *index;
    const struct spans *spans;
    const struct index_column *arg[2];
    size_t width[2]; /* bytes of a value of each argument */
    int n_args;
    struct column copy[2]; /* of listed positions */
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

static void make_copies(struct view *v)
{
    int64_t room = longest_list(v->spans, v->chunk->n);
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

static void view_init(struct view *v, const struct chunk *c, const struct plan_feature *f,
                      int window, const int *fields)
{
    *v = (struct view){.chunk = c, .spans = &c->spans[window], .n_args = f->use.n_args};
    v->index = c->plan->indexes[c->plan->windows[window].index].index;
    v->w.scratch = c->scratch;
    for (int k = 0; k < v->n_args; k++) {
        v->arg[k] = &v->index->columns[fields[k]];
        v->w.arg[k] = value_series(&v->arg[k]->values, 0);
        v->width[k] = type_bytes(v->arg[k]->values.type);
    }
    if (v->spans->filtered)
        make_copies(v);
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

/* Windows of neighbouring rows lie far apart in memory: ask for those that come soon. */
enum { AHEAD = 8 };
static inline void view_prefetch(const struct view *v, int64_t i)
{
    if (v->spans->filtered || i + AHEAD >= v->chunk->n)
        return;
    int32_t lo = v->spans->lo[i + AHEAD], newest = v->spans->hi[i + AHEAD] - 1;
    newest = newest < lo ? lo : newest;
    for (int k = 0; k < v->n_args; k++) {
        const struct column *values = &v->arg[k]->values;
        const char *data = (const char *)values->data;
        __builtin_prefetch(data + (size_t)lo * v->width[k]);
        __builtin_prefetch(data + (size_t)newest * v->width[k]);
        if (values->valid) {
            __builtin_prefetch(values->valid + lo);
            __builtin_prefetch(values->valid + newest);
        }
    }
    if (v->n_args == 0 && v->index->day)
        __builtin_prefetch(v->index->day + newest);
}

/* Point the window at row i of the chunk. */
static inline void view_move(struct view *v, int64_t i)
{
    int32_t lo = v->spans->lo[i], hi = v->spans->hi[i];
    v->w.n = hi - lo;
    v->w.cutoff_us = v->chunk->target->cutoff_us[v->chunk->first + i];
    if (v->spans->filtered) {
        copy_listed(v, v->spans->list + lo, hi - lo);
        return;
    }
    for (int k = 0; k < v->n_args; k++) {
        const struct column *values = &v->arg[k]->values;
        v->w.arg[k].data = (const char *)values->data + (size_t)lo * v->width[k];
        v->w.arg[k].valid = values->valid ? values->valid + lo : NULL;
    }
    v->w.day = v->index->day ? v->index->day + lo : NULL;
    v->w.us = v->index->us ? v->index->us + lo : NULL;
}

/* ---- ways to calculate ---- */

static void count_rows(const struct chunk *c, const struct spans *s, struct column *ret)
{
    for (int64_t i = 0; i < c->n; i++) {
        ret->i[c->first + i] = s->hi[i] - s->lo[i];
        ret->valid[c->first + i] = 1;
    }
}

/* An answer that is not a row's value, straight into its place: the calculation has made sure that
 * it is finite. */
static inline void put(struct column *ret, int64_t row, bool has, union calc_value value)
{
    ret->i[row] = has ? value.i : 0; /* a double's bits too */
    ret->valid[row] = has;
}

/* Two reads of prefix sums instead of the window's rows. */
static void from_sums(const struct view *v, const struct plan_feature *f, struct column *ret)
{
    const struct calc_use *use = &f->use;
    const struct index_column *c = v->arg[0];
    const struct spans *s = v->spans;
    bool wide = use->params.wide && c->values.type != TYPE_DECIMAL;
    enum type type = wide ? TYPE_DECIMAL : c->values.type;
    int scale = wide ? 0 : c->values.scale;
    for (int64_t i = 0; i < v->chunk->n; i++) {
        int64_t soon = i + AHEAD < v->chunk->n ? i + AHEAD : i;
        __builtin_prefetch(c->sums + (int64_t)s->lo[soon] * c->stride);
        __builtin_prefetch(c->sums + (int64_t)s->hi[soon] * c->stride);
        const int64_t *lo = c->sums + (int64_t)s->lo[i] * c->stride,
                      *hi = c->sums + (int64_t)s->hi[i] * c->stride;
        int64_t count = c->stride == 2 ? hi[1] - lo[1] : s->hi[i] - s->lo[i];
        union calc_value value = {0};
        bool has = use->calc->sums((__int128)hi[0] - lo[0], count, type, scale, &value);
        put(ret, v->chunk->first + i, has, value);
    }
}

/* The value of one row of the window. */
static void pick_rows(struct view *v, const struct plan_feature *f, struct column *ret)
{
    const struct calc_use *use = &f->use;
    bool filtered = v->spans->filtered;
    const struct column *values = filtered ? &v->copy[0] : &v->arg[0]->values;
    for (int64_t i = 0; i < v->chunk->n; i++) {
        union calc_value value = {0};
        int64_t row = v->chunk->first + i;
        view_prefetch(v, i);
        view_move(v, i);
        if (!use->calc->window(&v->w, &use->params, &value)) {
            value_null(ret, row);
            continue;
        }
        value.i += filtered ? 0 : v->spans->lo[i];
        if (values->type == TYPE_FLOAT && ret->type == TYPE_FLOAT && !values->valid)
            put(ret, row, true, (union calc_value){.f = values->f[value.i]});
        else
            value_store(ret, row, RESULT_ROW, value, values);
    }
}

static void from_values(struct view *v, const struct plan_feature *f, struct column *ret)
{
    const struct calc_use *use = &f->use;
    for (int64_t i = 0; i < v->chunk->n; i++) {
        union calc_value value = {0};
        view_prefetch(v, i);
        view_move(v, i);
        bool has = use->calc->window(&v->w, &use->params, &value);
        put(ret, v->chunk->first + i, has, value);
    }
}

/* ---- priors ---- */

static double sum_and_count(const struct window *w, int64_t *ret_n)
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
static void shrink(struct view *own, struct view *all, double k, struct column *ret)
{
    const struct spans *s = all->spans;
    double p = NAN;
    for (int64_t i = 0; i < own->chunk->n; i++) {
        int64_t n;
        if (i == 0 || s->lo[i] != s->lo[i - 1] || s->hi[i] != s->hi[i - 1]) {
            view_move(all, i);
            double sum = sum_and_count(&all->w, &n);
            p = n ? sum / (double)n : NAN;
        }
        view_move(own, i);
        double sum = sum_and_count(&own->w, &n);
        union calc_value value = {.f = (sum + k * p) / ((double)n + k)};
        value_store(ret, own->chunk->first + i, RESULT_FLOAT, value,
                    NULL); /* a p that is NaN gives null */
    }
}

static void with_prior(struct view *own, const struct plan_feature *f, struct column *ret)
{
    struct view all;
    view_init(&all, own->chunk, f, f->prior_window, &f->field[1]);
    shrink(own, &all, f->spec->prior, ret);
    view_deinit(&all);
}

/* ---- ages ---- */

static int64_t newest_age(const struct view *v, int64_t i)
{
    int32_t p = v->spans->hi[i] - 1;
    if (v->spans->filtered)
        p = v->spans->list[p];
    return timestamp_day(v->chunk->target->cutoff_us[v->chunk->first + i]) - index_day(v->index, p);
}

static void ages(const struct view *v, struct column *ret)
{
    for (int64_t i = 0; i < v->chunk->n; i++) {
        if (v->spans->hi[i] == v->spans->lo[i]) {
            value_null(ret, v->chunk->first + i);
            continue;
        }
        ret->i[v->chunk->first + i] = newest_age(v, i);
        ret->valid[v->chunk->first + i] = 1;
    }
}

/* As-of values that are too old, and windows with too few rows. */
static void withdraw(const struct view *v, const struct plan_feature *f, struct column *ret)
{
    int64_t max_age = f->spec->kind == SPEC_ASOF ? f->spec->max_age_days : 0;
    for (int64_t i = 0; i < v->chunk->n; i++) {
        int64_t rows = v->spans->hi[i] - v->spans->lo[i];
        if (rows < f->spec->min_rows || (max_age && rows > 0 && newest_age(v, i) > max_age))
            value_null(ret, v->chunk->first + i);
    }
}

void chunk_feature(const struct chunk *c, const struct plan_feature *f, struct column *ret)
{
    struct view v;
    view_init(&v, c, f, f->window, f->field);
    bool sums = f->use.calc->sums && f->use.n_args == 1 && v.arg[0]->sums && !v.spans->filtered;
    if (f->how == HOW_AGE)
        ages(&v, ret);
    else if (f->prior_window >= 0)
        with_prior(&v, f, ret);
    else if (f->use.calc->never_null && f->use.n_args == 0)
        count_rows(c, v.spans, ret);
    else if (sums)
        from_sums(&v, f, ret);
    else if (f->use.calc->result == RESULT_ROW)
        pick_rows(&v, f, ret);
    else
        from_values(&v, f, ret);
    if (f->spec->min_rows > 0 || f->spec->max_age_days > 0)
        withdraw(&v, f, ret);
    view_deinit(&v);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan_compute.c - one key: its target rows, stage B in parallel chunks, stage C in order, the
 * columns put together.
 *
 * Each row's values are made by one thread in one order, so bytes do not depend on their number. */
#include "features/plan_parts.h"

#include <inttypes.h>
#include <omp.h>
#include <string.h>

#include "base/date.h"

enum { CHUNK = 128 }; /* target rows that one thread takes at a time */

struct key { /* one key's computation */
    struct plan *plan;
    int64_t day;
    int threads;
    struct rows rows;
    int64_t *cutoff_us;
    struct column *features;
};

/* ---- cutoffs ---- */

static void name_row(const struct key *k, int64_t row, const struct column *c, struct str *out)
{
    const struct table *t = k->plan->tables[k->plan->target].table;
    char text[TIMESTAMP_TEXT];
    if (c->type == TYPE_DATE)
        date_format(c->i[row], text);
    else
        timestamp_format(c->i[row], text);
    str_addf(out, "row %" PRId64 " of its date in table '%s' (%s %s)", row, t->name, c->name, text);
}

static int64_t start_us(const struct column *c, int64_t row)
{
    return c->type == TYPE_DATE ? c->i[row] * DATE_US_PER_DAY : c->i[row];
}

static int find_cutoffs(struct key *k, struct err *err)
{
    const struct plan *plan = k->plan;
    k->cutoff_us = MEM_ARRAY(int64_t, (size_t)k->rows.n + 1);
    if (plan->cutoff < 0) {
        for (int64_t row = 0; row < k->rows.n; row++)
            k->cutoff_us[row] = k->day * DATE_US_PER_DAY;
        return 0;
    }
    const struct column *c = rows_column(&k->rows, plan->cutoff);
    const struct column *time = rows_column(&k->rows, plan->tables[plan->target].table->time);
    for (int64_t row = 0; row < k->rows.n; row++) {
        CLEANUP(str_deinit) struct str where = {0};
        if (column_is_null(c, row)) {
            name_row(k, row, time, &where);
            return err_set(err, ERR_INPUT, "%s: the cutoff '%s' is null", where.s, c->name);
        }
        k->cutoff_us[row] = start_us(c, row);
        int64_t own = start_us(time, row) + (time->type == TYPE_DATE ? DATE_US_PER_DAY - 1 : 0);
        if (k->cutoff_us[row] <= own)
            continue;
        name_row(k, row, c, &where);
        return err_set(err, ERR_INPUT,
                       "%s: the cutoff '%s' is after the row's own time '%s': its features would look into the future",
                       where.s, c->name, time->name);
    }
    return 0;
}

/* ---- stage B ---- */

/* Columns of the target rows are computed on demand, which threads must not do at once: ask for them first. */
static void prepare_window(struct key *k, const struct plan_window *w)
{
    for (int i = 0; i < k->plan->indexes[w->index].n_by; i++)
        rows_column(&k->rows, w->by_target[i]);
    for (int i = 0; w->where.tree && i < w->where.n_slots; i++)
        if (w->where.slots[i].space == SLOT_TARGET)
            rows_column(&k->rows, w->where.slots[i].number);
}

static bool is_window(const struct plan_feature *f)
{
    return f->how == HOW_WINDOW || f->how == HOW_AGE;
}

static void prepare_features(struct key *k)
{
    const struct plan *plan = k->plan;
    for (int w = 0; w < plan->n_windows; w++)
        prepare_window(k, &plan->windows[w]);
    for (int f = 0; f < plan->n_features; f++) {
        const struct column *shape = &plan->features[f].shape;
        if (!is_window(&plan->features[f]))
            continue;
        struct column *c = &k->features[f];
        column_alloc(c, shape->type, k->rows.n, true);
        c->scale = shape->scale;
        c->dict = shape->dict;
    }
}

/* All windows and their calculations for rows [first, first + n). A window is bound once for all that share it. */
static void compute_chunk(struct key *k, const struct target_rows *target, int64_t first, int64_t n,
                          struct spans *spans, struct calc_scratch *scratch)
{
    const struct plan *plan = k->plan;
    for (int w = 0; w < plan->n_windows; w++)
        spans_bind(&spans[w], plan, &plan->windows[w], target, first, n);
    for (int f = 0; f < plan->n_features; f++) {
        const struct plan_feature *feature = &plan->features[f];
        if (!is_window(feature))
            continue;
        const struct spans *prior = feature->prior_window >= 0 ? &spans[feature->prior_window] : NULL;
        plan_window_feature(plan, feature, &spans[feature->window], prior, target, first, n, scratch,
                            &k->features[f]);
    }
}

static void compute_windows(struct key *k)
{
    const struct plan *plan = k->plan;
    const struct target_rows target = {.rows = &k->rows, .cutoff_us = k->cutoff_us, .in_snapshot = true};
    int64_t chunks = (k->rows.n + CHUNK - 1) / CHUNK;
    int threads = k->threads < plan->n_scratch ? k->threads : plan->n_scratch;
    prepare_features(k);
#pragma omp parallel num_threads(threads) if (threads > 1 && chunks > 1)
    {
        struct spans *spans = mem_zalloc(sizeof *spans * (size_t)(plan->n_windows + 1));
#pragma omp for schedule(dynamic, 1)
        for (int64_t c = 0; c < chunks; c++) {
            int64_t first = c * CHUNK, n = k->rows.n - first < CHUNK ? k->rows.n - first : CHUNK;
            compute_chunk(k, &target, first, n, spans, plan->scratch[omp_get_thread_num()]);
        }
        for (int w = 0; w < plan->n_windows; w++)
            spans_deinit(&spans[w]);
        free(spans);
    }
    for (int f = 0; f < plan->n_features; f++)
        if (is_window(&plan->features[f]))
            value_fill(&plan->features[f], &k->features[f]);
}

/* ---- stage C ---- */

static void eval_bound(struct key *k, const struct bound *b, int part, struct column *ret)
{
    struct expr_slot *places = MEM_ARRAY(struct expr_slot, (size_t)b->n_slots + 1);
    bound_places(b, &k->rows, k->features, places);
    expr_column(expr_part(b->tree, part), places, k->rows.n, 1, ret);
    free(places);
}

/* A group whose rows look at different pasts would mix them. */
static int check_cutoffs(const struct key *k, const struct plan_feature *f, const struct column *within, struct err *err)
{
    if (k->plan->cutoff < 0)
        return 0;
    CLEANUP(grouping_deinit) struct grouping g;
    group_rows(within, f->group->n_within, k->rows.n, GROUP_NULL_ALONE, &g);
    for (int64_t row = 0; row < k->rows.n; row++)
        if (k->cutoff_us[row] != k->cutoff_us[g.first[g.group[row]]])
            return err_set(err, ERR_INPUT,
                           "%s: rows %" PRId32 " and %" PRId64 " of the date are in one group and have different cutoffs",
                           f->spec->at, g.first[g.group[row]], row);
    return 0;
}

static int compute_group(struct key *k, const struct plan_feature *f, struct column *ret, struct err *err)
{
    struct column within[GROUP_MAX_BY], args[2] = {0};
    for (int i = 0; i < f->group->n_within; i++)
        within[i] = *rows_column(&k->rows, f->group->within[i]);
    int r = check_cutoffs(k, f, within, err);
    if (r < 0)
        return r;
    for (int i = 0; i < f->group->use.n_args; i++)
        eval_bound(k, &f->group->args[i], 0, &args[i]);
    group_part_eval(f->group, args, within, f->group->n_within, k->rows.n, &f->shape, k->plan->scratch[0], ret);
    column_deinit(&args[0]);
    column_deinit(&args[1]);
    return 0;
}

static int compute_rest(struct key *k, struct err *err)
{
    const struct plan *plan = k->plan;
    for (int i = 0; i < plan->n_order; i++) {
        const struct plan_feature *f = &plan->features[plan->order[i]];
        struct column *ret = &k->features[plan->order[i]];
        int r = 0;
        if (f->how == HOW_GROUP)
            r = compute_group(k, f, ret, err);
        else
            eval_bound(k, &f->expr, f->part, ret);
        if (r < 0)
            return r;
        value_fill(f, ret);
    }
    return 0;
}

/* ---- output ---- */

/* Rows that target.where keeps; NULL: all. */
static int32_t *choose_rows(struct key *k, int64_t *ret_n)
{
    const struct bound *where = &k->plan->target_where;
    *ret_n = k->rows.n;
    if (!where->tree)
        return NULL;
    uint8_t *keep = mem_alloc((size_t)k->rows.n + 1);
    int32_t *chosen = MEM_ARRAY(int32_t, (size_t)k->rows.n + 1);
    struct expr_slot *places = MEM_ARRAY(struct expr_slot, (size_t)where->n_slots + 1);
    bound_places(where, &k->rows, NULL, places);
    expr_filter(where->tree, places, k->rows.n, keep);
    int64_t n = 0;
    for (int64_t row = 0; row < k->rows.n; row++)
        if (keep[row])
            chosen[n++] = (int32_t)row;
    free(keep);
    free(places);
    *ret_n = n;
    return chosen;
}

static void choose(const struct column *src, const int32_t *chosen, int64_t n, struct column *ret)
{
    column_alloc(ret, src->type, n, true);
    ret->scale = src->scale;
    ret->dict = src->dict;
    for (int64_t i = 0; i < n; i++)
        value_copy(ret, i, src, chosen[i]);
}

/* An expression's own dictionary lives in its column, so a chosen copy must not outlive it: strings are copied
 * with their block by moving the column and its rows in place. */
static void choose_in_place(struct column *c, const int32_t *chosen, int64_t n)
{
    size_t bytes = type_bytes(c->type);
    char *data = c->data;
    for (int64_t i = 0; i < n; i++) {
        memmove(data + (size_t)i * bytes, data + (size_t)chosen[i] * bytes, bytes);
        if (c->valid)
            c->valid[i] = c->valid[chosen[i]];
    }
    c->rows = n;
}

/* Columns that the key owns move into the frame; those of the snapshot stay views. */
static void put_output(struct key *k, const struct plan_output *o, const int32_t *chosen, int64_t n, struct column *ret)
{
    const struct plan *plan = k->plan;
    struct column *src = o->feature >= 0 ? &k->features[o->feature] : &k->rows.columns[o->column];
    const struct column *shape =
        o->feature >= 0 ? &plan->features[o->feature].shape : &plan->tables[plan->target].columns[o->column].shape;
    const char *name =
        o->feature >= 0 ? plan->features[o->feature].name : plan->tables[plan->target].columns[o->column].name;
    if (chosen && !src->own) {
        choose(src, chosen, n, ret);
    } else {
        *ret = *src;
        src->own = NULL; /* each column is in the output once */
        if (chosen)
            choose_in_place(ret, chosen, n);
    }
    ret->name = name;
    ret->nullable = shape->nullable;
    if (shape->max_chars > ret->max_chars)
        ret->max_chars = shape->max_chars;
    if (!ret->nullable)
        ret->valid = NULL;
}

static void put_outputs(struct key *k, struct frame *ret)
{
    const struct plan *plan = k->plan;
    struct frame frame = {.n_columns = plan->n_outputs};
    for (int i = 0; i < plan->n_outputs; i++)
        if (plan->outputs[i].column >= 0)
            rows_column(&k->rows, plan->outputs[i].column);
    int32_t *chosen = choose_rows(k, &frame.rows);
    frame.columns = mem_zalloc(sizeof *frame.columns * (size_t)(plan->n_outputs + 1));
    for (int i = 0; i < plan->n_outputs; i++)
        put_output(k, &plan->outputs[i], chosen, frame.rows, &frame.columns[i]);
    free(chosen);
    *ret = frame;
}

int plan_compute(struct plan *plan, int64_t day, int threads, struct frame *ret, struct err *err)
{
    struct key k = {.plan = plan, .day = day, .threads = threads};
    const struct plan_table *t = &plan->tables[plan->target];
    int64_t first = 0, end = 0;
    table_day(t->table, day, &first, &end);
    rows_init(&k.rows, t, first, end - first, 1);
    k.features = mem_zalloc(sizeof *k.features * (size_t)(plan->n_features + 1));
    int r = find_cutoffs(&k, err);
    if (r == 0) {
        compute_windows(&k);
        r = compute_rest(&k, err);
    }
    if (r == 0)
        put_outputs(&k, ret);
    for (int f = 0; f < plan->n_features; f++)
        column_deinit(&k.features[f]);
    free(k.features);
    free(k.cutoff_us);
    rows_deinit(&k.rows);
    return r;
}

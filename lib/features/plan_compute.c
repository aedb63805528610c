/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan_compute.c - one key: its target rows, stage B in parallel chunks, stage C in order, the
 * columns put together.
 *
 * A key may take less than a millisecond, and a thread that sleeps comes late. So all threads are
 * called once per key, and whoever has come takes the next piece: first what of stage C needs no
 * window, as one piece, then the chunks.
 *
 * Each row's values are made by one thread in one order, so bytes do not depend on their number. */
#include "features/plan_parts.h"

#include <inttypes.h>
#include <string.h>

#include "base/date.h"
#include "codec/csv.h"

/* ---- cutoffs ---- */

static void add_place(const struct key *k, int64_t row, struct str *out)
{
    if (k->given)
        k->given->place(k->given->place_ctx, row, out);
    else
        str_addf(out, "row %" PRId64 " of its date in table '%s'", row,
                 k->plan->tables[k->plan->target].table->name);
}

/* " (off 2024-01-31)" */
static void add_time(const struct column *c, int64_t row, struct str *out)
{
    char text[TIMESTAMP_TEXT];
    if (c->type == TYPE_DATE)
        date_format(c->i[row], text);
    else
        timestamp_format(c->i[row], text);
    str_addf(out, " (%s %s)", c->name, text);
}

/* A file's line is found by its number, a row of the snapshot by its time. */
static void name_row(const struct key *k, int64_t row, const struct column *c, struct str *out)
{
    add_place(k, row, out);
    if (!k->given)
        add_time(c, row, out);
}

static int64_t start_us(const struct column *c, int64_t row)
{
    return c->type == TYPE_DATE ? c->i[row] * DATE_US_PER_DAY : c->i[row];
}

static bool has_own_dates(const struct key *k)
{
    for (int64_t row = 0; !k->given && row < k->rows.n; row++)
        if (k->cutoff_us[row] != k->day * DATE_US_PER_DAY)
            return false;
    return !k->given;
}

static int find_cutoffs(struct key *k, struct err *err)
{
    const struct plan *plan = k->plan;
    k->cutoff_us = MEM_ARRAY(int64_t, (size_t)k->rows.n + 1);
    if (plan->cutoff < 0) {
        for (int64_t row = 0; row < k->rows.n; row++)
            k->cutoff_us[row] = (k->given ? k->given_day.i[row] : k->day) * DATE_US_PER_DAY;
        k->own_dates = !k->given;
        return 0;
    }
    const struct column *c = rows_column(&k->rows, plan->cutoff);
    const struct column *time = rows_column(&k->rows, plan->tables[plan->target].table->time);
    for (int64_t row = 0; row < k->rows.n; row++) {
        CLEANUP(str_deinit) struct str where = {0};
        if (column_is_null(c, row)) {
            name_row(k, row, time, &where);
            return err_set(err, ERR_INPUT,
                           "%s: the cutoff '%s' is null; fill it in, or give \"cutoff\" a derived "
                           "column that is never null, such as coalesce(%s, …)",
                           where.s, c->name, c->name);
        }
        k->cutoff_us[row] = start_us(c, row);
        int64_t own = start_us(time, row) + (time->type == TYPE_DATE ? DATE_US_PER_DAY - 1 : 0);
        if (k->cutoff_us[row] <= own)
            continue;
        name_row(k, row, c, &where);
        return err_set(err, ERR_INPUT,
                       "%s: the cutoff '%s' is after the row's own time '%s': its features would "
                       "look into the future",
                       where.s, c->name, time->name);
    }
    k->own_dates = has_own_dates(k);
    return 0;
}

/* ---- stage B ---- */

/* Columns of the target rows are computed on demand, which threads must not do at once: ask for
 * them first. */
static void prepare_window(struct key *k, const struct plan_window *w)
{
    for (int i = 0; i < k->plan->indexes[w->index].n_by; i++)
        rows_column(&k->rows, k->plan->entries[w->entry].by_target[i]);
    for (int i = 0; i < w->where.n_slots; i++)
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

/* All windows and their calculations for the chunk. A window is bound once for all that share it.
 */
static void compute_chunk(struct key *k, struct chunk *c, int64_t first, int64_t n)
{
    chunk_bind(c, first, n);
    for (int f = 0; f < k->plan->n_features; f++)
        if (is_window(&k->plan->features[f]))
            chunk_feature(c, &k->plan->features[f], &k->features[f]);
}

/* ---- stage C ---- */

static void eval_bound(struct key *k, const struct bound *b, int part, struct column *ret)
{
    struct expr_slot *places = MEM_ARRAY(struct expr_slot, (size_t)b->n_slots + 1);
    bound_places(b, &k->rows, k->features, places);
    expr_column(expr_part(b->tree, part), places, k->rows.n, 1, ret);
    free(places);
}

/* "race,track = 7,Ascot on 2024-01-31" */
static void add_group(struct key *k, const struct group_part *part, int64_t row, struct str *out)
{
    struct column within[GROUP_MAX_BY];
    struct frame one = {.rows = 1, .n_columns = part->n_within, .columns = within};
    CLEANUP(str_deinit) struct str lines = {0};
    char day[DATE_TEXT];
    for (int i = 0; i < part->n_within; i++) {
        const struct column *c = rows_column(&k->rows, part->within[i]);
        within[i] = column_slice(c, row, 1);
        within[i].name = c->name;
    }
    csv_write_frame(&lines, &one);
    size_t header = strcspn(lines.s, "\n");
    date_format(k->given ? k->given_day.i[row] : k->day, day);
    str_addf(out, "%.*s = %.*s on %s", (int)header, lines.s, (int)(lines.len - header - 2),
             lines.s + header + 1, day);
}

static int different_cutoffs(struct key *k, const struct plan_feature *f, int64_t one,
                             int64_t other, struct err *err)
{
    const struct column *cutoff = rows_column(&k->rows, k->plan->cutoff);
    CLEANUP(str_deinit) struct str group = {0}, rows = {0};
    add_group(k, f->group, one, &group);
    add_place(k, one, &rows);
    add_time(cutoff, one, &rows);
    str_addz(&rows, " and ");
    add_place(k, other, &rows);
    add_time(cutoff, other, &rows);
    return err_set(err, ERR_INPUT,
                   "%s: the group %s has rows of different cutoffs, which look at different pasts: "
                   "%s; give them one '%s', or add '%s' to \"within\"",
                   f->spec->at, group.s, rows.s, cutoff->name, cutoff->name);
}

/* A group whose rows look at different pasts would mix them. */
static int check_cutoffs(struct key *k, const struct plan_feature *f, const struct grouping *g,
                         struct err *err)
{
    if (k->plan->cutoff < 0)
        return 0;
    for (int64_t row = 0; row < k->rows.n; row++)
        if (k->cutoff_us[row] != k->cutoff_us[g->first[g->group[row]]])
            return different_cutoffs(k, f, g->first[g->group[row]], row, err);
    return 0;
}

/* Features with the same `within` share their groups: those of the last one are kept. */
static const struct groups *groups_for(struct key *k, const struct group_part *part)
{
    struct column within[GROUP_MAX_BY + 1];
    const struct group_part *last = k->grouped;
    if (last && last->n_within == part->n_within &&
        memcmp(last->within, part->within, sizeof *part->within * (size_t)part->n_within) == 0)
        return &k->groups;
    for (int i = 0; i < part->n_within; i++)
        within[i] = *rows_column(&k->rows, part->within[i]);
    if (last)
        groups_deinit(&k->groups);
    int n = part->n_within;
    if (k->given)
        within[n++] = k->given_day; /* given rows may be of several dates, and a group is of one */
    groups_init(&k->groups, within, n, k->rows.n);
    k->grouped = part;
    return &k->groups;
}

static int compute_group(struct key *k, const struct plan_feature *f, struct column *ret,
                         struct err *err)
{
    struct column args[2] = {0};
    const struct groups *groups = groups_for(k, f->group);
    int r = check_cutoffs(k, f, &groups->by_value, err);
    if (r < 0)
        return r;
    for (int i = 0; i < f->group->use.n_args; i++)
        eval_bound(k, &f->group->args[i], 0, &args[i]);
    group_part_eval(f->group, args, groups, k->rows.n, &f->shape, ret);
    if (ret->type == TYPE_STRING)
        value_own_dict(ret); /* the argument's own dictionary ends here */
    column_deinit(&args[0]);
    column_deinit(&args[1]);
    return 0;
}

/* Stage C: places [from, to) of its order. */
static int compute_order(struct key *k, int from, int to, struct err *err)
{
    const struct plan *plan = k->plan;
    for (int i = from; i < to; i++) {
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

/* ---- both ---- */

/* Chunks of equal length, at least so many that a thread that comes late finds enough to do. */
static int64_t chunk_rows(int64_t rows, int threads)
{
    enum { CHUNKS_PER_THREAD = 4, ROWS_MIN = 32 };
    int64_t chunks = (rows + CHUNK_ROWS - 1) / CHUNK_ROWS;
    if (threads > 1 && chunks < CHUNKS_PER_THREAD * threads)
        chunks = CHUNKS_PER_THREAD * threads;
    if (chunks > (rows + ROWS_MIN - 1) / ROWS_MIN)
        chunks = (rows + ROWS_MIN - 1) / ROWS_MIN;
    return chunks ? (rows + chunks - 1) / chunks : CHUNK_ROWS;
}

/* The first row of the nth chunk to be taken. Neighbours share cache lines at their border, so
 * chunks that are taken one after the other, and worked on side by side, lie far apart. */
static int64_t nth_chunk(int64_t nth, int64_t chunks_per_thread, int threads, int64_t rows)
{
    return (nth % threads * chunks_per_thread + nth / threads) * rows;
}

static int compute_together(struct key *k, struct err *err)
{
    const struct plan *plan = k->plan;
    const struct target_rows target = {.rows = &k->rows,
                                       .cutoff_us = k->cutoff_us,
                                       .in_snapshot = !k->given,
                                       .own_dates = k->own_dates};
    int64_t n = k->rows.n, rows = chunk_rows(n, k->threads);
    int64_t per_thread = (n + rows * k->threads - 1) / (rows * k->threads);
    int r = 0;
    prepare_features(k);
#pragma omp parallel num_threads(k->threads) if (k->threads > 1 && n > rows)
    {
        struct chunk c;
#pragma omp single nowait
        r = compute_order(k, 0, plan->n_free, err);
        chunk_init(&c, plan, &target);
#pragma omp for schedule(dynamic, 1)
        for (int64_t nth = 0; nth < per_thread * k->threads; nth++) {
            int64_t first = nth_chunk(nth, per_thread, k->threads, rows);
            if (first < n)
                compute_chunk(k, &c, first, n - first < rows ? n - first : rows);
        }
        chunk_deinit(&c);
    }
    for (int f = 0; f < plan->n_features; f++)
        if (is_window(&plan->features[f]))
            value_fill(&plan->features[f], &k->features[f]);
    return r;
}

/* ---- output ---- */

int32_t *key_chosen(struct key *k, int64_t *ret_n)
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

/* An expression's own dictionary lives in its column, so a chosen copy must not outlive it: strings
 * are copied with their block by moving the column and its rows in place. */
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

/* Given rows may hold what no row of the snapshot does: nulls where there were none, longer
 * strings. */
static void widen(struct column *c)
{
    c->nullable = c->nullable || (c->valid && memchr(c->valid, 0, (size_t)c->rows));
    int32_t chars = c->type == TYPE_STRING ? dict_max_chars(&c->dict) : 0;
    c->max_chars = chars > c->max_chars ? chars : c->max_chars;
}

/* Columns that the key owns move into the frame; those of the snapshot stay views. */
static void put_output(struct key *k, const struct plan_output *o, const int32_t *chosen, int64_t n,
                       struct column *ret)
{
    const struct plan *plan = k->plan;
    struct column *src = o->feature >= 0 ? &k->features[o->feature] : &k->rows.columns[o->column];
    const struct column *shape = o->feature >= 0
                                     ? &plan->features[o->feature].shape
                                     : &plan->tables[plan->target].columns[o->column].shape;
    const char *name = o->feature >= 0 ? plan->features[o->feature].name
                                       : plan->tables[plan->target].columns[o->column].name;
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
    if (k->given)
        widen(ret);
    if (!ret->nullable)
        ret->valid = NULL;
}

/* ret_chosen: NULL, or what key_chosen says. */
static void put_outputs(struct key *k, struct frame *ret, int32_t **ret_chosen)
{
    const struct plan *plan = k->plan;
    struct frame frame = {.n_columns = plan->n_outputs};
    for (int i = 0; i < plan->n_outputs; i++)
        if (plan->outputs[i].column >= 0)
            rows_column(&k->rows, plan->outputs[i].column);
    int32_t *chosen = key_chosen(k, &frame.rows);
    frame.columns = mem_zalloc(sizeof *frame.columns * (size_t)(plan->n_outputs + 1));
    for (int i = 0; i < plan->n_outputs; i++)
        put_output(k, &plan->outputs[i], chosen, frame.rows, &frame.columns[i]);
    if (ret_chosen)
        *ret_chosen = chosen;
    else
        free(chosen);
    *ret = frame;
}

/* ---- a whole key ---- */

static void key_init(struct key *k, int64_t first, int64_t n)
{
    rows_init(&k->rows, &k->plan->tables[k->plan->target], first, n, 1);
    k->features = mem_zalloc(sizeof *k->features * (size_t)(k->plan->n_features + 1));
}

int key_open(struct plan *plan, int64_t day, int threads, struct key *ret, struct err *err)
{
    int64_t first = 0, end = 0;
    table_day(plan->tables[plan->target].table, day, &first, &end);
    *ret = (struct key){.plan = plan, .day = day, .threads = threads};
    key_init(ret, first, end - first);
    return find_cutoffs(ret, err);
}

/* The given columns stand where those of the table would be read. */
static int key_open_given(struct plan *plan, const struct plan_rows *given, int threads,
                          struct key *ret, struct err *err)
{
    const struct table *t = plan->tables[plan->target].table;
    *ret = (struct key){.plan = plan, .threads = threads, .given = given};
    key_init(ret, 0, given->n);
    for (int c = 0; c < t->n_columns; c++)
        ret->rows.columns[c] = column_slice(&given->columns[c], 0, given->n);
    const struct column *time = &ret->rows.columns[t->time];
    column_alloc(&ret->given_day, TYPE_DATE, given->n, false);
    for (int64_t row = 0; row < given->n; row++)
        ret->given_day.i[row] = column_day(time, row);
    return find_cutoffs(ret, err);
}

int key_compute(struct key *k, struct err *err)
{
    int r = compute_together(k, err);
    return r < 0 ? r : compute_order(k, k->plan->n_free, k->plan->n_order, err);
}

void key_deinit(struct key *k)
{
    for (int f = 0; k->features && f < k->plan->n_features; f++)
        column_deinit(&k->features[f]);
    if (k->grouped)
        groups_deinit(&k->groups);
    free(k->features);
    free(k->cutoff_us);
    column_deinit(&k->given_day);
    rows_deinit(&k->rows);
    *k = (struct key){0};
}

int plan_compute(struct plan *plan, int64_t day, int threads, struct frame *ret, struct err *err)
{
    CLEANUP(key_deinit) struct key k;
    int r = key_open(plan, day, threads, &k, err);
    if (r == 0)
        r = key_compute(&k, err);
    if (r == 0)
        put_outputs(&k, ret, NULL);
    return r;
}

int plan_compute_rows(struct plan *plan, const struct plan_rows *rows, int threads,
                      struct frame *ret, int32_t **ret_chosen, struct err *err)
{
    CLEANUP(key_deinit) struct key k;
    int r = key_open_given(plan, rows, threads, &k, err);
    if (r == 0)
        r = key_compute(&k, err);
    if (r == 0)
        put_outputs(&k, ret, ret_chosen);
    return r;
}

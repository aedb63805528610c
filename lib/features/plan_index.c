/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan_index.c - the indexes that a plan's windows need: mapped where they are, built where not.
 *
 * Only building reads whole tables; a worker that finds its indexes touches no more pages than its
 * keys need. */
#include "features/plan_parts.h"

#include "base/fs.h"

struct request { /* an index_request and what it points to */
    struct index_request q;
    struct column by[GROUP_MAX_BY];
    struct column time;
    struct column *columns;
    struct index_field *fields;
    uint8_t *keep;
};

static void request_deinit(struct request *r)
{
    free(r->columns);
    free(r->fields);
    free(r->keep);
}

static void request_init(const struct plan *plan, const struct plan_index *x, struct request *r)
{
    const struct plan_table *t = &plan->tables[x->table];
    *r = (struct request){0};
    r->columns = mem_zalloc(sizeof *r->columns * (size_t)(x->n_fields + 1));
    r->fields = mem_zalloc(sizeof *r->fields * (size_t)(x->n_fields + 1));
    for (int k = 0; k < x->n_by; k++)
        r->by[k] = t->columns[x->by[k]].shape;
    for (int k = 0; k < x->n_fields; k++) {
        const struct plan_field *f = &x->fields[k];
        r->columns[k] = t->columns[f->column].shape;
        r->fields[k] = (struct index_field){.column = &r->columns[k],
                                            .sums = f->sums,
                                            .own_dict = t->columns[f->column].derived,
                                            .window_days = f->window_days};
    }
    if (t->table->time >= 0)
        r->time = t->columns[t->table->time].shape;
    r->q = (struct index_request){.text = x->text,
                                  .table_rows = t->table->rows,
                                  .by = r->by,
                                  .n_by = x->n_by,
                                  .time = t->table->time >= 0 ? &r->time : NULL,
                                  .start_days = x->start_days,
                                  .n_starts = x->n_starts,
                                  .fields = r->fields,
                                  .n_fields = x->n_fields};
}

/* Ask for every derived column that the index copies, so that it is there. */
static void compute_columns(const struct plan_index *x, struct rows *rows)
{
    for (int k = 0; k < x->n_by; k++)
        rows_column(rows, x->by[k]);
    for (int k = 0; k < x->n_fields; k++)
        rows_column(rows, x->fields[k].column);
    if (x->where >= 0)
        rows_column(rows, x->where);
}

static void build(const struct plan *plan, struct plan_index *x, struct rows *rows)
{
    struct request r;
    request_init(plan, x, &r);
    for (int k = 0; k < x->n_by; k++)
        r.by[k] = *rows_column(rows, x->by[k]);
    for (int k = 0; k < x->n_fields; k++)
        r.columns[k] = *rows_column(rows, x->fields[k].column);
    if (x->where >= 0) {
        const struct column *where = rows_column(rows, x->where);
        r.keep = mem_alloc((size_t)where->rows + 1);
        for (int64_t row = 0; row < where->rows; row++)
            r.keep[row] = where->b[row] && !column_is_null(where, row);
        r.q.keep = r.keep;
    }
    index_build(&r.q, &x->index);
    request_deinit(&r);
}

/* Build what is not mapped, several indexes at once. Derived columns are computed before, each by
 * all threads. */
static void build_missing(struct plan *plan, int threads)
{
    struct rows *rows = mem_zalloc(sizeof *rows * (size_t)(plan->n_tables + 1));
    for (int i = 0; i < plan->n_tables; i++)
        rows_init(&rows[i], &plan->tables[i], 0, plan->tables[i].table->rows, threads);
    for (int i = 0; i < plan->n_indexes; i++)
        if (!plan->indexes[i].index)
            compute_columns(&plan->indexes[i], &rows[plan->indexes[i].table]);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (int i = 0; i < plan->n_indexes; i++)
        if (!plan->indexes[i].index)
            build(plan, &plan->indexes[i], &rows[plan->indexes[i].table]);
    for (int i = 0; i < plan->n_tables; i++)
        rows_deinit(&rows[i]);
    free(rows);
}

char *plan_index_path(const struct plan *plan, const char *index_dir, const struct plan_index *x)
{
    char name[33];
    index_name(plan->snapshot->id, x->text, name);
    return index_dir ? fs_join(index_dir, name)
                     : mem_printf("%s/index/%s", plan->snapshot->dir, name);
}

/* Map what is there; *ret_missing counts the rest. */
static int map_present(struct plan *plan, const char *index_dir, int *ret_missing, struct err *err)
{
    *ret_missing = 0;
    for (int i = 0; i < plan->n_indexes; i++) {
        struct plan_index *x = &plan->indexes[i];
        if (x->index)
            continue;
        struct request q;
        CLEANUP(mem_free_chars) char *path = plan_index_path(plan, index_dir, x);
        request_init(plan, x, &q);
        int r = index_map(path, &q.q, &x->index, err);
        request_deinit(&q);
        if (r < 0)
            return r;
        *ret_missing += r == INDEX_ABSENT;
    }
    return 0;
}

/* String features get their dictionaries from the index when the column is derived. */
static void finish_strings(struct plan *plan)
{
    for (int i = 0; i < plan->n_features; i++) {
        struct plan_feature *f = &plan->features[i];
        if (f->how != HOW_WINDOW || f->shape.type != TYPE_STRING)
            continue;
        const struct index *x = plan->indexes[plan->windows[f->window].index].index;
        const struct column *values = &x->columns[f->field[0]].values;
        f->shape.dict = values->dict;
        if (f->shape.max_chars < values->max_chars)
            f->shape.max_chars = values->max_chars;
        if (f->spec->fill.type == JSON_STRING && !f->filled.dict.offsets)
            value_fill_dict(&values->dict, f->spec->fill.text, &f->filled);
    }
}

int plan_index(struct plan *plan, const char *index_dir, int threads, int *ret_built,
               struct err *err)
{
    int missing;
    int r = map_present(plan, index_dir, &missing, err);
    if (r < 0)
        return r;
    if (missing)
        build_missing(plan, threads);
    finish_strings(plan);
    if (ret_built)
        *ret_built = missing;
    return 0;
}

int plan_index_write(struct plan *plan, const char *index_dir, int threads, int *ret_written,
                     struct err *err)
{
    int missing, written = 0;
    int r = map_present(plan, index_dir, &missing, err);
    if (r < 0)
        return r;
    if (missing)
        build_missing(plan, threads);
    for (int i = 0; i < plan->n_indexes; i++) {
        const struct plan_index *x = &plan->indexes[i];
        CLEANUP(mem_free_chars) char *path = plan_index_path(plan, index_dir, x);
        if (fs_exists(path))
            continue;
        r = index_write(x->index, x->text, path, err);
        if (r < 0)
            return r;
        written++;
    }
    if (ret_written)
        *ret_written = written;
    return 0;
}

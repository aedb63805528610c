/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan_rows.c - stage A: the columns of a range of rows, and groups of rows.
 *
 * Derived columns are computed when somebody asks for them: over the whole table while an index is
 * built, over one day for the target rows of a key. */
#include "features/plan_parts.h"

#include <string.h>

void rows_init(struct rows *rows, const struct plan_table *table, int64_t first, int64_t n,
               int threads)
{
    *rows = (struct rows){.table = table, .first = first, .n = n, .threads = threads};
    rows->columns = mem_zalloc(sizeof *rows->columns * (size_t)(table->n_columns + 1));
}

void rows_deinit(struct rows *rows)
{
    for (int c = 0; rows->columns && c < rows->table->n_columns; c++)
        column_deinit(&rows->columns[c]);
    free(rows->columns);
    *rows = (struct rows){0};
}

void bound_places(const struct bound *bound, struct rows *rows, const struct column *features,
                  struct expr_slot *ret)
{
    for (int k = 0; k < bound->n_slots; k++) {
        int number = bound->slots[k].number;
        ret[k] = (struct expr_slot){.column = bound->slots[k].space == SLOT_FEATURE
                                                  ? &features[number]
                                                  : rows_column(rows, number)};
    }
}

static void eval_expression(struct rows *rows, const struct bound *bound, struct column *ret)
{
    struct expr_slot *places = MEM_ARRAY(struct expr_slot, (size_t)bound->n_slots + 1);
    bound_places(bound, rows, NULL, places);
    expr_column(bound->tree, places, rows->n, rows->threads, ret);
    free(places);
}

/* A row's group: rows of the same time with equal `within` values. */
static void eval_statistic(struct rows *rows, const struct plan_column *c, struct column *ret)
{
    const struct group_part *g = c->group;
    struct column args[2] = {0}, within[GROUP_MAX_BY + 1];
    struct groups groups;
    for (int k = 0; k < g->use.n_args; k++)
        eval_expression(rows, &g->args[k], &args[k]);
    for (int k = 0; k < g->n_within; k++)
        within[k] = *rows_column(rows, g->within[k]);
    within[g->n_within] = *rows_column(rows, rows->table->table->time);
    groups_init(&groups, within, g->n_within + 1, rows->n);
    group_part_eval(g, args, &groups, rows->n, &c->shape, ret);
    groups_deinit(&groups);
    if (ret->type == TYPE_STRING)
        value_own_dict(ret);
    column_deinit(&args[0]);
    column_deinit(&args[1]);
}

const struct column *rows_column(struct rows *rows, int column)
{
    struct column *ret = &rows->columns[column];
    const struct plan_column *c = &rows->table->columns[column];
    if (ret->type != TYPE_NULL)
        return ret;
    if (!c->derived)
        *ret = column_slice(&c->shape, rows->first, rows->n);
    else if (c->group)
        eval_statistic(rows, c, ret);
    else
        eval_expression(rows, &c->expr, ret);
    ret->name = c->name;
    ret->nullable = c->shape.nullable;
    ret->max_chars = c->shape.max_chars;
    return ret;
}

/* ---- groups ---- */

void groups_init(struct groups *g, const struct column *within, int n_within, int64_t n)
{
    group_rows(within, n_within, n, GROUP_NULL_ALONE, &g->by_value);
    g->offsets = MEM_ARRAY(int32_t, (size_t)g->by_value.n_groups + 1);
    g->order = MEM_ARRAY(int32_t, (size_t)n + 1);
    group_order(g->by_value.group, g->by_value.n_groups, n, NULL, g->offsets, g->order);
    g->in_order = true;
    for (int64_t i = 0; i < n && g->in_order; i++)
        g->in_order = g->order[i] == i;
}

void groups_deinit(struct groups *g)
{
    grouping_deinit(&g->by_value);
    free(g->offsets);
    free(g->order);
}

static void gather(const struct column *src, const int32_t *order, int64_t n, struct column *ret)
{
    column_alloc(ret, src->type, n, true);
    ret->scale = src->scale;
    ret->dict = src->dict;
    for (int64_t i = 0; i < n; i++)
        value_copy(ret, i, src, order[i]);
    if (!src->valid)
        ret->valid = NULL;
}

static void eval_groups(const struct group_part *part, const struct column *args,
                        const struct groups *g, struct calc_scratch *scratch, struct column *out)
{
    for (int32_t k = 0; k < g->by_value.n_groups; k++) {
        int32_t first = g->offsets[k];
        struct window w = {.n = g->offsets[k + 1] - first, .scratch = scratch};
        for (int a = 0; a < part->use.n_args; a++)
            w.arg[a] = value_series(&args[a], first);
        if (w.n > 0)
            calc_group(&part->use, &w, out, first);
    }
}

/* Arguments are brought into group order and answers back to row order. */
static void eval_scattered(const struct group_part *part, const struct column *args,
                           const struct groups *g, int64_t n, struct calc_scratch *scratch,
                           struct column *ret)
{
    struct column ordered[2] = {0}, out;
    for (int k = 0; k < part->use.n_args; k++)
        gather(&args[k], g->order, n, &ordered[k]);
    column_alloc(&out, ret->type, n, true);
    eval_groups(part, ordered, g, scratch, &out);
    for (int64_t i = 0; i < n; i++)
        value_copy(ret, g->order[i], &out, i);
    column_deinit(&out);
    column_deinit(&ordered[0]);
    column_deinit(&ordered[1]);
}

void group_part_eval(const struct group_part *part, const struct column *args,
                     const struct groups *g, int64_t n, const struct column *shape,
                     struct column *ret)
{
    CLEANUP(calc_scratch_free) struct calc_scratch *scratch = calc_scratch_new();
    column_alloc(ret, shape->type, n, true);
    if (g->in_order)
        eval_groups(part, args, g, scratch, ret);
    else
        eval_scattered(part, args, g, n, scratch, ret);
    ret->scale = shape->scale;
    ret->nullable = shape->nullable;
    ret->max_chars = shape->max_chars;
    if (shape->type == TYPE_STRING)
        ret->dict = args[0].dict;
}

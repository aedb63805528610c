/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan_range.c - the integers that columns and features can be, and so whether sums of them could
 * overflow.
 *
 * Ranges of stored columns are read from their values, once and only when a sum asks; all others
 * follow from what they are made of, without computing them. Each is kept, since columns and
 * features read each other. */
#include "features/plan_parts.h"

#include <string.h>

enum { DAYS_MOST = 10000000 }; /* more than between any two dates */

static struct expr_range clamped(__int128 low, __int128 high)
{
    return (struct expr_range){low < INT64_MIN ? INT64_MIN : (int64_t)low,
                               high > INT64_MAX ? INT64_MAX : (int64_t)high};
}

static struct expr_range values_range(const struct column *c)
{
    struct expr_range r = {0, 0};
    for (int64_t row = 0; row < c->rows; row++) {
        r.low = c->i[row] < r.low && !column_is_null(c, row) ? c->i[row] : r.low;
        r.high = c->i[row] > r.high && !column_is_null(c, row) ? c->i[row] : r.high;
    }
    return r;
}

/* The most rows that a group can have: all of a group have one time. */
static int64_t day_rows(const struct table *t)
{
    int64_t most = 0;
    for (int64_t d = 0; d < t->n_days; d++) {
        int64_t rows = t->day_start[d + 1] - t->day_start[d];
        most = rows > most ? rows : most;
    }
    return most;
}

static bool adds_up(const struct calc_use *use)
{
    return str_starts(use->calc->name, "sum");
}

/* What is no integer has no range that anybody asks for. */
static struct expr_range use_range(const struct calc_use *use, struct expr_range x, int64_t rows)
{
    int64_t most = rows > DAYS_MOST ? rows : DAYS_MOST;
    if (use->calc->result == RESULT_INT)
        return (struct expr_range){-most, most};
    if (use->calc->result == RESULT_ROW)
        return x;
    if (!adds_up(use))
        return clamped((__int128)x.low - x.high, (__int128)x.high - x.low);
    return clamped((__int128)(x.low < 0 ? x.low : 0) * rows,
                   (__int128)(x.high > 0 ? x.high : 0) * rows);
}

static struct expr_range column_range(struct plan *plan, int table, int column);
static struct expr_range feature_range(struct plan *plan, int feature);

static struct expr_range part_range(struct plan *plan, int table, const struct bound *b,
                                    const struct expr *part)
{
    CLEANUP(free) void *room = MEM_ARRAY(struct expr_range, (size_t)b->n_slots + 1);
    struct expr_range *slots = room;
    for (int k = 0; k < b->n_slots; k++)
        slots[k] = b->slots[k].space == SLOT_FEATURE
                       ? feature_range(plan, b->slots[k].number)
                       : column_range(plan, table, b->slots[k].number);
    return expr_range(part, slots);
}

static struct expr_range group_range(struct plan *plan, int table, const struct group_part *g)
{
    struct expr_range x = {0};
    if (g->use.n_args > 0)
        x = part_range(plan, table, &g->args[0], g->args[0].tree);
    return use_range(&g->use, x, day_rows(plan->tables[table].table));
}

static struct expr_range column_range(struct plan *plan, int table, int column)
{
    struct plan_column *c = &plan->tables[table].columns[column];
    struct expr_range r = {INT64_MIN, INT64_MAX};
    if (c->has_range)
        return c->range;
    if (c->shape.type == TYPE_BOOL)
        r = (struct expr_range){0, 1};
    else if (c->shape.type != TYPE_INT)
        return r;
    else if (c->group)
        r = group_range(plan, table, c->group);
    else if (c->derived)
        r = part_range(plan, table, &c->expr, c->expr.tree);
    else
        r = values_range(&c->shape);
    c->range = r;
    c->has_range = true;
    return r;
}

static struct expr_range window_range(struct plan *plan, const struct plan_feature *f)
{
    const struct plan_index *x = &plan->indexes[plan->windows[f->window].index];
    struct expr_range arg = {0};
    if (f->how == HOW_AGE)
        return (struct expr_range){-DAYS_MOST, DAYS_MOST};
    if (f->use.n_args > 0)
        arg = column_range(plan, x->table, x->fields[f->field[0]].column);
    return use_range(&f->use, arg, plan->tables[x->table].table->rows);
}

static struct expr_range feature_range(struct plan *plan, int feature)
{
    struct plan_feature *f = &plan->features[feature];
    if (f->has_range)
        return f->range;
    if (f->how == HOW_EXPR)
        f->range = part_range(plan, plan->target, &f->expr, expr_part(f->expr.tree, f->part));
    else if (f->how == HOW_GROUP)
        f->range = group_range(plan, plan->target, f->group);
    else
        f->range = window_range(plan, f);
    if (f->spec->fill.type == JSON_NUMBER && f->shape.type == TYPE_INT) {
        int64_t fill = (int64_t)f->spec->fill.number;
        f->range.low = fill < f->range.low ? fill : f->range.low;
        f->range.high = fill > f->range.high ? fill : f->range.high;
    }
    f->has_range = true;
    return f->range;
}

/* ---- what could overflow ---- */

/* Of integers of a range, at most so many at a time. */
static bool overflows(const struct calc_use *use, struct expr_range x, int64_t rows)
{
    if (!adds_up(use))
        return (__int128)x.high - x.low > INT64_MAX;
    __int128 low = -(__int128)x.low, most = low > x.high ? low : x.high;
    return most * rows > INT64_MAX;
}

bool plan_group_overflows(struct plan *plan, int table, const struct group_part *g)
{
    struct expr_range x = part_range(plan, table, &g->args[0], g->args[0].tree);
    return overflows(&g->use, x, day_rows(plan->tables[table].table));
}

bool plan_window_overflows(struct plan *plan, int table, int column, const struct calc_use *use)
{
    const struct plan_table *t = &plan->tables[table];
    if (!overflows(use, column_range(plan, table, column), t->table->rows))
        return false;
    if (!t->columns[column].derived)
        return true;
    struct rows rows;
    rows_init(&rows, t, 0, t->table->rows, 1);
    struct expr_range exact = values_range(rows_column(&rows, column));
    rows_deinit(&rows);
    return overflows(use, exact, t->table->rows);
}

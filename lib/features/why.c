/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* why.c - see why.h. The key is computed as ever; then the window, group or inputs of one row are
 * bound again and copied out. */
#include "features/why.h"

#include <inttypes.h>
#include <string.h>

#include "base/date.h"
#include "features/plan_parts.h"

struct asking { /* what is asked, and the answer so far */
    struct plan *plan;
    struct key *key;
    int32_t row; /* of the date's rows in the table */
    const struct plan_feature *feature;
    struct why *why;
};

/* ---- rows of the answer ---- */

/* Room for n rows and, in time, `columns` columns. */
static void rows_begin(struct why *w, enum why_rows kind, int64_t n, int columns)
{
    w->kind = kind;
    w->rows = (struct frame){.rows = n,
                             .columns = mem_zalloc(sizeof(struct column) * (size_t)(columns + 1))};
    w->row_numbers = MEM_ARRAY(int32_t, (size_t)n + 1);
    w->used = mem_alloc((size_t)n + 1);
    memset(w->used, 1, (size_t)n);
}

static void rows_add(struct why *w, const struct column *c, const int32_t *at, const char *name)
{
    struct column *ret = &w->rows.columns[w->rows.n_columns++];
    column_take(c, at, w->rows.rows, ret);
    ret->name = name;
}

/* Calculations that go by rows, not by values, also see nulls. */
static bool passes_over_nulls(const struct calc_use *use)
{
    static const char *const by_row[] = {"first",      "last",       "lag",
                                         "delta",      "pct_change", "streak",
                                         "max_streak", "rows_since", "days_since"};
    for (size_t i = 0; i < sizeof by_row / sizeof *by_row; i++)
        if (strcmp(use->calc->name, by_row[i]) == 0)
            return false;
    return true;
}

/* The last n_args columns of the rows are the calculation's arguments. */
static void pass_over_nulls(struct why *w, const struct calc_use *use)
{
    if (!passes_over_nulls(use))
        return;
    for (int k = 1; k <= use->n_args; k++)
        for (int64_t i = 0; i < w->rows.rows; i++)
            w->used[i] &= !column_is_null(&w->rows.columns[w->rows.n_columns - k], i);
}

/* ---- windows ---- */

/* The positions to show: of the window, or where something is filtered out all that lie between its
 * edges. */
struct range {
    int32_t lo, n;
    const int32_t *kept; /* NULL: all; else those of them that passed */
    int32_t n_kept;
};

static struct range window_range(const struct asking *a, const struct chunk *c)
{
    const struct plan_feature *f = a->feature;
    const struct plan_window *w = &a->plan->windows[f->window];
    const struct spans *s = &c->spans[f->window];
    struct range range = {.lo = s->lo[0], .n = s->hi[0] - s->lo[0]};
    if (s->filtered) {
        const struct ends *ends = &c->ends[w->entry];
        const struct index *x = a->plan->indexes[w->index].index;
        range.kept = s->list + s->lo[0];
        range.n_kept = range.n;
        range.lo = ends->from[0];
        if (a->why->has_from)
            index_since(x, 1, ends->entity, &a->why->from_us, 0, ends->end, &range.lo);
        range.n = ends->end[0] - range.lo;
    } else if (f->spec->kind == SPEC_ASOF && range.n > 1) {
        range.lo += range.n - 1; /* it only ever looks at the newest */
        range.n = 1;
    }
    return range;
}

static void mark_kept(struct why *w, const struct range *range)
{
    if (!range->kept)
        return;
    memset(w->used, 0, (size_t)range->n);
    for (int32_t i = 0; i < range->n_kept; i++)
        w->used[range->kept[i] - range->lo] = 1;
}

static void add_window_rows(const struct asking *a, const struct range *range)
{
    const struct plan_feature *f = a->feature;
    const struct plan_window *w = &a->plan->windows[f->window];
    const struct plan_index *x = &a->plan->indexes[w->index];
    const struct plan_table *t = &a->plan->tables[x->table];
    struct why *why = a->why;
    int32_t *positions = MEM_ARRAY(int32_t, (size_t)range->n + 1),
            *self = MEM_ARRAY(int32_t, (size_t)range->n + 1);
    rows_begin(why, t->table->time >= 0 ? WHY_HISTORY : WHY_LOOKUP, range->n,
               x->n_by + f->use.n_args + 2);
    for (int32_t i = 0; i < range->n; i++) {
        positions[i] = range->lo + i;
        why->row_numbers[i] = x->index->rows[positions[i]];
        self[i] = a->row;
    }
    if (t->table->time >= 0)
        rows_add(why, &t->columns[t->table->time].shape, why->row_numbers,
                 t->columns[t->table->time].name);
    for (int k = 0; k < x->n_by;
         k++) /* equal to the target row's, that is what they were found by */
        rows_add(why, rows_column(&a->key->rows, a->plan->entries[w->entry].by_target[k]), self,
                 t->columns[x->by[k]].name);
    if (w->known_at >= 0)
        rows_add(why, &x->index->columns[w->known_at].values, positions,
                 t->columns[x->fields[w->known_at].column].name);
    for (int k = 0; k < f->use.n_args; k++)
        rows_add(why, &x->index->columns[f->field[k]].values, positions,
                 t->columns[x->fields[f->field[k]].column].name);
    mark_kept(why, range);
    pass_over_nulls(why, &f->use);
    free(positions);
    free(self);
}

static void why_window(const struct asking *a)
{
    const struct plan_window *w = &a->plan->windows[a->feature->window];
    const struct plan_entry *entry = &a->plan->entries[w->entry];
    struct why *why = a->why;
    struct target_rows target = {
        .rows = &a->key->rows, .cutoff_us = a->key->cutoff_us, .in_snapshot = true};
    struct chunk c;
    why->before_us = why->cutoff_us - entry->delay_days * DATE_US_PER_DAY;
    why->has_from = w->days > 0;
    why->from_us = why->before_us - w->days * DATE_US_PER_DAY;
    chunk_init(&c, a->plan, &target);
    chunk_bind(&c, a->row, 1);
    why->entity_rows = c.ends[w->entry].end[0] - c.ends[w->entry].from[0];
    struct range range = window_range(a, &c);
    add_window_rows(a, &range);
    chunk_deinit(&c);
}

/* ---- groups and expressions ---- */

static const struct column *slot_column(const struct asking *a, struct slot_ref slot)
{
    return slot.space == SLOT_FEATURE ? &a->key->features[slot.number]
                                      : rows_column(&a->key->rows, slot.number);
}

static const char *slot_name(const struct asking *a, struct slot_ref slot)
{
    return slot.space == SLOT_FEATURE ? a->plan->features[slot.number].name
                                      : a->plan->tables[a->plan->target].columns[slot.number].name;
}

/* The rows of the target row's group; the caller frees. */
static int32_t *group_members(const struct asking *a, int32_t *ret_n)
{
    const struct group_part *g = a->feature->group;
    CLEANUP(grouping_deinit) struct grouping grouping;
    struct column within[GROUP_MAX_BY];
    int64_t n = a->key->rows.n;
    for (int k = 0; k < g->n_within; k++)
        within[k] = *rows_column(&a->key->rows, g->within[k]);
    group_rows(within, g->n_within, n, GROUP_NULL_ALONE, &grouping);
    int32_t *members = MEM_ARRAY(int32_t, (size_t)n + 1);
    *ret_n = 0;
    for (int32_t row = 0; row < n; row++)
        if (grouping.group[row] == grouping.group[a->row])
            members[(*ret_n)++] = row;
    return members;
}

/* An argument that is a column or a feature is copied; what an expression makes of them is
 * computed. */
static void add_group_argument(const struct asking *a, int arg, const int32_t *members)
{
    const struct bound *b = &a->feature->group->args[arg];
    int slot = expr_slot(b->tree);
    if (slot >= 0) {
        rows_add(a->why, slot_column(a, b->slots[slot]), members, slot_name(a, b->slots[slot]));
        return;
    }
    struct expr_slot *places = MEM_ARRAY(struct expr_slot, (size_t)b->n_slots + 1);
    bound_places(b, &a->key->rows, a->key->features, places);
    for (int k = 0; k < b->n_slots; k++)
        places[k].rows = members;
    struct column *ret = &a->why->rows.columns[a->why->rows.n_columns++];
    expr_column(b->tree, places, a->why->rows.rows, 1, ret);
    ret->name = a->feature->spec->text;
    free(places);
}

static bool is_within(const struct group_part *g, int column)
{
    for (int k = 0; k < g->n_within; k++)
        if (g->within[k] == column)
            return true;
    return false;
}

/* `within`, and the kept columns, which say who is who. */
static void add_group_names(const struct asking *a, const int32_t *members)
{
    const struct plan_table *t = &a->plan->tables[a->plan->target];
    const struct group_part *g = a->feature->group;
    for (int k = 0; k < g->n_within; k++)
        rows_add(a->why, rows_column(&a->key->rows, g->within[k]), members,
                 t->columns[g->within[k]].name);
    for (int o = 0; o < a->plan->n_outputs; o++) {
        int column = a->plan->outputs[o].column;
        if (column >= 0 && column != t->table->time && !is_within(g, column))
            rows_add(a->why, rows_column(&a->key->rows, column), members, t->columns[column].name);
    }
}

static void why_group(const struct asking *a)
{
    const struct plan_feature *f = a->feature;
    const struct group_part *g = f->group;
    struct why *why = a->why;
    int32_t n;
    int32_t *members = group_members(a, &n);
    rows_begin(why, WHY_GROUP, n, a->plan->n_outputs + g->n_within + g->use.n_args);
    add_group_names(a, members);
    for (int k = 0; k < g->use.n_args; k++)
        add_group_argument(a, k, members);
    pass_over_nulls(why, &g->use);
    for (int32_t i = 0; i < n; i++) {
        why->row_numbers[i] = (int32_t)(a->key->rows.first + members[i]);
        why->self = members[i] == a->row ? i : why->self;
    }
    if (f->spec->others)
        why->used[why->self] = 0;
    free(members);
}

static void why_expression(const struct asking *a)
{
    const struct bound *b = &a->feature->expr;
    rows_begin(a->why, WHY_INPUTS, 1, b->n_slots);
    a->why->row_numbers[0] = (int32_t)(a->key->rows.first + a->row);
    for (int k = 0; k < b->n_slots; k++)
        rows_add(a->why, slot_column(a, b->slots[k]), &a->row, slot_name(a, b->slots[k]));
}

/* ---- the question ---- */

static int find_output(const struct plan *plan, const char *name, struct err *err)
{
    CLEANUP(free) void *memory = MEM_ARRAY(const char *, (size_t)plan->n_outputs + 1);
    const char **names = memory;
    for (int o = 0; o < plan->n_outputs; o++) {
        const struct plan_output *output = &plan->outputs[o];
        names[o] = output->feature >= 0 ? plan->features[output->feature].name
                                        : plan->tables[plan->target].columns[output->column].name;
        if (strcmp(names[o], name) == 0)
            return o;
    }
    const char *near = str_nearest(name, names, (size_t)plan->n_outputs);
    return err_set(err, ERR_INPUT, "the output has no column '%s'%s%s%s", name,
                   near ? "; did you mean '" : "", near ? near : "",
                   near ? "'?" : "; `hiwari spec explain` lists them");
}

/* The row of the date's table that is row `row` of its output. */
static int find_row(struct key *k, int64_t row, int32_t *ret, struct err *err)
{
    int64_t n;
    char day[DATE_TEXT];
    int32_t *chosen = key_chosen(k, &n);
    if (row < n)
        *ret = chosen ? chosen[row] : (int32_t)row;
    free(chosen);
    if (row < n)
        return 0;
    date_format(k->day, day);
    if (n == 0)
        return err_set(err, ERR_INPUT, "%s has no rows in the target table", day);
    return err_set(err, ERR_INPUT,
                   "%s has %" PRId64 " rows of output, 0 to %" PRId64 "; there is no row %" PRId64,
                   day, n, n - 1, row);
}

/* The kept columns of the row, and behind them the value. */
static void take_target(const struct asking *a, int output)
{
    const struct plan *plan = a->plan;
    const struct plan_table *t = &plan->tables[plan->target];
    struct frame *target = &a->why->target;
    *target = (struct frame){
        .rows = 1, .columns = mem_zalloc(sizeof(struct column) * (size_t)(plan->n_outputs + 1))};
    for (int o = 0; o < plan->n_outputs; o++)
        if (plan->outputs[o].column >= 0 && o != output) {
            int column = plan->outputs[o].column;
            column_take(rows_column(&a->key->rows, column), &a->row, 1,
                        &target->columns[target->n_columns]);
            target->columns[target->n_columns++].name = t->columns[column].name;
        }
    const struct plan_output *o = &plan->outputs[output];
    struct column *value = &target->columns[target->n_columns++];
    column_take(a->feature ? &a->key->features[o->feature] : rows_column(&a->key->rows, o->column),
                &a->row, 1, value);
    value->name = a->feature ? a->feature->name : t->columns[o->column].name;
}

static void answer(const struct asking *a, int output)
{
    struct explanation e;
    plan_explain(a->plan, &e);
    a->why->sentence = mem_strdup(e.columns[output].sentence);
    explanation_deinit(&e);
    a->why->cutoff_us = a->key->cutoff_us[a->row];
    take_target(a, output);
    if (!a->feature)
        return;
    if (a->feature->how == HOW_GROUP)
        why_group(a);
    else if (a->feature->how == HOW_EXPR)
        why_expression(a);
    else
        why_window(a);
}

int plan_why(struct plan *plan, int64_t day, int64_t row, const char *name, struct why *ret,
             struct err *err)
{
    CLEANUP(why_deinit) struct why why = {.self = -1, .key = MEM_NEW(struct key)};
    struct asking a = {.plan = plan, .key = why.key, .why = &why};
    why.key->plan = plan;
    int output = find_output(plan, name, err);
    if (output < 0)
        return output;
    if (plan->outputs[output].feature >= 0)
        a.feature = &plan->features[plan->outputs[output].feature];
    int r = key_open(plan, day, 1, why.key, err);
    if (r == 0)
        r = find_row(why.key, row, &a.row, err);
    if (r == 0)
        r = key_compute(why.key, err);
    if (r < 0)
        return r;
    answer(&a, output);
    *ret = why;
    why = (struct why){0};
    return 0;
}

void why_deinit(struct why *w)
{
    frame_deinit(&w->target);
    frame_deinit(&w->rows);
    free(w->sentence);
    free(w->row_numbers);
    free(w->used);
    if (w->key)
        key_deinit(w->key);
    free(w->key);
    *w = (struct why){0};
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan_sharing.c - what features share: indexes, entries and windows, each made once however many
 * features ask for it.
 *
 * Two features share a window when table, `by`, bounds and filters are the same; two windows share
 * an index when table, `by` and the filter that knows no target row are. */
#include "features/plan_parts.h"

#include <inttypes.h>
#include <string.h>

enum { DAYS_FOR_EVER = 4000000 }; /* more than all of the calendar: the same as no bound */

/* ---- indexes ---- */

void plan_describe_index(struct plan *plan, struct plan_index *x)
{
    const struct plan_table *t = &plan->tables[x->table];
    CLEANUP(str_deinit) struct str text = {0};
    str_addf(&text, "%s by", t->table->name);
    for (int k = 0; k < x->n_by; k++)
        str_addf(&text, " (%s)", t->columns[x->by[k]].text);
    if (x->where >= 0)
        str_addf(&text, " where (%s)", t->columns[x->where].text);
    for (int k = 0; k < x->n_fields; k++) {
        const struct plan_field *f = &x->fields[k];
        str_addf(&text, "; (%s)", t->columns[f->column].text);
        if (f->sums)
            str_addf(&text, " sums %" PRId64, f->window_days);
    }
    for (int k = 0; k < x->n_starts; k++)
        str_addf(&text, "; starts %" PRId64, x->start_days[k]);
    free(x->text);
    x->text = str_take(&text);
}

static int index_for(struct plan *plan, int table, const int *by, int n_by, int where)
{
    for (int i = 0; i < plan->n_indexes; i++) {
        const struct plan_index *x = &plan->indexes[i];
        if (x->table == table && x->where == where && x->n_by == n_by &&
            memcmp(x->by, by, sizeof *by * (size_t)n_by) == 0)
            return i;
    }
    plan->indexes = mem_grow(plan->indexes, &plan->indexes_cap, (size_t)plan->n_indexes + 1,
                             sizeof *plan->indexes);
    struct plan_index *x = &plan->indexes[plan->n_indexes];
    *x = (struct plan_index){.table = table, .n_by = n_by, .where = where};
    memcpy(x->by, by, sizeof *by * (size_t)n_by);
    return plan->n_indexes++;
}

int plan_index_field(struct plan *plan, int index, int column)
{
    struct plan_index *x = &plan->indexes[index];
    for (int k = 0; k < x->n_fields; k++)
        if (x->fields[k].column == column)
            return k;
    x->fields = mem_grow(x->fields, &x->fields_cap, (size_t)x->n_fields + 1, sizeof *x->fields);
    x->fields[x->n_fields] = (struct plan_field){.column = column};
    return x->n_fields++;
}

/* Each costs four bytes a row of the table. */
enum { STARTS_MAX = 8 };

int plan_index_start(struct plan *plan, int index, int64_t days)
{
    struct plan_index *x = &plan->indexes[index];
    for (int k = 0; k < x->n_starts; k++)
        if (x->start_days[k] == days)
            return k;
    if (x->n_starts == STARTS_MAX)
        return -1;
    x->start_days =
        mem_grow(x->start_days, &x->starts_cap, (size_t)x->n_starts + 1, sizeof *x->start_days);
    x->start_days[x->n_starts] = days;
    return x->n_starts++;
}

/* Sums are worth most in the longest window, so that one decides whether they pay. */
void plan_want_sums(struct plan *plan, int index, int field, const struct plan_window *w)
{
    struct plan_field *f = &plan->indexes[index].fields[field];
    if (w->last && w->last < 16)
        return;
    f->window_days = !f->sums                                ? w->days
                     : (f->window_days == 0 || w->days == 0) ? 0
                     : f->window_days > w->days              ? f->window_days
                                                             : w->days;
    f->sums = true;
}

/* ---- windows ---- */

int plan_find_table(struct plan *plan, const char *at, const char *name, int *ret, struct err *err)
{
    const char *known[64];
    int n = 0;
    for (int i = 0; i < plan->n_tables; i++) {
        if (strcmp(plan->tables[i].table->name, name) == 0) {
            *ret = i;
            return 0;
        }
        if (n < 64)
            known[n++] = plan->tables[i].table->name;
    }
    const char *near = str_nearest(name, known, (size_t)n);
    return err_set(err, ERR_INPUT, "%s: unknown table '%s'%s%s%s", at, name,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

struct scope plan_target_scope(struct plan *plan, const char *at)
{
    return (struct scope){
        .plan = plan, .at = at, .table = plan->target, .self = -1, .fields_of = -1};
}

struct scope plan_history_scope(struct plan *plan, const char *at, int table)
{
    return (struct scope){
        .plan = plan, .at = at, .table = table, .history = true, .self = -1, .fields_of = -1};
}

static int mentions_target(void *ctx, const char *name, bool target, struct err *err)
{
    *(bool *)ctx |= target;
    return 0;
}

/* Numbers of any type are compared by value (plan_window.c), as in expressions. */
static bool can_match(enum type a, enum type b)
{
    bool numbers = a >= TYPE_INT && a <= TYPE_FLOAT && b >= TYPE_INT && b <= TYPE_FLOAT;
    return a == b || numbers;
}

static int never_match(const struct plan *plan, const char *at, const struct plan_column *t,
                       const struct plan_column *h, int table, struct err *err)
{
    return err_set(err, ERR_INPUT,
                   "%s: '%s' of table '%s' is %s and '%s' of table '%s' is %s: they never match; "
                   "give both one type when the snapshot is made: %s:%s after the file of --csv, "
                   "or a CAST in the SELECT of --table",
                   at, t->name, plan->tables[plan->target].table->name, type_name(t->shape.type),
                   h->name, plan->tables[table].table->name, type_name(h->shape.type), h->name,
                   type_name(t->shape.type));
}

/* The columns of `by`, once as columns of the window's table and once as the target's. */
static int bind_by(struct plan *plan, const char *at, const struct name_list *by, int table,
                   const int *history_by, int *ret_history, int *ret_target, struct err *err)
{
    struct scope target = plan_target_scope(plan, at),
                 history = plan_history_scope(plan, at, table);
    if (by->n > GROUP_MAX_BY)
        return err_set(err, ERR_INPUT, "%s: \"by\" takes at most %d columns", at, GROUP_MAX_BY);
    for (int k = 0; k < by->n; k++) {
        int r = plan_find_column(&target, by->names[k], &ret_target[k], err);
        if (r == 0 && history_by)
            ret_history[k] = history_by[k];
        else if (r == 0)
            r = plan_find_column(&history, by->names[k], &ret_history[k], err);
        if (r < 0)
            return r;
        const struct plan_column *t = &plan->tables[plan->target].columns[ret_target[k]];
        const struct plan_column *h = &plan->tables[table].columns[ret_history[k]];
        if (!can_match(t->shape.type, h->shape.type))
            return never_match(plan, at, t, h, table, err);
    }
    return 0;
}

/* A `where` that reads history alone becomes part of the index; one that reads the target row
 * filters each window. */
static int bind_where(struct plan *plan, const char *at, const struct spec_window *spec, int table,
                      int *ret_column, struct expr **ret_tree, struct err *err)
{
    *ret_column = -1;
    *ret_tree = NULL;
    if (!spec->where)
        return 0;
    CLEANUP(mem_free_chars) char *here = mem_printf("%s.where", at);
    CLEANUP(expr_free) struct expr *tree = NULL;
    bool target = false;
    if (expr_parse(spec->where, &tree, err) < 0)
        return expr_blame(err, here, spec->where);
    expr_each_name(tree, mentions_target, &target, NULL);
    if (target) {
        *ret_tree = tree;
        tree = NULL;
        return 0;
    }
    struct scope scope = plan_history_scope(plan, here, table);
    int r = plan_expression_column(&scope, tree, ret_column, err);
    if (r < 0)
        return r;
    enum type type = plan->tables[table].columns[*ret_column].shape.type;
    if (type == TYPE_BOOL)
        return 0;
    CLEANUP(mem_free_chars) char *shown = expr_excerpt(spec->where, 1);
    return err_set(err, ERR_INPUT, "%s: \"%s\" is %s, not a condition; write a comparison", here,
                   shown, type_name(type));
}

static int bind_target_where(struct plan *plan, const char *at, struct expr *tree,
                             struct plan_window *w, struct err *err)
{
    CLEANUP(mem_free_chars) char *here = mem_printf("%s.where", at);
    struct scope scope = plan_history_scope(plan, here, plan->indexes[w->index].table);
    scope.target = true;
    scope.fields_of = w->index;
    int r = plan_bind_tree(&scope, tree, &w->where, err);
    if (r == 0 && expr_type(w->where.tree) != TYPE_BOOL)
        r = err_set(err, ERR_INPUT, "%s: is %s, not a condition; write a comparison", here,
                    type_name(expr_type(w->where.tree)));
    return r;
}

static int bind_known_at(struct plan *plan, const char *at, const char *name, struct plan_window *w,
                         struct err *err)
{
    w->known_at = -1;
    if (!name)
        return 0;
    CLEANUP(mem_free_chars) char *here = mem_printf("%s.known_at", at);
    int table = plan->indexes[w->index].table, column;
    struct scope scope = plan_history_scope(plan, here, table);
    int r = plan_find_column(&scope, name, &column, err);
    if (r < 0)
        return r;
    enum type type = plan->tables[table].columns[column].shape.type;
    if (type != TYPE_DATE && type != TYPE_TIMESTAMP)
        return err_set(err, ERR_INPUT, "%s: '%s' is %s, not a date or timestamp", here, name,
                       type_name(type));
    w->known_at = plan_index_field(plan, w->index, column);
    return 0;
}

static bool same_slots(const struct bound *a, const struct bound *b)
{
    if (!a->tree || !b->tree)
        return a->tree == b->tree;
    CLEANUP(str_deinit) struct str x = {0}, y = {0};
    expr_print(a->tree, &x);
    expr_print(b->tree, &y);
    return strcmp(x.s, y.s) == 0;
}

static int add_entry(struct plan *plan, const struct plan_entry *e)
{
    for (int i = 0; i < plan->n_entries; i++) {
        const struct plan_entry *o = &plan->entries[i];
        if (o->index == e->index && o->own == e->own && o->delay_days == e->delay_days &&
            memcmp(o->by_target, e->by_target, sizeof o->by_target) == 0)
            return i;
    }
    plan->entries = mem_grow(plan->entries, &plan->entries_cap, (size_t)plan->n_entries + 1,
                             sizeof *plan->entries);
    plan->entries[plan->n_entries] = *e;
    return plan->n_entries++;
}

static int add_window(struct plan *plan, struct plan_window *w)
{
    for (int i = 0; i < plan->n_windows; i++) {
        const struct plan_window *o = &plan->windows[i];
        if (o->entry == w->entry && o->days == w->days && o->last == w->last &&
            o->known_at == w->known_at && same_slots(&o->where, &w->where)) {
            bound_deinit(&w->where);
            return i;
        }
    }
    plan->windows = mem_grow(plan->windows, &plan->windows_cap, (size_t)plan->n_windows + 1,
                             sizeof *plan->windows);
    plan->windows[plan->n_windows] = *w;
    return plan->n_windows++;
}

/* May a cutoff be its row's own date? A time of day is almost never one. */
static bool cuts_by_date(const struct plan *plan)
{
    const struct plan_table *t = &plan->tables[plan->target];
    return plan->cutoff < 0 || t->columns[plan->cutoff].shape.type == TYPE_DATE;
}

int plan_window_for(struct plan *plan, const char *at, const struct spec_window *spec, int table,
                    const int *history_by, int *ret, struct err *err)
{
    struct plan_window w = {
        .days = spec->days < DAYS_FOR_EVER ? spec->days : 0, .last = spec->last, .known_at = -1};
    struct plan_entry e = {.delay_days =
                               spec->delay_days < DAYS_FOR_EVER ? spec->delay_days : DAYS_FOR_EVER};
    int by[GROUP_MAX_BY], where;
    struct expr *tree;
    int r = bind_by(plan, at, &spec->by, table, history_by, by, e.by_target, err);
    if (r == 0)
        r = bind_where(plan, at, spec, table, &where, &tree, err);
    if (r < 0)
        return r;
    plan->tables[table].read = true;
    e.own = table == plan->target && memcmp(by, e.by_target, sizeof *by * (size_t)spec->by.n) == 0;
    e.index = w.index = index_for(plan, table, by, spec->by.n, where);
    w.entry = add_entry(plan, &e);
    w.start = e.own && w.days && cuts_by_date(plan)
                  ? plan_index_start(plan, e.index, e.delay_days + w.days)
                  : -1;
    if (tree)
        r = bind_target_where(plan, at, tree, &w, err);
    if (r == 0)
        r = bind_known_at(plan, at, spec->known_at, &w, err);
    if (r < 0) {
        bound_deinit(&w.where);
        return r;
    }
    *ret = add_window(plan, &w);
    return 0;
}

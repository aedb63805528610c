/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* reads.c - see reads.h. A walk from the outputs through features, windows and derived columns to
 * stored ones. */
#include "features/reads.h"

#include <string.h>

#include "features/plan_parts.h"

enum { READ_TARGET = 1, READ_LABEL = 2, READ_HISTORY = 4 }; /* bits: by whom, and on which row */

struct walk {
    const struct plan *plan;
    uint8_t **bits; /* table, column */
};

static void read_bound(struct walk *w, int table, const struct bound *b, uint8_t bit);

static void read_column(struct walk *w, int table, int column, uint8_t bit)
{
    const struct plan_column *c = &w->plan->tables[table].columns[column];
    if (w->bits[table][column] & bit)
        return;
    w->bits[table][column] |= bit;
    read_bound(w, table, &c->expr, bit);
    for (int k = 0; c->group && k < c->group->n_within; k++)
        read_column(w, table, c->group->within[k], bit);
    for (int k = 0; c->group && k < c->group->use.n_args; k++)
        read_bound(w, table, &c->group->args[k], bit);
}

/* Features that are read are outputs too, and so walked to by themselves. */
static void read_bound(struct walk *w, int table, const struct bound *b, uint8_t bit)
{
    for (int k = 0; k < b->n_slots; k++)
        if (b->slots[k].space != SLOT_FEATURE)
            read_column(w, table, b->slots[k].number, bit);
}

static void read_window(struct walk *w, int window, uint8_t bit)
{
    const struct plan *plan = w->plan;
    const struct plan_window *v = &plan->windows[window];
    const struct plan_index *x = &plan->indexes[v->index];
    for (int k = 0; k < x->n_by; k++) {
        read_column(w, plan->target, plan->entries[v->entry].by_target[k], bit);
        read_column(w, x->table, x->by[k], READ_HISTORY);
    }
    if (x->where >= 0)
        read_column(w, x->table, x->where, READ_HISTORY);
    if (v->known_at >= 0)
        read_column(w, x->table, x->fields[v->known_at].column, READ_HISTORY);
    for (int k = 0; k < v->where.n_slots; k++) {
        struct slot_ref slot = v->where.slots[k];
        if (slot.space == SLOT_TARGET)
            read_column(w, plan->target, slot.number, bit);
        else
            read_column(w, x->table, x->fields[slot.number].column, READ_HISTORY);
    }
}

static void read_feature(struct walk *w, const struct plan_feature *f)
{
    const struct plan *plan = w->plan;
    uint8_t bit = f->spec->is_label ? READ_LABEL : READ_TARGET;
    if (f->how == HOW_WINDOW || f->how == HOW_AGE) {
        const struct plan_index *x = &plan->indexes[plan->windows[f->window].index];
        read_window(w, f->window, bit);
        if (f->prior_window >= 0)
            read_window(w, f->prior_window, bit);
        for (int k = 0; k < f->use.n_args; k++)
            read_column(w, x->table, x->fields[f->field[k]].column, READ_HISTORY);
        return;
    }
    read_bound(w, plan->target, &f->expr, bit);
    for (int k = 0; f->group && k < f->group->n_within; k++)
        read_column(w, plan->target, f->group->within[k], bit);
    for (int k = 0; f->group && k < f->group->use.n_args; k++)
        read_bound(w, plan->target, &f->group->args[k], bit);
}

static struct walk walk_plan(const struct plan *plan)
{
    struct walk w = {.plan = plan,
                     .bits = mem_zalloc(sizeof *w.bits * (size_t)(plan->n_tables + 1))};
    for (int t = 0; t < plan->n_tables; t++)
        w.bits[t] = mem_zalloc((size_t)plan->tables[t].n_columns + 1);
    read_column(&w, plan->target, plan->tables[plan->target].table->time, READ_TARGET);
    if (plan->cutoff >= 0)
        read_column(&w, plan->target, plan->cutoff, READ_TARGET);
    read_bound(&w, plan->target, &plan->target_where, READ_TARGET);
    for (int o = 0; o < plan->n_outputs; o++)
        if (plan->outputs[o].column >= 0)
            read_column(&w, plan->target, plan->outputs[o].column, READ_TARGET);
    for (int f = 0; f < plan->n_features; f++)
        read_feature(&w, &plan->features[f]);
    return w;
}

static void walk_deinit(struct walk *w)
{
    for (int t = 0; t < w->plan->n_tables; t++)
        free(w->bits[t]);
    free(w->bits);
}
MEM_CLEANUP_VALUE(walk_deinit, struct walk);

void plan_target_reads(const struct plan *plan, bool *ret)
{
    CLEANUP(walk_deinit) struct walk w = walk_plan(plan);
    for (int c = 0; c < plan->tables[plan->target].table->n_columns; c++)
        ret[c] = w.bits[plan->target][c] & READ_TARGET;
}

/* ---- what is there for nothing ---- */

static void add_text(struct unused *u, char *text)
{
    u->texts = mem_grow(u->texts, &u->cap, (size_t)u->n + 1, sizeof *u->texts);
    u->texts[u->n++] = text;
}

static void unused_columns(const struct walk *w, int table, struct unused *ret)
{
    const struct plan_table *t = &w->plan->tables[table];
    for (int c = 0; c < t->n_columns; c++)
        if (t->columns[c].spec && !w->bits[table][c])
            add_text(ret, mem_printf("%s: no feature reads it", t->columns[c].spec->at));
}

static bool window_is_named(const struct spec *spec, const char *name)
{
    for (int f = 0; f < spec->n_features; f++)
        if (spec->features[f].window.name && strcmp(spec->features[f].window.name, name) == 0)
            return true;
    return false;
}

/* The names of windows stand in the spec's own text only: what they say went into the features. */
static void unused_windows(const struct spec *spec, struct unused *ret)
{
    CLEANUP(json_free) struct json *root = NULL;
    if (json_parse(spec->name, spec->canonical, strlen(spec->canonical), &root, NULL) < 0)
        return;
    const struct json *windows = json_get(root, "windows");
    for (const struct json *w = windows ? json_first(windows) : NULL; w; w = json_next(w))
        if (!window_is_named(spec, json_name(w)))
            add_text(ret, mem_printf("windows.%s: no feature is over it", json_name(w)));
}

void plan_unused(const struct plan *plan, struct unused *ret)
{
    CLEANUP(walk_deinit) struct walk w = walk_plan(plan);
    *ret = (struct unused){0};
    for (int t = 0; t < plan->n_tables; t++) {
        if (plan->tables[t].spec && !plan->tables[t].read)
            add_text(ret,
                     mem_printf("tables.%s: no feature reads it", plan->tables[t].table->name));
        else if (plan->tables[t].spec)
            unused_columns(&w, t, ret);
    }
    unused_windows(plan->spec, ret);
}

void unused_deinit(struct unused *u)
{
    for (int i = 0; i < u->n; i++)
        free(u->texts[i]);
    free(u->texts);
    *u = (struct unused){0};
}

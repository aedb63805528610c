/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* explain.c - see explain.h. Sentences are made of the spec's own words (names, conditions) and of
 * what calc_say says of a calculation; nothing in them is computed. */
#include "features/explain.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/fs.h"
#include "features/plan_parts.h"

/* ---- pieces ---- */

static const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

/* "a", "a and b", "a, b and c" */
static void say_names(const struct name_list *names, struct str *out)
{
    for (int i = 0; i < names->n; i++)
        str_addf(out, "%s%s", i == 0 ? "" : i == names->n - 1 ? " and " : ", ", names->names[i]);
}

static const char *target_name(const struct plan *plan)
{
    return plan->tables[plan->target].table->name;
}

void explain_cutoff(const struct plan *plan, struct str *out)
{
    if (plan->cutoff < 0) {
        str_addz(out, "the start of the key's day");
        return;
    }
    const struct plan_column *c = &plan->tables[plan->target].columns[plan->cutoff];
    str_addf(out, c->shape.type == TYPE_DATE ? "the start of the row's %s" : "the row's %s",
             c->name);
}

/* "the last 5 rows of ratings of the same horse_id, where ..." */
static void say_rows(const struct plan *plan, const struct spec_window *w, struct str *out)
{
    if (w->last == 1)
        str_addz(out, "the last row");
    else if (w->last)
        str_addf(out, "the last %" PRId64 " rows", w->last);
    else
        str_addz(out, w->days ? "the rows" : "all rows");
    if (w->from && strcmp(w->from, target_name(plan)) != 0)
        str_addf(out, " of %s", w->from);
    if (w->by.n) {
        str_addz(out, " of the same ");
        say_names(&w->by, out);
    }
    if (w->where)
        str_addf(out, ", where %s", w->where);
    if (w->known_at)
        str_addf(out, ", with %s before the cutoff too", w->known_at);
}

/* " in the 365 days before the cutoff"; words: in brackets, what the cutoff is. */
static void say_time(const struct spec_window *w, const char *words, struct str *out)
{
    if (w->where || w->known_at)
        str_addc(out, ',');
    if (w->days)
        str_addf(out, " in the %" PRId64 " day%s", w->days, plural(w->days));
    if (w->days && w->delay_days)
        str_addf(out, " that end %" PRId64 " day%s", w->delay_days, plural(w->delay_days));
    str_addf(out, " before the cutoff%s", words);
    if (!w->days && w->delay_days)
        str_addf(out, " less %" PRId64 " day%s", w->delay_days, plural(w->delay_days));
}

/* " before the cutoff (the start of the key's day)" */
static void say_before(const struct plan *plan, const struct spec_window *w, struct str *out)
{
    CLEANUP(str_deinit) struct str words = {0};
    str_addz(&words, " (");
    explain_cutoff(plan, &words);
    str_addc(&words, ')');
    say_time(w, words.s, out);
}

static void say_fill(const struct spec_fill *fill, struct str *out)
{
    if (fill->type == JSON_NUMBER)
        str_addf(out, "; %.15g where that is null", fill->number);
    else if (fill->type == JSON_BOOL)
        str_addf(out, "; %s where that is null", fill->truth ? "true" : "false");
    else if (fill->type == JSON_STRING)
        str_addf(out, "; '%s' where that is null", fill->text);
}

/* What the derived columns among the arguments are: "; won is finish == 1". */
static void say_derived(const struct plan_column *c, struct str *out)
{
    if (c->spec && c->spec->expr)
        str_addf(out, "; %s is %s", c->name, c->spec->expr);
    if (!c->spec || !c->spec->calc)
        return;
    str_addf(out, "; %s is %s within ", c->name, c->spec->calc);
    say_names(&c->spec->within, out);
    str_addz(out, c->spec->others ? ", of the others" : "");
}

/* An argument that is a column, or an expression's columns. */
static void say_argument(const struct plan_table *t, int column, struct str *out)
{
    const struct plan_column *c = &t->columns[column];
    if (!c->derived || c->spec) {
        say_derived(c, out);
        return;
    }
    for (int k = 0; k < c->expr.n_slots; k++)
        say_derived(&t->columns[c->expr.slots[k].number], out);
}

/* ---- one sentence per kind of feature ---- */

static void say_window(const struct plan *plan, const struct plan_feature *f, struct str *out)
{
    const struct plan_index *x = &plan->indexes[plan->windows[f->window].index];
    const struct spec_feature *s = f->spec;
    calc_say(&f->use, out);
    enum calc_result result = f->use.calc->result;
    str_addz(out, result == RESULT_FLOAT || result == RESULT_NUMBER ? " over " : " among ");
    say_rows(plan, &s->window, out);
    say_before(plan, &s->window, out);
    if (f->prior_window >= 0)
        str_addf(out, ", drawn towards the mean of everybody's rows as if by %.15g rows of it",
                 s->prior);
    if (s->min_rows > 0)
        str_addf(out, "; null below %" PRId64 " row%s", s->min_rows, plural(s->min_rows));
    for (int k = 0; k < f->use.n_args; k++)
        say_argument(&plan->tables[x->table], x->fields[f->field[k]].column, out);
}

static void say_asof(const struct plan *plan, const struct plan_feature *f, struct str *out)
{
    const struct spec_feature *s = f->spec;
    const struct plan_index *x = &plan->indexes[plan->windows[f->window].index];
    const struct plan_table *t = &plan->tables[x->table];
    if (f->how == HOW_AGE)
        str_addf(out, "the days from the row that %s comes from to the cutoff", s->name);
    else
        str_addz(out, t->columns[x->fields[f->field[0]].column].name);
    str_addf(out, "%s newest row of %s", f->how == HOW_AGE ? ": the" : " of the", t->table->name);
    if (s->window.by.n)
        str_addz(out, " of the same ");
    say_names(&s->window.by, out);
    say_before(plan, &s->window, out);
    if (s->max_age_days)
        str_addf(out, ", if not older than %" PRId64 " day%s", s->max_age_days,
                 plural(s->max_age_days));
}

static void say_lookup(const struct plan *plan, const struct plan_feature *f, struct str *out)
{
    const struct plan_index *x = &plan->indexes[plan->windows[f->window].index];
    const struct plan_table *t = &plan->tables[x->table];
    str_addf(out,
             "%s of the row of %s whose %s is the row's %s; timeless: what the table says today",
             t->columns[x->fields[f->field[0]].column].name, t->table->name,
             t->columns[x->by[0]].name, f->spec->window.by.names[0]);
}

static void say_group(const struct plan *plan, const struct plan_feature *f, struct str *out)
{
    const struct plan_table *t = &plan->tables[plan->target];
    calc_say(&f->group->use, out);
    str_addf(out, "%s among %s rows of the date with the same ", strchr(out->s, ',') ? "," : "",
             f->spec->others ? "the other" : "the");
    say_names(&f->spec->within, out);
    if (f->spec->min_rows > 0)
        str_addf(out, "; null below %" PRId64 " row%s", f->spec->min_rows,
                 plural(f->spec->min_rows));
    for (int a = 0; a < f->group->use.n_args; a++)
        for (int k = 0; k < f->group->args[a].n_slots; k++)
            if (f->group->args[a].slots[k].space == SLOT_COLUMN)
                say_derived(&t->columns[f->group->args[a].slots[k].number], out);
}

static void say_expression(const struct plan *plan, const struct plan_feature *f, struct str *out)
{
    const struct expr *tree = f->expr.tree;
    const char *outer = expr_outer_call(tree);
    if (outer && strcmp(outer, "onehot") == 0) {
        str_addz(out, "1 where ");
        expr_print(expr_arg(tree, 0), out);
        str_addz(out, " is ");
        expr_print(expr_list_at(expr_arg(tree, 1), f->part), out);
        str_addz(out, ", else 0");
        if (expr_nullable(expr_part(tree, f->part))) {
            str_addz(out, ", and null where ");
            expr_print(expr_arg(tree, 0), out);
            str_addz(out, " is null");
        }
    } else if (outer) {
        str_addf(out, "the %s of 2 pi times ", f->part == 0 ? "sine" : "cosine");
        expr_print(expr_arg(tree, 0), out);
        str_addz(out, " / ");
        expr_print(expr_arg(tree, 1), out);
    } else {
        expr_print(tree, out);
        str_addz(out, ", computed on the row itself");
    }
    for (int k = 0; k < f->expr.n_slots; k++)
        if (f->expr.slots[k].space == SLOT_COLUMN)
            say_derived(&plan->tables[plan->target].columns[f->expr.slots[k].number], out);
}

static char *feature_sentence(const struct plan *plan, const struct plan_feature *f)
{
    CLEANUP(str_deinit) struct str out = {0};
    if (f->spec->kind == SPEC_ASOF)
        say_asof(plan, f, &out);
    else if (f->spec->kind == SPEC_LOOKUP)
        say_lookup(plan, f, &out);
    else if (f->how == HOW_GROUP)
        say_group(plan, f, &out);
    else if (f->how == HOW_EXPR)
        say_expression(plan, f, &out);
    else
        say_window(plan, f, &out);
    if (f->how != HOW_AGE)
        say_fill(&f->spec->fill, &out);
    if (f->spec->is_label)
        str_addz(&out, "; a label: it may read what is known only afterwards");
    return str_take(&out);
}

static const char *feature_stage(const struct plan_feature *f)
{
    static const char *const stages[] = {[SPEC_WINDOW] = "window",
                                         [SPEC_GROUP] = "group",
                                         [SPEC_EXPR] = "expression",
                                         [SPEC_ASOF] = "as-of",
                                         [SPEC_LOOKUP] = "lookup"};
    return stages[f->spec->kind];
}

/* ---- columns and windows ---- */

static bool is_windowed(const struct plan_feature *f)
{
    return f->how == HOW_WINDOW || f->how == HOW_AGE;
}

/* The newest or oldest rows, or how many there are, which positions tell. */
static bool reads_ends(const struct plan_feature *f)
{
    static const char *const by_row[] = {
        "first", "last", "lag", "delta", "pct_change", "days_since_last", "days_since_first"};
    if (f->how == HOW_AGE || (f->use.calc->never_null && f->use.n_args == 0))
        return true;
    for (size_t i = 0; i < sizeof by_row / sizeof *by_row; i++)
        if (strcmp(f->use.calc->name, by_row[i]) == 0)
            return true;
    return false;
}

/* Prefix sums in the index answer it; they know no filters. */
static bool reads_sums(const struct plan *plan, const struct plan_feature *f)
{
    const struct plan_window *w = &plan->windows[f->window];
    const struct plan_index *x = &plan->indexes[w->index];
    if (f->prior_window >= 0 || !f->use.calc->sums || f->use.n_args != 1 || w->where.tree ||
        w->known_at >= 0)
        return false;
    return x->index ? x->index->columns[f->field[0]].sums != NULL : x->fields[f->field[0]].sums;
}

static void explain_column(const struct plan *plan, const struct plan_output *o,
                           struct explained_column *ret)
{
    if (o->feature < 0) {
        const struct plan_column *c = &plan->tables[plan->target].columns[o->column];
        *ret = (struct explained_column){
            .name = c->name, .type = c->shape.type, .stage = "keep", .window = -1};
        CLEANUP(str_deinit) struct str text = {0};
        str_addf(&text, "the row's own %s", c->name);
        say_derived(c, &text);
        ret->sentence = str_take(&text);
        return;
    }
    const struct plan_feature *f = &plan->features[o->feature];
    *ret = (struct explained_column){.name = f->name,
                                     .type = f->shape.type,
                                     .stage = feature_stage(f),
                                     .is_label = f->spec->is_label,
                                     .window = is_windowed(f) ? f->window : -1,
                                     .reads = !is_windowed(f)       ? EXPLAIN_READS_NONE
                                              : reads_ends(f)       ? EXPLAIN_READS_ENDS
                                              : reads_sums(plan, f) ? EXPLAIN_READS_SUMS
                                                                    : EXPLAIN_READS_ROWS,
                                     .sentence = feature_sentence(plan, f)};
}

static void explain_window(const struct plan *plan, int window, struct explained_window *ret)
{
    const struct plan_window *w = &plan->windows[window];
    ret->filtered = w->where.tree || w->known_at >= 0;
    for (int i = 0; i < plan->n_features; i++) {
        const struct plan_feature *f = &plan->features[i];
        if (!is_windowed(f) || (f->window != window && f->prior_window != window))
            continue;
        bool ends = reads_ends(f), sums = !ends && reads_sums(plan, f);
        ret->columns++;
        ret->columns_by_sums += sums;
        ret->columns_by_rows += !ends && !sums;
        if (ret->text)
            continue;
        CLEANUP(str_deinit) struct str text = {0};
        if (f->window != window) {
            str_addf(&text, "everybody's rows, for the prior of %s", f->name);
        } else if (f->spec->kind == SPEC_LOOKUP) {
            str_addf(&text, "the row of %s",
                     plan->tables[plan->indexes[w->index].table].table->name);
        } else {
            say_rows(plan, &f->spec->window, &text);
            if (f->spec->window.days)
                say_time(&f->spec->window, "", &text);
        }
        ret->text = str_take(&text);
    }
}

void plan_explain(const struct plan *plan, struct explanation *ret)
{
    *ret = (struct explanation){.n_columns = plan->n_outputs, .n_windows = plan->n_windows};
    ret->columns = mem_zalloc(sizeof *ret->columns * (size_t)(plan->n_outputs + 1));
    ret->windows = mem_zalloc(sizeof *ret->windows * (size_t)(plan->n_windows + 1));
    for (int o = 0; o < plan->n_outputs; o++)
        explain_column(plan, &plan->outputs[o], &ret->columns[o]);
    for (int w = 0; w < plan->n_windows; w++)
        explain_window(plan, w, &ret->windows[w]);
}

void explanation_deinit(struct explanation *e)
{
    for (int c = 0; c < e->n_columns; c++)
        free(e->columns[c].sentence);
    for (int w = 0; w < e->n_windows; w++)
        free(e->windows[w].text);
    free(e->columns);
    free(e->windows);
    *e = (struct explanation){0};
}

/* ---- costs ---- */

/* Add the rows of every window for the rows of one date. */
static int count_key(struct plan *plan, int64_t day, struct explanation *e, struct err *err)
{
    CLEANUP(key_deinit) struct key k;
    int r = key_open(plan, day, 1, &k, err);
    if (r < 0)
        return r;
    struct target_rows target = {.rows = &k.rows, .cutoff_us = k.cutoff_us, .in_snapshot = true};
    struct chunk c;
    chunk_init(&c, plan, &target);
    for (int64_t first = 0; first < k.rows.n; first += CHUNK_ROWS) {
        int64_t left = k.rows.n - first;
        chunk_bind(&c, first, left < CHUNK_ROWS ? left : CHUNK_ROWS);
        for (int w = 0; w < plan->n_windows; w++)
            for (int64_t i = 0; i < c.n; i++)
                e->windows[w].rows_per_key += c.spans[w].hi[i] - c.spans[w].lo[i];
    }
    e->rows += k.rows.n;
    e->keys++;
    chunk_deinit(&c);
    return 0;
}

int plan_explain_cost(struct plan *plan, const char *index_dir, int max_keys, struct explanation *e,
                      struct err *err)
{
    int64_t n_days;
    const int64_t *days = plan_days(plan, &n_days);
    int64_t keys = n_days < max_keys ? n_days : max_keys;
    for (int64_t i = 0; i < keys; i++) {
        int r =
            count_key(plan, days[keys == 1 ? n_days - 1 : i * (n_days - 1) / (keys - 1)], e, err);
        if (r < 0)
            return r;
    }
    for (int w = 0; w < plan->n_windows; w++) {
        struct explained_window *window = &e->windows[w];
        window->rows_per_row = e->rows ? window->rows_per_key / (double)e->rows : 0;
        window->rows_per_key = e->keys ? window->rows_per_key / (double)e->keys : 0;
        CLEANUP(mem_free_chars)
        char *path = plan_index_path(plan, index_dir, &plan->indexes[plan->windows[w].index]);
        window->on_disk = fs_exists(path);
    }
    return 0;
}

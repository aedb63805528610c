/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan_columns.c - names to columns: the tables' stored and derived columns, who may read
 * them, and expressions bound to them.
 *
 * This is where the future is kept out. A column is a result column if the spec says so or if it is
 * derived from one; scope->history is set only by readers of rows strictly before the cutoff, and
 * by labels. Every name of a spec is resolved here, so there is no other door. */
#include "features/plan_parts.h"

#include <string.h>

static int compile_derived(struct plan *plan, int table, int column, struct err *err);

/* ---- tables ---- */

static struct plan_column *add_column(struct plan_table *t, const char *name)
{
    t->columns =
        mem_grow(t->columns, &t->columns_cap, (size_t)t->n_columns + 1, sizeof *t->columns);
    struct plan_column *c = &t->columns[t->n_columns++];
    *c = (struct plan_column){.name = mem_strdup(name)};
    return c;
}

static int unknown_name(const char *at, const char *what, const char *name, const char *where,
                        const char *const *known, int n, struct err *err)
{
    const char *near = str_nearest(name, known, (size_t)n);
    CLEANUP(mem_free_chars) char *shown = expr_excerpt(name, 1);
    return err_set(err, ERR_INPUT, "%s: unknown %s '%s' in %s%s%s%s", at, what, shown, where,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* Derived columns without a name of their own are found by their text only. */
static bool is_named(const struct plan_column *c)
{
    return !c->derived || c->spec;
}

static int find_named(const struct plan_table *t, const char *name)
{
    for (int c = 0; c < t->n_columns; c++)
        if (is_named(&t->columns[c]) && strcmp(t->columns[c].name, name) == 0)
            return c;
    return -1;
}

static int unknown_column(const struct plan_table *t, const char *at, const char *name,
                          struct err *err)
{
    CLEANUP(free) void *names = MEM_ARRAY(const char *, (size_t)t->n_columns + 1);
    const char **known = names;
    int n = 0;
    for (int c = 0; c < t->n_columns; c++)
        if (is_named(&t->columns[c]))
            known[n++] = t->columns[c].name;
    CLEANUP(mem_free_chars) char *where = mem_printf("table '%s'", t->table->name);
    return unknown_name(at, "column", name, where, known, n, err);
}

/* The spec's time, group and key must be those that the snapshot was made with: its order depends
 * on them. */
static int check_role(const struct plan_table *t, const char *role, const char *said, int column,
                      struct err *err)
{
    const struct table *table = t->table;
    if (!said || (column >= 0 && strcmp(table->columns[column].name, said) == 0))
        return 0;
    if (table_column(table, said) < 0) {
        CLEANUP(mem_free_chars) char *at = mem_printf("tables.%s.%s", table->name, role);
        return unknown_column(t, at, said, err);
    }
    return err_set(err, ERR_INPUT,
                   "tables.%s.%s: the spec says '%s' and the snapshot was made with %s%s%s; create "
                   "the snapshot again "
                   "with %s=%s",
                   table->name, role, said, column >= 0 ? "'" : "no ",
                   column >= 0 ? table->columns[column].name : role, column >= 0 ? "'" : "", role,
                   said);
}

static int mark_results(struct plan_table *t, struct err *err)
{
    const struct name_list *results = &t->spec->result_columns;
    for (int i = 0; i < results->n; i++) {
        int c = find_named(t, results->names[i]);
        CLEANUP(mem_free_chars) char *at = mem_printf("tables.%s.result_columns", t->table->name);
        if (c < 0)
            return unknown_column(t, at, results->names[i], err);
        if (t->columns[c].derived)
            return err_set(err, ERR_INPUT,
                           "%s: '%s' is a derived column; it inherits this from what it reads", at,
                           results->names[i]);
        if (c == t->table->time)
            return err_set(err, ERR_INPUT,
                           "%s: '%s' is the table's time: it is known before the result", at,
                           results->names[i]);
        t->columns[c].result = t->columns[c].name;
    }
    return 0;
}

/* As expressions write it: a stored column called a + b is not the sum of a and b. */
static char *quoted(const char *name)
{
    struct str text = {0};
    expr_print_name(name, &text);
    return str_take(&text);
}

static int add_table(struct plan *plan, struct plan_table *t, struct err *err)
{
    for (int c = 0; c < t->table->n_columns; c++) {
        struct plan_column *column = add_column(t, t->table->columns[c].name);
        column->shape = t->table->columns[c];
        column->text = quoted(column->name);
        column->visit = VISIT_DONE;
    }
    t->spec = spec_find_table(plan->spec, t->table->name);
    if (!t->spec)
        return 0;
    int r = check_role(t, "time", t->spec->time, t->table->time, err);
    if (r == 0)
        r = check_role(t, "group", t->spec->group, t->table->group, err);
    if (r == 0)
        r = check_role(t, "key", t->spec->key, t->table->key, err);
    for (int i = 0; i < t->spec->n_columns && r == 0; i++) {
        const struct spec_column *s = &t->spec->columns[i];
        if (find_named(t, s->name) >= 0)
            return err_set(err, ERR_INPUT,
                           "%s: the table has a column of this name already; choose another",
                           s->at);
        struct plan_column *column = add_column(t, s->name);
        column->derived = true;
        column->spec = s;
    }
    return r == 0 ? mark_results(t, err) : r;
}

int plan_add_tables(struct plan *plan, struct err *err)
{
    const struct snapshot *s = plan->snapshot;
    plan->n_tables = s->n_tables;
    plan->tables = mem_zalloc(sizeof *plan->tables * (size_t)(s->n_tables + 1));
    for (int i = 0; i < s->n_tables; i++)
        plan->tables[i].table = &s->tables[i];
    for (int i = 0; i < plan->spec->n_tables; i++) {
        const char *name = plan->spec->tables[i].name;
        if (snapshot_table(s, name))
            continue;
        const char *known[64];
        int n = s->n_tables < 64 ? s->n_tables : 64;
        for (int k = 0; k < n; k++)
            known[k] = s->tables[k].name;
        CLEANUP(mem_free_chars) char *at = mem_printf("tables.%s", name);
        return unknown_name(at, "table", name, "the snapshot", known, n, err);
    }
    for (int i = 0; i < plan->n_tables; i++) {
        int r = add_table(plan, &plan->tables[i], err);
        if (r < 0)
            return r;
    }
    for (int i = 0; i < plan->n_tables; i++)
        for (int c = 0; c < plan->tables[i].n_columns; c++) {
            int r = plan->tables[i].columns[c].derived ? compile_derived(plan, i, c, err) : 0;
            if (r < 0)
                return r;
        }
    return 0;
}

/* ---- names ---- */

static int leak(const struct scope *scope, const struct plan_column *c, struct err *err)
{
    const char *table = scope->plan->tables[scope->table].table->name;
    if (strcmp(c->result, c->name) == 0)
        err_set(err, ERR_INPUT, "%s: '%s' is a result column of '%s'", scope->at, c->name, table);
    else
        err_set(err, ERR_INPUT, "%s: '%s' is derived from '%s', a result column of '%s'", scope->at,
                c->name, c->result, table);
    CLEANUP(mem_free_chars) char *what = mem_strdup(err->text);
    return err_set(err, ERR_INPUT,
                   "%s: not known yet at the cutoff of a target row. Read it over history (a calc "
                   "with \"by\", such as "
                   "last(%s)), or make it a label",
                   what, c->name);
}

int plan_find_column(const struct scope *scope, const char *name, int *ret, struct err *err)
{
    struct plan_table *t = &scope->plan->tables[scope->table];
    int c = find_named(t, name);
    if (c < 0)
        return unknown_column(t, scope->at, name, err);
    if (t->columns[c].visit == VISIT_OPEN)
        return err_set(err, ERR_INPUT,
                       "%s and tables.%s.columns.%s depend on each other; break the cycle",
                       scope->at, t->table->name, name);
    int r = compile_derived(scope->plan, scope->table, c, err);
    if (r < 0)
        return r;
    if (!scope->history && t->columns[c].result)
        return leak(scope, &t->columns[c], err);
    t->read = true;
    *ret = c;
    return 0;
}

static int find_feature(const struct plan *plan, const char *name)
{
    for (int f = 0; f < plan->n_features; f++)
        if (strcmp(plan->features[f].name, name) == 0)
            return f;
    return -1;
}

static int read_feature(const struct scope *scope, int feature, struct err *err)
{
    struct plan *plan = scope->plan;
    const struct plan_feature *f = &plan->features[feature];
    if (f->spec->is_label && !plan->features[scope->self].spec->is_label)
        return err_set(err, ERR_INPUT,
                       "%s: '%s' is a label; a feature that reads it would look into the future",
                       scope->at, f->name);
    if (f->visit == VISIT_OPEN)
        return err_set(err, ERR_INPUT, "%s and %s depend on each other; break the cycle", scope->at,
                       f->spec->at);
    return plan_visit_feature(plan, feature, err);
}

static int unknown_name_here(const struct scope *scope, const char *name, struct err *err)
{
    const struct plan *plan = scope->plan;
    const struct plan_table *t = &plan->tables[scope->table];
    const char **known = MEM_ARRAY(const char *, (size_t)(t->n_columns + plan->n_features + 1));
    int n = 0;
    for (int c = 0; c < t->n_columns; c++)
        if (is_named(&t->columns[c]))
            known[n++] = t->columns[c].name;
    for (int f = 0; f < plan->n_features; f++)
        if (f != scope->self)
            known[n++] = plan->features[f].name;
    CLEANUP(mem_free_chars) char *where = mem_printf("table '%s' and the features", t->table->name);
    int r = unknown_name(scope->at, "name", name, where, known, n, err);
    free(known);
    return r;
}

/* What a plain name means here. Columns and features share one space of names where both may be
 * read. */
static int resolve_plain(const struct scope *scope, const char *name, struct slot_ref *ret,
                         struct err *err)
{
    struct plan *plan = scope->plan;
    int feature = scope->features ? find_feature(plan, name) : -1;
    int column = find_named(&plan->tables[scope->table], name);
    if (feature == scope->self)
        feature = -1; /* its own name can only mean a column */
    if (feature >= 0 && column >= 0)
        return err_set(err, ERR_INPUT,
                       "%s: '%s' is both a column and a feature; give the feature another name",
                       scope->at, name);
    if (feature >= 0) {
        *ret = (struct slot_ref){SLOT_FEATURE, feature};
        return read_feature(scope, feature, err);
    }
    if (column < 0 && scope->features)
        return unknown_name_here(scope, name, err);
    int r = plan_find_column(scope, name, &column, err);
    if (r < 0)
        return r;
    *ret = (struct slot_ref){SLOT_COLUMN, column};
    if (scope->fields_of >= 0)
        ret->number = plan_index_field(plan, scope->fields_of, column);
    return 0;
}

static int resolve_target(const struct scope *scope, const char *name, struct slot_ref *ret,
                          struct err *err)
{
    if (!scope->target)
        return err_set(err, ERR_INPUT,
                       "%s: 'target.%s' can only be written in the \"where\" of a window",
                       scope->at, name);
    struct scope row = {
        .plan = scope->plan, .at = scope->at, .table = scope->plan->target, .fields_of = -1};
    ret->space = SLOT_TARGET;
    return plan_find_column(&row, name, &ret->number, err);
}

/* ---- expressions ---- */

struct binding {
    const struct scope *scope;
    struct bound *bound;
};

static struct column shape_of(const struct plan *plan, const struct scope *scope,
                              struct slot_ref ref)
{
    if (ref.space == SLOT_FEATURE)
        return plan->features[ref.number].shape;
    if (ref.space == SLOT_TARGET)
        return plan->tables[plan->target].columns[ref.number].shape;
    if (scope->fields_of >= 0)
        ref.number = plan->indexes[scope->fields_of].fields[ref.number].column;
    return plan->tables[scope->table].columns[ref.number].shape;
}

static int resolve(void *ctx, const char *name, bool target, struct column *ret_column,
                   int *ret_slot, struct err *err)
{
    struct binding *b = ctx;
    struct bound *bound = b->bound;
    struct slot_ref ref;
    int r = target ? resolve_target(b->scope, name, &ref, err)
                   : resolve_plain(b->scope, name, &ref, err);
    if (r < 0)
        return r;
    *ret_column = shape_of(b->scope->plan, b->scope, ref);
    for (int k = 0; k < bound->n_slots; k++)
        if (bound->slots[k].space == ref.space && bound->slots[k].number == ref.number) {
            *ret_slot = k;
            return 0;
        }
    bound->slots = mem_realloc(bound->slots, sizeof *bound->slots * (size_t)(bound->n_slots + 1));
    bound->slots[bound->n_slots] = ref;
    *ret_slot = bound->n_slots++;
    return 0;
}

struct name { /* borrowed from the tree */
    const char *name;
    bool target;
};
struct names {
    struct name *all;
    int n;
    size_t cap;
};

static int add_name(void *ctx, const char *name, bool target, struct err *err)
{
    struct names *names = ctx;
    names->all = mem_grow(names->all, &names->cap, (size_t)names->n + 1, sizeof *names->all);
    names->all[names->n++] = (struct name){name, target};
    return 0;
}

/* What a tree reads is compiled before the tree is gone through: a chain of deep trees would
 * otherwise stand on the stack with all their depths. */
static int resolve_names(struct binding *b, const struct expr *tree, struct err *err)
{
    struct names names = {0};
    struct column ignored;
    int r = expr_each_name(tree, add_name, &names, err), slot;
    for (int i = 0; i < names.n && r == 0; i++)
        r = resolve(b, names.all[i].name, names.all[i].target, &ignored, &slot, err);
    free(names.all);
    return r;
}

int plan_bind_tree(const struct scope *scope, struct expr *tree, struct bound *ret, struct err *err)
{
    *ret = (struct bound){.tree = tree};
    struct binding b = {scope, ret};
    int r = resolve_names(&b, tree, err);
    if (r < 0) { /* it says where, which may be far from here */
        bound_deinit(ret);
        return r;
    }
    if (expr_outer_call(tree) && !scope->parts)
        r = err_set(err, ERR_INPUT,
                    "%s makes several columns: it can only be a feature's whole \"expr\"",
                    expr_outer_call(tree));
    if (r == 0)
        r = expr_bind(tree, resolve, &b, err);
    if (r == 0)
        return 0;
    bound_deinit(ret);
    return str_starts(err->text, scope->at) ? r : err_prefix(err, "%s", scope->at);
}

int plan_bind(const struct scope *scope, const char *text, struct bound *ret, struct err *err)
{
    struct expr *tree = NULL;
    *ret = (struct bound){0};
    if (expr_parse(text, &tree, err) < 0)
        return expr_blame(err, scope->at, text);
    return plan_bind_tree(scope, tree, ret, err);
}

void bound_deinit(struct bound *b)
{
    expr_free(b->tree);
    free(b->slots);
    *b = (struct bound){0};
}

static struct column bound_shape(const struct plan *plan, const struct scope *scope,
                                 const struct bound *b)
{
    int slot = expr_slot(b->tree);
    if (slot >= 0)
        return shape_of(plan, scope, b->slots[slot]);
    return (struct column){.type = expr_type(b->tree),
                           .scale = expr_scale(b->tree),
                           .nullable = expr_nullable(b->tree),
                           .max_chars = expr_max_chars(b->tree)};
}

/* ---- chains ---- */

int plan_check_chain(const char *at, int chain, struct err *err)
{
    if (chain <= CHAIN_MAX)
        return 0;
    return err_set(err, ERR_INPUT,
                   "%s: more than %d names lead here, each reading the next; write several steps "
                   "as one expression, or make a stored column of one of them",
                   at, CHAIN_MAX);
}

int plan_bound_chain(const struct plan *plan, int table, const struct bound *b)
{
    int most = 0;
    for (int k = 0; k < b->n_slots; k++) {
        int number = b->slots[k].number;
        bool of_feature = b->slots[k].space == SLOT_FEATURE;
        int chain =
            of_feature ? plan->features[number].chain : plan->tables[table].columns[number].chain;
        most = chain > most ? chain : most;
    }
    return most;
}

static int column_chain(const struct plan *plan, int table, const struct plan_column *c)
{
    int most = plan_bound_chain(plan, table, &c->expr);
    for (int k = 0; c->group && k < c->group->use.n_args; k++) {
        int chain = plan_bound_chain(plan, table, &c->group->args[k]);
        most = chain > most ? chain : most;
    }
    for (int k = 0; c->group && k < c->group->n_within; k++) {
        int chain = plan->tables[table].columns[c->group->within[k]].chain;
        most = chain > most ? chain : most;
    }
    return most + 1;
}

/* ---- derived columns ---- */

/* What identifies a column. A text grows with all that it stands on, and one that stands on two
 * others that stand on the same doubles with each step: its hash is as good and stays short. No
 * expression begins like that. */
static char *identity(struct str *text)
{
    enum { IDENTITY_BYTES = 1000 };
    uint8_t hash[SHA256_BYTES];
    char hex[SHA256_HEX];
    if (text->len <= IDENTITY_BYTES)
        return str_take(text);
    sha256_of(text->s, text->len, hash);
    hash_hex(hash, SHA256_BYTES, hex);
    return mem_printf("sha256 %s", hex);
}

/* The printed text, and after it, in brackets, the derived columns that it reads. */
static void describe(const struct plan_table *t, const struct expr *tree, const struct bound *b,
                     struct str *out)
{
    expr_print(tree, out);
    for (int k = 0; k < b->n_slots; k++) {
        const struct plan_column *c = &t->columns[b->slots[k].number];
        if (c->derived)
            str_addf(out, "[%s=%s]", c->name, c->text);
    }
}

static const char *result_read(const struct plan_table *t, const struct bound *b)
{
    for (int k = 0; k < b->n_slots; k++)
        if (t->columns[b->slots[k].number].result)
            return t->columns[b->slots[k].number].result;
    return NULL;
}

static int compile_expression(const struct scope *scope, int column, struct err *err)
{
    struct plan *plan = scope->plan;
    struct bound b;
    int r = plan_bind(scope, plan->tables[scope->table].columns[column].spec->expr, &b, err);
    if (r < 0)
        return r;
    struct plan_table *t = &plan->tables[scope->table];
    struct plan_column *c = &t->columns[column];
    CLEANUP(str_deinit) struct str text = {0};
    describe(t, b.tree, &b, &text);
    c->expr = b;
    c->shape = bound_shape(plan, scope, &b);
    c->result = result_read(t, &b);
    c->text = identity(&text);
    if (c->shape.type == TYPE_NULL)
        return err_set(err, ERR_INPUT, "%s: is null for every row", scope->at);
    return 0;
}

static int compile_statistic(const struct scope *scope, int column, struct err *err)
{
    struct plan *plan = scope->plan;
    const struct spec_column *spec = plan->tables[scope->table].columns[column].spec;
    struct group_part *group;
    struct column shape;
    if (plan->tables[scope->table].table->time < 0)
        return err_set(err, ERR_INPUT, "%s: group statistics need a table with a time", scope->at);
    int r = plan_bind_group(scope, spec->calc, &spec->within, spec->others, &group, &shape, err);
    if (r < 0)
        return r;
    struct plan_table *t = &plan->tables[scope->table];
    struct plan_column *c = &t->columns[column];
    CLEANUP(str_deinit) struct str text = {0};
    str_addf(&text, "%s%s within", spec->calc, spec->others ? " others" : "");
    for (int k = 0; k < group->n_within; k++) {
        const struct plan_column *w = &t->columns[group->within[k]];
        str_addf(&text, " %s", w->text);
        c->result = w->result ? w->result : c->result;
    }
    for (int k = 0; k < group->use.n_args; k++) {
        str_addz(&text, "; ");
        describe(t, group->args[k].tree, &group->args[k], &text);
        const char *result = result_read(t, &group->args[k]);
        c->result = result ? result : c->result;
    }
    if (group->use.params.wide)
        str_addz(&text, "; wide"); /* an index that holds it as integers is another one */
    c->group = group;
    c->shape = shape;
    c->text = identity(&text);
    return 0;
}

static int compile_derived(struct plan *plan, int table, int column, struct err *err)
{
    struct plan_column *c = &plan->tables[table].columns[column];
    if (c->visit == VISIT_DONE)
        return 0;
    int r = plan_check_chain(c->spec->at, plan->open + 1, err);
    if (r < 0)
        return r;
    c->visit = VISIT_OPEN;
    plan->open++;
    bool was_read = plan->tables[table].read;
    struct scope scope = {.plan = plan,
                          .at = c->spec->at,
                          .table = table,
                          .history = true,
                          .self = -1,
                          .fields_of = -1};
    r = c->spec->calc ? compile_statistic(&scope, column, err)
                      : compile_expression(&scope, column, err);
    plan->open--;
    plan->tables[table].read =
        was_read; /* a derived column that nobody reads makes no result depend on the table */
    c = &plan->tables[table].columns[column];
    c->visit = VISIT_DONE;
    c->shape.name = c->name;
    c->chain = column_chain(plan, table, c);
    return r < 0 ? r : plan_check_chain(c->spec->at, c->chain, err);
}

int plan_expression_column(const struct scope *scope, const struct expr *tree, int *ret,
                           struct err *err)
{
    const char *name = expr_bare_name(tree);
    if (name)
        return plan_find_column(scope, name, ret, err);
    struct plan *plan = scope->plan;
    CLEANUP(str_deinit) struct str printed = {0}, text = {0};
    struct bound b;
    expr_print(tree, &printed);
    int r = plan_bind(scope, printed.s, &b, err);
    if (r < 0)
        return r;
    struct plan_table *t = &plan->tables[scope->table];
    describe(t, b.tree, &b, &text);
    CLEANUP(mem_free_chars) char *known_by = identity(&text);
    for (int c = 0; c < t->n_columns; c++)
        if (!is_named(&t->columns[c]) && strcmp(t->columns[c].text, known_by) == 0) {
            bound_deinit(&b);
            *ret = c;
            return 0;
        }
    struct plan_column *c = add_column(t, printed.s);
    c->derived = true;
    c->visit = VISIT_DONE;
    c->expr = b;
    c->shape = bound_shape(plan, scope, &b);
    c->shape.name = c->name;
    c->result = result_read(t, &b);
    c->text = known_by;
    known_by = NULL;
    *ret = t->n_columns - 1;
    if (c->shape.type != TYPE_NULL)
        return 0;
    CLEANUP(mem_free_chars) char *shown = expr_excerpt(printed.s, 1);
    return err_set(err, ERR_INPUT, "%s: \"%s\" is null for every row", scope->at, shown);
}

/* ---- groups ---- */

/* Could a row's value be null although it has a group? */
static bool group_nullable(const struct calc_use *use, const struct column *args)
{
    if (use->calc->never_null)
        return false;
    bool is_rank = use->calc->group && use->calc->result == RESULT_INT;
    return !is_rank || args[0].nullable;
}

static int bind_within(const struct scope *scope, const struct name_list *within,
                       struct group_part *g, struct err *err)
{
    if (within->n > GROUP_MAX_BY)
        return err_set(err, ERR_INPUT, "%s: \"within\" takes at most %d columns", scope->at,
                       GROUP_MAX_BY);
    for (int k = 0; k < within->n; k++) {
        int r = plan_find_column(scope, within->names[k], &g->within[k], err);
        if (r < 0)
            return r;
        g->n_within++;
    }
    return 0;
}

/* Integers whose sum over a group might not fit into 64 bits are summed into a float. */
static void choose_wide(const struct scope *scope, enum type type, struct group_part *g)
{
    if (g->use.n_args > 0 && g->use.calc->result == RESULT_NUMBER && type == TYPE_INT)
        g->use.params.wide = plan_group_overflows(scope->plan, scope->table, g);
}

static int bind_group_args(const struct scope *scope, struct group_part *g,
                           struct column *ret_shape, struct err *err)
{
    struct column args[2] = {0};
    for (int k = 0; k < g->use.n_args; k++) {
        CLEANUP(str_deinit) struct str text = {0};
        expr_print(g->use.arg[k], &text);
        int r = plan_bind(scope, text.s, &g->args[k], err);
        if (r < 0)
            return r;
        args[k] = bound_shape(scope->plan, scope, &g->args[k]);
    }
    struct column shape = {.nullable = group_nullable(&g->use, args)};
    choose_wide(scope, args[0].type, g);
    int r = calc_result_type(&g->use, args, &shape.type, &shape.scale, err);
    if (r < 0)
        return err_prefix(err, "%s", scope->at);
    if (shape.type == TYPE_STRING) {
        shape.dict = args[0].dict;
        shape.max_chars = args[0].max_chars;
    }
    *ret_shape = shape;
    return 0;
}

int plan_bind_group(const struct scope *scope, const char *calc, const struct name_list *within,
                    bool others, struct group_part **ret, struct column *ret_shape, struct err *err)
{
    struct group_part *g = MEM_NEW(struct group_part);
    int r = call_parse(calc, &g->call, err);
    if (r == 0)
        r = calc_use(g->call, CALC_GROUP, others, &g->use, err);
    if (r < 0)
        r = expr_blame(err, scope->at, calc);
    if (r == 0)
        r = bind_within(scope, within, g, err);
    if (r == 0)
        r = bind_group_args(scope, g, ret_shape, err);
    if (r < 0) {
        group_part_free(g);
        return r;
    }
    *ret = g;
    return 0;
}

void group_part_free(struct group_part *g)
{
    if (!g)
        return;
    bound_deinit(&g->args[0]);
    bound_deinit(&g->args[1]);
    call_free(g->call);
    free(g);
}

void plan_columns_deinit(struct plan_table *t)
{
    for (int c = 0; c < t->n_columns; c++) {
        free(t->columns[c].name);
        free(t->columns[c].text);
        bound_deinit(&t->columns[c].expr);
        group_part_free(t->columns[c].group);
    }
    free(t->columns);
}

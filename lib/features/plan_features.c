/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan_features.c - features to windows, groups and expressions, in the order of their
 * dependencies. Features over windows read history only; group features and expressions
 * (stage C) read the target row's own columns and other features. */
#include "features/plan_parts.h"

#include <math.h>
#include <string.h>

#include "base/date.h"
#include "base/utf8.h"
#include "features/spec_member.h"

/* ---- window features ---- */

/* The type that comes out, and whether it can be null. */
static int window_shape(struct plan *plan, struct plan_feature *f, struct err *err)
{
    const struct plan_index *x = &plan->indexes[plan->windows[f->window].index];
    struct column args[2] = {0};
    for (int k = 0; k < f->use.n_args; k++)
        args[k] = plan->tables[x->table].columns[x->fields[f->field[k]].column].shape;
    struct column shape = {0};
    int r = calc_result_type(&f->use, args, &shape.type, &shape.scale, err);
    if (r < 0)
        return err_prefix(err, "%s", f->spec->at);
    shape.nullable = !f->use.calc->never_null || f->spec->min_rows > 0;
    if (shape.type == TYPE_STRING) {
        shape.dict = args[0].dict;
        shape.max_chars = args[0].max_chars;
    }
    f->shape = shape;
    return 0;
}

/* Integer columns whose sum might not fit into 64 bits are summed into a float. */
static void choose_wide(struct plan *plan, struct plan_feature *f)
{
    const struct plan_index *x = &plan->indexes[plan->windows[f->window].index];
    if (f->use.n_args == 0 || f->use.calc->result != RESULT_NUMBER)
        return;
    int column = x->fields[f->field[0]].column;
    if (plan->tables[x->table].columns[column].shape.type == TYPE_INT)
        f->use.params.wide = plan_window_overflows(plan, x->table, column, &f->use);
}

static int bind_window_args(struct plan *plan, struct plan_feature *f, int table, struct err *err)
{
    struct scope scope = plan_history_scope(plan, f->spec->at, table);
    for (int k = 0; k < f->use.n_args; k++) {
        int column;
        int r = plan_expression_column(&scope, f->use.arg[k], &column, err);
        if (r < 0)
            return r;
        f->field[k] = plan_index_field(plan, plan->windows[f->window].index, column);
    }
    if (f->use.n_args == 1 && f->use.calc->sums) {
        enum type type =
            plan->tables[table]
                .columns[plan->indexes[plan->windows[f->window].index].fields[f->field[0]].column]
                .shape.type;
        if (type == TYPE_BOOL || type == TYPE_INT || type == TYPE_DECIMAL)
            plan_want_sums(plan, plan->windows[f->window].index, f->field[0],
                           &plan->windows[f->window]);
    }
    return 0;
}

/* `prior`: the same window over all rows, whoever they are. */
static int bind_prior(struct plan *plan, struct plan_feature *f, int table, struct err *err)
{
    const struct spec_feature *s = f->spec;
    f->prior_window = -1;
    if (isnan(s->prior))
        return 0;
    if (strcmp(f->use.calc->name, "mean") != 0 && strcmp(f->use.calc->name, "rate") != 0)
        return err_set(err, ERR_INPUT, "%s: \"prior\" goes with mean and rate only", s->at);
    if (plan->windows[f->window].where.tree)
        return err_set(err, ERR_INPUT,
                       "%s: \"prior\" and a \"where\" that mentions target. do not go together: "
                       "every row would have a "
                       "prior of its own",
                       s->at);
    struct spec_window all = s->window;
    all.by = (struct name_list){0};
    all.last = 0;
    int r = plan_window_for(plan, s->at, &all, table, NULL, &f->prior_window, err);
    if (r < 0)
        return r;
    int column = plan->indexes[plan->windows[f->window].index].fields[f->field[0]].column;
    int index = plan->windows[f->prior_window].index, field = plan_index_field(plan, index, column);
    f->field[1] = field;
    enum type type = plan->tables[table].columns[column].shape.type;
    if (type == TYPE_BOOL || type == TYPE_INT || type == TYPE_DECIMAL)
        plan_want_sums(plan, index, field, &plan->windows[f->prior_window]);
    return 0;
}

static int fill_mismatch(const struct plan_feature *f, struct err *err)
{
    static const char *const fits[] = {
        [TYPE_NULL] = "",
        [TYPE_BOOL] = "true or false",
        [TYPE_INT] = "a number",
        [TYPE_DECIMAL] = "a number",
        [TYPE_FLOAT] = "a number",
        [TYPE_DATE] = "a date that exists, as \"2024-01-31\"",
        [TYPE_TIMESTAMP] = "a time that exists, as \"2024-01-31 15:04:05\"",
        [TYPE_STRING] = "a string",
    };
    const struct spec_fill *fill = &f->spec->fill;
    bool text = fill->type == JSON_STRING;
    return err_set(err, ERR_INPUT, "%s.fill: %s%s%s%s does not fit a column of type %s; write %s",
                   f->spec->at, json_type_name(fill->type), text ? " \"" : "",
                   text ? fill->text : "", text ? "\"" : "", type_name(f->shape.type),
                   fits[f->shape.type]);
}

/* What stands in place of null must have the column's type; a fraction makes an integer column
 * float. */
static int check_fill(struct plan_feature *f, struct err *err)
{
    const struct spec_fill *fill = &f->spec->fill;
    enum type type = f->shape.type;
    int64_t ignored;
    switch (fill->type) {
    case JSON_NULL:
        return 0;
    case JSON_NUMBER:
        if (type != TYPE_INT && type != TYPE_FLOAT && type != TYPE_DECIMAL)
            return fill_mismatch(f, err);
        if (type == TYPE_DECIMAL || (type == TYPE_INT && (fill->number != floor(fill->number) ||
                                                          fabs(fill->number) > 9e15)))
            f->shape.type = TYPE_FLOAT;
        break;
    case JSON_BOOL:
        if (type != TYPE_BOOL)
            return fill_mismatch(f, err);
        break;
    default:
        if (type == TYPE_DATE        ? !date_parse(fill->text, strlen(fill->text), &ignored)
            : type == TYPE_TIMESTAMP ? !timestamp_parse(fill->text, strlen(fill->text), &ignored)
                                     : type != TYPE_STRING)
            return fill_mismatch(f, err);
    }
    f->shape.nullable = false;
    if (type == TYPE_STRING) {
        int32_t chars = (int32_t)utf8_chars(fill->text, strlen(fill->text));
        f->shape.max_chars = chars > f->shape.max_chars ? chars : f->shape.max_chars;
    }
    return 0;
}

static int parse_call(struct plan_feature *f, const char *text, enum calc_place place,
                      struct err *err)
{
    int r = call_parse(text, &f->call, err);
    if (r == 0)
        r = calc_use(f->call, place, f->spec->others, &f->use, err);
    return r < 0 ? expr_blame(err, f->spec->at, text) : 0;
}

static int add_window_feature(struct plan *plan, int feature, int table, const int *history_by,
                              const char *text, struct err *err)
{
    struct plan_feature *f = &plan->features[feature];
    const struct spec_feature *s = f->spec;
    int r = parse_call(f, text, CALC_WINDOW, err);
    if (r == 0)
        r = plan_window_for(plan, s->at, &s->window, table, history_by, &f->window, err);
    if (r == 0)
        r = bind_window_args(plan, f, table, err);
    if (r < 0)
        return r;
    choose_wide(plan, f);
    r = bind_prior(plan, f, table, err);
    if (r == 0)
        r = window_shape(plan, f, err);
    if (r == 0)
        r = check_fill(f, err);
    return r;
}

static int visit_window(struct plan *plan, int feature, struct err *err)
{
    const struct spec_feature *s = plan->features[feature].spec;
    int table = plan->target;
    int r = s->window.from ? plan_find_table(plan, s->at, s->window.from, &table, err) : 0;
    if (r < 0)
        return r;
    if (plan->tables[table].table->time < 0)
        return err_set(err, ERR_INPUT,
                       "%s: table '%s' has no time, so it has no history; use \"lookup\"", s->at,
                       plan->tables[table].table->name);
    return add_window_feature(plan, feature, table, NULL, s->text, err);
}

/* "TABLE.COLUMN" of asof and lookup: the table, and last(COLUMN) as the calculation. */
static int find_source(struct plan *plan, const struct spec_feature *s, int *ret_table,
                       char **ret_call, struct err *err)
{
    struct str call = {0};
    int r = plan_find_table(plan, s->at, s->window.from, ret_table, err);
    if (r < 0)
        return r;
    str_addz(&call, "last(");
    expr_print_name(s->column, &call);
    str_addc(&call, ')');
    *ret_call = str_take(&call);
    return 0;
}

static int visit_asof(struct plan *plan, int feature, struct err *err)
{
    CLEANUP(mem_free_chars) char *call = NULL;
    const struct spec_feature *s = plan->features[feature].spec;
    int table;
    int r = find_source(plan, s, &table, &call, err);
    if (r < 0)
        return r;
    if (plan->tables[table].table->time < 0)
        return err_set(err, ERR_INPUT, "%s: table '%s' has no time; use \"lookup\"", s->at,
                       plan->tables[table].table->name);
    r = add_window_feature(plan, feature, table, NULL, call, err);
    struct plan_feature *f = &plan->features[feature];
    if (r == 0 && f->how == HOW_AGE)
        f->shape = (struct column){.type = TYPE_INT, .nullable = true};
    return r;
}

static int visit_lookup(struct plan *plan, int feature, struct err *err)
{
    CLEANUP(mem_free_chars) char *call = NULL;
    const struct spec_feature *s = plan->features[feature].spec;
    int table;
    int r = find_source(plan, s, &table, &call, err);
    if (r < 0)
        return r;
    int key = plan->tables[table].table->key;
    if (plan->tables[table].table->time >= 0 || key < 0)
        return err_set(err, ERR_INPUT,
                       "%s: table '%s' has %s; use \"asof\", or create the snapshot with key=",
                       s->at, plan->tables[table].table->name,
                       plan->tables[table].table->time >= 0 ? "a time" : "no key");
    if (s->window.by.n != 1)
        return err_set(
            err, ERR_INPUT, "%s: \"lookup\" takes one column in \"by\": the one to find in '%s.%s'",
            s->at, plan->tables[table].table->name, plan->tables[table].columns[key].name);
    return add_window_feature(plan, feature, table, &key, call, err);
}

/* ---- stage C ---- */

static struct scope row_scope(struct plan *plan, int feature)
{
    struct scope scope = plan_target_scope(plan, plan->features[feature].spec->at);
    scope.features = true;
    scope.self = feature;
    scope.history = plan->features[feature].spec->is_label; /* labels are what the results are */
    return scope;
}

static int visit_group(struct plan *plan, int feature, struct err *err)
{
    struct scope scope = row_scope(plan, feature);
    const struct spec_feature *s = plan->features[feature].spec;
    struct group_part *group;
    struct column shape;
    int r = plan_bind_group(&scope, s->text, &s->within, s->others, &group, &shape, err);
    if (r < 0)
        return r;
    struct plan_feature *f = &plan->features[feature];
    f->group = group;
    f->shape = shape;
    if (s->min_rows > 0)
        f->shape.nullable = true;
    return check_fill(f, err);
}

/* One tree serves all columns that it makes: a tree for each would take the square of their number
 * of memory. */
static int share_parts(struct plan *plan, int first, struct bound *ret, struct err *err)
{
    if (plan->features[first].visit == VISIT_OPEN)
        return err_set(err, ERR_INPUT, "%s reads a column that it makes; break the cycle",
                       plan->features[first].spec->at);
    int r = plan_visit_feature(plan, first, err);
    if (r == 0)
        *ret = plan->features[first].expr;
    return r;
}

static int visit_expr(struct plan *plan, int feature, struct err *err)
{
    struct scope scope = row_scope(plan, feature);
    scope.parts = true;
    struct bound b;
    int first = feature - plan->features[feature].part;
    int r = feature == first ? plan_bind(&scope, plan->features[feature].spec->text, &b, err)
                             : share_parts(plan, first, &b, err);
    if (r < 0)
        return r;
    struct plan_feature *f = &plan->features[feature];
    const struct expr *part = expr_part(b.tree, f->part);
    int slot = expr_slot(part);
    f->expr = b;
    f->shape = (struct column){.type = expr_type(part),
                               .scale = expr_scale(part),
                               .nullable = expr_nullable(part),
                               .max_chars = expr_max_chars(part)};
    if (slot >= 0 && b.slots[slot].space == SLOT_COLUMN) {
        f->shape = plan->tables[plan->target].columns[b.slots[slot].number].shape;
    } else if (slot >= 0) {
        f->shape = plan->features[b.slots[slot].number].shape;
    }
    if (f->shape.type == TYPE_NULL)
        return err_set(err, ERR_INPUT, "%s: is null for every row", scope.at);
    return check_fill(f, err);
}

static int feature_chain(const struct plan *plan, const struct plan_feature *f)
{
    int most = plan_bound_chain(plan, plan->target, &f->expr);
    for (int k = 0; f->group && k < f->group->use.n_args; k++) {
        int chain = plan_bound_chain(plan, plan->target, &f->group->args[k]);
        most = chain > most ? chain : most;
    }
    return most + 1;
}

int plan_visit_feature(struct plan *plan, int feature, struct err *err)
{
    struct plan_feature *f = &plan->features[feature];
    if (f->visit == VISIT_DONE)
        return 0;
    int r = plan_check_chain(f->spec->at, plan->open + 1, err);
    if (r < 0)
        return r;
    f->visit = VISIT_OPEN;
    plan->open++;
    int (*const visit[])(struct plan *, int, struct err *) = {
        [SPEC_WINDOW] = visit_window, [SPEC_GROUP] = visit_group,   [SPEC_EXPR] = visit_expr,
        [SPEC_ASOF] = visit_asof,     [SPEC_LOOKUP] = visit_lookup,
    };
    r = visit[f->spec->kind](plan, feature, err);
    f = &plan->features[feature];
    f->visit = VISIT_DONE;
    plan->open--;
    if (r == 0) {
        f->chain = feature_chain(plan, f);
        r = plan_check_chain(f->spec->at, f->chain, err);
    }
    f->shape.name = f->name;
    f->shape.rows = 0;
    f->shape.data = NULL;
    f->shape.valid = NULL;
    f->shape.own = NULL;
    if (f->how == HOW_GROUP || f->how == HOW_EXPR)
        plan->order[plan->n_order++] = feature;
    return r;
}

/* ---- all features ---- */

static struct plan_feature *add_feature(struct plan *plan, const struct spec_feature *s,
                                        enum feature_how how, char *name)
{
    plan->features = mem_grow(plan->features, &plan->features_cap, (size_t)plan->n_features + 1,
                              sizeof *plan->features);
    struct plan_feature *f = &plan->features[plan->n_features++];
    *f = (struct plan_feature){
        .name = name, .spec = s, .how = how, .window = -1, .prior_window = -1};
    return f;
}

/* The spec's own names are checked as they are read; these end in a value of onehot, or in _sin. */
static int check_part_name(const struct spec_feature *s, const struct expr *tree, const char *name,
                           struct err *err)
{
    struct place at = {NULL, s->at, 0};
    if (name_check(&at, name, err) == 0)
        return 0;
    CLEANUP(mem_free_chars) char *why = mem_strdup(err->text);
    if (strcmp(expr_outer_call(tree), "onehot") != 0)
        return err_set(err, ERR_INPUT, "%s, with what cyc adds to it: choose a shorter one", why);
    CLEANUP(str_deinit) struct str of = {0};
    expr_print(expr_arg(tree, 0), &of);
    return err_set(
        err, ERR_INPUT,
        "%s. A column of onehot is named after its value: give this value a feature with "
        "a name of its own, {\"expr\": \"%s == VALUE\"}",
        why, of.s);
}

/* cyc and onehot make several columns, an as-of with age two. */
static int add_parts(struct plan *plan, const struct spec_feature *s, struct err *err)
{
    CLEANUP(expr_free) struct expr *tree = NULL;
    if (s->kind == SPEC_WINDOW || s->kind == SPEC_ASOF || s->kind == SPEC_LOOKUP) {
        add_feature(plan, s, HOW_WINDOW, mem_strdup(s->name));
        if (s->age)
            add_feature(plan, s, HOW_AGE, mem_printf("%s_age_days", s->name));
        return 0;
    }
    if (s->kind == SPEC_GROUP) {
        add_feature(plan, s, HOW_GROUP, mem_strdup(s->name));
        return 0;
    }
    if (expr_parse(s->text, &tree, err) < 0)
        return expr_blame(err, s->at, s->text);
    for (int part = 0; part < expr_parts(tree); part++) {
        CLEANUP(str_deinit) struct str name = {0};
        str_addz(&name, s->name);
        expr_suffix(tree, part, &name);
        int r = expr_outer_call(tree) ? check_part_name(s, tree, name.s, err) : 0;
        if (r < 0)
            return r;
        add_feature(plan, s, HOW_EXPR, str_take(&name))->part = part;
    }
    return 0;
}

static bool reads_any(const struct bound *b, const bool *features)
{
    for (int k = 0; k < b->n_slots; k++)
        if (b->slots[k].space == SLOT_FEATURE && features[b->slots[k].number])
            return true;
    return false;
}

static bool needs_windows(const struct plan_feature *f, const bool *needing)
{
    if (f->how == HOW_EXPR)
        return reads_any(&f->expr, needing);
    for (int i = 0; i < f->group->use.n_args; i++)
        if (reads_any(&f->group->args[i], needing))
            return true;
    return false;
}

/* What needs no window can be computed beside them: it comes first. */
static void put_free_first(struct plan *plan)
{
    bool *needing = mem_zalloc((size_t)plan->n_features + 1);
    int *rest = MEM_ARRAY(int, (size_t)plan->n_order + 1), n_rest = 0;
    for (int f = 0; f < plan->n_features; f++)
        needing[f] = plan->features[f].how == HOW_WINDOW || plan->features[f].how == HOW_AGE;
    for (int i = 0; i < plan->n_order; i++) {
        int f = plan->order[i];
        needing[f] = needs_windows(&plan->features[f], needing);
        if (needing[f])
            rest[n_rest++] = f;
        else
            plan->order[plan->n_free++] = f;
    }
    memcpy(plan->order + plan->n_free, rest, (size_t)n_rest * sizeof *rest);
    free(rest);
    free(needing);
}

int plan_add_features(struct plan *plan, struct err *err)
{
    int r = 0;
    for (int i = 0; i < plan->spec->n_features && r == 0; i++)
        r = add_parts(plan, &plan->spec->features[i], err);
    if (r < 0)
        return r;
    plan->order = MEM_ARRAY(int, (size_t)plan->n_features + 1);
    for (int f = 0; f < plan->n_features && r == 0; f++)
        r = plan_visit_feature(plan, f, err);
    for (int i = 0; i < plan->n_indexes; i++)
        plan_describe_index(plan, &plan->indexes[i]);
    if (r == 0)
        put_free_first(plan);
    return r;
}

void plan_features_deinit(struct plan *plan)
{
    for (int f = 0; f < plan->n_features; f++) {
        struct plan_feature *feature = &plan->features[f];
        free(feature->name);
        call_free(feature->call);
        group_part_free(feature->group);
        if (feature->part == 0)
            bound_deinit(&feature->expr);
        filled_dict_deinit(&feature->filled);
    }
    for (int w = 0; w < plan->n_windows; w++)
        bound_deinit(&plan->windows[w].where);
    for (int i = 0; i < plan->n_indexes; i++) {
        free(plan->indexes[i].fields);
        free(plan->indexes[i].start_days);
        free(plan->indexes[i].text);
        index_free(plan->indexes[i].index);
    }
    free(plan->features);
    free(plan->entries);
    free(plan->windows);
    free(plan->indexes);
    free(plan->order);
}

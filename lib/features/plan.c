/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan.c - compiling a spec against a snapshot, and what a plan knows without computing. */
#include "features/plan_parts.h"

#include <string.h>

static int find_target(struct plan *plan, struct err *err)
{
    const char *name = plan->spec->target;
    for (int i = 0; i < plan->n_tables; i++)
        if (strcmp(plan->tables[i].table->name, name) == 0) {
            if (plan->tables[i].table->time < 0)
                return err_set(err, ERR_INPUT,
                               "target.table: '%s' has no time, so it has no dates to compute",
                               name);
            plan->target = i;
            plan->tables[i].read = true;
            return 0;
        }
    return err_set(
        err, ERR_INPUT,
        "target.table: the snapshot has no table '%s'; `hiwari snapshot show` lists them", name);
}

static int find_cutoff(struct plan *plan, struct err *err)
{
    plan->cutoff = -1;
    const char *name = plan->spec->cutoff;
    if (strcmp(name, "key") == 0)
        return 0;
    struct scope scope = {
        .plan = plan, .at = "target.cutoff", .table = plan->target, .self = -1, .fields_of = -1};
    int r = plan_find_column(&scope, name, &plan->cutoff, err);
    if (r < 0)
        return r;
    enum type type = plan->tables[plan->target].columns[plan->cutoff].shape.type;
    if (type != TYPE_DATE && type != TYPE_TIMESTAMP)
        return err_set(err, ERR_INPUT, "target.cutoff: '%s' is %s, not a date or timestamp", name,
                       type_name(type));
    return 0;
}

static int bind_target_where(struct plan *plan, struct err *err)
{
    struct scope scope = {
        .plan = plan, .at = "target.where", .table = plan->target, .self = -1, .fields_of = -1};
    if (!plan->spec->target_where)
        return 0;
    int r = plan_bind(&scope, plan->spec->target_where, &plan->target_where, err);
    if (r == 0 && expr_type(plan->target_where.tree) != TYPE_BOOL)
        return err_set(err, ERR_INPUT, "target.where: is %s, not a condition; write a comparison",
                       type_name(expr_type(plan->target_where.tree)));
    return r;
}

/* ---- outputs ---- */

static const char *output_name(const struct plan *plan, const struct plan_output *o)
{
    return o->feature >= 0 ? plan->features[o->feature].name
                           : plan->tables[plan->target].columns[o->column].name;
}

static void add_output(struct plan *plan, struct plan_output o)
{
    plan->outputs[plan->n_outputs++] = o;
}

struct output_name {
    const char *name;
    int number; /* of the output */
};

static int compare_output_names(const void *a, const void *b)
{
    const struct output_name *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : x->number - y->number;
}

/* The first output whose name an earlier one has; -1: there is none. */
static int first_double(const struct plan *plan)
{
    int n = plan->n_outputs, first = -1;
    CLEANUP(free) void *room = MEM_ARRAY(struct output_name, (size_t)n + 1);
    struct output_name *names = room;
    for (int i = 0; i < n; i++)
        names[i] = (struct output_name){output_name(plan, &plan->outputs[i]), i};
    qsort(names, (size_t)n, sizeof *names, compare_output_names);
    for (int i = 1; i < n; i++)
        if (strcmp(names[i - 1].name, names[i].name) == 0 && (first < 0 || names[i].number < first))
            first = names[i].number;
    return first;
}

static int check_output_names(const struct plan *plan, struct err *err)
{
    int twice = first_double(plan);
    if (twice < 0)
        return 0;
    const struct plan_output *o = &plan->outputs[twice];
    return err_set(err, ERR_INPUT, "%s: the output has a column '%s' already; choose another name",
                   o->feature >= 0 ? plan->features[o->feature].spec->at : "target.keep",
                   output_name(plan, o));
}

/* The time first unless keep places it, keep, features in spec order, labels. */
static int add_outputs(struct plan *plan, struct err *err)
{
    const struct name_list *keep = &plan->spec->keep;
    const struct plan_table *t = &plan->tables[plan->target];
    const char *time = t->columns[t->table->time].name;
    struct scope scope = {
        .plan = plan, .at = "target.keep", .table = plan->target, .self = -1, .fields_of = -1};
    bool placed = false;
    plan->outputs = mem_zalloc(sizeof *plan->outputs * (size_t)(keep->n + plan->n_features + 2));
    for (int i = 0; i < keep->n; i++)
        placed |= strcmp(keep->names[i], time) == 0;
    if (!placed)
        add_output(plan, (struct plan_output){.column = t->table->time, .feature = -1});
    for (int i = 0; i < keep->n; i++) {
        struct plan_output o = {.feature = -1};
        int r = plan_find_column(&scope, keep->names[i], &o.column, err);
        if (r < 0)
            return r;
        add_output(plan, o);
    }
    for (int f = 0; f < plan->n_features; f++)
        add_output(plan, (struct plan_output){.column = -1, .feature = f});
    return check_output_names(plan, err);
}

int plan_compile(const struct spec *spec, const struct snapshot *snapshot, struct plan **ret,
                 struct err *err)
{
    CLEANUP(plan_free) struct plan *plan = MEM_NEW(struct plan);
    plan->spec = spec;
    plan->snapshot = snapshot;
    int r = plan_add_tables(plan, err);
    if (r == 0)
        r = find_target(plan, err);
    if (r == 0)
        r = find_cutoff(plan, err);
    if (r == 0)
        r = bind_target_where(plan, err);
    if (r == 0)
        r = plan_add_features(plan, err);
    if (r == 0)
        r = add_outputs(plan, err);
    if (r < 0)
        return spec->name && !str_starts(err->text, spec->name) ? err_prefix(err, "%s", spec->name)
                                                                : r;
    *ret = plan;
    plan = NULL;
    return 0;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    plan_features_deinit(plan);
    bound_deinit(&plan->target_where);
    for (int i = 0; plan->tables && i < plan->n_tables; i++)
        plan_columns_deinit(&plan->tables[i]);
    free(plan->tables);
    free(plan->outputs);
    free(plan);
}

/* ---- what a result depends on ---- */

/* The table whose name follows `after` (NULL: the first) among those that are read; NULL: there is
 * none. */
static const struct table *next_by_name(const struct plan *plan, const char *after)
{
    const struct table *next = NULL;
    for (int i = 0; i < plan->n_tables; i++) {
        const struct table *t = plan->tables[i].table;
        if (plan->tables[i].read && (!after || strcmp(t->name, after) > 0) &&
            (!next || strcmp(t->name, next->name) < 0))
            next = t;
    }
    return next;
}

/* Names and chains in the order of names: like a snapshot's id, the hash does not depend on the
 * order in which its tables were made. */
void plan_data_hash(const struct plan *plan, int64_t day, char ret_hex[SHA256_HEX])
{
    struct sha256 h;
    uint8_t hash[SHA256_BYTES];
    sha256_init(&h);
    for (const struct table *t = next_by_name(plan, NULL); t; t = next_by_name(plan, t->name)) {
        table_chain_at(t, day, hash);
        sha256_add(&h, t->name, strlen(t->name) + 1);
        sha256_add(&h, hash, sizeof hash);
    }
    sha256_finish(&h, hash);
    sha256_deinit(&h);
    hash_hex(hash, SHA256_BYTES, ret_hex);
}

const int64_t *plan_days(const struct plan *plan, int64_t *ret_n)
{
    const struct table *t = plan->tables[plan->target].table;
    *ret_n = t->n_days;
    return t->day;
}

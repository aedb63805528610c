/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* expr_bind.c - names get places and nodes get types; every type error is found here.
 *
 * Each operator and function has a rule, run when its operands are bound: it checks them, has them
 * cast to one type (expr_type.h), and sets the node's type and whether it can be null. Integers
 * carry the range they lie in, from the calendar, from bools and literals, so that sums of them are
 * known not to overflow, and then not to be null. */
#include "base/utf8.h"
#include "features/expr_type.h"

struct binder {
    expr_resolve_fn *resolve;
    void *ctx;
    struct err *err;
    struct text *literals;
    int n_literals;
};

typedef int bind_fn(struct binder *b, struct expr *e);

/* ---- what operands must be ---- */

static int refuse_operand(struct binder *b, const struct expr *e, const char *needs,
                          const struct expr *arg)
{
    char snip[EXPR_SNIP];
    return expr_error(b->err, e->at, "%s needs %s; %s is %s", expr_op_name(e->op), needs,
                      expr_snip(arg, snip), expr_a_type(arg->type));
}

/* Numbers: together integers, as bools are too, or floats if one is. */
static int number_args(struct binder *b, struct expr *e, enum type *ret_type)
{
    enum type type = TYPE_INT;
    for (int i = 0; i < e->n_args; i++) {
        const struct expr *arg = e->args[i];
        if (expr_is_time(arg->type) && (e->op == OP_ADD || e->op == OP_SUB))
            return expr_error(b->err, e->at,
                              "%s does not work on dates; the days from a to b are "
                              "days_between(a, b)",
                              expr_op_name(e->op));
        if (arg->type != TYPE_NULL && !type_is_number(arg->type))
            return refuse_operand(b, e, e->n_args == 1 ? "a number" : "numbers", arg);
        if (arg->type == TYPE_DECIMAL || arg->type == TYPE_FLOAT)
            type = TYPE_FLOAT;
    }
    *ret_type = type;
    return 0;
}

static int bool_args(struct binder *b, struct expr *e, int n)
{
    char snip[EXPR_SNIP];
    for (int i = 0; i < n; i++) {
        const struct expr *arg = e->args[i];
        if (arg->type == TYPE_BOOL || arg->type == TYPE_NULL) {
            expr_cast(&e->args[i], TYPE_BOOL);
            continue;
        }
        if (type_is_number(arg->type))
            return expr_error(
                b->err, e->at, "%s needs a condition; %s is %s: compare it, as in %s != 0",
                expr_op_name(e->op), expr_snip(arg, snip), expr_a_type(arg->type), snip);
        return refuse_operand(b, e, "a condition", arg);
    }
    return 0;
}

/* ---- leaves ---- */

static int bind_const(struct binder *b, struct expr *e)
{
    enum type type = e->is_null ? TYPE_NULL : e->type;
    expr_set_type(e, type);
    e->nullable = e->is_null;
    if (type == TYPE_STRING) {
        b->literals[b->n_literals] = (struct text){e->text, (int64_t)strlen(e->text)};
        e->max_chars = (int32_t)utf8_chars(e->text, strlen(e->text));
        e->i = b->n_literals++;
    } else if (type != TYPE_FLOAT) {
        expr_set_range(e, e->i, e->i);
    }
    return 0;
}

static int bind_name(struct binder *b, struct expr *e)
{
    struct column column = {0};
    int r = b->resolve(b->ctx, e->text, e->target, &column, &e->slot, b->err);
    if (r < 0)
        return r;
    expr_set_type(e, column.type);
    e->scale = column.scale;
    e->nullable = column.nullable || column.type == TYPE_NULL;
    e->dict = column.dict;
    e->max_chars = column.max_chars;
    return 0;
}

static int bind_list(struct binder *b, struct expr *e)
{
    return 0;
}

/* ---- operators ---- */

static int bind_logic(struct binder *b, struct expr *e)
{
    expr_set_type(e, TYPE_BOOL);
    return bool_args(b, e, e->n_args);
}

static int bind_comparison(struct binder *b, struct expr *e)
{
    enum type type;
    int r = expr_unify_args(b->err, e, 0, true, &type);
    if (r < 0)
        return r;
    expr_set_type(e, TYPE_BOOL);
    if (type == TYPE_STRING)
        expr_literals_to_codes(e);
    return 0;
}

/* False: it may overflow, or divide by zero. */
static bool arithmetic_range(struct expr *e)
{
    const struct expr *first = e->args[0], *last = e->args[e->n_args - 1];
    struct expr_range x = {first->low, first->high}, y = {last->low, last->high}, r;
    if (!expr_op_range(e->op, x, y, &r))
        return false;
    expr_set_range(e, r.low, r.high);
    return true;
}

static int bind_arithmetic(struct binder *b, struct expr *e)
{
    enum type type;
    int r = number_args(b, e, &type);
    if (r < 0)
        return r;
    if (e->op == OP_DIV)
        type = TYPE_FLOAT;
    expr_cast_args(e, 0, type);
    expr_set_type(e, type);
    if (type == TYPE_INT ? !arithmetic_range(e) : e->n_args > 1)
        e->nullable = true;
    return 0;
}

/* ---- functions ---- */

/* if and coalesce give one of their arguments. */
static void set_choice(struct expr *e, enum type type)
{
    expr_set_type(e, type);
    for (int i = 0; i < e->n_args; i++) {
        if (e->args[i]->type == type && e->args[i]->max_chars > e->max_chars)
            e->max_chars = e->args[i]->max_chars;
    }
}

static int bind_if(struct binder *b, struct expr *e)
{
    enum type type;
    int r = bool_args(b, e, 1);
    if (r == 0)
        r = expr_unify_args(b->err, e, 1, false, &type);
    if (r < 0)
        return r;
    set_choice(e, type);
    e->nullable = e->args[1]->nullable || e->args[2]->nullable;
    return 0;
}

static int bind_coalesce(struct binder *b, struct expr *e)
{
    enum type type;
    int r = expr_unify_args(b->err, e, 0, false, &type);
    if (r < 0)
        return r;
    set_choice(e, type);
    for (int i = 0; i < e->n_args; i++)
        e->nullable = e->nullable && e->args[i]->nullable;
    return 0;
}

static int bind_is_null(struct binder *b, struct expr *e)
{
    if (e->args[0]->type == TYPE_NULL)
        expr_cast(&e->args[0], TYPE_INT);
    expr_set_type(e, TYPE_BOOL);
    e->nullable = false;
    return 0;
}

/* min, max, clip: of numbers, of dates or of timestamps. */
static int bind_extreme(struct binder *b, struct expr *e)
{
    enum type type;
    for (int i = 0; i < e->n_args; i++) {
        if (e->args[i]->type == TYPE_STRING && !expr_is_string(e->args[i]))
            return refuse_operand(b, e, "numbers or dates", e->args[i]);
    }
    int r = expr_unify_args(b->err, e, 0, false, &type);
    if (r < 0)
        return r;
    if (type == TYPE_STRING)
        return refuse_operand(b, e, "numbers or dates", e->args[0]);
    if (type == TYPE_BOOL || type == TYPE_NULL)
        type = TYPE_INT;
    expr_cast_args(e, 0, type);
    expr_set_type(e, type);
    if (type == TYPE_INT) {
        expr_set_range(e, e->args[0]->low, e->args[0]->high);
        for (int i = 1; i < e->n_args; i++)
            expr_set_range(e, e->args[i]->low < e->low ? e->args[i]->low : e->low,
                           e->args[i]->high > e->high ? e->args[i]->high : e->high);
    }
    return 0;
}

/* floor, ceil, round: an integer stays what it is. */
static int bind_rounding(struct binder *b, struct expr *e)
{
    enum type type;
    double digits = 0;
    if (e->n_args == 2 && (!expr_literal(e->args[1], &digits) || e->args[1]->type != TYPE_INT ||
                           digits < -15 || digits > 15))
        return expr_error(b->err, e->args[1]->at,
                          "the digits of round are an integer from -15 to 15");
    int r = number_args(b, e, &type);
    if (r < 0)
        return r;
    expr_cast(&e->args[0], type);
    expr_set_type(e, type);
    if (type == TYPE_INT && digits >= 0)
        expr_set_range(e, e->args[0]->low, e->args[0]->high);
    else if (digits != 0)
        e->nullable = true;
    return 0;
}

static int bind_real(struct binder *b, struct expr *e)
{
    enum type type;
    int r = number_args(b, e, &type);
    if (r < 0)
        return r;
    expr_cast(&e->args[0], TYPE_FLOAT);
    expr_set_type(e, TYPE_FLOAT);
    e->nullable = true; /* what is not finite is null */
    return 0;
}

static int date_arg(struct binder *b, struct expr *e, int i)
{
    enum type type = e->args[i]->type;
    if (type != TYPE_NULL && !expr_is_time(type))
        return refuse_operand(b, e, "dates or timestamps", e->args[i]);
    if (type == TYPE_NULL || e->op != OP_HOUR)
        expr_cast(&e->args[i], TYPE_DATE);
    return 0;
}

static int bind_calendar(struct binder *b, struct expr *e)
{
    int r = date_arg(b, e, 0);
    if (r < 0)
        return r;
    expr_set_type(e, TYPE_INT);
    switch (e->op) {
    case OP_YEAR:
        expr_set_range(e, INT32_MIN, INT32_MAX);
        break;
    case OP_MONTH:
        expr_set_range(e, 1, 12);
        break;
    case OP_DAY:
        expr_set_range(e, 1, 31);
        break;
    case OP_WEEKDAY:
        expr_set_range(e, 0, 6);
        break;
    case OP_DAY_OF_YEAR:
        expr_set_range(e, 1, 366);
        break;
    default: /* OP_HOUR */
        expr_set_range(e, 0, 23);
        break;
    }
    return 0;
}

static int bind_days_between(struct binder *b, struct expr *e)
{
    bool both_literal = expr_is_string(e->args[0]) && expr_is_string(e->args[1]);
    for (int i = 0; i < 2; i++) {
        if (!expr_is_string(e->args[i]) || both_literal)
            continue;
        int r = expr_literal_to_time(b->err, &e->args[i], false);
        if (r < 0)
            return r;
    }
    for (int i = 0; i < 2; i++) {
        int r = date_arg(b, e, i);
        if (r < 0)
            return r;
    }
    expr_set_type(e, TYPE_INT);
    expr_set_range(e, INT32_MIN, INT32_MAX);
    return 0;
}

static int bind_bin(struct binder *b, struct expr *e)
{
    enum type type;
    int r = expr_unify_list(b->err, e, &type);
    if (r < 0)
        return r;
    if (type == TYPE_STRING)
        return refuse_operand(b, e, "a number or date", e->args[0]);
    expr_set_type(e, TYPE_INT);
    expr_set_range(e, 0, e->args[1]->n_args);
    e->nullable = e->args[0]->nullable;
    return 0;
}

/* ---- several columns ---- */

/* An expression of its own over nodes that e keeps. */
static struct expr *part_new(struct expr *e, enum expr_op op, struct expr *x, struct expr *y,
                             enum type type)
{
    struct expr *part = expr_new(op, e->at);
    part->borrows = true;
    part->literals = e->literals;
    expr_add(part, x);
    expr_add(part, y);
    expr_set_type(part, type);
    part->nullable = type == TYPE_FLOAT || x->nullable;
    expr_set_registers(part);
    return part;
}

static int bind_cyc(struct binder *b, struct expr *e)
{
    double period;
    enum type type = TYPE_FLOAT;
    if (!expr_literal(e->args[1], &period) || !(period > 0))
        return expr_error(b->err, e->args[1]->at, "the period of cyc is a number above 0");
    int r = number_args(b, e, &type);
    if (r < 0)
        return r;
    expr_cast_args(e, 0, TYPE_FLOAT);
    expr_set_type(e, TYPE_FLOAT);
    e->nullable = true;
    e->n_parts = 2;
    e->parts = MEM_ARRAY(struct expr *, 2);
    e->parts[0] = part_new(e, OP_CYC_SIN, e->args[0], e->args[1], TYPE_FLOAT);
    e->parts[1] = part_new(e, OP_CYC_COS, e->args[0], e->args[1], TYPE_FLOAT);
    return 0;
}

struct printed {
    char *text;
    int number; /* of the value */
};

static int compare_printed(const void *a, const void *b)
{
    const struct printed *x = a, *y = b;
    int order = strcmp(x->text, y->text);
    return order ? order : x->number - y->number;
}

/* The first value that stands before, too; -1: there is none. Of sorted ones. */
static int first_double(const struct printed *all, int n)
{
    int first = -1;
    for (int i = 1; i < n; i++)
        if (strcmp(all[i - 1].text, all[i].text) == 0 &&
            (first < 0 || all[i].number < all[first].number))
            first = i;
    return first;
}

static int onehot_values_differ(struct binder *b, const struct expr *list)
{
    struct printed *all = MEM_ARRAY(struct printed, (size_t)list->n_args + 1);
    int r = 0;
    for (int i = 0; i < list->n_args; i++) {
        struct str text = {0};
        expr_print(list->args[i], &text);
        all[i] = (struct printed){str_take(&text), i};
    }
    qsort(all, (size_t)list->n_args, sizeof *all, compare_printed);
    int twice = first_double(all, list->n_args);
    if (twice >= 0)
        r = expr_error(b->err, list->args[all[twice].number]->at, "onehot: %.60s is given twice",
                       all[twice].text);
    for (int i = 0; i < list->n_args; i++)
        free(all[i].text);
    free(all);
    return r;
}

static int bind_onehot(struct binder *b, struct expr *e)
{
    enum type type;
    struct expr *list = e->args[1];
    int r = onehot_values_differ(b, list);
    if (r == 0)
        r = expr_unify_list(b->err, e, &type);
    if (r < 0)
        return r;
    expr_set_type(e, TYPE_INT);
    expr_set_range(e, 0, 1);
    e->nullable = e->args[0]->nullable;
    e->parts = MEM_ARRAY(struct expr *, (size_t)list->n_args);
    e->n_parts = list->n_args;
    for (int i = 0; i < list->n_args; i++) {
        e->parts[i] = part_new(e, OP_EQ, e->args[0], list->args[i], TYPE_BOOL);
        if (type == TYPE_STRING)
            expr_literals_to_codes(e->parts[i]);
        expr_cast(&e->parts[i], TYPE_INT);
    }
    return 0;
}

/* ---- the walk ---- */

static bind_fn *const bind_fns[OP_COUNT] = {
    [OP_CONST] = bind_const,
    [OP_NAME] = bind_name,
    [OP_LIST] = bind_list,
    [OP_OR] = bind_logic,
    [OP_AND] = bind_logic,
    [OP_NOT] = bind_logic,
    [OP_EQ] = bind_comparison,
    [OP_NE] = bind_comparison,
    [OP_LT] = bind_comparison,
    [OP_LE] = bind_comparison,
    [OP_GT] = bind_comparison,
    [OP_GE] = bind_comparison,
    [OP_IN] = bind_comparison,
    [OP_BETWEEN] = bind_comparison,
    [OP_ADD] = bind_arithmetic,
    [OP_SUB] = bind_arithmetic,
    [OP_MUL] = bind_arithmetic,
    [OP_DIV] = bind_arithmetic,
    [OP_MOD] = bind_arithmetic,
    [OP_NEG] = bind_arithmetic,
    [OP_ABS] = bind_arithmetic,
    [OP_IF] = bind_if,
    [OP_COALESCE] = bind_coalesce,
    [OP_IS_NULL] = bind_is_null,
    [OP_MIN] = bind_extreme,
    [OP_MAX] = bind_extreme,
    [OP_CLIP] = bind_extreme,
    [OP_FLOOR] = bind_rounding,
    [OP_CEIL] = bind_rounding,
    [OP_ROUND] = bind_rounding,
    [OP_SQRT] = bind_real,
    [OP_LN] = bind_real,
    [OP_LOG10] = bind_real,
    [OP_EXP] = bind_real,
    [OP_YEAR] = bind_calendar,
    [OP_MONTH] = bind_calendar,
    [OP_DAY] = bind_calendar,
    [OP_WEEKDAY] = bind_calendar,
    [OP_DAY_OF_YEAR] = bind_calendar,
    [OP_HOUR] = bind_calendar,
    [OP_DAYS_BETWEEN] = bind_days_between,
    [OP_BIN] = bind_bin,
    [OP_CYC] = bind_cyc,
    [OP_ONEHOT] = bind_onehot,
};

static int bind_node(struct binder *b, struct expr *e)
{
    e->literals = b->literals;
    for (int i = 0; i < e->n_args; i++) {
        int r = bind_node(b, e->args[i]);
        if (r < 0)
            return r;
        e->nullable |= e->args[i]->nullable;
    }
    int r = bind_fns[e->op](b, e);
    if (r < 0)
        return r;
    expr_set_registers(e);
    return 0;
}

static size_t count_string_literals(const struct expr *e)
{
    size_t n = expr_is_string(e);
    for (int i = 0; i < e->n_args; i++)
        n += count_string_literals(e->args[i]);
    return n;
}

int expr_bind(struct expr *e, expr_resolve_fn *resolve, void *ctx, struct err *err)
{
    e->literals = MEM_ARRAY(struct text, count_string_literals(e));
    e->owns_literals = true;
    struct binder b = {.resolve = resolve, .ctx = ctx, .err = err, .literals = e->literals};
    return bind_node(&b, e);
}

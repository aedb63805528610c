/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* expr_type.c - one type for several operands: casts, and what literals become beside dates and
 * columns. */
#include "base/date.h"
#include "features/expr_type.h"

/* "an integer", for messages. */
const char *expr_a_type(enum type type)
{
    static const char *const words[] = {
        [TYPE_NULL] = "null",
        [TYPE_BOOL] = "a bool",
        [TYPE_INT] = "an integer",
        [TYPE_DECIMAL] = "a decimal",
        [TYPE_FLOAT] = "a float",
        [TYPE_DATE] = "a date",
        [TYPE_TIMESTAMP] = "a timestamp",
        [TYPE_STRING] = "a string",
    };
    return words[type];
}

void expr_set_range(struct expr *e, int64_t low, int64_t high)
{
    e->low = low;
    e->high = high;
}

void expr_set_type(struct expr *e, enum type type)
{
    e->type = type;
    if (type == TYPE_BOOL)
        expr_set_range(e, 0, 1);
    else
        expr_set_range(e, INT64_MIN, INT64_MAX);
}

void expr_set_registers(struct expr *e)
{
    e->registers = 1;
    for (int i = 0; i < e->n_args && e->op != OP_CONST; i++) {
        int need = expr_arg_register(e->op, i) + e->args[i]->registers;
        e->registers = need > e->registers ? need : e->registers;
    }
}

/* ---- casts ---- */

/* Put a node above *slot. */
static struct expr *wrap(struct expr **slot, enum expr_op op, enum type type)
{
    struct expr *arg = *slot, *e = expr_new(op, arg->at);
    expr_add(e, arg);
    expr_set_type(e, type);
    e->nullable = arg->nullable;
    e->literals = arg->literals;
    *slot = e;
    return e;
}

static bool same_shape(enum type a, enum type b)
{
    return a == b || (a == TYPE_DECIMAL && b == TYPE_FLOAT);
}

static void cast_literal(struct expr *e, const struct expr *literal)
{
    if (e->type == TYPE_FLOAT)
        e->f = (double)literal->i;
    else if (e->type == TYPE_TIMESTAMP)
        e->i = (literal->i + 1) * DATE_US_PER_DAY - 1;
    else if (e->type == TYPE_DATE)
        e->i = timestamp_day(literal->i);
    else
        e->i = literal->i;
    if (e->type == TYPE_INT)
        expr_set_range(e, e->i, e->i);
}

void expr_cast(struct expr **slot, enum type type)
{
    struct expr *arg = *slot;
    if (same_shape(arg->type, type))
        return;
    struct expr *e = wrap(slot, arg->op == OP_CONST ? OP_CONST : OP_CAST, type);
    if (arg->type == TYPE_NULL) {
        e->op = OP_CONST;
        e->is_null = true;
        e->nullable = true;
    } else if (e->op == OP_CONST) {
        cast_literal(e, arg);
    } else if (type == TYPE_INT) {
        expr_set_range(e, arg->low, arg->high);
    }
    expr_set_registers(e);
}

void expr_cast_args(struct expr *e, int from, enum type type)
{
    for (int i = from; i < e->n_args; i++)
        expr_cast(&e->args[i], type);
}

/* ---- one type for several operands ---- */

/* The operands that must agree: places in the tree, so that casts can be put there. */
struct operands {
    struct expr **places[2]; /* runs of nodes */
    int n[2];
    bool compare; /* dates and timestamps may meet; bools are integers */
};

static struct expr **operand(const struct operands *o, int i)
{
    return i < o->n[0] ? &o->places[0][i] : &o->places[1][i - o->n[0]];
}

static int operand_count(const struct operands *o)
{
    return o->n[0] + o->n[1];
}

/* A string literal among dates or timestamps is one. */
int expr_literal_to_time(struct err *err, struct expr **slot, bool among_timestamps)
{
    struct expr *literal = *slot;
    int64_t value;
    size_t len = strlen(literal->text);
    if (date_parse(literal->text, len, &value)) {
        if (among_timestamps)
            return expr_error(err, literal->at,
                              "a timestamp is compared with a whole day; write the time too: "
                              "'%s 00:00:00'",
                              literal->text);
        wrap(slot, OP_CONST, TYPE_DATE)->i = value;
    } else if (timestamp_parse(literal->text, len, &value)) {
        wrap(slot, OP_CONST, TYPE_TIMESTAMP)->i = value;
    } else {
        return expr_error(err, literal->at,
                          "'%.40s' is not a date or timestamp; write 'YYYY-MM-DD' or "
                          "'YYYY-MM-DD hh:mm:ss'",
                          literal->text);
    }
    expr_set_registers(*slot);
    return 0;
}

static int literals_to_time(struct err *err, const struct operands *o)
{
    bool dates = false, timestamps = false;
    for (int i = 0; i < operand_count(o); i++) {
        dates |= (*operand(o, i))->type == TYPE_DATE;
        timestamps |= (*operand(o, i))->type == TYPE_TIMESTAMP;
    }
    if (!dates && !timestamps)
        return 0;
    for (int i = 0; i < operand_count(o); i++) {
        if (!expr_is_string(*operand(o, i)))
            continue;
        int r = expr_literal_to_time(err, operand(o, i), timestamps);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The type in which two types meet, or TYPE_NULL when they do not. */
static enum type meet(enum type a, enum type b, bool compare)
{
    if (a == b)
        return a;
    if (type_is_number(a) && type_is_number(b))
        return a == TYPE_DECIMAL || a == TYPE_FLOAT || b == TYPE_DECIMAL || b == TYPE_FLOAT
                   ? TYPE_FLOAT
                   : TYPE_INT;
    return compare && expr_is_time(a) && expr_is_time(b) ? TYPE_TIMESTAMP : TYPE_NULL;
}

static int do_not_meet(struct err *err, const struct expr *e, const struct expr *one,
                       const struct expr *other, bool compare)
{
    char snips[2][EXPR_SNIP];
    expr_snip(one, snips[0]);
    expr_snip(other, snips[1]);
    if (compare)
        return expr_error(err, e->at, "cannot compare %s (%s) with %s (%s)", snips[0],
                          expr_a_type(one->type), snips[1], expr_a_type(other->type));
    return expr_error(err, e->at, "%s needs values of one type; %s is %s, %s is %s",
                      expr_op_name(e->op), snips[0], expr_a_type(one->type), snips[1],
                      expr_a_type(other->type));
}

/* Give all operands one type, and say which; TYPE_NULL when all are null. */
static int unify(struct err *err, const struct expr *e, const struct operands *o,
                 enum type *ret_type)
{
    int r = literals_to_time(err, o);
    if (r < 0)
        return r;
    const struct expr *first = NULL;
    enum type type = TYPE_NULL;
    for (int i = 0; i < operand_count(o); i++) {
        const struct expr *node = *operand(o, i);
        if (node->type == TYPE_NULL)
            continue;
        enum type next = first ? meet(type, node->type, o->compare) : node->type;
        if (next == TYPE_NULL)
            return do_not_meet(err, e, first, node, o->compare);
        first = first ? first : node;
        type = next;
    }
    if (type == TYPE_DECIMAL)
        type = TYPE_FLOAT;
    if (o->compare && (type == TYPE_BOOL || type == TYPE_NULL))
        type = TYPE_INT;
    for (int i = 0; i < operand_count(o); i++)
        expr_cast(operand(o, i), type);
    *ret_type = type;
    return 0;
}

int expr_unify_args(struct err *err, struct expr *e, int from, bool compare, enum type *ret_type)
{
    struct operands o = {.places = {e->args + from}, .n = {e->n_args - from}, .compare = compare};
    return unify(err, e, &o, ret_type);
}

/* x and the elements of a list. */
int expr_unify_list(struct err *err, struct expr *e, enum type *ret_type)
{
    struct expr *list = e->args[1];
    struct operands o = {.places = {e->args, list->args}, .n = {1, list->n_args}, .compare = true};
    return unify(err, e, &o, ret_type);
}

/* Look string literals up in the dictionary of the column they are compared with. */
void expr_literals_to_codes(struct expr *e)
{
    const struct expr *column = NULL;
    for (int i = 0; i < e->n_args && !column; i++) {
        if (e->args[i]->op == OP_NAME && e->args[i]->type == TYPE_STRING)
            column = e->args[i];
    }
    for (int i = 0; column && i < e->n_args; i++) {
        struct expr *arg = e->args[i];
        if (!expr_is_string(arg))
            continue;
        arg->dict = column->dict;
        arg->code = dict_find(&arg->dict, arg->literals[arg->i]);
    }
}

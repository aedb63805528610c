/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* expr_operator.c - arithmetic, comparison and logic over blocks. */
#include <math.h>

#include "features/expr_eval.h"

/* ---- arithmetic ---- */

static struct vec float_arithmetic(struct eval *ev, enum expr_op op, struct vec a, struct vec b,
                                   int reg)
{
    double *out = reg_f(ev, reg);
    const uint8_t *valid = eval_valid_both(ev, reg, a.valid, b.valid);
    switch (op) {
    case OP_ADD:
        EACH(ev->n, out[k] = a.f[k] + b.f[k]);
        break;
    case OP_SUB:
        EACH(ev->n, out[k] = a.f[k] - b.f[k]);
        break;
    case OP_MUL:
        EACH(ev->n, out[k] = a.f[k] * b.f[k]);
        break;
    default: /* OP_DIV */
        EACH(ev->n, out[k] = a.f[k] / b.f[k]);
        break;
    }
    return (struct vec){.f = out, .valid = eval_valid_finite(ev, reg, valid)};
}

/* The operands are copied because out may be a: gcc 12 computes twice, once after the store, when
 * it is given places that it may only read. */
#define CHECKED(builtin)                                                                           \
    for (int k = 0; k < ev->n; k++) {                                                              \
        int64_t x = a.i[k], y = b.i[k];                                                            \
        uint8_t over = builtin(x, y, &out[k]);                                                     \
        any |= over;                                                                               \
        own[k] &= !over;                                                                           \
    }

/* What overflows is null. */
static struct vec int_arithmetic(struct eval *ev, enum expr_op op, struct vec a, struct vec b,
                                 int reg)
{
    int64_t *out = reg_i(ev, reg);
    uint8_t *own = reg_valid(ev, reg), any = 0;
    const uint8_t *valid = eval_valid_both(ev, reg, a.valid, b.valid);
    if (!valid)
        memset(own, 1, (size_t)ev->n);
    if (op == OP_ADD) {
        CHECKED(__builtin_add_overflow)
    } else if (op == OP_SUB) {
        CHECKED(__builtin_sub_overflow)
    } else {
        CHECKED(__builtin_mul_overflow)
    }
    return (struct vec){.i = out, .valid = any ? own : valid};
}

struct vec eval_arithmetic(struct eval *ev, const struct expr *e, int reg)
{
    struct vec a = expr_eval_arg(ev, e, 0, reg), b = expr_eval_arg(ev, e, 1, reg);
    return e->type == TYPE_INT ? int_arithmetic(ev, e->op, a, b, reg)
                               : float_arithmetic(ev, e->op, a, b, reg);
}

/* The sign is the dividend's; x % 0 is null. */
struct vec eval_modulo(struct eval *ev, const struct expr *e, int reg)
{
    struct vec a = expr_eval_arg(ev, e, 0, reg), b = expr_eval_arg(ev, e, 1, reg);
    const uint8_t *valid = eval_valid_both(ev, reg, a.valid, b.valid);
    if (e->type == TYPE_FLOAT) {
        double *out = reg_f(ev, reg);
        for (int k = 0; k < ev->n; k++)
            out[k] = fmod(a.f[k], b.f[k]);
        return (struct vec){.f = out, .valid = eval_valid_finite(ev, reg, valid)};
    }
    int64_t *out = reg_i(ev, reg);
    uint8_t *own = reg_valid(ev, reg);
    if (!valid)
        memset(own, 1, (size_t)ev->n);
    for (int k = 0; k < ev->n; k++) {
        int64_t divisor = b.i[k];
        own[k] &= divisor != 0;
        out[k] = divisor == 0 || divisor == -1 ? 0 : a.i[k] % divisor;
    }
    return (struct vec){.i = out, .valid = own};
}

/* ---- comparison ---- */

#define COMPARE_LOOPS(name, type)                                                                  \
    static void name(enum expr_op op, const type *a, const type *b, uint8_t *restrict out, int n)  \
    {                                                                                              \
        switch (op) {                                                                              \
        case OP_NE:                                                                                \
            EACH(n, out[k] = a[k] != b[k]);                                                        \
            break;                                                                                 \
        case OP_LT:                                                                                \
            EACH(n, out[k] = a[k] < b[k]);                                                         \
            break;                                                                                 \
        case OP_LE:                                                                                \
            EACH(n, out[k] = a[k] <= b[k]);                                                        \
            break;                                                                                 \
        case OP_GT:                                                                                \
            EACH(n, out[k] = a[k] > b[k]);                                                         \
            break;                                                                                 \
        case OP_GE:                                                                                \
            EACH(n, out[k] = a[k] >= b[k]);                                                        \
            break;                                                                                 \
        default: /* OP_EQ */                                                                       \
            EACH(n, out[k] = a[k] == b[k]);                                                        \
            break;                                                                                 \
        }                                                                                          \
    }
COMPARE_LOOPS(compare_ints, int64_t)
COMPARE_LOOPS(compare_floats, double)

static bool order_fits(enum expr_op op, int order)
{
    switch (op) {
    case OP_NE:
        return order != 0;
    case OP_LT:
        return order < 0;
    case OP_LE:
        return order <= 0;
    case OP_GT:
        return order > 0;
    case OP_GE:
        return order >= 0;
    default:
        return order == 0;
    }
}

/* A comparison under way: between which operands, and by what. */
struct comparison {
    const struct expr *e;
    enum type type; /* of the operands; TYPE_INT for strings compared by code */
    bool by_code;
};

/* Strings can be compared by code if all operands have the dictionary of one column. The order of
 * codes is that of bytes; a literal that is not in the dictionary has none, so that only equality
 * works with literals. */
static bool strings_have_codes(const struct eval *ev, const struct expr *e)
{
    const int64_t *offsets = NULL;
    bool equality = e->op == OP_EQ || e->op == OP_NE || e->op == OP_IN;
    for (int i = 0; i < e->n_args && !offsets; i++) {
        if (e->args[i]->op == OP_NAME)
            offsets = ev->slots[e->args[i]->slot].column->dict.offsets;
    }
    for (int i = 0; i < e->n_args && offsets; i++) {
        const struct expr *arg = e->args[i];
        const int64_t *has = NULL;
        if (arg->op == OP_NAME)
            has = ev->slots[arg->slot].column->dict.offsets;
        else if (arg->op == OP_CONST && equality)
            has = arg->is_null ? offsets : arg->dict.offsets;
        if (has != offsets)
            return false;
    }
    return offsets;
}

static struct comparison comparison_of(const struct eval *ev, const struct expr *e)
{
    struct comparison c = {.e = e, .type = e->args[0]->type};
    c.by_code = c.type == TYPE_STRING && strings_have_codes(ev, e);
    if (c.by_code)
        c.type = TYPE_INT;
    return c;
}

static struct vec comparison_operand(struct eval *ev, const struct comparison *c, int i, int reg)
{
    const struct expr *arg = c->e->args[i];
    int at = reg + expr_arg_register(c->e->op, i);
    struct vec v = expr_eval_node(ev, arg, at);
    if (!c->by_code)
        return v;
    int64_t *out = reg_i(ev, at); /* where strings always are */
    if (arg->op == OP_CONST) {
        EACH(ev->n, out[k] = arg->code);
    } else {
        EACH(ev->n, out[k] = (int32_t)out[k]);
    }
    return v;
}

static struct vec compare(struct eval *ev, const struct comparison *c, enum expr_op op,
                          struct vec a, struct vec b, int reg)
{
    uint8_t *out = reg_b(ev, reg);
    const uint8_t *valid = eval_valid_both(ev, reg, a.valid, b.valid);
    if (c->type == TYPE_STRING) {
        for (int k = 0; k < ev->n; k++)
            out[k] = (!valid || valid[k]) &&
                     order_fits(op, text_compare(eval_string(ev, c->e->literals, a.i[k]),
                                                 eval_string(ev, c->e->literals, b.i[k])));
    } else if (c->type == TYPE_FLOAT || c->type == TYPE_DECIMAL) {
        compare_floats(op, a.f, b.f, out, ev->n);
    } else {
        compare_ints(op, a.i, b.i, out, ev->n);
    }
    return (struct vec){.b = out, .valid = valid};
}

struct vec eval_compare(struct eval *ev, const struct expr *e, int reg)
{
    struct comparison c = comparison_of(ev, e);
    struct vec a = comparison_operand(ev, &c, 0, reg), b = comparison_operand(ev, &c, 1, reg);
    return compare(ev, &c, e->op, a, b, reg);
}

/* ---- logic of three values ---- */

static struct vec logic(struct eval *ev, enum expr_op op, struct vec a, struct vec b, int reg)
{
    uint8_t *out = reg_b(ev, reg);
    if (!a.valid && !b.valid && op == OP_AND) {
        EACH(ev->n, out[k] = a.b[k] & b.b[k]);
        return (struct vec){.b = out};
    }
    if (!a.valid && !b.valid) {
        EACH(ev->n, out[k] = a.b[k] | b.b[k]);
        return (struct vec){.b = out};
    }
    uint8_t *valid = reg_valid(ev, reg);
#pragma GCC ivdep
    for (int k = 0; k < ev->n; k++) {
        uint8_t known_a = a.valid ? a.valid[k] : 1, known_b = b.valid ? b.valid[k] : 1;
        uint8_t true_a = a.b[k] & known_a, true_b = b.b[k] & known_b;
        uint8_t false_a = known_a & (true_a ^ 1), false_b = known_b & (true_b ^ 1);
        uint8_t yes = op == OP_AND ? true_a & true_b : true_a | true_b;
        uint8_t no = op == OP_AND ? false_a | false_b : false_a & false_b;
        out[k] = yes;
        valid[k] = yes | no;
    }
    return (struct vec){.b = out, .valid = valid};
}

struct vec eval_logic(struct eval *ev, const struct expr *e, int reg)
{
    struct vec a = expr_eval_arg(ev, e, 0, reg), b = expr_eval_arg(ev, e, 1, reg);
    return logic(ev, e->op, a, b, reg);
}

struct vec eval_not(struct eval *ev, const struct expr *e, int reg)
{
    struct vec a = expr_eval_arg(ev, e, 0, reg);
    uint8_t *out = reg_b(ev, reg);
    EACH(ev->n, out[k] = !a.b[k]);
    return (struct vec){.b = out, .valid = eval_valid(ev, reg, a.valid)};
}

/* x == a or x == b or ...; registers as expr_arg_register has them. */
struct vec eval_in(struct eval *ev, const struct expr *e, int reg)
{
    struct comparison c = comparison_of(ev, e);
    struct vec x = comparison_operand(ev, &c, 0, reg);
    struct vec found = {.b = reg_b(ev, reg)};
    memset(reg_b(ev, reg), 0, (size_t)ev->n);
    for (int i = 1; i < e->n_args; i++) {
        struct vec value = comparison_operand(ev, &c, i, reg);
        found = logic(ev, OP_OR, found, compare(ev, &c, OP_EQ, x, value, reg + 2), reg);
    }
    return found;
}

struct vec eval_between(struct eval *ev, const struct expr *e, int reg)
{
    struct comparison c = comparison_of(ev, e);
    struct vec x = comparison_operand(ev, &c, 0, reg);
    struct vec low = comparison_operand(ev, &c, 1, reg);
    struct vec above = compare(ev, &c, OP_GE, x, low, reg);
    struct vec high = comparison_operand(ev, &c, 2, reg);
    struct vec below = compare(ev, &c, OP_LE, x, high, reg + 2);
    return logic(ev, OP_AND, above, below, reg);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* expr_range.c - what integers an expression can be, from what its operands can be. */
#include "features/expr_tree.h"

static const struct expr_range all_integers = {INT64_MIN, INT64_MAX};

static struct expr_range hull(struct expr_range a, struct expr_range b)
{
    return (struct expr_range){a.low < b.low ? a.low : b.low, a.high > b.high ? a.high : b.high};
}

/* The range of a product is that of its corners. */
static bool product_range(struct expr_range x, struct expr_range y, struct expr_range *ret)
{
    int64_t corner[4];
    if (__builtin_mul_overflow(x.low, y.low, &corner[0]) ||
        __builtin_mul_overflow(x.low, y.high, &corner[1]) ||
        __builtin_mul_overflow(x.high, y.low, &corner[2]) ||
        __builtin_mul_overflow(x.high, y.high, &corner[3]))
        return false;
    *ret = (struct expr_range){corner[0], corner[0]};
    for (int i = 1; i < 4; i++)
        *ret = hull(*ret, (struct expr_range){corner[i], corner[i]});
    return true;
}

static bool remainder_range(struct expr_range x, struct expr_range y, struct expr_range *ret)
{
    if (y.low == INT64_MIN || (y.low <= 0 && y.high >= 0))
        return false;
    int64_t most = (y.low > 0 ? y.high : -y.low) - 1;
    *ret = (struct expr_range){x.low >= 0 ? 0 : -most, x.high <= 0 ? 0 : most};
    return true;
}

static bool sign_range(enum expr_op op, struct expr_range x, struct expr_range *ret)
{
    if (x.low == INT64_MIN)
        return false;
    int64_t most = -x.low > x.high || op == OP_NEG ? -x.low : x.high;
    *ret = (struct expr_range){op == OP_NEG ? -x.high : 0, most};
    return true;
}

bool expr_op_range(enum expr_op op, struct expr_range x, struct expr_range y,
                   struct expr_range *ret)
{
    struct expr_range r;
    switch (op) {
    case OP_ADD:
        if (__builtin_add_overflow(x.low, y.low, &r.low) ||
            __builtin_add_overflow(x.high, y.high, &r.high))
            return false;
        *ret = r;
        return true;
    case OP_SUB:
        if (__builtin_sub_overflow(x.low, y.high, &r.low) ||
            __builtin_sub_overflow(x.high, y.low, &r.high))
            return false;
        *ret = r;
        return true;
    case OP_MUL:
        return product_range(x, y, ret);
    case OP_MOD:
        return remainder_range(x, y, ret);
    default: /* OP_NEG, OP_ABS */
        return sign_range(op, x, ret);
    }
}

/* ---- with the ranges of columns ---- */

/* Of the arguments from `from` on, of which the result is one. */
static struct expr_range choice_range(const struct expr *e, int from,
                                      const struct expr_range *slots)
{
    struct expr_range r = expr_range(e->args[from], slots);
    for (int i = from + 1; i < e->n_args; i++)
        r = hull(r, expr_range(e->args[i], slots));
    return r;
}

static struct expr_range arithmetic_range(const struct expr *e, const struct expr_range *slots)
{
    struct expr_range x = expr_range(e->args[0], slots), y = {0}, r;
    if (e->n_args > 1)
        y = expr_range(e->args[1], slots);
    return expr_op_range(e->op, x, y, &r) ? r : all_integers;
}

struct expr_range expr_range(const struct expr *e, const struct expr_range *slots)
{
    struct expr_range own = {e->low, e->high};
    if (e->is_null) /* adds nothing to what the others can be */
        return (struct expr_range){0, 0};
    if (e->type != TYPE_INT)
        return e->type == TYPE_BOOL ? (struct expr_range){0, 1} : all_integers;
    switch (e->op) {
    case OP_NAME:
        return slots[e->slot];
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
    case OP_MOD:
    case OP_NEG:
    case OP_ABS:
        return arithmetic_range(e, slots);
    case OP_IF:
        return choice_range(e, 1, slots);
    case OP_COALESCE:
    case OP_MIN:
    case OP_MAX:
    case OP_CLIP:
        return choice_range(e, 0, slots);
    case OP_CAST:
    case OP_FLOOR:
    case OP_CEIL:
        return expr_range(e->args[0], slots);
    default: /* the calendar, literals, and what could be anything */
        return own;
    }
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* expr_eval.h - evaluating a bound tree by blocks of rows, private to expr_*.c.
 *
 * A block's values pass between nodes in registers: arrays of as many values as the block has
 * rows, of 8 bytes or, for bools, of 1, with a byte of validity for each. All registers lie in one
 * arena on the stack; a tree that needs more of them gets shorter blocks. A node told to evaluate
 * into register r may use r and those above it; its answer is either register r or a view of a
 * column. `valid` is NULL when no value of the block is null; behind a null any value may lie.
 *
 * Strings are a source in the upper 32 bits (the slot of a column, or STRING_LITERAL) and a code in
 * the lower. */
#ifndef FEATURES_EXPR_EVAL_H
#define FEATURES_EXPR_EVAL_H

#include "features/expr_tree.h"

enum { EVAL_BLOCK = 512, EVAL_ARENA = 65536, EVAL_REGISTER_BYTES = 9, STRING_LITERAL = INT32_MAX };

typedef int64_t word __attribute__((may_alias)); /* 8 bytes of any type, for copying */

struct vec {
    union {
        const uint8_t *b;
        const int64_t *i;
        const double *f;
        const word *w;
    };
    const uint8_t *valid;
};

struct eval {
    const struct expr_slot *slots;
    int64_t at;     /* first row of the block */
    int n;          /* its rows */
    int stride;     /* rows that a register holds */
    uint8_t *data;  /* registers of 8 * stride bytes */
    uint8_t *valid; /* registers of stride bytes */
};

/* For each row k of n. Rows are independent of each other, also where the result replaces an
 * operand. */
#define EACH(n, statement)                                                                         \
    do {                                                                                           \
        _Pragma("GCC ivdep") for (int k = 0; k < (n); k++)                                         \
        {                                                                                          \
            statement;                                                                             \
        }                                                                                          \
    } while (0)

static inline uint8_t *reg_b(const struct eval *ev, int reg)
{
    return ev->data + (size_t)reg * (size_t)ev->stride * 8;
}

static inline int64_t *reg_i(const struct eval *ev, int reg)
{
    return (int64_t *)(void *)reg_b(ev, reg);
}

static inline double *reg_f(const struct eval *ev, int reg)
{
    return (double *)(void *)reg_b(ev, reg);
}

static inline word *reg_w(const struct eval *ev, int reg)
{
    return (word *)(void *)reg_b(ev, reg);
}

static inline uint8_t *reg_valid(const struct eval *ev, int reg)
{
    return ev->valid + (size_t)reg * (size_t)ev->stride;
}

typedef struct vec eval_fn(struct eval *ev, const struct expr *e, int reg);

/* Any node, and argument i of one, where expr_arg_register says. */
eval_fn expr_eval_node;
struct vec expr_eval_arg(struct eval *ev, const struct expr *e, int i, int reg);

/* The validity of what is computed from a, or from a and b, as register reg's own. */
const uint8_t *eval_valid(struct eval *ev, int reg, const uint8_t *a);
const uint8_t *eval_valid_both(struct eval *ev, int reg, const uint8_t *a, const uint8_t *b);
/* And null where out, register reg, is not finite. */
const uint8_t *eval_valid_finite(struct eval *ev, int reg, const uint8_t *valid);

struct text eval_string(const struct eval *ev, const struct text *literals, int64_t value);

/* The rows [from, from + n) of e, into ret at `at`. Strings as above, into an integer column. */
void expr_eval_range(const struct expr *e, const struct expr_slot *slots, int64_t from, int64_t n,
                     struct column *ret, int64_t at);

/* expr_eval.c, expr_operator.c and expr_call.c have one of these per operator or function. */
eval_fn eval_const, eval_name, eval_cast;
eval_fn eval_logic, eval_not, eval_compare, eval_in, eval_between, eval_arithmetic, eval_modulo;
eval_fn eval_if, eval_coalesce, eval_is_null, eval_extreme, eval_clip, eval_sign, eval_rounding,
    eval_real, eval_calendar, eval_hour, eval_days_between, eval_bin, eval_cyc;

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* expr_tree.h - the nodes of an expression, private to expr_*.c.
 *
 * Binding wraps nodes where a type must change (OP_CAST, or OP_CONST with the literal as it was
 * written below it); expr_written looks through these wrappers, so that printing and asking for
 * literals give the same answer before and after. */
#ifndef FEATURES_EXPR_TREE_H
#define FEATURES_EXPR_TREE_H

#include "features/expr.h"

enum expr_op {
    OP_CONST,
    OP_NAME,
    OP_LIST, /* [..], only below bin and onehot */
    OP_CAST,
    OP_OR,
    OP_AND,
    OP_NOT,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_IN,      /* x, then the values */
    OP_BETWEEN, /* x, low, high */
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_NEG,
    OP_IF, /* functions from here on, see expr_function.c */
    OP_COALESCE,
    OP_IS_NULL,
    OP_MIN,
    OP_MAX,
    OP_CLIP,
    OP_ABS,
    OP_FLOOR,
    OP_CEIL,
    OP_ROUND,
    OP_SQRT,
    OP_LN,
    OP_LOG10,
    OP_EXP,
    OP_YEAR,
    OP_MONTH,
    OP_DAY,
    OP_WEEKDAY,
    OP_DAY_OF_YEAR,
    OP_HOUR,
    OP_DAYS_BETWEEN,
    OP_BIN,
    OP_CYC,
    OP_ONEHOT,
    OP_CYC_SIN, /* what binding makes of cyc */
    OP_CYC_COS,
    OP_COUNT,
};

enum {
    EXPR_NEST_MAX = 100,   /* brackets, calls and prefixes inside each other */
    EXPR_DEPTH_MAX = 1000, /* of the tree: a chain of operators is as deep as it is long */
    EXPR_BYTES_MAX = 65536,
};

struct expr {
    enum expr_op op;
    int at;    /* column of the text, from 1 */
    int depth; /* 1 for a leaf */
    int n_args;
    struct expr **args;
    size_t args_cap;
    bool borrows; /* the nodes of args belong to somebody else */

    char *text;  /* the name of OP_NAME, the value of a string literal */
    bool target; /* OP_NAME: target.NAME */
    bool is_null;
    union {        /* OP_CONST that is not null */
        int64_t i; /* bool, integer, date, timestamp; a string's place in literals */
        double f;
    };

    enum type type; /* of a literal from the start, of all others by binding */
    int scale;
    bool nullable;
    int32_t max_chars; /* of a string */
    int64_t low, high; /* what an integer or bool lies between */
    int registers;     /* that evaluating needs, see expr_eval.h */
    int slot;          /* OP_NAME */

    /* Of a column, the dictionary that binding saw; of a string literal compared with a column,
     * that column's, and the code in it (-1: not there). */
    struct dict dict;
    int32_t code;

    struct text *literals; /* the string literals of the whole tree by number */
    bool owns_literals;
    struct expr **parts; /* of cyc and onehot */
    int n_parts;
};

struct expr *expr_new(enum expr_op op, int at);
void expr_add(struct expr *e, struct expr *arg); /* takes arg */

static inline struct expr *expr_take(struct expr **e)
{
    struct expr *taken = *e;
    *e = NULL;
    return taken;
}

static inline const struct expr *expr_written(const struct expr *e)
{
    while ((e->op == OP_CAST || e->op == OP_CONST) && e->n_args > 0)
        e = e->args[0];
    return e;
}

/* The range of an operator over integers; false: it may overflow, or divide by zero. y is ignored
 * where there is one operand. */
bool expr_op_range(enum expr_op op, struct expr_range x, struct expr_range y,
                   struct expr_range *ret);

/* "column N: ...". Returns ERR_INPUT. */
int expr_error(struct err *err, int at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* "and", "==", "sqrt" */
const char *expr_op_name(enum expr_op op);

/* The start of the text of e, for messages: in buf, which has EXPR_SNIP bytes. */
enum { EXPR_SNIP = 64 };
const char *expr_snip(const struct expr *e, char *buf);

bool expr_is_keyword(const char *word, size_t len);

/* Where evaluating puts argument i, counted from the register of the result (expr_eval.h). */
int expr_arg_register(enum expr_op op, int i);

/* ---- functions (expr_function.c) ---- */

struct expr_function {
    const char *name;
    enum expr_op op;
    int min_args, max_args; /* max_args -1: any number */
    const char *usage;
};
/* ERR_INPUT, with did-you-mean and the way to calculations, when there is none of that name. */
int expr_function_find(const char *name, int at, const struct expr_function **ret, struct err *err);
const char *expr_function_name(enum expr_op op); /* NULL for what is not a function */

#endif

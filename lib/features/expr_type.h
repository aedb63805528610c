/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* expr_type.h - types of nodes and how operands come to one type, private to expr_*.c.
 *
 * Operands that must be of one type are wrapped in casts, so that evaluating an operator never
 * meets two types. A literal is cast right here. A string literal beside a date becomes a date. A
 * date compared with a timestamp becomes the last microsecond of its day. */
#ifndef FEATURES_EXPR_TYPE_H
#define FEATURES_EXPR_TYPE_H

#include "features/expr_tree.h"

const char *expr_a_type(enum type type); /* "an integer", for messages */

static inline bool expr_is_time(enum type type)
{
    return type == TYPE_DATE || type == TYPE_TIMESTAMP;
}

static inline bool expr_is_string(const struct expr *e) /* a literal */
{
    return e->op == OP_CONST && !e->is_null && e->type == TYPE_STRING;
}

void expr_set_type(struct expr *e, enum type type); /* and the type's whole range */
void expr_set_range(struct expr *e, int64_t low, int64_t high);
void expr_set_registers(struct expr *e); /* from those of its bound operands */

/* Put a cast above *slot, or nothing if it has that type; a literal is cast at once. */
void expr_cast(struct expr **slot, enum type type);
void expr_cast_args(struct expr *e, int from, enum type type);

/* A string literal as a date or timestamp. Among timestamps a whole day is refused: whether its
 * beginning or its end is meant would be a guess. ERR_INPUT. */
int expr_literal_to_time(struct err *err, struct expr **slot, bool among_timestamps);

/* Give the arguments from `from` on one type and say which: TYPE_NULL when all are null. To
 * compare, dates and timestamps may meet, and bools and nulls are integers. ERR_INPUT. */
int expr_unify_args(struct err *err, struct expr *e, int from, bool compare, enum type *ret_type);
/* The same for the first argument and the elements of the list that is the second. */
int expr_unify_list(struct err *err, struct expr *e, enum type *ret_type);

/* Look string literals up in the dictionary of the column they are compared with. */
void expr_literals_to_codes(struct expr *e);

#endif

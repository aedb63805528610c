/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* why.h - one value, and everything that it was made from.
 *
 * For a window: the rows of history that it holds, oldest first. For a group feature: the group's
 * rows. For an expression: what it read. They are columns, so that whoever prints them does it as
 * everywhere. */
#ifndef FEATURES_WHY_H
#define FEATURES_WHY_H

#include "features/explain.h"

enum why_rows {
    WHY_NONE,    /* a column that is only kept */
    WHY_HISTORY, /* rows of the window; where rows were filtered out, those too */
    WHY_LOOKUP,  /* the row of a static table */
    WHY_GROUP,   /* rows of the group */
    WHY_INPUTS,  /* one row: what the expression read */
};

struct why {
    struct frame target; /* one row: the output's kept columns, then the value */
    char *sentence;
    int64_t cutoff_us;
    enum why_rows kind;
    struct frame rows;    /* time and `by`, or `within` and the kept columns; then what was read */
    int32_t *row_numbers; /* of each row, in its table, from 0 */
    uint8_t *used; /* 0: left out by where, known_at, last or others, or a null that the calculation
                      passes over */
    int64_t self;  /* WHY_GROUP: which of the rows is the target row; else -1 */
    /* WHY_HISTORY: from_us <= time < before_us, without from_us where has_from is false; delay_days
     * is in both */
    bool has_from;
    int64_t from_us, before_us;
    int64_t entity_rows; /* all rows of the same `by` before before_us */
    struct key *key;     /* what some columns view */
};

/* Why the output column `name` is what it is on row `row` of the date, counted from 0 in the order
 * of its output. plan_index must have been called. ERR_INPUT: no such column (did you mean …) or
 * row; what plan_compute refuses. */
int plan_why(struct plan *plan, int64_t day, int64_t row, const char *name, struct why *ret,
             struct err *err);
void why_deinit(struct why *why);
MEM_CLEANUP_VALUE(why_deinit, struct why);

#endif

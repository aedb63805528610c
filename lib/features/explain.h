/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* explain.h - a compiled plan in English, and what its windows cost.
 *
 * One sentence for each column of the output, in output order; one line for each window, which
 * several columns may share. */
#ifndef FEATURES_EXPLAIN_H
#define FEATURES_EXPLAIN_H

#include "features/plan.h"

/* What a column over a window reads of it. */
enum explain_reads {
    EXPLAIN_READS_NONE, /* it is over no window */
    EXPLAIN_READS_ENDS, /* positions, the newest or the oldest row: cheap however long the window is
                         */
    EXPLAIN_READS_SUMS, /* two prefix sums of the index: likewise */
    EXPLAIN_READS_ROWS, /* every row */
};

struct explained_column {
    const char *name; /* borrowed from the plan */
    enum type type;
    const char
        *stage; /* "keep"; "window", "as-of", "lookup" (stage B); "group", "expression" (stage C) */
    bool is_label;
    int window; /* number of its window, or -1 */
    enum explain_reads reads;
    char *sentence; /* "the mean of won over the last 5 rows of the same horse_id before the cutoff
                       (…)" */
};

struct explained_window {
    char *text;  /* "the last 5 rows of the same horse_id" */
    int columns; /* how many are over it */
    int columns_by_rows,
        columns_by_sums; /* how many of them read every row, or prefix sums of the index */
    double rows_per_key, rows_per_row; /* rows of history in it: means over the sampled keys, and
                                          over their target rows */
    bool on_disk;                      /* its index is in the index directory */
    bool filtered; /* each row of history is looked at: where with target., known_at */
};

struct explanation {
    struct explained_column *columns;
    int n_columns;
    struct explained_window *windows;
    int n_windows;
    int64_t keys, rows; /* in the sample */
};

/* The sentences alone; windows have no costs. Whether sums are read is known for certain after
 * plan_index. */
void plan_explain(const struct plan *plan, struct explanation *ret);

/* Count the rows of history in each window, for at most max_keys dates spread over the target's.
 * plan_index must have been called; index_dir is the one that it was given. ERR_INPUT: see
 * plan_compute. */
int plan_explain_cost(struct plan *plan, const char *index_dir, int max_keys,
                      struct explanation *explanation, struct err *err);
void explanation_deinit(struct explanation *explanation);
MEM_CLEANUP_VALUE(explanation_deinit, struct explanation);

/* What counts as the past: "the start of the key's day", "the row's start_time". */
void explain_cutoff(const struct plan *plan, struct str *out);

#endif

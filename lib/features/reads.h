/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* reads.h - which columns a plan reads, and what its spec names without reading it. */
#ifndef FEATURES_READS_H
#define FEATURES_READS_H

#include "features/plan.h"

/* Does computing (other than of labels) read this stored column of the target table on the target
 * row? ret has one place for each; a column that only history or labels are read from is false. */
void plan_target_reads(const struct plan *plan, bool *ret);

/* Sentences about tables, derived columns and named windows that the spec has for nothing. */
struct unused {
    char **texts;
    int n;
    size_t cap;
};
void plan_unused(const struct plan *plan, struct unused *ret);
void unused_deinit(struct unused *unused);
MEM_CLEANUP_VALUE(unused_deinit, struct unused);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* group.h - rows with equal values put together: the entities of a window's `by`, the
 * groups of a `within`.
 *
 * One hash table, groups numbered by their first row. The table (slots, keys) stands in
 * plain arrays, so that an index can write it to files and find entities in a mapping. */
#ifndef FEATURES_GROUP_H
#define FEATURES_GROUP_H

#include "codec/column.h"

enum { GROUP_MAX_BY = 8 };

struct grouping {
    int32_t n_groups;
    int32_t *group;   /* row (from 0) -> group, or -1 for a row with a null in it */
    int32_t *first;   /* group -> its first row */
    uint32_t n_slots; /* a power of two */
    int32_t *slots;   /* group + 1, or 0: open addressing, linear probing by group_hash */
};

enum group_nulls {
    GROUP_NULL_NONE,  /* a row with a null belongs to no group */
    GROUP_NULL_ALONE, /* a row with a null is a group of its own (not found by value) */
};

/* Group n rows by columns of n rows each (n_by 0: one group of all rows; at most GROUP_MAX_BY + 1:
 * a `within` and the time). Owned by the caller. */
void group_rows(const struct column *by, int n_by, int64_t n, enum group_nulls nulls,
                struct grouping *ret);
void grouping_deinit(struct grouping *g);
MEM_CLEANUP_VALUE(grouping_deinit, struct grouping);

/* The rows of each group together, in row order: rows of group g are order[offsets[g] .. offsets[g
 * + 1]). Rows whose keep byte is 0 (keep NULL: none) are left out. offsets has n_groups + 1 places,
 * order as many as rows. */
void group_order(const int32_t *group, int32_t n_groups, int64_t n, const uint8_t *keep,
                 int32_t *offsets, int32_t *order);

/* Which group has these values? keys: one row per group; row `at` of values (same types, where
 * decimals of any scale and floats are one). -1: none, or a null. */
int32_t group_find(const int32_t *slots, uint32_t n_slots, const struct column *keys,
                   const struct column *values, int n_by, int64_t at);

#endif

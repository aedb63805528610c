/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* sort.h - the order of rows: by some columns, nulls first, ties in the order they came. */
#ifndef SNAPSHOT_SORT_H
#define SNAPSHOT_SORT_H

#include "codec/column.h"

/* Less than, equal to or greater than 0 as row a sorts before, with or after row b. */
int sort_compare(const struct column *c, int64_t a, int64_t b);

/* A value, not null, as a number whose unsigned order is the column's. */
uint64_t sort_key(const struct column *c, int64_t row);

/* The rows in order of keys[0], then keys[1] …; at most INT32_MAX rows. Returns NULL when they
 * stand in that order already; the caller frees. */
int32_t *sort_rows(const struct column *const *keys, int n_keys, int64_t rows);

#endif

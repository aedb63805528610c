/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* table_writer.h - one table of typed columns into its folder of a snapshot: its days found, hashed
 * and written. Where the rows are (in memory, or in sorted runs on disk) is the caller's affair. */
#ifndef SNAPSHOT_TABLE_WRITER_H
#define SNAPSHOT_TABLE_WRITER_H

#include "snapshot/build.h"
#include "snapshot/column_writer.h"
#include "snapshot/layout.h"

enum { TABLE_BLOCK_ROWS = 65536 }; /* a good size for the blocks that column_writer_add gets */

/* The days that a sorted time column runs through, and where each begins. */
struct table_days {
    int64_t n;
    int64_t *day, *start; /* n, and n + 1 once table_days_end was called */
    size_t day_cap, start_cap;
    int64_t last; /* the time that was added last */
};
void table_days_add(struct table_days *days, enum type type, int64_t time, int64_t row);
void table_days_end(struct table_days *days, int64_t rows);
void table_days_deinit(struct table_days *days);

/* A table whose rows are in order. */
struct table_contents {
    const struct build_table *table; /* of its columns name, type, scale and dictionary are used */
    const struct table_days *days;   /* NULL for a static table */
    const struct table *kept;        /* the first kept_days days are those of this table, */
    int64_t kept_days;               /* whose hashes go on */
    /* Give all rows of a column to the writer. Called for several columns at once. */
    int (*write)(const struct table_contents *self, int column, struct column_writer *w,
                 struct err *err);
    const void *rows; /* what write gives out */
};

/* Write the table below base, the snapshot's directory, and add it and its files to the layout. */
int table_writer_put(const char *base, const struct table_contents *contents, struct layout *layout,
                     struct err *err);

/* Check, sort and write a table that is in memory. The errors are those of build_add. */
int table_writer_write(const char *base, const struct build_table *table, struct layout *layout,
                       struct err *err);

/* What build_add refuses a table for, in pieces. */
int table_writer_check_names(const struct build_table *table, struct err *err);
int table_writer_refuse_null(const struct build_table *table, int column, int64_t row,
                             struct err *err);
/* value: of the key, at this row of this column. */
int table_writer_refuse_twice(const struct build_table *table, const struct column *key,
                              int64_t key_row, int64_t first, int64_t second, struct err *err);

/* time, group, order, or the key, in this order; at most n_order + 2 numbers. Returns how many. */
int table_writer_keys(const struct build_table *table, int *ret);

/* The rows of a table in memory in their order, as sort_rows gives it. */
int32_t *table_writer_order(const struct build_table *table);

#endif

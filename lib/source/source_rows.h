/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* source_rows.h - a few rows for a table that a snapshot has already: tomorrow's, from a CSV file.
 *
 * Nothing is guessed: each column has the type that it has in the snapshot. Rows are put into the
 * snapshot's order (time, group, then as they stand in the file), because some calculations go by
 * it; line and record say where each came from. */
#ifndef SOURCE_SOURCE_ROWS_H
#define SOURCE_SOURCE_ROWS_H

#include "base/err.h"
#include "snapshot/snapshot.h"

struct source_rows {
    int64_t n;
    int n_columns;
    struct column *columns; /* one for each column of the table, in its order */
    bool *present;          /* the file has this column; one that it has not is all null */
    int32_t *record;        /* row -> its place in the file, from 0 */
    int64_t *line;          /* row -> its line in the file, from 1 */
    char *ignored;          /* names of columns that the table does not have ("a, b"); NULL: none */
    void *own;
};

/* ERR_INPUT names the file, line and column: of a value that is not of the column's type, of a row
 * without time, of what csv.h refuses; and a file without the table's time column. */
int source_rows_read(const char *path, const struct table *table, struct source_rows *ret,
                     struct err *err);
void source_rows_deinit(struct source_rows *rows);
MEM_CLEANUP_VALUE(source_rows_deinit, struct source_rows);

#endif

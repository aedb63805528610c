/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* csv_records.h - the files of one table as one sequence of rows.
 *
 * Columns are the first file's, or those that the caller asks for; other files may have them in
 * another order, but must have the same. Rows that the table does not take are left out and
 * counted. */
#ifndef SOURCE_CSV_RECORDS_H
#define SOURCE_CSV_RECORDS_H

#include "codec/csv.h"
#include "source/source.h"

struct csv_records {
    /* Set by the caller before the first reading. */
    const struct source_table *wish;
    const char *spool_dir; /* where what can be read only once is kept */
    bool drop_null_time;
    bool has_cut; /* rows of days before cut_day are passed over */
    int64_t cut_day;

    int n_columns; /* 0 before the first header, unless the caller knows the columns */
    char **names;  /* owned */
    int time;      /* column number; -1: none */

    /* What the last reading has found. */
    int file;                /* the one that is being read, from 0 */
    int64_t rows;            /* that were taken */
    int64_t dropped, passed; /* without time; before the cut */
    bool any_day;            /* some row, taken or passed over, had a time (only with a cut) */
    int64_t first_day;       /* the earliest of these */
    int64_t done;            /* bytes, as they are stored */
    struct csv_records_own *own;
};

/* Called when the columns are known, and for each row with one field for each column. */
typedef int csv_columns_fn(void *ctx, struct err *err);
typedef int csv_row_fn(void *ctx, const struct text *fields, int64_t line, struct err *err);

/* Read all files from the beginning. ERR_INPUT as csv_read_input, and names a file whose columns
 * are not the first one's. */
int csv_records_read(struct csv_records *records, csv_columns_fn *on_columns, csv_row_fn *on_row,
                     void *ctx, struct err *err);
void csv_records_deinit(struct csv_records *records);

int csv_records_files(const struct csv_records *records);
const char *csv_records_file(const struct csv_records *records, int file); /* as messages name it */

#endif

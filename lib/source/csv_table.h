/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* csv_table.h - the files of one table on their way into a snapshot: columns, roles and declared
 * types, the block of rows that is in memory, and where each row came from. source_csv.c does the
 * rest. */
#ifndef SOURCE_CSV_TABLE_H
#define SOURCE_CSV_TABLE_H

#include "source/csv_records.h"
#include "source/text_column.h"

/* What is done with a block of rows when it is full. */
enum stage {
    HOLD, /* it is the first, and perhaps the only one */
    SCAN, /* types are found */
    GIVE, /* types are known: it is converted */
};

struct csv_table {
    const struct source_table *wish;
    const struct source_target *target;
    struct csv_records records;
    const struct source_type **types; /* declared ones, else NULL */
    int time, group, key;

    enum stage stage;
    bool again; /* the files are read a second time */

    /* The block. */
    struct text_column *texts;
    int64_t *lines; /* the file's line of each row */
    size_t lines_cap;
    int64_t rows, bytes;
    int64_t past;     /* rows before it */
    int64_t *file_at; /* for each file that was begun: its first row */
    int n_begun;

    char *source; /* for people */
    struct text_fit *fits;
    struct typed_column *typed;
    struct intake_column *columns;
    struct intake *intake;
};

/* wish and target are borrowed. */
void csv_table_init(struct csv_table *t, const struct source_table *wish,
                    const struct source_target *target);
void csv_table_deinit(struct csv_table *t);
MEM_CLEANUP_VALUE(csv_table_deinit, struct csv_table);

/* The header has been read: find the columns of roles and declared types. ERR_INPUT: the files do
 * not have one; ERR_USAGE: the declarations contradict each other. */
int csv_table_columns(struct csv_table *t, struct err *err);

/* A row more in the block; t->bytes says how much that is by now. */
void csv_table_add(struct csv_table *t, const struct text *fields, int64_t line);
void csv_table_clear(struct csv_table *t); /* the block is done with */

/* As intake_shape.place wants it: file and line of a row, by its number among all. */
void csv_table_place(void *ctx, int64_t row, struct str *out);

/* ERR_INPUT: a value of the block is not of this form. */
int csv_table_refuse(const struct csv_table *t, int column, int64_t row, const char *form,
                     struct err *err);

#endif

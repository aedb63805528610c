/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* mysql_table.h - what is read for one table of a snapshot: a statement, ready to run, and what its
 * columns are. */
#ifndef SOURCE_MYSQL_TABLE_H
#define SOURCE_MYSQL_TABLE_H

#include "source/mysql_column.h"

struct mysql_table {
    const struct source_table *wish; /* borrowed */
    MYSQL_STMT *stmt;                /* prepared, its columns bound */
    int n_columns;
    struct mysql_column *columns; /* in the order in which they come */
    MYSQL_BIND *binds;
    int time, group, key; /* of these columns; -1: none */
    char *key_order;      /* rows come in order of the primary key, as ORDER BY has it; NULL: of
                             none */
    int64_t rows;         /* as the server estimates them; 0: unknown */
};

/* Prepare the reading of a table; of its rows from the day `since` on, or of all (INT64_MIN). Finds
 * everything that can be wrong before a row is read: ERR_INPUT names the table and every column
 * that a snapshot cannot hold. */
int mysql_table_open(struct mysql_link *link, const struct source_table *wish, int64_t since,
                     bool zero_dates_null, struct mysql_table *ret, struct err *err);

/* Warn when the server cannot keep the table as it was at one moment. Returns 0, or 1 when it
 * cannot be seen, because a view or a SELECT is read: then mysql_table_check_unseen warns, once for
 * all of them, when there are such tables among those that the user sees. */
int mysql_table_check_engine(struct mysql_link *link, const struct source_table *wish,
                             struct err *err);
int mysql_table_check_unseen(struct mysql_link *link, struct err *err);

/* Nobody can alter or drop what is read, from here to the end of the transaction: who tries waits.
 */
int mysql_table_hold(struct mysql_link *link, const struct source_table *wish, struct err *err);

/* Run it. */
int mysql_table_start(struct mysql_table *t, struct mysql_link *link, struct err *err);

/* The next row into the columns: 1, or 0 when there is none left. */
int mysql_table_next(struct mysql_table *t, struct mysql_link *link, struct err *err);

void mysql_table_close(struct mysql_table *t);
MEM_CLEANUP_VALUE(mysql_table_close, struct mysql_table);

#endif

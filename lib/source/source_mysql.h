/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* source_mysql.h - snapshots from a MySQL or MariaDB server.
 *
 * All tables are read over one connection, in one read-only transaction that sees one moment of the
 * database, row by row. A table or view is read whole; any SELECT can stand in its place. Rows of
 * equal time and group stand in the order of the primary key, and where there is none in the order
 * of all columns.
 *
 *     TINYINT … BIGINT, BOOL, YEAR, BIT, DECIMAL(p, 0)      integer
 *     DECIMAL(p, 1 … 6)                                     decimal(s); over 15 digits is an error
 *     DECIMAL with more places                              float; over 15 digits is an error
 *     FLOAT, DOUBLE                                         float
 *     DATE                                                  date
 *     DATETIME, TIMESTAMP                                   timestamp, the latter in UTC
 *     CHAR, VARCHAR, TEXT, ENUM, SET, TIME                  string
 *
 * A FLOAT becomes the double with the shortest digits that name the FLOAT: 0.1 is 0.1. A column has
 * the type that the table declares, whatever its values are. */
#ifndef SOURCE_SOURCE_MYSQL_H
#define SOURCE_SOURCE_MYSQL_H

#include "source/source.h"

/* How far the reading of a table is. */
struct source_mysql_progress {
    const char *table;
    int64_t rows, rows_total; /* total: as the server estimates it; 0: not known */
    int64_t bytes;            /* of values, of this table */
    bool is_read;             /* all rows are here, and are now sorted and written */
};
/* Called some times a second, and at the end of each table. */
typedef void source_mysql_progress_fn(void *ctx, const struct source_mysql_progress *progress);

struct source_mysql {
    const char *url;           /* see mysql_url.h */
    const char *defaults_file; /* an option file to read instead of the usual ones; NULL: those */
    bool zero_dates_null;      /* '0000-00-00' and its like become null instead of an error */

    /* A password for who ("user on host"), when the server wants one and none was found. Returns
     * NULL when nobody can be asked. The result is overwritten and freed. NULL: there is no way. */
    char *(*ask_password)(void *ctx, const char *who);
    source_mysql_progress_fn *progress; /* NULL: none */
    void *ctx;
};

/* Make a snapshot of tables of a database. All or nothing: after a failure nothing is left behind,
 * and the same call may be made again. ERR_UNREACHABLE: no server, or it went away; ERR_RETRY: it
 * gave up on us (lock, time limit, killed, table changed meanwhile); ERR_CONFIG: it refuses the
 * user, or an option file or a certificate is wrong; ERR_INPUT: a table, statement, column or value
 * cannot be taken; ERR_USAGE and ERR_WRITE as in source.h. */
int source_mysql_create(const struct source_options *options, const struct source_mysql *settings,
                        char ret_id[SHA256_HEX], struct err *err);

#endif

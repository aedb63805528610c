/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* snapshot.h - the dataset: tables of columns in a directory, immutable once written.
 *
 * A directory that numpy can open file by file. Opening maps the files; nothing is
 * read until it is used, and all processes of a node share the pages. */
#ifndef SNAPSHOT_SNAPSHOT_H
#define SNAPSHOT_SNAPSHOT_H

#include "base/err.h"
#include "base/hash.h"
#include "codec/column.h"

enum { SNAPSHOT_FORMAT = 1 };

/* Rows are sorted by (time, group, source order); a static table (time == -1) by (key, source
 * order). */
struct table {
    const char *name;
    int64_t rows;
    int n_columns;
    struct column *columns;
    int time, group, key; /* column numbers, or -1 */
    const char *ties;     /* what orders rows of equal time and group, in the words of the source;
                             NULL: not known. No part of the id */

    /* The dates that have rows, ascending; static tables have none. Day d is rows
     * [day_start[d], day_start[d + 1]) and day_chain[d] is the hash of all rows up to its end. */
    int64_t n_days;
    const int64_t *day;       /* days since 1970-01-01 */
    const int64_t *day_start; /* n_days + 1 */
    const uint8_t (*day_chain)[SHA256_BYTES];
    uint8_t hash[SHA256_BYTES]; /* of the schema and all rows: the last link of the chain */
};

struct snapshot {
    char *dir;
    char id[SHA256_HEX];
    int n_tables;
    struct table *tables;
    void *maps; /* snapshot.c's own */
};

/* Map a snapshot. Checks format (newer: ERR_CONFIG), schema and that every file has the size that
 * snapshot.json says (cut short: ERR_CONFIG naming the file); not the checksums. */
int snapshot_open(const char *dir, struct snapshot **ret, struct err *err);
void snapshot_close(struct snapshot *snapshot);
MEM_CLEANUP(snapshot_close, struct snapshot *);

/* Read every byte and compare with the checksums, the order of rows, the chains and the id.
 * ERR_CONFIG names the first file or table that differs. */
int snapshot_verify(const struct snapshot *snapshot, struct err *err);

/* Only the checksums of the files. */
int snapshot_check_files(const struct snapshot *snapshot, struct err *err);

const struct table *snapshot_table(const struct snapshot *snapshot,
                                   const char *name);          /* NULL if absent */
int table_column(const struct table *table, const char *name); /* number or -1 */

/* The rows of a date: false and an empty range when there are none. */
bool table_day(const struct table *table, int64_t day, int64_t *ret_first, int64_t *ret_end);

/* The hash of what a result of this date can depend on in the table: all rows up to and including
 * the date (static tables: all rows). A table that begins later hashes as its schema alone. */
void table_chain_at(const struct table *table, int64_t day, uint8_t ret[SHA256_BYTES]);

#endif

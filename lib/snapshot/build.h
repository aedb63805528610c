/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* build.h - making a snapshot: a source hands over tables of typed columns in source order; the
 * builder sorts, checks, hashes and writes them, and publishes the directory whole or not at all.
 *
 *     struct snapshot_builder *b;
 *     build_open(out_dir, &b, err);            a temporary directory beside out_dir
 *     build_add(b, &table, err);               for each table
 *     build_finish(b, id, err);                snapshot.json, fsync, rename
 *     build_free(b);                           removes what was not finished
 *
 * build_add wants a table's columns in memory; intake.h takes rows one by one, and more of them
 * than memory holds. */
#ifndef SNAPSHOT_BUILD_H
#define SNAPSHOT_BUILD_H

#include "snapshot/snapshot.h"

struct build_table {
    const char *name;
    const char *source; /* what it is made from, for people */
    int64_t rows;
    int n_columns;
    const struct column *columns; /* dictionaries sorted, and without strings that do not occur */
    int time, group, key; /* column numbers or -1: a time, or a time and a group, or a key */
    const int
        *order;  /* rows of equal time and group stand in order of these columns, then as they */
    int n_order; /* came */
    const char *ties; /* as in struct table */

    /* Append where a row came from ("races.csv, line 17"), for messages. */
    void (*place)(void *ctx, int64_t row, struct str *out);
    void *place_ctx;
};

struct snapshot_builder;

/* Whether specs can speak of a new table of this name. ERR_INPUT: what it may not hold, and why. A
 * snapshot that has such a table from before is read and copied as it is. */
int build_check_name(const char *name, struct err *err);

/* ERR_WRITE when out_dir exists already or its parent cannot be written. Temporary directories that
 * killed processes left for the same out_dir are removed. */
int build_open(const char *out_dir, struct snapshot_builder **ret, struct err *err);

/* Everything is borrowed until it returns. ERR_INPUT names the place of a row without time or key,
 * and both places of a key that occurs twice. */
int build_add(struct snapshot_builder *builder, const struct build_table *table, struct err *err);

/* Add a table as it is in another snapshot. */
int build_copy(struct snapshot_builder *builder, const struct snapshot *snapshot,
               const struct table *table, struct err *err);

int build_finish(struct snapshot_builder *builder, char ret_id[SHA256_HEX], struct err *err);
void build_free(struct snapshot_builder *builder);
MEM_CLEANUP(build_free, struct snapshot_builder *);

#endif

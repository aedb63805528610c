/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* source.h - where snapshots come from.
 *
 * A source reads tables from somewhere, finds or takes the types of their columns and gives them to
 * a snapshot_builder. The same data has the same snapshot id, whichever source it came from. */
#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/hash.h"
#include "codec/column.h"

/* A declared type; columns without one get the first of integer, decimal, float, date, timestamp
 * and string that all their values fit. */
struct source_type {
    const char *column;
    enum type type; /* TYPE_INT … TYPE_STRING */
    int scale;      /* TYPE_DECIMAL: places, or SOURCE_SCALE_FOUND for the most that occur */
};
enum { SOURCE_SCALE_FOUND = -1 };

/* "integer", "decimal", "decimal(2)", "float", "date", "timestamp", "string" into type and scale;
 * ERR_USAGE names the others. */
int source_type_parse(const char *text, struct source_type *ret, struct err *err);

/* A table with a time (and perhaps a group) is a history; one with a key is static. */
struct source_table {
    const char *name;
    const char *file;
    const char *time, *group, *key; /* NULL: none */
    const struct source_type *types;
    int n_types;
};

/* How far the reading is. Called often, at last with done == total. */
typedef void source_progress_fn(void *ctx, int64_t bytes_done, int64_t bytes_total);

struct source_options {
    const struct source_table *tables;
    int n_tables;
    const char *out_dir;
    bool drop_null_time;          /* leave out rows without a time instead of refusing them */
    source_progress_fn *progress; /* NULL: none */
    void *progress_ctx;
};

/* Make a snapshot of CSV files, one for each table, at out_dir. All or nothing: after a failure
 * nothing is left behind. ERR_USAGE: the options contradict each other; ERR_INPUT: a file cannot be
 * read, or its contents are refused (names file, line and column); ERR_WRITE: out_dir exists or
 * cannot be written.
 *
 * Files are held in memory while they are converted: two to three times their size is needed. */
int source_csv_create(const struct source_options *options, char ret_id[SHA256_HEX],
                      struct err *err);

#endif

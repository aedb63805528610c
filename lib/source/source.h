/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* source.h - where snapshots come from.
 *
 * A source reads tables from somewhere, finds or takes the types of their columns and gives them to
 * a snapshot_builder. The same data has the same snapshot id, whichever source it came from. */
#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

#include <stdbool.h>

#include "snapshot/intake.h"

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
    const char *file;              /* CSV: the first file, */
    const char *const *more_files; /* and those that follow it */
    int n_more_files;
    const char *sql;                /* MySQL: a SELECT; NULL: the table or view of this name */
    const char *time, *group, *key; /* NULL: none */
    const struct source_type *types;
    int n_types;
};

/* How far the reading is, in the source's own unit. Called often, at last with done == total. */
typedef void source_progress_fn(void *ctx, int64_t done, int64_t total);

struct source_options {
    const struct source_table *tables;
    int n_tables;
    const char *out_dir;
    bool drop_null_time;          /* leave out rows without a time instead of refusing them */
    int64_t memory;               /* bytes that rows may take; 0: half of what is free */
    const char *append;           /* a snapshot whose rows come first; NULL: none */
    int since_days;               /* of its last days, how many are read again; 0: none */
    source_progress_fn *progress; /* NULL: none */
    void *progress_ctx;
};

/* What stays of a table of the old snapshot: its rows of days before `day`. The source adds the
 * rows of that day and later, and no others. */
struct source_kept {
    struct intake_kept intake; /* for intake_shape.kept */
    int64_t day;               /* days since 1970-01-01 */
    const char *id;            /* of the old snapshot */
};

/* Append "rows before 2024-03-01 of snapshot 0123456789abcdef, then ", for what snapshot.json says
 * of the table's origin. */
void source_kept_words(const struct source_kept *kept, struct str *out);

/* What a table is added to. */
struct source_target {
    struct snapshot_builder *builder;
    const struct source_options *options;
    int64_t memory;                 /* bytes that rows may take */
    const struct source_kept *kept; /* NULL: everything is read */
};

/* One way of reading tables. add is called once for each table, in order, with roles filled in from
 * the old snapshot where the options leave them open. */
struct source_driver {
    void *ctx;
    int (*add)(void *ctx, const struct source_table *table, const struct source_target *target,
               struct err *err);
};

/* Make a snapshot at out_dir of the tables that the driver reads. All or nothing: after a failure
 * nothing is left behind. With `append`, days of a history that the old snapshot has are copied
 * from it, static tables are read whole, and tables that are not named are taken over; the id is
 * that of a snapshot made of everything at once. ERR_USAGE: the options contradict each other;
 * ERR_WRITE: out_dir exists or cannot be written; ERR_CONFIG: the old snapshot is damaged. */
int source_create(const struct source_options *options, const struct source_driver *driver,
                  char ret_id[SHA256_HEX], struct err *err);

/* source_create from CSV files. ERR_INPUT: a file cannot be read, or its contents are refused
 * (names file, line and column). */
int source_csv_create(const struct source_options *options, char ret_id[SHA256_HEX],
                      struct err *err);

#endif

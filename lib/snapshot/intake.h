/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* intake.h - the rows of one table on their way into a snapshot, however many they are.
 *
 *     intake_open(builder, &shape, &in, err);
 *     intake_int(in, 0, day); intake_text(in, 1, track); …; intake_rows(in, 1, err);     and so on
 *     intake_close(in, err);      sorts them and writes the table's files
 *     intake_free(in);
 *
 * Rows are kept in memory as long as they fit. When they do not, they are sorted and spooled to
 * disk as a run, and the runs are merged at the end. The files that come out are the same, byte for
 * byte. */
#ifndef SNAPSHOT_INTAKE_H
#define SNAPSHOT_INTAKE_H

#include "snapshot/build.h"

struct intake_column {
    const char *name;
    enum type type; /* one that a column on disk can have */
    int scale;      /* TYPE_DECIMAL: 0..6 */
};

/* The first days of a table of another snapshot, which come before all rows that are taken in. */
struct intake_kept {
    const struct table *table; /* a history with the same columns */
    int64_t days;              /* of table->day, from the first */
};
static inline int64_t intake_kept_rows(const struct intake_kept *kept)
{
    return kept->table->day_start[kept->days];
}

/* All of it is borrowed until intake_close or intake_free. */
struct intake_shape {
    const char *name;   /* of the table */
    const char *source; /* what it is made from, for people */
    int n_columns;
    const struct intake_column *columns;
    int time, group, key; /* column numbers or -1: a time, or a time and a group, or a key */
    const int
        *order;  /* rows of equal time and group stand in order of these columns, then as they */
    int n_order; /* came */
    const char *ties; /* what gives that order, for who adds rows later; NULL: not known */
    int64_t memory;   /* bytes that rows may take before they are spooled; 0: no bound */
    const struct intake_kept *kept; /* NULL: nothing */

    /* Append where the row of this number, from 0, came from ("races.csv, line 17"), for messages.
     */
    void (*place)(void *ctx, int64_t row, struct str *out);
    void *place_ctx;
};

struct intake;

/* ERR_INPUT: a name cannot become a file name, the time is neither date nor timestamp, or the
 * columns are not those of what is kept. */
int intake_open(struct snapshot_builder *builder, const struct intake_shape *shape,
                struct intake **ret, struct err *err);

/* One value more for a column. Columns know nothing of each other: different threads may fill
 * different columns. */
void intake_int(struct intake *in, int column, int64_t value);  /* integers, dates, timestamps */
void intake_float(struct intake *in, int column, double value); /* floats and decimals, finite */
void intake_text(struct intake *in, int column, struct text value); /* UTF-8; copied */
void intake_null(struct intake *in, int column);

/* Every column has got n values more, and n rows are complete. ERR_INPUT names the place of a row
 * without time or key, and of one before the days that were kept; ERR_WRITE: the disk is full. */
int intake_rows(struct intake *in, int64_t n, struct err *err);

/* All rows have come. Errors as for intake_rows, and ERR_INPUT names both places of a key that
 * occurs twice. */
int intake_close(struct intake *in, struct err *err);
void intake_free(struct intake *in);
MEM_CLEANUP(intake_free, struct intake *);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* index.h - the rows of one table by entity and time, so that a window is a slice.
 *
 * An entity is one combination of `by` values. Positions 0 .. n - 1 hold the table's rows in
 * (entity, time, table order); rows with a null in `by`, and rows that the index's `where`
 * leaves out, are in no position. Beside the order stand copies of the columns that
 * calculations read, in position order, and exact prefix sums of some; and for each row where
 * windows begin that are cut off at its own date: no feature value.
 *
 * An index lives in memory or in a directory (mapped, shared by all workers of a node); what
 * is read from it is the same. */
#ifndef FEATURES_INDEX_H
#define FEATURES_INDEX_H

#include "base/err.h"
#include "codec/column.h"

struct index_column {
    struct column values; /* n rows in position order, with its dictionary */
    const int64_t *sums; /* NULL, or exact sums of all values (decimals as integers) before position
                            p, at sums[p * stride], for p in 0 .. n */
    int stride;          /* 2: beside each sum stands the number of values that are not null */
};

struct index {
    int64_t n;
    int64_t table_rows;
    int32_t entities;
    const int32_t *offsets; /* entity e has positions [offsets[e], offsets[e + 1]) */
    const int32_t *rows;    /* position -> row of the table */
    const int32_t *entity;  /* row -> entity, -1: a null in by */
    const int32_t *place;   /* row -> the position before which its history lies: its own (that it
                               has or would have), or where times are dates that of the first row
                               of its date: a date counts as the end of its day */
    const int32_t *day;     /* position -> time in days (tables timed by dates), or NULL */
    const int64_t *us;      /* position -> time in microseconds (by timestamps), or NULL */
    const int32_t *buckets; /* for index_since; NULL without time */
    const int32_t **starts; /* [k]: row -> the position at which a window begins start_days[k] days
                               before the row's own date */
    uint32_t n_slots;
    const int32_t *slots; /* for index_find */
    int n_by, n_columns, n_starts;
    struct column *keys; /* one value per entity */
    struct index_column *columns;
    void *own; /* index.c's */
};

static inline int64_t index_day(const struct index *index,
                                int32_t p) /* with time: a position's date */
{
    return index->day ? index->day[p] : timestamp_day(index->us[p]);
}

/* What an index must hold. by, time and columns describe columns of the whole table; building reads
 * their data, mapping only name, type, scale and nullable (and the dictionary, unless own_dict). */
struct index_request {
    const char
        *text; /* names all of this in one canonical form: what the directory is named after */
    int64_t table_rows;
    const struct column *by;
    int n_by;
    const uint8_t *keep;       /* one byte per row of the table; NULL: all. Only for building */
    const struct column *time; /* NULL: a static table */
    const int64_t *start_days; /* the starts that are wanted; none without time */
    int n_starts;
    const struct index_field {
        const struct column *column;
        bool sums;           /* exact sums are wanted where they pay */
        bool own_dict;       /* a derived string column: the index brings the dictionary */
        int64_t window_days; /* of the longest window that wants the sums; 0: no bound */
    } * fields;
    int n_fields;
};

#define INDEX_JSON "index.json"
enum { INDEX_FORMAT = 4 };

/* The directory's name, made from the snapshot's id and the request's text: 32 hex digits. */
void index_name(const char *snapshot_id, const char *text, char ret[33]);

void index_build(const struct index_request *request, struct index **ret);

/* Map dir. 0; INDEX_ABSENT; ERR_CONFIG when it is there and does not fit (names the file). */
enum { INDEX_ABSENT = 1 };
int index_map(const char *dir, const struct index_request *request, struct index **ret,
              struct err *err);

/* Write to dir by way of a temporary directory beside it; one that is there already stays. */
int index_write(const struct index *index, const char *text, const char *dir, struct err *err);

/* Read every byte of all indexes below parent and compare checksums, which mapping does not (it
 * compares sizes). ERR_CONFIG names the file that differs and the way out; without a parent there
 * is none. Those of other formats are no worker's, and not looked at. */
int index_verify(const char *parent, int *ret_verified, struct err *err);

void index_free(struct index *index);
MEM_CLEANUP(index_free, struct index *);

/* The entity with these by values (row `at` of n_by columns of the same types, where decimals
 * and floats are one), or -1. */
int32_t index_find(const struct index *index, const struct column *values, int64_t at);

/* The first position in [from, to), all of one entity, whose time is at or after edge_us; to if
 * there is none. A date counts as the end of its day. Looks near `to` first. */
int32_t index_before(const struct index *index, int32_t from, int32_t to, int64_t edge_us);

/* The same for n rows at once, wherever the edge lies: row i searches the positions of entity[i]
 * below to[i] for edge_us[i] - back_us. An entity of -1 has none: the answer is to[i]. */
void index_since(const struct index *index, int64_t n, const int32_t *entity,
                 const int64_t *edge_us, int64_t back_us, const int32_t *to, int32_t *ret_from);

/* How many buckets index_since wants, and their positions, from offsets and times; owned by the
 * caller. */
int64_t index_n_buckets(const struct index *index);
int32_t *index_buckets(const struct index *index);

/* For each row of the table, also of those without a position, the first position of its entity
 * that is at most `days` days before the row's own date, or its place where none is; 0 without an
 * entity. The index has all but columns by then; time and keep are those of the request. The caller
 * owns the answer. */
int32_t *index_starts(const struct index *index, const struct column *time, const uint8_t *keep,
                      int64_t days);

#endif

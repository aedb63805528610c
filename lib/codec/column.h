/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* column.h - a typed column of values: what a snapshot maps, what an expression
 * yields, what a result file holds.
 *
 * A column is a plain struct of pointers. Most columns are views (of a mapped
 * file, of another column); those made by column_alloc own their memory and are
 * given back with column_deinit, which is harmless on views. */
#ifndef CODEC_COLUMN_H
#define CODEC_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/date.h"
#include "base/str.h"

enum type {
    TYPE_NULL,    /* the literal null and what is made of nothing else: no column on disk has it */
    TYPE_BOOL,    /* uint8_t, 0 or 1: only derived columns */
    TYPE_INT,     /* int64_t */
    TYPE_DECIMAL, /* double that is exactly nearest to an integer / 10^scale */
    TYPE_FLOAT,   /* double, finite (NaN is null, -0 is 0) */
    TYPE_DATE,    /* int64_t, days since 1970-01-01 */
    TYPE_TIMESTAMP, /* int64_t, microseconds since 1970-01-01 00:00 */
    TYPE_STRING,    /* int32_t codes into the column's own dictionary */
};
/* "bool", "integer", "decimal", "float", "date", "timestamp", "string" */
const char *type_name(enum type type);
bool type_is_number(enum type type); /* bool, integer, decimal, float */
size_t type_bytes(enum type type);   /* of one value: 1, 8 or 4 */

/* A view of sorted distinct strings: entry i is bytes[offsets[i] .. offsets[i + 1]). */
struct dict {
    int32_t n;
    const int64_t *offsets; /* n + 1; NULL when n is 0 */
    const char *bytes;
};

struct text { /* a view of bytes, not NUL-terminated */
    const char *s;
    int64_t len;
};
static inline struct text dict_text(const struct dict *d, int32_t code)
{
    return (struct text){d->bytes + d->offsets[code], d->offsets[code + 1] - d->offsets[code]};
}
int text_compare(struct text a, struct text b);         /* by bytes, shorter first on a tie */
int32_t dict_find(const struct dict *d, struct text t); /* code, or -1 (binary search) */
int32_t dict_max_chars(const struct dict *d);           /* longest entry in code points */

struct column {
    const char *name; /* borrowed */
    enum type type;
    int scale;    /* TYPE_DECIMAL: digits after the point, 0..6 */
    int64_t rows; /* of every array below */
    union {       /* read-only unless column_alloc made it */
        void *data;
        uint8_t *b;    /* bool */
        int64_t *i;    /* integer, date, timestamp */
        double *f;     /* decimal, float */
        int32_t *code; /* string */
    };
    uint8_t *valid;    /* 1 where there is a value; NULL: no nulls. Null slots hold 0 */
    struct dict dict;  /* TYPE_STRING */
    bool nullable;     /* some row of the whole snapshot may be null, whether or not these are */
    int32_t max_chars; /* TYPE_STRING: the longest value of the whole snapshot, in code points */
    void *own;         /* what column_deinit frees; NULL for a view */
};

static inline bool column_is_null(const struct column *c, int64_t row)
{
    return c->valid && !c->valid[row];
}
/* The date of a date or timestamp that is not null. */
static inline int64_t column_day(const struct column *c, int64_t row)
{
    return c->type == TYPE_DATE ? c->i[row] : timestamp_day(c->i[row]);
}
/* The value as a double: numbers and bools; dates and timestamps by their count. Undefined for null
 * and strings. */
double column_f64(const struct column *c, int64_t row);

/* A new column of zeros; with_valid also gives `valid`, all 0 (null). Owned by the caller. */
void column_alloc(struct column *ret, enum type type, int64_t rows, bool with_valid);
void column_deinit(struct column *c); /* frees what it owns; c is zeroed */
MEM_CLEANUP_VALUE(column_deinit, struct column);

/* rows [first, first + n) of c, as a view. */
struct column column_slice(const struct column *c, int64_t first, int64_t n);

/* Rows of c in the given order, as a new column of n rows. Its dictionary is c's: c must outlive
 * it. */
void column_take(const struct column *c, const int32_t *rows, int64_t n, struct column *ret);

/* What a key's computation yields: columns of equal length in output order. */
struct frame {
    int64_t rows;
    int n_columns;
    struct column *columns; /* owned array; each column owned or a view */
};
void frame_deinit(struct frame *frame);
MEM_CLEANUP_VALUE(frame_deinit, struct frame);

#endif

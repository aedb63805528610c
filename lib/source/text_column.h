/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* text_column.h - a column as the text of its fields, and what type that text is.
 *
 * The types, in the order in which they are tried:
 *
 *     integer    optional minus and digits, within int64
 *     decimal    optional minus, digits, perhaps a point and 1 to 6 digits; at most 15 digits when
 *                every value is written with as many places as the longest has
 *     float      a finite decimal number, with or without exponent; "nan" in any case is null
 *     date       YYYY-MM-DD
 *     timestamp  YYYY-MM-DD, a blank or T, HH:MM[:SS[.ffffff]], no zone
 *     string     anything
 *
 * A number must not lose anything by becoming one. So "007" and "+5" are no numbers, and neither
 * are whole numbers that a double would round: a column of such ids is found to be of strings.
 * "inf" is no number either. Where the type is declared, a plus and leading zeros are accepted, and
 * float means rounding. A column without any value is a float column. */
#ifndef SOURCE_TEXT_COLUMN_H
#define SOURCE_TEXT_COLUMN_H

#include "snapshot/dictionary.h"
#include "snapshot/intake.h"

struct text_column {
    struct str bytes; /* each value and a NUL */
    uint32_t *len;    /* TEXT_NULL: no value, no bytes */
    size_t len_cap;
    int64_t rows, nulls;
};
#define TEXT_NULL UINT32_MAX

void text_column_add(struct text_column *t, struct text value); /* s NULL: null; under 4 GB */
void text_column_clear(struct text_column *t);                  /* no rows; memory kept */
void text_column_deinit(struct text_column *t);

/* The value of a row, by a walk from the first; s is NULL for null. */
struct text text_column_at(const struct text_column *t, int64_t row);

/* A typed column that owns its values and its dictionary. */
struct typed_column {
    struct column column;
    struct dictionary dict;
};
void typed_column_deinit(struct typed_column *t);

/* The first row whose value is not of the type, or -1 and *ret (whose name is not set). scale is
 * for decimals: the places, or negative for as many as occur. */
int64_t text_column_convert(const struct text_column *t, enum type type, int scale,
                            struct typed_column *ret);

/* What a value of a declared type looks like, for messages: "a date of the form YYYY-MM-DD". */
const char *text_column_form(enum type type);

/* The first type in the order above that fits. */
void text_column_find(const struct text_column *t, struct typed_column *ret);

/* What the numbers of a column have in common, gathered as they are read. */
struct text_reading {
    bool declared;
    int max_places;   /* decimals: how many are allowed */
    int places;       /* most that occurred, or the declared ones */
    int whole_digits; /* most before the point */
};

/* The types that all values so far have, of a column that comes piece by piece. */
struct text_fit {
    bool possible[TYPE_STRING + 1];
    bool any; /* there has been a value */
    struct text_reading reading;
};
struct text_fit text_fit_found(void);                         /* each of the order above */
struct text_fit text_fit_time(void);                          /* a date or a timestamp */
struct text_fit text_fit_declared(enum type type, int scale); /* as for text_column_convert */

/* Leave only the types that these rows have too. Returns -1, or the first row at which none is
 * left. */
int64_t text_fit_add(struct text_fit *fit, const struct text_column *t);

/* The first type that is left, and of a decimal its places. */
enum type text_fit_type(const struct text_fit *fit, int *ret_scale);

/* Put all rows, as of this type, into a column of an intake. Returns -1, or the first row whose
 * value is not of it: the column is then of no use. */
int64_t text_column_give(const struct text_column *t, enum type type, struct text_reading reading,
                         struct intake *in, int column);

#endif

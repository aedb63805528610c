/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* calc_sample.h - small windows and groups written as text, for the tests of calculations.
 *
 * A series is a letter and its values, oldest first, '.' for null: "i 3 . 5". The letters: b bool,
 * i integer, f float, d decimal with one digit, D date, t timestamp, s string (a, b, c ... are
 * codes 0, 1, 2 ...). */
#ifndef UNIT_CALC_SAMPLE_H
#define UNIT_CALC_SAMPLE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "features/calc.h"

enum { SAMPLE_MAX = 64 };

struct sample_values {
    union {
        uint8_t b[SAMPLE_MAX];
        int64_t i[SAMPLE_MAX];
        double f[SAMPLE_MAX];
        int32_t code[SAMPLE_MAX];
    };
    uint8_t valid[SAMPLE_MAX];
};

static enum type sample_type(char letter)
{
    switch (letter) {
    case 'b':
        return TYPE_BOOL;
    case 'i':
        return TYPE_INT;
    case 'd':
        return TYPE_DECIMAL;
    case 'f':
        return TYPE_FLOAT;
    case 'D':
        return TYPE_DATE;
    case 't':
        return TYPE_TIMESTAMP;
    case 's':
        return TYPE_STRING;
    }
    ck_abort_msg("no type has the letter %c", letter);
    return TYPE_NULL;
}

static void sample_value(enum type type, const char *word, struct sample_values *ret, int64_t row)
{
    if (type == TYPE_BOOL)
        ret->b[row] = word[0] == '1';
    else if (type == TYPE_STRING)
        ret->code[row] = word[0] - 'a';
    else if (type == TYPE_FLOAT || type == TYPE_DECIMAL)
        ret->f[row] = strtod(word, NULL);
    else
        ret->i[row] = strtoll(word, NULL, 10);
}

/* Returns the number of rows; *ret views *values. */
static int64_t sample_series(const char *text, struct sample_values *values, struct series *ret)
{
    bool nulls = false;
    int64_t n = 0;
    memset(values, 0, sizeof(*values));
    *ret = (struct series){.type = sample_type(text[0]), .scale = text[0] == 'd', .data = values};
    for (const char *s = text + 1; *s; s++) {
        if (*s == ' ')
            continue;
        ck_assert_int_lt(n, SAMPLE_MAX);
        values->valid[n] = *s != '.';
        nulls = nulls || *s == '.';
        if (*s != '.')
            sample_value(ret->type, s, values, n);
        n++;
        s += strcspn(s, " ") - 1;
    }
    ret->valid = nulls ? values->valid : NULL;
    return n;
}

struct given {                       /* what a test says of a window or a group */
    const char *x, *y;               /* arguments, as text; NULL: none */
    const char *days;                /* "i 1 5 9": days of the rows; NULL: 0, 1, 2 … */
    const char *hours;               /* the same in hours, of a table timed by timestamps */
    int64_t cutoff_day, cutoff_hour; /* the latter counted from the start of the former */
    struct calc_params p;
};

struct sample { /* and the window itself */
    struct window w;
    struct sample_values arg[2];
    int32_t day[SAMPLE_MAX];
    int64_t us[SAMPLE_MAX];
};

static void sample_times(const struct given *given, struct sample *ret)
{
    struct sample_values values;
    struct series series = {0};
    const char *text = given->hours ? given->hours : given->days;
    int64_t n = text ? sample_series(text, &values, &series) : 0;
    if (text && !given->x)
        ret->w.n = n;
    for (int64_t k = 0; k < ret->w.n; k++) {
        ret->day[k] = (int32_t)(given->days ? values.i[k] : k);
        ret->us[k] = given->hours ? values.i[k] * INT64_C(3600000000) : 0;
    }
    ret->w.day = given->hours ? NULL : ret->day;
    ret->w.us = given->hours ? ret->us : NULL;
    ret->w.cutoff_us = (given->cutoff_day * 24 + given->cutoff_hour) * INT64_C(3600000000);
}

static void sample_make(const struct given *given, struct calc_scratch *scratch, struct sample *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (given->x)
        ret->w.n = sample_series(given->x, &ret->arg[0], &ret->w.arg[0]);
    if (given->y)
        ck_assert_int_eq(sample_series(given->y, &ret->arg[1], &ret->w.arg[1]), ret->w.n);
    sample_times(given, ret);
    ret->w.scratch = scratch;
}

#endif

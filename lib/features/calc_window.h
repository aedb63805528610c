/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* calc_window.h - how calculations read a window.
 *
 * Windows are short and there are tens of millions of them. So the values of a series are first
 * brought together, nulls left out, as plain doubles or keys in a thread's scratch memory; the
 * type is looked at once per window, and what follows is a plain loop. Used by calc_*.c only. */
#ifndef FEATURES_CALC_WINDOW_H
#define FEATURES_CALC_WINDOW_H

#include <math.h>

#include "base/date.h"
#include "features/calc.h"

/* Working memory with one purpose each: what stands in one slot stays when another is taken. */
enum scratch_slot {
    SCRATCH_VALUES,   /* doubles of the window's values */
    SCRATCH_MORE,     /* a second array of doubles */
    SCRATCH_KEEP,     /* a validity narrowed by a condition */
    SCRATCH_KEYED,    /* struct keyed of the values */
    SCRATCH_MERGE,    /* what sorting keyed values needs */
    SCRATCH_TALLY,    /* struct tallied */
    SCRATCH_HASH,     /* what tallying many values needs */
    SCRATCH_OTHERS,   /* a group without one row: its data … */
    SCRATCH_OTHERS_2, /* … of the second argument … */
    SCRATCH_OTHERS_VALID,
    SCRATCH_OTHERS_VALID_2,
    SCRATCH_SLOTS,
};
struct calc_scratch {
    void *at[SCRATCH_SLOTS];
    size_t cap[SCRATCH_SLOTS];
};
void *scratch_grow(struct calc_scratch *scratch, enum scratch_slot slot, size_t bytes);
/* At least that many bytes, contents undefined, until the slot is taken again; never NULL. */
static inline void *scratch_take(struct calc_scratch *scratch, enum scratch_slot slot, size_t bytes)
{
    if (bytes <= scratch->cap[slot] && scratch->at[slot])
        return scratch->at[slot];
    return scratch_grow(scratch, slot, bytes);
}

/* ---- one series ---- */

static inline bool series_has(const struct series *x, int64_t row)
{
    return !x->valid || x->valid[row];
}
static inline bool series_true(const struct series *c,
                               int64_t row) /* of a condition: null is false */
{
    return c->b[row] && series_has(c, row);
}
double series_f64(const struct series *x, int64_t row); /* numbers, of a row that is not null */

int64_t series_count(const struct series *x, int64_t n); /* values that are not null */
int64_t series_first(const struct series *x, int64_t n); /* the oldest of them; n: there is none */

/* The row of the smallest or the largest value in the type's own order, the oldest or the newest
 * of equal ones; -1 when all are null. */
int64_t series_min(const struct series *x, int64_t n);
int64_t series_max(const struct series *x, int64_t n);
int64_t series_newest_max(const struct series *x, int64_t n);

/* Exact sum of bools, integers or decimals, these in units of 10^-scale. */
__int128 series_sum(const struct series *x, int64_t n, int64_t *ret_count);
double decimal_unit(int scale); /* 10^scale */

/* ---- a window's argument as an array ---- */

/* The values that are not null, oldest first, as doubles: in place or in SCRATCH_VALUES. */
const double *window_doubles(const struct window *w, int64_t *ret_n);
/* The same, always in SCRATCH_VALUES and the caller's to change. */
double *window_doubles_copy(const struct window *w, int64_t *ret_n);
/* The same, each minus the first value (*ret_n is 0 when there is none): integers are subtracted
 * as integers, so that nothing is lost beyond 2^53. */
double *window_shifted(const struct window *w, int64_t *ret_n);

/* A value as an integer that orders and equals as the value does. */
struct keyed {
    int64_t key;
    int64_t row;
};
/* The keys of the values that are not null, into room for w->n; returns how many. */
int64_t window_keys(const struct window *w, int64_t *ret);
/* The values that are not null with their rows, oldest first, in SCRATCH_KEYED. */
struct keyed *window_keyed(const struct window *w, int64_t *ret_n);
/* Sort by key; equal keys stay in order. Uses SCRATCH_MERGE. */
void keyed_sort(struct keyed *keyed, int64_t n, struct calc_scratch *scratch);

/* Only rows for which the condition arg[1] is true: arg[0] of *ret is null elsewhere (in
 * SCRATCH_KEEP). */
void window_where(const struct window *w, struct window *ret);

/* The calendar date of a row. */
static inline int64_t window_day(const struct window *w, int64_t row)
{
    return w->day ? w->day[row] : timestamp_day(w->us[row]);
}

/* ---- results ---- */

/* False for what is not finite; -0 becomes 0. */
static inline bool result_float(double f, union calc_value *ret)
{
    ret->f = f + 0.0;
    return isfinite(f);
}
/* RESULT_NUMBER of integers: false for what no int64 holds, unless wide. */
bool result_integer(__int128 i, const struct calc_params *p, union calc_value *ret);
static inline bool result_row(int64_t row, union calc_value *ret)
{
    ret->i = row;
    return row >= 0;
}
static inline bool type_is_integer(enum type type) /* what RESULT_NUMBER answers with an integer */
{
    return type == TYPE_BOOL || type == TYPE_INT;
}
static inline int64_t series_i64(const struct series *x, int64_t row) /* of these types */
{
    return x->type == TYPE_BOOL ? x->b[row] : x->i[row];
}
/* Value of row a minus value of row b, both not null. */
bool result_difference(const struct series *x, int64_t a, int64_t b, const struct calc_params *p,
                       union calc_value *ret);
/* Write a result into a column of integers or floats that has a `valid`. */
static inline void column_put(struct column *ret, int64_t row, bool has, union calc_value value)
{
    ret->valid[row] = has;
    if (ret->type == TYPE_INT)
        ret->i[row] = has ? value.i : 0;
    else
        ret->f[row] = has ? value.f : 0;
}

#endif

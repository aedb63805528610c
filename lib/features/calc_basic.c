/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* calc_basic.c - counts, exact sums, and calculations that pick one row. */
#include "features/calc_fn.h"
#include "features/calc_window.h"

/* A call without an argument has a series without data, which has no nulls either. */
bool window_count(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    ret->i = series_count(&w->arg[0], w->n);
    return true;
}

bool sums_count(__int128 sum, int64_t n, enum type type, int scale, union calc_value *ret)
{
    ret->i = n;
    return true;
}

/* ---- sums: those of floats add up from the oldest to the newest ---- */

static double doubles_sum(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t k = 0; k < n; k++)
        sum += x[k];
    return sum;
}

/* Rounded once, like a conversion of all 128 bits; nearly every sum fits into 64, which the CPU
 * converts itself. */
static inline double exact_f64(__int128 sum)
{
    return sum == (int64_t)sum ? (double)(int64_t)sum : (double)sum;
}

bool sums_sum(__int128 sum, int64_t n, enum type type, int scale, union calc_value *ret)
{
    static const struct calc_params narrow = {0};
    if (n == 0)
        return false;
    if (type == TYPE_DECIMAL)
        return result_float(exact_f64(sum) / decimal_unit(scale), ret);
    return result_integer(sum, &narrow, ret);
}

bool window_sum(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    const struct series *x = &w->arg[0];
    int64_t n;
    if (x->type == TYPE_FLOAT) {
        const double *values = window_doubles(w, &n);
        return n > 0 && result_float(doubles_sum(values, n), ret);
    }
    __int128 sum = series_sum(x, w->n, &n);
    if (p->wide && x->type != TYPE_DECIMAL)
        return sums_sum(sum, n, TYPE_DECIMAL, 0, ret);
    return sums_sum(sum, n, x->type, x->scale, ret);
}

bool sums_mean(__int128 sum, int64_t n, enum type type, int scale, union calc_value *ret)
{
    double unit = type == TYPE_DECIMAL ? decimal_unit(scale) : 1;
    return n > 0 && result_float(exact_f64(sum) / ((double)n * unit), ret);
}

bool window_mean(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    const struct series *x = &w->arg[0];
    int64_t n;
    if (x->type == TYPE_FLOAT) {
        const double *values = window_doubles(w, &n);
        return n > 0 && result_float(doubles_sum(values, n) / (double)n, ret);
    }
    __int128 sum = series_sum(x, w->n, &n);
    return sums_mean(sum, n, x->type, x->scale, ret);
}

bool window_rate(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    return window_mean(w, p, ret);
}

/* ---- one row ---- */

bool window_min(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    return result_row(series_min(&w->arg[0], w->n), ret);
}

bool window_max(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    return result_row(series_max(&w->arg[0], w->n), ret);
}

bool window_range(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    const struct series *x = &w->arg[0];
    int64_t max = series_max(x, w->n);
    return max >= 0 && result_difference(x, max, series_min(x, w->n), p, ret);
}

/* The value of a row as it is: a null row is null. */
static bool row_value(const struct window *w, int64_t row, union calc_value *ret)
{
    return row >= 0 && row < w->n && series_has(&w->arg[0], row) && result_row(row, ret);
}

bool window_first(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    return row_value(w, 0, ret);
}

bool window_last(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    return row_value(w, w->n - 1, ret);
}

bool window_lag(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    return p->number <= (double)w->n && row_value(w, w->n - (int64_t)p->number, ret);
}

static bool newest_two(const struct window *w)
{
    const struct series *x = &w->arg[0];
    return w->n >= 2 && series_has(x, w->n - 1) && series_has(x, w->n - 2);
}

bool window_delta(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    return newest_two(w) && result_difference(&w->arg[0], w->n - 1, w->n - 2, p, ret);
}

/* (newest - previous) / previous: null after a previous value of 0. */
bool window_pct_change(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    static const struct calc_params wide = {.wide = true}; /* a float, also of integers */
    return newest_two(w) && result_difference(&w->arg[0], w->n - 1, w->n - 2, &wide, ret) &&
           result_float(ret->f / series_f64(&w->arg[0], w->n - 2), ret);
}

/* x where `of` is greatest: arg[1] decides among the rows where neither is null. */
bool window_best_by(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    struct series of = w->arg[1];
    uint8_t *both = scratch_take(w->scratch, SCRATCH_KEEP, (size_t)w->n);
    for (int64_t k = 0; k < w->n; k++)
        both[k] = series_has(&w->arg[0], k) & series_has(&of, k);
    of.valid = both;
    return result_row(series_newest_max(&of, w->n), ret);
}

/* ---- the same after a condition ---- */

bool window_count_if(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    const struct series *c = &w->arg[0];
    ret->i = 0;
    for (int64_t k = 0; k < w->n; k++)
        ret->i += series_true(c, k);
    return true;
}

bool window_sum_if(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    struct window kept;
    window_where(w, &kept);
    return window_sum(&kept, p, ret);
}

bool window_mean_if(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    struct window kept;
    window_where(w, &kept);
    return window_mean(&kept, p, ret);
}

bool window_min_if(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    struct window kept;
    window_where(w, &kept);
    return window_min(&kept, p, ret);
}

bool window_max_if(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    struct window kept;
    window_where(w, &kept);
    return window_max(&kept, p, ret);
}

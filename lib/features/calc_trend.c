/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* calc_trend.c - along the order of rows, oldest first: slopes, a decaying mean, streaks. */
#include "features/calc_fn.h"
#include "features/calc_window.h"
#include "features/steady.h"

/* ---- least squares: sum((t - mean t)(x - mean x)) / sum((t - mean t)^2) ---- */

static double doubles_mean(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t k = 0; k < n; k++)
        sum += x[k];
    return sum / (double)n;
}

/* Both centred, x counted from its first value: a constant x gives exactly 0. */
static bool slope_of(const double *t, const double *x, int64_t n, union calc_value *ret)
{
    if (n < 2)
        return false;
    double t_mean = doubles_mean(t, n), x_mean = doubles_mean(x, n);
    double products = 0, squares = 0;
    for (int64_t k = 0; k < n; k++) {
        products += (t[k] - t_mean) * (x[k] - x_mean);
        squares += (t[k] - t_mean) * (t[k] - t_mean);
    }
    return squares > 0 && result_float(products / squares, ret);
}

bool window_slope(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    int64_t n;
    const double *x = window_shifted(w, &n);
    double *t = scratch_take(w->scratch, SCRATCH_MORE, (size_t)n * sizeof(*t));
    for (int64_t k = 0; k < n; k++)
        t[k] = (double)k;
    return slope_of(t, x, n, ret);
}

bool window_slope_by_day(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    int64_t n, count = 0;
    const double *x = window_shifted(w, &n);
    double *t = scratch_take(w->scratch, SCRATCH_MORE, (size_t)w->n * sizeof(*t));
    for (int64_t k = 0; k < w->n; k++) {
        if (series_has(&w->arg[0], k))
            t[count++] = (double)(window_day(w, k) - window_day(w, 0));
    }
    return slope_of(t, x, n, ret);
}

/* ---- ewma ---- */

static double days_after(const struct window *w, int64_t row, int64_t before)
{
    if (w->day)
        return (double)((int64_t)w->day[row] - w->day[before]);
    return (double)(w->us[row] - w->us[before]) / (double)DATE_US_PER_DAY;
}

/* pandas' ewm(halflife=h, adjust=True, ignore_na=False).mean() at the newest row: weights 2^(-age /
 * h), age in rows (nulls count) or in days. What all older values weigh decays from one value to
 * the next; rows after the newest value would make all weights smaller and leave the mean as it is.
 * Counted from the first value: a constant stays exactly what it is. */
bool window_ewma(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    int64_t n, row = 0, before = 0;
    const double *x = window_shifted(w, &n);
    double sum = 0, weight = 0, known_age = 0, decay = 1; /* ages repeat: one row, one week */
    for (int64_t k = 0; k < n; k++, before = row++) {
        while (!series_has(&w->arg[0], row))
            row++;
        double age = k == 0 ? 0 : p->by_days ? days_after(w, row, before) : (double)(row - before);
        if (age != known_age) {
            known_age = age;
            decay = steady_exp2(-age / p->number);
        }
        sum = sum * decay + x[k];
        weight = weight * decay + 1;
    }
    return n > 0 &&
           result_float(series_f64(&w->arg[0], series_first(&w->arg[0], w->n)) + sum / weight, ret);
}

/* ---- conditions; null counts as false ---- */

/* Rows from the newest back while c is true. */
bool window_streak(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    int64_t row = w->n;
    while (row > 0 && series_true(&w->arg[0], row - 1))
        row--;
    ret->i = w->n - row;
    return w->n > 0;
}

bool window_max_streak(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    int64_t run = 0, longest = 0;
    for (int64_t k = 0; k < w->n; k++) {
        run = series_true(&w->arg[0], k) ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    ret->i = longest;
    return w->n > 0;
}

/* 0 when the newest row is true. */
bool window_rows_since(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    for (int64_t row = w->n - 1; row >= 0; row--) {
        if (series_true(&w->arg[0], row)) {
            ret->i = w->n - 1 - row;
            return true;
        }
    }
    return false;
}

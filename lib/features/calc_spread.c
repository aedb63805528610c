/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* calc_spread.c - how far values lie from their mean.
 *
 * Everything is computed on x - x0, with x0 the window's first value, and in two passes: first the
 * mean, then powers of what is left. Raw moments (sum of x^2, x^3 ...) would cancel where the mean
 * is large beside the spread. A constant window gives zeros throughout, exactly. */
#include "features/calc_fn.h"
#include "features/calc_window.h"

struct deviations {
    int64_t n;
    const double *of; /* each value minus the mean of all */
    double squares;   /* the sum of their squares, never negative */
};

/* Second pass with the correction of Chan, Golub and LeVeque (1983), formula 1.7. */
static struct deviations window_deviations(const struct window *w)
{
    struct deviations ret = {0};
    double *x = window_shifted(w, &ret.n);
    double sum = 0, left = 0;
    for (int64_t k = 0; k < ret.n; k++)
        sum += x[k];
    double mean = ret.n ? sum / (double)ret.n : 0;
    for (int64_t k = 0; k < ret.n; k++) {
        x[k] -= mean;
        left += x[k];
        ret.squares += x[k] * x[k];
    }
    if (ret.n)
        ret.squares -= left * left / (double)ret.n;
    if (ret.squares < 0)
        ret.squares = 0;
    ret.of = x;
    return ret;
}

/* (x - mean) / std0 of each row; 0 where that is 0, null where no double holds it. */
void group_zscore(const struct window *w, const struct calc_params *p, struct column *ret,
                  int64_t at)
{
    struct deviations d = window_deviations(w);
    double std0 = d.n ? sqrt(d.squares / (double)d.n) : 0;
    int64_t value = 0;
    for (int64_t k = 0; k < w->n; k++) {
        union calc_value z = {.f = 0};
        bool has = series_has(&w->arg[0], k) && isfinite(std0);
        if (has && std0 != 0)
            has = result_float(d.of[value] / std0, &z);
        value += series_has(&w->arg[0], k);
        column_put(ret, at + k, has, z);
    }
}

bool window_var(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    struct deviations d = window_deviations(w);
    return d.n >= 2 && result_float(d.squares / (double)(d.n - 1), ret);
}

bool window_std(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    return window_var(w, p, ret) && result_float(sqrt(ret->f), ret);
}

bool window_var0(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    struct deviations d = window_deviations(w);
    return d.n >= 1 && result_float(d.squares / (double)d.n, ret);
}

bool window_std0(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    return window_var0(w, p, ret) && result_float(sqrt(ret->f), ret);
}

/* Deviations whose squares no double holds have no shape: divided by infinity they would all be 0.
 */
static bool has_shape(const struct deviations *d)
{
    return d->squares != 0 && isfinite(d->squares);
}

/* The mean of (deviation / std0)^power. */
static double standard_moment(const struct deviations *d, int power)
{
    double std0 = sqrt(d->squares / (double)d->n), sum = 0;
    for (int64_t k = 0; k < d->n; k++) {
        double z = d->of[k] / std0;
        sum += power == 3 ? z * z * z : (z * z) * (z * z);
    }
    return sum / (double)d->n;
}

/* DuckDB's skewness: G1 = sqrt(n (n - 1)) / (n - 2) * m3 / m2^1.5 (Joanes and Gill, 1998). */
bool window_skew(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    struct deviations d = window_deviations(w);
    double n = (double)d.n;
    if (d.n < 3 || !has_shape(&d))
        return false;
    return result_float(sqrt(n * (n - 1)) / (n - 2) * standard_moment(&d, 3), ret);
}

/* DuckDB's kurtosis, an excess: G2 = (n - 1) ((n + 1) m4 / m2^2 - 3 (n - 1)) / ((n - 2) (n - 3)).
 */
bool window_kurt(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    struct deviations d = window_deviations(w);
    double n = (double)d.n;
    if (d.n < 4 || !has_shape(&d))
        return false;
    double inner = (n + 1) * standard_moment(&d, 4) - 3 * (n - 1);
    return result_float((n - 1) * inner / ((n - 2) * (n - 3)), ret);
}

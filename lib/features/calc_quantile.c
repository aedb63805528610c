/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* calc_quantile.c - the middle of the values: linear interpolation between neighbours, type 7 of
 * Hyndman and Fan (1996), as in numpy and in DuckDB's quantile_cont. */
#include "features/calc_fn.h"
#include "features/calc_window.h"

enum { SHORT = 24 }; /* insertion sort beats selection up to about here */

/* Insertion from the front: each value pushes on the greater one, which is a minimum and a maximum
 * and no branch to mispredict. */
static void doubles_sort(double *x, int64_t n)
{
    for (int64_t k = 1; k < n; k++) {
        double pushed = x[k];
        for (int64_t at = 0; at < k; at++) {
            double stood = x[at], low = stood < pushed ? stood : pushed;
            pushed = stood > pushed ? stood : pushed;
            x[at] = low;
        }
        x[k] = pushed;
    }
}

static double median_of_3(double a, double b, double c)
{
    double low = a < b ? a : b, high = a < b ? b : a;
    if (c < low)
        return low;
    return c < high ? c : high;
}

/* Hoare's selection: afterwards x[k] is what sorting would put there, nothing before it is greater
 * and nothing behind it smaller. */
static void doubles_select(double *x, int64_t n, int64_t k)
{
    int64_t low = 0, high = n - 1;
    while (high - low >= SHORT) {
        double pivot = median_of_3(x[low], x[low + (high - low) / 2], x[high]);
        int64_t i = low, j = high;
        while (i <= j) {
            while (x[i] < pivot)
                i++;
            while (x[j] > pivot)
                j--;
            if (i <= j) {
                double swap = x[i];
                x[i++] = x[j];
                x[j--] = swap;
            }
        }
        if (k <= j)
            high = j;
        else if (k >= i)
            low = i;
        else
            return; /* between j and i all equal the pivot */
    }
    doubles_sort(x + low, high - low + 1);
}

static double doubles_min(const double *x, int64_t n)
{
    double min = x[0];
    for (int64_t k = 1; k < n; k++)
        min = x[k] < min ? x[k] : min;
    return min;
}

/* The q quantile of n >= 1 values, which it reorders. */
static double doubles_quantile(double *x, int64_t n, double q)
{
    double at = q * (double)(n - 1);
    int64_t below = (int64_t)at;
    doubles_select(x, n, below);
    double fraction = at - (double)below;
    if (fraction == 0)
        return x[below];
    double next = doubles_min(x + below + 1, n - below - 1);
    return x[below] + (next - x[below]) * fraction;
}

static bool values_quantile(const struct window *w, double q, union calc_value *ret)
{
    int64_t n;
    double *x = window_doubles_copy(w, &n);
    return n > 0 && result_float(doubles_quantile(x, n, q), ret);
}

bool window_quantile(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    return values_quantile(w, p->number, ret);
}

bool window_median(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    return values_quantile(w, 0.5, ret);
}

/* The median of the distances from the median. */
bool window_mad(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    int64_t n;
    double *x = window_doubles_copy(w, &n);
    if (n == 0)
        return false;
    double median = doubles_quantile(x, n, 0.5);
    for (int64_t k = 0; k < n; k++)
        x[k] = fabs(x[k] - median);
    return result_float(doubles_quantile(x, n, 0.5), ret);
}

bool window_iqr(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    int64_t n;
    double *x = window_doubles_copy(w, &n);
    if (n == 0)
        return false;
    double upper = doubles_quantile(x, n, 0.75);
    return result_float(upper - doubles_quantile(x, n, 0.25), ret);
}

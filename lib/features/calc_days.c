/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* calc_days.c - along the calendar: whole days from a row's date to the cutoff's date. */
#include "features/calc_fn.h"
#include "features/calc_window.h"

static bool days_to_cutoff(const struct window *w, int64_t row, union calc_value *ret)
{
    if (row < 0 || row >= w->n)
        return false;
    ret->i = timestamp_day(w->cutoff_us) - window_day(w, row);
    return true;
}

bool window_days_since_last(const struct window *w, const struct calc_params *p,
                            union calc_value *ret)
{
    return days_to_cutoff(w, w->n - 1, ret);
}

bool window_days_since_first(const struct window *w, const struct calc_params *p,
                             union calc_value *ret)
{
    return days_to_cutoff(w, 0, ret);
}

/* Of the newest row for which c is true. */
bool window_days_since(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    int64_t row = w->n - 1;
    while (row >= 0 && !series_true(&w->arg[0], row))
        row--;
    return days_to_cutoff(w, row, ret);
}

/* The differences between consecutive rows add up to the one between the newest and the oldest. */
bool window_mean_gap_days(const struct window *w, const struct calc_params *p,
                          union calc_value *ret)
{
    if (w->n < 2)
        return false;
    int64_t span = window_day(w, w->n - 1) - window_day(w, 0);
    return result_float((double)span / (double)(w->n - 1), ret);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* calc_fn.h - the calculations' functions, for the table in calc.c. Each file is one family. */
#ifndef FEATURES_CALC_FN_H
#define FEATURES_CALC_FN_H

#include "features/calc.h"

/* calc_basic.c: counts, sums and picked rows */
window_fn window_count, window_sum, window_mean, window_min, window_max, window_range;
window_fn window_first, window_last, window_lag, window_delta, window_pct_change;
window_fn window_rate, window_count_if, window_sum_if, window_mean_if, window_min_if, window_max_if;
window_fn window_best_by;
sums_fn sums_count, sums_sum, sums_mean;

/* calc_spread.c: moments */
window_fn window_std, window_var, window_std0, window_var0, window_skew, window_kurt;
group_fn group_zscore;

/* calc_quantile.c: the middle of the values */
window_fn window_median, window_quantile, window_mad, window_iqr;

/* calc_values.c: how often each value comes */
window_fn window_nunique, window_mode, window_top_share, window_entropy;

/* calc_trend.c: along the order of rows */
window_fn window_slope, window_slope_by_day, window_ewma;
window_fn window_streak, window_max_streak, window_rows_since;

/* calc_days.c: along the calendar */
window_fn window_days_since_last, window_days_since_first, window_days_since, window_mean_gap_days;

/* calc_group.c: one row against its group */
group_fn group_size, group_rank, group_pct_rank, group_share;
group_fn group_diff_mean, group_diff_best, group_gap_to;

#endif

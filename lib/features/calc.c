/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* calc.c - the table of calculations.
 *
 * params names what a call takes beside its series arguments, one letter each; calc_use.c reads
 * them: q  a number from 0 to 1                     n  a whole number from 1 h  halflife_rows=N or
 * halflife_days=N       d  the word desc or asc: the order of ranks t  avg, max, min, dense or
 * first: ties      b  the word asc: from the smallest
 *
 * says is filled in by calc_say: {x} and {y} are the arguments, {n} the number, {unit} rows or
 * days, {first} and {top} largest or smallest, {equals} the rule for ties; what stands in [..] is
 * left out when there is no argument.
 *
 * Aggregates of values work over windows and over groups. What follows the order of rows or the
 * calendar works over windows only: the rows of a group have one time. */
#include "features/calc_fn.h"

#define IN_WINDOW .places = CALC_WINDOW
#define IN_GROUP .places = CALC_GROUP
#define IN_BOTH .places = CALC_WINDOW | CALC_GROUP, .others_ok = true

static const struct calc calcs[] = {
    /* ---- counts and sums ---- */
    {"count", "count() or count(x)", IN_BOTH, .args = "V", .params = "", .result = RESULT_INT,
     .never_null = true, .window = window_count, .sums = sums_count,
     .says = "the number of rows[ where {x} is not null]"},
    {"sum", "sum(x)", IN_BOTH, .args = "n", .params = "", .result = RESULT_NUMBER,
     .window = window_sum, .sums = sums_sum, .says = "the sum of {x}"},
    {"mean", "mean(x)", IN_BOTH, .args = "n", .params = "", .result = RESULT_FLOAT,
     .window = window_mean, .sums = sums_mean, .says = "the mean of {x}"},
    {"rate", "rate(condition)", IN_BOTH, .args = "c", .params = "", .result = RESULT_FLOAT,
     .window = window_rate, .sums = sums_mean, .says = "the share of rows where {x}"},
    {"count_if", "count_if(condition)", IN_BOTH, .args = "c", .params = "", .result = RESULT_INT,
     .never_null = true, .window = window_count_if, .says = "the number of rows where {x}"},
    {"sum_if", "sum_if(x, condition)", IN_BOTH, .args = "nc", .params = "", .result = RESULT_NUMBER,
     .window = window_sum_if, .says = "the sum of {x} where {y}"},
    {"mean_if", "mean_if(x, condition)", IN_BOTH, .args = "nc", .params = "",
     .result = RESULT_FLOAT, .window = window_mean_if, .says = "the mean of {x} where {y}"},
    {"min_if", "min_if(x, condition)", IN_BOTH, .args = "vc", .params = "", .result = RESULT_ROW,
     .window = window_min_if, .says = "the smallest {x} where {y}"},
    {"max_if", "max_if(x, condition)", IN_BOTH, .args = "vc", .params = "", .result = RESULT_ROW,
     .window = window_max_if, .says = "the largest {x} where {y}"},

    /* ---- values of one row ---- */
    {"min", "min(x)", IN_BOTH, .args = "v", .params = "", .result = RESULT_ROW,
     .window = window_min, .says = "the smallest {x}"},
    {"max", "max(x)", IN_BOTH, .args = "v", .params = "", .result = RESULT_ROW,
     .window = window_max, .says = "the largest {x}"},
    {"range", "range(x)", IN_BOTH, .args = "n", .params = "", .result = RESULT_NUMBER,
     .window = window_range, .says = "the largest {x} minus the smallest"},
    {"best_by", "best_by(x, of)", IN_BOTH, .args = "vv", .params = "", .result = RESULT_ROW,
     .window = window_best_by, .says = "{x} of the row with the greatest {y}"},
    {"first", "first(x)", IN_WINDOW, .args = "v", .params = "", .result = RESULT_ROW,
     .window = window_first, .says = "{x} of the oldest row"},
    {"last", "last(x)", IN_WINDOW, .args = "v", .params = "", .result = RESULT_ROW,
     .window = window_last, .says = "{x} of the newest row"},
    {"lag", "lag(x, n)", IN_WINDOW, .args = "v", .params = "n", .result = RESULT_ROW,
     .window = window_lag, .says = "{x} of row {n} counted back from the newest"},
    {"delta", "delta(x)", IN_WINDOW, .args = "n", .params = "", .result = RESULT_NUMBER,
     .window = window_delta, .says = "{x} of the newest row minus that of the row before it"},
    {"pct_change", "pct_change(x)", IN_WINDOW, .args = "n", .params = "", .result = RESULT_FLOAT,
     .window = window_pct_change,
     .says = "the change of {x} from the row before the newest to the newest, as a share of the "
             "former"},

    /* ---- spread and middle ---- */
    {"std", "std(x)", IN_BOTH, .args = "n", .params = "", .result = RESULT_FLOAT,
     .window = window_std, .says = "the standard deviation (n - 1) of {x}"},
    {"var", "var(x)", IN_BOTH, .args = "n", .params = "", .result = RESULT_FLOAT,
     .window = window_var, .says = "the variance (n - 1) of {x}"},
    {"std0", "std0(x)", IN_BOTH, .args = "n", .params = "", .result = RESULT_FLOAT,
     .window = window_std0, .says = "the standard deviation (n) of {x}"},
    {"var0", "var0(x)", IN_BOTH, .args = "n", .params = "", .result = RESULT_FLOAT,
     .window = window_var0, .says = "the variance (n) of {x}"},
    {"skew", "skew(x)", IN_BOTH, .args = "n", .params = "", .result = RESULT_FLOAT,
     .window = window_skew, .says = "the skewness of {x}"},
    {"kurt", "kurt(x)", IN_BOTH, .args = "n", .params = "", .result = RESULT_FLOAT,
     .window = window_kurt, .says = "the excess kurtosis of {x}"},
    {"median", "median(x)", IN_BOTH, .args = "n", .params = "", .result = RESULT_FLOAT,
     .window = window_median, .says = "the median of {x}"},
    {"quantile", "quantile(x, q)", IN_BOTH, .args = "n", .params = "q", .result = RESULT_FLOAT,
     .window = window_quantile, .says = "the {n} quantile of {x}"},
    {"mad", "mad(x)", IN_BOTH, .args = "n", .params = "", .result = RESULT_FLOAT,
     .window = window_mad, .says = "the median absolute deviation of {x}"},
    {"iqr", "iqr(x)", IN_BOTH, .args = "n", .params = "", .result = RESULT_FLOAT,
     .window = window_iqr, .says = "the interquartile range of {x}"},

    /* ---- how often values come ---- */
    {"nunique", "nunique(x)", IN_BOTH, .args = "v", .params = "", .result = RESULT_INT,
     .never_null = true, .window = window_nunique, .says = "the number of different {x}"},
    {"mode", "mode(x)", IN_BOTH, .args = "v", .params = "", .result = RESULT_ROW,
     .window = window_mode, .says = "the most frequent {x}"},
    {"top_share", "top_share(x)", IN_BOTH, .args = "v", .params = "", .result = RESULT_FLOAT,
     .window = window_top_share, .says = "the share of the most frequent {x}"},
    {"entropy", "entropy(x)", IN_BOTH, .args = "v", .params = "", .result = RESULT_FLOAT,
     .window = window_entropy, .says = "the entropy of {x} in bits"},

    /* ---- along the rows and the calendar ---- */
    {"streak", "streak(condition)", IN_WINDOW, .args = "c", .params = "", .result = RESULT_INT,
     .window = window_streak, .says = "the number of newest rows in a run where {x}"},
    {"max_streak", "max_streak(condition)", IN_WINDOW, .args = "c", .params = "",
     .result = RESULT_INT, .window = window_max_streak,
     .says = "the longest run of rows where {x}"},
    {"rows_since", "rows_since(condition)", IN_WINDOW, .args = "c", .params = "",
     .result = RESULT_INT, .window = window_rows_since,
     .says = "the number of rows after the newest where {x}"},
    {"days_since", "days_since(condition)", IN_WINDOW, .args = "c", .params = "",
     .result = RESULT_INT, .window = window_days_since,
     .says = "the days from the newest row where {x} to the cutoff"},
    {"days_since_last", "days_since_last()", IN_WINDOW, .args = "", .params = "",
     .result = RESULT_INT, .window = window_days_since_last,
     .says = "the days from the newest row to the cutoff"},
    {"days_since_first", "days_since_first()", IN_WINDOW, .args = "", .params = "",
     .result = RESULT_INT, .window = window_days_since_first,
     .says = "the days from the oldest row to the cutoff"},
    {"mean_gap_days", "mean_gap_days()", IN_WINDOW, .args = "", .params = "",
     .result = RESULT_FLOAT, .window = window_mean_gap_days,
     .says = "the mean number of days between rows"},
    {"slope", "slope(x)", IN_WINDOW, .args = "n", .params = "", .result = RESULT_FLOAT,
     .window = window_slope, .says = "the slope of {x} per row"},
    {"slope_by_day", "slope_by_day(x)", IN_WINDOW, .args = "n", .params = "",
     .result = RESULT_FLOAT, .window = window_slope_by_day, .says = "the slope of {x} per day"},
    {"ewma", "ewma(x, halflife_rows=N) or ewma(x, halflife_days=N)", IN_WINDOW, .args = "n",
     .params = "h", .result = RESULT_FLOAT, .window = window_ewma,
     .says = "the mean of {x} with weights that halve every {n} {unit}"},

    /* ---- one row against its group ---- */
    {"size", "size()", IN_GROUP, .args = "", .params = "", .result = RESULT_INT, .never_null = true,
     .others_ok = true, .group = group_size, .says = "the number of rows"},
    {"rank", "rank(x), with desc for the largest first, and avg, max, dense or first for ties",
     IN_GROUP, .args = "v", .params = "dt", .result = RESULT_INT, .group = group_rank,
     .says = "the rank of {x}, the {first} first{equals}"},
    {"pct_rank", "pct_rank(x), with desc for the largest first", IN_GROUP, .args = "v",
     .params = "dt", .result = RESULT_FLOAT, .group = group_pct_rank,
     .says = "the rank of {x} from 0 to 1, the {first} first{equals}"},
    {"zscore", "zscore(x)", IN_GROUP, .args = "n", .params = "", .result = RESULT_FLOAT,
     .group = group_zscore, .says = "the z-score of {x}"},
    {"share", "share(x)", IN_GROUP, .args = "n", .params = "", .result = RESULT_FLOAT,
     .group = group_share, .says = "{x} as a share of the sum"},
    {"diff_mean", "diff_mean(x)", IN_GROUP, .args = "n", .params = "", .result = RESULT_FLOAT,
     .others_ok = true, .group = group_diff_mean, .says = "{x} minus the mean"},
    {"diff_best", "diff_best(x) or diff_best(x, asc)", IN_GROUP, .args = "n", .params = "b",
     .result = RESULT_NUMBER, .others_ok = true, .group = group_diff_best,
     .says = "{x} minus the {top}"},
    {"gap_to", "gap_to(x, k) or gap_to(x, k, asc)", IN_GROUP, .args = "n", .params = "nb",
     .result = RESULT_NUMBER, .group = group_gap_to, .says = "{x} minus number {n} from the {top}"},
};
enum { N_CALCS = sizeof(calcs) / sizeof(calcs[0]) };

const struct calc *calc_all(int *ret_n)
{
    *ret_n = N_CALCS;
    return calcs;
}

const struct calc *calc_find(const char *name)
{
    for (int i = 0; i < N_CALCS; i++) {
        if (strcmp(calcs[i].name, name) == 0)
            return &calcs[i];
    }
    return NULL;
}

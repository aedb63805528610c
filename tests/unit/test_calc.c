/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_calc.c - calculations over windows: hand-computed values, values of pandas and numpy, and
 * simple second definitions on random windows. */
#include "unit.h"

#include "calc_sample.h"
#include "features/steady.h"

static struct calc_scratch *scratch; /* one for all tests, as one thread has for all windows */

struct answer {
    bool has;
    union calc_value value;
};

static struct answer answer(const char *name, struct given given)
{
    struct sample sample;
    struct answer ret = {0};
    const struct calc *calc = calc_find(name);
    ck_assert_msg(calc && calc->window, "%s is no calculation over windows", name);
    if (!scratch)
        scratch = calc_scratch_new();
    sample_make(&given, scratch, &sample);
    ret.has = calc->window(&sample.w, &given.p, &ret.value);
    return ret;
}

#define GIVEN(...) ((struct given){__VA_ARGS__})
/* CHECK_FLOAT("mean", 2.5, .x = "i 2 3") */
#define CHECK_FLOAT(name, expected, ...)                                                           \
    do {                                                                                           \
        struct answer got = answer(name, GIVEN(__VA_ARGS__));                                      \
        ck_assert_msg(got.has, "%s is null", name);                                                \
        double want = (expected);                                                                  \
        ck_assert_double_eq_tol(got.value.f, want, 1e-12 * (1 + fabs(want)));                      \
    } while (0)
#define CHECK_EXACT(name, expected, ...)                                                           \
    do {                                                                                           \
        struct answer got = answer(name, GIVEN(__VA_ARGS__));                                      \
        ck_assert_msg(got.has, "%s is null", name);                                                \
        ck_assert_double_eq(got.value.f, expected);                                                \
    } while (0)
#define CHECK_INT(name, expected, ...)                                                             \
    do {                                                                                           \
        struct answer got = answer(name, GIVEN(__VA_ARGS__));                                      \
        ck_assert_msg(got.has, "%s is null", name);                                                \
        ck_assert_int_eq(got.value.i, expected);                                                   \
    } while (0)
#define CHECK_ROW CHECK_INT /* the row whose value it is, the oldest being 0 */
#define CHECK_NULL(name, ...)                                                                      \
    ck_assert_msg(!answer(name, GIVEN(__VA_ARGS__)).has, "%s is not null", name)

/* ---- the table ---- */

static const char *const window_names[] = {
    "count",
    "sum",
    "mean",
    "min",
    "max",
    "range",
    "std",
    "var",
    "std0",
    "var0",
    "skew",
    "kurt",
    "median",
    "quantile",
    "mad",
    "iqr",
    "first",
    "last",
    "lag",
    "delta",
    "pct_change",
    "nunique",
    "mode",
    "top_share",
    "entropy",
    "rate",
    "count_if",
    "sum_if",
    "mean_if",
    "min_if",
    "max_if",
    "streak",
    "max_streak",
    "days_since_last",
    "days_since_first",
    "days_since",
    "rows_since",
    "mean_gap_days",
    "best_by",
    "slope",
    "slope_by_day",
    "ewma",
};
static const char *const group_names[] = {
    "size", "rank", "pct_rank", "zscore", "share", "diff_mean", "diff_best", "gap_to",
};
enum {
    N_WINDOW = sizeof(window_names) / sizeof(window_names[0]),
    N_GROUP = sizeof(group_names) / sizeof(group_names[0]),
};

START_TEST(test_every_calculation_is_in_the_table_once)
{
    int n;
    const struct calc *all = calc_all(&n);
    ck_assert_int_eq(n, N_WINDOW + N_GROUP);
    for (int i = 0; i < N_WINDOW; i++) {
        const struct calc *calc = calc_find(window_names[i]);
        ck_assert_msg(calc && calc->window && (calc->places & CALC_WINDOW), "%s", window_names[i]);
    }
    for (int i = 0; i < N_GROUP; i++) {
        const struct calc *calc = calc_find(group_names[i]);
        ck_assert_msg(calc && calc->group && calc->places == CALC_GROUP, "%s", group_names[i]);
    }
    for (int i = 0; i < n; i++)
        ck_assert_ptr_eq(calc_find(all[i].name), &all[i]);
    ck_assert_ptr_null(calc_find("average"));
}
END_TEST

START_TEST(test_every_row_of_the_table_is_complete)
{
    int n;
    const struct calc *all = calc_all(&n);
    for (int i = 0; i < n; i++) {
        const struct calc *c = &all[i];
        ck_assert_msg(str_starts(c->usage, c->name), "%s", c->name);
        ck_assert_msg(strspn(c->args, "ncvV") == strlen(c->args) && strlen(c->args) <= 2, "%s",
                      c->name);
        ck_assert_msg(strspn(c->params, "qnhdtb") == strlen(c->params), "%s", c->name);
        ck_assert_msg(c->says && *c->says, "%s", c->name);
        ck_assert_msg(c->window || c->group, "%s", c->name);
        ck_assert_msg(!c->sums || c->window, "%s", c->name);
        /* an aggregate over groups can leave one row out, since it takes any window */
        ck_assert_msg(c->group || !(c->places & CALC_GROUP) || c->others_ok, "%s", c->name);
        ck_assert_msg(!c->never_null || c->result == RESULT_INT, "%s", c->name);
    }
}
END_TEST

/* An argument of the type that a letter of `args` asks for. */
static const char *argument(char letter, bool nulls)
{
    if (letter == '\0')
        return NULL;
    if (letter == 'c')
        return nulls ? "b . . ." : "b";
    return nulls ? "i . . ." : "i";
}

static bool counts_values(const char *name)
{
    return strcmp(name, "count") == 0 || strcmp(name, "count_if") == 0 ||
           strcmp(name, "nunique") == 0;
}

START_TEST(test_an_empty_window_is_null_and_counts_are_0)
{
    for (int i = 0; i < N_WINDOW; i++) {
        const struct calc *c = calc_find(window_names[i]);
        struct given given = {.x = argument(c->args[0], false), .p.number = 1};
        given.y = c->args[0] ? argument(c->args[1], false) : NULL;
        struct answer got = answer(c->name, given);
        ck_assert_msg(got.has == counts_values(c->name), "%s", c->name);
        ck_assert_msg(c->never_null == counts_values(c->name), "%s", c->name);
        ck_assert_msg(!got.has || got.value.i == 0, "%s", c->name);
    }
}
END_TEST

START_TEST(test_a_window_of_nulls_is_like_an_empty_one)
{
    for (int i = 0; i < N_WINDOW; i++) {
        const struct calc *c = calc_find(window_names[i]);
        struct given given = {.x = argument(c->args[0], true), .p.number = 1};
        if (!given.x || strstr(c->name, "streak"))
            continue; /* reads the rows' times only; null counts as false */
        given.y = argument(c->args[1], true);
        struct answer got = answer(c->name, given);
        ck_assert_msg(got.has == counts_values(c->name), "%s", c->name);
        ck_assert_msg(!got.has || got.value.i == 0, "%s", c->name);
    }
}
END_TEST

/* ---- counts and sums ---- */

START_TEST(test_count_counts_rows_or_values)
{
    CHECK_INT("count", 4, .x = "i 1 2 3 4");
    CHECK_INT("count", 2, .x = "i . 2 . 4");
    CHECK_INT("count", 2, .x = "s a . b");
    CHECK_INT("count", 3, .days = "i 1 2 3"); /* count() */
}
END_TEST

START_TEST(test_sums_of_integers_and_bools_are_integers)
{
    CHECK_INT("sum", 7, .x = "i 1 . 6");
    CHECK_INT("sum", 2, .x = "b 1 0 . 1");
    CHECK_INT("sum", 9007199254740993, .x = "i 9007199254740992 1"); /* 2^53 + 1 */
    CHECK_INT("sum", INT64_MAX, .x = "i 9223372036854775807 5 -5");
}
END_TEST

START_TEST(test_a_sum_that_no_integer_holds_is_null_or_wide)
{
    CHECK_NULL("sum", .x = "i 9223372036854775807 1");
    CHECK_EXACT("sum", 0x1p63, .x = "i 9223372036854775807 1", .p.wide = true);
    CHECK_EXACT("sum", 3, .x = "i 1 2", .p.wide = true);
    CHECK_EXACT("sum", 0.3, .x = "d 0.1 0.2", .p.wide = true);
    CHECK_NULL("range", .x = "i 9223372036854775807 -1");
    CHECK_EXACT("range", 0x1p63, .x = "i 9223372036854775807 -1", .p.wide = true);
    CHECK_NULL("delta", .x = "i 9223372036854775807 -9223372036854775807");
    CHECK_EXACT("delta", -0x1p64, .x = "i 9223372036854775807 -9223372036854775807",
                .p.wide = true);
}
END_TEST

START_TEST(test_sums_of_decimals_are_exact)
{
    CHECK_EXACT("sum", 0.3, .x = "d 0.1 0.2"); /* 0.1 + 0.2 is 0.30000000000000004 */
    CHECK_EXACT("sum", 1, .x = "d 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1");
    CHECK_EXACT("mean", 0.1, .x = "d 0.1 0.1 0.1");
    CHECK_EXACT("mean", -55.1, .x = "d -55.1 . -55.1");
    CHECK_EXACT("sum", 99999999999999.9 * 1, .x = "d 99999999999999.9");
    CHECK_EXACT("sum", 0, .x = "d 99999999999999.9 -99999999999999.9");
}
END_TEST

START_TEST(test_sums_of_floats_run_from_the_oldest)
{
    CHECK_EXACT("sum", 0.1 + 0.2 + 0.3, .x = "f 0.1 0.2 0.3");
    CHECK_EXACT("sum", 0, .x = "f 1 1e100 -1e100");
    CHECK_EXACT("sum", 1, .x = "f 1e100 . -1e100 1");
    CHECK_NULL("sum", .x = "f 1.7e308 1.7e308"); /* not finite */
    CHECK_EXACT("mean", (0.1 + 0.2) / 2, .x = "f 0.1 . 0.2");
}
END_TEST

START_TEST(test_mean_and_rate)
{
    CHECK_EXACT("mean", 7.0 / 3, .x = "i 1 2 . 4");
    CHECK_EXACT("mean", 0.5, .x = "b 1 0 .");
    CHECK_EXACT("rate", 2.0 / 3, .x = "b 1 . 0 1");
    CHECK_EXACT(
        "mean", 0x1p62,
        .x = "i 4611686018427387904 4611686018427387904 4611686018427387904 4611686018427387904");
}
END_TEST

START_TEST(test_calculations_after_a_condition)
{
    CHECK_INT("count_if", 2, .x = "b 1 0 . 1");
    CHECK_INT("count_if", 0, .x = "b 0 .");
    CHECK_INT("sum_if", 5, .x = "i 1 2 . 4", .y = "b 1 0 1 1");
    CHECK_EXACT("sum_if", 0.3, .x = "d 0.1 0.2 5", .y = "b 1 1 .");
    CHECK_EXACT("mean_if", 2.5, .x = "i 1 2 . 4", .y = "b 1 . 1 1");
    CHECK_EXACT("mean_if", 1.5, .x = "f 1.5 2 . 4", .y = "b 1 0 1 0");
    CHECK_ROW("min_if", 2, .x = "i 0 9 5 7", .y = "b 0 1 1 .");
    CHECK_ROW("max_if", 1, .x = "s d c b .", .y = "b 0 1 1 1");
    CHECK_NULL("sum_if", .x = "i 1 2", .y = "b 0 .");
    CHECK_NULL("mean_if", .x = "i 1 .", .y = "b 0 1");
    CHECK_NULL("min_if", .x = "i 1 2", .y = "b 0 0");
    CHECK_NULL("max_if", .x = "i . .", .y = "b 1 1");
}
END_TEST

/* ---- values of one row ---- */

START_TEST(test_min_and_max_compare_in_the_type_of_the_values)
{
    CHECK_ROW("min", 1, .x = "i 3 -1 . 2");
    CHECK_ROW("max", 0, .x = "i 3 -1 . 2");
    CHECK_ROW("max", 1, .x = "i 9007199254740992 9007199254740993"); /* equal as doubles */
    CHECK_ROW("min", 1, .x = "i 9007199254740993 9007199254740992");
    CHECK_ROW("min", 2, .x = "f . 0.5 -0.5");
    CHECK_ROW("max", 2, .x = "d 55.1 54.9 55.2");
    CHECK_ROW("min", 1, .x = "s b a c");
    CHECK_ROW("max", 2, .x = "s b a c");
    CHECK_ROW("max", 1, .x = "D 5 18000 .");
    CHECK_ROW("min", 2, .x = "t 5 7 -9");
    CHECK_ROW("max", 1, .x = "b 0 1 1");
    CHECK_ROW("min", 0, .x = "b 0 1 0");
}
END_TEST

START_TEST(test_range)
{
    CHECK_INT("range", 10, .x = "i 3 -1 . 9");
    CHECK_INT("range", 0, .x = "i 3");
    CHECK_INT("range", 1, .x = "b 0 1");
    CHECK_EXACT("range", 1.25, .x = "f 0.5 -0.75 .");
}
END_TEST

START_TEST(test_first_last_and_lag_answer_the_row_as_it_is)
{
    CHECK_ROW("first", 0, .x = "i 7 8 9");
    CHECK_ROW("last", 2, .x = "i 7 8 9");
    CHECK_ROW("lag", 2, .x = "i 7 8 9", .p.number = 1);
    CHECK_ROW("lag", 0, .x = "i 7 8 9", .p.number = 3);
    CHECK_NULL("lag", .x = "i 7 8 9", .p.number = 4);
    CHECK_NULL("lag", .x = "i 7 8 9", .p.number = 1e9);
    CHECK_NULL("first", .x = "s . a b");
    CHECK_NULL("last", .x = "f 1 2 .");
    CHECK_NULL("lag", .x = "f 1 . 3", .p.number = 2);
}
END_TEST

START_TEST(test_delta_and_pct_change_read_the_newest_two_rows)
{
    CHECK_INT("delta", -3, .x = "i 100 5 2");
    CHECK_INT("delta", 1, .x = "b 0 1");
    CHECK_EXACT("delta", 0.5, .x = "f 1.5 2");
    CHECK_NULL("delta", .x = "i 5");
    CHECK_NULL("delta", .x = "i 5 . 2");
    CHECK_NULL("delta", .x = "i 5 2 .");
    CHECK_EXACT("pct_change", 0.25, .x = "i 7 4 5");
    CHECK_EXACT("pct_change", -0.5, .x = "f 4 2");
    CHECK_NULL("pct_change", .x = "i 0 5");
    CHECK_NULL("pct_change", .x = "i 0 0");
    CHECK_NULL("pct_change", .x = "i 5");
    CHECK_NULL("pct_change", .x = "i 5 . 6");
}
END_TEST

START_TEST(test_best_by_takes_the_most_recent_of_equals)
{
    CHECK_ROW("best_by", 2, .x = "i 10 20 30 40", .y = "f 1 5 5 2");
    CHECK_ROW("best_by", 1, .x = "s a b . d", .y = "i 1 5 9 .");
    CHECK_ROW("best_by", 0, .x = "i 1 2", .y = "i 9007199254740993 9007199254740992");
    CHECK_NULL("best_by", .x = "i 1 .", .y = "i . 2");
}
END_TEST

/* ---- spread: values of pandas 1.5 (var, std, skew, kurt; ddof=0 for the others) ---- */

#define PI_DIGITS "i 3 1 4 1 5 9 2 6"
#define PI_DIGITS_NULLS "f . 3 1 . . 4 1 5 9 2 6 ."

START_TEST(test_spread_is_as_in_pandas)
{
    CHECK_FLOAT("var", 7.553571428571429, .x = PI_DIGITS);
    CHECK_FLOAT("std", 2.748376143938713, .x = PI_DIGITS);
    CHECK_FLOAT("var0", 6.609375, .x = PI_DIGITS);
    CHECK_FLOAT("std0", 2.5708704751503917, .x = PI_DIGITS);
    CHECK_FLOAT("skew", 0.8335031385336659, .x = PI_DIGITS);
    CHECK_FLOAT("kurt", 0.27660580453699435, .x = PI_DIGITS);
    CHECK_FLOAT("std", 2.748376143938713, .x = PI_DIGITS_NULLS);
    CHECK_FLOAT("skew", 0.8335031385336659, .x = PI_DIGITS_NULLS);
    CHECK_FLOAT("kurt", 0.27660580453699435, .x = PI_DIGITS_NULLS);
    CHECK_FLOAT("std", sqrt(1.0 / 3), .x = "b 1 0 . 1");
}
END_TEST

START_TEST(test_spread_needs_enough_values)
{
    CHECK_NULL("std", .x = "i . 5 .");
    CHECK_NULL("var", .x = "i 5");
    CHECK_EXACT("std0", 0, .x = "i 5");
    CHECK_EXACT("var0", 0, .x = "i 5");
    CHECK_NULL("skew", .x = "i 5 6");
    CHECK_FLOAT("skew", 1.7320508075688772, .x = "i 5 6 5"); /* sqrt(3) */
    CHECK_NULL("kurt", .x = "i 5 6 7");
    CHECK_FLOAT("kurt", -6, .x = "i 0 1 1 0");
    CHECK_NULL("skew", .x = "f 1e200 2e200 4e200");
    CHECK_NULL("kurt", .x = "f 1e200 2e200 4e200 9e200");
}
END_TEST

START_TEST(test_a_constant_window_has_no_spread_at_all)
{
#define CONSTANT "d 55.1 55.1 55.1 55.1 . 55.1 55.1 55.1 55.1 55.1 55.1 55.1 55.1 55.1"
    CHECK_EXACT("std", 0, .x = CONSTANT);
    CHECK_EXACT("var0", 0, .x = CONSTANT);
    CHECK_NULL("skew", .x = CONSTANT);
    CHECK_NULL("kurt", .x = CONSTANT);
    CHECK_EXACT("mad", 0, .x = CONSTANT);
    CHECK_EXACT("slope", 0, .x = CONSTANT);
    CHECK_EXACT("ewma", 55.1, .x = CONSTANT, .p.number = 3);
    CHECK_EXACT("median", 55.1, .x = CONSTANT);
    CHECK_EXACT("quantile", 55.1, .x = CONSTANT, .p.number = 0.37);
}
END_TEST

START_TEST(test_a_large_mean_does_not_cancel_the_spread)
{
#define BILLION                                                                                    \
    "f 1000000003 1000000001 1000000004 1000000001 1000000005 1000000009 1000000002 1000000006"
    CHECK_FLOAT("std", 2.748376143938713, .x = BILLION);
    CHECK_FLOAT("skew", 0.8335031385336659, .x = BILLION);
    CHECK_FLOAT("kurt", 0.27660580453699435, .x = BILLION);
    CHECK_EXACT("slope", answer("slope", GIVEN(.x = PI_DIGITS)).value.f, .x = BILLION);
    /* 2^60, 2^60 + 1, 2^60 + 2: one and the same as doubles */
    CHECK_EXACT("std", 1, .x = "i 1152921504606846976 1152921504606846977 1152921504606846978");
    CHECK_NULL("std", .x = "f 1e308 -1e308"); /* not finite */
}
END_TEST

/* ---- quantiles: numpy's default method, type 7 ---- */

START_TEST(test_quantiles_are_as_in_numpy)
{
    CHECK_FLOAT("median", 3.5, .x = PI_DIGITS);
    CHECK_FLOAT("quantile", 6.9, .x = PI_DIGITS, .p.number = 0.9);
    CHECK_FLOAT("quantile", 1.75, .x = PI_DIGITS_NULLS, .p.number = 0.25);
    CHECK_EXACT("quantile", 1, .x = PI_DIGITS, .p.number = 0);
    CHECK_EXACT("quantile", 9, .x = PI_DIGITS, .p.number = 1);
    CHECK_FLOAT("mad", 2, .x = PI_DIGITS);
    CHECK_FLOAT("iqr", 3.5, .x = PI_DIGITS);
    CHECK_EXACT("median", 7, .x = "i . 7 .");
    CHECK_EXACT("iqr", 0, .x = "i 7");
    CHECK_EXACT("mad", 0, .x = "i 7");
    CHECK_EXACT("median", 0.5, .x = "b 0 1");
}
END_TEST

/* ---- how often values come ---- */

START_TEST(test_nunique_counts_different_values)
{
    CHECK_INT("nunique", 3, .x = "i 1 2 1 . 3");
    CHECK_INT("nunique", 2, .x = "i 9007199254740992 9007199254740993");
    CHECK_INT("nunique", 2, .x = "f 0 -0 0.5 .");
    CHECK_INT("nunique", 2, .x = "s a b a");
    CHECK_INT("nunique", 2, .x = "b 1 0 1");
    CHECK_INT("nunique", 1, .x = "D 5 5");
}
END_TEST

START_TEST(test_mode_takes_the_most_recent_of_equals)
{
    CHECK_ROW("mode", 2, .x = "s a b a c");
    CHECK_ROW("mode", 3, .x = "s a b a b");
    CHECK_ROW("mode", 3, .x = "i 1 2 . 3");
    CHECK_ROW("mode", 3, .x = "f 1 2 2 1");
    CHECK_ROW("mode", 0, .x = "t 5 .");
}
END_TEST

START_TEST(test_top_share_and_entropy_leave_nulls_out)
{
    CHECK_EXACT("top_share", 0.5, .x = "s a b a . c");
    CHECK_EXACT("top_share", 1, .x = "i 4");
    CHECK_FLOAT("entropy", 1.4591479170272446, .x = "i 1 1 2 3 3 3"); /* numpy */
    CHECK_EXACT("entropy", 1, .x = "s a b . b a");
    CHECK_EXACT("entropy", 0, .x = "s a a");
    CHECK_EXACT("entropy", 2, .x = "f 1 2 3 4");
}
END_TEST

/* ---- along the rows and the calendar ---- */

START_TEST(test_slopes_are_as_in_numpy)
{
#define DAYS "i 0 7 9 20 21 35 36 60"
    CHECK_FLOAT("slope", 0.5357142857142856, .x = PI_DIGITS);
    CHECK_FLOAT("slope_by_day", 0.06974569932685114, .x = PI_DIGITS, .days = DAYS);
    /* over values that are not null, renumbered; days stay what they are */
    CHECK_FLOAT("slope", 0.3, .x = "i 3 . 4 1 . 9 2 .");
    CHECK_FLOAT("slope_by_day", 0.06287425149700593, .x = "i 3 . 4 1 . 9 2 .", .days = DAYS);
    CHECK_EXACT("slope", 2, .x = "i 1 3 5");
    CHECK_EXACT("slope_by_day", 2, .x = "i 1 5", .days = "i 18000 18002");
    CHECK_EXACT("slope_by_day", 2, .x = "i 1 5", .hours = "i 47 72"); /* days 1 and 3 */
    CHECK_NULL("slope", .x = "i . 5 .");
    CHECK_NULL("slope_by_day", .x = "i 5 6", .days = "i 7 7");
    CHECK_NULL("slope_by_day", .x = "i 5 6", .hours = "i 24 47");
}
END_TEST

START_TEST(test_ewma_is_as_in_pandas)
{
#define NULLS "i 3 . 4 1 . 9 2 ."
#define HOURS "i 0 6 30 37 100 101 160 190"
    CHECK_FLOAT("ewma", 4.695430500338413, .x = PI_DIGITS, .p.number = 2);
    CHECK_FLOAT("ewma", 4.1436463666839245, .x = NULLS, .p.number = 2);
    CHECK_FLOAT("ewma", 5.106259438866108, .x = PI_DIGITS, .days = DAYS, .p.number = 14,
                .p.by_days = true);
    CHECK_FLOAT("ewma", 4.434371306064532, .x = NULLS, .days = DAYS, .p.number = 14,
                .p.by_days = true);
    CHECK_FLOAT("ewma", 4.813518400599765, .x = PI_DIGITS, .hours = HOURS, .p.number = 1.5,
                .p.by_days = true);
    CHECK_FLOAT("ewma", 3.532358504828605, .x = NULLS, .hours = HOURS, .p.number = 1.5,
                .p.by_days = true);
    CHECK_EXACT("ewma", 7, .x = "f . 7 . .", .p.number = 2);
    /* a halflife so short that the past is forgotten entirely */
    CHECK_EXACT("ewma", 9, .x = "f 7 9", .days = "i 0 9000", .p.number = 1e-3, .p.by_days = true);
    /* rows of one day weigh the same */
    CHECK_EXACT("ewma", 8, .x = "f 7 9", .days = "i 5 5", .p.number = 3, .p.by_days = true);
}
END_TEST

START_TEST(test_streaks_take_null_for_false)
{
    CHECK_INT("streak", 2, .x = "b 1 0 1 1");
    CHECK_INT("streak", 0, .x = "b 1 1 .");
    CHECK_INT("streak", 3, .x = "b 1 1 1");
    CHECK_INT("streak", 0, .x = "b . .");
    CHECK_INT("max_streak", 2, .x = "b 1 . 1 1 0 1");
    CHECK_INT("max_streak", 0, .x = "b 0 .");
    CHECK_INT("rows_since", 0, .x = "b 0 1");
    CHECK_INT("rows_since", 2, .x = "b 1 . 0");
    CHECK_NULL("rows_since", .x = "b 0 .");
}
END_TEST

START_TEST(test_days_count_from_the_cutoffs_date)
{
    CHECK_INT("days_since_last", 5, .days = "i 2 4 10", .cutoff_day = 15);
    CHECK_INT("days_since_first", 13, .days = "i 2 4 10", .cutoff_day = 15);
    CHECK_INT("days_since", 11, .x = "b 1 1 .", .days = "i 2 4 10", .cutoff_day = 15);
    CHECK_NULL("days_since", .x = "b 0 .", .days = "i 2 4", .cutoff_day = 15);
    /* by timestamps: dates, not hours; 47 h is day 1, -1 h is day -1 */
    CHECK_INT("days_since_last", 1, .hours = "i 3 47", .cutoff_day = 2);
    CHECK_INT("days_since_first", 3, .hours = "i -1 47", .cutoff_day = 2);
    CHECK_INT("days_since", 2, .x = "b 1 0", .hours = "i 3 47", .cutoff_day = 2);
    CHECK_INT("days_since_last", 1, .hours = "i 3 47", .cutoff_day = 2, .cutoff_hour = 23);
    CHECK_INT("days_since_last", 4, .days = "i -5", .cutoff_day = 0, .cutoff_hour = -1);
}
END_TEST

START_TEST(test_mean_gap_days)
{
    CHECK_EXACT("mean_gap_days", 4, .days = "i 2 4 10");
    CHECK_EXACT("mean_gap_days", 0, .days = "i 2 2");
    CHECK_EXACT("mean_gap_days", 0.5, .hours = "i 1 23 25");
    CHECK_NULL("mean_gap_days", .days = "i 2");
}
END_TEST

/* ---- random windows ---- */

static uint64_t random_state;

static uint64_t random_next(void) /* xorshift64* */
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(2685821657736338717);
}
static int64_t random_below(int64_t n)
{
    return (int64_t)(random_next() >> 33) % n;
}

enum { RANDOM_MAX = 300, RANDOM_WINDOWS = 4000 };
struct random_window {
    struct window w;
    union {
        uint8_t b[RANDOM_MAX];
        int64_t i[RANDOM_MAX];
        double f[RANDOM_MAX];
        int32_t code[RANDOM_MAX];
    };
    uint8_t valid[RANDOM_MAX];
};

/* Short ones mostly; few different values, so that there are ties; shapes that are hard for
 * selection, too. */
static void random_window(struct random_window *ret)
{
    static const enum type types[] = {TYPE_BOOL,  TYPE_INT,  TYPE_DECIMAL,
                                      TYPE_FLOAT, TYPE_DATE, TYPE_STRING};
    enum type type = types[random_below(6)];
    int64_t n = random_below(4) ? random_below(40) : random_below(RANDOM_MAX);
    int64_t different = 1 + random_below(random_below(2) ? 5 : 100000);
    int64_t sorted = random_below(4), nulls = random_below(3);
    for (int64_t k = 0; k < n; k++) {
        int64_t v = random_below(different) - different / 2;
        v = sorted == 0 ? k / 3 : sorted == 1 ? llabs(n / 2 - k) : v;
        ret->valid[k] = nulls == 0 || random_below(4) > 0;
        if (type == TYPE_BOOL)
            ret->b[k] = ret->valid[k] && (v & 1);
        else if (type == TYPE_STRING)
            ret->code[k] = ret->valid[k] ? (int32_t)llabs(v) : 0;
        else if (type == TYPE_FLOAT || type == TYPE_DECIMAL)
            ret->f[k] = ret->valid[k] ? (double)v / 100 : 0;
        else
            ret->i[k] = ret->valid[k] ? v : 0;
    }
    if (!scratch)
        scratch = calc_scratch_new();
    ret->w = (struct window){.n = n, .scratch = scratch};
    ret->w.arg[0] = (struct series){.type = type,
                                    .scale = type == TYPE_DECIMAL ? 2 : 0,
                                    .data = ret->b,
                                    .valid = nulls ? ret->valid : NULL};
}

static bool random_has(const struct random_window *r, int64_t row)
{
    return !r->w.arg[0].valid || r->valid[row];
}

static double random_value(const struct random_window *r, int64_t row)
{
    switch (r->w.arg[0].type) {
    case TYPE_BOOL:
        return r->b[row];
    case TYPE_STRING:
        return r->code[row];
    case TYPE_FLOAT:
    case TYPE_DECIMAL:
        return r->f[row];
    default:
        return (double)r->i[row];
    }
}

static struct answer random_answer(const struct random_window *r, const char *name, double number)
{
    struct answer ret = {0};
    struct calc_params p = {.number = number};
    ret.has = calc_find(name)->window(&r->w, &p, &ret.value);
    return ret;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int64_t random_sorted(const struct random_window *r, double *ret)
{
    int64_t count = 0;
    for (int64_t k = 0; k < r->w.n; k++) {
        if (random_has(r, k))
            ret[count++] = random_value(r, k);
    }
    qsort(ret, (size_t)count, sizeof(*ret), compare_doubles);
    return count;
}

START_TEST(test_quantiles_of_random_windows)
{
    random_state = 11;
    for (int round = 0; round < RANDOM_WINDOWS; round++) {
        struct random_window r;
        double sorted[RANDOM_MAX];
        random_window(&r);
        if (!type_is_number(r.w.arg[0].type))
            continue;
        int64_t n = random_sorted(&r, sorted);
        double q = (double)random_below(101) / 100;
        struct answer got = random_answer(&r, "quantile", q);
        ck_assert_int_eq(got.has, n > 0);
        if (n == 0)
            continue;
        double at = q * (double)(n - 1);
        int64_t below = (int64_t)at, above = below + 1 < n ? below + 1 : below;
        double expected = sorted[below] + (sorted[above] - sorted[below]) * (at - (double)below);
        ck_assert_double_eq(got.value.f, expected);
        double middle = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
        ck_assert_double_eq_tol(random_answer(&r, "median", 0).value.f, middle, 1e-9);
        double iqr = random_answer(&r, "quantile", 0.75).value.f -
                     random_answer(&r, "quantile", 0.25).value.f;
        ck_assert_double_eq(random_answer(&r, "iqr", 0).value.f, iqr);
    }
}
END_TEST

START_TEST(test_frequencies_of_random_windows)
{
    random_state = 12;
    for (int round = 0; round < RANDOM_WINDOWS; round++) {
        struct random_window r;
        random_window(&r);
        int64_t different = 0, most = 0, mode = -1, values = 0;
        for (int64_t k = 0; k < r.w.n; k++) {
            int64_t same = 0, before = 0;
            for (int64_t j = 0; j < r.w.n && random_has(&r, k); j++) {
                bool equal = random_has(&r, j) && random_value(&r, j) == random_value(&r, k);
                same += equal;
                before += equal && j < k;
            }
            values += random_has(&r, k);
            different += random_has(&r, k) && before == 0;
            if (random_has(&r, k) && same >= most) {
                most = same;
                mode = k;
            }
        }
        ck_assert_int_eq(random_answer(&r, "nunique", 0).value.i, different);
        struct answer got = random_answer(&r, "mode", 0);
        ck_assert_int_eq(got.has ? got.value.i : -1, mode);
        got = random_answer(&r, "top_share", 0);
        ck_assert(got.has == (values > 0));
        ck_assert(!got.has || got.value.f == (double)most / (double)values);
    }
}
END_TEST

START_TEST(test_prefix_sums_give_the_very_same_bits)
{
    static const char *const names[] = {"count", "sum", "mean", "rate"};
    random_state = 13;
    for (int round = 0; round < RANDOM_WINDOWS; round++) {
        struct random_window r;
        random_window(&r);
        const struct series *x = &r.w.arg[0];
        if (x->type != TYPE_BOOL && x->type != TYPE_INT && x->type != TYPE_DECIMAL)
            continue;
        __int128 sum = 0;
        int64_t n = 0;
        for (int64_t k = 0; k < r.w.n; k++) {
            double unit = x->type == TYPE_DECIMAL ? 100 : 1;
            sum += random_has(&r, k) ? llround(random_value(&r, k) * unit) : 0;
            n += random_has(&r, k);
        }
        for (int i = 0; i < 4; i++) {
            struct answer sums = {0}, window = random_answer(&r, names[i], 0);
            sums.has = calc_find(names[i])->sums(sum, n, x->type, x->scale, &sums.value);
            ck_assert_int_eq(sums.has, window.has);
            ck_assert(!sums.has || memcmp(&sums.value, &window.value, sizeof(sums.value)) == 0);
        }
    }
}
END_TEST

START_TEST(test_nulls_between_the_values_change_no_aggregate)
{
    random_state = 14;
    for (int round = 0; round < RANDOM_WINDOWS; round++) {
        struct random_window r, dense;
        random_window(&r);
        dense = r;
        int64_t n = 0;
        for (int64_t k = 0; k < r.w.n; k++) {
            size_t size = type_bytes(r.w.arg[0].type);
            memcpy(dense.b + (size_t)n * size, r.b + (size_t)k * size, size);
            n += random_has(&r, k);
        }
        dense.w.n = n;
        dense.w.arg[0].data = dense.b;
        dense.w.arg[0].valid = NULL;
        for (int i = 0; i < N_WINDOW; i++) {
            const struct calc *c = calc_find(window_names[i]);
            bool number = type_is_number(r.w.arg[0].type);
            if (!(c->places & CALC_GROUP) || c->result == RESULT_ROW || strlen(c->args) != 1 ||
                (c->args[0] == 'n' && !number) ||
                (c->args[0] == 'c' && r.w.arg[0].type != TYPE_BOOL))
                continue;
            struct answer a = random_answer(&r, c->name, 0.3),
                          b = random_answer(&dense, c->name, 0.3);
            ck_assert_msg(a.has == b.has && memcmp(&a.value, &b.value, sizeof(a.value)) == 0, "%s",
                          c->name);
        }
    }
}
END_TEST

/* ---- functions that are the same everywhere ---- */

START_TEST(test_exp2_and_log2_are_within_four_units_of_the_exact_value)
{
    random_state = 15;
    for (int round = 0; round < 200000; round++) {
        double x = ((double)random_next() / 0x1p64 - 0.5) * (round % 2 ? 2040 : 4);
        double exact = exp2(x), got = steady_exp2(x);
        ck_assert_double_le(fabs(got - exact), 4 * (nextafter(exact, INFINITY) - exact));
        double log_exact = log2(exact), log_got = steady_log2(exact);
        double unit = nextafter(fabs(log_exact), INFINITY) - fabs(log_exact);
        ck_assert_double_le(fabs(log_got - log_exact), 4 * unit);
    }
    ck_assert_double_eq(steady_exp2(-3), 0.125);
    ck_assert_double_eq(steady_exp2(0), 1);
    ck_assert_double_eq(steady_exp2(-1022), 0x1p-1022);
    ck_assert_double_eq(steady_exp2(-1e6), 0);
    ck_assert_double_eq(steady_log2(1), 0);
    ck_assert_double_eq(steady_log2(1024), 10);
    ck_assert_double_eq(steady_log2(0x1p-40), -40);
}
END_TEST

static Suite *calc_suite(void)
{
    Suite *suite = suite_create("calc");
    TCase *tc = tcase_create("windows");
    tcase_set_timeout(tc, 120);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, test_every_calculation_is_in_the_table_once);
    tcase_add_test(tc, test_every_row_of_the_table_is_complete);
    tcase_add_test(tc, test_an_empty_window_is_null_and_counts_are_0);
    tcase_add_test(tc, test_a_window_of_nulls_is_like_an_empty_one);
    tcase_add_test(tc, test_count_counts_rows_or_values);
    tcase_add_test(tc, test_sums_of_integers_and_bools_are_integers);
    tcase_add_test(tc, test_a_sum_that_no_integer_holds_is_null_or_wide);
    tcase_add_test(tc, test_sums_of_decimals_are_exact);
    tcase_add_test(tc, test_sums_of_floats_run_from_the_oldest);
    tcase_add_test(tc, test_mean_and_rate);
    tcase_add_test(tc, test_calculations_after_a_condition);
    tcase_add_test(tc, test_min_and_max_compare_in_the_type_of_the_values);
    tcase_add_test(tc, test_range);
    tcase_add_test(tc, test_first_last_and_lag_answer_the_row_as_it_is);
    tcase_add_test(tc, test_delta_and_pct_change_read_the_newest_two_rows);
    tcase_add_test(tc, test_best_by_takes_the_most_recent_of_equals);
    tcase_add_test(tc, test_spread_is_as_in_pandas);
    tcase_add_test(tc, test_spread_needs_enough_values);
    tcase_add_test(tc, test_a_constant_window_has_no_spread_at_all);
    tcase_add_test(tc, test_a_large_mean_does_not_cancel_the_spread);
    tcase_add_test(tc, test_quantiles_are_as_in_numpy);
    tcase_add_test(tc, test_nunique_counts_different_values);
    tcase_add_test(tc, test_mode_takes_the_most_recent_of_equals);
    tcase_add_test(tc, test_top_share_and_entropy_leave_nulls_out);
    tcase_add_test(tc, test_slopes_are_as_in_numpy);
    tcase_add_test(tc, test_ewma_is_as_in_pandas);
    tcase_add_test(tc, test_streaks_take_null_for_false);
    tcase_add_test(tc, test_days_count_from_the_cutoffs_date);
    tcase_add_test(tc, test_mean_gap_days);
    tcase_add_test(tc, test_quantiles_of_random_windows);
    tcase_add_test(tc, test_frequencies_of_random_windows);
    tcase_add_test(tc, test_prefix_sums_give_the_very_same_bits);
    tcase_add_test(tc, test_nulls_between_the_values_change_no_aggregate);
    tcase_add_test(tc, test_exp2_and_log2_are_within_four_units_of_the_exact_value);
    return suite;
}

UNIT_MAIN(calc_suite)

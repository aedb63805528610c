/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_calc_use.c - calls of calculations: what is understood, what is refused and in which words.
 */
#include "unit.h"

#include <math.h>

#include "features/calc.h"

struct parsed { /* one call, for a test's duration */
    struct call *call;
    struct calc_use use;
    struct err err;
    int r;
};

static void parsed_deinit(struct parsed *p)
{
    call_free(p->call);
}
MEM_CLEANUP_VALUE(parsed_deinit, struct parsed);

static void parse(struct parsed *ret, const char *text, enum calc_place place, bool others)
{
    *ret = (struct parsed){0};
    ck_assert_msg(call_parse(text, &ret->call, &ret->err) == 0, "%s", ret->err.text);
    ret->r = calc_use(ret->call, place, others, &ret->use, &ret->err);
}

static struct calc_params params_of(const char *text, enum calc_place place)
{
    CLEANUP(parsed_deinit) struct parsed p;
    parse(&p, text, place, false);
    ck_assert_msg(p.r == 0, "%s: %s", text, p.err.text);
    return p.use.params;
}

/* Refused, and the message holds these words. */
static void check_refused(const char *text, enum calc_place place, bool others, const char *words)
{
    CLEANUP(parsed_deinit) struct parsed p;
    parse(&p, text, place, others);
    ck_assert_msg(p.r == ERR_INPUT, "%s is accepted", text);
    ck_assert_msg(strstr(p.err.text, words), "%s: \"%s\" does not say \"%s\"", text, p.err.text,
                  words);
}

START_TEST(test_every_usage_is_understood)
{
    static const char *const window_calls[] = {
        "count()",
        "count(x)",
        "sum(x)",
        "mean(x)",
        "min(x)",
        "max(x)",
        "range(x)",
        "std(x)",
        "var(x)",
        "std0(x)",
        "var0(x)",
        "skew(x)",
        "kurt(x)",
        "median(x)",
        "quantile(x, 0.9)",
        "mad(x)",
        "iqr(x)",
        "first(x)",
        "last(x)",
        "lag(x, 2)",
        "delta(x)",
        "pct_change(x)",
        "nunique(x)",
        "mode(x)",
        "top_share(x)",
        "entropy(x)",
        "rate(x > 1)",
        "count_if(x > 1)",
        "sum_if(x, y > 1)",
        "mean_if(x, y > 1)",
        "min_if(x, y > 1)",
        "max_if(x, y > 1)",
        "streak(x == 1)",
        "max_streak(x == 1)",
        "days_since_last()",
        "days_since_first()",
        "days_since(x == 1)",
        "rows_since(x == 1)",
        "mean_gap_days()",
        "best_by(x, y)",
        "slope(x)",
        "slope_by_day(x)",
        "ewma(x, halflife_rows=3)",
        "ewma(x, halflife_days=30)",
    };
    static const char *const group_calls[] = {
        "size()",
        "rank(x)",
        "rank(x, desc)",
        "rank(x, avg)",
        "rank(x, desc, dense)",
        "pct_rank(x)",
        "zscore(x)",
        "share(x)",
        "diff_mean(x)",
        "diff_best(x)",
        "diff_best(x, asc)",
        "gap_to(x, 2)",
        "gap_to(x, 2, asc)",
        "mean(x)",
        "count()",
        "best_by(x, y)",
    };
    for (size_t i = 0; i < sizeof(window_calls) / sizeof(window_calls[0]); i++)
        params_of(window_calls[i], CALC_WINDOW);
    for (size_t i = 0; i < sizeof(group_calls) / sizeof(group_calls[0]); i++)
        params_of(group_calls[i], CALC_GROUP);
}
END_TEST

START_TEST(test_constants_are_read)
{
    ck_assert_double_eq(params_of("quantile(x, 0.9)", CALC_WINDOW).number, 0.9);
    ck_assert_double_eq(params_of("quantile(x, 1)", CALC_WINDOW).number, 1);
    ck_assert_double_eq(params_of("lag(x, 3)", CALC_WINDOW).number, 3);
    struct calc_params p = params_of("ewma(x, halflife_rows=2.5)", CALC_WINDOW);
    ck_assert(p.number == 2.5 && !p.by_days);
    p = params_of("ewma(x, halflife_days=30)", CALC_WINDOW);
    ck_assert(p.number == 30 && p.by_days);
    p = params_of("gap_to(x, 2, asc)", CALC_GROUP);
    ck_assert(p.number == 2 && p.from_smallest);
    p = params_of("gap_to(x, 2)", CALC_GROUP);
    ck_assert(p.number == 2 && !p.from_smallest);
}
END_TEST

START_TEST(test_rank_takes_an_order_and_a_rule_for_ties)
{
    struct calc_params p = params_of("rank(x)", CALC_GROUP);
    ck_assert(!p.descending && p.ties == TIES_MIN);
    p = params_of("rank(x, desc)", CALC_GROUP);
    ck_assert(p.descending && p.ties == TIES_MIN);
    p = params_of("rank(x, first, desc)", CALC_GROUP);
    ck_assert(p.descending && p.ties == TIES_FIRST);
    p = params_of("rank(x, asc, max)", CALC_GROUP);
    ck_assert(!p.descending && p.ties == TIES_MAX);
    check_refused("rank(x, desc, asc)", CALC_GROUP, false, "contradicts");
    check_refused("rank(x, avg, max)", CALC_GROUP, false, "contradicts");
    check_refused("rank(x, down)", CALC_GROUP, false, "rank takes no down");
    check_refused("zscore(x, desc)", CALC_GROUP, false, "zscore takes no desc");
}
END_TEST

START_TEST(test_wrong_arguments_show_how_to_write_it)
{
    check_refused("mean()", CALC_WINDOW, false, "mean(x)");
    check_refused("mean(x, 2)", CALC_WINDOW, false, "mean(x)");
    check_refused("mean(x, y + 1)", CALC_WINDOW, false, "mean(x)");
    check_refused("quantile(x)", CALC_WINDOW, false, "quantile(x, q)");
    check_refused("lag(x)", CALC_WINDOW, false, "lag(x, n)");
    check_refused("lag(x, y + 1)", CALC_WINDOW, false, "lag(x, n)");
    check_refused("gap_to(x)", CALC_GROUP, false, "gap_to(x, k)");
    check_refused("sum_if(x)", CALC_WINDOW, false, "sum_if(x, condition)");
    check_refused("days_since_last(x > 1)", CALC_WINDOW, false, "days_since_last()");
    check_refused("ewma(x)", CALC_WINDOW, false, "halflife_rows=N");
    check_refused("ewma(x, halflife=3)", CALC_WINDOW, false, "halflife_rows=N");
    check_refused("ewma(x, halflife_rows=3, halflife_days=4)", CALC_WINDOW, false,
                  "halflife_days=N");
    check_refused("mean(x, halflife_rows=3)", CALC_WINDOW, false, "mean takes no halflife_rows=");
}
END_TEST

START_TEST(test_constants_out_of_range)
{
    check_refused("quantile(x, 90)", CALC_WINDOW, false, "from 0 to 1, not 90");
    check_refused("quantile(x, -0.1)", CALC_WINDOW, false, "from 0 to 1");
    check_refused("lag(x, 0)", CALC_WINDOW, false, "a whole one from 1 to 1000000000, not 0");
    check_refused("lag(x, 1000000001)", CALC_WINDOW, false, "to 1000000000, not 1000000001");
    check_refused("quantile(x, 1.0000001)", CALC_WINDOW, false, "from 0 to 1, not 1.0000001 ");
    check_refused("lag(x, 1.5)", CALC_WINDOW, false, "not 1.5");
    check_refused("gap_to(x, -1)", CALC_GROUP, false, "not -1");
    check_refused("ewma(x, halflife_rows=0)", CALC_WINDOW, false, "greater than 0");
    check_refused("ewma(x, halflife_days=-3)", CALC_WINDOW, false, "greater than 0");
}
END_TEST

START_TEST(test_an_unknown_name_is_answered_with_the_nearest)
{
    check_refused("meen(x)", CALC_WINDOW, false, "did you mean mean(x)?");
    check_refused("medain(x)", CALC_WINDOW, false, "did you mean median(x)?");
    check_refused("avg(x)", CALC_WINDOW, false, "did you mean mean(x)?");
    check_refused("stddev(x)", CALC_WINDOW, false, "did you mean std(x)?");
    check_refused("percentile(x, 0.9)", CALC_WINDOW, false, "did you mean quantile(x, q)?");
    check_refused("brouhaha(x)", CALC_WINDOW, false, "there is no calculation brouhaha");
    check_refused("ln(x)", CALC_WINDOW, false, "as in mean(ln(...))");
}
END_TEST

START_TEST(test_a_calculation_in_the_wrong_place)
{
    check_refused("rank(x)", CALC_WINDOW, false, "needs \"within\"");
    check_refused("size()", CALC_WINDOW, false, "needs \"within\"");
    static const char *const ordered[] = {
        "first(x)",
        "last(x)",
        "lag(x, 1)",
        "delta(x)",
        "pct_change(x)",
        "streak(x > 1)",
        "max_streak(x > 1)",
        "rows_since(x > 1)",
        "days_since(x > 1)",
        "days_since_last()",
        "days_since_first()",
        "mean_gap_days()",
        "slope(x)",
        "slope_by_day(x)",
        "ewma(x, halflife_rows=3)",
    };
    for (size_t i = 0; i < sizeof(ordered) / sizeof(ordered[0]); i++)
        check_refused(ordered[i], CALC_GROUP, false, "needs \"by\"");
}
END_TEST

START_TEST(test_others_with_places_in_the_group)
{
    static const char *const no[] = {"rank(x)", "pct_rank(x)", "zscore(x)", "share(x)",
                                     "gap_to(x, 1)"};
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        check_refused(no[i], CALC_GROUP, true, "does not go with \"others\"");
    static const char *const yes[] = {"size()", "diff_mean(x)", "diff_best(x)",
                                      "max(x)", "mode(x)",      "count_if(x > 1)"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        CLEANUP(parsed_deinit) struct parsed p;
        parse(&p, yes[i], CALC_GROUP, true);
        ck_assert_msg(p.r == 0, "%s: %s", yes[i], p.err.text);
        ck_assert(p.use.params.others);
    }
}
END_TEST

/* The type that comes out of arguments of these types; TYPE_NULL when it is refused. */
static enum type result_type(const char *text, enum type x, enum type y, bool wide, struct err *err)
{
    CLEANUP(parsed_deinit) struct parsed p;
    call_parse(text, &p.call, &p.err);
    bool window = calc_find(p.call->name)->places & CALC_WINDOW;
    parsed_deinit(&p);
    parse(&p, text, window ? CALC_WINDOW : CALC_GROUP, false);
    ck_assert_msg(p.r == 0, "%s: %s", text, p.err.text);
    struct column args[2] = {{.type = x, .scale = x == TYPE_DECIMAL ? 2 : 0}, {.type = y}};
    enum type type = TYPE_NULL;
    int scale = -1;
    p.use.params.wide = wide;
    if (calc_result_type(&p.use, args, &type, &scale, err) < 0)
        return TYPE_NULL;
    ck_assert_int_eq(scale, (type == TYPE_DECIMAL) * 2);
    return type;
}

START_TEST(test_types_that_come_out)
{
    static const struct {
        const char *text;
        enum type x, y, type;
    } cases[] = {
        {"count(x)", TYPE_STRING, 0, TYPE_INT},
        {"nunique(x)", TYPE_DATE, 0, TYPE_INT},
        {"sum(x)", TYPE_INT, 0, TYPE_INT},
        {"sum(x)", TYPE_BOOL, 0, TYPE_INT},
        {"sum(x)", TYPE_DECIMAL, 0, TYPE_FLOAT},
        {"sum(x)", TYPE_FLOAT, 0, TYPE_FLOAT},
        {"mean(x)", TYPE_INT, 0, TYPE_FLOAT},
        {"max(x)", TYPE_INT, 0, TYPE_INT},
        {"max(x)", TYPE_STRING, 0, TYPE_STRING},
        {"last(x)", TYPE_DECIMAL, 0, TYPE_DECIMAL},
        {"mode(x)", TYPE_TIMESTAMP, 0, TYPE_TIMESTAMP},
        {"best_by(x, y)", TYPE_STRING, TYPE_DATE, TYPE_STRING},
        {"min_if(x, y)", TYPE_DATE, TYPE_BOOL, TYPE_DATE},
        {"sum_if(x, y)", TYPE_INT, TYPE_BOOL, TYPE_INT},
        {"rank(x)", TYPE_STRING, 0, TYPE_INT},
        {"rank(x, avg)", TYPE_FLOAT, 0, TYPE_FLOAT},
        {"diff_best(x)", TYPE_INT, 0, TYPE_INT},
        {"gap_to(x, 1)", TYPE_DECIMAL, 0, TYPE_FLOAT},
        {"share(x)", TYPE_INT, 0, TYPE_FLOAT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = {0};
        enum type type = result_type(cases[i].text, cases[i].x, cases[i].y, false, &err);
        ck_assert_msg(type == cases[i].type, "%s: %s %s", cases[i].text, type_name(type), err.text);
    }
    ck_assert_int_eq(result_type("sum(x)", TYPE_INT, 0, true, NULL), TYPE_FLOAT);
    ck_assert_int_eq(result_type("delta(x)", TYPE_INT, 0, true, NULL), TYPE_FLOAT);
    ck_assert_int_eq(result_type("max(x)", TYPE_INT, 0, true, NULL), TYPE_INT);
}
END_TEST

START_TEST(test_types_that_do_not_fit)
{
    struct err err = {0};
    ck_assert_int_eq(result_type("mean(horse)", TYPE_STRING, 0, false, &err), TYPE_NULL);
    ck_assert_ptr_nonnull(strstr(err.text, "mean needs a number, and horse is a string"));
    ck_assert_int_eq(result_type("sum(born)", TYPE_DATE, 0, false, &err), TYPE_NULL);
    ck_assert_ptr_nonnull(strstr(err.text, "days_between"));
    ck_assert_int_eq(result_type("rate(finish)", TYPE_INT, 0, false, &err), TYPE_NULL);
    ck_assert_ptr_nonnull(strstr(err.text, "finish == 1"));
    ck_assert_int_eq(result_type("sum_if(x, y)", TYPE_INT, TYPE_FLOAT, false, &err), TYPE_NULL);
    ck_assert_ptr_nonnull(strstr(err.text, "needs a condition, and y is of type float"));
    ck_assert_int_eq(result_type("max(x)", TYPE_NULL, 0, false, &err), TYPE_NULL);
    ck_assert_ptr_nonnull(strstr(err.text, "always null"));
}
END_TEST

static void check_says(const char *text, enum calc_place place, const char *expected)
{
    CLEANUP(parsed_deinit) struct parsed p;
    CLEANUP(str_deinit) struct str says = {0};
    parse(&p, text, place, false);
    ck_assert_int_eq(p.r, 0);
    calc_say(&p.use, &says);
    ck_assert_str_eq(says.s, expected);
}

START_TEST(test_calculations_in_words)
{
    check_says("count()", CALC_WINDOW, "the number of rows");
    check_says("count(speed)", CALC_WINDOW, "the number of rows where speed is not null");
    check_says("mean(won)", CALC_WINDOW, "the mean of won");
    check_says("quantile(speed, 0.9)", CALC_WINDOW, "the 0.9 quantile of speed");
    check_says("quantile(speed, 0.99999999)", CALC_WINDOW, "the 0.99999999 quantile of speed");
    check_says("best_by(odds, speed)", CALC_WINDOW, "odds of the row with the greatest speed");
    check_says("ewma(speed, halflife_rows=3)", CALC_WINDOW,
               "the mean of speed with weights that halve every 3 rows");
    check_says("ewma(speed, halflife_days=30)", CALC_WINDOW,
               "the mean of speed with weights that halve every 30 days");
    check_says("rank(form, desc)", CALC_GROUP, "the rank of form, the largest first");
    check_says("rank(form, avg)", CALC_GROUP,
               "the rank of form, the smallest first, ties at the mean of their ranks");
    check_says(
        "pct_rank(form, max)", CALC_GROUP,
        "the rank of form from 0 to 1, the smallest first, ties at the greatest of their ranks");
    check_says(
        "rank(form, dense)", CALC_GROUP,
        "the rank of form, the smallest first, ties at one rank and the next at the one after it");
    check_says("rank(form, desc, first)", CALC_GROUP,
               "the rank of form, the largest first, ties in the order of rows");
    check_says("diff_best(form, asc)", CALC_GROUP, "form minus the smallest");
    check_says("gap_to(form, 2)", CALC_GROUP, "form minus number 2 from the largest");
}
END_TEST

static Suite *calc_use_suite(void)
{
    Suite *suite = suite_create("calc_use");
    TCase *tc = tcase_create("calls");
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, test_every_usage_is_understood);
    tcase_add_test(tc, test_constants_are_read);
    tcase_add_test(tc, test_rank_takes_an_order_and_a_rule_for_ties);
    tcase_add_test(tc, test_wrong_arguments_show_how_to_write_it);
    tcase_add_test(tc, test_constants_out_of_range);
    tcase_add_test(tc, test_an_unknown_name_is_answered_with_the_nearest);
    tcase_add_test(tc, test_a_calculation_in_the_wrong_place);
    tcase_add_test(tc, test_others_with_places_in_the_group);
    tcase_add_test(tc, test_types_that_come_out);
    tcase_add_test(tc, test_types_that_do_not_fit);
    tcase_add_test(tc, test_calculations_in_words);
    return suite;
}

UNIT_MAIN(calc_use_suite)

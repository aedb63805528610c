/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_plan_large.c - specs that are long, deep or wide: compiling them takes no more memory than
 * there is, no more stack and no more time than they are worth, and what is said of them is read.
 */
#include "base/utf8.h"
#include "plan_fixture.h"

#define RUNS                                                                                       \
    "{'spec': 1, 'tables': {'runs': {'time': 'day'}}, 'target': {'table': 'runs', 'keep': []}, "   \
    "'features': {"

static void runs(void)
{
    tables(&(struct csv_table){.name = "runs",
                               .time = "day",
                               .csv = "day,horse,x\n2024-01-01,1,3\n2024-01-31,1,1\n"},
           1);
}

static void str_repeat(struct str *out, const char *text, int n)
{
    for (int i = 0; i < n; i++)
        str_addz(out, text);
}

/* ---- onehot ---- */

START_TEST(test_onehot_of_two_thousand_values)
{
    CLEANUP(str_deinit) struct str text = {0};
    runs();
    str_addz(&text, RUNS "'o': {'expr': 'onehot(x, [1");
    for (int i = 2; i <= 2000; i++)
        str_addf(&text, ", %d", i);
    str_addz(&text, "])'}, 's': {'expr': 'o_1 + o_2000'}}}");
    CLEANUP(spec_free) struct spec *spec = spec_of(text.s);
    CLEANUP(mem_free_chars) char *csv = answer(spec, "2024-01-01", 1, false);
    CLEANUP(str_deinit) struct str row = {0};
    str_addz(&row, "\n2024-01-01,0,0,1");
    str_repeat(&row, ",0", 1998);
    str_addz(&row, "\n");
    ck_assert_ptr_nonnull(strstr(csv, row.s));
}
END_TEST

START_TEST(test_a_value_given_twice_is_named)
{
    runs();
    expect_failure(RUNS "'o': {'expr': 'onehot(x, [5, 1, 3, 1, 5])'}}}", "2024-01-31",
                   "features.o: column 21: ", "1 is given twice");
}
END_TEST

START_TEST(test_onehot_of_its_own_column_is_a_cycle)
{
    runs();
    expect_failure(RUNS "'o': {'expr': 'onehot(o_1, [1, 2])'}}}", "2024-01-31", "features.o",
                   "o_1");
    expect_failure(RUNS "'o': {'expr': 'onehot(o_2, [1, 2])'}}}", "2024-01-31", "features.o",
                   "break the cycle");
}
END_TEST

START_TEST(test_a_column_that_onehot_makes_may_not_have_a_features_name)
{
    runs();
    expect_failure(RUNS "'o_2': {'expr': 'x'}, 'o': {'expr': 'onehot(x, [1, 2])'}}}", "2024-01-31",
                   "features.o: ", "'o_2' already");
}
END_TEST

/* ---- long expressions ---- */

/* Blanks in front move the cuts of the excerpt through characters of two and three bytes. */
START_TEST(test_an_error_in_a_long_expression_shows_the_place_and_the_reason)
{
    runs();
    for (int blanks = 0; blanks < 12; blanks++) {
        CLEANUP(str_deinit) struct str text = {0};
        CLEANUP(mem_free_chars) char *column = mem_printf("column %d:", 260 * 8 + blanks + 1);
        str_addz(&text, RUNS "'a': {'expr': '");
        str_repeat(&text, " ", blanks);
        str_repeat(&text, "`hä€` + ", 260);
        str_addz(&text, "* 2");
        str_repeat(&text, " + `hä€`", 300);
        str_addz(&text, "'}}}");
        expect_failure(text.s, "2024-01-31", "features.a: in \"…", "…\": ", column, "+ ", "* 2",
                       "expected an operand after '+', found '*'");
        ck_assert_msg(utf8_valid(fixture_err.text, strlen(fixture_err.text)), "%s",
                      fixture_err.text);
    }
}
END_TEST

START_TEST(test_a_long_argument_does_not_hide_what_is_wrong_with_it)
{
    CLEANUP(str_deinit) struct str text = {0};
    runs();
    str_addz(&text, RUNS "'a': {'by': 'horse', 'calc': 'rate(x");
    str_repeat(&text, " + x", 900);
    str_addz(&text, ")'}}}");
    expect_failure(text.s, "2024-01-31", "features.a", "rate needs a condition", "…",
                   "compare it with something");
}
END_TEST

static Suite *plan_large_suite(void)
{
    Suite *suite = suite_create("plan_large");
    TCase *tc = tcase_create("plan_large");
    tcase_add_checked_fixture(tc, plan_setup, plan_teardown);
    tcase_set_timeout(tc, 120);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, test_onehot_of_two_thousand_values);
    tcase_add_test(tc, test_a_value_given_twice_is_named);
    tcase_add_test(tc, test_onehot_of_its_own_column_is_a_cycle);
    tcase_add_test(tc, test_a_column_that_onehot_makes_may_not_have_a_features_name);
    tcase_add_test(tc, test_an_error_in_a_long_expression_shows_the_place_and_the_reason);
    tcase_add_test(tc, test_a_long_argument_does_not_hide_what_is_wrong_with_it);
    return suite;
}

UNIT_MAIN(plan_large_suite)

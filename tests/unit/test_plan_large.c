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

/* ---- chains ---- */

/* "NAME0": "NAME1 + 1", … down to "NAMEn-1": "x"; or upwards, the last reading the one before. */
static void add_chain(struct str *out, const char *name, int n, bool up)
{
    for (int i = 0; i < n; i++) {
        int read = up ? i - 1 : i + 1;
        if (read >= 0 && read < n)
            str_addf(out, "%s'%s%d': '%s%d + 1'", i ? ", " : "", name, i, name, read);
        else
            str_addf(out, "%s'%s%d': 'x'", i ? ", " : "", name, i);
    }
}

static char *columns_chain(int n, bool up)
{
    struct str text = {0};
    str_addz(&text, "{'spec': 1, 'tables': {'runs': {'time': 'day', 'columns': {");
    add_chain(&text, "c", n, up);
    str_addf(&text,
             "}}}, 'target': {'table': 'runs', 'keep': []}, 'features': "
             "{'f': {'calc': 'last(c%d)', 'by': 'horse'}}}",
             up ? n - 1 : 0);
    return str_take(&text);
}

/* Labels are written as plain texts, and chain like features. */
static char *features_chain(int n, bool up)
{
    struct str text = {0};
    str_addz(&text, RUNS "'a': {'expr': 'x'}}, 'labels': {");
    add_chain(&text, "f", n, up);
    str_addz(&text, "}}");
    return str_take(&text);
}

START_TEST(test_a_chain_of_a_thousand_columns_is_computed)
{
    runs();
    for (int up = 0; up < 2; up++) {
        CLEANUP(mem_free_chars) char *text = columns_chain(1000, up);
        CLEANUP(spec_free) struct spec *spec = spec_of(text);
        CLEANUP(mem_free_chars) char *csv = answer(spec, "2024-01-31", 1, false);
        ck_assert_str_eq(csv, "day,f\n2024-01-31,1002\n");
    }
}
END_TEST

START_TEST(test_a_longer_chain_of_columns_is_refused)
{
    runs();
    for (int up = 0; up < 2; up++) {
        CLEANUP(mem_free_chars) char *one_more = columns_chain(1001, up);
        CLEANUP(mem_free_chars) char *many = columns_chain(10000, up);
        expect_failure(one_more, "2024-01-31", "spec.json: tables.runs.columns.c1000: ", "1000",
                       "as one expression");
        expect_failure(many, "2024-01-31", "spec.json: tables.runs.columns.c1000: ", "1000",
                       "as one expression");
    }
}
END_TEST

START_TEST(test_a_chain_of_a_thousand_features_is_computed_and_a_longer_one_refused)
{
    runs();
    for (int up = 0; up < 2; up++) {
        CLEANUP(mem_free_chars) char *good = features_chain(1000, up);
        CLEANUP(mem_free_chars) char *bad = features_chain(9999, up);
        CLEANUP(spec_free) struct spec *spec = spec_of(good);
        CLEANUP(mem_free_chars) char *csv = answer(spec, "2024-01-31", 1, false);
        ck_assert_ptr_nonnull(strstr(csv, up ? ",999,1000\n" : ",1000,999,"));
        expect_failure(bad, "2024-01-31", "spec.json: labels.f1000: ", "1000", "as one expression");
    }
}
END_TEST

/* Each of a hundred expressions is nearly as deep as one may be, and reads the next at its bottom.
 */
START_TEST(test_deep_expressions_do_not_stand_on_the_stack_inside_each_other)
{
    CLEANUP(str_deinit) struct str text = {0};
    runs();
    str_addz(&text, RUNS);
    for (int i = 0; i < 500; i++) {
        str_addf(&text, "'f%d': {'expr': 'f%d", i, i + 1);
        str_repeat(&text, " + 1", 990);
        str_addz(&text, "'}, ");
    }
    str_addz(&text, "'f500': {'expr': 'x'}}}");
    CLEANUP(spec_free) struct spec *spec = spec_of(text.s);
    CLEANUP(mem_free_chars) char *csv = answer(spec, "2024-01-31", 1, false);
    ck_assert_ptr_nonnull(strstr(csv, "2024-01-31,495001,"));
}
END_TEST

START_TEST(test_a_table_has_at_most_10000_derived_columns)
{
    CLEANUP(str_deinit) struct str text = {0};
    struct spec *spec = NULL;
    str_addz(&text, "{\"spec\": 1, \"tables\": {\"runs\": {\"time\": \"day\", \"columns\": {");
    for (int i = 0; i <= 10000; i++)
        str_addf(&text, "%s\"c%d\": \"x\"", i ? ", " : "", i);
    str_addz(&text, "}}}, \"target\": {\"table\": \"runs\"}, \"features\": {}}");
    const char *const words[] = {"tables.runs.columns.c10000: ", "more than 10000", NULL};
    fixture_expect_words(spec_parse("spec.json", text.s, text.len, &spec, &fixture_err), ERR_INPUT,
                         words);
}
END_TEST

/* ---- texts of columns ---- */

/* c0, c1 = 2 x, cn = cn-1 + cn-2: written out, the text of the last would be of 2^60 terms. */
START_TEST(test_columns_that_read_two_others_each_stay_short)
{
    CLEANUP(str_deinit) struct str text = {0};
    runs();
    str_addz(&text, "{'spec': 1, 'tables': {'runs': {'time': 'day', 'columns': {"
                    "'c0': 'x', 'c1': 'x * 2'");
    for (int i = 2; i <= 60; i++)
        str_addf(&text, ", 'c%d': 'c%d + c%d'", i, i - 1, i - 2);
    str_addz(&text, "}}}, 'target': {'table': 'runs', 'keep': []}, 'features': {"
                    "'f': {'calc': 'last(c60)', 'by': 'horse'},"
                    "'g': {'calc': 'last(c60 + c59)', 'by': 'horse'},"
                    "'h': {'calc': 'max(c60 + c59)', 'by': 'horse'}}}");
    expect(text.s, "2024-01-31",
           "day,f,g,h\n2024-01-31,12158218613643,19672410959526,19672410959526\n");
}
END_TEST

/* Two specs whose columns differ far down only: one must not find the other's index. */
START_TEST(test_a_short_text_is_of_one_column_only)
{
    runs();
    for (int other = 0; other < 2; other++) {
        CLEANUP(str_deinit) struct str text = {0};
        str_addf(&text, "{'spec': 1, 'tables': {'runs': {'time': 'day', 'columns': {'c0': 'x * %d'",
                 other + 2);
        for (int i = 1; i <= 40; i++)
            str_addf(&text, ", 'c%d': 'c%d + c%d'", i, i - 1, i - 1);
        str_addz(&text, "}}}, 'target': {'table': 'runs', 'keep': []}, 'features': {"
                        "'f': {'calc': 'last(c40)', 'by': 'horse'}}}");
        expect(text.s, "2024-01-31",
               other ? "day,f\n2024-01-31,9895604649984\n" : "day,f\n2024-01-31,6597069766656\n");
    }
}
END_TEST

START_TEST(test_a_column_named_like_an_expression_has_an_index_of_its_own)
{
    tables(&(struct csv_table){.name = "runs",
                               .time = "day",
                               .csv = "day,a,b,a + b\n2024-01-01,1,2,7\n2024-01-31,1,2,7\n"},
           1);
    expect(RUNS "'f': {'calc': 'last(a + b)', 'by': 'a'}}}", "2024-01-31", "day,f\n2024-01-31,3\n");
    expect(RUNS "'f': {'calc': 'last(`a + b`)', 'by': 'a'}}}", "2024-01-31",
           "day,f\n2024-01-31,7\n");
}
END_TEST

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
    tcase_add_test(tc, test_a_chain_of_a_thousand_columns_is_computed);
    tcase_add_test(tc, test_a_longer_chain_of_columns_is_refused);
    tcase_add_test(tc, test_a_chain_of_a_thousand_features_is_computed_and_a_longer_one_refused);
    tcase_add_test(tc, test_deep_expressions_do_not_stand_on_the_stack_inside_each_other);
    tcase_add_test(tc, test_a_table_has_at_most_10000_derived_columns);
    tcase_add_test(tc, test_columns_that_read_two_others_each_stay_short);
    tcase_add_test(tc, test_a_short_text_is_of_one_column_only);
    tcase_add_test(tc, test_a_column_named_like_an_expression_has_an_index_of_its_own);
    tcase_add_test(tc, test_onehot_of_two_thousand_values);
    tcase_add_test(tc, test_a_value_given_twice_is_named);
    tcase_add_test(tc, test_onehot_of_its_own_column_is_a_cycle);
    tcase_add_test(tc, test_a_column_that_onehot_makes_may_not_have_a_features_name);
    tcase_add_test(tc, test_an_error_in_a_long_expression_shows_the_place_and_the_reason);
    tcase_add_test(tc, test_a_long_argument_does_not_hide_what_is_wrong_with_it);
    return suite;
}

UNIT_MAIN(plan_large_suite)

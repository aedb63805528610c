/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_str.c - growing strings, whole-string numbers, the nearest word. */
#include "unit.h"

#include <string.h>

#include "base/str.h"

START_TEST(test_a_string_is_terminated_from_its_first_byte_on)
{
    CLEANUP(str_deinit) struct str s = {0};
    str_addz(&s, "one");
    ck_assert_str_eq(s.s, "one");
    str_addc(&s, ' ');
    str_addf(&s, "%d %s", 2, "three");
    ck_assert_str_eq(s.s, "one 2 three");
    ck_assert_uint_eq(s.len, 11);
    str_clear(&s);
    ck_assert_str_eq(s.s, "");
    str_add(&s, "a\0b", 3);
    ck_assert_mem_eq(s.s, "a\0b\0", 4);
}
END_TEST

START_TEST(test_taking_leaves_an_empty_string)
{
    struct str s = {0};
    char *nothing = str_take(&s);
    ck_assert_str_eq(nothing, "");
    free(nothing);
    for (int i = 0; i < 10000; i++)
        str_addc(&s, 'x');
    char *taken = str_take(&s);
    ck_assert_uint_eq(strlen(taken), 10000);
    ck_assert_ptr_null(s.s);
    free(taken);
}
END_TEST

START_TEST(test_starts_and_ends)
{
    ck_assert(str_starts("gs://bucket", "gs://"));
    ck_assert(!str_starts("gs", "gs://"));
    ck_assert(str_ends("2019-10-01.zip", ".zip"));
    ck_assert(!str_ends("zip", ".zip"));
    ck_assert(str_ends("x", ""));
}
END_TEST

START_TEST(test_integers_are_whole_strings_that_fit)
{
    int64_t v = 0;
    ck_assert(str_to_i64("-9223372036854775808", &v) && v == INT64_MIN);
    ck_assert(str_to_i64("9223372036854775807", &v) && v == INT64_MAX);
    ck_assert(str_to_i64("+007", &v) && v == 7);
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x1",
                                      "1e3",
                                      "--1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        v = 42;
        ck_assert_msg(!str_to_i64(bad[i], &v), "\"%s\"", bad[i]);
        ck_assert_int_eq(v, 42);
    }
}
END_TEST

START_TEST(test_doubles_are_finite_decimal_numbers)
{
    double v = 0;
    ck_assert(str_to_f64("0.1", &v) && v == 0.1);
    ck_assert(str_to_f64("-1e-3", &v) && v == -0.001);
    ck_assert(str_to_f64(".5", &v) && v == 0.5);
    ck_assert(str_to_f64("5.", &v) && v == 5);
    ck_assert(str_to_f64("+2E+2", &v) && v == 200);
    ck_assert(str_to_f64("1e-999", &v) && v == 0);
    static const char *const bad[] = {"",    ".",     "-",    "e5",   "1e",  "1e+", "nan",  "inf",
                                      "0x1", "1e999", " 1.0", "1.0 ", "1,5", "1_0", "1.2.3"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!str_to_f64(bad[i], &v), "\"%s\"", bad[i]);
}
END_TEST

START_TEST(test_the_nearest_word_is_near)
{
    static const char *const words[] = {"count", "count_if", "median", "mean", "mean_if", "min"};
    enum { N = sizeof(words) / sizeof(words[0]) };
    ck_assert_str_eq(str_nearest("meen", words, N), "mean");
    ck_assert_str_eq(str_nearest("coutn", words, N), "count");
    ck_assert_str_eq(str_nearest("medain", words, N), "median");
    ck_assert_str_eq(str_nearest("countif", words, N), "count_if");
    ck_assert_str_eq(str_nearest("mx", (const char *const[]){"my", "max"}, 2), "my");
    ck_assert_ptr_null(str_nearest("zscore", words, N));
    ck_assert_ptr_null(str_nearest("x", words, N));
    ck_assert_ptr_null(str_nearest("", words, N));
    ck_assert_ptr_null(str_nearest("mean", words, 0));
    char longer[200];
    memset(longer, 'm', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    ck_assert_ptr_null(str_nearest(longer, words, N));
    const char *only_long[] = {longer};
    ck_assert_ptr_null(str_nearest("mmmm", only_long, 1));
}
END_TEST

static Suite *str_suite(void)
{
    Suite *suite = suite_create("str");
    TCase *t = tcase_create("str");
    tcase_add_test(t, test_a_string_is_terminated_from_its_first_byte_on);
    tcase_add_test(t, test_taking_leaves_an_empty_string);
    tcase_add_test(t, test_starts_and_ends);
    tcase_add_test(t, test_integers_are_whole_strings_that_fit);
    tcase_add_test(t, test_doubles_are_finite_decimal_numbers);
    tcase_add_test(t, test_the_nearest_word_is_near);
    suite_add_tcase(suite, t);
    return suite;
}

UNIT_MAIN(str_suite)

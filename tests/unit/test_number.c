/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_number.c - doubles as text: the same double again, and no shorter text for it. */
#include "unit.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "codec/number.h"

static const char *f64_text(double value)
{
    static char text[NUMBER_TEXT + 1];
    text[number_f64(value, text)] = '\0';
    return text;
}

START_TEST(test_a_double_is_always_seen_to_be_one)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0.0"},
        {-0.0, "-0.0"},
        {2, "2.0"},
        {-55, "-55.0"},
        {0.1, "0.1"},
        {0.2 + 0.1, "0.30000000000000004"},
        {1234.5, "1234.5"},
        {-0.25, "-0.25"},
        {99.05, "99.05"},
        {100000, "100000.0"},
        {9999999999999, "9999999999999.0"},
        {1e15, "1e+15"},
        {1e22, "1e+22"},
        {1.0 / 3, "0.3333333333333333"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {12345678901234568, "12345678901234568.0"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_str_eq(f64_text(cases[i].value), cases[i].text);
}
END_TEST

/* The digits that identify a double, without sign, point, exponent and zeros at either end. */
static int significant_digits(const char *text)
{
    int n = 0, zeros = 0;
    for (const char *p = text; *p && *p != 'e'; p++) {
        if (*p < '0' || *p > '9' || (*p == '0' && n == 0))
            continue;
        n++;
        zeros = *p == '0' ? zeros + 1 : 0;
    }
    return n - zeros;
}

/* The fewest digits with which printf's rounding reads back as the same double. */
static int needed_digits(double value)
{
    for (int n = 1; n < 17; n++) {
        char text[64];
        snprintf(text, sizeof(text), "%.*e", n - 1, value);
        if (strtod(text, NULL) == value)
            return significant_digits(text);
    }
    return 17;
}

/* Large whole numbers stand in plain digits where that is shorter than an exponent. */
static bool is_right(double value)
{
    const char *text = f64_text(value);
    if (fabs(value) >= 1e15 && !strchr(text, 'e'))
        return strtod(text, NULL) == value && strlen(text) <= 25;
    return strlen(text) < NUMBER_TEXT && strtod(text, NULL) == value &&
           signbit(strtod(text, NULL)) == signbit(value) && strpbrk(text, ".e") &&
           significant_digits(text) <= needed_digits(value);
}

START_TEST(test_decimals_read_back_and_are_shortest)
{
    for (int64_t i = -300000; i < 300000; i += 101) {
        static const double scales[] = {1, 10, 100, 1000, 1e6, 3, 1e-3};
        for (size_t k = 0; k < sizeof(scales) / sizeof(scales[0]); k++) {
            double value = (double)i / scales[k];
            if (!is_right(value) || !is_right(nextafter(value, 1e300)))
                ck_abort_msg("%.17g is written %s", value, f64_text(value));
        }
    }
}
END_TEST

START_TEST(test_any_bits_read_back_and_are_shortest)
{
    uint64_t bits = 88172645463325252;
    for (int i = 0; i < 15000; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        double value;
        memcpy(&value, &bits, sizeof(value));
        if (isfinite(value) && !is_right(value))
            ck_abort_msg("%.17g is written %s", value, f64_text(value));
        double large = (double)(int64_t)(bits >> (bits & 31)) / 100;
        if (!is_right(large))
            ck_abort_msg("%.17g is written %s", large, f64_text(large));
    }
}
END_TEST

START_TEST(test_integers_of_all_sizes)
{
    char text[NUMBER_TEXT + 1];
    text[number_i64(INT64_MIN, text)] = '\0';
    ck_assert_str_eq(text, "-9223372036854775808");
    text[number_i64(INT64_MAX, text)] = '\0';
    ck_assert_str_eq(text, "9223372036854775807");
    text[number_i64(0, text)] = '\0';
    ck_assert_str_eq(text, "0");
}
END_TEST

START_TEST(test_a_float_becomes_the_double_of_its_shortest_digits)
{
    ck_assert(number_from_f32(0.1f) == 0.1);
    ck_assert(number_from_f32(-2.5f) == -2.5);
    ck_assert(number_from_f32(16777215) == 16777215);
    ck_assert(number_from_f32(FLT_MAX) == 3.4028235e38);
    ck_assert(number_from_f32(FLT_TRUE_MIN) == 1e-45);
    ck_assert(number_from_f32(0) == 0);
    uint64_t random = 7;
    for (int i = 0; i < 1000000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint32_t bits = (uint32_t)(random >> 32);
        float value;
        memcpy(&value, &bits, sizeof(value));
        if (isfinite(value))
            ck_assert((float)number_from_f32(value) == value);
    }
}
END_TEST

static Suite *number_suite(void)
{
    Suite *suite = suite_create("number");
    TCase *t = tcase_create("number");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_a_double_is_always_seen_to_be_one);
    tcase_add_test(t, test_decimals_read_back_and_are_shortest);
    tcase_add_test(t, test_any_bits_read_back_and_are_shortest);
    tcase_add_test(t, test_integers_of_all_sizes);
    tcase_add_test(t, test_a_float_becomes_the_double_of_its_shortest_digits);
    suite_add_tcase(suite, t);
    return suite;
}

UNIT_MAIN(number_suite)

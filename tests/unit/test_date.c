/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_date.c - the calendar, compared with the C library's and with itself. */
#include "unit.h"

#include <stdint.h>
#include <string.h>
#include <time.h>

#include "base/date.h"

START_TEST(test_known_days)
{
    ck_assert_int_eq(date_from_civil(1970, 1, 1), 0);
    ck_assert_int_eq(date_from_civil(2000, 3, 1), 11017);
    ck_assert_int_eq(date_from_civil(1, 1, 1), -719162);
    ck_assert_int_eq(date_from_civil(9999, 12, 31), 2932896);
}
END_TEST

START_TEST(test_every_day_is_the_one_after_the_day_before)
{
    char text[DATE_TEXT];
    for (int64_t day = date_from_civil(1, 1, 1); day <= date_from_civil(9999, 12, 31); day++) {
        struct civil c = date_to_civil(day);
        int64_t parsed = 0;
        /* No ck_assert: it costs a write(2), and there are 3.6 million days. */
        if (date_from_civil(c.year, c.month, c.day) != day ||
            !date_parse(text, date_format(day, text), &parsed) || parsed != day)
            ck_abort_msg("day %lld, written %s", (long long)day, text);
    }
}
END_TEST

START_TEST(test_days_agree_with_the_c_library)
{
    for (int64_t day = -200000; day < 200000; day += 13) {
        time_t seconds = (time_t)(day * 86400);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        struct civil c = date_to_civil(day);
        ck_assert(c.year == tm.tm_year + 1900 && c.month == tm.tm_mon + 1 && c.day == tm.tm_mday);
        ck_assert(date_weekday(day) == tm.tm_wday);
        ck_assert(date_day_of_year(day) == tm.tm_yday + 1);
    }
}
END_TEST

START_TEST(test_what_is_not_a_date_is_refused)
{
    static const char *const bad[] = {"",           "2024-1-31",  "2024-01-32", "2024-02-30",
                                      "2023-02-29", "1900-02-29", "0000-01-01", "2024-00-10",
                                      "2024-13-01", "2024/01/31", "20240131",   "2024-01-31 ",
                                      " 2024-01-3", "2024-01-00", "2024-0x-31", "-024-01-31"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t day;
        ck_assert_msg(!date_parse(bad[i], strlen(bad[i]), &day), "\"%s\"", bad[i]);
    }
    int64_t leap;
    ck_assert(date_parse("2000-02-29", 10, &leap) && leap == 11016);
}
END_TEST

static int64_t us_of(const char *s)
{
    int64_t us = INT64_MIN;
    ck_assert_msg(timestamp_parse(s, strlen(s), &us), "\"%s\"", s);
    return us;
}

START_TEST(test_timestamps_are_read_and_written)
{
    ck_assert_int_eq(us_of("1970-01-01 00:00"), 0);
    ck_assert_int_eq(us_of("1970-01-02T00:00:01"), DATE_US_PER_DAY + 1000000);
    ck_assert_int_eq(us_of("1970-01-01 00:00:00.5"), 500000);
    ck_assert_int_eq(us_of("1969-12-31 23:59:59.999999"), -1);
    char text[TIMESTAMP_TEXT];
    ck_assert_uint_eq(timestamp_format(-1, text), 26);
    ck_assert_str_eq(text, "1969-12-31 23:59:59.999999");
    timestamp_format(us_of("2024-01-31T15:04"), text);
    ck_assert_str_eq(text, "2024-01-31 15:04:00");
    timestamp_format(us_of("2024-01-31 15:04:05.25"), text);
    ck_assert_str_eq(text, "2024-01-31 15:04:05.250000");
}
END_TEST

START_TEST(test_what_is_not_a_timestamp_is_refused)
{
    static const char *const bad[] = {"2024-01-31",
                                      "2024-01-31 24:00",
                                      "2024-01-31 23:60",
                                      "2024-01-31 23:59:60",
                                      "2024-01-31 1:02",
                                      "2024-01-31 01:02:",
                                      "2024-01-31 01:02:3",
                                      "2024-01-31 01:02:03.",
                                      "2024-01-31 01:02:03Z",
                                      "2024-01-31_01:02",
                                      "2024-02-30 01:02",
                                      "2024-01-31 01:02:03.1234567",
                                      "2024-01-31 01:02.5",
                                      "2024-01-31 01-02",
                                      "2024-01-31 01:02:03+09:00",
                                      "2024-01-31 01:02:03.12x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t us;
        ck_assert_msg(!timestamp_parse(bad[i], strlen(bad[i]), &us), "\"%s\"", bad[i]);
    }
}
END_TEST

START_TEST(test_a_timestamp_falls_on_the_day_before_it)
{
    ck_assert_int_eq(timestamp_day(0), 0);
    ck_assert_int_eq(timestamp_day(-1), -1);
    ck_assert_int_eq(timestamp_day(DATE_US_PER_DAY - 1), 0);
    ck_assert_int_eq(timestamp_day(-DATE_US_PER_DAY), -1);
    ck_assert_int_eq(timestamp_day(-DATE_US_PER_DAY - 1), -2);
}
END_TEST

static Suite *date_suite(void)
{
    Suite *suite = suite_create("date");
    TCase *t = tcase_create("date");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_known_days);
    tcase_add_test(t, test_every_day_is_the_one_after_the_day_before);
    tcase_add_test(t, test_days_agree_with_the_c_library);
    tcase_add_test(t, test_what_is_not_a_date_is_refused);
    tcase_add_test(t, test_timestamps_are_read_and_written);
    tcase_add_test(t, test_what_is_not_a_timestamp_is_refused);
    tcase_add_test(t, test_a_timestamp_falls_on_the_day_before_it);
    suite_add_tcase(suite, t);
    return suite;
}

UNIT_MAIN(date_suite)

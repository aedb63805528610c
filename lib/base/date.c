/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* date.c - the civil calendar.
 *
 * Days are counted in eras of 400 years that begin on 1 March, so that the leap
 * day is the last of its year (Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms"). */
#include "base/date.h"

enum { ERA_DAYS = 146097, EPOCH_SHIFT = 719468 }; /* 0000-03-01 to 1970-01-01 */

int64_t date_from_civil(int year, int month, int day)
{
    int64_t y = month <= 2 ? (int64_t)year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - EPOCH_SHIFT;
}

struct civil date_to_civil(int64_t days)
{
    int64_t z = days + EPOCH_SHIFT;
    int64_t era = (z >= 0 ? z : z - (ERA_DAYS - 1)) / ERA_DAYS;
    int64_t day_of_era = z - era * ERA_DAYS;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (ERA_DAYS - 1)) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* from March */
    struct civil civil = {
        .year = (int)(year_of_era + era * 400),
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
    };
    civil.year += civil.month <= 2;
    return civil;
}

int date_weekday(int64_t days)
{
    int64_t r = (days + 4) % 7; /* 1970-01-01 was a Thursday */
    return (int)(r < 0 ? r + 7 : r);
}

int date_day_of_year(int64_t days)
{
    return (int)(days - date_from_civil(date_to_civil(days).year, 1, 1)) + 1;
}

/* n digits at s as a number, or -1. */
static int digits(const char *s, int n)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        value = value * 10 + (s[i] - '0');
    }
    return value;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

bool date_parse(const char *s, size_t len, int64_t *ret_days)
{
    if (len != DATE_TEXT - 1 || s[4] != '-' || s[7] != '-')
        return false;
    int year = digits(s, 4), month = digits(s + 5, 2), day = digits(s + 8, 2);
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > month_days(year, month))
        return false;
    *ret_days = date_from_civil(year, month, day);
    return true;
}

/* .f{1,6} as microseconds, or -1. */
static int fraction(const char *s, size_t len)
{
    if (len < 2 || len > 7 || s[0] != '.')
        return -1;
    int value = digits(s + 1, (int)len - 1);
    for (size_t i = len; value >= 0 && i < 7; i++)
        value *= 10;
    return value;
}

bool timestamp_parse(const char *s, size_t len, int64_t *ret_us)
{
    int64_t days;
    if (len < 16 || (s[10] != ' ' && s[10] != 'T') || !date_parse(s, 10, &days) || s[13] != ':')
        return false;
    int hour = digits(s + 11, 2), minute = digits(s + 14, 2), second = 0, us = 0;
    if (len > 16) {
        if (len < 19 || s[16] != ':')
            return false;
        second = digits(s + 17, 2);
    }
    if (len > 19)
        us = fraction(s + 19, len - 19);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 || us < 0)
        return false;
    *ret_us = days * DATE_US_PER_DAY + ((hour * 60 + minute) * 60 + second) * INT64_C(1000000) + us;
    return true;
}

static char *put_digits(char *p, int value, int n)
{
    for (int i = n - 1; i >= 0; i--, value /= 10)
        p[i] = (char)('0' + value % 10);
    return p + n;
}

size_t date_format(int64_t days, char *buf)
{
    struct civil civil = date_to_civil(days);
    char *p = put_digits(buf, civil.year, 4);
    *p++ = '-';
    p = put_digits(p, civil.month, 2);
    *p++ = '-';
    p = put_digits(p, civil.day, 2);
    *p = '\0';
    return (size_t)(p - buf);
}

size_t timestamp_format(int64_t us, char *buf)
{
    int64_t days = timestamp_day(us);
    int64_t rest = us - days * DATE_US_PER_DAY;
    int seconds = (int)(rest / 1000000), micros = (int)(rest % 1000000);
    char *p = buf + date_format(days, buf);
    *p++ = ' ';
    p = put_digits(p, seconds / 3600, 2);
    *p++ = ':';
    p = put_digits(p, seconds / 60 % 60, 2);
    *p++ = ':';
    p = put_digits(p, seconds % 60, 2);
    if (micros) {
        *p++ = '.';
        p = put_digits(p, micros, 6);
    }
    *p = '\0';
    return (size_t)(p - buf);
}

int64_t timestamp_day(int64_t us)
{
    int64_t days = us / DATE_US_PER_DAY;
    return days - (us % DATE_US_PER_DAY < 0);
}

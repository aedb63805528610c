/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* date.h - calendar dates and timestamps without zone.
 *
 * A date is days since 1970-01-01 (numpy's M8[D]), a timestamp microseconds since
 * 1970-01-01 00:00:00 (M8[us]); proleptic Gregorian, years 0001 to 9999.
 * Civil algorithms: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
#ifndef BASE_DATE_H
#define BASE_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATE_US_PER_DAY INT64_C(86400000000)
enum { DATE_TEXT = 11, TIMESTAMP_TEXT = 27 }; /* buffer sizes, NUL included */

struct civil {
    int year, month, day; /* month and day from 1 */
};

int64_t date_from_civil(int year, int month, int day); /* the civil date must exist */
struct civil date_to_civil(int64_t days);
int date_weekday(int64_t days);     /* Sunday is 0 */
int date_day_of_year(int64_t days); /* from 1 */

/* Exactly YYYY-MM-DD and a date that exists, else false. */
bool date_parse(const char *s, size_t len, int64_t *ret_days);
/* YYYY-MM-DD, then ' ' or 'T', then HH:MM[:SS[.f{1,6}]]; no zone, else false. */
bool timestamp_parse(const char *s, size_t len, int64_t *ret_us);

size_t date_format(int64_t days, char *buf);    /* writes DATE_TEXT bytes, returns length */
size_t timestamp_format(int64_t us, char *buf); /* "2024-01-31 15:04:05[.ffffff]" */
int64_t timestamp_day(int64_t us);              /* the date it falls on (floor) */

#endif

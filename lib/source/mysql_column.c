/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* mysql_column.c - see mysql_column.h.
 *
 * Values come in the binary protocol: integers, floats and dates as they are, without a detour over
 * digits that would round a FLOAT. Only DECIMAL is text there, and read as an integer with a point
 * in it. */
#include "source/mysql_column.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/date.h"
#include "base/utf8.h"
#include "codec/number.h"

enum {
    BINARY_CHARSET = 63,
    DECIMAL_PLACES = 6,  /* of a snapshot's decimals */
    DECIMAL_DIGITS = 15, /* that a double always keeps */
    DECIMAL_ROOM = 96,   /* DECIMAL has at most 65 digits */
    BIT_ROOM = 8,
    FIRST_ROOM = 4096, /* for text that may be longer */
};

/* Chapter: values. */

static int refuse(const struct mysql_column *c, const char *what, const char *why, const char *way,
                  struct err *err)
{
    return err_set(err, ERR_INPUT, "column %s: %s %s; %s", c->name, what, why, way);
}

static int give_int(struct mysql_column *c, struct intake *in, struct err *err)
{
    intake_int(in, c->to, c->value.i);
    return 0;
}

static int give_unsigned(struct mysql_column *c, struct intake *in, struct err *err)
{
    if (c->value.u > INT64_MAX) {
        char digits[NUMBER_TEXT];
        snprintf(digits, sizeof(digits), "%llu", c->value.u);
        return refuse(c, digits, "is greater than a snapshot's integers (2^63 - 1)",
                      "SELECT it as CAST(… AS CHAR), or leave it out", err);
    }
    intake_int(in, c->to, (int64_t)c->value.u);
    return 0;
}

/* BIT(n) comes as bytes, the greatest first. */
static int give_bit(struct mysql_column *c, struct intake *in, struct err *err)
{
    c->value.u = 0;
    for (unsigned long i = 0; i < c->length; i++)
        c->value.u = c->value.u << 8 | (unsigned char)c->text[i];
    return give_unsigned(c, in, err);
}

static int refuse_decimal(const struct mysql_column *c, const char *why, const char *way,
                          struct err *err)
{
    return refuse(c, c->text, why, way, err);
}

/* Digits with an optional minus and, before as many of them as the column has places, a point: so
 * the server writes DECIMAL. Its integer without the point goes to *ret. False when that has more
 * than 18 digits; zeros in front do not count. */
static bool read_decimal(const struct mysql_column *c, int64_t *ret)
{
    const char *p = c->text, *end = c->text + c->length, *point = NULL;
    int64_t digits = 0;
    for (p += *p == '-'; p < end; p++) {
        if (*p == '.' && !point) {
            point = p;
            continue;
        }
        if (*p < '0' || *p > '9' || digits > INT64_MAX / 10 - 1)
            return false;
        digits = digits * 10 + (*p - '0');
    }
    *ret = *c->text == '-' ? -digits : digits;
    return point && end - point - 1 == c->places;
}

/* DECIMAL without places. Those of 19 digits may still be within 64 bits. */
static int give_whole(struct mysql_column *c, struct intake *in, struct err *err)
{
    c->text[c->length] = '\0';
    int64_t value;
    if (!str_to_i64(c->text, &value))
        return refuse_decimal(c, "does not fit into a snapshot's integers (64 bits)",
                              "SELECT it as CAST(… AS CHAR) or, rounded, as CAST(… AS DOUBLE)",
                              err);
    intake_int(in, c->to, value);
    return 0;
}

static const int64_t DIGITS_15 = INT64_C(1000000000000000);

/* Numerator and power of ten are exact doubles, so that the quotient is the nearest double. */
static int give_decimal(struct mysql_column *c, struct intake *in, struct err *err)
{
    static const double power[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    c->text[c->length] = '\0';
    int64_t digits;
    if (!read_decimal(c, &digits) || digits >= DIGITS_15 || digits <= -DIGITS_15)
        return refuse_decimal(c, "has more than 15 digits and would be rounded",
                              "if that is meant, SELECT it as CAST(… AS DOUBLE)", err);
    intake_float(in, c->to, (double)digits / power[c->scale]);
    return 0;
}

/* More places than a snapshot's decimals have: the nearest double, which names the digits as long
 * as there are no more than 15 of them. */
static int give_long_decimal(struct mysql_column *c, struct intake *in, struct err *err)
{
    c->text[c->length] = '\0';
    int digits = 0;
    const char *end = c->text + c->length; /* zeros at the end are no digits to keep */
    while (end > c->text && end[-1] == '0')
        end--;
    for (const char *p = c->text; p < end; p++)
        digits += *p >= '0' && *p <= '9' && (digits > 0 || *p != '0');
    double value;
    if (digits > DECIMAL_DIGITS || !str_to_f64(c->text, &value))
        return refuse_decimal(c, "has more than 15 digits and would be rounded",
                              "if that is meant, SELECT it as CAST(… AS DOUBLE)", err);
    intake_float(in, c->to, value);
    return 0;
}

static int give_float(struct mysql_column *c, struct intake *in, struct err *err)
{
    intake_float(in, c->to, number_from_f32(c->value.f));
    return 0;
}

static int give_double(struct mysql_column *c, struct intake *in, struct err *err)
{
    intake_float(in, c->to, c->value.d);
    return 0;
}

/* MySQL has dates that no calendar has: 0000-00-00, and days and months 0. */
static bool is_zero_date(const MYSQL_TIME *t)
{
    return t->year == 0 || t->month == 0 || t->day == 0;
}

static bool is_time_of_day(const MYSQL_TIME *t)
{
    return t->hour < 24 && t->minute < 60 && t->second < 60 && t->second_part < 1000000;
}

/* A mode of the server allows 2024-02-31 as well. */
static bool is_date(const MYSQL_TIME *t)
{
    static const unsigned char days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (is_zero_date(t) || t->year > 9999 || t->month > 12 || t->day > days[t->month - 1])
        return false;
    bool leap = (t->year % 4 == 0 && t->year % 100 != 0) || t->year % 400 == 0;
    return t->month != 2 || t->day < 29 || leap;
}

static int64_t day_of(struct mysql_column *c)
{
    const MYSQL_TIME *t = &c->value.time;
    uint64_t date = (uint64_t)t->year << 16 | t->month << 8 | t->day;
    if (date != c->last_date) {
        c->last_date = date;
        c->last_day = date_from_civil((int)t->year, (int)t->month, (int)t->day);
    }
    return c->last_day;
}

static int refuse_date(const struct mysql_column *c, struct err *err)
{
    const MYSQL_TIME *t = &c->value.time;
    char text[40];
    snprintf(text, sizeof(text), "'%04u-%02u-%02u'", t->year, t->month, t->day);
    return refuse(c, text, "is not a date",
                  "--zero-dates null takes such dates as null, or leave those rows out by a SELECT",
                  err);
}

static int give_date(struct mysql_column *c, struct intake *in, struct err *err)
{
    if (!is_date(&c->value.time))
        return refuse_date(c, err);
    intake_int(in, c->to, day_of(c));
    return 0;
}

static int give_datetime(struct mysql_column *c, struct intake *in, struct err *err)
{
    const MYSQL_TIME *t = &c->value.time;
    if (!is_date(t) || !is_time_of_day(t))
        return refuse_date(c, err);
    int64_t seconds = (int64_t)t->hour * 3600 + (int64_t)t->minute * 60 + (int64_t)t->second;
    intake_int(in, c->to,
               day_of(c) * DATE_US_PER_DAY + seconds * 1000000 + (int64_t)t->second_part);
    return 0;
}

/* TIME is a span up to 838 hours, either way: as text it looks as the server shows it. */
static int give_time(struct mysql_column *c, struct intake *in, struct err *err)
{
    const MYSQL_TIME *t = &c->value.time;
    char text[64];
    int n = snprintf(text, sizeof(text), "%s%02u:%02u:%02u", t->neg ? "-" : "", t->hour, t->minute,
                     t->second);
    if (c->places) {
        char micros[16];
        snprintf(micros, sizeof(micros), "%06lu", (unsigned long)t->second_part);
        n += snprintf(text + n, sizeof(text) - (size_t)n, ".%.*s", c->places, micros);
    }
    intake_text(in, c->to, (struct text){text, n});
    return 0;
}

/* Snapshots hold what a CSV file can hold. */
static int give_text(struct mysql_column *c, struct intake *in, struct err *err)
{
    if (memchr(c->text, 0, c->length))
        return refuse(c, "a value", "has a NUL byte in it",
                      "SELECT it as REPLACE(…, CHAR(0), ''), or leave it out", err);
    if (!utf8_valid(c->text, c->length))
        return refuse(c, "a value", "is not UTF-8", "SELECT it as CONVERT(… USING utf8mb4)", err);
    intake_text(in, c->to, (struct text){c->text, (int64_t)c->length});
    return 0;
}

/* Chapter: types. */

/* JSON of MariaDB is a LONGTEXT that the server marks. */
static bool is_json(const MYSQL_FIELD *field)
{
    if (field->type == MYSQL_TYPE_JSON)
        return true;
#ifdef MARIADB_PACKAGE_VERSION
    MARIADB_CONST_STRING format;
    return mariadb_field_attr(&format, field, MARIADB_FIELD_ATTR_FORMAT_NAME) == 0 &&
           format.length == 4 && memcmp(format.str, "json", 4) == 0;
#else
    return false;
#endif
}

static int refuse_type(const MYSQL_FIELD *field, const char *type, const char *way, struct err *err)
{
    return err_set(err, ERR_INPUT, "column %s is %s: SELECT it as %s, or leave it out", field->name,
                   type, way);
}

static void be(struct mysql_column *c, enum type type, mysql_column_fn *give,
               enum enum_field_types bind_type)
{
    c->type = type;
    c->give = give;
    c->bind_type = bind_type;
}

static void be_decimal(struct mysql_column *c, const MYSQL_FIELD *field)
{
    c->places = (int)field->decimals;
    c->room = DECIMAL_ROOM;
    if (c->places == 0)
        be(c, TYPE_INT, give_whole, MYSQL_TYPE_STRING);
    else if (c->places <= DECIMAL_PLACES)
        be(c, TYPE_DECIMAL, give_decimal, MYSQL_TYPE_STRING);
    else
        be(c, TYPE_FLOAT, give_long_decimal, MYSQL_TYPE_STRING);
    c->scale = c->type == TYPE_DECIMAL ? c->places : 0;
}

static int be_text(struct mysql_column *c, const MYSQL_FIELD *field, struct err *err)
{
    if (is_json(field))
        return refuse_type(field, "JSON", "JSON_VALUE(…, '$.member') or CAST(… AS CHAR)", err);
    if (field->charsetnr == BINARY_CHARSET)
        return refuse_type(field, "BLOB or BINARY", "HEX(…) or CONVERT(… USING utf8mb4)", err);
    c->room = field->length < FIRST_ROOM ? field->length + 1 : FIRST_ROOM;
    be(c, TYPE_STRING, give_text, MYSQL_TYPE_STRING);
    return 0;
}

static int be_what_it_is(struct mysql_column *c, const MYSQL_FIELD *field, struct err *err)
{
    switch (field->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR:
        be(c, TYPE_INT, c->is_unsigned ? give_unsigned : give_int, MYSQL_TYPE_LONGLONG);
        return 0;
    case MYSQL_TYPE_BIT:
        c->room = BIT_ROOM;
        be(c, TYPE_INT, give_bit, MYSQL_TYPE_BLOB);
        return 0;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
        be_decimal(c, field);
        return 0;
    case MYSQL_TYPE_FLOAT:
        be(c, TYPE_FLOAT, give_float, MYSQL_TYPE_FLOAT);
        return 0;
    case MYSQL_TYPE_DOUBLE:
        be(c, TYPE_FLOAT, give_double, MYSQL_TYPE_DOUBLE);
        return 0;
    case MYSQL_TYPE_NULL: /* SELECT NULL */
        be(c, TYPE_FLOAT, give_double, MYSQL_TYPE_DOUBLE);
        return 0;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
        be(c, TYPE_DATE, give_date, MYSQL_TYPE_DATE);
        return 0;
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
        be(c, TYPE_TIMESTAMP, give_datetime, MYSQL_TYPE_DATETIME);
        return 0;
    case MYSQL_TYPE_TIME:
        c->places = field->decimals <= 6 ? (int)field->decimals : 0;
        be(c, TYPE_STRING, give_time, MYSQL_TYPE_TIME);
        return 0;
    case MYSQL_TYPE_GEOMETRY:
        return refuse_type(field, "GEOMETRY", "ST_X(…) and ST_Y(…), or ST_AsText(…)", err);
    default:
        return be_text(c, field, err);
    }
}

int mysql_column_init(struct mysql_column *c, const MYSQL_FIELD *field, bool zero_dates_null,
                      struct err *err)
{
    *c = (struct mysql_column){
        .zero_dates_null = zero_dates_null,
        .is_unsigned = (field->flags & UNSIGNED_FLAG) != 0,
    };
    int r = be_what_it_is(c, field, err);
    if (r < 0)
        return r;
    c->name = mem_strdup(field->name);
    c->text = c->room ? mem_alloc(c->room + 1) : NULL; /* with room for a NUL behind decimals */
    return 0;
}

void mysql_column_deinit(struct mysql_column *c)
{
    free(c->name);
    free(c->text);
    *c = (struct mysql_column){0};
}

void mysql_column_bind(struct mysql_column *c, MYSQL_BIND *bind)
{
    *bind = (MYSQL_BIND){
        .buffer_type = c->bind_type,
        .buffer = c->text ? (void *)c->text : (void *)&c->value,
        .buffer_length = c->text ? c->room : sizeof(c->value),
        .is_unsigned = c->is_unsigned,
        .length = &c->length,
        .is_null = &c->is_null,
        .error = &c->is_cut,
    };
}

bool mysql_column_is_null(const struct mysql_column *c)
{
    if (c->is_null)
        return true;
    bool holds_date = c->type == TYPE_DATE || c->type == TYPE_TIMESTAMP;
    return holds_date && c->zero_dates_null && !is_date(&c->value.time);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz_mysql.c - any bytes as a value that a MySQL server sends, and as the URL of one. The first
 * byte says which type, the second how many places a DECIMAL has; or as an option file.
 *
 * Whatever is taken can stand in a snapshot: numbers are finite, and a DECIMAL is the nearest
 * double to its digits; dates exist; text is UTF-8 without NUL. */
#include "fuzz.h"

#include <math.h>

#include "base/date.h"
#include "base/utf8.h"
#include "source/mysql_column.h"
#include "source/mysql_option_file.h"
#include "source/mysql_options.h"

/* An intake that looks at what it gets. */

static const struct mysql_column *column;

void intake_int(struct intake *in, int to, int64_t value)
{
    int64_t day = column->type == TYPE_TIMESTAMP ? timestamp_day(value) : value;
    if (column->type != TYPE_INT && (day < date_from_civil(1, 1, 1)))
        abort();
}

void intake_float(struct intake *in, int to, double value)
{
    double same;
    if (!isfinite(value))
        abort();
    if (column->text && str_to_f64(column->text, &same) && same != value)
        abort();
}

void intake_text(struct intake *in, int to, struct text value)
{
    if (!utf8_valid(value.s, (size_t)value.len) || memchr(value.s, 0, (size_t)value.len))
        abort();
}

void intake_null(struct intake *in, int to)
{
    abort();
}

static void give_value(enum enum_field_types type, int places, const uint8_t *data, size_t len)
{
    MYSQL_FIELD field = {
        .name = (char *)"v", .type = type, .decimals = (unsigned)places, .charsetnr = 45};
    struct mysql_column c;
    struct err err = {0};
    if (mysql_column_init(&c, &field, false, &err) < 0)
        abort();
    column = &c;
    if (c.text) {
        bool is_long = type == MYSQL_TYPE_VAR_STRING;
        c.length = len < c.room || is_long ? len : c.room;
        if (is_long) {
            free(c.text);
            c.text = mem_alloc(len + 1);
        }
        memcpy(c.text, data, c.length);
    } else {
        memcpy(&c.value, data, len < sizeof(c.value) ? len : sizeof(c.value));
    }
    int r = c.give(&c, NULL, &err);
    if (r != 0 && r != ERR_INPUT)
        abort();
    mysql_column_deinit(&c);
}

static void parse_url(const uint8_t *data, size_t len)
{
    CLEANUP(mem_free_chars) char *text = mem_strndup((const char *)data, len);
    CLEANUP(mysql_url_deinit) struct mysql_url url = {0};
    struct err err = {0};
    int r = mysql_url_parse(text, &url, &err);
    if (r != 0 && r != ERR_USAGE)
        abort();
}

/* Names have no blanks around them; files of this machine are not to be included. */
static int take_option(void *ctx, const char *name, const char *value, struct err *err)
{
    if (!*name || strpbrk(name, " \t\n_="))
        abort();
    return mysql_options_take(ctx, name, value, err);
}

static void parse_options(const uint8_t *data, size_t len)
{
    CLEANUP(mysql_options_deinit) struct mysql_options options = {.verify = -1};
    CLEANUP(mysql_url_deinit) struct mysql_url url = {0};
    struct err err = {0};
    if (memchr(data, '!', len))
        return;
    int r = mysql_option_file_parse("file", (const char *)data, len, take_option, &options, &err);
    if (r != 0 && r != ERR_CONFIG)
        abort();
    mysql_options_complete(&options, &url);
    if (options.verify == 1 && url.tls != MYSQL_TLS_VERIFY)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const enum enum_field_types types[] = {
        MYSQL_TYPE_NEWDECIMAL, MYSQL_TYPE_BIT,      MYSQL_TYPE_VAR_STRING,
        MYSQL_TYPE_DATE,       MYSQL_TYPE_DATETIME, MYSQL_TYPE_TIME,
    };
    enum { N_TYPES = sizeof(types) / sizeof(types[0]) };
    if (len < 2)
        return 0;
    size_t kind = (size_t)data[0] % (N_TYPES + 2);
    if (kind == N_TYPES)
        parse_url(data + 2, len - 2);
    else if (kind == N_TYPES + 1)
        parse_options(data + 2, len - 2);
    else
        give_value(types[kind], data[1] % 32, data + 2, len - 2);
    return 0;
}

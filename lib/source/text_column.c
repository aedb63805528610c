/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* text_column.c - see text_column.h. */
#include "source/text_column.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/date.h"

enum { DECIMAL_PLACES = 6, DECIMAL_DIGITS = 15 };

void text_column_add(struct text_column *t, struct text value)
{
    t->len = mem_grow(t->len, &t->len_cap, (size_t)t->rows + 1, sizeof(*t->len));
    t->len[t->rows++] = value.s ? (uint32_t)value.len : TEXT_NULL;
    if (!value.s) {
        t->nulls++;
        return;
    }
    str_reserve(&t->bytes, (size_t)value.len + 1);
    memcpy(t->bytes.s + t->bytes.len, value.s, (size_t)value.len);
    t->bytes.len += (size_t)value.len + 1;
    t->bytes.s[t->bytes.len - 1] = '\0';
}

void text_column_clear(struct text_column *t)
{
    str_clear(&t->bytes);
    t->rows = t->nulls = 0;
}

void text_column_deinit(struct text_column *t)
{
    str_deinit(&t->bytes);
    free(t->len);
    *t = (struct text_column){0};
}

struct text text_column_at(const struct text_column *t, int64_t row)
{
    const char *p = t->bytes.s;
    for (int64_t i = 0; i < row; i++)
        p += t->len[i] == TEXT_NULL ? 0 : (int64_t)t->len[i] + 1;
    return t->len[row] == TEXT_NULL ? (struct text){0} : (struct text){p, t->len[row]};
}

void typed_column_deinit(struct typed_column *t)
{
    column_deinit(&t->column);
    dictionary_deinit(&t->dict);
}

/* Chapter: one value. s ends with a NUL. */

union value {
    int64_t i;
    double f;
};

typedef bool read_fn(struct text_reading *r, const char *s, uint32_t len, union value *ret);

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Past the sign, or NULL when the text begins as no number does: see the top of text_column.h. */
static const char *skip_sign(const struct text_reading *r, const char *s)
{
    bool plus = *s == '+';
    s += *s == '-' || plus;
    if (r->declared)
        return s;
    return plus || (s[0] == '0' && is_digit(s[1])) ? NULL : s;
}

static bool read_integer(struct text_reading *r, const char *s, uint32_t len, union value *ret)
{
    const char *digits = skip_sign(r, s);
    if (!digits || !*digits)
        return false;
    int64_t value = 0; /* counted downwards, where there is room for INT64_MIN */
    for (const char *p = digits; *p; p++) {
        if (!is_digit(*p) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, *p - '0', &value))
            return false;
    }
    if (*s != '-' && __builtin_sub_overflow(0, value, &value))
        return false;
    ret->i = value;
    return true;
}

/* Both the digits and the power of ten are exact doubles, so that the quotient is the nearest
 * double. */
static bool read_decimal(struct text_reading *r, const char *s, uint32_t len, union value *ret)
{
    static const double power[DECIMAL_PLACES + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    const char *p = skip_sign(r, s);
    if (!p || !is_digit(*p))
        return false;
    int64_t digits = 0;
    int whole = 0, places = 0;
    for (; is_digit(*p); p++) {
        digits = digits * 10 + (*p - '0');
        whole += digits > 0;
        if (whole > DECIMAL_DIGITS)
            return false;
    }
    if (*p == '.' && is_digit(p[1])) {
        for (p++; is_digit(*p) && places < DECIMAL_PLACES && whole + places < DECIMAL_DIGITS;
             p++, places++)
            digits = digits * 10 + (*p - '0');
    }
    if (*p || places > r->max_places)
        return false;
    r->whole_digits = whole > r->whole_digits ? whole : r->whole_digits;
    r->places = places > r->places ? places : r->places;
    if (r->whole_digits + r->places > DECIMAL_DIGITS)
        return false;
    ret->f = (double)(*s == '-' ? -digits : digits) / power[places];
    return true;
}

/* Whether the text is a whole number and value is another one. */
static bool is_rounded(const char *s, double value)
{
    if (s[strspn(s, "-0123456789")])
        return false;
    int64_t whole;
    return fabs(value) >= 0x1p63 || !str_to_i64(s, &whole) || (int64_t)value != whole;
}

static bool read_float(struct text_reading *r, const char *s, uint32_t len, union value *ret)
{
    if (len == 3 && strcasecmp(s, "nan") == 0) {
        ret->f = (double)NAN;
        return true;
    }
    if (!skip_sign(r, s) || !str_to_f64(s, &ret->f))
        return false;
    return r->declared || !is_rounded(s, ret->f);
}

static bool read_date(struct text_reading *r, const char *s, uint32_t len, union value *ret)
{
    return date_parse(s, len, &ret->i);
}

static bool read_timestamp(struct text_reading *r, const char *s, uint32_t len, union value *ret)
{
    return timestamp_parse(s, len, &ret->i);
}

/* Chapter: all values. */

static int64_t convert_values(const struct text_column *t, read_fn *read,
                              struct text_reading *reading, struct column *c)
{
    const char *p = t->bytes.s;
    bool is_float = c->type == TYPE_FLOAT || c->type == TYPE_DECIMAL;
    for (int64_t row = 0; row < t->rows; row++) {
        union value value;
        if (t->len[row] == TEXT_NULL)
            continue;
        if (!read(reading, p, t->len[row], &value))
            return row;
        p += (size_t)t->len[row] + 1;
        if (!is_float)
            c->i[row] = value.i;
        else if (isnan(value.f))
            continue;
        else
            c->f[row] = value.f == 0 ? 0 : value.f; /* not -0 */
        if (c->valid)
            c->valid[row] = 1;
    }
    return -1;
}

static void convert_strings(const struct text_column *t, struct typed_column *ret)
{
    struct column *c = &ret->column;
    const char *p = t->bytes.s;
    for (int64_t row = 0; row < t->rows; row++) {
        if (t->len[row] == TEXT_NULL)
            continue;
        c->code[row] = dictionary_add(&ret->dict, (struct text){p, t->len[row]});
        p += (size_t)t->len[row] + 1;
        if (c->valid)
            c->valid[row] = 1;
    }
    int32_t *final = dictionary_sort(&ret->dict);
    for (int64_t row = 0; row < t->rows; row++) {
        if (!column_is_null(c, row))
            c->code[row] = final[c->code[row]];
    }
    free(final);
    c->dict = dictionary_view(&ret->dict);
}

static read_fn *const read_as[] = {
    [TYPE_INT] = read_integer, [TYPE_DECIMAL] = read_decimal,     [TYPE_FLOAT] = read_float,
    [TYPE_DATE] = read_date,   [TYPE_TIMESTAMP] = read_timestamp,
};

static int64_t convert(const struct text_column *t, enum type type, struct text_reading reading,
                       struct typed_column *ret)
{
    struct typed_column typed = {0};
    column_alloc(&typed.column, type, t->rows, t->nulls > 0 || type == TYPE_FLOAT);
    if (type == TYPE_STRING) {
        convert_strings(t, &typed);
    } else {
        int64_t bad = convert_values(t, read_as[type], &reading, &typed.column);
        if (bad >= 0) {
            typed_column_deinit(&typed);
            return bad;
        }
    }
    typed.column.scale = type == TYPE_DECIMAL ? reading.places : 0;
    *ret = typed;
    return -1;
}

int64_t text_column_convert(const struct text_column *t, enum type type, int scale,
                            struct typed_column *ret)
{
    return convert(t, type, text_fit_declared(type, scale).reading, ret);
}

const char *text_column_form(enum type type)
{
    switch (type) {
    case TYPE_INT:
        return "a whole number within 64 bits";
    case TYPE_DECIMAL:
        return "a plain number with at most the column's places (never over 6) and 15 digits in "
               "all";
    case TYPE_FLOAT:
        return "a finite number";
    case TYPE_DATE:
        return "a date of the form YYYY-MM-DD";
    case TYPE_TIMESTAMP:
        return "a timestamp of the form YYYY-MM-DD HH:MM[:SS[.ffffff]] without zone";
    default:
        return type_name(type);
    }
}

void text_column_find(const struct text_column *t, struct typed_column *ret)
{
    enum type type = t->nulls == t->rows ? TYPE_FLOAT : TYPE_INT;
    while (convert(t, type, (struct text_reading){.max_places = DECIMAL_PLACES}, ret) >= 0)
        type++;
}

/* Chapter: piece by piece. */

struct text_fit text_fit_found(void)
{
    struct text_fit fit = {.reading.max_places = DECIMAL_PLACES};
    for (enum type type = TYPE_INT; type <= TYPE_STRING; type++)
        fit.possible[type] = true;
    return fit;
}

struct text_fit text_fit_time(void)
{
    struct text_fit fit = {.reading.declared = true};
    fit.possible[TYPE_DATE] = fit.possible[TYPE_TIMESTAMP] = true;
    return fit;
}

struct text_fit text_fit_declared(enum type type, int scale)
{
    struct text_fit fit = {.reading = {
                               .declared = true,
                               .max_places = scale < 0 ? DECIMAL_PLACES : scale,
                               .places = scale < 0 ? 0 : scale,
                           }};
    fit.possible[type] = true;
    return fit;
}

static int64_t first_misfit(const struct text_column *t, read_fn *read,
                            struct text_reading *reading)
{
    const char *p = t->bytes.s;
    for (int64_t row = 0; row < t->rows; row++) {
        union value value;
        if (t->len[row] == TEXT_NULL)
            continue;
        if (!read(reading, p, t->len[row], &value))
            return row;
        p += (size_t)t->len[row] + 1;
    }
    return -1;
}

int64_t text_fit_add(struct text_fit *fit, const struct text_column *t)
{
    int64_t last = -1;
    bool left = fit->possible[TYPE_STRING];
    fit->any |= t->nulls < t->rows;
    for (enum type type = TYPE_INT; type < TYPE_STRING; type++) {
        if (!fit->possible[type])
            continue;
        int64_t row = first_misfit(t, read_as[type], &fit->reading);
        fit->possible[type] = row < 0;
        left |= row < 0;
        last = row > last ? row : last;
    }
    return left ? -1 : last;
}

enum type text_fit_type(const struct text_fit *fit, int *ret_scale)
{
    enum type type = TYPE_INT;
    while (type < TYPE_STRING && !fit->possible[type])
        type++;
    if (!fit->any && fit->possible[TYPE_FLOAT])
        type = TYPE_FLOAT;
    *ret_scale = type == TYPE_DECIMAL ? fit->reading.places : 0;
    return type;
}

int64_t text_column_give(const struct text_column *t, enum type type, struct text_reading reading,
                         struct intake *in, int column)
{
    const char *p = t->bytes.s;
    for (int64_t row = 0; row < t->rows; row++) {
        union value value;
        uint32_t len = t->len[row];
        if (len == TEXT_NULL) {
            intake_null(in, column);
            continue;
        }
        if (type != TYPE_STRING && !read_as[type](&reading, p, len, &value))
            return row;
        if (type == TYPE_STRING)
            intake_text(in, column, (struct text){p, len});
        else if (type != TYPE_FLOAT && type != TYPE_DECIMAL)
            intake_int(in, column, value.i);
        else if (isnan(value.f))
            intake_null(in, column);
        else
            intake_float(in, column, value.f);
        p += (size_t)len + 1;
    }
    return -1;
}

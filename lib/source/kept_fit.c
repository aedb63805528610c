/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* kept_fit.c - see kept_fit.h. */
#include "source/kept_fit.h"

#include <math.h>
#include <string.h>

enum { PLACES_MAX = 6, CHUNK = 65536 };

static bool has_value(const struct column *c, int64_t rows)
{
    return rows > 0 && (!c->valid || memchr(c->valid, 1, (size_t)rows));
}

static struct text_fit only(enum type type)
{
    struct text_fit fit = text_fit_found();
    for (enum type t = TYPE_INT; t <= TYPE_STRING; t++)
        fit.possible[t] = t == type;
    fit.any = true;
    return fit;
}

/* How many places a value needs as a decimal of at most 15 digits; -1: it is none. */
static int places_of(double value)
{
    double power = 1;
    for (int places = 0; places <= PLACES_MAX; places++, power *= 10) {
        double digits = nearbyint(value * power);
        if (fabs(digits) < 1e15 && digits / power == value)
            return places;
    }
    return -1;
}

static int whole_digits(double value)
{
    int n = 0;
    for (value = floor(fabs(value)); value >= 1; value = floor(value / 10))
        n++;
    return n;
}

/* Doubles of a decimal or float column: are they all whole, are they all decimals, and of which
 * size. */
static struct text_fit fit_numbers(const struct column *c, int64_t rows)
{
    struct text_fit fit = only(c->type);
    fit.possible[TYPE_INT] = fit.possible[TYPE_DECIMAL] = true;
    for (int64_t row = 0; row < rows && fit.possible[TYPE_DECIMAL]; row++) {
        if (column_is_null(c, row))
            continue;
        int places = places_of(c->f[row]), whole = whole_digits(c->f[row]);
        bool is_whole = places < 0 ? c->f[row] == floor(c->f[row]) : places == 0;
        if (!is_whole)
            fit.possible[TYPE_INT] = false;
        if (places > fit.reading.places)
            fit.reading.places = places;
        if (whole > fit.reading.whole_digits)
            fit.reading.whole_digits = whole;
        if (places < 0 && !is_whole)
            fit.possible[TYPE_DECIMAL] = c->type == TYPE_DECIMAL;
    }
    return fit;
}

/* The strings themselves are still text. */
static struct text_fit fit_strings(const struct column *c, int64_t rows)
{
    struct text_fit fit = text_fit_found();
    CLEANUP(free) void *memory = mem_zalloc((size_t)c->dict.n + 1);
    uint8_t *used = memory;
    for (int64_t row = 0; row < rows; row++) {
        if (!column_is_null(c, row))
            used[c->code[row]] = 1;
    }
    struct text_column text = {0};
    for (int32_t code = 0; code < c->dict.n; code++) {
        if (used[code])
            text_column_add(&text, dict_text(&c->dict, code));
        if (text.rows == CHUNK || code + 1 == c->dict.n) {
            text_fit_add(&fit, &text);
            text_column_clear(&text);
        }
    }
    text_column_deinit(&text);
    return fit;
}

static struct text_fit fit_declared(const struct column *old, int64_t rows,
                                    const struct source_type *declared)
{
    struct text_fit fit = text_fit_declared(declared->type, declared->scale);
    if (declared->type == TYPE_DECIMAL && declared->scale < 0 && old->type == TYPE_DECIMAL) {
        struct text_fit found = fit_numbers(old, rows);
        fit.reading.places = found.reading.places;
        fit.reading.whole_digits = found.reading.whole_digits;
    }
    fit.any = true;
    return fit;
}

struct text_fit kept_fit(const struct column *old, int64_t rows, bool is_time,
                         const struct source_type *declared)
{
    if (declared)
        return fit_declared(old, rows, declared);
    if (is_time) {
        struct text_fit fit = only(old->type);
        fit.reading.declared = true;
        return fit;
    }
    if (!has_value(old, rows))
        return text_fit_found();
    switch (old->type) {
    case TYPE_DECIMAL:
    case TYPE_FLOAT:
        return fit_numbers(old, rows);
    case TYPE_STRING:
        return fit_strings(old, rows);
    default:
        return only(old->type);
    }
}

static void add_type(enum type type, int scale, struct str *out)
{
    str_addz(out, type_name(type));
    if (type == TYPE_DECIMAL)
        str_addf(out, "(%d)", scale);
}

int kept_fit_check(const struct text_fit *fit, const struct column *old, struct err *err)
{
    int scale;
    enum type type = text_fit_type(fit, &scale);
    if (type == old->type && (type != TYPE_DECIMAL || scale == old->scale))
        return 0;
    CLEANUP(str_deinit) struct str was = {0}, found = {0};
    add_type(old->type, old->scale, &was);
    add_type(type, scale, &found);
    return err_set(
        err, ERR_INPUT,
        "column %s is %s in the snapshot to append to, but the values that stay and those "
        "that come could all be %s, and a snapshot of everything would take that: declare "
        "%s:%s if it is what is meant, or make a snapshot of everything, without --append",
        old->name, was.s, found.s, old->name, was.s);
}

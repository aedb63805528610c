/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* expr_call.c - the functions over blocks. */
#include <math.h>

#include "base/date.h"
#include "features/expr_eval.h"
#include "features/steady.h"

/* ---- choices ---- */

/* yes[k] ? a : b, for values of 8 bytes or of 1. */
static void choose(struct eval *ev, enum type type, const uint8_t *yes, struct vec a, struct vec b,
                   int reg)
{
    if (type == TYPE_BOOL) {
        uint8_t *out = reg_b(ev, reg);
        EACH(ev->n, out[k] = yes[k] ? a.b[k] : b.b[k]);
        return;
    }
    const word *from_a = a.w, *from_b = b.w;
    word *out = reg_w(ev, reg);
    EACH(ev->n, out[k] = yes[k] ? from_a[k] : from_b[k]);
}

/* A null condition chooses the else. The condition is evaluated last: it lies above the others. */
struct vec eval_if(struct eval *ev, const struct expr *e, int reg)
{
    struct vec a = expr_eval_arg(ev, e, 1, reg), b = expr_eval_arg(ev, e, 2, reg);
    struct vec c = expr_eval_arg(ev, e, 0, reg);
    uint8_t *yes = reg_b(ev, reg + expr_arg_register(OP_IF, 0));
    EACH(ev->n, yes[k] = c.valid ? c.b[k] & c.valid[k] : c.b[k]);
    choose(ev, e->type, yes, a, b, reg);
    struct vec out = {.b = reg_b(ev, reg)};
    if (!a.valid && !b.valid)
        return out;
    uint8_t *valid = reg_valid(ev, reg);
    for (int k = 0; k < ev->n; k++) {
        const uint8_t *of = yes[k] ? a.valid : b.valid;
        valid[k] = of ? of[k] : 1;
    }
    out.valid = valid;
    return out;
}

struct vec eval_coalesce(struct eval *ev, const struct expr *e, int reg)
{
    struct vec so_far = expr_eval_arg(ev, e, 0, reg);
    for (int i = 1; i < e->n_args && so_far.valid; i++) {
        struct vec next = expr_eval_arg(ev, e, i, reg);
        choose(ev, e->type, so_far.valid, so_far, next, reg);
        uint8_t *valid = next.valid ? reg_valid(ev, reg) : NULL;
        for (int k = 0; valid && k < ev->n; k++)
            valid[k] = so_far.valid[k] | next.valid[k];
        so_far = (struct vec){.b = reg_b(ev, reg), .valid = valid};
    }
    return so_far;
}

struct vec eval_is_null(struct eval *ev, const struct expr *e, int reg)
{
    struct vec a = expr_eval_arg(ev, e, 0, reg);
    uint8_t *out = reg_b(ev, reg);
    EACH(ev->n, out[k] = a.valid ? !a.valid[k] : 0);
    return (struct vec){.b = out};
}

/* ---- least and greatest ---- */

static struct vec extreme(struct eval *ev, enum type type, bool least, struct vec a, struct vec b,
                          int reg)
{
    const uint8_t *valid = eval_valid_both(ev, reg, a.valid, b.valid);
    if (type == TYPE_FLOAT) {
        double *out = reg_f(ev, reg);
        if (least)
            EACH(ev->n, out[k] = a.f[k] < b.f[k] ? a.f[k] : b.f[k]);
        else
            EACH(ev->n, out[k] = a.f[k] > b.f[k] ? a.f[k] : b.f[k]);
    } else {
        int64_t *out = reg_i(ev, reg);
        EACH(ev->n, out[k] = (a.i[k] < b.i[k]) == least ? a.i[k] : b.i[k]);
    }
    return (struct vec){.b = reg_b(ev, reg), .valid = valid};
}

struct vec eval_extreme(struct eval *ev, const struct expr *e, int reg)
{
    struct vec so_far = expr_eval_arg(ev, e, 0, reg);
    for (int i = 1; i < e->n_args; i++)
        so_far = extreme(ev, e->type, e->op == OP_MIN, so_far, expr_eval_arg(ev, e, i, reg), reg);
    return so_far;
}

struct vec eval_clip(struct eval *ev, const struct expr *e, int reg)
{
    struct vec x = expr_eval_arg(ev, e, 0, reg);
    x = extreme(ev, e->type, false, x, expr_eval_arg(ev, e, 1, reg), reg);
    return extreme(ev, e->type, true, x, expr_eval_arg(ev, e, 2, reg), reg);
}

/* ---- numbers ---- */

/* - and abs; the least integer has no counterpart and gives null. */
struct vec eval_sign(struct eval *ev, const struct expr *e, int reg)
{
    struct vec a = expr_eval_arg(ev, e, 0, reg);
    const uint8_t *valid = eval_valid(ev, reg, a.valid);
    if (e->type == TYPE_FLOAT) {
        double *out = reg_f(ev, reg);
        if (e->op == OP_NEG)
            EACH(ev->n, out[k] = -a.f[k]);
        else
            EACH(ev->n, out[k] = fabs(a.f[k]));
        return (struct vec){.f = out, .valid = valid};
    }
    int64_t *out = reg_i(ev, reg);
    uint8_t *own = reg_valid(ev, reg), any = 0;
    if (!valid)
        memset(own, 1, (size_t)ev->n);
    for (int k = 0; k < ev->n; k++) {
        int64_t x = a.i[k];
        uint8_t least = x == INT64_MIN;
        any |= least;
        own[k] &= !least;
        out[k] = least ? 0 : e->op == OP_NEG || x < 0 ? -x : x;
    }
    return (struct vec){.i = out, .valid = any ? own : valid};
}

/* To a multiple of a power of ten, halves away from zero. */
static struct vec round_integers(struct eval *ev, struct vec a, int zeros, int reg)
{
    int64_t power = 1, *out = reg_i(ev, reg);
    for (int i = 0; i < zeros; i++)
        power *= 10;
    uint8_t *own = reg_valid(ev, reg);
    if (!eval_valid(ev, reg, a.valid))
        memset(own, 1, (size_t)ev->n);
    for (int k = 0; k < ev->n; k++) {
        int64_t rest = a.i[k] % power, whole = a.i[k] - rest;
        int64_t away = rest >= power / 2 ? power : rest <= -(power / 2) ? -power : 0;
        uint8_t over = __builtin_add_overflow(whole, away, &out[k]);
        own[k] &= !over;
    }
    return (struct vec){.i = out, .valid = own};
}

/* By way of scaling, as DuckDB does. */
static struct vec round_digits(struct eval *ev, struct vec a, int digits, int reg)
{
    double *out = reg_f(ev, reg), power = 1;
    for (int i = 0; i < abs(digits); i++)
        power *= 10;
    for (int k = 0; k < ev->n; k++) {
        double x = a.f[k];
        double y = digits >= 0 ? round(x * power) / power : round(x / power) * power;
        out[k] = isfinite(y) ? y : x;
    }
    return (struct vec){.f = out, .valid = eval_valid(ev, reg, a.valid)};
}

struct vec eval_rounding(struct eval *ev, const struct expr *e, int reg)
{
    struct vec a = expr_eval_arg(ev, e, 0, reg);
    double digits = 0;
    if (e->n_args == 2)
        expr_literal(e->args[1], &digits);
    if (e->type == TYPE_INT)
        return digits < 0 ? round_integers(ev, a, (int)-digits, reg) : a;
    if (digits != 0)
        return round_digits(ev, a, (int)digits, reg);
    double *out = reg_f(ev, reg);
    if (e->op == OP_FLOOR)
        EACH(ev->n, out[k] = floor(a.f[k]));
    else if (e->op == OP_CEIL)
        EACH(ev->n, out[k] = ceil(a.f[k]));
    else
        for (int k = 0; k < ev->n; k++)
            out[k] = round(a.f[k]);
    return (struct vec){.f = out, .valid = eval_valid(ev, reg, a.valid)};
}

static double (*real_function(enum expr_op op))(double)
{
    switch (op) {
    case OP_LN:
        return steady_ln;
    case OP_LOG10:
        return steady_log10;
    default:
        return steady_exp;
    }
}

struct vec eval_real(struct eval *ev, const struct expr *e, int reg)
{
    struct vec a = expr_eval_arg(ev, e, 0, reg);
    double *out = reg_f(ev, reg);
    if (e->op == OP_SQRT) {
        EACH(ev->n, out[k] = sqrt(a.f[k]));
    } else {
        double (*function)(double) = real_function(e->op);
        for (int k = 0; k < ev->n; k++)
            out[k] = function(a.f[k]);
    }
    return (struct vec){.f = out,
                        .valid = eval_valid_finite(ev, reg, eval_valid(ev, reg, a.valid))};
}

struct vec eval_cyc(struct eval *ev, const struct expr *e, int reg)
{
    struct vec a = expr_eval_arg(ev, e, 0, reg);
    double period = 1, *out = reg_f(ev, reg);
    expr_literal(e->args[1], &period);
    double (*function)(double, double) = e->op == OP_CYC_SIN ? steady_sin_turn : steady_cos_turn;
    for (int k = 0; k < ev->n; k++)
        out[k] = function(a.f[k], period);
    return (struct vec){.f = out,
                        .valid = eval_valid_finite(ev, reg, eval_valid(ev, reg, a.valid))};
}

/* The number of edges that are not above x. */
struct vec eval_bin(struct eval *ev, const struct expr *e, int reg)
{
    struct vec a = expr_eval_arg(ev, e, 0, reg);
    const struct expr *edges = e->args[1];
    int64_t *restrict out = reg_i(ev, reg);
    memset(out, 0, (size_t)ev->n * sizeof(*out));
    for (int i = 0; i < edges->n_args; i++) {
        const struct expr *edge = edges->args[i];
        if (edge->type == TYPE_FLOAT)
            EACH(ev->n, out[k] += edge->f <= a.f[k]);
        else
            EACH(ev->n, out[k] += edge->i <= a.i[k]);
    }
    return (struct vec){.i = out, .valid = eval_valid(ev, reg, a.valid)};
}

/* ---- the calendar ---- */

static int calendar_part(enum expr_op op, int64_t day)
{
    switch (op) {
    case OP_YEAR:
        return date_to_civil(day).year;
    case OP_MONTH:
        return date_to_civil(day).month;
    case OP_DAY:
        return date_to_civil(day).day;
    case OP_WEEKDAY:
        return date_weekday(day);
    default:
        return date_day_of_year(day);
    }
}

/* Rows of one date mostly stand together. */
struct vec eval_calendar(struct eval *ev, const struct expr *e, int reg)
{
    struct vec a = expr_eval_arg(ev, e, 0, reg);
    int64_t *out = reg_i(ev, reg);
    for (int k = 0; k < ev->n; k++)
        out[k] = k > 0 && a.i[k] == a.i[k - 1] ? out[k - 1] : calendar_part(e->op, a.i[k]);
    return (struct vec){.i = out, .valid = eval_valid(ev, reg, a.valid)};
}

struct vec eval_hour(struct eval *ev, const struct expr *e, int reg)
{
    struct vec a = expr_eval_arg(ev, e, 0, reg);
    int64_t *out = reg_i(ev, reg);
    bool whole_day = e->args[0]->type == TYPE_DATE;
    for (int k = 0; k < ev->n; k++) {
        int64_t us = whole_day ? 0 : a.i[k] - timestamp_day(a.i[k]) * DATE_US_PER_DAY;
        out[k] = us / (DATE_US_PER_DAY / 24);
    }
    return (struct vec){.i = out, .valid = eval_valid(ev, reg, a.valid)};
}

struct vec eval_days_between(struct eval *ev, const struct expr *e, int reg)
{
    struct vec a = expr_eval_arg(ev, e, 0, reg), b = expr_eval_arg(ev, e, 1, reg);
    int64_t *out = reg_i(ev, reg);
    EACH(ev->n, out[k] = b.i[k] - a.i[k]);
    return (struct vec){.i = out, .valid = eval_valid_both(ev, reg, a.valid, b.valid)};
}

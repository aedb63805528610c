/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* expr_eval.c - the walk over a bound tree, its leaves and casts, and what is written. */
#include "features/expr_eval.h"

#include <assert.h>
#include <float.h>
#include <math.h>

#include "base/date.h"

static eval_fn *const eval_fns[OP_COUNT] = {
    [OP_CONST] = eval_const,
    [OP_NAME] = eval_name,
    [OP_CAST] = eval_cast,
    [OP_OR] = eval_logic,
    [OP_AND] = eval_logic,
    [OP_NOT] = eval_not,
    [OP_EQ] = eval_compare,
    [OP_NE] = eval_compare,
    [OP_LT] = eval_compare,
    [OP_LE] = eval_compare,
    [OP_GT] = eval_compare,
    [OP_GE] = eval_compare,
    [OP_IN] = eval_in,
    [OP_BETWEEN] = eval_between,
    [OP_ADD] = eval_arithmetic,
    [OP_SUB] = eval_arithmetic,
    [OP_MUL] = eval_arithmetic,
    [OP_DIV] = eval_arithmetic,
    [OP_MOD] = eval_modulo,
    [OP_NEG] = eval_sign,
    [OP_ABS] = eval_sign,
    [OP_IF] = eval_if,
    [OP_COALESCE] = eval_coalesce,
    [OP_IS_NULL] = eval_is_null,
    [OP_MIN] = eval_extreme,
    [OP_MAX] = eval_extreme,
    [OP_CLIP] = eval_clip,
    [OP_FLOOR] = eval_rounding,
    [OP_CEIL] = eval_rounding,
    [OP_ROUND] = eval_rounding,
    [OP_SQRT] = eval_real,
    [OP_LN] = eval_real,
    [OP_LOG10] = eval_real,
    [OP_EXP] = eval_real,
    [OP_YEAR] = eval_calendar,
    [OP_MONTH] = eval_calendar,
    [OP_DAY] = eval_calendar,
    [OP_WEEKDAY] = eval_calendar,
    [OP_DAY_OF_YEAR] = eval_calendar,
    [OP_HOUR] = eval_hour,
    [OP_DAYS_BETWEEN] = eval_days_between,
    [OP_BIN] = eval_bin,
    [OP_CYC_SIN] = eval_cyc,
    [OP_CYC_COS] = eval_cyc,
};

/* An operand that has the result's size may lie in its register; others lie above it. A fold
 * (min, coalesce) has its value so far in the result's register. */
int expr_arg_register(enum expr_op op, int i)
{
    switch (op) {
    case OP_IF: /* condition, then, else */
        return i == 0 ? 2 : i - 1;
    case OP_IN: /* x, the comparison, a value */
        return i == 0 ? 1 : 3;
    case OP_BETWEEN: /* x; low; the second comparison, high */
        return i + 1;
    case OP_EQ:
    case OP_NE:
    case OP_LT:
    case OP_LE:
    case OP_GT:
    case OP_GE:
        return i + 1;
    case OP_CAST:
    case OP_IS_NULL:
    case OP_BIN:
    case OP_YEAR:
    case OP_MONTH:
    case OP_DAY:
    case OP_WEEKDAY:
    case OP_DAY_OF_YEAR:
        return 1;
    default:
        return i > 0;
    }
}

struct vec expr_eval_node(struct eval *ev, const struct expr *e, int reg)
{
    return eval_fns[e->op](ev, e, reg);
}

struct vec expr_eval_arg(struct eval *ev, const struct expr *e, int i, int reg)
{
    return expr_eval_node(ev, e->args[i], reg + expr_arg_register(e->op, i));
}

/* ---- validity ---- */

const uint8_t *eval_valid(struct eval *ev, int reg, const uint8_t *a)
{
    uint8_t *own = reg_valid(ev, reg);
    if (!a || a == own)
        return a;
    memcpy(own, a, (size_t)ev->n);
    return own;
}

const uint8_t *eval_valid_both(struct eval *ev, int reg, const uint8_t *a, const uint8_t *b)
{
    if (!a || !b)
        return eval_valid(ev, reg, a ? a : b);
    uint8_t *own = reg_valid(ev, reg);
    EACH(ev->n, own[k] = a[k] & b[k]);
    return own;
}

const uint8_t *eval_valid_finite(struct eval *ev, int reg, const uint8_t *valid)
{
    const double *f = reg_f(ev, reg);
    uint8_t *own = reg_valid(ev, reg);
    int odd = 0;
    for (int k = 0; k < ev->n; k++)
        odd |= !(fabs(f[k]) <= DBL_MAX);
    if (!odd)
        return eval_valid(ev, reg, valid);
    for (int k = 0; k < ev->n; k++)
        own[k] = (!valid || valid[k]) && fabs(f[k]) <= DBL_MAX;
    return own;
}

/* ---- leaves ---- */

static const uint8_t *all_null(struct eval *ev, int reg)
{
    return memset(reg_valid(ev, reg), 0, (size_t)ev->n);
}

static struct vec fill(struct eval *ev, int reg, enum type type, const void *value)
{
    if (type == TYPE_BOOL) {
        memset(reg_b(ev, reg), *(const uint8_t *)value, (size_t)ev->n);
    } else {
        word bits, *out = reg_w(ev, reg);
        memcpy(&bits, value, sizeof(bits));
        EACH(ev->n, out[k] = bits);
    }
    return (struct vec){.b = reg_b(ev, reg)};
}

struct vec eval_const(struct eval *ev, const struct expr *e, int reg)
{
    int64_t value = 0;
    struct vec out;
    if (e->is_null) {
        out = fill(ev, reg, TYPE_INT, &value);
        out.valid = all_null(ev, reg);
    } else if (e->type == TYPE_BOOL) {
        uint8_t truth = e->i != 0;
        out = fill(ev, reg, TYPE_BOOL, &truth);
    } else if (e->type == TYPE_FLOAT) {
        out = fill(ev, reg, TYPE_FLOAT, &e->f);
    } else {
        value = e->type == TYPE_STRING ? (int64_t)STRING_LITERAL << 32 | e->i : e->i;
        out = fill(ev, reg, TYPE_INT, &value);
    }
    return out;
}

/* A string column's values with their source. */
static void load_strings(struct eval *ev, int slot_number, int64_t *out)
{
    const struct expr_slot *slot = &ev->slots[slot_number];
    const int32_t *code = slot->column->code;
    int64_t source = (int64_t)slot_number << 32;
    if (slot->rows) {
        const int32_t *rows = slot->rows + ev->at;
        EACH(ev->n, out[k] = source | code[rows[k]]);
    } else {
        code += slot->first + ev->at;
        EACH(ev->n, out[k] = source | code[k]);
    }
}

static struct vec name_constant(struct eval *ev, const struct expr *e, int reg)
{
    const struct expr_slot *slot = &ev->slots[e->slot];
    const struct column *c = slot->column;
    int64_t string;
    const void *value;
    if (e->type == TYPE_STRING) {
        string = (int64_t)e->slot << 32 | c->code[slot->first];
        value = &string;
    } else {
        value = e->type == TYPE_BOOL ? (const void *)(c->b + slot->first) : c->i + slot->first;
    }
    struct vec out = fill(ev, reg, e->type, value);
    if (column_is_null(c, slot->first))
        out.valid = all_null(ev, reg);
    return out;
}

/* Row k is rows[at + k]. */
static struct vec name_gathered(struct eval *ev, const struct expr *e, int reg)
{
    const struct expr_slot *slot = &ev->slots[e->slot];
    const struct column *c = slot->column;
    const int32_t *rows = slot->rows + ev->at;
    struct vec out = {.b = reg_b(ev, reg)};
    if (e->type == TYPE_STRING) {
        load_strings(ev, e->slot, reg_i(ev, reg));
    } else if (e->type == TYPE_BOOL) {
        uint8_t *b = reg_b(ev, reg);
        for (int k = 0; k < ev->n; k++)
            b[k] = c->b[rows[k]];
    } else {
        const word *from = (const word *)c->data;
        word *w = reg_w(ev, reg);
        for (int k = 0; k < ev->n; k++)
            w[k] = from[rows[k]];
    }
    if (c->valid) {
        uint8_t *valid = reg_valid(ev, reg);
        for (int k = 0; k < ev->n; k++)
            valid[k] = c->valid[rows[k]];
        out.valid = valid;
    }
    return out;
}

struct vec eval_name(struct eval *ev, const struct expr *e, int reg)
{
    const struct expr_slot *slot = &ev->slots[e->slot];
    if (slot->constant)
        return name_constant(ev, e, reg);
    if (slot->rows)
        return name_gathered(ev, e, reg);
    const struct column *c = slot->column;
    int64_t first = slot->first + ev->at;
    struct vec out = {.valid = c->valid ? c->valid + first : NULL};
    if (e->type == TYPE_STRING) {
        load_strings(ev, e->slot, reg_i(ev, reg));
        out.i = reg_i(ev, reg);
    } else if (e->type == TYPE_BOOL) {
        out.b = c->b + first;
    } else {
        out.i = c->i + first;
    }
    return out;
}

struct text eval_string(const struct eval *ev, const struct text *literals, int64_t value)
{
    int32_t source = (int32_t)(value >> 32), code = (int32_t)value;
    if (source == STRING_LITERAL)
        return literals[code];
    return dict_text(&ev->slots[source].column->dict, code);
}

/* ---- casts ---- */

struct vec eval_cast(struct eval *ev, const struct expr *e, int reg)
{
    struct vec a = expr_eval_arg(ev, e, 0, reg);
    int64_t *i = reg_i(ev, reg);
    double *f = reg_f(ev, reg);
    bool from_bool = e->args[0]->type == TYPE_BOOL;
    if (e->type == TYPE_FLOAT && from_bool) {
        EACH(ev->n, f[k] = a.b[k]);
    } else if (e->type == TYPE_FLOAT) {
        EACH(ev->n, f[k] = (double)a.i[k]);
    } else if (from_bool) {
        EACH(ev->n, i[k] = a.b[k]);
    } else if (e->type == TYPE_TIMESTAMP) { /* a date is its last microsecond */
        EACH(ev->n, i[k] = (a.i[k] + 1) * DATE_US_PER_DAY - 1);
    } else {
        for (int k = 0; k < ev->n; k++)
            i[k] = timestamp_day(a.i[k]);
    }
    return (struct vec){.i = i, .valid = eval_valid(ev, reg, a.valid)};
}

/* ---- blocks ---- */

/* Null slots hold 0, and no float is -0. */
static void write_block(const struct expr *e, struct vec v, int n, struct column *ret, int64_t at)
{
    const uint8_t *valid = v.valid;
    if (e->type == TYPE_NULL) {
        size_t bytes = type_bytes(ret->type);
        memset((uint8_t *)ret->data + (size_t)at * bytes, 0, (size_t)n * bytes);
    } else if (e->type == TYPE_BOOL) {
        for (int k = 0; k < n; k++)
            ret->b[at + k] = valid ? v.b[k] & valid[k] : v.b[k];
    } else if (e->type == TYPE_FLOAT || e->type == TYPE_DECIMAL) {
        for (int k = 0; k < n; k++)
            ret->f[at + k] = !valid || valid[k] ? v.f[k] + 0.0 : 0.0;
    } else {
        for (int k = 0; k < n; k++)
            ret->i[at + k] = !valid || valid[k] ? v.i[k] : 0;
    }
    if (!ret->valid)
        return;
    if (e->type == TYPE_NULL)
        memset(ret->valid + at, 0, (size_t)n);
    else if (valid)
        memcpy(ret->valid + at, valid, (size_t)n);
    else
        memset(ret->valid + at, 1, (size_t)n);
}

/* The rows of a block: what the arena holds, and no more than there are. A tree as deep as the
 * parser lets it be, with a cast on every level, needs two thirds of the arena for one row. */
static int block_rows(const struct expr *e, int64_t n)
{
    int64_t fit = EVAL_ARENA / (e->registers * EVAL_REGISTER_BYTES);
    assert(fit > 0);
    fit = fit < EVAL_BLOCK ? fit : EVAL_BLOCK;
    return (int)(n < fit ? n : fit);
}

static struct eval eval_over(uint8_t *arena, const struct expr *e, const struct expr_slot *slots,
                             int64_t from, int stride)
{
    return (struct eval){
        .slots = slots,
        .at = from,
        .stride = stride,
        .data = arena,
        .valid = arena + (size_t)e->registers * (size_t)stride * 8,
    };
}

void expr_eval_range(const struct expr *e, const struct expr_slot *slots, int64_t from, int64_t n,
                     struct column *ret, int64_t at)
{
    _Alignas(64) uint8_t arena[EVAL_ARENA];
    struct eval ev = eval_over(arena, e, slots, from, block_rows(e, n));
    for (int64_t done = 0; done < n; done += ev.n) {
        ev.at = from + done;
        ev.n = (int)(n - done < ev.stride ? n - done : ev.stride);
        write_block(e, expr_eval_node(&ev, e, 0), ev.n, ret, at + done);
    }
}

void expr_eval(const struct expr *e, const struct expr_slot *slots, int64_t n, struct column *ret,
               int64_t at)
{
    expr_eval_range(e, slots, 0, n, ret, at);
}

void expr_filter(const struct expr *e, const struct expr_slot *slots, int64_t n, uint8_t *ret_keep)
{
    struct column keep = {.type = TYPE_BOOL, .rows = n, .b = ret_keep};
    expr_eval_range(e, slots, 0, n, &keep, 0);
}

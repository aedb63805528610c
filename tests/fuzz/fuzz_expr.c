/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz_expr.c - any bytes as an expression and as a calculation: read or refused with words; what
 * was read has a canonical text that reads as the same; what can be bound is evaluated, in blocks
 * and row by row alike. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "features/expr.h"

enum { ROWS = 40 };

/* Any name is a column: its last letter says of which type. */
static const enum type types[] = {TYPE_INT,  TYPE_FLOAT,     TYPE_BOOL,   TYPE_STRING,
                                  TYPE_DATE, TYPE_TIMESTAMP, TYPE_DECIMAL};
enum { N_TYPES = sizeof(types) / sizeof(types[0]) };
static const int64_t offsets[] = {0, 0, 1, 3};

static void need(bool truth)
{
    if (!truth)
        abort();
}

static void fill(struct column *c, enum type type)
{
    static const int64_t ints[] = {0, 1, -1, 7, 19000, INT64_MAX, INT64_MIN};
    static const double floats[] = {0, 1, -1, 2.5, 1e308, -0.25, 1e-300};
    column_alloc(c, type, ROWS, true);
    c->dict = (struct dict){type == TYPE_STRING ? 3 : 0, offsets, "aab"};
    c->max_chars = 2;
    for (int row = 0; row < ROWS; row++) {
        bool valid = row % 5 != 0, time = type == TYPE_DATE || type == TYPE_TIMESTAMP;
        c->valid[row] = valid;
        if (!valid)
            continue;
        if (type == TYPE_FLOAT || type == TYPE_DECIMAL)
            c->f[row] = floats[row % 7];
        else if (type == TYPE_STRING)
            c->code[row] = row % 3;
        else if (type == TYPE_BOOL)
            c->b[row] = row % 2;
        else
            c->i[row] = ints[row % (time ? 5 : 7)];
    }
}

static int resolve(void *ctx, const char *name, bool target, struct column *ret_column,
                   int *ret_slot, struct err *err)
{
    const struct expr_slot *slots = ctx;
    *ret_slot = (unsigned char)name[strlen(name) - 1] % N_TYPES;
    *ret_column = *slots[*ret_slot].column;
    return 0;
}

static void evaluate(const struct expr *e, const struct expr_slot *slots)
{
    CLEANUP(column_deinit) struct column all = {0};
    expr_column(e, slots, ROWS, 1, &all);
    for (int row = 0; row < ROWS; row += 9) {
        struct expr_slot moved[N_TYPES];
        CLEANUP(column_deinit) struct column one = {0};
        for (int k = 0; k < N_TYPES; k++) {
            moved[k] = slots[k];
            moved[k].first = row;
            moved[k].constant = (row + k) % 2;
        }
        expr_column(e, moved, 1, 1, &one);
        bool null = column_is_null(&all, row);
        need(null == column_is_null(&one, 0) && (!null || expr_nullable(e)));
        if (null)
            continue;
        if (all.type == TYPE_STRING)
            need(text_compare(dict_text(&all.dict, all.code[row]), dict_text(&one.dict, 0)) == 0);
        else
            need(memcmp(all.b + (size_t)row * type_bytes(all.type), one.b, type_bytes(all.type)) ==
                 0);
    }
}

static void bind_and_evaluate(struct expr *e)
{
    struct err err = {0};
    struct column columns[N_TYPES];
    struct expr_slot slots[N_TYPES] = {0};
    for (int k = 0; k < N_TYPES; k++) {
        fill(&columns[k], types[k]);
        slots[k].column = &columns[k];
    }
    int r = expr_bind(e, resolve, slots, &err);
    need(r == 0 || (r == ERR_INPUT && err.text[0]));
    for (int i = 0; r == 0 && i < expr_parts(e) && i < 3; i++)
        evaluate(expr_part(e, i), slots);
    for (int k = 0; k < N_TYPES; k++)
        column_deinit(&columns[k]);
}

static void as_expression(const char *text)
{
    struct err err = {0};
    CLEANUP(expr_free) struct expr *e = NULL, *again = NULL;
    CLEANUP(str_deinit) struct str one = {0}, two = {0};
    int r = expr_parse(text, &e, &err);
    if (r < 0) {
        need(r == ERR_INPUT && err.text[0] && !e);
        return;
    }
    expr_print(e, &one);
    if (one.len < 60000) { /* the canonical text can be a little longer than what was read */
        need(expr_parse(one.s, &again, &err) == 0);
        expr_print(again, &two);
        need(strcmp(one.s, two.s) == 0);
    }
    bind_and_evaluate(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    CLEANUP(mem_free_chars) char *text = mem_strndup((const char *)data, size);
    CLEANUP(call_free) struct call *call = NULL;
    as_expression(text);
    int r = call_parse(text, &call, &err);
    need(r == 0 || (r == ERR_INPUT && err.text[0]));
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_expr_random.c - random expressions against a second, naive reckoning.
 *
 * Each made expression carries, beside its text, the value it must have in every row, reckoned
 * value by value as SEMANTICS defines it, from the values of its parts. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "features/expr.h"

enum { ROWS = 67, TEXTS = 4000, DEPTH = 5 };

struct cell {
    bool null;
    int64_t i; /* bool, integer, date; string: number in words */
    double f;
};

struct made {
    enum type type;
    struct str text;
    struct cell cells[ROWS];
};

static const char *const words[] = {"", "HV", "ST", "a", "ab", "東"};
static const int64_t word_offsets[] = {0, 0, 2, 4, 5, 7, 10};
static const char word_bytes[] = "HVSTaab東";
enum { N_WORDS = 6 };

/* Two columns of each type. */
static const enum type column_types[] = {TYPE_INT, TYPE_FLOAT, TYPE_BOOL, TYPE_STRING, TYPE_DATE};
enum { N_TYPES = 5, N_COLUMNS = 2 * N_TYPES };
static struct column columns[N_COLUMNS];
static uint64_t state;

static uint32_t dice(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % n;
}

static struct cell null_cell(void)
{
    return (struct cell){.null = true};
}

static struct cell int_cell(int64_t i)
{
    return (struct cell){.i = i, .f = (double)i};
}

static struct cell wide_cell(__int128 wide)
{
    return wide < INT64_MIN || wide > INT64_MAX ? null_cell() : int_cell((int64_t)wide);
}

static struct cell float_cell(double f)
{
    return isfinite(f) ? (struct cell){.f = f + 0.0} : null_cell();
}

static void make(struct made *m, enum type type, int depth);

/* ---- leaves ---- */

static void make_column(struct made *m, enum type type)
{
    int number = 0;
    while (column_types[number / 2] != type)
        number++;
    number += (int)dice(2);
    const struct column *c = &columns[number];
    str_addf(&m->text, "c%d", number);
    for (int row = 0; row < ROWS; row++) {
        if (column_is_null(c, row))
            m->cells[row] = null_cell();
        else if (type == TYPE_FLOAT)
            m->cells[row] = float_cell(c->f[row]);
        else
            m->cells[row] = int_cell(type == TYPE_BOOL     ? c->b[row]
                                     : type == TYPE_STRING ? c->code[row]
                                                           : c->i[row]);
    }
}

static void make_literal(struct made *m, enum type type)
{
    static const double floats[] = {0, 0.5, 1, 2.5, 1e300};
    int64_t i = type == TYPE_STRING ? dice(N_WORDS) : type == TYPE_BOOL ? dice(2) : dice(5);
    struct cell cell = int_cell(i);
    if (type == TYPE_STRING) {
        str_addf(&m->text, "'%s'", words[i]);
    } else if (type == TYPE_FLOAT) {
        cell = float_cell(floats[i]);
        str_addf(&m->text, "%.17e", floats[i]);
    } else if (type == TYPE_BOOL) {
        str_addz(&m->text, i ? "true" : "false");
    } else {
        str_addf(&m->text, "%d", (int)i);
    }
    for (int row = 0; row < ROWS; row++)
        m->cells[row] = cell;
}

/* ---- one operation on two values ---- */

static struct cell arithmetic(char op, bool floats, struct cell a, struct cell b)
{
    if (a.null || b.null)
        return null_cell();
    __int128 x = a.i, y = b.i;
    switch (op) {
    case '+':
        return floats ? float_cell(a.f + b.f) : wide_cell(x + y);
    case '-':
        return floats ? float_cell(a.f - b.f) : wide_cell(x - y);
    case '*':
        return floats ? float_cell(a.f * b.f) : wide_cell(x * y);
    case '/':
        return float_cell(a.f / b.f);
    default:
        if (floats)
            return float_cell(fmod(a.f, b.f));
        return y == 0 ? null_cell() : wide_cell(x % y);
    }
}

static int order_of(enum type type, struct cell a, struct cell b)
{
    if (type == TYPE_STRING)
        return strcmp(words[a.i], words[b.i]);
    if (type == TYPE_FLOAT)
        return (a.f > b.f) - (a.f < b.f);
    return (a.i > b.i) - (a.i < b.i);
}

static struct cell compared(const char *op, enum type type, struct cell a, struct cell b)
{
    if (a.null || b.null)
        return null_cell();
    int order = order_of(type, a, b);
    bool equal = strchr(op, '=') && order == 0 && op[0] != '!';
    if (op[0] == '!')
        return int_cell(order != 0);
    return int_cell(equal || (op[0] == '<' && order < 0) || (op[0] == '>' && order > 0));
}

static struct cell logic(bool is_and, struct cell a, struct cell b)
{
    bool settles = !is_and; /* true settles `or`, false settles `and` */
    if ((!a.null && (a.i != 0) == settles) || (!b.null && (b.i != 0) == settles))
        return int_cell(settles);
    return a.null || b.null ? null_cell() : int_cell(!settles);
}

/* ---- nodes ---- */

static void made_deinit(struct made *m)
{
    str_deinit(&m->text);
}

static enum type some_number(void)
{
    return dice(2) ? TYPE_INT : TYPE_FLOAT;
}

static void make_arithmetic(struct made *m, enum type type, int depth)
{
    struct made a = {0}, b = {0};
    char op = "+-*%/"[dice(type == TYPE_FLOAT ? 5 : 4)];
    make(&a, type == TYPE_INT ? TYPE_INT : some_number(), depth);
    make(&b, op == '/' ? some_number() : type, depth);
    str_addf(&m->text, "(%s %c %s)", a.text.s, op, b.text.s);
    for (int row = 0; row < ROWS; row++)
        m->cells[row] = arithmetic(op, type == TYPE_FLOAT, a.cells[row], b.cells[row]);
    made_deinit(&a);
    made_deinit(&b);
}

static void make_unary(struct made *m, enum type type, int depth)
{
    static const char *const names[] = {"-", "abs", "floor", "round", "sqrt"};
    struct made a = {0};
    uint32_t which = dice(type == TYPE_FLOAT ? 5 : 2);
    make(&a, type, depth);
    str_addf(&m->text, "%s(%s)", names[which], a.text.s);
    for (int row = 0; row < ROWS; row++) {
        struct cell x = a.cells[row];
        if (x.null)
            m->cells[row] = null_cell();
        else if (type == TYPE_INT)
            m->cells[row] = wide_cell(which == 0 || x.i < 0 ? -(__int128)x.i : x.i);
        else
            m->cells[row] = float_cell(which == 0   ? -x.f
                                       : which == 1 ? fabs(x.f)
                                       : which == 2 ? floor(x.f)
                                       : which == 3 ? round(x.f)
                                                    : sqrt(x.f));
    }
    made_deinit(&a);
}

static void make_choice(struct made *m, enum type type, int depth)
{
    struct made c = {0}, a = {0}, b = {0};
    bool is_if = dice(2);
    make(&c, TYPE_BOOL, depth);
    make(&a, type, depth);
    make(&b, type, depth);
    if (is_if)
        str_addf(&m->text, "if(%s, %s, %s)", c.text.s, a.text.s, b.text.s);
    else
        str_addf(&m->text, "coalesce(%s, %s)", a.text.s, b.text.s);
    for (int row = 0; row < ROWS; row++) {
        bool first = is_if ? !c.cells[row].null && c.cells[row].i : !a.cells[row].null;
        m->cells[row] = first ? a.cells[row] : b.cells[row];
    }
    made_deinit(&c);
    made_deinit(&a);
    made_deinit(&b);
}

static void make_extreme(struct made *m, enum type type, int depth)
{
    struct made a = {0}, b = {0};
    bool least = dice(2);
    make(&a, type, depth);
    make(&b, type, depth);
    str_addf(&m->text, "%s(%s, %s)", least ? "min" : "max", a.text.s, b.text.s);
    for (int row = 0; row < ROWS; row++) {
        struct cell x = a.cells[row], y = b.cells[row];
        bool first = (order_of(type, x, y) < 0) == least;
        m->cells[row] = x.null || y.null ? null_cell() : first ? x : y;
    }
    made_deinit(&a);
    made_deinit(&b);
}

static void make_comparison(struct made *m, int depth)
{
    static const char *const ops[] = {"==", "!=", "<", "<=", ">", ">="};
    static const enum type types[] = {TYPE_INT, TYPE_FLOAT, TYPE_STRING, TYPE_DATE};
    const char *op = ops[dice(6)];
    enum type type = types[dice(4)];
    struct made a = {0}, b = {0};
    make(&a, type, depth);
    make(&b, type == TYPE_FLOAT ? some_number() : type, depth);
    str_addf(&m->text, "(%s %s %s)", a.text.s, op, b.text.s);
    for (int row = 0; row < ROWS; row++)
        m->cells[row] = compared(op, type, a.cells[row], b.cells[row]);
    made_deinit(&a);
    made_deinit(&b);
}

static void make_logic(struct made *m, int depth)
{
    struct made a = {0}, b = {0};
    uint32_t which = dice(4);
    make(&a, TYPE_BOOL, depth);
    make(&b, TYPE_BOOL, depth);
    if (which < 2)
        str_addf(&m->text, "(%s %s %s)", a.text.s, which ? "and" : "or", b.text.s);
    else
        str_addf(&m->text, which == 2 ? "(not %s)" : "is_null(%s)", a.text.s);
    for (int row = 0; row < ROWS; row++) {
        struct cell x = a.cells[row];
        m->cells[row] = which < 2    ? logic(which, x, b.cells[row])
                        : which == 3 ? int_cell(x.null)
                        : x.null     ? null_cell()
                                     : int_cell(!x.i);
    }
    made_deinit(&a);
    made_deinit(&b);
}

/* x in (a, b), or x between a and b; with not or without. */
static void make_membership(struct made *m, int depth)
{
    static const enum type types[] = {TYPE_INT, TYPE_FLOAT, TYPE_STRING, TYPE_DATE};
    enum type type = types[dice(4)];
    struct made x = {0}, a = {0}, b = {0};
    bool between = dice(2), negated = dice(2);
    make(&x, type, depth);
    make(&a, type, depth);
    make(&b, type, depth);
    str_addf(&m->text, between ? "(%s %sbetween %s and %s)" : "(%s %sin (%s, %s))", x.text.s,
             negated ? "not " : "", a.text.s, b.text.s);
    for (int row = 0; row < ROWS; row++) {
        struct cell one = compared(between ? ">=" : "==", type, x.cells[row], a.cells[row]);
        struct cell other = compared(between ? "<=" : "==", type, x.cells[row], b.cells[row]);
        struct cell is = logic(between, one, other);
        m->cells[row] = is.null ? is : int_cell(is.i != negated);
    }
    made_deinit(&x);
    made_deinit(&a);
    made_deinit(&b);
}

static void make_node(struct made *m, enum type type, int depth)
{
    uint32_t which = dice(4);
    if (type == TYPE_BOOL && which == 0)
        make_choice(m, type, depth);
    else if (type == TYPE_BOOL && which == 1)
        make_membership(m, depth);
    else if (type == TYPE_BOOL && which == 2)
        make_comparison(m, depth);
    else if (type == TYPE_BOOL)
        make_logic(m, depth);
    else if (which == 0 || type == TYPE_STRING)
        make_choice(m, type, depth);
    else if (which == 1 || type == TYPE_DATE)
        make_extreme(m, type, depth);
    else if (which == 2)
        make_unary(m, type, depth);
    else
        make_arithmetic(m, type, depth);
}

static void make(struct made *m, enum type type, int depth)
{
    m->type = type;
    if (depth > 0 && dice(5) > 0)
        make_node(m, type, depth - 1);
    else if (dice(3) == 0 && type != TYPE_DATE)
        make_literal(m, type);
    else
        make_column(m, type);
}

/* ---- the check ---- */

static int resolve(void *ctx, const char *name, bool target, struct column *ret_column,
                   int *ret_slot, struct err *err)
{
    *ret_slot = atoi(name + 1);
    *ret_column = columns[*ret_slot];
    return 0;
}

static bool same(const struct column *got, int64_t row, struct cell want)
{
    if (column_is_null(got, row) || want.null)
        return column_is_null(got, row) && want.null;
    if (got->type == TYPE_STRING) {
        struct text t = dict_text(&got->dict, got->code[row]);
        return t.len == (int64_t)strlen(words[want.i]) &&
               memcmp(t.s, words[want.i], (size_t)t.len) == 0;
    }
    if (got->type == TYPE_FLOAT)
        return got->f[row] == want.f && !signbit(got->f[row]) == !signbit(want.f);
    return (got->type == TYPE_BOOL ? got->b[row] : got->i[row]) == want.i;
}

static void check(const struct made *m)
{
    struct err err = {0};
    CLEANUP(expr_free) struct expr *e = NULL;
    CLEANUP(column_deinit) struct column got = {0};
    struct expr_slot slots[N_COLUMNS] = {0};
    int32_t rows[ROWS];
    for (int k = 0; k < N_COLUMNS; k++)
        slots[k] = (struct expr_slot){.column = &columns[k], .rows = rows};
    for (int row = 0; row < ROWS; row++)
        rows[row] = (row * 10) % ROWS;
    int r = expr_parse(m->text.s, &e, &err);
    if (r == 0)
        r = expr_bind(e, resolve, NULL, &err);
    ck_assert_msg(r == 0, "%s: %s", m->text.s, err.text);
    ck_assert_msg(expr_type(e) == m->type, "%s has type %s", m->text.s, type_name(expr_type(e)));
    expr_column(e, slots, ROWS, 1, &got);
    for (int row = 0; row < ROWS; row++) {
        if (!same(&got, row, m->cells[rows[row]]))
            ck_abort_msg("%s\n  row %d differs", m->text.s, rows[row]);
        if (column_is_null(&got, row) && !expr_nullable(e))
            ck_abort_msg("%s\n  is said never to be null", m->text.s);
    }
}

static void fill_columns(bool with_nulls)
{
    static const int64_t ints[] = {0, 1, -1, 2, 3, -7, 10, INT64_MAX, INT64_MIN, 1000000007};
    static const double floats[] = {0, 1, -1, 0.5, 2.5, -2.5, 1e308, -1e308, 1e-300, 7};
    for (int k = 0; k < N_COLUMNS; k++) {
        struct column *c = &columns[k];
        column_alloc(c, column_types[k / 2], ROWS, with_nulls);
        c->dict = (struct dict){c->type == TYPE_STRING ? N_WORDS : 0, word_offsets, word_bytes};
        for (int row = 0; row < ROWS; row++) {
            bool null = with_nulls && dice(4) == 0;
            uint32_t any = null ? 0 : dice(10);
            if (with_nulls)
                c->valid[row] = !null;
            if (c->type == TYPE_INT)
                c->i[row] = ints[any];
            else if (c->type == TYPE_FLOAT)
                c->f[row] = floats[any];
            else if (c->type == TYPE_STRING)
                c->code[row] = (int32_t)(any % N_WORDS);
            else if (c->type == TYPE_DATE)
                c->i[row] = any * 100;
            else
                c->b[row] = any % 2;
        }
    }
}

START_TEST(test_random_expressions_have_the_values_that_a_naive_reckoning_gives)
{
    state = 20240229 + (uint64_t)_i;
    fill_columns(_i == 0);
    for (int i = 0; i < TEXTS; i++) {
        struct made m = {0};
        make(&m, column_types[dice(N_TYPES)], 1 + (int)dice(DEPTH));
        check(&m);
        made_deinit(&m);
    }
    for (int k = 0; k < N_COLUMNS; k++)
        column_deinit(&columns[k]);
}
END_TEST

static Suite *expr_random_suite(void)
{
    Suite *suite = suite_create("expr_random");
    TCase *tc = tcase_create("random");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, test_random_expressions_have_the_values_that_a_naive_reckoning_gives, 0,
                        2);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(expr_random_suite)

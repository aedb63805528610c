/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* expr_tree.c - the nodes of an expression: life, questions, the canonical text. */
#include "features/expr_tree.h"

#include <stdarg.h>
#include <stdio.h>

#include "codec/number.h"

struct expr *expr_new(enum expr_op op, int at)
{
    struct expr *e = MEM_NEW(struct expr);
    e->op = op;
    e->at = at;
    e->depth = 1;
    e->slot = -1;
    return e;
}

void expr_add(struct expr *e, struct expr *arg)
{
    e->args = mem_grow(e->args, &e->args_cap, (size_t)e->n_args + 1, sizeof(struct expr *));
    e->args[e->n_args++] = arg;
    if (arg->depth >= e->depth)
        e->depth = arg->depth + 1;
}

void expr_free(struct expr *e)
{
    if (!e)
        return;
    for (int i = 0; i < e->n_parts; i++)
        expr_free(e->parts[i]);
    for (int i = 0; i < e->n_args && !e->borrows; i++)
        expr_free(e->args[i]);
    if (e->owns_literals)
        free(e->literals);
    free(e->parts);
    free(e->args);
    free(e->text);
    free(e);
}

int expr_error(struct err *err, int at, const char *fmt, ...)
{
    char words[900];
    va_list args;
    va_start(args, fmt);
    vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    return err_set(err, ERR_INPUT, "column %d: %s", at, words);
}

/* ---- questions ---- */

const char *expr_bare_name(const struct expr *e)
{
    e = expr_written(e);
    return e->op == OP_NAME && !e->target ? e->text : NULL;
}

bool expr_literal(const struct expr *e, double *ret_value)
{
    e = expr_written(e);
    if (e->op != OP_CONST || e->is_null || (e->type != TYPE_INT && e->type != TYPE_FLOAT))
        return false;
    *ret_value = e->type == TYPE_INT ? (double)e->i : e->f;
    return true;
}

bool expr_literal_text(const struct expr *e, struct text *ret)
{
    e = expr_written(e);
    if (e->op != OP_CONST || e->is_null || e->type != TYPE_STRING)
        return false;
    *ret = (struct text){e->text, (int64_t)strlen(e->text)};
    return true;
}

const char *expr_outer_call(const struct expr *e)
{
    return e->op == OP_CYC || e->op == OP_ONEHOT ? expr_function_name(e->op) : NULL;
}

const struct expr *expr_arg(const struct expr *e, int i)
{
    return e->args[i];
}

int expr_list_size(const struct expr *e)
{
    return e->op == OP_LIST ? e->n_args : -1;
}

const struct expr *expr_list_at(const struct expr *e, int i)
{
    return e->args[i];
}

int expr_parts(const struct expr *e)
{
    if (e->op == OP_CYC)
        return 2;
    return e->op == OP_ONEHOT ? e->args[1]->n_args : 1;
}

void expr_suffix(const struct expr *e, int i, struct str *out)
{
    if (e->op == OP_CYC) {
        str_addz(out, i == 0 ? "_sin" : "_cos");
    } else if (e->op == OP_ONEHOT) {
        const struct expr *value = expr_written(e->args[1]->args[i]);
        str_addc(out, '_');
        if (value->type == TYPE_STRING)
            str_addz(out, value->text);
        else
            expr_print(value, out);
    }
}

const struct expr *expr_part(const struct expr *e, int i)
{
    return e->n_parts > 0 ? e->parts[i] : e;
}

enum type expr_type(const struct expr *e)
{
    return e->type;
}

int expr_scale(const struct expr *e)
{
    return e->scale;
}

bool expr_nullable(const struct expr *e)
{
    return e->nullable;
}

int32_t expr_max_chars(const struct expr *e)
{
    return e->max_chars;
}

int expr_slot(const struct expr *e)
{
    return e->op == OP_NAME ? e->slot : -1;
}

int expr_each_name(const struct expr *e, expr_name_fn *fn, void *ctx, struct err *err)
{
    if (e->op == OP_NAME)
        return fn(ctx, e->text, e->target, err);
    for (int i = 0; i < e->n_args; i++) {
        int r = expr_each_name(e->args[i], fn, ctx, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- the canonical text ---- */

/* How tightly an operator binds; a looser one below it stands in brackets. */
enum { BIND_OR, BIND_AND, BIND_NOT, BIND_COMPARE, BIND_SUM, BIND_PRODUCT, BIND_UNARY, BIND_ATOM };

static const struct {
    const char *word;
    int bind;
} operators[OP_COUNT] = {
    [OP_OR] = {"or", BIND_OR},
    [OP_AND] = {"and", BIND_AND},
    [OP_NOT] = {"not", BIND_NOT},
    [OP_EQ] = {"==", BIND_COMPARE},
    [OP_NE] = {"!=", BIND_COMPARE},
    [OP_LT] = {"<", BIND_COMPARE},
    [OP_LE] = {"<=", BIND_COMPARE},
    [OP_GT] = {">", BIND_COMPARE},
    [OP_GE] = {">=", BIND_COMPARE},
    [OP_IN] = {"in", BIND_COMPARE},
    [OP_BETWEEN] = {"between", BIND_COMPARE},
    [OP_ADD] = {"+", BIND_SUM},
    [OP_SUB] = {"-", BIND_SUM},
    [OP_MUL] = {"*", BIND_PRODUCT},
    [OP_DIV] = {"/", BIND_PRODUCT},
    [OP_MOD] = {"%", BIND_PRODUCT},
    [OP_NEG] = {"-", BIND_UNARY},
};

const char *expr_op_name(enum expr_op op)
{
    return operators[op].word ? operators[op].word : expr_function_name(op);
}

static int binding(const struct expr *e)
{
    if (operators[e->op].word)
        return operators[e->op].bind;
    bool negative = e->op == OP_CONST && !e->is_null &&
                    ((e->type == TYPE_INT && e->i < 0) || (e->type == TYPE_FLOAT && e->f < 0));
    return negative ? BIND_UNARY : BIND_ATOM;
}

static void print_in(const struct expr *e, int bind, struct str *out)
{
    bool brackets = binding(expr_written(e)) < bind;
    if (brackets)
        str_addc(out, '(');
    expr_print(e, out);
    if (brackets)
        str_addc(out, ')');
}

static void print_quoted(const char *s, char quote, struct str *out)
{
    str_addc(out, quote);
    for (; *s; s++) {
        if (*s == quote)
            str_addc(out, quote);
        str_addc(out, *s);
    }
    str_addc(out, quote);
}

static bool is_plain_name(const char *s)
{
    if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '_'))
        return false;
    size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return s[len] == '\0' && !expr_is_keyword(s, len);
}

void expr_print_name(const char *name, struct str *out)
{
    if (is_plain_name(name))
        str_addz(out, name);
    else
        print_quoted(name, '`', out);
}

static void print_name(const struct expr *e, struct str *out)
{
    if (e->target)
        str_addz(out, "target.");
    expr_print_name(e->text, out);
}

static void print_const(const struct expr *e, struct str *out)
{
    char buf[NUMBER_TEXT];
    if (e->is_null)
        str_addz(out, "null");
    else if (e->type == TYPE_BOOL)
        str_addz(out, e->i ? "true" : "false");
    else if (e->type == TYPE_STRING)
        print_quoted(e->text, '\'', out);
    else
        str_add(out, buf, e->type == TYPE_INT ? number_i64(e->i, buf) : number_f64(e->f, buf));
}

static void print_args(const struct expr *e, int first, const char *brackets, struct str *out)
{
    str_addc(out, brackets[0]);
    for (int i = first; i < e->n_args; i++) {
        if (i > first)
            str_addz(out, ", ");
        expr_print(e->args[i], out);
    }
    str_addc(out, brackets[1]);
}

/* Chains lean to the left: an equal operator on the right stands in brackets; comparisons do not
 * chain at all. */
static void print_operator(const struct expr *e, struct str *out)
{
    const char *word = operators[e->op].word;
    int bind = operators[e->op].bind;
    if (e->n_args == 1) {
        str_addf(out, "%s%s", word, e->op == OP_NOT ? " " : "");
        print_in(e->args[0], bind, out);
        return;
    }
    print_in(e->args[0], bind == BIND_COMPARE ? bind + 1 : bind, out);
    str_addf(out, " %s ", word);
    if (e->op == OP_IN) {
        print_args(e, 1, "()", out);
        return;
    }
    print_in(e->args[1], bind + 1, out);
    if (e->op == OP_BETWEEN) {
        str_addz(out, " and ");
        print_in(e->args[2], bind + 1, out);
    }
}

void expr_print(const struct expr *e, struct str *out)
{
    e = expr_written(e);
    if (e->op == OP_CONST) {
        print_const(e, out);
    } else if (e->op == OP_NAME) {
        print_name(e, out);
    } else if (e->op == OP_LIST) {
        print_args(e, 0, "[]", out);
    } else if (binding(e) < BIND_ATOM) {
        print_operator(e, out);
    } else {
        str_addz(out, expr_function_name(e->op));
        print_args(e, 0, "()", out);
    }
}

const char *expr_snip(const struct expr *e, char *buf)
{
    CLEANUP(str_deinit) struct str s = {0};
    expr_print(e, &s);
    size_t len = s.len;
    if (len < EXPR_SNIP) {
        memcpy(buf, s.s, len + 1);
        return buf;
    }
    len = EXPR_SNIP - 4;
    while (len > 0 && ((unsigned char)s.s[len] & 0xc0) == 0x80)
        len--;
    memcpy(buf, s.s, len);
    memcpy(buf + len, "...", 4);
    return buf;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* expr_parse.c - words into a tree, by recursive descent.
 *
 *     or         = and { "or" and }
 *     and        = not { "and" not }
 *     not        = "not" not | comparison
 *     comparison = sum [ ("==" | "!=" | "<" | "<=" | ">" | ">=") sum
 *                      | ["not"] "in" "(" or { "," or } ")"
 *                      | ["not"] "between" sum "and" sum ]
 *     sum        = product { ("+" | "-") product }
 *     product    = unary { ("*" | "/" | "%") unary }
 *     unary      = "-" unary | primary
 *     primary    = literal | name | "target" "." name | function "(" arguments ")" | "(" or ")"
 *
 * Each function below reads one of these and returns NULL with the error set when it cannot. */
#include <stdio.h>

#include "features/expr_lex.h"

struct parser {
    struct lexer lexer;
    struct err *err;
    int nest;
    const struct expr *outer; /* the last cyc or onehot, which may only be the root */
    const char *outer_name;
};

static struct expr *parse_or(struct parser *p);

static enum token_kind look(const struct parser *p)
{
    return p->lexer.kind;
}

static bool step(struct parser *p)
{
    return lexer_next(&p->lexer) == 0;
}

static struct expr *expected(struct parser *p, const char *what)
{
    lexer_expected(&p->lexer, what);
    return NULL;
}

static struct expr *expected_operand(struct parser *p)
{
    const struct lexer *lexer = &p->lexer;
    char what[96];
    if (lexer->before && lexer->before_len <= 40)
        snprintf(what, sizeof(what), "an operand after '%.*s'", lexer->before_len, lexer->before);
    else
        snprintf(what, sizeof(what), "an operand");
    return expected(p, what);
}

/* A node over two operands, which it takes; NULL when the second is missing or the tree too deep.
 */
static struct expr *join(struct parser *p, enum expr_op op, int at, struct expr *left,
                         struct expr *right)
{
    if (!left || !right) {
        expr_free(left);
        expr_free(right);
        return NULL;
    }
    struct expr *e = expr_new(op, at);
    expr_add(e, left);
    expr_add(e, right);
    if (e->depth > EXPR_DEPTH_MAX) {
        expr_free(e);
        expr_error(p->err, at, "more than %d operators in a row: make columns of parts of it",
                   EXPR_DEPTH_MAX);
        return NULL;
    }
    return e;
}

static bool enter(struct parser *p)
{
    if (p->nest == EXPR_NEST_MAX) {
        expr_error(p->err, p->lexer.at, "nested deeper than %d: make columns of parts of it",
                   EXPR_NEST_MAX);
        return false;
    }
    p->nest++;
    return true;
}

/* ---- literals and names ---- */

static struct expr *number(struct parser *p, bool negative, int at)
{
    const struct lexer *lexer = &p->lexer;
    CLEANUP(mem_free_chars)
    char *text = mem_printf("%s%.*s", negative ? "-" : "", lexer->len, lexer->start);
    CLEANUP(expr_free) struct expr *e = expr_new(OP_CONST, at);
    bool whole = !strpbrk(text, ".eE");
    e->type = whole ? TYPE_INT : TYPE_FLOAT;
    if (whole ? !str_to_i64(text, &e->i) : !str_to_f64(text, &e->f)) {
        expr_error(p->err, at,
                   whole ? "the integer %.40s is beyond 64 bits; write it with a point"
                         : "the number %.40s is too large",
                   text);
        return NULL;
    }
    if (!whole)
        e->f += 0.0; /* -0.0 is 0 */
    if (!step(p))
        return NULL;
    return expr_take(&e);
}

static struct expr *literal(struct parser *p)
{
    if (look(p) == TOKEN_NUMBER)
        return number(p, false, p->lexer.at);
    CLEANUP(expr_free) struct expr *e = expr_new(OP_CONST, p->lexer.at);
    if (look(p) == TOKEN_STRING) {
        e->type = TYPE_STRING;
        e->text = mem_strdup(p->lexer.value.s);
    } else if (look(p) == TOKEN_NULL) {
        e->is_null = true;
    } else {
        e->type = TYPE_BOOL;
        e->i = look(p) == TOKEN_TRUE;
    }
    if (!step(p))
        return NULL;
    return expr_take(&e);
}

static struct expr *name_node(struct parser *p, char *name, bool target, int at)
{
    struct expr *e = expr_new(OP_NAME, at);
    e->text = name;
    e->target = target;
    return e;
}

static struct expr *target_name(struct parser *p, int at)
{
    if (!step(p))
        return NULL;
    if (look(p) != TOKEN_NAME && look(p) != TOKEN_QUOTED_NAME)
        return expected(p, "the name of a column after 'target.'");
    CLEANUP(mem_free_chars) char *name = mem_strdup(p->lexer.value.s);
    if (!step(p))
        return NULL;
    struct expr *e = name_node(p, name, true, at);
    name = NULL;
    return e;
}

/* ---- functions ---- */

/* An element of a list: a literal, with a minus before it or not. */
static struct expr *list_element(struct parser *p)
{
    int at = p->lexer.at;
    bool negative = look(p) == TOKEN_MINUS;
    if (negative && !step(p))
        return NULL;
    if (look(p) == TOKEN_NUMBER)
        return number(p, negative, at);
    if (!negative && (look(p) == TOKEN_STRING || look(p) == TOKEN_TRUE || look(p) == TOKEN_FALSE))
        return literal(p);
    return expected(p, "a number, a string, true or false (lists hold nothing else)");
}

static struct expr *list(struct parser *p)
{
    if (look(p) != TOKEN_OPEN_LIST)
        return expected(p, "a list [..] as the second argument");
    CLEANUP(expr_free) struct expr *e = expr_new(OP_LIST, p->lexer.at);
    do {
        if (!step(p))
            return NULL;
        struct expr *element = list_element(p);
        if (!element)
            return NULL;
        expr_add(e, element);
    } while (look(p) == TOKEN_COMMA);
    if (look(p) != TOKEN_CLOSE_LIST)
        return expected(p, "',' or ']'");
    if (!step(p))
        return NULL;
    return expr_take(&e);
}

/* From '(' or ',' on, to the closing bracket. */
static bool arguments(struct parser *p, struct expr *e, bool with_list)
{
    int open_at = p->lexer.at;
    char what[64];
    snprintf(what, sizeof(what), "',' or the ')' that closes the '(' at column %d", open_at);
    if (!step(p))
        return false;
    if (look(p) == TOKEN_CLOSE)
        return step(p);
    for (;;) {
        struct expr *arg = with_list && e->n_args == 1 ? list(p) : parse_or(p);
        if (!arg)
            return false;
        expr_add(e, arg);
        if (look(p) == TOKEN_CLOSE)
            return step(p);
        if (look(p) != TOKEN_COMMA) {
            expected(p, what);
            return false;
        }
        if (!step(p))
            return false;
    }
}

static bool arity_fits(struct parser *p, const struct expr *e, const struct expr_function *f)
{
    if (e->n_args >= f->min_args && (f->max_args < 0 || e->n_args <= f->max_args))
        return true;
    if ((e->op == OP_MIN || e->op == OP_MAX) && e->n_args == 1)
        expr_error(p->err, e->at,
                   "%s compares at least two values of one row: %s; the %s over many rows is a "
                   "\"calc\"",
                   f->name, f->usage, f->name);
    else
        expr_error(p->err, e->at, "found %d argument%s; write %s", e->n_args,
                   e->n_args == 1 ? "" : "s", f->usage);
    return false;
}

/* cyc and onehot are the root or an error. */
static int refuse_inner_outer(const struct parser *p, const struct expr *root)
{
    if (!p->outer || p->outer == root)
        return 0;
    return expr_error(p->err, p->outer->at,
                      "%s makes several columns, so it can only be the whole \"expr\" of a feature",
                      p->outer_name);
}

/* The name was read, '(' is looked at. */
static struct expr *function_call(struct parser *p, const char *name, int at)
{
    const struct expr_function *function;
    if (expr_function_find(name, at, &function, p->err) < 0)
        return NULL;
    CLEANUP(expr_free) struct expr *e = expr_new(function->op, at);
    bool several_columns = e->op == OP_CYC || e->op == OP_ONEHOT;
    if (!enter(p) || !arguments(p, e, e->op == OP_BIN || e->op == OP_ONEHOT) ||
        !arity_fits(p, e, function))
        return NULL;
    p->nest--;
    if (several_columns && refuse_inner_outer(p, NULL) < 0)
        return NULL;
    if (several_columns) {
        p->outer = e;
        p->outer_name = function->name;
    }
    return expr_take(&e);
}

static struct expr *name_or_call(struct parser *p)
{
    int at = p->lexer.at;
    bool quoted = look(p) == TOKEN_QUOTED_NAME;
    CLEANUP(mem_free_chars) char *name = mem_strdup(p->lexer.value.s);
    if (!step(p))
        return NULL;
    if (look(p) == TOKEN_OPEN && !quoted)
        return function_call(p, name, at);
    if (look(p) == TOKEN_DOT && !quoted && strcmp(name, "target") == 0)
        return target_name(p, at);
    if (look(p) == TOKEN_DOT) {
        CLEANUP(mem_free_chars) char *shown = expr_excerpt(name, 1);
        expr_error(p->err, at, "'%s.' cannot stand before a name: only target. can", shown);
        return NULL;
    }
    struct expr *e = name_node(p, name, false, at);
    name = NULL;
    return e;
}

static struct expr *in_brackets(struct parser *p)
{
    char what[64];
    snprintf(what, sizeof(what), "the ')' that closes the '(' at column %d", p->lexer.at);
    if (!enter(p) || !step(p))
        return NULL;
    CLEANUP(expr_free) struct expr *e = parse_or(p);
    if (!e)
        return NULL;
    if (look(p) != TOKEN_CLOSE)
        return expected(p, what);
    p->nest--;
    if (!step(p))
        return NULL;
    return expr_take(&e);
}

static struct expr *parse_primary(struct parser *p)
{
    switch (look(p)) {
    case TOKEN_NUMBER:
    case TOKEN_STRING:
    case TOKEN_TRUE:
    case TOKEN_FALSE:
    case TOKEN_NULL:
        return literal(p);
    case TOKEN_NAME:
    case TOKEN_QUOTED_NAME:
        return name_or_call(p);
    case TOKEN_OPEN:
        return in_brackets(p);
    case TOKEN_OPEN_LIST:
        return expected(p, "an operand: lists [..] stand only in bin(x, [..]) and onehot(x, [..])");
    default:
        return expected_operand(p);
    }
}

/* ---- operators ---- */

/* A node over one operand, which it takes. */
static struct expr *over(enum expr_op op, int at, struct expr *operand)
{
    if (!operand)
        return NULL;
    struct expr *e = expr_new(op, at);
    expr_add(e, operand);
    return e;
}

/* -x, which is a literal if x is one. Takes x. */
static struct expr *negate(struct expr *x, int at)
{
    if (x && x->op == OP_CONST && x->type == TYPE_INT && x->i != INT64_MIN)
        x->i = -x->i;
    else if (x && x->op == OP_CONST && x->type == TYPE_FLOAT)
        x->f = 0.0 - x->f;
    else
        return over(OP_NEG, at, x);
    x->at = at;
    return x;
}

static struct expr *parse_unary(struct parser *p)
{
    if (look(p) != TOKEN_MINUS)
        return parse_primary(p);
    int at = p->lexer.at;
    if (!enter(p) || !step(p))
        return NULL;
    struct expr *e = look(p) == TOKEN_NUMBER ? number(p, true, at) : negate(parse_unary(p), at);
    p->nest--;
    return e;
}

static enum expr_op product_op(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_STAR:
        return OP_MUL;
    case TOKEN_SLASH:
        return OP_DIV;
    case TOKEN_PERCENT:
        return OP_MOD;
    default:
        return OP_COUNT;
    }
}

static struct expr *parse_product(struct parser *p)
{
    struct expr *e = parse_unary(p);
    enum expr_op op;
    while (e && (op = product_op(look(p))) != OP_COUNT) {
        int at = p->lexer.at;
        e = join(p, op, at, e, step(p) ? parse_unary(p) : NULL);
    }
    return e;
}

static struct expr *parse_sum(struct parser *p)
{
    struct expr *e = parse_product(p);
    while (e && (look(p) == TOKEN_PLUS || look(p) == TOKEN_MINUS)) {
        enum expr_op op = look(p) == TOKEN_PLUS ? OP_ADD : OP_SUB;
        int at = p->lexer.at;
        e = join(p, op, at, e, step(p) ? parse_product(p) : NULL);
    }
    return e;
}

static enum expr_op comparison_op(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_EQ:
        return OP_EQ;
    case TOKEN_NE:
        return OP_NE;
    case TOKEN_LT:
        return OP_LT;
    case TOKEN_LE:
        return OP_LE;
    case TOKEN_GT:
        return OP_GT;
    case TOKEN_GE:
        return OP_GE;
    default:
        return OP_COUNT;
    }
}

/* `in` is looked at. Takes x. */
static struct expr *parse_in(struct parser *p, struct expr *x)
{
    CLEANUP(expr_free) struct expr *e = over(OP_IN, p->lexer.at, x);
    if (!enter(p) || !step(p))
        return NULL;
    if (look(p) != TOKEN_OPEN)
        return expected(p, "'(' and the values after 'in'");
    if (!arguments(p, e, false))
        return NULL;
    p->nest--;
    if (e->n_args == 1) {
        expr_error(p->err, e->at, "'in' needs at least one value: x in (1, 2)");
        return NULL;
    }
    return expr_take(&e);
}

/* `between` is looked at. Takes x. */
static struct expr *parse_between(struct parser *p, struct expr *x)
{
    CLEANUP(expr_free) struct expr *e = over(OP_BETWEEN, p->lexer.at, x);
    struct expr *low = step(p) ? parse_sum(p) : NULL;
    if (!low)
        return NULL;
    expr_add(e, low);
    if (look(p) != TOKEN_AND)
        return expected(p, "'and' and the upper bound of 'between'");
    struct expr *high = step(p) ? parse_sum(p) : NULL;
    if (!high)
        return NULL;
    expr_add(e, high);
    return expr_take(&e);
}

static struct expr *parse_not_in(struct parser *p, struct expr *x)
{
    int at = p->lexer.at;
    if (!step(p)) {
        expr_free(x);
        return NULL;
    }
    if (look(p) == TOKEN_IN)
        return over(OP_NOT, at, parse_in(p, x));
    if (look(p) == TOKEN_BETWEEN)
        return over(OP_NOT, at, parse_between(p, x));
    expr_free(x);
    return expected(p, "'in' or 'between' after 'not'");
}

/* What cannot follow a comparison, or stand for one. */
static struct expr *refuse_after(struct parser *p, struct expr *e, bool compared)
{
    enum token_kind kind = look(p);
    const char *words = NULL;
    if (kind == TOKEN_ASSIGN)
        words = "a comparison is written with two signs: write ==";
    else if (kind == TOKEN_IS)
        words = "'is' is not known here; write is_null(x) or not is_null(x)";
    else if (compared && (comparison_op(kind) != OP_COUNT || kind == TOKEN_IN ||
                          kind == TOKEN_BETWEEN || kind == TOKEN_NOT))
        words = "comparisons do not chain: write a < b and b < c, or use brackets";
    if (!words)
        return e;
    expr_error(p->err, p->lexer.at, "%s", words);
    expr_free(e);
    return NULL;
}

static struct expr *parse_comparison(struct parser *p)
{
    struct expr *e = parse_sum(p);
    if (!e)
        return NULL;
    bool compared = true;
    enum expr_op op = comparison_op(look(p));
    if (op != OP_COUNT) {
        int at = p->lexer.at;
        e = join(p, op, at, e, step(p) ? parse_sum(p) : NULL);
    } else if (look(p) == TOKEN_IN) {
        e = parse_in(p, e);
    } else if (look(p) == TOKEN_BETWEEN) {
        e = parse_between(p, e);
    } else if (look(p) == TOKEN_NOT) {
        e = parse_not_in(p, e);
    } else {
        compared = false;
    }
    return e ? refuse_after(p, e, compared) : NULL;
}

static struct expr *parse_not(struct parser *p)
{
    if (look(p) != TOKEN_NOT)
        return parse_comparison(p);
    int at = p->lexer.at;
    if (!enter(p) || !step(p))
        return NULL;
    struct expr *e = over(OP_NOT, at, parse_not(p));
    p->nest--;
    return e;
}

static struct expr *parse_and(struct parser *p)
{
    struct expr *e = parse_not(p);
    while (e && look(p) == TOKEN_AND) {
        int at = p->lexer.at;
        e = join(p, OP_AND, at, e, step(p) ? parse_not(p) : NULL);
    }
    return e;
}

static struct expr *parse_or(struct parser *p)
{
    struct expr *e = parse_and(p);
    while (e && look(p) == TOKEN_OR) {
        int at = p->lexer.at;
        e = join(p, OP_OR, at, e, step(p) ? parse_and(p) : NULL);
    }
    return e;
}

/* ---- whole texts ---- */

static int parser_init(struct parser *p, const char *text, struct err *err)
{
    *p = (struct parser){.err = err};
    if (strlen(text) > EXPR_BYTES_MAX)
        return err_set(err, ERR_INPUT, "the text is longer than %d bytes", EXPR_BYTES_MAX);
    return lexer_init(&p->lexer, text, err);
}

static void parser_deinit(struct parser *p)
{
    lexer_deinit(&p->lexer);
}
MEM_CLEANUP_VALUE(parser_deinit, struct parser);

int expr_parse(const char *text, struct expr **ret, struct err *err)
{
    CLEANUP(parser_deinit) struct parser p;
    int r = parser_init(&p, text, err);
    if (r < 0)
        return r;
    if (look(&p) == TOKEN_END)
        return expr_error(err, 1, "the expression is empty");
    CLEANUP(expr_free) struct expr *e = parse_or(&p);
    if (!e)
        return ERR_INPUT;
    if (look(&p) != TOKEN_END)
        return lexer_expected(&p.lexer, "an operator or the end of the text");
    r = refuse_inner_outer(&p, e);
    if (r < 0)
        return r;
    *ret = expr_take(&e);
    return 0;
}

/* ---- calculations ---- */

void call_free(struct call *call)
{
    if (!call)
        return;
    for (int i = 0; i < call->n_args; i++)
        expr_free(call->args[i]);
    for (int i = 0; i < call->n_named; i++)
        free(call->named[i].name);
    free(call->name);
    free(call);
}

/* Whether the name that is looked at has a single = behind it. */
static bool is_named_argument(const struct parser *p)
{
    const char *s = p->lexer.next + strspn(p->lexer.next, " \t\r\n");
    return look(p) == TOKEN_NAME && s[0] == '=' && s[1] != '=';
}

static int named_argument(struct parser *p, struct call *call)
{
    int at = p->lexer.at;
    if (call->n_named == (int)(sizeof(call->named) / sizeof(call->named[0])))
        return expr_error(p->err, at, "too many named arguments");
    struct call_named *named = &call->named[call->n_named++];
    named->name = mem_strdup(p->lexer.value.s);
    for (int i = 0; i < call->n_named - 1; i++) {
        if (strcmp(call->named[i].name, named->name) == 0)
            return expr_error(p->err, at, "%s= is given twice", named->name);
    }
    if (!step(p) || !step(p))
        return ERR_INPUT;
    int value_at = p->lexer.at;
    CLEANUP(expr_free) struct expr *e = parse_or(p);
    if (!e)
        return ERR_INPUT;
    if (!expr_literal(e, &named->value))
        return expr_error(p->err, value_at, "%s= needs a number", named->name);
    return 0;
}

static int call_argument(struct parser *p, struct call *call)
{
    if (is_named_argument(p))
        return named_argument(p, call);
    if (call->n_named > 0)
        return expr_error(p->err, p->lexer.at,
                          "arguments without a name come before %s=", call->named[0].name);
    if (call->n_args == (int)(sizeof(call->args) / sizeof(call->args[0])))
        return expr_error(p->err, p->lexer.at, "%s has too many arguments", call->name);
    struct expr *arg = parse_or(p);
    if (!arg)
        return ERR_INPUT;
    call->args[call->n_args++] = arg;
    return refuse_inner_outer(p, NULL);
}

/* '(' is looked at. */
static int call_arguments(struct parser *p, struct call *call)
{
    if (!step(p))
        return ERR_INPUT;
    while (look(p) != TOKEN_CLOSE) {
        int r = call_argument(p, call);
        if (r < 0)
            return r;
        if (look(p) == TOKEN_CLOSE)
            break;
        if (look(p) != TOKEN_COMMA)
            return lexer_expected(&p->lexer, "',' or ')'");
        if (!step(p))
            return ERR_INPUT;
        if (look(p) == TOKEN_CLOSE)
            return lexer_expected(&p->lexer, "an argument after ','");
    }
    return step(p) ? 0 : ERR_INPUT;
}

int call_parse(const char *text, struct call **ret, struct err *err)
{
    CLEANUP(parser_deinit) struct parser p;
    int r = parser_init(&p, text, err);
    if (r < 0)
        return r;
    if (look(&p) != TOKEN_NAME)
        return lexer_expected(&p.lexer, "a calculation such as count() or mean(x)");
    CLEANUP(call_free) struct call *call = MEM_NEW(struct call);
    call->name = mem_strdup(p.lexer.value.s);
    if (!step(&p))
        return ERR_INPUT;
    if (look(&p) != TOKEN_OPEN) {
        CLEANUP(mem_free_chars)
        char *what = mem_printf("'(' after the calculation '%.40s'", call->name);
        return lexer_expected(&p.lexer, what);
    }
    r = call_arguments(&p, call);
    if (r < 0)
        return r;
    if (look(&p) != TOKEN_END)
        return lexer_expected(&p.lexer, "the end of the text: a calc is one call, and arithmetic "
                                        "on its result is an \"expr\" of its own");
    *ret = call;
    call = NULL;
    return 0;
}

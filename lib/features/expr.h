/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* expr.h - the expression language of feature specs: text -> tree -> typed tree -> columns.
 *
 * SEMANTICS' chapters "Values" and "Calculations" define it. Parsing knows no columns; binding
 * gives every name a place and every node a type, and is where all type errors are found;
 * evaluation is by column, a block of rows at a time, and cannot fail. */
#ifndef FEATURES_EXPR_H
#define FEATURES_EXPR_H

#include "base/err.h"
#include "codec/column.h"

struct expr; /* one node and all below it */

/* Parse a whole text. ERR_INPUT says what was found, where (column, from 1) and what was expected;
 * nesting deeper than 100 and texts longer than 64 KiB are refused. */
int expr_parse(const char *text, struct expr **ret, struct err *err);
void expr_free(struct expr *e);
MEM_CLEANUP(expr_free, struct expr *);

/* Put AT and the text in front of what expr_parse or call_parse said of it. Of a long text stands
 * an excerpt around the column that the error names, with … where it is cut, so that what is wrong
 * is never cut off. Returns the error's code. */
int expr_blame(struct err *err, const char *at, const char *text);
/* Such an excerpt, of the text around a column (from 1). The caller frees. */
char *expr_excerpt(const char *text, int column);

/* A calculation's text: name(arguments, option, name=number), e.g. "ewma(x, halflife_rows=3)",
 * "rank(form, desc)", "quantile(x, 0.9)", "lag(x, 1)", "best_by(odds, speed)", "count()". */
struct call {
    char *name;
    struct expr *args[4]; /* in order; literals are expressions too */
    int n_args;
    struct call_named { /* halflife_rows=3 */
        char *name;
        double value;
    } named[4];
    int n_named;
};
/* Options such as desc arrive as arguments that are a single bare name: expr_bare_name. */
int call_parse(const char *text, struct call **ret, struct err *err);
void call_free(struct call *call);
MEM_CLEANUP(call_free, struct call *);
/* What a node is: the name if it is one unqualified name, else NULL; a number literal, also with a
 * minus before it; a string literal. */
const char *expr_bare_name(const struct expr *e);
bool expr_literal(const struct expr *e, double *ret_value);
bool expr_literal_text(const struct expr *e, struct text *ret);

/* Whole-expression forms that make several columns: cyc(x, period), onehot(x, [..]). The parser
 * accepts these names only as the outermost call; the plan asks: "cyc", "onehot" or NULL. expr_arg
 * gives argument i (borrowed); list elements by expr_list. */
const char *expr_outer_call(const struct expr *e);
const struct expr *expr_arg(const struct expr *e, int i);
int expr_list_size(const struct expr *e); /* of a [..] literal; -1 for anything else */
const struct expr *expr_list_at(const struct expr *e, int i);

/* The columns that an expression makes: 1, or 2 for cyc (NAME_sin, NAME_cos), or one per list
 * element for onehot (NAME_value). expr_suffix adds "", "_sin", "_cos" or "_VALUE" to out.
 * expr_part, after binding, gives an expression (borrowed; e itself when there is one part) to ask
 * expr_type and the like of and to evaluate; cyc and onehot themselves are not evaluated. Parts:
 * float for cyc, integer 1 and 0 for onehot, null for null. */
int expr_parts(const struct expr *e);
void expr_suffix(const struct expr *e, int i, struct str *out);
const struct expr *expr_part(const struct expr *e, int i);

/* The text in one canonical form (spaces, parentheses), for identities and for explain. */
void expr_print(const struct expr *e, struct str *out);
void expr_print_name(const char *name, struct str *out); /* in backquotes where it needs them */

/* Every column name the expression reads; target: written as target.NAME. */
typedef int expr_name_fn(void *ctx, const char *name, bool target, struct err *err);
int expr_each_name(const struct expr *e, expr_name_fn *fn, void *ctx, struct err *err);

/* ---- binding ---- */

/* Resolve a name to a slot number (>= 0) and describe its column; ERR_INPUT (with did-you-mean,
 * leakage words …) if it may not be read here. The column's type, dict and nullable count, not its
 * data. A dict that is given must live as long as the tree: comparing with a literal goes by codes
 * where a slot has that same dict, and by text where it has another. */
typedef int expr_resolve_fn(void *ctx, const char *name, bool target, struct column *ret_column,
                            int *ret_slot, struct err *err);
/* Check and type the whole tree. ERR_INPUT: what does not fit, where; or what resolve says, as it
 * is. A tree may be bound once. */
int expr_bind(struct expr *e, expr_resolve_fn *resolve, void *ctx, struct err *err);

/* After binding. The type is TYPE_NULL for a bare null, and TYPE_DECIMAL only for a bare column. */
enum type expr_type(const struct expr *e);
int expr_scale(const struct expr *e);         /* of a decimal */
bool expr_nullable(const struct expr *e);     /* could be null for some row */
int32_t expr_max_chars(const struct expr *e); /* of a string: no value is longer, in code points */
int expr_slot(const struct expr *e); /* the slot if the whole expression is one column, else -1 */

/* The integers that an expression of integers or bools can be, with slot k being one of slots[k]
 * (ignored where it is no integer). Nothing narrower than all integers is known of other types. */
struct expr_range {
    int64_t low, high; /* both included */
};
struct expr_range expr_range(const struct expr *e, const struct expr_range *slots);

/* ---- evaluation ---- */

/* Where a slot's values are: row k of the evaluation reads row rows[k] of the column, or first + k
 * when rows is NULL, or always row first when constant (target.x while scanning history). */
struct expr_slot {
    const struct column *column;
    const int32_t *rows;
    int64_t first;
    bool constant;
};

/* Evaluate n rows into ret, which the caller has made with column_alloc(type, rows >= at + n,
 * with_valid = true): values and validity of rows [at, at + n) are written. Not for strings. Uses
 * no memory that grows with n. Thread-safe on a bound tree. */
void expr_eval(const struct expr *e, const struct expr_slot *slots, int64_t n, struct column *ret,
               int64_t at);

/* The same for any type, strings included, as a new column of n rows with a dictionary of its own
 * (sorted). `valid` is dropped when no row is null. Owned by the caller. threads > 1: with OpenMP,
 * same bytes. */
void expr_column(const struct expr *e, const struct expr_slot *slots, int64_t n, int threads,
                 struct column *ret);

/* For filters: writes 1 where e (a bool) is true, 0 where it is false or null. */
void expr_filter(const struct expr *e, const struct expr_slot *slots, int64_t n, uint8_t *ret_keep);

#endif

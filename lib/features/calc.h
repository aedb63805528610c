/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* calc.h - the calculations: one row of a table and one function each.
 *
 * A calculation sees one window: its rows oldest first, one or two argument series over
 * them, the rows' times and the cutoff; it answers one value or null. It knows nothing of
 * snapshots, indexes or specs. Group calculations see a group's rows and answer one value
 * per row. What each means is SEMANTICS' chapters "Values" and "Calculations". */
#ifndef FEATURES_CALC_H
#define FEATURES_CALC_H

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/column.h"
#include "features/expr.h"

struct series { /* n values, oldest first; a view */
    enum type type;
    int scale; /* TYPE_DECIMAL */
    union {
        const void *data;
        const uint8_t *b;
        const int64_t *i;
        const double *f;
        const int32_t *code; /* strings: codes of one dictionary sorted by bytes */
    };
    const uint8_t *valid; /* NULL: no nulls */
};

struct calc_scratch; /* growing working memory; one per thread */
struct calc_scratch *calc_scratch_new(void);
void calc_scratch_free(struct calc_scratch *scratch);
MEM_CLEANUP(calc_scratch_free, struct calc_scratch *);

struct window { /* what a window calculation sees */
    int64_t n;  /* rows, nulls included */
    struct series arg[2];
    /* The rows' times: dates or timestamps, the other NULL. A group has neither. */
    const int32_t *day;
    const int64_t *us;
    int64_t cutoff_us;
    struct calc_scratch *scratch;
};

enum calc_place { CALC_WINDOW = 1, CALC_GROUP = 2 };

struct calc_params { /* the constants of one use: calc_use reads them */
    double number;   /* q of quantile, n of lag, k of gap_to, halflife of ewma */
    enum { TIES_MIN, TIES_AVG, TIES_MAX, TIES_DENSE, TIES_FIRST } ties;
    bool descending;    /* rank, pct_rank: the largest is first */
    bool from_smallest; /* gap_to, diff_best: asc */
    bool others;
    bool by_days; /* ewma: halflife in days */
    /* Set by the caller before calc_result_type: int64 could overflow here, so RESULT_NUMBER is a
     * float also for integers (the sum itself stays exact until it is rounded once). */
    bool wide;
};

union calc_value {
    int64_t i; /* RESULT_INT; RESULT_ROW: the position in the window whose arg[0] is the value */
    double f;  /* RESULT_FLOAT */
};

/* Answers false for null. A result that no int64 or no finite double can hold is null. */
typedef bool window_fn(const struct window *w, const struct calc_params *p, union calc_value *ret);
/* From an exact sum of bools, integers or decimals (these in units of 10^-scale) and the number of
 * non-null values: for calculations that prefix sums can answer. Their window functions give the
 * very same bits. For a wide sum of integers pass TYPE_DECIMAL with scale 0. */
typedef bool sums_fn(__int128 sum, int64_t n, enum type type, int scale, union calc_value *ret);
/* One value per row of the group into rows [at, at + w->n) of ret, which has the result's type and
 * a `valid`. Call calc_group instead: it knows what to do for calculations that have only a window
 * function. */
typedef void group_fn(const struct window *w, const struct calc_params *p, struct column *ret,
                      int64_t at);

enum calc_result {
    RESULT_INT, /* integer; of rank with avg float */
    RESULT_FLOAT,
    RESULT_ROW,    /* the value of one row: type, scale and dictionary of arg[0] */
    RESULT_NUMBER, /* integer for bool and integer arguments, else float (sum, range, delta …) */
};

struct calc {
    const char *name;
    const char *usage; /* "ewma(x, halflife_rows=N)": for messages and explain */
    int places;        /* enum calc_place bits */
    /* One letter per series argument: n number, c condition (bool), v any value, V any, optional.
     */
    const char *args;
    const char *params; /* what else the call takes: letters, see calc.c */
    enum calc_result result;
    bool never_null; /* counts: 0 for an empty window */
    bool others_ok;  /* group: may be used with others */
    window_fn *window;
    sums_fn *sums;    /* NULL: needs the values */
    group_fn *group;  /* NULL: every row gets what the window function says of the group */
    const char *says; /* for explain: "the mean of {x}"; see calc_say */
};

const struct calc *calc_find(const char *name); /* NULL if unknown */
const struct calc *calc_all(int *ret_n);        /* the registry */

/* One use of a calculation: the call checked against the registry. */
struct calc_use {
    const struct calc *calc;
    const struct expr *arg[2]; /* borrowed from the call; not bound yet */
    int n_args;
    struct calc_params params;
};
/* Check name (did-you-mean), place, argument count, options and constants. ERR_INPUT. */
int calc_use(const struct call *call, enum calc_place place, bool others, struct calc_use *ret,
             struct err *err);
/* With the arguments bound: do their types fit, and what comes out? */
int calc_result_type(const struct calc_use *use, const struct column *args, enum type *ret_type,
                     int *ret_scale, struct err *err);

/* A group's values of one use, window aggregates and `others` included: rows [at, at + w->n) of
 * ret, which column_alloc made with the type of calc_result_type and with_valid. */
void calc_group(const struct calc_use *use, const struct window *w, struct column *ret, int64_t at);

/* Add what a use says in English: "the mean of won", "the 0.9 quantile of speed". */
void calc_say(const struct calc_use *use, struct str *out);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan_parts.h - what a compiled plan consists of; shared by plan*.c only.
 *
 *     tables    their columns, stored and derived            plan_columns.c, plan_rows.c (stage A)
 *     indexes   one per (table, by, where)                   plan_index.c
 *     windows   one per slice of an index; shared by calcs   plan_window.c   (stage B)
 *     features  what is computed, in dependency order        plan_features.c, plan_compute.c (B and C)
 *     outputs   what is written, in output order             plan.c
 *
 * Parts name each other by number, so that arrays may grow while a plan is compiled. */
#ifndef FEATURES_PLAN_PARTS_H
#define FEATURES_PLAN_PARTS_H

#include "features/calc.h"
#include "features/group.h"
#include "features/index.h"
#include "features/plan.h"

/* An expression with the places of the names that it reads: slot k of the tree is slots[k]. */
enum slot_space {
    SLOT_COLUMN,  /* a column of the rows that the expression runs over */
    SLOT_TARGET,  /* target.x: a column of the target row */
    SLOT_FEATURE, /* another feature of the same row */
};
struct slot_ref {
    enum slot_space space;
    int number;
};
struct bound {
    struct expr *tree;
    struct slot_ref *slots;
    int n_slots;
};

enum visit { VISIT_NEW, VISIT_OPEN, VISIT_DONE };

/* A group statistic or group feature: one calculation over the rows that share `within`. */
struct group_part {
    struct call *call;
    struct calc_use use;
    struct bound args[2];
    int within[GROUP_MAX_BY]; /* columns of the rows */
    int n_within;
};

struct plan_column {
    char *name;
    struct column shape;         /* data of a stored column; type, scale, nullable … of a derived one */
    bool derived;
    const char *result;          /* NULL, or the result column that it is or reads */
    char *text;                  /* what it is, names of derived columns written out: for index names */
    const struct spec_column *spec;
    enum visit visit;
    struct bound expr;           /* derived by an expression … */
    struct group_part *group;    /* … or by a group statistic */
};

struct plan_table {
    const struct table *table;
    const struct spec_table *spec; /* NULL: the spec says nothing about it */
    struct plan_column *columns;   /* first the stored ones, by their numbers */
    int n_columns;
    size_t columns_cap;
    bool read;                     /* results depend on it */
};

struct plan_field { /* a column that an index copies */
    int column;
    bool sums;
    int64_t window_days; /* of the longest window that wants sums; 0: no bound */
};

struct plan_index {
    int table;
    int by[GROUP_MAX_BY];
    int n_by;
    int where; /* a bool column of the table, or -1 */
    struct plan_field *fields;
    int n_fields;
    size_t fields_cap;
    char *text;
    struct index *index;
};

struct plan_window {
    int index;
    bool own;                    /* of the target's table and by its own columns: rows know their entity */
    int by_target[GROUP_MAX_BY]; /* the target's columns to find the entity by */
    int64_t days, last, delay_days; /* 0: none */
    int known_at;                /* a field of the index, or -1 */
    struct bound where;          /* the condition that mentions target., over fields; tree NULL: none */
};

enum feature_how {
    HOW_WINDOW,   /* a calculation over a window (as-of and lookup too) */
    HOW_AGE,      /* days from the window's newest row to the cutoff */
    HOW_GROUP,
    HOW_EXPR,
};

struct plan_feature {
    char *name;
    const struct spec_feature *spec;
    enum feature_how how;
    enum visit visit;
    struct column shape;       /* type, scale, nullable, max_chars; a string's dictionary may come later */
    /* windows */
    int window;
    struct call *call;
    struct calc_use use;
    int field[2];              /* of the window's index, for each argument */
    int prior_window;          /* all rows, for `prior`; or -1 */
    struct dict fill_dict;     /* strings with `fill`: the dictionary with the filling in its place; bytes owned */
    int32_t fill_code;         /* -1 until the dictionary is made */
    /* groups */
    struct group_part *group;
    /* expressions */
    struct bound expr;
    int part;                  /* which of the columns that cyc and onehot make */
};

struct plan_output {
    int column;  /* of the target table, or -1 */
    int feature; /* or -1 */
};

struct plan {
    const struct spec *spec;
    const struct snapshot *snapshot;
    struct plan_table *tables; /* in the snapshot's order */
    int n_tables;
    int target;
    int cutoff;                /* a column of the target table, or -1: the key's day */
    struct bound target_where; /* tree NULL: none */
    struct plan_index *indexes;
    int n_indexes;
    size_t indexes_cap;
    struct plan_window *windows;
    int n_windows;
    size_t windows_cap;
    struct plan_feature *features;
    int n_features;
    size_t features_cap;
    int *order;                /* features of stage C in the order of their dependencies */
    int n_order;
    struct plan_output *outputs;
    int n_outputs;
    struct calc_scratch **scratch; /* one per thread, made by plan_index */
    int n_scratch;
};

/* ---- plan_columns.c ---- */

/* Who reads, and what it may read. */
struct scope {
    struct plan *plan;
    const char *at;    /* path in the spec, for messages */
    int table;         /* whose columns plain names are */
    bool history;      /* rows strictly before the cutoff (or labels): result columns may be read */
    bool target;       /* target.x may be written */
    bool features;     /* features may be read … */
    int self;          /* … but not this one */
    bool parts;        /* cyc and onehot may be written */
    int fields_of;     /* an index whose fields SLOT_COLUMN numbers are (added as needed), or -1: columns */
};

int plan_add_tables(struct plan *plan, struct err *err);
/* The number of a column that `at` may read on a target row or in history, derived ones compiled; ERR_INPUT. */
int plan_find_column(const struct scope *scope, const char *name, int *ret, struct err *err);
/* Parse text and bind it in the scope. */
int plan_bind(const struct scope *scope, const char *text, struct bound *ret, struct err *err);
int plan_bind_tree(const struct scope *scope, struct expr *tree, struct bound *ret, struct err *err); /* takes tree */
/* A history expression as a column of the table: an existing one when it is just a name, else a derived one. */
int plan_expression_column(const struct scope *scope, const struct expr *tree, int *ret, struct err *err);
int plan_bind_group(const struct scope *scope, const char *calc, const struct name_list *within, bool others,
                    struct group_part **ret, struct column *ret_shape, struct err *err);
void bound_deinit(struct bound *bound);
void group_part_free(struct group_part *group);
void plan_columns_deinit(struct plan_table *table);

/* ---- plan_features.c ---- */

int plan_add_features(struct plan *plan, struct err *err);
int plan_visit_feature(struct plan *plan, int feature, struct err *err); /* compile it and what it reads */
int plan_index_field(struct plan *plan, int index, int column); /* the field's number; added if need be */
void plan_features_deinit(struct plan *plan);

/* ---- plan_rows.c ---- */

/* Columns of a range of a table's rows; derived ones are computed when first asked for. The range must
 * hold whole groups: whole days, or the whole table. */
struct rows {
    const struct plan_table *table;
    int64_t first, n;
    int threads;
    struct column *columns; /* one per column of the table; type TYPE_NULL: not yet there */
};
void rows_init(struct rows *rows, const struct plan_table *table, int64_t first, int64_t n, int threads);
void rows_deinit(struct rows *rows);
const struct column *rows_column(struct rows *rows, int column);

/* Evaluate a group calculation over n rows whose argument columns are given; rows with equal values of the n_within
 * columns are a group. ret is a new column of `shape`, owned by the caller. */
void group_part_eval(const struct group_part *group, const struct column *args, const struct column *within,
                     int n_within, int64_t n, const struct column *shape, struct calc_scratch *scratch,
                     struct column *ret);

/* Places of an expression's names when it runs over a range of rows: columns from rows, features from an array
 * of columns (NULL: it reads none). ret has room for bound->n_slots. */
void bound_places(const struct bound *bound, struct rows *rows, const struct column *features, struct expr_slot *ret);

/* ---- plan_value.c ---- */

/* Write one answer of a calculation into row `to` of dst: for RESULT_ROW, value.i is the row of arg. */
void value_store(struct column *dst, int64_t to, enum calc_result result, union calc_value value,
                 const struct column *arg);
void value_null(struct column *dst, int64_t to);
/* Copy row `from` of src to row `to` of dst, both of one type; null where src is. */
void value_copy(struct column *dst, int64_t to, const struct column *src, int64_t from);
/* Make the dictionary of a string feature with `fill`, from the one that its values have. */
void value_make_fill(struct plan_feature *feature, const struct dict *from);
/* Put the feature's `fill` where a column of n rows has nulls. */
void value_fill(const struct plan_feature *feature, struct column *column);
struct series value_series(const struct column *column, int64_t first);

/* ---- plan_window.c ---- */

/* The slices of one window for a chunk of target rows. */
struct spans {
    int32_t *lo, *hi;         /* per row of the chunk: positions, or places in list when filtered */
    bool filtered;
    int32_t *list;            /* when filtered: the positions that passed */
    size_t list_n, list_cap, rows_cap;
};
struct target_rows { /* the key's rows, as stage B sees them */
    struct rows *rows;
    const int64_t *cutoff_us;
    bool in_snapshot;         /* row k is row rows->first + k of the target table */
};
void spans_bind(struct spans *spans, const struct plan *plan, const struct plan_window *window,
                const struct target_rows *target, int64_t first, int64_t n);
void spans_deinit(struct spans *spans);

/* One feature over the chunk, into rows [first, first + n) of ret. */
void plan_window_feature(const struct plan *plan, const struct plan_feature *feature, const struct spans *spans,
                         const struct spans *prior, const struct target_rows *target, int64_t first, int64_t n,
                         struct calc_scratch *scratch, struct column *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan_parts.h - what a compiled plan consists of; shared by plan*.c only.
 *
 *     tables    their columns, stored and derived            plan_columns.c, plan_rows.c (stage A)
 *     indexes   one per (table, by, where)                   plan_index.c
 *     windows   one per slice of an index; shared by calcs   plan_sharing.c, plan_window.c (B)
 *     features  what is computed, in dependency order        plan_features.c, plan_compute.c (B and
 * C) outputs   what is written, in output order             plan.c
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
    struct column shape; /* data of a stored column; type, scale, nullable … of a derived one */
    bool derived;
    const char *result; /* NULL, or the result column that it is or reads */
    char *text;         /* what it is, names of derived columns written out: for index names */
    const struct spec_column *spec;
    enum visit visit;
    struct bound expr;        /* derived by an expression … */
    struct group_part *group; /* … or by a group statistic */
    int chain;                /* derived columns that read each other, down to a stored one */
    struct expr_range range;  /* of integers, once somebody has asked */
    bool has_range;
};

struct plan_table {
    const struct table *table;
    const struct spec_table *spec; /* NULL: the spec says nothing about it */
    struct plan_column *columns;   /* first the stored ones, by their numbers */
    int n_columns;
    size_t columns_cap;
    bool read; /* results depend on it */
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
    int64_t *start_days; /* of the starts that it knows: delay_days + days of windows */
    int n_starts;
    size_t starts_cap;
    char *text;
    struct index *index;
};

struct plan_entry { /* how target rows come to their entity's history; shared by windows */
    int index;
    bool own; /* of the target's table and by its own columns: rows know their entity */
    int by_target[GROUP_MAX_BY]; /* the target's columns to find the entity by */
    int64_t delay_days;          /* 0: none */
};

struct plan_window {
    int entry;
    int index;          /* the entry's */
    int64_t days, last; /* 0: none */
    int start;          /* of the index's starts: where it begins if the cutoff is the row's own
                           date; or -1 */
    int known_at;       /* a field of the index, or -1 */
    struct bound where; /* the condition that mentions target., over fields; tree NULL: none */
};

enum feature_how {
    HOW_WINDOW, /* a calculation over a window (as-of and lookup too) */
    HOW_AGE,    /* days from the window's newest row to the cutoff */
    HOW_GROUP,
    HOW_EXPR,
};

struct filled_dict {  /* a dictionary with one more string in its place */
    struct dict dict; /* arrays owned; offsets NULL until it is made */
    int32_t code;     /* of that string */
    bool grown;       /* codes from there on are one higher than they were */
};

struct plan_feature {
    char *name;
    const struct spec_feature *spec;
    enum feature_how how;
    enum visit visit;
    struct column
        shape; /* type, scale, nullable, max_chars; a string's dictionary may come later */
    /* windows */
    int window;
    struct call *call;
    struct calc_use use;
    int field[2];              /* of the window's index, for each argument */
    int prior_window;          /* all rows, for `prior`; or -1 */
    struct filled_dict filled; /* strings with `fill` over windows, made by plan_index */
    /* groups */
    struct group_part *group;
    /* expressions */
    struct bound expr;
    int part;  /* which of the columns that cyc and onehot make; all borrow the expr of part 0 */
    int chain; /* features that read each other, down to one that reads none */
    struct expr_range range; /* of integers, once somebody has asked */
    bool has_range;
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
    struct plan_entry *entries;
    int n_entries;
    size_t entries_cap;
    struct plan_window *windows;
    int n_windows;
    size_t windows_cap;
    struct plan_feature *features;
    int n_features;
    size_t features_cap;
    int *order; /* features of stage C in the order of their dependencies: first those that need
                   no window … */
    int n_order, n_free; /* … of which there are n_free */
    int open;            /* columns or features being compiled, each for the one before */
    struct plan_output *outputs;
    int n_outputs;
};

/* ---- plan_columns.c ---- */

/* Columns, and features, that read each other in a chain are compiled and computed one inside the
 * other: a longer chain could outgrow the stack. */
enum { CHAIN_MAX = 1000 };
int plan_check_chain(const char *at, int chain, struct err *err); /* ERR_INPUT when it is longer */
/* The longest chain of what it reads. */
int plan_bound_chain(const struct plan *plan, int table, const struct bound *bound);

/* Who reads, and what it may read. */
struct scope {
    struct plan *plan;
    const char *at; /* path in the spec, for messages */
    int table;      /* whose columns plain names are */
    bool history;   /* rows strictly before the cutoff (or labels): result columns may be read */
    bool target;    /* target.x may be written */
    bool features;  /* features may be read … */
    int self;       /* … but not this one */
    bool parts;     /* cyc and onehot may be written */
    int fields_of;  /* an index whose fields SLOT_COLUMN numbers are (added as needed), or -1:
                       columns */
};

int plan_add_tables(struct plan *plan, struct err *err);
/* The number of a column that `at` may read on a target row or in history, derived ones compiled;
 * ERR_INPUT. */
int plan_find_column(const struct scope *scope, const char *name, int *ret, struct err *err);
/* Parse text and bind it in the scope. */
int plan_bind(const struct scope *scope, const char *text, struct bound *ret, struct err *err);
int plan_bind_tree(const struct scope *scope, struct expr *tree, struct bound *ret,
                   struct err *err); /* takes tree */
/* A history expression as a column of the table: an existing one when it is just a name, else a
 * derived one. */
int plan_expression_column(const struct scope *scope, const struct expr *tree, int *ret,
                           struct err *err);
int plan_bind_group(const struct scope *scope, const char *calc, const struct name_list *within,
                    bool others, struct group_part **ret, struct column *ret_shape,
                    struct err *err);
void bound_deinit(struct bound *bound);
void group_part_free(struct group_part *group);
void plan_columns_deinit(struct plan_table *table);

/* ---- plan_sharing.c ---- */

int plan_find_table(struct plan *plan, const char *at, const char *name, int *ret, struct err *err);
struct scope plan_target_scope(struct plan *plan, const char *at);
struct scope plan_history_scope(struct plan *plan, const char *at, int table);
int plan_index_field(struct plan *plan, int index,
                     int column); /* the field's number; added if need be */
/* Likewise the number of the starts so many days before a row's own date; -1: there are enough. */
int plan_index_start(struct plan *plan, int index, int64_t days);
void plan_describe_index(struct plan *plan,
                         struct plan_index *index); /* all fields and starts are known */
void plan_want_sums(struct plan *plan, int index, int field, const struct plan_window *window);
/* Compile one window; *ret is its number. history_by: the columns of the table that `by` is
 * compared with (lookup's key); NULL: the columns of the same names. */
int plan_window_for(struct plan *plan, const char *at, const struct spec_window *spec, int table,
                    const int *history_by, int *ret, struct err *err);

/* ---- plan_features.c ---- */

int plan_add_features(struct plan *plan, struct err *err);
int plan_visit_feature(struct plan *plan, int feature,
                       struct err *err); /* compile it and what it reads */
void plan_features_deinit(struct plan *plan);

/* ---- plan_range.c ---- */

/* Whether a RESULT_NUMBER of integers might not fit into 64 bits: over the rows of a group, with
 * its arguments bound, or over a window's. A window's column is computed and looked at where it is
 * derived and its range alone does not rule it out. */
bool plan_group_overflows(struct plan *plan, int table, const struct group_part *group);
bool plan_window_overflows(struct plan *plan, int table, int column, const struct calc_use *use);

/* ---- plan_rows.c ---- */

/* Columns of a range of a table's rows; derived ones are computed when first asked for. The range
 * must hold whole groups: whole days, or the whole table. */
struct rows {
    const struct plan_table *table;
    int64_t first, n;
    int threads;
    struct column *columns; /* one per column of the table; type TYPE_NULL: not yet there */
};
void rows_init(struct rows *rows, const struct plan_table *table, int64_t first, int64_t n,
               int threads);
void rows_deinit(struct rows *rows);
const struct column *rows_column(struct rows *rows, int column);

/* Rows with equal values in some columns, side by side: group g is order[offsets[g] .. offsets[g +
 * 1]). */
struct groups {
    struct grouping by_value;
    int32_t *offsets, *order;
    bool in_order; /* order is 0, 1, 2 … : groups stand side by side already */
};
void groups_init(struct groups *groups, const struct column *within, int n_within, int64_t n);
void groups_deinit(struct groups *groups);

/* Evaluate a group calculation over the n rows of groups. ret is a new column of `shape`, owned by
 * the caller. */
void group_part_eval(const struct group_part *part, const struct column *args,
                     const struct groups *groups, int64_t n, const struct column *shape,
                     struct column *ret);

/* Places of an expression's names when it runs over a range of rows: columns from rows, features
 * from an array of columns (NULL: it reads none). ret has room for bound->n_slots. */
void bound_places(const struct bound *bound, struct rows *rows, const struct column *features,
                  struct expr_slot *ret);

/* ---- plan_index.c ---- */

/* Where an index is kept, or would be; caller owns. */
char *plan_index_path(const struct plan *plan, const char *index_dir, const struct plan_index *x);

/* ---- plan_compute.c ---- */

struct key { /* one computation: the target rows of a date, or rows that are given */
    struct plan *plan;
    int64_t day; /* unless rows are given */
    int threads;
    const struct plan_rows *given; /* NULL: rows of the snapshot */
    struct column given_day;       /* their dates */
    struct rows rows;
    int64_t *cutoff_us;               /* per row */
    bool own_dates;                   /* of rows of the snapshot, each its row's own date */
    struct column *features;          /* by number; filled by key_compute */
    const struct group_part *grouped; /* whose groups are in groups; NULL: nobody's yet */
    struct groups groups;
};
/* The rows of a date and their cutoffs. Call key_deinit whatever is returned. */
int key_open(struct plan *plan, int64_t day, int threads, struct key *ret, struct err *err);
int key_compute(struct key *k, struct err *err); /* all features */
void key_deinit(struct key *k);
MEM_CLEANUP_VALUE(key_deinit, struct key);
/* Rows that target.where keeps, ascending; the caller frees. NULL: all. */
int32_t *key_chosen(struct key *k, int64_t *ret_n);

/* ---- plan_value.c ---- */

/* Write one answer of a calculation into row `to` of dst: for RESULT_ROW, value.i is the row of
 * arg. */
void value_store(struct column *dst, int64_t to, enum calc_result result, union calc_value value,
                 const struct column *arg);
void value_null(struct column *dst, int64_t to);
/* Copy row `from` of src to row `to` of dst, both of one type; null where src is. */
void value_copy(struct column *dst, int64_t to, const struct column *src, int64_t from);
/* Make the dictionary `from` with text in it. */
void value_fill_dict(const struct dict *from, const char *text, struct filled_dict *ret);
void filled_dict_deinit(struct filled_dict *filled);
/* Copy the dictionary of a string column into memory that the column owns, so that it may outlive
 * its source. */
void value_own_dict(struct column *column);
/* Put the feature's `fill` where a column of n rows has nulls. */
void value_fill(const struct plan_feature *feature, struct column *column);
struct series value_series(const struct column *column, int64_t first);

/* ---- plan_window.c (binding), plan_chunk.c (calculating) ---- */

struct target_rows { /* the key's rows, as stage B sees them */
    struct rows *rows;
    const int64_t *cutoff_us;
    bool in_snapshot; /* row k is row rows->first + k of the target table … */
    bool own_dates;   /* … and every cutoff is the row's own date */
};

/* A chunk of target rows as one thread works on it: for each entry the history that ends at each
 * row's cutoff, for each window the slice of it. */
struct ends {            /* per row of the chunk */
    int32_t *entity;     /* -1: none */
    int32_t *from, *end; /* positions [from, end) are the entity's, before the cutoff */
};
struct spans {
    int32_t *lo, *hi; /* per row: positions, or places in list when filtered */
    bool filtered;
    int32_t *list; /* when filtered: the positions that passed */
    size_t list_n, list_cap;
};
struct chunk {
    const struct plan *plan;
    const struct target_rows *target;
    int64_t first, n;             /* target rows [first, first + n) */
    struct ends *ends;            /* of each entry */
    struct spans *spans;          /* of each window */
    struct calc_scratch *scratch; /* owned */
};
enum { CHUNK_ROWS = 128 };
void chunk_init(struct chunk *chunk, const struct plan *plan, const struct target_rows *target);
void chunk_bind(struct chunk *chunk, int64_t first, int64_t n); /* n at most CHUNK_ROWS */
void chunk_deinit(struct chunk *chunk);

/* One feature over a bound chunk, into the chunk's rows of ret. */
void chunk_feature(const struct chunk *chunk, const struct plan_feature *feature,
                   struct column *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* spec.h - a feature spec as read from JSON: shape only, no data.
 *
 * Everything that the file's text alone can tell is checked here: JSON syntax, unknown and doubled
 * members (with did-you-mean), wrong types of members, exactly one of calc, expr, asof, lookup,
 * named windows, tables read but not declared, fan-out and grid, equal names. Lists and grids are
 * multiplied out: features[] is in output order, one entry per member name. What needs the snapshot
 * (columns, types, leakage) is plan.h's. */
#ifndef FEATURES_SPEC_H
#define FEATURES_SPEC_H

#include "base/err.h"
#include "base/hash.h"
#include "codec/column.h"
#include "codec/json.h"

struct name_list {
    char **names;
    int n;
};

struct spec_column { /* tables.T.columns.NAME */
    char *name;
    char *at;   /* path for messages: "tables.entries.columns.won" */
    char *expr; /* exactly one of expr and calc */
    char *calc; /* a group statistic, with within */
    struct name_list within;
    bool others;
};

struct spec_table {
    char *name;
    char *time, *group, *key; /* NULL: not given */
    struct name_list result_columns;
    struct spec_column *columns;
    int n_columns;
};

struct spec_window { /* what `by`, `over` and the members beside it come to */
    char *name;      /* of the named window, or NULL */
    char *from;      /* table; NULL: the target's */
    struct name_list by;
    int64_t days; /* 0: no bound */
    int64_t last; /* 0: no bound */
    int64_t delay_days;
    char *known_at; /* NULL: none */
    char *where;    /* NULL: none */
};

enum spec_kind { SPEC_WINDOW, SPEC_GROUP, SPEC_EXPR, SPEC_ASOF, SPEC_LOOKUP };

struct spec_fill {       /* of `fill` */
    enum json_type type; /* JSON_NULL: no fill given */
    double number;
    char *text;
    bool truth;
};

struct spec_feature {
    char *name;
    char *at; /* path for messages: "features.win_rate" */
    enum spec_kind kind;
    char *text;   /* the calc, the expr, "TABLE.COLUMN" of asof and lookup */
    char *column; /* SPEC_ASOF, SPEC_LOOKUP: the COLUMN (TABLE is window.from); else NULL */
    struct spec_window window; /* SPEC_WINDOW, SPEC_ASOF (by, where? no: by only, from = TABLE),
                                  SPEC_LOOKUP (by) */
    struct name_list within;   /* SPEC_GROUP */
    bool others;
    int64_t min_rows; /* 0: default */
    double prior;     /* NaN: none */
    struct spec_fill fill;
    int64_t max_age_days; /* 0: no bound */
    bool age;
    bool is_label; /* from "labels" */
};

struct spec {
    char *name; /* of the document, for messages */
    struct spec_table *tables;
    int n_tables;
    char *target; /* table */
    char *cutoff; /* column name, or "key" (the default) */
    struct name_list keep;
    char *target_where;            /* NULL: none */
    struct spec_feature *features; /* in output order, labels last */
    int n_features;
    bool float32;    /* "output": {"float": "f32"} */
    char *canonical; /* the canonical JSON text, comments left out; reads back as the same spec */
    char sha256[SHA256_HEX]; /* of canonical */
};

/* Parse. ERR_INPUT names the member by its path (features.win_rate.days), what is wrong and how to
 * mend it. */
int spec_parse(const char *name, const char *text, size_t len, struct spec **ret, struct err *err);
int spec_read(const char *path, struct spec **ret, struct err *err);
void spec_free(struct spec *spec);
MEM_CLEANUP(spec_free, struct spec *);

const struct spec_table *spec_find_table(const struct spec *spec,
                                         const char *name); /* NULL: not declared */

/* The JSON Schema (draft 2020-12) of specs, for editors: what `hiwari spec schema` prints. Static
 * text. */
const char *spec_schema(void);

#endif

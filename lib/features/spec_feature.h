/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* spec_feature.h - from one entry of "features" to the columns it stands for.
 *
 * An entry is a set of member nodes. Lists of `last` and `days` and grids replace some of these
 * nodes by one element at a time; what is left is an entry of plain members, from which one struct
 * spec_feature is built. Used by spec*.c only. */
#ifndef FEATURES_SPEC_FEATURE_H
#define FEATURES_SPEC_FEATURE_H

#include "features/spec_member.h"

/* What is known while a document is read. Windows serve `over` and are gone afterwards. */
struct spec_reader {
    struct spec *spec;
    size_t feature_cap;
    struct spec_window *windows;
    int n_windows;
};

enum member { /* of a feature, in the order in which messages list them */
              MEMBER_CALC,
              MEMBER_EXPR,
              MEMBER_ASOF,
              MEMBER_LOOKUP,
              MEMBER_BY,
              MEMBER_OVER,
              MEMBER_WITHIN,
              MEMBER_OTHERS,
              MEMBER_FROM,
              MEMBER_DAYS,
              MEMBER_LAST,
              MEMBER_DELAY_DAYS,
              MEMBER_KNOWN_AT,
              MEMBER_WHERE,
              MEMBER_MIN_ROWS,
              MEMBER_FILL,
              MEMBER_PRIOR,
              MEMBER_MAX_AGE_DAYS,
              MEMBER_AGE,
              MEMBER_COUNT,
};
extern const char *const member_words[MEMBER_COUNT]; /* "calc", "expr", … */

struct entry {
    const struct place *at;
    struct entry_value {
        const struct json *node; /* NULL: the member is not there */
        bool picked;             /* node is an element of the member's list or object … */
        int index;               /* … this one of a list */
    } member[MEMBER_COUNT];
    enum spec_kind kind;
};

/* The members of an object that has already been found to have only known ones. */
void entry_collect(struct entry *entry, const struct place *at, const struct json *object);
/* Exactly one kind, and only members that go with it. */
int entry_find_kind(struct entry *entry, struct err *err);

/* Build one feature of plain members and append it to the spec. */
int feature_add(struct spec_reader *reader, const struct entry *entry, const char *name,
                struct err *err);

/* A table that is read: declared, and static (with a key) or not (with a time) as the reader needs.
 */
int feature_check_table(const struct spec *spec, const struct place *at, const char *name,
                        bool is_static, struct err *err);

/* `others` with a calculation that places a row among its whole group is refused. What else may be
 * wrong with the text is the plan's to say. */
int feature_check_others(const struct place *at, const char *calc, struct err *err);

/* "features": {…}, "windows": {…}: the whole member. */
int features_read(struct spec_reader *reader, const struct json *features, struct err *err);
int windows_read(struct spec_reader *reader, const struct json *windows, struct err *err);

/* The object below "grid"; at is its place. */
int grid_read(struct spec_reader *reader, const struct place *at, const struct json *grid,
              struct err *err);

void window_deinit(struct spec_window *window);

#endif

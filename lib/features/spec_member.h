/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* spec_member.h - members of a spec document: where one stands and what it may hold.
 *
 * Used by spec*.c only, but for name_check: the plan makes names too. Every function that reads a
 * member checks its type and its range, and fails with ERR_INPUT and the member's path in front:
 * "features.win_rate.days[1]: must be …". */
#ifndef FEATURES_SPEC_MEMBER_H
#define FEATURES_SPEC_MEMBER_H

#include "base/err.h"
#include "codec/json.h"
#include "features/spec.h"

/* Where a node stands. Places live on the stack of whoever walks the document and are written
 * out only when something is wrong, or to be kept as spec_feature.at. */
struct place {
    const struct place *up; /* NULL: the document itself */
    const char *name;       /* NULL: an element of a list */
    int index;              /* of an element */
};
char *place_text(const struct place *at); /* caller owns; "" for the document */

/* ERR_INPUT with the place in front. Returns it. */
int place_error(const struct place *at, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The members of an object that are not comments (their names begin with '#'). */
const struct json *member_first(const struct json *object);
const struct json *member_next(const struct json *member);

int member_is_object(const struct place *at, const struct json *node, struct err *err);
int member_is_known(const struct place *at, const char *name, const char *const *allowed, size_t n,
                    struct err *err); /* did-you-mean, and the list of what is allowed */
int member_all_known(const struct place *at, const struct json *object, const char *const *allowed,
                     size_t n, struct err *err); /* is an object, and every member is known */
int member_wrong_type(const struct place *at, const struct json *node, const char *must_be,
                      struct err *err);

/* What a member holds; text and names are the caller's. */
int member_text(const struct place *at, const struct json *node, char **ret, struct err *err);
int member_name(const struct place *at, const struct json *node, char **ret, struct err *err);
int member_names(const struct place *at, const struct json *node, struct name_list *ret,
                 struct err *err); /* a name, or a list of different ones; at least one */
int member_int(const struct place *at, const struct json *node, int64_t min, int64_t max,
               int64_t *ret, struct err *err);
int member_truth(const struct place *at, const struct json *node, bool *ret, struct err *err);

/* The same for a member that may be absent (a list also empty): then *ret is left as it is. */
int optional_name(const struct place *up, const struct json *object, const char *name, char **ret,
                  struct err *err);
int optional_text(const struct place *up, const struct json *object, const char *name, char **ret,
                  struct err *err);
int optional_names(const struct place *up, const struct json *object, const char *name,
                   struct name_list *ret, struct err *err);
int optional_truth(const struct place *up, const struct json *object, const char *name, bool *ret,
                   struct err *err);

/* Whether a name can stand in a CSV header and name a zip member: not empty, no control characters,
 * at most SPEC_NAME_BYTES long. */
enum { SPEC_NAME_BYTES = 200 };
int name_check(const struct place *at, const char *name, struct err *err);

void name_list_copy(struct name_list *ret, const struct name_list *from);
void name_list_deinit(struct name_list *list);

/* Adds "a, b, c" to out. */
void words_add(struct str *out, const char *const *words, size_t n);

#endif

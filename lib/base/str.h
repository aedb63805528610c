/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* str.h - a growing byte string: text, file contents, messages.
 *
 * struct str s = {0}; is an empty one; s.s is NULL until something is added and
 * NUL-terminated from then on (the NUL is not counted in len). */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

struct str {
    char *s;
    size_t len;
    size_t cap;
};

void str_deinit(struct str *str);
MEM_CLEANUP_VALUE(str_deinit, struct str);

void str_reserve(struct str *str, size_t more); /* room for `more` bytes and a NUL */
void str_add(struct str *str, const void *data, size_t len);
void str_addz(struct str *str, const char *s);
void str_addc(struct str *str, char c);
void str_addf(struct str *str, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), nonnull(2)));
void str_clear(struct str *str); /* len = 0, memory kept */
char *str_take(struct str *str); /* caller owns the result (never NULL); str is empty after */

bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* A whole string as a decimal integer (a sign may stand first); false if it is anything else or
 * overflows. */
bool str_to_i64(const char *s, int64_t *ret);
bool str_to_f64(const char *s, double *ret); /* finite decimal number, C locale, whole string */

/* The candidate nearest to `word` by edit distance, for "did you mean"; NULL when
 * none is near enough to help. Borrowed from candidates. */
const char *str_nearest(const char *word, const char *const *candidates, size_t n);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* utf8.h - text that crosses hiwari's borders is UTF-8: shortest forms, no surrogates,
 * nothing beyond U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The character at s: returns its bytes (1 to 4) and the code point, or 0 when there is none. */
int utf8_decode(const char *s, size_t len, uint32_t *ret_point);

size_t utf8_valid_prefix(const char *s, size_t len); /* bytes before the first wrong one, or len */
bool utf8_valid(const char *s, size_t len);
int64_t utf8_chars(const char *s, size_t len); /* code points of valid text */

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* utf8.c - checking and decoding by the table of well-formed sequences (Unicode, table 3-7). */
#include "base/utf8.h"

#include <string.h>

static bool is_tail(unsigned char b)
{
    return (b & 0xc0) == 0x80;
}

/* The range that the second byte must be in, given the first of a longer sequence. */
static bool second_fits(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xed:
        return second >= 0x80 && second <= 0x9f;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return is_tail(second);
    }
}

int utf8_decode(const char *text, size_t len, uint32_t *ret_point)
{
    const unsigned char *s = (const unsigned char *)text;
    if (len == 0)
        return 0;
    if (s[0] < 0x80) {
        *ret_point = s[0];
        return 1;
    }
    int n = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
    if (n == 0 || len < (size_t)n || !second_fits(s[0], s[1]))
        return 0;
    uint32_t point = s[0] & (0xffu >> (n + 1));
    for (int i = 1; i < n; i++) {
        if (!is_tail(s[i]))
            return 0;
        point = point << 6 | (s[i] & 0x3fu);
    }
    *ret_point = point;
    return n;
}

/* Eight bytes at a time while they are ASCII, which most text is. */
static size_t ascii_prefix(const char *s, size_t len)
{
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        memcpy(&word, s + i, 8);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    while (i < len && (unsigned char)s[i] < 0x80)
        i++;
    return i;
}

size_t utf8_valid_prefix(const char *s, size_t len)
{
    size_t i = 0;
    for (;;) {
        i += ascii_prefix(s + i, len - i);
        uint32_t point;
        int n = utf8_decode(s + i, len - i, &point);
        if (n == 0)
            return i;
        i += (size_t)n;
    }
}

bool utf8_valid(const char *s, size_t len)
{
    return utf8_valid_prefix(s, len) == len;
}

int64_t utf8_chars(const char *s, size_t len)
{
    int64_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += !is_tail((unsigned char)s[i]);
    return n;
}

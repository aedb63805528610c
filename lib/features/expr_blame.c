/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* expr_blame.c - the text that an error is about, short enough for the error to be read too.
 *
 * An expression may be 64 KiB long, and a message has room for about a thousand bytes. */
#include <stdio.h>

#include "features/expr.h"

enum { WHOLE_BYTES = 240, EXCERPT_BYTES = 200, BEFORE_BYTES = 120 };

static bool continues(char c) /* a character of UTF-8 */
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* The byte at which a column (from 1) begins; that of the end when the text is shorter. */
static size_t column_byte(const char *text, int column)
{
    size_t at = 0;
    for (; text[at]; at++)
        if (!continues(text[at]) && --column <= 0)
            break;
    return at;
}

char *expr_excerpt(const char *text, int column)
{
    size_t len = strlen(text), at = column_byte(text, column);
    if (len <= WHOLE_BYTES)
        return mem_strdup(text);
    size_t from = at > BEFORE_BYTES ? at - BEFORE_BYTES : 0;
    if (from > len - EXCERPT_BYTES)
        from = len - EXCERPT_BYTES;
    size_t to = from + EXCERPT_BYTES;
    while (continues(text[from]))
        from++;
    while (continues(text[to]))
        to--;
    return mem_printf("%s%.*s%s", from > 0 ? "…" : "", (int)(to - from), text + from,
                      to < len ? "…" : "");
}

int expr_blame(struct err *err, const char *at, const char *text)
{
    int column = 1;
    if (!err)
        return ERR_INPUT;
    sscanf(err->text, "column %d:", &column);
    CLEANUP(mem_free_chars) char *shown = expr_excerpt(text, column);
    return err_prefix(err, "%s: in \"%s\"", at, shown);
}

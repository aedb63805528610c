/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* err.c - failures as words and a code. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Words of files and of servers stand in messages, and those go to terminals, which control
 * characters would move and recolour. What is no UTF-8 goes with them: its bytes mean controls to
 * some. */
static size_t text_clean(char *text, size_t len)
{
    size_t to = 0;
    for (size_t at = 0; at < len;) {
        uint32_t point = 0;
        size_t n = (size_t)utf8_decode(text + at, len - at, &point);
        bool control =
            (point < 0x20 && point != '\n' && point != '\t') || (point >= 0x7f && point < 0xa0);
        if (n == 0 || control)
            text[to++] = '?';
        else
            memmove(text + to, text + at, n);
        to += n == 0 || control ? 0 : n;
        at += n ? n : 1;
    }
    return to;
}

/* A cut must not leave half a UTF-8 character, and a message is one line's end. */
static void text_tidy(char *text, size_t len)
{
    if (len >= sizeof(((struct err *)0)->text) - 1) {
        while (len > 0 && ((unsigned char)text[len - 1] & 0xc0) == 0x80)
            len--;
        if (len > 0 && (unsigned char)text[len - 1] >= 0xc0)
            len--;
    }
    len = text_clean(text, len);
    while (len > 0 && text[len - 1] == '\n')
        len--;
    text[len] = '\0';
}

/* By way of a second buffer: the arguments may point into err->text. */
__attribute__((format(printf, 2, 0))) static void text_set(struct err *err, const char *fmt,
                                                           va_list args)
{
    char text[sizeof(err->text)];
    int n = vsnprintf(text, sizeof(text), fmt, args);
    if (n < 0)
        text[0] = '\0';
    text_tidy(text, strlen(text));
    memcpy(err->text, text, strlen(text) + 1);
}

static void text_append(struct err *err, const char *more)
{
    size_t len = strlen(err->text);
    snprintf(err->text + len, sizeof(err->text) - len, "%s", more);
    text_tidy(err->text, strlen(err->text));
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        text_set(err, fmt, args);
        va_end(args);
        err->code = code;
    }
    return code;
}

/* What a person can do about it, whatever the message; "" where that is not to be said so shortly.
 */
static const char *way_out(int errnum)
{
    switch (errnum) {
    case ENOENT:
    case ENOTDIR:
        return "; check the path";
    case EISDIR:
        return "; name a file in it";
    case EACCES:
    case EPERM:
        return "; give this user the right to it, or name another place";
    case EROFS:
        return "; name a place that can be written to";
    case ENOSPC:
    case EDQUOT:
        return "; free some space or name another place, and run it again";
    case EFBIG:
        return "; raise the limit of file sizes (ulimit -f), and run it again";
    case EMFILE:
        return "; raise the limit of open files (ulimit -n), and run it again";
    default:
        return "";
    }
}

int err_set_errno(struct err *err, int code, int errnum, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        text_set(err, fmt, args);
        va_end(args);
        char words[128];
        text_append(err, ": ");
        text_append(err, strerror_r(errnum, words, sizeof(words)));
        text_append(err, way_out(errnum));
        err->code = code;
    }
    return code;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
    if (!err)
        return ERR_BUG;
    char before[sizeof(err->text)];
    memcpy(before, err->text, strlen(err->text) + 1);
    va_list args;
    va_start(args, fmt);
    text_set(err, fmt, args);
    va_end(args);
    text_append(err, ": ");
    text_append(err, before);
    return err->code;
}

int err_exit_code(int code)
{
    switch (code) {
    case 0:
        return 0;
    case ERR_RETRY:
        return 75;
    case ERR_UNREACHABLE:
        return 69;
    case ERR_INPUT:
        return 65;
    case ERR_WRITE:
        return 73;
    case ERR_CONFIG:
        return 78;
    case ERR_USAGE:
        return 64;
    default:
        return 70;
    }
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* err.h - why something failed, for a program and for a person.
 *
 * Functions that can fail return 0, a positive answer of their own, or one of
 * the negative codes below, and then have filled in the caller's struct err.
 * Each level on the way up may add words in front; only main prints. A message
 * says what happened, to what, and what to do next. Control characters in it, and what is no UTF-8,
 * have become '?': it may quote a stranger's file, and it goes to terminals. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err_code {
    ERR_RETRY = -1,       /* may work later: exit 75 */
    ERR_UNREACHABLE = -2, /* a service does not answer; may work later: exit 69 */
    ERR_INPUT = -3,       /* the data is wrong: give up on this key: exit 65 */
    ERR_WRITE = -4,       /* cannot write (full, not permitted): exit 73 */
    ERR_CONFIG = -5,      /* settings, snapshot or versions do not fit: stop: exit 78 */
    ERR_USAGE = -6,       /* the command line is wrong: exit 64 */
    ERR_BUG = -7,         /* hiwari itself is wrong: exit 70 */
};

struct err {
    int code;        /* enum err_code, 0 when nothing failed */
    char text[1200]; /* NUL-terminated, no newline at the end; long text is cut */
};

/* Record a failure. Returns code, so that `return err_set(...)` reads well.
 * err may be NULL when the caller does not care for the words. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Like err_set, and adds ": " and the system's words for errnum, and for the common ones what to do
 * about it. */
int err_set_errno(struct err *err, int code, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Put "words: " in front of what is there. Returns err->code (ERR_BUG if err is NULL). */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The sysexits code for a failure code (0 for 0). */
int err_exit_code(int code);

#endif

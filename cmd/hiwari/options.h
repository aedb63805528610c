/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* options.h - one row per option, one row per verb.
 *
 * The rows are all that hiwari knows about its command line: parsing, help, shell
 * completion and the man page are made from them, so they cannot disagree. */
#ifndef HIWARI_OPTIONS_H
#define HIWARI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

/* ---- rows ---- */

enum option_kind {
    OPTION_FLAG, /* given or not */
    OPTION_TEXT,
    OPTION_LIST,   /* text that may be given several times */
    OPTION_INT,    /* min to max */
    OPTION_DATE,   /* YYYY-MM-DD */
    OPTION_CHOICE, /* one of the words in `value`, divided by '|' */
};

struct option {
    const char *name; /* without the dashes */
    enum option_kind kind;
    const char *value;    /* what stands for the value in help: FILE, DIR, N …; NULL for a flag */
    const char *fallback; /* the value when it is not given, as it would be written; NULL: none */
    const char *purpose;  /* one sentence without a full stop; units are named here */
    bool required;
    int64_t min, max; /* OPTION_INT */
};

/* Exit codes that a verb can end with, for its help; 0 and 64 are every verb's. */
enum {
    EXITS_FAILED = 1 << 0,      /* 1 */
    EXITS_INPUT = 1 << 1,       /* 65 */
    EXITS_UNREACHABLE = 1 << 2, /* 69 */
    EXITS_WRITE = 1 << 3,       /* 73 */
    EXITS_RETRY = 1 << 4,       /* 75 */
    EXITS_CONFIG = 1 << 5,      /* 78 */
    EXITS_DRAINED = 1 << 6,     /* 143 */
};

struct args;

struct verb {
    const char *name;      /* "run", "snapshot create" */
    const char *arguments; /* what stands behind the name: "BATCH [KEY …]"; "" for none */
    int min_arguments, max_arguments; /* max -1: any number */
    const char *purpose;              /* one line */
    const char *about;                /* what it does, in paragraphs */
    const char *example;              /* a command line */
    unsigned exits;                   /* EXITS_… */
    const struct option *options;     /* ends with a row whose name is NULL */
    /* Returns 0, a positive exit code of its own, or an ERR_*. */
    int (*run)(const struct args *args, struct err *err);
};

/* ---- a parsed command line ---- */

/* Parse what follows the verb's name. ERR_USAGE for what the rows do not allow, with a
 * did-you-mean.
 * --help gives 0 with args_help(). The result borrows argv and verb. */
int args_parse(const struct verb *verb, int argc, char **argv, struct args **ret, struct err *err);
void args_free(struct args *args);
MEM_CLEANUP(args_free, struct args *);

bool args_help(const struct args *args);
int args_count(const struct args *args); /* positional arguments */
const char *args_at(const struct args *args, int i);
const char *const *args_all(const struct args *args);

/* The value of an option of the verb's rows, or its fallback. Asking for a name that the rows do
 * not have is a mistake in hiwari and ends the program. */
bool args_flag(const struct args *args, const char *name);
bool args_given(const struct args *args, const char *name);
const char *args_text(const struct args *args, const char *name); /* NULL: not given, no fallback */
int64_t args_int(const struct args *args, const char *name);
bool args_date(const struct args *args, const char *name, int64_t *ret_days); /* false: not given */
int args_list(const struct args *args, const char *name, const char *const **ret);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* collect.h - the verb that makes one file of all results.
 *
 * Results are downloaded by several threads, each held against the manifest, and written in the
 * order of keys; what is in memory at once is bounded. Of several destinations the columns are
 * joined, key by key and row by row. */
#ifndef BATCH_COLLECT_H
#define BATCH_COLLECT_H

#include "batch/batch_file.h"

enum { COLLECT_MISSING_KEPT = 100 };

struct collect_options {
    const char *const *dests; /* URLs */
    int n_dests;
    const char *out;       /* ends in .csv, .csv.gz or .npz */
    const char *from, *to; /* inclusive dates, or NULL */
    bool allow_missing;    /* leave out keys without result, instead of refusing */
    struct batch_progress progress;
};

struct collect_result {
    int64_t keys, rows, bytes;
    int columns;
    int64_t missing;
    char **missing_keys; /* the first COLLECT_MISSING_KEPT of them */
    int n_missing_keys;
    int64_t stale; /* results of older data, which the batch has kept */
};
void collect_result_deinit(struct collect_result *result);
MEM_CLEANUP_VALUE(collect_result_deinit, struct collect_result);

/* 0: the file is there, whole. Otherwise nothing was written:
 * ERR_USAGE   the name of the file says no format
 * ERR_INPUT   keys are missing (err names the first), a result is not what the manifest says, or
 *             the rows of two destinations are not the same
 * ERR_CONFIG  there is no destination, or nothing to collect in it
 * ERR_RETRY   its batch has not settled; ERR_WRITE, ERR_UNREACHABLE. */
int collect_run(const struct collect_options *options, struct collect_result *ret, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* retry_keys.h - the verb that gives failed keys another chance. */
#ifndef BATCH_RETRY_KEYS_H
#define BATCH_RETRY_KEYS_H

#include "batch/batch_file.h"

struct retry_keys_options {
    struct queue *queue; /* open; queue_use is called on it */
    const char *batch;
    const char *const *keys; /* NULL: all failed keys */
    int64_t n_keys;
};

struct retry_keys_result {
    int64_t moved;   /* failed keys that wait again, with fresh budgets */
    int64_t others;  /* keys that were named but have not failed */
    int64_t workers; /* alive */
};

/* `_SUCCESS` is deleted before the first key moves. ERR_INPUT: a named key is not in the batch;
 * ERR_CONFIG: no such batch, it was cancelled, or its destination is another one's
 * by now. */
int retry_keys_run(const struct retry_keys_options *options, struct retry_keys_result *ret,
                   struct err *err);

#endif

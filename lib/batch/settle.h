/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* settle.h - the end of a batch: its manifest and `_SUCCESS`.
 *
 * Settling is a lease of its own that any worker may take over. The manifest is the listing
 * of the destination joined with what Redis knows; it replaces only the generation that was
 * seen when the lease began, so of two settlers at most one gets through. `_SUCCESS`
 * holds the manifest's crc32c. */
#ifndef BATCH_SETTLE_H
#define BATCH_SETTLE_H

#include <stdatomic.h>

#include "batch/batch_file.h"
#include "batch/columns_file.h"

/* Answers, not failures. */
enum {
    SETTLE_BUSY = 1,    /* another worker is at it */
    SETTLE_NOT_YET = 2, /* keys are not finished, or some had no result and wait again */
    SETTLE_LOST =
        3, /* the lease was lost, the batch reopened or gone: whoever has it now goes on */
};

struct settle_options {
    struct queue *queue;                       /* with the batch in use */
    const struct queue_options *queue_options; /* for the connection that renews the lease */
    const struct worker_id *worker;
    struct store *store;
    const struct batch_file *batch;
    const struct columns_source *columns; /* NULL: `_columns.json` is left out */
    const atomic_bool *stop;              /* NULL, or set when the process is to end: SETTLE_LOST */
};

struct settle_result {
    int64_t epoch, done, failed;
    int64_t put_back; /* keys that Redis had as done and the destination has not */
};

/* Before keys of a batch move again: settling in progress becomes stale, `_SUCCESS` is deleted.
 * Then the keys may be moved. 0, QUEUE_GONE, QUEUE_CANCELLED; ERR_CONFIG, and nothing was touched,
 * when the destination is another batch's by now. */
int settle_reopen(struct queue *queue, const struct batch_file *batch, struct store *store,
                  struct err *err);

/* 0: the batch is settled, by this call or before it (then epoch is 0). ERR_CONFIG: another batch
 * has the destination; nothing was written. */
int settle_run(const struct settle_options *options, struct settle_result *ret, struct err *err);

#endif

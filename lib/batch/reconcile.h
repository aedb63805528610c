/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* reconcile.h - expected keys minus results in the store, enqueued again.
 *
 * States and tokens are read first, the destination is listed second, and a key is
 * moved only if its state and token are still what was read. A Redis that has lost
 * the batch gets it again from `_batch.json`. */
#ifndef BATCH_RECONCILE_H
#define BATCH_RECONCILE_H

#include "batch/batch_file.h"

struct reconcile_options {
    struct queue *queue;                       /* open; queue_use is called on it */
    const struct queue_options *queue_options; /* for the connection that renews the lock */
    const char *batch;
    const char *dest; /* NULL: the one that Redis has; needed when Redis lost the batch */
    bool replace_stale, include_failed, newest_first, dry_run;
    const char *notify; /* the webhook's URL from now on; NULL: as it is */
    struct batch_progress progress;
};

struct reconcile_move {
    char *key;
    const char *from; /* "pending", "done", …, "lost" when Redis had no record that can be read */
    const char *to;   /* "pending" or "done" */
    char *why;        /* "its result is not in the destination" … */
    bool moved;       /* false: dry run, or it changed while we looked */
};

struct reconcile_result {
    int64_t total;
    int64_t present;                 /* results in the destination with the batch's identity */
    int64_t stale, foreign, damaged; /* results that are not; left alone without replace_stale */
    int64_t waiting;                 /* pending, delayed or leased: being taken care of */
    int64_t failed;                  /* left failed */
    int64_t to_pending, to_done;     /* moved (or would be, in a dry run) */
    int64_t unchanged_since;         /* would have moved, but changed while we looked */
    bool rebuilt;                    /* Redis had no such batch, or only a part of its keys */
    bool reopened;                   /* it was settled, and is not any more */
    bool durable;                    /* keys were written, and the batch wants them durable */
    int64_t workers;                 /* alive */
    struct reconcile_move *moves;    /* every one, in key order */
    int64_t n_moves;
};
void reconcile_result_free(struct reconcile_result *result); /* contents only */
MEM_CLEANUP_VALUE(reconcile_result_free, struct reconcile_result);

/* 0 with *ret filled in. ERR_RETRY: another reconcile of this batch is running, or may be, since
 * the lock was lost; ERR_CONFIG: neither Redis nor dest knows the batch, or they have different
 * ones of that name; ERR_WRITE, ERR_UNREACHABLE. */
int reconcile_run(const struct reconcile_options *options, struct reconcile_result *ret,
                  struct err *err);

#endif

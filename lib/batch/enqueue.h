/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* enqueue.h - the verb that makes a batch.
 *
 * Order is everything here: `_SUCCESS` goes away, `_batch.json` is written, Redis begins the batch,
 * the keys are added in steps, the batch is sealed. Killed between any two steps, the same command
 * run again completes it; nothing settles before it is sealed. */
#ifndef BATCH_ENQUEUE_H
#define BATCH_ENQUEUE_H

#include "batch/batch_file.h"

struct enqueue_options {
    struct queue *queue; /* open; queue_use is called on it */
    const char *batch, *spec_path, *snapshot_dir, *dest;
    const char *format;    /* NULL: csv */
    const char *from, *to; /* inclusive dates, or NULL */
    const char *const
        *keys; /* instead of from and to; NULL: all dates. Any order; twice counts once */
    int64_t n_keys;
    int64_t limit; /* 0: no limit; else so many keys, spread evenly over the others */
    bool replace_stale;
    struct batch_settings settings; /* zeros: defaults */
    const char *notify;             /* the webhook's URL, or NULL; settings.notify follows it */
    struct batch_progress progress;
};

struct enqueue_result {
    char incarnation[BATCH_INCARNATION];
    int64_t total;   /* keys of the batch */
    int64_t added;   /* to be computed, new in Redis */
    int64_t present; /* were in this batch already */
    int64_t skipped; /* their result exists with the same identity */
    int64_t
        stale; /* their result is of older data: kept and skipped, or with replace_stale added */
    int64_t replaced;   /* of `added`: results of other data, spec, format or version that will be
                           replaced */
    int64_t refused;    /* not in this batch, which is sealed and not settled yet */
    int64_t failed;     /* settled as failed; they wait for `hiwari retry` */
    bool next;          /* an earlier batch of this name was settled: this is the next one */
    bool unconditional; /* the store does not honour conditional writes: overwrites cannot be
                           excluded */
    bool nothing_to_do; /* the batch was settled with these very results already */
};

/* 0 with *ret filled in, also when all was there already. Failures:
 * ERR_INPUT   the spec or a key is wrong (unknown date, no rows on it);
 * ERR_CONFIG  the destination holds results of another spec, format or version (err names both ways
 *             out: --replace-stale, another destination), or the snapshot cannot be used, or
 *             replace_stale is asked of a store that does not honour conditional writes;
 * ERR_RETRY   an unsettled batch of this name or destination asks for something else (err says what
 * to do); ERR_WRITE, ERR_UNREACHABLE. Nothing was enqueued when a failure is returned before the
 * first key was added; after that the same command completes it. */
int enqueue_run(const struct enqueue_options *options, struct enqueue_result *ret, struct err *err);

/* ERR_CONFIG with the words for that. */
int enqueue_refuse_replacing(const char *dest, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* guard.h - keeps what runs out in Redis unless it is renewed: the settling lease, reconcile's
 * lock.
 *
 * A thread with its own connection renews it while the destination is listed. Its holder asks
 * before each step that others can see whether it still holds it. */
#ifndef BATCH_GUARD_H
#define BATCH_GUARD_H

#include <stdatomic.h>

#include "batch/batch_file.h"

struct guard;

/* Renew it: 0 with *ret_deadline_ms (monotonic, counted from before the request was sent) filled
 * in, GUARD_LOST when it is not ours any more, or an ERR_*: it is tried again. Called by the
 * guard's thread. */
enum { GUARD_LOST = 1 };
typedef int guard_renew_fn(void *ctx, struct queue *queue, int64_t *ret_deadline_ms,
                           struct err *err);

struct guard_options {                         /* what it points to is borrowed until guard_end */
    const struct queue_options *queue_options; /* for the connection */
    const struct batch_file *batch;
    guard_renew_fn *renew;
    void *ctx;
    int64_t every_ms;        /* between two renewals */
    int64_t deadline_ms;     /* the first */
    const atomic_bool *stop; /* NULL, or set when the process is to end: then it is not held */
    const char *complaint;   /* is logged when it cannot be renewed */
};
struct guard *guard_begin(const struct guard_options *options);
/* Not lost, its deadline ahead, and nobody asked us to stop. */
bool guard_holds(struct guard *guard);
void guard_end(struct guard *guard);
MEM_CLEANUP(guard_end, struct guard *);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* courier.h - the thread that carries between the worker and Redis: leases in; done, failed and
 * released keys out; and at the end the settling of the batch.
 *
 * It decides when the worker ends, and with which exit code. */
#ifndef WORKER_COURIER_H
#define WORKER_COURIER_H

#include "worker/held.h"
#include "worker/job.h"

struct courier_options {
    const struct job *job;
    struct held *held;
    struct queue *queue; /* the courier's alone from now on */
    const struct queue_options *queue_options;
    int64_t linger_ms; /* negative: stay until the batch is settled */
};

struct courier;

struct courier *courier_begin(const struct courier_options *options);
/* Waits for it. *ret_err says why the worker ended, where there is more to say than its exit code.
 */
void courier_end(struct courier *courier, struct err *ret_err);

#endif

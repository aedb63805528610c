/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* drain.h - SIGTERM and SIGINT: stop taking keys, and be gone by the end of the grace time.
 *
 * A thread waits for the signals, which all others block. At the first one keys that wait are
 * given back at once, and those that were begun may finish; shortly before the grace
 * time is over what is left is released too and the process ends with 143. */
#ifndef WORKER_DRAIN_H
#define WORKER_DRAIN_H

#include "worker/held.h"
#include "worker/job.h"

struct drain;

/* Blocks the signals: call before any other thread begins. */
struct drain *drain_begin(struct held *held, int64_t grace_ms, const struct queue_options *options);
/* From now on there are leases to release; job is borrowed until drain_end. */
void drain_job(struct drain *drain, const struct job *job);
void drain_end(struct drain *drain);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* job.h - what a worker works on: the batch as Redis has it, bound to the snapshot that is mounted.
 *
 * Opened once; read by all threads and changed by none. */
#ifndef WORKER_JOB_H
#define WORKER_JOB_H

#include "batch/batch_file.h"
#include "features/plan.h"
#include "queue/queue.h"

struct job {
    struct batch_file *batch;
    struct spec *spec;
    struct snapshot *snapshot;
    struct plan *plan;
    struct store *store;
    struct worker_id worker; /* strings are the job's */
    int threads;
};

struct job_options {
    const char *snapshot_dir, *index_dir; /* index_dir NULL: the snapshot's */
    int threads;                          /* to compute with */
};

/* The queue has the batch in use. 0 or QUEUE_GONE; ERR_CONFIG when spec, snapshot or result version
 * are not what the batch says (both are named); ERR_WRITE when the destination cannot be opened. */
int job_open(const struct job_options *options, struct queue *queue, struct job **ret,
             struct err *err);
void job_close(struct job *job);
MEM_CLEANUP(job_close, struct job *);

#endif

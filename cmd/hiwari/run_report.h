/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* run_report.h - what `hiwari run` says at its end. */
#ifndef HIWARI_RUN_REPORT_H
#define HIWARI_RUN_REPORT_H

#include "batch/enqueue.h"
#include "options.h"
#include "queue/queue.h"

#define RUN_BATCH "run" /* the name of the batch in its private Redis */

struct run_report {
    struct enqueue_result enqueued;
    struct queue_status status;
    int workers;
    bool stopped; /* by a signal */
    double seconds;
    int64_t computed, rows; /* keys that were computed now, and their rows */
    char *example;          /* a key whose result is there, the newest; NULL: none */
};

/* Ask the queue for the final status and for what was computed. 0, QUEUE_GONE or an ERR_*. */
int run_report_read(struct run_report *report, struct queue *queue, struct err *err);

/* The summary to standard output (with --json one object), failures to standard error. Returns the
 * exit code: 0, or 1 when keys have failed. */
int run_report_print(const struct run_report *report, const struct args *args);

void run_report_deinit(struct run_report *report);

#endif

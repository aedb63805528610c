/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* parallel.h - items 0, 1, 2 … are worked on by several threads and taken in order by one.
 *
 * For work that waits for networks and disks: downloads, uploads. What has been worked on and not
 * yet taken is bounded, so that one slow item does not fill the memory with those behind it. */
#ifndef BASE_PARALLEL_H
#define BASE_PARALLEL_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"

enum { PARALLEL_MAX = 64 }; /* threads */

struct parallel_options {
    int64_t n;
    int threads; /* 1 to PARALLEL_MAX */
    /* In any thread. A failure ends the whole; the first one counts. */
    int (*work)(void *ctx, int64_t i, struct err *err);
    /* In the calling thread, in order of i, after work(i). NULL: nothing to take. */
    int (*take)(void *ctx, int64_t i, struct err *err);
    /* What item i weighs from the beginning of its work until it is taken; NULL: 1. No more is
     * begun while max_weight is reached, but for the very next item to be taken. */
    int64_t (*weigh)(void *ctx, int64_t i);
    int64_t max_weight; /* 0: twice the threads */
    /* In the calling thread, every tenth of a second: for progress bars. NULL: nobody looks. */
    void (*tick)(void *ctx);
    void *ctx;
    atomic_bool *stop; /* set after a failure, for long work that wants to look; NULL: nobody */
};

/* 0 when every item was worked on and taken; else the first failure, and then no thread is left. */
int parallel_run(const struct parallel_options *options, struct err *err);

#endif

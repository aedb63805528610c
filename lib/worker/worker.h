/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* worker.h - the process that runs in a pod: lease, compute, pack, put, done.
 *
 *   main thread   takes the next key and computes its frame (OpenMP inside)
 *   uploaders     pack frames and put them into the store
 *   courier       leases keys, tells Redis what is done or failed, settles the batch
 *   heartbeat     renews leases, drops what is lost, ends what hangs
 *   drain         waits for SIGTERM
 *
 * They meet in held.h. Computing waits for nothing but a full row of frames; several keys are
 * in flight, and memory is bounded by that row. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct worker_options {
    const char *batch, *snapshot_dir;
    const char *index_dir; /* NULL: the snapshot's own */
    const char *redis;     /* NULL: HIWARI_REDIS */
    bool allow_eviction;
    int threads;       /* 0: as many as the cgroup allows */
    int uploads;       /* 0: chosen */
    int lease_keys;    /* at most so many at once; 0: chosen */
    int64_t linger_ms; /* negative: stay until the batch is settled */
    int64_t grace_ms;  /* 0: 12 s */
};

/* Work until there is nothing left. Returns the exit code: 0 settled (or lingered); 69, 70, 73, 75,
 * 78 with *err saying why; 143 drained. Ends the process itself (70) when a key exceeds its time,
 * and (143) when the grace time is over. */
int worker_run(const struct worker_options *options, struct err *err);

#endif

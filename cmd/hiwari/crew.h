/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* crew.h - the worker processes of one `hiwari run`.
 *
 * A worker that ends before the batch does is started again, a bounded number of times in a
 * row without progress: a key that kills its worker must not keep the crew busy for ever. */
#ifndef HIWARI_CREW_H
#define HIWARI_CREW_H

#include <poll.h>

#include "base/err.h"
#include "base/mem.h"
#include "progress.h"

struct crew;

struct crew_options {
    const char *batch, *redis, *snapshot_dir;
    const char *index_dir; /* NULL: the snapshot's own */
    int workers;
    struct progress *progress; /* where the words of workers are shown; borrowed */
};

/* Find hiwari-worker beside this program and start it that many times. */
int crew_start(const struct crew_options *options, struct crew **ret, struct err *err);
void crew_free(struct crew *crew); /* sends away who is left */
MEM_CLEANUP(crew_free, struct crew *);

/* Descriptors to wait for: at most max; returns how many. */
int crew_poll(const struct crew *crew, struct pollfd *fds, int max);

/* Pass on what workers wrote, notice who has ended, start them again where that helps.
 * progress_mark is any number that changes when the batch moves. ERR_CONFIG, ERR_WRITE or ERR_RETRY
 * when going on is pointless; the worker has said why. */
int crew_watch(struct crew *crew, int64_t progress_mark, struct err *err);

int crew_alive(const struct crew *crew);
void crew_drain(struct crew *crew); /* SIGTERM to all; nobody is started again */
void crew_kill(struct crew *crew);

#endif

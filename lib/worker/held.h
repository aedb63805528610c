/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* held.h - the keys on which this process holds leases, each in one stage.
 *
 *   waiting -> computing -> packed for upload -> uploading -> finished -> (told, forgotten)
 *                   \______________\_______________\------> failed   -> (told, forgotten)
 *
 * The one place where the threads of a worker meet: the main thread computes, uploaders pack and
 * put, the courier talks to Redis about leases and results, the heartbeat renews. Each asks here
 * for its next piece of work and is woken when there is some. All functions lock by themselves.
 *
 * A key whose lease is lost (its deadline has passed by the monotonic clock, or Redis said STALE)
 * is marked so: what waits is forgotten, what is being computed is dropped when it comes out, and
 * nothing lost is uploaded. */
#ifndef WORKER_HELD_H
#define WORKER_HELD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "codec/column.h"
#include "queue/queue.h"

enum held_stage {
    HELD_WAITING,
    HELD_COMPUTING,
    HELD_COMPUTED, /* its frame waits for an uploader */
    HELD_UPLOADING,
    HELD_FINISHED, /* the result is in the store; Redis has not heard of it */
    HELD_FAILED,   /* it cannot be computed or stored; Redis has not heard of it */
};

struct held_key {
    struct lease lease; /* owned; lease.deadline_ms is kept up to date */
    enum held_stage stage;
    bool lost;
    bool started_told;  /* Redis knows that work has begun */
    int64_t started_ms; /* monotonic, when computing began */
    int64_t ms, rows;   /* finished */
    struct frame frame; /* computed */
    size_t frame_bytes;
    const char *class; /* failed: static text */
    char *text;        /* failed: owned */
    struct held_key *next;
};

enum { HELD_NEWS_MS = 5 }; /* how soon the heartbeat wants to know of a key that has begun */

struct held;

struct held *held_new(int max_frames, int max_lease);
void held_set_frames(struct held *held, int max_frames); /* when more is known */
void held_free(struct held *held);
MEM_CLEANUP(held_free, struct held *);

/* ---- the main thread ---- */

/* The next key to compute, or NULL when the worker is to end or to drain. Waits. Borrowed until
 * held_computed or held_failed. */
struct held_key *held_take(struct held *held);
/* Moves *frame. Waits while too many frames wait for uploaders. */
void held_computed(struct held *held, struct held_key *key, struct frame *frame);
/* Also used by uploaders. Copies text. */
void held_failed(struct held *held, struct held_key *key, const char *class, const char *text);

/* ---- uploaders ---- */

struct held_key *held_take_upload(struct held *held); /* waits; NULL: the worker ends */
bool held_may_upload(struct held *held, const struct held_key *key);
void held_uploaded(struct held *held, struct held_key *key, int64_t rows);
/* Gives up on a key whose lease is lost. */
void held_drop(struct held *held, struct held_key *key);

/* ---- the courier ---- */

enum held_errand {
    HELD_TELL,    /* finished or failed keys, or waiting ones that are given back */
    HELD_LEASE,   /* more keys are wanted */
    HELD_NOTHING, /* the time is up, or something changed */
    HELD_DRAINED, /* draining or stopping, and nothing is held any more */
};
/* Wait for something to do, until not_before_ms for leasing and at most until until_ms. */
enum held_errand held_errand(struct held *held, int64_t lease_not_before_ms, int64_t until_ms);

/* A copy of keys to tell Redis about; strings are owned by the copy. */
struct held_refs {
    struct lease_ref *refs;
    const char **class, **text; /* of failed keys */
    int n;
};
void held_refs_deinit(struct held_refs *refs);
MEM_CLEANUP_VALUE(held_refs_deinit, struct held_refs);
/* Every key in this stage. */
void held_list(struct held *held, enum held_stage stage, struct held_refs *ret);
void held_forget(struct held *held, const struct lease_ref *refs, int n); /* they were told */

/* How many to lease now; none where only the batch's state is asked for. */
struct lease_wish held_lease_wish(struct held *held);
bool held_gives_back(struct held *held); /* those that wait: it leaves, or is long at one key */
void held_add(struct held *held, struct lease_set *leases); /* takes the leases */
void held_drop_all(struct held *held);                      /* the batch is gone or cancelled */
bool held_empty(struct held *held);

/* ---- the heartbeat ---- */

/* What there is to renew: all keys (when the time has come), or those that have begun since. */
void held_list_renewable(struct held *held, bool all, struct held_refs *ret);
void held_renewed(struct held *held, const struct lease_ref *refs, int n);
/* Mark what is past its deadline; the number of keys marked. */
int held_fence(struct held *held, int64_t now_ms);
/* A key that has been worked on for longer than limit_ms, its lease lost or not: true with a copy
 * of its key and token. */
bool held_overdue(struct held *held, int64_t now_ms, int64_t limit_ms, struct held_refs *ret);
/* Wait until until_ms, or until a key begins or the first is held. False when the worker ends. */
bool held_wait(struct held *held, int64_t until_ms);
bool held_has_news(struct held *held); /* a key has begun and Redis has not been told */

/* ---- ending ---- */

void held_drain(struct held *held); /* no new keys; those waiting are given back */
bool held_draining(struct held *held);
/* The store cannot be written to: give everything back and end with this. The first one counts. */
void held_stop(struct held *held, const struct err *err);
bool held_stopped(struct held *held, struct err *ret);
void held_end(struct held *held,
              int exit_code); /* every thread is to leave; the first one counts */
bool held_ended(struct held *held, int *ret_exit_code);
/* Is any key in one of these stages? */
bool held_any(struct held *held, enum held_stage first, enum held_stage last);

/* Set while draining; for those who only look. */
const atomic_bool *held_drain_flag(const struct held *held);

struct held_counts {
    int64_t done, failed, lost, stale;
};
void held_count(struct held *held, const struct held_counts *more);
struct held_counts held_counts(struct held *held);

#endif

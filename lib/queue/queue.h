/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* queue.h - batches, keys and leases on Redis.
 *
 * A batch is one run: a name, keys, and the text of its `_batch.json`. A key is in exactly
 * one of pending, delayed, leased, done, failed. A lease is the right to work on one key
 * until its deadline by the server's clock; the holder renews it or loses it, and a lost
 * key is waiting again. Each lease has a token; every verb on a lease presents it.
 *
 * All state of batch NAME lives under hiwari:{NAME}:… and changes only inside the scripts
 * (*.lua beside this file). Every verb carries the batch's incarnation and answers
 * QUEUE_GONE when Redis has another one or none.
 *
 * A struct queue is one connection and is used by one thread at a time. It reconnects
 * by itself with backoff; a verb fails with ERR_UNREACHABLE only when its patience is over.
 * All verbs may be repeated after a lost answer. ERR_RETRY: the server is there, but is loading,
 * failing over or full. queue_open lets the process ignore SIGPIPE unless it has a handler. */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

struct queue;

/* Answers, not failures. */
enum {
    QUEUE_EMPTY = 1,   /* nothing to lease now; wait_ms says when to look again */
    QUEUE_GONE = 2,    /* the batch is absent or another incarnation */
    QUEUE_SETTLED = 3, /* every key is done or failed and the settling was acknowledged */
    QUEUE_SETTLE = 4,  /* every key is done or failed, nobody settles: call queue_settle_begin */
    QUEUE_PAUSED = 5,
    QUEUE_CANCELLED = 6,
    QUEUE_BUSY = 7,   /* somebody else holds it (settling lease, lock, name, destination) */
    QUEUE_ABSENT = 8, /* no such key */
};

enum { QUEUE_STEP = 100 }; /* most items that any script touches */

/* ---- connection ---- */

struct queue_options {
    const char *url;     /* redis://, rediss://, unix://, redis+sentinel:// as redis_url.h says;
                            NULL: HIWARI_REDIS, else what stands in the file that
                            HIWARI_REDIS_FILE names, else redis://127.0.0.1:6379 */
    int64_t patience_ms; /* how long a verb tries to reach Redis; 0: 5 s */
    bool allow_eviction; /* do not refuse a maxmemory_policy other than noeviction */
};
int queue_open(const struct queue_options *options, struct queue **ret, struct err *err);
void queue_close(struct queue *queue);
MEM_CLEANUP(queue_close, struct queue *);
/* The URL without its password, for messages. */
const char *queue_url(const struct queue *queue);

/* Choose the batch that the following verbs are about. incarnation NULL: whichever Redis has now. 0
 * or QUEUE_GONE. */
int queue_use(struct queue *queue, const char *batch, const char *incarnation, struct err *err);
const char *queue_batch(const struct queue *queue);
const char *queue_incarnation(const struct queue *queue);
bool queue_name_ok(const char *name); /* [a-z0-9.-]{1,100} */

/* ---- making a batch ---- */

struct queue_settings {
    int64_t lease_ms, key_ms;
    int max_attempts, max_interruptions;
    bool newest_first;
    int result_version;
    const char *spec_sha256, *snapshot_id, *dest, *format; /* what a running batch may not change */
    const char *batch_json;                                /* the text of _batch.json */
};

/* Begin a batch or go on with the same one. 0: it stands in state "filling" (or is already there
 * with this very incarnation). QUEUE_BUSY: an unsettled batch of this name has another incarnation,
 * or another unsettled batch has this destination; err says which and what to do. A settled batch
 * of the name is replaced. */
int queue_begin(struct queue *queue, const char *batch, const char *incarnation,
                const struct queue_settings *settings, struct err *err);

/* Add up to any number of keys (in steps of QUEUE_STEP, pipelined). expect[i] is the generation of
 * the stale result that the key's upload shall replace (0: nothing there); expect may be NULL. A
 * key that has a record already is left as it is. QUEUE_GONE; a sealed batch refuses: counted in
 * ret->refused. Keys whose result exists are added as done with queue_add_done so that totals are
 * whole. */
struct queue_added {
    int64_t added, present, refused;
};
int queue_add(struct queue *queue, const char *const *keys, const int64_t *expect, int64_t n,
              struct queue_added *ret, struct err *err);
int queue_add_done(struct queue *queue, const char *const *keys, int64_t n, struct queue_added *ret,
                   struct err *err);

/* No more keys. ERR_CONFIG if Redis holds another number of key records than expected_total. */
int queue_seal(struct queue *queue, int64_t expected_total, struct err *err);

/* Wait, some seconds at most, until what was written so far would outlive the server's machine, and
 * say how far that is so. A server before 7.2 cannot be asked whether its disk has something. */
struct queue_durable {
    char version[24];      /* of the server */
    bool appends;          /* it keeps an append-only file */
    bool can_tell;         /* it has WAITAOF */
    bool on_disk;          /* it said that its own disk has everything */
    int64_t replicas;      /* it has so many, */
    int64_t replicas_told; /* and so many have everything: on disk if can_tell, else in memory */
};
int queue_wait_durable(struct queue *queue, struct queue_durable *ret, struct err *err);

/* ---- working ---- */

struct worker_id {
    const char *id; /* pod UID, or host + start nonce; never used twice */
    const char *pod, *node;
};

struct lease {
    char *key;
    char *token;
    int64_t deadline_ms; /* monotonic, on this machine, counted from before the request was sent:
                            safe to fence by */
    int64_t expect;      /* generation that the upload replaces, 0: nothing */
    int attempt;         /* 1 for the first try */
    int interruptions;
    bool begun; /* Redis knows that work on it begins */
};
struct lease_set {
    struct lease *leases; /* owned */
    int n;
    int64_t wait_ms; /* with QUEUE_EMPTY and QUEUE_PAUSED: look again after this, jittered, at
                        most 1000 */
};
void lease_set_free(struct lease_set *set); /* contents only */

struct lease_wish {
    int max;     /* keys; a worker holds at most QUEUE_STEP. 0: only hear how the batch is */
    bool begins; /* work on the first one begins at once: should it end this worker before another
                    word, it is charged an interruption */
};
/* 0 with ret->n >= 1; QUEUE_EMPTY; QUEUE_SETTLE (call queue_settle_begin); QUEUE_SETTLED;
 * QUEUE_PAUSED; QUEUE_CANCELLED; QUEUE_GONE. A key with two or more interruptions is leased only
 * to a worker that holds nothing, which gets nothing else before it has answered. After a lost
 * answer the call first asks what this worker holds, so that no key is leased into the void. A
 * worker leases through one struct queue. */
int queue_lease(struct queue *queue, const struct worker_id *worker, struct lease_wish wish,
                struct lease_set *ret, struct err *err);

enum lease_answer { LEASE_OK, LEASE_STALE, LEASE_ALREADY };
struct lease_ref {
    const char *key, *token;
    bool started; /* renew, release: work has begun; it can be charged an interruption */
    int64_t ms;   /* done: how long it took */
    int64_t rows; /* done: rows of the result */
    enum lease_answer answer; /* filled in */
    int64_t deadline_ms; /* renew: filled in where the answer is LEASE_OK; as in struct lease */
};
/* Each handles any n in steps of QUEUE_STEP, pipelined. 0, QUEUE_GONE, QUEUE_CANCELLED (renew only:
 * drop the keys). */
int queue_renew(struct queue *queue, const struct worker_id *worker, struct lease_ref *refs, int n,
                struct err *err);
int queue_done(struct queue *queue, const struct worker_id *worker, struct lease_ref *refs, int n,
               struct err *err);
int queue_release(struct queue *queue, const struct worker_id *worker, struct lease_ref *refs,
                  int n, struct err *err);
/* class: "error", "timeout", "input" (input is not tried again). Text is cut to 1000 bytes. */
int queue_fail(struct queue *queue, const struct worker_id *worker, struct lease_ref *ref,
               const char *class, const char *text, struct err *err);
/* The worker is going: forget it (its leases are released by then). */
int queue_leave(struct queue *queue, const struct worker_id *worker, struct err *err);

/* ---- settling ---- */

struct settle_lease {
    char token[64];
    int64_t epoch;       /* higher after each reopen; equal for workers that take over */
    int64_t deadline_ms; /* monotonic, as in struct lease */
};
/* Take the settling lease for one lease time. 0; QUEUE_BUSY (another worker settles, or keys are
 * about to move); QUEUE_SETTLED; QUEUE_EMPTY (not all keys are done or failed, or not sealed). */
int queue_settle_begin(struct queue *queue, const struct worker_id *worker,
                       struct settle_lease *ret, struct err *err);
int queue_settle_renew(struct queue *queue, struct settle_lease *lease, enum lease_answer *ret,
                       struct err *err);
/* The store has acknowledged _SUCCESS (or, with failures, the manifest): the batch is settled.
 * QUEUE_BUSY: another worker has taken over, who judges what it finds; LEASE_STALE: what this one
 * wrote is not true any more. */
int queue_settle_finish(struct queue *queue, const struct settle_lease *lease,
                        enum lease_answer *ret, struct err *err);
/* Before a key of a settled (or settling) batch moves again: state back to running with a higher
 * epoch, so that a settling in progress becomes stale. The caller then deletes _SUCCESS, and only
 * then moves keys, within half a minute; until queue_retry or queue_move has ended nobody settles.
 * QUEUE_CANCELLED; QUEUE_BUSY: by now another unsettled batch has the destination; err says which.
 */
int queue_reopen(struct queue *queue, int64_t *ret_epoch, struct err *err);

/* ---- looking ---- */

enum key_state { KEY_PENDING, KEY_DELAYED, KEY_LEASED, KEY_DONE, KEY_FAILED };
const char *key_state_name(enum key_state state);

struct queue_worker {
    char *id, *node;
    int64_t leased, done; /* leased: by the records of the keys */
    int64_t seen_ms;      /* how long ago */
};
struct queue_failure {
    char *key, *class, *error;
    int attempts;
};
struct queue_status {
    char *state; /* filling, running, paused, cancelled, settled */
    int64_t total, pending, delayed, leased, done, failed;
    int64_t attempts, interruptions; /* of the whole batch, retried keys' earlier ones too */
    double rate_per_s;               /* of the last minute; 0 when unknown */
    double eta_s;                    /* negative when unknown */
    int64_t worker_count;            /* seen within two minutes */
    struct queue_worker *workers;    /* at most 100, seen last first; none whose time of being seen
                                        is another server's clock's and still to come */
    int n_workers;
    struct queue_failure *failures; /* at most 100 */
    int n_failures;
    int64_t epoch;
};
int queue_status(struct queue *queue, struct queue_status *ret,
                 struct err *err);                   /* 0, QUEUE_GONE */
void queue_status_free(struct queue_status *status); /* contents only */

/* The text of _batch.json that the batch was made with; caller owns. 0, QUEUE_GONE. */
int queue_batch_json(struct queue *queue, char **ret, struct err *err);
/* Names of all batches that this Redis knows, sorted. */
int queue_list(struct queue *queue, char ***ret_names, int *ret_n, struct err *err);

struct queue_lease_record { /* one of a key's last leases, newest last; at most 10 */
    char *worker, *node;    /* "#17" and "": of a worker whose name is kept no more */
    char *token;
    char *why; /* it ended: done, released, moved (by reconcile), interrupted (lost after work had
                  begun), expired (lost before), or a class of queue_fail; "" while held */
    int64_t start_ms, end_ms; /* server's wall clock; end_ms 0 while held */
};
struct queue_key {
    char *key;
    enum key_state state;
    char *token;  /* of the present or last lease, "" if none */
    int attempts; /* that ended in an error: 0 for a key done at once */
    int interruptions;
    int64_t ms, rows;    /* of a done key; -1 when unknown */
    char *class, *error; /* of the last failure, "" if none */
    char *worker;        /* as in a lease record; "" if none */
    int64_t due_ms;      /* delayed: until due; leased: until the deadline; else 0 */
    int64_t due_at_ms;   /* the same moment, perhaps past, by the server's wall clock; else 0 */
    struct queue_lease_record *leases;
    int n_leases;
};
int queue_show(struct queue *queue, const char *key, struct queue_key *ret,
               struct err *err); /* 0, QUEUE_ABSENT, QUEUE_GONE */
void queue_key_free(struct queue_key *key);

/* Every key that has a record, in steps, in no order, some perhaps twice (HSCAN): key, state, token
 * and numbers; the rest is not filled in. */
typedef int queue_each_fn(void *ctx, const struct queue_key *key, struct err *err);
int queue_each(struct queue *queue, queue_each_fn *fn, void *ctx, struct err *err);

/* Visit those of n keys that have a record, in order and in steps; fn is told the key's number
 * among them. class and error are filled in for failed keys; worker, due times and leases never
 * are.
 * 0, QUEUE_GONE, or what fn answers but 0. */
typedef int queue_keys_fn(void *ctx, int64_t i, const struct queue_key *key, struct err *err);
int queue_keys(struct queue *queue, const char *const *keys, int64_t n, queue_keys_fn *fn,
               void *ctx, struct err *err);

/* ---- sending word ---- */

/* The URL of a webhook is a secret: it stands in Redis alone, and nothing prints it. */
int queue_notify_set(struct queue *queue, const char *url, struct err *err); /* 0, QUEUE_GONE */
struct queue_notify {
    char *url; /* NULL: nobody wants to know */
    int64_t epoch;
    bool settled;
};
int queue_notify_get(struct queue *queue, struct queue_notify *ret,
                     struct err *err); /* 0, QUEUE_GONE */
void queue_notify_deinit(struct queue_notify *notify);
MEM_CLEANUP_VALUE(queue_notify_deinit, struct queue_notify);

/* Keys that have failed since somebody was told to tell of them. failed_new > 0: the caller is to
 * do it, and for every_ms nobody else will be. 0, QUEUE_GONE. */
struct queue_news {
    int64_t failed_new;
    int64_t failed;  /* in all */
    int64_t wait_ms; /* failed_new is 0: there may be some after so long; 0: not known */
};
int queue_news(struct queue *queue, int64_t every_ms, struct queue_news *ret, struct err *err);

/* ---- mending ---- */

/* Failed keys back to pending with fresh budgets. n 0: all failed keys. Counts those moved. 0,
 * QUEUE_GONE, QUEUE_CANCELLED, QUEUE_BUSY (settled or being settled, and not reopened). */
int queue_retry(struct queue *queue, const char *const *keys, int64_t n, int64_t *ret_moved,
                struct err *err);

/* Reconcile: move keys to pending, behind the others, in the order given and with fresh budgets (or
 * to done), each only if its state and token are still what was read. Answers as queue_retry; give
 * all moves in one call, since its end lets the batch settle again. */
struct queue_move {
    const char *key;
    enum key_state seen_state;
    const char *seen_token;
    bool seen_lost; /* instead: no record of it, or none that can be read */
    bool to_done;   /* the result is there: mark done */
    int64_t expect; /* generation to replace, when to pending */
    bool moved;     /* filled in */
};
int queue_move(struct queue *queue, struct queue_move *moves, int64_t n, struct err *err);
/* Single flight: 0 with the lock held for ttl_ms, or QUEUE_BUSY. Unlock needs the same token. */
int queue_lock(struct queue *queue, const char *what, const char *token, int64_t ttl_ms,
               struct err *err);
int queue_unlock(struct queue *queue, const char *what, const char *token, struct err *err);

/* 0, QUEUE_GONE, QUEUE_SETTLED, QUEUE_CANCELLED (what was cancelled is not resumed). */
int queue_pause(struct queue *queue, struct err *err);
int queue_resume(struct queue *queue, struct err *err);
int queue_cancel(struct queue *queue, struct err *err);
/* Remove everything about the batch from Redis; ret_removed: how many key records that were. */
int queue_purge(struct queue *queue, int64_t *ret_removed, struct err *err);

struct queue_finding {
    char *key, *what; /* what is wrong, in words */
    bool repaired;
};
/* Compare the key records with the five places; with repair, each finding is confirmed and mended
 * in one script. Not repaired, in words that name reconcile: keys that are missing altogether, and
 * those of a settled batch that would wait. */
int queue_fsck(struct queue *queue, bool repair, struct queue_finding **ret, int *ret_n,
               struct err *err);
void queue_findings_free(struct queue_finding *findings, int n);

#endif

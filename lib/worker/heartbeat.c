/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* heartbeat.c - renew every third of a lease time; say that work has begun; fence; end what hangs.
 *
 * That work on a key has begun is told at once, at most every HELD_NEWS_MS: a key that kills its
 * worker must be charged for it, while thousands of short keys a second need not be told about one
 * by one.
 *
 * A key past its time limit cannot be stopped, only the process can: the key is failed, the
 * others are given back, and the process ends with 70. */
#include "worker/heartbeat.h"

#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum {
    PATIENCE_MS = 1000,
    TRY_AGAIN_MS = 250,
    WAIT_MAX_MS = 1000,
    IDLE_MS = 3000,
    EXIT_OVERDUE = 70
};

struct heartbeat {
    const struct job *job;
    struct held *held;
    const struct queue_options *queue_options;
    pthread_t thread;
    struct queue *queue; /* open while leases are held */
    int64_t renew_at_ms; /* when all are due */
    int64_t silent_ms;   /* last logged that Redis does not answer */
};

static int connect_queue(struct heartbeat *h, struct err *err)
{
    if (h->queue)
        return 0;
    struct queue_options options = *h->queue_options;
    options.patience_ms = PATIENCE_MS;
    CLEANUP(queue_close) struct queue *queue = NULL;
    int r = queue_open(&options, &queue, err);
    if (r == 0)
        r = queue_use(queue, h->job->batch->name, h->job->batch->incarnation, err);
    if (r != 0) /* a queue without its batch would be of no use at the next try */
        return r;
    h->queue = queue;
    queue = NULL;
    return 0;
}

/* Renew all keys, or only tell about those that have begun. */
static void renew(struct heartbeat *h, bool all)
{
    CLEANUP(held_refs_deinit) struct held_refs refs = {0};
    struct err err = {0};
    held_list_renewable(h->held, all, &refs);
    int64_t lease_ms = h->job->batch->settings.lease_ms, now = clock_ms();
    int64_t next_ms = now + lease_ms / 3;
    if (refs.n > 0) {
        int r = connect_queue(h, &err);
        if (r == 0)
            r = queue_renew(h->queue, &h->job->worker, refs.refs, refs.n, &err);
        if (r == 0)
            held_renewed(h->held, refs.refs, refs.n);
        else if (r > 0)
            held_drop_all(h->held); /* gone or cancelled: the courier learns why */
        if (r < 0 && now - h->silent_ms > 10000) {
            log_warn("cannot renew leases", LOG_S("error", err.text));
            h->silent_ms = now;
        }
        if (r < 0)
            next_ms = now + TRY_AGAIN_MS;
    }
    if (all)
        h->renew_at_ms = next_ms;
}

static void end_overdue(struct heartbeat *h, struct held_refs *refs)
{
    CLEANUP(held_refs_deinit) struct held_refs others = {0};
    struct err err = {0};
    int64_t limit_s = h->job->batch->settings.key_ms / 1000;
    CLEANUP(mem_free_chars)
    char *text = mem_printf("it was worked on for more than %lld s (--key-seconds) on %s",
                            (long long)limit_s, h->job->worker.node);
    log_error("a key exceeded its time: this worker ends", LOG_S("key", refs->refs[0].key),
              LOG_I("limit_s", limit_s));
    if (connect_queue(h, &err) == 0) {
        queue_fail(h->queue, &h->job->worker, &refs->refs[0], "timeout", text, &err);
        held_list_renewable(h->held, true, &others);
        for (int i = 0; i < others.n;
             i++) { /* not the one that has just been failed: STALE there */
            if (strcmp(others.refs[i].token, refs->refs[0].token) != 0)
                queue_release(h->queue, &h->job->worker, &others.refs[i], 1, &err);
        }
        queue_leave(h->queue, &h->job->worker, &err);
    }
    _exit(EXIT_OVERDUE);
}

static void *heartbeat_thread(void *ctx)
{
    struct heartbeat *h = ctx;
    int64_t told_ms = 0, until_ms = 0, held_ms = clock_ms();
    while (held_wait(h->held, until_ms)) {
        CLEANUP(held_refs_deinit) struct held_refs overdue = {0};
        int64_t now = clock_ms();
        held_fence(h->held, now);
        if (held_overdue(h->held, now, h->job->batch->settings.key_ms, &overdue))
            end_overdue(h, &overdue);
        if (held_empty(h->held)) {
            if (now - held_ms > IDLE_MS) {
                queue_close(h->queue);
                h->queue = NULL;
            }
            h->renew_at_ms = now + h->job->batch->settings.lease_ms / 3;
            until_ms = now + WAIT_MAX_MS;
            continue;
        }
        held_ms = now;
        bool news = held_has_news(h->held);
        if (now >= h->renew_at_ms)
            renew(h, true);
        else if (news && now - told_ms >= HELD_NEWS_MS)
            renew(h, false);
        if (news)
            told_ms = now;
        until_ms = now + (news ? HELD_NEWS_MS : WAIT_MAX_MS);
        until_ms = until_ms < h->renew_at_ms ? until_ms : h->renew_at_ms;
    }
    queue_close(h->queue);
    return NULL;
}

struct heartbeat *heartbeat_begin(const struct job *job, struct held *held,
                                  const struct queue_options *queue_options)
{
    struct heartbeat *h = MEM_NEW(struct heartbeat);
    h->job = job;
    h->held = held;
    h->queue_options = queue_options;
    if (pthread_create(&h->thread, NULL, heartbeat_thread, h) != 0)
        mem_exhausted();
    return h;
}

void heartbeat_end(struct heartbeat *h)
{
    pthread_join(h->thread, NULL);
    free(h);
}

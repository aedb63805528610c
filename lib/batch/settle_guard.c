/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* settle_guard.c - the thread that renews the settling lease. */
#include "batch/settle_guard.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

enum { CONNECT_PATIENCE_MS = 2000 };

struct settle_guard {
    const struct settle_options *options;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct settle_lease lease;
    bool lost, end;
};

/* Wait for ms or until the guard ends; true when it ends. Called with the lock held. */
static bool wait_for_end(struct settle_guard *guard, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (!guard->end) {
        if (pthread_cond_timedwait(&guard->changed, &guard->lock, &until) == ETIMEDOUT)
            break;
    }
    return guard->end;
}

static int renew(struct settle_guard *guard, struct queue **queue, struct settle_lease *lease,
                 enum lease_answer *answer, struct err *err)
{
    const struct batch_file *batch = guard->options->batch;
    int r = 0;
    if (!*queue) {
        struct queue_options options = *guard->options->queue_options;
        options.patience_ms = CONNECT_PATIENCE_MS;
        r = queue_open(&options, queue, err);
        if (r == 0)
            r = queue_use(*queue, batch->name, batch->incarnation, err);
    }
    return r == 0 ? queue_settle_renew(*queue, lease, answer, err) : r;
}

static void *guard_thread(void *ctx)
{
    struct settle_guard *guard = ctx;
    struct queue *queue = NULL;
    int64_t every_ms = guard->options->batch->settings.lease_ms / 3 + 1;
    pthread_mutex_lock(&guard->lock);
    while (!wait_for_end(guard, every_ms) && !guard->lost) {
        struct settle_lease lease = guard->lease;
        enum lease_answer answer = LEASE_STALE;
        struct err err = {0};
        pthread_mutex_unlock(&guard->lock);
        int r = renew(guard, &queue, &lease, &answer, &err);
        if (r < 0)
            log_warn("cannot renew the settling lease", LOG_S("error", err.text));
        pthread_mutex_lock(&guard->lock);
        if (r == 0 && answer != LEASE_STALE)
            guard->lease = lease;
        else if (r >= 0)
            guard->lost = true;
    }
    pthread_mutex_unlock(&guard->lock);
    queue_close(queue);
    return NULL;
}

struct settle_guard *settle_guard_begin(const struct settle_options *options,
                                        const struct settle_lease *lease)
{
    struct settle_guard *guard = MEM_NEW(struct settle_guard);
    pthread_condattr_t attr;
    guard->options = options;
    guard->lease = *lease;
    pthread_mutex_init(&guard->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&guard->changed, &attr);
    pthread_condattr_destroy(&attr);
    /* Without the thread the lease is kept for one lease time, and then given up. */
    guard->has_thread = pthread_create(&guard->thread, NULL, guard_thread, guard) == 0;
    return guard;
}

bool settle_guard_holds(struct settle_guard *guard)
{
    pthread_mutex_lock(&guard->lock);
    bool holds = !guard->lost && clock_ms() < guard->lease.deadline_ms;
    pthread_mutex_unlock(&guard->lock);
    return holds && !(guard->options->stop && atomic_load(guard->options->stop));
}

void settle_guard_end(struct settle_guard *guard)
{
    if (!guard)
        return;
    pthread_mutex_lock(&guard->lock);
    guard->end = true;
    pthread_cond_broadcast(&guard->changed);
    pthread_mutex_unlock(&guard->lock);
    if (guard->has_thread)
        pthread_join(guard->thread, NULL);
    pthread_cond_destroy(&guard->changed);
    pthread_mutex_destroy(&guard->lock);
    free(guard);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* guard.c - the thread that renews. */
#include "batch/guard.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

enum { CONNECT_PATIENCE_MS = 2000 };

struct guard {
    struct guard_options options;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t deadline_ms;
    bool lost, end;
};

/* Wait for ms or until the guard ends; true when it ends. Called with the lock held. */
static bool wait_for_end(struct guard *guard, int64_t ms)
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

static int renew(const struct guard_options *o, struct queue **queue, int64_t *ret_deadline_ms,
                 struct err *err)
{
    int r = 0;
    if (!*queue) {
        struct queue_options options = *o->queue_options;
        options.patience_ms = CONNECT_PATIENCE_MS;
        r = queue_open(&options, queue, err);
        if (r == 0)
            r = queue_use(*queue, o->batch->name, o->batch->incarnation, err);
    }
    return r == 0 ? o->renew(o->ctx, *queue, ret_deadline_ms, err) : r;
}

static void *guard_thread(void *ctx)
{
    struct guard *guard = ctx;
    struct queue *queue = NULL;
    pthread_mutex_lock(&guard->lock);
    while (!wait_for_end(guard, guard->options.every_ms) && !guard->lost) {
        int64_t deadline_ms = 0;
        struct err err = {0};
        pthread_mutex_unlock(&guard->lock);
        int r = renew(&guard->options, &queue, &deadline_ms, &err);
        if (r < 0)
            log_warn(guard->options.complaint, LOG_S("error", err.text));
        pthread_mutex_lock(&guard->lock);
        if (r == 0)
            guard->deadline_ms = deadline_ms;
        else if (r > 0)
            guard->lost = true;
    }
    pthread_mutex_unlock(&guard->lock);
    queue_close(queue);
    return NULL;
}

struct guard *guard_begin(const struct guard_options *options)
{
    struct guard *guard = MEM_NEW(struct guard);
    pthread_condattr_t attr;
    guard->options = *options;
    guard->deadline_ms = options->deadline_ms;
    pthread_mutex_init(&guard->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&guard->changed, &attr);
    pthread_condattr_destroy(&attr);
    /* Without the thread it is held until its first deadline, and then given up. */
    guard->has_thread = pthread_create(&guard->thread, NULL, guard_thread, guard) == 0;
    return guard;
}

bool guard_holds(struct guard *guard)
{
    pthread_mutex_lock(&guard->lock);
    bool holds = !guard->lost && clock_ms() < guard->deadline_ms;
    pthread_mutex_unlock(&guard->lock);
    return holds && !(guard->options.stop && atomic_load(guard->options.stop));
}

void guard_end(struct guard *guard)
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

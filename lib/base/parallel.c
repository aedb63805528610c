/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* parallel.c - one counter of items begun, one of items taken, and a flag for each that is ready.
 */
#include "base/parallel.h"

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

enum { TICK_MS = 100 };

struct parallel {
    const struct parallel_options *options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t begun, taken; /* items before these are */
    int64_t weight, max_weight;
    bool *ready;
    int result; /* of the first failure */
    struct err err;
};

static int64_t weight_of(const struct parallel *p, int64_t i)
{
    return p->options->weigh ? p->options->weigh(p->options->ctx, i) : 1;
}

/* Called with the lock held. */
static void fail(struct parallel *p, int r, const struct err *err)
{
    if (p->result < 0)
        return;
    p->result = r;
    p->err = *err;
    if (p->options->stop)
        atomic_store(p->options->stop, true);
    pthread_cond_broadcast(&p->changed);
}

/* The next item to work on, or -1 when there is none. Called with the lock held. */
static int64_t begin_next(struct parallel *p)
{
    while (p->result == 0 && p->begun < p->options->n && p->begun > p->taken &&
           p->weight + weight_of(p, p->begun) > p->max_weight)
        pthread_cond_wait(&p->changed, &p->lock);
    if (p->result < 0 || p->begun == p->options->n)
        return -1;
    p->weight += weight_of(p, p->begun);
    return p->begun++;
}

static void *work_thread(void *ctx)
{
    struct parallel *p = ctx;
    pthread_mutex_lock(&p->lock);
    for (int64_t i; (i = begin_next(p)) >= 0;) {
        struct err err = {0};
        pthread_mutex_unlock(&p->lock);
        int r = p->options->work(p->options->ctx, i, &err);
        pthread_mutex_lock(&p->lock);
        if (r < 0)
            fail(p, r, &err);
        p->ready[i] = true;
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Wait for a change, for the time of a tick at most. Called with the lock held. */
static void wait_for_change(struct parallel *p)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_cond_timedwait(&p->changed, &p->lock, &until);
}

/* Called with the lock held, which is given away meanwhile; so is take_next. */
static void tick_if_due(struct parallel *p, int64_t *due_ms)
{
    if (!p->options->tick || clock_ms() < *due_ms)
        return;
    pthread_mutex_unlock(&p->lock);
    p->options->tick(p->options->ctx);
    pthread_mutex_lock(&p->lock);
    *due_ms = clock_ms() + TICK_MS;
}

static void take_next(struct parallel *p)
{
    struct err err = {0};
    pthread_mutex_unlock(&p->lock);
    int r = p->options->take ? p->options->take(p->options->ctx, p->taken, &err) : 0;
    pthread_mutex_lock(&p->lock);
    if (r < 0)
        fail(p, r, &err);
    p->weight -= weight_of(p, p->taken++);
    pthread_cond_broadcast(&p->changed);
}

static void take_all(struct parallel *p)
{
    int64_t due_ms = clock_ms() + TICK_MS;
    pthread_mutex_lock(&p->lock);
    while (p->taken < p->options->n && p->result == 0) {
        if (p->ready[p->taken])
            take_next(p);
        else
            wait_for_change(p);
        tick_if_due(p, &due_ms);
    }
    pthread_mutex_unlock(&p->lock);
}

static void init(struct parallel *p, const struct parallel_options *options)
{
    pthread_condattr_t attr;
    *p = (struct parallel){.options = options};
    p->max_weight = options->max_weight ? options->max_weight : 2 * (int64_t)options->threads;
    p->ready = mem_zalloc((size_t)options->n + 1);
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->changed, &attr);
    pthread_condattr_destroy(&attr);
}

int parallel_run(const struct parallel_options *options, struct err *err)
{
    struct parallel p;
    pthread_t threads[PARALLEL_MAX];
    int n = 0;
    init(&p, options);
    while (n < options->threads && n < options->n &&
           pthread_create(&threads[n], NULL, work_thread, &p) == 0)
        n++;
    if (n == 0 && options->n > 0)
        mem_exhausted();
    take_all(&p);
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    pthread_cond_destroy(&p.changed);
    pthread_mutex_destroy(&p.lock);
    free(p.ready);
    if (p.result < 0 && err)
        *err = p.err;
    return p.result;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* drain.c - a thread on a signalfd. */
#include "worker/drain.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { RELEASE_MS = 500, EXIT_DRAINED = 143 };

struct drain {
    struct held *held;
    const struct queue_options *queue_options;
    int64_t grace_ms;
    int signals, ended; /* descriptors */
    pthread_t thread;
    pthread_mutex_t lock;
    bool begun;
    const struct job *job; /* NULL: nothing can be held */
};

/* True when a signal has come; false when the worker ended by itself. */
static bool wait_for_signal(struct drain *drain)
{
    struct pollfd fds[] = {{.fd = drain->signals, .events = POLLIN},
                           {.fd = drain->ended, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0)
        ;
    return !(fds[1].revents & POLLIN);
}

/* True when the worker ended within ms. */
static bool wait_for_end(struct drain *drain, int64_t ms)
{
    int64_t until_ms = clock_ms() + ms;
    struct pollfd fd = {.fd = drain->ended, .events = POLLIN};
    for (int64_t left = ms; left > 0; left = until_ms - clock_ms()) {
        if (poll(&fd, 1, (int)left) > 0)
            return true;
    }
    return false;
}

/* The courier may be waiting for Redis; this goes by a connection of its own. */
static void release_all(struct drain *drain, const struct job *job)
{
    struct queue_options options = *drain->queue_options;
    CLEANUP(queue_close) struct queue *queue = NULL;
    CLEANUP(held_refs_deinit) struct held_refs refs = {0};
    struct err err = {0};
    options.patience_ms = RELEASE_MS / 2;
    held_list_renewable(drain->held, true, &refs);
    int r = queue_open(&options, &queue, &err);
    if (r == 0)
        r = queue_use(queue, job->batch->name, job->batch->incarnation, &err);
    if (r == 0)
        r = queue_release(queue, &job->worker, refs.refs, refs.n, &err);
    if (r == 0)
        queue_leave(queue, &job->worker, &err);
    if (r < 0)
        log_warn("keys could not be released: their leases will run out", LOG_I("keys", refs.n),
                 LOG_S("error", err.text));
    for (int i = 0; r == 0 && i < refs.n; i++)
        log_info("a key was released unfinished", LOG_S("key", refs.refs[i].key));
}

/* Whoever still waits for credentials or builds an index has nothing that is worth the grace. */
static void leave_unbegun(struct drain *drain)
{
    pthread_mutex_lock(&drain->lock);
    if (!drain->begun) {
        log_info("worker ends before it has begun", LOG_I("exit", EXIT_DRAINED));
        _exit(EXIT_DRAINED);
    }
    pthread_mutex_unlock(&drain->lock);
}

static void *drain_thread(void *ctx)
{
    struct drain *drain = ctx;
    if (!wait_for_signal(drain))
        return NULL;
    leave_unbegun(drain);
    log_info("draining: no more keys are taken", LOG_I("grace_ms", drain->grace_ms));
    held_drain(drain->held);
    int64_t release_ms = drain->grace_ms / 4 < RELEASE_MS ? drain->grace_ms / 4 : RELEASE_MS;
    if (wait_for_end(drain, drain->grace_ms - release_ms))
        return NULL;
    pthread_mutex_lock(&drain->lock);
    if (drain->job)
        release_all(drain, drain->job);
    _exit(EXIT_DRAINED);
}

struct drain *drain_begin(struct held *held, int64_t grace_ms, const struct queue_options *options)
{
    struct drain *drain = MEM_NEW(struct drain);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    drain->held = held;
    drain->grace_ms = grace_ms;
    drain->queue_options = options;
    drain->signals = signalfd(-1, &set, SFD_CLOEXEC);
    drain->ended = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&drain->lock, NULL);
    if (drain->signals < 0 || drain->ended < 0 ||
        pthread_create(&drain->thread, NULL, drain_thread, drain) != 0)
        mem_exhausted();
    return drain;
}

void drain_job(struct drain *drain, const struct job *job)
{
    pthread_mutex_lock(&drain->lock);
    drain->job = job;
    drain->begun = true;
    pthread_mutex_unlock(&drain->lock);
}

void drain_end(struct drain *drain)
{
    eventfd_write(drain->ended, 1);
    pthread_join(drain->thread, NULL);
    close(drain->signals);
    close(drain->ended);
    pthread_mutex_destroy(&drain->lock);
    free(drain);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* notifier.c - a queue of a few texts and the thread that empties it.
 *
 * The notifier is shared by its owner and its thread, and freed by whichever leaves last: so the
 * owner need not wait for a webhook that stalls. */
#include "notify/notifier.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

struct notifier {
    char *url;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char *texts[NOTIFIER_QUEUE];
    int n;
    bool ending, idle; /* idle: the thread has left */
    bool complained;
    int holders;
};

static void release(struct notifier *n)
{
    pthread_mutex_lock(&n->lock);
    bool last = --n->holders == 0;
    pthread_mutex_unlock(&n->lock);
    if (!last)
        return;
    for (int i = 0; i < n->n; i++)
        free(n->texts[i]);
    pthread_cond_destroy(&n->changed);
    pthread_mutex_destroy(&n->lock);
    free(n->url);
    free(n);
}

static void complain(struct notifier *n, const char *message, const char *error)
{
    if (!n->complained)
        log_warn(message, LOG_S("error", error));
    n->complained = true;
}

/* The next text to send (caller owns), or NULL at the end. Called with the lock held. */
static char *next_text(struct notifier *n)
{
    while (n->n == 0 && !n->ending)
        pthread_cond_wait(&n->changed, &n->lock);
    if (n->n == 0)
        return NULL;
    char *text = n->texts[0];
    n->n--;
    memmove(n->texts, n->texts + 1, (size_t)n->n * sizeof(n->texts[0]));
    return text;
}

static void *notifier_thread(void *ctx)
{
    struct notifier *n = ctx;
    char *text;
    pthread_mutex_lock(&n->lock);
    while ((text = next_text(n))) {
        struct err err = {0};
        pthread_mutex_unlock(&n->lock);
        int r = webhook_send(n->url, text, clock_ms() + NOTIFIER_SEND_MS, &err);
        free(text);
        pthread_mutex_lock(&n->lock);
        if (r < 0)
            complain(n, "the webhook does not take messages; the work goes on", err.text);
        else
            n->complained = false;
        pthread_cond_broadcast(&n->changed);
    }
    n->idle = true;
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
    release(n);
    return NULL;
}

struct notifier *notifier_new(const char *url)
{
    struct notifier *n = MEM_NEW(struct notifier);
    pthread_condattr_t attr;
    pthread_t thread;
    sigset_t all, old;
    n->url = mem_strdup(url);
    n->holders = 2;
    pthread_mutex_init(&n->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&n->changed, &attr);
    pthread_condattr_destroy(&attr);
    sigfillset(&all); /* signals are for other threads */
    pthread_sigmask(SIG_BLOCK, &all, &old);
    bool begun = pthread_create(&thread, NULL, notifier_thread, n) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!begun)
        mem_exhausted();
    pthread_detach(thread);
    return n;
}

void notifier_post(struct notifier *n, const char *text)
{
    pthread_mutex_lock(&n->lock);
    if (n->n < NOTIFIER_QUEUE)
        n->texts[n->n++] = mem_strdup(text);
    else
        complain(n, "a message to the webhook was dropped: it is too slow", "");
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
}

void notifier_end(struct notifier *n, int64_t wait_ms)
{
    struct timespec until;
    if (!n)
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    pthread_mutex_lock(&n->lock);
    n->ending = true;
    pthread_cond_broadcast(&n->changed);
    while (!n->idle && pthread_cond_timedwait(&n->changed, &n->lock, &until) == 0)
        ;
    for (; !n->idle && n->n > 0; n->n--) /* what has not left by now never will */
        free(n->texts[n->n - 1]);
    pthread_mutex_unlock(&n->lock);
    release(n);
}

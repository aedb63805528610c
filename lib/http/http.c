/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* http.c - a thread around curl's multi handle.
 *
 * Callers hand over a transfer that is set up and wait; the thread drives all of them and wakes
 * each caller when its own is over. Connections, their TLS sessions and the DNS cache belong to the
 * multi handle and so to the thread: nobody else touches them, no locks of curl's are needed. */
#include "http/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "http/transfer.h"

enum {
    POLL_MS = 250,         /* how often stalls are looked for */
    CONNECTIONS_KEPT = 64, /* idle ones, for the next burst */
};

struct http {
    CURLM *multi;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stops;
    struct transfer *submitted; /* not yet seen by the thread */
    bool stopped, ending;
    struct transfer *active; /* the thread's alone */
};

/* ---- the thread ---- */

static void begin(struct http *http, struct transfer *transfer)
{
    if (curl_multi_add_handle(http->multi, transfer->easy) != CURLM_OK) {
        transfer_finish(transfer, CURLE_FAILED_INIT);
        return;
    }
    transfer->next = http->active;
    http->active = transfer;
}

static void finish(struct http *http, struct transfer *transfer, CURLcode code)
{
    struct transfer **at = &http->active;
    while (*at != transfer)
        at = &(*at)->next;
    *at = transfer->next;
    curl_multi_remove_handle(http->multi, transfer->easy);
    transfer_finish(transfer, code); /* it is the caller's again, and gone */
}

static void take_submitted(struct http *http, bool *ret_stopped, bool *ret_ending)
{
    pthread_mutex_lock(&http->lock);
    struct transfer *transfer = http->submitted;
    http->submitted = NULL;
    *ret_stopped = http->stopped;
    *ret_ending = http->ending;
    pthread_mutex_unlock(&http->lock);
    for (struct transfer *next; transfer; transfer = next) {
        next = transfer->next;
        begin(http, transfer);
    }
}

static void finish_done(struct http *http)
{
    int left;
    for (CURLMsg *msg; (msg = curl_multi_info_read(http->multi, &left));) {
        struct transfer *transfer = NULL;
        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &transfer);
        finish(http, transfer, msg->data.result);
    }
}

static void finish_stalled(struct http *http, bool stopped)
{
    for (struct transfer *transfer = http->active, *next; transfer; transfer = next) {
        next = transfer->next;
        if (stopped)
            finish(http, transfer, CURLE_ABORTED_BY_CALLBACK);
        else if (transfer_is_stalled(transfer))
            finish(http, transfer, CURLE_OPERATION_TIMEDOUT);
    }
}

static void *http_thread(void *ctx)
{
    struct http *http = ctx;
    bool stopped, ending = false;
    while (!ending) {
        int running;
        take_submitted(http, &stopped, &ending);
        curl_multi_perform(http->multi, &running);
        finish_done(http);
        finish_stalled(http, stopped);
        if (!ending)
            curl_multi_poll(http->multi, NULL, 0, POLL_MS, NULL);
    }
    return NULL;
}

/* ---- callers ---- */

static void init_curl(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        mem_exhausted();
}

/* Signals are for the threads that wait for them. */
static int begin_thread(struct http *http)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int errnum = pthread_create(&http->thread, NULL, http_thread, http);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return errnum;
}

struct http *http_new(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_curl);
    struct http *http = MEM_NEW(struct http);
    http->multi = curl_multi_init();
    if (!http->multi)
        mem_exhausted();
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    pthread_mutex_init(&http->lock, NULL);
    pthread_cond_init(&http->stops, NULL);
    if (begin_thread(http) != 0)
        mem_exhausted();
    return http;
}

void http_stop(struct http *http)
{
    pthread_mutex_lock(&http->lock);
    http->stopped = true;
    pthread_cond_broadcast(&http->stops);
    pthread_mutex_unlock(&http->lock);
    curl_multi_wakeup(http->multi);
}

bool http_wait(struct http *http, int64_t ms)
{
    struct timespec at;
    int r = 0;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    pthread_mutex_lock(&http->lock);
    while (!http->stopped && r != ETIMEDOUT)
        r = pthread_cond_clockwait(&http->stops, &http->lock, CLOCK_MONOTONIC, &at);
    bool stopped = http->stopped;
    pthread_mutex_unlock(&http->lock);
    return !stopped;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    pthread_mutex_lock(&http->lock);
    http->ending = true;
    pthread_mutex_unlock(&http->lock);
    curl_multi_wakeup(http->multi);
    pthread_join(http->thread, NULL);
    curl_multi_cleanup(http->multi);
    pthread_cond_destroy(&http->stops);
    pthread_mutex_destroy(&http->lock);
    free(http);
}

void http_answer_deinit(struct http_answer *answer)
{
    str_deinit(&answer->headers);
    str_deinit(&answer->body);
    str_deinit(&answer->authorization);
}

int http_send(struct http *http, const struct http_request *request, struct http_answer *ret,
              struct err *err)
{
    CLEANUP(transfer_deinit) struct transfer transfer = {0};
    int r = transfer_init(&transfer, request, err);
    if (r < 0)
        return r;
    pthread_mutex_lock(&http->lock);
    transfer.next = http->submitted;
    http->submitted = &transfer;
    pthread_mutex_unlock(&http->lock);
    curl_multi_wakeup(http->multi);
    return transfer_wait(&transfer, ret, err);
}

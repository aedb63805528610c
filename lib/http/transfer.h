/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* transfer.h - one attempt of a request, as curl's easy handle. For lib/http only. */
#ifndef HTTP_TRANSFER_H
#define HTTP_TRANSFER_H

#include <curl/curl.h>
#include <pthread.h>

#include "http/http.h"

struct transfer {
    const struct http_request *request;
    CURL *easy;
    struct curl_slist *headers;
    struct http_answer answer;
    bool too_long;   /* the body was cut at what is allowed */
    bool head_ended; /* the next line begins another head */
    char words[CURL_ERROR_SIZE];
    int64_t moved, moved_ms; /* bytes so far, and when that last changed */

    pthread_mutex_t lock;
    pthread_cond_t finished;
    bool is_finished;
    CURLcode code;
    struct transfer *next;
};

/* Fails when there is no authorization to be had or the request cannot be made. */
int transfer_init(struct transfer *transfer, const struct http_request *request, struct err *err);
void transfer_deinit(struct transfer *transfer);
MEM_CLEANUP_VALUE(transfer_deinit, struct transfer);

/* The thread's: has nothing moved for as long as the request allows? */
bool transfer_is_stalled(struct transfer *transfer);
/* The thread's: it is over. */
void transfer_finish(struct transfer *transfer, CURLcode code);
/* The caller's: wait for that; http_send's answers. */
int transfer_wait(struct transfer *transfer, struct http_answer *ret, struct err *err);

#endif

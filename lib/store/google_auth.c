/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* google_auth.c - a token and its time.
 *
 * One thread fetches, the others wait for it, or go on with the old token while that is good. It is
 * fetched anew some minutes before it expires, so that no upload carries one that runs out under
 * way, and when a server has refused it. */
#include "store/google_auth.h"

#include <pthread.h>

#include "base/clock.h"
#include "store/google_token.h"

enum {
    REFRESH_MS = 225000, /* so long before its end: Google's servers have a new one by then */
    LAST_MS = 10000,     /* less than this left is not worth a request */
    PAUSE_MS = 10000,    /* between two tries while the old token is good */
};

struct google_auth {
    struct http *http;
    struct google_source *source;
    pthread_mutex_t lock;
    pthread_cond_t fetched;
    struct google_token token;
    int64_t fetched_ms, not_before_ms;
    bool fetching;
    int failures;    /* so far */
    struct err last; /* of the last one */
};

int google_auth_new(struct http *http, struct google_auth **ret, struct err *err)
{
    struct google_source *source;
    int r = google_source_find(&source, err);
    if (r < 0)
        return r;
    struct google_auth *auth = MEM_NEW(struct google_auth);
    auth->http = http;
    auth->source = source;
    pthread_mutex_init(&auth->lock, NULL);
    pthread_cond_init(&auth->fetched, NULL);
    *ret = auth;
    return 0;
}

void google_auth_free(struct google_auth *auth)
{
    if (!auth)
        return;
    google_source_free(auth->source);
    free(auth->token.text);
    pthread_cond_destroy(&auth->fetched);
    pthread_mutex_destroy(&auth->lock);
    free(auth);
}

/* Called with the lock held; gives it up while fetching. */
static int fetch(struct google_auth *auth)
{
    struct google_token token = {0};
    struct err err = {0};
    auth->fetching = true;
    pthread_mutex_unlock(&auth->lock);
    int r = google_token_fetch(auth->http, auth->source, &token, &err);
    pthread_mutex_lock(&auth->lock);
    auth->fetching = false;
    if (r == 0) {
        free(auth->token.text);
        auth->token = token;
        auth->fetched_ms = clock_ms();
    } else {
        auth->not_before_ms = clock_ms() + PAUSE_MS;
        auth->last = err;
        auth->failures++;
    }
    pthread_cond_broadcast(&auth->fetched);
    return r;
}

static bool is_good(const struct google_auth *auth, int64_t left_ms)
{
    return auth->token.text && auth->token.expires_ms - clock_ms() > left_ms;
}

/* A token that lives shorter than the time it is refreshed ahead of is used to its end. */
static bool is_due(const struct google_auth *auth)
{
    int64_t life_ms = auth->token.expires_ms - auth->fetched_ms;
    int64_t ahead_ms = life_ms / 2 < REFRESH_MS ? life_ms / 2 : REFRESH_MS;
    return !is_good(auth, ahead_ms) && clock_ms() >= auth->not_before_ms;
}

/* Until there is one that is good, or a try has failed, whoever's it was. */
static int wait_for_token(struct google_auth *auth, struct err *err)
{
    int failures = auth->failures;
    while (!is_good(auth, 0)) {
        if (auth->failures != failures)
            return err_set(err, auth->last.code, "%s", auth->last.text);
        if (auth->fetching)
            pthread_cond_wait(&auth->fetched, &auth->lock);
        else
            fetch(auth);
    }
    return 0;
}

static bool is_ours(const struct google_auth *auth, const char *line)
{
    return line && auth->token.text && str_ends(line, auth->token.text);
}

int google_auth_line(void *ctx, const char *refused, struct str *ret, struct err *err)
{
    struct google_auth *auth = ctx;
    pthread_mutex_lock(&auth->lock);
    if (is_ours(auth, refused))
        auth->token.expires_ms = 0; /* nobody uses it any more */
    else if (is_due(auth) && !auth->fetching && is_good(auth, LAST_MS))
        fetch(auth); /* others go on with the old one meanwhile */
    int r = wait_for_token(auth, err);
    if (r == 0)
        str_addf(ret, "Authorization: Bearer %s", auth->token.text);
    pthread_mutex_unlock(&auth->lock);
    return r;
}

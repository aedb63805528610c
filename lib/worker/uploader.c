/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* uploader.c - pack, look at the lease once more, put.
 *
 * There are as many threads as uploads may be under way, which with a network is far more than
 * there are processors; so only some of them pack at the same time.
 *
 * A store that cannot be written to (disk full, no permission, no credentials) is not the key's
 * fault: the worker gives its keys back and ends. Anything else that goes wrong is a failed attempt
 * of the key. */
#include "worker/uploader.h"

#include <pthread.h>
#include <semaphore.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/retry.h"
#include "batch/result.h"

enum { UPLOAD_PATIENCE_MS = 60000, UPLOAD_WAIT_MS = 100, UPLOAD_WAIT_MAX_MS = 5000, PACK_MIN = 4 };

struct uploaders {
    const struct job *job;
    struct held *held;
    sem_t may_pack;
    pthread_t *threads;
    int n;
};

static int pack_key(const struct job *job, const struct held_key *key, struct result *ret,
                    struct err *err)
{
    int64_t day;
    char data[SHA256_HEX];
    if (!date_parse(key->lease.key, strlen(key->lease.key), &day))
        return err_set(err, ERR_INPUT, "key %s is not a date", key->lease.key);
    plan_data_hash(job->plan, day, data);
    struct result_options options = {.key = key->lease.key,
                                     .spec_sha256 = job->batch->spec_sha256,
                                     .data_hash = data,
                                     .format = job->batch->format,
                                     .float32 = job->spec->float32};
    return result_pack(&options, &key->frame, ret, err);
}

static int pack(struct uploaders *u, const struct held_key *key, struct result *ret,
                struct err *err)
{
    while (sem_wait(&u->may_pack) < 0)
        ;
    int r = pack_key(u->job, key, ret, err);
    sem_post(&u->may_pack);
    return r;
}

enum { LEASE_LOST = 100 };

/* Put, again while that may help and the lease is held. A store behind a network asks again by
 * itself, and not before the time that the server wants, so what it says then is its last word. */
static int put(struct uploaders *u, struct held_key *key, const struct result *result,
               struct err *err)
{
    struct retry retry = retry_start(clock_ms() + UPLOAD_PATIENCE_MS, UPLOAD_WAIT_MS,
                                     UPLOAD_WAIT_MAX_MS, random_u64());
    for (;;) {
        if (!held_may_upload(u->held, key))
            return LEASE_LOST;
        fault_point("before-put");
        int r = result_put(u->job->store, result, key->lease.expect, NULL, err);
        bool again = r == ERR_RETRY && !store_asks_again(u->job->store);
        int64_t wait_ms = again ? retry_next(&retry, clock_ms(), 0) : -1;
        if (wait_ms < 0)
            return r;
        clock_sleep_ms(wait_ms);
    }
}

static void fail(struct uploaders *u, struct held_key *key, const struct err *err)
{
    if (err->code == ERR_WRITE || err->code == ERR_CONFIG || err->code == ERR_UNREACHABLE)
        held_stop(u->held, err);
    else
        held_failed(u->held, key, err->code == ERR_INPUT ? "input" : "error", err->text);
}

static void upload(struct uploaders *u, struct held_key *key)
{
    CLEANUP(result_deinit) struct result result = {0};
    struct err err = {0};
    int r = pack(u, key, &result, &err);
    if (r == 0)
        r = put(u, key, &result, &err);
    if (r == LEASE_LOST) {
        log_warn("a result was not uploaded: its lease had run out", LOG_S("key", key->lease.key));
        held_drop(u->held, key);
    } else if (r < 0) {
        fail(u, key, &err);
    } else {
        fault_point("after-put");
        held_uploaded(u->held, key, result.identity->rows);
    }
}

static void *uploader_thread(void *ctx)
{
    struct uploaders *u = ctx;
    struct held_key *key;
    while ((key = held_take_upload(u->held)))
        upload(u, key);
    return NULL;
}

struct uploaders *uploaders_begin(const struct job *job, struct held *held, int threads)
{
    struct uploaders *u = MEM_NEW(struct uploaders);
    u->job = job;
    u->held = held;
    sem_init(&u->may_pack, 0, job->threads > PACK_MIN ? (unsigned)job->threads : PACK_MIN);
    store_set_patience(job->store, UPLOAD_PATIENCE_MS);
    u->threads = mem_array((size_t)threads, sizeof(*u->threads));
    while (u->n < threads && pthread_create(&u->threads[u->n], NULL, uploader_thread, u) == 0)
        u->n++;
    if (u->n == 0)
        mem_exhausted();
    return u;
}

void uploaders_end(struct uploaders *u)
{
    for (int i = 0; i < u->n; i++)
        pthread_join(u->threads[i], NULL);
    sem_destroy(&u->may_pack);
    free(u->threads);
    free(u);
}

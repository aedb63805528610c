/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* worker.c - begin in order, compute, end in order. */
#include "worker/worker.h"

#include "base/clock.h"
#include "base/date.h"
#include "base/fault.h"
#include "base/log.h"
#include "worker/courier.h"
#include "worker/cpus.h"
#include "worker/drain.h"
#include "worker/heartbeat.h"
#include "worker/uploader.h"

enum {
    LEASE_KEYS = 16,
    GRACE_MS = 12000,
    FRAMES_PER_UPLOAD = 2,
    PATIENCE_MS = 5000,    /* of one verb with Redis; the courier tries on */
    BATCH_WAIT_MS = 30000, /* for a batch that is not there yet */
    BATCH_LOOK_MS = 500,
    EXIT_DRAINED = 143,
};

/* ---- computing ---- */

static int compute(const struct job *job, const struct held_key *key, struct frame *ret,
                   struct err *err)
{
    int64_t day;
    if (!date_parse(key->lease.key, strlen(key->lease.key), &day))
        return err_set(err, ERR_INPUT, "key %s is not a date", key->lease.key);
    return plan_compute(job->plan, day, job->threads, ret, err);
}

static void compute_all(const struct job *job, struct held *held)
{
    struct held_key *key;
    while ((key = held_take(held))) {
        struct frame frame = {0};
        struct err err = {0};
        fault_point("computing");
        int r = compute(job, key, &frame, &err);
        if (r == 0)
            held_computed(held, key, &frame);
        else
            held_failed(held, key, r == ERR_INPUT ? "input" : "error", err.text);
    }
}

/* ---- beginning ---- */

/* Wait for the batch to be there. 0, ERR_RETRY when it is not, or a failure. */
static int use_batch(struct queue *queue, const char *batch, struct held *held, struct err *err)
{
    int64_t until_ms = clock_ms() + BATCH_WAIT_MS;
    for (;;) {
        int r = queue_use(queue, batch, NULL, err);
        if (r <= 0)
            return r;
        if (clock_ms() >= until_ms || held_draining(held))
            return err_set(err, ERR_RETRY,
                           "Redis %s has no batch %s: `hiwari enqueue %s` makes one, `hiwari "
                           "reconcile %s --dest URL` brings one back",
                           queue_url(queue), batch, batch, batch);
        clock_sleep_ms(BATCH_LOOK_MS);
    }
}

static int open_all(const struct worker_options *options, const struct queue_options *queue_options,
                    struct held *held, struct queue **ret_queue, struct job **ret_job,
                    struct err *err)
{
    CLEANUP(queue_close) struct queue *queue = NULL;
    struct job_options job_options = {.snapshot_dir = options->snapshot_dir,
                                      .index_dir = options->index_dir,
                                      .threads = options->threads};
    int r = queue_open(queue_options, &queue, err);
    if (r < 0)
        return r;
    do {
        r = use_batch(queue, options->batch, held, err);
        if (r == 0)
            r = job_open(&job_options, queue, ret_job, err);
    } while (r == QUEUE_GONE); /* it went just then */
    if (r < 0)
        return r;
    *ret_queue = queue;
    queue = NULL;
    return 0;
}

static void log_begin(const struct job *job)
{
    log_info("worker begins", LOG_S("batch", job->batch->name), LOG_S("worker", job->worker.id),
             LOG_S("node", job->worker.node), LOG_I("threads", job->threads),
             LOG_S("dest", job->batch->dest));
}

static void log_end(const struct job *job, const struct held_counts *counts, int exit_code)
{
    log_info("worker ends", LOG_S("batch", job->batch->name), LOG_S("worker", job->worker.id),
             LOG_I("exit", exit_code), LOG_I("done", counts->done), LOG_I("failed", counts->failed),
             LOG_I("lost", counts->lost), LOG_I("stale", counts->stale));
}

/* ---- the whole ---- */

static int work(const struct worker_options *options, const struct queue_options *queue_options,
                struct held *held, struct queue *queue, const struct job *job, struct err *err)
{
    int exit_code = EXIT_DRAINED;
    struct courier_options courier_options = {.job = job,
                                              .held = held,
                                              .queue = queue,
                                              .queue_options = queue_options,
                                              .linger_ms = options->linger_ms};
    log_begin(job);
    struct uploaders *uploaders = uploaders_begin(job, held, options->uploads);
    struct heartbeat *heartbeat = heartbeat_begin(job, held, queue_options);
    struct courier *courier = courier_begin(&courier_options);
    compute_all(job, held);
    courier_end(courier, err);
    held_ended(held, &exit_code);
    heartbeat_end(heartbeat);
    store_stop(job->store); /* uploads that hang: of keys that were given back or are lost */
    uploaders_end(uploaders);
    struct held_counts counts = held_counts(held);
    log_end(job, &counts, exit_code);
    return exit_code;
}

/* While one result is on its way, others are packed, and others are on their way. */
static void choose_uploads(struct worker_options *options, const struct job *job, struct held *held)
{
    int pay = store_parallel(job->store);
    if (options->uploads <= 0)
        options->uploads = options->threads > pay ? options->threads : pay;
    held_set_frames(held, FRAMES_PER_UPLOAD * options->uploads);
}

static struct worker_options with_defaults(const struct worker_options *options)
{
    struct worker_options o = *options;
    o.threads = o.threads > 0 ? o.threads : cpus_allowed();
    o.lease_keys = o.lease_keys > 0 ? o.lease_keys : LEASE_KEYS;
    o.grace_ms = o.grace_ms > 0 ? o.grace_ms : GRACE_MS;
    return o;
}

int worker_run(const struct worker_options *given, struct err *err)
{
    struct worker_options options = with_defaults(given);
    struct queue_options queue_options = {
        .url = options.redis, .patience_ms = PATIENCE_MS, .allow_eviction = options.allow_eviction};
    CLEANUP(queue_close) struct queue *queue = NULL;
    CLEANUP(job_close) struct job *job = NULL;
    CLEANUP(held_free)
    struct held *held = held_new(FRAMES_PER_UPLOAD, options.lease_keys);
    struct drain *drain = drain_begin(held, options.grace_ms, &queue_options);
    int r = open_all(&options, &queue_options, held, &queue, &job, err);
    int exit_code = r < 0 && held_draining(held) ? EXIT_DRAINED : err_exit_code(r);
    if (r == 0) {
        drain_job(drain, job);
        choose_uploads(&options, job, held);
        exit_code = work(&options, &queue_options, held, queue, job, err);
        drain_job(drain, NULL);
    }
    drain_end(drain);
    return exit_code;
}

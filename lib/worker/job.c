/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* job.c - the batch's text, the spec in it, the snapshot beside us, and whether they fit. */
#include "worker/job.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/log.h"
#include "base/retry.h"
#include "batch/result.h"

/* The pod's UID; elsewhere host and a nonce, so that no worker is ever taken for an earlier one. */
static void name_worker(struct worker_id *ret)
{
    char host[256] = "?";
    const char *uid = getenv("HIWARI_POD_UID");
    uid = uid ? uid : getenv("POD_UID");
    const char *node = getenv("NODE_NAME");
    const char *pod = getenv("POD_NAME");
    gethostname(host, sizeof(host) - 1);
    ret->id = uid && *uid
                  ? mem_printf("%s-%08" PRIx32, uid, (uint32_t)random_u64())
                  : mem_printf("%s-%ld-%08" PRIx32, host, (long)getpid(), (uint32_t)random_u64());
    ret->pod = mem_strdup(pod && *pod ? pod : host);
    ret->node = mem_strdup(node && *node ? node : host);
}

void job_close(struct job *job)
{
    if (!job)
        return;
    store_close(job->store);
    plan_free(job->plan);
    snapshot_close(job->snapshot);
    spec_free(job->spec);
    batch_file_free(job->batch);
    free((char *)job->worker.id);
    free((char *)job->worker.pod);
    free((char *)job->worker.node);
    free(job);
}

static int check_version(const struct batch_file *batch, struct err *err)
{
    if (batch->result_version == RESULT_VERSION)
        return 0;
    return err_set(
        err, ERR_CONFIG,
        "batch %s wants results of version %d, and this worker makes version %d: use "
        "workers of the image that enqueued it, or enqueue it anew to another destination",
        batch->name, batch->result_version, RESULT_VERSION);
}

static int check_snapshot(const struct batch_file *batch, const struct snapshot *snapshot,
                          struct err *err)
{
    if (strcmp(batch->snapshot_id, snapshot->id) == 0)
        return 0;
    return err_set(err, ERR_CONFIG,
                   "batch %s is of snapshot %s, and %s is snapshot %s: mount the one that it was "
                   "enqueued with, or enqueue it anew",
                   batch->name, batch->snapshot_id, snapshot->dir, snapshot->id);
}

static int check_spec(const struct batch_file *batch, const struct spec *spec, struct err *err)
{
    if (strcmp(batch->spec_sha256, spec->sha256) == 0)
        return 0;
    return err_set(
        err, ERR_CONFIG,
        "batch %s: its spec has the hash %s, and this worker reads it as %s: use workers "
        "of the image that enqueued it",
        batch->name, batch->spec_sha256, spec->sha256);
}

/* Whatever is wrong with a spec that was checked when it was enqueued is a matter of settings here.
 */
static int as_config(int r, const struct batch_file *batch, struct err *err)
{
    if (r != ERR_INPUT)
        return r;
    err->code = ERR_CONFIG;
    return err_prefix(err, "batch %s", batch->name);
}

static int bind(const struct job_options *options, struct job *job, struct err *err)
{
    int built = 0;
    int r =
        spec_parse("the batch's spec", job->batch->spec, strlen(job->batch->spec), &job->spec, err);
    if (r == 0)
        r = check_spec(job->batch, job->spec, err);
    if (r == 0)
        r = snapshot_open(options->snapshot_dir, &job->snapshot, err);
    if (r == 0)
        r = check_snapshot(job->batch, job->snapshot, err);
    if (r == 0)
        r = plan_compile(job->spec, job->snapshot, &job->plan, err);
    if (r == 0)
        r = plan_index(job->plan, options->index_dir, job->threads, &built, err);
    if (r == 0 && built > 0)
        log_info("no index there: built in memory; `hiwari snapshot index` writes one for all",
                 LOG_I("indexes", built));
    return as_config(r, job->batch, err);
}

int job_open(const struct job_options *options, struct queue *queue, struct job **ret,
             struct err *err)
{
    CLEANUP(job_close) struct job *job = MEM_NEW(struct job);
    CLEANUP(mem_free_chars) char *text = NULL;
    job->threads = options->threads;
    name_worker(&job->worker);
    int r = queue_batch_json(queue, &text, err);
    if (r == 0)
        r = batch_file_parse("_batch.json in Redis", text, strlen(text), &job->batch, err);
    if (r == 0)
        r = check_version(job->batch, err);
    if (r == 0)
        r = bind(options, job, err);
    if (r == 0)
        r = store_open(job->batch->dest, &job->store, err);
    if (r != 0)
        return r;
    batch_file_tell(job->batch, job->store);
    *ret = job;
    job = NULL;
    return 0;
}

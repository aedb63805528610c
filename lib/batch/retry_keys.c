/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* retry_keys.c - look first, so that a batch without failures stays settled; then reopen, then
 * move. */
#include "batch/retry_keys.h"

#include "batch/settle.h"

/* How many of the keys (all, when none are named) have failed. */
static int count_failed(const struct retry_keys_options *options, const struct queue_status *status,
                        int64_t *ret, struct err *err)
{
    *ret = options->keys ? 0 : status->failed;
    for (int64_t i = 0; options->keys && i < options->n_keys; i++) {
        struct queue_key key = {0};
        int r = queue_show(options->queue, options->keys[i], &key, err);
        if (r == QUEUE_ABSENT)
            return err_set(err, ERR_INPUT, "key %s is not in batch %s", options->keys[i],
                           options->batch);
        if (r != 0)
            return r;
        *ret += key.state == KEY_FAILED;
        queue_key_free(&key);
    }
    return 0;
}

static int reopen_and_move(const struct retry_keys_options *options, int64_t *ret_moved,
                           struct err *err)
{
    CLEANUP(mem_free_chars) char *text = NULL;
    CLEANUP(batch_file_free) struct batch_file *batch = NULL;
    CLEANUP(store_close) struct store *store = NULL;
    int r = queue_batch_json(options->queue, &text, err);
    if (r == 0)
        r = batch_file_parse("_batch.json in Redis", text, strlen(text), &batch, err);
    if (r == 0)
        r = store_open_existing(batch->dest, &store, err);
    if (r == 0)
        batch_file_tell(batch, store);
    if (r == 0)
        r = settle_reopen(options->queue, batch, store, err);
    if (r == 0)
        r = queue_retry(options->queue, options->keys, options->n_keys, ret_moved, err);
    return r;
}

int retry_keys_run(const struct retry_keys_options *options, struct retry_keys_result *ret,
                   struct err *err)
{
    struct retry_keys_result result = {0};
    struct queue_status status = {0};
    int64_t failed = 0;
    int r = queue_use(options->queue, options->batch, NULL, err);
    if (r == 0)
        r = queue_status(options->queue, &status, err);
    if (r == 0)
        r = count_failed(options, &status, &failed, err);
    result.workers = status.worker_count;
    if (r == 0 && strcmp(status.state, "cancelled") == 0)
        r = QUEUE_CANCELLED; /* before anything is touched: others may have the destination */
    queue_status_free(&status);
    if (r == 0 && failed > 0)
        r = reopen_and_move(options, &result.moved, err);
    if (r == QUEUE_GONE)
        return err_set(
            err, ERR_CONFIG,
            "Redis %s has no batch %s: `hiwari reconcile %s --dest URL` rebuilds one from "
            "its destination",
            queue_url(options->queue), options->batch, options->batch);
    if (r == QUEUE_CANCELLED)
        return err_set(err, ERR_CONFIG, "batch %s was cancelled: enqueue it again", options->batch);
    if (r == QUEUE_BUSY)
        return err_set(err, ERR_RETRY, "batch %s is being settled: try again", options->batch);
    if (r < 0)
        return r;
    result.others = options->keys ? options->n_keys - failed : 0;
    *ret = result;
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_enqueue.c - a batch for workers anywhere. */
#include <stdio.h>

#include "base/clock.h"
#include "connect.h"
#include "durable.h"
#include "output.h"
#include "progress.h"
#include "verbs.h"

static void report_json(const char *batch, const struct enqueue_result *result)
{
    CLEANUP(json_free) struct json *root = json_new_object();
    json_add_string(root, "batch", batch);
    json_add_string(root, "incarnation", result->incarnation);
    json_add_int(root, "total", result->total);
    json_add_int(root, "added", result->added);
    json_add_int(root, "present", result->present);
    json_add_int(root, "skipped", result->skipped);
    json_add_int(root, "stale", result->stale);
    json_add_int(root, "replaced", result->replaced);
    json_add_int(root, "refused", result->refused);
    json_add_int(root, "failed", result->failed);
    json_add_bool(root, "conditional_writes", !result->unconditional);
    output_json(root);
}

static void report(const char *batch, const struct enqueue_result *result)
{
    char n[5][OUTPUT_TEXT];
    printf("batch %s: %s: %s added, %s there already, %s skipped because their result exists, "
           "%s refused\n",
           batch, output_many(result->total, "key", n[0]), output_count(result->added, n[1]),
           output_count(result->present, n[2]), output_count(result->skipped, n[3]),
           output_count(result->refused, n[4]));
    if (result->replaced)
        printf("%s of the added replace results of older data, of another spec or format\n",
               output_count(result->replaced, n[0]));
}

/* What a person should know beside the counts. */
static void advise(const struct args *args, const char *batch, const struct enqueue_result *result)
{
    char n[OUTPUT_TEXT];
    if (result->stale && !args_flag(args, "replace-stale"))
        fprintf(stderr,
                "kept %s of older data (a correction since); --replace-stale computes anew\n",
                output_many(result->stale, "result", n));
    connect_warn_unconditional(result);
    if (result->refused)
        fprintf(stderr, "refused %s: the batch is sealed; enqueue again when it is settled\n",
                output_many(result->refused, "key", n));
    if (result->failed)
        fprintf(stderr, "%s failed before; to try again: hiwari retry %s --all\n",
                output_many(result->failed, "key", n), batch);
    if (result->nothing_to_do)
        fprintf(stderr, "nothing to do: the batch is settled, and all its results are there\n");
}

int cmd_enqueue(const struct args *args, struct err *err)
{
    const char *batch = args_at(args, 0);
    struct progress progress;
    progress_init(&progress, "keys", 2000, clock_ms());
    CLEANUP(key_args_deinit) struct key_args hold = {0};
    CLEANUP(queue_close) struct queue *queue = NULL;
    struct enqueue_options options = {
        .batch = batch,
        .settings = {.lease_ms = args_int(args, "lease-seconds") * 1000,
                     .key_ms = args_int(args, "key-seconds") * 1000,
                     .max_attempts = (int)args_int(args, "max-attempts"),
                     .max_interruptions = (int)args_int(args, "max-interruptions"),
                     .newest_first = args_flag(args, "newest-first"),
                     .durable = args_flag(args, "durable")},
        .progress = {.fn = progress_step, .ctx = &progress},
    };
    int r = connect_name(batch, err);
    if (r == 0)
        r = key_args_read(args, &options, &hold, err);
    if (r == 0)
        r = connect_notify(args, &options.notify, err);
    if (r == 0)
        r = connect_redis(args, &queue, err);
    if (r < 0)
        return r;
    options.queue = queue;
    struct enqueue_result result = {0};
    struct queue_durable durable;
    r = enqueue_run(&options, &result, err);
    if (r == 0 && options.settings.durable)
        r = queue_wait_durable(queue, &durable, err);
    progress_clear(&progress);
    if (r < 0)
        return r;
    if (args_flag(args, "json"))
        report_json(batch, &result);
    else
        report(batch, &result);
    advise(args, batch, &result);
    if (options.settings.durable)
        durable_report(batch, &durable);
    return 0;
}

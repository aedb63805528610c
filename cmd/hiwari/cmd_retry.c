/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_retry.c - failed keys wait again. */
#include <stdio.h>

#include "batch/retry_keys.h"
#include "connect.h"
#include "output.h"
#include "verbs.h"

int cmd_retry(const struct args *args, struct err *err)
{
    const char *batch = args_at(args, 0);
    int64_t n_keys = args_count(args) - 1;
    bool all = args_flag(args, "all");
    if (all == (n_keys > 0))
        return err_set(err, ERR_USAGE, "name the keys, or say --all: hiwari retry %s KEY … | --all",
                       batch);
    CLEANUP(queue_close) struct queue *queue = NULL;
    int r = connect_batch(args, batch, &queue, err);
    if (r < 0)
        return r;
    struct retry_keys_options options = {
        .queue = queue,
        .batch = batch,
        .keys = all ? NULL : args_all(args) + 1,
        .n_keys = n_keys,
    };
    struct retry_keys_result result = {0};
    r = retry_keys_run(&options, &result, err);
    if (r < 0)
        return r;
    if (args_flag(args, "json")) {
        CLEANUP(json_free) struct json *root = json_new_object();
        json_add_string(root, "batch", batch);
        json_add_int(root, "moved", result.moved);
        json_add_int(root, "not_failed", result.others);
        json_add_int(root, "workers", result.workers);
        output_json(root);
    } else {
        char count[OUTPUT_TEXT];
        printf("%s %s again\n", output_many(result.moved, "failed key", count),
               result.moved == 1 ? "waits" : "wait");
        if (result.others)
            printf("%s of those named have not failed and were left as they are\n",
                   output_count(result.others, count));
    }
    if (result.moved && result.workers == 0)
        output_no_worker(batch, NULL);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_status.c - how far a batch is. */
#include <stdio.h>

#include "connect.h"
#include "listing.h"
#include "output.h"
#include "status_view.h"
#include "stranded.h"
#include "verbs.h"
#include "watch.h"

/* One look at one batch. Returns 0, 1 as `hiwari status` exits, or an ERR_*. */
static int look(struct queue *queue, const char *batch, bool as_json, struct err *err)
{
    struct queue_status s = {0};
    int r = queue_status(queue, &s, err);
    if (r == QUEUE_GONE)
        return connect_gone(queue, batch, err);
    if (r < 0)
        return r;
    static const struct status_room room = {.workers = 100, .failures = 10, .error_bytes = 1000};
    bool stranded = stranded_is(queue, &s);
    if (as_json) {
        CLEANUP(json_free) struct json *root = json_new_object();
        status_json(batch, &s, root);
        output_json(root);
    } else {
        status_print(batch, &s, &room);
        status_advise(batch, &s, stranded);
    }
    r = s.failed || stranded ? 1 : 0;
    queue_status_free(&s);
    return r;
}

/* ---- all batches ---- */

static int list_one(struct queue *queue, const char *batch, struct listing *listing,
                    struct json *root, struct err *err)
{
    struct queue_status s = {0};
    int r = queue_use(queue, batch, NULL, err);
    if (r == 0)
        r = queue_status(queue, &s, err);
    if (r != 0)
        return r < 0 ? r : 0; /* gone while we looked */
    if (root)
        status_json(batch, &s, json_add_object(root, NULL));
    listing_row(listing);
    listing_cell(listing, "%s", batch);
    listing_cell(listing, "%s", s.state);
    const int64_t numbers[] = {s.total,  s.pending + s.delayed, s.leased, s.done,
                               s.failed, s.worker_count};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char count[OUTPUT_TEXT];
        listing_cell(listing, "%s", output_count(numbers[i], count));
    }
    queue_status_free(&s);
    return 0;
}

static int list_all(struct queue *queue, bool as_json, struct err *err)
{
    char **names = NULL;
    int n = 0;
    int r = queue_list(queue, &names, &n, err);
    CLEANUP(json_free) struct json *root = as_json ? json_new_object() : NULL;
    struct json *batches = as_json ? json_add_array(root, "batches") : NULL;
    CLEANUP(listing_free)
    struct listing *listing =
        listing_new("BATCH|STATE|>KEYS|>WAITING|>LEASED|>DONE|>FAILED|>WORKERS");
    for (int i = 0; i < n; i++) {
        if (r == 0)
            r = list_one(queue, names[i], listing, batches, err);
        free(names[i]);
    }
    free(names);
    if (r < 0)
        return r;
    if (as_json)
        output_json(root);
    else if (listing_rows(listing))
        listing_print(listing);
    else
        fprintf(stderr, "%s has no batches\n", queue_url(queue));
    return 0;
}

int cmd_status(const struct args *args, struct err *err)
{
    CLEANUP(queue_close) struct queue *queue = NULL;
    const char *batch = args_at(args, 0);
    bool as_json = args_flag(args, "json");
    if (!batch && args_flag(args, "watch"))
        return err_set(err, ERR_USAGE, "--watch needs a batch: hiwari status BATCH --watch");
    int r = batch ? connect_batch(args, batch, &queue, err) : connect_redis(args, &queue, err);
    if (r < 0)
        return r;
    if (!batch)
        return list_all(queue, as_json, err);
    if (args_flag(args, "watch"))
        return watch_batch(queue, batch, as_json, err);
    return look(queue, batch, as_json, err);
}

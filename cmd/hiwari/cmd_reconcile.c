/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_reconcile.c - the destination is the truth. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "batch/notice.h"
#include "batch/reconcile.h"
#include "connect.h"
#include "durable.h"
#include "listing.h"
#include "output.h"
#include "progress.h"
#include "stranded.h"
#include "verbs.h"

enum { MOVES_SHOWN = 20 };

static void report_json(const char *batch, const struct reconcile_result *result)
{
    CLEANUP(json_free) struct json *root = json_new_object();
    json_add_string(root, "batch", batch);
    json_add_int(root, "total", result->total);
    json_add_int(root, "present", result->present);
    json_add_int(root, "stale", result->stale);
    json_add_int(root, "foreign", result->foreign);
    json_add_int(root, "damaged", result->damaged);
    json_add_int(root, "waiting", result->waiting);
    json_add_int(root, "failed", result->failed);
    json_add_int(root, "to_pending", result->to_pending);
    json_add_int(root, "to_done", result->to_done);
    json_add_int(root, "changed_meanwhile", result->unchanged_since);
    json_add_bool(root, "rebuilt", result->rebuilt);
    json_add_bool(root, "reopened", result->reopened);
    json_add_int(root, "workers", result->workers);
    struct json *moves = json_add_array(root, "moves");
    for (int64_t i = 0; i < result->n_moves; i++) {
        struct json *node = json_add_object(moves, NULL);
        json_add_string(node, "key", result->moves[i].key);
        json_add_string(node, "from", result->moves[i].from);
        json_add_string(node, "to", result->moves[i].to);
        json_add_string(node, "why", result->moves[i].why);
        json_add_bool(node, "moved", result->moves[i].moved);
    }
    output_json(root);
}

static void print_moves(const struct reconcile_result *result)
{
    if (!result->n_moves)
        return;
    CLEANUP(listing_free) struct listing *listing = listing_new("KEY|FROM|TO|~WHY");
    for (int64_t i = 0; i < result->n_moves && i < MOVES_SHOWN; i++) {
        listing_row(listing);
        listing_cell(listing, "%s", result->moves[i].key);
        listing_cell(listing, "%s", result->moves[i].from);
        listing_cell(listing, "%s", result->moves[i].to);
        listing_cell(listing, "%s", result->moves[i].why);
    }
    printf("\n");
    listing_print(listing);
    if (result->n_moves > MOVES_SHOWN)
        printf("… and %lld more (--json lists all)\n", (long long)(result->n_moves - MOVES_SHOWN));
}

static void report(const char *batch, const struct reconcile_result *result, bool dry_run)
{
    char n[5][OUTPUT_TEXT];
    if (result->rebuilt)
        printf("Redis had lost %s or a part of it; it is there again, from its _batch.json\n",
               batch);
    printf("%s: %s; results there: %s; keys waiting or being worked on: %s; failed: %s\n", batch,
           output_many(result->total, "key", n[0]), output_count(result->present, n[1]),
           output_count(result->waiting, n[2]), output_count(result->failed, n[3]));
    if (result->stale + result->foreign + result->damaged)
        printf("results of older data: %s; of another spec, format or version: %s; that cannot be "
               "read: %s; --replace-stale computes them anew\n",
               output_count(result->stale, n[0]), output_count(result->foreign, n[1]),
               output_count(result->damaged, n[2]));
    printf("%s: %s to waiting, %s to done\n", dry_run ? "would be moved" : "moved",
           output_count(result->to_pending, n[3]), output_count(result->to_done, n[4]));
    print_moves(result);
}

/* ---- word to the webhook ---- */

/* Was somebody to be told, and does Redis, which was rebuilt, not know whom? */
static bool webhook_is_lost(struct queue *queue)
{
    CLEANUP(mem_free_chars) char *text = NULL;
    CLEANUP(batch_file_free) struct batch_file *file = NULL;
    CLEANUP(queue_notify_deinit) struct queue_notify notify = {0};
    return queue_batch_json(queue, &text, NULL) == 0 &&
           batch_file_parse(BATCH_FILE, text, strlen(text), &file, NULL) == 0 &&
           file->settings.notify && queue_notify_get(queue, &notify, NULL) == 0 && !notify.url;
}

/* What cron is for: somebody should know when nobody works, or when whoever settled the batch could
 * not tell. It changes nothing about the exit code. */
static void send_word(struct queue *queue, const char *url, const char *batch)
{
    struct queue_status status = {0};
    struct err err = {0};
    int r = url ? queue_notify_set(queue, url, &err) : 0;
    if (r == 0)
        r = queue_status(queue, &status, &err);
    if (r == 0 && strcmp(status.state, "settled") == 0)
        r = notice_settled(queue, &err);
    else if (r == 0 && stranded_is(queue, &status))
        r = notice_stranded(queue, &err);
    queue_status_free(&status);
    if (r < 0)
        fprintf(stderr, "%s\n", err.text);
    else if (webhook_is_lost(queue))
        fprintf(stderr,
                "%s was enqueued with --notify, and Redis has lost the webhook, which is kept "
                "nowhere else: give it again with --notify\n",
                batch);
}

int cmd_reconcile(const struct args *args, struct err *err)
{
    const char *batch = args_at(args, 0);
    CLEANUP(queue_close) struct queue *queue = NULL;
    CLEANUP(mem_free_chars) char *dest = connect_dest(args_text(args, "dest"));
    connect_endpoint(args);
    int r = connect_name(batch, err);
    const char *notify = NULL;
    if (r == 0)
        r = connect_notify(args, &notify, err);
    if (r == 0)
        r = connect_redis(args, &queue, err);
    if (r < 0)
        return r;
    struct progress progress;
    progress_init(&progress, "keys", 2000, clock_ms());
    bool dry_run = args_flag(args, "dry-run");
    const struct queue_options queue_options = connect_options(args);
    struct reconcile_options options = {
        .queue = queue,
        .queue_options = &queue_options,
        .batch = batch,
        .dest = dest,
        .replace_stale = args_flag(args, "replace-stale"),
        .include_failed = args_flag(args, "include-failed"),
        .newest_first = args_flag(args, "newest-first"),
        .dry_run = dry_run,
        .notify = notify,
        .progress = {.fn = progress_step, .ctx = &progress},
    };
    CLEANUP(reconcile_result_free) struct reconcile_result result = {0};
    struct queue_durable durable;
    r = reconcile_run(&options, &result, err);
    bool wait = r == 0 && result.durable && result.n_moves > 0;
    if (wait)
        r = queue_wait_durable(queue, &durable, err);
    progress_clear(&progress);
    if (r < 0)
        return r;
    if (args_flag(args, "json"))
        report_json(batch, &result);
    else
        report(batch, &result, dry_run);
    if (wait)
        durable_report(batch, &durable);
    if (result.workers == 0 && result.waiting + result.to_pending > 0)
        output_no_worker(batch, NULL);
    if (!dry_run)
        send_word(queue, notify, batch);
    return result.failed > 0 && !args_flag(args, "allow-failed") ? 1 : 0;
}

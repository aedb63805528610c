/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_status.c - how far a batch is. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "connect.h"
#include "listing.h"
#include "output.h"
#include "progress.h"
#include "stranded.h"
#include "verbs.h"

enum {
    STATUS_WATCH_MS = 1000,
    STATUS_FAILURES = 10, /* in the table; --json has more */
};

/* ---- JSON: the members that CLI.md promises, and no others ---- */

static void status_json(const char *batch, const struct queue_status *s, struct json *root)
{
    json_add_string(root, "batch", batch);
    json_add_string(root, "state", s->state);
    json_add_int(root, "total", s->total);
    json_add_int(root, "pending", s->pending);
    json_add_int(root, "delayed", s->delayed);
    json_add_int(root, "leased", s->leased);
    json_add_int(root, "done", s->done);
    json_add_int(root, "failed", s->failed);
    json_add_int(root, "attempts", s->attempts);
    json_add_int(root, "interruptions", s->interruptions);
    json_add_number(root, "rate_per_s", s->rate_per_s);
    if (s->eta_s >= 0)
        json_add_number(root, "eta_s", s->eta_s);
    else
        json_add_null(root, "eta_s");
    json_add_int(root, "worker_count", s->worker_count);
    struct json *workers = json_add_array(root, "workers");
    for (int i = 0; i < s->n_workers; i++) {
        struct json *node = json_add_object(workers, NULL);
        json_add_string(node, "id", s->workers[i].id);
        json_add_string(node, "node", s->workers[i].node);
        json_add_int(node, "leased", s->workers[i].leased);
        json_add_int(node, "done", s->workers[i].done);
        json_add_number(node, "seen_s", (double)s->workers[i].seen_ms / 1000);
    }
    struct json *failures = json_add_array(root, "failures");
    for (int i = 0; i < s->n_failures; i++) {
        struct json *node = json_add_object(failures, NULL);
        json_add_string(node, "key", s->failures[i].key);
        json_add_string(node, "class", s->failures[i].class);
        json_add_string(node, "error", s->failures[i].error);
        json_add_int(node, "attempts", s->failures[i].attempts);
    }
}

/* ---- for people ---- */

static void print_counts(const char *batch, const struct queue_status *s)
{
    char a[OUTPUT_TEXT], b[OUTPUT_TEXT];
    printf("%s is %s: %s of %s keys done", batch, s->state, output_count(s->done, a),
           output_count(s->total, b));
    if (s->rate_per_s > 0 && stranded_waiting(s))
        printf(", %.1f keys/s", s->rate_per_s);
    if (s->eta_s >= 0 && stranded_waiting(s))
        printf(", %s left", output_seconds(s->eta_s, a));
    printf("\n\n");
    CLEANUP(listing_free)
    struct listing *listing =
        listing_new(">PENDING|>DELAYED|>LEASED|>DONE|>FAILED|>ATTEMPTS|>INTERRUPTIONS|>WORKERS");
    const int64_t numbers[] = {s->pending, s->delayed,  s->leased,        s->done,
                               s->failed,  s->attempts, s->interruptions, s->worker_count};
    listing_row(listing);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        listing_cell(listing, "%s", output_count(numbers[i], a));
    listing_print(listing);
}

static void print_workers(const struct queue_status *s)
{
    if (!s->n_workers)
        return;
    CLEANUP(listing_free) struct listing *listing = listing_new("WORKER|NODE|>LEASED|>DONE|>SEEN");
    for (int i = 0; i < s->n_workers; i++) {
        char seen[OUTPUT_TEXT];
        listing_row(listing);
        listing_cell(listing, "%s", s->workers[i].id);
        listing_cell(listing, "%s", s->workers[i].node ? s->workers[i].node : "");
        listing_cell(listing, "%lld", (long long)s->workers[i].leased);
        listing_cell(listing, "%lld", (long long)s->workers[i].done);
        listing_cell(listing, "%s ago", output_seconds((double)s->workers[i].seen_ms / 1000, seen));
    }
    printf("\n");
    listing_print(listing);
    if (s->worker_count > s->n_workers)
        printf("… and %lld more\n", (long long)(s->worker_count - s->n_workers));
}

static void print_failures(const struct queue_status *s)
{
    if (!s->n_failures)
        return;
    CLEANUP(listing_free)
    struct listing *listing = listing_new("FAILED KEY|CLASS|>ATTEMPTS|~ERROR");
    for (int i = 0; i < s->n_failures && i < STATUS_FAILURES; i++) {
        listing_row(listing);
        listing_cell(listing, "%s", s->failures[i].key);
        listing_cell(listing, "%s", s->failures[i].class);
        listing_cell(listing, "%d", s->failures[i].attempts);
        listing_cell(listing, "%s", s->failures[i].error);
    }
    printf("\n");
    listing_print(listing);
    if (s->failed > STATUS_FAILURES)
        printf("… and %lld more\n", (long long)(s->failed - STATUS_FAILURES));
}

static void advise(const char *batch, const struct queue_status *s, bool stranded)
{
    if (s->pending + s->delayed + s->leased + s->done + s->failed != s->total)
        fprintf(stderr,
                "the counts do not add up to %lld keys; hiwari fsck %s says which key is where\n",
                (long long)s->total, batch);
    if (stranded) {
        fprintf(stderr, "keys wait and no worker was seen for two minutes\n");
        output_no_worker(batch, NULL);
    }
    if (s->failed)
        fprintf(stderr, "to try failed keys again: hiwari retry %s --all\n", batch);
}

/* One look at one batch. Returns 0, 1 as `hiwari status` exits, or an ERR_*. */
static int look(struct queue *queue, const char *batch, bool as_json, bool *ret_over,
                struct err *err)
{
    struct queue_status s = {0};
    int r = queue_status(queue, &s, err);
    if (r == QUEUE_GONE)
        return connect_gone(queue, batch, err);
    if (r < 0)
        return r;
    bool stranded = stranded_is(queue, &s);
    *ret_over = stranded_over(&s);
    if (as_json) {
        CLEANUP(json_free) struct json *root = json_new_object();
        status_json(batch, &s, root);
        output_json(root);
    } else {
        print_counts(batch, &s);
        print_workers(&s);
        print_failures(&s);
        advise(batch, &s, stranded);
    }
    r = s.failed || stranded ? 1 : 0;
    queue_status_free(&s);
    return r;
}

static int watch(struct queue *queue, const char *batch, bool as_json, struct err *err)
{
    bool terminal = isatty(STDOUT_FILENO) == 1 && !as_json;
    for (;;) {
        bool over = false;
        if (terminal)
            printf("\033[H\033[2J");
        int r = look(queue, batch, as_json, &over, err);
        if (r < 0 || over)
            return r;
        if (!terminal && !as_json)
            printf("\n");
        if (fflush(stdout) != 0)
            return r; /* nobody reads any more */
        clock_sleep_ms(STATUS_WATCH_MS);
    }
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
    bool as_json = args_flag(args, "json"), over;
    if (!batch && args_flag(args, "watch"))
        return err_set(err, ERR_USAGE, "--watch needs a batch: hiwari status BATCH --watch");
    int r = batch ? connect_batch(args, batch, &queue, err) : connect_redis(args, &queue, err);
    if (r < 0)
        return r;
    if (!batch)
        return list_all(queue, as_json, err);
    if (args_flag(args, "watch"))
        return watch(queue, batch, as_json, err);
    return look(queue, batch, as_json, &over, err);
}

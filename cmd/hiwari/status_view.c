/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* status_view.c - see status_view.h. */
#include "status_view.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "listing.h"
#include "output.h"
#include "stranded.h"

/* ---- JSON: the members that CLI.md promises, and no others ---- */

void status_json(const char *batch, const struct queue_status *s, struct json *root)
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
    printf("%s is %s: %s of %s done", batch, s->state, output_count(s->done, a),
           output_many(s->total, "key", b));
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

static void print_workers(const struct queue_status *s, int most)
{
    int n = s->n_workers < most ? s->n_workers : most;
    if (n <= 0)
        return;
    CLEANUP(listing_free) struct listing *listing = listing_new("WORKER|NODE|>LEASED|>DONE|>SEEN");
    for (int i = 0; i < n; i++) {
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
    if (s->worker_count > n)
        printf("… and %lld more\n", (long long)(s->worker_count - n));
}

static void print_failures(const struct queue_status *s, const struct status_room *room)
{
    int n = s->n_failures < room->failures ? s->n_failures : room->failures;
    if (n <= 0)
        return;
    CLEANUP(listing_free)
    struct listing *listing = listing_new("FAILED KEY|CLASS|>ATTEMPTS|~ERROR");
    for (int i = 0; i < n; i++) {
        const char *error = s->failures[i].error;
        bool fits = strlen(error) <= (size_t)room->error_bytes;
        size_t len = fits ? strlen(error) : utf8_valid_prefix(error, (size_t)room->error_bytes);
        listing_row(listing);
        listing_cell(listing, "%s", s->failures[i].key);
        listing_cell(listing, "%s", s->failures[i].class);
        listing_cell(listing, "%d", s->failures[i].attempts);
        listing_cell(listing, "%.*s%s", (int)len, error, fits ? "" : "…");
    }
    printf("\n");
    listing_print(listing);
    if (s->failed > n)
        printf("… and %lld more\n", (long long)(s->failed - n));
}

void status_print(const char *batch, const struct queue_status *s, const struct status_room *room)
{
    print_counts(batch, s);
    print_workers(s, room->workers);
    print_failures(s, room);
}

void status_advise(const char *batch, const struct queue_status *s, bool stranded)
{
    char n[OUTPUT_TEXT];
    if (s->pending + s->delayed + s->leased + s->done + s->failed != s->total)
        fprintf(stderr, "the counts do not add up to %s; hiwari fsck %s says which key is where\n",
                output_many(s->total, "key", n), batch);
    if (stranded) {
        fprintf(stderr, "keys wait and no worker was seen for two minutes\n");
        output_no_worker(batch, NULL);
    }
    if (s->failed)
        fprintf(stderr, "to try failed keys again: hiwari retry %s --all\n", batch);
}

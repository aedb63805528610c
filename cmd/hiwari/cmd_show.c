/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_show.c - everything about one key. */
#include <stdio.h>
#include <time.h>

#include "connect.h"
#include "listing.h"
#include "output.h"
#include "verbs.h"

/* The server's clock in the person's zone; "" for 0. */
static const char *clock_words(int64_t wall_ms, char *buf)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    buf[0] = '\0';
    if (wall_ms > 0 && localtime_r(&seconds, &tm))
        strftime(buf, OUTPUT_TEXT, "%Y-%m-%d %H:%M:%S", &tm);
    return buf;
}

static void report_json(const struct queue_key *key)
{
    CLEANUP(json_free) struct json *root = json_new_object();
    json_add_string(root, "key", key->key);
    json_add_string(root, "state", key_state_name(key->state));
    json_add_int(root, "attempts", key->attempts);
    json_add_int(root, "interruptions", key->interruptions);
    if (key->ms >= 0)
        json_add_int(root, "ms", key->ms);
    if (key->rows >= 0)
        json_add_int(root, "rows", key->rows);
    json_add_string(root, "class", *key->class ? key->class : NULL);
    json_add_string(root, "error", *key->error ? key->error : NULL);
    json_add_string(root, "worker", key->worker && *key->worker ? key->worker : NULL);
    if (key->due_at_ms) {
        json_add_int(root, "due_at_ms", key->due_at_ms); /* when, as start_ms and end_ms say it */
        json_add_int(root, "due_ms", key->due_ms);       /* how long until then */
    }
    struct json *leases = json_add_array(root, "leases");
    for (int i = 0; i < key->n_leases; i++) {
        const struct queue_lease_record *lease = &key->leases[i];
        struct json *node = json_add_object(leases, NULL);
        json_add_string(node, "worker", lease->worker);
        json_add_string(node, "node", lease->node);
        json_add_string(node, "token", lease->token);
        json_add_int(node, "start_ms", lease->start_ms);
        json_add_int(node, "end_ms", lease->end_ms);
        json_add_string(node, "why", *lease->why ? lease->why : NULL);
    }
    output_json(root);
}

static void report_state(const struct queue_key *key)
{
    char words[OUTPUT_TEXT];
    printf("%s is %s: %d failed attempt%s, %d interruption%s", key->key, key_state_name(key->state),
           key->attempts, key->attempts == 1 ? "" : "s", key->interruptions,
           key->interruptions == 1 ? "" : "s");
    if (key->rows >= 0)
        printf(", %s", output_many(key->rows, "row", words));
    if (key->ms >= 0)
        printf(", %lld ms", (long long)key->ms);
    if (key->due_at_ms)
        printf(", %s %s", key->state == KEY_DELAYED ? "tried again at" : "leased until",
               clock_words(key->due_at_ms, words));
    printf("\n");
    if (*key->error)
        printf("last failure (%s): %s\n", key->class, key->error);
}

static void report_leases(const struct queue_key *key)
{
    char start[OUTPUT_TEXT], end[OUTPUT_TEXT];
    CLEANUP(listing_free)
    struct listing *listing = listing_new("WORKER|NODE|TOKEN|LEASED|ENDED|WHY");
    for (int i = 0; i < key->n_leases; i++) {
        const struct queue_lease_record *lease = &key->leases[i];
        listing_row(listing);
        listing_cell(listing, "%s", lease->worker);
        listing_cell(listing, "%s", lease->node);
        listing_cell(listing, "%s", lease->token);
        listing_cell(listing, "%s", clock_words(lease->start_ms, start));
        listing_cell(listing, "%s", clock_words(lease->end_ms, end));
        listing_cell(listing, "%s", *lease->why ? lease->why : "held");
    }
    printf("\n");
    listing_print(listing);
}

static void report(const struct queue_key *key)
{
    report_state(key);
    if (key->n_leases)
        report_leases(key);
}

int cmd_show(const struct args *args, struct err *err)
{
    const char *batch = args_at(args, 0), *name = args_at(args, 1);
    CLEANUP(queue_close) struct queue *queue = NULL;
    int r = connect_batch(args, batch, &queue, err);
    if (r < 0)
        return r;
    struct queue_key key = {0};
    r = queue_show(queue, name, &key, err);
    if (r == QUEUE_GONE)
        return connect_gone(queue, batch, err);
    if (r == QUEUE_ABSENT)
        return err_set(err, ERR_INPUT, "batch '%s' has no key '%s'; keys are dates as 2024-01-31",
                       batch, name);
    if (r < 0)
        return r;
    if (args_flag(args, "json"))
        report_json(&key);
    else
        report(&key);
    queue_key_free(&key);
    return 0;
}

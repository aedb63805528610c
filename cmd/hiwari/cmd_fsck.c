/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_fsck.c - is every key in exactly one place? */
#include <stdio.h>

#include "connect.h"
#include "listing.h"
#include "output.h"
#include "verbs.h"

static void report_json(const char *batch, const struct queue_finding *findings, int n)
{
    CLEANUP(json_free) struct json *root = json_new_object();
    json_add_string(root, "batch", batch);
    struct json *list = json_add_array(root, "findings");
    for (int i = 0; i < n; i++) {
        struct json *node = json_add_object(list, NULL);
        json_add_string(node, "key", findings[i].key);
        json_add_string(node, "what", findings[i].what);
        json_add_bool(node, "repaired", findings[i].repaired);
    }
    output_json(root);
}

static void report(const char *batch, const struct queue_finding *findings, int n)
{
    if (n == 0) {
        printf("%s is clean: every key is in exactly one place\n", batch);
        return;
    }
    CLEANUP(listing_free) struct listing *listing = listing_new("KEY|REPAIRED|~WHAT");
    for (int i = 0; i < n; i++) {
        listing_row(listing);
        listing_cell(listing, "%s", findings[i].key);
        listing_cell(listing, "%s", findings[i].repaired ? "yes" : "no");
        listing_cell(listing, "%s", findings[i].what);
    }
    listing_print(listing);
}

/* What is left when everything was repaired that Redis alone can tell is in the destination. */
static void report_open(const char *batch, int open, bool repair)
{
    if (repair)
        fprintf(stderr, "%d not repaired here; from the destination: hiwari reconcile %s\n", open,
                batch);
    else
        fprintf(stderr, "%d not repaired; to mend: hiwari fsck %s --repair\n", open, batch);
}

int cmd_fsck(const struct args *args, struct err *err)
{
    const char *batch = args_at(args, 0);
    CLEANUP(queue_close) struct queue *queue = NULL;
    struct queue_finding *findings = NULL;
    int n = 0, open = 0;
    bool repair = args_flag(args, "repair");
    int r = connect_batch(args, batch, &queue, err);
    if (r == 0)
        r = queue_fsck(queue, repair, &findings, &n, err);
    if (r == QUEUE_GONE)
        return connect_gone(queue, batch, err);
    if (r < 0)
        return r;
    for (int i = 0; i < n; i++)
        open += !findings[i].repaired;
    if (args_flag(args, "json"))
        report_json(batch, findings, n);
    else
        report(batch, findings, n);
    if (open && !args_flag(args, "json"))
        report_open(batch, open, repair);
    queue_findings_free(findings, n);
    return open ? 1 : 0;
}

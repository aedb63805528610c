/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_snapshot_transfer.c - snapshots to a store and back: push, pull. */
#include <stdio.h>

#include "base/clock.h"
#include "connect.h"
#include "output.h"
#include "progress.h"
#include "transfer/transfer.h"
#include "verbs.h"

static void show_bytes(void *ctx, int64_t done, int64_t total)
{
    enum { MB = 1000000 };
    progress_show(ctx, done / MB, total / MB, NULL, clock_ms());
}

static void report_json(const struct transfer_result *result)
{
    CLEANUP(json_free) struct json *root = json_new_object();
    json_add_string(root, "id", result->id);
    json_add_bool(root, "present", result->present);
    json_add_int(root, "files", result->files);
    json_add_int(root, "bytes", result->bytes);
    json_add_int(root, "kept_files", result->kept_files);
    json_add_int(root, "kept_bytes", result->kept_bytes);
    output_json(root);
}

static void report(const struct transfer_result *result, const char *done, const char *where)
{
    char n[3][OUTPUT_TEXT];
    if (result->present) {
        printf("snapshot %.16s is in %s already\n", result->id, where);
        return;
    }
    printf("snapshot %.16s %s %s: %s, %s", result->id, done, where,
           output_many(result->files, "file", n[0]), output_bytes(result->bytes, n[1]));
    if (result->kept_bytes)
        printf(" (%s were there from before)", output_bytes(result->kept_bytes, n[2]));
    printf("\n");
}

static int end(const struct args *args, int r, struct progress *progress,
               const struct transfer_result *result, const char *done, const char *where)
{
    progress_clear(progress);
    if (r < 0)
        return r;
    if (args_flag(args, "json"))
        report_json(result);
    else
        report(result, done, where);
    return 0;
}

int cmd_snapshot_push(const struct args *args, struct err *err)
{
    connect_endpoint(args);
    CLEANUP(mem_free_chars) char *url = connect_dest(args_at(args, 1));
    struct progress progress;
    progress_init(&progress, "MB", 1000, clock_ms());
    const struct transfer_options options = {.progress = show_bytes, .ctx = &progress};
    struct transfer_result result;
    int r = transfer_push(args_at(args, 0), url, &options, &result, err);
    return end(args, r, &progress, &result, "pushed to", url);
}

int cmd_snapshot_pull(const struct args *args, struct err *err)
{
    connect_endpoint(args);
    CLEANUP(mem_free_chars) char *url = connect_dest(args_at(args, 0));
    struct progress progress;
    progress_init(&progress, "MB", 1000, clock_ms());
    const struct transfer_options options = {.progress = show_bytes, .ctx = &progress};
    struct transfer_result result;
    int r = transfer_pull(url, args_at(args, 1), &options, &result, err);
    return end(args, r, &progress, &result, "pulled to", args_at(args, 1));
}

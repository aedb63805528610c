/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_collect.c - all results of a batch as one file. */
#include <stdio.h>

#include "base/clock.h"
#include "batch/collect.h"
#include "connect.h"
#include "output.h"
#include "progress.h"
#include "verbs.h"

static void report_json(const struct collect_options *options, const struct collect_result *result)
{
    CLEANUP(json_free) struct json *root = json_new_object();
    struct json *dests = json_add_array(root, "dests");
    for (int i = 0; i < options->n_dests; i++)
        json_add_string(dests, NULL, options->dests[i]);
    json_add_string(root, "out", options->out);
    json_add_int(root, "keys", result->keys);
    json_add_int(root, "rows", result->rows);
    json_add_int(root, "columns", result->columns);
    json_add_int(root, "bytes", result->bytes);
    json_add_int(root, "stale", result->stale);
    json_add_int(root, "missing", result->missing);
    struct json *missing = json_add_array(root, "missing_keys");
    for (int i = 0; i < result->n_missing_keys; i++)
        json_add_string(missing, NULL, result->missing_keys[i]);
    output_json(root);
}

static void report(const struct collect_options *options, const struct collect_result *result)
{
    char n[4][OUTPUT_TEXT];
    printf("%s: %s and %s of %s, %s\n", options->out, output_many(result->rows, "row", n[0]),
           output_many(result->columns, "column", n[3]), output_many(result->keys, "key", n[1]),
           output_bytes(result->bytes, n[2]));
}

static void advise(const struct collect_result *result)
{
    char n[OUTPUT_TEXT];
    if (result->missing)
        fprintf(stderr, "left out, because they have no result: %s, from %s on\n",
                output_many(result->missing, "key", n), result->missing_keys[0]);
    if (result->stale)
        fprintf(stderr,
                "%s are of older data (a correction since), which the batch has kept; enqueue with "
                "--replace-stale computes them anew\n",
                output_many(result->stale, "result", n));
}

int cmd_collect(const struct args *args, struct err *err)
{
    const char *const *given;
    struct progress progress;
    int64_t from, to;
    if (args_date(args, "from", &from) && args_date(args, "to", &to) && from > to)
        return err_set(err, ERR_USAGE, "--from %s is after --to %s", args_text(args, "from"),
                       args_text(args, "to"));
    connect_endpoint(args);
    progress_init(&progress, "keys", 1000, clock_ms());
    int n = args_list(args, "dest", &given);
    const char **dests = MEM_ARRAY(const char *, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        dests[i] = connect_dest(given[i]);
    const struct collect_options options = {
        .dests = dests,
        .n_dests = n,
        .out = args_text(args, "out"),
        .from = args_text(args, "from"),
        .to = args_text(args, "to"),
        .allow_missing = args_flag(args, "allow-missing"),
        .progress = {.fn = progress_step, .ctx = &progress},
    };
    CLEANUP(collect_result_deinit) struct collect_result result = {0};
    int r = collect_run(&options, &result, err);
    progress_clear(&progress);
    if (r == 0) {
        if (args_flag(args, "json"))
            report_json(&options, &result);
        else
            report(&options, &result);
        advise(&result);
    }
    for (int i = 0; i < n; i++)
        free((char *)dests[i]);
    free(dests);
    return r;
}

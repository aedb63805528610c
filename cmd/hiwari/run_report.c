/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* run_report.c - see run_report.h. */
#include "run_report.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "batch/columns_file.h"
#include "connect.h"
#include "output.h"

enum { FAILURES_SHOWN = 10 };

static int64_t waiting_keys(const struct queue_status *status)
{
    return status->pending + status->delayed + status->leased;
}

static int count_key(void *ctx, const struct queue_key *key, struct err *err)
{
    struct run_report *report = ctx;
    if (key->state != KEY_DONE)
        return 0;
    if (key->rows >= 0) {
        report->computed++;
        report->rows += key->rows;
    }
    if (!report->example || strcmp(key->key, report->example) > 0) {
        free(report->example);
        report->example = mem_strdup(key->key);
    }
    return 0;
}

int run_report_read(struct run_report *report, struct queue *queue, struct err *err)
{
    queue_status_free(&report->status);
    report->status = (struct queue_status){0};
    int r = queue_status(queue, &report->status, err);
    return r == 0 ? queue_each(queue, count_key, report, err) : r;
}

void run_report_deinit(struct run_report *report)
{
    free(report->example);
    report->example = NULL;
}

/* The destination as a person would write it: a folder below this one without the way to it. */
static char *folder_words(const char *dest)
{
    char *here = getcwd(NULL, 0);
    const char *path = str_starts(dest, "file://") ? dest + 7 : dest;
    size_t len = here ? strlen(here) : 0;
    if (len > 1 && strncmp(path, here, len) == 0 && path[len] == '/' && path[len + 1])
        path += len + 1;
    char *words = mem_strdup(path);
    free(here);
    for (size_t n = strlen(words); n > 1 && words[n - 1] == '/'; n--)
        words[n - 1] = '\0';
    return words;
}

static void print_how_to_open(const struct run_report *report, const char *folder,
                              const char *format)
{
    if (!report->example || strstr(folder, "://"))
        return;
    if (strcmp(format, "npz") == 0)
        printf("  open one  python3 -c 'import numpy; print(dict(numpy.load(\"%s/%s.zip\")))'\n",
               folder, report->example);
    else
        printf("  open one  python3 -c 'import pandas; print(pandas.read_csv(\"%s/%s.zip\"))'\n",
               folder, report->example);
}

static void print_counts(const struct run_report *report)
{
    const struct queue_status *status = &report->status;
    char a[OUTPUT_TEXT], b[OUTPUT_TEXT], c[OUTPUT_TEXT], d[OUTPUT_TEXT];
    if (report->stopped && waiting_keys(status))
        printf("stopped: %s of %s done\n", output_count(status->done, a),
               output_many(status->total, "key", b));
    else if (report->computed == 0 && status->failed == 0)
        printf("nothing to do: all %s results are there\n",
               output_count(report->enqueued.total, a));
    else if (report->computed > 0)
        printf("%s, %s in %s (%s)\n", output_many(report->computed, "key", a),
               output_many(report->rows, "row", b), output_seconds(report->seconds, c),
               output_many(report->workers, "worker", d));
    int64_t there = report->enqueued.skipped + report->enqueued.present;
    if (report->computed > 0 && there > 0)
        printf("%s %s there already\n", output_many(there, "result", a),
               there == 1 ? "was" : "were");
}

/* What is left to say to a person: to standard error, so that the summary can be piped. */
static void advise(const struct run_report *report, const struct args *args)
{
    const struct queue_status *status = &report->status;
    char count[OUTPUT_TEXT];
    if (report->stopped && waiting_keys(status))
        fprintf(stderr, "nothing is lost; to go on, run the same command again\n");
    if (report->enqueued.stale && !args_flag(args, "replace-stale"))
        fprintf(stderr, "kept %s of older data; --replace-stale computes anew\n",
                output_many(report->enqueued.stale, "result", count));
}

/* Keys with the same words together: "3 keys (2019-10-01, 2019-10-02, …): words". */
static void print_failures(const struct queue_status *status)
{
    if (!status->failed)
        return;
    char count[OUTPUT_TEXT];
    fprintf(stderr, "%s %s failed:\n", output_many(status->failed, "key", count),
            status->failed == 1 ? "has" : "have");
    int shown = 0;
    for (int i = 0; i < status->n_failures && shown < FAILURES_SHOWN; i++) {
        const struct queue_failure *first = &status->failures[i];
        int same = 0, earlier = 0;
        CLEANUP(str_deinit) struct str keys = {0};
        for (int j = 0; j < status->n_failures; j++) {
            if (strcmp(status->failures[j].error, first->error) != 0)
                continue;
            earlier += j < i;
            if (same++ < 3)
                str_addf(&keys, "%s%s", keys.len ? ", " : "", status->failures[j].key);
        }
        if (earlier)
            continue;
        fprintf(stderr, "  %s%s (%s, %d attempt%s): %s\n", keys.s, same > 3 ? ", …" : "",
                first->class, first->attempts, first->attempts == 1 ? "" : "s", first->error);
        shown++;
    }
    fprintf(stderr, "to try them again, run the same command again\n");
}

/* Columns that may know the result; none also where nothing is known about them. */
static void find_alarms(const char *dest, struct columns_alarms *ret)
{
    CLEANUP(mem_free_chars) char *url = connect_dest(dest);
    CLEANUP(store_close) struct store *store = NULL;
    if (store_open(url, &store, NULL) == 0)
        columns_file_alarms(store, ret, NULL);
}

static void print_alarms(const struct columns_alarms *alarms)
{
    for (int i = 0; i < alarms->n; i++)
        fprintf(stderr, "%s%s", i ? ", " : "leak alarm: ", alarms->names[i]);
    if (alarms->n)
        fprintf(stderr, " may know the result: see the correlations in " BATCH_COLUMNS
                        " in the destination\n");
}

static const char *final_state(const struct run_report *report)
{
    if (report->stopped && waiting_keys(&report->status))
        return "stopped";
    return report->status.state ? report->status.state : "settled";
}

static void print_json(const struct run_report *report, const char *dest,
                       const struct columns_alarms *alarms)
{
    const struct queue_status *status = &report->status;
    CLEANUP(json_free) struct json *root = json_new_object();
    json_add_string(root, "state", final_state(report));
    json_add_int(root, "keys", report->enqueued.total);
    json_add_int(root, "computed", report->computed);
    json_add_int(root, "rows", report->rows);
    json_add_int(root, "there", report->enqueued.skipped + report->enqueued.present);
    json_add_int(root, "stale", report->enqueued.stale);
    json_add_int(root, "replaced", report->enqueued.replaced);
    json_add_int(root, "failed", status->failed);
    json_add_int(root, "attempts", status->attempts);
    json_add_int(root, "interruptions", status->interruptions);
    json_add_int(root, "workers", report->workers);
    json_add_number(root, "seconds", report->seconds);
    json_add_string(root, "dest", dest);
    struct json *names = json_add_array(root, "alarms");
    for (int i = 0; i < alarms->n; i++)
        json_add_string(names, NULL, alarms->names[i]);
    struct json *failures = json_add_array(root, "failures");
    for (int i = 0; i < status->n_failures; i++) {
        struct json *node = json_add_object(failures, NULL);
        json_add_string(node, "key", status->failures[i].key);
        json_add_string(node, "class", status->failures[i].class);
        json_add_string(node, "error", status->failures[i].error);
        json_add_int(node, "attempts", status->failures[i].attempts);
    }
    output_json(root);
}

int run_report_print(const struct run_report *report, const struct args *args)
{
    const char *dest = args_text(args, "dest");
    CLEANUP(columns_alarms_deinit) struct columns_alarms alarms = {0};
    find_alarms(dest, &alarms);
    if (args_flag(args, "json")) {
        print_json(report, dest, &alarms);
    } else {
        CLEANUP(mem_free_chars) char *folder = folder_words(dest);
        print_counts(report);
        printf("  results   %s/ (one zip per date)\n", folder);
        print_how_to_open(report, folder, args_text(args, "format"));
        fflush(stdout);
        print_failures(&report->status);
        print_alarms(&alarms);
    }
    advise(report, args);
    return report->status.failed > 0 ? 1 : 0;
}

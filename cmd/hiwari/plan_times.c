/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan_times.c - from Redis' records of a batch, or from the manifest of a finished run. */
#include "plan_times.h"

#include <stdlib.h>
#include <string.h>

#include "batch/batch_file.h"
#include "connect.h"
#include "output.h"

void plan_times_deinit(struct plan_times *times)
{
    free(times->seconds);
    str_deinit(&times->where);
}

static void add(struct plan_times *times, size_t *cap, double ms)
{
    times->seconds = mem_grow(times->seconds, cap, (size_t)times->n + 1, sizeof(*times->seconds));
    times->seconds[times->n++] = ms > 1 ? ms / 1000 : 0.001;
}

int plan_number(const struct args *args, const char *name, double low, double high, double *ret,
                struct err *err)
{
    const char *text = args_text(args, name);
    if (str_to_f64(text, ret) && *ret >= low && *ret <= high)
        return 0;
    return err_set(err, ERR_USAGE, "--%s %s: it is a number from %g to %g", name, text, low, high);
}

/* ---- a batch in Redis ---- */

struct counting {
    struct plan_times *times;
    size_t cap;
    int64_t all, waiting;
};

static int count_key(void *ctx, const struct queue_key *key, struct err *err)
{
    struct counting *counting = ctx;
    counting->all++;
    counting->waiting += key->state != KEY_DONE && key->state != KEY_FAILED;
    if (key->state == KEY_DONE && key->ms >= 0)
        add(counting->times, &counting->cap, (double)key->ms);
    return 0;
}

static int from_batch(const struct args *args, struct plan_times *times, struct err *err)
{
    const char *batch = args_text(args, "batch");
    CLEANUP(queue_close) struct queue *queue = NULL;
    struct counting counting = {.times = times};
    char n[OUTPUT_TEXT];
    int r = connect_batch(args, batch, &queue, err);
    if (r == 0)
        r = queue_each(queue, count_key, &counting, err);
    if (r != 0)
        return r < 0 ? r : connect_gone(queue, batch, err);
    times->keys = counting.waiting > 0 ? counting.waiting : counting.all;
    str_addf(&times->where, "measured on %s of batch %s", output_many(times->n, "key", n), batch);
    return 0;
}

/* ---- the manifest of a run ---- */

static int read_line(const char *name, const char *line, size_t len, struct plan_times *times,
                     size_t *cap, struct err *err)
{
    CLEANUP(json_free) struct json *root = NULL;
    int r = json_parse(name, line, len, &root, err);
    if (r < 0)
        return r;
    const struct json *ms = json_get(root, "ms");
    if (json_get(root, "key") && ms && json_type(ms) == JSON_NUMBER)
        add(times, cap, json_number(ms));
    return 0;
}

static int from_sample(const struct args *args, struct plan_times *times, struct err *err)
{
    CLEANUP(mem_free_chars) char *url = connect_dest(args_text(args, "sample"));
    CLEANUP(store_close) struct store *store = NULL;
    CLEANUP(str_deinit) struct str text = {0};
    char n[OUTPUT_TEXT];
    size_t cap = 0;
    int r = store_open_existing(url, &store, err);
    if (r == 0)
        r = store_get(store, BATCH_MANIFEST, 0, &text, NULL, err);
    if (r == STORE_ABSENT)
        return err_set(err, ERR_INPUT,
                       "%s has no %s: it is written when all keys of a run are done, as by "
                       "'hiwari run --limit 20 …'",
                       url, BATCH_MANIFEST);
    for (size_t at = 0; r == 0 && at < text.len;) {
        size_t len = strcspn(text.s + at, "\n");
        if (len > 0)
            r = read_line(BATCH_MANIFEST, text.s + at, len, times, &cap, err);
        at += len + 1;
    }
    if (r < 0)
        return r;
    str_addf(&times->where, "measured on %s in %s", output_many(times->n, "key", n), url);
    return 0;
}

/* ---- which of them ---- */

static int from_number(const struct args *args, struct plan_times *times, struct err *err)
{
    double seconds;
    size_t cap = 0;
    int r = plan_number(args, "seconds-per-key", 0.001, 604800, &seconds, err);
    if (r < 0)
        return r;
    add(times, &cap, seconds * 1000);
    str_addf(&times->where, "as given");
    return 0;
}

int plan_times_read(const struct args *args, struct plan_times *ret, struct err *err)
{
    bool given = args_text(args, "seconds-per-key"), batch = args_text(args, "batch"),
         sample = args_text(args, "sample");
    if (given + batch + sample != 1)
        return err_set(err, ERR_USAGE,
                       "how long does a key take? One of --seconds-per-key S, --batch BATCH and "
                       "--sample URL says it");
    if (!batch && !args_given(args, "keys"))
        return err_set(err, ERR_USAGE, "how many keys? --keys N says it");
    int r = given   ? from_number(args, ret, err)
            : batch ? from_batch(args, ret, err)
                    : from_sample(args, ret, err);
    if (r < 0)
        return r;
    if (ret->n == 0)
        return err_set(err, ERR_INPUT,
                       "no key has been done there yet, so nothing is %s: let a worker do some, or "
                       "say --seconds-per-key",
                       "measured");
    if (args_given(args, "keys"))
        ret->keys = args_int(args, "keys");
    return 0;
}

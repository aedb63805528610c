/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fill.c - begin, add in steps, seal. */
#include "batch/fill.h"

#include "base/fault.h"

enum { FILL_STEP = 5 * QUEUE_STEP }; /* keys between two calls of progress */

enum fill_place fill_place_of(const struct survey_entry *entry, bool replace, int64_t *ret_expect)
{
    *ret_expect = STORE_EXPECT_NOTHING;
    if (entry->state == SURVEY_PRESENT || (entry->state == SURVEY_STALE && !replace))
        return FILL_DONE;
    if (entry->state != SURVEY_MISSING && replace)
        *ret_expect = entry->generation;
    return FILL_PENDING;
}

struct adding {
    const char **keys[2]; /* by fill_place */
    int64_t *expect;      /* of the pending ones */
    int64_t n[2];
};

static void adding_sort(const struct batch_file *batch, const struct survey *survey,
                        struct adding *adding)
{
    for (int place = 0; place < 2; place++)
        adding->keys[place] = mem_array((size_t)batch->n_keys + 1, sizeof(char *));
    adding->expect = mem_array((size_t)batch->n_keys + 1, sizeof(int64_t));
    for (int64_t i = 0; i < batch->n_keys; i++) {
        int64_t expect;
        int place = fill_place_of(&survey->entries[i], batch->replace_stale, &expect);
        if (place == FILL_PENDING)
            adding->expect[adding->n[place]] = expect;
        adding->keys[place][adding->n[place]++] = batch->keys[i].key;
    }
}

static void adding_deinit(struct adding *adding)
{
    free(adding->keys[0]);
    free(adding->keys[1]);
    free(adding->expect);
}

/* One step's answer, weighed. */
static int added(int r, const struct queue_added *step, struct queue_added *sum, struct err *err)
{
    if (r == QUEUE_GONE)
        return err_set(err, ERR_RETRY,
                       "the batch vanished from Redis while its keys were added: run the same "
                       "command again");
    if (r < 0)
        return r;
    if (step->refused > 0)
        return err_set(err, ERR_RETRY,
                       "somebody else sealed the batch while its keys were added: run the same "
                       "command again");
    sum->added += step->added;
    sum->present += step->present;
    return 0;
}

static int add_all(struct queue *queue, const struct adding *adding, int64_t total,
                   const struct batch_progress *progress, struct fill_result *ret, struct err *err)
{
    struct queue_added sums[2] = {{0}};
    int64_t so_far = 0;
    for (int place = FILL_PENDING; place >= FILL_DONE; place--) { /* work may begin at once */
        for (int64_t at = 0; at < adding->n[place]; at += FILL_STEP) {
            struct queue_added step = {0};
            int64_t n = adding->n[place] - at < FILL_STEP ? adding->n[place] - at : FILL_STEP;
            const char *const *keys = adding->keys[place] + at;
            int r = place == FILL_PENDING
                        ? queue_add(queue, keys, adding->expect + at, n, &step, err)
                        : queue_add_done(queue, keys, n, &step, err);
            r = added(r, &step, &sums[place], err);
            if (r < 0)
                return r;
            fault_point("fill-step");
            so_far += n;
            if (progress->fn)
                progress->fn(progress->ctx, "adding keys", so_far, total);
        }
    }
    ret->added = sums[FILL_PENDING].added;
    ret->skipped = sums[FILL_DONE].added;
    ret->present = sums[FILL_PENDING].present + sums[FILL_DONE].present;
    return 0;
}

/* The batch in Redis, empty, with all that its workers want to know. */
static int begin(const struct fill_options *options, struct err *err)
{
    const struct batch_file *batch = options->batch;
    CLEANUP(str_deinit) struct str text = {0};
    batch_file_print(batch, &text);
    struct queue_settings settings = batch_file_queue_settings(batch, text.s);
    int r = queue_begin(options->queue, batch->name, batch->incarnation, &settings, err);
    if (r == 0)
        r = queue_use(options->queue, batch->name, batch->incarnation, err);
    if (r == 0 && options->notify)
        r = queue_notify_set(options->queue, options->notify, err);
    fault_point("fill-begun");
    return r;
}

static int add_and_seal(const struct fill_options *options, struct fill_result *ret,
                        struct err *err)
{
    const struct batch_file *batch = options->batch;
    struct adding adding = {0};
    adding_sort(batch, options->survey, &adding);
    int r = add_all(options->queue, &adding, batch->n_keys, &options->progress, ret, err);
    adding_deinit(&adding);
    fault_point("fill-added");
    return r == 0 ? queue_seal(options->queue, batch->n_keys, err) : r;
}

int fill_run(const struct fill_options *options, struct fill_result *ret, struct err *err)
{
    struct fill_result result = {0};
    int r = begin(options, err);
    if (r == 0)
        r = add_and_seal(options, &result, err);
    if (r == QUEUE_GONE)
        return err_set(err, ERR_RETRY, "batch %s vanished from Redis: run the same command again",
                       options->batch->name);
    if (r == 0)
        *ret = result;
    return r;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* settle.c - listing joined with records, written in an order that survives a kill anywhere.
 *
 * `_SUCCESS` of an earlier settling goes first, then the manifest is replaced, then `_SUCCESS` is
 * written, then Redis is told. Whoever takes over finds any of these done and goes on. Of what
 * stood there, only the generations seen when the lease began are deleted or replaced: a settler
 * that was stopped for long spoils nothing of those who came after it.
 *
 * One race remains between asking whether we hold the lease and the store's answer: a batch that is
 * reopened just then deletes `_SUCCESS` before we write it. queue_settle_finish then answers STALE,
 * and what we wrote, by its generation, is taken away again. If another settler has taken over
 * without that, ours may be the `_SUCCESS` that it found right, and stays.
 *
 * tests/model/settle.pml is the model of all this. */
#include "batch/settle.h"

#include <inttypes.h>

#include "base/fault.h"
#include "base/log.h"
#include "batch/fill.h"
#include "batch/manifest.h"
#include "batch/settle_guard.h"

struct settling {
    const struct settle_options *options;
    const struct settle_lease *lease;
    struct settle_guard *guard;
    int64_t seen_generation;  /* of the manifest when the lease began; 0: none */
    int64_t stood_generation; /* of _SUCCESS then; 0: none */
    struct survey *survey;
    struct records *records;
    struct str stood, manifest, success; /* stood: the text of that _SUCCESS */
    struct manifest_counts counts;
};

static void settling_deinit(struct settling *s)
{
    settle_guard_end(s->guard);
    survey_free(s->survey);
    records_free(s->records);
    str_deinit(&s->stood);
    str_deinit(&s->manifest);
    str_deinit(&s->success);
}
MEM_CLEANUP_VALUE(settling_deinit, struct settling);

int settle_reopen(struct queue *queue, struct store *store, struct err *err)
{
    int64_t epoch;
    int r = queue_reopen(queue, &epoch, err);
    if (r != 0)
        return r;
    fault_point("reopened");
    r = store_delete(store, BATCH_SUCCESS, STORE_EXPECT_ANYTHING, err);
    fault_point("unsuccess");
    return r < 0 ? r : 0;
}

/* ---- every key has its result, or failed? ---- */

/* May this key stand in the manifest? Otherwise *ret_expect is what its next upload shall find. */
static bool is_settled(const struct settling *s, int64_t i, int64_t *ret_expect)
{
    const struct record *record = &s->records->records[i];
    if (record->known && record->state == KEY_FAILED)
        return true;
    return fill_place_of(&s->survey->entries[i], s->options->batch->replace_stale, ret_expect) ==
           FILL_DONE;
}

/* Keys that Redis has as done and the destination has not wait again. Returns how many, or a
 * failure. */
static int64_t put_back(struct settling *s, struct err *err)
{
    const struct batch_file *batch = s->options->batch;
    int64_t n = 0;
    struct queue_move *moves = mem_zalloc(((size_t)batch->n_keys + 1) * sizeof(*moves));
    for (int64_t i = 0; i < batch->n_keys; i++) {
        const struct record *record = &s->records->records[i];
        int64_t expect = STORE_EXPECT_NOTHING;
        if (is_settled(s, i, &expect))
            continue;
        log_warn("a key was done but has no result in the destination: it waits again",
                 LOG_S("key", batch->keys[i].key),
                 LOG_S("found", survey_state_name(s->survey->entries[i].state)));
        moves[n++] = (struct queue_move){.key = batch->keys[i].key,
                                         .seen_state = record->state,
                                         .seen_token = record->known ? record->token : "",
                                         .expect = expect};
    }
    int r = n ? settle_reopen(s->options->queue, s->options->store, err) : 0;
    if (n && r == 0)
        r = queue_move(s->options->queue, moves, n, err);
    free(moves);
    return r < 0 ? r : n;
}

/* ---- writing ---- */

static bool holds(const struct settling *s)
{
    return settle_guard_holds(s->guard);
}

static bool same_text(const struct str *a, const struct str *b)
{
    return a->len == b->len && memcmp(a->s, b->s, a->len) == 0;
}

/* The `_SUCCESS` that stood there goes, unless it is the very one that we would write. */
static int clear_success(struct settling *s, struct err *err)
{
    if (s->stood_generation && (s->counts.failed > 0 || !same_text(&s->stood, &s->success))) {
        int r = store_delete(s->options->store, BATCH_SUCCESS, s->stood_generation, err);
        if (r < 0 || r == STORE_CHANGED)
            return r < 0 ? r : SETTLE_LOST;
    }
    fault_point("settle-unsuccess");
    return 0;
}

/* The manifest, in place of the one that was seen. */
static int write_manifest(struct settling *s, struct err *err)
{
    int r = store_put(s->options->store, BATCH_MANIFEST, s->manifest.s, s->manifest.len,
                      s->seen_generation, NULL, err);
    return r == STORE_CHANGED ? SETTLE_LOST : r;
}

/* `_SUCCESS`: 0 with *ret_generation 0 when it stood there with the same content. */
static int write_success(struct settling *s, int64_t *ret_generation, struct err *err)
{
    CLEANUP(str_deinit) struct str there = {0};
    struct store *store = s->options->store;
    int r = store_put(store, BATCH_SUCCESS, s->success.s, s->success.len, STORE_EXPECT_NOTHING,
                      ret_generation, err);
    if (r != STORE_CHANGED)
        return r;
    r = store_get(store, BATCH_SUCCESS, 0, &there, NULL, err);
    if (r < 0)
        return r;
    return r == 0 && same_text(&there, &s->success) ? 0 : SETTLE_LOST;
}

static int finish(struct settling *s, int64_t success_generation, struct err *err)
{
    enum lease_answer answer = LEASE_STALE;
    int r = queue_settle_finish(s->options->queue, s->lease, &answer, err);
    if (r < 0)
        return r;
    if (r == 0 && answer != LEASE_STALE)
        return 0;
    if (success_generation && r != QUEUE_BUSY)
        store_delete(s->options->store, BATCH_SUCCESS, success_generation, NULL);
    return SETTLE_LOST;
}

static int write_all(struct settling *s, struct err *err)
{
    int64_t generation = 0;
    manifest_print(s->options->batch, s->lease->epoch, s->survey, s->records, &s->manifest,
                   &s->counts);
    manifest_success(s->options->batch, s->lease->epoch, &s->manifest, &s->success);
    if (!holds(s))
        return SETTLE_LOST;
    int r = clear_success(s, err);
    if (r == 0)
        r = write_manifest(s, err);
    if (r != 0)
        return r;
    fault_point("settle-manifest");
    if (!holds(s))
        return SETTLE_LOST;
    if (s->counts.failed == 0)
        r = write_success(s, &generation, err);
    fault_point("settle-success");
    return r == 0 ? finish(s, generation, err) : r;
}

/* ---- what the columns are like ---- */

static bool still_holds(void *ctx)
{
    return holds(ctx);
}

/* For people and training code; the batch settles with or without it. */
static void describe_columns(const struct settling *s)
{
    const struct settle_options *options = s->options;
    struct err err = {0};
    int64_t n = 0;
    if (!options->columns)
        return;
    int64_t *keys = MEM_ARRAY(int64_t, (size_t)options->batch->n_keys + 1);
    for (int64_t i = 0; i < options->batch->n_keys; i++) {
        const struct record *record = &s->records->records[i];
        if (!record->known || record->state != KEY_FAILED)
            keys[n++] = i;
    }
    const struct columns_options columns = {.source = options->columns,
                                            .store = options->store,
                                            .batch = options->batch,
                                            .keys = keys,
                                            .n_keys = n,
                                            .goes_on = still_holds,
                                            .ctx = (void *)s};
    if (columns_file_write(&columns, &err) < 0)
        log_warn(BATCH_COLUMNS " could not be written; the results are not affected",
                 LOG_S("error", err.text));
    free(keys);
}

/* ---- the whole ---- */

/* What stands there, then the records, then the listing: what is missing from a listing that is
 * younger than the records is missing indeed. */
static int look(struct settling *s, struct err *err)
{
    const struct settle_options *options = s->options;
    CLEANUP(str_deinit) struct str tail = {0};
    int r = store_get(options->store, BATCH_MANIFEST, 1, &tail, &s->seen_generation, err);
    if (r >= 0)
        r = store_get(options->store, BATCH_SUCCESS, 0, &s->stood, &s->stood_generation, err);
    if (r < 0)
        return r;
    struct survey_options survey = {.store = options->store, .batch = options->batch};
    r = records_read(options->queue, options->batch, &s->records, err);
    if (r == 0)
        r = survey_run(&survey, &s->survey, err);
    return r > 0 ? SETTLE_LOST : r;
}

static int settle(struct settling *s, struct settle_result *ret, struct err *err)
{
    int r = look(s, err);
    if (r != 0)
        return r;
    int64_t back = holds(s) ? put_back(s, err) : 0;
    if (back != 0) {
        ret->put_back = back > 0 ? back : 0;
        return back < 0 ? (int)back : SETTLE_NOT_YET;
    }
    describe_columns(s);
    r = write_all(s, err);
    if (r == 0)
        *ret = (struct settle_result){
            .epoch = s->lease->epoch, .done = s->counts.done, .failed = s->counts.failed};
    return r;
}

int settle_run(const struct settle_options *options, struct settle_result *ret, struct err *err)
{
    CLEANUP(settling_deinit) struct settling settling = {.options = options};
    struct settle_lease lease;
    *ret = (struct settle_result){0};
    int r = queue_settle_begin(options->queue, options->worker, &lease, err);
    switch (r) {
    case 0:
        break;
    case QUEUE_SETTLED:
        return 0;
    case QUEUE_BUSY:
        return SETTLE_BUSY;
    case QUEUE_EMPTY:
        return SETTLE_NOT_YET;
    default:
        return r < 0 ? r : SETTLE_LOST;
    }
    settling.lease = &lease;
    settling.guard = settle_guard_begin(options, &lease);
    return settle(&settling, ret, err);
}

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
#include "batch/manifest.h"
#include "batch/settle_keys.h"

struct settling {
    const struct settle_options *options;
    const struct settle_lease *lease;
    struct guard *guard;
    int64_t seen_generation;  /* of the manifest when the lease began; 0: none */
    int64_t stood_generation; /* of _SUCCESS then; 0: none */
    struct settle_keys keys;
    struct manifest_counts counts;
    struct str stood, success; /* stood: the text of that _SUCCESS */
    int content_result;        /* of making the manifest: 0, or why it was given up */
};

static void settling_deinit(struct settling *s)
{
    guard_end(s->guard);
    settle_keys_deinit(&s->keys);
    str_deinit(&s->stood);
    str_deinit(&s->success);
}
MEM_CLEANUP_VALUE(settling_deinit, struct settling);

int settle_reopen(struct queue *queue, const struct batch_file *batch, struct store *store,
                  struct err *err)
{
    int64_t epoch;
    int r = batch_file_check(batch, store, err);
    if (r == 0)
        r = queue_reopen(queue, &epoch, err);
    if (r != 0)
        return r;
    fault_point("reopened");
    r = store_delete(store, BATCH_SUCCESS, STORE_EXPECT_ANYTHING, err);
    fault_point("unsuccess");
    return r < 0 ? r : 0;
}

/* ---- writing ---- */

static bool holds(const struct settling *s)
{
    return guard_holds(s->guard);
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

struct manifest_sink {
    store_piece_fn *piece;
    void *sink;
    struct str text; /* a slice's lines */
    uint32_t crc;    /* CRC-32C of all until now */
};

static int hand_on(struct manifest_sink *out, struct err *err)
{
    int r = out->piece(out->sink, out->text.s, out->text.len, err);
    out->crc = crc32c(out->crc, out->text.s, out->text.len);
    str_clear(&out->text);
    return r;
}

/* Every slice is looked at once more, unless it is the only one: its lines say what is there now.
 */
static int manifest_lines(struct settling *s, struct manifest_sink *out, struct err *err)
{
    const struct batch_file *batch = s->options->batch;
    struct settle_keys *keys = &s->keys;
    int64_t expect, failed = 0;
    for (int64_t first = 0; first < batch->n_keys; first += keys->slice.n) {
        int r = settle_keys_hold(keys, first, err);
        if (r != 0)
            return r;
        for (int64_t i = first; i < first + keys->slice.n; i++) {
            if (!settle_keys_settled(keys, i, &expect))
                return SETTLE_NOT_YET;
            failed += settle_keys_failed(keys, i);
        }
        manifest_print_keys(batch, keys->slice, keys->survey, keys->records, &out->text);
        r = hand_on(out, err);
        if (r != 0)
            return r;
    }
    return failed == s->counts.failed ? 0 : SETTLE_NOT_YET;
}

/* The last act before the manifest gets its name: what will seal it is known, and what sealed the
 * former one goes. */
static int manifest_content(void *ctx, store_piece_fn *piece, void *sink, struct err *err)
{
    struct settling *s = ctx;
    const struct batch_file *batch = s->options->batch;
    struct manifest_sink out = {.piece = piece, .sink = sink};
    manifest_print_header(batch, s->lease->epoch, &s->counts, &out.text);
    int r = hand_on(&out, err);
    if (r == 0)
        r = manifest_lines(s, &out, err);
    str_deinit(&out.text);
    if (r == 0) {
        manifest_success(batch, s->lease->epoch, out.crc, &s->success);
        r = holds(s) ? clear_success(s, err) : SETTLE_LOST;
    }
    s->content_result = r;
    return r;
}

/* The manifest, in place of the one that was seen. */
static int write_manifest(struct settling *s, struct err *err)
{
    const struct store_upload upload = {.name = BATCH_MANIFEST,
                                        .content = manifest_content,
                                        .ctx = s,
                                        .expect = s->seen_generation};
    int r = store_upload(s->options->store, &upload, NULL, err);
    if (r > 0 && s->content_result != 0)
        return s->content_result;
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
    int r = write_manifest(s, err);
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
    if (!options->columns)
        return;
    const struct columns_options columns = {.source = options->columns,
                                            .store = options->store,
                                            .batch = options->batch,
                                            .keys = s->keys.done,
                                            .n_keys = s->keys.n_done,
                                            .goes_on = still_holds,
                                            .ctx = (void *)s};
    if (columns_file_write(&columns, &err) < 0)
        log_warn(BATCH_COLUMNS " could not be written; the results are not affected",
                 LOG_S("error", err.text));
}

/* ---- the whole ---- */

/* First whose destination it is and what stands there, then the keys. */
static int look(struct settling *s, struct err *err)
{
    const struct settle_options *options = s->options;
    CLEANUP(str_deinit) struct str tail = {0};
    int r = batch_file_check(options->batch, options->store, err);
    if (r == 0)
        r = store_get(options->store, BATCH_MANIFEST, 1, &tail, &s->seen_generation, err);
    if (r >= 0)
        r = store_get(options->store, BATCH_SUCCESS, 0, &s->stood, &s->stood_generation, err);
    return r < 0 ? r : settle_keys_look(&s->keys, err);
}

static int settle(struct settling *s, struct settle_result *ret, struct err *err)
{
    int r = look(s, err);
    if (r != 0)
        return r;
    if (s->keys.n_moves > 0 && holds(s)) {
        ret->put_back = s->keys.n_moves;
        r = settle_keys_put_back(&s->keys, err);
        return r < 0 ? r : SETTLE_NOT_YET;
    }
    s->counts.done = s->keys.n_done;
    s->counts.failed = s->options->batch->n_keys - s->keys.n_done;
    describe_columns(s);
    r = write_all(s, err);
    if (r == 0)
        *ret = (struct settle_result){
            .epoch = s->lease->epoch, .done = s->counts.done, .failed = s->counts.failed};
    return r;
}

static int renew_lease(void *ctx, struct queue *queue, int64_t *ret_deadline_ms, struct err *err)
{
    struct settle_lease lease = *(const struct settle_lease *)ctx;
    enum lease_answer answer = LEASE_STALE;
    int r = queue_settle_renew(queue, &lease, &answer, err);
    if (r == 0 && answer == LEASE_STALE)
        return GUARD_LOST;
    *ret_deadline_ms = lease.deadline_ms;
    return r;
}

static struct guard *lease_guard(const struct settle_options *options, struct settle_lease *lease)
{
    const struct guard_options guard = {
        .queue_options = options->queue_options,
        .batch = options->batch,
        .renew = renew_lease,
        .ctx = lease,
        .every_ms = options->batch->settings.lease_ms / 3 + 1,
        .deadline_ms = lease->deadline_ms,
        .stop = options->stop,
        .complaint = "cannot renew the settling lease",
    };
    return guard_begin(&guard);
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
    settling.guard = lease_guard(options, &lease);
    settling.keys = (struct settle_keys){.options = options, .guard = settling.guard};
    return settle(&settling, ret, err);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* reconcile.c - what Redis says, compared with what is there.
 *
 * Three cases. Redis has not the batch: begin it again from `_batch.json`, under the same
 * incarnation. Redis has a part of it (an enqueue or a rebuild died): go on adding. Redis
 * has it sealed: move what does not agree with the destination, and bring back what has no record
 * any more, or none that can be read. */
#include "batch/reconcile.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/retry.h"
#include "batch/enqueue.h"
#include "batch/fill.h"
#include "batch/guard.h"
#include "batch/records.h"
#include "batch/settle.h"
#include "batch/survey.h"

/* Only to spare two from doing the same: what keeps them apart is the comparison in each move. It
 * is renewed while we look, which may take long, and runs out soon after we have died. */
enum { LOCK_MS = 30 * 1000 };

struct reconciling {
    const struct reconcile_options *options;
    struct reconcile_result *result;
    struct store *store;
    struct batch_file *batch;
    struct survey *survey;
    struct records *records; /* NULL when Redis has not the batch */
    bool sealed, settled;
    char lock[17];
    struct guard *guard; /* of the lock; NULL: it is not held */
};

static void reconciling_deinit(struct reconciling *c)
{
    struct err ignored;
    bool locked = c->guard;
    guard_end(c->guard);
    if (locked)
        queue_unlock(c->options->queue, "reconcile", c->lock, &ignored);
    store_close(c->store);
    batch_file_free(c->batch);
    survey_free(c->survey);
    records_free(c->records);
}
MEM_CLEANUP_VALUE(reconciling_deinit, struct reconciling);

void reconcile_result_free(struct reconcile_result *result)
{
    for (int64_t i = 0; i < result->n_moves; i++) {
        free(result->moves[i].key);
        free(result->moves[i].why);
    }
    free(result->moves);
    *result = (struct reconcile_result){0};
}

/* ---- finding the batch ---- */

static int not_known(const struct reconciling *c, struct err *err)
{
    if (!c->options->dest)
        return err_set(err, ERR_CONFIG,
                       "Redis %s has no batch %s; name its destination, from which it can be "
                       "rebuilt: hiwari reconcile %s --dest URL",
                       queue_url(c->options->queue), c->options->batch, c->options->batch);
    return err_set(err, ERR_CONFIG, "neither Redis %s nor %s has a batch %s: enqueue it",
                   queue_url(c->options->queue), c->options->dest, c->options->batch);
}

/* Redis' batch: 0 with c->batch NULL when it has none. */
static int find_in_redis(struct reconciling *c, struct err *err)
{
    struct queue *queue = c->options->queue;
    CLEANUP(mem_free_chars) char *text = NULL;
    struct queue_status status = {0};
    int r = queue_use(queue, c->options->batch, NULL, err);
    if (r == 0)
        r = queue_batch_json(queue, &text, err);
    if (r == 0)
        r = queue_status(queue, &status, err);
    c->sealed = r == 0 && strcmp(status.state, "filling") != 0;
    c->settled = r == 0 && strcmp(status.state, "settled") == 0;
    bool cancelled = r == 0 && strcmp(status.state, "cancelled") == 0;
    c->result->workers = status.worker_count;
    queue_status_free(&status);
    if (r == QUEUE_GONE)
        return 0;
    if (cancelled)
        return err_set(err, ERR_CONFIG, "batch %s was cancelled: enqueue it again",
                       c->options->batch);
    return r < 0 ? r : batch_file_parse("_batch.json in Redis", text, strlen(text), &c->batch, err);
}

/* Open the destination and compare its `_batch.json` with Redis', or take the batch from it. */
static int find_in_store(struct reconciling *c, struct err *err)
{
    CLEANUP(batch_file_free) struct batch_file *there = NULL;
    const char *dest = c->options->dest ? c->options->dest : c->batch ? c->batch->dest : NULL;
    if (!dest)
        return not_known(c, err);
    int r = store_open_existing(dest, &c->store, err);
    if (r == 0)
        r = batch_file_read(c->store, &there, NULL, err);
    if (r < 0)
        return r;
    if (c->batch && strcmp(c->batch->dest, store_url(c->store)) != 0)
        return err_set(err, ERR_CONFIG, "batch %s in Redis has the destination %s, not %s",
                       c->options->batch, c->batch->dest, store_url(c->store));
    r = c->batch ? batch_file_compare(c->batch, there, c->store, err) : 0;
    if (r < 0)
        return r;
    if (!c->batch && (!there || strcmp(there->name, c->options->batch) != 0))
        return not_known(c, err);
    if (!c->batch) {
        c->batch = there;
        there = NULL;
        c->result->rebuilt = true;
    }
    batch_file_tell(c->batch, c->store);
    return c->batch->unconditional && c->options->replace_stale
               ? enqueue_refuse_replacing(c->batch->dest, err)
               : 0;
}

static int lock(void *ctx, struct queue *queue, int64_t *ret_deadline_ms, struct err *err)
{
    const struct reconciling *c = ctx;
    *ret_deadline_ms = clock_ms() + LOCK_MS;
    return queue_lock(queue, "reconcile", c->lock, LOCK_MS, err);
}

static int renew_lock(void *ctx, struct queue *queue, int64_t *ret_deadline_ms, struct err *err)
{
    int r = lock(ctx, queue, ret_deadline_ms, err);
    return r > 0 ? GUARD_LOST : r;
}

static int take_lock(struct reconciling *c, struct err *err)
{
    struct guard_options guard = {
        .queue_options = c->options->queue_options,
        .batch = c->batch,
        .renew = renew_lock,
        .ctx = c,
        .every_ms = LOCK_MS / 3,
        .complaint = "cannot renew the lock that keeps other reconciles away",
    };
    snprintf(c->lock, sizeof(c->lock), "%016" PRIx64, random_u64());
    int r = lock(c, c->options->queue, &guard.deadline_ms, err);
    if (r == QUEUE_BUSY)
        return err_set(err, ERR_RETRY,
                       "another reconcile of batch %s is running: wait until it has ended",
                       c->options->batch);
    if (r == 0)
        c->guard = guard_begin(&guard);
    return r;
}

/* Ask before each step that others can see. */
static int check_lock(const struct reconciling *c, struct err *err)
{
    if (!c->guard || guard_holds(c->guard))
        return 0;
    return err_set(err, ERR_RETRY,
                   "batch %s: this reconcile lost its lock, and another one may be running: it "
                   "stopped before it changed anything; try again",
                   c->options->batch);
}

/* ---- deciding ---- */

struct wish {
    int64_t i; /* number of the key */
    bool to_done;
    int64_t expect;
    char *why;
};

static char *why_pending(const struct survey_entry *entry)
{
    switch (entry->state) {
    case SURVEY_MISSING:
        return mem_strdup("its result is not in the destination");
    case SURVEY_STALE:
        return mem_strdup("its result is of older data and is to be replaced");
    default:
        return mem_printf("its result is to be replaced: %s", entry->why);
    }
}

/* Should key i move? */
static bool wish_for(const struct reconciling *c, int64_t i, struct wish *ret)
{
    const struct record *record = &c->records->records[i];
    const struct survey_entry *entry = &c->survey->entries[i];
    bool replace = c->options->replace_stale || c->batch->replace_stale;
    *ret = (struct wish){.i = i};
    bool there = fill_place_of(entry, replace, &ret->expect) == FILL_DONE;
    if (!record->known) {
        ret->to_done = there;
        ret->why = there ? mem_strdup("its result is in the destination") : why_pending(entry);
        return true;
    }
    bool waits =
        record->state == KEY_LEASED || record->state == KEY_PENDING || record->state == KEY_DELAYED;
    if (waits && !c->settled) { /* of a settled batch nobody would take it up */
        ret->to_done = true;
        ret->why = there && record->state != KEY_LEASED
                       ? mem_strdup("its result is in the destination")
                       : NULL;
        return ret->why;
    }
    if (there) {
        ret->to_done = true;
        ret->why =
            record->state == KEY_DONE ? NULL : mem_strdup("its result is in the destination");
        return ret->why;
    }
    if (record->state == KEY_FAILED) {
        ret->why = c->options->include_failed ? mem_strdup("it had failed") : NULL;
        return ret->why;
    }
    bool other = entry->state != SURVEY_MISSING && entry->state != SURVEY_STALE;
    bool stays = other && !replace && !waits; /* it would only fail again */
    ret->why = stays ? NULL : why_pending(entry);
    return ret->why;
}

static void count(const struct reconciling *c)
{
    struct reconcile_result *result = c->result;
    result->total = c->batch->n_keys;
    result->present = c->survey->present;
    result->stale = c->survey->stale;
    result->foreign = c->survey->foreign;
    result->damaged = c->survey->damaged;
    for (int64_t i = 0; c->records && i < c->records->n; i++) {
        enum key_state state = c->records->records[i].state;
        bool known = c->records->records[i].known;
        result->failed += known && state == KEY_FAILED;
        result->waiting += known && state != KEY_FAILED && state != KEY_DONE;
    }
}

static struct reconcile_move *result_add(struct reconcile_result *result, const char *key,
                                         const char *from, bool to_done, char *why)
{
    size_t cap = (size_t)result->n_moves; /* grown by powers of two */
    if ((result->n_moves & (result->n_moves - 1)) == 0)
        result->moves = mem_realloc(result->moves, (cap ? 2 * cap : 1) * sizeof(*result->moves));
    struct reconcile_move *move = &result->moves[result->n_moves++];
    *move = (struct reconcile_move){
        .key = mem_strdup(key), .from = from, .to = to_done ? "done" : "pending", .why = why};
    return move;
}

/* ---- moving ---- */

static void count_move(struct reconcile_result *result, enum key_state from, bool to_done)
{
    *(to_done ? &result->to_done : &result->to_pending) += 1;
    result->failed -= from == KEY_FAILED;
}

static int move_keys(struct reconciling *c, const struct wish *wishes, int64_t n, struct err *err)
{
    struct reconcile_result *result = c->result;
    struct queue_move *moves = mem_zalloc(((size_t)n + 1) * sizeof(*moves));
    for (int64_t k = 0; k < n; k++) {
        const struct wish *wish = &wishes[c->options->newest_first ? n - 1 - k : k];
        moves[k] = (struct queue_move){.key = c->batch->keys[wish->i].key,
                                       .seen_state = c->records->records[wish->i].state,
                                       .seen_token = c->records->records[wish->i].token,
                                       .seen_lost = !c->records->records[wish->i].known,
                                       .to_done = wish->to_done,
                                       .expect = wish->expect};
    }
    int r = check_lock(c, err);
    if (r == 0)
        r = settle_reopen(c->options->queue, c->batch, c->store, err);
    if (r == 0)
        r = queue_move(c->options->queue, moves, n, err);
    for (int64_t k = 0; r == 0 && k < n; k++) {
        int64_t at = c->options->newest_first ? n - 1 - k : k;
        result->moves[at].moved = moves[k].moved;
        if (moves[k].moved)
            count_move(result, moves[k].seen_state, moves[k].to_done);
        else
            result->unchanged_since++;
    }
    free(moves);
    result->reopened = r == 0 && c->settled;
    return r;
}

/* Settled without failures, yet `_SUCCESS` is gone: let it be settled once more. */
static int success_is_missing(struct reconciling *c, bool *ret, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    *ret = false;
    if (!c->settled || c->result->failed > 0)
        return 0;
    int r = store_get(c->store, BATCH_SUCCESS, 0, &text, NULL, err);
    *ret = r == STORE_ABSENT;
    return r < 0 ? r : 0;
}

static int compare_and_move(struct reconciling *c, struct err *err)
{
    int64_t n = 0;
    struct wish *wishes = mem_zalloc(((size_t)c->batch->n_keys + 1) * sizeof(*wishes));
    for (int64_t i = 0; i < c->batch->n_keys; i++) {
        if (!wish_for(c, i, &wishes[n]))
            continue;
        const struct record *record = &c->records->records[i];
        result_add(c->result, c->batch->keys[i].key,
                   record->known ? key_state_name(record->state) : "lost", wishes[n].to_done,
                   wishes[n].why);
        n++;
    }
    c->result->rebuilt = c->records->known < c->batch->n_keys;
    bool unsettle = false;
    int r = success_is_missing(c, &unsettle, err);
    fault_point("reconcile-decided");
    if (r == 0 && c->options->dry_run) {
        for (int64_t k = 0; k < n; k++)
            count_move(c->result, c->records->records[wishes[k].i].state, wishes[k].to_done);
    } else if (r == 0 && (n > 0 || unsettle)) {
        r = move_keys(c, wishes, n, err);
    }
    free(wishes);
    return r;
}

/* ---- rebuilding ---- */

static int rebuild(struct reconciling *c, struct err *err)
{
    struct fill_result filled;
    struct reconcile_result *result = c->result;
    bool dry_run = c->options->dry_run;
    c->batch->replace_stale |= c->options->replace_stale;
    c->batch->settings.newest_first |= c->options->newest_first;
    for (int64_t i = 0; i < c->batch->n_keys; i++) {
        int64_t expect;
        if (c->records && c->records->records[i].known)
            continue;
        bool done =
            fill_place_of(&c->survey->entries[i], c->batch->replace_stale, &expect) == FILL_DONE;
        char *why = done ? mem_strdup("its result is in the destination")
                         : why_pending(&c->survey->entries[i]);
        result_add(result, c->batch->keys[i].key, "lost", done, why)->moved = !dry_run;
        *(done ? &result->to_done : &result->to_pending) += 1;
    }
    result->rebuilt = true;
    if (dry_run)
        return 0;
    int r = check_lock(c, err);
    if (r == 0)
        r = store_delete(c->store, BATCH_SUCCESS, STORE_EXPECT_ANYTHING, err);
    if (r < 0)
        return r;
    fault_point("reconcile-unsuccess");
    const struct fill_options options = {.queue = c->options->queue,
                                         .batch = c->batch,
                                         .survey = c->survey,
                                         .notify = c->options->notify,
                                         .progress = c->options->progress};
    r = fill_run(&options, &filled, err);
    return r == QUEUE_BUSY ? ERR_RETRY : r;
}

/* ---- the verb ---- */

static int look(struct reconciling *c, struct err *err)
{
    int r = 0;
    if (!c->result->rebuilt)
        r = take_lock(c, err);
    if (r == 0 && !c->result->rebuilt)
        r = records_read(c->options->queue, c->batch, batch_file_whole(c->batch), &c->records, err);
    if (r != 0)
        return r;
    fault_point("reconcile-read");
    struct survey_options options = {.store = c->store,
                                     .batch = c->batch,
                                     .slice = batch_file_whole(c->batch),
                                     .progress = c->options->progress};
    r = survey_run(&options, &c->survey, err);
    if (r == 0)
        count(c);
    return r;
}

static int reconcile(struct reconciling *c, struct err *err)
{
    int r = find_in_redis(c, err);
    if (r == 0)
        r = find_in_store(c, err);
    if (r == 0)
        r = look(c, err);
    if (r != 0)
        return r;
    c->result->durable = c->batch->settings.durable && !c->options->dry_run;
    if (c->result->rebuilt || !c->sealed)
        return rebuild(c, err);
    return compare_and_move(c, err);
}

int reconcile_run(const struct reconcile_options *options, struct reconcile_result *ret,
                  struct err *err)
{
    CLEANUP(reconcile_result_free) struct reconcile_result result = {0};
    CLEANUP(reconciling_deinit)
    struct reconciling reconciling = {.options = options, .result = &result};
    int r = reconcile(&reconciling, err);
    if (r > 0)
        return err_set(err, ERR_RETRY,
                       "batch %s changed in Redis while it was looked at: try again",
                       options->batch);
    if (r < 0)
        return r;
    *ret = result;
    result = (struct reconcile_result){0};
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* courier.c - one loop: tell what is finished, lease what is wanted, wait.
 *
 * Redis may be away for a while: what is finished stays in the list of held keys until Redis has
 * heard of it, and a `done` is told even after its lease has run out, because the result is in the
 * store and Redis decides by the token whether that matters. */
#include "worker/courier.h"

#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/retry.h"
#include "batch/settle.h"
#include "worker/herald.h"

enum {
    WAIT_MAX_MS = 1000,
    AWAY_WAIT_MS = 500,   /* between two tries while Redis is away */
    AWAY_MAX_MS = 600000, /* after which the worker gives up with 69 */
    AWAY_LOG_MS = 10000,
    GONE_WAIT_MS = 500,
    GONE_MAX_MS = 30000, /* how long a batch that is gone is waited for */
    SETTLE_WAIT_MS = 500,
    LATE_WAIT_MS = 20,
    LEAVE_WAIT_MS = 1000,
    EXIT_SETTLED = 0,
    EXIT_UNREACHABLE = 69,
    EXIT_WRITE = 73,
    EXIT_AGAIN = 75,
    EXIT_DRAINED = 143,
};

struct courier {
    struct courier_options options;
    pthread_t thread;
    struct herald *herald;
    struct err err;
    int64_t lease_at_ms; /* not before */
    int64_t away_ms;     /* since when Redis is away; 0: it answers */
    int64_t away_log_ms;
    int64_t idle_ms; /* since when there was nothing to lease and nothing is held; 0: there is */
};

static const struct worker_id *me(const struct courier *c)
{
    return &c->options.job->worker;
}

static void end(struct courier *c, int exit_code)
{
    held_end(c->options.held, exit_code);
}

/* ---- answers that concern the whole worker ---- */

static void on_error(struct courier *c, const struct err *err)
{
    int64_t now = clock_ms();
    if (err->code == ERR_CONFIG || err->code == ERR_BUG) {
        c->err = *err;
        end(c, err_exit_code(err->code));
        return;
    }
    if (!c->away_ms)
        c->away_ms = now;
    if (now - c->away_log_ms > AWAY_LOG_MS) {
        log_warn("Redis does not answer: trying on", LOG_S("error", err->text),
                 LOG_I("away_ms", now - c->away_ms));
        c->away_log_ms = now;
    }
    if (now - c->away_ms > AWAY_MAX_MS) {
        c->err = *err;
        end(c, EXIT_UNREACHABLE);
    }
    c->lease_at_ms = now + AWAY_WAIT_MS;
}

/* The batch is gone: drop everything and wait for the same one to come back, which
 * reconcile may be rebuilding. */
static void on_gone(struct courier *c)
{
    const struct batch_file *batch = c->options.job->batch;
    struct held *held = c->options.held;
    int64_t until_ms = clock_ms() + GONE_MAX_MS;
    held_drop_all(held);
    log_warn("the batch is gone from Redis: its keys are dropped", LOG_S("batch", batch->name),
             LOG_S("incarnation", batch->incarnation));
    while (clock_ms() < until_ms && !held_draining(held)) {
        struct err err = {0};
        if (queue_use(c->options.queue, batch->name, batch->incarnation, &err) == 0) {
            log_info("the batch is back", LOG_S("batch", batch->name));
            c->lease_at_ms = 0;
            return;
        }
        if (queue_use(c->options.queue, batch->name, NULL, &err) == 0)
            break; /* another incarnation: begin anew */
        clock_sleep_ms(GONE_WAIT_MS);
    }
    if (held_draining(held))
        return;
    err_set(
        &c->err, ERR_RETRY,
        "batch %s (incarnation %.8s) is gone from Redis: `hiwari reconcile %s --dest %s` brings "
        "it back",
        batch->name, batch->incarnation, batch->name, batch->dest);
    end(c, EXIT_AGAIN);
}

static void on_cancelled(struct courier *c)
{
    held_drop_all(c->options.held);
    err_set(&c->err, ERR_RETRY, "batch %s was cancelled", c->options.job->batch->name);
    end(c, EXIT_AGAIN);
}

/* What every verb may answer. True when r was 0: go on. */
static bool went_well(struct courier *c, int r, const struct err *err)
{
    if (r < 0) {
        on_error(c, err);
        return false;
    }
    c->away_ms = 0;
    if (r == QUEUE_GONE)
        on_gone(c);
    else if (r == QUEUE_CANCELLED)
        on_cancelled(c);
    return r == 0;
}

/* ---- telling ---- */

static void note_answers(struct courier *c, const char *verb, const struct held_refs *refs)
{
    struct held_counts counts = {0};
    for (int i = 0; i < refs->n; i++) {
        if (refs->refs[i].answer != LEASE_STALE)
            continue;
        counts.stale++;
        log_warn("an answer came too late: the key was leased to another worker",
                 LOG_S("key", refs->refs[i].key), LOG_S("verb", verb), LOG_S("answer", "STALE"));
    }
    if (strcmp(verb, "done") == 0)
        counts.done = refs->n - counts.stale;
    else if (strcmp(verb, "fail") == 0)
        counts.failed = refs->n - counts.stale;
    held_count(c->options.held, &counts);
    held_forget(c->options.held, refs->refs, refs->n);
}

static bool tell_done(struct courier *c)
{
    CLEANUP(held_refs_deinit) struct held_refs refs = {0};
    struct err err = {0};
    held_list(c->options.held, HELD_FINISHED, &refs);
    if (refs.n == 0)
        return true;
    int r = queue_done(c->options.queue, me(c), refs.refs, refs.n, &err);
    if (!went_well(c, r, &err))
        return false;
    note_answers(c, "done", &refs);
    return true;
}

static bool tell_failed(struct courier *c)
{
    CLEANUP(held_refs_deinit) struct held_refs refs = {0};
    struct err err = {0};
    held_list(c->options.held, HELD_FAILED, &refs);
    for (int i = 0; i < refs.n; i++) {
        log_error("a key failed", LOG_S("key", refs.refs[i].key), LOG_S("class", refs.class[i]),
                  LOG_S("error", refs.text[i]));
        int r =
            queue_fail(c->options.queue, me(c), &refs.refs[i], refs.class[i], refs.text[i], &err);
        if (!went_well(c, r, &err))
            return false;
        struct held_refs one = {.refs = &refs.refs[i], .n = 1};
        note_answers(c, "fail", &one);
        herald_failed(c->herald);
    }
    return true;
}

static bool release(struct courier *c, enum held_stage stage)
{
    CLEANUP(held_refs_deinit) struct held_refs refs = {0};
    struct err err = {0};
    held_list(c->options.held, stage, &refs);
    if (refs.n == 0)
        return true;
    int r = queue_release(c->options.queue, me(c), refs.refs, refs.n, &err);
    if (!went_well(c, r, &err))
        return false;
    held_forget(c->options.held, refs.refs, refs.n);
    return true;
}

static void tell(struct courier *c)
{
    bool told = tell_done(c) && tell_failed(c) &&
                (!held_gives_back(c->options.held) || release(c, HELD_WAITING));
    if (!told && c->away_ms) /* do not spin while Redis is away */
        clock_sleep_ms(AWAY_WAIT_MS);
    else if (told && held_empty(c->options.held)) /* this may have been the last key */
        c->lease_at_ms = 0;
}

/* ---- leasing ---- */

static void settle(struct courier *c)
{
    const struct job *job = c->options.job;
    struct settle_result result;
    struct err err = {0};
    struct columns_source columns = {
        .plan = job->plan, .float32 = job->spec->float32, .threads = job->threads};
    struct settle_options options = {.queue = c->options.queue,
                                     .queue_options = c->options.queue_options,
                                     .worker = me(c),
                                     .store = job->store,
                                     .batch = job->batch,
                                     .columns = &columns,
                                     .stop = held_drain_flag(c->options.held)};
    int r = settle_run(&options, &result, &err);
    c->lease_at_ms = clock_ms() + SETTLE_WAIT_MS;
    if (r == 0) {
        log_info("the batch is settled", LOG_S("batch", job->batch->name),
                 LOG_I("done", result.done), LOG_I("failed", result.failed),
                 LOG_I("epoch", result.epoch));
        herald_settled(c->herald, c->options.queue);
        end(c, EXIT_SETTLED);
    } else if (r == ERR_WRITE) {
        c->err = err;
        end(c, EXIT_WRITE);
    } else if (r == ERR_CONFIG || r == ERR_BUG) {
        on_error(c, &err);
    } else if (r < 0) {
        log_warn("the batch could not be settled: trying again", LOG_S("error", err.text));
    }
}

/* Nothing to lease. With --linger this worker may leave when that has lasted, and nothing is
 * waiting. */
static void on_empty(struct courier *c)
{
    int64_t now = clock_ms();
    struct queue_status status = {0};
    struct err err = {0};
    if (c->options.linger_ms < 0 || !held_empty(c->options.held)) {
        c->idle_ms = 0;
        return;
    }
    if (!c->idle_ms)
        c->idle_ms = now;
    if (now - c->idle_ms < c->options.linger_ms ||
        queue_status(c->options.queue, &status, &err) != 0)
        return;
    bool leave = strcmp(status.state, "running") == 0 && status.pending + status.delayed == 0;
    queue_status_free(&status);
    if (leave) {
        log_info("nothing is waiting: this worker leaves (--linger)",
                 LOG_S("batch", c->options.job->batch->name));
        end(c, EXIT_SETTLED);
    }
}

/* Whoever settled it may have died before it could tell. */
static void leave_settled(struct courier *c)
{
    herald_settled(c->herald, c->options.queue);
    end(c, EXIT_SETTLED);
}

static void lease(struct courier *c)
{
    struct held *held = c->options.held;
    struct lease_set set = {0};
    struct err err = {0};
    int r = queue_lease(c->options.queue, me(c), held_lease_wish(held), &set, &err);
    int64_t now = clock_ms();
    c->lease_at_ms = now + (set.wait_ms > 0 ? set.wait_ms : 0);
    if (r == 0 || r == QUEUE_PAUSED)
        c->idle_ms = 0;
    switch (r) {
    case 0:
        held_add(held, &set);
        break;
    case QUEUE_EMPTY:
        on_empty(c);
        break;
    case QUEUE_PAUSED:
        break;
    case QUEUE_SETTLE:
        settle(c);
        break;
    case QUEUE_SETTLED:
        if (held_any(held, HELD_COMPUTED, HELD_FAILED)) /* too late, but it is told and counted */
            c->lease_at_ms = now + LATE_WAIT_MS;
        else
            leave_settled(c);
        break;
    default:
        went_well(c, r, &err);
    }
    if (r >= 0)
        c->away_ms = 0;
    lease_set_free(&set);
}

/* ---- leaving ---- */

/* Whatever is still held is given back, also what was begun. */
static void leave(struct courier *c)
{
    struct held *held = c->options.held;
    bool stopped = held_stopped(held, &c->err);
    for (int stage = HELD_WAITING; stopped && stage <= HELD_UPLOADING; stage++)
        release(c, stage);
    end(c, stopped ? err_exit_code(c->err.code) : EXIT_DRAINED);
}

/* A key whose lease was lost may be computing still, for as long as it likes: nobody waits for it.
 */
static void leave_lost_key(struct courier *c, int exit_code)
{
    int64_t until_ms = clock_ms() + LEAVE_WAIT_MS;
    while (held_any(c->options.held, HELD_COMPUTING, HELD_COMPUTING) && clock_ms() < until_ms)
        clock_sleep_ms(LEAVE_WAIT_MS / 10);
    if (!held_any(c->options.held, HELD_COMPUTING, HELD_COMPUTING))
        return;
    log_warn("worker ends while a key whose lease was lost is still computing",
             LOG_I("exit", exit_code), LOG_S("error", c->err.text));
    _exit(exit_code);
}

static void *courier_thread(void *ctx)
{
    struct courier *c = ctx;
    struct held *held = c->options.held;
    struct err ignored;
    int exit_code;
    while (!held_ended(held, &exit_code)) {
        switch (held_errand(held, c->lease_at_ms, clock_ms() + WAIT_MAX_MS)) {
        case HELD_TELL:
            tell(c);
            break;
        case HELD_LEASE:
            lease(c);
            break;
        case HELD_DRAINED:
            leave(c);
            break;
        case HELD_NOTHING:
            break;
        }
        if (!c->away_ms)
            herald_look(c->herald, c->options.queue);
    }
    herald_end(c->herald);
    if (!c->away_ms)
        queue_leave(c->options.queue, me(c), &ignored);
    leave_lost_key(c, exit_code);
    return NULL;
}

struct courier *courier_begin(const struct courier_options *options)
{
    struct courier *c = MEM_NEW(struct courier);
    c->options = *options;
    c->herald = herald_new();
    if (pthread_create(&c->thread, NULL, courier_thread, c) != 0)
        mem_exhausted();
    return c;
}

void courier_end(struct courier *c, struct err *ret_err)
{
    pthread_join(c->thread, NULL);
    *ret_err = c->err;
    free(c);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* queue_work.c - what workers do: lease, renew, done, fail, release; and settle. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/retry.h"
#include "queue/queue_impl.h"

enum {
    ERROR_MAX_BYTES = 1000,
    LEASE_WORDS = 3,
    TRY_WORDS = 3,
    WAIT_MAX_MS = 1000,
    LOOK_MS = 20000, /* a worker that waits is heard of this often, or half as often */
};
#define SETTLED_TTL_MS (INT64_C(30) * 24 * 3600 * 1000)

static void cmd_add_random(struct redis_cmd *cmd)
{
    redis_cmd_addi(cmd, (int64_t)(random_u64() % 1000));
}

/* Worker names stand in records between spaces and bars. */
static int worker_check(const struct worker_id *worker, struct err *err)
{
    const char *parts[] = {worker->id, worker->pod ? worker->pod : "",
                           worker->node ? worker->node : ""};
    for (int i = 0; i < 3; i++)
        if (strpbrk(parts[i], "| \t\r\n") || strlen(parts[i]) > 253)
            return err_set(
                err, ERR_CONFIG,
                "worker, pod or node \"%.260s\": use at most 253 bytes without spaces and \"|\"",
                parts[i]);
    return 0;
}

/* ---- lease ---- */

void lease_set_free(struct lease_set *set)
{
    for (int i = 0; i < set->n; i++) {
        free(set->leases[i].key);
        free(set->leases[i].token);
    }
    free(set->leases);
    *set = (struct lease_set){0};
}

/* text: expect, attempts and interruptions; "" for none of each. */
static void lease_take(struct lease *ret, const char *key, const char *token, const char *text)
{
    char *fields[TRY_WORDS];
    CLEANUP(mem_free_chars) char *copy = mem_strdup(text);
    fields_split(copy, fields, TRY_WORDS);
    ret->key = mem_strdup(key);
    ret->token = mem_strdup(token);
    ret->expect = field_integer(fields[0], 0);
    ret->attempt = (int)field_integer(fields[1], 0) + 1;
    ret->interruptions = (int)field_integer(fields[2], 0);
}

/* Reply: OK, lease_ms, then the words of each lease. */
static void leases_take(const redisReply *reply, int64_t asked_ms, struct lease_set *ret)
{
    int64_t lease_ms = reply_integer(reply_at(reply, 1));
    int n = (int)((reply->elements - 2) / LEASE_WORDS);
    *ret = (struct lease_set){.leases = MEM_ARRAY(struct lease, n), .n = n};
    for (int i = 0; i < n; i++) {
        size_t at = 2 + (size_t)i * LEASE_WORDS;
        ret->leases[i] = (struct lease){.deadline_ms = asked_ms + lease_ms};
        lease_take(&ret->leases[i], reply_text(reply_at(reply, at)),
                   reply_text(reply_at(reply, at + 1)), reply_text(reply_at(reply, at + 2)));
    }
}

/* One lease call, or the one before once more if its answer was lost. */
static int lease_once(struct queue *queue, const struct worker_id *worker, struct lease_wish wish,
                      struct lease_set *ret, struct err *err)
{
    bool again = queue->lease_nonce[0];
    if (!again)
        queue_nonce(queue->lease_nonce);
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    queue_cmd(queue, &cmd, SCRIPT_LEASE);
    redis_cmd_addz(&cmd, worker->id);
    redis_cmd_addz(&cmd, worker->pod ? worker->pod : "");
    redis_cmd_addz(&cmd, worker->node ? worker->node : "");
    redis_cmd_addi(&cmd, wish.max);
    redis_cmd_addz(&cmd, queue->lease_nonce);
    redis_cmd_addz(&cmd, wish.begins ? "s" : "");
    int64_t asked_ms = clock_ms();
    CLEANUP(reply_free) redisReply *reply = NULL;
    int r = redis_run(queue->redis, &cmd, 1, &reply, err);
    if (r < 0)
        return r;
    queue->lease_nonce[0] = '\0';
    r = queue_answer(reply, err);
    if (r == 0)
        leases_take(reply, asked_ms, ret);
    if (ret->n > 0)
        ret->leases[0].begun = wish.begins && !again; /* again: as the first call wished */
    if (r > 0)
        *ret = (struct lease_set){.wait_ms = reply_integer(reply_at(reply, 1))};
    return r;
}

/* When to look again, if in so many milliseconds there may be more: each worker at another moment,
 * so that they do not all come at once. */
static int64_t wait_jittered(int64_t ms)
{
    int64_t random = (int64_t)(random_u64() % 1000);
    if (ms >= WAIT_MAX_MS)
        return WAIT_MAX_MS * 4 / 5 + random / 5;
    return ms + 5 + (WAIT_MAX_MS - 5 - ms) * random / 4000;
}

/* Did this worker get nothing the last time, so that a look is enough? Now and then lease is called
 * all the same: that is how it is known that this worker is there. */
static bool may_look(const struct queue *queue, const struct worker_id *worker)
{
    return queue->idler && strcmp(queue->idler, worker->id) == 0 && !queue->lease_nonce[0] &&
           clock_ms() < queue->lease_at_ms;
}

static int lease(struct queue *queue, const struct worker_id *worker, struct lease_wish wish,
                 struct lease_set *ret, struct err *err)
{
    int r = lease_once(queue, worker, wish, ret, err);
    if (r == QUEUE_EMPTY && ret->wait_ms == 0) /* a repeated call that had found nothing */
        r = lease_once(queue, worker, wish, ret, err);
    free(queue->idler);
    queue->idler = r == QUEUE_EMPTY || r == QUEUE_PAUSED ? mem_strdup(worker->id) : NULL;
    queue->lease_at_ms = clock_ms() + LOOK_MS + (int64_t)(random_u64() % LOOK_MS);
    return r;
}

int queue_lease(struct queue *queue, const struct worker_id *worker, struct lease_wish wish,
                struct lease_set *ret, struct err *err)
{
    *ret = (struct lease_set){0};
    int r = worker_check(worker, err);
    if (r == 0 && may_look(queue, worker))
        r = queue_look(queue, &ret->wait_ms, err);
    if (r == 0)
        r = lease(queue, worker, wish, ret, err);
    if (ret->wait_ms > 0)
        ret->wait_ms = wait_jittered(ret->wait_ms);
    return r;
}

/* ---- verbs on leases ---- */

struct verb {
    const char *worker;
    struct lease_ref *refs;
    int64_t asked_ms;
    size_t answers_at; /* where the answers begin in a reply */
};

static void verb_begin(void *ctx, struct redis_cmd *cmd, int64_t from)
{
    const struct verb *verb = ctx;
    redis_cmd_addz(cmd, verb->worker);
}

static enum lease_answer lease_answer_of(const redisReply *reply)
{
    const char *word = reply_text(reply);
    if (strcmp(word, "OK") == 0)
        return LEASE_OK;
    return strcmp(word, "ALREADY") == 0 ? LEASE_ALREADY : LEASE_STALE;
}

static int verb_use(void *ctx, const redisReply *reply, int64_t from, int64_t n, struct err *err)
{
    const struct verb *verb = ctx;
    bool all = reply->elements == verb->answers_at; /* no answers: OK for each */
    for (int64_t i = 0; i < n; i++) {
        struct lease_ref *ref = &verb->refs[from + i];
        ref->answer =
            all ? LEASE_OK : lease_answer_of(reply_at(reply, verb->answers_at + (size_t)i));
        if (verb->answers_at == 2 && ref->answer == LEASE_OK)
            ref->deadline_ms = verb->asked_ms + reply_integer(reply_at(reply, 1));
    }
    return 0;
}

static int verb_run(struct queue *queue, enum script script, const struct worker_id *worker,
                    struct lease_ref *refs, int n,
                    void (*fill)(void *, struct redis_cmd *, int64_t), struct err *err)
{
    struct verb verb = {.worker = worker->id,
                        .refs = refs,
                        .asked_ms = clock_ms(),
                        .answers_at = script == SCRIPT_RENEW ? 2 : 1};
    const struct queue_walk walk = {.script = script,
                                    .n = n,
                                    .step = QUEUE_STEP,
                                    .begin = verb_begin,
                                    .fill = fill,
                                    .use = verb_use,
                                    .ctx = &verb};
    return queue_walk(queue, &walk, err);
}

static void ref_fill(void *ctx, struct redis_cmd *cmd, int64_t i)
{
    const struct verb *verb = ctx;
    redis_cmd_addz(cmd, verb->refs[i].key);
    redis_cmd_addz(cmd, verb->refs[i].token);
}

static void begun_fill(void *ctx, struct redis_cmd *cmd, int64_t i)
{
    const struct verb *verb = ctx;
    ref_fill(ctx, cmd, i);
    redis_cmd_addi(cmd, verb->refs[i].started);
}

static void done_fill(void *ctx, struct redis_cmd *cmd, int64_t i)
{
    const struct verb *verb = ctx;
    ref_fill(ctx, cmd, i);
    redis_cmd_addi(cmd, verb->refs[i].ms);
    redis_cmd_addi(cmd, verb->refs[i].rows);
}

int queue_renew(struct queue *queue, const struct worker_id *worker, struct lease_ref *refs, int n,
                struct err *err)
{
    return verb_run(queue, SCRIPT_RENEW, worker, refs, n, begun_fill, err);
}

int queue_done(struct queue *queue, const struct worker_id *worker, struct lease_ref *refs, int n,
               struct err *err)
{
    return verb_run(queue, SCRIPT_DONE, worker, refs, n, done_fill, err);
}

int queue_release(struct queue *queue, const struct worker_id *worker, struct lease_ref *refs,
                  int n, struct err *err)
{
    return verb_run(queue, SCRIPT_RELEASE, worker, refs, n, begun_fill, err);
}

int queue_fail(struct queue *queue, const struct worker_id *worker, struct lease_ref *ref,
               const char *class, const char *text, struct err *err)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    queue_cmd(queue, &cmd, SCRIPT_FAIL);
    redis_cmd_addz(&cmd, worker->id);
    redis_cmd_addz(&cmd, ref->key);
    redis_cmd_addz(&cmd, ref->token);
    redis_cmd_addz(&cmd, class);
    redis_cmd_add(&cmd, text, strnlen(text, ERROR_MAX_BYTES));
    cmd_add_random(&cmd);
    CLEANUP(reply_free) redisReply *reply = NULL;
    int r = queue_run(queue, &cmd, &reply, err);
    if (r == 0)
        ref->answer = lease_answer_of(reply_at(reply, 1));
    return r;
}

int queue_leave(struct queue *queue, const struct worker_id *worker, struct err *err)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    queue_cmd(queue, &cmd, SCRIPT_LEAVE);
    redis_cmd_addz(&cmd, worker->id);
    return queue_run_plain(queue, &cmd, err);
}

/* ---- settling ---- */

int queue_settle_begin(struct queue *queue, const struct worker_id *worker,
                       struct settle_lease *ret, struct err *err)
{
    char nonce[QUEUE_NONCE];
    queue_nonce(nonce);
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    queue_cmd(queue, &cmd, SCRIPT_SETTLE_BEGIN);
    redis_cmd_addz(&cmd, worker->id);
    redis_cmd_addz(&cmd, nonce);
    int64_t asked_ms = clock_ms();
    CLEANUP(reply_free) redisReply *reply = NULL;
    int r = queue_run(queue, &cmd, &reply, err);
    if (r != 0)
        return r;
    snprintf(ret->token, sizeof(ret->token), "%s", reply_text(reply_at(reply, 2)));
    ret->epoch = reply_integer(reply_at(reply, 3));
    ret->deadline_ms = asked_ms + reply_integer(reply_at(reply, 1));
    return 0;
}

static void settle_cmd(struct queue *queue, struct redis_cmd *cmd, enum script script,
                       const struct settle_lease *lease)
{
    queue_cmd(queue, cmd, script);
    redis_cmd_addz(cmd, lease->token);
    redis_cmd_addi(cmd, lease->epoch);
}

int queue_settle_renew(struct queue *queue, struct settle_lease *lease, enum lease_answer *ret,
                       struct err *err)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    settle_cmd(queue, &cmd, SCRIPT_SETTLE_RENEW, lease);
    int64_t asked_ms = clock_ms();
    CLEANUP(reply_free) redisReply *reply = NULL;
    int r = queue_run(queue, &cmd, &reply, err);
    if (r != 0)
        return r;
    *ret = lease_answer_of(reply_at(reply, 2));
    if (*ret == LEASE_OK)
        lease->deadline_ms = asked_ms + reply_integer(reply_at(reply, 1));
    return 0;
}

int queue_settle_finish(struct queue *queue, const struct settle_lease *lease,
                        enum lease_answer *ret, struct err *err)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    settle_cmd(queue, &cmd, SCRIPT_SETTLE_FINISH, lease);
    redis_cmd_addi(&cmd, SETTLED_TTL_MS);
    CLEANUP(reply_free) redisReply *reply = NULL;
    int r = queue_run(queue, &cmd, &reply, err);
    if (r != 0)
        return r;
    *ret = lease_answer_of(reply_at(reply, 1));
    return *ret == LEASE_STALE ? 0 : queue_unclaim(queue, err);
}

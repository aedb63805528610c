/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* queue_look.c - would lease find nothing?
 *
 * When a batch ends, all its workers but a few wait, and each looks once a second. The lease script
 * makes a dozen calls to Redis, two of which write; most of its cost is the interpreter's. Here
 * seven commands in one request read as much as tells that nothing is pending, no lease has run out
 * and no delayed key is due. They are not one moment, and need not be: whatever changes between two
 * of them is seen at the next look. Where there may be something, or nothing is left at all,
 * lease decides. */
#include <stdlib.h>

#include "queue/queue_impl.h"

enum {
    WAIT_MAX_MS = 1000,
    BACKOFF_MAX_MS = 60000, /* as in prelude.lua */
    SLACK_MS = 1000,        /* the same */
    PLACES = 2,             /* leased and delayed, each with a first and a last end */
};

enum { ASK_BATCH, ASK_TIME, ASK_PENDING, ASK_ENDS, ASKS = ASK_ENDS + 2 * PLACES };

static void end_cmd(struct redis_cmd *cmd, const char *place, const char *at)
{
    redis_cmd_addz(cmd, "ZRANGE");
    redis_cmd_addz(cmd, place);
    redis_cmd_addz(cmd, at);
    redis_cmd_addz(cmd, at);
    redis_cmd_addz(cmd, "WITHSCORES");
}

static void look_cmds(const struct queue *queue, struct redis_cmd *cmds)
{
    static const char *const fields[] = {"inc", "settled", "cancelled", "paused", "lease_ms"};
    redis_cmd_addz(&cmds[ASK_BATCH], "HMGET");
    redis_cmd_addz(&cmds[ASK_BATCH], queue->names[NAME_BATCH]);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        redis_cmd_addz(&cmds[ASK_BATCH], fields[i]);
    redis_cmd_addz(&cmds[ASK_TIME], "TIME");
    redis_cmd_addz(&cmds[ASK_PENDING], "EXISTS");
    redis_cmd_addz(&cmds[ASK_PENDING], queue->names[NAME_PENDING]);
    end_cmd(&cmds[ASK_ENDS], queue->names[NAME_LEASED], "0");
    end_cmd(&cmds[ASK_ENDS + 1], queue->names[NAME_LEASED], "-1");
    end_cmd(&cmds[ASK_ENDS + 2], queue->names[NAME_DELAYED], "0");
    end_cmd(&cmds[ASK_ENDS + 3], queue->names[NAME_DELAYED], "-1");
}

static bool is_empty(const redisReply *end)
{
    return !reply_at(end, 1);
}

static int64_t end_time(const redisReply *end)
{
    return (int64_t)strtod(reply_text(reply_at(end, 1)), NULL);
}

/* Some key may come back: *wait_ms is how long it takes, unless it was less before. False: one can
 * now, or a time is too far off to be meant. */
static bool all_ahead(redisReply *const *ends, int64_t now, int64_t longest_ms, int64_t *wait_ms)
{
    int64_t first = end_time(ends[0]), last = end_time(ends[1]);
    if (first <= now || last > now + longest_ms + SLACK_MS)
        return false;
    *wait_ms = first - now < *wait_ms ? first - now : *wait_ms;
    return true;
}

static int decide(const struct queue *queue, redisReply *const *replies, int64_t *ret_wait_ms)
{
    const redisReply *batch = replies[ASK_BATCH], *time = replies[ASK_TIME];
    redisReply *const *leased = &replies[ASK_ENDS], *const *delayed = &replies[ASK_ENDS + 2];
    int64_t now = reply_integer(reply_at(time, 0)) * 1000 + reply_integer(reply_at(time, 1)) / 1000;
    bool is_pending = reply_integer(replies[ASK_PENDING]);
    bool is_leased = !is_empty(leased[0]), is_delayed = !is_empty(delayed[0]);
    int64_t wait_ms = WAIT_MAX_MS;
    if (strcmp(reply_text(reply_at(batch, 0)), queue->incarnation) != 0)
        return QUEUE_GONE;
    if (*reply_text(reply_at(batch, 1)))
        return QUEUE_SETTLED;
    if (*reply_text(reply_at(batch, 2)))
        return QUEUE_CANCELLED;
    bool paused = *reply_text(reply_at(batch, 3));
    if ((is_pending && !paused) || (!is_pending && !is_leased && !is_delayed))
        return 0;
    if (!paused && is_leased &&
        !all_ahead(leased, now, reply_integer(reply_at(batch, 4)), &wait_ms))
        return 0;
    if (!paused && is_delayed && !all_ahead(delayed, now, BACKOFF_MAX_MS, &wait_ms))
        return 0;
    *ret_wait_ms = wait_ms;
    return paused ? QUEUE_PAUSED : QUEUE_EMPTY;
}

int queue_look(struct queue *queue, int64_t *ret_wait_ms, struct err *err)
{
    struct redis_cmd cmds[ASKS] = {0};
    redisReply *replies[ASKS];
    look_cmds(queue, cmds);
    int r = redis_run(queue->redis, cmds, ASKS, replies, err);
    if (r == 0)
        r = decide(queue, replies, ret_wait_ms);
    for (int i = 0; i < ASKS; i++) {
        reply_free(replies[i]);
        redis_cmd_deinit(&cmds[i]);
    }
    return r;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis.c - see redis.h. */
#include "queue/redis.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/retry.h"
#include "queue/redis_link.h"
#include "queue/redis_nodes.h"
#include "queue/redis_tls.h"

enum {
    BACKOFF_MS = 20,
    BACKOFF_MAX_MS = 1000,
    SEND_AT_BYTES = 16384,
    REDIRECTS_MAX = 8, /* of one pipeline; then the cluster is not in order, and is waited for */
};

struct redis {
    struct redis_nodes nodes;
    int64_t patience_ms;
    struct retry backoff; /* goes on from call to call until one succeeds */
    int64_t not_before_ms;
};

/* ---- open and close ---- */

/* Writing to a connection that the other side has closed must be an error, not the end of the
 * process; hiredis leaves this to the program. A handler that the program has set stays. */
static void ignore_sigpipe(void)
{
    struct sigaction old;
    if (sigaction(SIGPIPE, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
}

static void backoff_reset(struct redis *redis)
{
    redis->backoff = retry_start(INT64_MAX, BACKOFF_MS, BACKOFF_MAX_MS, random_u64());
    redis->not_before_ms = 0;
}

static int url_read(const char *text, struct redis_url *ret, struct err *err)
{
    int r = redis_url_parse(text, ret, err);
    if (r < 0)
        return r;
    r = redis_url_environment(ret, err);
    if (r == 0 && ret->tls)
        r = redis_tls_available(ret, err);
    if (r < 0)
        redis_url_deinit(ret);
    return r;
}

int redis_open(const char *text, int64_t patience_ms, struct redis **ret, struct err *err)
{
    struct redis_url url;
    int r = url_read(text, &url, err);
    if (r < 0)
        return r;
    CLEANUP(redis_close) struct redis *redis = MEM_NEW(struct redis);
    redis->patience_ms = patience_ms;
    redis_nodes_init(&redis->nodes, &url);
    backoff_reset(redis);
    ignore_sigpipe();
    CLEANUP(redis_cmd_deinit) struct redis_cmd ping = {0};
    redis_cmd_addz(&ping, "PING");
    redisReply *reply;
    r = redis_run(redis, &ping, 1, &reply, err);
    if (r < 0)
        return r;
    freeReplyObject(reply);
    *ret = redis;
    redis = NULL;
    return 0;
}

void redis_close(struct redis *redis)
{
    if (!redis)
        return;
    redis_nodes_deinit(&redis->nodes);
    free(redis);
}

const char *redis_url(const struct redis *redis)
{
    return redis->nodes.url.shown;
}

bool redis_is_cluster(const struct redis *redis)
{
    return redis->nodes.slots;
}

int64_t redis_connections(const struct redis *redis)
{
    return redis->nodes.connections;
}

/* ---- one exchange ---- */

/* A pipeline under way. A command without a reply is to be sent, to its node. */
struct exchange {
    const struct redis_cmd *cmds;
    size_t n;
    redisReply **replies;
    struct redis_node **nodes; /* where each was sent */
    bool *asking;              /* a slot is moving: the server is to answer all the same */
    bool whole;                /* scripts go as text */
    bool unknown, redirected;  /* what the answers said: send once more */
};

static bool follows_another(const struct exchange *x, size_t i)
{
    return i > 0 && redis_cmd_slot(&x->cmds[i]) < 0;
}

/* The slot of a command, or of the last one before it that has any. */
static int exchange_slot(const struct exchange *x, size_t i)
{
    while (follows_another(x, i))
        i--;
    return redis_cmd_slot(&x->cmds[i]);
}

static void replies_free(redisReply **replies, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (replies[i])
            freeReplyObject(replies[i]);
        replies[i] = NULL;
    }
}

/* Choose where each command without a reply goes, unless it was sent elsewhere by an answer. */
static int exchange_route(struct redis *redis, struct exchange *x, struct err *err)
{
    for (size_t i = 0; i < x->n; i++) {
        if (x->replies[i] || (x->nodes[i] && x->nodes[i]->context))
            continue;
        int r = 0;
        if (follows_another(x, i) && x->nodes[i - 1])
            x->nodes[i] = x->nodes[i - 1];
        else
            r = redis_nodes_find(&redis->nodes, exchange_slot(x, i), &x->nodes[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* What has been written is sent now and then, so that the server works on it while the rest is
 * written. If that fails, reading the answer says so. */
static void exchange_send(struct exchange *x)
{
    size_t bytes = 0;
    int sent;
    for (size_t i = 0; i < x->n; i++) {
        if (x->replies[i])
            continue;
        if (x->asking[i])
            redisAppendCommand(x->nodes[i]->context, "ASKING");
        redis_cmd_append(&x->cmds[i], x->nodes[i]->context, x->whole);
        bytes += x->cmds[i].bytes.len;
        if (bytes >= SEND_AT_BYTES) {
            redisBufferWrite(x->nodes[i]->context, &sent);
            bytes = 0;
        }
    }
}

/* The next answer of a command's node, the one to ASKING left out. */
static int next_reply(struct redis *redis, struct exchange *x, size_t i, redisReply **ret,
                      struct err *err)
{
    for (int skip = x->asking[i]; skip >= 0; skip--) {
        void *answer = NULL;
        redisContext *context = x->nodes[i]->context;
        if (redisGetReply(context, &answer) != REDIS_OK)
            return redis_link_lost(&redis->nodes.url, context, err);
        if (skip)
            freeReplyObject(answer);
        else
            *ret = answer;
    }
    x->asking[i] = false;
    return 0;
}

/* An answer that is an error: where to send the command instead, or what is wrong. */
static int take_error(struct redis *redis, struct exchange *x, size_t i, const char *text,
                      struct err *err)
{
    if (str_starts(text, "NOSCRIPT")) {
        x->unknown = true;
        return 0;
    }
    struct redis_redirect redirect;
    if (!redis_redirect_parse(text, &redirect))
        return redis_refusal(&redis->nodes.url, text, err);
    x->redirected = true;
    x->asking[i] = redirect.ask;
    int r = redis_nodes_follow(&redis->nodes, x->nodes[i], &redirect, &x->nodes[i], err);
    free(redirect.host);
    return r;
}

/* Read the answers of all commands that have none. Error answers are not kept: the worst of them is
 * returned, and the command stays without an answer. */
static int exchange_read(struct redis *redis, struct exchange *x, struct err *err)
{
    int worst = 0;
    x->unknown = x->redirected = false;
    for (size_t i = 0; i < x->n; i++) {
        redisReply *reply = NULL;
        struct err one = {0};
        if (x->replies[i])
            continue;
        int r = next_reply(redis, x, i, &reply, err);
        if (r < 0)
            return r;
        if ((x->unknown || x->redirected) && follows_another(x, i)) {
            x->nodes[i] = NULL; /* the one before it will be sent again, and so this one */
        } else if (reply->type != REDIS_REPLY_ERROR) {
            x->replies[i] = reply;
            continue;
        } else {
            r = take_error(redis, x, i, reply->str, &one);
        }
        freeReplyObject(reply);
        if (r < 0 && (worst == 0 || worst == ERR_RETRY))
            worst = err_set(err, r, "%s", one.text);
    }
    return worst;
}

static int exchange_all(struct redis *redis, struct exchange *x, struct err *err)
{
    for (int redirects = 0; redirects < REDIRECTS_MAX; redirects++) {
        int r = exchange_route(redis, x, err);
        if (r < 0)
            return r;
        exchange_send(x);
        r = exchange_read(redis, x, err);
        if (r < 0 || (!x->unknown && !x->redirected))
            return r;
        if (x->unknown && x->whole)
            return err_set(err, ERR_BUG, "Redis %s does not take a script's text",
                           redis_url(redis));
        x->whole |= x->unknown;
    }
    return err_set(err, ERR_RETRY, "Redis %s cannot do it now: its servers name one another",
                   redis_url(redis));
}

/* Send all commands that have no answer, and read their answers. */
static int exchange(struct redis *redis, const struct redis_cmd *cmds, size_t n,
                    redisReply **replies, struct err *err)
{
    if (fault_before("redis"))
        return err_set(err, ERR_UNREACHABLE, "Redis %s: cut by a test before sending",
                       redis_url(redis));
    struct exchange x = {.cmds = cmds,
                         .n = n,
                         .replies = replies,
                         .nodes = mem_zalloc((n + 1) * sizeof(struct redis_node *)),
                         .asking = mem_zalloc(n + 1)};
    int r = exchange_all(redis, &x, err);
    free(x.nodes);
    free(x.asking);
    if (r == 0 && fault_after("redis")) {
        replies_free(replies, n);
        return err_set(err, ERR_UNREACHABLE, "Redis %s: cut by a test before the answer",
                       redis_url(redis));
    }
    return r;
}

/* ---- until it is answered ---- */

/* Wait as the last failure asked, also if that was in an earlier call: however often a program
 * comes back, a Redis that is away is tried ever less often. */
static void backoff_wait(const struct redis *redis)
{
    int64_t wait = redis->not_before_ms - clock_ms();
    if (wait > 0)
        clock_sleep_ms(wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS);
}

int redis_run(struct redis *redis, const struct redis_cmd *cmds, size_t n, redisReply **ret,
              struct err *err)
{
    int64_t until_ms = clock_ms() + redis->patience_ms;
    memset(ret, 0, n * sizeof(*ret));
    for (;;) {
        struct err why = {0};
        backoff_wait(redis);
        int r = exchange(redis, cmds, n, ret, &why);
        if (r == 0) {
            backoff_reset(redis);
            return 0;
        }
        redis_nodes_drop(&redis->nodes); /* a server that was a master may be one no more */
        bool worth = r == ERR_UNREACHABLE || (r == ERR_RETRY && !redis_refusal_is_full(why.text));
        int64_t now = clock_ms();
        if (worth)
            redis->not_before_ms = now + retry_next(&redis->backoff, now, 0);
        if (!worth || redis->not_before_ms > until_ms) {
            replies_free(ret, n);
            return err_set(err, r, "%s", why.text);
        }
    }
}

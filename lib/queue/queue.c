/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* queue.c - the connection, the choice of a batch, and how scripts are run; and here, once, the
 * protocol.
 *
 * WHAT IS IN REDIS. Everything about batch NAME has the hash tag {NAME} in its key, so that a
 * cluster keeps it on one server, and every script is given all fifteen keys in one order:
 *
 *   hiwari:{NAME}:batch   hash: incarnation, settings, flags, counters, the settling lease
 *   …:json                string: the text of _batch.json
 *   …:records             hash: key -> record, whose fields prelude.lua names
 *   …:pending             sorted set by order; leasing takes from one end of it
 *   …:delayed             sorted set by due time
 *   …:leased              sorted set by deadline
 *   …:done                set
 *   …:failed              sorted set by time of failing
 *   …:errors              hash: key -> class and text of its last failure
 *   …:history             hash: key -> its ended leases, at most nine
 *   …:workers             hash: worker -> number, last call, keys done, keys held
 *   …:seen                sorted set of workers by when they were heard of
 *   …:names               hash: number -> worker, pod, node, since records name workers by number;
 *                         of those that are there and the last twenty thousand
 *   …:rate                hash: ten seconds -> keys done in them; the last eight
 *   …:locks               hash: what -> holder and deadline
 *
 * and outside of any batch, each touched by commands of its own: hiwari:batches, a set of names,
 * and hiwari:{HASH}:dest, which batch and incarnation may write to the destination with that hash.
 *
 * A key is in exactly one of pending, delayed, leased, done, failed, and its record's first letter
 * says in which. A record says it because a place alone cannot be asked what it lost; the place
 * says it because a record alone can only be found by reading all of them. fsck compares the two,
 * and both with the number of records that the batch counts. Sorted sets, not lists, hold what
 * waits: any key can be asked for and taken out in bounded time. A million keys like dates take 175
 * bytes each while pending and 182 when done at the first attempt (Redis 7.0): a record that says
 * nothing yet is one letter, workers are numbers, and a key's first lease is told by its record
 * alone.
 *
 * ONE SCRIPT PER VERB. A verb reads, decides and writes in one script, so that nobody sees a key
 * between two places and a client that dies at any moment leaves every key in one of them. Time is
 * the server's, taken inside the script. No loop runs over more than QUEUE_STEP items. Each script
 * compares the incarnation first and answers GONE. A script's first write is one that a full Redis
 * permits, after which it permits the others: finished work can be told even then.
 *
 * LEASES. lease takes back at most a hundred expired leases, promotes at most a hundred delayed
 * keys that are due, takes the keys that come first, and gives each a token: the number of the
 * call, which a failover may roll back, two digits for the key's place in it, and the call's random
 * nonce, which a failover cannot. There is no reaper; whoever looks for work takes back. A deadline
 * farther off than the lease time can only come from another server's clock, and counts as reached
 * (a second of slack lets a clock step back); so does a due time beyond the longest backoff. renew,
 * done, fail and release compare the token with the record's and answer OK, STALE or, where this
 * very verb with this token was heard before, ALREADY.
 *
 * TWO BUDGETS. fail costs an attempt. A lease that was lost or released costs an interruption if
 * work on the key had begun, and nothing otherwise. That it has is told with renew; a worker that
 * has nothing to do says so when it leases, since a key may end it before another word. After two
 * interruptions a key is suspected of ending its workers: it goes behind all others, and is leased
 * only to a worker that holds nothing, which then gets nothing else.
 *
 * LOST ANSWERS. Every verb may be repeated. For lease this is the nonce: a worker's last nonce is
 * remembered, a call with the same nonce is the same call, and is answered with what it was given
 * the first time. The client keeps the nonce until a call with it was answered, however many calls
 * that takes. So a repeated call leases nothing twice, and the first one, if it arrives late,
 * leases nothing into the void.
 *
 * WAITING. Thousands of workers may wait for the last keys of a batch. One that got nothing from
 * lease does not call it again at each look, but reads with plain commands, a third of the cost,
 * what tells that there is still nothing (queue_look.c).
 *
 * SETTLING is a lease on the batch with a token of its own. The epoch rises with each reopen:
 * before keys of a batch move again, the mover reopens it, which makes a settling in progress stale
 * and keeps others from starting until the keys have moved or half a minute has passed, within
 * which a mover either goes on or is dead.
 *
 * DESTINATIONS. The claim on a destination is another key on maybe another server, so no script
 * sees it together with the batch. begin claims, makes the batch, and looks at the claim again; a
 * claim whose batch is absent, settled or cancelled may be taken over, and who takes it over looks
 * at that batch again afterwards. Of two that meet, at most one goes on; in the worst moment
 * neither does, and the person is told to try again. */
#include "queue/queue_impl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/retry.h"

enum { PATIENCE_MS = 5000, NAME_MAX_BYTES = 100, KEY_MAX_BYTES = 200, PIPELINE = 32 };

/* ---- connection ---- */

/* The server's maxmemory_policy in ret, "" when it does not tell. near: a key on the server that is
 * meant, where there are several. */
static int policy_read(struct redis *redis, const char *near, char *ret, size_t size,
                       struct err *err)
{
    struct redis_cmd cmds[2] = {0};
    redisReply *replies[2] = {0};
    redis_cmd_addz(&cmds[0], "EXISTS");
    redis_cmd_addz(&cmds[0], near);
    redis_cmd_addz(&cmds[1], "INFO");
    redis_cmd_addz(&cmds[1], "memory");
    int r = redis_run(redis, cmds, 2, replies, err);
    const char *policy = strstr(reply_text(replies[1]), "maxmemory_policy:");
    policy = policy ? policy + strlen("maxmemory_policy:") : "";
    if (r == 0)
        snprintf(ret, size, "%.*s", (int)strcspn(policy, "\r\n"), policy);
    for (int i = 0; i < 2; i++) {
        reply_free(replies[i]);
        redis_cmd_deinit(&cmds[i]);
    }
    return r;
}

/* A Redis that evicts would drop keys without a word. */
static int eviction_check(struct redis *redis, const char *near, struct err *err)
{
    char policy[64];
    int r = policy_read(redis, near, policy, sizeof(policy), err);
    if (r == ERR_CONFIG) {
        log_warn("cannot see Redis' maxmemory_policy; it must be noeviction",
                 LOG_S("redis", redis_url(redis)));
        return 0;
    }
    if (r < 0 || !*policy || strcmp(policy, "noeviction") == 0)
        return r;
    return err_set(err, ERR_CONFIG,
                   "Redis %s has maxmemory-policy %s and would drop keys when it is full; set it "
                   "to noeviction, or allow eviction explicitly (--allow-eviction)",
                   redis_url(redis), policy);
}

/* The URL, wherever it is said. Kubernetes hands secrets over as files: in an environment they
 * would be shown by whatever shows a pod. Caller owns *ret. */
static int find_url(const char *given, char **ret, struct err *err)
{
    const char *url = given ? given : getenv("HIWARI_REDIS");
    const char *file = getenv("HIWARI_REDIS_FILE");
    if ((url && *url) || !file || !*file) {
        *ret = mem_strdup(url && *url ? url : "redis://127.0.0.1:6379");
        return 0;
    }
    CLEANUP(str_deinit) struct str text = {0};
    if (fs_read_small(file, &text, err) < 0) {
        if (err)
            err->code = ERR_CONFIG;
        return err_prefix(err, "HIWARI_REDIS_FILE");
    }
    size_t len = text.len;
    while (len > 0 && isspace((unsigned char)text.s[len - 1]))
        len--;
    if (len == 0)
        return err_set(err, ERR_CONFIG,
                       "HIWARI_REDIS_FILE: %s is empty, where a redis:// URL is expected", file);
    *ret = mem_strndup(text.s, len);
    return 0;
}

int queue_open(const struct queue_options *options, struct queue **ret, struct err *err)
{
    CLEANUP(mem_free_chars) char *url = NULL;
    int r = find_url(options->url, &url, err);
    if (r < 0)
        return r;
    CLEANUP(redis_close) struct redis *redis = NULL;
    r = redis_open(url, options->patience_ms > 0 ? options->patience_ms : PATIENCE_MS, &redis, err);
    if (r == 0 && !options->allow_eviction)
        r = eviction_check(redis, QUEUE_BATCHES, err);
    if (r < 0)
        return r;
    struct queue *queue = MEM_NEW(struct queue);
    queue->redis = redis;
    queue->check_servers = redis_is_cluster(redis) && !options->allow_eviction;
    redis = NULL;
    *ret = queue;
    return 0;
}

static void names_free(struct queue *queue)
{
    free(queue->batch);
    free(queue->incarnation);
    free(queue->idler);
    free(queue->added_last);
    for (int i = 0; i < QUEUE_NAMES; i++)
        free(queue->names[i]);
}

void queue_close(struct queue *queue)
{
    if (!queue)
        return;
    redis_close(queue->redis);
    names_free(queue);
    free(queue);
}

const char *queue_url(const struct queue *queue)
{
    return redis_url(queue->redis);
}

const char *queue_batch(const struct queue *queue)
{
    return queue->batch;
}

const char *queue_incarnation(const struct queue *queue)
{
    return queue->incarnation;
}

bool queue_name_ok(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-");
    return len > 0 && name[len] == '\0' && len <= NAME_MAX_BYTES;
}

void queue_names_set(struct queue *queue, const char *batch, const char *incarnation)
{
    static const char *const last[QUEUE_NAMES] = {
        "batch",  "json",    "records", "pending", "delayed", "leased", "done", "failed",
        "errors", "history", "workers", "seen",    "names",   "rate",   "locks"};
    char *own_batch = mem_strdup(batch);
    char *own_incarnation = mem_strdup(incarnation);
    names_free(queue);
    queue->batch = own_batch;
    queue->incarnation = own_incarnation;
    for (int i = 0; i < QUEUE_NAMES; i++)
        queue->names[i] = mem_printf("hiwari:{%s}:%s", batch, last[i]);
    queue->lease_nonce[0] = '\0';
    queue->idler = queue->added_last = NULL;
    queue->added = 0;
}

int queue_use(struct queue *queue, const char *batch, const char *incarnation, struct err *err)
{
    if (!queue_name_ok(batch))
        return err_set(err, ERR_USAGE,
                       "batch name \"%s\": use 1 to 100 of a-z, 0-9, \".\" and \"-\"", batch);
    CLEANUP(mem_free_chars) char *name = mem_printf("hiwari:{%s}:batch", batch);
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    redis_cmd_addz(&cmd, "HGET");
    redis_cmd_addz(&cmd, name);
    redis_cmd_addz(&cmd, "inc");
    CLEANUP(reply_free) redisReply *reply = NULL;
    int r = queue->check_servers ? eviction_check(queue->redis, name, err) : 0;
    if (r == 0)
        r = redis_run(queue->redis, &cmd, 1, &reply, err);
    if (r < 0)
        return r;
    const char *present = reply_text(reply);
    queue_names_set(queue, batch, incarnation ? incarnation : present);
    return !*present || strcmp(queue->incarnation, present) != 0 ? QUEUE_GONE : 0;
}

void queue_nonce(char nonce[QUEUE_NONCE])
{
    snprintf(nonce, QUEUE_NONCE, "%012llx", (unsigned long long)(random_u64() >> 16));
}

/* ---- scripts ---- */

void queue_cmd(const struct queue *queue, struct redis_cmd *cmd, enum script script)
{
    redis_cmd_clear(cmd);
    redis_cmd_script(cmd, script);
    redis_cmd_addi(cmd, QUEUE_NAMES);
    for (int i = 0; i < QUEUE_NAMES; i++)
        redis_cmd_addz(cmd, queue->names[i]);
    redis_cmd_addz(cmd, queue->incarnation);
}

int queue_answer(const redisReply *reply, struct err *err)
{
    static const struct {
        const char *word;
        int answer;
    } answers[] = {
        {"OK", 0},
        {"EMPTY", QUEUE_EMPTY},
        {"GONE", QUEUE_GONE},
        {"SETTLED", QUEUE_SETTLED},
        {"SETTLE", QUEUE_SETTLE},
        {"PAUSED", QUEUE_PAUSED},
        {"CANCELLED", QUEUE_CANCELLED},
        {"BUSY", QUEUE_BUSY},
        {"ABSENT", QUEUE_ABSENT},
    };
    const char *word = reply_text(reply_at(reply, 0));
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        if (strcmp(word, answers[i].word) == 0)
            return answers[i].answer;
    return err_set(err, ERR_BUG, "a queue script answered \"%.100s\"", word);
}

int queue_run(struct queue *queue, const struct redis_cmd *cmd, redisReply **ret, struct err *err)
{
    redisReply *reply;
    int r = redis_run(queue->redis, cmd, 1, &reply, err);
    if (r < 0)
        return r;
    r = queue_answer(reply, err);
    if (r == 0)
        *ret = reply;
    else
        freeReplyObject(reply);
    return r;
}

int queue_run_plain(struct queue *queue, const struct redis_cmd *cmd, struct err *err)
{
    CLEANUP(reply_free) redisReply *reply = NULL;
    return queue_run(queue, cmd, &reply, err);
}

/* The commands of up to PIPELINE steps from item `from`, and what their replies say. */
static int walk_some(struct queue *queue, const struct queue_walk *walk, int64_t from, int steps,
                     struct err *err)
{
    struct redis_cmd cmds[PIPELINE] = {0};
    redisReply *replies[PIPELINE] = {0};
    int n = 0;
    for (int64_t i = from; n < steps && i < walk->n; n++) {
        queue_cmd(queue, &cmds[n], walk->script);
        if (walk->begin)
            walk->begin(walk->ctx, &cmds[n], i);
        for (int64_t end = i + walk->step; i < end && i < walk->n; i++)
            walk->fill(walk->ctx, &cmds[n], i);
    }
    int r = redis_run(queue->redis, cmds, (size_t)n, replies, err);
    for (int i = 0; i < n; i++) {
        int64_t at = from + (int64_t)i * walk->step;
        int64_t some = walk->n - at < walk->step ? walk->n - at : walk->step;
        if (r == 0)
            r = queue_answer(replies[i], err);
        if (r == 0)
            r = walk->use(walk->ctx, replies[i], at, some, err);
        reply_free(replies[i]);
        redis_cmd_deinit(&cmds[i]);
    }
    return r;
}

int queue_walk(struct queue *queue, const struct queue_walk *walk, struct err *err)
{
    /* The first step of all goes alone: it brings the script to a server that does not know it, so
     * that the others are not all sent twice, and in another order. */
    for (int64_t from = 0; from < walk->n;) {
        int steps = queue->walked[walk->script] ? PIPELINE : 1;
        int r = walk_some(queue, walk, from, steps, err);
        if (r != 0)
            return r;
        queue->walked[walk->script] = true;
        from += (int64_t)steps * walk->step;
    }
    return 0;
}

/* ---- replies and records ---- */

const char *reply_text(const redisReply *reply)
{
    bool text = reply && (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS);
    return text ? reply->str : "";
}

int64_t reply_integer(const redisReply *reply)
{
    int64_t value = 0;
    if (reply && reply->type == REDIS_REPLY_INTEGER)
        return reply->integer;
    if (!str_to_i64(reply_text(reply), &value))
        return 0;
    return value;
}

const redisReply *reply_at(const redisReply *reply, size_t i)
{
    bool there = reply && reply->type == REDIS_REPLY_ARRAY && i < reply->elements;
    return there ? reply->element[i] : NULL;
}

void fields_split(char *text, char **fields, int n)
{
    for (int i = 0; i < n; i++) {
        fields[i] = text;
        text += strcspn(text, "|");
        if (*text && i + 1 < n)
            *text++ = '\0';
    }
}

int64_t field_integer(const char *field, int64_t missing)
{
    int64_t value;
    return str_to_i64(field, &value) ? value : missing;
}

static const char state_letters[] = "pwldf"; /* in the order of enum key_state */

bool key_state_of_letter(char letter, enum key_state *ret)
{
    const char *at = letter ? strchr(state_letters, letter) : NULL;
    if (at)
        *ret = (enum key_state)(at - state_letters);
    return at;
}

char key_state_letter(enum key_state state)
{
    return state_letters[state];
}

const char *key_state_name(enum key_state state)
{
    static const char *const names[] = {"pending", "delayed", "leased", "done", "failed"};
    return names[state];
}

int queue_keys_check(const char *const *keys, int64_t n, struct err *err)
{
    for (int64_t i = 0; i < n; i++) {
        size_t len = strlen(keys[i]);
        bool ok = len > 0 && len <= KEY_MAX_BYTES && !strpbrk(keys[i], "|!/\\ ");
        for (size_t j = 0; ok && j < len; j++)
            ok = (unsigned char)keys[i][j] > ' ' && keys[i][j] != 0x7f;
        if (!ok)
            return err_set(err, ERR_INPUT,
                           "key \"%.200s\": use 1 to %d bytes without spaces, control characters, "
                           "\"/\", \"\\\", "
                           "\"|\" and \"!\"",
                           keys[i], KEY_MAX_BYTES);
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* queue_batch.c - a batch's life: begin, add, seal, reopen, pause, cancel, purge, and who owns a
 * destination. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "queue/queue_impl.h"

/* ---- who owns a destination ---- */

static char *claim_name(const char *dest)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX];
    sha256_of(dest, strlen(dest), digest);
    hash_hex(digest, SHA256_BYTES, hex);
    return mem_printf("hiwari:{%.16s}:dest", hex);
}

/* Set the claim on dest to owner unless somebody else than old has it. ret_owner says who (caller
 * owns; NULL on success). */
static int claim_set(struct queue *queue, const char *dest, const char *owner, const char *old,
                     char **ret_owner, struct err *err)
{
    CLEANUP(mem_free_chars) char *name = claim_name(dest);
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    redis_cmd_script(&cmd, SCRIPT_CLAIM);
    redis_cmd_addi(&cmd, 1);
    redis_cmd_addz(&cmd, name);
    redis_cmd_addz(&cmd, owner);
    redis_cmd_addz(&cmd, old);
    CLEANUP(reply_free) redisReply *reply = NULL;
    int r = redis_run(queue->redis, &cmd, 1, &reply, err);
    if (r < 0)
        return r;
    r = queue_answer(reply, err);
    *ret_owner = r == QUEUE_BUSY ? mem_strdup(reply_text(reply_at(reply, 1))) : NULL;
    return r;
}

/* Is owner ("batch incarnation") a batch that is neither settled nor cancelled? 1, 0 or an ERR_. */
static int owner_lives(struct queue *queue, const char *owner, struct err *err)
{
    size_t len = strcspn(owner, " ");
    CLEANUP(mem_free_chars) char *name = mem_printf("hiwari:{%.*s}:batch", (int)len, owner);
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    redis_cmd_addz(&cmd, "HMGET");
    redis_cmd_addz(&cmd, name);
    redis_cmd_addz(&cmd, "inc");
    redis_cmd_addz(&cmd, "settled");
    redis_cmd_addz(&cmd, "cancelled");
    CLEANUP(reply_free) redisReply *reply = NULL;
    int r = redis_run(queue->redis, &cmd, 1, &reply, err);
    if (r < 0)
        return r;
    bool same = owner[len] && strcmp(reply_text(reply_at(reply, 0)), owner + len + 1) == 0;
    return same && !*reply_text(reply_at(reply, 1)) && !*reply_text(reply_at(reply, 2));
}

static int claim_busy(const char *dest, const char *owner, struct err *err)
{
    int len = (int)strcspn(owner, " ");
    err_set(err, ERR_RETRY,
            "destination %s belongs to batch %.*s, which is not settled; wait for it, cancel or "
            "purge it, or choose "
            "another destination",
            dest, len, owner);
    return QUEUE_BUSY;
}

static char *claim_owner(const struct queue *queue)
{
    return mem_printf("%s %s", queue->batch, queue->incarnation);
}

/* Claim dest for the queue's batch: 0, QUEUE_BUSY with words in err, or an ERR_. */
static int claim_take(struct queue *queue, const char *dest, struct err *err)
{
    CLEANUP(mem_free_chars) char *mine = claim_owner(queue);
    CLEANUP(mem_free_chars) char *old = NULL;
    int r = claim_set(queue, dest, mine, "", &old, err);
    if (r != QUEUE_BUSY)
        return r;
    r = owner_lives(queue, old, err);
    if (r != 0)
        return r < 0 ? r : claim_busy(dest, old, err);
    CLEANUP(mem_free_chars) char *other = NULL;
    r = claim_set(queue, dest, mine, old, &other, err);
    if (r != 0)
        return r < 0 ? r : claim_busy(dest, other, err);
    /* Its batch may have been made since we looked. */
    r = owner_lives(queue, old, err);
    if (r <= 0)
        return r;
    CLEANUP(mem_free_chars) char *unused = NULL;
    r = claim_set(queue, dest, old, mine, &unused, err);
    return r < 0 ? r : claim_busy(dest, old, err);
}

/* Is the claim still the queue's? 0, QUEUE_BUSY with words, or an ERR_. */
static int claim_verify(struct queue *queue, const char *dest, struct err *err)
{
    CLEANUP(mem_free_chars) char *mine = claim_owner(queue);
    CLEANUP(mem_free_chars) char *other = NULL;
    int r = claim_set(queue, dest, mine, "", &other, err);
    return r == QUEUE_BUSY ? claim_busy(dest, other, err) : r;
}

static int batch_dest(struct queue *queue, char **ret, struct err *err)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    redis_cmd_addz(&cmd, "HGET");
    redis_cmd_addz(&cmd, queue->names[NAME_BATCH]);
    redis_cmd_addz(&cmd, "dest");
    CLEANUP(reply_free) redisReply *reply = NULL;
    int r = redis_run(queue->redis, &cmd, 1, &reply, err);
    if (r == 0)
        *ret = mem_strdup(reply_text(reply));
    return r;
}

static int claim_drop(struct queue *queue, const char *dest, struct err *err)
{
    CLEANUP(mem_free_chars) char *mine = claim_owner(queue);
    CLEANUP(mem_free_chars) char *other = NULL;
    int r = claim_set(queue, dest, "", mine, &other, err);
    return r < 0 ? r : 0; /* somebody else's claim is none of ours */
}

int queue_unclaim(struct queue *queue, struct err *err)
{
    CLEANUP(mem_free_chars) char *dest = NULL;
    int r = batch_dest(queue, &dest, err);
    return r < 0 ? r : claim_drop(queue, dest, err);
}

/* ---- begin ---- */

static int names_change(struct queue *queue, const char *verb, const char *batch, struct err *err)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    redis_cmd_addz(&cmd, verb);
    redis_cmd_addz(&cmd, QUEUE_BATCHES);
    redis_cmd_addz(&cmd, batch);
    CLEANUP(reply_free) redisReply *reply = NULL;
    return redis_run(queue->redis, &cmd, 1, &reply, err);
}

static void begin_cmd(const struct queue *queue, struct redis_cmd *cmd,
                      const struct queue_settings *settings)
{
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
        {"lease_ms", settings->lease_ms},
        {"key_ms", settings->key_ms},
        {"max_attempts", settings->max_attempts},
        {"max_interruptions", settings->max_interruptions},
        {"newest", settings->newest_first},
        {"result_version", settings->result_version},
    };
    const char *const texts[][2] = {
        {"spec", settings->spec_sha256},
        {"snapshot", settings->snapshot_id},
        {"dest", settings->dest},
        {"format", settings->format},
    };
    queue_cmd(queue, cmd, SCRIPT_BEGIN);
    redis_cmd_addz(cmd, settings->batch_json ? settings->batch_json : "");
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        redis_cmd_addz(cmd, numbers[i].name);
        redis_cmd_addi(cmd, numbers[i].value);
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        redis_cmd_addz(cmd, texts[i][0]);
        redis_cmd_addz(cmd, texts[i][1] ? texts[i][1] : "");
    }
}

static int settings_check(const char *batch, const struct queue_settings *settings, struct err *err)
{
    if (!queue_name_ok(batch))
        return err_set(err, ERR_USAGE,
                       "batch name \"%s\": use 1 to 100 of a-z, 0-9, \".\" and \"-\"", batch);
    if (settings->lease_ms < 1 || settings->max_attempts < 1 || settings->max_interruptions < 0)
        return err_set(
            err, ERR_CONFIG,
            "batch %s: lease time and attempts must be at least 1, interruptions at least 0",
            batch);
    return 0;
}

/* Make the batch in Redis, or find it there. ret_made: it was made now. */
static int batch_make(struct queue *queue, const struct queue_settings *settings, bool *ret_made,
                      struct err *err)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    begin_cmd(queue, &cmd, settings);
    CLEANUP(reply_free) redisReply *reply = NULL;
    int r = queue_run(queue, &cmd, &reply, err);
    if (r == 0)
        *ret_made = reply_integer(reply_at(reply, 1));
    if (r == QUEUE_BUSY)
        err_set(err, ERR_RETRY,
                "batch %s is not settled yet and was begun by another enqueue; wait for it, cancel "
                "or purge it, or "
                "choose another name",
                queue->batch);
    return r;
}

int queue_begin(struct queue *queue, const char *batch, const char *incarnation,
                const struct queue_settings *settings, struct err *err)
{
    int r = settings_check(batch, settings, err);
    if (r < 0)
        return r;
    const char *dest = settings->dest ? settings->dest : "";
    queue_names_set(queue, batch, incarnation);
    r = claim_take(queue, dest, err);
    if (r == 0)
        r = names_change(queue, "SADD", batch, err);
    if (r != 0)
        return r;
    bool made = false;
    r = batch_make(queue, settings, &made, err);
    if (r == QUEUE_BUSY) {
        int dropped = claim_drop(queue, dest, err);
        return dropped < 0 ? dropped : r;
    }
    if (r == 0)
        r = claim_verify(queue, dest, err);
    if (r == QUEUE_BUSY && made) {
        int64_t removed;
        int purged = queue_purge(queue, &removed, NULL);
        return purged < 0 ? err_set(err, purged, "batch %s: cannot undo its begin", batch) : r;
    }
    return r;
}

/* ---- keys ---- */

struct adding {
    const char *const *keys;
    const int64_t *expect;
    const char *what;  /* add.lua's letter */
    const char *adder; /* "": these keys may be there already */
    int64_t before;    /* keys that this adder has added */
    bool ascending;
    struct queue_added *added;
};

static void add_begin(void *ctx, struct redis_cmd *cmd, int64_t from)
{
    const struct adding *adding = ctx;
    redis_cmd_addz(cmd, adding->what);
    redis_cmd_addi(cmd, adding->ascending);
    redis_cmd_addz(cmd, adding->adder);
    redis_cmd_addi(cmd, adding->before + from);
}

static void add_fill(void *ctx, struct redis_cmd *cmd, int64_t i)
{
    const struct adding *adding = ctx;
    redis_cmd_addz(cmd, adding->keys[i]);
    if (adding->expect && adding->expect[i] != 0)
        redis_cmd_addi(cmd, adding->expect[i]);
    else if (adding->expect)
        redis_cmd_addz(cmd, "");
}

static int add_use(void *ctx, const redisReply *reply, int64_t from, int64_t n, struct err *err)
{
    const struct adding *adding = ctx;
    adding->added->added += reply_integer(reply_at(reply, 1));
    adding->added->present += reply_integer(reply_at(reply, 2));
    adding->added->refused += reply_integer(reply_at(reply, 3));
    return 0;
}

/* Keys that ascend from call to call are all different. */
static bool continues(const struct queue *queue, const struct adding *adding)
{
    const char *last = queue->added_last;
    return adding->ascending && (!last || strcmp(last, adding->keys[0]) < 0);
}

static void adder_note(struct queue *queue, const struct adding *adding, int64_t n)
{
    free(queue->added_last);
    queue->added_last = mem_strdup(adding->keys[n - 1]);
    queue->added += n;
}

static int keys_add(struct queue *queue, struct adding *adding, int64_t n, struct err *err)
{
    int r = queue_keys_check(adding->keys, n, err);
    *adding->added = (struct queue_added){0};
    if (r < 0 || n == 0)
        return r;
    adding->ascending = true;
    for (int64_t i = 1; i < n && adding->ascending; i++)
        adding->ascending = strcmp(adding->keys[i - 1], adding->keys[i]) < 0;
    if (queue->added == 0)
        queue_nonce(queue->adder);
    if (!continues(queue, adding))
        queue->adder[0] = '\0'; /* from now on */
    adding->adder = queue->adder;
    adding->before = queue->added;
    const struct queue_walk walk = {.script = SCRIPT_ADD,
                                    .n = n,
                                    .step = QUEUE_STEP,
                                    .begin = add_begin,
                                    .fill = add_fill,
                                    .use = add_use,
                                    .ctx = adding};
    adder_note(queue, adding, n);
    return queue_walk(queue, &walk, err);
}

static bool any_expected(const int64_t *expect, int64_t n)
{
    for (int64_t i = 0; expect && i < n; i++)
        if (expect[i] != 0)
            return true;
    return false;
}

int queue_add(struct queue *queue, const char *const *keys, const int64_t *expect, int64_t n,
              struct queue_added *ret, struct err *err)
{
    bool any = any_expected(expect, n);
    struct adding adding = {
        .keys = keys, .expect = any ? expect : NULL, .what = any ? "e" : "p", .added = ret};
    return keys_add(queue, &adding, n, err);
}

int queue_add_done(struct queue *queue, const char *const *keys, int64_t n, struct queue_added *ret,
                   struct err *err)
{
    struct adding adding = {.keys = keys, .what = "d", .added = ret};
    return keys_add(queue, &adding, n, err);
}

int queue_seal(struct queue *queue, int64_t expected_total, struct err *err)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    queue_cmd(queue, &cmd, SCRIPT_SEAL);
    redis_cmd_addi(&cmd, expected_total);
    CLEANUP(reply_free) redisReply *reply = NULL;
    int r = redis_run(queue->redis, &cmd, 1, &reply, err);
    if (r < 0)
        return r;
    if (strcmp(reply_text(reply_at(reply, 0)), "DIFFERS") == 0)
        return err_set(err, ERR_CONFIG,
                       "batch %s: Redis holds %lld keys where %lld were added; run hiwari fsck %s, "
                       "then enqueue again",
                       queue->batch, (long long)reply_integer(reply_at(reply, 1)),
                       (long long)expected_total, queue->batch);
    r = queue_answer(reply, err);
    if (r == 0) /* a listing may have dropped the name between its claim and its making */
        r = names_change(queue, "SADD", queue->batch, err);
    return r;
}

/* ---- the rest of its life ---- */

int queue_reopen(struct queue *queue, int64_t *ret_epoch, struct err *err)
{
    CLEANUP(mem_free_chars) char *dest = NULL;
    int r = batch_dest(queue, &dest, err);
    if (r == 0)
        r = claim_take(queue, dest, err);
    if (r != 0)
        return r;
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    queue_cmd(queue, &cmd, SCRIPT_REOPEN);
    redis_cmd_addz(&cmd, "begin");
    CLEANUP(reply_free) redisReply *reply = NULL;
    r = queue_run(queue, &cmd, &reply, err);
    if (r != 0)
        return r;
    *ret_epoch = queue->reopened = reply_integer(reply_at(reply, 1));
    return claim_verify(queue, dest, err);
}

static int control(struct queue *queue, const char *what, struct err *err)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    queue_cmd(queue, &cmd, SCRIPT_CONTROL);
    redis_cmd_addz(&cmd, what);
    return queue_run_plain(queue, &cmd, err);
}

int queue_pause(struct queue *queue, struct err *err)
{
    return control(queue, "pause", err);
}

int queue_resume(struct queue *queue, struct err *err)
{
    return control(queue, "resume", err);
}

int queue_cancel(struct queue *queue, struct err *err)
{
    int r = control(queue, "cancel", err);
    return r == 0 ? queue_unclaim(queue, err) : r;
}

int queue_purge(struct queue *queue, int64_t *ret_removed, struct err *err)
{
    CLEANUP(mem_free_chars) char *dest = NULL;
    int r = batch_dest(queue, &dest, err);
    if (r < 0)
        return r;
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    queue_cmd(queue, &cmd, SCRIPT_PURGE);
    CLEANUP(reply_free) redisReply *reply = NULL;
    r = queue_run(queue, &cmd, &reply, err);
    if (r != 0)
        return r;
    *ret_removed = reply_integer(reply_at(reply, 1));
    r = claim_drop(queue, dest, err);
    return r < 0 ? r : names_change(queue, "SREM", queue->batch, err);
}

int queue_batch_json(struct queue *queue, char **ret, struct err *err)
{
    struct redis_cmd cmds[2] = {0};
    redisReply *replies[2] = {0};
    redis_cmd_addz(&cmds[0], "HGET");
    redis_cmd_addz(&cmds[0], queue->names[NAME_BATCH]);
    redis_cmd_addz(&cmds[0], "inc");
    redis_cmd_addz(&cmds[1], "GET");
    redis_cmd_addz(&cmds[1], queue->names[NAME_JSON]);
    int r = redis_run(queue->redis, cmds, 2, replies, err);
    if (r == 0 && strcmp(reply_text(replies[0]), queue->incarnation) != 0)
        r = QUEUE_GONE;
    if (r == 0)
        *ret = mem_strdup(reply_text(replies[1]));
    for (int i = 0; i < 2; i++) {
        reply_free(replies[i]);
        redis_cmd_deinit(&cmds[i]);
    }
    return r;
}

/* ---- all batches ---- */

static int name_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Keep of n names those whose batch is there; forget the others. */
static int names_filter(struct queue *queue, char **names, int *n, struct err *err)
{
    int kept = 0;
    int r = 0;
    for (int i = 0; i < *n; i++) {
        CLEANUP(mem_free_chars) char *name = mem_printf("hiwari:{%s}:batch", names[i]);
        CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
        CLEANUP(reply_free) redisReply *reply = NULL;
        redis_cmd_addz(&cmd, "EXISTS");
        redis_cmd_addz(&cmd, name);
        r = r < 0 ? r : redis_run(queue->redis, &cmd, 1, &reply, err);
        if (r == 0 && reply_integer(reply) == 0)
            r = names_change(queue, "SREM", names[i], err);
        if (r == 0 && reply_integer(reply) == 1)
            names[kept++] = names[i];
        else
            free(names[i]);
    }
    *n = kept;
    return r;
}

int queue_list(struct queue *queue, char ***ret_names, int *ret_n, struct err *err)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    redis_cmd_addz(&cmd, "SMEMBERS");
    redis_cmd_addz(&cmd, QUEUE_BATCHES);
    CLEANUP(reply_free) redisReply *reply = NULL;
    int r = redis_run(queue->redis, &cmd, 1, &reply, err);
    if (r < 0)
        return r;
    int n = (int)reply->elements;
    char **names = MEM_ARRAY(char *, n + 1);
    for (int i = 0; i < n; i++)
        names[i] = mem_strdup(reply_text(reply_at(reply, (size_t)i)));
    qsort(names, (size_t)n, sizeof(*names), name_order);
    r = names_filter(queue, names, &n, err);
    if (r < 0) {
        while (n > 0)
            free(names[--n]);
        free(names);
        return r;
    }
    *ret_names = names;
    *ret_n = n;
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* queue_show.c - looking: a batch in numbers, one key, every key. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "queue/queue_impl.h"

enum { RATE_SECONDS = 60, RATE_SLOT_MS = 10000, LINEAGE_FIELDS = 5, LEASES_MAX = 10 };

/* ---- status ---- */

/* Replies of status.lua, after OK. */
enum {
    STATUS_NOW = 1,
    STATUS_BATCH,
    STATUS_COUNTS,
    STATUS_RATE,
    STATUS_SEEN,
    STATUS_WORKERS,
    STATUS_NAMES,
    STATUS_FAILED,
    STATUS_ERRORS,
    STATUS_RECORDS,
};
enum {
    BATCH_SEALED,
    BATCH_SETTLED,
    BATCH_PAUSED,
    BATCH_CANCELLED,
    BATCH_TOTAL,
    BATCH_ATTEMPTS,
    BATCH_INTERRUPTIONS,
    BATCH_EPOCH,
    BATCH_MADE
};
enum {
    COUNT_PENDING,
    COUNT_DELAYED,
    COUNT_LEASED,
    COUNT_DONE,
    COUNT_FAILED,
    COUNT_RECORDS,
    COUNT_WORKERS
};

static const char *batch_state(const redisReply *batch)
{
    if (reply_integer(reply_at(batch, BATCH_SETTLED)))
        return "settled";
    if (reply_integer(reply_at(batch, BATCH_CANCELLED)))
        return "cancelled";
    if (reply_integer(reply_at(batch, BATCH_PAUSED)))
        return "paused";
    return reply_integer(reply_at(batch, BATCH_SEALED)) ? "running" : "filling";
}

/* Keys done in the last minute, or since the batch was made if that is shorter, per second. */
static double rate_of(const redisReply *slots, int64_t now_ms, int64_t made_ms)
{
    int64_t since = now_ms - RATE_SECONDS * INT64_C(1000);
    int64_t done = 0;
    int64_t first = INT64_MAX;
    for (size_t i = 0; slots && i + 1 < slots->elements; i += 2) {
        int64_t begin = reply_integer(reply_at(slots, i)) * RATE_SLOT_MS;
        if (begin + RATE_SLOT_MS <= since || begin > now_ms)
            continue;
        done += reply_integer(reply_at(slots, i + 1));
        first = begin < first ? begin : first;
    }
    if (done == 0)
        return 0;
    int64_t from = first > made_ms ? first : made_ms;
    double seconds = (double)(now_ms - from) / 1000;
    return (double)done / (seconds > 1 ? seconds : 1);
}

static void status_workers(const redisReply *reply, struct queue_status *status)
{
    int64_t now_ms = reply_integer(reply_at(reply, STATUS_NOW));
    const redisReply *seen = reply_at(reply, STATUS_SEEN);
    status->n_workers = (int)(seen->elements / 2);
    status->workers = MEM_ARRAY(struct queue_worker, status->n_workers + 1);
    for (int i = 0; i < status->n_workers; i++) {
        size_t at = (size_t)i;
        CLEANUP(mem_free_chars)
        char *text = mem_strdup(reply_text(reply_at(reply_at(reply, STATUS_WORKERS), at)));
        CLEANUP(mem_free_chars)
        char *name = mem_strdup(reply_text(reply_at(reply_at(reply, STATUS_NAMES), at)));
        char *worker[4], *names[3]; /* number|nonce|done|held; id|pod|node */
        fields_split(text, worker, 4);
        fields_split(name, names, 3);
        int64_t ago = now_ms - reply_integer(reply_at(seen, 2 * at + 1));
        status->workers[i] = (struct queue_worker){
            .id = mem_strdup(reply_text(reply_at(seen, 2 * at))),
            .node = mem_strdup(names[2]),
            .done = field_integer(worker[2], 0),
            .seen_ms = ago > 0 ? ago : 0,
        };
    }
}

/* The command that reads the records of what a worker held when it was heard of; false: nothing. */
static bool held_cmd(const struct queue *queue, const char *worker, struct redis_cmd *cmd)
{
    CLEANUP(mem_free_chars) char *text = mem_strdup(worker);
    char *fields[4], *next = NULL;
    fields_split(text, fields, 4);
    for (char *key = strtok_r(fields[3], " ", &next); key; key = strtok_r(NULL, " ", &next)) {
        if (cmd->n == 0) {
            redis_cmd_addz(cmd, "HMGET");
            redis_cmd_addz(cmd, queue->names[NAME_RECORDS]);
        }
        redis_cmd_addz(cmd, key + (*key == '!'));
    }
    return cmd->n > 0;
}

/* How many of these records are of keys that are leased to the worker with this number. */
static int64_t held_count(const redisReply *records, int64_t number)
{
    int64_t n = 0;
    for (size_t i = 0; records && i < records->elements; i++) {
        CLEANUP(mem_free_chars) char *record = mem_strdup(reply_text(reply_at(records, i)));
        char *fields[RECORD_FIELDS];
        fields_split(record, fields, RECORD_FIELDS);
        n += strcmp(fields[RECORD_STATE], "l") == 0 &&
             field_integer(fields[RECORD_WORKER], 0) == number;
    }
    return n;
}

/* What each worker holds. Its own text is true of a worker that goes on leasing; one that was
 * killed never hears that its keys were taken back, so the keys' records are asked. There may be
 * ten thousand, too many for one script: each worker's are a command, all in one go. */
static int status_held(struct queue *queue, const redisReply *workers, struct queue_status *status,
                       struct err *err)
{
    struct redis_cmd cmds[QUEUE_STEP] = {0};
    redisReply *replies[QUEUE_STEP] = {0};
    struct queue_worker *holders[QUEUE_STEP];
    int64_t numbers[QUEUE_STEP];
    size_t n = 0;
    for (int i = 0; i < status->n_workers && i < QUEUE_STEP; i++) {
        const char *text = reply_text(reply_at(workers, (size_t)i));
        if (!held_cmd(queue, text, &cmds[n]))
            continue;
        holders[n] = &status->workers[i];
        numbers[n++] = strtoll(text, NULL, 10);
    }
    int r = n ? redis_run(queue->redis, cmds, n, replies, err) : 0;
    for (size_t i = 0; i < n; i++) {
        if (r == 0)
            holders[i]->leased = held_count(replies[i], numbers[i]);
        reply_free(replies[i]);
        redis_cmd_deinit(&cmds[i]);
    }
    return r;
}

/* "class\ntext" in two. */
static void error_split(const char *error, char **ret_class, char **ret_text)
{
    size_t len = strcspn(error, "\n");
    *ret_class = mem_strndup(error, len);
    *ret_text = mem_strdup(error[len] ? error + len + 1 : "");
}

static void status_failures(const redisReply *reply, struct queue_status *status)
{
    const redisReply *failed = reply_at(reply, STATUS_FAILED);
    status->n_failures = (int)failed->elements;
    status->failures = MEM_ARRAY(struct queue_failure, status->n_failures + 1);
    for (int i = 0; i < status->n_failures; i++) {
        size_t at = (size_t)i;
        struct queue_failure *failure = &status->failures[i];
        CLEANUP(mem_free_chars)
        char *record = mem_strdup(reply_text(reply_at(reply_at(reply, STATUS_RECORDS), at)));
        char *fields[RECORD_FIELDS];
        fields_split(record, fields, RECORD_FIELDS);
        failure->key = mem_strdup(reply_text(reply_at(failed, at)));
        failure->attempts = (int)field_integer(fields[RECORD_ATTEMPTS], 0);
        error_split(reply_text(reply_at(reply_at(reply, STATUS_ERRORS), at)), &failure->class,
                    &failure->error);
    }
}

static void status_take(const redisReply *reply, struct queue_status *ret)
{
    const redisReply *batch = reply_at(reply, STATUS_BATCH);
    const redisReply *counts = reply_at(reply, STATUS_COUNTS);
    *ret = (struct queue_status){
        .state = mem_strdup(batch_state(batch)),
        .total = reply_integer(reply_at(batch, BATCH_TOTAL)),
        .pending = reply_integer(reply_at(counts, COUNT_PENDING)),
        .delayed = reply_integer(reply_at(counts, COUNT_DELAYED)),
        .leased = reply_integer(reply_at(counts, COUNT_LEASED)),
        .done = reply_integer(reply_at(counts, COUNT_DONE)),
        .failed = reply_integer(reply_at(counts, COUNT_FAILED)),
        .attempts = reply_integer(reply_at(batch, BATCH_ATTEMPTS)),
        .interruptions = reply_integer(reply_at(batch, BATCH_INTERRUPTIONS)),
        .worker_count = reply_integer(reply_at(counts, COUNT_WORKERS)),
        .epoch = reply_integer(reply_at(batch, BATCH_EPOCH)),
        .rate_per_s =
            rate_of(reply_at(reply, STATUS_RATE), reply_integer(reply_at(reply, STATUS_NOW)),
                    reply_integer(reply_at(batch, BATCH_MADE))),
    };
    int64_t left = ret->pending + ret->delayed + ret->leased;
    ret->eta_s = left == 0 ? 0 : ret->rate_per_s > 0 ? (double)left / ret->rate_per_s : -1;
    status_workers(reply, ret);
    status_failures(reply, ret);
}

int queue_status(struct queue *queue, struct queue_status *ret, struct err *err)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    queue_cmd(queue, &cmd, SCRIPT_STATUS);
    CLEANUP(reply_free) redisReply *reply = NULL;
    int r = queue_run(queue, &cmd, &reply, err);
    if (r != 0)
        return r;
    struct queue_status status;
    status_take(reply, &status);
    r = status_held(queue, reply_at(reply, STATUS_WORKERS), &status, err);
    if (r == 0)
        *ret = status;
    else
        queue_status_free(&status);
    return r;
}

void queue_status_free(struct queue_status *status)
{
    for (int i = 0; i < status->n_workers; i++) {
        free(status->workers[i].id);
        free(status->workers[i].node);
    }
    for (int i = 0; i < status->n_failures; i++) {
        free(status->failures[i].key);
        free(status->failures[i].class);
        free(status->failures[i].error);
    }
    free(status->workers);
    free(status->failures);
    free(status->state);
    *status = (struct queue_status){0};
}

/* ---- one key ---- */

/* Can the scripts read it (record_parse in prelude.lua)? What they cannot, they never change: then
 * it is as good as none, whatever could be made out of it here. */
static bool record_ok(const char *record)
{
    static const char kinds[] = "s00**y000**"; /* a letter, digits, anything, perhaps a letter */
    if (isalpha((unsigned char)*record) && !record[1])
        return true;
    for (int i = 0; i < RECORD_FIELDS; i++) {
        size_t len = strcspn(record, "|");
        size_t digits = strspn(record, "0123456789");
        bool letter = len == 1 && isalpha((unsigned char)*record);
        if ((kinds[i] == 's' && !letter) || (kinds[i] == 'y' && len > 0 && !letter) ||
            (kinds[i] == '0' && digits < len))
            return false;
        record += len;
        if (i + 1 < RECORD_FIELDS && *record++ != '|')
            return false;
    }
    return !*record;
}

/* What the record alone says; worker, class and error stay NULL. False: it cannot be read. */
static bool key_take(const char *name, const char *record, struct queue_key *ret, char **ret_worker)
{
    CLEANUP(mem_free_chars) char *text = mem_strdup(record);
    char *fields[RECORD_FIELDS];
    fields_split(text, fields, RECORD_FIELDS);
    enum key_state state;
    if (!record_ok(record) || !key_state_of_letter(fields[RECORD_STATE][0], &state))
        return false;
    *ret = (struct queue_key){
        .key = mem_strdup(name),
        .state = state,
        .token = mem_strdup(fields[RECORD_TOKEN]),
        .attempts = (int)field_integer(fields[RECORD_ATTEMPTS], 0),
        .interruptions = (int)field_integer(fields[RECORD_INTERRUPTIONS], 0),
        .ms = field_integer(fields[RECORD_MS], -1),
        .rows = field_integer(fields[RECORD_ROWS], -1),
    };
    *ret_worker = mem_strdup(fields[RECORD_WORKER]);
    return true;
}

/* "id|pod|node" of worker `number` among the pairs that follow the sixth element; a number that has
 * no name any more is told as such. */
static void worker_name(const redisReply *reply, const char *number, char **ret_id, char **ret_node)
{
    const char *name = "";
    for (size_t i = 6; i + 1 < reply->elements; i += 2)
        if (strcmp(reply_text(reply_at(reply, i)), number) == 0)
            name = reply_text(reply_at(reply, i + 1));
    CLEANUP(mem_free_chars) char *text = mem_strdup(name);
    char *parts[3];
    fields_split(text, parts, 3);
    *ret_id = *name || !*number ? mem_strdup(parts[0]) : mem_printf("#%s", number);
    *ret_node = mem_strdup(parts[2]);
}

/* Ended leases stand in the history, one per line; the present one, or that of a done key, in the
 * record. */
static void key_history(const redisReply *reply, struct queue_key *key)
{
    CLEANUP(mem_free_chars) char *history = mem_strdup(reply_text(reply_at(reply, 5)));
    key->leases = MEM_ARRAY(struct queue_lease_record, LEASES_MAX);
    char *next = NULL;
    for (char *line = strtok_r(history, "\n", &next); line && key->n_leases < LEASES_MAX;
         line = strtok_r(NULL, "\n", &next)) {
        char *fields[LINEAGE_FIELDS]; /* worker, token, begin, end, why */
        fields_split(line, fields, LINEAGE_FIELDS);
        struct queue_lease_record *lease = &key->leases[key->n_leases++];
        *lease = (struct queue_lease_record){.token = mem_strdup(fields[1]),
                                             .why = mem_strdup(fields[4]),
                                             .start_ms = field_integer(fields[2], 0),
                                             .end_ms = field_integer(fields[3], 0)};
        worker_name(reply, fields[0], &lease->worker, &lease->node);
    }
    if ((key->state != KEY_LEASED && key->state != KEY_DONE) || !*key->token ||
        key->n_leases == LEASES_MAX)
        return;
    if (key->n_leases > 0 && strcmp(key->leases[key->n_leases - 1].token, key->token) == 0)
        return; /* marked done by reconcile after its last lease had ended */
    CLEANUP(mem_free_chars) char *record = mem_strdup(reply_text(reply_at(reply, 2)));
    char *fields[RECORD_FIELDS];
    fields_split(record, fields, RECORD_FIELDS);
    struct queue_lease_record *lease = &key->leases[key->n_leases++];
    *lease = (struct queue_lease_record){.token = mem_strdup(key->token),
                                         .why = mem_strdup(key->state == KEY_DONE ? "done" : ""),
                                         .start_ms = field_integer(fields[RECORD_BEGIN], 0)};
    if (key->state == KEY_DONE)
        lease->end_ms = lease->start_ms + field_integer(fields[RECORD_HELD], 0);
    worker_name(reply, fields[RECORD_WORKER], &lease->worker, &lease->node);
}

int queue_show(struct queue *queue, const char *key, struct queue_key *ret, struct err *err)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    queue_cmd(queue, &cmd, SCRIPT_SHOW);
    redis_cmd_addz(&cmd, key);
    CLEANUP(reply_free) redisReply *reply = NULL;
    int r = queue_run(queue, &cmd, &reply, err);
    if (r != 0)
        return r;
    CLEANUP(mem_free_chars) char *number = NULL;
    if (!key_take(key, reply_text(reply_at(reply, 2)), ret, &number))
        return err_set(err, ERR_RETRY,
                       "batch %s: the record of key %s cannot be read; run hiwari fsck %s --repair",
                       queue->batch, key, queue->batch);
    char *node;
    worker_name(reply, number, &ret->worker, &node);
    free(node);
    error_split(reply_text(reply_at(reply, 4)), &ret->class, &ret->error);
    ret->due_at_ms = reply_integer(reply_at(reply, 3)); /* 0 for a key that waits for no moment */
    int64_t left = ret->due_at_ms - reply_integer(reply_at(reply, 1));
    ret->due_ms = left > 0 ? left : 0;
    key_history(reply, ret);
    return 0;
}

void queue_key_free(struct queue_key *key)
{
    for (int i = 0; i < key->n_leases; i++) {
        free(key->leases[i].worker);
        free(key->leases[i].node);
        free(key->leases[i].token);
        free(key->leases[i].why);
    }
    free(key->leases);
    free(key->key);
    free(key->token);
    free(key->class);
    free(key->error);
    free(key->worker);
    *key = (struct queue_key){0};
}

/* ---- many keys ---- */

/* Run a command that reads of the batch, and make sure that it is ours. */
static int run_checked(struct queue *queue, const struct redis_cmd *cmd, redisReply **ret,
                       struct err *err)
{
    struct redis_cmd cmds[2] = {0};
    cmds[1] = *cmd;
    redisReply *replies[2] = {0};
    redis_cmd_addz(&cmds[0], "HGET");
    redis_cmd_addz(&cmds[0], queue->names[NAME_BATCH]);
    redis_cmd_addz(&cmds[0], "inc");
    int r = redis_run(queue->redis, cmds, 2, replies, err);
    if (r == 0 && strcmp(reply_text(replies[0]), queue->incarnation) != 0)
        r = QUEUE_GONE;
    if (r == 0) {
        *ret = replies[1];
        replies[1] = NULL;
    }
    reply_free(replies[0]);
    reply_free(replies[1]);
    redis_cmd_deinit(&cmds[0]);
    return r;
}

int queue_scan(struct queue *queue, const char *verb, const char *name, const char *cursor,
               redisReply **ret, struct err *err)
{
    struct redis_cmd cmd = {0};
    redis_cmd_addz(&cmd, verb);
    redis_cmd_addz(&cmd, name);
    redis_cmd_addz(&cmd, cursor);
    redis_cmd_addz(&cmd, "COUNT");
    redis_cmd_addi(&cmd, QUEUE_STEP);
    int r = run_checked(queue, &cmd, ret, err);
    redis_cmd_deinit(&cmd);
    return r;
}

static int scan_visit(const redisReply *page, queue_each_fn *fn, void *ctx, struct err *err)
{
    for (size_t i = 0; page && i + 1 < page->elements; i += 2) {
        struct queue_key key;
        CLEANUP(mem_free_chars) char *number = NULL;
        if (!key_take(reply_text(reply_at(page, i)), reply_text(reply_at(page, i + 1)), &key,
                      &number))
            continue; /* fsck tells of it */
        int r = fn(ctx, &key, err);
        queue_key_free(&key);
        if (r != 0)
            return r;
    }
    return 0;
}

int queue_each(struct queue *queue, queue_each_fn *fn, void *ctx, struct err *err)
{
    CLEANUP(mem_free_chars) char *cursor = mem_strdup("0");
    do {
        CLEANUP(reply_free) redisReply *scan = NULL;
        int r = queue_scan(queue, "HSCAN", queue->names[NAME_RECORDS], cursor, &scan, err);
        if (r == 0)
            r = scan_visit(reply_at(scan, 1), fn, ctx, err);
        if (r != 0)
            return r;
        free(cursor);
        cursor = mem_strdup(reply_text(reply_at(scan, 0)));
    } while (strcmp(cursor, "0") != 0);
    return 0;
}

/* The values of keys in a hash: nil where it has none. QUEUE_GONE when the batch is another one. */
static int page_get(struct queue *queue, const char *hash, const char *const *keys, int64_t n,
                    redisReply **ret, struct err *err)
{
    struct redis_cmd cmd = {0};
    redis_cmd_addz(&cmd, "HMGET");
    redis_cmd_addz(&cmd, hash);
    for (int64_t i = 0; i < n; i++)
        redis_cmd_addz(&cmd, keys[i]);
    int r = run_checked(queue, &cmd, ret, err);
    redis_cmd_deinit(&cmd);
    return r;
}

/* The errors of those keys of a page that failed, in order. */
static int page_errors(struct queue *queue, const struct queue_key *page, int n, redisReply **ret,
                       struct err *err)
{
    const char *failed[QUEUE_STEP];
    int n_failed = 0;
    for (int i = 0; i < n; i++) {
        if (page[i].key && page[i].state == KEY_FAILED)
            failed[n_failed++] = page[i].key;
    }
    return n_failed ? page_get(queue, queue->names[NAME_ERRORS], failed, n_failed, ret, err) : 0;
}

static int page_visit(struct queue_key *page, int n, const redisReply *errors, int64_t first,
                      queue_keys_fn *fn, void *ctx, struct err *err)
{
    size_t n_failed = 0;
    for (int i = 0; i < n; i++) {
        if (!page[i].key)
            continue;
        if (page[i].state == KEY_FAILED)
            error_split(reply_text(reply_at(errors, n_failed++)), &page[i].class, &page[i].error);
        int r = fn(ctx, first + i, &page[i], err);
        if (r != 0)
            return r;
    }
    return 0;
}

static int page_keys(struct queue *queue, const char *const *keys, int n, int64_t first,
                     queue_keys_fn *fn, void *ctx, struct err *err)
{
    CLEANUP(reply_free) redisReply *records = NULL;
    CLEANUP(reply_free) redisReply *errors = NULL;
    struct queue_key page[QUEUE_STEP] = {0};
    int r = page_get(queue, queue->names[NAME_RECORDS], keys, n, &records, err);
    for (int i = 0; r == 0 && i < n; i++) {
        CLEANUP(mem_free_chars) char *number = NULL;
        const char *record = reply_text(reply_at(records, (size_t)i));
        if (*record) /* one that cannot be read is as good as none: fsck tells of it */
            key_take(keys[i], record, &page[i], &number);
    }
    if (r == 0)
        r = page_errors(queue, page, n, &errors, err);
    if (r == 0)
        r = page_visit(page, n, errors, first, fn, ctx, err);
    for (int i = 0; i < n; i++)
        queue_key_free(&page[i]);
    return r;
}

int queue_keys(struct queue *queue, const char *const *keys, int64_t n, queue_keys_fn *fn,
               void *ctx, struct err *err)
{
    int r = 0;
    for (int64_t at = 0; r == 0 && at < n; at += QUEUE_STEP)
        r = page_keys(queue, keys + at, (int)(n - at < QUEUE_STEP ? n - at : QUEUE_STEP), at, fn,
                      ctx, err);
    return r;
}

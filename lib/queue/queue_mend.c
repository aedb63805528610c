/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* queue_mend.c - moving keys by hand: retry, reconcile's moves, locks, fsck. */
#include <stdlib.h>
#include <string.h>

#include "queue/queue_impl.h"

enum { FSCK_STEP = 20 }; /* keys per script; each is looked for in five places */

/* The keys have moved: the batch may be settled again. */
static int move_end(struct queue *queue, struct err *err)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    queue_cmd(queue, &cmd, SCRIPT_REOPEN);
    redis_cmd_addz(&cmd, "end");
    redis_cmd_addi(&cmd, queue->reopened);
    return queue_run_plain(queue, &cmd, err);
}

static int move_answer(const struct queue *queue, int r, struct err *err)
{
    if (r == QUEUE_BUSY)
        err_set(err, ERR_RETRY,
                "batch %s is settled or being settled; reopen it before its keys move",
                queue->batch);
    return r;
}

/* ---- retry ---- */

struct retrying {
    const char *const *keys;
    int64_t moved;
};

static void retry_begin(void *ctx, struct redis_cmd *cmd, int64_t from)
{
    redis_cmd_addz(cmd, "0");
}

static void retry_fill(void *ctx, struct redis_cmd *cmd, int64_t i)
{
    const struct retrying *retrying = ctx;
    redis_cmd_addz(cmd, retrying->keys[i]);
}

static int retry_use(void *ctx, const redisReply *reply, int64_t from, int64_t n, struct err *err)
{
    struct retrying *retrying = ctx;
    retrying->moved += reply_integer(reply_at(reply, 1));
    return 0;
}

/* Step by step all keys that had failed when the first step ran. */
static int retry_all(struct queue *queue, int64_t *moved, struct err *err)
{
    int64_t before = 0;
    for (;;) {
        CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
        queue_cmd(queue, &cmd, SCRIPT_RETRY);
        redis_cmd_addi(&cmd, before);
        CLEANUP(reply_free) redisReply *reply = NULL;
        int r = queue_run(queue, &cmd, &reply, err);
        if (r != 0)
            return r;
        *moved += reply_integer(reply_at(reply, 1));
        before = reply_integer(reply_at(reply, 2));
        if (reply_integer(reply_at(reply, 3)) == 0)
            return 0;
    }
}

int queue_retry(struct queue *queue, const char *const *keys, int64_t n, int64_t *ret_moved,
                struct err *err)
{
    struct retrying retrying = {.keys = keys};
    const struct queue_walk walk = {.script = SCRIPT_RETRY,
                                    .n = n,
                                    .step = QUEUE_STEP,
                                    .begin = retry_begin,
                                    .fill = retry_fill,
                                    .use = retry_use,
                                    .ctx = &retrying};
    int r = n > 0 ? queue_walk(queue, &walk, err) : retry_all(queue, &retrying.moved, err);
    if (r == 0)
        r = move_end(queue, err);
    if (r == 0)
        *ret_moved = retrying.moved;
    return move_answer(queue, r, err);
}

/* ---- move ---- */

static void move_fill(void *ctx, struct redis_cmd *cmd, int64_t i)
{
    const struct queue_move *move = (const struct queue_move *)ctx + i;
    const char state[] = {move->seen_lost ? '\0' : key_state_letter(move->seen_state), '\0'};
    redis_cmd_addz(cmd, move->key);
    redis_cmd_addz(cmd, state);
    redis_cmd_addz(cmd, move->seen_token && !move->seen_lost ? move->seen_token : "");
    redis_cmd_addz(cmd, move->to_done ? "d" : "p");
    if (move->expect != 0)
        redis_cmd_addi(cmd, move->expect);
    else
        redis_cmd_addz(cmd, "");
}

static int move_use(void *ctx, const redisReply *reply, int64_t from, int64_t n, struct err *err)
{
    struct queue_move *moves = ctx;
    for (int64_t i = 0; i < n; i++)
        moves[from + i].moved = reply_integer(reply_at(reply, 1 + (size_t)i));
    return 0;
}

int queue_move(struct queue *queue, struct queue_move *moves, int64_t n, struct err *err)
{
    const struct queue_walk walk = {.script = SCRIPT_MOVE,
                                    .n = n,
                                    .step = QUEUE_STEP,
                                    .fill = move_fill,
                                    .use = move_use,
                                    .ctx = moves};
    int r = queue_walk(queue, &walk, err);
    if (r == 0)
        r = move_end(queue, err);
    return move_answer(queue, r, err);
}

/* ---- locks ---- */

int queue_lock(struct queue *queue, const char *what, const char *token, int64_t ttl_ms,
               struct err *err)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    queue_cmd(queue, &cmd, SCRIPT_LOCK);
    redis_cmd_addz(&cmd, what);
    redis_cmd_addz(&cmd, token);
    redis_cmd_addi(&cmd, ttl_ms);
    return queue_run_plain(queue, &cmd, err);
}

int queue_unlock(struct queue *queue, const char *what, const char *token, struct err *err)
{
    return queue_lock(queue, what, token, 0, err);
}

/* ---- fsck ---- */

struct checking {
    const char *what, *repair;
    const redisReply *page; /* of a scan */
    size_t stride;          /* elements per key on the page */
    struct queue_finding *findings;
    size_t n, cap;
};

static void check_begin(void *ctx, struct redis_cmd *cmd, int64_t from)
{
    const struct checking *checking = ctx;
    redis_cmd_addz(cmd, checking->repair);
    redis_cmd_addz(cmd, checking->what);
}

static void check_fill(void *ctx, struct redis_cmd *cmd, int64_t i)
{
    const struct checking *checking = ctx;
    redis_cmd_addz(cmd, reply_text(reply_at(checking->page, (size_t)i * checking->stride)));
}

static int check_use(void *ctx, const redisReply *reply, int64_t from, int64_t n, struct err *err)
{
    struct checking *checking = ctx;
    for (size_t i = 1; i + 2 < reply->elements; i += 3) {
        checking->findings = mem_grow(checking->findings, &checking->cap, checking->n + 1,
                                      sizeof(*checking->findings));
        checking->findings[checking->n++] = (struct queue_finding){
            .key = mem_strdup(reply_text(reply_at(reply, i))),
            .what = mem_strdup(reply_text(reply_at(reply, i + 1))),
            .repaired = reply_integer(reply_at(reply, i + 2)),
        };
    }
    return 0;
}

static int check_run(struct queue *queue, struct checking *checking, int64_t n, struct err *err)
{
    const struct queue_walk walk = {.script = SCRIPT_FSCK,
                                    .n = n,
                                    .step = FSCK_STEP,
                                    .begin = check_begin,
                                    .fill = check_fill,
                                    .use = check_use,
                                    .ctx = checking};
    return queue_walk(queue, &walk, err);
}

/* Check every key that a scan of one of the batch's keys shows. */
static int check_scan(struct queue *queue, struct checking *checking, const char *verb,
                      enum queue_name name, struct err *err)
{
    CLEANUP(mem_free_chars) char *cursor = mem_strdup("0");
    checking->stride = strcmp(verb, "SSCAN") == 0 ? 1 : 2;
    do {
        CLEANUP(reply_free) redisReply *scan = NULL;
        int r = queue_scan(queue, verb, queue->names[name], cursor, &scan, err);
        if (r != 0)
            return r;
        free(cursor);
        cursor = mem_strdup(reply_text(reply_at(scan, 0)));
        checking->page = reply_at(scan, 1);
        r = check_run(queue, checking, (int64_t)(checking->page->elements / checking->stride), err);
        if (r != 0)
            return r;
    } while (strcmp(cursor, "0") != 0);
    return 0;
}

static int check_count(struct queue *queue, struct checking *checking, struct err *err)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    queue_cmd(queue, &cmd, SCRIPT_FSCK);
    checking->what = "count";
    check_begin(checking, &cmd, 0);
    CLEANUP(reply_free) redisReply *reply = NULL;
    int r = queue_run(queue, &cmd, &reply, err);
    return r == 0 ? check_use(checking, reply, 0, 0, err) : r;
}

static int finding_order(const void *a, const void *b)
{
    const struct queue_finding *x = a;
    const struct queue_finding *y = b;
    int order = strcmp(x->key, y->key);
    return order ? order : strcmp(x->what, y->what);
}

/* In order of keys, and each once: a scan may show a key twice. */
static void findings_sort(struct checking *checking)
{
    size_t kept = 0;
    if (checking->n > 0)
        qsort(checking->findings, checking->n, sizeof(*checking->findings), finding_order);
    for (size_t i = 0; i < checking->n; i++) {
        struct queue_finding *finding = &checking->findings[i];
        if (kept > 0 && finding_order(finding, &checking->findings[kept - 1]) == 0) {
            free(finding->key);
            free(finding->what);
        } else {
            checking->findings[kept++] = *finding;
        }
    }
    checking->n = kept;
}

int queue_fsck(struct queue *queue, bool repair, struct queue_finding **ret, int *ret_n,
               struct err *err)
{
    static const struct {
        const char *what, *verb;
        enum queue_name name;
    } scans[] = {
        {"records", "HSCAN", NAME_RECORDS}, {"strays", "ZSCAN", NAME_PENDING},
        {"strays", "ZSCAN", NAME_DELAYED},  {"strays", "ZSCAN", NAME_LEASED},
        {"strays", "SSCAN", NAME_DONE},     {"strays", "ZSCAN", NAME_FAILED},
    };
    struct checking checking = {.repair = repair ? "1" : "0"};
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof(scans) / sizeof(scans[0]); i++) {
        checking.what = scans[i].what;
        r = check_scan(queue, &checking, scans[i].verb, scans[i].name, err);
    }
    if (r == 0)
        r = check_count(queue, &checking, err);
    if (r != 0) {
        queue_findings_free(checking.findings, (int)checking.n);
        return r;
    }
    findings_sort(&checking);
    *ret = checking.findings;
    *ret_n = (int)checking.n;
    return 0;
}

void queue_findings_free(struct queue_finding *findings, int n)
{
    for (int i = 0; i < n; i++) {
        free(findings[i].key);
        free(findings[i].what);
    }
    free(findings);
}

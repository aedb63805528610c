/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* bench_queue.c - how fast the queue takes keys and hands them out.
 *
 *     bench_queue enqueue   --redis URL --keys N [--lease-ms MS]
 *     bench_queue work      --redis URL --keys N --lease B [--threads T]
 *     bench_queue abandon   --redis URL --keys N
 *     bench_queue reference --redis URL --keys N --lease B [--threads T]
 *
 * enqueue makes batch "bench" of N keys, by one connection. work leases B keys at a time and says
 * done, until N keys are done, by so many workers with a connection each. abandon leases as many
 * and leaves them. reference does the same with scripts that make the same calls and decide nothing
 * (reference_lease.lua and reference_done.lua beside this file, in the folder that HIWARI_BENCH
 * names), over the same connection code.
 *
 * Prints one JSON object. The clock runs from before the first request to after the last answer. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/fs.h"
#include "queue/queue_impl.h"

enum { LEASE_MS = 600000, THREADS_MAX = 64 };

struct options {
    const char *verb, *redis;
    int64_t keys, lease, threads, lease_ms;
};

static int die(const struct err *err)
{
    fprintf(stderr, "bench_queue: %s\n", err->text);
    exit(1);
}

static struct queue *connect_queue(const struct options *o)
{
    struct err err = {0};
    struct queue *queue = NULL;
    const struct queue_options options = {.url = o->redis};
    if (queue_open(&options, &queue, &err) < 0)
        die(&err);
    return queue;
}

static void print_result(const char *what, int64_t keys, int64_t began_us)
{
    double seconds = (double)(clock_us() - began_us) / 1e6;
    printf("{\"%s\": %lld, \"seconds\": %.6f, \"keys_per_s\": %.0f}\n", what, (long long)keys,
           seconds, (double)keys / seconds);
}

/* ---- enqueue ---- */

/* Consecutive dates from 1900 on: what a key looks like. */
static char **names_make(int64_t n)
{
    char **names = mem_array((size_t)n, sizeof(*names));
    int64_t first;
    date_parse("1900-01-01", 10, &first);
    for (int64_t i = 0; i < n; i++) {
        char text[DATE_TEXT];
        date_format(first + i, text);
        names[i] = mem_strdup(text);
    }
    return names;
}

static int enqueue(const struct options *o)
{
    struct err err = {0};
    struct queue_added added;
    struct queue *queue = connect_queue(o);
    char **names = names_make(o->keys);
    const struct queue_settings settings = {.lease_ms = o->lease_ms,
                                            .key_ms = LEASE_MS,
                                            .max_attempts = 3,
                                            .max_interruptions = 10,
                                            .dest = "file:///bench"};
    int r = queue_begin(queue, "bench", "bench-1", &settings, &err);
    int64_t began_us = clock_us();
    if (r == 0)
        r = queue_add(queue, (const char *const *)names, NULL, o->keys, &added, &err);
    if (r == 0)
        print_result("enqueued", added.added, began_us);
    if (r == 0)
        r = queue_seal(queue, o->keys, &err);
    for (int64_t i = 0; i < o->keys; i++)
        free(names[i]);
    free(names);
    queue_close(queue);
    return r == 0 ? 0 : die(&err);
}

/* ---- lease and done ---- */

struct part {
    const struct options *options;
    int64_t keys; /* so many */
    int number;
    pthread_t thread;
};

static void work_once(struct queue *queue, const struct worker_id *id, int max, bool says_done,
                      int64_t *left)
{
    struct err err = {0};
    struct lease_set set = {0};
    struct lease_ref refs[QUEUE_STEP];
    int r = queue_lease(queue, id, (struct lease_wish){.max = max}, &set, &err);
    for (int i = 0; i < set.n; i++)
        refs[i] = (struct lease_ref){
            .key = set.leases[i].key, .token = set.leases[i].token, .ms = 1, .rows = 1};
    if (r == 0 && says_done)
        r = queue_done(queue, id, refs, set.n, &err);
    if (r != 0)
        die(&err);
    for (int i = 0; i < set.n && says_done; i++)
        if (refs[i].answer != LEASE_OK)
            exit(2);
    *left -= set.n;
    lease_set_free(&set);
}

static void *work(void *ctx)
{
    const struct part *part = ctx;
    char name[32];
    struct err err = {0};
    struct queue *queue = connect_queue(part->options);
    bool says_done = strcmp(part->options->verb, "work") == 0;
    const struct worker_id id = {.id = name, .pod = "bench", .node = "bench"};
    if (queue_use(queue, "bench", NULL, &err) != 0)
        die(&err);
    for (int64_t left = part->keys; left > 0;) {
        int64_t max = left < part->options->lease ? left : part->options->lease;
        int64_t turn = (part->keys - left) / part->options->lease;
        snprintf(name, sizeof(name), "bench-worker-%d-%lld", part->number,
                 says_done ? 0 : (long long)turn); /* a worker holds QUEUE_STEP keys at most */
        work_once(queue, &id, (int)max, says_done, &left);
    }
    queue_close(queue);
    return NULL;
}

/* ---- the same calls without decisions ---- */

/* Read a script and teach it to the server, which answers with its SHA-1. */
static struct script_text reference_load(struct redis *redis, const char *name)
{
    struct err err = {0};
    struct str text = {0};
    const char *folder = getenv("HIWARI_BENCH");
    CLEANUP(mem_free_chars) char *path = fs_join(folder ? folder : ".", name);
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    CLEANUP(reply_free) redisReply *reply = NULL;
    int r = fs_read(path, &text, &err);
    redis_cmd_addz(&cmd, "SCRIPT");
    redis_cmd_addz(&cmd, "LOAD");
    redis_cmd_add(&cmd, text.s, text.len);
    if (r == 0)
        r = redis_run(redis, &cmd, 1, &reply, &err);
    if (r < 0)
        die(&err);
    return (struct script_text){
        .name = name, .text = text.s, .len = text.len, .sha1 = mem_strdup(reply_text(reply))};
}

static redisReply *reference_run(struct queue *queue, struct redis_cmd *cmd)
{
    struct err err = {0};
    redisReply *reply = NULL;
    if (redis_run(queue->redis, cmd, 1, &reply, &err) < 0)
        die(&err);
    return reply;
}

/* The words that queue_lease and queue_done send. */
static void reference_cmd(struct queue *queue, struct redis_cmd *cmd,
                          const struct script_text *script, const char *worker)
{
    cmd->script = script;
    redis_cmd_addz(cmd, "EVALSHA");
    redis_cmd_addz(cmd, script->sha1);
    redis_cmd_addi(cmd, QUEUE_NAMES);
    for (int i = 0; i < QUEUE_NAMES; i++)
        redis_cmd_addz(cmd, queue->names[i]);
    redis_cmd_addz(cmd, queue->incarnation);
    redis_cmd_addz(cmd, worker);
}

static redisReply *reference_lease(struct queue *queue, const struct script_text *script,
                                   const char *worker, int64_t max)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    char nonce[QUEUE_NONCE];
    queue_nonce(nonce);
    reference_cmd(queue, &cmd, script, worker);
    redis_cmd_addz(&cmd, "bench");
    redis_cmd_addz(&cmd, "bench");
    redis_cmd_addi(&cmd, max);
    redis_cmd_addz(&cmd, nonce);
    return reference_run(queue, &cmd);
}

static void reference_done(struct queue *queue, const struct script_text *script,
                           const char *worker, const redisReply *leases)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    reference_cmd(queue, &cmd, script, worker);
    for (size_t i = 2; i < leases->elements; i += 3) {
        redis_cmd_addz(&cmd, reply_text(reply_at(leases, i)));
        redis_cmd_addz(&cmd, reply_text(reply_at(leases, i + 1)));
        redis_cmd_addi(&cmd, 1);
        redis_cmd_addi(&cmd, 1);
    }
    reply_free(reference_run(queue, &cmd));
}

static void *refer(void *ctx)
{
    const struct part *part = ctx;
    char name[32];
    struct err err = {0};
    struct queue *queue = connect_queue(part->options);
    snprintf(name, sizeof(name), "bench-worker-%d", part->number);
    if (queue_use(queue, "bench", NULL, &err) != 0)
        die(&err);
    struct script_text lease = reference_load(queue->redis, "reference_lease.lua");
    struct script_text done = reference_load(queue->redis, "reference_done.lua");
    for (int64_t left = part->keys; left > 0;) {
        int64_t max = left < part->options->lease ? left : part->options->lease;
        CLEANUP(reply_free) redisReply *leases = reference_lease(queue, &lease, name, max);
        reference_done(queue, &done, name, leases);
        left -= max;
    }
    queue_close(queue);
    return NULL;
}

/* ---- several at once ---- */

static int all_parts(const struct options *o, void *(*run)(void *))
{
    struct part parts[THREADS_MAX];
    int64_t began_us = clock_us();
    for (int i = 0; i < o->threads; i++) {
        int64_t from = o->keys * i / o->threads, to = o->keys * (i + 1) / o->threads;
        parts[i] = (struct part){.options = o, .keys = to - from, .number = i};
        if (pthread_create(&parts[i].thread, NULL, run, &parts[i]) != 0)
            mem_exhausted();
    }
    for (int i = 0; i < o->threads; i++)
        pthread_join(parts[i].thread, NULL);
    print_result("done", o->keys, began_us);
    return 0;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: bench_queue enqueue|work|abandon|reference --redis URL --keys N [--lease B] "
            "[--threads T]\n");
    return 64;
}

static bool parse(int argc, char **argv, struct options *o)
{
    *o = (struct options){
        .verb = argc > 1 ? argv[1] : "", .lease = 100, .threads = 1, .lease_ms = LEASE_MS};
    for (int i = 2; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        int64_t *number = strcmp(name, "--keys") == 0       ? &o->keys
                          : strcmp(name, "--lease") == 0    ? &o->lease
                          : strcmp(name, "--threads") == 0  ? &o->threads
                          : strcmp(name, "--lease-ms") == 0 ? &o->lease_ms
                                                            : NULL;
        if (strcmp(name, "--redis") == 0)
            o->redis = value;
        else if (!number || !str_to_i64(value, number))
            return false;
    }
    return argc % 2 == 0 && o->redis && o->keys > 0 && o->lease > 0 && o->lease <= QUEUE_STEP &&
           o->threads > 0 && o->threads <= THREADS_MAX;
}

int main(int argc, char **argv)
{
    struct options o;
    if (!parse(argc, argv, &o))
        return usage();
    if (strcmp(o.verb, "enqueue") == 0)
        return enqueue(&o);
    if (strcmp(o.verb, "work") == 0 || strcmp(o.verb, "abandon") == 0)
        return all_parts(&o, work);
    if (strcmp(o.verb, "reference") == 0)
        return all_parts(&o, refer);
    return usage();
}

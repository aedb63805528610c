/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* bench_crowd.c - thousands of workers on one Redis, simulated as far as Redis can tell.
 *
 *     bench_crowd --redis URL --workers N --holding K --seconds S
 *
 * Each worker has a connection of its own and does what the courier does: it asks for a key, and
 * asks again when the answer says so. The first K get a key each and hold it, and each of those has
 * a second connection, its heartbeat, that renews every third of a lease time. Each asks now and
 * then whether there is a webhook to tell. A few threads serve them all; a lease call takes so
 * little that nobody waits for another.
 *
 * "waiting" is printed when everybody is there and what comes every half minute has spread: for S
 * seconds the others find nothing. Then "tail": within S seconds the keys are done one after the
 * other at random moments, somebody settles, and everybody leaves. At last how many lease calls
 * each of the two took. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/retry.h"
#include "base/str.h"
#include "queue/queue.h"

enum { LEASE_MS = 30000, HERALD_MS = 30000, THREADS = 4, SPREAD_MS = 1000, STEADY_MS = 40000 };

struct worker {
    struct worker_id id;
    struct queue *queue, *heart; /* heart: while it holds a key */
    struct lease lease;          /* key NULL: none */
    int64_t look_at_ms, renew_at_ms, herald_at_ms, done_at_ms;
    bool gone;
};

struct crowd {
    const char *redis;
    int64_t workers, holding, seconds;
    struct worker *all;
    pthread_barrier_t barrier;
    int64_t tail_ms; /* when the tail begins; 0: not yet */
    int64_t calls[2];
};

struct part {
    struct crowd *crowd;
    int64_t from, to;
    pthread_t thread;
};

static int die(const char *what, const struct err *err)
{
    fprintf(stderr, "bench_crowd: %s: %s\n", what, err->text);
    exit(1);
}

static struct queue *open_queue(const struct crowd *crowd)
{
    struct err err = {0};
    struct queue *queue = NULL;
    const struct queue_options options = {.url = crowd->redis, .patience_ms = 30000};
    if (queue_open(&options, &queue, &err) < 0 || queue_use(queue, "crowd", NULL, &err) < 0)
        die("connect", &err);
    return queue;
}

/* ---- one worker ---- */

static void settle(struct worker *w)
{
    struct settle_lease lease;
    enum lease_answer answer;
    struct err err = {0};
    int r = queue_settle_begin(w->queue, &w->id, &lease, &err);
    if (r == 0)
        r = queue_settle_finish(w->queue, &lease, &answer, &err);
    if (r < 0)
        die("settle", &err);
}

static void look(struct crowd *crowd, struct worker *w)
{
    struct err err = {0};
    struct lease_set set = {0};
    int r = queue_lease(w->queue, &w->id, (struct lease_wish){.max = 1}, &set, &err);
    int64_t now = clock_ms();
    __atomic_fetch_add(&crowd->calls[crowd->tail_ms > 0], 1, __ATOMIC_RELAXED);
    w->look_at_ms = now + set.wait_ms;
    if (r == 0) {
        w->lease = set.leases[0];
        free(set.leases);
        w->heart = open_queue(crowd);
        w->renew_at_ms = now + LEASE_MS / 3;
        w->look_at_ms = INT64_MAX;
    } else if (r == QUEUE_SETTLE) {
        settle(w);
    } else if (r == QUEUE_SETTLED) {
        w->gone = true;
    } else if (r != QUEUE_EMPTY) {
        die("lease", &err);
    }
}

static struct lease_ref ref_of(const struct worker *w)
{
    return (struct lease_ref){
        .key = w->lease.key, .token = w->lease.token, .started = true, .ms = 1, .rows = 1};
}

static void beat(struct worker *w)
{
    struct err err = {0};
    struct lease_ref ref = ref_of(w);
    if (queue_renew(w->heart, &w->id, &ref, 1, &err) != 0)
        die("renew", &err);
    w->renew_at_ms = clock_ms() + LEASE_MS / 3;
}

static void ask_webhook(struct worker *w)
{
    struct err err = {0};
    CLEANUP(queue_notify_deinit) struct queue_notify notify = {0};
    if (queue_notify_get(w->queue, &notify, &err) < 0)
        die("webhook", &err);
    w->herald_at_ms = clock_ms() + HERALD_MS;
}

static void finish(struct worker *w)
{
    struct err err = {0};
    struct lease_ref ref = ref_of(w);
    if (queue_done(w->queue, &w->id, &ref, 1, &err) != 0)
        die("done", &err);
    queue_close(w->heart);
    w->heart = NULL;
    free(w->lease.key);
    free(w->lease.token);
    w->lease = (struct lease){0};
    w->look_at_ms = clock_ms();
}

static void serve(struct crowd *crowd, struct worker *w, int64_t now)
{
    if (w->lease.key && crowd->tail_ms && w->done_at_ms == 0)
        w->done_at_ms =
            crowd->tail_ms + (int64_t)(random_u64() % (uint64_t)(crowd->seconds * 1000));
    if (w->lease.key && w->done_at_ms && now >= w->done_at_ms)
        finish(w);
    else if (w->lease.key && now >= w->renew_at_ms)
        beat(w);
    else if (now >= w->look_at_ms)
        look(crowd, w);
    else if (now >= w->herald_at_ms)
        ask_webhook(w);
}

/* ---- all ---- */

static void *serve_part(void *ctx)
{
    struct part *part = ctx;
    struct crowd *crowd = part->crowd;
    for (int64_t i = part->from; i < part->to; i++)
        crowd->all[i].queue = open_queue(crowd);
    pthread_barrier_wait(&crowd->barrier); /* all are connected */
    for (int64_t i = part->from; i < part->to && i < crowd->holding; i++)
        look(crowd, &crowd->all[i]);
    pthread_barrier_wait(&crowd->barrier); /* all keys are held */
    int64_t began_ms = clock_ms();
    for (int64_t i = part->from; i < part->to; i++) {
        crowd->all[i].herald_at_ms = began_ms + (int64_t)(random_u64() % HERALD_MS);
        if (!crowd->all[i].lease.key)
            crowd->all[i].look_at_ms = began_ms + (int64_t)(random_u64() % SPREAD_MS);
    }
    for (int64_t left = part->to - part->from; left > 0;) {
        left = 0;
        for (int64_t i = part->from; i < part->to; i++) {
            if (!crowd->all[i].gone)
                serve(crowd, &crowd->all[i], clock_ms());
            left += !crowd->all[i].gone;
        }
        clock_sleep_ms(1);
    }
    for (int64_t i = part->from; i < part->to; i++)
        queue_close(crowd->all[i].queue);
    return NULL;
}

static void enqueue(const struct crowd *crowd)
{
    struct err err = {0};
    struct queue_added added;
    struct queue *queue = open_queue(crowd);
    char **names = mem_array((size_t)crowd->holding, sizeof(*names));
    for (int64_t i = 0; i < crowd->holding; i++)
        names[i] = mem_printf("key-%06lld", (long long)i);
    const struct queue_settings settings = {.lease_ms = LEASE_MS,
                                            .key_ms = LEASE_MS,
                                            .max_attempts = 3,
                                            .max_interruptions = 10,
                                            .dest = "file:///crowd"};
    int r = queue_begin(queue, "crowd", "crowd-1", &settings, &err);
    if (r == 0)
        r = queue_add(queue, (const char *const *)names, NULL, crowd->holding, &added, &err);
    if (r == 0)
        r = queue_seal(queue, crowd->holding, &err);
    if (r != 0)
        die("enqueue", &err);
    for (int64_t i = 0; i < crowd->holding; i++)
        free(names[i]);
    free(names);
    queue_close(queue);
}

static void say(const char *phase)
{
    printf("%s\n", phase);
    fflush(stdout);
}

static void run(struct crowd *crowd)
{
    struct part parts[THREADS];
    crowd->all = mem_zalloc((size_t)crowd->workers * sizeof(*crowd->all));
    for (int64_t i = 0; i < crowd->workers; i++)
        crowd->all[i].id = (struct worker_id){
            .id = mem_printf("worker-%lld", (long long)i), .pod = "crowd", .node = "crowd"};
    pthread_barrier_init(&crowd->barrier, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) {
        parts[i] = (struct part){.crowd = crowd,
                                 .from = crowd->workers * i / THREADS,
                                 .to = crowd->workers * (i + 1) / THREADS};
        if (pthread_create(&parts[i].thread, NULL, serve_part, &parts[i]) != 0)
            mem_exhausted();
    }
    pthread_barrier_wait(&crowd->barrier);
    pthread_barrier_wait(&crowd->barrier);
    clock_sleep_ms(STEADY_MS);
    crowd->calls[0] = 0;
    say("waiting");
    clock_sleep_ms(crowd->seconds * 1000);
    crowd->tail_ms = clock_ms();
    say("tail");
    for (int i = 0; i < THREADS; i++)
        pthread_join(parts[i].thread, NULL);
    printf("{\"waiting_calls\": %lld, \"tail_calls\": %lld, \"tail_seconds\": %.3f}\n",
           (long long)crowd->calls[0], (long long)crowd->calls[1],
           (double)(clock_ms() - crowd->tail_ms) / 1e3);
    for (int64_t i = 0; i < crowd->workers; i++)
        free((char *)crowd->all[i].id.id);
    free(crowd->all);
}

int main(int argc, char **argv)
{
    struct crowd crowd = {.workers = 5000, .holding = 500, .seconds = 10};
    struct rlimit files;
    for (int i = 1; i + 1 < argc; i += 2) {
        int64_t *number = strcmp(argv[i], "--workers") == 0   ? &crowd.workers
                          : strcmp(argv[i], "--holding") == 0 ? &crowd.holding
                                                              : &crowd.seconds;
        if (strcmp(argv[i], "--redis") == 0)
            crowd.redis = argv[i + 1];
        else if (!str_to_i64(argv[i + 1], number) || *number < 1)
            return 64;
    }
    if (!crowd.redis || crowd.holding > crowd.workers) {
        fprintf(stderr,
                "usage: bench_crowd --redis URL --workers N --holding K --seconds S, K <= N\n");
        return 64;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    enqueue(&crowd);
    run(&crowd);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* queue_fixture.h - what the tests of lib/queue share: a private Redis for the program, a fresh
 * batch "b" for each test.
 *
 * The server's clock cannot be turned, so leases that shall run out are short, and the bounds on
 * what is measured wide. */
#ifndef UNIT_QUEUE_FIXTURE_H
#define UNIT_QUEUE_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/queue.h"
#include "redis_server.h"
#include "unit.h"

static struct redis_server server;
static struct queue *queue;
static struct err err;

static const struct worker_id w1 = {.id = "worker-1", .pod = "pod-1", .node = "node-a"};
static const struct worker_id w2 = {.id = "worker-2", .pod = "pod-2", .node = "node-b"};
static const struct worker_id w3 = {.id = "worker-3", .pod = "pod-3", .node = "node-b"};

/* An expression that must return this. */
#define ck_gives(expected, expression)                                                             \
    do {                                                                                           \
        err.text[0] = '\0';                                                                        \
        int ck_r = (expression);                                                                   \
        ck_assert_msg(ck_r == (expected), "%s: %d, not %d: %s", #expression, ck_r, (expected),     \
                      err.text);                                                                   \
    } while (0)
#define ck_ok(expression) ck_gives(0, expression)

static inline struct queue_settings settings_usual(void)
{
    return (struct queue_settings){.lease_ms = 60000,
                                   .key_ms = 60000,
                                   .max_attempts = 3,
                                   .max_interruptions = 10,
                                   .result_version = 1,
                                   .spec_sha256 = "s",
                                   .snapshot_id = "i",
                                   .dest = "file:///b",
                                   .format = "csv",
                                   .batch_json = "{\"batch\":\"b\"}"};
}

static inline struct queue *queue_new(void)
{
    struct queue *q = NULL;
    const struct queue_options options = {.url = server.url, .patience_ms = 3000};
    ck_ok(queue_open(&options, &q, &err));
    return q;
}

/* Keys k000, k001, … */
static inline void keys_add(int from, int to)
{
    for (int i = from; i < to; i++) {
        char name[16];
        const char *keys[] = {name};
        snprintf(name, sizeof(name), "k%03d", i);
        struct queue_added added;
        ck_ok(queue_add(queue, keys, NULL, 1, &added, &err));
        ck_assert_int_eq(added.added, 1);
    }
}

static inline void batch_new(struct queue_settings settings, int n)
{
    ck_ok(queue_begin(queue, "b", "inc-1", &settings, &err));
    keys_add(0, n);
    ck_ok(queue_seal(queue, n, &err));
}

static inline void batch_usual(int n)
{
    batch_new(settings_usual(), n);
}

static inline void batch_short_leases(int n, int64_t lease_ms)
{
    struct queue_settings settings = settings_usual();
    settings.lease_ms = lease_ms;
    batch_new(settings, n);
}

/* Lease exactly n. */
static inline struct lease_set lease_some(const struct worker_id *worker, int max, int n)
{
    struct lease_set set = {0};
    ck_ok(queue_lease(queue, worker, (struct lease_wish){.max = max}, &set, &err));
    ck_assert_int_eq(set.n, n);
    return set;
}

/* One key, as a reference that verbs take; its text lives until the test's process ends. */
static inline struct lease_ref lease_one(const struct worker_id *worker)
{
    struct lease_set set = lease_some(worker, 1, 1);
    struct lease_ref ref = {.key = set.leases[0].key, .token = set.leases[0].token};
    free(set.leases);
    return ref;
}

static inline void ref_free(struct lease_ref *ref)
{
    free((char *)ref->key);
    free((char *)ref->token);
}

static inline void lease_finds(int expected, const struct worker_id *worker)
{
    struct lease_set set = {0};
    ck_gives(expected, queue_lease(queue, worker, (struct lease_wish){.max = 1}, &set, &err));
    lease_set_free(&set);
}

static inline enum lease_answer done_one(const struct worker_id *worker, struct lease_ref *ref)
{
    ck_ok(queue_done(queue, worker, ref, 1, &err));
    return ref->answer;
}

static inline enum lease_answer fail_one(const struct worker_id *worker, struct lease_ref *ref,
                                         const char *class)
{
    ck_ok(queue_fail(queue, worker, ref, class, "it did not work", &err));
    return ref->answer;
}

static inline enum lease_answer release_one(const struct worker_id *worker, struct lease_ref *ref)
{
    ck_ok(queue_release(queue, worker, ref, 1, &err));
    return ref->answer;
}

static inline enum lease_answer renew_one(const struct worker_id *worker, struct lease_ref *ref,
                                          bool started)
{
    ref->started = started;
    ck_ok(queue_renew(queue, worker, ref, 1, &err));
    return ref->answer;
}

static inline struct queue_status status_now(void)
{
    struct queue_status status;
    ck_ok(queue_status(queue, &status, &err));
    ck_assert_int_eq(status.total,
                     status.pending + status.delayed + status.leased + status.done + status.failed);
    return status;
}

/* Counts of the five places, in that order. */
static inline void counts_are(int pending, int delayed, int leased, int done, int failed)
{
    struct queue_status status = status_now();
    int64_t seen[] = {status.pending, status.delayed, status.leased, status.done, status.failed};
    int64_t want[] = {pending, delayed, leased, done, failed};
    for (int i = 0; i < 5; i++)
        ck_assert_msg(seen[i] == want[i], "%s: %d, not %d", key_state_name((enum key_state)i),
                      (int)seen[i], (int)want[i]);
    queue_status_free(&status);
}

static inline struct queue_key show(const char *key)
{
    struct queue_key found;
    ck_ok(queue_show(queue, key, &found, &err));
    return found;
}

/* A command to the server beside the queue's connection, and its answer's text or number. */
#define redis_says(expected, ...)                                                                  \
    do {                                                                                           \
        char *ck_answer = redis_server_command(&server, __VA_ARGS__);                              \
        ck_assert_str_eq(ck_answer, (expected));                                                   \
        free(ck_answer);                                                                           \
    } while (0)
#define redis_do(...) free(redis_server_command(&server, __VA_ARGS__))

static inline int fsck_findings(bool repair)
{
    struct queue_finding *findings;
    int n;
    ck_ok(queue_fsck(queue, repair, &findings, &n, &err));
    queue_findings_free(findings, n);
    return n;
}

static inline void fixture_server_start(void)
{
    redis_server_start(&server, NULL);
}

static inline void fixture_server_stop(void)
{
    redis_server_stop(&server);
}

static inline void fixture_setup(void)
{
    redis_do("FLUSHALL");
    queue = queue_new();
}

static inline void fixture_teardown(void)
{
    queue_close(queue);
    queue = NULL;
}

/* A case with the program's server, emptied before each test. */
static inline TCase *fixture_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 60);
    tcase_add_unchecked_fixture(tcase, fixture_server_start, fixture_server_stop);
    tcase_add_checked_fixture(tcase, fixture_setup, fixture_teardown);
    suite_add_tcase(suite, tcase);
    return tcase;
}

#endif

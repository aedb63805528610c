/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_queue_fault.c - a Redis that is cut off, killed, full, closed or wrong: no key is lost, and
 * the words are clear. */
#include <unistd.h>

#include "base/fault.h"
#include "queue_fixture.h"

static struct queue *queue_of(const char *url, int64_t patience_ms, int expected)
{
    struct queue *q = NULL;
    const struct queue_options options = {.url = url, .patience_ms = patience_ms};
    ck_gives(expected, queue_open(&options, &q, &err));
    return q;
}

/* ---- lost answers: base/fault.h is absent from release builds ---- */

#ifndef NDEBUG

START_TEST(test_a_lease_whose_answer_was_lost_is_given_once_more)
{
    batch_usual(5);
    lease_finds(0, &w2);
    fault_arm("redis", 0, FAULT_AFTER);
    struct lease_set set = lease_some(&w1, 2, 2);
    ck_assert(fault_tripped());
    counts_are(2, 0, 3, 0, 0);
    struct lease_set next = lease_some(&w1, 1, 1); /* and the next call is a new one */
    ck_assert_str_eq(next.leases[0].key, "k003");
    lease_set_free(&set);
    lease_set_free(&next);
}
END_TEST

START_TEST(test_a_lease_call_that_gave_up_is_answered_by_the_next_one)
{
    batch_usual(5);
    CLEANUP(queue_close) struct queue *hasty = queue_of(server.url, 1, 0);
    ck_ok(queue_use(hasty, "b", NULL, &err));
    fault_arm("redis", 0, FAULT_AFTER);
    struct lease_set set;
    ck_gives(ERR_UNREACHABLE, queue_lease(hasty, &w1, (struct lease_wish){.max = 2}, &set, &err));
    counts_are(3, 0, 2, 0, 0);
    ck_ok(queue_lease(hasty, &w1, (struct lease_wish){.max = 2}, &set, &err));
    ck_assert_int_eq(set.n, 2);
    ck_assert_str_eq(set.leases[0].key, "k000");
    counts_are(3, 0, 2, 0, 0);
    lease_set_free(&set);
}
END_TEST

START_TEST(test_a_repeated_lease_call_that_had_found_nothing_looks_again)
{
    batch_usual(1);
    struct lease_ref ref = lease_one(&w1);
    CLEANUP(queue_close) struct queue *hasty = queue_of(server.url, 1, 0);
    ck_ok(queue_use(hasty, "b", NULL, &err));
    fault_arm("redis", 0, FAULT_AFTER);
    struct lease_set set;
    ck_gives(ERR_UNREACHABLE, queue_lease(hasty, &w2, (struct lease_wish){.max = 1}, &set, &err));
    ck_assert_int_eq(release_one(&w1, &ref), LEASE_OK);
    ck_ok(queue_lease(hasty, &w2, (struct lease_wish){.max = 1}, &set, &err));
    ck_assert_int_eq(set.n, 1);
    lease_set_free(&set);
    ref_free(&ref);
}
END_TEST

static void settle(void)
{
    struct settle_lease lease;
    enum lease_answer answer;
    ck_ok(queue_settle_begin(queue, &w1, &lease, &err));
    ck_ok(queue_settle_finish(queue, &lease, &answer, &err));
    ck_assert_int_ne(answer, LEASE_STALE);
}

/* As reconcile does with a done key whose result is not there. */
static void compute_again(const char *name)
{
    int64_t epoch;
    struct queue_key key = show(name);
    struct queue_move move = {.key = name, .seen_state = key.state, .seen_token = key.token};
    ck_ok(queue_reopen(queue, &epoch, &err));
    ck_ok(queue_move(queue, &move, 1, &err));
    ck_assert(move.moved);
    queue_key_free(&key);
    struct lease_ref ref = lease_one(&w1);
    ck_assert_str_eq(ref.key, name);
    ck_assert_int_ne(done_one(&w1, &ref), LEASE_STALE);
    ref_free(&ref);
}

/* Everything a batch goes through, alone on one connection. Keys end as done, k003 by way of a
 * failed attempt, k005 released once. */
static void work_through(int n)
{
    struct queue_settings settings = settings_usual();
    struct queue_added added;
    char names[32][8];
    const char *keys[32];
    for (int i = 0; i < n; i++) {
        snprintf(names[i], sizeof(names[i]), "k%03d", i);
        keys[i] = names[i];
    }
    ck_ok(queue_begin(queue, "b", "inc-1", &settings, &err));
    ck_ok(queue_add(queue, keys, NULL, n, &added, &err));
    ck_assert_int_eq(added.added + added.present, n);
    ck_ok(queue_seal(queue, n, &err));
    bool failed = false, released = false;
    int64_t until = clock_ms() + 5000;
    for (;;) {
        ck_assert_msg(clock_ms() < until, "a key was leased into the void");
        struct lease_set set = {0};
        int r = queue_lease(queue, &w1, (struct lease_wish){.max = 3}, &set, &err);
        if (r == QUEUE_SETTLE)
            break;
        ck_assert_msg(r == 0 || r == QUEUE_EMPTY, "%d %s", r, err.text);
        if (r == QUEUE_EMPTY)
            redis_do("ZADD hiwari:{b}:delayed XX 1 k003");
        for (int i = 0; i < set.n; i++) {
            struct lease_ref ref = {.key = set.leases[i].key, .token = set.leases[i].token};
            ck_assert_int_eq(renew_one(&w1, &ref, true), LEASE_OK);
            if (strcmp(ref.key, "k003") == 0 && !failed)
                failed = fail_one(&w1, &ref, "error") != LEASE_STALE;
            else if (strcmp(ref.key, "k005") == 0 && !released)
                released = release_one(&w1, &ref) != LEASE_STALE;
            else
                done_one(&w1, &ref);
            ck_assert_int_ne(ref.answer, LEASE_STALE);
        }
        lease_set_free(&set);
    }
    settle();
    lease_finds(QUEUE_SETTLED, &w1);
    compute_again("k001");
    settle();
}

static void every_call_fails_once(enum fault_moment moment)
{
    int calls = 0;
    for (;; calls++) {
        redis_do("FLUSHALL");
        fault_arm("redis", calls, moment);
        work_through(8);
        bool tripped = fault_tripped();
        fault_disarm();
        counts_are(0, 0, 0, 8, 0);
        struct queue_status status = status_now();
        ck_assert_msg(status.attempts == 1 && status.interruptions == 1,
                      "call %d: %d attempts, %d interruptions", calls, (int)status.attempts,
                      (int)status.interruptions);
        queue_status_free(&status);
        ck_assert_int_eq(fsck_findings(false), 0);
        if (!tripped)
            break;
    }
    ck_assert_int_gt(calls, 30); /* the loop has cut many calls */
}

START_TEST(test_no_key_is_lost_whichever_call_is_cut_before_it_is_sent)
{
    every_call_fails_once(FAULT_BEFORE);
}
END_TEST

START_TEST(test_no_key_is_lost_whichever_answer_is_lost)
{
    every_call_fails_once(FAULT_AFTER);
}
END_TEST

#endif

START_TEST(test_a_worker_killed_after_any_call_leaves_no_key_behind)
{
    /* The calls of a worker; it dies after so many of them, and another finishes. */
    for (int calls = 0; calls <= 4; calls++) {
        redis_do("FLUSHALL");
        batch_short_leases(3, 50);
        struct lease_set set = {0};
        if (calls > 0)
            ck_ok(queue_lease(queue, &w1, (struct lease_wish){.max = 2}, &set, &err));
        struct lease_ref ref = {0};
        if (set.n > 0)
            ref = (struct lease_ref){.key = set.leases[0].key, .token = set.leases[0].token};
        if (calls > 1)
            ck_assert_int_eq(renew_one(&w1, &ref, true), LEASE_OK);
        if (calls > 2)
            ck_assert_int_eq(done_one(&w1, &ref), LEASE_OK);
        clock_sleep_ms(80);
        for (int i = calls > 2; i < 3; i++) {
            struct lease_ref mine = lease_one(&w2);
            ck_assert_int_eq(done_one(&w2, &mine), LEASE_OK);
            ref_free(&mine);
        }
        lease_finds(QUEUE_SETTLE, &w2);
        counts_are(0, 0, 0, 3, 0);
        lease_set_free(&set);
    }
}
END_TEST

/* ---- a server of one's own ---- */

START_TEST(test_leases_live_on_when_redis_is_killed_and_comes_back)
{
    redis_server_start(&server, NULL);
    queue = queue_new();
    batch_usual(3);
    struct lease_ref ref = lease_one(&w1);
    redis_server_kill(&server);
    redis_server_restart(&server);
    ck_assert_int_eq(renew_one(&w1, &ref, true), LEASE_OK);
    ck_assert_int_eq(done_one(&w1, &ref), LEASE_OK);
    counts_are(2, 0, 0, 1, 0);
    ck_assert_int_eq(fsck_findings(false), 0);
    ref_free(&ref);
    queue_close(queue);
    redis_server_stop(&server);
}
END_TEST

START_TEST(test_a_redis_that_stays_away_is_named_when_patience_is_over)
{
    redis_server_start(&server, NULL);
    queue = queue_new();
    batch_usual(1);
    redis_server_kill(&server);
    CLEANUP(queue_close) struct queue *none = queue_of(server.url, 300, ERR_UNREACHABLE);
    ck_assert_ptr_null(none);
    ck_assert_msg(strstr(err.text, server.url) && strstr(err.text, "is it running"), "%s",
                  err.text);
    queue_close(queue);
    redis_server_stop(&server);
}
END_TEST

START_TEST(test_a_full_redis_refuses_new_keys_and_takes_finished_work)
{
    redis_server_start(&server, NULL);
    queue = queue_new();
    struct queue_settings settings = settings_usual();
    ck_ok(queue_begin(queue, "b", "inc-1", &settings, &err));
    keys_add(0, 3);
    struct lease_ref done = lease_one(&w1), failed = lease_one(&w1);
    redis_do("CONFIG SET maxmemory 1");
    const char *const keys[] = {"one-more"};
    struct queue_added added;
    ck_gives(ERR_RETRY, queue_add(queue, keys, NULL, 1, &added, &err));
    ck_assert_msg(strstr(err.text, "is full"), "%s", err.text);
    ck_assert_int_eq(renew_one(&w1, &done, true), LEASE_OK);
    ck_assert_int_eq(done_one(&w1, &done), LEASE_OK);
    ck_assert_int_eq(fail_one(&w1, &failed, "error"), LEASE_OK);
    struct lease_ref more = lease_one(&w1);
    ck_assert_int_eq(release_one(&w1, &more), LEASE_OK);
    counts_are(1, 1, 0, 1, 0);
    ck_assert_int_eq(fsck_findings(false), 0);
    struct lease_ref refs[] = {done, failed, more};
    for (int i = 0; i < 3; i++)
        ref_free(&refs[i]);
    queue_close(queue);
    redis_server_stop(&server);
}
END_TEST

START_TEST(test_a_redis_that_evicts_is_refused)
{
    redis_server_start(&server, (const char *const[]){"--maxmemory-policy", "allkeys-lru", NULL});
    struct queue *q = queue_of(server.url, 500, ERR_CONFIG);
    ck_assert_ptr_null(q);
    ck_assert_msg(strstr(err.text, "allkeys-lru") && strstr(err.text, "noeviction"), "%s",
                  err.text);
    const struct queue_options options = {.url = server.url, .allow_eviction = true};
    ck_ok(queue_open(&options, &q, &err));
    queue_close(q);
    redis_server_stop(&server);
}
END_TEST

START_TEST(test_user_password_and_database_come_from_the_url_and_passwords_stay_secret)
{
    redis_server_start(&server, (const char *const[]){"--requirepass", "s3c:r@t", "--user", "ann",
                                                      "on", ">pw", "~*", "&*", "+@all", NULL});
    char url[256];
    snprintf(url, sizeof(url), "unix://:s3c%%3Ar%%40t@%s?db=3", server.socket);
    CLEANUP(queue_close) struct queue *q = queue_of(url, 500, 0);
    ck_assert(!strstr(queue_url(q), "s3c"));
    struct queue_settings settings = settings_usual();
    ck_ok(queue_begin(q, "b", "i", &settings, &err));
    snprintf(url, sizeof(url), "unix://ann:pw@%s", server.socket);
    CLEANUP(queue_close) struct queue *ann = queue_of(url, 500, 0);
    ck_gives(QUEUE_GONE, queue_use(ann, "b", NULL, &err)); /* in database 3 only */

    snprintf(url, sizeof(url), "unix://:wrong-secret@%s", server.socket);
    ck_assert_ptr_null(queue_of(url, 500, ERR_CONFIG));
    ck_assert_msg(!strstr(err.text, "wrong-secret"), "%s", err.text);
    ck_assert_ptr_null(queue_of(server.url, 500, ERR_CONFIG));
    redis_server_stop(&server);
}
END_TEST

START_TEST(test_a_wrong_url_is_a_configuration_error_without_its_password)
{
    const char *const urls[] = {"http://:hush@x",  "redis://:hush@h:port", "redis://:hush@h/db",
                                "unix://relative", "unix:///x?x=1",        "redis://[::1",
                                "redis://h:99999"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        ck_assert_ptr_null(queue_of(urls[i], 100, ERR_CONFIG));
        ck_assert_msg(!strstr(err.text, "hush"), "%s", err.text);
    }
}
END_TEST

START_TEST(test_a_tcp_connection_works_as_well)
{
    redis_server_start(&server, NULL);
    int port = 20000 + (int)(getpid() % 20000);
    redis_do("CONFIG SET port %d", port);
    char url[64];
    snprintf(url, sizeof(url), "redis://127.0.0.1:%d/0", port);
    CLEANUP(queue_close) struct queue *q = queue_of(url, 2000, 0);
    struct queue_settings settings = settings_usual();
    ck_ok(queue_begin(q, "b", "i", &settings, &err));
    redis_server_stop(&server);
}
END_TEST

static Suite *queue_fault_suite(void)
{
    Suite *suite = suite_create("queue_fault");
    TCase *shared = fixture_case(suite, "cut");
#ifndef NDEBUG
    tcase_add_test(shared, test_a_lease_whose_answer_was_lost_is_given_once_more);
    tcase_add_test(shared, test_a_lease_call_that_gave_up_is_answered_by_the_next_one);
    tcase_add_test(shared, test_a_repeated_lease_call_that_had_found_nothing_looks_again);
    tcase_add_test(shared, test_no_key_is_lost_whichever_call_is_cut_before_it_is_sent);
    tcase_add_test(shared, test_no_key_is_lost_whichever_answer_is_lost);
#endif
    tcase_add_test(shared, test_a_worker_killed_after_any_call_leaves_no_key_behind);
    TCase *own = tcase_create("own server");
    tcase_set_timeout(own, 60);
    tcase_add_test(own, test_leases_live_on_when_redis_is_killed_and_comes_back);
    tcase_add_test(own, test_a_redis_that_stays_away_is_named_when_patience_is_over);
    tcase_add_test(own, test_a_full_redis_refuses_new_keys_and_takes_finished_work);
    tcase_add_test(own, test_a_redis_that_evicts_is_refused);
    tcase_add_test(own,
                   test_user_password_and_database_come_from_the_url_and_passwords_stay_secret);
    tcase_add_test(own, test_a_wrong_url_is_a_configuration_error_without_its_password);
    tcase_add_test(own, test_a_tcp_connection_works_as_well);
    suite_add_tcase(suite, own);
    return suite;
}

UNIT_MAIN(queue_fault_suite)

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_queue_cut.c - the connection is cut behind every single byte of an exchange: each verb is
 * answered all the same, has its effect once, and no key is lost.
 *
 * Each turn makes the batch anew by a connection of its own, and runs the exchange by another one
 * that goes through tests/support/proxy.py. */
#include <unistd.h>

#include "queue_fixture.h"
#include "wire.h"

static struct wire wire;
static struct queue *wired;

static struct queue *wired_new(void)
{
    struct queue *q = NULL;
    const struct queue_options options = {.url = wire.url, .patience_ms = 30000};
    ck_ok(queue_open(&options, &q, &err));
    ck_gives(0, queue_use(q, "b", NULL, &err));
    return q;
}

static void turn_begin(void)
{
    redis_do("FLUSHALL");
    batch_usual(2);
}

static struct lease_ref wired_lease(void)
{
    struct lease_set set = {0};
    ck_ok(queue_lease(wired, &w1, (struct lease_wish){.max = 1}, &set, &err));
    ck_assert_int_eq(set.n, 1);
    struct lease_ref ref = {.key = set.leases[0].key, .token = set.leases[0].token};
    ck_assert_str_eq(ref.key, "k000");
    free(set.leases);
    return ref;
}

static void answered(struct lease_ref *ref)
{
    ck_assert_int_ne(ref->answer, LEASE_STALE);
}

/* ---- exchanges ---- */

static void exchange_done(void)
{
    struct lease_ref ref = wired_lease();
    ref.started = true;
    ck_ok(queue_renew(wired, &w1, &ref, 1, &err));
    ck_assert_int_eq(ref.answer, LEASE_OK);
    ck_ok(queue_done(wired, &w1, &ref, 1, &err));
    answered(&ref);
    ref_free(&ref);
    counts_are(1, 0, 0, 1, 0);
}

static void exchange_fail(void)
{
    struct lease_ref ref = wired_lease();
    ck_ok(queue_fail(wired, &w1, &ref, "error", "no", &err));
    answered(&ref);
    ref_free(&ref);
    counts_are(1, 1, 0, 0, 0);
    struct queue_key key = show("k000");
    ck_assert_int_eq(key.attempts, 1);
    queue_key_free(&key);
}

static void exchange_release(void)
{
    struct lease_ref ref = wired_lease();
    ck_ok(queue_release(wired, &w1, &ref, 1, &err));
    answered(&ref);
    ref_free(&ref);
    counts_are(2, 0, 0, 0, 0);
    struct queue_key key = show("k000");
    ck_assert_int_eq(key.interruptions, 0);
    ck_assert_int_eq(key.n_leases, 1);
    queue_key_free(&key);
}

static void finish_keys(void)
{
    for (int i = 0; i < 2; i++) {
        struct lease_ref ref = lease_one(&w2);
        ck_assert_int_eq(done_one(&w2, &ref), LEASE_OK);
        ref_free(&ref);
    }
}

static void exchange_settle(void)
{
    struct settle_lease lease;
    enum lease_answer answer;
    ck_ok(queue_settle_begin(wired, &w1, &lease, &err));
    ck_ok(queue_settle_renew(wired, &lease, &answer, &err));
    ck_assert_int_eq(answer, LEASE_OK);
    ck_ok(queue_settle_finish(wired, &lease, &answer, &err));
    ck_assert_int_ne(answer, LEASE_STALE);
    lease_finds(QUEUE_SETTLED, &w2);
}

static void exchange_open(void)
{
    struct queue *q = wired_new();
    ck_assert_str_eq(queue_incarnation(q), "inc-1");
    queue_close(q);
}

/* ---- the loop ---- */

/* Run the exchange whole, as turn number -2 to make the scripts known and -1 to count its bytes
 * that way, then once with each cut but for the last `varying` bytes, which may not come. prepare
 * may be NULL. step 1: behind each byte. */
static void cut_everywhere(const char *direction, void (*prepare)(void), void (*exchange)(void),
                           int step, int varying)
{
    int64_t bytes = 1;
    int first = getpid() % step; /* another one each time */
    turn_begin();
    wired = wired_new();
    for (int64_t n = -2; n < bytes; n += n < -1 ? 1 : n < 0 ? 1 + first : step) {
        turn_begin();
        if (prepare)
            prepare();
        wire_reset(&wire);
        int64_t cuts = wire.cuts;
        if (n >= 0)
            wire_cut_after(&wire, direction, n);
        exchange();
        wire_look(&wire);
        if (n < 0)
            bytes = strcmp(direction, "to_server") == 0 ? wire.to_server : wire.to_client;
        if (n == -1)
            bytes -= varying;
        ck_assert_msg(wire.cuts == cuts + (n >= 0), "byte %d of %d was not cut", (int)n,
                      (int)bytes);
        ck_assert_int_eq(fsck_findings(false), 0);
    }
    ck_assert_int_gt(bytes, 50);
    queue_close(wired);
}

START_TEST(test_done_is_heard_once_whichever_byte_of_the_requests_is_the_last)
{
    cut_everywhere("to_server", NULL, exchange_done, 3,
                   4); /* a random number in them has one to three digits */
}
END_TEST

START_TEST(test_done_is_heard_once_whichever_byte_of_the_answers_is_the_last)
{
    cut_everywhere("to_client", NULL, exchange_done, 1, 0);
}
END_TEST

START_TEST(test_an_attempt_is_charged_once_whichever_byte_of_the_answers_is_the_last)
{
    cut_everywhere("to_client", NULL, exchange_fail, 1, 0);
}
END_TEST

START_TEST(test_a_key_is_released_once_whichever_byte_of_the_answers_is_the_last)
{
    cut_everywhere("to_client", NULL, exchange_release, 1, 0);
}
END_TEST

START_TEST(test_a_batch_settles_whichever_byte_of_the_answers_is_the_last)
{
    cut_everywhere("to_client", finish_keys, exchange_settle, 1, 0);
}
END_TEST

START_TEST(test_a_queue_opens_whichever_byte_of_the_answers_is_the_last)
{
    enum { NUMBERS = 60 }; /* INFO's are shorter at one time than at another */
    cut_everywhere("to_client", NULL, exchange_open, 5, NUMBERS);
}
END_TEST

static void cut_setup(void)
{
    wire_start(&wire, server.socket);
    queue = queue_new();
}

static void cut_teardown(void)
{
    queue_close(queue);
    wire_stop(&wire);
}

static Suite *queue_cut_suite(void)
{
    Suite *suite = suite_create("queue_cut");
    TCase *tcase = tcase_create("cut");
    tcase_set_timeout(tcase, 240);
    tcase_add_unchecked_fixture(tcase, fixture_server_start, fixture_server_stop);
    tcase_add_checked_fixture(tcase, cut_setup, cut_teardown);
    tcase_add_test(tcase, test_done_is_heard_once_whichever_byte_of_the_requests_is_the_last);
    tcase_add_test(tcase, test_done_is_heard_once_whichever_byte_of_the_answers_is_the_last);
    tcase_add_test(tcase,
                   test_an_attempt_is_charged_once_whichever_byte_of_the_answers_is_the_last);
    tcase_add_test(tcase, test_a_key_is_released_once_whichever_byte_of_the_answers_is_the_last);
    tcase_add_test(tcase, test_a_batch_settles_whichever_byte_of_the_answers_is_the_last);
    tcase_add_test(tcase, test_a_queue_opens_whichever_byte_of_the_answers_is_the_last);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_MAIN(queue_cut_suite)

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_worker.c - the keys a worker holds, stage by stage, and how many threads it may use. */
#include "worker/held.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "unit.h"
#include "worker/cpus.h"

static struct held *held;
static struct err err;

static void setup(void)
{
    held = held_new(2, 16);
}

static void teardown(void)
{
    held_free(held);
}

/* Lease keys k0 … with tokens t0 …, due in so many ms. */
static void lease(int n, int64_t due_ms)
{
    struct lease_set set = {.n = n, .leases = mem_zalloc((size_t)n * sizeof(struct lease))};
    for (int i = 0; i < n; i++)
        set.leases[i] = (struct lease){.key = mem_printf("k%d", i),
                                       .token = mem_printf("t%d", i),
                                       .deadline_ms = clock_ms() + due_ms};
    held_add(held, &set);
    lease_set_free(&set);
}

static int count(enum held_stage stage)
{
    CLEANUP(held_refs_deinit) struct held_refs refs = {0};
    held_list(held, stage, &refs);
    return refs.n;
}

static struct held_key *take_and_compute(void)
{
    struct frame frame = {0};
    struct held_key *key = held_take(held);
    held_computed(held, key, &frame);
    return key;
}

static enum held_errand errand_now(void)
{
    return held_errand(held, 0, 0);
}

START_TEST(test_a_key_goes_through_all_stages_and_is_forgotten_when_told)
{
    CLEANUP(held_refs_deinit) struct held_refs refs = {0};
    lease(2, 60000);
    struct held_key *key = take_and_compute();
    ck_assert_str_eq(key->lease.key, "k0");
    ck_assert_ptr_eq(held_take_upload(held), key);
    ck_assert(held_may_upload(held, key));
    held_uploaded(held, key, 42);
    ck_assert_int_eq(errand_now(), HELD_TELL);
    held_list(held, HELD_FINISHED, &refs);
    ck_assert_int_eq(refs.n, 1);
    ck_assert_str_eq(refs.refs[0].token, "t0");
    ck_assert_int_eq(refs.refs[0].rows, 42);
    held_forget(held, refs.refs, refs.n);
    ck_assert_int_eq(count(HELD_FINISHED), 0);
    ck_assert_int_eq(count(HELD_WAITING), 1);
    ck_assert(!held_empty(held));
}
END_TEST

START_TEST(test_a_key_past_its_deadline_is_not_uploaded)
{
    lease(2, 0);
    struct held_key *key = take_and_compute();
    ck_assert_ptr_eq(held_take_upload(held), key);
    ck_assert(!held_may_upload(held, key));
    ck_assert_int_eq(held_fence(held, clock_ms()), 2);
    ck_assert_int_eq(count(HELD_WAITING), 0); /* what had not begun is forgotten at once */
    held_drop(held, key);
    ck_assert(held_empty(held));
    ck_assert_int_eq(held_counts(held).lost, 2);
}
END_TEST

START_TEST(test_a_key_that_was_lost_while_computing_is_dropped_when_it_comes_out)
{
    struct frame frame = {0};
    lease(1, 60000);
    struct held_key *key = held_take(held);
    struct lease_ref stale = {.key = "k0", .token = "t0", .answer = LEASE_STALE};
    held_renewed(held, &stale, 1);
    held_computed(held, key, &frame);
    ck_assert(held_empty(held));
}
END_TEST

START_TEST(test_a_renewed_key_has_a_new_deadline)
{
    lease(1, 10);
    struct lease_ref ref = {
        .key = "k0", .token = "t0", .answer = LEASE_OK, .deadline_ms = clock_ms() + 60000};
    held_renewed(held, &ref, 1);
    ck_assert_int_eq(held_fence(held, clock_ms() + 1000), 0);
    ck_assert_int_eq(held_fence(held, clock_ms() + 61000), 1);
}
END_TEST

START_TEST(test_only_begun_keys_are_news_and_only_until_they_were_told)
{
    CLEANUP(held_refs_deinit) struct held_refs news = {0};
    CLEANUP(held_refs_deinit) struct held_refs all = {0};
    lease(3, 60000);
    ck_assert(!held_has_news(held));
    held_take(held);
    ck_assert(held_has_news(held));
    held_list_renewable(held, false, &news);
    ck_assert(news.n == 1 && news.refs[0].started);
    held_list_renewable(held, true, &all);
    ck_assert(all.n == 3 && all.refs[0].started && !all.refs[1].started);
    news.refs[0].answer = LEASE_OK;
    news.refs[0].deadline_ms = clock_ms() + 60000;
    held_renewed(held, news.refs, 1);
    ck_assert(!held_has_news(held));
}
END_TEST

START_TEST(test_draining_gives_back_what_waits_and_ends_with_what_was_begun)
{
    CLEANUP(held_refs_deinit) struct held_refs refs = {0};
    lease(3, 60000);
    struct held_key *key = held_take(held);
    held_drain(held);
    ck_assert_int_eq(errand_now(), HELD_TELL);
    held_list(held, HELD_WAITING, &refs);
    ck_assert_int_eq(refs.n, 2);
    held_forget(held, refs.refs, refs.n);
    ck_assert_int_eq(errand_now(), HELD_NOTHING);
    ck_assert_ptr_null(held_take(held));
    held_failed(held, key, "error", "it broke");
    ck_assert_int_eq(errand_now(), HELD_TELL);
    struct lease_ref told = {.key = "k0", .token = "t0"};
    held_forget(held, &told, 1);
    ck_assert_int_eq(errand_now(), HELD_DRAINED);
}
END_TEST

START_TEST(test_a_store_that_cannot_be_written_stops_at_once)
{
    struct err why = {0}, got = {0};
    lease(1, 60000);
    held_take(held);
    err_set(&why, ERR_WRITE, "full");
    held_stop(held, &why);
    ck_assert_int_eq(errand_now(), HELD_DRAINED);
    ck_assert(held_stopped(held, &got));
    ck_assert_str_eq(got.text, "full");
}
END_TEST

static void *take_thread(void *ctx)
{
    *(struct held_key **)ctx = held_take(held);
    return NULL;
}

START_TEST(test_keys_are_leased_when_the_taker_has_nothing_to_do)
{
    pthread_t thread;
    struct held_key *taken = NULL;
    ck_assert_int_eq(held_lease_wish(held).max, 1); /* how long a key takes is not known yet */
    pthread_create(&thread, NULL, take_thread, &taken);
    ck_assert_int_eq(held_errand(held, 0, clock_ms() + 10000), HELD_LEASE);
    ck_assert(held_lease_wish(held).begins);
    lease(1, 60000);
    ck_assert(!held_lease_wish(held).begins); /* the one before does, taken yet or not */
    pthread_join(thread, NULL);
    ck_assert_str_eq(taken->lease.key, "k0");
    ck_assert_int_eq(errand_now(),
                     HELD_NOTHING); /* it may take minutes: no others wait behind it */
}
END_TEST

START_TEST(test_short_keys_are_leased_many_at_once_and_long_ones_singly)
{
    lease(41, 60000);
    for (int i = 0; i < 40 && held_lease_wish(held).max < 16; i++) {
        take_and_compute(); /* in no time, unless the machine is busy just then */
        held_drop(held, held_take_upload(held));
    }
    ck_assert_int_eq(held_lease_wish(held).max, 16);
    struct frame frame = {0};
    struct held_key *key = held_take(held);
    clock_sleep_ms(1000); /* an eighth of it counts */
    held_computed(held, key, &frame);
    ck_assert_int_eq(held_lease_wish(held).max, 1);
    ck_assert_int_eq(errand_now(), HELD_NOTHING); /* and only when there is nothing to do */
}
END_TEST

START_TEST(test_the_row_of_frames_is_bounded)
{
    pthread_t thread;
    struct held_key *third = NULL;
    struct frame frame = {0};
    lease(3, 60000);
    take_and_compute();
    take_and_compute();
    pthread_create(&thread, NULL, take_thread, &third);
    pthread_join(thread, NULL);
    held_drop(held, held_take_upload(held)); /* makes room, or the next line would wait for ever */
    held_computed(held, third, &frame);
    ck_assert_int_eq(count(HELD_COMPUTED), 2);
}
END_TEST

START_TEST(test_a_key_that_hangs_is_found_after_its_limit)
{
    CLEANUP(held_refs_deinit) struct held_refs refs = {0};
    lease(2, 60000);
    held_take(held);
    ck_assert(!held_overdue(held, clock_ms() + 900, 1000, &refs));
    ck_assert(held_overdue(held, clock_ms() + 1100, 1000, &refs));
    ck_assert_int_eq(refs.n, 1);
    ck_assert_str_eq(refs.refs[0].key, "k0");
}
END_TEST

START_TEST(test_a_batch_that_is_gone_drops_everything)
{
    struct frame frame = {0};
    lease(3, 60000);
    struct held_key *computing = held_take(held);
    held_drop_all(held);
    ck_assert_int_eq(count(HELD_WAITING), 0);
    held_computed(held, computing, &frame);
    ck_assert(held_empty(held));
}
END_TEST

static void write_quota(const char *dir, const char *below, const char *text)
{
    CLEANUP(mem_free_chars) char *folder = mem_printf("%s%s", dir, below);
    CLEANUP(mem_free_chars) char *path = mem_printf("%s/cpu.max", folder);
    ck_assert_int_eq(fs_mkdirs(folder, &err), 0);
    ck_assert_int_eq(fs_write(path, text, strlen(text), &err), 0);
}

START_TEST(test_threads_follow_the_least_quota_of_all_cgroups_above)
{
    char dir[] = "/tmp/hiwari-cgroup-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(cpus_quota(dir, ""), 0);
    write_quota(dir, "/kubepods/pod1/c1", "max 100000\n");
    ck_assert_int_eq(cpus_quota(dir, "/kubepods/pod1/c1"), 0);
    write_quota(dir, "/kubepods/pod1", "150000 100000\n");
    ck_assert_int_eq(cpus_quota(dir, "/kubepods/pod1/c1"), 2);
    write_quota(dir, "/kubepods", "800000 100000\n");
    ck_assert_int_eq(cpus_quota(dir, "/kubepods/pod1/c1"), 2);
    write_quota(dir, "", "50000 100000\n"); /* a container sees its own as the root */
    ck_assert_int_eq(cpus_quota(dir, ""), 1);
    ck_assert_int_ge(cpus_allowed(), 1);
    ck_assert_int_eq(fs_remove_tree(dir, &err), 0);
}
END_TEST

static Suite *worker_suite(void)
{
    Suite *suite = suite_create("worker");
    TCase *tc = tcase_create("held");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, test_a_key_goes_through_all_stages_and_is_forgotten_when_told);
    tcase_add_test(tc, test_a_key_past_its_deadline_is_not_uploaded);
    tcase_add_test(tc, test_a_key_that_was_lost_while_computing_is_dropped_when_it_comes_out);
    tcase_add_test(tc, test_a_renewed_key_has_a_new_deadline);
    tcase_add_test(tc, test_only_begun_keys_are_news_and_only_until_they_were_told);
    tcase_add_test(tc, test_draining_gives_back_what_waits_and_ends_with_what_was_begun);
    tcase_add_test(tc, test_a_store_that_cannot_be_written_stops_at_once);
    tcase_add_test(tc, test_keys_are_leased_when_the_taker_has_nothing_to_do);
    tcase_add_test(tc, test_short_keys_are_leased_many_at_once_and_long_ones_singly);
    tcase_add_test(tc, test_the_row_of_frames_is_bounded);
    tcase_add_test(tc, test_a_key_that_hangs_is_found_after_its_limit);
    tcase_add_test(tc, test_a_batch_that_is_gone_drops_everything);
    tcase_add_test(tc, test_threads_follow_the_least_quota_of_all_cgroups_above);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(worker_suite)

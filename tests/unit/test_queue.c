/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_queue.c - leases: who holds a key, when it comes back, what it costs. */
#include <time.h>

#include "queue/queue_impl.h"
#include "queue_fixture.h"

START_TEST(test_a_key_is_leased_to_one_worker_at_a_time)
{
    batch_usual(3);
    struct lease_set a = lease_some(&w1, 2, 2);
    struct lease_set b = lease_some(&w2, 2, 1);
    ck_assert_str_eq(a.leases[0].key, "k000");
    ck_assert_str_eq(a.leases[1].key, "k001");
    ck_assert_str_eq(b.leases[0].key, "k002");
    ck_assert_int_eq(a.leases[0].attempt, 1);
    lease_finds(QUEUE_EMPTY, &w3);
    counts_are(0, 0, 3, 0, 0);
    lease_set_free(&a);
    lease_set_free(&b);
}
END_TEST

START_TEST(test_a_deadline_is_counted_from_before_the_request)
{
    batch_usual(1);
    int64_t before = clock_ms();
    struct lease_set set = lease_some(&w1, 1, 1);
    ck_assert_int_ge(set.leases[0].deadline_ms, before + 60000);
    ck_assert_int_le(set.leases[0].deadline_ms, clock_ms() + 60000);
    lease_set_free(&set);
}
END_TEST

START_TEST(test_a_key_waits_again_when_its_lease_runs_out)
{
    batch_short_leases(1, 60);
    struct lease_ref lost = lease_one(&w1);
    lease_finds(QUEUE_EMPTY, &w2);
    clock_sleep_ms(80);
    struct lease_ref mine = lease_one(&w2);
    ck_assert_str_eq(mine.key, lost.key);
    ck_assert_str_ne(mine.token, lost.token);
    ref_free(&lost);
    ref_free(&mine);
}
END_TEST

START_TEST(test_a_renewed_lease_is_kept)
{
    batch_short_leases(1, 200);
    struct lease_ref ref = lease_one(&w1);
    for (int i = 0; i < 8; i++) {
        clock_sleep_ms(50);
        int64_t before = clock_ms();
        ck_assert_int_eq(renew_one(&w1, &ref, true), LEASE_OK);
        ck_assert_int_ge(ref.deadline_ms, before + 200);
        lease_finds(QUEUE_EMPTY, &w2);
    }
    ck_assert_int_eq(done_one(&w1, &ref), LEASE_OK);
    ref_free(&ref);
}
END_TEST

START_TEST(test_only_a_started_key_is_charged_an_interruption)
{
    batch_short_leases(2, 60);
    struct lease_ref idle = lease_one(&w1);
    struct lease_ref busy = lease_one(&w1);
    ck_assert_int_eq(renew_one(&w1, &busy, true), LEASE_OK);
    clock_sleep_ms(80);
    struct lease_set set = lease_some(&w2, 2, 2);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(set.leases[i].interruptions, strcmp(set.leases[i].key, busy.key) == 0);
    struct queue_status status = status_now();
    ck_assert_int_eq(status.interruptions, 1);
    ck_assert_int_eq(status.attempts, 0);
    queue_status_free(&status);
    lease_set_free(&set);
    ref_free(&idle);
    ref_free(&busy);
}
END_TEST

START_TEST(test_a_stale_holder_changes_nothing)
{
    batch_short_leases(1, 60);
    struct lease_ref stale = lease_one(&w1);
    clock_sleep_ms(80);
    struct lease_ref mine = lease_one(&w2);
    ck_assert_int_eq(renew_one(&w1, &stale, true), LEASE_STALE);
    ck_assert_int_eq(done_one(&w1, &stale), LEASE_STALE);
    ck_assert_int_eq(fail_one(&w1, &stale, "error"), LEASE_STALE);
    ck_assert_int_eq(release_one(&w1, &stale), LEASE_STALE);
    struct queue_key key = show("k000");
    ck_assert_int_eq(key.state, KEY_LEASED);
    ck_assert_str_eq(key.token, mine.token);
    ck_assert_int_eq(key.attempts, 0);
    ck_assert_int_eq(done_one(&w2, &mine), LEASE_OK);
    ck_assert_int_eq(done_one(&w1, &stale), LEASE_STALE);
    queue_key_free(&key);
    ref_free(&stale);
    ref_free(&mine);
}
END_TEST

START_TEST(test_a_holder_whose_lost_key_nobody_took_is_stale_too)
{
    batch_short_leases(2, 60);
    struct lease_ref stale = lease_one(&w1);
    clock_sleep_ms(80);
    struct lease_ref other = lease_one(&w2); /* takes the first back, and leases it */
    ck_assert_int_eq(release_one(&w2, &other), LEASE_OK);
    ck_assert_int_eq(done_one(&w1, &stale), LEASE_STALE);
    counts_are(2, 0, 0, 0, 0);
    ref_free(&stale);
    ref_free(&other);
}
END_TEST

START_TEST(test_a_key_that_begins_with_its_lease_is_charged_when_that_is_lost)
{
    struct lease_set set = {0};
    batch_short_leases(3, 60);
    ck_ok(queue_lease(queue, &w1, (struct lease_wish){.max = 2, .begins = true}, &set, &err));
    ck_assert(set.n == 2 && set.leases[0].begun && !set.leases[1].begun);
    clock_sleep_ms(80);
    lease_set_free(&set);
    set = lease_some(&w2, 3, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(set.leases[i].interruptions, strcmp(set.leases[i].key, "k000") == 0);
    lease_set_free(&set);
}
END_TEST

START_TEST(test_a_wish_for_no_key_hears_how_the_batch_is)
{
    struct lease_set set = {0};
    batch_usual(1);
    const struct lease_wish none = {.max = 0};
    ck_gives(QUEUE_EMPTY, queue_lease(queue, &w1, none, &set, &err));
    counts_are(1, 0, 0, 0, 0);
    struct lease_ref ref = lease_one(&w2);
    ck_assert_int_eq(done_one(&w2, &ref), LEASE_OK);
    ck_gives(QUEUE_SETTLE, queue_lease(queue, &w3, none, &set, &err));
    ref_free(&ref);
}
END_TEST

START_TEST(test_a_verb_heard_twice_is_answered_already)
{
    batch_usual(3);
    struct lease_ref refs[3] = {lease_one(&w1), lease_one(&w1), lease_one(&w1)};
    ck_assert_int_eq(done_one(&w1, &refs[0]), LEASE_OK);
    ck_assert_int_eq(done_one(&w1, &refs[0]), LEASE_ALREADY);
    ck_assert_int_eq(fail_one(&w1, &refs[1], "error"), LEASE_OK);
    ck_assert_int_eq(fail_one(&w1, &refs[1], "error"), LEASE_ALREADY);
    ck_assert_int_eq(release_one(&w1, &refs[2]), LEASE_OK);
    ck_assert_int_eq(release_one(&w1, &refs[2]), LEASE_ALREADY);
    ck_assert_int_eq(done_one(&w1, &refs[2]), LEASE_STALE);
    counts_are(1, 1, 0, 1, 0);
    struct queue_status status = status_now();
    ck_assert_int_eq(status.attempts, 1);
    queue_status_free(&status);
    for (int i = 0; i < 3; i++)
        ref_free(&refs[i]);
}
END_TEST

START_TEST(test_many_leases_are_answered_one_by_one)
{
    batch_usual(250);
    struct lease_ref refs[250];
    for (int i = 0; i < 250; i += 50) {
        const struct worker_id worker = {.id = i < 100 ? "x" : i < 200 ? "y" : "z"};
        struct lease_set set = lease_some(&worker, 50, 50);
        for (int j = 0; j < 50; j++)
            refs[i + j] = (struct lease_ref){
                .key = set.leases[j].key, .token = set.leases[j].token, .ms = 7, .rows = 3};
        free(set.leases);
    }
    const char *token = refs[120].token;
    refs[120].token = "another";
    ck_ok(queue_done(queue, &w1, refs, 250, &err));
    for (int i = 0; i < 250; i++)
        ck_assert_int_eq(refs[i].answer, i == 120 ? LEASE_STALE : LEASE_OK);
    counts_are(0, 0, 1, 249, 0);
    refs[120].token = token;
    for (int i = 0; i < 250; i++)
        ref_free(&refs[i]);
}
END_TEST

/* ---- budgets ---- */

START_TEST(test_a_failed_attempt_waits_and_the_last_one_is_final)
{
    struct queue_settings settings = settings_usual();
    settings.max_attempts = 2;
    batch_new(settings, 1);
    struct lease_ref ref = lease_one(&w1);
    ck_assert_int_eq(fail_one(&w1, &ref, "error"), LEASE_OK);
    counts_are(0, 1, 0, 0, 0);
    struct queue_key key = show("k000");
    ck_assert_int_eq(key.state, KEY_DELAYED);
    ck_assert(key.due_ms > 300 && key.due_ms <= 1000);
    ck_assert_str_eq(key.class, "error");
    ck_assert_str_eq(key.error, "it did not work");
    queue_key_free(&key);
    ref_free(&ref);

    redis_do("ZADD hiwari:{b}:delayed 1 k000"); /* long due */
    struct lease_set set = lease_some(&w1, 1, 1);
    ck_assert_int_eq(set.leases[0].attempt, 2);
    struct lease_ref again = {.key = set.leases[0].key, .token = set.leases[0].token};
    ck_assert_int_eq(fail_one(&w1, &again, "timeout"), LEASE_OK);
    lease_set_free(&set);
    counts_are(0, 0, 0, 0, 1);
    key = show("k000");
    ck_assert_int_eq(key.attempts, 2);
    ck_assert_int_eq(key.interruptions, 0);
    ck_assert_str_eq(key.class, "timeout");
    queue_key_free(&key);
}
END_TEST

START_TEST(test_wrong_input_is_not_tried_again)
{
    batch_usual(1);
    struct lease_ref ref = lease_one(&w1);
    ck_assert_int_eq(fail_one(&w1, &ref, "input"), LEASE_OK);
    counts_are(0, 0, 0, 0, 1);
    ref_free(&ref);
}
END_TEST

START_TEST(test_backoff_doubles_with_jitter_up_to_a_minute)
{
    struct queue_settings settings = settings_usual();
    settings.max_attempts = 100;
    batch_new(settings, 1);
    int64_t whole = 1000;
    for (int i = 0; i < 9; i++, whole = whole * 2 < 60000 ? whole * 2 : 60000) {
        struct lease_ref ref = lease_one(&w1);
        ck_assert_int_eq(fail_one(&w1, &ref, "error"), LEASE_OK);
        ref_free(&ref);
        struct queue_key key = show("k000");
        ck_assert_msg(key.due_ms > whole / 2 - 300 && key.due_ms <= whole,
                      "attempt %d: %d ms of %d", i + 1, (int)key.due_ms, (int)whole);
        queue_key_free(&key);
        redis_do("ZADD hiwari:{b}:delayed 1 k000");
    }
}
END_TEST

START_TEST(test_a_key_interrupted_too_often_fails_as_interrupted)
{
    struct queue_settings settings = settings_usual();
    settings.lease_ms = 40;
    settings.max_interruptions = 2;
    batch_new(settings, 1);
    for (int i = 0; i < 3; i++) {
        struct lease_ref ref = lease_one(&w1);
        ck_assert_int_eq(renew_one(&w1, &ref, true), LEASE_OK);
        clock_sleep_ms(60);
        ref_free(&ref);
    }
    lease_finds(QUEUE_SETTLE, &w2);
    struct queue_key key = show("k000");
    ck_assert_int_eq(key.state, KEY_FAILED);
    ck_assert_str_eq(key.class, "interrupted");
    ck_assert_int_eq(key.attempts, 0);
    ck_assert_int_eq(key.interruptions, 3);
    queue_key_free(&key);
}
END_TEST

/* Make the next key a suspect: two started leases, released. */
static void interrupt_twice(const char *name)
{
    for (int i = 0; i < 2; i++) {
        struct lease_ref ref = lease_one(&w3);
        ck_assert_str_eq(ref.key, name);
        ck_assert_int_eq(renew_one(&w3, &ref, true), LEASE_OK);
        ck_assert_int_eq(release_one(&w3, &ref), LEASE_OK);
        ref_free(&ref);
    }
}

START_TEST(test_a_key_that_was_interrupted_twice_goes_to_the_back_and_is_leased_alone)
{
    batch_usual(4);
    interrupt_twice("k000");
    struct lease_set first = lease_some(&w1, 10, 3); /* not k000, though it was asked for ten */
    ck_assert_str_eq(first.leases[0].key, "k001");
    lease_finds(QUEUE_EMPTY, &w1); /* holds innocent keys */
    struct lease_set alone = lease_some(&w2, 10, 1);
    ck_assert_str_eq(alone.leases[0].key, "k000");
    ck_assert_int_eq(alone.leases[0].interruptions, 2);
    struct lease_ref back = {.key = first.leases[0].key, .token = first.leases[0].token};
    ck_assert_int_eq(release_one(&w1, &back), LEASE_OK);
    lease_finds(QUEUE_EMPTY, &w2); /* holds the suspect */
    struct lease_ref suspect = {.key = alone.leases[0].key, .token = alone.leases[0].token};
    ck_assert_int_eq(done_one(&w2, &suspect), LEASE_OK);
    struct lease_set next = lease_some(&w2, 10, 1);
    ck_assert_str_eq(next.leases[0].key, "k001");
    lease_set_free(&first);
    lease_set_free(&alone);
    lease_set_free(&next);
}
END_TEST

START_TEST(test_a_suspect_at_the_front_leaves_the_others_waiting_in_their_order)
{
    batch_usual(3);
    interrupt_twice("k000");
    redis_do("ZADD hiwari:{b}:pending -100 k000");
    struct lease_set alone = lease_some(&w1, 10, 1);
    ck_assert_str_eq(alone.leases[0].key, "k000");
    struct lease_set rest = lease_some(&w2, 10, 2);
    ck_assert_str_eq(rest.leases[0].key, "k001");
    ck_assert_str_eq(rest.leases[1].key, "k002");
    lease_set_free(&alone);
    lease_set_free(&rest);
}
END_TEST

/* ---- order, bounds, clocks ---- */

START_TEST(test_a_released_key_is_next)
{
    batch_usual(3);
    struct lease_ref ref = lease_one(&w1);
    ck_assert_int_eq(release_one(&w1, &ref), LEASE_OK);
    struct lease_ref again = lease_one(&w2);
    ck_assert_str_eq(again.key, "k000");
    ref_free(&ref);
    ref_free(&again);
}
END_TEST

START_TEST(test_newest_first_leases_the_last_key_first)
{
    struct queue_settings settings = settings_usual();
    settings.newest_first = true;
    batch_new(settings, 3);
    struct lease_ref ref = lease_one(&w1);
    ck_assert_str_eq(ref.key, "k002");
    ck_assert_int_eq(release_one(&w1, &ref), LEASE_OK);
    struct lease_set set = lease_some(&w1, 3, 3);
    ck_assert_str_eq(set.leases[0].key, "k002");
    ck_assert_str_eq(set.leases[2].key, "k000");
    lease_set_free(&set);
    ref_free(&ref);
}
END_TEST

START_TEST(test_one_call_takes_back_at_most_a_hundred)
{
    batch_short_leases(250, 150);
    const struct worker_id workers[] = {{.id = "x"}, {.id = "y"}, {.id = "z"}};
    for (int i = 0; i < 3; i++) {
        struct lease_set set = lease_some(&workers[i], 100, i < 2 ? 100 : 50);
        lease_set_free(&set);
    }
    clock_sleep_ms(200);
    struct lease_set set = lease_some(&w1, 1, 1);
    counts_are(99, 0, 151, 0, 0);
    lease_set_free(&set);
}
END_TEST

START_TEST(test_one_call_promotes_at_most_a_hundred)
{
    batch_usual(130);
    struct lease_set parts[] = {lease_some(&w1, 65, 65), lease_some(&w2, 65, 65)};
    for (int i = 0; i < 130; i++) {
        struct lease *lease = &parts[i / 65].leases[i % 65];
        struct lease_ref ref = {.key = lease->key, .token = lease->token};
        ck_assert_int_eq(fail_one(i < 65 ? &w1 : &w2, &ref, "error"), LEASE_OK);
    }
    for (int i = 0; i < 130; i++)
        redis_do("ZADD hiwari:{b}:delayed 1 k%03d", i);
    struct lease_set set = lease_some(&w1, 1, 1);
    counts_are(99, 30, 1, 0, 0);
    lease_set_free(&set);
    lease_set_free(&parts[0]);
    lease_set_free(&parts[1]);
}
END_TEST

START_TEST(test_a_worker_holds_at_most_a_hundred)
{
    batch_usual(130);
    struct lease_set set = lease_some(&w1, 1000, 100);
    lease_finds(QUEUE_EMPTY, &w1);
    struct lease_ref ref = {.key = set.leases[0].key, .token = set.leases[0].token};
    ck_assert_int_eq(done_one(&w1, &ref), LEASE_OK);
    struct lease_set more = lease_some(&w1, 1000, 1);
    lease_set_free(&set);
    lease_set_free(&more);
}
END_TEST

START_TEST(test_a_deadline_of_another_servers_clock_counts_as_reached)
{
    batch_usual(2);
    struct lease_set held = lease_some(&w1, 2, 2);
    lease_finds(QUEUE_EMPTY, &w2);
    redis_do("ZADD hiwari:{b}:leased 99999999999999 %s", held.leases[1].key);
    struct lease_set set = lease_some(&w2, 2, 1);
    ck_assert_str_eq(set.leases[0].key, held.leases[1].key);
    lease_set_free(&held);
    lease_set_free(&set);
}
END_TEST

START_TEST(test_a_due_time_of_another_servers_clock_counts_as_reached)
{
    batch_usual(1);
    struct lease_ref ref = lease_one(&w1);
    ck_assert_int_eq(fail_one(&w1, &ref, "error"), LEASE_OK);
    lease_finds(QUEUE_EMPTY, &w2);
    redis_do("ZADD hiwari:{b}:delayed 99999999999999 k000");
    struct lease_set set = lease_some(&w2, 1, 1);
    lease_set_free(&set);
    ref_free(&ref);
}
END_TEST

START_TEST(test_finding_nothing_says_when_to_look_again)
{
    batch_short_leases(1, 300);
    struct lease_ref ref = lease_one(&w1);
    int64_t until = clock_ms() + 300;
    struct lease_set set;
    ck_gives(QUEUE_EMPTY, queue_lease(queue, &w2, (struct lease_wish){.max = 1}, &set, &err));
    ck_assert_int_ge(clock_ms() + set.wait_ms, until - 20); /* not before the key can come back */
    ck_assert_int_le(set.wait_ms, 1000);
    ck_assert_int_eq(done_one(&w1, &ref), LEASE_OK);
    ref_free(&ref);
}
END_TEST

START_TEST(test_waits_are_jittered_within_a_second)
{
    batch_usual(1);
    struct lease_ref ref = lease_one(&w1);
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 50; i++) {
        struct lease_set set;
        ck_gives(QUEUE_EMPTY, queue_lease(queue, &w2, (struct lease_wish){.max = 1}, &set, &err));
        least = set.wait_ms < least ? set.wait_ms : least;
        most = set.wait_ms > most ? set.wait_ms : most;
    }
    ck_assert(least >= 500 && most <= 1000 && most - least > 100);
    ref_free(&ref);
}
END_TEST

/* How often Redis was asked to run a script by its name, since the last time. */
static int scripts_run(void)
{
    char *said = redis_server_command(&server, "INFO commandstats");
    const char *at = strstr(said, "cmdstat_evalsha:calls=");
    int n = at ? atoi(at + strlen("cmdstat_evalsha:calls=")) : 0;
    free(said);
    redis_do("CONFIG RESETSTAT");
    return n;
}

START_TEST(test_who_got_nothing_only_looks_and_is_still_seen)
{
    batch_usual(1);
    struct lease_ref ref = lease_one(&w1);
    lease_finds(QUEUE_EMPTY, &w2);
    scripts_run();
    for (int i = 0; i < 5; i++)
        lease_finds(QUEUE_EMPTY, &w2);
    ck_ok(queue_pause(queue, &err));
    ck_assert_int_eq(scripts_run(), 1);
    for (int i = 0; i < 5; i++)
        lease_finds(QUEUE_PAUSED, &w2);
    ck_assert_int_eq(scripts_run(), 0);
    redis_do("ZADD hiwari:{b}:seen 1 worker-2");
    queue->lease_at_ms = clock_ms();
    lease_finds(QUEUE_PAUSED, &w2);
    ck_assert_int_eq(scripts_run(), 1);
    redis_says(":0", "ZREVRANK hiwari:{b}:seen worker-2");
    ref_free(&ref);
}
END_TEST

START_TEST(test_a_look_overlooks_nothing)
{
    batch_short_leases(2, 500);
    struct lease_ref first = lease_one(&w1), second = lease_one(&w1);
    lease_finds(QUEUE_EMPTY, &w2);
    ck_assert_int_eq(release_one(&w1, &first), LEASE_OK); /* pending */
    ref_free(&first);
    first = lease_one(&w2);
    lease_finds(QUEUE_EMPTY, &w3);
    ck_assert_int_eq(fail_one(&w2, &first, "error"), LEASE_OK); /* delayed, and nothing leased */
    ck_assert_int_eq(done_one(&w1, &second), LEASE_OK);
    lease_finds(QUEUE_EMPTY, &w3);
    redis_do("ZADD hiwari:{b}:delayed 1 %s", first.key); /* due */
    ref_free(&first);
    first = lease_one(&w3);
    lease_finds(QUEUE_EMPTY, &w2);
    ck_assert_int_eq(done_one(&w3, &first), LEASE_OK); /* nothing left */
    lease_finds(QUEUE_SETTLE, &w2);
    ref_free(&first);
    ref_free(&second);
}
END_TEST

/* What a worker that waits is told when the batch is no more what it was. */
START_TEST(test_a_look_sees_what_has_become_of_the_batch)
{
    static const struct {
        const char *command;
        int answer;
    } cases[] = {
        {"HSET hiwari:{b}:batch settled 1", QUEUE_SETTLED},
        {"HSET hiwari:{b}:batch cancelled 1", QUEUE_CANCELLED},
        {"HSET hiwari:{b}:batch inc other", QUEUE_GONE},
        {"FLUSHALL", QUEUE_GONE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        redis_do("FLUSHALL");
        batch_usual(1);
        struct lease_ref ref = lease_one(&w1);
        lease_finds(QUEUE_EMPTY, &w2);
        redis_do("%s", cases[i].command);
        lease_finds(cases[i].answer, &w2);
        ref_free(&ref);
    }
}
END_TEST

START_TEST(test_tokens_differ_after_the_sequence_was_rolled_back)
{
    batch_usual(1);
    struct lease_ref old = lease_one(&w1);
    ck_assert_int_eq(release_one(&w1, &old), LEASE_OK);
    redis_do("HSET hiwari:{b}:batch seq 0");
    struct lease_ref new = lease_one(&w1);
    ck_assert_str_ne(old.token, new.token);
    ck_assert_int_eq(old.token[0], new.token[0]); /* the same number again */
    ck_assert_int_eq(done_one(&w1, &old), LEASE_STALE);
    ref_free(&old);
    ref_free(&new);
}
END_TEST

/* ---- lineage ---- */

START_TEST(test_a_key_done_at_once_tells_its_one_lease)
{
    batch_usual(1);
    struct lease_ref ref = lease_one(&w1);
    ref.ms = 12;
    ref.rows = 34;
    ck_assert_int_eq(done_one(&w1, &ref), LEASE_OK);
    redis_says(":0", "EXISTS hiwari:{b}:history");
    struct queue_key key = show("k000");
    ck_assert_int_eq(key.state, KEY_DONE);
    ck_assert_int_eq(key.ms, 12);
    ck_assert_int_eq(key.rows, 34);
    ck_assert_str_eq(key.worker, "worker-1");
    ck_assert_int_eq(key.n_leases, 1);
    ck_assert_str_eq(key.leases[0].token, ref.token);
    ck_assert_str_eq(key.leases[0].node, "node-a");
    ck_assert_str_eq(key.leases[0].why, "done");
    ck_assert_int_ge(key.leases[0].end_ms, key.leases[0].start_ms);
    ck_assert_int_lt(llabs(key.leases[0].start_ms - clock_wall_ms()), 60000);
    queue_key_free(&key);
    ref_free(&ref);
}
END_TEST

/* As if the server's clock had stepped back since: the lease began an hour from now. */
static struct lease_ref lease_from_the_future(void)
{
    struct lease_ref ref = lease_one(&w1);
    int64_t begin = (int64_t)time(NULL) * 1000 + 3600000;
    redis_do("HSET hiwari:{b}:records %s l|0|0||%s||1|%lld|||", ref.key, ref.token,
             (long long)begin);
    return ref;
}

START_TEST(test_a_clock_that_steps_back_ends_no_lease_before_its_begin)
{
    batch_usual(3);
    struct lease_ref refs[] = {lease_from_the_future(), lease_from_the_future(),
                               lease_from_the_future()};
    ck_assert_int_eq(done_one(&w1, &refs[0]), LEASE_OK);
    ck_assert_int_eq(fail_one(&w1, &refs[1], "input"), LEASE_OK);
    ck_assert_int_eq(release_one(&w1, &refs[2]), LEASE_OK);
    for (int i = 0; i < 3; i++) {
        struct queue_key key = show(refs[i].key);
        ck_assert_int_eq(key.n_leases, 1);
        ck_assert_int_ge(key.leases[0].end_ms, key.leases[0].start_ms);
        queue_key_free(&key);
        ref_free(&refs[i]);
    }
    ck_assert_int_eq(fsck_findings(false), 0);
}
END_TEST

/* Each was a record; the first was written by a clock that had stepped back. */
START_TEST(test_a_record_that_cannot_be_read_is_told_of_with_the_way_out)
{
    static const char *const records[] = {"d|0|0||7-t||1|9|-5|1|2",
                                          "rubbish",
                                          "x",
                                          "d|0|0||7-t||1|9|5|1",
                                          "d|0|0||||||",
                                          "d|0|0||7-t||1|9|5|1|2|3",
                                          "d||||||||||x|",
                                          "d|0|0||7-t|1|1|9|5|1|2"};
    batch_usual(1);
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        struct queue_key key;
        redis_do("HSET hiwari:{b}:records k000 %s", records[i]);
        ck_gives(ERR_RETRY, queue_show(queue, "k000", &key, &err));
        ck_assert_msg(strstr(err.text, "k000 cannot be read") &&
                          strstr(err.text, "hiwari fsck b --repair"),
                      "%s: %s", records[i], err.text);
        ck_assert_int_eq(fsck_findings(true), 1);
        ck_assert_int_eq(fsck_findings(false), 0);
        ck_ok(queue_show(queue, "k000", &key, &err));
        queue_key_free(&key);
    }
}
END_TEST

START_TEST(test_lineage_tells_the_last_ten_leases_newest_last)
{
    batch_usual(1);
    char tokens[13][64];
    for (int i = 0; i < 13; i++) {
        struct lease_ref ref = lease_one(i % 2 ? &w1 : &w2);
        snprintf(tokens[i], sizeof(tokens[i]), "%s", ref.token);
        if (i < 12)
            ck_assert_int_eq(release_one(i % 2 ? &w1 : &w2, &ref), LEASE_OK);
        ref_free(&ref);
    }
    struct queue_key key = show("k000");
    ck_assert_int_eq(key.n_leases, 10);
    for (int i = 0; i < 10; i++) {
        ck_assert_str_eq(key.leases[i].token, tokens[3 + i]);
        ck_assert_str_eq(key.leases[i].why, i < 9 ? "released" : "");
        ck_assert_str_eq(key.leases[i].worker, (3 + i) % 2 ? "worker-1" : "worker-2");
    }
    ck_assert_int_eq(key.leases[9].end_ms, 0);
    queue_key_free(&key);
}
END_TEST

START_TEST(test_lineage_says_why_each_lease_ended)
{
    batch_short_leases(1, 50);
    struct lease_ref lost = lease_one(&w1);
    clock_sleep_ms(70);
    struct lease_ref busy = lease_one(&w1);
    ck_assert_int_eq(renew_one(&w1, &busy, true), LEASE_OK);
    clock_sleep_ms(70);
    struct lease_ref failed = lease_one(&w1);
    ck_assert_int_eq(fail_one(&w1, &failed, "timeout"), LEASE_OK);
    struct queue_key key = show("k000");
    ck_assert_int_eq(key.n_leases, 3);
    ck_assert_str_eq(key.leases[0].why, "expired");
    ck_assert_str_eq(key.leases[1].why, "interrupted");
    ck_assert_str_eq(key.leases[2].why, "timeout");
    queue_key_free(&key);
    ref_free(&lost);
    ref_free(&busy);
    ref_free(&failed);
}
END_TEST

/* ---- pause, cancel, another incarnation ---- */

START_TEST(test_pause_stops_new_leases_only)
{
    batch_short_leases(6, 400);
    struct lease_ref refs[5];
    for (int i = 0; i < 5; i++)
        refs[i] = lease_one(&w1);
    ck_ok(queue_pause(queue, &err));
    lease_finds(QUEUE_PAUSED, &w2);
    ck_assert_int_eq(renew_one(&w1, &refs[0], true), LEASE_OK);
    ck_assert_int_eq(done_one(&w1, &refs[1]), LEASE_OK);
    ck_assert_int_eq(fail_one(&w1, &refs[2], "error"), LEASE_OK);
    ck_assert_int_eq(release_one(&w1, &refs[3]), LEASE_OK);
    struct queue_status status = status_now();
    ck_assert_str_eq(status.state, "paused");
    queue_status_free(&status);
    clock_sleep_ms(450); /* refs[4] and refs[0] run out, and wait */
    lease_finds(QUEUE_PAUSED, &w2);
    counts_are(2, 1, 2, 1, 0);
    ck_ok(queue_resume(queue, &err));
    struct lease_set set = lease_some(&w2, 10, 4);
    lease_set_free(&set);
    for (int i = 0; i < 5; i++)
        ref_free(&refs[i]);
}
END_TEST

START_TEST(test_cancel_makes_workers_drop_their_keys_and_keeps_results)
{
    batch_usual(3);
    struct lease_ref a = lease_one(&w1);
    struct lease_ref b = lease_one(&w1);
    ck_ok(queue_cancel(queue, &err));
    lease_finds(QUEUE_CANCELLED, &w1);
    ck_gives(QUEUE_CANCELLED, queue_renew(queue, &w1, &a, 1, &err));
    ck_assert_int_eq(done_one(&w1, &a), LEASE_OK);
    ck_assert_int_eq(release_one(&w1, &b), LEASE_OK);
    counts_are(2, 0, 0, 1, 0);
    ck_gives(QUEUE_CANCELLED, queue_resume(queue, &err));
    ref_free(&a);
    ref_free(&b);
}
END_TEST

static void every_verb_finds_it_gone(struct lease_ref *ref)
{
    struct lease_set set;
    struct settle_lease settle = {.token = "t", .epoch = 1};
    struct queue_status status;
    struct queue_key key;
    struct queue_added added;
    struct queue_move move = {.key = "k000", .seen_state = KEY_PENDING};
    struct queue_finding *findings;
    enum lease_answer answer;
    int64_t number;
    int n;
    char *text;
    const char *const keys[] = {"z"};
    ck_gives(QUEUE_GONE, queue_lease(queue, &w1, (struct lease_wish){.max = 1}, &set, &err));
    ck_gives(QUEUE_GONE, queue_renew(queue, &w1, ref, 1, &err));
    ck_gives(QUEUE_GONE, queue_done(queue, &w1, ref, 1, &err));
    ck_gives(QUEUE_GONE, queue_fail(queue, &w1, ref, "error", "", &err));
    ck_gives(QUEUE_GONE, queue_release(queue, &w1, ref, 1, &err));
    ck_gives(QUEUE_GONE, queue_leave(queue, &w1, &err));
    ck_gives(QUEUE_GONE, queue_add(queue, keys, NULL, 1, &added, &err));
    ck_gives(QUEUE_GONE, queue_add_done(queue, keys, 1, &added, &err));
    ck_gives(QUEUE_GONE, queue_seal(queue, 1, &err));
    ck_gives(QUEUE_GONE, queue_settle_begin(queue, &w1, &settle, &err));
    ck_gives(QUEUE_GONE, queue_settle_renew(queue, &settle, &answer, &err));
    ck_gives(QUEUE_GONE, queue_settle_finish(queue, &settle, &answer, &err));
    ck_gives(QUEUE_GONE, queue_status(queue, &status, &err));
    ck_gives(QUEUE_GONE, queue_show(queue, "k000", &key, &err));
    ck_gives(QUEUE_GONE, queue_batch_json(queue, &text, &err));
    ck_gives(QUEUE_GONE, queue_keys(queue, keys, 1, NULL, NULL, &err));
    ck_gives(QUEUE_GONE, queue_each(queue, NULL, NULL, &err));
    ck_gives(QUEUE_GONE, queue_retry(queue, keys, 1, &number, &err));
    ck_gives(QUEUE_GONE, queue_retry(queue, NULL, 0, &number, &err));
    ck_gives(QUEUE_GONE, queue_move(queue, &move, 1, &err));
    ck_gives(QUEUE_GONE, queue_lock(queue, "x", "t", 100, &err));
    ck_gives(QUEUE_GONE, queue_pause(queue, &err));
    ck_gives(QUEUE_GONE, queue_resume(queue, &err));
    ck_gives(QUEUE_GONE, queue_cancel(queue, &err));
    ck_gives(QUEUE_GONE, queue_purge(queue, &number, &err));
    ck_gives(QUEUE_GONE, queue_fsck(queue, true, &findings, &n, &err));
    ck_gives(QUEUE_GONE, queue_reopen(queue, &number, &err));
}

START_TEST(test_every_verb_finds_another_incarnation_gone)
{
    batch_usual(1);
    struct lease_ref ref = lease_one(&w1);
    redis_do("HSET hiwari:{b}:batch inc inc-2");
    every_verb_finds_it_gone(&ref);
    ck_gives(QUEUE_GONE, queue_use(queue, "b", "inc-1", &err));
    ck_ok(queue_use(queue, "b", NULL, &err));
    ck_assert_str_eq(queue_incarnation(queue), "inc-2");
    counts_are(0, 0, 1, 0, 0);
    ref_free(&ref);
}
END_TEST

START_TEST(test_every_verb_finds_the_batch_gone_after_flushall)
{
    batch_usual(1);
    struct lease_ref ref = lease_one(&w1);
    redis_do("FLUSHALL");
    every_verb_finds_it_gone(&ref);
    redis_says("*0", "KEYS hiwari:{b}:*"); /* and nothing was written in passing */
    ref_free(&ref);
}
END_TEST

START_TEST(test_scripts_that_the_server_forgot_are_sent_again)
{
    batch_usual(250);
    for (int i = 0; i < 3; i++) {
        redis_do("SCRIPT FLUSH");
        struct lease_ref ref = lease_one(&w1);
        redis_do("SCRIPT FLUSH");
        ck_assert_int_eq(done_one(&w1, &ref), LEASE_OK);
        ref_free(&ref);
    }
    redis_do("SCRIPT FLUSH");
    ck_assert_int_eq(fsck_findings(false), 0); /* many commands in one go */
}
END_TEST

START_TEST(test_a_worker_that_leaves_is_forgotten)
{
    batch_usual(1);
    struct lease_ref ref = lease_one(&w1);
    struct queue_status status = status_now();
    ck_assert_int_eq(status.worker_count, 1);
    ck_assert_int_eq(status.n_workers, 1);
    ck_assert_str_eq(status.workers[0].id, "worker-1");
    ck_assert_str_eq(status.workers[0].node, "node-a");
    ck_assert_int_eq(status.workers[0].leased, 1);
    queue_status_free(&status);
    ck_assert_int_eq(release_one(&w1, &ref), LEASE_OK);
    ck_ok(queue_leave(queue, &w1, &err));
    status = status_now();
    ck_assert_int_eq(status.worker_count, 0);
    queue_status_free(&status);
    ref_free(&ref);
}
END_TEST

START_TEST(test_workers_not_seen_for_long_are_dropped)
{
    batch_usual(3);
    struct lease_ref a = lease_one(&w1);
    redis_do("ZADD hiwari:{b}:seen 1 worker-1");
    struct lease_ref b = lease_one(&w2);
    struct queue_status status = status_now();
    ck_assert_int_eq(status.n_workers, 1);
    ck_assert_str_eq(status.workers[0].id, "worker-2");
    queue_status_free(&status);
    ck_assert_int_eq(done_one(&w1, &a), LEASE_OK); /* its lease is no worse for that */
    ref_free(&a);
    ref_free(&b);
}
END_TEST

/* A worker that comes when so many have come before it, and takes a key. */
static void worker_comes_after(int64_t others, const char *id)
{
    const struct worker_id worker = {.id = id, .pod = "pod", .node = "node-c"};
    redis_do("HSET hiwari:{b}:batch workers %lld", (long long)others);
    struct lease_ref ref = lease_one(&worker);
    ref_free(&ref);
}

/* The only lease of a key. */
static void leased_by(const char *name, const char *worker, const char *node, const char *why)
{
    struct queue_key key = show(name);
    ck_assert_str_eq(key.worker, worker);
    ck_assert_int_eq(key.n_leases, 1);
    ck_assert_str_eq(key.leases[0].worker, worker);
    ck_assert_str_eq(key.leases[0].node, node);
    ck_assert_str_eq(key.leases[0].why, why);
    queue_key_free(&key);
}

START_TEST(test_names_of_workers_outlive_them_but_not_for_ever)
{
    batch_usual(6);
    struct lease_ref done = lease_one(&w1), held = lease_one(&w2);
    ck_assert_int_eq(done_one(&w1, &done), LEASE_OK);
    ck_ok(queue_leave(queue, &w1, &err));
    worker_comes_after(19999, "worker-20000");
    leased_by("k000", "worker-1", "node-a", "done");
    worker_comes_after(20000, "worker-20001");
    leased_by("k000", "#1", "", "done");
    worker_comes_after(20001, "worker-20002");
    leased_by("k001", "worker-2", "node-b", ""); /* it is still there */
    ck_assert_int_eq(done_one(&w2, &held), LEASE_OK);
    ck_ok(queue_leave(queue, &w2, &err));
    leased_by("k001", "worker-2", "node-b", "done");
    worker_comes_after(40001, "worker-40002");
    leased_by("k001", "#2", "", "done");
    leased_by("k004", "worker-20002", "node-c", "");
    redis_says(":4", "HLEN hiwari:{b}:names");
    ref_free(&done);
    ref_free(&held);
}
END_TEST

/* How many keys status says that the worker holds; -1 when it does not list it. */
static int64_t holds(const struct worker_id *worker)
{
    int64_t leased = -1;
    struct queue_status status = status_now();
    for (int i = 0; i < status.n_workers; i++)
        if (strcmp(status.workers[i].id, worker->id) == 0)
            leased = status.workers[i].leased;
    queue_status_free(&status);
    return leased;
}

START_TEST(test_a_worker_that_lost_its_keys_holds_them_no_more)
{
    batch_short_leases(4, 100);
    struct lease_set lost = lease_some(&w1, 3, 3);
    ck_assert_int_eq(holds(&w1), 3);
    clock_sleep_ms(120);
    redis_do("HSET hiwari:{b}:batch lease_ms 60000");
    struct lease_set taken = lease_some(&w2, 2, 2); /* and the other two wait */
    ck_assert_int_eq(holds(&w1), 0);
    ck_assert_int_eq(holds(&w2), 2);
    counts_are(2, 0, 2, 0, 0);
    lease_set_free(&lost);
    lease_set_free(&taken);
}
END_TEST

START_TEST(test_a_key_that_is_held_alone_is_counted)
{
    batch_usual(1);
    for (int i = 0; i < 2; i++) {
        struct lease_ref ref = lease_one(&w1);
        ck_assert_int_eq(renew_one(&w1, &ref, true), LEASE_OK);
        ck_assert_int_eq(release_one(&w1, &ref), LEASE_OK);
        ref_free(&ref);
    }
    struct lease_ref ref = lease_one(&w1);
    ck_assert_int_eq(holds(&w1), 1);
    ref_free(&ref);
}
END_TEST

START_TEST(test_who_was_seen_in_the_future_is_not_known_to_be_alive)
{
    batch_usual(2);
    struct lease_ref a = lease_one(&w1), b = lease_one(&w2);
    for (int i = 0; i < 150; i++) /* more than status tells of */
        redis_do("ZADD hiwari:{b}:seen 9000000000000 ahead-%d", i);
    redis_do("ZADD hiwari:{b}:seen 9000000000000 worker-1");
    struct queue_status status = status_now();
    ck_assert_int_eq(status.worker_count, 1);
    ck_assert_int_eq(status.n_workers, 1);
    ck_assert_str_eq(status.workers[0].id, "worker-2");
    queue_status_free(&status);
    ck_assert_int_eq(renew_one(&w1, &a, true), LEASE_OK); /* seen by this server's clock */
    status = status_now();
    ck_assert_int_eq(status.worker_count, 2);
    queue_status_free(&status);
    ref_free(&a);
    ref_free(&b);
}
END_TEST

static Suite *queue_suite(void)
{
    Suite *suite = suite_create("queue");
    TCase *t = fixture_case(suite, "leases");
    tcase_add_test(t, test_a_key_is_leased_to_one_worker_at_a_time);
    tcase_add_test(t, test_a_deadline_is_counted_from_before_the_request);
    tcase_add_test(t, test_a_key_waits_again_when_its_lease_runs_out);
    tcase_add_test(t, test_a_renewed_lease_is_kept);
    tcase_add_test(t, test_only_a_started_key_is_charged_an_interruption);
    tcase_add_test(t, test_a_stale_holder_changes_nothing);
    tcase_add_test(t, test_a_holder_whose_lost_key_nobody_took_is_stale_too);
    tcase_add_test(t, test_a_key_that_begins_with_its_lease_is_charged_when_that_is_lost);
    tcase_add_test(t, test_a_wish_for_no_key_hears_how_the_batch_is);
    tcase_add_test(t, test_a_verb_heard_twice_is_answered_already);
    tcase_add_test(t, test_many_leases_are_answered_one_by_one);
    tcase_add_test(t, test_a_failed_attempt_waits_and_the_last_one_is_final);
    tcase_add_test(t, test_wrong_input_is_not_tried_again);
    tcase_add_test(t, test_backoff_doubles_with_jitter_up_to_a_minute);
    tcase_add_test(t, test_a_key_interrupted_too_often_fails_as_interrupted);
    tcase_add_test(t, test_a_key_that_was_interrupted_twice_goes_to_the_back_and_is_leased_alone);
    tcase_add_test(t, test_a_suspect_at_the_front_leaves_the_others_waiting_in_their_order);
    tcase_add_test(t, test_a_released_key_is_next);
    tcase_add_test(t, test_newest_first_leases_the_last_key_first);
    tcase_add_test(t, test_one_call_takes_back_at_most_a_hundred);
    tcase_add_test(t, test_one_call_promotes_at_most_a_hundred);
    tcase_add_test(t, test_a_worker_holds_at_most_a_hundred);
    tcase_add_test(t, test_a_deadline_of_another_servers_clock_counts_as_reached);
    tcase_add_test(t, test_a_due_time_of_another_servers_clock_counts_as_reached);
    tcase_add_test(t, test_finding_nothing_says_when_to_look_again);
    tcase_add_test(t, test_waits_are_jittered_within_a_second);
    tcase_add_test(t, test_who_got_nothing_only_looks_and_is_still_seen);
    tcase_add_test(t, test_a_look_overlooks_nothing);
    tcase_add_test(t, test_a_look_sees_what_has_become_of_the_batch);
    tcase_add_test(t, test_tokens_differ_after_the_sequence_was_rolled_back);
    tcase_add_test(t, test_a_key_done_at_once_tells_its_one_lease);
    tcase_add_test(t, test_a_clock_that_steps_back_ends_no_lease_before_its_begin);
    tcase_add_test(t, test_a_record_that_cannot_be_read_is_told_of_with_the_way_out);
    tcase_add_test(t, test_lineage_tells_the_last_ten_leases_newest_last);
    tcase_add_test(t, test_lineage_says_why_each_lease_ended);
    tcase_add_test(t, test_pause_stops_new_leases_only);
    tcase_add_test(t, test_cancel_makes_workers_drop_their_keys_and_keeps_results);
    tcase_add_test(t, test_every_verb_finds_another_incarnation_gone);
    tcase_add_test(t, test_every_verb_finds_the_batch_gone_after_flushall);
    tcase_add_test(t, test_scripts_that_the_server_forgot_are_sent_again);
    tcase_add_test(t, test_a_worker_that_leaves_is_forgotten);
    tcase_add_test(t, test_workers_not_seen_for_long_are_dropped);
    tcase_add_test(t, test_names_of_workers_outlive_them_but_not_for_ever);
    tcase_add_test(t, test_a_worker_that_lost_its_keys_holds_them_no_more);
    tcase_add_test(t, test_a_key_that_is_held_alone_is_counted);
    tcase_add_test(t, test_who_was_seen_in_the_future_is_not_known_to_be_alive);
    return suite;
}

UNIT_MAIN(queue_suite)

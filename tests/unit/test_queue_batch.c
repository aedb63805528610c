/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_queue_batch.c - a batch's life: begin, seal, settle, reopen, retry, move, purge; looking at
 * it; fsck. */
#include <unistd.h>

#include "queue/queue_impl.h"
#include "queue_fixture.h"

/* ---- begin and destinations ---- */

static int begin(struct queue *q, const char *batch, const char *incarnation, const char *dest)
{
    struct queue_settings settings = settings_usual();
    settings.dest = dest;
    return queue_begin(q, batch, incarnation, &settings, &err);
}

static void settle(void)
{
    struct settle_lease lease;
    enum lease_answer answer;
    ck_ok(queue_settle_begin(queue, &w1, &lease, &err));
    ck_ok(queue_settle_finish(queue, &lease, &answer, &err));
    ck_assert_int_eq(answer, LEASE_OK);
}

static void finish_all(int n)
{
    for (int i = 0; i < n; i++) {
        struct lease_ref ref = lease_one(&w1);
        ck_assert_int_eq(done_one(&w1, &ref), LEASE_OK);
        ref_free(&ref);
    }
}

START_TEST(test_an_interrupted_enqueue_is_completed_by_running_it_again)
{
    ck_ok(begin(queue, "b", "inc-1", "file:///b"));
    keys_add(0, 2);
    ck_ok(begin(queue, "b", "inc-1", "file:///b"));
    const char *const keys[] = {"k000", "k001", "k002", "k002"};
    struct queue_added added;
    ck_ok(queue_add(queue, keys, NULL, 4, &added, &err));
    ck_assert_int_eq(added.added, 1);
    ck_assert_int_eq(added.present, 3);
    ck_ok(queue_seal(queue, 3, &err));
    counts_are(3, 0, 0, 0, 0);
}
END_TEST

START_TEST(test_the_name_of_an_unsettled_batch_is_refused_to_another_incarnation)
{
    batch_usual(1);
    ck_gives(QUEUE_BUSY, begin(queue, "b", "inc-2", "file:///elsewhere"));
    ck_assert_msg(strstr(err.text, "batch b is not settled"), "%s", err.text);
    ck_ok(queue_use(queue, "b", "inc-1", &err));
    counts_are(1, 0, 0, 0, 0);
    ck_ok(begin(queue, "c", "inc-3", "file:///elsewhere")); /* the refused one has left no claim */
}
END_TEST

START_TEST(test_a_settled_batch_is_replaced_by_the_next_incarnation)
{
    batch_usual(1);
    finish_all(1);
    settle();
    ck_ok(begin(queue, "b", "inc-2", "file:///b"));
    counts_are(0, 0, 0, 0, 0);
    ck_gives(QUEUE_GONE, queue_use(queue, "b", "inc-1", &err));
}
END_TEST

START_TEST(test_a_destination_belongs_to_one_unsettled_batch)
{
    batch_usual(1);
    CLEANUP(queue_close) struct queue *other = queue_new();
    ck_gives(QUEUE_BUSY, begin(other, "c", "inc-c", "file:///b"));
    ck_assert_msg(strstr(err.text, "file:///b belongs to batch b"), "%s", err.text);
    redis_says(":0", "EXISTS hiwari:{c}:batch");
    finish_all(1);
    settle();
    ck_ok(begin(other, "c", "inc-c", "file:///b"));
    int64_t epoch;
    ck_gives(QUEUE_BUSY, queue_reopen(queue, &epoch, &err)); /* b would write there again */
}
END_TEST

START_TEST(test_the_claim_of_a_batch_that_never_came_is_taken_over)
{
    batch_usual(1);
    redis_do("UNLINK hiwari:{b}:batch");
    ck_ok(begin(queue, "c", "inc-c", "file:///b"));
}
END_TEST

START_TEST(test_a_cancelled_batch_gives_up_name_and_destination)
{
    batch_usual(1);
    ck_ok(queue_cancel(queue, &err));
    int64_t epoch;
    ck_gives(QUEUE_CANCELLED, queue_reopen(queue, &epoch, &err));
    CLEANUP(queue_close) struct queue *other = queue_new();
    ck_ok(begin(other, "c", "inc-c", "file:///b"));
    ck_ok(begin(queue, "b", "inc-2", "file:///other"));
}
END_TEST

START_TEST(test_wrong_names_and_settings_are_refused)
{
    ck_gives(ERR_USAGE, begin(queue, "Upper", "i", "file:///b"));
    ck_gives(ERR_USAGE, begin(queue, "", "i", "file:///b"));
    ck_gives(ERR_USAGE, queue_use(queue, "a b", NULL, &err));
    struct queue_settings settings = settings_usual();
    settings.lease_ms = 0;
    ck_gives(ERR_CONFIG, queue_begin(queue, "b", "i", &settings, &err));
    batch_usual(0);
    const char *const bad[] = {"a b", "a|b", "a\nb", "../x", "", "!x"};
    struct queue_added added;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_gives(ERR_INPUT, queue_add(queue, &bad[i], NULL, 1, &added, &err));
    struct lease_set set;
    const struct worker_id worker = {.id = "a b"};
    ck_gives(ERR_CONFIG, queue_lease(queue, &worker, (struct lease_wish){.max = 1}, &set, &err));
}
END_TEST

/* ---- keys and sealing ---- */

START_TEST(test_a_sealed_batch_refuses_late_keys)
{
    batch_usual(2);
    const char *const keys[] = {"k000", "new"};
    struct queue_added added;
    ck_ok(queue_add(queue, keys, NULL, 2, &added, &err));
    ck_assert_int_eq(added.added, 0);
    ck_assert_int_eq(added.present, 1);
    ck_assert_int_eq(added.refused, 1);
    counts_are(2, 0, 0, 0, 0);
}
END_TEST

START_TEST(test_an_unsealed_batch_never_settles)
{
    ck_ok(begin(queue, "b", "inc-1", "file:///b"));
    keys_add(0, 1);
    finish_all(1);
    lease_finds(QUEUE_EMPTY, &w1);
    struct settle_lease lease;
    ck_gives(QUEUE_EMPTY, queue_settle_begin(queue, &w1, &lease, &err));
    struct queue_status status = status_now();
    ck_assert_str_eq(status.state, "filling");
    queue_status_free(&status);
    ck_ok(queue_seal(queue, 1, &err));
    lease_finds(QUEUE_SETTLE, &w1);
}
END_TEST

START_TEST(test_sealing_compares_the_number_of_keys)
{
    ck_ok(begin(queue, "b", "inc-1", "file:///b"));
    keys_add(0, 2);
    ck_gives(ERR_CONFIG, queue_seal(queue, 3, &err));
    ck_assert_msg(strstr(err.text, "2") && strstr(err.text, "3"), "%s", err.text);
    ck_ok(queue_seal(queue, 2, &err));
    ck_ok(queue_seal(queue, 2, &err));
}
END_TEST

START_TEST(test_many_keys_are_added_in_order_and_once)
{
    enum { N = 4321 };
    static char names[N][12];
    static const char *keys[N];
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof(names[i]), "k%05d", i);
        keys[i] = names[i];
    }
    ck_ok(begin(queue, "b", "inc-1", "file:///b"));
    struct queue_added added;
    ck_ok(queue_add(queue, keys, NULL, N, &added, &err));
    ck_assert_int_eq(added.added, N);
    ck_ok(queue_add(queue, keys, NULL, N, &added, &err));
    ck_assert_int_eq(added.present, N);
    ck_ok(queue_seal(queue, N, &err));
    for (int i = 0; i < N; i += 100) {
        char id[16];
        snprintf(id, sizeof(id), "w%d", i);
        const struct worker_id worker = {.id = id};
        struct lease_set set = lease_some(&worker, 100, N - i < 100 ? N - i : 100);
        for (int j = 0; j < set.n; j++)
            ck_assert_str_eq(set.leases[j].key, keys[i + j]);
        lease_set_free(&set);
    }
}
END_TEST

/* How often a command ran since the last time, also inside scripts. */
static int command_runs(const char *name)
{
    char *said = redis_server_command(&server, "INFO commandstats");
    char *label = mem_printf("cmdstat_%s:calls=", name);
    const char *at = strstr(said, label);
    int n = at ? atoi(at + strlen(label)) : 0;
    free(label);
    free(said);
    redis_do("CONFIG RESETSTAT");
    return n;
}

/* Add keys k<from> to k<to - 1>, and expect so many of them to have been there. */
static void add_by(struct queue *by, int from, int to, int present)
{
    static char names[1000][8];
    static const char *keys[1000];
    struct queue_added added;
    for (int i = from; i < to; i++) {
        snprintf(names[i], sizeof(names[i]), "k%03d", i);
        keys[i] = names[i];
    }
    ck_ok(queue_add(by, keys + from, NULL, to - from, &added, &err));
    ck_assert_int_eq(added.present, present);
    ck_assert_int_eq(added.added, to - from - present);
}

START_TEST(test_who_adds_alone_is_not_looked_after)
{
    ck_ok(begin(queue, "b", "inc-1", "file:///b"));
    command_runs("hmget");
    add_by(queue, 0, 500, 0);
    add_by(queue, 500, 700, 0);
    ck_assert_int_eq(command_runs("hmget"), 7 + 1); /* each step the batch, the first its records */
    ck_ok(queue_seal(queue, 700, &err));
    ck_assert_int_eq(fsck_findings(false), 0);
}
END_TEST

/* Whoever else has added, or adds again, finds what is there: a leased key stays leased. */
START_TEST(test_keys_that_are_there_are_left_whoever_adds)
{
    CLEANUP(queue_close) struct queue *other = queue_new();
    ck_ok(begin(queue, "b", "inc-1", "file:///b"));
    ck_ok(queue_use(other, "b", "inc-1", &err));
    add_by(queue, 0, 200, 0);
    add_by(other, 250, 350, 0); /* as many as the first one's next step */
    struct lease_set all[3];
    const struct worker_id workers[] = {{.id = "a"}, {.id = "b"}, {.id = "c"}};
    for (int i = 0; i < 3; i++)
        all[i] = lease_some(&workers[i], 100, 100);
    add_by(queue, 200, 300, 50);
    add_by(queue, 300, 400, 50); /* now it says as many as there are */
    add_by(queue, 400, 500, 0);
    add_by(other, 350, 600, 150);
    add_by(queue, 0, 600, 600);
    ck_ok(queue_seal(queue, 600, &err));
    counts_are(300, 0, 300, 0, 0);
    ck_assert_int_eq(fsck_findings(false), 0);
    for (int i = 0; i < 3; i++)
        lease_set_free(&all[i]);
}
END_TEST

/* A step whose answer was lost is sent once more; and a Redis that went back has lost some. */
START_TEST(test_keys_that_are_there_are_left_when_steps_come_twice_or_were_lost)
{
    CLEANUP(queue_close) struct queue *other = queue_new();
    ck_ok(begin(queue, "b", "inc-1", "file:///b"));
    ck_ok(queue_use(other, "b", "inc-1", &err));
    add_by(queue, 0, 100, 0);
    add_by(queue, 100, 200, 0);
    struct lease_set first = lease_some(&w1, 100, 100), second = lease_some(&w2, 100, 100);
    queue->added = 100;
    memcpy(queue->added_last, "k099", 4);
    add_by(queue, 100, 200, 100);
    counts_are(0, 0, 200, 0, 0);
    ck_assert_int_eq(fsck_findings(false), 0);

    add_by(other, 200, 300, 0);
    other->added = 300; /* as many as there are, but they are not its own */
    memcpy(other->added_last, "k000", 4);
    add_by(other, 1, 101, 100);
    counts_are(100, 0, 200, 0, 0);
    ck_assert_int_eq(fsck_findings(false), 0);
    lease_set_free(&first);
    lease_set_free(&second);
}
END_TEST

START_TEST(test_the_generation_to_replace_stays_with_its_key_until_it_is_done)
{
    ck_ok(begin(queue, "b", "inc-1", "file:///b"));
    const char *const keys[] = {"stale", "new"};
    const int64_t expect[] = {INT64_C(1700000000000000123), 0};
    struct queue_added added;
    ck_ok(queue_add(queue, keys, expect, 2, &added, &err));
    ck_ok(queue_seal(queue, 2, &err));
    struct lease_set set = lease_some(&w1, 2, 2);
    ck_assert(set.leases[0].expect == expect[0]);
    ck_assert(set.leases[1].expect == 0);
    struct lease_ref ref = {.key = set.leases[0].key, .token = set.leases[0].token};
    ck_assert_int_eq(fail_one(&w1, &ref, "error"), LEASE_OK);
    redis_do("ZADD hiwari:{b}:delayed 1 stale");
    struct lease_set again = lease_some(&w1, 2, 1);
    ck_assert(again.leases[0].expect == expect[0]);
    lease_set_free(&set);
    lease_set_free(&again);
}
END_TEST

START_TEST(test_keys_whose_result_exists_count_as_done)
{
    ck_ok(begin(queue, "b", "inc-1", "file:///b"));
    keys_add(0, 1);
    const char *const keys[] = {"k000", "there"};
    struct queue_added added;
    ck_ok(queue_add_done(queue, keys, 2, &added, &err));
    ck_assert_int_eq(added.added, 1);
    ck_ok(queue_seal(queue, 2, &err));
    counts_are(1, 0, 0, 1, 0);
    struct queue_key key = show("there");
    ck_assert_int_eq(key.state, KEY_DONE);
    ck_assert_int_eq(key.ms, -1);
    ck_assert_int_eq(key.n_leases, 0);
    queue_key_free(&key);
    finish_all(1);
    lease_finds(QUEUE_SETTLE, &w1);
}
END_TEST

/* ---- settling ---- */

START_TEST(test_settling_is_a_lease_that_another_worker_may_take_over)
{
    batch_short_leases(1, 150);
    finish_all(1);
    lease_finds(QUEUE_SETTLE, &w1);
    struct settle_lease first, second;
    enum lease_answer answer;
    ck_ok(queue_settle_begin(queue, &w1, &first, &err));
    lease_finds(QUEUE_EMPTY, &w2);
    ck_gives(QUEUE_BUSY, queue_settle_begin(queue, &w2, &second, &err));
    for (int i = 0; i < 4; i++) {
        clock_sleep_ms(60);
        ck_ok(queue_settle_renew(queue, &first, &answer, &err));
        ck_assert_int_eq(answer, LEASE_OK);
    }
    ck_gives(QUEUE_BUSY, queue_settle_begin(queue, &w2, &second, &err));
    clock_sleep_ms(180);
    lease_finds(QUEUE_SETTLE, &w2);
    ck_ok(queue_settle_begin(queue, &w2, &second, &err));
    ck_assert_int_eq(second.epoch, first.epoch);
    ck_ok(queue_settle_renew(queue, &first, &answer, &err));
    ck_assert_int_eq(answer, LEASE_STALE);
    ck_gives(QUEUE_BUSY, queue_settle_finish(queue, &first, &answer, &err));
    ck_ok(queue_settle_finish(queue, &second, &answer, &err));
    ck_assert_int_eq(answer, LEASE_OK);
    ck_ok(queue_settle_finish(queue, &second, &answer, &err));
    ck_assert_int_eq(answer, LEASE_ALREADY);
    lease_finds(QUEUE_SETTLED, &w1);
    ck_gives(QUEUE_SETTLED, queue_settle_begin(queue, &w1, &first, &err));
    struct queue_status status = status_now();
    ck_assert_str_eq(status.state, "settled");
    queue_status_free(&status);
}
END_TEST

START_TEST(test_a_batch_without_keys_settles)
{
    batch_usual(0);
    lease_finds(QUEUE_SETTLE, &w1);
    settle();
}
END_TEST

START_TEST(test_a_batch_that_lost_a_key_does_not_settle)
{
    batch_usual(2);
    finish_all(2);
    redis_do("HDEL hiwari:{b}:records k001");
    redis_do("SREM hiwari:{b}:done k001");
    lease_finds(QUEUE_EMPTY, &w1);
    ck_assert_int_eq(fsck_findings(false), 1);
}
END_TEST

START_TEST(test_a_settled_batch_expires_and_a_reopened_one_does_not)
{
    batch_usual(2);
    finish_all(2);
    settle();
    char *ttl = redis_server_command(&server, "TTL hiwari:{b}:records");
    ck_assert_int_gt(atoi(ttl + 1), 29 * 86400);
    free(ttl);
    int64_t epoch;
    ck_ok(queue_reopen(queue, &epoch, &err));
    ck_assert_int_eq(epoch, 2);
    redis_says(":-1", "TTL hiwari:{b}:records");
    redis_says(":-1", "TTL hiwari:{b}:batch");
}
END_TEST

START_TEST(test_reopening_makes_a_settling_in_progress_stale)
{
    batch_usual(1);
    struct lease_ref ref = lease_one(&w1);
    ck_assert_int_eq(fail_one(&w1, &ref, "input"), LEASE_OK);
    struct settle_lease lease, other;
    ck_ok(queue_settle_begin(queue, &w1, &lease, &err));
    const char *const keys[] = {"k000"};
    int64_t moved, epoch;
    ck_gives(QUEUE_BUSY, queue_retry(queue, keys, 1, &moved, &err));
    ck_ok(queue_reopen(queue, &epoch, &err));
    ck_assert_int_eq(epoch, lease.epoch + 1);
    enum lease_answer answer;
    ck_ok(queue_settle_finish(queue, &lease, &answer, &err));
    ck_assert_int_eq(answer, LEASE_STALE);
    lease_finds(QUEUE_EMPTY, &w2); /* nobody settles before the keys have moved */
    ck_gives(QUEUE_BUSY, queue_settle_begin(queue, &w2, &other, &err));
    ck_ok(queue_retry(queue, keys, 1, &moved, &err));
    ck_assert_int_eq(moved, 1);
    ck_gives(QUEUE_EMPTY, queue_settle_begin(queue, &w2, &other, &err));
    finish_all(1);
    lease_finds(QUEUE_SETTLE, &w2);
    ref_free(&ref);
}
END_TEST

START_TEST(test_a_mover_ends_its_own_hold_and_nobody_elses)
{
    batch_usual(1);
    struct lease_ref ref = lease_one(&w1);
    ck_assert_int_eq(fail_one(&w1, &ref, "input"), LEASE_OK);
    struct queue *other = queue_new();
    ck_ok(queue_use(other, "b", NULL, &err));
    struct settle_lease lease;
    int64_t epoch;
    ck_ok(queue_reopen(queue, &epoch, &err));
    ck_ok(queue_reopen(other, &epoch, &err));
    ck_ok(queue_move(queue, NULL, 0, &err)); /* has ended, while the other has yet to move */
    ck_gives(QUEUE_BUSY, queue_settle_begin(queue, &w1, &lease, &err));
    ck_ok(queue_move(other, NULL, 0, &err));
    ck_ok(queue_settle_begin(queue, &w1, &lease, &err));
    queue_close(other);
    ref_free(&ref);
}
END_TEST

/* ---- retry, move, lock, purge ---- */

START_TEST(test_retry_gives_failed_keys_fresh_budgets)
{
    enum { N = 230 };
    batch_usual(N);
    for (int i = 0; i < N; i++) {
        struct lease_ref ref = lease_one(&w1);
        ck_assert_int_eq(renew_one(&w1, &ref, true), LEASE_OK);
        ck_assert_int_eq(fail_one(&w1, &ref, "input"), LEASE_OK);
        ref_free(&ref);
    }
    settle();
    int64_t moved, epoch;
    const char *const keys[] = {"k007", "nobody"};
    ck_gives(QUEUE_BUSY, queue_retry(queue, keys, 2, &moved, &err));
    ck_ok(queue_reopen(queue, &epoch, &err));
    ck_ok(queue_retry(queue, keys, 2, &moved, &err));
    ck_assert_int_eq(moved, 1);
    counts_are(1, 0, 0, 0, N - 1);
    ck_ok(queue_retry(queue, NULL, 0, &moved, &err));
    ck_assert_int_eq(moved, N - 1);
    counts_are(N, 0, 0, 0, 0);
    struct queue_key key = show("k100");
    ck_assert_int_eq(key.attempts, 0);
    ck_assert_int_eq(key.n_leases, 1);
    queue_key_free(&key);
    ck_assert_int_eq(fsck_findings(false), 0);
}
END_TEST

START_TEST(test_retry_takes_a_failed_key_whose_record_cannot_be_read)
{
    batch_usual(1);
    struct lease_ref ref = lease_one(&w1);
    ck_assert_int_eq(fail_one(&w1, &ref, "input"), LEASE_OK);
    redis_do("HSET hiwari:{b}:records k000 rubbish");
    int64_t moved;
    ck_ok(queue_retry(queue, NULL, 0, &moved, &err));
    ck_assert_int_eq(moved, 1);
    counts_are(1, 0, 0, 0, 0);
    ck_assert_int_eq(fsck_findings(false), 0);
    ref_free(&ref);
}
END_TEST

START_TEST(test_a_key_whose_record_was_lost_moves_only_while_it_is_lost)
{
    batch_usual(5);
    redis_do("HSET hiwari:{b}:records k000 rubbish k001 rubbish");
    redis_do("HDEL hiwari:{b}:records k002");
    redis_do("ZREM hiwari:{b}:pending k000 k002");
    redis_do("HSET hiwari:{b}:batch total 4"); /* as if it had been counted again */
    struct queue_move moves[] = {
        {.key = "k000", .seen_state = KEY_PENDING, .seen_token = ""},
        {.key = "k000", .seen_lost = true, .expect = 77},
        {.key = "k001", .seen_lost = true, .to_done = true},
        {.key = "k002", .seen_lost = true},
        {.key = "k003", .seen_lost = true, .to_done = true},
    };
    ck_ok(queue_move(queue, moves, 5, &err));
    const bool moved[] = {false, true, true, true, false};
    for (int i = 0; i < 5; i++)
        ck_assert_msg(moves[i].moved == moved[i], "%d: %s", i, moves[i].key);
    counts_are(4, 0, 0, 1, 0);
    ck_assert_int_eq(fsck_findings(false), 0);
}
END_TEST

START_TEST(test_a_key_moves_only_if_its_state_and_token_are_what_was_seen)
{
    batch_usual(5);
    struct lease_ref done = lease_one(&w1), failed = lease_one(&w1), leased = lease_one(&w1),
                     late = lease_one(&w1);
    ck_assert_int_eq(done_one(&w1, &done), LEASE_OK);
    ck_assert_int_eq(fail_one(&w1, &failed, "input"), LEASE_OK);
    struct queue_move moves[] = {
        {.key = "k000", .seen_state = KEY_DONE, .seen_token = done.token, .expect = 77},
        {.key = "k001", .seen_state = KEY_FAILED, .seen_token = failed.token},
        {.key = "k002", .seen_state = KEY_LEASED, .seen_token = "another"},
        {.key = "k003", .seen_state = KEY_PENDING, .seen_token = ""},
        {.key = "k004", .seen_state = KEY_PENDING, .seen_token = "", .to_done = true},
        {.key = "nobody", .seen_state = KEY_PENDING, .seen_token = ""},
    };
    ck_ok(queue_move(queue, moves, 6, &err));
    const bool moved[] = {true, true, false, false, true, false};
    for (int i = 0; i < 6; i++)
        ck_assert_msg(moves[i].moved == moved[i], "%s", moves[i].key);
    counts_are(2, 0, 2, 1, 0);
    ck_assert_int_eq(fsck_findings(false), 0);
    ck_assert_int_eq(done_one(&w1, &late), LEASE_OK);
    ck_assert_int_eq(done_one(&w1, &leased), LEASE_OK);
    struct lease_set set = lease_some(&w1, 5, 2);
    ck_assert_str_eq(set.leases[0].key, "k000");
    ck_assert_int_eq(set.leases[0].expect, 77);
    lease_set_free(&set);
    struct lease_ref refs[] = {done, failed, leased, late};
    for (int i = 0; i < 4; i++)
        ref_free(&refs[i]);
}
END_TEST

START_TEST(test_a_move_of_a_leased_key_makes_its_holder_stale)
{
    batch_usual(1);
    struct lease_ref ref = lease_one(&w1);
    struct queue_move move = {
        .key = "k000", .seen_state = KEY_LEASED, .seen_token = ref.token, .to_done = true};
    ck_ok(queue_move(queue, &move, 1, &err));
    ck_assert(move.moved);
    counts_are(0, 0, 0, 1, 0);
    move = (struct queue_move){.key = "k000", .seen_state = KEY_DONE, .seen_token = ref.token};
    ck_ok(queue_move(queue, &move, 1, &err));
    ck_assert(move.moved);
    ck_assert_int_eq(done_one(&w1, &ref), LEASE_STALE);
    ck_assert_int_eq(release_one(&w1, &ref), LEASE_STALE);
    counts_are(1, 0, 0, 0, 0);
    ref_free(&ref);
}
END_TEST

START_TEST(test_a_lock_is_held_by_one_until_it_ends_or_its_time_is_over)
{
    batch_usual(0);
    ck_ok(queue_lock(queue, "reconcile", "me", 60000, &err));
    ck_ok(queue_lock(queue, "reconcile", "me", 60000, &err));
    ck_gives(QUEUE_BUSY, queue_lock(queue, "reconcile", "you", 60000, &err));
    ck_gives(QUEUE_BUSY, queue_unlock(queue, "reconcile", "you", &err));
    ck_ok(queue_lock(queue, "other", "you", 60000, &err));
    ck_ok(queue_unlock(queue, "reconcile", "me", &err));
    ck_ok(queue_lock(queue, "reconcile", "you", 30, &err));
    clock_sleep_ms(50);
    ck_ok(queue_lock(queue, "reconcile", "me", 30, &err));
}
END_TEST

START_TEST(test_purge_leaves_nothing)
{
    batch_usual(5);
    struct lease_ref done = lease_one(&w1), failed = lease_one(&w1), delayed = lease_one(&w1);
    ck_assert_int_eq(done_one(&w1, &done), LEASE_OK);
    ck_assert_int_eq(fail_one(&w1, &failed, "input"), LEASE_OK);
    ck_assert_int_eq(fail_one(&w1, &delayed, "error"), LEASE_OK);
    ck_ok(queue_lock(queue, "reconcile", "me", 60000, &err));
    int64_t removed;
    ck_ok(queue_purge(queue, &removed, &err));
    ck_assert_int_eq(removed, 5);
    redis_says("*0", "KEYS *");
    struct lease_ref refs[] = {done, failed, delayed};
    for (int i = 0; i < 3; i++)
        ref_free(&refs[i]);
}
END_TEST

/* ---- looking ---- */

START_TEST(test_status_counts_keys_failures_and_speed)
{
    batch_usual(6);
    for (int i = 0; i < 3; i++) {
        struct lease_ref ref = lease_one(&w1);
        if (i < 2)
            ck_assert_int_eq(done_one(&w1, &ref), LEASE_OK);
        else
            ck_assert_int_eq(fail_one(&w1, &ref, "input"), LEASE_OK);
        ref_free(&ref);
    }
    struct queue_status status = status_now();
    ck_assert_str_eq(status.state, "running");
    ck_assert_int_eq(status.total, 6);
    ck_assert_int_eq(status.done, 2);
    ck_assert_int_eq(status.attempts, 1);
    ck_assert(status.rate_per_s > 0 && status.rate_per_s <= 2);
    ck_assert(status.eta_s >= 1.5);
    ck_assert_int_eq(status.workers[0].done, 2);
    ck_assert_int_eq(status.n_failures, 1);
    ck_assert_str_eq(status.failures[0].key, "k002");
    ck_assert_str_eq(status.failures[0].class, "input");
    ck_assert_str_eq(status.failures[0].error, "it did not work");
    ck_assert_int_eq(status.failures[0].attempts, 1);
    queue_status_free(&status);
}
END_TEST

START_TEST(test_the_rate_keeps_few_numbers)
{
    batch_usual(1);
    for (int i = 0; i < 50; i++)
        redis_do("HSET hiwari:{b}:rate %d 5", i);
    struct lease_ref ref = lease_one(&w1);
    ck_assert_int_eq(done_one(&w1, &ref), LEASE_OK);
    redis_says(":1", "HLEN hiwari:{b}:rate");
    ref_free(&ref);
}
END_TEST

static int count_key(void *ctx, int64_t i, const struct queue_key *key, struct err *e)
{
    int *seen = ctx;
    seen[i]++;
    ck_assert_int_eq(atoi(key->key + 1), i - 1);
    if (key->state == KEY_FAILED)
        ck_assert_str_eq(key->class, "input");
    return 0;
}

static int count_every(void *ctx, const struct queue_key *key, struct err *e)
{
    int *seen = ctx;
    seen[atoi(key->key + 1)]++;
    return 0;
}

static int stop_at_once(void *ctx, int64_t i, const struct queue_key *key, struct err *e)
{
    return 42;
}

START_TEST(test_the_keys_asked_for_are_visited_in_order)
{
    enum { N = 300 };
    batch_usual(N);
    struct lease_ref ref = lease_one(&w1);
    ck_assert_int_eq(fail_one(&w1, &ref, "input"), LEASE_OK);
    char names[N + 2][8];
    const char *keys[N + 2];
    int seen[N + 2] = {0};
    for (int i = 0; i < N + 2; i++) { /* k-01 and k300 are not of the batch */
        snprintf(names[i], sizeof(names[i]), "k%03d", i - 1);
        keys[i] = names[i];
    }
    ck_ok(queue_keys(queue, keys, N + 2, count_key, seen, &err));
    for (int i = 0; i < N + 2; i++)
        ck_assert_int_eq(seen[i], i > 0 && i <= N);
    int scanned[N] = {0};
    ck_ok(queue_each(queue, count_every, scanned, &err));
    for (int i = 0; i < N; i++)
        ck_assert_int_ge(scanned[i], 1);
    ck_gives(42, queue_keys(queue, keys, N, stop_at_once, NULL, &err));
    ref_free(&ref);
}
END_TEST

START_TEST(test_batches_are_listed_by_name)
{
    ck_ok(begin(queue, "zebra", "i", "file:///z"));
    ck_ok(begin(queue, "ape", "i", "file:///a"));
    ck_ok(begin(queue, "gone", "i", "file:///g"));
    redis_do("UNLINK hiwari:{gone}:batch");
    char **names;
    int n;
    ck_ok(queue_list(queue, &names, &n, &err));
    ck_assert_int_eq(n, 2);
    ck_assert_str_eq(names[0], "ape");
    ck_assert_str_eq(names[1], "zebra");
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
}
END_TEST

START_TEST(test_the_text_of_the_batch_is_kept)
{
    batch_usual(0);
    char *text;
    ck_ok(queue_batch_json(queue, &text, &err));
    ck_assert_str_eq(text, "{\"batch\":\"b\"}");
    free(text);
    struct queue_key key;
    ck_gives(QUEUE_ABSENT, queue_show(queue, "nobody", &key, &err));
}
END_TEST

/* Every server can be asked; what it can promise depends on it. */
START_TEST(test_waiting_for_the_disk_says_what_the_server_can_promise)
{
    batch_usual(3);
    struct queue_durable durable;
    ck_ok(queue_wait_durable(queue, &durable, &err));
    ck_assert(durable.appends);
    ck_assert_int_eq(durable.on_disk, durable.can_tell);
    ck_assert_int_eq(durable.replicas, 0);
    int major = 0, minor = 0;
    ck_assert_int_eq(sscanf(durable.version, "%d.%d", &major, &minor), 2);
    ck_assert_int_eq(durable.can_tell, major > 7 || (major == 7 && minor >= 2));
}
END_TEST

/* A server that listens on a port of its own, so that another one can follow it. */
static void replica_pair_start(struct redis_server *first, struct redis_server *second)
{
    int port = 20000 + (int)(getpid() % 20000);
    CLEANUP(mem_free_chars) char *words = mem_printf("%d", port);
    redis_server_start(first, (const char *const[]){"--port", words, "--bind", "127.0.0.1", NULL});
    redis_server_start(second, (const char *const[]){"--replicaof", "127.0.0.1", words, NULL});
    for (int i = 0; i < 500; i++) {
        CLEANUP(mem_free_chars) char *info = redis_server_command(second, "INFO replication");
        if (strstr(info, "master_link_status:up"))
            return;
        clock_sleep_ms(20);
    }
    ck_abort_msg("the replica does not follow");
}

START_TEST(test_waiting_counts_the_replicas_that_have_everything)
{
    struct redis_server first, second;
    replica_pair_start(&first, &second);
    const struct queue_options options = {.url = first.url, .patience_ms = 3000};
    struct queue_settings settings = settings_usual();
    struct queue *q = NULL;
    struct queue_durable durable;
    ck_ok(queue_open(&options, &q, &err));
    ck_ok(queue_begin(q, "b", "inc-1", &settings, &err));
    ck_ok(queue_wait_durable(q, &durable, &err));
    ck_assert_int_eq(durable.replicas, 1);
    ck_assert_int_eq(durable.replicas_told, 1);
    queue_close(q);
    redis_server_stop(&second);
    redis_server_stop(&first);
}
END_TEST

/* ---- fsck ---- */

static void stands_open(const struct queue_finding *findings, int n, const char *key,
                        const char *what)
{
    bool found = false;
    for (int i = 0; i < n; i++)
        found = found || (strcmp(findings[i].key, key) == 0 && strstr(findings[i].what, what) &&
                          !findings[i].repaired);
    ck_assert_msg(found, "no finding \"%s\" for %s among %d (%s)", what, key, n,
                  n ? findings[0].what : "");
}

/* One finding that speaks of key and what; mended, fsck finds nothing more and the counts are
 * these. */
static void fsck_finds(const char *key, const char *what)
{
    struct queue_finding *findings;
    int n;
    ck_ok(queue_fsck(queue, false, &findings, &n, &err));
    stands_open(findings, n, key, what);
    queue_findings_free(findings, n);
    ck_ok(queue_fsck(queue, true, &findings, &n, &err));
    ck_assert_int_ge(n, 1);
    ck_assert(findings[0].repaired);
    queue_findings_free(findings, n);
    ck_assert_int_eq(fsck_findings(false), 0);
}

/* The same, but it is not for fsck to mend. */
static void fsck_leaves(const char *key, const char *what)
{
    struct queue_finding *findings;
    int n;
    ck_ok(queue_fsck(queue, true, &findings, &n, &err));
    stands_open(findings, n, key, what);
    queue_findings_free(findings, n);
}

START_TEST(test_fsck_of_a_busy_batch_finds_nothing)
{
    batch_usual(8);
    struct lease_ref done = lease_one(&w1), failed = lease_one(&w1), delayed = lease_one(&w1),
                     leased = lease_one(&w1);
    ck_assert_int_eq(done_one(&w1, &done), LEASE_OK);
    ck_assert_int_eq(fail_one(&w1, &failed, "input"), LEASE_OK);
    ck_assert_int_eq(fail_one(&w1, &delayed, "error"), LEASE_OK);
    ck_assert_int_eq(fsck_findings(false), 0);
    ck_assert_int_eq(fsck_findings(true), 0);
    counts_are(4, 1, 1, 1, 1);
    struct lease_ref refs[] = {done, failed, delayed, leased};
    for (int i = 0; i < 4; i++)
        ref_free(&refs[i]);
}
END_TEST

START_TEST(test_fsck_gives_back_a_leased_key_that_no_deadline_takes_back)
{
    batch_usual(2);
    struct lease_ref ref = lease_one(&w1);
    redis_do("ZREM hiwari:{b}:leased k000");
    fsck_finds("k000", "recorded as leased, but found in no place");
    counts_are(2, 0, 0, 0, 0);
    ck_assert_int_eq(done_one(&w1, &ref), LEASE_STALE);
    ref_free(&ref);
}
END_TEST

START_TEST(test_fsck_takes_a_key_out_of_the_wrong_one_of_two_places)
{
    batch_usual(2);
    struct lease_ref ref = lease_one(&w1);
    ck_assert_int_eq(done_one(&w1, &ref), LEASE_OK);
    redis_do("ZADD hiwari:{b}:pending 0 k000");
    fsck_finds("k000", "recorded as done, but found in pending and done");
    counts_are(1, 0, 0, 1, 0);
    ref_free(&ref);
}
END_TEST

START_TEST(test_fsck_puts_a_key_that_is_nowhere_where_its_record_says)
{
    batch_usual(3);
    redis_do("ZREM hiwari:{b}:pending k001");
    fsck_finds("k001", "no place");
    counts_are(3, 0, 0, 0, 0);
    struct lease_ref ref = lease_one(&w1);
    ck_assert_int_eq(fail_one(&w1, &ref, "input"), LEASE_OK);
    redis_do("ZREM hiwari:{b}:failed k000");
    fsck_finds("k000", "recorded as failed");
    counts_are(2, 0, 0, 0, 1);
    ref_free(&ref);
}
END_TEST

START_TEST(test_fsck_makes_a_record_for_a_key_that_has_none)
{
    batch_usual(2);
    redis_do("HDEL hiwari:{b}:records k001");
    fsck_finds("k001", "found in pending, but it has no record");
    counts_are(2, 0, 0, 0, 0);
    redis_do("ZADD hiwari:{b}:leased 5 orphan");
    fsck_finds("orphan", "found in leased, but it has no record");
    counts_are(3, 0, 0, 0, 0);
}
END_TEST

START_TEST(test_fsck_says_when_keys_are_missing_altogether)
{
    batch_usual(3);
    redis_do("HDEL hiwari:{b}:records k001");
    redis_do("ZREM hiwari:{b}:pending k001");
    fsck_leaves("", "counts 3 keys, but has 2 key records; reconcile brings back");
    redis_says("$1\r\n3", "HGET hiwari:{b}:batch total");
}
END_TEST

START_TEST(test_fsck_counts_the_keys_of_a_batch_that_is_being_filled)
{
    ck_ok(begin(queue, "b", "inc-1", "file:///b"));
    keys_add(0, 3);
    redis_do("HDEL hiwari:{b}:records k001");
    redis_do("ZREM hiwari:{b}:pending k001");
    fsck_finds("", "counts 3 keys, but has 2 key records");
    keys_add(1, 2);
    ck_ok(queue_seal(queue, 3, &err));
    counts_are(3, 0, 0, 0, 0);
}
END_TEST

START_TEST(test_fsck_makes_no_key_of_a_settled_batch_wait)
{
    batch_usual(3);
    finish_all(3);
    settle();
    redis_do("HSET hiwari:{b}:records k000 rubbish k001 p");
    redis_do("HDEL hiwari:{b}:records k002");
    redis_do("SREM hiwari:{b}:done k000 k001 k002");
    redis_do("ZADD hiwari:{b}:pending 1 k002");
    fsck_leaves("k000", "cannot be read; the batch is settled: reconcile");
    fsck_leaves("k001", "found in no place; the batch is settled: reconcile");
    fsck_leaves("k002", "it has no record; the batch is settled: reconcile");
    redis_says(":1", "ZCARD hiwari:{b}:pending");
    redis_do("SADD hiwari:{b}:done k000"); /* what was done is done */
    struct queue_finding *findings;
    int n;
    ck_ok(queue_fsck(queue, true, &findings, &n, &err));
    queue_findings_free(findings, n);
    struct queue_key key = show("k000");
    ck_assert_int_eq(key.state, KEY_DONE);
    queue_key_free(&key);
}
END_TEST

START_TEST(test_fsck_replaces_a_record_that_cannot_be_read)
{
    batch_usual(2);
    redis_do("HSET hiwari:{b}:records k000 rubbish");
    fsck_finds("k000", "cannot be read");
    counts_are(2, 0, 0, 0, 0);
}
END_TEST

static Suite *queue_batch_suite(void)
{
    Suite *suite = suite_create("queue_batch");
    TCase *t = fixture_case(suite, "batches");
    tcase_add_test(t, test_an_interrupted_enqueue_is_completed_by_running_it_again);
    tcase_add_test(t, test_the_name_of_an_unsettled_batch_is_refused_to_another_incarnation);
    tcase_add_test(t, test_a_settled_batch_is_replaced_by_the_next_incarnation);
    tcase_add_test(t, test_a_destination_belongs_to_one_unsettled_batch);
    tcase_add_test(t, test_the_claim_of_a_batch_that_never_came_is_taken_over);
    tcase_add_test(t, test_a_cancelled_batch_gives_up_name_and_destination);
    tcase_add_test(t, test_wrong_names_and_settings_are_refused);
    tcase_add_test(t, test_a_sealed_batch_refuses_late_keys);
    tcase_add_test(t, test_an_unsealed_batch_never_settles);
    tcase_add_test(t, test_sealing_compares_the_number_of_keys);
    tcase_add_test(t, test_many_keys_are_added_in_order_and_once);
    tcase_add_test(t, test_who_adds_alone_is_not_looked_after);
    tcase_add_test(t, test_keys_that_are_there_are_left_whoever_adds);
    tcase_add_test(t, test_keys_that_are_there_are_left_when_steps_come_twice_or_were_lost);
    tcase_add_test(t, test_the_generation_to_replace_stays_with_its_key_until_it_is_done);
    tcase_add_test(t, test_keys_whose_result_exists_count_as_done);
    tcase_add_test(t, test_settling_is_a_lease_that_another_worker_may_take_over);
    tcase_add_test(t, test_a_batch_without_keys_settles);
    tcase_add_test(t, test_a_batch_that_lost_a_key_does_not_settle);
    tcase_add_test(t, test_a_settled_batch_expires_and_a_reopened_one_does_not);
    tcase_add_test(t, test_reopening_makes_a_settling_in_progress_stale);
    tcase_add_test(t, test_a_mover_ends_its_own_hold_and_nobody_elses);
    tcase_add_test(t, test_retry_gives_failed_keys_fresh_budgets);
    tcase_add_test(t, test_retry_takes_a_failed_key_whose_record_cannot_be_read);
    tcase_add_test(t, test_a_key_whose_record_was_lost_moves_only_while_it_is_lost);
    tcase_add_test(t, test_a_key_moves_only_if_its_state_and_token_are_what_was_seen);
    tcase_add_test(t, test_a_move_of_a_leased_key_makes_its_holder_stale);
    tcase_add_test(t, test_a_lock_is_held_by_one_until_it_ends_or_its_time_is_over);
    tcase_add_test(t, test_purge_leaves_nothing);
    tcase_add_test(t, test_status_counts_keys_failures_and_speed);
    tcase_add_test(t, test_the_rate_keeps_few_numbers);
    tcase_add_test(t, test_the_keys_asked_for_are_visited_in_order);
    tcase_add_test(t, test_batches_are_listed_by_name);
    tcase_add_test(t, test_the_text_of_the_batch_is_kept);
    tcase_add_test(t, test_waiting_for_the_disk_says_what_the_server_can_promise);
    tcase_add_test(t, test_waiting_counts_the_replicas_that_have_everything);
    tcase_add_test(t, test_fsck_of_a_busy_batch_finds_nothing);
    tcase_add_test(t, test_fsck_gives_back_a_leased_key_that_no_deadline_takes_back);
    tcase_add_test(t, test_fsck_takes_a_key_out_of_the_wrong_one_of_two_places);
    tcase_add_test(t, test_fsck_puts_a_key_that_is_nowhere_where_its_record_says);
    tcase_add_test(t, test_fsck_makes_a_record_for_a_key_that_has_none);
    tcase_add_test(t, test_fsck_says_when_keys_are_missing_altogether);
    tcase_add_test(t, test_fsck_counts_the_keys_of_a_batch_that_is_being_filled);
    tcase_add_test(t, test_fsck_makes_no_key_of_a_settled_batch_wait);
    tcase_add_test(t, test_fsck_replaces_a_record_that_cannot_be_read);
    return suite;
}

UNIT_MAIN(queue_batch_suite)

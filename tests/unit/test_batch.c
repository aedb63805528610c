/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_batch.c - `_batch.json`, and what becomes of a batch when calls to the store fail one by
 * one: settling, reconciling and retrying, over a real Redis. */
#include "batch/batch_file.h"

#include "base/fault.h"
#include "batch/fill.h"
#include "batch/manifest.h"
#include "batch/reconcile.h"
#include "batch/retry_keys.h"
#include "batch/settle.h"
#include "batch/survey.h"
#include "batch_fixture.h"
#include "codec/json.h"
#include "redis_server.h"

/* ---- _batch.json ---- */

static struct batch_file *print_and_parse(struct batch_file *file)
{
    CLEANUP(str_deinit) struct str text = {0};
    struct batch_file *back = NULL;
    batch_file_print(file, &text);
    ok(batch_file_parse("it", text.s, text.len, &back, &err));
    return back;
}

START_TEST(test_a_batch_file_says_all_and_is_read_back_equal)
{
    batch->settings.notify = true;
    batch->settings.newest_first = true;
    batch->replace_stale = true;
    CLEANUP(batch_file_free) struct batch_file *back = print_and_parse(batch);
    ck_assert(batch_file_same_work(batch, back, NULL));
    ck_assert(batch_file_same_settings(batch, back));
    ck_assert_str_eq(back->incarnation, batch->incarnation);
    ck_assert_str_eq(back->spec, batch->spec);
    ck_assert_int_eq(back->n_keys, FIXTURE_KEYS);
    for (int i = 0; i < FIXTURE_KEYS; i++) {
        ck_assert_str_eq(back->keys[i].key, batch->keys[i].key);
        ck_assert_str_eq(back->keys[i].data, batch->keys[i].data);
    }
    ck_assert_int_eq(back->settings.lease_ms, 30000);
    ck_assert_int_eq(back->settings.max_interruptions, 10);
}
END_TEST

START_TEST(test_consecutive_dates_are_written_as_a_range_and_others_as_a_list)
{
    CLEANUP(str_deinit) struct str range = {0};
    CLEANUP(str_deinit) struct str list = {0};
    batch_file_print(batch, &range);
    ck_assert_ptr_nonnull(strstr(range.s, "\"to\": \"2020-01-05\""));
    free(batch->keys[4].key);
    batch->keys[4].key = mem_strdup("2020-01-06");
    batch_file_complete(batch);
    batch_file_print(batch, &list);
    ck_assert_ptr_nonnull(strstr(list.s, "\"list\""));
    CLEANUP(batch_file_free) struct batch_file *back = print_and_parse(batch);
    ck_assert_int_eq(batch_file_find(back, "2020-01-06"), 4);
    ck_assert_int_eq(batch_file_find(back, "2020-01-05"), -1);
}
END_TEST

START_TEST(test_a_batch_file_that_is_cut_or_changed_is_refused)
{
    CLEANUP(str_deinit) struct str text = {0};
    struct batch_file *back = NULL;
    batch_file_print(batch, &text);
    for (size_t len = 0; len + 2 < text.len; len += 7)
        gives(ERR_INPUT, batch_file_parse("it", text.s, len, &back, &err));
    strstr(text.s, "2020-01-01")[9] = '2'; /* the range begins later */
    gives(ERR_INPUT, batch_file_parse("it", text.s, text.len, &back, &err));
    ck_assert_int_eq(strncmp(err.text, "it: ", 4), 0);
}
END_TEST

START_TEST(test_a_batch_file_of_a_newer_format_is_a_matter_of_configuration)
{
    struct batch_file *back = NULL;
    gives(ERR_CONFIG, batch_file_parse("it", "{\"hiwari\":2}", 12, &back, &err));
}
END_TEST

START_TEST(test_the_first_difference_between_two_batches_is_named)
{
    const char *what = NULL;
    CLEANUP(batch_file_free) struct batch_file *other = fixture_batch();
    ck_assert(batch_file_same_work(batch, other, &what));
    other->keys_sha256[0] ^= 1;
    ck_assert(!batch_file_same_work(batch, other, &what));
    ck_assert_str_eq(what, "set of keys");
    other->spec_sha256[0] ^= 1;
    ck_assert(!batch_file_same_work(batch, other, &what));
    ck_assert_str_eq(what, "spec");
    other->settings.lease_ms++;
    ck_assert(!batch_file_same_settings(batch, other));
}
END_TEST

/* ---- with Redis ---- */

static struct redis_server server;
static struct queue *queue;
static const struct worker_id worker = {.id = "w", .pod = "p", .node = "n"};
static struct queue_options queue_options;

static void server_start(void)
{
    redis_server_start(&server, NULL);
    queue_options = (struct queue_options){.url = server.url, .patience_ms = 3000};
}

static void server_stop(void)
{
    redis_server_stop(&server);
}

static void batch_setup(void)
{
    fixture_setup();
    free(redis_server_command(&server, "FLUSHALL"));
    ok(queue_open(&queue_options, &queue, &err));
}

static void batch_teardown(void)
{
    queue_close(queue);
    fixture_teardown();
}

static void announce(void)
{
    CLEANUP(str_deinit) struct str text = {0};
    batch_file_print(batch, &text);
    ok(store_put(store, BATCH_FILE, text.s, text.len, STORE_EXPECT_NOTHING, NULL, &err));
}

static void fill(struct fill_result *ret)
{
    CLEANUP(survey_free) struct survey *survey = NULL;
    struct survey_options options = {
        .store = store, .batch = batch, .slice = batch_file_whole(batch)};
    ok(survey_run(&options, &survey, &err));
    const struct fill_options fill_options = {.queue = queue, .batch = batch, .survey = survey};
    ok(fill_run(&fill_options, ret, &err));
}

/* Work off all keys that are waiting; those in `failing` (may be NULL) fail. Returns how many were
 * leased. */
static int work(const char *failing)
{
    struct lease_set set = {0};
    int n = 0;
    while (queue_lease(queue, &worker, (struct lease_wish){.max = 10}, &set, &err) == 0) {
        for (int i = 0; i < set.n; i++, n++) {
            struct lease_ref ref = {
                .key = set.leases[i].key, .token = set.leases[i].token, .rows = 2};
            CLEANUP(result_deinit) struct result result = {0};
            fixture_pack(ref.key, FIXTURE_SPEC, FIXTURE_DATA, "csv", 1, &result);
            if (failing && strstr(failing, ref.key)) {
                ok(queue_fail(queue, &worker, &ref, "input", "it is wrong", &err));
                continue;
            }
            ck_assert_int_ge(result_put(store, &result, set.leases[i].expect, NULL, &err), 0);
            ok(queue_done(queue, &worker, &ref, 1, &err));
            ck_assert_int_eq(ref.answer, LEASE_OK);
        }
        lease_set_free(&set);
    }
    lease_set_free(&set);
    return n;
}

static int settle(struct settle_result *ret)
{
    struct settle_options options = {.queue = queue,
                                     .queue_options = &queue_options,
                                     .worker = &worker,
                                     .store = store,
                                     .batch = batch};
    return settle_run(&options, ret, &err);
}

static bool is_there(const char *name)
{
    CLEANUP(str_deinit) struct str text = {0};
    int r = store_get(store, name, 0, &text, NULL, &err);
    ck_assert_int_ge(r, 0);
    return r == 0;
}

/* State and numbers, "settled 5/0": done and failed. */
static void assert_status(const char *want)
{
    struct queue_status status = {0};
    ok(queue_status(queue, &status, &err));
    char got[100];
    snprintf(got, sizeof(got), "%s %d/%d", status.state, (int)status.done, (int)status.failed);
    queue_status_free(&status);
    ck_assert_str_eq(got, want);
}

/* `_SUCCESS` is there and fits the manifest. */
static void assert_sealed(void)
{
    CLEANUP(str_deinit) struct str manifest = {0};
    CLEANUP(str_deinit) struct str success = {0};
    CLEANUP(json_free) struct json *root = NULL;
    const char *crc;
    char want[9];
    ok(store_get(store, BATCH_MANIFEST, 0, &manifest, NULL, &err));
    ok(store_get(store, BATCH_SUCCESS, 0, &success, NULL, &err));
    ok(json_parse("_SUCCESS", success.s, success.len, &root, &err));
    ok(json_need_string(root, "manifest_crc32c", &crc, &err));
    snprintf(want, sizeof(want), "%08x", crc32c(0, manifest.s, manifest.len));
    ck_assert_str_eq(crc, want);
}

static void whole_batch(void)
{
    struct fill_result filled;
    struct settle_result settled;
    announce();
    fill(&filled);
    work(NULL);
    ok(settle(&settled));
}

START_TEST(test_results_that_are_there_are_done_and_the_rest_is_worked_on)
{
    struct fill_result filled;
    struct settle_result settled;
    fixture_put_result(1);
    fixture_put_result(3);
    fill(&filled);
    ck_assert(filled.added == 3 && filled.skipped == 2 && filled.present == 0);
    fill(&filled);
    ck_assert(filled.added == 0 && filled.skipped == 0 && filled.present == 5);
    ck_assert_int_eq(work(NULL), 3);
    ok(settle(&settled));
    ck_assert(settled.done == 5 && settled.failed == 0 && settled.epoch == 1);
    assert_status("settled 5/0");
    assert_sealed();
    ok(settle(&settled)); /* and again: settled already */
}
END_TEST

START_TEST(test_with_failures_there_is_a_manifest_and_no_success)
{
    CLEANUP(str_deinit) struct str manifest = {0};
    struct fill_result filled;
    struct settle_result settled;
    fill(&filled);
    work("2020-01-03");
    ok(settle(&settled));
    ck_assert(settled.done == 4 && settled.failed == 1);
    ok(store_get(store, BATCH_MANIFEST, 0, &manifest, NULL, &err));
    ck_assert_ptr_nonnull(strstr(manifest.s, "{\"key\":\"2020-01-03\",\"state\":\"failed\""));
    ck_assert_ptr_nonnull(strstr(manifest.s, "it is wrong"));
    ck_assert(!is_there(BATCH_SUCCESS));
    struct retry_keys_options options = {.queue = queue, .batch = "b"};
    struct retry_keys_result retried;
    ok(retry_keys_run(&options, &retried, &err));
    ck_assert_int_eq(retried.moved, 1);
    ck_assert_int_eq(work(NULL), 1);
    ok(settle(&settled));
    ck_assert_int_eq(settled.epoch, 2);
    assert_sealed();
    ok(retry_keys_run(&options, &retried, &err)); /* nothing has failed: nothing is reopened */
    ck_assert_int_eq(retried.moved, 0);
    assert_status("settled 5/0");
    assert_sealed();
}
END_TEST

/* By now another batch has the destination, and is settled. */
static void destination_passes_on(void)
{
    CLEANUP(str_deinit) struct str text = {0};
    CLEANUP(batch_file_free) struct batch_file *other = fixture_batch();
    free(other->name);
    other->name = mem_strdup("other");
    strcpy(other->incarnation, "fedcba9876543210fedcba9876543210");
    batch_file_print(other, &text);
    ok(store_put(store, BATCH_FILE, text.s, text.len, STORE_EXPECT_ANYTHING, NULL, &err));
    ok(store_put(store, BATCH_SUCCESS, "its", 3, STORE_EXPECT_NOTHING, NULL, &err));
}

START_TEST(test_retry_leaves_alone_what_another_batch_has_in_the_destination)
{
    struct fill_result filled;
    struct settle_result settled;
    struct retry_keys_options options = {.queue = queue, .batch = "b"};
    struct retry_keys_result retried;
    announce();
    fill(&filled);
    work("2020-01-03");
    ok(settle(&settled));
    destination_passes_on();
    gives(ERR_CONFIG, retry_keys_run(&options, &retried, &err));
    ck_assert_msg(strstr(err.text, "is not the one in"), "%s", err.text);
    ck_assert_msg(strstr(err.text, "(batch other, "), "%s", err.text);
    ck_assert(is_there(BATCH_SUCCESS));
    assert_status("settled 4/1");
}
END_TEST

START_TEST(test_retry_of_a_cancelled_batch_touches_nothing)
{
    struct fill_result filled;
    struct retry_keys_options options = {.queue = queue, .batch = "b"};
    struct retry_keys_result retried;
    fill(&filled);
    work("2020-01-03");
    ok(queue_cancel(queue, &err));
    ok(store_put(store, BATCH_SUCCESS, "its", 3, STORE_EXPECT_NOTHING, NULL, &err));
    gives(ERR_CONFIG, retry_keys_run(&options, &retried, &err));
    ck_assert_msg(strstr(err.text, "was cancelled"), "%s", err.text);
    ck_assert(is_there(BATCH_SUCCESS));
    assert_status("cancelled 4/1");
}
END_TEST

START_TEST(test_nobody_settles_a_batch_into_the_destination_of_another)
{
    struct fill_result filled;
    struct settle_result settled;
    announce();
    fill(&filled);
    work(NULL);
    destination_passes_on();
    gives(ERR_CONFIG, settle(&settled));
    ck_assert_msg(strstr(err.text, "is not the one in"), "%s", err.text);
    ck_assert(is_there(BATCH_SUCCESS) && !is_there(BATCH_MANIFEST));
    assert_status("running 5/0");
    ok(store_put(store, BATCH_FILE, "{", 1, STORE_EXPECT_ANYTHING, NULL, &err));
    gives(ERR_CONFIG, settle(&settled)); /* who knows whose it is */
}
END_TEST

START_TEST(test_settling_puts_back_a_key_without_a_result)
{
    struct fill_result filled;
    struct settle_result settled;
    fill(&filled);
    work(NULL);
    ok(store_delete(store, "2020-01-02.zip", STORE_EXPECT_ANYTHING, &err));
    gives(SETTLE_NOT_YET, settle(&settled));
    ck_assert_int_eq(settled.put_back, 1);
    ck_assert(!is_there(BATCH_SUCCESS));
    ck_assert_int_eq(work(NULL), 1);
    ok(settle(&settled));
    assert_sealed();
}
END_TEST

/* More keys than a settling worker holds at a time; all but these have failed. */
static const int with_result[] = {0, 4095, 4096, 8191, 8196};
enum { MANY = 8197, WITH_RESULT = sizeof(with_result) / sizeof(with_result[0]) };

static void batch_of_many(void)
{
    for (int i = 0; i < FIXTURE_KEYS; i++)
        free(batch->keys[i].key);
    free(batch->keys);
    batch->keys = mem_zalloc(MANY * sizeof(*batch->keys));
    batch->n_keys = MANY;
    for (int i = 0; i < MANY; i++) {
        batch->keys[i].key = mem_printf("k%04d", i);
        memcpy(batch->keys[i].data, FIXTURE_DATA, BATCH_DATA - 1);
    }
    batch_file_complete(batch);
    for (int i = 0; i < WITH_RESULT; i++)
        fixture_put(batch->keys[with_result[i]].key, FIXTURE_SPEC, FIXTURE_DATA, "csv");
}

static void fail_all(void)
{
    struct lease_set set = {0};
    while (queue_lease(queue, &worker, (struct lease_wish){.max = QUEUE_STEP}, &set, &err) == 0) {
        for (int i = 0; i < set.n; i++) {
            struct lease_ref ref = {.key = set.leases[i].key, .token = set.leases[i].token};
            ok(queue_fail(queue, &worker, &ref, "input", "no", &err));
        }
        lease_set_free(&set);
    }
    lease_set_free(&set);
}

START_TEST(test_a_batch_of_many_keys_settles_slice_by_slice)
{
    CLEANUP(manifest_free) struct manifest *manifest = NULL;
    struct fill_result filled;
    struct settle_result settled;
    bool sealed;
    batch_of_many();
    fill(&filled);
    ck_assert_int_eq(filled.skipped, WITH_RESULT);
    fail_all();
    ok(store_delete(store, "k4096.zip", STORE_EXPECT_ANYTHING, &err));
    gives(SETTLE_NOT_YET, settle(&settled));
    ck_assert_int_eq(settled.put_back, 1);
    ck_assert_int_eq(work(NULL), 1);
    ok(settle(&settled));
    ck_assert(settled.done == WITH_RESULT && settled.failed == MANY - WITH_RESULT);
    ok(manifest_read(store, &manifest, &sealed, &err));
    ck_assert(manifest->n == MANY && manifest->done == WITH_RESULT);
    for (int i = 0, next = 0; i < MANY; i++) {
        bool done = next < WITH_RESULT && with_result[next] == i;
        ck_assert_str_eq(manifest->lines[i].key, batch->keys[i].key);
        ck_assert_int_eq(manifest->lines[i].done, done);
        next += done;
    }
}
END_TEST

START_TEST(test_a_filling_batch_does_not_settle)
{
    struct queue_settings settings = batch_file_queue_settings(batch, "{}");
    struct settle_result settled;
    ok(queue_begin(queue, "b", batch->incarnation, &settings, &err));
    ok(queue_use(queue, "b", batch->incarnation, &err));
    gives(SETTLE_NOT_YET, settle(&settled));
    ck_assert(!is_there(BATCH_MANIFEST));
}
END_TEST

static int reconcile(struct reconcile_result *ret, bool dry_run)
{
    struct reconcile_options options = {.queue = queue,
                                        .queue_options = &queue_options,
                                        .batch = "b",
                                        .dest = store_url(store),
                                        .dry_run = dry_run};
    return reconcile_run(&options, ret, &err);
}

START_TEST(test_reconcile_moves_what_differs_and_gives_reasons)
{
    CLEANUP(reconcile_result_free) struct reconcile_result result = {0};
    CLEANUP(reconcile_result_free) struct reconcile_result dry = {0};
    struct fill_result filled;
    struct settle_result settled;
    whole_batch();
    ok(store_delete(store, "2020-01-02.zip", STORE_EXPECT_ANYTHING, &err));
    ok(reconcile(&dry, true));
    ck_assert(dry.to_pending == 1 && !dry.moves[0].moved);
    assert_status("settled 5/0");
    ok(reconcile(&result, false));
    ck_assert(result.n_moves == 1 && result.to_pending == 1 && result.reopened);
    ck_assert_str_eq(result.moves[0].key, "2020-01-02");
    ck_assert_str_eq(result.moves[0].from, "done");
    ck_assert(!is_there(BATCH_SUCCESS));
    ck_assert_int_eq(work(NULL), 1);
    ok(settle(&settled));
    assert_sealed();
    fill(&filled);
    ck_assert_int_eq(filled.present, 5);
}
END_TEST

START_TEST(test_reconcile_marks_a_waiting_key_done_whose_result_is_there)
{
    CLEANUP(reconcile_result_free) struct reconcile_result result = {0};
    struct fill_result filled;
    announce();
    fill(&filled);
    fixture_put_result(2);
    ok(reconcile(&result, false));
    ck_assert(result.to_done == 1 && result.to_pending == 0 && !result.reopened);
    ck_assert_int_eq(work(NULL), 4);
    assert_status("running 5/0");
}
END_TEST

/* The record of a key that is done, as a clock that stepped back once wrote it. */
static void spoil_record(const char *key)
{
    free(redis_server_command(&server, "HSET hiwari:{b}:records %s d|0|0||7-t||1|9|-5|1|2", key));
}

static void lose_key(const char *key)
{
    free(redis_server_command(&server, "HDEL hiwari:{b}:records %s", key));
    free(redis_server_command(&server, "SREM hiwari:{b}:done %s", key));
}

START_TEST(test_reconcile_brings_back_what_has_no_record_that_can_be_read)
{
    CLEANUP(reconcile_result_free) struct reconcile_result result = {0};
    CLEANUP(reconcile_result_free) struct reconcile_result again = {0};
    struct settle_result settled;
    whole_batch();
    spoil_record("2020-01-01");
    spoil_record("2020-01-02");
    lose_key("2020-01-03");
    lose_key("2020-01-04");
    ok(store_delete(store, "2020-01-02.zip", STORE_EXPECT_ANYTHING, &err));
    ok(store_delete(store, "2020-01-04.zip", STORE_EXPECT_ANYTHING, &err));
    ok(reconcile(&result, false));
    ck_assert(result.n_moves == 4 && result.to_done == 2 && result.to_pending == 2);
    ck_assert(result.rebuilt && result.reopened && result.unchanged_since == 0);
    ck_assert_str_eq(result.moves[1].from, "lost");
    ck_assert(!is_there(BATCH_SUCCESS));
    ck_assert_int_eq(work(NULL), 2);
    ok(settle(&settled));
    ck_assert_int_eq(settled.done, 5);
    assert_sealed();
    ok(reconcile(&again, false));
    ck_assert_int_eq(again.n_moves, 0);
}
END_TEST

START_TEST(test_reconcile_takes_up_what_waits_in_a_settled_batch)
{
    CLEANUP(reconcile_result_free) struct reconcile_result result = {0};
    struct settle_result settled;
    whole_batch();
    lose_key("2020-01-01");
    lose_key("2020-01-02");
    free(redis_server_command(&server, "HSET hiwari:{b}:records 2020-01-01 p 2020-01-02 p"));
    ok(store_delete(store, "2020-01-02.zip", STORE_EXPECT_ANYTHING, &err));
    ok(reconcile(&result, false));
    ck_assert(result.to_done == 1 && result.to_pending == 1 && result.reopened);
    ck_assert_int_eq(work(NULL), 1);
    ok(settle(&settled));
    assert_sealed();
}
END_TEST

/* An older fsck counted what was left: then workers settled again and again. */
START_TEST(test_settling_brings_back_a_key_that_is_not_counted_any_more)
{
    struct fill_result filled;
    struct settle_result settled;
    fill(&filled);
    work(NULL);
    lose_key("2020-01-02");
    free(redis_server_command(&server, "HSET hiwari:{b}:batch total 4"));
    ok(store_delete(store, "2020-01-02.zip", STORE_EXPECT_ANYTHING, &err));
    gives(SETTLE_NOT_YET, settle(&settled));
    ck_assert_int_eq(work(NULL), 1);
    ok(settle(&settled));
    ck_assert(settled.done == 5 && settled.epoch == 2);
    assert_sealed();
}
END_TEST

START_TEST(test_settling_brings_back_a_key_whose_record_cannot_be_read)
{
    struct fill_result filled;
    struct settle_result settled;
    fill(&filled);
    work(NULL);
    spoil_record("2020-01-02");
    ok(store_delete(store, "2020-01-02.zip", STORE_EXPECT_ANYTHING, &err));
    gives(SETTLE_NOT_YET, settle(&settled));
    ck_assert_int_eq(settled.put_back, 1);
    ck_assert_int_eq(work(NULL), 1);
    ok(settle(&settled));
    ck_assert_int_eq(settled.epoch, 2);
    assert_sealed();
}
END_TEST

START_TEST(test_reconcile_without_redis_or_file_says_what_to_do)
{
    CLEANUP(reconcile_result_free) struct reconcile_result result = {0};
    struct reconcile_options options = {
        .queue = queue, .queue_options = &queue_options, .batch = "b"};
    gives(ERR_CONFIG, reconcile_run(&options, &result, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "--dest URL"));
    gives(ERR_CONFIG, reconcile(&result, false));
    ck_assert_ptr_nonnull(strstr(err.text, "enqueue it"));
}
END_TEST

#ifndef NDEBUG
/* Call number n to the store fails in the course of this; whoever ran it runs it again. False when
 * there was no such call. */
static bool with_fault(int n, enum fault_moment moment, int (*verb)(void))
{
    fault_arm("store", n, moment);
    int r = verb();
    for (int again = 0; r != 0 && again < 3; again++)
        r = verb();
    ck_assert_msg(r == 0, "call %d: %d: %s", n, r, err.text);
    fault_disarm();
    return fault_tripped();
}

static int settle_verb(void)
{
    struct settle_result settled;
    return settle(&settled);
}

static int reconcile_verb(void)
{
    CLEANUP(reconcile_result_free) struct reconcile_result result = {0};
    return reconcile(&result, false);
}

START_TEST(test_every_call_to_the_store_may_fail_while_settling)
{
    struct fill_result filled;
    int n[2] = {0};
    bool tripped;
    for (enum fault_moment moment = FAULT_BEFORE; moment <= FAULT_AFTER; moment++) {
        do {
            batch_teardown();
            batch_setup();
            fill(&filled);
            work(NULL);
            tripped = with_fault(n[moment]++, moment, settle_verb);
            assert_status("settled 5/0");
            assert_sealed();
        } while (tripped);
    }
    ck_assert_int_ge(n[FAULT_BEFORE], 9); /* manifest, listing, five tails, two or three writes */
    ck_assert_int_ge(n[FAULT_AFTER], 3);
}
END_TEST

START_TEST(test_every_call_to_the_store_may_fail_while_reconciling)
{
    int n[2] = {0};
    for (enum fault_moment moment = FAULT_BEFORE; moment <= FAULT_AFTER; moment++) {
        bool tripped;
        do {
            batch_teardown();
            batch_setup();
            whole_batch();
            ok(store_delete(store, "2020-01-02.zip", STORE_EXPECT_ANYTHING, &err));
            tripped = with_fault(n[moment]++, moment, reconcile_verb);
            ck_assert(!is_there(BATCH_SUCCESS));
            ck_assert_int_eq(work(NULL), 1);
            ok(settle_verb());
            assert_sealed();
        } while (tripped);
    }
    ck_assert_int_ge(n[FAULT_BEFORE], 7);
    ck_assert_int_ge(n[FAULT_AFTER], 2);
}
END_TEST

START_TEST(test_every_call_to_the_store_may_fail_while_a_batch_is_rebuilt)
{
    int n = 0;
    bool tripped;
    do {
        batch_teardown();
        batch_setup();
        whole_batch();
        ok(store_delete(store, "2020-01-02.zip", STORE_EXPECT_ANYTHING, &err));
        free(redis_server_command(&server, "FLUSHALL"));
        tripped = with_fault(n++, FAULT_BEFORE, reconcile_verb);
        ck_assert_int_eq(work(NULL), 1);
        ok(settle_verb());
        assert_status("settled 5/0");
        assert_sealed();
    } while (tripped);
    ck_assert_int_ge(n, 7);
}
END_TEST
#endif

static Suite *batch_suite(void)
{
    Suite *suite = suite_create("batch");
    TCase *file = tcase_create("file");
    tcase_add_checked_fixture(file, fixture_setup, fixture_teardown);
    tcase_add_test(file, test_a_batch_file_says_all_and_is_read_back_equal);
    tcase_add_test(file, test_consecutive_dates_are_written_as_a_range_and_others_as_a_list);
    tcase_add_test(file, test_a_batch_file_that_is_cut_or_changed_is_refused);
    tcase_add_test(file, test_a_batch_file_of_a_newer_format_is_a_matter_of_configuration);
    tcase_add_test(file, test_the_first_difference_between_two_batches_is_named);
    suite_add_tcase(suite, file);

    TCase *tc = tcase_create("redis");
    tcase_add_unchecked_fixture(tc, server_start, server_stop);
    tcase_add_checked_fixture(tc, batch_setup, batch_teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_results_that_are_there_are_done_and_the_rest_is_worked_on);
    tcase_add_test(tc, test_with_failures_there_is_a_manifest_and_no_success);
    tcase_add_test(tc, test_retry_leaves_alone_what_another_batch_has_in_the_destination);
    tcase_add_test(tc, test_retry_of_a_cancelled_batch_touches_nothing);
    tcase_add_test(tc, test_nobody_settles_a_batch_into_the_destination_of_another);
    tcase_add_test(tc, test_settling_puts_back_a_key_without_a_result);
    tcase_add_test(tc, test_a_batch_of_many_keys_settles_slice_by_slice);
    tcase_add_test(tc, test_a_filling_batch_does_not_settle);
    tcase_add_test(tc, test_reconcile_moves_what_differs_and_gives_reasons);
    tcase_add_test(tc, test_reconcile_marks_a_waiting_key_done_whose_result_is_there);
    tcase_add_test(tc, test_reconcile_brings_back_what_has_no_record_that_can_be_read);
    tcase_add_test(tc, test_reconcile_takes_up_what_waits_in_a_settled_batch);
    tcase_add_test(tc, test_settling_brings_back_a_key_that_is_not_counted_any_more);
    tcase_add_test(tc, test_settling_brings_back_a_key_whose_record_cannot_be_read);
    tcase_add_test(tc, test_reconcile_without_redis_or_file_says_what_to_do);
#ifndef NDEBUG
    tcase_add_test(tc, test_every_call_to_the_store_may_fail_while_settling);
    tcase_add_test(tc, test_every_call_to_the_store_may_fail_while_reconciling);
    tcase_add_test(tc, test_every_call_to_the_store_may_fail_while_a_batch_is_rebuilt);
#endif
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(batch_suite)

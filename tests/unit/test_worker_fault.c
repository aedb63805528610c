/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_worker_fault.c - a whole worker, from its first connection to `_SUCCESS`, with call 0, 1, 2
 * … to Redis or to the store failing, before the call had its effect or after, until there is none
 * left to fail: the batch settles, every result has the bytes of an undisturbed one, and no key
 * pays an attempt for it.
 *
 * Three lives of a worker, so that every verb is among the calls: one that settles all keys, one
 * that finds a key's place taken and fails it, one that gets SIGTERM and gives keys back. */
#include "queue_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/log.h"
#include "batch/enqueue.h"
#include "source/source.h"
#include "worker/worker.h"

#ifndef NDEBUG

enum { KEYS = 6, DRAINED = 143 };

static const char races[] =
    "day,race,horse,won\n"
    "2024-01-01,1,a,1\n2024-01-01,1,b,0\n2024-01-02,2,a,0\n2024-01-02,2,b,1\n2024-01-03,3,b,1\n"
    "2024-01-04,4,a,1\n2024-01-05,5,a,0\n2024-01-06,6,b,1\n";
static const char spec[] =
    "{\"spec\": 1, \"tables\": {\"entries\": {\"time\": \"day\", \"group\": \"race\"}},"
    "\"target\": {\"table\": \"entries\", \"keep\": [\"race\", \"horse\"]},"
    "\"features\": {\"rate\": {\"calc\": \"mean(won)\", \"by\": \"horse\"}}}";
static char dir[64];
static char *snapshot_dir, *spec_path, *dest_dir, *dest_url;
static struct str undisturbed[KEYS]; /* the bytes of each result */

/* ---- a batch of some days ---- */

static char *result_path(int i)
{
    CLEANUP(mem_free_chars) char *name = mem_printf("2024-01-%02d.zip", i + 1);
    return fs_join(dest_dir, name);
}

static void make_snapshot(void)
{
    CLEANUP(mem_free_chars) char *csv = fs_join(dir, "entries.csv");
    char id[SHA256_HEX];
    ck_ok(fs_write(csv, races, strlen(races), &err));
    ck_ok(fs_write(spec_path, spec, strlen(spec), &err));
    struct source_table table = {.name = "entries", .file = csv, .time = "day", .group = "race"};
    struct source_options options = {.tables = &table, .n_tables = 1, .out_dir = snapshot_dir};
    ck_ok(source_csv_create(&options, id, &err));
}

/* SIGTERM must wait for the worker's own thread also when it comes before that. */
static void hold_sigterm(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
}

static void setup(void)
{
    fixture_setup();
    hold_sigterm();
    log_set_level(LOG_ERROR);
    strcpy(dir, "/tmp/hiwari-worker-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snapshot_dir = fs_join(dir, "snapshot");
    spec_path = fs_join(dir, "spec.json");
    dest_dir = fs_join(dir, "dest");
    dest_url = mem_printf("file://%s", dest_dir);
    make_snapshot();
}

static void teardown(void)
{
    ck_ok(fs_remove_tree(dir, &err));
    for (int i = 0; i < KEYS; i++)
        str_deinit(&undisturbed[i]);
    free(snapshot_dir);
    free(spec_path);
    free(dest_dir);
    free(dest_url);
    fixture_teardown();
}

/* A fresh batch in an empty Redis, which does not know the scripts. */
static void enqueue(void)
{
    struct enqueue_result result;
    redis_do("FLUSHALL");
    ck_ok(fs_remove_tree(dest_dir, &err));
    struct enqueue_options options = {.queue = queue,
                                      .batch = "b",
                                      .spec_path = spec_path,
                                      .snapshot_dir = snapshot_dir,
                                      .dest = dest_url};
    ck_ok(enqueue_run(&options, &result, &err));
    ck_assert_int_eq(result.added, KEYS);
    redis_do("SCRIPT FLUSH");
}

static int work(void)
{
    struct worker_options options = {.batch = "b",
                                     .snapshot_dir = snapshot_dir,
                                     .redis = server.url,
                                     .threads = 1,
                                     .linger_ms = -1,
                                     .grace_ms = 10000};
    err.text[0] = '\0';
    return worker_run(&options, &err);
}

static void read_result(int i, struct str *ret)
{
    CLEANUP(mem_free_chars) char *path = result_path(i);
    ck_ok(fs_read(path, ret, &err));
}

static bool has(const char *name)
{
    CLEANUP(mem_free_chars) char *path = fs_join(dest_dir, name);
    return fs_exists(path);
}

static void all_is_settled(int failed)
{
    struct queue_status status = status_now();
    ck_assert_str_eq(status.state, "settled");
    ck_assert_int_eq(status.done, KEYS - failed);
    ck_assert_int_eq(status.failed, failed);
    ck_assert_int_eq(status.attempts, failed);
    queue_status_free(&status);
    ck_assert_int_eq(has("_SUCCESS"), failed == 0);
    ck_assert(has("_manifest.jsonl"));
    ck_assert_int_eq(fsck_findings(false), 0);
    for (int i = failed; i < KEYS; i++) {
        CLEANUP(str_deinit) struct str bytes = {0};
        read_result(i, &bytes);
        ck_assert(bytes.len == undisturbed[i].len &&
                  memcmp(bytes.s, undisturbed[i].s, bytes.len) == 0);
    }
}

/* How many scripts the server was taught since enqueue. */
static int scripts_known(void)
{
    CLEANUP(mem_free_chars) char *said = redis_server_command(&server, "INFO memory");
    const char *number = strstr(said, "number_of_cached_scripts:");
    ck_assert_ptr_nonnull(number);
    return atoi(number + strlen("number_of_cached_scripts:"));
}

/* ---- three lives ---- */

static void life_settling_all(void)
{
    enqueue();
}

static void settled_all(int exit_code)
{
    ck_assert_msg(exit_code == 0, "exit code %d: %s", exit_code, err.text);
    all_is_settled(0);
}

static void life_with_a_key_that_fails(void)
{
    enqueue();
    CLEANUP(mem_free_chars) char *path = result_path(0);
    ck_ok(fs_write(path, "not a zip", 9, &err));
}

static void settled_with_a_failure(int exit_code)
{
    ck_assert_msg(exit_code == 0, "exit code %d: %s", exit_code, err.text);
    all_is_settled(1);
}

static int results_there(void)
{
    int n = 0;
    for (int i = 0; i < KEYS; i++) {
        CLEANUP(mem_free_chars) char *path = result_path(i);
        n += fs_exists(path);
    }
    return n;
}

/* SIGTERM when the first result is there. */
static void *terminate(void *ctx)
{
    int64_t until_ms = clock_ms() + 20000;
    while (results_there() == 0 && clock_ms() < until_ms)
        clock_sleep_ms(1);
    kill(getpid(), SIGTERM);
    return NULL;
}

static pthread_t terminator;

static void life_cut_short(void)
{
    enqueue();
    ck_assert_int_eq(pthread_create(&terminator, NULL, terminate, NULL), 0);
}

static void drained_and_settled_by_the_next(int exit_code)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_join(terminator, NULL);
    sigtimedwait(&set, NULL, &(struct timespec){0}); /* the next worker must not see it */
    ck_assert_msg(exit_code == DRAINED || exit_code == 0, "exit code %d: %s", exit_code, err.text);
    struct queue_status status = status_now();
    ck_assert_int_eq(status.leased, 0);
    ck_assert_int_eq(status.interruptions, 0);
    queue_status_free(&status);
    fault_disarm();
    settled_all(work());
}

struct life {
    void (*begin)(void);
    void (*ends_well)(int exit_code);
    int scripts; /* different ones that it calls, if SIGTERM comes at a good moment */
};
static const struct life lives[] = {
    /* lease, renew, done, settle_begin, settle_finish, claim, leave */
    {life_settling_all, settled_all, 7},
    /* and fail */
    {life_with_a_key_that_fails, settled_with_a_failure, 8},
    /* lease, renew, done, release, leave; then those of settling */
    {life_cut_short, drained_and_settled_by_the_next, 8},
};

/* Returns how many calls there were to fail. */
static int every_call_fails_once(const struct life *life, const char *site,
                                 enum fault_moment moment)
{
    int most_scripts = 0;
    for (int calls = 0;; calls++) {
        life->begin();
        fault_arm(site, calls, moment);
        int exit_code = work();
        bool tripped = fault_tripped();
        fault_disarm();
        life->ends_well(exit_code);
        int scripts = scripts_known();
        most_scripts = scripts > most_scripts ? scripts : most_scripts;
        if (!tripped) {
            ck_assert_int_ge(most_scripts, life->scripts);
            return calls;
        }
    }
}

static void undisturbed_run(void)
{
    setenv("HIWARI_FAULT", "slow:computing:10", 1); /* renew is called, and keys wait */
    enqueue();
    ck_assert_int_eq(work(), 0);
    for (int i = 0; i < KEYS; i++)
        read_result(i, &undisturbed[i]);
}

START_TEST(test_no_call_to_redis_can_fail_before_its_effect_and_harm)
{
    undisturbed_run();
    ck_assert_int_gt(every_call_fails_once(&lives[_i], "redis", FAULT_BEFORE), 10);
}
END_TEST

START_TEST(test_no_answer_of_redis_can_be_lost_and_harm)
{
    undisturbed_run();
    ck_assert_int_gt(every_call_fails_once(&lives[_i], "redis", FAULT_AFTER), 10);
}
END_TEST

START_TEST(test_no_call_to_the_store_can_fail_before_its_effect_and_harm)
{
    undisturbed_run();
    ck_assert_int_gt(every_call_fails_once(&lives[_i], "store", FAULT_BEFORE), 0);
}
END_TEST

START_TEST(test_no_answer_of_the_store_can_be_lost_and_harm)
{
    undisturbed_run();
    ck_assert_int_gt(every_call_fails_once(&lives[_i], "store", FAULT_AFTER), 0);
}
END_TEST

#endif

static Suite *worker_fault_suite(void)
{
    Suite *suite = suite_create("worker_fault");
#ifndef NDEBUG
    const int n = sizeof(lives) / sizeof(lives[0]);
    TCase *tcase = tcase_create("lives");
    tcase_set_timeout(tcase, 280);
    tcase_add_unchecked_fixture(tcase, fixture_server_start, fixture_server_stop);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_no_call_to_redis_can_fail_before_its_effect_and_harm, 0, n);
    tcase_add_loop_test(tcase, test_no_answer_of_redis_can_be_lost_and_harm, 0, n);
    tcase_add_loop_test(tcase, test_no_call_to_the_store_can_fail_before_its_effect_and_harm, 0, n);
    tcase_add_loop_test(tcase, test_no_answer_of_the_store_can_be_lost_and_harm, 0, n);
    suite_add_tcase(suite, tcase);
#endif
    return suite;
}

UNIT_MAIN(worker_fault_suite)

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_store.c - the promises of store.h, kept by a folder. */
#include "store/store.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fs.h"
#include "unit.h"

static char dir[64];
static struct store *store;
static struct err err;

static void setup(void)
{
    strcpy(dir, "/tmp/hiwari-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    CLEANUP(mem_free_chars) char *url = mem_printf("file://%s/dest", dir);
    ck_assert_msg(store_open(url, &store, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    store_close(store);
    fs_remove_tree(dir, &err);
}

static int put(const char *name, const char *text, int64_t expect, int64_t *generation)
{
    return store_put(store, name, text, strlen(text), expect, generation, &err);
}

static void assert_content(const char *name, const char *text)
{
    CLEANUP(str_deinit) struct str got = {0};
    ck_assert_int_eq(store_get(store, name, 0, &got, NULL, &err), 0);
    ck_assert_str_eq(got.s, text);
}

static char *path_of(const char *name)
{
    return mem_printf("%s/dest/%s", dir, name);
}

static int note_name(void *ctx, const struct store_object *object, struct err *e)
{
    str_addf(ctx, "%s:%lld ", object->name, (long long)object->bytes);
    return object->generation > 0 ? 0 : ERR_BUG;
}

static void assert_listing(const char *from, const char *to, const char *text)
{
    const struct store_range range = {from, to};
    CLEANUP(str_deinit) struct str got = {0};
    str_addz(&got, "");
    ck_assert_int_eq(store_list(store, range, note_name, &got, &err), 0);
    ck_assert_str_eq(got.len ? got.s : "", text);
}

/* Files of any name in the folder. */
static int count_files(void)
{
    CLEANUP(fs_list_free) struct fs_list list = {0};
    CLEANUP(mem_free_chars) char *path = path_of("");
    ck_assert_int_eq(fs_list(path, &list, &err), 0);
    return (int)list.n;
}

START_TEST(test_an_object_is_read_back_whole_or_by_its_tail)
{
    CLEANUP(str_deinit) struct str got = {0};
    int64_t written = 0, read = 0;
    ck_assert_int_eq(put("a.zip", "hello world", STORE_EXPECT_NOTHING, &written), 0);
    ck_assert_int_eq(store_get(store, "a.zip", 0, &got, &read, &err), 0);
    ck_assert_str_eq(got.s, "hello world");
    ck_assert_int_eq(read, written);
    ck_assert_int_eq(store_get(store, "a.zip", 5, &got, &read, &err), 0);
    ck_assert_str_eq(got.s, "world");
    ck_assert_int_eq(store_get(store, "a.zip", 500, &got, &read, &err), 0);
    ck_assert_str_eq(got.s, "hello world");
    ck_assert_int_eq(store_get(store, "b.zip", 0, &got, &read, &err), STORE_ABSENT);
}
END_TEST

START_TEST(test_a_part_of_an_object_ends_where_the_object_ends)
{
    CLEANUP(str_deinit) struct str got = {0};
    int64_t written = 0, read = 0;
    ck_assert_int_eq(put("a.npy", "hello world", STORE_EXPECT_NOTHING, &written), 0);
    ck_assert_int_eq(store_get_part(store, "a.npy", 2, 3, &got, &read, &err), 0);
    ck_assert_str_eq(got.s, "llo");
    ck_assert_int_eq(read, written);
    ck_assert_int_eq(store_get_part(store, "a.npy", 9, 300, &got, &read, &err), 0);
    ck_assert_str_eq(got.s, "ld");
    ck_assert_int_eq(store_get_part(store, "a.npy", 40, 3, &got, &read, &err), 0);
    ck_assert_uint_eq(got.len, 0);
    ck_assert_int_eq(store_get_part(store, "b.npy", 0, 3, &got, &read, &err), STORE_ABSENT);
}
END_TEST

START_TEST(test_who_expects_nothing_replaces_nothing)
{
    ck_assert_int_eq(put("a", "first", STORE_EXPECT_NOTHING, NULL), 0);
    ck_assert_int_eq(put("a", "second", STORE_EXPECT_NOTHING, NULL), STORE_CHANGED);
    assert_content("a", "first");
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

START_TEST(test_only_the_expected_generation_is_replaced_or_deleted)
{
    int64_t first, second;
    ck_assert_int_eq(put("a", "first", STORE_EXPECT_NOTHING, &first), 0);
    ck_assert_int_eq(put("a", "other", first, &second), 0);
    ck_assert_int_ne(first, second);
    ck_assert_int_eq(put("a", "third", first, NULL), STORE_CHANGED);
    ck_assert_int_eq(put("b", "third", first, NULL), STORE_CHANGED);
    ck_assert_int_eq(store_delete(store, "a", first, &err), STORE_CHANGED);
    assert_content("a", "other");
    ck_assert_int_eq(store_delete(store, "a", second, &err), 0);
    ck_assert_int_eq(store_delete(store, "a", second, &err), STORE_ABSENT);
    ck_assert_int_eq(store_delete(store, "a", STORE_EXPECT_ANYTHING, &err), STORE_ABSENT);
    ck_assert_int_eq(count_files(), 0);
}
END_TEST

START_TEST(test_a_generation_differs_though_inode_and_size_are_the_same_again)
{
    int64_t seen[200];
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(put("a", "same", STORE_EXPECT_NOTHING, &seen[i]), 0);
        ck_assert_int_eq(store_delete(store, "a", STORE_EXPECT_ANYTHING, &err), 0);
        for (int k = 0; k < i; k++)
            ck_assert_int_ne(seen[k], seen[i]);
        ck_assert(seen[i] > 0 && seen[i] < INT64_C(1) << 52);
    }
}
END_TEST

START_TEST(test_anything_may_be_replaced_by_who_says_so)
{
    ck_assert_int_eq(put("a", "first", STORE_EXPECT_ANYTHING, NULL), 0);
    ck_assert_int_eq(put("a", "second", STORE_EXPECT_ANYTHING, NULL), 0);
    assert_content("a", "second");
}
END_TEST

START_TEST(test_a_listing_is_in_byte_order_and_hides_what_is_not_an_object)
{
    CLEANUP(mem_free_chars) char *hidden = path_of(".tmp-0123456789abcdef");
    CLEANUP(mem_free_chars) char *folder = path_of("folder");
    CLEANUP(mem_free_chars) char *odd = path_of("odd name");
    put("b.zip", "12", STORE_EXPECT_NOTHING, NULL);
    put("a.zip", "1", STORE_EXPECT_NOTHING, NULL);
    put("_batch.json", "123", STORE_EXPECT_NOTHING, NULL);
    ck_assert_int_eq(fs_write(hidden, "x", 1, &err), 0);
    ck_assert_int_eq(fs_write(odd, "x", 1, &err), 0);
    ck_assert_int_eq(mkdir(folder, 0777), 0);
    assert_listing(NULL, NULL, "_batch.json:3 a.zip:1 b.zip:2 ");
    assert_listing("b", NULL, "b.zip:2 ");
    assert_listing(NULL, "a.zip", "_batch.json:3 a.zip:1 ");
    assert_listing("a.zip", "a.zip", "a.zip:1 ");
    assert_listing("a.zipper", "b", "");
    assert_listing("zzz", NULL, "");
}
END_TEST

START_TEST(test_names_that_could_leave_the_folder_are_refused)
{
    static const char *const wrong[] = {"",     ".",   "..",   ".hidden", "a/b",
                                        "../a", "a b", "a\nb", "a%2f",    "\xc3\xa9"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ck_assert_msg(put(wrong[i], "x", STORE_EXPECT_NOTHING, NULL) == ERR_INPUT, "%s", wrong[i]);
        ck_assert(!store_name_ok(wrong[i]));
    }
    ck_assert(store_name_ok("2019-10-01.zip") && store_name_ok("_SUCCESS"));
    ck_assert_int_eq(count_files(), 0);
}
END_TEST

struct race {
    atomic_int won, lost;
    int64_t expect;
    pthread_barrier_t start;
};

static void *race_put(void *ctx)
{
    struct race *race = ctx;
    struct err e = {0};
    char text[64];
    snprintf(text, sizeof(text), "thread %lu", (unsigned long)pthread_self());
    pthread_barrier_wait(&race->start);
    int r = store_put(store, "raced", text, strlen(text), race->expect, NULL, &e);
    atomic_fetch_add(r == 0 ? &race->won : &race->lost, r == 0 || r == STORE_CHANGED);
    return NULL;
}

static void run_race(struct race *race)
{
    pthread_t threads[8];
    pthread_barrier_init(&race->start, NULL, 8);
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, race_put, race);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&race->start);
}

START_TEST(test_of_concurrent_writers_with_the_same_expectation_exactly_one_wins)
{
    for (int round = 0; round < 20; round++) {
        struct race create = {.expect = STORE_EXPECT_NOTHING};
        run_race(&create);
        ck_assert_int_eq(create.won, 1);
        ck_assert_int_eq(create.lost, 7);
        CLEANUP(str_deinit) struct str got = {0};
        struct race replace = {0};
        ck_assert_int_eq(store_get(store, "raced", 0, &got, &replace.expect, &err), 0);
        run_race(&replace);
        ck_assert_int_eq(replace.won, 1);
        ck_assert_int_eq(replace.lost, 7);
        ck_assert_int_eq(store_delete(store, "raced", STORE_EXPECT_ANYTHING, &err), 0);
    }
    ck_assert_int_eq(count_files(), 0);
}
END_TEST

START_TEST(test_of_concurrent_processes_exactly_one_replaces)
{
    int64_t seen;
    put("raced", "first", STORE_EXPECT_NOTHING, &seen);
    pid_t pids[6];
    int won = 0;
    for (int i = 0; i < 6; i++) {
        if ((pids[i] = fork()) == 0) {
            struct store *mine;
            if (store_open(store_url(store), &mine, &err) != 0)
                _exit(9);
            _exit(store_put(mine, "raced", "x", 1, seen, NULL, &err));
        }
    }
    for (int i = 0; i < 6; i++) {
        int status;
        waitpid(pids[i], &status, 0);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) <= STORE_CHANGED);
        won += WEXITSTATUS(status) == 0;
    }
    ck_assert_int_eq(won, 1);
}
END_TEST

#ifndef NDEBUG
/* A child that dies at this point of a put. */
static void put_and_die(const char *point, int64_t expect)
{
    pid_t pid = fork();
    if (pid == 0) {
        CLEANUP(mem_free_chars) char *fault = mem_printf("kill:%s", point);
        setenv("HIWARI_FAULT", fault, 1);
        struct store *mine;
        if (store_open(store_url(store), &mine, &err) == 0)
            store_put(mine, "a", "from the dead", 13, expect, NULL, &err);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    ck_assert(WIFSIGNALED(status));
}

START_TEST(test_a_writer_killed_between_two_steps_leaves_no_half_object)
{
    CLEANUP(str_deinit) struct str got = {0};
    put_and_die("store-written", STORE_EXPECT_NOTHING);
    ck_assert_int_eq(store_get(store, "a", 0, &got, NULL, &err), STORE_ABSENT);
    ck_assert_int_eq(count_files(), 1);
    assert_listing(NULL, NULL, ""); /* and the temporary of the dead is swept away */
    ck_assert_int_eq(count_files(), 0);
    put_and_die("store-named", STORE_EXPECT_NOTHING);
    assert_content("a", "from the dead");
    assert_listing(NULL, NULL, "a:13 ");
    put_and_die("store-written", STORE_EXPECT_ANYTHING);
    assert_content("a", "from the dead");
    ck_assert_int_eq(put("a", "living", STORE_EXPECT_ANYTHING, NULL), 0);
}
END_TEST

/* put, replace, get, delete; each failing call is made again as a careful caller would. */
static int careful_story(void)
{
    CLEANUP(str_deinit) struct str got = {0};
    int64_t generation;
    int r = put("a", "one", STORE_EXPECT_NOTHING, &generation);
    if (r == ERR_RETRY)
        r = put("a", "one", STORE_EXPECT_NOTHING, &generation);
    if (r != 0 && r != STORE_CHANGED)
        return r;
    for (int tries = 0; tries < 2; tries++) {
        r = store_get(store, "a", 0, &got, &generation, &err);
        if (r == 0)
            break;
    }
    if (r != 0 || strcmp(got.s, "one") != 0)
        return ERR_BUG;
    r = put("a", "two", generation, NULL);
    if (r == ERR_RETRY)
        r = put("a", "two", generation, NULL);
    if (r != 0 && r != STORE_CHANGED)
        return r;
    r = store_delete(store, "a", STORE_EXPECT_ANYTHING, &err);
    if (r == ERR_RETRY)
        r = store_delete(store, "a", STORE_EXPECT_ANYTHING, &err);
    return r < 0 ? r : 0;
}

START_TEST(test_every_call_may_fail_before_and_after_its_effect)
{
    for (enum fault_moment moment = FAULT_BEFORE; moment <= FAULT_AFTER; moment++) {
        int n = 0;
        do {
            fault_arm("store", n++, moment);
            ck_assert_msg(careful_story() == 0, "%s", err.text);
            ck_assert_int_eq(count_files(), 0);
        } while (fault_tripped());
        fault_disarm();
        ck_assert_int_ge(n, moment == FAULT_BEFORE ? 5 : 4);
    }
}
END_TEST
#endif

START_TEST(test_a_full_disk_is_an_error_with_a_way_out_and_leaves_nothing)
{
    struct rlimit old, small = {.rlim_cur = 1000};
    char large[5000];
    memset(large, 'x', sizeof(large));
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    int r = store_put(store, "a", large, sizeof(large), STORE_EXPECT_NOTHING, NULL, &err);
    setrlimit(RLIMIT_FSIZE, &old);
    ck_assert_int_eq(r, ERR_WRITE);
    ck_assert_ptr_nonnull(strstr(err.text, "/dest/a"));
    ck_assert_ptr_nonnull(strstr(err.text, "make room"));
    ck_assert_int_eq(count_files(), 0);
}
END_TEST

START_TEST(test_a_folder_without_the_right_to_write_is_an_error)
{
    CLEANUP(mem_free_chars) char *path = path_of("");
    pid_t pid = fork();
    if (pid == 0) { /* root may write anywhere: be somebody else */
        chmod(dir, 0755);
        chmod(path, 0555);
        if (geteuid() == 0 && (setegid(65534) != 0 || seteuid(65534) != 0))
            _exit(9);
        int r = put("a", "x", STORE_EXPECT_NOTHING, NULL);
        _exit(r == ERR_WRITE && strstr(err.text, "right to write") ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    chmod(path, 0755);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(test_a_destination_that_cannot_be_is_an_error_that_says_what_can)
{
    struct store *other = NULL;
    CLEANUP(mem_free_chars) char *below = mem_printf("file://%s/dest/file/x", dir);
    put("file", "x", STORE_EXPECT_NOTHING, NULL);
    ck_assert_int_eq(store_open("ftp://x/y", &other, &err), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "file:///folder"));
    ck_assert_int_eq(store_open("file://x/y", &other, &err), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "three slashes"));
    ck_assert_int_eq(store_open("out", &other, &err), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "did you mean file:///"));
    ck_assert_int_eq(store_open("gs://Bucket/x", &other, &err), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "cannot be the name of a bucket"));
    ck_assert_int_eq(store_open("gs://bucket/x//y", &other, &err), ERR_CONFIG);
    ck_assert_int_eq(store_open("gs://bucket/x/../y", &other, &err), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "'.' or '..' parts"));
    ck_assert_int_eq(store_open(below, &other, &err), ERR_WRITE);
    ck_assert_int_eq(store_open_existing("file:///nowhere/at/all", &other, &err), ERR_CONFIG);
    ck_assert_int_ne(access("/nowhere", F_OK), 0);
    ck_assert_ptr_null(other);
}
END_TEST

START_TEST(test_one_folder_has_one_url)
{
    CLEANUP(store_close) struct store *other = NULL;
    CLEANUP(mem_free_chars) char *url = mem_printf("file://%s/./dest//", dir);
    ck_assert_int_eq(store_open(url, &other, &err), 0);
    ck_assert_str_eq(store_url(other), store_url(store));
}
END_TEST

static Suite *store_suite(void)
{
    Suite *suite = suite_create("store");
    TCase *tc = tcase_create("file");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_an_object_is_read_back_whole_or_by_its_tail);
    tcase_add_test(tc, test_a_part_of_an_object_ends_where_the_object_ends);
    tcase_add_test(tc, test_who_expects_nothing_replaces_nothing);
    tcase_add_test(tc, test_only_the_expected_generation_is_replaced_or_deleted);
    tcase_add_test(tc, test_a_generation_differs_though_inode_and_size_are_the_same_again);
    tcase_add_test(tc, test_anything_may_be_replaced_by_who_says_so);
    tcase_add_test(tc, test_a_listing_is_in_byte_order_and_hides_what_is_not_an_object);
    tcase_add_test(tc, test_names_that_could_leave_the_folder_are_refused);
    tcase_add_test(tc, test_of_concurrent_writers_with_the_same_expectation_exactly_one_wins);
    tcase_add_test(tc, test_of_concurrent_processes_exactly_one_replaces);
#ifndef NDEBUG
    tcase_add_test(tc, test_a_writer_killed_between_two_steps_leaves_no_half_object);
    tcase_add_test(tc, test_every_call_may_fail_before_and_after_its_effect);
#endif
    tcase_add_test(tc, test_a_full_disk_is_an_error_with_a_way_out_and_leaves_nothing);
    tcase_add_test(tc, test_a_folder_without_the_right_to_write_is_an_error);
    tcase_add_test(tc, test_a_destination_that_cannot_be_is_an_error_that_says_what_can);
    tcase_add_test(tc, test_one_folder_has_one_url);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(store_suite)

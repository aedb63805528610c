/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_fs.c - files that exist whole or not at all, in a real folder. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"

static char dir[64];

static void setup(void)
{
    strcpy(dir, "/tmp/hiwari-fs-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
    struct err err = {0};
    ck_assert_msg(fs_remove_tree(dir, &err) == 0, "%s", err.text);
    ck_assert(!fs_exists(dir));
}

START_TEST(test_what_is_written_can_be_read)
{
    struct err err = {0};
    CLEANUP(mem_free_chars) char *path = fs_join(dir, "a");
    ck_assert_int_eq(fs_write(path, "one\0two", 7, &err), 0);
    ck_assert_int_eq(fs_write(path, "three", 5, &err), 0);
    CLEANUP(str_deinit) struct str text = {0};
    str_addz(&text, "before");
    ck_assert_int_eq(fs_read(path, &text, &err), 0);
    ck_assert_str_eq(text.s, "three");
    ck_assert_uint_eq(text.len, 5);
    ck_assert_int_eq(fs_write(path, NULL, 0, &err), 0);
    ck_assert_int_eq(fs_read(path, &text, &err), 0);
    ck_assert_str_eq(text.s, "");
}
END_TEST

START_TEST(test_a_file_without_a_size_is_read_to_its_end)
{
    struct err err = {0};
    CLEANUP(mem_free_chars) char *path = fs_join(dir, "pipe");
    CLEANUP(str_deinit) struct str text = {0};
    enum { BYTES = 300000 };
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    pid_t writer = fork();
    if (writer == 0) {
        CLEANUP(mem_free_chars) char *data = mem_zalloc(BYTES);
        int fd = open(path, O_WRONLY);
        _exit(write(fd, data, BYTES) != BYTES);
    }
    ck_assert_int_eq(fs_read(path, &text, &err), 0);
    ck_assert_uint_eq(text.len, BYTES);
    ck_assert_int_eq(waitpid(writer, NULL, 0), writer);
}
END_TEST

START_TEST(test_a_file_that_is_not_there_is_named)
{
    struct err err = {0};
    struct str text = {0};
    CLEANUP(mem_free_chars) char *path = fs_join(dir, "absent");
    ck_assert_int_eq(fs_read(path, &text, &err), ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_ptr_nonnull(strstr(err.text, "No such file"));
    ck_assert_int_eq(fs_read(dir, &text, &err), ERR_INPUT);
    ck_assert_ptr_null(text.s);
}
END_TEST

START_TEST(test_a_file_without_an_end_is_not_read_to_it)
{
    struct err err = {0};
    CLEANUP(str_deinit) struct str text = {0};
    CLEANUP(mem_free_chars) char *path = fs_join(dir, "large");
    ck_assert_int_eq(fs_read_small("/dev/zero", &text, &err), ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(err.text, "/dev/zero has more than 1048576 bytes"));
    CLEANUP(mem_free_chars) char *most = mem_zalloc(FS_SMALL_MAX + 1);
    ck_assert_int_eq(fs_write(path, most, FS_SMALL_MAX, &err), 0);
    ck_assert_int_eq(fs_read_small(path, &text, &err), 0);
    ck_assert_uint_eq(text.len, FS_SMALL_MAX);
    ck_assert_int_eq(fs_write(path, most, FS_SMALL_MAX + 1, &err), 0);
    ck_assert_int_eq(fs_read_small(path, &text, &err), ERR_INPUT);
    ck_assert_int_eq(truncate(path, (off_t)FS_READ_MAX + 1), 0);
    ck_assert_int_eq(fs_read(path, &text, &err), ERR_INPUT);
    ck_assert_uint_eq(text.len, FS_SMALL_MAX);
}
END_TEST

START_TEST(test_a_write_that_fails_leaves_nothing_behind)
{
    struct err err = {0};
    CLEANUP(mem_free_chars) char *target = fs_join(dir, "folder");
    ck_assert_int_eq(fs_mkdirs(target, &err), 0);
    ck_assert_int_eq(fs_write(target, "x", 1, &err), ERR_WRITE); /* a folder has that name */
    ck_assert_ptr_nonnull(strstr(err.text, target));
    CLEANUP(mem_free_chars) char *nowhere = fs_join(dir, "no/such/file");
    ck_assert_int_eq(fs_write(nowhere, "x", 1, &err), ERR_WRITE);
    CLEANUP(fs_list_free) struct fs_list list = {0};
    ck_assert_int_eq(fs_list(dir, &list, &err), 0);
    ck_assert_uint_eq(list.n, 1);
    ck_assert_str_eq(list.names[0], "folder");
}
END_TEST

/* RLIMIT_FSIZE stands in for a full disk: the write itself fails, half-way. */
START_TEST(test_a_full_disk_is_a_write_error_and_keeps_the_old_file)
{
    struct err err = {0};
    CLEANUP(mem_free_chars) char *path = fs_join(dir, "big");
    CLEANUP(mem_free_chars) char *data = mem_zalloc(1 << 20);
    ck_assert_int_eq(fs_write(path, "old", 3, &err), 0);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){65536, RLIM_INFINITY}), 0);
    ck_assert_int_eq(fs_write(path, data, 1 << 20, &err), ERR_WRITE);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}), 0);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    CLEANUP(str_deinit) struct str text = {0};
    ck_assert_int_eq(fs_read(path, &text, &err), 0);
    ck_assert_str_eq(text.s, "old");
    CLEANUP(fs_list_free) struct fs_list list = {0};
    ck_assert_int_eq(fs_list(dir, &list, &err), 0);
    ck_assert_uint_eq(list.n, 1);
}
END_TEST

START_TEST(test_names_come_sorted)
{
    struct err err = {0};
    static const char *const names[] = {"c", "a", "b", ".hidden"};
    for (size_t i = 0; i < 4; i++) {
        CLEANUP(mem_free_chars) char *path = fs_join(dir, names[i]);
        ck_assert_int_eq(fs_write(path, "", 0, &err), 0);
    }
    CLEANUP(fs_list_free) struct fs_list list = {0};
    ck_assert_int_eq(fs_list(dir, &list, &err), 0);
    ck_assert_uint_eq(list.n, 4);
    ck_assert_str_eq(list.names[0], ".hidden");
    ck_assert_str_eq(list.names[3], "c");
    CLEANUP(mem_free_chars) char *absent = fs_join(dir, "absent");
    ck_assert_int_eq(fs_list(absent, &list, &err), ERR_INPUT);
}
END_TEST

START_TEST(test_folders_are_made_on_the_way_and_may_be_there)
{
    struct err err = {0};
    CLEANUP(mem_free_chars) char *deep = fs_join(dir, "a/b//c/");
    ck_assert_int_eq(fs_mkdirs(deep, &err), 0);
    ck_assert_int_eq(fs_mkdirs(deep, &err), 0);
    ck_assert(fs_exists(deep));
    ck_assert_int_eq(fs_mkdirs("/", &err), 0);
    CLEANUP(mem_free_chars) char *file = fs_join(dir, "file");
    ck_assert_int_eq(fs_write(file, "", 0, &err), 0);
    CLEANUP(mem_free_chars) char *below = fs_join(file, "x");
    ck_assert_int_eq(fs_mkdirs(below, &err), ERR_WRITE);
    ck_assert_ptr_nonnull(strstr(err.text, file));
}
END_TEST

START_TEST(test_removing_does_not_follow_links)
{
    struct err err = {0};
    CLEANUP(mem_free_chars) char *kept = fs_join(dir, "kept");
    CLEANUP(mem_free_chars) char *inside = fs_join(kept, "file");
    CLEANUP(mem_free_chars) char *gone = fs_join(dir, "gone");
    CLEANUP(mem_free_chars) char *link = fs_join(gone, "link");
    ck_assert_int_eq(fs_mkdirs(kept, &err), 0);
    ck_assert_int_eq(fs_mkdirs(gone, &err), 0);
    ck_assert_int_eq(fs_write(inside, "x", 1, &err), 0);
    ck_assert_int_eq(symlink(kept, link), 0);
    ck_assert_int_eq(fs_remove_tree(gone, &err), 0);
    ck_assert(!fs_exists(gone));
    ck_assert(fs_exists(inside));
    ck_assert_int_eq(fs_remove_tree(gone, &err), 0); /* absent is fine */
}
END_TEST

START_TEST(test_paths_are_joined)
{
    static const char *const cases[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"/", "b", "/b"}, {"", "b", "b"}};
    for (size_t i = 0; i < 4; i++) {
        CLEANUP(mem_free_chars) char *path = fs_join(cases[i][0], cases[i][1]);
        ck_assert_str_eq(path, cases[i][2]);
    }
    CLEANUP(mem_free_chars) char *here = fs_absolute("x");
    ck_assert(here[0] == '/' && str_ends(here, "/x"));
    CLEANUP(mem_free_chars) char *there = fs_absolute("/x");
    ck_assert_str_eq(there, "/x");
}
END_TEST

static Suite *fs_suite(void)
{
    Suite *suite = suite_create("fs");
    TCase *t = tcase_create("fs");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_what_is_written_can_be_read);
    tcase_add_test(t, test_a_file_without_a_size_is_read_to_its_end);
    tcase_add_test(t, test_a_file_that_is_not_there_is_named);
    tcase_add_test(t, test_a_file_without_an_end_is_not_read_to_it);
    tcase_add_test(t, test_a_write_that_fails_leaves_nothing_behind);
    tcase_add_test(t, test_a_full_disk_is_a_write_error_and_keeps_the_old_file);
    tcase_add_test(t, test_names_come_sorted);
    tcase_add_test(t, test_folders_are_made_on_the_way_and_may_be_there);
    tcase_add_test(t, test_removing_does_not_follow_links);
    tcase_add_test(t, test_paths_are_joined);
    suite_add_tcase(suite, t);
    return suite;
}

UNIT_MAIN(fs_suite)

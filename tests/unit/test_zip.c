/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_zip.c - archives made, read, cut and damaged. */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "codec/zip.h"

static char csv_name[] = "2019-10-01.csv", other_name[] = "日.npy", empty_name[] = "empty";

/* Three members: compressible text, bytes that are not, nothing. */
static void members_make(struct zip_member members[3], struct str *text, struct str *noise)
{
    uint32_t random = 1;
    for (int i = 0; i < 20000; i++) {
        str_addf(text, "%d,%d\n", i, i % 7);
        random = random * 1664525 + 1013904223;
        str_addc(noise, (char)(random >> 24));
    }
    members[0] = (struct zip_member){.name = csv_name, .data = text->s, .len = text->len};
    members[1] = (struct zip_member){.name = other_name, .data = noise->s, .len = noise->len};
    members[2] = (struct zip_member){.name = empty_name, .data = "", .len = 0};
}

static void comment_make(void *ctx, const struct zip_member *members, int n, struct str *comment)
{
    ck_assert_int_eq(n, 3);
    ck_assert_ptr_eq(ctx, csv_name);
    str_addf(comment, "{\"crc32\":[\"%08x\",\"%08x\",\"%08x\"]}", members[0].crc32,
             members[1].crc32, members[2].crc32);
}

static void archive_make(struct str *ret)
{
    CLEANUP(str_deinit) struct str text = {0};
    CLEANUP(str_deinit) struct str noise = {0};
    struct zip_member members[3];
    struct err err = {0};
    members_make(members, &text, &noise);
    ck_assert_msg(zip_pack(members, 3, comment_make, csv_name, ret, &err) == 0, "%s", err.text);
}

START_TEST(test_what_is_packed_comes_out)
{
    CLEANUP(str_deinit) struct str text = {0};
    CLEANUP(str_deinit) struct str noise = {0};
    CLEANUP(str_deinit) struct str archive = {0};
    CLEANUP(str_deinit) struct str got = {0};
    struct zip_member members[3];
    struct err err = {0};
    members_make(members, &text, &noise);
    ck_assert_int_eq(zip_pack(members, 3, comment_make, csv_name, &archive, &err), 0);
    ck_assert_uint_lt(archive.len, text.len / 2 + noise.len + 1000);
    for (int i = 0; i < 3; i++) {
        int r = zip_read(archive.s, archive.len, members[i].name, &got, &err);
        ck_assert_msg(r == 0, "%s", err.text);
        ck_assert_uint_eq(got.len, members[i].len);
        ck_assert_int_eq(memcmp(got.s, members[i].data, got.len), 0);
    }
    ck_assert_int_eq(zip_read(archive.s, archive.len, "absent", &got, &err), ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(err.text, "absent"));
}
END_TEST

START_TEST(test_the_list_has_names_sizes_and_checksums)
{
    CLEANUP(str_deinit) struct str archive = {0};
    CLEANUP(zip_list_free) struct zip_list list = {0};
    struct err err = {0};
    archive_make(&archive);
    ck_assert_int_eq(zip_list(archive.s, archive.len, &list, &err), 0);
    ck_assert_int_eq(list.n, 3);
    ck_assert_str_eq(list.members[0].name, csv_name);
    ck_assert_str_eq(list.members[1].name, other_name);
    ck_assert_uint_eq(list.members[1].len, 20000);
    ck_assert_uint_eq(list.members[2].len, 0);
    ck_assert_uint_eq(list.members[2].crc32, 0);
    CLEANUP(str_deinit) struct str comment = {0};
    ck_assert_int_eq(zip_comment(archive.s, archive.len, &comment, &err), 0);
    char expected[64];
    snprintf(expected, sizeof(expected), "{\"crc32\":[\"%08x\",\"%08x\",\"00000000\"]}",
             list.members[0].crc32, list.members[1].crc32);
    ck_assert_str_eq(comment.s, expected);
    struct str tail = {.s = archive.s + archive.len - 200, .len = 200};
    ck_assert_int_eq(zip_comment(tail.s, tail.len, &comment, &err), 0);
    ck_assert_str_eq(comment.s, expected);
}
END_TEST

START_TEST(test_the_checksum_is_the_standard_one)
{
    struct zip_member member = {.name = csv_name, .data = "123456789", .len = 9};
    CLEANUP(str_deinit) struct str archive = {0};
    struct err err = {0};
    ck_assert_int_eq(zip_pack(&member, 1, NULL, NULL, &archive, &err), 0);
    ck_assert_uint_eq(member.crc32, 0xcbf43926);
}
END_TEST

START_TEST(test_the_same_members_give_the_same_bytes_in_every_time_zone)
{
    static const char *const zones[] = {"UTC", "Asia/Tokyo", "America/New_York", "Africa/Monrovia",
                                        "Pacific/Kiritimati"};
    CLEANUP(str_deinit) struct str first = {0};
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        setenv("TZ", zones[i], 1);
        tzset();
        CLEANUP(str_deinit) struct str archive = {0};
        archive_make(i == 0 ? &first : &archive);
        if (i > 0) {
            ck_assert_uint_eq(archive.len, first.len);
            ck_assert_msg(memcmp(archive.s, first.s, first.len) == 0, "TZ=%s", zones[i]);
        }
    }
    ck_assert_mem_eq(first.s + 10, "\0\0\x21\0", 4); /* 00:00 on 1980-01-01 */
}
END_TEST

START_TEST(test_every_cut_is_noticed)
{
    CLEANUP(str_deinit) struct str archive = {0};
    struct err err = {0};
    archive_make(&archive);
    for (size_t len = 0; len < archive.len; len += len < archive.len - 400 ? 997 : 1) {
        struct zip_list list;
        CLEANUP(str_deinit) struct str comment = {0};
        CLEANUP(mem_free_chars) char *cut = mem_strndup(archive.s, len);
        ck_assert_int_eq(zip_list(cut, len, &list, &err), ERR_INPUT);
        ck_assert_int_eq(zip_comment(cut, len, &comment, &err), ERR_INPUT);
        ck_assert_int_eq(zip_read(cut, len, csv_name, &comment, &err), ERR_INPUT);
    }
}
END_TEST

START_TEST(test_a_changed_byte_of_a_member_is_noticed)
{
    CLEANUP(str_deinit) struct str archive = {0};
    CLEANUP(str_deinit) struct str got = {0};
    struct err err = {0};
    archive_make(&archive);
    for (size_t at = 44; at < 20000; at += 1999) {
        archive.s[at] ^= 16;
        ck_assert_int_eq(zip_read(archive.s, archive.len, csv_name, &got, &err), ERR_INPUT);
        ck_assert_ptr_nonnull(strstr(err.text, csv_name));
        archive.s[at] ^= 16;
    }
    ck_assert_int_eq(zip_read(archive.s, archive.len, csv_name, &got, &err), 0);
}
END_TEST

START_TEST(test_an_archive_without_members_is_refused)
{
    CLEANUP(str_deinit) struct str archive = {0};
    struct err err = {0};
    ck_assert_int_eq(zip_pack(NULL, 0, NULL, NULL, &archive, &err), ERR_BUG);
}
END_TEST

static void comment_too_long(void *ctx, const struct zip_member *members, int n,
                             struct str *comment)
{
    for (int i = 0; i < 65536; i++)
        str_addc(comment, 'x');
}

START_TEST(test_a_comment_that_does_not_fit_is_refused)
{
    struct zip_member member = {.name = csv_name, .data = "x", .len = 1};
    CLEANUP(str_deinit) struct str archive = {0};
    struct err err = {0};
    ck_assert_int_eq(zip_pack(&member, 1, comment_too_long, NULL, &archive, &err), ERR_BUG);
    ck_assert_ptr_null(archive.s);
}
END_TEST

/* Python's zipfile reads every byte of every member and compares checksums. */
START_TEST(test_python_accepts_the_archive)
{
    if (access("/usr/bin/python3", X_OK) != 0) {
        fprintf(stderr, "skipped: /usr/bin/python3 is not there to read the archive\n");
        return;
    }
    char path[] = "/tmp/hiwari-zip-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    CLEANUP(str_deinit) struct str archive = {0};
    struct err err = {0};
    archive_make(&archive);
    ck_assert_int_eq(fs_write(path, archive.s, archive.len, &err), 0);
    CLEANUP(mem_free_chars)
    char *command = mem_printf(
        "/usr/bin/python3 -c 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); "
        "i = z.infolist(); ok = z.testzip() is None and len(i) == 3 and i[0].compress_type == 8 "
        "and i[0].date_time == (1980, 1, 1, 0, 0, 0) and "
        "z.read(i[0]).startswith(b\"0,0\\n1,1\\n\") "
        "and z.comment.startswith(b\"{\"); sys.exit(not ok)' %s",
        path);
    ck_assert_int_eq(system(command), 0);
    close(fd);
    unlink(path);
}
END_TEST

static Suite *zip_suite(void)
{
    Suite *suite = suite_create("zip");
    TCase *t = tcase_create("zip");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_what_is_packed_comes_out);
    tcase_add_test(t, test_the_list_has_names_sizes_and_checksums);
    tcase_add_test(t, test_the_checksum_is_the_standard_one);
    tcase_add_test(t, test_the_same_members_give_the_same_bytes_in_every_time_zone);
    tcase_add_test(t, test_every_cut_is_noticed);
    tcase_add_test(t, test_a_changed_byte_of_a_member_is_noticed);
    tcase_add_test(t, test_an_archive_without_members_is_refused);
    tcase_add_test(t, test_a_comment_that_does_not_fit_is_refused);
    tcase_add_test(t, test_python_accepts_the_archive);
    suite_add_tcase(suite, t);
    return suite;
}

UNIT_MAIN(zip_suite)

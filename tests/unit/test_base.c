/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_base.c - failures, memory, retries, clocks, hashes and UTF-8. */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/retry.h"
#include "base/str.h"
#include "base/utf8.h"

START_TEST(test_a_failure_gains_words_on_its_way_up)
{
    struct err err = {0};
    int r = err_set(&err, ERR_RETRY, "HTTP %d", 503);
    ck_assert_int_eq(r, ERR_RETRY);
    r = err_prefix(&err, "upload %s", "2019-10-01.zip");
    ck_assert_int_eq(r, ERR_RETRY);
    ck_assert_str_eq(err.text, "upload 2019-10-01.zip: HTTP 503");
    ck_assert_int_eq(err_set_errno(&err, ERR_WRITE, ENOSPC, "cannot write %s", "x"), ERR_WRITE);
    ck_assert_str_eq(err.text,
                     "cannot write x: No space left on device; free some space or name another "
                     "place, and run it again");
}
END_TEST

START_TEST(test_nobody_has_to_care_for_the_words)
{
    ck_assert_int_eq(err_set(NULL, ERR_INPUT, "x"), ERR_INPUT);
    ck_assert_int_eq(err_set_errno(NULL, ERR_INPUT, EIO, "x"), ERR_INPUT);
    ck_assert_int_eq(err_prefix(NULL, "x"), ERR_BUG);
}
END_TEST

START_TEST(test_words_may_be_made_of_the_words_before)
{
    struct err err = {0};
    err_set(&err, ERR_INPUT, "inner");
    err_set(&err, ERR_INPUT, "outer (%s)\n", err.text);
    ck_assert_str_eq(err.text, "outer (inner)");
}
END_TEST

START_TEST(test_long_words_are_cut_between_characters)
{
    for (int shift = 0; shift < 3; shift++) {
        char words[2001] = {0};
        memset(words, 'a', (size_t)shift);
        for (size_t i = (size_t)shift; i + 3 < sizeof(words); i += 3)
            memcpy(words + i, "日", 3);
        struct err err = {0};
        err_set(&err, ERR_INPUT, "%s", words);
        ck_assert_uint_gt(strlen(err.text), sizeof(err.text) - 8);
        ck_assert(utf8_valid(err.text, strlen(err.text)));
        err_prefix(&err, "é%s", words);
        ck_assert(utf8_valid(err.text, strlen(err.text)));
        err_prefix(&err, "key");
        ck_assert(strncmp(err.text, "key: é", 7) == 0);
        ck_assert(utf8_valid(err.text, strlen(err.text)));
    }
}
END_TEST

START_TEST(test_words_of_strangers_do_not_control_a_terminal)
{
    struct err err;
    err_set(&err, ERR_INPUT, "%s", "a\033[31m\a\r日割り\x7f\xc2\x9b|\x9b|\xe6\x97|\tb\nc\n");
    ck_assert_str_eq(err.text, "a?[31m??日割り??|?|??|\tb\nc");
    err_set_errno(&err, ERR_INPUT, ENOENT, "cannot read \033%s", "日");
    ck_assert_msg(str_starts(err.text, "cannot read ?日: No such file"), "%s", err.text);
    err_prefix(&err, "ü\033");
    ck_assert_msg(str_starts(err.text, "ü?: cannot read ?日"), "%s", err.text);
}
END_TEST

START_TEST(test_every_code_has_its_exit_code)
{
    static const int pairs[][2] = {{0, 0},          {ERR_RETRY, 75}, {ERR_UNREACHABLE, 69},
                                   {ERR_INPUT, 65}, {ERR_WRITE, 73}, {ERR_CONFIG, 78},
                                   {ERR_USAGE, 64}, {ERR_BUG, 70}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        ck_assert_int_eq(err_exit_code(pairs[i][0]), pairs[i][1]);
}
END_TEST

START_TEST(test_growing_keeps_what_is_there)
{
    size_t cap = 0;
    int *p = mem_grow(NULL, &cap, 1, sizeof(int));
    ck_assert_uint_ge(cap, 1);
    for (int i = 0; i < 1000; i++) {
        p = mem_grow(p, &cap, (size_t)i + 1, sizeof(int));
        p[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(p[i], i);
    free(p);
    CLEANUP(mem_free_chars) char *s = mem_printf("%s-%d", "a", 7);
    ck_assert_str_eq(s, "a-7");
    CLEANUP(mem_free_chars) char *cut = mem_strndup("hiwari", 3);
    ck_assert_str_eq(cut, "hiw");
}
END_TEST

START_TEST(test_an_array_beyond_all_memory_ends_with_70)
{
    free(mem_array(SIZE_MAX / 2, 4));
}
END_TEST

START_TEST(test_waits_double_up_to_the_longest)
{
    struct retry retry = retry_start(INT64_MAX, 100, 1500, 7);
    int64_t most = 100;
    for (int i = 0; i < 50; i++) {
        int64_t wait = retry_next(&retry, 5, 0);
        ck_assert_int_ge(wait, most / 2);
        ck_assert_int_le(wait, most);
        most = most * 2 < 1500 ? most * 2 : 1500;
    }
    ck_assert_int_eq(retry.attempts, 50);
}
END_TEST

START_TEST(test_no_wait_goes_beyond_the_deadline)
{
    struct retry retry = retry_start(1000, 100, 1000, 1);
    ck_assert_int_ge(retry_next(&retry, 800, 0), 50);
    ck_assert_int_eq(retry_next(&retry, 950, 0), -1);
    struct retry asked = retry_start(1000, 10, 10, 1);
    ck_assert_int_eq(retry_next(&asked, 0, 400), 400);
    ck_assert_int_eq(retry_next(&asked, 601, 400), -1);
}
END_TEST

START_TEST(test_waits_differ_between_seeds)
{
    int same = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct retry a = retry_start(INT64_MAX, 100000, 100000, seed);
        struct retry b = retry_start(INT64_MAX, 100000, 100000, seed + 1);
        same += retry_next(&a, 0, 0) == retry_next(&b, 0, 0);
    }
    ck_assert_int_le(same, 2);
    ck_assert(random_u64() != random_u64());
}
END_TEST

START_TEST(test_a_sleep_takes_its_time)
{
    int64_t before = clock_us();
    clock_sleep_ms(20);
    clock_sleep_ms(0);
    clock_sleep_ms(-5);
    ck_assert_int_ge(clock_us() - before, 20000);
    ck_assert_int_gt(clock_wall_ms(), INT64_C(1700000000000));
}
END_TEST

START_TEST(test_sha256_is_the_standard_one)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX];
    sha256_of("abc", 3, digest);
    hash_hex(digest, sizeof(digest), hex);
    ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    struct sha256 h;
    sha256_init(&h);
    for (int round = 0; round < 2; round++) { /* it can be used again */
        uint8_t again[SHA256_BYTES];
        sha256_add(&h, "a", 1);
        sha256_add(&h, "bc", 2);
        sha256_finish(&h, again);
        ck_assert_mem_eq(again, digest, sizeof(digest));
    }
    sha256_deinit(&h);
}
END_TEST

START_TEST(test_md5_is_the_one_that_s3_lists)
{
    char md5[MD5_HEX];
    ck_assert(md5_of("", 0, md5));
    ck_assert_str_eq(md5, "d41d8cd98f00b204e9800998ecf8427e");
    ck_assert(md5_of("abc", 3, md5));
    ck_assert_str_eq(md5, "900150983cd24fb0d6963f7d28e17f72"); /* RFC 1321 */
}
END_TEST

START_TEST(test_crc32c_is_castagnolis_and_goes_on)
{
    ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283);
    ck_assert_uint_eq(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
    ck_assert_uint_eq(crc32c(0, "", 0), 0);
}
END_TEST

START_TEST(test_only_well_formed_utf8_is_valid)
{
    static const char *const good[] = {
        "", "plain", "é", "日割り", "\xf0\x9f\x90\x8e", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",         "\xc0\x80",     "\xc3",
                                      "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xff",         "\xe6\x97",     "\xf0\x80\x80\x80",
                                      "\xc3\x28"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        ck_assert(utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[64];
        snprintf(text, sizeof(text), "0123456789 %s", bad[i]);
        ck_assert_msg(!utf8_valid(text, strlen(text)), "sequence %zu", i);
        ck_assert_uint_eq(utf8_valid_prefix(text, strlen(text)), 11);
    }
    ck_assert_int_eq(utf8_chars("日割り", 9), 3);
    uint32_t point;
    ck_assert_int_eq(utf8_decode("\xf0\x9f\x90\x8e", 4, &point), 4);
    ck_assert_uint_eq(point, 0x1f40e);
}
END_TEST

#ifndef NDEBUG

/* Of a hundred calls: how many fail before, and how many after. */
static void failures(const char *wishes, int *before, int *after)
{
    setenv("HIWARI_FAULT", wishes, 1);
    *before = *after = 0;
    for (int i = 0; i < 100; i++) {
        *before += fault_before("here");
        *after += fault_after("here");
        ck_assert(!fault_before("there") && !fault_after("her"));
    }
}

START_TEST(test_calls_fail_as_often_as_a_test_wishes_and_as_its_seed_says)
{
    int before, after, more, others;
    log_set_level(LOG_ERROR);
    failures("slow:away:5,fail:here:300:7", &before, &after);
    ck_assert_msg(before > 10 && before < 60 && after > 10 && after < 60, "%d %d", before, after);
    failures("fail:here:300:7,slow:away:5", &more, &others); /* the first wish: seeded anew */
    ck_assert(more == before && others == after);
    failures("fail:here:1000:1,fail:there:0:1", &before, &after);
    ck_assert(before == 100 && after == 100);
    failures("fail:here", &before, &after);
    ck_assert(before == 0 && after == 0);
}
END_TEST

START_TEST(test_each_wish_counts_its_own_passings)
{
    setenv("HIWARI_FAULT", "kill:three:3,slow:two:1", 1);
    for (int i = 0; i < 3; i++) {
        fault_point("three");
        fault_point("two");
    }
    fault_point("three");
}
END_TEST

#endif

static Suite *base_suite(void)
{
    Suite *suite = suite_create("base");
    TCase *t = tcase_create("base");
    tcase_add_test(t, test_a_failure_gains_words_on_its_way_up);
    tcase_add_test(t, test_nobody_has_to_care_for_the_words);
    tcase_add_test(t, test_words_may_be_made_of_the_words_before);
    tcase_add_test(t, test_long_words_are_cut_between_characters);
    tcase_add_test(t, test_words_of_strangers_do_not_control_a_terminal);
    tcase_add_test(t, test_every_code_has_its_exit_code);
    tcase_add_test(t, test_growing_keeps_what_is_there);
    tcase_add_exit_test(t, test_an_array_beyond_all_memory_ends_with_70, 70);
    tcase_add_test(t, test_waits_double_up_to_the_longest);
    tcase_add_test(t, test_no_wait_goes_beyond_the_deadline);
    tcase_add_test(t, test_waits_differ_between_seeds);
    tcase_add_test(t, test_a_sleep_takes_its_time);
    tcase_add_test(t, test_sha256_is_the_standard_one);
    tcase_add_test(t, test_md5_is_the_one_that_s3_lists);
    tcase_add_test(t, test_crc32c_is_castagnolis_and_goes_on);
    tcase_add_test(t, test_only_well_formed_utf8_is_valid);
#ifndef NDEBUG
    tcase_add_test(t, test_calls_fail_as_often_as_a_test_wishes_and_as_its_seed_says);
    tcase_add_test_raise_signal(t, test_each_wish_counts_its_own_passings, SIGKILL);
#endif
    suite_add_tcase(suite, t);
    return suite;
}

UNIT_MAIN(base_suite)

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_result.c - a result names its origin, and a store holds at most one. */
#include "batch/result.h"

#include "batch/survey.h"
#include "batch_fixture.h"

START_TEST(test_a_result_says_what_it_is_at_its_end)
{
    CLEANUP(result_identity_free) struct result_identity *is = NULL;
    fixture_put_result(0);
    ok(result_read_identity(store, "2020-01-01.zip", &is, NULL, &err));
    ck_assert_str_eq(is->key, "2020-01-01");
    ck_assert_str_eq(is->spec, FIXTURE_SPEC);
    ck_assert_str_eq(is->data, FIXTURE_DATA);
    ck_assert_str_eq(is->format, "csv");
    ck_assert_int_eq(is->result_version, RESULT_VERSION);
    ck_assert_int_eq(is->rows, 2);
    ck_assert_int_eq(is->n_members, 1);
    ck_assert_str_eq(is->members[0].name, "2020-01-01.csv");
    ck_assert_int_eq(is->members[0].bytes, 6); /* n, 1, 2, each with its newline */
}
END_TEST

START_TEST(test_the_same_frame_gives_the_same_bytes)
{
    CLEANUP(result_deinit) struct result a = {0};
    CLEANUP(result_deinit) struct result b = {0};
    fixture_pack("k", FIXTURE_SPEC, FIXTURE_DATA, "npz", 1, &a);
    fixture_pack("k", FIXTURE_SPEC, FIXTURE_DATA, "npz", 1, &b);
    ck_assert_int_eq(a.zip.len, b.zip.len);
    ck_assert_int_eq(memcmp(a.zip.s, b.zip.s, a.zip.len), 0);
    ck_assert_str_eq(a.identity->members[0].name, "n.npy");
}
END_TEST

START_TEST(test_the_same_result_put_twice_is_the_same)
{
    CLEANUP(result_deinit) struct result result = {0};
    int64_t first = 0, second = 0;
    fixture_pack("k", FIXTURE_SPEC, FIXTURE_DATA, "csv", 1, &result);
    ok(result_put(store, &result, STORE_EXPECT_NOTHING, &first, &err));
    gives(RESULT_SAME, result_put(store, &result, STORE_EXPECT_NOTHING, &second, &err));
    ck_assert_int_eq(first, second);
    gives(RESULT_SAME, result_put(store, &result, first + 1, &second, &err));
}
END_TEST

static void assert_refused(const char *spec, const char *data, const char *format, int64_t first)
{
    CLEANUP(result_deinit) struct result other = {0};
    CLEANUP(result_identity_free) struct result_identity *is = NULL;
    fixture_pack("2020-01-01", spec, data, format, first, &other);
    gives(ERR_INPUT, result_put(store, &other, STORE_EXPECT_NOTHING, NULL, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "2020-01-01.zip: another result is there"));
    ck_assert_ptr_nonnull(strstr(err.text, spec));
    ck_assert_ptr_nonnull(strstr(err.text, "--replace-stale"));
    ok(result_read_identity(store, "2020-01-01.zip", &is, NULL, &err));
    ck_assert_str_eq(is->data, FIXTURE_DATA);
}

START_TEST(test_a_different_result_is_never_replaced_and_both_are_named)
{
    fixture_put_result(0);
    assert_refused("11111111111a", FIXTURE_DATA, "csv", 1);
    assert_refused("111111111111", FIXTURE_LATE, "csv", 1);
    assert_refused("111111111111", FIXTURE_DATA, "npz", 1);
    assert_refused("111111111111", FIXTURE_DATA, "csv",
                   7); /* other bytes under the same identity */
}
END_TEST

START_TEST(test_a_stale_result_is_replaced_by_its_generation_only)
{
    CLEANUP(result_deinit) struct result late = {0};
    CLEANUP(result_deinit) struct result later = {0};
    CLEANUP(str_deinit) struct str there = {0};
    int64_t stale, fresh;
    fixture_put_result(0);
    ok(store_get(store, "2020-01-01.zip", 0, &there, &stale, &err));
    fixture_pack("2020-01-01", FIXTURE_SPEC, FIXTURE_LATE, "csv", 5, &late);
    ok(result_put(store, &late, stale, &fresh, &err));
    gives(RESULT_SAME, result_put(store, &late, stale, &fresh, &err));
    fixture_pack("2020-01-01", FIXTURE_SPEC, FIXTURE_DATA, "csv", 6, &later);
    gives(ERR_INPUT, result_put(store, &later, stale, &fresh, &err));
}
END_TEST

START_TEST(test_an_object_that_is_no_result_is_not_replaced_either)
{
    CLEANUP(result_deinit) struct result result = {0};
    CLEANUP(result_identity_free) struct result_identity *is = NULL;
    ok(store_put(store, "2020-01-01.zip", "hello", 5, STORE_EXPECT_NOTHING, NULL, &err));
    fixture_pack("2020-01-01", FIXTURE_SPEC, FIXTURE_DATA, "csv", 1, &result);
    gives(ERR_INPUT, result_put(store, &result, STORE_EXPECT_NOTHING, NULL, &err));
    gives(ERR_INPUT, result_read_identity(store, "2020-01-01.zip", &is, NULL, &err));
    gives(STORE_ABSENT, result_read_identity(store, "2020-01-02.zip", &is, NULL, &err));
}
END_TEST

START_TEST(test_an_identity_line_that_is_cut_or_wrong_is_refused)
{
    static const char line[] =
        "{\"hiwari\":1,\"key\":\"k\",\"spec\":\"" FIXTURE_SPEC "\",\"data\":\"" FIXTURE_DATA
        "\",\"format\":\"csv\",\"result_version\":1,\"rows\":2,\"members\":[{\"name\":\"k.csv\","
        "\"bytes\":6,\"crc32\":\"0123abcd\"}]}";
    CLEANUP(result_identity_free) struct result_identity *is = NULL;
    ok(result_identity_parse(line, strlen(line), &is, &err));
    ck_assert_uint_eq(is->members[0].crc32, 0x0123abcd);
    for (size_t len = 0; len < strlen(line); len++) {
        struct result_identity *none = NULL;
        gives(ERR_INPUT, result_identity_parse(line, len, &none, &err));
    }
    gives(ERR_INPUT, result_identity_parse("{\"hiwari\":1}", 12, &is, &err));
}
END_TEST

START_TEST(test_keys_and_names_are_each_others_inverse)
{
    char key[STORE_NAME_MAX + 1];
    CLEANUP(mem_free_chars) char *name = result_name("2020-01-01");
    ck_assert_str_eq(name, "2020-01-01.zip");
    ck_assert(result_key_of(name, key));
    ck_assert_str_eq(key, "2020-01-01");
    ck_assert(!result_key_of("_batch.json", key));
    ck_assert(!result_key_of(".zip", key));
    ck_assert(!result_key_of("_x.zip", key));
    ck_assert(result_key_ok("a=b_c.1-2"));
    ck_assert(!result_key_ok("a/b") && !result_key_ok("") && !result_key_ok("_a"));
}
END_TEST

START_TEST(test_many_columns_do_not_overflow_the_archive_comment)
{
    enum { COLUMNS = 2000 };
    CLEANUP(result_deinit) struct result result = {0};
    CLEANUP(result_identity_free) struct result_identity *is = NULL;
    struct frame frame = {.rows = 1, .n_columns = COLUMNS};
    frame.columns = mem_zalloc(COLUMNS * sizeof(struct column));
    for (int i = 0; i < COLUMNS; i++) {
        column_alloc(&frame.columns[i], TYPE_FLOAT, 1, false);
        frame.columns[i].name = mem_printf("a_rather_long_name_of_a_column_%d", i);
    }
    struct result_options options = {
        .key = "k", .spec_sha256 = FIXTURE_SPEC, .data_hash = FIXTURE_DATA, .format = "npz"};
    ok(result_pack(&options, &frame, &result, &err));
    ok(result_put(store, &result, STORE_EXPECT_NOTHING, NULL, &err));
    gives(RESULT_SAME, result_put(store, &result, STORE_EXPECT_NOTHING, NULL, &err));
    ok(result_read_identity(store, "k.zip", &is, NULL, &err));
    ck_assert_int_eq(is->n_members, 0);
    ck_assert_int_eq(is->rows, 1);
    for (int i = 0; i < COLUMNS; i++)
        free((char *)frame.columns[i].name);
    frame_deinit(&frame);
}
END_TEST

START_TEST(test_a_survey_tells_the_five_cases_apart_and_ignores_others)
{
    CLEANUP(survey_free) struct survey *survey = NULL;
    struct survey_options options = {
        .store = store, .batch = batch, .slice = batch_file_whole(batch)};
    fixture_put_result(0);
    fixture_put("2020-01-02", FIXTURE_SPEC, FIXTURE_LATE, "csv");
    fixture_put("2020-01-03", FIXTURE_LATE, FIXTURE_DATA, "csv");
    ok(store_put(store, "2020-01-04.zip", "PK", 2, STORE_EXPECT_NOTHING, NULL, &err));
    fixture_put("2021-01-01", FIXTURE_SPEC, FIXTURE_DATA, "csv");
    ok(survey_run(&options, &survey, &err));
    static const enum survey_state want[] = {SURVEY_PRESENT, SURVEY_STALE, SURVEY_FOREIGN,
                                             SURVEY_DAMAGED, SURVEY_MISSING};
    for (int i = 0; i < FIXTURE_KEYS; i++)
        ck_assert_int_eq(survey->entries[i].state, want[i]);
    ck_assert_int_eq(survey->entries[0].rows, 2);
    ck_assert_int_gt(survey->entries[1].generation, 0);
    ck_assert_ptr_nonnull(strstr(survey->entries[2].why, "another spec"));
    ck_assert(survey->present == 1 && survey->stale == 1 && survey->foreign == 1 &&
              survey->damaged == 1 && survey->missing == 1);
}
END_TEST

START_TEST(test_a_copy_of_a_result_under_another_name_is_not_that_keys_result)
{
    CLEANUP(survey_free) struct survey *survey = NULL;
    CLEANUP(str_deinit) struct str zip = {0};
    struct survey_options options = {
        .store = store, .batch = batch, .slice = batch_file_whole(batch), .threads = 4};
    fixture_put_result(0);
    ok(store_get(store, "2020-01-01.zip", 0, &zip, NULL, &err));
    ok(store_put(store, "2020-01-02.zip", zip.s, zip.len, STORE_EXPECT_NOTHING, NULL, &err));
    ok(survey_run(&options, &survey, &err));
    ck_assert_int_eq(survey->entries[1].state, SURVEY_DAMAGED);
}
END_TEST

static Suite *result_suite(void)
{
    Suite *suite = suite_create("result");
    TCase *tc = tcase_create("result");
    tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
    tcase_add_test(tc, test_a_result_says_what_it_is_at_its_end);
    tcase_add_test(tc, test_the_same_frame_gives_the_same_bytes);
    tcase_add_test(tc, test_the_same_result_put_twice_is_the_same);
    tcase_add_test(tc, test_a_different_result_is_never_replaced_and_both_are_named);
    tcase_add_test(tc, test_a_stale_result_is_replaced_by_its_generation_only);
    tcase_add_test(tc, test_an_object_that_is_no_result_is_not_replaced_either);
    tcase_add_test(tc, test_an_identity_line_that_is_cut_or_wrong_is_refused);
    tcase_add_test(tc, test_keys_and_names_are_each_others_inverse);
    tcase_add_test(tc, test_many_columns_do_not_overflow_the_archive_comment);
    tcase_add_test(tc, test_a_survey_tells_the_five_cases_apart_and_ignores_others);
    tcase_add_test(tc, test_a_copy_of_a_result_under_another_name_is_not_that_keys_result);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(result_suite)

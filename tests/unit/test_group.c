/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_group.c - grouping and finding by value, against comparing every row with every other. */
#include "features/group.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static uint64_t random_state;

static uint64_t random_next(void)
{
    random_state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return z ^ (z >> 31);
}

static struct column integers(int64_t n, int64_t distinct, bool nulls)
{
    struct column c;
    column_alloc(&c, TYPE_INT, n, nulls);
    for (int64_t row = 0; row < n; row++) {
        bool null = nulls && random_next() % 8 == 0;
        c.i[row] = null ? 0 : (int64_t)(random_next() % (uint64_t)distinct) - distinct / 2;
        if (nulls)
            c.valid[row] = !null;
    }
    return c;
}

static struct column strings(const char *const *dictionary, int32_t n_dict, const int32_t *codes,
                             int64_t n)
{
    struct column c;
    column_alloc(&c, TYPE_STRING, n, true);
    int64_t *offsets = mem_zalloc(((size_t)n_dict + 1) * sizeof *offsets);
    struct str bytes = {0};
    for (int32_t i = 0; i < n_dict; i++) {
        str_addz(&bytes, dictionary[i]);
        offsets[i + 1] = (int64_t)bytes.len;
    }
    str_addc(&bytes, '.');
    c.dict = (struct dict){.n = n_dict, .offsets = offsets, .bytes = str_take(&bytes)};
    for (int64_t row = 0; row < n; row++) {
        c.valid[row] = codes[row] >= 0;
        c.code[row] = codes[row] >= 0 ? codes[row] : 0;
    }
    return c;
}

static void strings_deinit(struct column *c)
{
    free((void *)(uintptr_t)c->dict.offsets);
    free((void *)(uintptr_t)c->dict.bytes);
    column_deinit(c);
}

static bool row_is_null(const struct column *by, int n_by, int64_t row)
{
    for (int k = 0; k < n_by; k++)
        if (column_is_null(&by[k], row))
            return true;
    return false;
}

static bool rows_equal(const struct column *by, int n_by, int64_t a, int64_t b)
{
    for (int k = 0; k < n_by; k++)
        if (by[k].i[a] != by[k].i[b])
            return false;
    return true;
}

/* Groups are numbered by their first row; null rows have none or one each. */
static void expect_grouping(const struct column *by, int n_by, int64_t n, enum group_nulls nulls)
{
    CLEANUP(grouping_deinit) struct grouping g;
    int32_t groups = 0;
    group_rows(by, n_by, n, nulls, &g);
    for (int64_t row = 0; row < n; row++) {
        bool null = row_is_null(by, n_by, row);
        int64_t first = 0;
        while (first < row &&
               (null || row_is_null(by, n_by, first) || !rows_equal(by, n_by, row, first)))
            first++;
        if (null && nulls == GROUP_NULL_NONE) {
            ck_assert_int_eq(g.group[row], -1);
            continue;
        }
        int32_t expected = first < row ? g.group[first] : groups++;
        ck_assert_msg(g.group[row] == expected, "row %d is in group %d, expected %d", (int)row,
                      g.group[row], expected);
        ck_assert(first < row || g.first[expected] == row);
    }
    ck_assert_int_eq(g.n_groups, groups);
}

START_TEST(test_rows_with_equal_values_are_one_group)
{
    random_state = 1;
    for (int round = 0; round < 200; round++) {
        int64_t n = (int64_t)(random_next() % 120), distinct = (int64_t)(random_next() % 30) + 1;
        bool nulls = round % 2;
        struct column by[] = {integers(n, distinct, nulls), integers(n, 3, nulls),
                              integers(n, 2, false)};
        for (int n_by = 1; n_by <= 3; n_by++) {
            expect_grouping(by, n_by, n, GROUP_NULL_NONE);
            expect_grouping(by, n_by, n, GROUP_NULL_ALONE);
        }
        for (int k = 0; k < 3; k++)
            column_deinit(&by[k]);
    }
}
END_TEST

START_TEST(test_by_nothing_is_one_group_of_all)
{
    CLEANUP(grouping_deinit) struct grouping g;
    group_rows(NULL, 0, 5, GROUP_NULL_NONE, &g);
    ck_assert_int_eq(g.n_groups, 1);
    for (int row = 0; row < 5; row++)
        ck_assert_int_eq(g.group[row], 0);
    ck_assert_int_eq(group_find(g.slots, g.n_slots, NULL, NULL, 0, 3), 0);
}
END_TEST

/* As many groups as are looked for side by side, each met thrice, with nulls between. */
START_TEST(test_rows_come_back_to_many_groups)
{
    enum { N = 60000, VALUES = 20000 };
    struct column by;
    int32_t group[VALUES];
    CLEANUP(grouping_deinit) struct grouping g;
    memset(group, -1, sizeof group);
    column_alloc(&by, TYPE_INT, N, true);
    for (int64_t row = 0; row < N; row++) {
        by.valid[row] = row % 9 != 0;
        by.i[row] = by.valid[row] ? row * 7919 % VALUES : 0;
    }
    group_rows(&by, 1, N, GROUP_NULL_NONE, &g);
    for (int64_t row = 0; row < N; row++) {
        if (!by.valid[row]) {
            ck_assert_int_eq(g.group[row], -1);
            continue;
        }
        if (group[by.i[row]] < 0) {
            group[by.i[row]] = g.group[row];
            ck_assert_int_eq(g.first[g.group[row]], row);
        }
        ck_assert_int_eq(g.group[row], group[by.i[row]]);
    }
    column_deinit(&by);
}
END_TEST

START_TEST(test_many_groups_are_all_found_and_others_are_not)
{
    enum { N = 100000 };
    struct column by, other;
    CLEANUP(grouping_deinit) struct grouping g;
    column_alloc(&by, TYPE_INT, N, false);
    column_alloc(&other, TYPE_INT, N, false);
    for (int64_t row = 0; row < N; row++) {
        by.i[row] = row * 3 - N;
        other.i[row] = row * 3 - N + 1;
    }
    group_rows(&by, 1, N, GROUP_NULL_NONE, &g);
    ck_assert_int_eq(g.n_groups, N);
    for (int64_t row = 0; row < N; row++) {
        ck_assert_int_eq(group_find(g.slots, g.n_slots, &by, &by, 1, row), row);
        ck_assert_int_eq(group_find(g.slots, g.n_slots, &by, &other, 1, row), -1);
    }
    column_deinit(&by);
    column_deinit(&other);
}
END_TEST

START_TEST(test_strings_are_found_across_dictionaries)
{
    static const char *const ours[] = {"", "Zoë", "ann", "bob"}, *const theirs[] = {"Zoë", "ann",
                                                                                    "annie", "bob",
                                                                                    "c"};
    static const int32_t rows[] = {2, 1, 2, -1, 3, 0}, asked[] = {0, 1, 2, 3, 4, -1};
    static const int32_t expected[] = {1, 0, -1, 2, -1, -1};
    struct column mine = strings(ours, 4, rows, 6), other = strings(theirs, 5, asked, 6), keys;
    CLEANUP(grouping_deinit) struct grouping g;
    group_rows(&mine, 1, 6, GROUP_NULL_NONE, &g);
    ck_assert_int_eq(g.n_groups, 4);
    column_take(&mine, g.first, g.n_groups, &keys);
    for (int i = 0; i < 6; i++)
        ck_assert_msg(group_find(g.slots, g.n_slots, &keys, &other, 1, i) == expected[i],
                      "value %d", i);
    column_deinit(&keys);
    strings_deinit(&mine);
    strings_deinit(&other);
}
END_TEST

/* Few rows of a large dictionary take the other way of hashing: the groups are the same. */
START_TEST(test_a_dictionary_larger_than_the_rows_makes_no_difference)
{
    static const char *const dictionary[] = {"a", "b", "c", "d", "e", "f"};
    static const int32_t rows[] = {5, 0, 5, 4};
    struct column c = strings(dictionary, 6, rows, 4);
    CLEANUP(grouping_deinit) struct grouping g;
    group_rows(&c, 1, 4, GROUP_NULL_NONE, &g);
    ck_assert_int_eq(g.n_groups, 3);
    ck_assert(g.group[0] == 0 && g.group[1] == 1 && g.group[2] == 0 && g.group[3] == 2);
    ck_assert_int_eq(group_find(g.slots, g.n_slots, &c, &c, 1, 1), 1);
    strings_deinit(&c);
}
END_TEST

START_TEST(test_a_row_with_a_null_is_alone_and_cannot_be_found)
{
    struct column c;
    CLEANUP(grouping_deinit) struct grouping g;
    column_alloc(&c, TYPE_INT, 4, true);
    c.valid[1] = 1; /* 0 as a value: not the null */
    group_rows(&c, 1, 4, GROUP_NULL_ALONE, &g);
    ck_assert_int_eq(g.n_groups, 4);
    for (int64_t row = 0; row < 4; row++)
        ck_assert_int_eq(group_find(g.slots, g.n_slots, &c, &c, 1, row), row == 1 ? 1 : -1);
    column_deinit(&c);
}
END_TEST

START_TEST(test_order_puts_groups_together_in_row_order)
{
    static const int32_t group[] = {1, 0, -1, 1, 2, 0, 1}, all[] = {1, 5, 0, 3, 6, 4},
                         kept[] = {5, 0, 6};
    static const uint8_t keep[] = {1, 0, 1, 0, 0, 1, 1};
    int32_t offsets[4], order[7];
    group_order(group, 3, 7, NULL, offsets, order);
    ck_assert_int_eq(memcmp(order, all, sizeof all), 0);
    ck_assert(offsets[0] == 0 && offsets[1] == 2 && offsets[2] == 5 && offsets[3] == 6);
    group_order(group, 3, 7, keep, offsets, order);
    ck_assert_int_eq(memcmp(order, kept, sizeof kept), 0);
    ck_assert(offsets[0] == 0 && offsets[1] == 1 && offsets[2] == 3 && offsets[3] == 3);
}
END_TEST

static Suite *group_suite(void)
{
    Suite *suite = suite_create("group");
    TCase *tc = tcase_create("group");
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, test_rows_with_equal_values_are_one_group);
    tcase_add_test(tc, test_by_nothing_is_one_group_of_all);
    tcase_add_test(tc, test_many_groups_are_all_found_and_others_are_not);
    tcase_add_test(tc, test_rows_come_back_to_many_groups);
    tcase_add_test(tc, test_strings_are_found_across_dictionaries);
    tcase_add_test(tc, test_a_dictionary_larger_than_the_rows_makes_no_difference);
    tcase_add_test(tc, test_a_row_with_a_null_is_alone_and_cannot_be_found);
    tcase_add_test(tc, test_order_puts_groups_together_in_row_order);
    return suite;
}

UNIT_MAIN(group_suite)

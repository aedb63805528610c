/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_calc_group.c - one row against its group, and aggregates over a group or everybody else in
 * it. */
#include "unit.h"

#include "calc_sample.h"

enum { AT = 3 }; /* where the group's rows stand in the column */

/* Evaluates a group and compares it with the text of what should come out. */
static void check_group(const char *name, struct given given, const char *expected)
{
    CLEANUP(calc_scratch_free) struct calc_scratch *scratch = calc_scratch_new();
    CLEANUP(column_deinit) struct column got = {0};
    struct sample sample;
    struct sample_values values;
    struct series want;
    sample_make(&given, scratch, &sample);
    sample.w.day = NULL;
    ck_assert_int_eq(sample_series(expected, &values, &want), sample.w.n);
    struct calc_use use = {.calc = calc_find(name), .params = given.p};
    column_alloc(&got, want.type, AT + sample.w.n + 1, true);
    calc_group(&use, &sample.w, &got, AT);
    ck_assert(!got.valid[AT - 1] && !got.valid[AT + sample.w.n]); /* nothing else is written */
    for (int64_t k = 0; k < sample.w.n; k++) {
        bool has = !want.valid || want.valid[k];
        ck_assert_msg(got.valid[AT + k] == has, "%s: row %d", name, (int)k);
        if (!has)
            continue;
        if (want.type == TYPE_FLOAT || want.type == TYPE_DECIMAL)
            ck_assert_double_eq_tol(got.f[AT + k], values.f[k], 1e-12);
        else if (want.type == TYPE_STRING)
            ck_assert_int_eq(got.code[AT + k], values.code[k]);
        else if (want.type == TYPE_BOOL)
            ck_assert_int_eq(got.b[AT + k], values.b[k]);
        else
            ck_assert_int_eq(got.i[AT + k], values.i[k]);
    }
}
/* CHECK("rank", "i 1 2", .x = "f 0.5 0.7") */
#define CHECK(name, expected, ...) check_group(name, (struct given){__VA_ARGS__}, expected)

/* ---- ranks: those of pandas ---- */

START_TEST(test_ranks_of_ties)
{
#define TIES "f 3 1 4 1 5 . 4"
    CHECK("rank", "i 3 1 4 1 6 . 4", .x = TIES);
    CHECK("rank", "f 3 1.5 4.5 1.5 6 . 4.5", .x = TIES, .p.ties = TIES_AVG);
    CHECK("rank", "i 3 2 5 2 6 . 5", .x = TIES, .p.ties = TIES_MAX);
    CHECK("rank", "i 2 1 3 1 4 . 3", .x = TIES, .p.ties = TIES_DENSE);
    CHECK("rank", "i 3 1 4 2 6 . 5", .x = TIES, .p.ties = TIES_FIRST);
}
END_TEST

START_TEST(test_ranks_from_the_largest)
{
    CHECK("rank", "i 4 5 2 5 1 . 2", .x = TIES, .p.descending = true);
    CHECK("rank", "f 4 5.5 2.5 5.5 1 . 2.5", .x = TIES, .p.descending = true, .p.ties = TIES_AVG);
    CHECK("rank", "i 4 5 2 6 1 . 3", .x = TIES, .p.descending = true, .p.ties = TIES_FIRST);
}
END_TEST

START_TEST(test_ranks_of_every_type)
{
    CHECK("rank", "i 2 1 3", .x = "i 9007199254740993 9007199254740992 9007199254740994");
    CHECK("rank", "i 1 3 2", .x = "s a c b");
    CHECK("rank", "i 1 3 1", .x = "b 0 1 0");
    CHECK("rank", "i 3 2 1", .x = "D 9 0 -9");
    CHECK("rank", "i 3 1 2", .x = "f 0.5 -2.5 -1e-300");
    CHECK("rank", "i 1 1 3", .x = "f 0 -0 1e-300");
    CHECK("rank", "i . .", .x = "f . .");
}
END_TEST

START_TEST(test_pct_rank_runs_from_0_to_1)
{
    CHECK("pct_rank", "f 0.5 0 . 1 0.75 0", .x = "i 3 1 . 9 5 1");
    CHECK("pct_rank", "f 0", .x = "i 3");
    CHECK("pct_rank", "f . 0 .", .x = "i . 3 .");
    CHECK("pct_rank", "f 1 0", .x = "i 3 5", .p.descending = true);
    CHECK("pct_rank", "f 0.25 0.25 1", .x = "i 3 3 5", .p.ties = TIES_AVG);
}
END_TEST

START_TEST(test_a_large_group_is_ranked_like_a_small_one)
{
    enum { ROWS = 500 };
    CLEANUP(calc_scratch_free) struct calc_scratch *scratch = calc_scratch_new();
    CLEANUP(column_deinit) struct column got = {0};
    int64_t x[ROWS];
    for (int k = 0; k < ROWS; k++)
        x[k] = (int64_t)k * 7919 % 83;
    struct window w = {.n = ROWS, .scratch = scratch, .arg[0] = {.type = TYPE_INT, .i = x}};
    struct calc_use use = {.calc = calc_find("rank"), .params.ties = TIES_FIRST};
    column_alloc(&got, TYPE_INT, ROWS, true);
    calc_group(&use, &w, &got, 0);
    for (int k = 0; k < ROWS; k++) {
        int64_t rank = 1;
        for (int j = 0; j < ROWS; j++)
            rank += x[j] < x[k] || (x[j] == x[k] && j < k);
        ck_assert_int_eq(got.i[k], rank);
    }
}
END_TEST

/* ---- distances ---- */

START_TEST(test_zscore_divides_by_std0)
{
    /* numpy: (x - x.mean()) / x.std() */
    CHECK("zscore", "f 0.125 -1.125 0.75 -1.125 . 1.375", .x = "i 3 1 4 1 . 5");
    CHECK("zscore", "f 0 0 .", .x = "d 55.1 55.1 .");
    CHECK("zscore", "f 0", .x = "f 7");
    CHECK("zscore", "f . .", .x = "f . .");
    CHECK("zscore", "f . . .", .x = "f 1e200 2e200 3e200"); /* std0 is no finite double */
}
END_TEST

START_TEST(test_share_of_the_sum)
{
    CHECK("share", "f 0.25 . 0.75", .x = "i 1 . 3");
    CHECK("share", "f 0.5 0.5", .x = "d 0.3 0.3");
    CHECK("share", "f . .", .x = "i 1 -1");
    CHECK("share", "f .", .x = "f .");
    CHECK("share", "f 0.5 0.5", .x = "i 9223372036854775807 9223372036854775807");
}
END_TEST

START_TEST(test_diff_mean)
{
    CHECK("diff_mean", "f -2 . 0 2", .x = "i 1 . 3 5");
    CHECK("diff_mean", "f -3 . 0 3", .x = "i 1 . 3 5", .p.others = true);
    CHECK("diff_mean", "f -1.5 1.5", .x = "f 0.5 2", .p.others = true);
    CHECK("diff_mean", "f .", .x = "f 0.5", .p.others = true);
    CHECK("diff_mean", "f . .", .x = "d 0.5 .", .p.others = true);
    CHECK("diff_mean", "f 0", .x = "f 0.5");
}
END_TEST

START_TEST(test_diff_best)
{
    CHECK("diff_best", "i -4 . -2 0", .x = "i 1 . 3 5");
    CHECK("diff_best", "i 0 . 2 4", .x = "i 1 . 3 5", .p.from_smallest = true);
    CHECK("diff_best", "i -4 . -2 2", .x = "i 1 . 3 5", .p.others = true);
    CHECK("diff_best", "i -2 . 2 4", .x = "i 1 . 3 5", .p.others = true, .p.from_smallest = true);
    CHECK("diff_best", "i 0 0", .x = "i 5 5", .p.others = true);
    CHECK("diff_best", "f . .", .x = "f 5 .", .p.others = true);
    CHECK("diff_best", "f -0.5 0", .x = "d 0.5 1");
    CHECK("diff_best", "f .", .x = "f .");
    CHECK("diff_best", "f 0 -18446744073709551614",
          .x = "i 9223372036854775807 -9223372036854775807", .p.wide = true);
}
END_TEST

START_TEST(test_gap_to_the_kth_largest)
{
    CHECK("gap_to", "i -4 . -2 0 0", .x = "i 1 . 3 5 5", .p.number = 1);
    CHECK("gap_to", "i -4 . -2 0 0", .x = "i 1 . 3 5 5", .p.number = 2);
    CHECK("gap_to", "i -2 . 0 2 2", .x = "i 1 . 3 5 5", .p.number = 3);
    CHECK("gap_to", "i -2 . 0 2 2", .x = "i 1 . 3 5 5", .p.number = 2, .p.from_smallest = true);
    CHECK("gap_to", "i . . . .", .x = "i 1 . 3 5", .p.number = 4);
    CHECK("gap_to", "f 0.25 0", .x = "f 0.75 0.5", .p.number = 2);
}
END_TEST

/* ---- aggregates ---- */

START_TEST(test_size_counts_all_rows)
{
    CHECK("size", "i 3 3 3", .x = "i . . .");
    CHECK("size", "i 2 2 2", .x = "i . . .", .p.others = true);
    CHECK("size", "i 0", .x = "i 1", .p.others = true);
}
END_TEST

START_TEST(test_an_aggregate_of_a_group_stands_in_every_row)
{
    CHECK("mean", "f 2 2 2", .x = "i 1 . 3");
    CHECK("sum", "i 4 4 4", .x = "i 1 . 3");
    CHECK("max", "s c c c", .x = "s a c .");
    CHECK("min", "b 0 0", .x = "b 1 0");
    CHECK("min", "d 0.5 0.5", .x = "d 1.5 0.5");
    CHECK("mode", "i 2 2 2 2", .x = "i 1 2 1 2"); /* ties: the last row */
    CHECK("best_by", "s b b b", .x = "s a b c", .y = "i 1 5 .");
    CHECK("std", "f . .", .x = "i 1 .");
    CHECK("nunique", "i 0 0", .x = "s . .");
    CHECK("count", "i 2 2", .x = "i 1 2");
    CHECK("sum_if", "i 6 6 6", .x = "i 1 2 4", .y = "b 0 1 1");
}
END_TEST

START_TEST(test_others_leave_out_the_row_itself)
{
    CHECK("max", "i 9 9 3 9", .x = "i 3 . 9 1", .p.others = true);
    CHECK("max", "s c c b", .x = "s a b c", .p.others = true);
    CHECK("min", "t 5 7", .x = "t 7 5", .p.others = true);
    CHECK("mean", "f 4 1 2.5", .x = "i 1 4 .", .p.others = true);
    CHECK("mean", "f 0.2 0.1", .x = "d 0.1 0.2", .p.others = true);
    CHECK("mean", "f .", .x = "i 1", .p.others = true);
    CHECK("sum", "f 9223372036854775806 9223372036854775807 1", .x = "i 1 0 9223372036854775806",
          .p.others = true, .p.wide = true);
    CHECK("count", "i 1 1 2", .x = "s a b .", .p.others = true);
    CHECK("count", "i 0", .x = "i 1", .p.others = true);
    CHECK("sum_if", "i 6 4 2 6", .x = "i 1 2 4 8", .y = "b 0 1 1 .", .p.others = true);
    CHECK("best_by", "s b a b", .x = "s a b c", .y = "i 7 9 3", .p.others = true);
}
END_TEST

/* The group without one row, as a window of its own. */
static void leave_out(const struct sample *from, int64_t row, struct sample *ret)
{
    *ret = *from;
    ret->w.n--;
    for (int i = 0; i < 2; i++) {
        struct series *x = &ret->w.arg[i];
        if (!x->data)
            continue;
        size_t size = type_bytes(x->type), after = (size_t)(ret->w.n - row);
        char *at = (char *)&ret->arg[i] + (size_t)row * size;
        memmove(at, at + size, after * size);
        memmove(ret->arg[i].valid + row, ret->arg[i].valid + row + 1, after);
        x->data = &ret->arg[i];
        x->valid = x->valid ? ret->arg[i].valid : NULL;
    }
}

/* Every aggregate over two groups, with others, against the same aggregate over the group without
 * the row. */
START_TEST(test_others_of_every_aggregate_are_the_group_without_the_row)
{
    static const char *const x_of[] = {"i 3 . 9 1 3 7 -4", "d 0.3 . 0.9 0.1 0.3 0.7 -5.5",
                                       "f 3 1 9.25 1 3 7 -4.5"};
    CLEANUP(calc_scratch_free) struct calc_scratch *scratch = calc_scratch_new();
    int n;
    const struct calc *calcs = calc_all(&n);
    for (int i = 0; i < 3 * n; i++) {
        const struct calc *c = &calcs[i / 3];
        if (!(c->places & CALC_GROUP) || !c->window)
            continue;
        struct given given = {.x = x_of[i % 3], .p = {.number = 0.3, .others = true}};
        given.x = c->args[0] == 'c' ? "b 1 . 0 1 1 0 1" : given.x;
        given.y = c->args[0] == '\0' || c->args[1] == '\0' ? NULL
                  : c->args[1] == 'c'                      ? "b 1 1 0 . 1 1 0"
                                                           : "f 2 8 5 . 2 5 1";
        struct sample group, without;
        sample_make(&given, scratch, &group);
        struct calc_use use = {.calc = c, .params = given.p};
        struct column args[2] = {{.type = group.w.arg[0].type}}, got;
        CLEANUP(column_deinit) struct column owned = {0};
        int scale;
        enum type type;
        ck_assert_int_eq(calc_result_type(&use, args, &type, &scale, NULL), 0);
        column_alloc(&owned, type, group.w.n, true);
        got = owned;
        calc_group(&use, &group.w, &got, 0);
        for (int64_t row = 0; row < group.w.n; row++) {
            union calc_value value = {0};
            leave_out(&group, row, &without);
            bool has = c->window(&without.w, &given.p, &value);
            ck_assert_msg(got.valid[row] == has, "%s of %s", c->name, given.x);
            if (has && c->result == RESULT_ROW)
                ck_assert_mem_eq((char *)got.data + row * 8, (char *)&without.arg[0] + value.i * 8,
                                 8);
            else if (has)
                ck_assert_mem_eq(&got.i[row], &value, 8);
        }
    }
}
END_TEST

static Suite *calc_group_suite(void)
{
    Suite *suite = suite_create("calc_group");
    TCase *tc = tcase_create("groups");
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, test_ranks_of_ties);
    tcase_add_test(tc, test_ranks_from_the_largest);
    tcase_add_test(tc, test_ranks_of_every_type);
    tcase_add_test(tc, test_pct_rank_runs_from_0_to_1);
    tcase_add_test(tc, test_a_large_group_is_ranked_like_a_small_one);
    tcase_add_test(tc, test_zscore_divides_by_std0);
    tcase_add_test(tc, test_share_of_the_sum);
    tcase_add_test(tc, test_diff_mean);
    tcase_add_test(tc, test_diff_best);
    tcase_add_test(tc, test_gap_to_the_kth_largest);
    tcase_add_test(tc, test_size_counts_all_rows);
    tcase_add_test(tc, test_an_aggregate_of_a_group_stands_in_every_row);
    tcase_add_test(tc, test_others_leave_out_the_row_itself);
    tcase_add_test(tc, test_others_of_every_aggregate_are_the_group_without_the_row);
    return suite;
}

UNIT_MAIN(calc_group_suite)

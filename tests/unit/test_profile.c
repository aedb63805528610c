/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_profile.c - statistics of columns over frames. */
#include "features/profile.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "unit.h"

enum { X, Y, LABEL, COLUMNS };

/* A frame of three float columns; NaN is null. */
static struct frame frame_of(int64_t rows, const double (*values)[COLUMNS])
{
    static const char *const names[COLUMNS] = {"x", "y", "label"};
    struct frame f = {.rows = rows, .n_columns = COLUMNS};
    f.columns = mem_zalloc(COLUMNS * sizeof(*f.columns));
    for (int c = 0; c < COLUMNS; c++) {
        column_alloc(&f.columns[c], TYPE_FLOAT, rows, true);
        f.columns[c].name = names[c];
        for (int64_t i = 0; i < rows; i++) {
            f.columns[c].valid[i] = !isnan(values[i][c]);
            f.columns[c].f[i] = isnan(values[i][c]) ? 0 : values[i][c];
        }
    }
    return f;
}

static const bool labels[COLUMNS] = {[LABEL] = true};

static void add(struct profile *p, int64_t rows, const double (*values)[COLUMNS])
{
    CLEANUP(frame_deinit) struct frame f = frame_of(rows, values);
    profile_add(p, &f);
}

static double correlation(const struct profile *p, int column)
{
    int64_t rows;
    return profile_correlation(p, column, LABEL, &rows);
}

/* As the book has it, in long doubles. */
static double naive(int64_t n, const double (*v)[COLUMNS], int column)
{
    long double x = 0, y = 0, xx = 0, yy = 0, xy = 0;
    int64_t m = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(v[i][column]) || isnan(v[i][LABEL]))
            continue;
        m++;
        x += v[i][column];
        y += v[i][LABEL];
    }
    x /= m;
    y /= m;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(v[i][column]) || isnan(v[i][LABEL]))
            continue;
        long double dx = v[i][column] - x, dy = v[i][LABEL] - y;
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    return (double)(xy / sqrtl(xx * yy));
}

/* Numbers that anyone can make again; every seventh x is null. */
static double (*sample(int64_t n, double offset))[COLUMNS]
{
    double(*v)[COLUMNS] = mem_array((size_t)n, sizeof(*v));
    uint64_t state = 42;
    for (int64_t i = 0; i < n; i++) {
        for (int c = 0; c < COLUMNS; c++) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
            v[i][c] = offset + (double)(state >> 40) / 65536;
        }
        v[i][LABEL] = v[i][LABEL] - offset + (v[i][Y] - offset) / 2;
        if (i % 7 == 3)
            v[i][X] = (double)NAN;
    }
    return v;
}

START_TEST(test_min_mean_max_and_nulls_over_two_frames)
{
    CLEANUP(profile_free) struct profile *p = profile_new(COLUMNS, labels);
    const double nan = (double)NAN;
    add(p, 3, (const double[][COLUMNS]){{1, 5, 0}, {2, nan, 1}, {nan, nan, 1}});
    add(p, 2, (const double[][COLUMNS]){{6, nan, 0}, {-1, nan, 0}});
    struct profile_column x = profile_column(p, X), y = profile_column(p, Y);
    ck_assert_int_eq(profile_rows(p), 5);
    ck_assert_str_eq(x.shape.name, "x");
    ck_assert_int_eq(x.nulls, 1);
    ck_assert_double_eq(x.min, -1);
    ck_assert_double_eq(x.mean, 2);
    ck_assert_double_eq(x.max, 6);
    ck_assert(!x.constant);
    ck_assert_int_eq(y.nulls, 4);
    ck_assert_double_eq(y.mean, 5);
    ck_assert(!y.constant); /* one value, but also nulls */
}
END_TEST

START_TEST(test_constant_means_that_no_two_rows_differ)
{
    CLEANUP(profile_free) struct profile *p = profile_new(COLUMNS, labels);
    const double nan = (double)NAN;
    add(p, 1, (const double[][COLUMNS]){{0.1, nan, 1}});
    ck_assert(!profile_column(p, X).constant); /* one row says nothing */
    add(p, 2, (const double[][COLUMNS]){{0.1, nan, 1}, {0.1, nan, 2}});
    ck_assert(profile_column(p, X).constant);
    ck_assert(profile_column(p, Y).constant);
    ck_assert(isnan(profile_column(p, Y).mean));
    ck_assert(!profile_column(p, LABEL).constant);
}
END_TEST

START_TEST(test_correlation_is_the_books_however_the_rows_are_cut)
{
    enum { N = 1000 };
    double(*v)[COLUMNS] = sample(N, 0);
    for (int64_t size = 1; size <= N; size = size * 3 + 1) {
        CLEANUP(profile_free) struct profile *p = profile_new(COLUMNS, labels);
        for (int64_t at = 0; at < N; at += size)
            add(p, N - at < size ? N - at : size, (const double(*)[COLUMNS])(v + at));
        for (int c = X; c <= Y; c++)
            ck_assert_double_eq_tol(correlation(p, c), naive(N, (const double(*)[COLUMNS])v, c),
                                    1e-12);
        ck_assert_double_eq_tol(correlation(p, LABEL), 1, 1e-12);
    }
    ck_assert(naive(N, (const double(*)[COLUMNS])v, Y) > 0.3);
    free(v);
}
END_TEST

START_TEST(test_a_large_offset_costs_no_digits)
{
    enum { N = 600 };
    double(*v)[COLUMNS] = sample(N, 1e9);
    CLEANUP(profile_free) struct profile *p = profile_new(COLUMNS, labels);
    for (int64_t at = 0; at < N; at += 50)
        add(p, 50, (const double(*)[COLUMNS])(v + at));
    ck_assert_double_eq_tol(correlation(p, Y), naive(N, (const double(*)[COLUMNS])v, Y), 1e-9);
    free(v);
}
END_TEST

START_TEST(test_merged_profiles_are_as_one)
{
    enum { N = 500 };
    double(*v)[COLUMNS] = sample(N, 3);
    CLEANUP(profile_free) struct profile *whole = profile_new(COLUMNS, labels);
    CLEANUP(profile_free) struct profile *a = profile_new(COLUMNS, labels);
    CLEANUP(profile_free) struct profile *b = profile_new(COLUMNS, labels);
    CLEANUP(profile_free) struct profile *empty = profile_new(COLUMNS, labels);
    add(whole, N, (const double(*)[COLUMNS])v);
    add(a, 120, (const double(*)[COLUMNS])v);
    add(b, N - 120, (const double(*)[COLUMNS])(v + 120));
    profile_merge(a, empty);
    profile_merge(empty, b);
    profile_merge(a, empty);
    for (int c = 0; c < COLUMNS; c++) {
        struct profile_column one = profile_column(whole, c), two = profile_column(a, c);
        ck_assert_int_eq(one.nulls, two.nulls);
        ck_assert_double_eq(one.min, two.min);
        ck_assert_double_eq(one.max, two.max);
        ck_assert_double_eq_tol(one.mean, two.mean, 1e-12);
        ck_assert_double_eq_tol(correlation(whole, c), correlation(a, c), 1e-12);
    }
    ck_assert_int_eq(profile_rows(a), N);
    free(v);
}
END_TEST

START_TEST(test_correlation_is_undefined_where_nothing_varies)
{
    CLEANUP(profile_free) struct profile *p = profile_new(COLUMNS, labels);
    const double nan = (double)NAN;
    int64_t rows;
    for (int i = 0; i < 50; i++)
        add(p, 2, (const double[][COLUMNS]){{0.1, i == 7 ? 1 : nan, i}, {0.1, nan, nan}});
    ck_assert(
        isnan(profile_correlation(p, X, LABEL, &rows))); /* 0.1 fifty times is exactly constant */
    ck_assert_int_eq(rows, 50);
    ck_assert(isnan(profile_correlation(p, Y, LABEL, &rows)));
    ck_assert_int_eq(rows, 1);
    ck_assert(isnan(profile_correlation(p, X, Y, &rows))); /* y is no label */
}
END_TEST

/* One string column of the numbers from..to as text, and a label. */
static struct frame strings(int from, int to)
{
    struct frame f = {.rows = to - from, .n_columns = 2};
    size_t n = (size_t)f.rows;
    f.columns = mem_zalloc(2 * sizeof(*f.columns));
    struct column *c = &f.columns[0];
    int64_t *block = mem_zalloc((n + 1) * 8 + n * 4 + n * 8);
    c->type = TYPE_STRING;
    c->name = "s";
    c->rows = f.rows;
    c->own = block;
    c->code = (int32_t *)(void *)(block + n + 1);
    char *text = (char *)(c->code + n);
    c->dict = (struct dict){.n = (int32_t)n, .offsets = block, .bytes = text};
    for (int i = 0; i < (int)n; i++) {
        block[i + 1] = block[i] + sprintf(text + block[i], "%d", from + i);
        c->code[i] = i;
    }
    column_alloc(&f.columns[1], TYPE_INT, f.rows, false);
    f.columns[1].name = "label";
    return f;
}

static void add_strings(struct profile *p, int from, int to)
{
    CLEANUP(frame_deinit) struct frame f = strings(from, to);
    profile_add(p, &f);
}

START_TEST(test_distinct_strings_are_counted_by_their_bytes_up_to_a_bound)
{
    const bool second[2] = {false, true};
    int64_t rows;
    CLEANUP(profile_free) struct profile *p = profile_new(2, second);
    CLEANUP(profile_free) struct profile *q = profile_new(2, second);
    add_strings(p, 5, 6);
    add_strings(p, 5, 6); /* another dictionary, the same text */
    ck_assert_int_eq(profile_column(p, 0).distinct, 1);
    ck_assert(profile_column(p, 0).constant);
    ck_assert(isnan(profile_column(p, 0).min));
    ck_assert(isnan(profile_correlation(p, 0, 1, &rows)));
    add_strings(p, 0, PROFILE_DISTINCT_MAX);
    ck_assert_int_eq(profile_column(p, 0).distinct, PROFILE_DISTINCT_MAX);
    ck_assert(!profile_column(p, 0).distinct_more);
    ck_assert(!profile_column(p, 0).constant);
    add_strings(q, PROFILE_DISTINCT_MAX, PROFILE_DISTINCT_MAX + 1);
    profile_merge(p, q);
    ck_assert_int_eq(profile_column(p, 0).distinct, PROFILE_DISTINCT_MAX);
    ck_assert(profile_column(p, 0).distinct_more);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("profile");
    TCase *t = tcase_create("profile");
    tcase_add_test(t, test_min_mean_max_and_nulls_over_two_frames);
    tcase_add_test(t, test_constant_means_that_no_two_rows_differ);
    tcase_add_test(t, test_correlation_is_the_books_however_the_rows_are_cut);
    tcase_add_test(t, test_a_large_offset_costs_no_digits);
    tcase_add_test(t, test_merged_profiles_are_as_one);
    tcase_add_test(t, test_correlation_is_undefined_where_nothing_varies);
    tcase_add_test(t, test_distinct_strings_are_counted_by_their_bytes_up_to_a_bound);
    suite_add_tcase(s, t);
    return s;
}

UNIT_MAIN(suite)

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_plan.c - whole specs over a few rows, worked out by hand: the edges of windows, exact sums,
 * groups, fill. */
#include <math.h>

#include "codec/npy.h"
#include "plan_fixture.h"

static void runs(const char *csv)
{
    tables(&(struct csv_table){.name = "runs", .time = "day", .csv = csv}, 1);
}

static void races(const char *csv)
{
    tables(&(struct csv_table){.name = "runs", .time = "day", .group = "race", .csv = csv}, 1);
}

#define RUNS                                                                                       \
    "{'spec': 1, 'tables': {'runs': {'time': 'day'}}, 'target': {'table': 'runs', 'keep': []}, "   \
    "'features': {"
#define RACES                                                                                      \
    "{'spec': 1, 'tables': {'runs': {'time': 'day', 'group': 'race'}}, 'target': {'table': "       \
    "'runs', 'keep': []}, "                                                                        \
    "'features': {"
#define BY_ROW                                                                                     \
    "{'spec': 1, 'tables': {'runs': {'time': 'day'}}, 'target': {'table': 'runs', 'keep': [], "    \
    "'cutoff': 'off'}, "                                                                           \
    "'features': {"

/* ---- edges of windows ---- */

START_TEST(test_a_row_exactly_n_days_before_is_in_and_one_at_the_cutoff_is_not)
{
    runs("day,horse,x\n2023-12-31,1,1\n2024-01-01,1,2\n2024-01-30,1,4\n2024-01-31,1,8\n2024-02-01,"
         "1,16\n");
    expect(RUNS "'s': {'calc': 'sum(x)', 'by': 'horse', 'days': [1, 29, 30, 31]}, 'all': {'calc': "
                "'sum(x)', 'by': 'horse'}}}",
           "2024-01-31", "day,s_1d,s_29d,s_30d,s_31d,all\n2024-01-31,4,4,6,7,7\n");
}
END_TEST

START_TEST(test_timestamps_are_compared_to_the_microsecond)
{
    runs("day,horse,x\n2024-03-01 11:59:59.999999,1,1\n2024-03-01 12:00:00,1,2\n2024-03-02 "
         "11:59:59.999999,1,4\n"
         "2024-03-02 12:00:00,1,8\n2024-03-02 12:00:00,1,16\n");
    expect("{'spec': 1, 'tables': {'runs': {'time': 'day'}}, 'target': {'table': 'runs', 'keep': "
           "['x'], 'cutoff': 'day'},"
           "'features': {'s': {'calc': 'sum(x)', 'by': 'horse', 'days': 1}}}",
           "2024-03-02",
           "day,x,s\n2024-03-02 11:59:59.999999,4,3\n2024-03-02 12:00:00,8,6\n2024-03-02 "
           "12:00:00,16,6\n");
}
END_TEST

START_TEST(test_a_date_in_history_is_the_end_of_its_day)
{
    static const struct csv_table both[] = {
        {.name = "runs",
         .time = "day",
         .csv = "day,horse,off\n2024-03-02,1,2024-03-02 18:00\n"
                "2024-03-02,1,2024-03-02 23:59:59.999999\n2024-03-02,1,2024-03-02 00:00\n"},
        {.name = "rates",
         .time = "known",
         .csv = "known,horse,x\n2024-02-29,1,1\n2024-03-01,1,2\n2024-03-02,1,4\n"}};
    tables(both, 2);
    expect("{'spec': 1, 'tables': {'runs': {'time': 'day'}, 'rates': {'time': 'known'}}, 'target': "
           "{'table': 'runs',"
           "'keep': [], 'cutoff': 'off'}, 'features': {"
           "'s': {'calc': 'sum(x)', 'by': 'horse', 'from': 'rates', 'days': 1},"
           "'r': {'asof': 'rates.x', 'by': 'horse', 'age': true}}}",
           "2024-03-02",
           "day,s,r,r_age_days\n2024-03-02,2,2,1\n2024-03-02,2,2,1\n2024-03-02,2,2,1\n");
}
END_TEST

START_TEST(test_a_cutoff_that_is_a_date_is_the_start_of_its_day)
{
    runs("day,horse,off,x\n2024-03-01 23:59:59.999999,1,2024-03-01,1\n2024-03-02 "
         "00:00:00,1,2024-03-02,2\n"
         "2024-03-02 10:00:00,1,2024-03-02,4\n");
    expect(BY_ROW "'s': {'calc': 'sum(x)', 'by': 'horse'}, 'd': {'calc': 'days_since_last()', "
                  "'by': 'horse'}}}",
           "2024-03-02", "day,s,d\n2024-03-02 00:00:00,1,1\n2024-03-02 10:00:00,1,1\n");
}
END_TEST

/* The index knows where windows begin that are cut off at the row's own date; these are not all. */
#define ONE_AND_TWO_DAYS                                                                           \
    BY_ROW "'s': {'calc': 'sum(x)', 'by': 'horse', 'days': 1}, 't': {'calc': 'sum(x)', 'by': "     \
           "'horse', 'days': 2}}}"

START_TEST(test_a_cutoff_before_the_rows_own_date_moves_its_windows_back)
{
    runs("day,horse,off,x\n2024-03-01,1,2024-03-01,1\n2024-03-02,1,2024-03-02,2\n"
         "2024-03-03,1,2024-03-03,4\n2024-03-04,1,2024-03-04,8\n2024-03-04,1,2024-03-04,16\n"
         "2024-03-04,1,2024-03-03,32\n");
    expect(ONE_AND_TWO_DAYS, "2024-03-03", "day,s,t\n2024-03-03,2,3\n");
    expect(ONE_AND_TWO_DAYS, "2024-03-04",
           "day,s,t\n2024-03-04,4,6\n2024-03-04,4,6\n2024-03-04,2,3\n");
}
END_TEST

START_TEST(test_so_it_does_where_times_are_timestamps)
{
    runs("day,horse,off,x\n2024-03-01 12:00,1,2024-03-01,1\n2024-03-02 12:00,1,2024-03-02,2\n"
         "2024-03-03 12:00,1,2024-03-03,4\n2024-03-04 12:00,1,2024-03-04,8\n"
         "2024-03-04 12:01,1,2024-03-04,16\n2024-03-04 12:02,1,2024-03-03,32\n");
    expect(ONE_AND_TWO_DAYS, "2024-03-04",
           "day,s,t\n2024-03-04 12:00:00,4,6\n2024-03-04 12:01:00,4,6\n2024-03-04 12:02:00,2,3\n");
}
END_TEST

START_TEST(test_more_lengths_than_an_index_knows_starts_of_are_as_good)
{
    runs("day,horse,x\n2024-03-01,1,1\n2024-03-02,1,2\n2024-03-03,1,4\n2024-03-04,1,8\n"
         "2024-03-05,1,16\n2024-03-06,1,32\n2024-03-07,1,64\n2024-03-08,1,128\n2024-03-09,1,256\n"
         "2024-03-10,1,512\n2024-03-11,1,0\n");
    expect(
        "{'spec': 1, 'tables': {'runs': {'time': 'day'}}, 'target': {'table': 'runs', 'keep': []}, "
        "'features': {'s': {'calc': 'sum(x)', 'by': 'horse', "
        "'days': [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}}}",
        "2024-03-11",
        "day,s_1d,s_2d,s_3d,s_4d,s_5d,s_6d,s_7d,s_8d,s_9d,s_10d\n"
        "2024-03-11,512,768,896,960,992,1008,1016,1020,1022,1023\n");
}
END_TEST

START_TEST(test_a_delay_moves_both_edges)
{
    runs("day,horse,x\n2024-03-02,1,1\n2024-03-03,1,2\n2024-03-07,1,4\n2024-03-08,1,8\n2024-03-10,"
         "1,16\n");
    expect(RUNS "'s': {'calc': 'sum(x)', 'by': 'horse', 'days': 5, 'delay_days': 2},"
                "'t': {'calc': 'sum(x)', 'by': 'horse', 'delay_days': 2}, 'd': {'calc': "
                "'days_since_last()', 'by': 'horse',"
                "'delay_days': 2}}}",
           "2024-03-10", "day,s,t,d\n2024-03-10,6,7,3\n");
}
END_TEST

START_TEST(test_what_is_known_at_the_cutoff_or_later_is_not_known)
{
    runs("day,horse,seen,moment,x\n2024-03-01,1,2024-03-09,2024-03-09 23:59:59.999999,1\n"
         "2024-03-02,1,2024-03-10,2024-03-10 "
         "00:00:00,2\n2024-03-03,1,,,4\n2024-03-04,1,2024-03-01,2024-03-01 00:00:00,8\n"
         "2024-03-10,1,2024-03-11,2024-03-11 00:00:00,16\n");
    expect(RUNS "'d': {'calc': 'sum(x)', 'by': 'horse', 'known_at': 'seen'},"
                "'m': {'calc': 'sum(x)', 'by': 'horse', 'known_at': 'moment'},"
                "'l': {'calc': 'sum(x)', 'by': 'horse', 'known_at': 'seen', 'delay_days': 7},"
                "'one': {'calc': 'sum(x)', 'by': 'horse', 'known_at': 'seen', 'last': 1}}}",
           "2024-03-10", "day,d,m,l,one\n2024-03-10,9,9,1,8\n");
}
END_TEST

START_TEST(test_last_and_days_mean_both)
{
    runs("day,horse,x\n2024-03-01,1,1\n2024-03-05,1,2\n2024-03-06,1,4\n2024-03-09,1,8\n2024-03-10,"
         "1,16\n");
    expect(RUNS "'s': {'calc': 'sum(x)', 'by': 'horse', 'last': [2, 9], 'days': [1, 5]}}}",
           "2024-03-10", "day,s_l2_1d,s_l2_5d,s_l9_1d,s_l9_5d\n2024-03-10,8,12,8,14\n");
}
END_TEST

START_TEST(test_where_filters_before_last)
{
    runs("day,horse,trip,x\n2024-03-01,1,1000,1\n2024-03-02,1,1200,2\n2024-03-03,1,1000,4\n2024-03-"
         "04,1,2000,8\n"
         "2024-03-05,1,1100,16\n");
    expect(RUNS
           "'near': {'calc': 'sum(x)', 'by': 'horse', 'last': 2, 'where': 'abs(trip - target.trip) "
           "<= 100'},"
           "'all': {'calc': 'sum(x)', 'by': 'horse', 'where': 'abs(trip - target.trip) <= 100'},"
           "'own': {'calc': 'sum(x)', 'by': 'horse', 'last': 1, 'where': 'trip == 1000'},"
           "'after': {'calc': 'sum_if(x, trip == 1000)', 'by': 'horse', 'last': 2}}}",
           "2024-03-05", "day,near,all,own,after\n2024-03-05,6,7,4,4\n");
}
END_TEST

START_TEST(test_an_empty_window_counts_nothing_and_is_null_otherwise)
{
    runs("day,horse,x\n2024-03-01,,1\n2024-03-05,2,2\n2024-03-05,,2\n");
    expect(RUNS
           "'n': {'calc': 'count()', 'by': 'horse'}, 'u': {'calc': 'nunique(x)', 'by': 'horse'},"
           "'s': {'calc': 'sum(x)', 'by': 'horse'}, 'm': {'calc': 'count()', 'by': 'horse', "
           "'min_rows': 1}}}",
           "2024-03-05", "day,n,u,s,m\n2024-03-05,0,0,,\n2024-03-05,0,0,,\n");
}
END_TEST

/* ---- exact numbers ---- */

/* n rows of horse 1, one a day from 2024-01-01; values as written, over and over. The key is
 * 2024-06-01. */
static void run_series(int n, const char *const *values, int n_values)
{
    CLEANUP(str_deinit) struct str csv = {0};
    char day[DATE_TEXT];
    str_addz(&csv, "day,horse,x\n");
    for (int i = 0; i < n; i++) {
        date_format(day_of("2024-01-01") + i, day);
        str_addf(&csv, "%s,1,%s\n", day, values[i % n_values]);
    }
    str_addf(&csv, "2024-06-01,1,%s\n", values[0]);
    runs(csv.s);
}

/* Answers of calc, over the plain window and over one whose `where` makes every row be looked at:
 * the same. */
static char *both_ways(const char *calc)
{
    CLEANUP(mem_free_chars)
    char *spec = mem_printf(
        RUNS "'plain': {'calc': '%s', 'by': 'horse'}, 'looked': {'calc': '%s', 'by': 'horse', "
             "'where': 'horse == target.horse'}}}",
        calc, calc);
    char *csv = answers(spec, "2024-06-01"), *row = strstr(csv, "2024-06-01,");
    ck_assert_ptr_nonnull(row);
    char *plain = row + strlen("2024-06-01,"), *looked = strchr(plain, ',');
    size_t n = (size_t)(looked - plain);
    ck_assert_msg(strncmp(plain, looked + 1, n) == 0 && looked[1 + n] == '\n', "%s: %s", calc, csv);
    char *answer = mem_strndup(plain, n);
    free(csv);
    return answer;
}

static void expect_both_ways(const char *calc, const char *expected)
{
    CLEANUP(mem_free_chars) char *got = both_ways(calc);
    ck_assert_msg(strcmp(got, expected) == 0, "%s is %s, expected %s", calc, got, expected);
}

START_TEST(test_a_constant_window_spreads_exactly_nowhere)
{
    static const char *const decimal[] = {"55.1"};
    run_series(13, decimal, 1);
    expect_both_ways("std(x)", "0.0");
    expect_both_ways("var0(x)", "0.0");
    expect_both_ways("std(x / 3)", "0.0");
    expect_both_ways("skew(x)", "");
}
END_TEST

START_TEST(test_little_differences_far_from_zero_are_not_lost)
{
    static const char *const values[] = {"1000000000.001", "1000000000.002", "1000000000.003"};
    run_series(3, values, 3);
    long double x[3], mean = 0, sum = 0;
    for (int i = 0; i < 3; i++)
        mean += (x[i] = strtod(values[i], NULL)) / 3;
    for (int i = 0; i < 3; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    CLEANUP(mem_free_chars) char *got = both_ways("std(x)");
    ck_assert_double_eq_tol(strtod(got, NULL) / (double)sqrtl(sum / 2), 1, 1e-12);
}
END_TEST

START_TEST(test_ten_times_a_tenth_is_one)
{
    static const char *const tenth[] = {"0.1"};
    run_series(10, tenth, 1);
    expect_both_ways("sum(x)", "1.0");
    expect_both_ways("mean(x)", "0.1");
    expect_both_ways("sum_if(x, horse == 1)", "1.0");
}
END_TEST

START_TEST(test_long_sums_of_decimals_are_exact)
{
    static const char *const values[] = {"0.1", "", "0.2", "-0.3", "1000000.7"};
    run_series(100, values, 5);
    expect_both_ways("sum(x)", "20000014.0");
    expect_both_ways("mean(x)", "250000.175");
    expect_both_ways("count(x)", "80");
}
END_TEST

START_TEST(test_integer_sums_are_exact_beyond_two_to_the_53)
{
    static const char *const values[] = {"9007199254740993", "2"};
    run_series(30, values, 2);
    expect_both_ways("sum(x)", "135107988821114925");
}
END_TEST

START_TEST(test_sums_too_large_for_64_bits_are_wider)
{
    static const char *const values[] = {"9000000000000000000", "9000000000000000001",
                                         "-9000000000000000000"};
    run_series(30, values, 3);
    expect_both_ways("sum(x)", "9e+19");
    expect_both_ways("mean(x)", "3e+18");
}
END_TEST

START_TEST(test_sums_of_expressions_too_large_for_64_bits_are_wider_too)
{
    static const char *const values[] = {"9000000000000000000"};
    run_series(30, values, 1);
    expect_both_ways("sum(x - 1)", "2.7e+20");
    expect_both_ways("mean(x - 1)", "9e+18");
}
END_TEST

/* 9e18 and 5 are of one group only over history: on each day they stand alone. */
#define LARGE_CSV                                                                                  \
    "day,race,h,c\n2024-01-01,1,9000000000000000000,1\n2024-01-01,1,9000000000000000000,1\n"       \
    "2024-01-01,1,-9000000000000000000,0\n2024-01-02,1,5,1\n"

START_TEST(test_sums_and_differences_of_a_group_too_large_for_64_bits_are_wider_too)
{
    races(LARGE_CSV);
    expect(RACES "'s': {'calc': 'sum(h)', 'within': 'race'},"
                 "'o': {'calc': 'sum(h)', 'within': 'race', 'others': true},"
                 "'i': {'calc': 'sum_if(h, c == 1)', 'within': 'race'},"
                 "'r': {'calc': 'range(h)', 'within': 'race'},"
                 "'b': {'calc': 'diff_best(h)', 'within': 'race'},"
                 "'g': {'calc': 'gap_to(h, 3)', 'within': 'race'},"
                 "'e': {'calc': 'sum(h - 1)', 'within': 'race'}}}",
           "2024-01-01",
           "day,s,o,i,r,b,g,e\n"
           "2024-01-01,9e+18,0.0,1.8e+19,1.8e+19,0.0,1.8e+19,9e+18\n"
           "2024-01-01,9e+18,0.0,1.8e+19,1.8e+19,0.0,1.8e+19,9e+18\n"
           "2024-01-01,9e+18,1.8e+19,1.8e+19,1.8e+19,-1.8e+19,0.0,9e+18\n");
}
END_TEST

START_TEST(test_a_group_statistic_of_history_is_wider_and_so_is_what_reads_it)
{
    races(LARGE_CSV);
    expect("{'spec': 1, 'tables': {'runs': {'time': 'day', 'group': 'race', 'columns': {"
           "'t': {'calc': 'sum_if(h, c == 1)', 'within': 'race'}, 'u': 't / 2'}}},"
           "'target': {'table': 'runs', 'keep': []}, 'features': {"
           "'l': {'calc': 'last(t)', 'by': 'race'}, 'm': {'calc': 'max(u)', 'by': 'race'}}}",
           "2024-01-02", "day,l,m\n2024-01-02,1.8e+19,9e+18\n");
}
END_TEST

START_TEST(test_a_group_of_features_that_are_large_is_summed_wider)
{
    races(LARGE_CSV);
    expect(RACES "'n': {'expr': 'abs(h) - 1'},"
                 "'s': {'calc': 'sum(n)', 'within': 'race'}, 'd': {'expr': 's * 2'}}}",
           "2024-01-01",
           "day,n,s,d\n"
           "2024-01-01,8999999999999999999,2.7e+19,5.4e+19\n"
           "2024-01-01,8999999999999999999,2.7e+19,5.4e+19\n"
           "2024-01-01,8999999999999999999,2.7e+19,5.4e+19\n");
}
END_TEST

START_TEST(test_group_sums_that_fit_stay_integers)
{
    races("day,race,horse,x\n2024-01-01,1,1,7\n2024-01-02,1,1,1\n2024-01-02,1,2,2\n");
    expect(RACES
           "'n': {'calc': 'count()', 'by': 'horse'}, 'a': {'calc': 'sum(n)', 'within': 'race'},"
           "'p': {'calc': 'sum(x)', 'by': 'horse', 'fill': 0},"
           "'b': {'calc': 'sum(if(p > 3, p * x, coalesce(p, 0) - x))', 'within': 'race'},"
           "'c': {'calc': 'sum(a + b)', 'within': 'race', 'others': true},"
           "'d': {'calc': 'sum(if(x > 0, min(x, 5) % 3, null))', 'within': 'race'},"
           "'e': {'calc': 'diff_best(-x)', 'within': 'race'}, 'f': {'expr': 'e + month(day)'},"
           "'g': {'calc': 'gap_to(f, 1)', 'within': 'race'}}}",
           "2024-01-02",
           "day,n,a,p,b,c,d,e,f,g\n2024-01-02,1,1,7,5,6,3,0,1,0\n"
           "2024-01-02,0,1,0,5,6,3,-1,0,-1\n");
}
END_TEST

/* ---- many rows ---- */

/* Enough rows on one day for every thread to have work: `answers` compares. */
START_TEST(test_threads_and_indexes_do_not_change_a_byte_of_a_long_day)
{
    enum { DAYS = 6, A_DAY = 900 };
    static const char *const words[] = {"", "ann", "Zoë", "\"\""};
    CLEANUP(str_deinit) struct str csv = {0};
    uint32_t random = 1;
    str_addz(&csv, "day,race,horse,x,f,d,s\n");
    for (int i = 0; i < DAYS * A_DAY; i++) {
        random = random * 1664525 + 1013904223;
        uint32_t r = random >> 8;
        str_addf(&csv, "2024-03-%02d,%d,%d,%d,%.9e,%d.%d,%s\n", i / A_DAY + 1, i / 10,
                 (int)(r % 200), (int)(r % 17), (double)r / 7, (int)(r % 9), (int)(r % 10),
                 words[r % 4]);
    }
    races(csv.s);
    CLEANUP(mem_free_chars)
    char *got = answers(
        RACES
        "'a': {'calc': 'sum(f)', 'by': 'horse'}, 'b': {'calc': 'std(f)', 'by': 'horse', 'last': "
        "20},"
        "'c': {'calc': 'mean(d)', 'by': 'horse', 'days': 3}, 'm': {'calc': 'median(f)', 'by': "
        "'horse'},"
        "'e': {'calc': 'ewma(f, halflife_days=2)', 'by': 'horse'}, 'o': {'calc': 'mode(s)', 'by': "
        "'horse'},"
        "'p': {'calc': 'mean(f)', 'by': 'horse', 'prior': 3}, 'k': {'calc': 'kurt(f)', 'by': "
        "'horse'},"
        "'t': {'calc': 'sum(f)', 'by': 'horse', 'where': 'x > target.x'},"
        "'z': {'calc': 'zscore(a)', 'within': 'race'}, 'l': {'expr': 'ln(f) + exp(-x) + log10(f)'},"
        "'y': {'expr': 'cyc(f, 7)'}, 'n': {'calc': 'entropy(s)', 'by': 'horse'}}}",
        "2024-03-06");
    int lines = 0;
    for (const char *c = got; *c; c++)
        lines += *c == '\n';
    ck_assert_int_eq(lines, A_DAY + 1);
    ck_assert_ptr_nonnull(strstr(got, "Zoë"));
}
END_TEST

/* ---- groups ---- */

START_TEST(test_a_null_group_is_a_group_alone)
{
    races(
        "day,race,draw,x\n2024-03-01,1,1,5\n2024-03-01,,2,6\n2024-03-01,,3,7\n2024-03-01,1,4,8\n");
    expect(RACES "'n': {'calc': 'size()', 'within': 'race'}, 'r': {'calc': 'rank(x, desc)', "
                 "'within': 'race'},"
                 "'o': {'calc': 'max(x)', 'within': 'race', 'others': true}}}",
           "2024-03-01",
           "day,n,r,o\n2024-03-01,1,1,\n2024-03-01,1,1,\n2024-03-01,2,2,8\n2024-03-01,2,1,5\n");
}
END_TEST

START_TEST(test_target_where_leaves_rows_out_of_the_output_alone)
{
    races("day,race,horse,x\n2024-03-01,1,1,5\n2024-03-02,2,1,6\n2024-03-02,2,2,9\n");
    expect("{'spec': 1, 'tables': {'runs': {'time': 'day', 'group': 'race'}},"
           "'target': {'table': 'runs', 'keep': ['horse'], 'where': 'x < 6.5'}, 'features': {"
           "'n': {'calc': 'size()', 'within': 'race'}, 's': {'calc': 'sum(x)', 'by': 'horse'}}}",
           "2024-03-02", "day,horse,n,s\n2024-03-02,1,2,5\n");
}
END_TEST

START_TEST(test_a_cutoff_after_the_rows_own_time_is_an_error_that_names_it)
{
    runs("day,horse,off\n2024-03-02 10:00,1,2024-03-02 10:00\n2024-03-02 11:00,1,2024-03-02 "
         "11:00:01\n");
    expect_failure(BY_ROW "'n': {'calc': 'count()', 'by': 'horse'}}}", "2024-03-02", "row 1",
                   "runs", "2024-03-02 11:00:01", "'off'", "after the row's own time 'day'");
}
END_TEST

START_TEST(test_a_null_cutoff_is_an_error_that_names_the_row)
{
    runs("day,horse,off\n2024-03-02,1,2024-03-02\n2024-03-02,1,\n");
    expect_failure(BY_ROW "'n': {'calc': 'count()', 'by': 'horse'}}}", "2024-03-02", "row 1",
                   "runs", "'off' is null; fill it in", "coalesce(off, …)");
}
END_TEST

START_TEST(test_a_group_of_different_cutoffs_is_an_error)
{
    races("day,race,horse,off\n2024-03-02,1,1,2024-03-01\n2024-03-02,1,2,2024-03-02\n");
    expect_failure("{'spec': 1, 'tables': {'runs': {'time': 'day', 'group': 'race'}}, 'target': "
                   "{'table': 'runs',"
                   "'cutoff': 'off'}, 'features': {'n': {'calc': 'size()', 'within': 'race'}}}",
                   "2024-03-02", "features.n: the group race = 1 on 2024-03-02",
                   "row 0 of its date in table 'runs' (off 2024-03-01)", "row 1 of its date",
                   "(off 2024-03-02)", "give them one 'off', or add 'off' to \"within\"");
}
END_TEST

START_TEST(test_a_cycle_names_both_features)
{
    races("day,race,x\n2024-03-02,1,1\n");
    expect_failure(RACES "'a': {'expr': 'b + 1'}, 'b': {'calc': 'mean(a)', 'within': 'race'}}}",
                   "2024-03-02", "features.a", "features.b", "cycle");
}
END_TEST

/* ---- prior and fill ---- */

/* Before 2024-03-05: x is 1, 0, 0 of horse 1 and 1 of horse 2; p is 2 / 4, k is 2. */
START_TEST(test_prior_draws_towards_everybodys_mean)
{
    runs("day,horse,x\n2024-03-01,1,1\n2024-03-02,1,0\n2024-03-03,1,0\n2024-03-03,2,1\n2024-03-05,"
         "1,1\n2024-03-05,2,1\n"
         "2024-03-05,3,1\n2024-03-05,,1\n");
    expect(RUNS "'p': {'calc': 'mean(x)', 'by': 'horse', 'prior': 2},"
                "'l': {'calc': 'mean(x)', 'by': 'horse', 'prior': 2, 'last': 1},"
                "'d': {'calc': 'rate(x == 1)', 'by': 'horse', 'prior': 1, 'days': 3}}}",
           "2024-03-05",
           "day,p,l,d\n"
           "2024-03-05,0.4,0.3333333333333333,0.1111111111111111\n" /* (1 + 1) / 5, (0 + 1) / 3, (0
                                                                       + 1/3) / 3 */
           "2024-03-05,0.6666666666666666,0.6666666666666666,0.6666666666666666\n"
           "2024-03-05,0.5,0.5,0.3333333333333333\n"
           "2024-03-05,0.5,0.5,0.3333333333333333\n");
}
END_TEST

#define FILL_CSV                                                                                   \
    "day,race,horse,i,d,f,day2,at,s,z\n2024-03-01,1,1,7,0.5,2.5e-3,2024-02-01,2024-02-01 "         \
    "10:00,b,\n"                                                                                   \
    "2024-03-02,2,1,7,0.5,2.5e-3,2024-02-01,2024-02-01 10:00,b,\n2024-03-02,2,2,,,,,,,\n"

START_TEST(test_fill_over_windows_takes_every_type)
{
    races(FILL_CSV);
    expect(RACES "'i': {'calc': 'last(i)', 'by': 'horse', 'fill': -1}, 'd': {'calc': 'last(d)', "
                 "'by': 'horse', 'fill': 2},"
                 "'f': {'calc': 'last(f)', 'by': 'horse', 'fill': 1.5},"
                 "'b': {'calc': 'last(i == 7)', 'by': 'horse', 'fill': false},"
                 "'t': {'calc': 'last(day2)', 'by': 'horse', 'fill': '2000-01-01'},"
                 "'u': {'calc': 'last(at)', 'by': 'horse', 'fill': '2000-01-01 12:00:00'},"
                 "'s': {'calc': 'last(s)', 'by': 'horse', 'fill': 'a, a'},"
                 "'e': {'calc': 'last(s)', 'by': 'horse', 'fill': ''}}}",
           "2024-03-02",
           "day,i,d,f,b,t,u,s,e\n"
           "2024-03-02,7,0.5,0.0025,1,2024-02-01,2024-02-01 10:00:00,b,b\n"
           "2024-03-02,-1,2.0,1.5,0,2000-01-01,2000-01-01 12:00:00,\"a, a\",\"\"\n");
}
END_TEST

START_TEST(test_fill_over_groups_and_expressions_takes_every_type)
{
    races(FILL_CSV);
    expect(RACES
           "'fi': {'calc': 'max(i)', 'within': 'race', 'others': true, 'fill': -1},"
           "'fd': {'calc': 'max(d)', 'within': 'race', 'others': true, 'fill': 2},"
           "'fb': {'calc': 'max(i == 7)', 'within': 'race', 'others': true, 'fill': false},"
           "'ft': {'calc': 'max(day2)', 'within': 'race', 'others': true, 'fill': '2000-01-01'},"
           "'fs': {'calc': 'mode(s)', 'within': 'race', 'others': true, 'fill': 'c'},"
           "'fx': {'expr': 's', 'fill': 'a'}, 'fy': {'expr': 'i + 0.5', 'fill': 0}}}",
           "2024-03-02",
           "day,fi,fd,fb,ft,fs,fx,fy\n"
           "2024-03-02,-1,2.0,0,2000-01-01,c,b,7.5\n"
           "2024-03-02,7,0.5,1,2024-02-01,b,a,0.0\n");
}
END_TEST

START_TEST(test_fill_of_another_type_is_refused)
{
    races(FILL_CSV);
    expect_failure(RACES "'i': {'calc': 'last(i)', 'by': 'horse', 'fill': 'none'}}}", "2024-03-02",
                   "features.i.fill", "string", "integer");
    expect_failure(RACES "'s': {'calc': 'last(s)', 'by': 'horse', 'fill': 0}}}", "2024-03-02",
                   "features.s.fill", "number", "string; write a string");
    expect_failure(RACES "'b': {'calc': 'last(i == 7)', 'by': 'horse', 'fill': 0}}}", "2024-03-02",
                   "features.b.fill: a number does not fit a column of type bool",
                   "write true or false");
    expect_failure(RACES "'t': {'calc': 'last(day2)', 'by': 'horse', 'fill': '2024-02-30'}}}",
                   "2024-03-02", "features.t.fill: a string \"2024-02-30\" does not fit",
                   "type date; write a date that exists, as \"2024-01-31\"");
    expect_failure(RACES "'u': {'calc': 'last(at)', 'by': 'horse', 'fill': 0}}}", "2024-03-02",
                   "write a time that exists, as \"2024-01-31 15:04:05\"");
}
END_TEST

/* ---- asof and lookup ---- */

#define RUNS_RATES_HORSES                                                                          \
    "{'spec': 1, 'tables': {'runs': {'time': 'day'}, 'rates': {'time': 'day'}, 'horses': {'key': " \
    "'horse'}}, 'target': {'table': 'runs', 'keep': []}, 'features': {"

static void runs_rates_horses(const char *runs_csv, const char *rates_csv, const char *horses_csv)
{
    tables((struct csv_table[]){{.name = "runs", .time = "day", .csv = runs_csv},
                                {.name = "rates", .time = "day", .csv = rates_csv},
                                {.name = "horses", .key = "horse", .csv = horses_csv}},
           3);
}

/* A name of asof and lookup is written as it is: no quotes, whatever is in it. */
START_TEST(test_asof_and_lookup_read_columns_of_any_name)
{
    runs_rates_horses("day,horse\n2024-03-02,1\n", "day,horse,a`b,c d\n2024-03-01,1,7,8\n",
                      "horse,``,`e`,in,x.y\n1,3,4,5,6\n");
    expect(RUNS_RATES_HORSES
           "'a': {'asof': 'rates.a`b', 'by': 'horse'}, 'c': {'asof': 'rates.c d', 'by': 'horse'},"
           "'q': {'lookup': 'horses.``', 'by': 'horse'}, 'e': {'lookup': 'horses.`e`', 'by': "
           "'horse'}, 'i': {'lookup': 'horses.in', 'by': 'horse'}, 'x': {'lookup': 'horses.x.y', "
           "'by': 'horse'}}}",
           "2024-03-02", "day,a,c,q,e,i,x\n2024-03-02,7,8,3,4,5,6\n");
    expect_failure(RUNS_RATES_HORSES "'c': {'asof': 'rates.`c d`', 'by': 'horse'}}}", "2024-03-02",
                   "features.c", "unknown column '`c d`' in table 'rates'", "did you mean 'c d'?");
}
END_TEST

/* 2^53 + 1 is no double: it must not meet 2^53. */
START_TEST(test_keys_that_are_numbers_match_by_value)
{
    runs_rates_horses("day,i,d,f\n2024-03-02,1,1.0,1e0\n2024-03-02,2,2.5,2.5e0\n2024-03-02,"
                      "9007199254740993,,1e300\n2024-03-02,,-1.5,\n",
                      "day,i,d,f,x\n2024-03-01,1.00,1.000,1.0,7\n2024-03-01,2.25,2.500,2.5,8\n"
                      "2024-03-01,9007199254740992.00,-1.500,,9\n",
                      "horse,x\n1,7\n2,8\n9007199254740992,9\n");
    expect(RUNS_RATES_HORSES
           "'i': {'asof': 'rates.x', 'by': 'i'}, 'd': {'asof': 'rates.x', 'by': 'd'},"
           "'f': {'asof': 'rates.x', 'by': 'f'}, 'both': {'asof': 'rates.x', 'by': ['i', 'd']},"
           "'hi': {'lookup': 'horses.x', 'by': 'i'}, 'hd': {'lookup': 'horses.x', 'by': 'd'},"
           "'hf': {'lookup': 'horses.x', 'by': 'f'}}}",
           "2024-03-02",
           "day,i,d,f,both,hi,hd,hf\n2024-03-02,7,7,7,7,7,7,7\n2024-03-02,,8,8,,8,,\n"
           "2024-03-02,,,,,,,\n2024-03-02,,9,,,,,\n");
}
END_TEST

START_TEST(test_keys_that_can_never_match_are_refused_with_the_way_out)
{
    runs_rates_horses("day,horse,none\n2024-03-02,a,\n", "day,horse\n2024-03-01,1\n",
                      "horse,none\n1,\n");
    expect_failure(RUNS_RATES_HORSES "'n': {'calc': 'count()', 'from': 'rates', 'by': 'horse'}}}",
                   "2024-03-02", "features.n: 'horse' of table 'runs' is string",
                   "'horse' of table 'rates' is integer", "horse:string after the file of --csv",
                   "CAST");
    expect(RUNS_RATES_HORSES "'n': {'lookup': 'horses.none', 'by': 'none'}}}", "2024-03-02",
           "day,n\n2024-03-02,\n"); /* a column without values is float */
}
END_TEST

/* ---- output ---- */

#define LONG_50 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
#define LONG_196 LONG_50 LONG_50 LONG_50 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"

START_TEST(test_names_that_onehot_and_cyc_make_are_names)
{
    runs("day,s\n2024-03-02,a\n");
    expect_failure(RUNS "'m': {'expr': 'onehot(s, [~a~, ~a\\nb~])'}}}", "2024-03-02",
                   "features.m: a name may not hold control characters", "named after its value",
                   "{\"expr\": \"s == VALUE\"}");
    expect_failure(RUNS "'m': {'expr': 'onehot(s, [~" LONG_196 "b~, ~" LONG_196 "bcd~])'}}}",
                   "2024-03-02", "features.m: a name may be at most 200 bytes long",
                   "this one has 201", "named after its value");
    expect_failure(RUNS "'" LONG_196 "m': {'expr': 'cyc(month(day), 12)'}}}", "2024-03-02",
                   "this one has 201, with what cyc adds to it: choose a shorter one");
    expect(RUNS "'m': {'expr': 's == ~a\\nb~'}}}", "2024-03-02", "day,m\n2024-03-02,0\n");
}
END_TEST

START_TEST(test_npy_types_follow_the_columns)
{
    static const char *const descr[] = {"<M8[D]", "<i8", "<f8", "<f8", "<M8[us]", "<U2",
                                        "<i8",    "<f8", "<i8", "<f8", "<U4",     "<i8"};
    races(
        "day,race,horse,i,d,at,s\n2024-03-01,1,1,7,0.5,2024-02-01 10:00,b\n2024-03-01,1,2,,,,Zö\n");
    CLEANUP(spec_free)
    struct spec *spec = spec_of(
        "{'spec': 1, 'tables': {'runs': {'time': 'day', 'group': 'race'}}, 'target': {'table': "
        "'runs', 'keep': ['horse', "
        "'i', 'd', 'at', 's']}, 'features': {'n': {'calc': 'count()', 'by': 'horse'}, 'm': "
        "{'calc': 'sum(i)', 'by': 'horse'},"
        "'k': {'calc': 'rank(horse)', 'within': 'race'}, 'r': {'calc': 'rank(i)', 'within': "
        "'race'},"
        "'f': {'calc': 'last(s)', 'by': 'horse', 'fill': 'nöne'}, 'b': {'expr': 'horse == 1'}}}");
    CLEANUP(plan_free) struct plan *plan = NULL;
    CLEANUP(frame_deinit) struct frame frame = {0};
    ck_assert_int_eq(compute(spec, "2024-03-01", 1, false, &plan, &frame), 0);
    ck_assert_int_eq(frame.n_columns, 12);
    for (int c = 0; c < frame.n_columns; c++) {
        CLEANUP(str_deinit) struct str npy = {0};
        struct npy_header header;
        int r = npy_write_column(&npy, &frame.columns[c], false, &fixture_err);
        ck_assert_msg(r == 0, "%s: %s", frame.columns[c].name, fixture_err.text);
        ck_assert_int_eq(npy_parse(npy.s, npy.len, &header, &fixture_err), 0);
        ck_assert_msg(strcmp(header.descr, descr[c]) == 0, "%s is %s, expected %s",
                      frame.columns[c].name, header.descr, descr[c]);
    }
}
END_TEST

static Suite *plan_suite(void)
{
    Suite *suite = suite_create("plan");
    TCase *tc = tcase_create("plan");
    tcase_add_checked_fixture(tc, plan_setup, plan_teardown);
    tcase_set_timeout(tc, 120);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, test_a_row_exactly_n_days_before_is_in_and_one_at_the_cutoff_is_not);
    tcase_add_test(tc, test_timestamps_are_compared_to_the_microsecond);
    tcase_add_test(tc, test_a_date_in_history_is_the_end_of_its_day);
    tcase_add_test(tc, test_a_cutoff_that_is_a_date_is_the_start_of_its_day);
    tcase_add_test(tc, test_a_cutoff_before_the_rows_own_date_moves_its_windows_back);
    tcase_add_test(tc, test_so_it_does_where_times_are_timestamps);
    tcase_add_test(tc, test_more_lengths_than_an_index_knows_starts_of_are_as_good);
    tcase_add_test(tc, test_a_delay_moves_both_edges);
    tcase_add_test(tc, test_what_is_known_at_the_cutoff_or_later_is_not_known);
    tcase_add_test(tc, test_last_and_days_mean_both);
    tcase_add_test(tc, test_where_filters_before_last);
    tcase_add_test(tc, test_an_empty_window_counts_nothing_and_is_null_otherwise);
    tcase_add_test(tc, test_a_constant_window_spreads_exactly_nowhere);
    tcase_add_test(tc, test_little_differences_far_from_zero_are_not_lost);
    tcase_add_test(tc, test_ten_times_a_tenth_is_one);
    tcase_add_test(tc, test_long_sums_of_decimals_are_exact);
    tcase_add_test(tc, test_integer_sums_are_exact_beyond_two_to_the_53);
    tcase_add_test(tc, test_sums_too_large_for_64_bits_are_wider);
    tcase_add_test(tc, test_sums_of_expressions_too_large_for_64_bits_are_wider_too);
    tcase_add_test(tc, test_sums_and_differences_of_a_group_too_large_for_64_bits_are_wider_too);
    tcase_add_test(tc, test_a_group_statistic_of_history_is_wider_and_so_is_what_reads_it);
    tcase_add_test(tc, test_a_group_of_features_that_are_large_is_summed_wider);
    tcase_add_test(tc, test_group_sums_that_fit_stay_integers);
    tcase_add_test(tc, test_threads_and_indexes_do_not_change_a_byte_of_a_long_day);
    tcase_add_test(tc, test_a_null_group_is_a_group_alone);
    tcase_add_test(tc, test_target_where_leaves_rows_out_of_the_output_alone);
    tcase_add_test(tc, test_a_cutoff_after_the_rows_own_time_is_an_error_that_names_it);
    tcase_add_test(tc, test_a_null_cutoff_is_an_error_that_names_the_row);
    tcase_add_test(tc, test_a_group_of_different_cutoffs_is_an_error);
    tcase_add_test(tc, test_a_cycle_names_both_features);
    tcase_add_test(tc, test_prior_draws_towards_everybodys_mean);
    tcase_add_test(tc, test_fill_over_windows_takes_every_type);
    tcase_add_test(tc, test_fill_over_groups_and_expressions_takes_every_type);
    tcase_add_test(tc, test_fill_of_another_type_is_refused);
    tcase_add_test(tc, test_asof_and_lookup_read_columns_of_any_name);
    tcase_add_test(tc, test_keys_that_are_numbers_match_by_value);
    tcase_add_test(tc, test_keys_that_can_never_match_are_refused_with_the_way_out);
    tcase_add_test(tc, test_names_that_onehot_and_cyc_make_are_names);
    tcase_add_test(tc, test_npy_types_follow_the_columns);
    return suite;
}

UNIT_MAIN(plan_suite)

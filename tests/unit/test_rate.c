/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_rate.c - ratings worked out by hand. */
#include "features/rate.h"

#include <math.h>

#include "base/date.h"
#include "csv_fixture.h"

#define OPTIONS .by = "who", .within = "grp", .order = "place", .k = 24, .start = 1500, .scale = 400
static const struct rate_options plain = {OPTIONS};

enum { RATING = RATE_BY + 1, GAMES }; /* with one column in by */

static struct snapshot *snapshot;
static struct frame ratings;

static void setup(void)
{
    fixture_setup();
    snapshot = NULL;
    ratings = (struct frame){0};
}

static void teardown(void)
{
    frame_deinit(&ratings);
    snapshot_close(snapshot);
    fixture_teardown();
}

static int rate_try(const char *csv, const struct rate_options *options)
{
    snapshot = fixture_make("s", csv, FIXTURE_GROUPED);
    fixture_err = (struct err){0};
    return rate_table(&snapshot->tables[0], options, &ratings, &fixture_err);
}

static void rate(const char *csv, const struct rate_options *options)
{
    int r = rate_try(csv, options);
    ck_assert_msg(r == 0, "%s", fixture_err.text);
}

/* Row i is this one. */
static void expect_row(int64_t i, const char *day, const char *who, double rating, int64_t games)
{
    char text[DATE_TEXT];
    const struct column *c = ratings.columns;
    ck_assert_int_lt(i, ratings.rows);
    date_format(c[RATE_TIME].i[i], text);
    ck_assert_str_eq(text, day);
    struct text name = dict_text(&c[RATE_BY].dict, c[RATE_BY].code[i]);
    ck_assert_msg((size_t)name.len == strlen(who) && memcmp(name.s, who, strlen(who)) == 0,
                  "row %d is of %.*s, not %s", (int)i, (int)name.len, name.s, who);
    ck_assert_msg(fabs(c[RATING].f[i] - rating) < 1e-9, "%s on %s: %.12g, not %.12g", who, day,
                  c[RATING].f[i], rating);
    ck_assert_int_eq(c[GAMES].i[i], games);
}

static double expected(double mine, double theirs)
{
    return 1 / (1 + pow(10, (theirs - mine) / 400));
}

START_TEST(test_two_of_equal_rating_exchange_half_of_k)
{
    rate("day,grp,who,place\n2024-01-01,1,ann,1\n2024-01-01,1,bob,2\n", &plain);
    ck_assert_int_eq(ratings.rows, 2);
    expect_row(0, "2024-01-01", "ann", 1512, 1);
    expect_row(1, "2024-01-01", "bob", 1488, 1);
    ck_assert_str_eq(ratings.columns[RATE_TIME].name, "day");
    ck_assert_str_eq(ratings.columns[RATE_BY].name, "who");
}
END_TEST

START_TEST(test_the_weaker_one_wins_more)
{
    rate("day,grp,who,place\n2024-01-01,1,ann,1\n2024-01-01,1,bob,2\n"
         "2024-01-02,2,ann,2\n2024-01-02,2,bob,1\n",
         &plain);
    double gain = 24 * (1 - expected(1488, 1512));
    ck_assert(gain > 12.8 && gain < 12.9);
    expect_row(2, "2024-01-02", "ann", 1512 - gain, 2);
    expect_row(3, "2024-01-02", "bob", 1488 + gain, 2);
}
END_TEST

START_TEST(test_three_are_three_pairs_of_half_weight)
{
    rate("day,grp,who,place\n2024-01-01,1,ann,1\n2024-01-01,1,bob,2\n2024-01-01,1,cid,3\n"
         "2024-01-03,2,ann,3\n2024-01-03,2,bob,1\n2024-01-03,2,cid,2\n",
         &plain);
    expect_row(0, "2024-01-01", "ann", 1512, 1);
    expect_row(1, "2024-01-01", "bob", 1500, 1);
    expect_row(2, "2024-01-01", "cid", 1488, 1);
    double ann = 0 - expected(1512, 1500) + 0 - expected(1512, 1488);
    double bob = 1 - expected(1500, 1512) + 1 - expected(1500, 1488);
    double cid = 1 - expected(1488, 1512) + 0 - expected(1488, 1500);
    expect_row(3, "2024-01-03", "ann", 1512 + 12 * ann, 2);
    expect_row(4, "2024-01-03", "bob", 1500 + 12 * bob, 2);
    expect_row(5, "2024-01-03", "cid", 1488 + 12 * cid, 2);
}
END_TEST

START_TEST(test_a_tie_is_half_a_win_each)
{
    rate("day,grp,who,place\n2024-01-01,1,ann,1\n2024-01-01,1,bob,1\n2024-01-01,1,cid,3\n", &plain);
    expect_row(0, "2024-01-01", "ann", 1506, 1);
    expect_row(1, "2024-01-01", "bob", 1506, 1);
    expect_row(2, "2024-01-01", "cid", 1488, 1);
}
END_TEST

START_TEST(test_equals_that_tie_keep_their_rating_and_have_played)
{
    rate("day,grp,who,place\n2024-01-01,1,ann,1\n2024-01-01,1,bob,1\n", &plain);
    expect_row(0, "2024-01-01", "ann", 1500, 1);
    expect_row(1, "2024-01-01", "bob", 1500, 1);
}
END_TEST

START_TEST(test_who_did_not_finish_takes_no_part)
{
    rate("day,grp,who,place\n2024-01-01,1,ann,1\n2024-01-01,1,bob,2\n2024-01-01,1,aaron,\n",
         &plain);
    ck_assert_int_eq(ratings.rows, 2);
    expect_row(0, "2024-01-01", "ann", 1512, 1);
    expect_row(1, "2024-01-01", "bob", 1488, 1);
    ck_assert_int_eq(ratings.columns[RATE_BY].dict.n, 2); /* a dictionary without aaron */
}
END_TEST

START_TEST(test_who_meets_nobody_has_no_row)
{
    rate("day,grp,who,place\n2024-01-01,1,ann,1\n2024-01-01,1,bob,\n" /* the other did not finish */
         "2024-01-01,2,cid,1\n"                                       /* alone */
         "2024-01-01,,dan,1\n2024-01-01,,eve,2\n"                     /* no group */
         "2024-01-02,3,,1\n2024-01-02,3,fay,2\n",                     /* the other has no name */
         &plain);
    ck_assert_int_eq(ratings.rows, 0);
    ck_assert_int_eq(ratings.n_columns, 4);
}
END_TEST

/* ann on ada and ann on eve are two, and so are 1,23 and 12,3. */
START_TEST(test_each_combination_of_several_columns_is_rated)
{
    struct rate_options options = {OPTIONS};
    options.by = "who,horse";
    rate("day,grp,who,horse,place\n2024-01-01,1,ann,23,1\n2024-01-01,1,bob,3,2\n"
         "2024-01-01,1,ann,,3\n2024-01-02,2,ann,3,1\n2024-01-02,2,ann,23,2\n",
         &options);
    ck_assert_int_eq(ratings.n_columns, 5);
    ck_assert_str_eq(ratings.columns[RATE_BY + 1].name, "horse");
    static const struct {
        const char *who;
        int64_t horse, games;
    } rows[] = {{"ann", 23, 1}, {"bob", 3, 1}, {"ann", 3, 1}, {"ann", 23, 2}};
    double lost = 24 * expected(1512, 1500);
    const double values[] = {1512, 1488, 1500 + lost, 1512 - lost};
    struct column *c = ratings.columns;
    ck_assert_int_eq(ratings.rows, 4);
    for (int i = 0; i < 4; i++) {
        struct text name = dict_text(&c[RATE_BY].dict, c[RATE_BY].code[i]);
        ck_assert_int_eq(c[RATE_TIME].i[i], i < 2 ? 19723 : 19724); /* 2024-01-01, -02 */
        ck_assert(memcmp(name.s, rows[i].who, 3) == 0);
        ck_assert_int_eq(c[RATE_BY + 1].i[i], rows[i].horse);
        ck_assert_double_eq_tol(c[3].f[i], values[i], 1e-9);
        ck_assert_int_eq(c[4].i[i], rows[i].games);
    }
}
END_TEST

START_TEST(test_a_column_with_a_comma_in_its_name_is_one)
{
    struct rate_options options = {OPTIONS};
    options.by = "who,horse";
    rate("day,grp,\"who,horse\",place\n2024-01-01,1,ann,1\n2024-01-01,1,bob,2\n", &options);
    expect_row(0, "2024-01-01", "ann", 1512, 1);
}
END_TEST

START_TEST(test_groups_of_one_day_start_from_the_day_before_and_add_up)
{
    rate("day,grp,who,place\n2024-01-01,1,ann,1\n2024-01-01,1,bob,2\n"
         "2024-01-02,2,ann,1\n2024-01-02,2,bob,2\n2024-01-02,3,ann,1\n2024-01-02,3,bob,2\n",
         &plain);
    ck_assert_int_eq(ratings.rows, 4);
    double gain = 24 * (1 - expected(1512, 1488)); /* twice the same: no group sees the other */
    expect_row(2, "2024-01-02", "ann", 1512 + 2 * gain, 3);
    expect_row(3, "2024-01-02", "bob", 1488 - 2 * gain, 3);
}
END_TEST

START_TEST(test_one_group_number_on_two_days_is_two_groups)
{
    rate("day,grp,who,place\n2024-01-01,1,ann,1\n2024-01-02,1,bob,2\n", &plain);
    ck_assert_int_eq(ratings.rows, 0);
}
END_TEST

START_TEST(test_two_runners_of_one_trainer_meet_the_others_and_cancel_out)
{
    rate("day,grp,who,place\n2024-01-01,1,ann,1\n2024-01-01,1,ann,3\n2024-01-01,1,bob,2\n", &plain);
    ck_assert_int_eq(ratings.rows, 2);
    expect_row(0, "2024-01-01", "ann", 1500, 2);
    expect_row(1, "2024-01-01", "bob", 1500, 1);
}
END_TEST

START_TEST(test_desc_turns_the_order_round)
{
    struct rate_options options = {OPTIONS, .desc = true};
    rate("day,grp,who,place\n2024-01-01,1,ann,3\n2024-01-01,1,bob,0\n", &options);
    expect_row(0, "2024-01-01", "ann", 1512, 1);
}
END_TEST

START_TEST(test_k_start_and_scale_are_what_they_say)
{
    struct rate_options options = {OPTIONS};
    options.k = 10;
    options.start = 0;
    options.scale = 10;
    rate("day,grp,who,place\n2024-01-01,1,ann,1\n2024-01-01,1,bob,2\n"
         "2024-01-02,1,ann,1\n2024-01-02,1,bob,2\n",
         &options);
    expect_row(0, "2024-01-01", "ann", 5, 1);
    expect_row(2, "2024-01-02", "ann", 5 + 10 * (1 - 1 / 1.1), 2); /* 10 ahead: ten wins to one */
}
END_TEST

START_TEST(test_a_lead_beyond_all_numbers_expects_everything)
{
    struct rate_options options = {OPTIONS};
    options.scale = 1e-300;
    rate("day,grp,who,place\n2024-01-01,1,ann,1\n2024-01-01,1,bob,2\n"
         "2024-01-02,1,ann,1\n2024-01-02,1,bob,2\n",
         &options);
    expect_row(2, "2024-01-02", "ann", 1512, 2);
    expect_row(3, "2024-01-02", "bob", 1488, 2);
}
END_TEST

START_TEST(test_later_results_change_no_earlier_rating)
{
    static const char head[] = "day,grp,who,place\n2024-01-01,1,ann,1\n2024-01-01,1,bob,2\n"
                               "2024-01-02,2,bob,1\n2024-01-02,2,cid,2\n";
    CLEANUP(mem_free_chars)
    char *one = mem_printf("%s2024-01-03,3,ann,1\n2024-01-03,3,cid,2\n", head);
    CLEANUP(mem_free_chars)
    char *two = mem_printf("%s2024-01-03,3,ann,9\n2024-01-03,3,cid,2\n", head);
    rate(one, &plain);
    struct frame before = ratings;
    struct snapshot *first = snapshot;
    ratings = (struct frame){0};
    snapshot = fixture_make("t", two, FIXTURE_GROUPED);
    ck_assert_int_eq(rate_table(&snapshot->tables[0], &plain, &ratings, &fixture_err), 0);
    ck_assert_int_eq(ratings.rows, 6);
    ck_assert_int_eq(memcmp(before.columns[RATING].f, ratings.columns[RATING].f, 4 * 8), 0);
    ck_assert(before.columns[RATING].f[4] != ratings.columns[RATING].f[4]);
    frame_deinit(&before);
    snapshot_close(first);
}
END_TEST

START_TEST(test_a_group_too_large_is_refused_by_name_of_the_column)
{
    CLEANUP(str_deinit) struct str csv = {0};
    str_addz(&csv, "day,grp,who,place\n");
    for (int i = 0; i <= RATE_GROUP_MAX; i++)
        str_addf(&csv, "2024-01-01,1,w%d,%d\n", i, i);
    fixture_expect(rate_try(csv.s, &plain), ERR_INPUT, "--within", "10001 rows of 2024-01-01",
                   "grp");
}
END_TEST

START_TEST(test_what_cannot_be_rated_is_refused_in_words)
{
    static const char csv[] = "day,grp,who,place,rating\n2024-01-01,1,ann,first,1\n";
    struct rate_options options = {OPTIONS};
    fixture_expect(rate_try(csv, &options), ERR_INPUT, "--order", "place", "text");
    const struct table *t = &snapshot->tables[0];
    options.order = "plaice";
    fixture_expect(rate_table(t, &options, &ratings, &fixture_err), ERR_INPUT, "--order",
                   "did you mean 'place'");
    options = (struct rate_options){OPTIONS};
    options.order = options.by = "rating";
    fixture_expect(rate_table(t, &options, &ratings, &fixture_err), ERR_INPUT,
                   "two columns 'rating'");
    options = (struct rate_options){OPTIONS};
    options.by = "who,hrp";
    fixture_expect(rate_table(t, &options, &ratings, &fixture_err), ERR_INPUT, "no column 'hrp'",
                   "did you mean 'grp'");
    options.by = "who,who";
    options.order = "rating";
    fixture_expect(rate_table(t, &options, &ratings, &fixture_err), ERR_INPUT, "two columns 'who'");
    options.k = 0;
    fixture_expect(rate_table(t, &options, &ratings, &fixture_err), ERR_USAGE, "--k");
    options = (struct rate_options){OPTIONS};
    options.scale = (double)NAN;
    fixture_expect(rate_table(t, &options, &ratings, &fixture_err), ERR_USAGE, "--scale");
    options = (struct rate_options){OPTIONS};
    options.start = 1e300;
    fixture_expect(rate_table(t, &options, &ratings, &fixture_err), ERR_USAGE, "--start");
}
END_TEST

START_TEST(test_a_static_table_is_refused)
{
    snapshot = fixture_make("s", "id,grp,who,place\n1,1,ann,1\n", FIXTURE_STATIC);
    fixture_expect(rate_table(&snapshot->tables[0], &plain, &ratings, &fixture_err), ERR_INPUT,
                   "static");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("rate");
    TCase *t = tcase_create("rate");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_two_of_equal_rating_exchange_half_of_k);
    tcase_add_test(t, test_the_weaker_one_wins_more);
    tcase_add_test(t, test_three_are_three_pairs_of_half_weight);
    tcase_add_test(t, test_a_tie_is_half_a_win_each);
    tcase_add_test(t, test_equals_that_tie_keep_their_rating_and_have_played);
    tcase_add_test(t, test_who_did_not_finish_takes_no_part);
    tcase_add_test(t, test_who_meets_nobody_has_no_row);
    tcase_add_test(t, test_each_combination_of_several_columns_is_rated);
    tcase_add_test(t, test_a_column_with_a_comma_in_its_name_is_one);
    tcase_add_test(t, test_groups_of_one_day_start_from_the_day_before_and_add_up);
    tcase_add_test(t, test_one_group_number_on_two_days_is_two_groups);
    tcase_add_test(t, test_two_runners_of_one_trainer_meet_the_others_and_cancel_out);
    tcase_add_test(t, test_desc_turns_the_order_round);
    tcase_add_test(t, test_k_start_and_scale_are_what_they_say);
    tcase_add_test(t, test_a_lead_beyond_all_numbers_expects_everything);
    tcase_add_test(t, test_later_results_change_no_earlier_rating);
    tcase_add_test(t, test_a_group_too_large_is_refused_by_name_of_the_column);
    tcase_add_test(t, test_what_cannot_be_rated_is_refused_in_words);
    tcase_add_test(t, test_a_static_table_is_refused);
    suite_add_tcase(s, t);
    return s;
}

UNIT_MAIN(suite)

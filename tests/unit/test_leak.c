/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_leak.c - every door through which a feature could look into the future is closed when a spec
 * is compiled: the message names feature, column and the way out. */
#include "plan_fixture.h"

/* finish and prize are results; won, speed and rivals are derived from them through one and two
 * levels. */
static void setup(void)
{
    static const struct csv_table all[] = {
        {.name = "entries",
         .time = "day",
         .group = "race",
         .csv = "day,race,horse,draw,off,finish,prize\n2024-03-01,1,1,1,2024-03-01,1,2024-01-01\n"
                "2024-03-02,2,1,2,2024-03-02,2,2024-01-01\n"},
        {.name = "rates", .time = "known", .csv = "known,finish,horse,won,x\n2024-03-01,1,1,1,5\n"},
        {.name = "horses", .key = "finish", .csv = "finish,sire\n1,7\n"}};
    plan_setup();
    tables(all, 3);
}

#define HEAD                                                                                       \
    "{'spec': 1, 'tables': {'entries': {'time': 'day', 'group': 'race', 'result_columns': "        \
    "['finish', 'prize'],"                                                                         \
    "'columns': {'won': 'finish == 1', 'good': 'won and draw > 1',"                                \
    "'z': {'calc': 'zscore(finish)', 'within': 'race'}, 'z2': 'z * 2',"                            \
    "'beaten': {'calc': 'size()', 'within': 'finish'}, 'inside': 'draw == 1'}},"                   \
    "'rates': {'time': 'known'}, 'horses': {'key': 'finish'}},"
#define TARGET HEAD "'target': {'table': 'entries'},"
#define FEATURE(f) TARGET "'features': {'f': " f "}}"
#define WAY_OUT "over history", "last("

struct door {
    const char *what, *spec, *at, *column;
};

static const struct door doors[] = {
    {"keep", HEAD "'target': {'table': 'entries', 'keep': ['finish']}, 'features': {}}",
     "target.keep", "'finish'"},
    {"keep, derived", HEAD "'target': {'table': 'entries', 'keep': ['good']}, 'features': {}}",
     "target.keep", "'good'"},
    {"cutoff", HEAD "'target': {'table': 'entries', 'cutoff': 'prize'}, 'features': {}}",
     "target.cutoff", "'prize'"},
    {"target.where", HEAD "'target': {'table': 'entries', 'where': 'finish < 3'}, 'features': {}}",
     "target.where", "'finish'"},
    {"target.where, derived",
     HEAD "'target': {'table': 'entries', 'where': 'good'}, 'features': {}}", "target.where",
     "'good'"},
    {"by", FEATURE("{'calc': 'count()', 'by': 'finish'}"), "features.f", "'finish'"},
    {"by, one of two", FEATURE("{'calc': 'count()', 'by': ['horse', 'won']}"), "features.f",
     "'won'"},
    {"by, of a from window", FEATURE("{'calc': 'count()', 'by': 'finish', 'from': 'rates'}"),
     "features.f", "'finish'"},
    {"by, of a named window",
     TARGET "'windows': {'w': {'by': 'won'}}, 'features': {'f': {'calc': 'count()', 'over': 'w'}}}",
     "features.f", "'won'"},
    {"target.x in where",
     FEATURE("{'calc': 'count()', 'by': 'horse', 'where': 'finish < target.finish'}"), "features.f",
     "'finish'"},
    {"target.x in where, derived",
     FEATURE("{'calc': 'count()', 'by': 'horse', 'where': 'target.good'}"), "features.f", "'good'"},
    {"within", FEATURE("{'calc': 'size()', 'within': 'finish'}"), "features.f", "'finish'"},
    {"within, one of two", FEATURE("{'calc': 'size()', 'within': ['race', 'won']}"), "features.f",
     "'won'"},
    {"argument of a group calc", FEATURE("{'calc': 'rank(finish)', 'within': 'race'}"),
     "features.f", "'finish'"},
    {"second argument of a group calc", FEATURE("{'calc': 'sum_if(draw, won)', 'within': 'race'}"),
     "features.f", "'won'"},
    {"others", FEATURE("{'calc': 'mean(finish)', 'within': 'race', 'others': true}"), "features.f",
     "'finish'"},
    {"expr", FEATURE("{'expr': 'finish + 1'}"), "features.f", "'finish'"},
    {"expr, inside of calls", FEATURE("{'expr': 'coalesce(null, if(draw > 1, draw, finish))'}"),
     "features.f", "'finish'"},
    {"expr, derived through two levels", FEATURE("{'expr': 'good'}"), "features.f", "'good'"},
    {"expr, a group statistic of results", FEATURE("{'expr': 'z'}"), "features.f", "'z'"},
    {"expr, derived from a group statistic", FEATURE("{'expr': 'z2'}"), "features.f", "'z2'"},
    {"expr, a statistic within a result", FEATURE("{'expr': 'beaten'}"), "features.f", "'beaten'"},
    {"cyc", FEATURE("{'expr': 'cyc(finish, 7)'}"), "features.f", "'finish'"},
    {"onehot", FEATURE("{'expr': 'onehot(finish, [1, 2])'}"), "features.f", "'finish'"},
    {"target side of asof", FEATURE("{'asof': 'rates.x', 'by': 'finish'}"), "features.f",
     "'finish'"},
    {"target side of asof, derived", FEATURE("{'asof': 'rates.x', 'by': 'won'}"), "features.f",
     "'won'"},
    {"target side of lookup", FEATURE("{'lookup': 'horses.sire', 'by': 'finish'}"), "features.f",
     "'finish'"},
};

START_TEST(test_a_result_column_of_the_target_row_is_refused)
{
    const struct door *d = &doors[_i];
    CLEANUP(spec_free) struct spec *spec = spec_of(d->spec);
    CLEANUP(plan_free) struct plan *plan = NULL;
    int r = plan_compile(spec, plan_snapshot, &plan, &fixture_err);
    ck_assert_msg(r == ERR_INPUT, "%s is open: answer %d, %s", d->what, r, fixture_err.text);
    const char *words[] = {d->at, d->column, "result column", "'entries'", WAY_OUT};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        ck_assert_msg(strstr(fixture_err.text, words[i]), "%s: '%s' is not in: %s", d->what,
                      words[i], fixture_err.text);
}
END_TEST

START_TEST(test_a_derived_column_names_the_result_that_it_comes_from)
{
    expect_failure(FEATURE("{'expr': 'good'}"), "2024-03-02", "'good' is derived from 'finish'");
    expect_failure(FEATURE("{'expr': 'z2'}"), "2024-03-02", "'z2' is derived from 'finish'");
}
END_TEST

START_TEST(test_a_feature_that_reads_a_label_is_refused)
{
    static const char *const readers[] = {"{'expr': 'y + 1'}",
                                          "{'calc': 'mean(y)', 'within': 'race'}",
                                          "{'calc': 'rank(y)', 'within': 'race'}"};
    for (int i = 0; i < 3; i++) {
        CLEANUP(mem_free_chars)
        char *text =
            mem_printf("%s'features': {'f': %s}, 'labels': {'y': 'finish'}}", TARGET, readers[i]);
        expect_failure(text, "2024-03-02", "features.f", "'y' is a label", "future");
    }
}
END_TEST

/* What a time or a role is cannot be declared away. */
START_TEST(test_a_result_column_cannot_be_the_time_or_derived)
{
    expect_failure("{'spec': 1, 'tables': {'entries': {'time': 'day', 'group': 'race', "
                   "'result_columns': ['day']}},"
                   "'target': {'table': 'entries'}, 'features': {}}",
                   "2024-03-02", "tables.entries.result_columns", "'day'");
    expect_failure("{'spec': 1, 'tables': {'entries': {'time': 'day', 'group': 'race', "
                   "'result_columns': ['a'], "
                   "'columns': {'a': 'draw'}}}, 'target': {'table': 'entries'}, 'features': {}}",
                   "2024-03-02", "tables.entries.result_columns", "'a'", "inherits");
}
END_TEST

/* The same names where they are known: history, labels, and columns that only look alike. */
START_TEST(test_history_and_labels_may_read_results)
{
    expect(TARGET
           "'features': {'n': {'calc': 'sum(finish)', 'by': 'horse', 'where': 'good or draw == 1'},"
           "'z': {'calc': 'last(z2)', 'by': 'horse'}, 'i': {'expr': 'inside'},"
           "'b': {'calc': 'count()', 'by': 'inside', 'where': 'finish > 0 and target.draw > draw'},"
           "'x': {'calc': 'sum(finish)', 'by': 'horse', 'from': 'rates'}},"
           "'labels': {'y': 'finish', 'w': 'good', 'yy': 'y * 2'}}",
           "2024-03-02", "day,n,z,i,b,x,y,w,yy\n2024-03-02,1,0.0,0,0,1,2,0,4\n");
}
END_TEST

static Suite *leak_suite(void)
{
    Suite *suite = suite_create("leak");
    TCase *tc = tcase_create("leak");
    tcase_add_checked_fixture(tc, setup, plan_teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    tcase_add_loop_test(tc, test_a_result_column_of_the_target_row_is_refused, 0,
                        sizeof doors / sizeof *doors);
    tcase_add_test(tc, test_a_derived_column_names_the_result_that_it_comes_from);
    tcase_add_test(tc, test_a_feature_that_reads_a_label_is_refused);
    tcase_add_test(tc, test_a_result_column_cannot_be_the_time_or_derived);
    tcase_add_test(tc, test_history_and_labels_may_read_results);
    return suite;
}

UNIT_MAIN(leak_suite)

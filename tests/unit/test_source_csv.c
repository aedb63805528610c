/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_source_csv.c - types found and declared, roles, and what is refused in which words. */
#include "csv_fixture.h"

#include <math.h>

#include "base/date.h"
#include "source/text_column.h"

/* Chapter: types found. */

/* The values of one column, separated by '|', as a typed column. */
static void fill_texts(struct text_column *text, const char *values)
{
    for (const char *p = values;; p++) {
        size_t n = strcspn(p, "|");
        text_column_add(text, n ? (struct text){p, (int64_t)n} : (struct text){0});
        p += n;
        if (!*p)
            return;
    }
}

static struct typed_column found(const char *values)
{
    struct text_column text = {0};
    fill_texts(&text, values);
    struct typed_column typed;
    text_column_find(&text, &typed);
    text_column_deinit(&text);
    return typed;
}

START_TEST(test_the_first_type_that_fits_every_value_is_found)
{
    static const struct {
        const char *values;
        enum type type;
        int scale;
    } cases[] = {
        {"1|-2|0|9223372036854775807|-9223372036854775808", TYPE_INT, 0},
        {"-0", TYPE_INT, 0},
        {"1||3", TYPE_INT, 0},
        {"1|2.5", TYPE_DECIMAL, 1},
        {"0.000001|-7", TYPE_DECIMAL, 6},
        {"123456789012.345", TYPE_DECIMAL, 3},
        {"99999999999999.9", TYPE_DECIMAL, 1},
        {"0.0", TYPE_DECIMAL, 1},
        {"0.0000001", TYPE_FLOAT, 0},           /* 7 places */
        {"1234567890.123456", TYPE_FLOAT, 0},   /* 16 digits */
        {"1234567890123|0.123", TYPE_FLOAT, 0}, /* 13 + 3 digits */
        {"999999999999999999.5", TYPE_FLOAT, 0},
        {"1e3", TYPE_FLOAT, 0},
        {".5", TYPE_FLOAT, 0},
        {"5.", TYPE_FLOAT, 0},
        {"1.5|nan|NaN|NAN", TYPE_FLOAT, 0},
        {"1|NaN", TYPE_FLOAT, 0},
        {"|", TYPE_FLOAT, 0},
        {"0.30000000000000004", TYPE_FLOAT, 0},
        {"1.5e0|9007199254740992", TYPE_FLOAT, 0},
        {"2024-01-31|2024-02-29", TYPE_DATE, 0},
        {"2024-01-31 10:00|2024-01-31T10:00:00.25", TYPE_TIMESTAMP, 0},
        {"007|008", TYPE_STRING, 0}, /* an id must not lose its zeros */
        {"00", TYPE_STRING, 0},
        {"1.5|01.5", TYPE_STRING, 0},
        {"-007", TYPE_STRING, 0},
        {"+5", TYPE_STRING, 0},
        {"+1.5", TYPE_STRING, 0},
        {"9223372036854775808", TYPE_STRING, 0},  /* a double would round it */
        {"1.5|9007199254740993", TYPE_STRING, 0}, /* likewise */
        {"1.5|inf", TYPE_STRING, 0},
        {"1e999", TYPE_STRING, 0},
        {"0x10", TYPE_STRING, 0},
        {" 1", TYPE_STRING, 0},
        {"1 ", TYPE_STRING, 0},
        {"1,5", TYPE_STRING, 0},
        {"-", TYPE_STRING, 0},
        {"1.|x", TYPE_STRING, 0},
        {"2024-02-30", TYPE_STRING, 0},
        {"2024-01-31|2024-01-31 10:00", TYPE_STRING, 0},
        {"2024-01-31T10:00:00Z", TYPE_STRING, 0},
        {"true|false", TYPE_STRING, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct typed_column typed = found(cases[i].values);
        ck_assert_msg(typed.column.type == cases[i].type, "%s is found to be %s", cases[i].values,
                      type_name(typed.column.type));
        ck_assert_int_eq(typed.column.scale, cases[i].scale);
        typed_column_deinit(&typed);
    }
}
END_TEST

START_TEST(test_an_empty_string_is_a_value_and_makes_a_string_column)
{
    CLEANUP(snapshot_close)
    struct snapshot *s =
        fixture_make("s", "day,x\n2024-01-01,1\n2024-01-01,\"\"\n", FIXTURE_HISTORY);
    ck_assert_int_eq(fixture_column(s, "x")->type, TYPE_STRING);
    ck_assert(!fixture_column(s, "x")->nullable);
}
END_TEST

START_TEST(test_decimals_are_the_nearest_doubles)
{
    struct typed_column typed = found("0.1|-1.005|123456789.123456|0.000003|-0.0");
    const double expected[] = {0.1, -1.005, 123456789.123456, 0.000003, 0};
    ck_assert_int_eq(typed.column.type, TYPE_DECIMAL);
    for (int i = 0; i < 5; i++)
        ck_assert(typed.column.f[i] == expected[i]);
    ck_assert(!signbit(typed.column.f[4]));
    typed_column_deinit(&typed);
}
END_TEST

START_TEST(test_floats_have_no_negative_zero_and_nan_is_null)
{
    struct typed_column typed = found("-0e0|nan|-1e-400|2.5e0");
    ck_assert_int_eq(typed.column.type, TYPE_FLOAT);
    ck_assert(!signbit(typed.column.f[0]) && !signbit(typed.column.f[2]) &&
              typed.column.f[3] == 2.5);
    ck_assert(column_is_null(&typed.column, 1) && typed.column.f[1] == 0);
    ck_assert(!column_is_null(&typed.column, 2));
    typed_column_deinit(&typed);
}
END_TEST

START_TEST(test_dictionaries_of_many_strings_are_sorted_and_complete)
{
    enum { WORDS = 20000 };
    struct text_column text = {0};
    char word[24];
    for (int i = 0; i < 3 * WORDS; i++) {
        int n = snprintf(word, sizeof(word), "w%d", (int)(i * 7919LL % WORDS));
        text_column_add(&text, (struct text){word, n});
    }
    struct typed_column typed;
    text_column_find(&text, &typed);
    const struct column *c = &typed.column;
    ck_assert_int_eq(c->dict.n, WORDS);
    for (int32_t i = 1; i < WORDS; i++)
        ck_assert_int_lt(text_compare(dict_text(&c->dict, i - 1), dict_text(&c->dict, i)), 0);
    for (int i = 0; i < 3 * WORDS; i++) {
        int n = snprintf(word, sizeof(word), "w%d", (int)(i * 7919LL % WORDS));
        ck_assert_int_eq(text_compare(dict_text(&c->dict, c->code[i]), (struct text){word, n}), 0);
    }
    typed_column_deinit(&typed);
    text_column_deinit(&text);
}
END_TEST

/* Chapter: types declared. */

static int64_t first_wrong(const char *values, enum type type, int scale, struct typed_column *ret)
{
    struct text_column text = {0};
    fill_texts(&text, values);
    int64_t row = text_column_convert(&text, type, scale, ret);
    text_column_deinit(&text);
    return row;
}

START_TEST(test_declared_types_are_taken_or_the_first_misfit_is_told)
{
    static const struct {
        const char *values;
        enum type type;
        int scale;
        int64_t wrong;
    } cases[] = {
        {"1|2", TYPE_STRING, 0, -1},
        {"1|2", TYPE_FLOAT, 0, -1},
        {"1|2", TYPE_DECIMAL, SOURCE_SCALE_FOUND, -1},
        {"1|2.25", TYPE_DECIMAL, 2, -1},
        {"1|2.255", TYPE_DECIMAL, 2, 1},
        {"12345678901234", TYPE_DECIMAL, 2, 0}, /* 14 + 2 digits */
        {"007|+5|-0012", TYPE_INT, 0, -1},
        {"1|2.0", TYPE_INT, 0, 1},
        {"12345678901234567890", TYPE_FLOAT, 0, -1},
        {"1|inf", TYPE_FLOAT, 0, 1},
        {"1|nan", TYPE_FLOAT, 0, -1},
        {"1|nan", TYPE_INT, 0, 1},
        {"2024-01-01||x", TYPE_DATE, 0, 2},
        {"2024-01-01", TYPE_TIMESTAMP, 0, 0},
        {"|", TYPE_DATE, 0, -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct typed_column typed;
        int64_t wrong = first_wrong(cases[i].values, cases[i].type, cases[i].scale, &typed);
        ck_assert_msg(wrong == cases[i].wrong, "%s as %s: row %" PRId64, cases[i].values,
                      type_name(cases[i].type), wrong);
        if (wrong < 0) {
            ck_assert_int_eq(typed.column.type, cases[i].type);
            typed_column_deinit(&typed);
        }
    }
}
END_TEST

START_TEST(test_a_declared_scale_keeps_the_chain_when_more_places_come)
{
    struct source_type types[] = {{"x", TYPE_DECIMAL, 2}};
    struct source_table table = {.time = "day", .types = types, .n_types = 1};
    CLEANUP(snapshot_close)
    struct snapshot *a = fixture_make("a", "day,x\n2024-01-01,1\n", table);
    CLEANUP(snapshot_close)
    struct snapshot *b = fixture_make("b", "day,x\n2024-01-01,1\n2024-01-02,1.25\n", table);
    ck_assert_int_eq(fixture_column(a, "x")->scale, 2);
    ck_assert_mem_eq(a->tables[0].day_chain[0], b->tables[0].day_chain[0], SHA256_BYTES);
}
END_TEST

START_TEST(test_type_names_are_read)
{
    struct source_type type = {0};
    ck_assert_int_eq(source_type_parse("string", &type, &fixture_err), 0);
    ck_assert_int_eq(type.type, TYPE_STRING);
    ck_assert_int_eq(source_type_parse("decimal", &type, &fixture_err), 0);
    ck_assert_int_eq(type.scale, SOURCE_SCALE_FOUND);
    ck_assert_int_eq(source_type_parse("decimal(3)", &type, &fixture_err), 0);
    ck_assert_int_eq(type.scale, 3);
    static const char *const wrong[] = {"int",         "",     "decimal(7)", "decimal(3",
                                        "decimal(12)", "bool", "null"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        fixture_expect(source_type_parse(wrong[i], &type, &fixture_err), ERR_USAGE, wrong[i],
                       "timestamp");
}
END_TEST

START_TEST(test_a_value_that_is_not_of_its_declared_type_is_placed)
{
    struct source_type types[] = {{"x", TYPE_INT, 0}};
    int r = fixture_try("s", "day,x\n2024-01-01,1\n2024-01-02,many\n",
                        (struct source_table){.time = "day", .types = types, .n_types = 1});
    fixture_expect(r, ERR_INPUT, "s.csv", "line 3", "column x", "'many'", "whole number");
    ck_assert_int_eq(fixture_leftovers(), 0);
}
END_TEST

START_TEST(test_declarations_that_contradict_are_refused)
{
    struct source_type twice[] = {{"x", TYPE_INT, 0}, {"x", TYPE_FLOAT, 0}};
    fixture_expect(fixture_try("s", "day,x\n",
                               (struct source_table){.time = "day", .types = twice, .n_types = 2}),
                   ERR_USAGE, "column x", "twice");
    struct source_type time[] = {{"day", TYPE_STRING, 0}};
    fixture_expect(fixture_try("s", "day,x\n",
                               (struct source_table){.time = "day", .types = time, .n_types = 1}),
                   ERR_USAGE, "day", "timestamp");
    struct source_type nobody[] = {{"xx", TYPE_STRING, 0}};
    fixture_expect(fixture_try("s", "day,xxx\n",
                               (struct source_table){.time = "day", .types = nobody, .n_types = 1}),
                   ERR_INPUT, "'xx'", "did you mean 'xxx'");
}
END_TEST

/* Chapter: roles. */

START_TEST(test_a_number_in_a_time_column_is_refused)
{
    fixture_expect(fixture_try("s", "day,x\n20240131,1\n", FIXTURE_HISTORY), ERR_INPUT, "s.csv",
                   "line 2", "column day", "'20240131'", "YYYY-MM-DD");
}
END_TEST

START_TEST(test_the_first_time_of_another_form_is_named)
{
    fixture_expect(
        fixture_try("a", "day\n2024-01-01\n2024-01-02\n2024-01-03 10:00\n", FIXTURE_HISTORY),
        ERR_INPUT, "line 4", "2024-01-03 10:00");
    fixture_expect(fixture_try("b", "day\n2024-01-01 10:00\n2024-01-02\n", FIXTURE_HISTORY),
                   ERR_INPUT, "line 3", "'2024-01-02'");
    fixture_expect(fixture_try("c", "day\n2024-01-01\n2024-02-30\n", FIXTURE_HISTORY), ERR_INPUT,
                   "line 3", "2024-02-30");
}
END_TEST

START_TEST(test_a_null_time_is_refused_or_left_out_on_request)
{
    static const char csv[] = "day,x\n2024-01-01,\"a\nb\"\n,c\n2024-01-02,d\n";
    fixture_expect(fixture_try("s", csv, FIXTURE_HISTORY), ERR_INPUT, "s.csv: line 4", "day",
                   "--drop-null-time");
    ck_assert_int_eq(fixture_leftovers(), 0);

    CLEANUP(mem_free_chars) char *file = fixture_path("s.csv"), *dir = fixture_path("s");
    struct source_table table = {.name = "t", .file = file, .time = "day"};
    struct source_options options = {
        .tables = &table, .n_tables = 1, .out_dir = dir, .drop_null_time = true};
    char id[SHA256_HEX];
    ck_assert_int_eq(source_csv_create(&options, id, &fixture_err), 0);
    CLEANUP(snapshot_close) struct snapshot *s = fixture_open("s");
    fixture_expect_strings(s, "x", "a\nb d");
    ck_assert_int_eq(fixture_column(s, "x")->dict.n, 2); /* c does not occur */

    fixture_write("none.csv", "day,x\n,1\n,2\n");
    CLEANUP(mem_free_chars) char *none = fixture_path("none.csv"), *out = fixture_path("none");
    table.file = none;
    options.out_dir = out;
    fixture_expect(source_csv_create(&options, id, &fixture_err), ERR_INPUT,
                   "none.csv has no row with a time: all 2 are dropped", "--drop-null-time",
                   "is 'day' the column of the time?", "COL:TYPE) of day, x");
    ck_assert_int_eq(snapshot_verify(s, &fixture_err), 0);
}
END_TEST

START_TEST(test_a_key_is_there_once)
{
    fixture_expect(fixture_try("a", "id,x\nh1,1\nh2,2\nh1,3\n", FIXTURE_STATIC), ERR_INPUT,
                   "line 2", "line 4", "id h1", "unique");
    fixture_expect(fixture_try("b", "id,x\n7,1\n7,2\n", FIXTURE_STATIC), ERR_INPUT, "id 7");
    fixture_expect(fixture_try("c", "id,x\n7,1\n,2\n", FIXTURE_STATIC), ERR_INPUT, "line 3",
                   "id is empty");
    ck_assert_int_eq(fixture_leftovers(), 0);
}
END_TEST

START_TEST(test_a_table_is_a_history_or_static)
{
    struct source_table neither = {0}, both = {.time = "day", .key = "day"},
                        group = {.group = "day", .key = "day"};
    fixture_expect(fixture_try("s", "day\n", neither), ERR_USAGE, "time=", "key=");
    fixture_expect(fixture_try("s", "day\n", both), ERR_USAGE, "both time and key");
    fixture_expect(fixture_try("s", "day\n", group), ERR_USAGE, "group", "time=");
    struct source_options none = {.out_dir = "x"};
    char id[SHA256_HEX];
    fixture_expect(source_csv_create(&none, id, &fixture_err), ERR_USAGE, "--csv");
}
END_TEST

START_TEST(test_a_misspelt_column_is_guessed_or_the_columns_are_listed)
{
    fixture_expect(fixture_try("s", "race_date,x\n", (struct source_table){.time = "race_dat"}),
                   ERR_INPUT, "'race_dat'", "did you mean 'race_date'?");
    fixture_expect(fixture_try("s", "race_date,x\n", (struct source_table){.key = "horse"}),
                   ERR_INPUT, "'horse'", "race_date, x");
}
END_TEST

/* Chapter: files. */

START_TEST(test_a_malformed_file_is_placed_and_leaves_nothing)
{
    fixture_expect(fixture_try("s", "day,x\n2024-01-01,1\n2024-01-02\n", FIXTURE_HISTORY),
                   ERR_INPUT, "s.csv", "line 3", "1 fields");
    fixture_expect(fixture_try("s", "day,x\n2024-01-01,\"1\n", FIXTURE_HISTORY), ERR_INPUT, "s.csv",
                   "line 2", "quote");
    fixture_expect(fixture_try("s", "day,x\n2024-01-01,\xff\n", FIXTURE_HISTORY), ERR_INPUT,
                   "s.csv", "line 2");
    fixture_expect(fixture_try("s", "", FIXTURE_HISTORY), ERR_INPUT, "s.csv");
    fixture_expect(fixture_try("s", "day,day\n", FIXTURE_HISTORY), ERR_INPUT, "twice");
    ck_assert_int_eq(fixture_leftovers(), 0);
}
END_TEST

START_TEST(test_the_second_table_failing_takes_the_first_along)
{
    fixture_write("a.csv", "day,x\n2024-01-01,1\n");
    CLEANUP(mem_free_chars)
    char *a = fixture_path("a.csv"), *b = fixture_path("missing.csv"), *dir = fixture_path("s");
    struct source_table tables[] = {{.name = "a", .file = a, .time = "day"},
                                    {.name = "b", .file = b, .time = "day"}};
    struct source_options options = {.tables = tables, .n_tables = 2, .out_dir = dir};
    char id[SHA256_HEX];
    fixture_expect(source_csv_create(&options, id, &fixture_err), ERR_INPUT, "missing.csv");
    ck_assert_int_eq(fixture_leftovers(), 0);
    tables[1].name = "a";
    fixture_expect(source_csv_create(&options, id, &fixture_err), ERR_USAGE, "named twice");
}
END_TEST

/* A spec could not read them, or could not even name them. */
START_TEST(test_names_that_no_spec_can_write_are_refused)
{
    static const struct {
        const char *name, *why;
    } names[] = {{"a.b", "TABLE.COLUMN"}, {"#t", "comment"}, {"a\tb", "control characters"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct source_table table = {.name = names[i].name, .time = "day"};
        fixture_expect(fixture_try("s", "day,x\n2024-01-01,1\n", table), ERR_INPUT, names[i].name,
                       names[i].why, "give it another name: --csv NAME=FILE");
    }
    ck_assert_int_eq(fixture_leftovers(), 0);
    CLEANUP(snapshot_close)
    struct snapshot *s = fixture_make("s", "day,x\n2024-01-01,1\n",
                                      (struct source_table){.name = "a#-b ö", .time = "day"});
    ck_assert_ptr_nonnull(snapshot_table(s, "a#-b ö"));
}
END_TEST

START_TEST(test_names_too_long_for_a_file_are_refused)
{
    struct str csv = {0};
    str_addz(&csv, "day,");
    for (int i = 0; i < 90; i++)
        str_addz(&csv, "日");
    str_addz(&csv, "\n2024-01-01,1\n");
    fixture_expect(fixture_try("s", csv.s, FIXTURE_HISTORY), ERR_INPUT, "too long");
    str_deinit(&csv);
    ck_assert_int_eq(fixture_leftovers(), 0);
}
END_TEST

struct seen {
    int64_t done, total;
    int calls;
};

static void note_progress(void *ctx, int64_t done, int64_t total)
{
    struct seen *seen = ctx;
    ck_assert_int_ge(done, seen->done);
    ck_assert_int_le(done, total);
    *seen = (struct seen){done, total, seen->calls + 1};
}

/* The one real file of the tests: two rows each of 6,508 football matches. */
START_TEST(test_the_football_data_is_read_with_progress)
{
    CLEANUP(mem_free_chars)
    char *file = mem_printf("%s/testdata/football/appearances.csv", getenv("HIWARI_SOURCE_ROOT"));
    CLEANUP(mem_free_chars) char *dir = fixture_path("s");
    struct source_table table = {
        .name = "appearances", .file = file, .time = "match_date", .group = "match_id"};
    struct seen seen = {0};
    struct source_options options = {.tables = &table,
                                     .n_tables = 1,
                                     .out_dir = dir,
                                     .progress = note_progress,
                                     .progress_ctx = &seen};
    char id[SHA256_HEX];
    int r = source_csv_create(&options, id, &fixture_err);
    ck_assert_msg(r == 0, "%s", fixture_err.text);
    ck_assert_int_ge(seen.calls, 1);
    ck_assert_int_eq(seen.done, seen.total);
    ck_assert_int_eq(seen.total, 837212);

    CLEANUP(snapshot_close) struct snapshot *s = fixture_open("s");
    ck_assert_int_eq(s->tables[0].rows, 13016);
    ck_assert_int_eq(s->tables[0].n_days, 547);
    const struct column *goals = fixture_column(s, "goals_for"),
                        *division = fixture_column(s, "division");
    int64_t nulls = 0;
    for (int64_t row = 0; row < goals->rows; row++)
        nulls += column_is_null(goals, row);
    ck_assert_int_eq(nulls, 8); /* four matches without score */
    ck_assert_int_eq(goals->type, TYPE_INT);
    ck_assert_int_eq(division->type, TYPE_STRING);
    ck_assert(!division->nullable);
    ck_assert_int_eq(snapshot_verify(s, &fixture_err), 0);
}
END_TEST

static Suite *source_csv_suite(void)
{
    Suite *suite = suite_create("source_csv");
    TCase *tests = tcase_create("source_csv");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, fixture_setup, fixture_teardown);
    tcase_add_test(tests, test_the_first_type_that_fits_every_value_is_found);
    tcase_add_test(tests, test_an_empty_string_is_a_value_and_makes_a_string_column);
    tcase_add_test(tests, test_decimals_are_the_nearest_doubles);
    tcase_add_test(tests, test_floats_have_no_negative_zero_and_nan_is_null);
    tcase_add_test(tests, test_dictionaries_of_many_strings_are_sorted_and_complete);
    tcase_add_test(tests, test_declared_types_are_taken_or_the_first_misfit_is_told);
    tcase_add_test(tests, test_a_declared_scale_keeps_the_chain_when_more_places_come);
    tcase_add_test(tests, test_type_names_are_read);
    tcase_add_test(tests, test_a_value_that_is_not_of_its_declared_type_is_placed);
    tcase_add_test(tests, test_declarations_that_contradict_are_refused);
    tcase_add_test(tests, test_a_number_in_a_time_column_is_refused);
    tcase_add_test(tests, test_the_first_time_of_another_form_is_named);
    tcase_add_test(tests, test_a_null_time_is_refused_or_left_out_on_request);
    tcase_add_test(tests, test_a_key_is_there_once);
    tcase_add_test(tests, test_a_table_is_a_history_or_static);
    tcase_add_test(tests, test_a_misspelt_column_is_guessed_or_the_columns_are_listed);
    tcase_add_test(tests, test_a_malformed_file_is_placed_and_leaves_nothing);
    tcase_add_test(tests, test_the_second_table_failing_takes_the_first_along);
    tcase_add_test(tests, test_names_that_no_spec_can_write_are_refused);
    tcase_add_test(tests, test_names_too_long_for_a_file_are_refused);
    tcase_add_test(tests, test_the_football_data_is_read_with_progress);
    suite_add_tcase(suite, tests);
    return suite;
}

UNIT_MAIN(source_csv_suite)

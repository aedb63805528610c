/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_spec.c - specs as text: what is read from good ones, what is said of bad ones.
 *
 * specs/good and specs/bad hold whole documents. The same files are given to the JSON Schema by
 * tests/integration/test_spec_schema.py: together the two tests show that editors and hiwari agree.
 */
#include "features/spec.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>

#include "base/fs.h"

#define TABLES                                                                                     \
    "\"spec\": 1, \"tables\": {\"runs\": {\"time\": \"day\", \"group\": \"race\", "                \
    "\"result_columns\": [\"finish\"], \"columns\": {\"won\": \"finish == 1\", "                   \
    "\"z\": {\"calc\": \"zscore(won)\", \"within\": \"race\", \"others\": false}}}, "              \
    "\"rates\": {\"time\": \"known\"}, \"horses\": {\"key\": \"id\"}}, "
#define TARGET "\"target\": {\"table\": \"runs\"}, "

static struct spec *parsed(const char *text)
{
    struct spec *spec = NULL;
    struct err err = {0};
    int rc = spec_parse("a.json", text, strlen(text), &spec, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    return spec;
}

static struct spec *with_features(const char *features)
{
    CLEANUP(mem_free_chars)
    char *text =
        mem_printf("{" TABLES TARGET "\"windows\": {\"year\": {\"by\": \"horse\", \"days\": 365, "
                   "\"where\": \"draw > 1\"}}, \"features\": {%s}}",
                   features);
    return parsed(text);
}

static void ck_names(const struct spec *spec, const char *joined)
{
    CLEANUP(str_deinit) struct str names = {0};
    for (int i = 0; i < spec->n_features; i++)
        str_addf(&names, "%s%s", i ? " " : "", spec->features[i].name);
    ck_assert_str_eq(names.s ? names.s : "", joined);
}

static char *source_path(const char *relative)
{
    const char *root = getenv("HIWARI_SOURCE_ROOT");
    return fs_join(root ? root : ".", relative);
}

START_TEST(test_tables_target_and_output_are_read)
{
    CLEANUP(spec_free)
    struct spec *s =
        parsed("{" TABLES "\"target\": {\"table\": \"runs\", \"cutoff\": \"start\", \"keep\": "
               "[\"race\", \"horse\"], \"where\": \"draw > 0\"}, "
               "\"features\": {}, \"output\": {\"float\": \"f32\"}}");
    ck_assert_int_eq(s->n_tables, 3);
    const struct spec_table *runs = spec_find_table(s, "runs");
    ck_assert_str_eq(runs->time, "day");
    ck_assert_str_eq(runs->group, "race");
    ck_assert_ptr_null(runs->key);
    ck_assert_str_eq(runs->result_columns.names[0], "finish");
    ck_assert_int_eq(runs->n_columns, 2);
    ck_assert_str_eq(runs->columns[0].name, "won");
    ck_assert_str_eq(runs->columns[0].at, "tables.runs.columns.won");
    ck_assert_str_eq(runs->columns[0].expr, "finish == 1");
    ck_assert_ptr_null(runs->columns[0].calc);
    ck_assert_str_eq(runs->columns[1].calc, "zscore(won)");
    ck_assert_str_eq(runs->columns[1].within.names[0], "race");
    ck_assert(!runs->columns[1].others);
    ck_assert_str_eq(spec_find_table(s, "horses")->key, "id");
    ck_assert_ptr_null(spec_find_table(s, "run"));
    ck_assert_str_eq(s->target, "runs");
    ck_assert_str_eq(s->cutoff, "start");
    ck_assert_str_eq(s->target_where, "draw > 0");
    ck_assert_int_eq(s->keep.n, 2);
    ck_assert(s->float32);
}
END_TEST

START_TEST(test_the_cutoff_is_the_key_unless_given)
{
    CLEANUP(spec_free) struct spec *s = with_features("");
    ck_assert_str_eq(s->cutoff, "key");
    ck_assert_ptr_null(s->target_where);
    ck_assert_int_eq(s->keep.n, 0);
    ck_assert(!s->float32);
}
END_TEST

START_TEST(test_a_window_calc_has_all_its_members)
{
    CLEANUP(spec_free)
    struct spec *s =
        with_features("\"x\": {\"calc\": \"mean(won)\", \"by\": [\"horse\", \"track\"], \"from\": "
                      "\"rates\", \"days\": 30, \"last\": 5, \"delay_days\": 2, \"known_at\": "
                      "\"seen\", \"where\": \"a > 1\", \"min_rows\": 3, \"prior\": 2.5, "
                      "\"fill\": -1}");
    const struct spec_feature *f = &s->features[0];
    ck_assert_int_eq(f->kind, SPEC_WINDOW);
    ck_assert_str_eq(f->at, "features.x");
    ck_assert_str_eq(f->text, "mean(won)");
    ck_assert_int_eq(f->window.by.n, 2);
    ck_assert_str_eq(f->window.by.names[1], "track");
    ck_assert_str_eq(f->window.from, "rates");
    ck_assert_int_eq(f->window.days, 30);
    ck_assert_int_eq(f->window.last, 5);
    ck_assert_int_eq(f->window.delay_days, 2);
    ck_assert_str_eq(f->window.known_at, "seen");
    ck_assert_str_eq(f->window.where, "a > 1");
    ck_assert_int_eq(f->min_rows, 3);
    ck_assert_double_eq(f->prior, 2.5);
    ck_assert_int_eq(f->fill.type, JSON_NUMBER);
    ck_assert_double_eq(f->fill.number, -1);
}
END_TEST

START_TEST(test_what_is_not_given_is_absent)
{
    CLEANUP(spec_free)
    struct spec *s = with_features("\"x\": {\"calc\": \"count()\", \"by\": \"horse\"}");
    const struct spec_feature *f = &s->features[0];
    ck_assert_ptr_null(f->window.name);
    ck_assert_ptr_null(f->window.from);
    ck_assert_ptr_null(f->window.where);
    ck_assert_ptr_null(f->window.known_at);
    ck_assert_int_eq(f->window.days, 0);
    ck_assert_int_eq(f->window.last, 0);
    ck_assert_int_eq(f->min_rows, 0);
    ck_assert(isnan(f->prior));
    ck_assert_int_eq(f->fill.type, JSON_NULL);
    ck_assert_int_eq(f->within.n, 0);
}
END_TEST

START_TEST(test_members_beside_over_override_the_named_window)
{
    CLEANUP(spec_free)
    struct spec *s = with_features("\"a\": {\"calc\": \"count()\", \"over\": \"year\"}, "
                                   "\"b\": {\"calc\": \"count()\", \"over\": \"year\", "
                                   "\"days\": 30, \"where\": \"draw > 2\", \"last\": 4}");
    const struct spec_window *a = &s->features[0].window, *b = &s->features[1].window;
    ck_assert_str_eq(a->name, "year");
    ck_assert_str_eq(a->by.names[0], "horse");
    ck_assert_int_eq(a->days, 365);
    ck_assert_str_eq(a->where, "draw > 1");
    ck_assert_int_eq(a->last, 0);
    ck_assert_str_eq(b->by.names[0], "horse");
    ck_assert_int_eq(b->days, 30);
    ck_assert_int_eq(b->last, 4);
    ck_assert_str_eq(b->where, "draw > 2");
}
END_TEST

START_TEST(test_the_other_kinds_are_told_apart)
{
    CLEANUP(spec_free)
    struct spec *s = with_features(
        "\"g\": {\"calc\": \"mean(a)\", \"within\": \"race\", \"others\": true, \"fill\": true}, "
        "\"e\": {\"expr\": \"g + 1\", \"fill\": \"none\"}, "
        "\"a\": {\"asof\": \"rates.elo\", \"by\": \"horse\", \"max_age_days\": 9, \"age\": true}, "
        "\"l\": {\"lookup\": \"horses.sire.id\", \"by\": \"horse\"}");
    ck_assert_int_eq(s->features[0].kind, SPEC_GROUP);
    ck_assert_str_eq(s->features[0].within.names[0], "race");
    ck_assert(s->features[0].others);
    ck_assert(s->features[0].fill.truth);
    ck_assert_int_eq(s->features[1].kind, SPEC_EXPR);
    ck_assert_str_eq(s->features[1].text, "g + 1");
    ck_assert_str_eq(s->features[1].fill.text, "none");
    ck_assert_int_eq(s->features[2].kind, SPEC_ASOF);
    ck_assert_str_eq(s->features[2].text, "rates.elo");
    ck_assert_str_eq(s->features[2].window.from, "rates");
    ck_assert_str_eq(s->features[2].column, "elo");
    ck_assert_int_eq(s->features[2].max_age_days, 9);
    ck_assert(s->features[2].age);
    ck_assert_int_eq(s->features[3].kind, SPEC_LOOKUP);
    ck_assert_str_eq(s->features[3].window.from, "horses");
    ck_assert_str_eq(s->features[3].column, "sire.id");
}
END_TEST

START_TEST(test_lists_fan_out_with_last_as_the_outer_loop)
{
    CLEANUP(spec_free)
    struct spec *s = with_features(
        "\"x\": {\"calc\": \"count()\", \"by\": \"h\", \"days\": [30, 365], \"last\": [5, 10]}, "
        "\"y\": {\"calc\": \"count()\", \"by\": \"h\", \"days\": [7], \"last\": 3}, "
        "\"z\": {\"calc\": \"count()\", \"by\": \"h\", \"last\": [1]}");
    ck_names(s, "x_l5_30d x_l5_365d x_l10_30d x_l10_365d y_7d z_l1");
    ck_assert_int_eq(s->features[2].window.last, 10);
    ck_assert_int_eq(s->features[2].window.days, 30);
    ck_assert_int_eq(s->features[4].window.last, 3);
    ck_assert_int_eq(s->features[5].window.days, 0);
}
END_TEST

START_TEST(test_a_grid_multiplies_in_the_order_written)
{
    CLEANUP(spec_free)
    struct spec *s = with_features(
        "\"first\": {\"expr\": \"1\"}, \"any label\": {\"grid\": {\"name\": "
        "\"{by}_{calc}_{days}d\", \"calc\": {\"wins\": \"mean(won)\", \"places\": "
        "\"mean(placed)\"}, \"by\": {\"jockey\": \"jockey_id\", \"jt\": [\"jockey_id\", "
        "\"track\"]}, \"days\": [30, 365]}}, \"last\": {\"expr\": \"2\"}");
    ck_names(s, "first jockey_wins_30d jockey_wins_365d jt_wins_30d jt_wins_365d "
                "jockey_places_30d jockey_places_365d jt_places_30d jt_places_365d last");
    const struct spec_feature *f = &s->features[8];
    ck_assert_str_eq(f->text, "mean(placed)");
    ck_assert_int_eq(f->window.by.n, 2);
    ck_assert_int_eq(f->window.days, 365);
    ck_assert_str_eq(f->at, "features.any label.grid");
}
END_TEST

START_TEST(test_a_grid_list_under_by_is_one_key)
{
    CLEANUP(spec_free)
    struct spec *s = with_features("\"g\": {\"grid\": {\"name\": \"{by}_{where}_{prior}\", "
                                   "\"by\": [\"a\", \"b\"], \"calc\": \"mean(won)\", "
                                   "\"prior\": [1, 2.5], \"where\": {\"t\": \"x > 1\"}}}");
    ck_names(s, "a_b_t_1 a_b_t_2.5");
    ck_assert_int_eq(s->features[0].window.by.n, 2);
    ck_assert_double_eq(s->features[1].prior, 2.5);
}
END_TEST

START_TEST(test_a_grid_list_under_within_multiplies)
{
    CLEANUP(spec_free)
    struct spec *s =
        with_features("\"g\": {\"grid\": {\"name\": \"{within}_{others}\", \"within\": [\"a\", "
                      "[\"a\", \"b\"]], \"calc\": \"mean(x)\", \"others\": [true, false]}}");
    ck_names(s, "a_true a_false a_b_true a_b_false");
    ck_assert_int_eq(s->features[3].within.n, 2);
    ck_assert(!s->features[3].others);
}
END_TEST

START_TEST(test_labels_come_last_and_are_marked)
{
    CLEANUP(spec_free)
    struct spec *s = parsed("{" TABLES TARGET "\"labels\": {\"y\": \"won\"}, "
                            "\"features\": {\"x\": {\"expr\": \"a\"}}}");
    ck_names(s, "x y");
    ck_assert(!s->features[0].is_label);
    ck_assert(s->features[1].is_label);
    ck_assert_int_eq(s->features[1].kind, SPEC_EXPR);
    ck_assert_str_eq(s->features[1].at, "labels.y");
    ck_assert_str_eq(s->features[1].text, "won");
}
END_TEST

static void ck_same_identity(const char *a, const char *b, bool same)
{
    CLEANUP(spec_free) struct spec *x = parsed(a);
    CLEANUP(spec_free) struct spec *y = parsed(b);
    ck_assert_msg((strcmp(x->sha256, y->sha256) == 0) == same, "%s\n%s", x->canonical,
                  y->canonical);
}

#define IDENTITY(target, features) "{" TABLES target "\"features\": {" features "}}"

START_TEST(test_comments_and_layout_do_not_change_the_identity)
{
    const char *plain =
        IDENTITY(TARGET, "\"x\": {\"calc\": \"count()\", \"by\": \"h\", \"days\": 2}");
    ck_same_identity(plain,
                     IDENTITY("\n\"$schema\": \"s\", \"#\": [1], " TARGET,
                              "\"#x\": 0, \"x\": {\"by\": \"h\", \"#\": 1,\n\"days\": 2.0, "
                              "\"calc\": \"count()\"}"),
                     true);
    ck_same_identity(plain,
                     IDENTITY(TARGET, "\"x\": {\"calc\": \"count()\", \"by\": \"h\", \"days\": 3}"),
                     false);
}
END_TEST

START_TEST(test_the_order_of_output_columns_is_part_of_the_identity)
{
    ck_same_identity(IDENTITY(TARGET, "\"a\": {\"expr\": \"x\"}, \"b\": {\"expr\": \"y\"}"),
                     IDENTITY(TARGET, "\"b\": {\"expr\": \"y\"}, \"a\": {\"expr\": \"x\"}"), false);
    ck_same_identity(
        IDENTITY(TARGET, "\"g\": {\"grid\": {\"name\": \"{by}{last}\", \"calc\": \"count()\", "
                         "\"by\": {\"a\": \"a\", \"b\": \"b\"}, \"last\": [1, 2]}}"),
        IDENTITY(TARGET, "\"g\": {\"grid\": {\"name\": \"{by}{last}\", \"calc\": \"count()\", "
                         "\"last\": [1, 2], \"by\": {\"a\": \"a\", \"b\": \"b\"}}}"),
        false);
}
END_TEST

START_TEST(test_a_newer_version_is_a_matter_of_configuration)
{
    const char *text = "{\"spec\": 2, \"new\": {}}";
    struct spec *spec = NULL;
    struct err err = {0};
    ck_assert_int_eq(spec_parse("a.json", text, strlen(text), &spec, &err), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "upgrade hiwari"));
    ck_assert_ptr_null(spec);
}
END_TEST

START_TEST(test_a_file_that_is_not_there_is_named)
{
    struct spec *spec = NULL;
    struct err err = {0};
    ck_assert_int_eq(spec_read("/nonexistent/spec.json", &spec, &err), ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/spec.json"));
}
END_TEST

/* The features, one per line, to compare two readings of one spec. */
static void describe(const struct spec *s, struct str *out)
{
    for (int i = 0; i < s->n_features; i++) {
        const struct spec_feature *f = &s->features[i];
        str_addf(out, "%s %d %s %d %lld %lld %s\n", f->name, (int)f->kind, f->text, f->window.by.n,
                 (long long)f->window.days, (long long)f->window.last, f->at);
    }
}

START_TEST(test_good_specs_are_read_and_their_canonical_text_reads_the_same)
{
    CLEANUP(mem_free_chars) char *dir = source_path("tests/unit/specs/good");
    CLEANUP(fs_list_free) struct fs_list files = {0};
    struct err err = {0};
    ck_assert_int_eq(fs_list(dir, &files, &err), 0);
    ck_assert_uint_ge(files.n, 25);
    for (size_t i = 0; i < files.n; i++) {
        CLEANUP(mem_free_chars) char *path = fs_join(dir, files.names[i]);
        CLEANUP(spec_free) struct spec *spec = NULL;
        CLEANUP(spec_free) struct spec *again = NULL;
        CLEANUP(str_deinit) struct str one = {0}, two = {0};
        ck_assert_msg(spec_read(path, &spec, &err) == 0, "%s", err.text);
        ck_assert_msg(
            spec_parse("canonical", spec->canonical, strlen(spec->canonical), &again, &err) == 0,
            "%s of %s", err.text, spec->canonical);
        ck_assert_str_eq(spec->canonical, again->canonical);
        ck_assert_str_eq(spec->sha256, again->sha256);
        describe(spec, &one);
        describe(again, &two);
        ck_assert_uint_eq(one.len, two.len);
        ck_assert(one.len == 0 || memcmp(one.s, two.s, one.len) == 0);
    }
}
END_TEST

/* Checks one line of bad.tsv: a file, a tab, a part of the message. */
static void check_bad(const char *dir, const char *line)
{
    const char *tab = strchr(line, '\t');
    ck_assert_ptr_nonnull(tab);
    CLEANUP(mem_free_chars) char *file = mem_strndup(line, (size_t)(tab - line));
    CLEANUP(mem_free_chars) char *path = fs_join(dir, file);
    CLEANUP(spec_free) struct spec *spec = NULL;
    struct err err = {0};
    int rc = spec_read(path, &spec, &err);
    ck_assert_msg(rc == ERR_INPUT || (rc == ERR_CONFIG && strcmp(file, "spec_newer.json") == 0),
                  "%s: answer %d (%s)", file, rc, err.text);
    ck_assert_msg(strstr(err.text, tab + 1) != NULL, "%s: expected \"%s\", got \"%s\"", file,
                  tab + 1, err.text);
    ck_assert_msg(str_starts(err.text, path), "no file in \"%s\"", err.text);
}

START_TEST(test_bad_specs_are_refused_with_what_where_and_how_to_mend_it)
{
    CLEANUP(mem_free_chars) char *dir = source_path("tests/unit/specs/bad");
    CLEANUP(mem_free_chars) char *table = source_path("tests/unit/specs/bad.tsv");
    CLEANUP(fs_list_free) struct fs_list files = {0};
    CLEANUP(str_deinit) struct str text = {0};
    struct err err = {0};
    ck_assert_int_eq(fs_list(dir, &files, &err), 0);
    ck_assert_int_eq(fs_read(table, &text, &err), 0);
    size_t lines = 0;
    for (char *at = NULL, *line = strtok_r(text.s, "\n", &at); line;
         line = strtok_r(NULL, "\n", &at)) {
        if (*line == '#')
            continue;
        check_bad(dir, line);
        lines++;
    }
    ck_assert_uint_ge(lines, 60);
    ck_assert_uint_eq(lines, files.n);
}
END_TEST

START_TEST(test_the_schema_is_the_file_and_is_json)
{
    CLEANUP(mem_free_chars) char *path = source_path("lib/features/spec.schema.json");
    CLEANUP(str_deinit) struct str text = {0};
    CLEANUP(json_free) struct json *root = NULL;
    struct err err = {0};
    ck_assert_int_eq(fs_read(path, &text, &err), 0);
    ck_assert_str_eq(spec_schema(), text.s);
    ck_assert_msg(json_parse("schema", text.s, text.len, &root, &err) == 0, "%s", err.text);
}
END_TEST

static Suite *spec_suite(void)
{
    Suite *suite = suite_create("spec");
    TCase *tests = tcase_create("spec");
    tcase_add_test(tests, test_tables_target_and_output_are_read);
    tcase_add_test(tests, test_the_cutoff_is_the_key_unless_given);
    tcase_add_test(tests, test_a_window_calc_has_all_its_members);
    tcase_add_test(tests, test_what_is_not_given_is_absent);
    tcase_add_test(tests, test_members_beside_over_override_the_named_window);
    tcase_add_test(tests, test_the_other_kinds_are_told_apart);
    tcase_add_test(tests, test_lists_fan_out_with_last_as_the_outer_loop);
    tcase_add_test(tests, test_a_grid_multiplies_in_the_order_written);
    tcase_add_test(tests, test_a_grid_list_under_by_is_one_key);
    tcase_add_test(tests, test_a_grid_list_under_within_multiplies);
    tcase_add_test(tests, test_labels_come_last_and_are_marked);
    tcase_add_test(tests, test_comments_and_layout_do_not_change_the_identity);
    tcase_add_test(tests, test_the_order_of_output_columns_is_part_of_the_identity);
    tcase_add_test(tests, test_a_newer_version_is_a_matter_of_configuration);
    tcase_add_test(tests, test_a_file_that_is_not_there_is_named);
    tcase_add_test(tests, test_good_specs_are_read_and_their_canonical_text_reads_the_same);
    tcase_add_test(tests, test_bad_specs_are_refused_with_what_where_and_how_to_mend_it);
    tcase_add_test(tests, test_the_schema_is_the_file_and_is_json);
    suite_add_tcase(suite, tests);
    return suite;
}

UNIT_MAIN(spec_suite)

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_json.c - strict reading, exact writing, one canonical form. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "codec/json.h"

static struct json *parsed(const char *text)
{
    struct json *root = NULL;
    struct err err = {0};
    int r = json_parse("spec.json", text, strlen(text), &root, &err);
    ck_assert_msg(r == 0, "%s: %s", text, err.text);
    return root;
}

static void assert_refused(const char *text, size_t len, const char *words)
{
    struct json *root = NULL;
    struct err err = {0};
    /* A copy of exactly that size, so that reading beyond it is seen. */
    CLEANUP(free) void *copy = mem_alloc(len);
    memcpy(copy, text, len);
    ck_assert_msg(json_parse("spec.json", copy, len, &root, &err) == ERR_INPUT, "%s", text);
    ck_assert_ptr_null(root);
    ck_assert_msg(strstr(err.text, words) && str_starts(err.text, "spec.json: "),
                  "for %s: \"%s\" is not in \"%s\"", text, words, err.text);
}

static void assert_canonical(const char *text, const char *expected)
{
    CLEANUP(json_free) struct json *root = parsed(text);
    CLEANUP(str_deinit) struct str out = {0};
    json_canonical(root, &out);
    ck_assert_str_eq(out.s, expected);
}

START_TEST(test_every_kind_of_value_is_read)
{
    CLEANUP(json_free)
    struct json *root =
        parsed("{\"a\": [1, -2.5e1, true, false, null, \"x\\u00e9\\n\"], \"b\": {}}");
    ck_assert_int_eq(json_type(root), JSON_OBJECT);
    ck_assert_ptr_null(json_name(root));
    const struct json *a = json_get(root, "a");
    ck_assert_int_eq(json_size(a), 6);
    ck_assert(json_number(json_at(a, 1)) == -25);
    ck_assert(json_bool(json_at(a, 2)) && !json_bool(json_at(a, 3)));
    ck_assert_int_eq(json_type(json_at(a, 4)), JSON_NULL);
    ck_assert_str_eq(json_string(json_at(a, 5)), "xé\n");
    ck_assert_ptr_null(json_at(a, 6));
    const struct json *b = json_next(json_first(root));
    ck_assert_str_eq(json_name(b), "b");
    ck_assert_ptr_null(json_first(b));
    ck_assert_ptr_null(json_next(b));
    ck_assert_ptr_null(json_get(root, "A"));
    ck_assert_ptr_null(json_get(a, "a"));
}
END_TEST

START_TEST(test_bad_syntax_is_refused_with_its_place)
{
    static const char *const cases[][2] = {
        {"{\"a\": 1,\n \"b\": }", "line 2, column 7: '}' is not expected"},
        {"{\"a\" 1}", "line 1, column 6: '1' is not expected"},
        {"{\"日\": x}", "line 1, column 7: 'x' is not expected"},
        {"[1, 2", "line 1, column 6: the document ends too early"},
        {"{\"a\": tru}", "line 1, column 7: 't'"},
        {"{} {}", "line 1, column 4: '{'"},
        {"[1,]", "line 1, column 4: ']'"},
        {"{\"a\":1,}", "line 1, column 8: '}'"},
        {"[1}", "line 1, column 3: '}'"},
        {"", "empty"},
        {"  \n ", "empty"},
        {"\"abc", "line 1, column 1: this string never ends"},
        {"[\"a\\", "this string never ends"},
        {"[\"a\nb\"]", "line 1, column 4: a line break"},
        {"[\"a\\q\"]", "line 1, column"},
        {"[\"\\ud800\"]", "line 1, column"},
        {"[\"a\\u0000\"]", "line 1, column 4: \\u0000"},
        {"[01]", "line 1, column 2: this is not a JSON number"},
        {"[1.]", "not a JSON number"},
        {"[-]", "not a JSON number"},
        {"[1e]", "not a JSON number"},
        {"[.5]", "'.' is not expected"},
        {"[+1]", "'+' is not expected"},
        {"[NaN]", "'N' is not expected"},
        {"[-Infinity]", "not a JSON number"},
        {"[1e999]", "line 1, column 2: the number 1e999 is too large"},
        {"// x\n1", "line 1, column 1"},
        {"[1\x01]", "a control character"},
        {"[\"\xff\"]", "line 1, column 3: bytes that are not UTF-8"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(cases[i][0], strlen(cases[i][0]), cases[i][1]);
    assert_refused("[1]\0", 4, "a control character");
    assert_refused("[\"a\0\"]", 6, "control character");
}
END_TEST

START_TEST(test_a_long_number_is_refused_rather_than_cut)
{
    char text[200];
    snprintf(text, sizeof(text), "[0.%0100d]", 1);
    assert_refused(text, strlen(text), "a number of more than 60 characters");
}
END_TEST

START_TEST(test_a_member_given_twice_is_refused_with_its_path)
{
    static const char *const cases[][2] = {
        {"{\"a\":1,\"a\":2}", "spec.json: member \"a\" is given twice"},
        {"{\"features\":{\"win_rate\":{\"by\":1,\"calc\":2,\"by\":3}}}",
         "features.win_rate: member \"by\" is given twice"},
        {"{\"x\":[1,{\"ok\":1},{\"b\":{\"c\":1,\"c\":1}}]}", "x[2].b: member \"c\" is given twice"},
        {"[{\"a\":1},{\"a\":1,\"a\":1}]", "[1]: member \"a\" is given twice"},
        {"{\"a\":1,\"\\u0061\":2}", "member \"a\" is given twice"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(cases[i][0], strlen(cases[i][0]), cases[i][1]);
    json_free(parsed("{\"a\":{\"x\":1},\"b\":{\"x\":1},\"A\":1}"));
}
END_TEST

START_TEST(test_deep_nesting_is_refused_and_not_crashed_on)
{
    CLEANUP(str_deinit) struct str text = {0};
    for (int i = 0; i < 100000; i++)
        str_addc(&text, '[');
    assert_refused(text.s, text.len, "line 1, column 201: nested deeper than 200 levels");
    str_clear(&text);
    for (int i = 0; i < 200; i++)
        str_addc(&text, '[');
    for (int i = 0; i < 200; i++)
        str_addc(&text, ']');
    json_free(parsed(text.s));
}
END_TEST

START_TEST(test_the_canonical_form_is_one)
{
    assert_canonical("{ \"b\" : 2.0, \"a\":[1e2, 0.10, -0], \"# why\": \"x\" }",
                     "{\"a\":[100,0.1,0],\"b\":2}");
    assert_canonical("{\"é\":1,\"z\":2,\"B\":3,\"ab\":4,\"a\":5}",
                     "{\"B\":3,\"a\":5,\"ab\":4,\"z\":2,\"é\":1}");
    assert_canonical("{\"a\":{\"#\":1},\"#c\":{}}", "{\"a\":{}}");
    assert_canonical("[\"\\u00e9\\t\\/\\\"\\\\\\u001f\"]", "[\"é\\t/\\\"\\\\\\u001f\"]");
    assert_canonical("[9007199254740991, -9007199254740992, 1e300, 5e-324, 1E15]",
                     "[9007199254740991,-9007199254740992,1e+300,5e-324,1000000000000000]");
    assert_canonical("[0.30000000000000004, 0.3]", "[0.30000000000000004,0.3]");
    assert_canonical(" null\n", "null");
}
END_TEST

START_TEST(test_what_is_built_is_printed)
{
    CLEANUP(json_free) struct json *root = json_new_object();
    json_add_string(root, "batch", "a\"b");
    json_add_string(root, "none", NULL);
    json_add_int(root, "big", INT64_MIN);
    json_add_number(root, "rate", 0.1);
    json_add_number(root, "nan", 0.0 / 0.0);
    json_add_bool(root, "yes", true);
    json_add_null(root, "null");
    struct json *list = json_add_array(root, "list");
    json_add_int(list, NULL, INT64_MAX);
    json_add_object(list, NULL);
    json_add_int(json_add_object(root, "o"), "x", 1);
    CLEANUP(str_deinit) struct str out = {0};
    json_print(root, false, &out);
    ck_assert_str_eq(out.s, "{\"batch\":\"a\\\"b\",\"none\":null,\"big\":-9223372036854775808,"
                            "\"rate\":0.1,\"nan\":null,\"yes\":true,\"null\":null,"
                            "\"list\":[9223372036854775807,{}],\"o\":{\"x\":1}}");
    ck_assert_int_eq(json_type(json_get(root, "big")), JSON_NUMBER);
    ck_assert(json_number(json_get(root, "big")) == -0x1p63);
}
END_TEST

START_TEST(test_indented_print_is_for_people)
{
    CLEANUP(json_free) struct json *root = parsed("{\"b\":[1,{}],\"#\":\"kept\",\"a\":{\"x\":[]}}");
    CLEANUP(str_deinit) struct str out = {0};
    json_print(root, true, &out);
    ck_assert_str_eq(out.s, "{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"#\": \"kept\",\n"
                            "  \"a\": {\n    \"x\": []\n  }\n}\n");
}
END_TEST

START_TEST(test_what_hiwari_needs_is_named_when_it_is_not_there)
{
    CLEANUP(json_free)
    struct json *root = parsed("{\"s\":\"x\",\"n\":9007199254740992,\"f\":1.5,\"h\":1e17}");
    struct err err = {0};
    const char *s = NULL;
    int64_t n = 0;
    ck_assert_int_eq(json_need_string(root, "s", &s, &err), 0);
    ck_assert_str_eq(s, "x");
    ck_assert_int_eq(json_need_int(root, "n", &n, &err), 0);
    ck_assert_int_eq(n, INT64_C(9007199254740992));
    ck_assert_int_eq(json_need_int(root, "absent", &n, &err), ERR_INPUT);
    ck_assert_str_eq(err.text, "member \"absent\" is missing");
    ck_assert_int_eq(json_need_int(root, "s", &n, &err), ERR_INPUT);
    ck_assert_str_eq(err.text, "member \"s\" must be a number, not a string");
    ck_assert_int_eq(json_need_int(root, "f", &n, &err), ERR_INPUT);
    ck_assert_int_eq(json_need_int(root, "h", &n, &err), ERR_INPUT);
    ck_assert_int_eq(json_need_string(root, "n", &s, &err), ERR_INPUT);
}
END_TEST

static Suite *json_suite(void)
{
    Suite *suite = suite_create("json");
    TCase *t = tcase_create("json");
    tcase_add_test(t, test_every_kind_of_value_is_read);
    tcase_add_test(t, test_bad_syntax_is_refused_with_its_place);
    tcase_add_test(t, test_a_long_number_is_refused_rather_than_cut);
    tcase_add_test(t, test_a_member_given_twice_is_refused_with_its_path);
    tcase_add_test(t, test_deep_nesting_is_refused_and_not_crashed_on);
    tcase_add_test(t, test_the_canonical_form_is_one);
    tcase_add_test(t, test_what_is_built_is_printed);
    tcase_add_test(t, test_indented_print_is_for_people);
    tcase_add_test(t, test_what_hiwari_needs_is_named_when_it_is_not_there);
    suite_add_tcase(suite, t);
    return suite;
}

UNIT_MAIN(json_suite)

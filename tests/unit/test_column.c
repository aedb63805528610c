/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_column.c - columns, slices, dictionaries. */
#include "unit.h"

#include <string.h>

#include "codec/column.h"

static const char bytes[] = "abbb日";
static const int64_t offsets[] = {0, 0, 1, 2, 4, 7};
static const struct dict dict = {.n = 5, .offsets = offsets, .bytes = bytes}; /* "", a, b, bb, 日 */

static struct text text_of(const char *s)
{
    return (struct text){s, (int64_t)strlen(s)};
}

START_TEST(test_texts_compare_by_bytes_and_then_by_length)
{
    ck_assert_int_lt(text_compare(text_of("a"), text_of("b")), 0);
    ck_assert_int_lt(text_compare(text_of("a"), text_of("aa")), 0);
    ck_assert_int_gt(text_compare(text_of("日"), text_of("z")), 0);
    ck_assert_int_eq(text_compare(text_of(""), (struct text){0}), 0);
}
END_TEST

START_TEST(test_an_entry_is_found_by_its_text)
{
    ck_assert_int_eq(dict_find(&dict, text_of("")), 0);
    ck_assert_int_eq(dict_find(&dict, text_of("bb")), 3);
    ck_assert_int_eq(dict_find(&dict, text_of("日")), 4);
    ck_assert_int_eq(dict_find(&dict, text_of("c")), -1);
    ck_assert_int_eq(dict_find(&dict, text_of("zz")), -1);
    struct dict empty = {0};
    ck_assert_int_eq(dict_find(&empty, text_of("")), -1);
    ck_assert_int_eq(dict_max_chars(&dict), 2);
    ck_assert_int_eq(dict_max_chars(&empty), 0);
}
END_TEST

START_TEST(test_a_new_column_is_zeros_and_nulls)
{
    static const enum type types[] = {TYPE_BOOL, TYPE_INT,       TYPE_DECIMAL, TYPE_FLOAT,
                                      TYPE_DATE, TYPE_TIMESTAMP, TYPE_STRING,  TYPE_NULL};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        for (int64_t rows = 0; rows < 5; rows++) {
            CLEANUP(column_deinit) struct column c = {0};
            column_alloc(&c, types[i], rows, true);
            for (int64_t row = 0; row < rows; row++) {
                ck_assert(column_is_null(&c, row));
                ck_assert(column_f64(&c, row) == 0);
                c.valid[row] = 1;
            }
            memset(c.data, 0, (size_t)rows * type_bytes(types[i]));
        }
    }
    CLEANUP(column_deinit) struct column full = {0};
    column_alloc(&full, TYPE_INT, 3, false);
    ck_assert(!column_is_null(&full, 2));
}
END_TEST

START_TEST(test_a_slice_is_a_view_of_some_rows)
{
    CLEANUP(column_deinit) struct column c = {0};
    column_alloc(&c, TYPE_INT, 10, true);
    for (int64_t row = 0; row < 10; row++) {
        c.i[row] = row * 11;
        c.valid[row] = row != 4;
    }
    struct column view = column_slice(&c, 3, 4);
    ck_assert_int_eq(view.rows, 4);
    ck_assert_int_eq(view.i[0], 33);
    ck_assert(column_is_null(&view, 1));
    ck_assert(column_f64(&view, 3) == 66);
    column_deinit(&view); /* harmless: the values are still there */
    ck_assert_int_eq(c.i[3], 33);
}
END_TEST

START_TEST(test_rows_are_taken_in_any_order_with_nulls_and_dictionary)
{
    static const int64_t at[] = {0, 1, 2};
    static const int32_t order[] = {2, 0, 2, 1};
    CLEANUP(column_deinit) struct column c = {0}, taken = {0};
    column_alloc(&c, TYPE_STRING, 3, true);
    c.dict = (struct dict){2, at, "ab"};
    c.max_chars = 1;
    c.code[0] = 1;
    c.valid[0] = c.valid[2] = 1;
    column_take(&c, order, 4, &taken);
    ck_assert_int_eq(taken.rows, 4);
    ck_assert_int_eq(taken.max_chars, 1);
    for (int row = 0; row < 4; row++) {
        ck_assert_int_eq(column_is_null(&taken, row), order[row] == 1);
        ck_assert_int_eq(taken.code[row], c.code[order[row]]);
    }
    ck_assert(dict_text(&taken.dict, taken.code[1]).s[0] == 'b');
}
END_TEST

START_TEST(test_a_frame_gives_back_what_it_owns)
{
    struct frame frame = {
        .rows = 2, .n_columns = 2, .columns = mem_array(2, sizeof(struct column))};
    column_alloc(&frame.columns[0], TYPE_FLOAT, 2, false);
    frame.columns[1] = column_slice(&frame.columns[0], 0, 2);
    frame_deinit(&frame);
    ck_assert_ptr_null(frame.columns);
    frame_deinit(&frame);
}
END_TEST

START_TEST(test_types_have_names_and_sizes)
{
    ck_assert_str_eq(type_name(TYPE_INT), "integer");
    ck_assert_str_eq(type_name(TYPE_STRING), "string");
    ck_assert(type_is_number(TYPE_BOOL) && type_is_number(TYPE_DECIMAL));
    ck_assert(!type_is_number(TYPE_DATE) && !type_is_number(TYPE_STRING));
    ck_assert_uint_eq(type_bytes(TYPE_BOOL), 1);
    ck_assert_uint_eq(type_bytes(TYPE_STRING), 4);
    ck_assert_uint_eq(type_bytes(TYPE_TIMESTAMP), 8);
}
END_TEST

static Suite *column_suite(void)
{
    Suite *suite = suite_create("column");
    TCase *t = tcase_create("column");
    tcase_add_test(t, test_texts_compare_by_bytes_and_then_by_length);
    tcase_add_test(t, test_an_entry_is_found_by_its_text);
    tcase_add_test(t, test_a_new_column_is_zeros_and_nulls);
    tcase_add_test(t, test_a_slice_is_a_view_of_some_rows);
    tcase_add_test(t, test_rows_are_taken_in_any_order_with_nulls_and_dictionary);
    tcase_add_test(t, test_a_frame_gives_back_what_it_owns);
    tcase_add_test(t, test_types_have_names_and_sizes);
    suite_add_tcase(suite, t);
    return suite;
}

UNIT_MAIN(column_suite)

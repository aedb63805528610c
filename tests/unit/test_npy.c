/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_npy.c - arrays as numpy reads them, and files that are not what they say. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "codec/npy.h"

START_TEST(test_a_header_is_numpys_and_ends_at_64)
{
    CLEANUP(str_deinit) struct str out = {0};
    npy_write_header(&out, "<i8", 3, 0);
    ck_assert_uint_eq(out.len, 128);
    ck_assert_mem_eq(out.s, "\x93NUMPY\x01\x00\x76\x00", 10);
    static const char dict[] = "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }   ";
    ck_assert_mem_eq(out.s + 10, dict, sizeof(dict) - 1);
    ck_assert_int_eq(out.s[127], '\n');
}
END_TEST

START_TEST(test_a_header_reads_back)
{
    static const struct {
        const char *descr;
        int64_t rows, columns;
        size_t item;
    } cases[] = {{"<i8", 3, 0, 8}, {"<f4", 0, 0, 4},    {"|b1", 7, 2, 1},     {"<U12", 2, 0, 48},
                 {"<i4", 1, 1, 4}, {"<M8[D]", 5, 0, 8}, {"<M8[us]", 1, 3, 8}, {"|u1", 100, 0, 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(str_deinit) struct str file = {0};
        npy_write_header(&file, cases[i].descr, cases[i].rows, cases[i].columns);
        size_t data_at = file.len;
        int64_t columns = cases[i].columns ? cases[i].columns : 1;
        for (size_t n = 0; n < (size_t)(cases[i].rows * columns) * cases[i].item; n++)
            str_addc(&file, 'x');
        struct npy_header h;
        struct err err = {0};
        ck_assert_msg(npy_parse(file.s, file.len, &h, &err) == 0, "%s", err.text);
        ck_assert_str_eq(h.descr, cases[i].descr);
        ck_assert_int_eq(h.rows, cases[i].rows);
        ck_assert_int_eq(h.columns, cases[i].columns);
        ck_assert_uint_eq(h.data_at, data_at);
        ck_assert_uint_eq(h.item_bytes, cases[i].item);
        ck_assert_int_eq(npy_parse(file.s, file.len + 1, &h, &err), ERR_INPUT);
        ck_assert_int_eq(npy_parse(file.s, file.len - 1, &h, &err), ERR_INPUT);
    }
}
END_TEST

/* A file with this dictionary and so many bytes of data. */
static void file_make(struct str *file, const char *dict, size_t whole, size_t data)
{
    size_t header = whole - 10;
    str_clear(file);
    str_add(file, "\x93NUMPY\x01\0", 8);
    str_addc(file, (char)(header & 255));
    str_addc(file, (char)(header >> 8));
    str_addf(file, "%-*s\n", (int)header - 1, dict);
    for (size_t i = 0; i < data; i++)
        str_addc(file, 0);
}

START_TEST(test_spacing_and_order_of_the_header_are_free)
{
    static const char *const dicts[] = {
        "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }",
        "{\"shape\":(2,),\"fortran_order\":False,\"descr\":\"<i8\"}",
        "{ 'fortran_order' : False , 'shape' : ( 2 , ) , 'descr' : '<i8' }",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 1), }",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (1, 2,)}",
    };
    CLEANUP(str_deinit) struct str file = {0};
    for (size_t i = 0; i < sizeof(dicts) / sizeof(dicts[0]); i++) {
        struct npy_header h;
        struct err err = {0};
        file_make(&file, dicts[i], 128, 16);
        ck_assert_msg(npy_parse(file.s, file.len, &h, &err) == 0, "%s: %s", dicts[i], err.text);
    }
}
END_TEST

START_TEST(test_what_is_not_read_is_refused_in_words)
{
    static const struct {
        const char *dict;
        size_t whole, data;
        const char *words;
    } cases[] = {
        {"{'descr': '<i8', 'fortran_order': True, 'shape': (2,), }", 128, 16, "Fortran"},
        {"{'descr': '>i8', 'fortran_order': False, 'shape': (2,), }", 128, 16, "\">i8\" are not"},
        {"{'descr': '<U0', 'fortran_order': False, 'shape': (2,), }", 128, 0, "not read"},
        {"{'descr': '<U99999999999', 'fortran_order': False, 'shape': (2,), }", 128, 0, "not read"},
        {"{'descr': [('a', '<i8')], 'fortran_order': False, 'shape': (2,), }", 128, 16,
         "plain type"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (), }", 128, 8, "dimensions"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (1, 1, 2), }", 128, 16, "dimensions"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (2, 0), }", 128, 0, "dimensions"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (-2,), }", 128, 16, "dimensions"},
        {"{'descr': '<i8', 'fortran_order': False, }", 128, 16, "not complete"},
        {"{'descr': '<i8', 'descr': '<i8', 'shape': (2,), }", 128, 16, "twice"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (2,), } x", 128, 16, "not complete"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (2,)", 128, 16, "not complete"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (2,), 'x': 1}", 128, 16, "unknown"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }", 96, 16, "multiple of 64"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }", 128, 16, "cut short"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }", 128, 16, "144 bytes"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (2305843009213693952,), }", 128, 0,
         "cut short"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", 128, 0,
         "cut short"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (99999999999999999999,), }", 128, 0,
         "dimensions"},
    };
    CLEANUP(str_deinit) struct str file = {0};
    struct npy_header h;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = {0};
        file_make(&file, cases[i].dict, cases[i].whole, cases[i].data);
        ck_assert_msg(npy_parse(file.s, file.len, &h, &err) == ERR_INPUT, "%s", cases[i].dict);
        ck_assert_msg(strstr(err.text, cases[i].words) != NULL, "%s: %s", cases[i].dict, err.text);
    }
    struct err err = {0};
    file_make(&file, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }", 128, 16);
    file.s[6] = 2;
    ck_assert_int_eq(npy_parse(file.s, file.len, &h, &err), ERR_INPUT);
    ck_assert_str_eq(err.text, "npy version 2.0, but only 1.0 is read");
    ck_assert_int_eq(npy_parse("x", 1, &h, &err), ERR_INPUT);
    ck_assert_str_eq(err.text, "this is not a .npy file");
}
END_TEST

START_TEST(test_every_cut_of_a_file_is_refused)
{
    CLEANUP(str_deinit) struct str file = {0};
    file_make(&file, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }", 128, 16);
    for (size_t len = 0; len < file.len; len++) {
        struct npy_header h;
        struct err err = {0};
        CLEANUP(free) void *cut = mem_alloc(len);
        memcpy(cut, file.s, len);
        ck_assert_int_eq(npy_parse(cut, len, &h, &err), ERR_INPUT);
    }
}
END_TEST

static const char words[] = "b日割り";
static const int64_t word_offsets[] = {0, 0, 1, 10};
#define WORD_DICT                                                                                  \
    {                                                                                              \
        .n = 3, .offsets = word_offsets, .bytes = words                                            \
    }
static uint8_t bools[] = {1, 0, 1}, valid[] = {1, 0, 1};
static int64_t ints[] = {1, 0, -7};
static double floats[] = {0.5, 0, -2};
static int32_t codes[] = {2, 0, 1};

/* Each kind of column, its descr and the value of row 0 as numpy's repr shows it. */
static const struct {
    struct column column;
    bool f32;
    const char *descr, *list;
} kinds[] = {
    {{.name = "i", .type = TYPE_INT, .rows = 3, .i = ints}, false, "<i8", "[1, 0, -7]"},
    {{.name = "i", .type = TYPE_INT, .rows = 3, .i = ints}, true, "<i8", "[1, 0, -7]"},
    {{.name = "b", .type = TYPE_BOOL, .rows = 3, .b = bools}, false, "<i8", "[1, 0, 1]"},
    {{.name = "n", .type = TYPE_INT, .rows = 3, .i = ints, .valid = valid, .nullable = true},
     false,
     "<f8",
     "[1.0, nan, -7.0]"},
    {{.name = "m", .type = TYPE_INT, .rows = 3, .i = ints, .nullable = true},
     false,
     "<f8",
     "[1.0, 0.0, -7.0]"},
    {{.name = "c", .type = TYPE_BOOL, .rows = 3, .b = bools, .valid = valid, .nullable = true},
     true,
     "<f4",
     "[1.0, nan, 1.0]"},
    {{.name = "f", .type = TYPE_FLOAT, .rows = 3, .f = floats, .valid = valid, .nullable = true},
     false,
     "<f8",
     "[0.5, nan, -2.0]"},
    {{.name = "g", .type = TYPE_DECIMAL, .scale = 1, .rows = 3, .f = floats},
     true,
     "<f4",
     "[0.5, 0.0, -2.0]"},
    {{.name = "d", .type = TYPE_DATE, .rows = 3, .i = ints, .valid = valid, .nullable = true},
     false,
     "<M8[D]",
     "[datetime.date(1970, 1, 2), None, datetime.date(1969, 12, 25)]"},
    {{.name = "t", .type = TYPE_TIMESTAMP, .rows = 3, .i = ints, .valid = valid, .nullable = true},
     false,
     "<M8[us]",
     "[datetime.datetime(1970, 1, 1, 0, 0, 0, 1), None, "
     "datetime.datetime(1969, 12, 31, 23, 59, 59, 999993)]"},
    {{.name = "s",
      .type = TYPE_STRING,
      .rows = 3,
      .code = codes,
      .dict = WORD_DICT,
      .max_chars = 5},
     false,
     "<U5",
     "[\"日割り\", \"\", \"b\"]"},
    {{.name = "z",
      .type = TYPE_STRING,
      .rows = 3,
      .code = codes,
      .dict = WORD_DICT,
      .max_chars = 3,
      .valid = valid,
      .nullable = true},
     false,
     "<U3",
     "[\"日割り\", \"\", \"b\"]"},
    {{.name = "x", .type = TYPE_NULL, .rows = 2}, false, "<f8", "[nan, nan]"},
    {{.name = "e", .type = TYPE_STRING, .rows = 0}, false, "<U1", "[]"},
};
enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

START_TEST(test_each_kind_of_column_has_its_type)
{
    for (int i = 0; i < N_KINDS; i++) {
        CLEANUP(str_deinit) struct str file = {0};
        struct npy_header h;
        struct err err = {0};
        int r = npy_write_column(&file, &kinds[i].column, kinds[i].f32, &err);
        ck_assert_msg(r == 0, "%s", err.text);
        ck_assert_msg(npy_parse(file.s, file.len, &h, &err) == 0, "%s", err.text);
        ck_assert_str_eq(h.descr, kinds[i].descr);
        ck_assert_int_eq(h.rows, kinds[i].column.rows);
    }
}
END_TEST

START_TEST(test_strings_are_ucs4_padded_with_zeros)
{
    CLEANUP(str_deinit) struct str file = {0};
    struct err err = {0};
    struct column c = {.name = "s",
                       .type = TYPE_STRING,
                       .rows = 1,
                       .code = codes,
                       .dict = WORD_DICT,
                       .max_chars = 4};
    ck_assert_int_eq(npy_write_column(&file, &c, false, &err), 0);
    static const uint32_t expected[] = {0x65e5, 0x5272, 0x308a, 0};
    ck_assert_mem_eq(file.s + file.len - 16, expected, 16);
}
END_TEST

START_TEST(test_what_does_not_fit_is_an_error_naming_the_column)
{
    CLEANUP(str_deinit) struct str file = {0};
    struct err err = {0};
    double large[] = {1, 3.5e38};
    struct column f = {.name = "speed", .type = TYPE_FLOAT, .rows = 2, .f = large};
    ck_assert_int_eq(npy_write_column(&file, &f, true, &err), ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(err.text, "\"speed\", row 2"));
    ck_assert_int_eq(npy_write_column(&file, &f, false, &err), 0);
    struct column s = kinds[10].column;
    s.max_chars = 2;
    ck_assert_int_eq(npy_write_column(&file, &s, false, &err), ERR_BUG);
    struct column i = kinds[0].column;
    i.valid = valid;
    ck_assert_int_eq(npy_write_column(&file, &i, false, &err), ERR_BUG);
}
END_TEST

/* One file per kind, and what numpy makes of each. */
START_TEST(test_numpy_reads_what_is_written)
{
    if (system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") != 0) {
        fprintf(stderr, "skipped: no numpy for /usr/bin/python3 to read the arrays with\n");
        return;
    }
    char dir[] = "/tmp/hiwari-npy-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    struct err err = {0};
    CLEANUP(str_deinit) struct str program = {0};
    str_addz(&program, "import datetime, sys, numpy\n");
    for (int i = 0; i < N_KINDS; i++) {
        CLEANUP(str_deinit) struct str file = {0};
        CLEANUP(mem_free_chars) char *path = mem_printf("%s/%d.npy", dir, i);
        ck_assert_int_eq(npy_write_column(&file, &kinds[i].column, kinds[i].f32, &err), 0);
        ck_assert_int_eq(fs_write(path, file.s, file.len, &err), 0);
        str_addf(&program,
                 "a = numpy.load('%s')\n"
                 "if repr(a.tolist()) != repr(eval('''%s''', {'nan': float('nan'), 'datetime': "
                 "datetime})): sys.exit('column %d: ' + repr(a.tolist()))\n",
                 path, kinds[i].list, i);
    }
    CLEANUP(mem_free_chars) char *script = fs_join(dir, "check.py");
    ck_assert_int_eq(fs_write(script, program.s, program.len, &err), 0);
    CLEANUP(mem_free_chars) char *command = mem_printf("/usr/bin/python3 %s", script);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(fs_remove_tree(dir, &err), 0);
}
END_TEST

static Suite *npy_suite(void)
{
    Suite *suite = suite_create("npy");
    TCase *t = tcase_create("npy");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_a_header_is_numpys_and_ends_at_64);
    tcase_add_test(t, test_a_header_reads_back);
    tcase_add_test(t, test_spacing_and_order_of_the_header_are_free);
    tcase_add_test(t, test_what_is_not_read_is_refused_in_words);
    tcase_add_test(t, test_every_cut_of_a_file_is_refused);
    tcase_add_test(t, test_each_kind_of_column_has_its_type);
    tcase_add_test(t, test_strings_are_ucs4_padded_with_zeros);
    tcase_add_test(t, test_what_does_not_fit_is_an_error_naming_the_column);
    tcase_add_test(t, test_numpy_reads_what_is_written);
    suite_add_tcase(suite, t);
    return suite;
}

UNIT_MAIN(npy_suite)

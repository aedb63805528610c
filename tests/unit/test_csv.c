/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_csv.c - what is read, what is refused and where, and what is written. */
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "codec/csv.h"

/* Records as text: "line:field|field|NULL;". */
static int note(void *ctx, const struct text *fields, int n_fields, int64_t line, struct err *err)
{
    struct str *seen = ctx;
    str_addf(seen, "%" PRId64 ":", line);
    for (int i = 0; i < n_fields; i++) {
        if (i > 0)
            str_addc(seen, '|');
        if (fields[i].s)
            str_add(seen, fields[i].s, (size_t)fields[i].len);
        else
            str_addz(seen, "NULL");
    }
    str_addc(seen, ';');
    return 0;
}

/* By way of csv_read, and of a file: both must see the same. */
static int read_both(const char *text, size_t len, struct str *seen, struct err *err)
{
    char path[] = "/tmp/hiwari-csv-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, len), (int)len);
    close(fd);
    CLEANUP(str_deinit) struct str again = {0};
    struct err again_err = {0};
    int r = csv_read(path, text, len, note, note, seen, err);
    ck_assert_int_eq(csv_read_file(path, note, note, &again, &again_err), r);
    unlink(path);
    str_addz(seen, "");
    str_addz(&again, "");
    ck_assert_str_eq(again.s, seen->s);
    if (r < 0) {
        ck_assert_str_eq(again_err.text, err->text);
        ck_assert(str_starts(err->text, path));
    }
    return r;
}

static void assert_seen(const char *text, const char *expected)
{
    CLEANUP(str_deinit) struct str seen = {0};
    struct err err = {0};
    int r = read_both(text, strlen(text), &seen, &err);
    ck_assert_msg(r == 0, "%s: %s", text, err.text);
    ck_assert_str_eq(seen.s, expected);
}

static void assert_refused(const char *text, size_t len, const char *words)
{
    CLEANUP(str_deinit) struct str seen = {0};
    struct err err = {0};
    ck_assert_msg(read_both(text, len, &seen, &err) == ERR_INPUT, "%s", text);
    ck_assert_msg(strstr(err.text, words) != NULL, "for %s: \"%s\" is not in \"%s\"", text, words,
                  err.text);
}

START_TEST(test_records_are_read_with_their_lines)
{
    assert_seen("a,b\n1,2\n3,4\n", "1:a|b;2:1|2;3:3|4;");
    assert_seen("a,b\n1,2\n3,4", "1:a|b;2:1|2;3:3|4;");
    assert_seen("a,b\r\n1,2\r\n3,4\r\n", "1:a|b;2:1|2;3:3|4;");
    assert_seen("a\n", "1:a;");
    assert_seen("a\n日割り\n", "1:a;2:日割り;");
}
END_TEST

START_TEST(test_an_empty_field_is_null_and_a_quoted_one_is_empty)
{
    assert_seen("a,b,c\n,\"\",\n", "1:a|b|c;2:NULL||NULL;");
    assert_seen("a\n\"\"\n", "1:a;2:;");
    assert_seen("a,b\n,", "1:a|b;2:NULL|NULL;");
}
END_TEST

START_TEST(test_blanks_belong_to_the_field)
{
    assert_seen("a,b\n x , y\t\n", "1:a|b;2: x | y\t;");
    assert_refused("a,b\n \"x\",1\n", 12, "line 2, column 2: a stray quote");
}
END_TEST

START_TEST(test_quoted_fields_hold_anything)
{
    assert_seen("a,b\n\"x,y\",\"say \"\"hi\"\"\"\n", "1:a|b;2:x,y|say \"hi\";");
    assert_seen("a,b\n\"one\ntwo\r\n\nthree\",2\n5,6\n", "1:a|b;2:one\ntwo\r\n\nthree|2;6:5|6;");
    assert_seen("\"a\",\"b\"\n\" x \",\"\r\"\n", "1:a|b;2: x |\r;");
}
END_TEST

START_TEST(test_blank_lines_and_a_byte_order_mark_are_skipped)
{
    assert_seen("\xef\xbb\xbf\"a\",b\n1,2\n", "1:a|b;2:1|2;");
    assert_seen("\n\r\na,b\n\n1,2\n\r\n\n3,4\n\n", "3:a|b;5:1|2;8:3|4;");
}
END_TEST

START_TEST(test_what_is_wrong_has_its_place)
{
    static const char *const cases[][2] = {
        {"", "empty, but the first line must name the columns"},
        {"\n\n", "empty"},
        {"\xef\xbb\xbf", "empty"},
        {"a,,c\n", "line 1: column 2 of the header has no name"},
        {"a,\"\"\n", "line 1: column 2 of the header has no name"},
        {"a,b,a\n", "line 1: the header names column \"a\" twice"},
        {"a,b\n1,2\n3\n", "line 3: 1 fields, but the header has 2 columns"},
        {"a,b\n1,2\n3,4,5\n", "line 3: 3 fields, but the header has 2 columns"},
        {"a,b\n1,2,\n", "line 2: 3 fields"},
        {"a,b\n1,x\"y\n", "line 2, column 4: a stray quote"},
        {"a,b\n1,\"x\"y\n", "line 2, column 6: a stray quote"},
        {"a,b\n1,2\n3,\"x\ny\n", "line 3 opens a quote that never ends"},
        {"a,b\n1,\"", "line 2 opens a quote that never ends"},
        {"a,b\n1,\xff\n", "line 2, column 3: bytes that are not UTF-8"},
        {"a,b\n1,\"\n\x80\"\n", "line 3, column 1: bytes that are not UTF-8"},
        {"a,b\r1,2\r", "line 1: a carriage return without a line feed"},
        {"a,b\n1,2\r3,4\n", "line 2: a carriage return without a line feed"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(cases[i][0], strlen(cases[i][0]), cases[i][1]);
    assert_refused("a,b\n1,\0\n", 8, "line 2, column 3: a NUL byte");
    assert_refused("a,b\n1,2\n\0", 9, "line 3, column 1: a NUL byte");
}
END_TEST

static int refuse(void *ctx, const struct text *fields, int n_fields, int64_t line, struct err *err)
{
    (*(int *)ctx)++;
    return err_set(err, ERR_CONFIG, "no more after line %d", (int)line);
}

static int accept(void *ctx, const struct text *fields, int n_fields, int64_t line, struct err *err)
{
    return 0;
}

START_TEST(test_a_failure_of_the_caller_stops_the_reading)
{
    struct err err = {0};
    int calls = 0;
    ck_assert_int_eq(csv_read("x", "a\n1\n2\n", 6, accept, refuse, &calls, &err), ERR_CONFIG);
    ck_assert_int_eq(calls, 1);
    ck_assert_str_eq(err.text, "no more after line 2");
    ck_assert_int_eq(csv_read("x", "a\n1\n2\n", 6, refuse, accept, &calls, &err), ERR_CONFIG);
    ck_assert_int_eq(calls, 2);
    ck_assert_int_eq(csv_read_file("/nonexistent/x.csv", accept, accept, &calls, &err), ERR_INPUT);
    ck_assert_str_eq(err.text,
                     "cannot read /nonexistent/x.csv: No such file or directory; check the path");
}
END_TEST

/* Sums the numbers, and remembers the longest field and the last line. */
struct sums {
    int64_t records, total, longest, line;
};

static int add_up(void *ctx, const struct text *fields, int n_fields, int64_t line, struct err *err)
{
    struct sums *sums = ctx;
    sums->records++;
    sums->line = line;
    sums->longest = fields[1].len > sums->longest ? fields[1].len : sums->longest;
    char digits[32] = {0};
    memcpy(digits, fields[0].s, (size_t)fields[0].len);
    sums->total += atoll(digits);
    return 0;
}

START_TEST(test_a_file_of_many_chunks_reads_as_one)
{
    char path[] = "/tmp/hiwari-csv-XXXXXX";
    close(mkstemp(path));
    CLEANUP(str_deinit) struct str text = {0};
    str_addz(&text, "n,words\n");
    for (int i = 0; i < 200000; i++)
        str_addf(&text, "%d,\"a, \"\"quoted\"\" word\nand %d\"\n", i, i);
    str_addz(&text, "7,");
    for (int i = 0; i < 3000000; i++) /* one field longer than a chunk */
        str_addc(&text, 'x');
    struct err err = {0};
    ck_assert_int_eq(fs_write(path, text.s, text.len, &err), 0);
    struct sums sums = {0};
    int r = csv_read_file(path, accept, add_up, &sums, &err);
    unlink(path);
    ck_assert_msg(r == 0, "%s", err.text);
    ck_assert_int_eq(sums.records, 200001);
    ck_assert_int_eq(sums.total, INT64_C(200000) * 199999 / 2 + 7);
    ck_assert_int_eq(sums.longest, 3000000);
    ck_assert_int_eq(sums.line, 400002);
}
END_TEST

/* ---- Writing ---- */

static const char words[] = "a,b\"q\"two\nlines日";
static const int64_t word_offsets[] = {0, 0, 3, 6, 15, 18};
static const struct dict word_dict = {.n = 5, .offsets = word_offsets, .bytes = words};

START_TEST(test_a_frame_is_written_by_the_rules_of_output)
{
    enum { ROWS = 5 };
    static uint8_t b[] = {1, 0, 0, 1, 0}, valid[] = {1, 1, 1, 0, 1};
    static int64_t i[] = {1, -5, INT64_MAX, 0, INT64_MIN};
    static double f[] = {55, 0.1, -2.5, 0, 1e22};
    static int64_t date[] = {0, 19753, -719162, 0, 2932896};
    static int64_t time[] = {0, 1706713445000000, 1706713445250000, 0, -1};
    static int32_t code[] = {0, 1, 2, 3, 4};
    struct column columns[] = {
        {.name = "b", .type = TYPE_BOOL, .rows = ROWS, .b = b},
        {.name = "i", .type = TYPE_INT, .rows = ROWS, .i = i, .valid = valid},
        {.name = "dec", .type = TYPE_DECIMAL, .scale = 1, .rows = ROWS, .f = f},
        {.name = "f", .type = TYPE_FLOAT, .rows = ROWS, .f = f, .valid = valid},
        {.name = "date", .type = TYPE_DATE, .rows = ROWS, .i = date, .valid = valid},
        {.name = "time", .type = TYPE_TIMESTAMP, .rows = ROWS, .i = time, .valid = valid},
        {.name = "s,x", .type = TYPE_STRING, .rows = ROWS, .code = code, .dict = word_dict},
        {.name = "null", .type = TYPE_NULL, .rows = ROWS},
    };
    struct frame frame = {.rows = ROWS, .n_columns = 8, .columns = columns};
    CLEANUP(str_deinit) struct str out = {0};
    csv_write_frame(&out, &frame);
    ck_assert_str_eq(
        out.s,
        "b,i,dec,f,date,time,\"s,x\",null\n"
        "1,1,55.0,55.0,1970-01-01,1970-01-01 00:00:00,\"\",\n"
        "0,-5,0.1,0.1,2024-01-31,2024-01-31 15:04:05,\"a,b\",\n"
        "0,9223372036854775807,-2.5,-2.5,0001-01-01,2024-01-31 15:04:05.250000,\"\"\"q\"\"\",\n"
        "1,,0.0,,,,\"two\nlines\",\n"
        "0,-9223372036854775808,1e+22,1e+22,9999-12-31,1969-12-31 23:59:59.999999,日,\n");
}
END_TEST

START_TEST(test_what_is_written_reads_as_the_same)
{
    static int32_t code[] = {0, 1, 2, 3, 4, 0};
    static uint8_t valid[] = {1, 1, 1, 1, 1, 0};
    static double f[] = {1, 2, 3, 4, 5, 6};
    struct column columns[] = {
        {.name = "s",
         .type = TYPE_STRING,
         .rows = 6,
         .code = code,
         .valid = valid,
         .dict = word_dict},
        {.name = "f", .type = TYPE_FLOAT, .rows = 6, .f = f},
    };
    struct frame frame = {.rows = 6, .n_columns = 2, .columns = columns};
    CLEANUP(str_deinit) struct str out = {0};
    csv_write_frame(&out, &frame);
    assert_seen(out.s, "1:s|f;2:|1.0;3:a,b|2.0;4:\"q\"|3.0;5:two\nlines|4.0;7:日|5.0;8:NULL|6.0;");
}
END_TEST

START_TEST(test_a_frame_without_rows_is_a_header)
{
    struct column column = {.name = "a", .type = TYPE_INT};
    struct frame frame = {.n_columns = 1, .columns = &column};
    CLEANUP(str_deinit) struct str out = {0};
    csv_write_frame(&out, &frame);
    ck_assert_str_eq(out.s, "a\n");
}
END_TEST

START_TEST(test_long_strings_find_room)
{
    CLEANUP(str_deinit) struct str text = {0};
    for (int i = 0; i < 100000; i++)
        str_addc(&text, '"');
    int64_t offsets[] = {0, (int64_t)text.len};
    struct dict dict = {.n = 1, .offsets = offsets, .bytes = text.s};
    int32_t code[100] = {0};
    struct column columns[] = {
        {.name = "a", .type = TYPE_STRING, .rows = 100, .code = code, .dict = dict},
        {.name = "b", .type = TYPE_STRING, .rows = 100, .code = code, .dict = dict},
    };
    struct frame frame = {.rows = 100, .n_columns = 2, .columns = columns};
    CLEANUP(str_deinit) struct str out = {0};
    csv_write_frame(&out, &frame);
    ck_assert_uint_eq(out.len, 4 + 100 * 2 * (2 * text.len + 3));
}
END_TEST

static Suite *csv_suite(void)
{
    Suite *suite = suite_create("csv");
    TCase *t = tcase_create("csv");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_records_are_read_with_their_lines);
    tcase_add_test(t, test_an_empty_field_is_null_and_a_quoted_one_is_empty);
    tcase_add_test(t, test_blanks_belong_to_the_field);
    tcase_add_test(t, test_quoted_fields_hold_anything);
    tcase_add_test(t, test_blank_lines_and_a_byte_order_mark_are_skipped);
    tcase_add_test(t, test_what_is_wrong_has_its_place);
    tcase_add_test(t, test_a_failure_of_the_caller_stops_the_reading);
    tcase_add_test(t, test_a_file_of_many_chunks_reads_as_one);
    tcase_add_test(t, test_a_frame_is_written_by_the_rules_of_output);
    tcase_add_test(t, test_what_is_written_reads_as_the_same);
    tcase_add_test(t, test_a_frame_without_rows_is_a_header);
    tcase_add_test(t, test_long_strings_find_room);
    suite_add_tcase(suite, t);
    return suite;
}

UNIT_MAIN(csv_suite)

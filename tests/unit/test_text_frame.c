/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_text_frame.c - results read back, and many of them written as one npz. */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "codec/csv.h"
#include "codec/npy.h"
#include "codec/npz_writer.h"
#include "codec/text_frame.h"

static struct err err;

static void read_csv(const char *text, struct frame *frame)
{
    ck_assert_msg(text_frame_csv("t", text, strlen(text), frame, &err) == 0, "%s", err.text);
}

START_TEST(test_csv_comes_back_byte_for_byte)
{
    static const char text[] = "day,a,\"b,c\"\n2024-01-31,1.5,\n2024-02-01,\"\",\"x\"\"y\nz\"\n";
    CLEANUP(text_frame_deinit) struct frame frame = {0};
    CLEANUP(str_deinit) struct str out = {0};
    read_csv(text, &frame);
    ck_assert_int_eq(frame.rows, 2);
    csv_write_frame(&out, &frame);
    ck_assert_str_eq(out.s, text);
}
END_TEST

/* What type is found for one column of these cells? */
static enum type type_of(const char *cells)
{
    CLEANUP(text_frame_deinit) struct frame frame = {0};
    CLEANUP(mem_free_chars) char *text = mem_printf("x,y\n%s", cells);
    read_csv(text, &frame);
    struct column typed;
    text_frame_type(&frame.columns[0], &typed);
    enum type type = typed.type;
    column_deinit(&typed);
    return type;
}

START_TEST(test_a_type_is_found_only_where_every_value_is_written_as_it_writes_them)
{
    static const struct {
        const char *cells;
        enum type type;
    } cases[] = {
        {"1,\n-20,\n", TYPE_INT},
        {"1,\n,\n", TYPE_INT},
        {"9223372036854775807,\n", TYPE_INT},
        {"-9223372036854775808,\n", TYPE_STRING}, /* stands for null */
        {"01,\n", TYPE_STRING},
        {"-0,\n", TYPE_STRING},
        {"+1,\n", TYPE_STRING},
        {"1.5,\n2.0,\n", TYPE_FLOAT},
        {"1e+22,\n", TYPE_FLOAT},
        {"1.50,\n", TYPE_STRING},
        {"nan,\n", TYPE_STRING},
        {"1,\n1.5,\n", TYPE_STRING},
        {"2024-01-31,\n,\n", TYPE_DATE},
        {"2024-02-31,\n", TYPE_STRING},
        {"2024-01-31 10:00:00,\n", TYPE_TIMESTAMP},
        {"2024-01-31T10:00:00,\n", TYPE_STRING},
        {",\n,\n", TYPE_NULL},
        {"\"\",\n", TYPE_STRING},
        {"", TYPE_NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_msg(type_of(cases[i].cells) == cases[i].type, "%s: %s", cases[i].cells,
                      type_name(type_of(cases[i].cells)));
}
END_TEST

static int scratch(void)
{
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    int fd = dup(fileno(file));
    fclose(file);
    return fd;
}

/* Several CSVs as one npz, read back as CSV. */
static void through_npz(const char *const *texts, size_t memory, const struct npz_hint *hints,
                        int n_hints, struct str *out, char descr[16])
{
    CLEANUP(npz_writer_free)
    struct npz_writer *writer = npz_writer_new(scratch(), memory, hints, n_hints);
    CLEANUP(zip_list_free) struct zip_list members = {0};
    CLEANUP(str_deinit) struct str zip = {0};
    CLEANUP(text_frame_deinit) struct frame back = {0};
    struct npy_header header;
    bool float32;
    int fd = scratch();
    for (int i = 0; texts[i]; i++) {
        CLEANUP(text_frame_deinit) struct frame frame = {0};
        read_csv(texts[i], &frame);
        for (int c = 0; c < frame.n_columns; c++) {
            struct column typed;
            text_frame_type(&frame.columns[c], &typed);
            if (typed.type != TYPE_STRING) {
                free(frame.columns[c].own);
                frame.columns[c] = typed;
            }
        }
        ck_assert_int_eq(npz_writer_add(writer, &frame, false, &err), 0);
    }
    ck_assert_msg(npz_writer_finish(writer, fd, &err) == 0, "%s", err.text);
    str_reserve(&zip, 1 << 20);
    zip.len = (size_t)pread(fd, zip.s, 1 << 20, 0);
    close(fd);
    ck_assert_msg(zip_unpack(zip.s, zip.len, &members, &err) == 0, "%s", err.text);
    ck_assert_int_eq(npy_parse(members.members[0].data, members.members[0].len, &header, &err), 0);
    memcpy(descr, header.descr, 16);
    ck_assert_msg(text_frame_npz(&members, &back, &float32, &err) == 0, "%s", err.text);
    str_clear(out);
    csv_write_frame(out, &back);
}

/* Cells of one column in two parts, and what comes of them. */
static void parts_give(const char *first, const char *second, const char *descr, const char *cells)
{
    CLEANUP(mem_free_chars) char *a = mem_printf("x,y\n%s", first);
    CLEANUP(mem_free_chars) char *b = mem_printf("x,y\n%s", second);
    CLEANUP(mem_free_chars) char *want = mem_printf("x,y\n%s", cells);
    const char *const texts[] = {a, b, NULL};
    for (size_t memory = 1; memory < 1 << 21; memory <<= 20) { /* with spooling, and without */
        CLEANUP(str_deinit) struct str out = {0};
        char is[16];
        through_npz(texts, memory, NULL, 0, &out, is);
        ck_assert_str_eq(is, descr);
        ck_assert_str_eq(out.s, want);
    }
}

START_TEST(test_a_column_has_the_type_that_all_its_parts_can_have)
{
    parts_give("1,1\n", "2,2\n", "<i8", "1,1\n2,2\n");
    parts_give("1,1\n", ",2\n", "<f8", "1.0,1\n,2\n");
    parts_give("1,1\n,1\n", "2,2\n", "<f8", "1.0,1\n,1\n2.0,2\n");
    parts_give("1,1\n", "2.5,2\n", "<f8", "1.0,1\n2.5,2\n");
    parts_give("1,1\n", "a,2\n", "<U1", "1,1\na,2\n");
    parts_give("1,1\n,1\n", "bb,2\n", "<U2", "1,1\n,1\nbb,2\n");
    parts_give("2024-01-31,1\n", ",2\n", "<M8[D]", "2024-01-31,1\n,2\n");
    parts_give(",1\n", "2024-01-31,2\n", "<M8[D]", ",1\n2024-01-31,2\n");
    parts_give("2024-01-31,1\n", "x,2\n", "<U10", "2024-01-31,1\nx,2\n");
    parts_give("2024-01-31 10:00:00.500000,1\n", ",2\n", "<M8[us]",
               "2024-01-31 10:00:00.500000,1\n,2\n");
    parts_give("日,1\n", "割り,2\n", "<U2", "日,1\n割り,2\n");
    parts_give("long,1\n", "a,2\n", "<U4", "long,1\na,2\n");
    parts_give("1.5,1\n", "x,2\n", "<U3", "1.5,1\nx,2\n");
    parts_give(",1\n", ",2\n", "<f8", ",1\n,2\n");
    parts_give("", "3,2\n", "<i8", "3,2\n");
}
END_TEST

START_TEST(test_what_is_known_of_a_column_counts)
{
    static const char *const texts[] = {"x,y\n7,1\n", NULL};
    static const struct {
        struct npz_hint hint;
        const char *descr;
    } cases[] = {
        {{.name = "x", .type = TYPE_STRING, .max_chars = 9}, "<U9"},
        {{.name = "x", .type = TYPE_FLOAT}, "<f8"},
        {{.name = "x", .type = TYPE_FLOAT, .float32 = true}, "<f4"},
        {{.name = "x", .type = TYPE_INT}, "<i8"},
        {{.name = "other", .type = TYPE_STRING}, "<i8"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(str_deinit) struct str out = {0};
        char is[16];
        through_npz(texts, 0, &cases[i].hint, 1, &out, is);
        ck_assert_str_eq(is, cases[i].descr);
    }
}
END_TEST

static Suite *text_frame_suite(void)
{
    Suite *suite = suite_create("text_frame");
    TCase *t = tcase_create("text_frame");
    tcase_add_test(t, test_csv_comes_back_byte_for_byte);
    tcase_add_test(t, test_a_type_is_found_only_where_every_value_is_written_as_it_writes_them);
    tcase_add_test(t, test_a_column_has_the_type_that_all_its_parts_can_have);
    tcase_add_test(t, test_what_is_known_of_a_column_counts);
    suite_add_tcase(suite, t);
    return suite;
}

UNIT_MAIN(text_frame_suite)

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* csv_fixture.h - a temporary directory in which CSV text becomes snapshots. */
#ifndef UNIT_CSV_FIXTURE_H
#define UNIT_CSV_FIXTURE_H

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"
#include "snapshot/snapshot.h"
#include "source/source.h"
#include "unit.h"

static char *fixture_dir; /* made before, removed after each test */
static struct err fixture_err;

static void fixture_setup(void)
{
    const char *tmp = getenv("TMPDIR");
    fixture_dir = mem_printf("%s/hiwari-unit-XXXXXX", tmp ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(fixture_dir));
    fixture_err = (struct err){0};
}

static void fixture_teardown(void)
{
    ck_assert_int_eq(fs_remove_tree(fixture_dir, NULL), 0);
    free(fixture_dir);
}

static inline char *fixture_path(const char *name)
{
    return fs_join(fixture_dir, name);
}

static inline void fixture_write(const char *name, const char *text)
{
    CLEANUP(mem_free_chars) char *path = fixture_path(name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fputs(text, f) < 0, 0);
    ck_assert_int_eq(fclose(f), 0);
}

/* Make snapshot `out` of one table; the CSV text is written to out.csv first. */
static inline int fixture_try(const char *out, const char *csv, struct source_table table)
{
    CLEANUP(mem_free_chars) char *name = mem_printf("%s.csv", out);
    CLEANUP(mem_free_chars) char *file = fixture_path(name);
    CLEANUP(mem_free_chars) char *dir = fixture_path(out);
    fixture_write(name, csv);
    table.name = table.name ? table.name : "t";
    table.file = file;
    struct source_options options = {.tables = &table, .n_tables = 1, .out_dir = dir};
    char id[SHA256_HEX];
    fixture_err = (struct err){0};
    return source_csv_create(&options, id, &fixture_err);
}

static inline struct snapshot *fixture_open(const char *out)
{
    CLEANUP(mem_free_chars) char *dir = fixture_path(out);
    struct snapshot *s = NULL;
    int r = snapshot_open(dir, &s, &fixture_err);
    ck_assert_msg(r == 0, "%s", fixture_err.text);
    return s;
}

/* Make, open and verify. */
static inline struct snapshot *fixture_make(const char *out, const char *csv,
                                            struct source_table table)
{
    int r = fixture_try(out, csv, table);
    ck_assert_msg(r == 0, "%s", fixture_err.text);
    struct snapshot *s = fixture_open(out);
    r = snapshot_verify(s, &fixture_err);
    ck_assert_msg(r == 0, "%s", fixture_err.text);
    return s;
}

#define FIXTURE_HISTORY ((struct source_table){.time = "day"})
#define FIXTURE_GROUPED ((struct source_table){.time = "day", .group = "grp"})
#define FIXTURE_STATIC ((struct source_table){.key = "id"})

static inline const struct column *fixture_column(const struct snapshot *s, const char *name)
{
    int c = table_column(&s->tables[0], name);
    ck_assert_int_ge(c, 0);
    return &s->tables[0].columns[c];
}

/* The strings of a column joined by spaces, null as "-": what an order looks like. */
static inline char *fixture_strings(const struct column *c)
{
    struct str out = {0};
    for (int64_t row = 0; row < c->rows; row++) {
        struct text text = {"-", 1};
        if (!column_is_null(c, row))
            text = dict_text(&c->dict, c->code[row]);
        if (row)
            str_addc(&out, ' ');
        str_add(&out, text.s, (size_t)text.len);
    }
    return str_take(&out);
}

static inline void fixture_expect_strings(const struct snapshot *s, const char *column,
                                          const char *expected)
{
    CLEANUP(mem_free_chars) char *got = fixture_strings(fixture_column(s, column));
    ck_assert_str_eq(got, expected);
}

/* The last failure has this code and its message all of these words. */
#define fixture_expect(r, error_code, ...)                                                         \
    fixture_expect_words((r), (error_code), (const char *[]){__VA_ARGS__, NULL})
static inline void fixture_expect_words(int r, int code, const char *const *words)
{
    ck_assert_msg(r == code, "answer %d, expected %d: %s", r, code, fixture_err.text);
    ck_assert_int_eq(fixture_err.code, code);
    for (; *words; words++)
        ck_assert_msg(strstr(fixture_err.text, *words), "'%s' is not in: %s", *words,
                      fixture_err.text);
}

/* Names in the fixture's directory other than CSV files. */
static inline int fixture_leftovers(void)
{
    struct fs_list list = {0};
    ck_assert_int_eq(fs_list(fixture_dir, &list, NULL), 0);
    int n = 0;
    for (size_t i = 0; i < list.n; i++)
        n += !str_ends(list.names[i], ".csv");
    fs_list_free(&list);
    return n;
}

#endif

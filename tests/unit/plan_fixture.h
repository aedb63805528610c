/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan_fixture.h - specs over small CSV tables, and the CSV that comes out.
 *
 * In specs ' is written for ", and ~ for the ' of expressions. Each key is computed with 1, 2 and
 * 16 threads, with indexes in memory and mapped: the bytes must be the same. */
#ifndef UNIT_PLAN_FIXTURE_H
#define UNIT_PLAN_FIXTURE_H

#include "base/date.h"
#include "codec/csv.h"
#include "csv_fixture.h"
#include "features/plan.h"

struct csv_table {
    const char *name, *time, *group, *key, *csv;
};

static struct snapshot *plan_snapshot;

static inline void plan_setup(void)
{
    fixture_setup();
    plan_snapshot = NULL;
}

static inline void plan_teardown(void)
{
    snapshot_close(plan_snapshot);
    fixture_teardown();
}

/* Make the test's snapshot. */
static inline void tables(const struct csv_table *t, int n)
{
    struct source_table sources[8] = {0};
    char *files[8] = {0};
    CLEANUP(mem_free_chars) char *dir = fixture_path("snapshot");
    char id[SHA256_HEX];
    for (int i = 0; i < n; i++) {
        CLEANUP(mem_free_chars) char *name = mem_printf("%s.csv", t[i].name);
        fixture_write(name, t[i].csv);
        files[i] = fixture_path(name);
        sources[i] = (struct source_table){.name = t[i].name,
                                           .file = files[i],
                                           .time = t[i].time,
                                           .group = t[i].group,
                                           .key = t[i].key};
    }
    struct source_options options = {.tables = sources, .n_tables = n, .out_dir = dir};
    int r = source_csv_create(&options, id, &fixture_err);
    ck_assert_msg(r == 0, "%s", fixture_err.text);
    plan_snapshot = fixture_open("snapshot");
    for (int i = 0; i < n; i++)
        free(files[i]);
}

static inline struct spec *spec_of(const char *text)
{
    struct spec *spec = NULL;
    CLEANUP(mem_free_chars) char *json = mem_strdup(text);
    for (char *c = json; *c; c++)
        *c = *c == '\'' ? '"' : *c == '~' ? '\'' : *c;
    int r = spec_parse("spec.json", json, strlen(json), &spec, &fixture_err);
    ck_assert_msg(r == 0, "%s", fixture_err.text);
    return spec;
}

static inline int64_t day_of(const char *key)
{
    int64_t day;
    ck_assert(date_parse(key, strlen(key), &day));
    return day;
}

/* Compile, get the indexes ready (mapped: from a directory that is written first) and compute. */
static inline int compute(const struct spec *spec, const char *key, int threads, bool mapped,
                          struct plan **ret_plan, struct frame *ret)
{
    CLEANUP(mem_free_chars) char *dir = fixture_path("index");
    struct err *err = &fixture_err;
    *err = (struct err){0};
    int r = plan_compile(spec, plan_snapshot, ret_plan, err);
    if (r == 0 && mapped)
        r = fs_mkdirs(dir, err);
    if (r == 0 && mapped)
        r = plan_index_write(*ret_plan, dir, threads, NULL, err);
    if (r == 0)
        r = plan_index(*ret_plan, mapped ? dir : NULL, threads, NULL, err);
    return r == 0 ? plan_compute(*ret_plan, day_of(key), threads, ret, err) : r;
}

static inline char *answer(const struct spec *spec, const char *key, int threads, bool mapped)
{
    CLEANUP(plan_free) struct plan *plan = NULL;
    CLEANUP(frame_deinit) struct frame frame = {0};
    struct str csv = {0};
    int r = compute(spec, key, threads, mapped, &plan, &frame);
    ck_assert_msg(r == 0, "%s", fixture_err.text);
    csv_write_frame(&csv, &frame);
    return str_take(&csv);
}

/* The key's result, the same in every way of computing it; the caller frees. */
static inline char *answers(const char *text, const char *key)
{
    static const int threads[] = {1, 2, 16, 1, 2, 16};
    CLEANUP(spec_free) struct spec *spec = spec_of(text);
    char *first = answer(spec, key, threads[0], false);
    for (int i = 1; i < 6; i++) {
        CLEANUP(mem_free_chars) char *other = answer(spec, key, threads[i], i >= 3);
        ck_assert_str_eq(first, other);
    }
    return first;
}

static inline void expect(const char *text, const char *key, const char *csv)
{
    CLEANUP(mem_free_chars) char *got = answers(text, key);
    ck_assert_str_eq(got, csv);
}

/* Compiling, or computing the key, fails with ERR_INPUT and these words. */
#define expect_failure(text, key, ...)                                                             \
    expect_failure_words((text), (key), (const char *[]){__VA_ARGS__, NULL})
static inline void expect_failure_words(const char *text, const char *key, const char *const *words)
{
    CLEANUP(spec_free) struct spec *spec = spec_of(text);
    CLEANUP(plan_free) struct plan *plan = NULL;
    CLEANUP(frame_deinit) struct frame frame = {0};
    fixture_expect_words(compute(spec, key, 1, false, &plan, &frame), ERR_INPUT, words);
}

#endif

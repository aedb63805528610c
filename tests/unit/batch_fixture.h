/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* batch_fixture.h - a destination in a temporary folder, a batch of five days, and results for it
 * made of one small frame. */
#ifndef UNIT_BATCH_FIXTURE_H
#define UNIT_BATCH_FIXTURE_H

#include <stdio.h>
#include <unistd.h>

#include "base/date.h"
#include "base/fs.h"
#include "batch/batch_file.h"
#include "batch/result.h"
#include "unit.h"

enum { FIXTURE_KEYS = 5 };

static char fixture_dir[64];
static struct store *store;
static struct batch_file *batch;
static struct err err;

#define FIXTURE_SPEC "1111111111111111111111111111111111111111111111111111111111111111"
#define FIXTURE_DATA "2222222222222222222222222222222222222222222222222222222222222222"
#define FIXTURE_LATE "3333333333333333333333333333333333333333333333333333333333333333"

/* An expression that must return this. */
#define gives(expected, expression)                                                                \
    do {                                                                                           \
        err.text[0] = '\0';                                                                        \
        int gives_r = (expression);                                                                \
        ck_assert_msg(gives_r == (expected), "%s: %d, not %d: %s", #expression, gives_r,           \
                      (expected), err.text);                                                       \
    } while (0)
#define ok(expression) gives(0, expression)

static struct batch_file *fixture_batch(void)
{
    struct batch_file *file = MEM_NEW(struct batch_file);
    file->name = mem_strdup("b");
    strcpy(file->incarnation, "0123456789abcdef0123456789abcdef");
    file->spec = mem_strdup("{}");
    strcpy(file->spec_sha256, FIXTURE_SPEC);
    strcpy(file->snapshot_id, FIXTURE_DATA);
    file->dest = mem_strdup(store_url(store));
    file->format = mem_strdup("csv");
    file->result_version = RESULT_VERSION;
    file->made_by = mem_strdup("me@here");
    file->made_at = mem_strdup("2026-01-01T00:00:00Z");
    file->keys = mem_zalloc(FIXTURE_KEYS * sizeof(*file->keys));
    file->n_keys = FIXTURE_KEYS;
    for (int i = 0; i < FIXTURE_KEYS; i++) {
        file->keys[i].key = mem_printf("2020-01-%02d", i + 1);
        memcpy(file->keys[i].data, FIXTURE_DATA, BATCH_DATA - 1);
    }
    batch_file_complete(file);
    return file;
}

static void fixture_setup(void)
{
    strcpy(fixture_dir, "/tmp/hiwari-batch-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fixture_dir));
    CLEANUP(mem_free_chars) char *url = mem_printf("file://%s/dest", fixture_dir);
    ok(store_open(url, &store, &err));
    batch = fixture_batch();
}

static void fixture_teardown(void)
{
    batch_file_free(batch);
    store_close(store);
    ok(fs_remove_tree(fixture_dir, &err));
}

/* One integer column of two rows: `first` and 2. */
static inline void fixture_pack(const char *key, const char *spec, const char *data,
                                const char *format, int64_t first, struct result *ret)
{
    struct frame frame = {.rows = 2, .n_columns = 1, .columns = mem_zalloc(sizeof(struct column))};
    column_alloc(&frame.columns[0], TYPE_INT, 2, false);
    frame.columns[0].name = "n";
    frame.columns[0].i[0] = first;
    frame.columns[0].i[1] = 2;
    struct result_options options = {
        .key = key, .spec_sha256 = spec, .data_hash = data, .format = format};
    ok(result_pack(&options, &frame, ret, &err));
    frame_deinit(&frame);
}

static inline void fixture_put(const char *key, const char *spec, const char *data,
                               const char *format)
{
    CLEANUP(result_deinit) struct result result = {0};
    fixture_pack(key, spec, data, format, 1, &result);
    ok(result_put(store, &result, STORE_EXPECT_NOTHING, NULL, &err));
}

/* The result that the batch wants of its key i. */
static inline void fixture_put_result(int i)
{
    fixture_put(batch->keys[i].key, FIXTURE_SPEC, FIXTURE_DATA, "csv");
}

#endif

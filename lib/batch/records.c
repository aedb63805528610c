/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* records.c - one walk over keys. */
#include "batch/records.h"

static void record_deinit(struct record *record)
{
    free(record->token);
    free(record->class);
    free(record->error);
    *record = (struct record){0};
}

static int on_key(void *ctx, int64_t i, const struct queue_key *key, struct err *err)
{
    struct records *records = ctx;
    struct record *record = &records->records[i];
    records->known++;
    record->known = true;
    record->state = key->state;
    record->token = mem_strdup(key->token);
    record->attempts = key->attempts;
    record->interruptions = key->interruptions;
    record->ms = key->ms;
    if (key->state == KEY_FAILED) {
        record->class = mem_strdup(key->class);
        record->error = mem_strdup(key->error);
    }
    return 0;
}

int records_read(struct queue *queue, const struct batch_file *batch, struct batch_slice slice,
                 struct records **ret, struct err *err)
{
    CLEANUP(records_free) struct records *records = MEM_NEW(struct records);
    records->n = slice.n;
    records->records = mem_zalloc(((size_t)slice.n + 1) * sizeof(*records->records));
    const char **keys = MEM_ARRAY(const char *, (size_t)slice.n + 1);
    for (int64_t i = 0; i < slice.n; i++)
        keys[i] = batch->keys[slice.first + i].key;
    int r = queue_keys(queue, keys, slice.n, on_key, records, err);
    free(keys);
    if (r != 0)
        return r;
    *ret = records;
    records = NULL;
    return 0;
}

void records_free(struct records *records)
{
    if (!records)
        return;
    for (int64_t i = 0; i < records->n; i++)
        record_deinit(&records->records[i]);
    free(records->records);
    free(records);
}

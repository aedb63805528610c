/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* records.c - one walk over the key records. */
#include "batch/records.h"

struct walk {
    const struct batch_file *batch;
    struct records *records;
};

static void record_deinit(struct record *record)
{
    free(record->token);
    free(record->class);
    free(record->error);
    *record = (struct record){0};
}

static int on_key(void *ctx, const struct queue_key *key, struct err *err)
{
    struct walk *walk = ctx;
    int64_t i = batch_file_find(walk->batch, key->key);
    if (i < 0)
        return 0;
    struct record *record = &walk->records->records[i];
    walk->records->known += !record->known;
    record_deinit(record); /* HSCAN may tell a key twice: the later word counts */
    record->known = true;
    record->state = key->state;
    record->token = mem_strdup(key->token ? key->token : "");
    record->attempts = key->attempts;
    record->interruptions = key->interruptions;
    record->ms = key->ms;
    if (key->state == KEY_FAILED) {
        record->class = mem_strdup(key->class ? key->class : "");
        record->error = mem_strdup(key->error ? key->error : "");
    }
    return 0;
}

int records_read(struct queue *queue, const struct batch_file *batch, struct records **ret,
                 struct err *err)
{
    CLEANUP(records_free) struct records *records = MEM_NEW(struct records);
    records->n = batch->n_keys;
    records->records = mem_zalloc(((size_t)batch->n_keys + 1) * sizeof(*records->records));
    struct walk walk = {.batch = batch, .records = records};
    int r = queue_each(queue, on_key, &walk, err);
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

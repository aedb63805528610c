/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* settle_keys.c - slice by slice. */
#include "batch/settle_keys.h"

#include "base/log.h"
#include "batch/fill.h"

enum { SLICE = 4096 }; /* keys; of each some 200 bytes are held */

static void drop_slice(struct settle_keys *keys)
{
    survey_free(keys->survey);
    records_free(keys->records);
    keys->survey = NULL;
    keys->records = NULL;
}

void settle_keys_deinit(struct settle_keys *keys)
{
    drop_slice(keys);
    for (int64_t i = 0; i < keys->n_moves; i++)
        free((char *)keys->moves[i].seen_token);
    free(keys->moves);
    free(keys->done);
}

int settle_keys_hold(struct settle_keys *keys, int64_t first, struct err *err)
{
    const struct settle_options *o = keys->options;
    int64_t rest = o->batch->n_keys - first;
    if (!guard_holds(keys->guard))
        return SETTLE_LOST;
    if (keys->survey && keys->slice.first == first)
        return 0;
    drop_slice(keys);
    keys->slice = (struct batch_slice){first, rest < SLICE ? rest : SLICE};
    const struct survey_options options = {
        .store = o->store, .batch = o->batch, .slice = keys->slice};
    int r = records_read(o->queue, o->batch, keys->slice, &keys->records, err);
    if (r == 0)
        r = survey_run(&options, &keys->survey, err);
    return r > 0 ? SETTLE_LOST : r;
}

static const struct record *record_of(const struct settle_keys *keys, int64_t i)
{
    return &keys->records->records[i - keys->slice.first];
}

bool settle_keys_failed(const struct settle_keys *keys, int64_t i)
{
    const struct record *record = record_of(keys, i);
    return record->known && record->state == KEY_FAILED;
}

bool settle_keys_settled(const struct settle_keys *keys, int64_t i, int64_t *ret_expect)
{
    return settle_keys_failed(keys, i) ||
           fill_place_of(&keys->survey->entries[i - keys->slice.first],
                         keys->options->batch->replace_stale, ret_expect) == FILL_DONE;
}

static void add_move(struct settle_keys *keys, int64_t i, int64_t expect)
{
    const struct record *record = record_of(keys, i);
    const struct survey_entry *entry = &keys->survey->entries[i - keys->slice.first];
    const char *key = keys->options->batch->keys[i].key;
    log_warn("a key was done but has no result in the destination: it waits again",
             LOG_S("key", key), LOG_S("found", survey_state_name(entry->state)));
    keys->moves =
        mem_grow(keys->moves, &keys->moves_cap, (size_t)keys->n_moves + 1, sizeof(*keys->moves));
    keys->moves[keys->n_moves++] =
        (struct queue_move){.key = key,
                            .seen_state = record->state,
                            .seen_token = mem_strdup(record->known ? record->token : ""),
                            .seen_lost = !record->known,
                            .expect = expect};
}

int settle_keys_look(struct settle_keys *keys, struct err *err)
{
    int64_t n = keys->options->batch->n_keys;
    keys->done = MEM_ARRAY(int64_t, (size_t)n + 1);
    for (int64_t first = 0; first < n; first += SLICE) {
        int r = settle_keys_hold(keys, first, err);
        if (r != 0)
            return r;
        for (int64_t i = first; i < first + keys->slice.n; i++) {
            int64_t expect;
            if (!settle_keys_settled(keys, i, &expect))
                add_move(keys, i, expect);
            else if (!settle_keys_failed(keys, i))
                keys->done[keys->n_done++] = i;
        }
    }
    return 0;
}

int settle_keys_put_back(struct settle_keys *keys, struct err *err)
{
    const struct settle_options *o = keys->options;
    int r = settle_reopen(o->queue, o->batch, o->store, err);
    return r == 0 ? queue_move(o->queue, keys->moves, keys->n_moves, err) : r;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* settle_keys.h - the keys of a batch that is being settled: records and results side by side.
 *
 * They are looked at slice by slice, so that a worker needs no more memory for a hundred thousand
 * keys than for a few thousand. Of each slice the records are read first and the listing after
 * them: what is missing from a listing that is younger than its record is missing indeed. */
#ifndef BATCH_SETTLE_KEYS_H
#define BATCH_SETTLE_KEYS_H

#include "batch/guard.h"
#include "batch/records.h"
#include "batch/settle.h"
#include "batch/survey.h"

struct settle_keys {
    const struct settle_options *options;
    struct guard *guard;
    struct batch_slice slice; /* the one that is held */
    struct survey *survey;    /* NULL: none yet */
    struct records *records;
    int64_t *done; /* numbers of the keys that have a result, ascending */
    int64_t n_done;
    struct queue_move *moves; /* keys that Redis has as done and the destination has not */
    int64_t n_moves;
    size_t moves_cap;
};
void settle_keys_deinit(struct settle_keys *keys);

/* Hold the slice that begins at key `first`. 0, SETTLE_LOST or a failure. */
int settle_keys_hold(struct settle_keys *keys, int64_t first, struct err *err);

/* Of a key in the slice that is held: failed for good, or may it stand in the manifest at all? When
 * not, *ret_expect is what its next upload shall find. */
bool settle_keys_failed(const struct settle_keys *keys, int64_t i);
bool settle_keys_settled(const struct settle_keys *keys, int64_t i, int64_t *ret_expect);

/* Look at all of them: fills in done and moves. 0, SETTLE_LOST or a failure. */
int settle_keys_look(struct settle_keys *keys, struct err *err);

/* The moves are made: their keys wait again. 0, a QUEUE_ answer, or a failure. */
int settle_keys_put_back(struct settle_keys *keys, struct err *err);

#endif

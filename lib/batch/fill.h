/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fill.h - the keys of a batch into Redis, by what the destination holds already.
 *
 * Shared by enqueue and by reconcile when it rebuilds a batch. May be repeated: a key that
 * has a record is left as it is. */
#ifndef BATCH_FILL_H
#define BATCH_FILL_H

#include "batch/survey.h"

enum fill_place { FILL_DONE, FILL_PENDING };

/* Where a key belongs, and in *ret_expect what its upload shall find. Results of older data are
 * done unless they are to be replaced; others that differ are computed again, and their upload
 * fails, naming both, unless they are to be replaced. */
enum fill_place fill_place_of(const struct survey_entry *entry, bool replace, int64_t *ret_expect);

struct fill_result {
    int64_t added;   /* to be computed, new */
    int64_t skipped; /* done, new: their results are there */
    int64_t present; /* had a record already */
};

struct fill_options {
    struct queue *queue; /* queue_use is called */
    const struct batch_file *batch;
    const struct survey *survey;
    const char *notify; /* the webhook's URL, or NULL */
    struct batch_progress progress;
};

/* Begin the batch in Redis, add its keys and seal it. QUEUE_BUSY as queue_begin's: nothing was
 * added. */
int fill_run(const struct fill_options *options, struct fill_result *ret, struct err *err);

#endif

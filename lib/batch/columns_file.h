/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* columns_file.h - `_columns.json`: what the columns of a batch's results are, and what their
 * values are like.
 *
 * It is for people and for training code, and is no result: no key, no manifest and no `_SUCCESS`
 * depends on it. The values are those of a sample, keys spread evenly over those that have results,
 * which are computed once more for it.
 *
 *   {"hiwari": 1, "batch": "run", "spec": "…", "snapshot": "…", "result_version": 1,
 *    "keys_sha256": "…", "keys": 3652, "keys_sampled": 128, "rows_sampled": 51840,
 *    "alarms": ["best_speed"],
 *    "columns": [
 *      {"name": "best_speed", "dtype": "float64", "stage": "window", "label": false,
 *       "says": "the greatest speed …", "nulls": 0.04, "min": 12.1, "mean": 15.8, "max": 17.3,
 *       "constant": false, "correlation": {"y_win": 0.97}, "alarm": "…"}]}
 *
 * dtype is what numpy.load gives for the npz format. nulls is a share of the rows. Strings have
 * "distinct" in place of min, mean and max, and "distinct_more" when there are more than were
 * counted. constant: no two rows of the sample differ. correlation is Pearson's, null where it is
 * undefined. alarm: the column goes with a label so well that it may know the result. */
#ifndef BATCH_COLUMNS_FILE_H
#define BATCH_COLUMNS_FILE_H

#include "batch/batch_file.h"
#include "features/plan.h"

#define BATCH_COLUMNS "_columns.json"

enum {
    COLUMNS_KEYS_MAX = 128,  /* in the sample */
    COLUMNS_TIME_MS = 10000, /* after which no further key is computed for it */
    COLUMNS_ALARM_ROWS = 30, /* fewer rows with both values raise no alarm: two always correlate */
};
#define COLUMNS_ALARM 0.95 /* |correlation| above it is one */

struct columns_source {
    struct plan *plan; /* with its indexes ready */
    bool float32;      /* the spec's "output": {"float": "f32"} */
    int threads;
};

struct columns_options {
    const struct columns_source *source;
    struct store *store;
    const struct batch_file *batch;
    const int64_t *keys; /* numbers of those batch keys that have results, ascending */
    int64_t n_keys;
    bool (*goes_on)(void *ctx); /* asked before each key and before writing */
    void *ctx;
};

/* Write it, unless the one there is of the same results. Alarms are logged as one warning. 0 also
 * when there was nothing to sample, when goes_on said no, and when another one was written
 * meanwhile; otherwise the store's failures. */
int columns_file_write(const struct columns_options *options, struct err *err);

/* The names of the columns with an alarm. 0, STORE_ABSENT, or ERR_INPUT when it cannot be read. */
struct columns_alarms {
    char **names;
    int n;
};
int columns_file_alarms(struct store *store, struct columns_alarms *ret, struct err *err);
void columns_alarms_deinit(struct columns_alarms *alarms);
MEM_CLEANUP_VALUE(columns_alarms_deinit, struct columns_alarms);

#endif

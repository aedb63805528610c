/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan.h - a spec bound to a snapshot: checked, ordered, ready to compute any key.
 *
 * Compiling finds every error that can be found before a key is computed: unknown
 * tables, columns and calculations, types that do not fit, cycles, and every read that
 * could look into the future. Computing is pure arithmetic over mapped memory. */
#ifndef FEATURES_PLAN_H
#define FEATURES_PLAN_H

#include "base/err.h"
#include "base/hash.h"
#include "codec/column.h"
#include "features/spec.h"
#include "snapshot/snapshot.h"

struct plan;

/* Check spec against the snapshot's schema. Both are borrowed for the plan's life. ERR_INPUT (the
 * spec is wrong): path, what, how to mend it. */
int plan_compile(const struct spec *spec, const struct snapshot *snapshot, struct plan **ret,
                 struct err *err);
void plan_free(struct plan *plan);
MEM_CLEANUP(plan_free, struct plan *);

/* Get the entity indexes ready: mapped from index_dir (NULL: <snapshot>/index) where they are, else
 * built in memory with that many threads. *ret_built counts the windows whose index had to be built
 * (may be NULL). Needed once before plan_compute. */
int plan_index(struct plan *plan, const char *index_dir, int threads, int *ret_built,
               struct err *err);

/* Build and write to index_dir every index that the plan uses and that is not there. *ret_written
 * counts them (may be NULL). */
int plan_index_write(struct plan *plan, const char *index_dir, int threads, int *ret_written,
                     struct err *err);

/* All columns of one date, in output order, one row per target row. A date without target rows
 * gives 0 rows. ERR_INPUT names the row that is wrong (a cutoff after its own time …). Uses the
 * given number of OpenMP threads; the bytes are the same for any number. The frame may view the
 * snapshot: free it before the plan. Several threads may compute keys of one plan at once. */
int plan_compute(struct plan *plan, int64_t day, int threads, struct frame *ret, struct err *err);

/* Target rows that are not the snapshot's, such as tomorrow's. */
struct plan_rows {
    const struct column *columns; /* one for each column of the target table, of its type and scale;
                                     strings have dictionaries of their own, sorted like all */
    int64_t n;                    /* in the snapshot's order: time, group, as they came */
    void (*place)(void *ctx, int64_t row,
                  struct str *out); /* append where a row came from, for messages */
    void *place_ctx;
};

/* All columns of such rows, the same as if the snapshot held them: their history is the snapshot's
 * before each row's cutoff; groups are of the given rows alone. Rows of several dates are cut off
 * each at its own. ret_chosen gets the number of the row that each row of the frame is (caller
 * frees), or NULL: all of them. The frame views `rows` and the snapshot. */
int plan_compute_rows(struct plan *plan, const struct plan_rows *rows, int threads,
                      struct frame *ret, int32_t **ret_chosen, struct err *err);

/* The data hash of a key: the chains at that date of all tables that the spec reads. */
void plan_data_hash(const struct plan *plan, int64_t day, char ret_hex[SHA256_HEX]);

/* The target's dates in the snapshot, ascending (borrowed). */
const int64_t *plan_days(const struct plan *plan, int64_t *ret_n);

#endif

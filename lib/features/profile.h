/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* profile.h - what the values of output columns are like, over the frames of many keys.
 *
 * A profile is fed frames of one spec and knows, per column, how many values are null, the least,
 * the greatest and their mean, how many different strings there are, and how each column goes
 * with each label. Profiles of different frames can be merged, so that several threads may each
 * have their own.
 *
 * Moments are kept about the first value seen, per frame in two passes, and frames are joined by
 * the pairwise formulas of Chan, Golub and LeVeque ("Updating Formulae and a Pairwise Algorithm for
 * Computing Sample Variances", 1979): nothing cancels, and a constant column has variance 0
 * exactly. */
#ifndef FEATURES_PROFILE_H
#define FEATURES_PROFILE_H

#include "codec/column.h"

enum { PROFILE_DISTINCT_MAX = 1000 }; /* different strings that are counted */

struct profile;

/* For frames of n_columns columns, of which those with a true label[] are labels. */
struct profile *profile_new(int n_columns, const bool *label);
void profile_free(struct profile *profile);
MEM_CLEANUP(profile_free, struct profile *);

/* Take in one frame. All frames have the same columns in the same order. */
void profile_add(struct profile *profile, const struct frame *frame);

/* Take in all that another profile of the same columns has seen. */
void profile_merge(struct profile *into, const struct profile *from);

int64_t profile_rows(const struct profile *profile);

struct profile_column {
    struct column shape; /* name, type, scale, nullable, max_chars; no rows. Borrowed until the next
                            profile_add or profile_merge */
    int64_t nulls;
    /* Of the values that are not null; NaN when there are none, and for strings. Dates count in
     * days, timestamps in microseconds since 1970; beyond 2^53 they are rounded to a double. */
    double min, mean, max;
    int64_t distinct;   /* strings: how many different ones, at most PROFILE_DISTINCT_MAX */
    bool distinct_more; /* there are more than that */
    bool constant;      /* two rows or more, and no two differ; null differs from every value */
};
/* Needs a frame to have been added. */
struct profile_column profile_column(const struct profile *profile, int column);

/* Pearson's correlation of two columns over the rows where both have a value; *ret_rows says how
 * many these are. NaN where it is undefined: fewer than two rows, one of the two constant there,
 * `label` not a label, or one of them not a number (dates and timestamps are not). */
double profile_correlation(const struct profile *profile, int column, int label, int64_t *ret_rows);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* rate.h - running strength: Elo ratings of all who meet, in one pass through time.
 *
 * A rating depends on all results before it, so it cannot be computed key by key. It is worked out
 * once, as a history table with one row per entity and time at which its rating changed; `asof`
 * then reads that table like any other, strictly before the cutoff.
 *
 * Two that meet with ratings a and b are expected to score 1 / (1 + 10^((b - a) / scale)) and score
 * 1, 1/2 or 0; the difference moves the rating by k (A. E. Elo, "The Rating of Chessplayers, Past
 * and Present", 1978). A group of n is taken as the n (n - 1) / 2 meetings of its members, each
 * with weight 1 / (n - 1), so that a win moves as much in a field of twelve as in one of two (the
 * pairwise form used for races and free-for-all games, as in R. C. Weng and C.-J. Lin, "A Bayesian
 * Approximation Method for Online Ranking", 2011, for full pairs). With two it is Elo's formula.
 *
 * Time goes in steps: all groups of one time start from the ratings before it, and what an entity
 * wins and loses in several of them is added up. Bits are the same on every CPU (steady.h). */
#ifndef FEATURES_RATE_H
#define FEATURES_RATE_H

#include "base/err.h"
#include "snapshot/snapshot.h"

enum {
    RATE_GROUP_MAX = 10000,       /* rows of one group: its pairs are gone through one by one */
    RATE_NUMBER_MAX = 1000000000, /* of k, scale and start: ratings then stay finite */
};

struct rate_options {
    const char *by; /* who is rated: a column (a horse, a team), or several, "horse,jockey": then it
                       is each combination. Rows where one is null take no part */
    const char *within; /* rows of one time that share it have met; null meets nobody */
    const char
        *order; /* the smaller one won; null did not finish and takes no part. A number or time */
    bool desc;  /* the greater one won */
    double k, start, scale;
};

enum { RATE_TIME, RATE_BY }; /* RATE_BY: the first of `by` */

/* The ratings of a table with a time, ordered by time and entity. Columns: the table's time, those
 * of `by`, all named as there, rating (float), games (integer: rows that have counted so far).
 * Members of a group that has nobody else to meet get no row. The caller owns *ret; its names are
 * the table's.
 * ERR_INPUT: an unknown column, one that cannot be used, a group too large. ERR_USAGE: k, start or
 * scale out of range. */
int rate_table(const struct table *table, const struct rate_options *options, struct frame *ret,
               struct err *err);

#endif

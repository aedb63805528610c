/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* calc_values.c - how often each value comes: nunique, mode, top_share, entropy. */
#include "features/calc_fn.h"
#include "features/calc_window.h"
#include "features/steady.h"

struct tallied { /* one different value */
    int64_t key;
    int64_t count;
    int64_t newest; /* the last row that has it */
};

struct tally { /* different values in the order in which they first came; in SCRATCH_TALLY */
    struct tallied *at;
    int64_t n;
    int64_t values; /* rows that are not null: the sum of all counts */
};

static void tally_add(struct tally *tally, int64_t at, const struct keyed *value)
{
    if (at == tally->n)
        tally->at[tally->n++] = (struct tallied){value->key, 0, 0};
    tally->at[at].count++;
    tally->at[at].newest = value->row;
}

/* Few values: looking through those seen so far is the fastest. */
static void tally_few(struct tally *tally, const struct keyed *value)
{
    for (int64_t k = 0; k < tally->values; k++) {
        int64_t at = 0;
        while (at < tally->n && tally->at[at].key != value[k].key)
            at++;
        tally_add(tally, at, &value[k]);
    }
}

/* A hash table of places in tally->at, plus 1, with linear probing; at most half full. */
static void tally_many(struct tally *tally, const struct keyed *value, struct calc_scratch *scratch)
{
    int bits = 64 - __builtin_clzll((uint64_t)tally->values) + 1;
    uint64_t mask = (UINT64_C(1) << bits) - 1;
    uint32_t *slots = scratch_take(scratch, SCRATCH_HASH, (mask + 1) * sizeof(*slots));
    memset(slots, 0, (mask + 1) * sizeof(*slots));
    for (int64_t k = 0; k < tally->values; k++) {
        /* Fibonacci hashing (Knuth, volume 3, 6.4) */
        uint64_t slot = ((uint64_t)value[k].key * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - bits);
        while (slots[slot] && tally->at[slots[slot] - 1].key != value[k].key)
            slot = (slot + 1) & mask;
        int64_t at = slots[slot] ? (int64_t)slots[slot] - 1 : tally->n;
        slots[slot] = (uint32_t)at + 1;
        tally_add(tally, at, &value[k]);
    }
}

enum { FEW = 8 };

static struct tally window_tally(const struct window *w)
{
    struct tally tally = {0};
    const struct keyed *value = window_keyed(w, &tally.values);
    size_t bytes = (size_t)tally.values * sizeof(*tally.at);
    tally.at = scratch_take(w->scratch, SCRATCH_TALLY, bytes);
    if (tally.values <= FEW)
        tally_few(&tally, value);
    else
        tally_many(&tally, value, w->scratch);
    return tally;
}

/* How many of few values have no equal before them: all pairs, without a branch to mispredict. */
static int64_t different_of_few(const int64_t *key, int64_t n)
{
    int64_t different = 0;
    for (int64_t k = 0; k < n; k++) {
        bool seen = false;
        for (int64_t before = 0; before < k; before++)
            seen |= key[before] == key[k];
        different += !seen;
    }
    return different;
}

bool window_nunique(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    enum { PAIRS = 2 * FEW }; /* up to here comparing all pairs is the fastest */
    int64_t key[PAIRS];
    ret->i = w->n <= PAIRS ? different_of_few(key, window_keys(w, key)) : window_tally(w).n;
    return true;
}

/* The most frequent value, the most recent of equally frequent ones; NULL without values. */
static const struct tallied *tally_top(const struct tally *tally)
{
    const struct tallied *top = tally->at;
    for (int64_t k = 1; k < tally->n; k++) {
        const struct tallied *other = &tally->at[k];
        if (other->count > top->count ||
            (other->count == top->count && other->newest > top->newest))
            top = other;
    }
    return tally->n ? top : NULL;
}

bool window_mode(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    struct tally tally = window_tally(w);
    const struct tallied *top = tally_top(&tally);
    return top && result_row(top->newest, ret);
}

bool window_top_share(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    struct tally tally = window_tally(w);
    const struct tallied *top = tally_top(&tally);
    return top && result_float((double)top->count / (double)tally.values, ret);
}

/* Shannon's, in bits, as DuckDB's: the sum of p log2(1 / p) over the values' shares p. */
bool window_entropy(const struct window *w, const struct calc_params *p, union calc_value *ret)
{
    struct tally tally = window_tally(w);
    double n = (double)tally.values, sum = 0;
    for (int64_t k = 0; k < tally.n; k++) {
        double count = (double)tally.at[k].count;
        sum += count / n * steady_log2(n / count);
    }
    return tally.n > 0 && result_float(sum, ret);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* calc_group.c - one row against its group, and aggregates over a group or over everybody else in
 * it. */
#include "features/calc_fn.h"
#include "features/calc_window.h"

/* ---- aggregates ---- */

/* RESULT_ROW: the value of row `from` of x, which a string's code is, too. */
static void column_copy(struct column *ret, int64_t row, bool has, const struct series *x,
                        int64_t from)
{
    size_t size = type_bytes(ret->type);
    char *to = (char *)ret->data + (size_t)row * size;
    ret->valid[row] = has;
    if (has)
        memcpy(to, (const char *)x->data + (size_t)from * size, size);
    else
        memset(to, 0, size);
}

/* Every row gets what the window function says of the group. */
static void group_everybody(const struct calc_use *use, const struct window *w, struct column *ret,
                            int64_t at)
{
    union calc_value value = {0};
    bool has = use->calc->window(w, &use->params, &value);
    for (int64_t k = 0; k < w->n; k++) {
        if (use->calc->result == RESULT_ROW)
            column_copy(ret, at + k, has, &w->arg[0], value.i);
        else
            column_put(ret, at + k, has, value);
    }
}

/* A group without one of its rows, first without row 0. Going on to the next row moves one value:
 * the row that was left out before takes the place of the one that is left out now. */
struct others {
    struct window w;
    char *data[2];
    uint8_t *valid[2];
};

static void others_init(struct others *others, const struct window *w)
{
    size_t left = (size_t)w->n - 1;
    others->w = *w;
    others->w.n = w->n - 1;
    for (int i = 0; i < 2; i++) {
        struct series *x = &others->w.arg[i];
        if (!x->data)
            continue;
        size_t size = type_bytes(x->type);
        others->data[i] = scratch_take(w->scratch, SCRATCH_OTHERS + i, left * size);
        memcpy(others->data[i], (const char *)x->data + size, left * size);
        x->data = others->data[i];
        if (!x->valid)
            continue;
        others->valid[i] = scratch_take(w->scratch, SCRATCH_OTHERS_VALID + i, left);
        memcpy(others->valid[i], x->valid + 1, left);
        x->valid = others->valid[i];
    }
}

/* From everybody but row - 1 to everybody but row. */
static void others_next(struct others *others, const struct window *w, int64_t row)
{
    for (int i = 0; i < 2; i++) {
        const struct series *x = &w->arg[i];
        size_t size = x->data ? type_bytes(x->type) : 0, from = (size_t)(row - 1) * size;
        if (x->data)
            memcpy(others->data[i] + from, (const char *)x->data + from, size);
        if (x->data && x->valid)
            others->valid[i][row - 1] = x->valid[row - 1];
    }
}

static void group_others(const struct calc_use *use, const struct window *w, struct column *ret,
                         int64_t at)
{
    struct others others = {0};
    others_init(&others, w);
    for (int64_t row = 0; row < w->n; row++) {
        if (row > 0)
            others_next(&others, w, row);
        union calc_value value = {0};
        bool has = use->calc->window(&others.w, &use->params, &value);
        if (use->calc->result == RESULT_ROW)
            column_copy(ret, at + row, has, &others.w.arg[0], value.i);
        else
            column_put(ret, at + row, has, value);
    }
}

/* The same from the group's exact sum minus the row's own value. */
static void group_others_sums(const struct calc_use *use, const struct window *w,
                              struct column *ret, int64_t at)
{
    const struct series *x = &w->arg[0];
    bool wide = use->params.wide && x->type != TYPE_DECIMAL;
    int64_t n, own_n;
    __int128 sum = series_sum(x, w->n, &n);
    for (int64_t row = 0; row < w->n; row++) {
        struct series own = *x;
        own.data = (const char *)x->data + (size_t)row * type_bytes(x->type);
        own.valid = x->valid ? x->valid + row : NULL;
        __int128 own_sum = series_sum(&own, 1, &own_n);
        union calc_value value = {0};
        bool has = use->calc->sums(sum - own_sum, n - own_n, wide ? TYPE_DECIMAL : x->type,
                                   wide ? 0 : x->scale, &value);
        column_put(ret, at + row, has, value);
    }
}

static bool has_exact_sum(const struct series *x)
{
    return x->data && (type_is_integer(x->type) || x->type == TYPE_DECIMAL);
}

void calc_group(const struct calc_use *use, const struct window *w, struct column *ret, int64_t at)
{
    if (w->n == 0)
        return;
    if (use->calc->group)
        use->calc->group(w, &use->params, ret, at);
    else if (!use->params.others)
        group_everybody(use, w, ret, at);
    else if (use->calc->sums && has_exact_sum(&w->arg[0]))
        group_others_sums(use, w, ret, at);
    else
        group_others(use, w, ret, at);
}

/* ---- places in the group ---- */

void group_size(const struct window *w, const struct calc_params *p, struct column *ret, int64_t at)
{
    union calc_value size = {.i = p->others ? w->n - 1 : w->n};
    for (int64_t k = 0; k < w->n; k++)
        column_put(ret, at + k, true, size);
}

/* Twice the rank of the ties at places [from, to) of the order, counted from 0: an average of
 * places may end in a half. */
static int64_t twice_rank(const struct calc_params *p, int64_t from, int64_t to, int64_t different)
{
    switch (p->ties) {
    case TIES_AVG:
        return from + 1 + to;
    case TIES_MAX:
        return 2 * to;
    case TIES_DENSE:
        return 2 * different;
    case TIES_MIN:
    case TIES_FIRST:
        break;
    }
    return 2 * (from + 1);
}

/* The rows that are not null, each with twice its rank as the key. */
static struct keyed *rank_rows(const struct window *w, const struct calc_params *p, int64_t *ret_n)
{
    int64_t n;
    struct keyed *row = window_keyed(w, &n);
    for (int64_t k = 0; k < n && p->descending; k++)
        row[k].key = ~row[k].key; /* turns the order over and keeps ties in row order */
    keyed_sort(row, n, w->scratch);
    for (int64_t from = 0, to, different = 1; from < n; from = to, different++) {
        to = from + 1;
        while (to < n && row[to].key == row[from].key && p->ties != TIES_FIRST)
            to++;
        int64_t rank = twice_rank(p, from, to, different);
        for (int64_t k = from; k < to; k++)
            row[k].key = rank;
    }
    *ret_n = n;
    return row;
}

static void put_nulls(const struct window *w, struct column *ret, int64_t at)
{
    for (int64_t k = 0; k < w->n; k++)
        column_put(ret, at + k, false, (union calc_value){0});
}

void group_rank(const struct window *w, const struct calc_params *p, struct column *ret, int64_t at)
{
    int64_t n;
    const struct keyed *ranked = rank_rows(w, p, &n);
    put_nulls(w, ret, at);
    for (int64_t k = 0; k < n; k++) {
        union calc_value rank = {0};
        if (p->ties == TIES_AVG)
            rank.f = (double)ranked[k].key / 2;
        else
            rank.i = ranked[k].key / 2;
        column_put(ret, at + ranked[k].row, true, rank);
    }
}

/* (rank - 1) / (n - 1), n without nulls. */
void group_pct_rank(const struct window *w, const struct calc_params *p, struct column *ret,
                    int64_t at)
{
    int64_t n;
    const struct keyed *ranked = rank_rows(w, p, &n);
    put_nulls(w, ret, at);
    for (int64_t k = 0; k < n; k++) {
        double before = (double)ranked[k].key / 2 - 1;
        union calc_value share = {.f = n == 1 ? 0 : before / (double)(n - 1)};
        column_put(ret, at + ranked[k].row, true, share);
    }
}

/* ---- distances ---- */

/* x / sum of the group; null where that sum is 0. */
void group_share(const struct window *w, const struct calc_params *p, struct column *ret,
                 int64_t at)
{
    static const struct calc_params wide = {.wide = true};
    union calc_value sum, share = {0};
    bool has_sum = window_sum(w, &wide, &sum) && sum.f != 0;
    for (int64_t k = 0; k < w->n; k++) {
        bool has = has_sum && series_has(&w->arg[0], k) &&
                   result_float(series_f64(&w->arg[0], k) / sum.f, &share);
        column_put(ret, at + k, has, share);
    }
}

/* x minus the mean, of everybody or of the others: the means are first written where the results
 * go. */
void group_diff_mean(const struct window *w, const struct calc_params *p, struct column *ret,
                     int64_t at)
{
    struct calc_use mean = {.calc = calc_find("mean"), .n_args = 1, .params = *p};
    calc_group(&mean, w, ret, at);
    for (int64_t k = 0; k < w->n; k++) {
        union calc_value diff = {0};
        bool has = ret->valid[at + k] && series_has(&w->arg[0], k) &&
                   result_float(series_f64(&w->arg[0], k) - ret->f[at + k], &diff);
        column_put(ret, at + k, has, diff);
    }
}

static int64_t series_best(const struct series *x, int64_t n, const struct calc_params *p)
{
    return p->from_smallest ? series_min(x, n) : series_max(x, n);
}

/* The best of everybody but row `best`; -1 when nobody is left. */
static int64_t series_second_best(const struct window *w, const struct calc_params *p, int64_t best)
{
    struct series others = w->arg[0];
    uint8_t *valid = scratch_take(w->scratch, SCRATCH_KEEP, (size_t)w->n);
    for (int64_t k = 0; k < w->n; k++)
        valid[k] = k != best && series_has(&w->arg[0], k);
    others.valid = valid;
    return series_best(&others, w->n, p);
}

void group_diff_best(const struct window *w, const struct calc_params *p, struct column *ret,
                     int64_t at)
{
    const struct series *x = &w->arg[0];
    int64_t best = series_best(x, w->n, p);
    int64_t second = p->others ? series_second_best(w, p, best) : best;
    for (int64_t k = 0; k < w->n; k++) {
        int64_t to = k == best ? second : best;
        union calc_value diff = {0};
        bool has = to >= 0 && series_has(x, k) && result_difference(x, k, to, p, &diff);
        column_put(ret, at + k, has, diff);
    }
}

/* x minus the k-th largest (asc: smallest) of the group. */
void group_gap_to(const struct window *w, const struct calc_params *p, struct column *ret,
                  int64_t at)
{
    const struct series *x = &w->arg[0];
    int64_t n;
    struct keyed *row = window_keyed(w, &n);
    keyed_sort(row, n, w->scratch);
    int64_t place = (int64_t)p->number; /* from 1 */
    bool enough = place <= n;
    int64_t to = enough ? row[p->from_smallest ? place - 1 : n - place].row : -1;
    for (int64_t k = 0; k < w->n; k++) {
        union calc_value gap = {0};
        bool has = enough && series_has(x, k) && result_difference(x, k, to, p, &gap);
        column_put(ret, at + k, has, gap);
    }
}

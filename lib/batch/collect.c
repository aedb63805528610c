/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* collect.c - which keys; then reading them in parallel and taking them in order. */
#include "batch/collect.h"

#include <inttypes.h>

#include "base/fault.h"
#include "base/parallel.h"
#include "batch/collect_dest.h"
#include "batch/collect_sink.h"

enum {
    THREADS = 16,
    IN_FLIGHT = 16 << 20, /* bytes of zips whose content is in memory */
    MISSING_NAMED = 5,    /* in the message */
};

struct collecting {
    const struct collect_options *options;
    struct collect_dest *dests;
    struct name_list *needs; /* of each destination but the first: columns that it must share */
    const char **keys;       /* those that have results everywhere; borrowed from the manifests */
    int64_t n_keys;
    const struct manifest_line **lines; /* n_dests for each key */
    struct part *parts;                 /* one for each key, while it is in memory */
    enum collect_form form;
    struct columns_types types;
    struct collect_sink *sink;
    struct collect_result result;
};

void collect_result_deinit(struct collect_result *result)
{
    for (int i = 0; i < result->n_missing_keys; i++)
        free(result->missing_keys[i]);
    free(result->missing_keys);
    *result = (struct collect_result){0};
}

static void collecting_deinit(struct collecting *c)
{
    for (int64_t i = 0; c->parts && i < c->n_keys; i++)
        part_deinit(&c->parts[i]);
    for (int d = 0; c->dests && d < c->options->n_dests; d++) {
        collect_dest_deinit(&c->dests[d]);
        free(c->needs[d].names);
    }
    collect_sink_free(c->sink);
    columns_types_deinit(&c->types);
    collect_result_deinit(&c->result);
    free(c->dests);
    free(c->needs);
    free(c->keys);
    free(c->lines);
    free(c->parts);
}
MEM_CLEANUP_VALUE(collecting_deinit, struct collecting);

/* ---- keys ---- */

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool in_range(const struct collect_options *options, const char *key)
{
    return (!options->from || strcmp(key, options->from) >= 0) &&
           (!options->to || strcmp(key, options->to) <= 0);
}

/* Every key that any manifest or `_batch.json` has, in order; the array is the caller's. */
static int64_t all_keys(const struct collecting *c, const char ***ret)
{
    size_t n = 0, room = 1;
    for (int d = 0; d < c->options->n_dests; d++)
        room += (size_t)c->dests[d].manifest->n +
                (c->dests[d].batch ? (size_t)c->dests[d].batch->n_keys : 0);
    const char **keys = mem_array(room, sizeof(*keys));
    for (int d = 0; d < c->options->n_dests; d++) {
        const struct collect_dest *dest = &c->dests[d];
        for (int64_t i = 0; i < dest->manifest->n; i++)
            keys[n++] = dest->manifest->lines[i].key;
        for (int64_t i = 0; dest->batch && i < dest->batch->n_keys; i++)
            keys[n++] = dest->batch->keys[i].key;
    }
    qsort(keys, n, sizeof(*keys), compare_keys);
    int64_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (in_range(c->options, keys[i]) && (kept == 0 || strcmp(keys[kept - 1], keys[i]) != 0))
            keys[kept++] = keys[i];
    *ret = keys;
    return kept;
}

static void note_missing(struct collecting *c, const char *key)
{
    struct collect_result *result = &c->result;
    if (!result->missing_keys)
        result->missing_keys = mem_zalloc(COLLECT_MISSING_KEPT * sizeof(char *));
    if (result->missing < COLLECT_MISSING_KEPT)
        result->missing_keys[result->n_missing_keys++] = mem_strdup(key);
    result->missing++;
}

/* " 2019-10-01 (why)": for the message, while it is short. */
static void name_missing(const struct collecting *c, const struct collect_dest *dest,
                         const char *key, const char *why, struct str *words)
{
    if (c->result.missing >= MISSING_NAMED)
        return;
    str_addf(words, "%s%s", c->result.missing ? ", " : "", key);
    if (c->options->n_dests > 1)
        str_addf(words, " of %s", store_url(dest->store));
    str_addf(words, " (%.100s)", why);
}

/* Take over the key if every destination has its result. */
static void choose_key(struct collecting *c, const char *key, struct str *words)
{
    int n_dests = c->options->n_dests;
    const struct manifest_line **lines = &c->lines[c->n_keys * n_dests];
    for (int d = 0; d < n_dests; d++) {
        const char *why;
        lines[d] = collect_dest_find(&c->dests[d], key, &why);
        if (!lines[d]) {
            name_missing(c, &c->dests[d], key, why, words);
            note_missing(c, key);
            return;
        }
        c->result.stale += lines[d]->stale;
    }
    c->keys[c->n_keys++] = key;
    c->result.rows += lines[0]->rows;
}

static int refuse_missing(const struct collecting *c, int64_t n, const struct str *words,
                          struct err *err)
{
    const char *batch = c->dests[0].manifest->batch;
    return err_set(err, ERR_INPUT,
                   "%" PRId64 " of %" PRId64 " keys have no result: %s%s. Nothing was written. "
                   "`hiwari retry %s --all` or `hiwari reconcile %s` has them computed, and "
                   "--allow-missing leaves them out",
                   c->result.missing, n, words->s, c->result.missing > MISSING_NAMED ? ", …" : "",
                   batch, batch);
}

static int choose_keys(struct collecting *c, struct err *err)
{
    CLEANUP(str_deinit) struct str words = {0};
    const char **all;
    int64_t n = all_keys(c, &all);
    c->keys = mem_zalloc(((size_t)n + 1) * sizeof(*c->keys));
    c->lines = mem_zalloc(((size_t)n + 1) * (size_t)c->options->n_dests * sizeof(*c->lines));
    for (int64_t i = 0; i < n; i++)
        choose_key(c, all[i], &words);
    free(all);
    if (c->result.missing && !c->options->allow_missing)
        return refuse_missing(c, n, &words, err);
    if (c->n_keys == 0)
        return err_set(err, ERR_INPUT, "there is no key to collect in %s%s",
                       store_url(c->dests[0].store),
                       c->options->from || c->options->to ? " between these dates" : "");
    c->parts = mem_zalloc((size_t)c->n_keys * sizeof(*c->parts));
    return 0;
}

/* Before anything is downloaded. */
static int check_rows(const struct collecting *c, struct err *err)
{
    int n_dests = c->options->n_dests;
    for (int64_t i = 0; i < c->n_keys; i++) {
        const struct manifest_line **lines = &c->lines[i * n_dests];
        for (int d = 1; d < n_dests; d++)
            if (lines[d]->rows != lines[0]->rows)
                return err_set(err, ERR_INPUT,
                               "%s and %s cannot be joined: key %s has %" PRId64 " rows there and "
                               "%" PRId64 " here",
                               store_url(c->dests[0].store), store_url(c->dests[d].store),
                               c->keys[i], lines[0]->rows, lines[d]->rows);
    }
    return 0;
}

/* ---- reading ---- */

static bool is_csv(const struct collect_dest *dest)
{
    return strcmp(dest->manifest->format, "csv") == 0;
}

static int read_one(struct collecting *c, int64_t i, int d, bool as_text, struct part *ret,
                    struct err *err)
{
    const struct part_source source = {.store = c->dests[d].store,
                                       .manifest = c->dests[d].manifest,
                                       .line = c->lines[i * c->options->n_dests + d]};
    return part_read(&source, as_text, ret, err);
}

static int join_others(struct collecting *c, int64_t i, struct part *part, struct err *err)
{
    for (int d = 1; d < c->options->n_dests; d++) {
        CLEANUP(part_deinit) struct part other = {0};
        int r = read_one(c, i, d, false, &other, err);
        if (r < 0)
            return r;
        r = part_join(part, &other, &c->needs[d], err);
        if (r < 0)
            return err_prefix(err, "%s and %s cannot be joined: key %s",
                              store_url(c->dests[0].store), store_url(c->dests[d].store),
                              c->keys[i]);
    }
    return 0;
}

/* In any thread. */
static int read_key(void *ctx, int64_t i, struct err *err)
{
    struct collecting *c = ctx;
    struct part *part = &c->parts[i];
    bool to_text = c->form != COLLECT_NPZ;
    bool as_text = to_text && c->options->n_dests == 1 && is_csv(&c->dests[0]);
    int r = read_one(c, i, 0, as_text, part, err);
    if (r == 0)
        r = join_others(c, i, part, err);
    if (r < 0 || as_text)
        return r;
    if (to_text)
        part_to_text(part);
    else if (is_csv(&c->dests[0]))
        part_type(part);
    return 0;
}

static int take_key(void *ctx, int64_t i, struct err *err)
{
    struct collecting *c = ctx;
    fault_point("collecting");
    int r = collect_sink_add(c->sink, c->keys[i], &c->parts[i], err);
    part_deinit(&c->parts[i]);
    c->result.keys++;
    return r;
}

static int64_t weigh_key(void *ctx, int64_t i)
{
    const struct collecting *c = ctx;
    int64_t bytes = 0;
    for (int d = 0; d < c->options->n_dests; d++)
        bytes += c->lines[i * c->options->n_dests + d]->bytes;
    return bytes;
}

static void tick(void *ctx)
{
    const struct collecting *c = ctx;
    const struct batch_progress *progress = &c->options->progress;
    if (progress->fn)
        progress->fn(progress->ctx, "collecting", c->result.keys, c->n_keys);
}

/* ---- the whole ---- */

static int open_dests(struct collecting *c, struct err *err)
{
    const struct collect_options *options = c->options;
    c->dests = mem_zalloc((size_t)options->n_dests * sizeof(*c->dests));
    c->needs = mem_zalloc((size_t)options->n_dests * sizeof(*c->needs));
    int r = 0;
    for (int d = 0; r == 0 && d < options->n_dests; d++) {
        r = collect_dest_open(options->dests[d], options->allow_missing, &c->dests[d], err);
        if (r == 0 && d > 0)
            r = collect_dest_joinable(&c->dests[0], &c->dests[d], &c->needs[d], err);
        if (r == 0 && c->form == COLLECT_NPZ && is_csv(&c->dests[d]))
            r = columns_types_read(c->dests[d].store, c->dests[d].manifest->spec, &c->types, err);
    }
    return r;
}

static int collect(struct collecting *c, struct err *err)
{
    const struct parallel_options parallel = {.n = c->n_keys,
                                              .threads = THREADS,
                                              .work = read_key,
                                              .take = take_key,
                                              .weigh = weigh_key,
                                              .max_weight = IN_FLIGHT,
                                              .tick = tick,
                                              .ctx = c};
    int r = parallel_run(&parallel, err);
    if (r < 0)
        return r;
    tick(c);
    return collect_sink_finish(c->sink, &c->result.bytes, &c->result.columns, err);
}

int collect_run(const struct collect_options *options, struct collect_result *ret, struct err *err)
{
    CLEANUP(collecting_deinit) struct collecting c = {.options = options};
    if (!collect_form_of(options->out, &c.form))
        return err_set(err, ERR_USAGE,
                       "'%s' does not say in which format: its name ends in .csv, .csv.gz or .npz",
                       options->out);
    int r = open_dests(&c, err);
    if (r == 0)
        r = choose_keys(&c, err);
    if (r == 0)
        r = check_rows(&c, err);
    if (r == 0)
        r = collect_sink_open(options->out, &c.types, &c.sink, err);
    if (r == 0)
        r = collect(&c, err);
    if (r < 0)
        return r;
    *ret = c.result;
    c.result = (struct collect_result){0};
    return 0;
}

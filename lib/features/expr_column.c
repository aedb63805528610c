/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* expr_column.c - a whole expression as a new column.
 *
 * The rows are computed in runs, by several threads if asked; a run's values do not depend on where
 * other runs begin, so the bytes are the same for any number of threads. The dictionary of a string
 * column is made of the values that occur: they come from the dictionaries of columns and from
 * literals, so marking which codes of which source occur, and sorting those, is enough. */
#include "features/expr_eval.h"

enum { RUN_ROWS = 16384 };

static void eval_runs(const struct expr *e, const struct expr_slot *slots, int64_t n, int threads,
                      struct column *ret)
{
    int64_t runs = (n + RUN_ROWS - 1) / RUN_ROWS;
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1 && runs > 1)
    for (int64_t run = 0; run < runs; run++) {
        int64_t from = run * RUN_ROWS, left = n - from;
        expr_eval_range(e, slots, from, left < RUN_ROWS ? left : RUN_ROWS, ret, from);
    }
}

static void drop_full_valid(struct column *c)
{
    if (!memchr(c->valid, 0, (size_t)c->rows))
        c->valid = NULL;
}

/* ---- dictionaries ---- */

/* What one slot's column, or the literals, give to the new dictionary. */
struct source {
    int32_t n;               /* codes */
    const struct dict *dict; /* NULL: the literals */
    int32_t *codes;          /* new code of each that occurs, NO_CODE of others */
};
enum { NO_CODE = -1, SEEN = -2 };

struct entry {
    struct text text;
    int32_t *code; /* where its new code goes */
};

struct sources {
    int n;
    struct source *at; /* by slot; the literals last */
    const struct text *literals;
};

static void count_sources(const struct expr *e, struct sources *s, int32_t *literals)
{
    if (e->op == OP_NAME && e->slot + 2 > s->n)
        s->n = e->slot + 2;
    if (e->op == OP_CONST && !e->is_null && e->type == TYPE_STRING && e->i >= *literals)
        *literals = (int32_t)e->i + 1;
    for (int i = 0; i < e->n_args; i++)
        count_sources(e->args[i], s, literals);
}

static void add_column_sources(const struct expr *e, const struct expr_slot *slots,
                               struct sources *s)
{
    if (e->op == OP_NAME && e->type == TYPE_STRING) {
        const struct dict *dict = &slots[e->slot].column->dict;
        s->at[e->slot].dict = dict;
        s->at[e->slot].n = dict->n;
    }
    for (int i = 0; i < e->n_args; i++)
        add_column_sources(e->args[i], slots, s);
}

static struct sources sources_new(const struct expr *e, const struct expr_slot *slots)
{
    struct sources s = {.n = 1, .literals = e->literals};
    int32_t literals = 0;
    count_sources(e, &s, &literals);
    s.at = mem_zalloc((size_t)s.n * sizeof(struct source));
    add_column_sources(e, slots, &s);
    s.at[s.n - 1].n = literals;
    for (int i = 0; i < s.n; i++) {
        struct source *source = &s.at[i];
        source->codes = MEM_ARRAY(int32_t, (size_t)source->n);
        for (int32_t code = 0; code < source->n; code++)
            source->codes[code] = NO_CODE;
    }
    return s;
}

static void sources_deinit(struct sources *s)
{
    for (int i = 0; i < s->n; i++)
        free(s->at[i].codes);
    free(s->at);
}
MEM_CLEANUP_VALUE(sources_deinit, struct sources);

/* The place of a string value's new code. */
static int32_t *new_code(const struct sources *s, int64_t value)
{
    int32_t source = (int32_t)(value >> 32), code = (int32_t)value;
    return &s->at[source == STRING_LITERAL ? s->n - 1 : source].codes[code];
}

static int64_t mark_seen(struct sources *s, const struct column *values)
{
    int64_t n = 0;
    for (int64_t row = 0; row < values->rows; row++) {
        if (column_is_null(values, row))
            continue;
        int32_t *code = new_code(s, values->i[row]);
        n += *code != SEEN;
        *code = SEEN;
    }
    return n;
}

static int compare_entries(const void *a, const void *b)
{
    return text_compare(((const struct entry *)a)->text, ((const struct entry *)b)->text);
}

/* All that occur, sorted; equal texts of several sources stand together. */
static struct entry *sorted_entries(const struct sources *s, int64_t n)
{
    struct entry *entries = MEM_ARRAY(struct entry, (size_t)n);
    int64_t filled = 0;
    for (int i = 0; i < s->n; i++) {
        const struct source *source = &s->at[i];
        for (int32_t code = 0; code < source->n; code++) {
            if (source->codes[code] == SEEN)
                entries[filled++] =
                    (struct entry){source->dict ? dict_text(source->dict, code) : s->literals[code],
                                   &source->codes[code]};
        }
    }
    qsort(entries, (size_t)n, sizeof(struct entry), compare_entries);
    return entries;
}

/* Number the entries, and keep the first of each run of equal ones. Returns how many. */
static int32_t number_entries(struct entry *entries, int64_t n, int64_t *ret_bytes)
{
    int32_t kept = 0;
    int64_t bytes = 0;
    for (int64_t i = 0; i < n; i++) {
        if (kept == 0 || text_compare(entries[kept - 1].text, entries[i].text) != 0) {
            bytes += entries[i].text.len;
            entries[kept] = (struct entry){entries[i].text, entries[i].code};
            kept++;
        }
        *entries[i].code = kept - 1;
    }
    *ret_bytes = bytes;
    return kept;
}

/* A string column of one block: offsets, codes, validity, bytes. */
static void string_column_alloc(struct column *ret, int64_t rows, int32_t n, int64_t bytes)
{
    size_t offsets_size = ((size_t)n + 1) * sizeof(int64_t);
    size_t codes_size = (size_t)rows * sizeof(int32_t);
    uint8_t *block = mem_zalloc(offsets_size + codes_size + (size_t)rows + (size_t)bytes);
    *ret = (struct column){
        .type = TYPE_STRING,
        .rows = rows,
        .data = block + offsets_size,
        .valid = block + offsets_size + codes_size,
        .dict = {n, (int64_t *)(void *)block,
                 (char *)block + offsets_size + codes_size + (size_t)rows},
        .own = block,
    };
}

static void fill_dict(struct column *ret, const struct entry *entries, int32_t n)
{
    int64_t *offsets = ret->own;
    char *bytes = (char *)ret->valid + ret->rows;
    for (int32_t i = 0; i < n; i++) {
        if (entries[i].text.len)
            memcpy(bytes + offsets[i], entries[i].text.s, (size_t)entries[i].text.len);
        offsets[i + 1] = offsets[i] + entries[i].text.len;
    }
}

/* values: strings as expr_eval_range gives them. */
static void string_column(const struct expr *e, const struct expr_slot *slots,
                          const struct column *values, struct column *ret)
{
    CLEANUP(sources_deinit) struct sources sources = sources_new(e, slots);
    int64_t seen = mark_seen(&sources, values), bytes;
    struct entry *entries = sorted_entries(&sources, seen);
    int32_t n = number_entries(entries, seen, &bytes);
    string_column_alloc(ret, values->rows, n, bytes);
    fill_dict(ret, entries, n);
    free(entries);
    for (int64_t row = 0; row < values->rows; row++) {
        ret->valid[row] = values->valid[row];
        ret->code[row] = values->valid[row] ? *new_code(&sources, values->i[row]) : 0;
    }
    ret->max_chars = dict_max_chars(&ret->dict);
}

void expr_column(const struct expr *e, const struct expr_slot *slots, int64_t n, int threads,
                 struct column *ret)
{
    if (e->type == TYPE_STRING) {
        CLEANUP(column_deinit) struct column values = {0};
        column_alloc(&values, TYPE_INT, n, true);
        eval_runs(e, slots, n, threads, &values);
        string_column(e, slots, &values, ret);
    } else {
        column_alloc(ret, e->type == TYPE_NULL ? TYPE_FLOAT : e->type, n, true);
        eval_runs(e, slots, n, threads, ret);
    }
    ret->scale = e->scale;
    ret->nullable = e->nullable;
    drop_full_valid(ret);
}

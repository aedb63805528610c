/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* group.c - see group.h. Hashes depend on values alone (strings by their bytes, not their
 * codes), so that a table built over one column finds values of another with its own dictionary. */
#include "features/group.h"

#include <string.h>

static uint64_t hash_mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ (h >> 29);
}

/* FNV-1a, then mixed: dictionary entries are short and hashed once each. */
static uint64_t hash_text(struct text t)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (int64_t i = 0; i < t.len; i++)
        h = (h ^ (uint8_t)t.s[i]) * UINT64_C(0x100000001b3);
    return hash_mix(h, (uint64_t)t.len);
}

static uint64_t hash_value(const struct column *c, int64_t row)
{
    uint64_t bits;
    switch (c->type) {
    case TYPE_STRING:
        return hash_text(dict_text(&c->dict, c->code[row]));
    case TYPE_BOOL:
        return hash_mix(1, c->b[row]);
    default:
        memcpy(&bits, &c->i[row], sizeof bits); /* doubles too: -0 and NaN do not occur */
        return hash_mix(2, bits);
    }
}

/* Dictionary hashes once per entry, where that is less work than once per row. */
static uint64_t *hash_dictionary(const struct column *c, int64_t n)
{
    if (c->type != TYPE_STRING || c->dict.n > n)
        return NULL;
    uint64_t *hashes = MEM_ARRAY(uint64_t, (size_t)c->dict.n + 1);
    for (int32_t i = 0; i < c->dict.n; i++)
        hashes[i] = hash_text(dict_text(&c->dict, i));
    return hashes;
}

static bool value_equal(const struct column *a, int64_t i, const struct column *b, int64_t j)
{
    switch (a->type) {
    case TYPE_STRING:
        if (a->dict.bytes == b->dict.bytes && a->dict.offsets == b->dict.offsets)
            return a->code[i] == b->code[j];
        return text_compare(dict_text(&a->dict, a->code[i]), dict_text(&b->dict, b->code[j])) == 0;
    case TYPE_BOOL:
        return a->b[i] == b->b[j];
    default:
        return a->i[i] == b->i[j];
    }
}

static bool row_equal(const struct column *a, int64_t i, const struct column *b, int64_t j,
                      int n_by)
{
    for (int k = 0; k < n_by; k++)
        if (!value_equal(&a[k], i, &b[k], j))
            return false;
    return true;
}

static bool row_has_null(const struct column *by, int n_by, int64_t row)
{
    for (int k = 0; k < n_by; k++)
        if (column_is_null(&by[k], row))
            return true;
    return false;
}

static uint32_t slots_for(int64_t n)
{
    uint32_t slots = 16;
    while (slots < (uint64_t)n * 2 && slots < UINT32_C(1) << 31)
        slots *= 2;
    return slots;
}

/* The slots hold one entry per group, so the table starts small and doubles at half full: many rows
 * of few groups then stay in cache. */
struct table_of_groups {
    const struct column *by; /* of the rows that are put */
    int n_by;
    uint64_t *dictionary[GROUP_MAX_BY + 1]; /* hashes of their strings, or NULL */
    struct grouping *g;
    uint64_t *hashes; /* per group */
    size_t first_cap, hash_cap;
};

static void table_resize(struct table_of_groups *t, uint32_t n_slots)
{
    free(t->g->slots);
    t->g->slots = mem_zalloc(n_slots * sizeof(int32_t));
    t->g->n_slots = n_slots;
    for (int32_t i = 0; i < t->g->n_groups; i++) {
        if (t->hashes[i] == 0)
            continue; /* a null's own group cannot be found by value */
        uint32_t at = (uint32_t)(t->hashes[i] >> 20) & (n_slots - 1);
        while (t->g->slots[at])
            at = (at + 1) & (n_slots - 1);
        t->g->slots[at] = i + 1;
    }
}

static int32_t table_append(struct table_of_groups *t, int64_t row, uint64_t hash)
{
    struct grouping *g = t->g;
    size_t need = (size_t)g->n_groups + 1;
    g->first = mem_grow(g->first, &t->first_cap, need, sizeof(int32_t));
    t->hashes = mem_grow(t->hashes, &t->hash_cap, need, sizeof(uint64_t));
    g->first[g->n_groups] = (int32_t)row;
    t->hashes[g->n_groups] = hash;
    return g->n_groups++;
}

static int32_t table_put(struct table_of_groups *t, int64_t row, uint64_t hash)
{
    struct grouping *g = t->g;
    uint32_t mask = g->n_slots - 1, at = (uint32_t)(hash >> 20) & mask;
    for (; g->slots[at]; at = (at + 1) & mask) {
        int32_t group = g->slots[at] - 1;
        if (t->hashes[group] == hash && row_equal(t->by, row, t->by, g->first[group], t->n_by))
            return group;
    }
    int32_t group = table_append(t, row, hash);
    g->slots[at] = group + 1;
    if ((uint32_t)g->n_groups * 2 > g->n_slots)
        table_resize(t, g->n_slots * 2);
    return group;
}

static uint64_t hash_row(const struct column *by, int n_by, uint64_t *const *dictionary,
                         int64_t row)
{
    uint64_t h = 0;
    for (int k = 0; k < n_by; k++) {
        uint64_t v =
            dictionary && dictionary[k] ? dictionary[k][by[k].code[row]] : hash_value(&by[k], row);
        h = hash_mix(h, v);
    }
    return h | 1; /* 0 means: no hash */
}

/* Rows of many groups wait for memory: for their slot, for its group, for that group's first row.
 * Each step is done for BATCH rows before the next, and asks early for what the next one reads.
 * Smaller tables stand in the CPU's caches. */
enum { BATCH = 64, SLOTS_FAR = 1 << 14 };

static void ask_for_groups(const struct table_of_groups *t, int64_t n, const uint64_t *hash)
{
    const struct grouping *g = t->g;
    int32_t group[BATCH];
    for (int64_t i = 0; i < n; i++)
        __builtin_prefetch(&g->slots[(uint32_t)(hash[i] >> 20) & (g->n_slots - 1)]);
    for (int64_t i = 0; i < n; i++) {
        group[i] = g->slots[(uint32_t)(hash[i] >> 20) & (g->n_slots - 1)] - 1;
        __builtin_prefetch(&t->hashes[group[i] < 0 ? 0 : group[i]]);
        __builtin_prefetch(&g->first[group[i] < 0 ? 0 : group[i]]);
    }
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; group[i] >= 0 && k < t->n_by; k++)
            __builtin_prefetch((const char *)t->by[k].data +
                               (size_t)g->first[group[i]] * type_bytes(t->by[k].type));
}

/* A row with a null in it has no hash: 0. */
static void hash_rows(const struct table_of_groups *t, int64_t first, int64_t n, uint64_t *ret)
{
    for (int64_t i = 0; i < n; i++)
        ret[i] = row_has_null(t->by, t->n_by, first + i)
                     ? 0
                     : hash_row(t->by, t->n_by, t->dictionary, first + i);
}

static void put_rows(struct table_of_groups *t, enum group_nulls nulls, int64_t first, int64_t n,
                     const uint64_t *hash)
{
    for (int64_t i = 0; i < n; i++) {
        int32_t *group = &t->g->group[first + i];
        if (hash[i])
            *group = table_put(t, first + i, hash[i]);
        else
            *group = nulls == GROUP_NULL_ALONE ? table_append(t, first + i, 0) : -1;
    }
}

void group_rows(const struct column *by, int n_by, int64_t n, enum group_nulls nulls,
                struct grouping *ret)
{
    struct table_of_groups t = {.by = by, .n_by = n_by, .g = ret};
    *ret = (struct grouping){.group = MEM_ARRAY(int32_t, (size_t)n + 1)};
    table_resize(&t, slots_for(n < 64 ? n : 64));
    for (int k = 0; k < n_by; k++)
        t.dictionary[k] = hash_dictionary(&by[k], n);
    if (n_by == 0) /* one group, even of no rows */
        table_put(&t, 0, hash_row(by, 0, NULL, 0));
    for (int64_t row = 0; row < n; row += BATCH) {
        uint64_t hash[BATCH];
        int64_t some = n - row < BATCH ? n - row : BATCH;
        hash_rows(&t, row, some, hash);
        if (ret->n_slots >= SLOTS_FAR)
            ask_for_groups(&t, some, hash);
        put_rows(&t, nulls, row, some, hash);
    }
    for (int k = 0; k < n_by; k++)
        free(t.dictionary[k]);
    free(t.hashes);
}

void grouping_deinit(struct grouping *g)
{
    free(g->group);
    free(g->first);
    free(g->slots);
    *g = (struct grouping){0};
}

void group_order(const int32_t *group, int32_t n_groups, int64_t n, const uint8_t *keep,
                 int32_t *offsets, int32_t *order)
{
    memset(offsets, 0, ((size_t)n_groups + 1) * sizeof *offsets);
    for (int64_t row = 0; row < n; row++)
        if (group[row] >= 0 && (!keep || keep[row]))
            offsets[group[row] + 1]++;
    for (int32_t g = 0; g < n_groups; g++)
        offsets[g + 1] += offsets[g];
    /* offsets[g] walks to the group's end while its rows are put, and is moved back after. */
    for (int64_t row = 0; row < n; row++)
        if (group[row] >= 0 && (!keep || keep[row]))
            order[offsets[group[row]]++] = (int32_t)row;
    memmove(offsets + 1, offsets, (size_t)n_groups * sizeof *offsets);
    offsets[0] = 0;
}

int32_t group_find(const int32_t *slots, uint32_t n_slots, const struct column *keys,
                   const struct column *values, int n_by, int64_t at)
{
    if (row_has_null(values, n_by, at))
        return -1;
    uint32_t mask = n_slots - 1, slot = (uint32_t)(hash_row(values, n_by, NULL, at) >> 20) & mask;
    for (; slots[slot]; slot = (slot + 1) & mask)
        if (row_equal(keys, slots[slot] - 1, values, at, n_by))
            return slots[slot] - 1;
    return -1;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* dictionary.c - distinct strings by open addressing. Hashing finds the few distinct strings of
 * many rows, and only those are sorted. */
#include "snapshot/dictionary.h"

#include <string.h>

struct dictionary_slot {
    uint32_t hash;
    int32_t code; /* plus 1: 0 is an empty slot */
};

/* Eight bytes at a time, each multiplied in and folded. Not meant to withstand an attacker. */
static uint32_t text_hash(struct text text)
{
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t h = (uint64_t)text.len * odd;
    for (int64_t at = 0; at < text.len; at += 8) {
        uint64_t word = 0;
        memcpy(&word, text.s + at, text.len - at < 8 ? (size_t)(text.len - at) : 8);
        h = (h ^ word) * odd;
        h ^= h >> 32;
    }
    return (uint32_t)(h ^ h >> 29);
}

static struct text entry(const struct dictionary *d, int32_t code)
{
    return (struct text){d->bytes.s + d->offsets[code], d->offsets[code + 1] - d->offsets[code]};
}

/* Twice the slots, with the same entries. */
static void grow(struct dictionary *d)
{
    size_t n = d->n_slots ? 2 * d->n_slots : 64;
    struct dictionary_slot *slots = mem_zalloc(n * sizeof(*slots));
    for (size_t i = 0; i < d->n_slots; i++) {
        if (!d->slots[i].code)
            continue;
        size_t at = d->slots[i].hash & (n - 1);
        while (slots[at].code)
            at = (at + 1) & (n - 1);
        slots[at] = d->slots[i];
    }
    free(d->slots);
    d->slots = slots;
    d->n_slots = n;
}

static int32_t append(struct dictionary *d, struct text text)
{
    d->offsets = mem_grow(d->offsets, &d->offsets_cap, (size_t)d->n + 2, sizeof(*d->offsets));
    if (d->n == 0)
        d->offsets[0] = 0;
    str_add(&d->bytes, text.s, (size_t)text.len);
    d->offsets[d->n + 1] = (int64_t)d->bytes.len;
    return d->n++;
}

int32_t dictionary_add(struct dictionary *d, struct text text)
{
    if ((size_t)d->n >= d->n_slots / 2)
        grow(d);
    uint32_t hash = text_hash(text);
    size_t at = hash & (d->n_slots - 1);
    while (d->slots[at].code) {
        if (d->slots[at].hash == hash) {
            struct text old = entry(d, d->slots[at].code - 1);
            if (old.len == text.len && memcmp(old.s, text.s, (size_t)text.len) == 0)
                return d->slots[at].code - 1;
        }
        at = (at + 1) & (d->n_slots - 1);
    }
    d->slots[at] = (struct dictionary_slot){hash, d->n + 1};
    return append(d, text);
}

struct sortable {
    struct text text;
    int32_t code;
};

static int compare(const void *a, const void *b)
{
    return text_compare(((const struct sortable *)a)->text, ((const struct sortable *)b)->text);
}

int32_t *dictionary_sort(struct dictionary *d)
{
    struct sortable *sorted = MEM_ARRAY(struct sortable, (size_t)d->n + 1);
    for (int32_t code = 0; code < d->n; code++)
        sorted[code] = (struct sortable){entry(d, code), code};
    qsort(sorted, (size_t)d->n, sizeof(*sorted), compare);

    struct dictionary result = {0};
    int32_t *final = MEM_ARRAY(int32_t, (size_t)d->n + 1);
    str_reserve(&result.bytes, d->bytes.len);
    for (int32_t i = 0; i < d->n; i++)
        final[sorted[i].code] = append(&result, sorted[i].text);
    free(sorted);
    dictionary_deinit(d);
    *d = result;
    return final;
}

struct dict dictionary_view(const struct dictionary *d)
{
    return (struct dict){.n = d->n, .offsets = d->offsets, .bytes = d->bytes.s};
}

void dictionary_deinit(struct dictionary *d)
{
    str_deinit(&d->bytes);
    free(d->offsets);
    free(d->slots);
    *d = (struct dictionary){0};
}

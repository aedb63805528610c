/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* merge_dictionary.c - the strings of all dictionaries in order, equal ones once. Everything is
 * read and written from beginning to end, so that a dictionary may be larger than memory. */
#include "snapshot/merge_dictionary.h"

#include "snapshot/heap.h"

enum { STREAM_BYTES = 4096 };

void merge_dictionary_reserve(struct merge_dictionary *m, struct spool *spool)
{
    int64_t entries = 0, bytes = 0;
    m->final = mem_zalloc(((size_t)m->n_sources + 1) * sizeof(*m->final));
    m->final_at = mem_zalloc(((size_t)m->n_sources + 1) * sizeof(*m->final_at));
    for (int i = 0; i < m->n_sources; i++) {
        const struct dict *d = &m->sources[i].dict;
        m->final_at[i] = spool_reserve(spool, (int64_t)d->n * (int64_t)sizeof(int32_t));
        entries += d->n;
        bytes += d->n ? d->offsets[d->n] : 0;
    }
    m->offsets_at = spool_reserve(spool, (entries + 1) * (int64_t)sizeof(int64_t));
    m->bytes_at = spool_reserve(spool, bytes);
}

struct merging {
    struct merge_dictionary *m;
    int32_t *next; /* of each source: the string that comes next */
    struct spool_stream *finals, offsets, bytes;
    struct text last; /* that went into the result */
    int64_t length;   /* of all strings in the result */
};

static struct text text_of(const struct merging *g, int source)
{
    return dict_text(&g->m->sources[source].dict, g->next[source]);
}

static bool before(const void *ctx, int a, int b)
{
    int order = text_compare(text_of(ctx, a), text_of(ctx, b));
    return order ? order < 0 : a < b;
}

/* Over strings that do not occur; their codes become 0, which nobody asks for. Returns 1 when a
 * string is next, 0 at the end, or an ERR_*. */
static int find_next(struct merging *g, int source, struct err *err)
{
    static const int32_t nothing = 0;
    const struct merge_source *s = &g->m->sources[source];
    for (; g->next[source] < s->dict.n; g->next[source]++) {
        if (!s->used || s->used[g->next[source]])
            return 1;
        int r = spool_stream_add(&g->finals[source], &nothing, sizeof(nothing), err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The string on top of the heap gets its code, a new one unless it is the last string again. */
static int take(struct merging *g, int source, struct err *err)
{
    struct text text = text_of(g, source);
    int r = 0;
    if (g->m->dict.n == 0 || text_compare(g->last, text) != 0) {
        g->last = text;
        g->length += text.len;
        g->m->dict.n++;
        r = spool_stream_add(&g->bytes, text.s, (size_t)text.len, err);
        if (r == 0)
            r = spool_stream_add(&g->offsets, &g->length, sizeof(g->length), err);
    }
    int32_t code = g->m->dict.n - 1;
    return r < 0 ? r : spool_stream_add(&g->finals[source], &code, sizeof(code), err);
}

static int merge_all(struct merging *g, struct heap *heap, struct err *err)
{
    int r = spool_stream_add(&g->offsets, &g->length, sizeof(g->length), err);
    for (int i = 0; r == 0 && i < g->m->n_sources; i++) {
        r = find_next(g, i, err);
        if (r > 0)
            heap->item[heap->n++] = i;
        r = r < 0 ? r : 0;
    }
    heap_make(heap);
    while (r == 0 && heap->n > 0) {
        int source = heap->item[0];
        r = take(g, source, err);
        g->next[source]++;
        int more = r < 0 ? r : find_next(g, source, err);
        if (more > 0)
            heap_sift(heap, 0);
        else if (more == 0)
            heap_pop(heap);
        r = more < 0 ? more : 0;
    }
    for (int i = 0; r == 0 && i < g->m->n_sources; i++)
        r = spool_stream_flush(&g->finals[i], err);
    if (r == 0)
        r = spool_stream_flush(&g->offsets, err);
    return r < 0 ? r : spool_stream_flush(&g->bytes, err);
}

int merge_dictionary_write(struct merge_dictionary *m, struct spool *spool, struct err *err)
{
    size_t n = (size_t)m->n_sources + 1;
    struct merging g = {
        .m = m,
        .next = mem_zalloc(n * sizeof(*g.next)),
        .finals = mem_zalloc(n * sizeof(*g.finals)),
    };
    struct heap heap = {.before = before, .ctx = &g, .item = mem_zalloc(n * sizeof(int))};
    spool_stream_init(&g.offsets, spool, m->offsets_at, STREAM_BYTES);
    spool_stream_init(&g.bytes, spool, m->bytes_at, STREAM_BYTES);
    for (int i = 0; i < m->n_sources; i++)
        spool_stream_init(&g.finals[i], spool, m->final_at[i], STREAM_BYTES);
    m->dict.n = 0;
    int r = merge_all(&g, &heap, err);
    for (int i = 0; i < m->n_sources; i++)
        spool_stream_deinit(&g.finals[i]);
    spool_stream_deinit(&g.offsets);
    spool_stream_deinit(&g.bytes);
    free(g.next);
    free(g.finals);
    free(heap.item);
    return r;
}

void merge_dictionary_mapped(struct merge_dictionary *m, const struct spool *spool)
{
    for (int i = 0; i < m->n_sources; i++)
        m->final[i] = (const void *)(spool->map + m->final_at[i]);
    m->dict.offsets = m->dict.n ? (const void *)(spool->map + m->offsets_at) : NULL;
    m->dict.bytes = spool->map + m->bytes_at;
}

void merge_dictionary_deinit(struct merge_dictionary *m)
{
    free(m->sources);
    free(m->final);
    free(m->final_at);
    *m = (struct merge_dictionary){0};
}

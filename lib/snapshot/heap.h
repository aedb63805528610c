/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* heap.h - which of several sorted things comes next: numbers, the least of them on top. */
#ifndef SNAPSHOT_HEAP_H
#define SNAPSHOT_HEAP_H

#include <stdbool.h>

/* Whether number a comes before number b. Never both a before b and b before a, and never neither.
 */
typedef bool heap_before_fn(const void *ctx, int a, int b);

struct heap {
    heap_before_fn *before;
    const void *ctx;
    int n;
    int *item; /* item[0] is the top; owned by the caller, with room for all */
};

static inline void heap_sift(const struct heap *h, int at)
{
    int moved = h->item[at];
    for (int child; (child = 2 * at + 1) < h->n; at = child) {
        if (child + 1 < h->n && h->before(h->ctx, h->item[child + 1], h->item[child]))
            child++;
        if (h->before(h->ctx, moved, h->item[child]))
            break;
        h->item[at] = h->item[child];
    }
    h->item[at] = moved;
}

/* Order all items. */
static inline void heap_make(const struct heap *h)
{
    for (int at = h->n / 2 - 1; at >= 0; at--)
        heap_sift(h, at);
}

static inline void heap_pop(struct heap *h)
{
    h->item[0] = h->item[--h->n];
    if (h->n > 0)
        heap_sift(h, 0);
}

/* What comes after the top, or -1. */
static inline int heap_second(const struct heap *h)
{
    if (h->n < 2)
        return -1;
    if (h->n == 2 || h->before(h->ctx, h->item[1], h->item[2]))
        return h->item[1];
    return h->item[2];
}

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* sort.c - radix sort, least significant byte first. Exports mostly come sorted, which one pass
 * finds out; and of the eight bytes of a date or an id five or more are the same in all rows, and
 * are passed over. */
#include "snapshot/sort.h"

#include <string.h>

/* Finite doubles: negative ones have all bits turned, others the sign alone. */
uint64_t sort_key(const struct column *c, int64_t row)
{
    const uint64_t sign = UINT64_C(1) << 63;
    uint64_t bits;
    switch (c->type) {
    case TYPE_DECIMAL:
    case TYPE_FLOAT:
        memcpy(&bits, &c->f[row], sizeof(bits));
        return bits & sign ? ~bits : bits | sign;
    case TYPE_STRING:
        return (uint64_t)c->code[row];
    case TYPE_BOOL:
        return c->b[row];
    default:
        return (uint64_t)c->i[row] ^ sign;
    }
}

int sort_compare(const struct column *c, int64_t a, int64_t b)
{
    bool null_a = column_is_null(c, a), null_b = column_is_null(c, b);
    if (null_a || null_b)
        return (int)null_b - (int)null_a;
    uint64_t x = sort_key(c, a), y = sort_key(c, b);
    return (x > y) - (x < y);
}

static bool is_sorted(const struct column *const *keys, int n_keys, int64_t rows)
{
    for (int64_t row = 1; row < rows; row++) {
        int order = 0;
        for (int k = 0; k < n_keys && order == 0; k++)
            order = sort_compare(keys[k], row - 1, row);
        if (order > 0)
            return false;
    }
    return true;
}

struct item {
    uint64_t key;
    int32_t row;
};

/* One pass: from -> to by the byte at shift. False, and nothing moved, when it is the same in all
 * rows. */
static bool sort_byte(const struct item *from, struct item *to, int64_t rows, int shift)
{
    int64_t place[256] = {0};
    for (int64_t i = 0; i < rows; i++)
        place[from[i].key >> shift & 255]++;
    int64_t sum = 0;
    for (int b = 0; b < 256; b++) {
        if (place[b] == rows)
            return false;
        int64_t n = place[b];
        place[b] = sum;
        sum += n;
    }
    for (int64_t i = 0; i < rows; i++)
        to[place[from[i].key >> shift & 255]++] = from[i];
    return true;
}

static void sort_bytes(struct item **items, struct item **spare, int64_t rows, int n_bytes)
{
    for (int b = 0; b < n_bytes; b++) {
        if (sort_byte(*items, *spare, rows, 8 * b)) {
            struct item *swap = *items;
            *items = *spare;
            *spare = swap;
        }
    }
}

int32_t *sort_rows(const struct column *const *keys, int n_keys, int64_t rows)
{
    if (is_sorted(keys, n_keys, rows))
        return NULL;
    CLEANUP(free) void *a = mem_array((size_t)rows, sizeof(struct item));
    CLEANUP(free) void *b = mem_array((size_t)rows, sizeof(struct item));
    struct item *items = a, *spare = b;
    for (int64_t i = 0; i < rows; i++)
        items[i].row = (int32_t)i;
    for (int k = n_keys - 1; k >= 0; k--) {
        for (int64_t i = 0; i < rows; i++)
            items[i].key =
                column_is_null(keys[k], items[i].row) ? 0 : sort_key(keys[k], items[i].row);
        sort_bytes(&items, &spare, rows, 8);
        for (int64_t i = 0; keys[k]->valid && i < rows; i++)
            items[i].key = keys[k]->valid[items[i].row];
        sort_bytes(&items, &spare, rows, keys[k]->valid ? 1 : 0);
    }
    int32_t *order = MEM_ARRAY(int32_t, (size_t)rows);
    for (int64_t i = 0; i < rows; i++)
        order[i] = items[i].row;
    return order;
}

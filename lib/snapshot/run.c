/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* run.c - column by column, as the merge will read them: values, flags of nulls, dictionary. */
#include "snapshot/run.h"

#include <string.h>

#include "snapshot/table_writer.h"

enum { BLOCK_BYTES = 1 << 17 };

/* Where a column's pieces are in the spool. */
struct place {
    int64_t data, valid, offsets, bytes;
};

struct run {
    int64_t rows, first, arrival; /* arrival: a place, of static tables */
    int n_columns;
    bool is_static;
    struct column *columns; /* without pointers until the spool is mapped */
    struct place *places;
};

void run_free(struct run *run)
{
    if (!run)
        return;
    free(run->columns);
    free(run->places);
    free(run);
}
MEM_CLEANUP(run_free, struct run *);

static struct place reserve(struct spool *spool, const struct column *c, int64_t rows)
{
    struct place p = {.data = spool_reserve(spool, rows * (int64_t)type_bytes(c->type))};
    if (c->valid)
        p.valid = spool_reserve(spool, rows);
    if (c->type != TYPE_STRING)
        return p;
    p.offsets = spool_reserve(spool, ((int64_t)c->dict.n + 1) * (int64_t)sizeof(*c->dict.offsets));
    p.bytes = spool_reserve(spool, c->dict.n ? c->dict.offsets[c->dict.n] : 0);
    return p;
}

/* Items of `size` bytes in the given order (NULL: as they stand), to a place. */
static int put_items(struct spool *spool, int64_t at, const void *items, size_t size, int64_t n,
                     const int32_t *order, struct err *err)
{
    if (!order)
        return spool_put(spool, at, items, (size_t)n * size, err);
    CLEANUP(spool_stream_deinit) struct spool_stream stream;
    spool_stream_init(&stream, spool, at, BLOCK_BYTES);
    int r = 0;
    for (int64_t i = 0; r == 0 && i < n; i++)
        r = spool_stream_add(&stream, (const char *)items + (size_t)order[i] * size, size, err);
    return r < 0 ? r : spool_stream_flush(&stream, err);
}

static int put_column(struct spool *spool, const struct place *p, const struct column *c,
                      int64_t rows, const int32_t *order, struct err *err)
{
    int r = put_items(spool, p->data, c->data, type_bytes(c->type), rows, order, err);
    if (r == 0 && c->valid)
        r = put_items(spool, p->valid, c->valid, 1, rows, order, err);
    if (r < 0 || c->type != TYPE_STRING || c->dict.n == 0)
        return r;
    r = spool_put(spool, p->offsets, c->dict.offsets,
                  ((size_t)c->dict.n + 1) * sizeof(*c->dict.offsets), err);
    return r < 0
               ? r
               : spool_put(spool, p->bytes, c->dict.bytes, (size_t)c->dict.offsets[c->dict.n], err);
}

/* All columns, as many at once as there are threads. */
static int put_columns(struct spool *spool, const struct run *run, const struct build_table *table,
                       const int32_t *order, struct err *err)
{
    CLEANUP(free) void *memory = mem_zalloc((size_t)run->n_columns * sizeof(struct err));
    struct err *errs = memory;
#pragma omp parallel for schedule(dynamic, 1)
    for (int c = 0; c < run->n_columns; c++)
        put_column(spool, &run->places[c], &table->columns[c], run->rows, order, &errs[c]);
    for (int c = 0; c < run->n_columns; c++) {
        if (errs[c].code)
            return err_set(err, errs[c].code, "%s", errs[c].text);
    }
    return 0;
}

int run_write(const struct build_table *table, int64_t first, struct spool *spool, struct run **ret,
              struct err *err)
{
    CLEANUP(run_free) struct run *run = MEM_NEW(struct run);
    size_t n = (size_t)table->n_columns;
    run->rows = table->rows;
    run->first = first;
    run->n_columns = table->n_columns;
    run->is_static = table->time < 0;
    run->columns = mem_array(n, sizeof(*run->columns));
    run->places = mem_zalloc(n * sizeof(*run->places));
    for (size_t c = 0; c < n; c++) {
        run->columns[c] = table->columns[c];
        run->places[c] = reserve(spool, &table->columns[c], run->rows);
    }
    run->arrival = spool_reserve(spool, run->is_static ? run->rows * (int64_t)sizeof(int32_t) : 0);

    CLEANUP(free) void *memory = table_writer_order(table);
    const int32_t *order = memory;
    int r = put_columns(spool, run, table, order, err);
    run->is_static &= order != NULL;
    if (r == 0 && run->is_static)
        r = spool_put(spool, run->arrival, order, (size_t)run->rows * sizeof(*order), err);
    if (r < 0)
        return r;
    *ret = run;
    run = NULL;
    return 0;
}

struct merge_part run_part(struct run *run, const struct spool *spool)
{
    for (int i = 0; i < run->n_columns; i++) {
        struct column *c = &run->columns[i];
        const struct place *p = &run->places[i];
        c->data = spool->map + p->data;
        if (c->valid)
            c->valid = (uint8_t *)spool->map + p->valid;
        if (c->type == TYPE_STRING && c->dict.n > 0) {
            c->dict.offsets = (const void *)(spool->map + p->offsets);
            c->dict.bytes = spool->map + p->bytes;
        }
    }
    return (struct merge_part){
        .rows = run->rows,
        .columns = run->columns,
        .first = run->first,
        .arrival = run->is_static ? (const void *)(spool->map + run->arrival) : NULL,
    };
}

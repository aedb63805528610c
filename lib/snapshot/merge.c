/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* merge.c - from sorted parts to the files of a table, in three passes over what is on disk.
 *
 * First the dictionaries, so that every string has its final code, and strings are compared by it.
 * Then the order: only the columns that rows are sorted by are read, and what comes out is a list
 * of stretches, "17 rows of part 3, then 2 of part 0", which for data that came in order is short.
 * At last each column by itself follows the stretches; so columns can be written by several
 * threads, and no row is ever put together. */
#include "snapshot/merge.h"

#include <inttypes.h>
#include <string.h>

#include "snapshot/heap.h"
#include "snapshot/merge_dictionary.h"
#include "snapshot/sort.h"
#include "snapshot/table_writer.h"

enum { STRETCH_BYTES = 65536, FORGET_ROWS = 4 * TABLE_BLOCK_ROWS };

struct stretch {
    int32_t part, rows;
};

/* What a row is sorted by, of the row that comes next in a part. */
struct key {
    uint64_t value;
    bool present;
};

struct merge {
    struct build_table table;
    struct column *columns; /* the table's: names, types, scales, merged dictionaries */
    int n_parts;
    struct merge_part *parts;              /* the kept rows first, if any */
    struct merge_dictionary *dictionaries; /* one for each column; of strings */
    const struct spool *spool;             /* of the parts */
    struct spool strings, order;
    const struct stretch *stretches;
    int64_t n_stretches;
    struct table_days days;

    int n_keys;
    int *key_column;
    struct key *heads; /* part * n_keys */
    int64_t *next;     /* part -> position of the row that comes next */
};

static void merge_deinit(struct merge *m)
{
    for (int c = 0; m->dictionaries && c < m->table.n_columns; c++)
        merge_dictionary_deinit(&m->dictionaries[c]);
    free(m->columns);
    free(m->parts);
    free(m->dictionaries);
    spool_deinit(&m->strings);
    spool_deinit(&m->order);
    table_days_deinit(&m->days);
    free(m->key_column);
    free(m->heads);
    free(m->next);
}
MEM_CLEANUP_VALUE(merge_deinit, struct merge);

/* Chapter: dictionaries. */

/* Which strings the kept rows have: others were in the days that are not kept. */
static uint8_t *find_used(const struct column *c, int64_t rows)
{
    uint8_t *used = mem_zalloc((size_t)c->dict.n + 1);
    for (int64_t row = 0; row < rows; row++) {
        if (!column_is_null(c, row))
            used[c->code[row]] = 1;
    }
    return used;
}

static int merge_strings_of(struct merge *m, int c, bool kept, struct err *err)
{
    struct merge_dictionary *d = &m->dictionaries[c];
    CLEANUP(free)
    void *used = kept ? find_used(&m->parts[0].columns[c], m->parts[0].rows) : NULL;
    if (kept)
        d->sources[0].used = used;
    return merge_dictionary_write(d, &m->strings, err);
}

static int first_failure(const struct err *errs, int n, struct err *err)
{
    for (int i = 0; i < n; i++) {
        if (errs[i].code)
            return err_set(err, errs[i].code, "%s", errs[i].text);
    }
    return 0;
}

static int merge_strings(struct merge *m, bool kept, struct err *err)
{
    int n = m->table.n_columns;
    for (int c = 0; c < n; c++) {
        struct merge_dictionary *d = &m->dictionaries[c];
        if (m->columns[c].type != TYPE_STRING)
            continue;
        d->n_sources = m->n_parts;
        d->sources = mem_zalloc((size_t)m->n_parts * sizeof(*d->sources));
        for (int p = 0; p < m->n_parts; p++)
            d->sources[p].dict = m->parts[p].columns[c].dict;
        merge_dictionary_reserve(d, &m->strings);
    }
    CLEANUP(free) void *memory = mem_zalloc((size_t)n * sizeof(struct err));
    struct err *errs = memory;
#pragma omp parallel for schedule(dynamic, 1)
    for (int c = 0; c < n; c++) {
        if (m->columns[c].type == TYPE_STRING)
            merge_strings_of(m, c, kept, &errs[c]);
    }
    int r = first_failure(errs, n, err);
    if (r == 0)
        r = spool_map(&m->strings, err);
    for (int c = 0; r == 0 && c < n; c++) {
        if (m->columns[c].type != TYPE_STRING)
            continue;
        merge_dictionary_mapped(&m->dictionaries[c], &m->strings);
        m->columns[c].dict = m->dictionaries[c].dict;
    }
    return r;
}

/* Chapter: the order. */

static int64_t row_at(const struct merge_part *part, int64_t position)
{
    return part->order ? part->order[position] : position;
}

static int64_t arrival_at(const struct merge_part *part, int64_t position)
{
    return part->first + (part->arrival ? part->arrival[position] : position);
}

static void load_head(struct merge *m, int p)
{
    const struct merge_part *part = &m->parts[p];
    int64_t row = row_at(part, m->next[p]);
    struct key *head = &m->heads[(size_t)p * (size_t)m->n_keys];
    for (int k = 0; k < m->n_keys; k++) {
        const struct column *c = &part->columns[m->key_column[k]];
        head[k] = (struct key){0};
        if (column_is_null(c, row))
            continue;
        head[k].present = true;
        head[k].value = c->type == TYPE_STRING
                            ? (uint64_t)m->dictionaries[m->key_column[k]].final[p][c->code[row]]
                            : sort_key(c, row);
    }
}

/* Ties go to the part whose rows came first. */
static bool before(const void *ctx, int a, int b)
{
    const struct merge *m = ctx;
    const struct key *x = &m->heads[(size_t)a * (size_t)m->n_keys],
                     *y = &m->heads[(size_t)b * (size_t)m->n_keys];
    for (int k = 0; k < m->n_keys; k++) {
        if (x[k].present != y[k].present)
            return y[k].present;
        if (x[k].value != y[k].value)
            return x[k].value < y[k].value;
    }
    return a < b;
}

/* The row that was taken last, of a static table. */
struct last {
    bool any;
    struct key key;
    int64_t arrival;
};

/* The next row of part p has its place in the table: its day is noted, its key compared. */
static int take_row(struct merge *m, int p, int64_t row, struct last *last, struct err *err)
{
    const struct merge_part *part = &m->parts[p];
    const struct column *first = &part->columns[m->key_column[0]];
    int64_t at = row_at(part, m->next[p]);
    if (m->table.time >= 0) {
        table_days_add(&m->days, first->type, first->i[at], row);
        return 0;
    }
    struct key key = m->heads[(size_t)p * (size_t)m->n_keys];
    int64_t arrival = arrival_at(part, m->next[p]);
    if (last->any && last->key.value == key.value)
        return table_writer_refuse_twice(&m->table, first, at, last->arrival, arrival, err);
    *last = (struct last){true, key, arrival};
    return 0;
}

static int add_stretch(struct merge *m, struct spool_stream *stream, int part, int64_t rows,
                       struct err *err)
{
    struct stretch stretch = {part, (int32_t)rows};
    spool_reserve(&m->order, sizeof(stretch));
    m->n_stretches++;
    return spool_stream_add(stream, &stretch, sizeof(stretch), err);
}

/* A file that nobody else maps counts as this process's own memory as far as it was read. */
static void forget_read(const struct merge *m)
{
    spool_forget(m->spool);
    spool_forget(&m->strings);
    spool_forget(&m->order);
}

static int merge_rows(struct merge *m, struct heap *heap, int64_t row, struct spool_stream *stream,
                      struct err *err)
{
    struct last last = {0};
    int64_t forgotten = row;
    while (heap->n > 0) {
        int p = heap->item[0], second = heap_second(heap);
        int64_t start = m->next[p];
        bool more;
        do {
            int r = take_row(m, p, row++, &last, err);
            if (r < 0)
                return r;
            more = ++m->next[p] < m->parts[p].rows;
            if (more)
                load_head(m, p);
        } while (more && (second < 0 || before(m, p, second)));
        int r = add_stretch(m, stream, p, m->next[p] - start, err);
        if (r < 0)
            return r;
        if (row - forgotten >= FORGET_ROWS) {
            forget_read(m);
            forgotten = row;
        }
        if (more)
            heap_sift(heap, 0);
        else
            heap_pop(heap);
    }
    return 0;
}

static int find_order(struct merge *m, const struct intake_kept *kept, struct err *err)
{
    int64_t row = 0;
    int r = 0;
    CLEANUP(free) void *memory = mem_array((size_t)m->n_parts + 1, sizeof(int));
    CLEANUP(spool_stream_deinit) struct spool_stream stream;
    spool_stream_init(&stream, &m->order, 0, STRETCH_BYTES);
    if (kept) {
        row = m->parts[0].rows;
        for (int64_t d = 0; d < kept->days; d++)
            table_days_add(&m->days, TYPE_DATE, kept->table->day[d], kept->table->day_start[d]);
        if (row > 0)
            r = add_stretch(m, &stream, 0, row, err);
        m->days.last = INT64_MIN; /* a timestamp is compared with it next */
    }
    struct heap heap = {.before = before, .ctx = m, .item = memory};
    for (int p = kept ? 1 : 0; p < m->n_parts; p++) {
        if (m->parts[p].rows == 0)
            continue;
        load_head(m, p);
        heap.item[heap.n++] = p;
    }
    heap_make(&heap);
    if (r == 0)
        r = merge_rows(m, &heap, row, &stream, err);
    if (r == 0)
        r = spool_stream_flush(&stream, err);
    if (r == 0)
        r = spool_map(&m->order, err);
    m->stretches = (const void *)m->order.map;
    table_days_end(&m->days, m->table.rows);
    return r;
}

/* Chapter: the columns. */

/* n rows of a part's column, from a position on, into block from row `to` on. */
static void copy_rows(const struct merge_part *part, const struct column *c, const int32_t *final,
                      int64_t position, struct column *block, int64_t to, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t row = row_at(part, position + i);
        bool valid = !column_is_null(c, row);
        block->valid[to + i] = valid;
        if (c->type == TYPE_STRING)
            block->code[to + i] = valid ? final[c->code[row]] : 0;
        else
            block->i[to + i] = c->i[row];
    }
}

/* The same for numbers that stand in order. */
static void copy_numbers(const struct column *c, int64_t position, struct column *block, int64_t to,
                         int64_t n)
{
    memcpy(block->i + to, c->i + position, (size_t)n * sizeof(*c->i));
    if (c->valid)
        memcpy(block->valid + to, c->valid + position, (size_t)n);
    else
        memset(block->valid + to, 1, (size_t)n);
}

/* A column on its way to the writer. */
struct flow {
    const struct merge *m;
    int column;
    struct column_writer *writer;
    struct column block; /* full of TABLE_BLOCK_ROWS, of which n are used */
    int64_t n;
    int64_t *next;
};

static int flush(struct flow *f, struct err *err)
{
    struct column block = column_slice(&f->block, 0, f->n);
    f->n = 0;
    forget_read(f->m);
    return column_writer_add(f->writer, &block, err);
}

static int follow(struct flow *f, struct stretch stretch, struct err *err)
{
    const struct merge_part *part = &f->m->parts[stretch.part];
    const struct column *c = &part->columns[f->column];
    for (int64_t left = stretch.rows; left > 0;) {
        int64_t room = TABLE_BLOCK_ROWS - f->n, n = left < room ? left : room;
        if (c->type == TYPE_STRING || part->order) {
            const int32_t *const *final = f->m->dictionaries[f->column].final;
            copy_rows(part, c, final ? final[stretch.part] : NULL, f->next[stretch.part], &f->block,
                      f->n, n);
        } else {
            copy_numbers(c, f->next[stretch.part], &f->block, f->n, n);
        }
        f->next[stretch.part] += n;
        f->n += n;
        left -= n;
        int r = f->n == TABLE_BLOCK_ROWS ? flush(f, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static int write_column(const struct table_contents *self, int column, struct column_writer *w,
                        struct err *err)
{
    const struct merge *m = self->rows;
    struct flow f = {.m = m, .column = column, .writer = w};
    CLEANUP(free) void *next = mem_zalloc(((size_t)m->n_parts + 1) * sizeof(*f.next));
    f.next = next;
    column_alloc(&f.block, m->columns[column].type, TABLE_BLOCK_ROWS, true);
    f.block.dict = m->columns[column].dict;
    int r = 0;
    for (int64_t s = 0; r == 0 && s < m->n_stretches; s++)
        r = follow(&f, m->stretches[s], err);
    if (r == 0)
        r = flush(&f, err);
    column_deinit(&f.block);
    return r;
}

/* Chapter: all of it. */

static void set_up(struct merge *m, const struct build_table *table, const struct intake_kept *kept,
                   const struct merge_part *parts, int n_parts)
{
    size_t n = (size_t)table->n_columns;
    m->table = *table;
    m->columns = mem_array(n, sizeof(*m->columns));
    for (size_t c = 0; c < n; c++)
        m->columns[c] = (struct column){.name = table->columns[c].name,
                                        .type = table->columns[c].type,
                                        .scale = table->columns[c].scale};
    m->table.columns = m->columns;
    m->dictionaries = mem_zalloc(n * sizeof(*m->dictionaries));

    m->parts = mem_array((size_t)n_parts + 1, sizeof(*m->parts));
    if (kept)
        m->parts[m->n_parts++] =
            (struct merge_part){.rows = intake_kept_rows(kept), .columns = kept->table->columns};
    memcpy(m->parts + m->n_parts, parts, (size_t)n_parts * sizeof(*parts));
    m->n_parts += n_parts;
    m->table.rows = 0;
    for (int p = 0; p < m->n_parts; p++)
        m->table.rows += m->parts[p].rows;

    m->key_column = mem_array((size_t)table->n_order + 2, sizeof(int));
    m->n_keys = table_writer_keys(table, m->key_column);
    m->heads = mem_array((size_t)m->n_parts, (size_t)m->n_keys * sizeof(*m->heads));
    m->next = mem_zalloc((size_t)m->n_parts * sizeof(*m->next));
}

int merge_write(const char *base, const struct build_table *table, const struct intake_kept *kept,
                const struct merge_part *parts, int n_parts, const struct spool *spool,
                struct layout *layout, struct err *err)
{
    CLEANUP(merge_deinit)
    struct merge m = {.spool = spool, .strings = SPOOL_NONE, .order = SPOOL_NONE};
    set_up(&m, table, kept, parts, n_parts);
    int r = spool_open(&m.strings, base, err);
    if (r == 0)
        r = spool_open(&m.order, base, err);
    if (r == 0)
        r = merge_strings(&m, kept != NULL, err);
    if (r == 0)
        r = find_order(&m, kept, err);
    if (r < 0)
        return r;
    struct table_contents contents = {
        .table = &m.table,
        .days = m.table.time >= 0 ? &m.days : NULL,
        .kept = kept ? kept->table : NULL,
        .kept_days = kept ? kept->days : 0,
        .write = write_column,
        .rows = &m,
    };
    return table_writer_put(base, &contents, layout, err);
}

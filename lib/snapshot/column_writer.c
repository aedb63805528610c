/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* column_writer.c - see column_writer.h. */
#include "snapshot/column_writer.h"

#include <string.h>

static int open_file(struct column_writer *w, struct array_file *file, const char *ending,
                     const char *descr, struct err *err)
{
    CLEANUP(mem_free_chars) char *relative = layout_file(w->table, w->shape.name, ending);
    return array_file_open(file, w->base, relative, descr, w->shape.rows, 0, err);
}

static int close_file(struct column_writer *w, struct array_file *file, const char *ending,
                      struct err *err)
{
    CLEANUP(mem_free_chars) char *relative = layout_file(w->table, w->shape.name, ending);
    int r = array_file_close(file, relative, &w->files[w->n_files], err);
    w->n_files += r == 0;
    return r;
}

int column_writer_open(struct column_writer *w, const char *base, const char *table,
                       const struct column *shape, struct chain_spans spans, int64_t known,
                       struct err *err)
{
    *w = (struct column_writer){.base = base,
                                .table = table,
                                .shape = *shape,
                                .spans = spans,
                                .span = known,
                                .values.fd = -1,
                                .valid.fd = -1};
    w->digests = mem_zalloc(((size_t)spans.n + 1) * sizeof(*w->digests));
    sha256_init(&w->hash);
    return open_file(w, &w->values, ".npy", layout_descr(shape->type), err);
}

/* The bytes of `valid` for n rows without nulls. */
static int add_ones(struct column_writer *w, int64_t n, struct err *err)
{
    uint8_t ones[4096];
    memset(ones, 1, sizeof(ones));
    int r = 0;
    while (r == 0 && n > 0) {
        int64_t piece = n < (int64_t)sizeof(ones) ? n : (int64_t)sizeof(ones);
        r = array_file_add(&w->valid, ones, (size_t)piece, err);
        n -= piece;
    }
    return r;
}

/* The file of valid flags begins with the first null, with ones for all rows before this block. */
static int add_valid(struct column_writer *w, const struct column *block, struct err *err)
{
    bool nulls = block->valid && memchr(block->valid, 0, (size_t)block->rows);
    int r = 0;
    if (nulls && !w->nullable) {
        w->nullable = true;
        r = open_file(w, &w->valid, ".valid.npy", "|b1", err);
        if (r == 0)
            r = add_ones(w, w->rows, err);
    }
    if (r < 0 || !w->nullable)
        return r;
    return nulls ? array_file_add(&w->valid, block->valid, (size_t)block->rows, err)
                 : add_ones(w, block->rows, err);
}

static void add_digests(struct column_writer *w, const struct column *block)
{
    int64_t row = w->spans.start[w->span] - w->rows; /* the first that is not known */
    for (row = row > 0 ? row : 0; row < block->rows;) {
        int64_t left = w->spans.start[w->span + 1] - (w->rows + row);
        int64_t n = left < block->rows - row ? left : block->rows - row;
        chain_add(&w->hash, block, row, n);
        row += n;
        if (n == left)
            sha256_finish(&w->hash, w->digests[w->span++]);
    }
}

int column_writer_add(struct column_writer *w, const struct column *block, struct err *err)
{
    size_t bytes = (size_t)block->rows * type_bytes(block->type);
    int r = array_file_add(&w->values, block->data, bytes, err);
    if (r == 0)
        r = add_valid(w, block, err);
    if (r < 0)
        return r;
    add_digests(w, block);
    w->rows += block->rows;
    return 0;
}

static int write_dictionary_part(struct column_writer *w, const char *ending, const char *descr,
                                 int64_t rows, const void *data, size_t len, struct err *err)
{
    CLEANUP(mem_free_chars) char *relative = layout_file(w->table, w->shape.name, ending);
    int r =
        array_file_write(w->base, relative, descr, rows, 0, data, len, &w->files[w->n_files], err);
    w->n_files += r == 0;
    return r;
}

static int write_dictionary(struct column_writer *w, struct err *err)
{
    static const int64_t zero = 0;
    const struct dict *dict = &w->shape.dict;
    const int64_t *offsets = dict->n ? dict->offsets : &zero;
    int r = write_dictionary_part(w, ".offsets.npy", "<i8", (int64_t)dict->n + 1, offsets,
                                  ((size_t)dict->n + 1) * sizeof(*offsets), err);
    if (r < 0)
        return r;
    int64_t bytes = offsets[dict->n];
    return write_dictionary_part(w, ".bytes.npy", "|u1", bytes, dict->bytes, (size_t)bytes, err);
}

int column_writer_close(struct column_writer *w, struct err *err)
{
    if (w->rows != w->shape.rows)
        return err_set(err, ERR_BUG, "column %s: %lld rows were written, %lld announced",
                       w->shape.name, (long long)w->rows, (long long)w->shape.rows);
    if (w->rows == 0 && w->spans.n == 1) /* a static table without rows: the digest of nothing */
        sha256_finish(&w->hash, w->digests[0]);
    int r = close_file(w, &w->values, ".npy", err);
    if (r == 0 && w->nullable)
        r = close_file(w, &w->valid, ".valid.npy", err);
    if (r == 0 && w->shape.type == TYPE_STRING)
        r = write_dictionary(w, err);
    return r;
}

void column_writer_deinit(struct column_writer *w)
{
    array_file_deinit(&w->values);
    array_file_deinit(&w->valid);
    if (w->hash.ctx)
        sha256_deinit(&w->hash);
    for (int f = 0; f < w->n_files; f++)
        free(w->files[f].path);
    free(w->digests);
    *w = (struct column_writer){.values.fd = -1, .valid.fd = -1};
}

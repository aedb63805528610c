/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* column_writer.h - one column of a snapshot while it is written.
 *
 * It takes the rows in their final order, in blocks of any size, and writes the column's files and
 * the digest of each day along the way, without holding the column. So a source that has
 * all rows in memory and one that merges sorted runs from disk end in the same place. Columns
 * know nothing of each other: several can be written at once. */
#ifndef SNAPSHOT_COLUMN_WRITER_H
#define SNAPSHOT_COLUMN_WRITER_H

#include "snapshot/array_file.h"
#include "snapshot/chain.h"

enum { COLUMN_FILES = 4 }; /* at most: values, valid, offsets, bytes */

struct column_writer {
    const char *base; /* the snapshot's directory; borrowed, like the next two */
    const char *table;
    struct column shape; /* name, type, scale, rows and dictionary of the whole column */
    struct chain_spans spans;
    struct array_file values, valid;
    struct sha256 hash;
    int64_t rows, span; /* rows taken so far, and the span that the next hashed one falls into */
    bool nullable;      /* a null has been seen, and `valid` is open */
    uint8_t (*digests)[SHA256_BYTES]; /* spans.n, owned */
    int n_files;
    struct layout_entry files[COLUMN_FILES]; /* owned; filled in by close */
};

/* shape, and all it points to, is borrowed until deinit. The first `known` spans are not hashed. */
int column_writer_open(struct column_writer *w, const char *base, const char *table,
                       const struct column *shape, struct chain_spans spans, int64_t known,
                       struct err *err);
int column_writer_add(struct column_writer *w, const struct column *block, struct err *err);
int column_writer_close(struct column_writer *w,
                        struct err *err); /* after exactly shape->rows rows */
void column_writer_deinit(struct column_writer *w);

#endif

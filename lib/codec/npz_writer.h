/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* npz_writer.h - one .npz from many frames, one below the other, in bounded memory.
 *
 * What does not fit is kept in a scratch file until all have come: only then it is known of which
 * type a column is, and how wide its strings are. */
#ifndef CODEC_NPZ_WRITER_H
#define CODEC_NPZ_WRITER_H

#include "base/err.h"
#include "codec/column.h"

struct npz_writer;

/* What a column is known to be beside what its values show: a type that it has at least, its
 * strings' width, float32. */
struct npz_hint {
    const char *name;
    enum type type;
    int32_t max_chars;
    bool float32;
};

/* scratch: an empty file, taken; memory: bytes after which columns go there (0: 32 MiB). Hints are
 * borrowed until npz_writer_free. */
struct npz_writer *npz_writer_new(int scratch, size_t memory, const struct npz_hint *hints,
                                  int n_hints);
void npz_writer_free(struct npz_writer *writer);
MEM_CLEANUP(npz_writer_free, struct npz_writer *);

/* Append the rows of a frame. Columns are as text_frame.h makes them, and the same in each frame
 * (names and order; types may differ); float32: its floats came as <f4. ERR_WRITE: the scratch. */
int npz_writer_add(struct npz_writer *writer, const struct frame *frame, bool float32,
                   struct err *err);

/* Write the archive into fd. A column is <i8 if all its values are integers without null, <f8 (or
 * <f4) with NaN for other numbers and for a column without values, <M8[D] and <M8[us] with NaT,
 * <U in the width of its longest string; values of several of these kinds become strings. */
int npz_writer_finish(struct npz_writer *writer, int fd, struct err *err);

#endif

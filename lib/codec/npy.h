/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* npy.h - numpy's .npy format, version 1.0.
 *
 * Source: numpy's "NEP 1 - A Simple File Format for NumPy Arrays". Only C order,
 * one or two dimensions, little-endian; the header is padded so that the data
 * begins at a multiple of 64. */
#ifndef CODEC_NPY_H
#define CODEC_NPY_H

#include "base/err.h"
#include "base/str.h"
#include "codec/column.h"

struct npy_header {
    char descr[16];  /* "<i8", "<f8", "<f4", "<i4", "|u1", "|b1", "<M8[D]", "<M8[us]", "<U12" */
    int64_t rows;    /* first dimension */
    int64_t columns; /* second dimension, or 0 when there is one dimension */
    size_t data_at;  /* offset of the data from the start of the file */
    size_t item_bytes;
};

/* Append a header for such an array; data_at and item_bytes of h are ignored. */
void npy_write_header(struct str *out, const char *descr, int64_t rows, int64_t columns);

/* Parse and check a whole file in memory: magic, version, header, alignment of 64, and
 * that the file holds exactly rows * max(columns, 1) items. ERR_INPUT says what is wrong. */
int npy_parse(const void *file, size_t len, struct npy_header *ret, struct err *err);

/* Append one result column as .npy by SEMANTICS' rules for npz: integers that are never null
 * in the snapshot <i8, other numbers <f8 with NaN (f32: <f4), bools like integers,
 * strings <U of column->max_chars (at least 1), dates <M8[D], timestamps <M8[us], NaT; a null
 * string is empty. A number too large for f32 is ERR_INPUT; a null in a column that is not
 * nullable, or a string longer than max_chars, is ERR_BUG. */
int npy_write_column(struct str *out, const struct column *c, bool f32, struct err *err);

#endif

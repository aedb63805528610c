/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* npz.h - a frame as numpy's .npz: a zip of one .npy per column, named after it. */
#ifndef CODEC_NPZ_H
#define CODEC_NPZ_H

#include "codec/column.h"
#include "codec/zip.h"

/* Append the archive to ret; dtypes are npy_write_column's, the comment is zip_pack's. */
int npz_pack(const struct frame *frame, bool f32, zip_comment_fn *comment_fn, void *ctx,
             struct str *ret, struct err *err);

#endif

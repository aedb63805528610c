/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* text_frame.h - results that were written (csv.h, npz.h) as frames again.
 *
 * Column names of these frames are owned by them: free with text_frame_deinit. */
#ifndef CODEC_TEXT_FRAME_H
#define CODEC_TEXT_FRAME_H

#include "base/err.h"
#include "codec/column.h"
#include "codec/zip.h"

void text_frame_deinit(struct frame *frame);
MEM_CLEANUP_VALUE(text_frame_deinit, struct frame);

/* A CSV text with every cell as the text that it is: columns of strings whose codes are the rows,
 * null where the field is empty. csv_write_frame gives back the same bytes if it wrote them. */
int text_frame_csv(const char *name, const void *text, size_t len, struct frame *ret,
                   struct err *err);

/* What type csv_write_frame had when it wrote these cells, as far as they show it: integer, float,
 * date, timestamp if every value is exactly as it writes such values, TYPE_NULL if there is none,
 * else string. *ret owns its values but for a string's, which are a view of column; its name is
 * column's, and max_chars the longest text. Null integers hold INT64_MIN, null floats NaN, null
 * times NaT (INT64_MIN). */
void text_frame_type(const struct column *column, struct column *ret);

/* The members of an .npz, in their order: <i8, <f8, <f4 (as float), <M8[D], <M8[us] and <U. NaN,
 * NaT and empty strings are null, and hold what text_frame_type says. *ret_float32: at least one
 * <f4 and no <f8. */
int text_frame_npz(const struct zip_list *members, struct frame *ret, bool *ret_float32,
                   struct err *err);

#endif

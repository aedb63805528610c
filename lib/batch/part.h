/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* part.h - one key's rows, as they were read from one destination and joined with those of others.
 *
 * A part is either text (a CSV header and its records, untouched) or a frame (text_frame.h). */
#ifndef BATCH_PART_H
#define BATCH_PART_H

#include "batch/manifest.h"
#include "batch/result.h"
#include "codec/text_frame.h"
#include "features/spec.h"

struct part {
    struct str header, records; /* text: the first line with its end, and what follows it */
    struct frame frame;
    bool float32; /* the floats of a frame came as <f4 */
};
void part_deinit(struct part *part);
MEM_CLEANUP_VALUE(part_deinit, struct part);

struct part_source {
    struct store *store;
    const struct manifest *manifest;
    const struct manifest_line *line; /* of the key */
};

/* Read a result and hold it against the manifest: size, identity, number of rows, members'
 * checksums; as text (for CSV results only) or as a frame. ERR_INPUT says what differs. */
int part_read(const struct part_source *source, bool as_text, struct part *ret, struct err *err);

/* Put the columns of b, a frame of the same key, behind those of a. Columns of one name must have
 * the same values in every row, and stand once; need are names that both must have. ERR_INPUT names
 * column and row. */
int part_join(struct part *a, struct part *b, const struct name_list *need, struct err *err);

/* What text_frame_type finds, for every column. */
void part_type(struct part *part);

/* A frame as text. */
void part_to_text(struct part *part);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* gzip.h - bytes as one gzip stream, piece by piece. The same bytes give the same stream. */
#ifndef CODEC_GZIP_H
#define CODEC_GZIP_H

#include "base/str.h"

struct gzip;

struct gzip *gzip_new(void);
void gzip_free(struct gzip *gzip);
MEM_CLEANUP(gzip_free, struct gzip *);

/* Compress some more; what is ready of the stream is appended to out. */
void gzip_add(struct gzip *gzip, const void *data, size_t len, struct str *out);
/* The rest of the stream. Nothing may be added any more. */
void gzip_finish(struct gzip *gzip, struct str *out);

#endif

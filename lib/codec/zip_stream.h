/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* zip_stream.h - an archive of members of any size, written into a file without holding them. */
#ifndef CODEC_ZIP_STREAM_H
#define CODEC_ZIP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct zip_stream_member {
    const char *name;
    int64_t bytes; /* known before */
    void *ctx;
};
/* The next at most len bytes of a member, from its beginning on when first is set. Fewer only at
 * its end. How many, or an ERR_*. */
typedef int64_t zip_stream_fn(void *ctx, bool first, void *buf, size_t len, struct err *err);

/* Write the archive into fd, which is an empty file that may be read and written. The same members
 * give the same bytes. ERR_WRITE; ERR_INPUT for a name that archives
 * do not take (control characters); or what read has returned. */
int zip_stream_write(int fd, const struct zip_stream_member *members, int n, zip_stream_fn *read,
                     struct err *err);

#endif

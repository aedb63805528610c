/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* array_file.h - one .npy file of a snapshot while it is written: header first, then the items in
 * as many pieces as one likes; closing makes it durable and says what snapshot.json must know. */
#ifndef SNAPSHOT_ARRAY_FILE_H
#define SNAPSHOT_ARRAY_FILE_H

#include "snapshot/layout.h"

struct array_file {
    int fd; /* -1: not open */
    char *path;
    int64_t bytes;
    uint32_t crc32c;
};

/* Create base/relative, which must not exist. All failures are ERR_WRITE and name the path. */
int array_file_open(struct array_file *file, const char *base, const char *relative,
                    const char *descr, int64_t rows, int64_t columns, struct err *err);
int array_file_add(struct array_file *file, const void *data, size_t len, struct err *err);
int array_file_close(struct array_file *file, const char *relative, struct layout_entry *ret,
                     struct err *err);
void array_file_deinit(struct array_file *file); /* without flushing; harmless after close */

/* All three at once. */
int array_file_write(const char *base, const char *relative, const char *descr, int64_t rows,
                     int64_t columns, const void *data, size_t len, struct layout_entry *ret,
                     struct err *err);

#endif

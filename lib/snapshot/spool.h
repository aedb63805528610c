/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* spool.h - what does not fit into memory: a file without a name, which is gone when it is closed,
 * or when the process is killed.
 *
 * It is written first, at any place and from several threads, and then mapped. Mapped pages of a
 * file are not the process's own memory: the system takes them back whenever it needs them. */
#ifndef SNAPSHOT_SPOOL_H
#define SNAPSHOT_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

struct spool {
    int fd; /* -1: not open */
    char *dir;
    int64_t bytes; /* reserved so far */
    char *map;
    size_t map_bytes;
};
#define SPOOL_NONE ((struct spool){.fd = -1})

/* A file in the folder dir. All failures are ERR_WRITE and name it. */
int spool_open(struct spool *spool, const char *dir, struct err *err);
void spool_deinit(struct spool *spool);
MEM_CLEANUP_VALUE(spool_deinit, struct spool);

/* Set len bytes aside, at a multiple of 8; returns where. One thread at a time. */
int64_t spool_reserve(struct spool *spool, int64_t len);
int spool_put(struct spool *spool, int64_t at, const void *data, size_t len, struct err *err);

/* All that was reserved, read-only, at spool->map until spool_deinit. Bytes that were not put are
 * 0. */
int spool_map(struct spool *spool, struct err *err);
/* Pages of the map that were read stay in the page cache and count no more as this process's. */
void spool_forget(const struct spool *spool);

/* Small pieces, put one behind the other from a place on. */
struct spool_stream {
    struct spool *spool;
    int64_t at; /* where buf goes */
    size_t len, cap;
    char *buf;
};
void spool_stream_init(struct spool_stream *stream, struct spool *spool, int64_t at, size_t cap);
int spool_stream_add(struct spool_stream *stream, const void *data, size_t len, struct err *err);
int spool_stream_flush(struct spool_stream *stream, struct err *err);
void spool_stream_deinit(struct spool_stream *stream); /* without flushing */
MEM_CLEANUP_VALUE(spool_stream_deinit, struct spool_stream);

#endif

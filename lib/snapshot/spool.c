/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* spool.c - see spool.h. */
#include "snapshot/spool.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fs.h"

static int fail(const struct spool *spool, int errnum, struct err *err)
{
    return err_set_errno(
        err, ERR_WRITE, errnum,
        "cannot write rows to a temporary file in %s (with more --memory there are "
        "fewer)",
        spool->dir);
}

int spool_open(struct spool *spool, const char *dir, struct err *err)
{
    *spool = (struct spool){.dir = mem_strdup(dir)};
    spool->fd = fs_open_nameless(dir);
    return spool->fd < 0 ? fail(spool, errno, err) : 0;
}

void spool_deinit(struct spool *spool)
{
    if (spool->map)
        munmap(spool->map, spool->map_bytes);
    if (spool->fd >= 0)
        close(spool->fd);
    free(spool->dir);
    *spool = SPOOL_NONE;
}

int64_t spool_reserve(struct spool *spool, int64_t len)
{
    int64_t at = spool->bytes;
    spool->bytes += (len + 7) / 8 * 8;
    return at;
}

int spool_put(struct spool *spool, int64_t at, const void *data, size_t len, struct err *err)
{
    fault_point("spooling");
    for (const char *p = data; len > 0;) {
        ssize_t n = pwrite(spool->fd, p, len, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(spool, errno, err);
        p += n;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

int spool_map(struct spool *spool, struct err *err)
{
    if (spool->bytes == 0)
        return 0;
    if (ftruncate(spool->fd, spool->bytes) < 0)
        return fail(spool, errno, err);
    void *at = mmap(NULL, (size_t)spool->bytes, PROT_READ, MAP_SHARED, spool->fd, 0);
    if (at == MAP_FAILED)
        return fail(spool, errno, err);
    spool->map = at;
    spool->map_bytes = (size_t)spool->bytes;
    return 0;
}

void spool_forget(const struct spool *spool)
{
    if (spool->map)
        madvise(spool->map, spool->map_bytes, MADV_DONTNEED);
}

void spool_stream_init(struct spool_stream *stream, struct spool *spool, int64_t at, size_t cap)
{
    *stream = (struct spool_stream){.spool = spool, .at = at, .cap = cap, .buf = mem_alloc(cap)};
}

int spool_stream_flush(struct spool_stream *stream, struct err *err)
{
    int r = spool_put(stream->spool, stream->at, stream->buf, stream->len, err);
    stream->at += (int64_t)stream->len;
    stream->len = 0;
    return r;
}

int spool_stream_add(struct spool_stream *stream, const void *data, size_t len, struct err *err)
{
    int r = 0;
    if (len > stream->cap - stream->len)
        r = spool_stream_flush(stream, err);
    if (r == 0 && len > stream->cap) {
        r = spool_put(stream->spool, stream->at, data, len, err);
        stream->at += (int64_t)len;
        return r;
    }
    if (len)
        memcpy(stream->buf + stream->len, data, len);
    stream->len += len;
    return r;
}

void spool_stream_deinit(struct spool_stream *stream)
{
    free(stream->buf);
    *stream = (struct spool_stream){0};
}

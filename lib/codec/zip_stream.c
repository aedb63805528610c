/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* zip_stream.c - libzip between two callbacks: one that reads members, one that is the archive's
 * file. libzip would write by path, beside the path and with a name of its own; through a callback
 * it writes into our file, which has no name yet. */
#include "codec/zip_stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

#include "base/mem.h"

/* zlib inside libzip: the lowest level, because columns of doubles hardly get smaller by more. */
enum { LEVEL = 1, DOS_1980_01_01 = 1 << 5 | 1, DOS_MIDNIGHT = 0 };

/* ---- a member ---- */

struct member {
    const struct zip_stream_member *is;
    zip_stream_fn *read;
    bool begun;
    struct err *err; /* where the first failure goes */
    int *result;
    zip_error_t error;
};

static zip_int64_t member_read(struct member *m, void *data, zip_uint64_t len)
{
    int64_t n = m->read(m->is->ctx, !m->begun, data, (size_t)len, m->err);
    m->begun = true;
    if (n >= 0)
        return n;
    *m->result = (int)n;
    zip_error_set(&m->error, ZIP_ER_READ, EIO);
    return -1;
}

static zip_int64_t member_call(void *ctx, void *data, zip_uint64_t len, zip_source_cmd_t cmd)
{
    struct member *m = ctx;
    switch (cmd) {
    case ZIP_SOURCE_SUPPORTS:
        return ZIP_SOURCE_SUPPORTS_READABLE;
    case ZIP_SOURCE_OPEN:
        m->begun = false;
        return 0;
    case ZIP_SOURCE_READ:
        return member_read(m, data, len);
    case ZIP_SOURCE_CLOSE:
        return 0;
    case ZIP_SOURCE_STAT:
        zip_stat_init(data);
        ((zip_stat_t *)data)->valid = ZIP_STAT_SIZE;
        ((zip_stat_t *)data)->size = (zip_uint64_t)m->is->bytes;
        return sizeof(zip_stat_t);
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&m->error, data, len);
    case ZIP_SOURCE_FREE:
        zip_error_fini(&m->error);
        free(m);
        return 0;
    default:
        zip_error_set(&m->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

/* ---- the archive's file ---- */

struct archive {
    int fd;
    int64_t at; /* where the next bytes go, or come from */
    zip_error_t error;
};

static zip_int64_t fail_system(struct archive *a, int code)
{
    zip_error_set(&a->error, code, errno);
    return -1;
}

static zip_int64_t archive_write(struct archive *a, const char *data, zip_uint64_t len)
{
    zip_uint64_t left = len;
    while (left > 0) {
        ssize_t n = pwrite(a->fd, data, left, a->at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_system(a, ZIP_ER_WRITE);
        a->at += n;
        data += n;
        left -= (zip_uint64_t)n;
    }
    return (zip_int64_t)len;
}

static zip_int64_t archive_read(struct archive *a, void *data, zip_uint64_t len)
{
    ssize_t n = pread(a->fd, data, len, a->at);
    if (n < 0)
        return fail_system(a, ZIP_ER_READ);
    a->at += n;
    return n;
}

static zip_int64_t archive_size(const struct archive *a)
{
    return lseek(a->fd, 0, SEEK_END);
}

static zip_int64_t archive_seek(struct archive *a, void *data, zip_uint64_t len)
{
    zip_int64_t size = archive_size(a);
    if (size < 0)
        return fail_system(a, ZIP_ER_SEEK);
    zip_int64_t at = zip_source_seek_compute_offset((zip_uint64_t)a->at, (zip_uint64_t)size, data,
                                                    len, &a->error);
    if (at < 0)
        return -1;
    a->at = at;
    return 0;
}

static zip_int64_t archive_stat(struct archive *a, zip_stat_t *st)
{
    zip_int64_t size = archive_size(a);
    if (size < 0)
        return fail_system(a, ZIP_ER_READ);
    zip_stat_init(st);
    st->valid = ZIP_STAT_SIZE;
    st->size = (zip_uint64_t)size;
    return sizeof(*st);
}

static zip_int64_t archive_supports(void)
{
    return zip_source_make_command_bitmap(
        ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
        ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS,
        ZIP_SOURCE_BEGIN_WRITE, ZIP_SOURCE_COMMIT_WRITE, ZIP_SOURCE_ROLLBACK_WRITE,
        ZIP_SOURCE_WRITE, ZIP_SOURCE_SEEK_WRITE, ZIP_SOURCE_TELL_WRITE, ZIP_SOURCE_REMOVE, -1);
}

static zip_int64_t archive_call(void *ctx, void *data, zip_uint64_t len, zip_source_cmd_t cmd)
{
    struct archive *a = ctx;
    switch (cmd) {
    case ZIP_SOURCE_SUPPORTS:
        return archive_supports();
    case ZIP_SOURCE_OPEN:
    case ZIP_SOURCE_BEGIN_WRITE:
        a->at = 0;
        return 0;
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_COMMIT_WRITE:
    case ZIP_SOURCE_ROLLBACK_WRITE:
    case ZIP_SOURCE_REMOVE:
    case ZIP_SOURCE_FREE: /* the caller's */
        return 0;
    case ZIP_SOURCE_READ:
        return archive_read(a, data, len);
    case ZIP_SOURCE_WRITE:
        return archive_write(a, data, len);
    case ZIP_SOURCE_SEEK:
    case ZIP_SOURCE_SEEK_WRITE:
        return archive_seek(a, data, len);
    case ZIP_SOURCE_TELL:
    case ZIP_SOURCE_TELL_WRITE:
        return a->at;
    case ZIP_SOURCE_STAT:
        return archive_stat(a, data);
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&a->error, data, len);
    default:
        zip_error_set(&a->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

/* ---- the whole ---- */

static int add_member(zip_t *z, struct member *m)
{
    zip_error_init(&m->error);
    zip_source_t *source = zip_source_function(z, member_call, m);
    if (!source) {
        free(m);
        return -1;
    }
    zip_int64_t i = zip_file_add(z, m->is->name, source, ZIP_FL_ENC_UTF_8);
    if (i < 0) {
        zip_source_free(source);
        return -1;
    }
    if (zip_set_file_compression(z, (zip_uint64_t)i, ZIP_CM_DEFLATE, LEVEL) < 0)
        return -1;
    return zip_file_set_dostime(z, (zip_uint64_t)i, DOS_MIDNIGHT, DOS_1980_01_01, 0);
}

static int fail(struct err *err, zip_error_t *error)
{
    int r = err_set(err, ERR_WRITE, "cannot write the archive: %s", zip_error_strerror(error));
    zip_error_fini(error);
    return r;
}

int zip_stream_write(int fd, const struct zip_stream_member *members, int n, zip_stream_fn *read,
                     struct err *err)
{
    struct archive archive = {.fd = fd};
    zip_error_t error;
    int result = 0;
    zip_error_init(&archive.error);
    zip_error_init(&error);
    zip_source_t *source = zip_source_function_create(archive_call, &archive, &error);
    zip_t *z = source ? zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &error) : NULL;
    if (!z) {
        zip_source_free(source);
        return fail(err, &error);
    }
    bool ok = true;
    for (int i = 0; ok && i < n; i++) {
        struct member *m = MEM_NEW(struct member);
        *m = (struct member){.is = &members[i], .read = read, .err = err, .result = &result};
        ok = add_member(z, m) == 0;
        if (!ok) /* a name with control characters, for one */
            result = err_set(err, ERR_INPUT, "an archive cannot have '%.100s': %s", members[i].name,
                             zip_strerror(z));
    }
    ok = ok && zip_close(z) == 0;
    if (!ok) {
        int r = result < 0
                    ? result
                    : err_set(err, ERR_WRITE, "cannot write the archive: %s", zip_strerror(z));
        zip_discard(z);
        return r;
    }
    zip_error_fini(&archive.error);
    zip_error_fini(&error);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* input.c - raw bytes from a descriptor, copied when they come only once, then through zlib when
 * they are gzip. A gzip file may consist of several, one behind the other, as `cat a.gz b.gz` makes
 * it. */
#include "codec/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/fs.h"

enum { RAW_BYTES = 1 << 17 };

struct input {
    char *name;
    int fd;   /* what is read: the file, or after a rewind the copy of a pipe */
    int copy; /* what a pipe is copied to; -1: nothing */
    off_t start;
    bool is_pipe, is_first, is_gzip, at_end;
    int64_t bytes, done;

    z_stream z;
    bool z_open;
    size_t at, len; /* of raw: what was read and not used yet */
    unsigned char raw[RAW_BYTES];
};

/* Chapter: raw bytes. */

static int open_descriptor(struct input *in, const char *path, const char *spool_dir,
                           struct err *err)
{
    struct stat st;
    bool is_stdin = strcmp(path, INPUT_STDIN) == 0;
    in->fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
    if (in->fd < 0 || fstat(in->fd, &st) < 0)
        return err_set_errno(err, ERR_INPUT, errno, "cannot read %s", in->name);
    if (S_ISDIR(st.st_mode))
        return err_set_errno(err, ERR_INPUT, EISDIR, "cannot read %s", in->name);
    in->start = lseek(in->fd, 0, SEEK_CUR);
    in->is_pipe = !S_ISREG(st.st_mode) || in->start < 0;
    if (!in->is_pipe && st.st_size > in->start)
        in->bytes = st.st_size - in->start;
    if (!in->is_pipe || !spool_dir)
        return 0;
    in->copy = fs_open_nameless(spool_dir);
    return in->copy < 0 ? err_set_errno(err, ERR_WRITE, errno, "cannot make a temporary file in %s",
                                        spool_dir)
                        : 0;
}

int input_open(const char *path, const char *spool_dir, struct input **ret, struct err *err)
{
    CLEANUP(input_free) struct input *in = MEM_NEW(struct input);
    in->name = mem_strdup(strcmp(path, INPUT_STDIN) == 0 ? "standard input" : path);
    in->copy = -1;
    in->is_first = true;
    int r = open_descriptor(in, path, spool_dir, err);
    if (r < 0)
        return r;
    *ret = in;
    in = NULL;
    return 0;
}

void input_free(struct input *in)
{
    if (!in)
        return;
    if (in->z_open)
        inflateEnd(&in->z);
    if (in->fd >= 0)
        close(in->fd);
    if (in->copy >= 0)
        close(in->copy);
    free(in->name);
    free(in);
}

/* Returns how many bytes came, 0 at the end. */
static int64_t read_raw(struct input *in, void *buf, size_t len, struct err *err)
{
    ssize_t n;
    do
        n = read(in->fd, buf, len);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_set_errno(err, ERR_INPUT, errno, "cannot read %s", in->name);
    in->done += n;
    if (in->copy >= 0 && n > 0) {
        int errnum = fs_write_all(in->copy, buf, (size_t)n);
        if (errnum)
            return err_set_errno(err, ERR_WRITE, errnum,
                                 "cannot copy %s to a temporary file beside the snapshot",
                                 in->name);
    }
    return n;
}

/* More raw bytes behind those that are there. Returns 1, 0 at the end, or an ERR_*. */
static int fill(struct input *in, struct err *err)
{
    memmove(in->raw, in->raw + in->at, in->len - in->at);
    in->len -= in->at;
    in->at = 0;
    int64_t n = read_raw(in, in->raw + in->len, RAW_BYTES - in->len, err);
    if (n > 0)
        in->len += (size_t)n;
    return n < 0 ? (int)n : n > 0;
}

/* Chapter: gzip. */

static int fail_gzip(const struct input *in, const char *what, struct err *err)
{
    return err_set(err, ERR_INPUT, "%s: %s; copy or compress it again (`gzip -t` checks a file)",
                   in->name, what);
}

/* Whether the raw bytes begin as gzip does; what is not there yet is read. */
static int is_gzip_next(struct input *in, struct err *err)
{
    int r = 1;
    while (r > 0 && in->len - in->at < 2)
        r = fill(in, err);
    if (r < 0)
        return r;
    return in->len - in->at >= 2 && in->raw[in->at] == 0x1f && in->raw[in->at + 1] == 0x8b;
}

static int begin(struct input *in, struct err *err)
{
    in->is_first = false;
    int r = is_gzip_next(in, err);
    if (r < 0)
        return r;
    in->is_gzip = r > 0;
    if (!in->is_gzip)
        return 0;
    if (in->z_open)
        inflateEnd(&in->z);
    in->z = (z_stream){0};
    in->z_open = inflateInit2(&in->z, 15 + 16) == Z_OK; /* 16: gzip, not zlib's own form */
    if (!in->z_open)
        mem_exhausted();
    return 0;
}

/* A gzip member has ended: either another follows, or nothing but zeros, with which tapes are
 * filled up. Returns 1 when one follows. */
static int next_member(struct input *in, struct err *err)
{
    int r = is_gzip_next(in, err);
    if (r > 0)
        inflateReset(&in->z);
    if (r != 0)
        return r;
    do {
        for (; in->at < in->len; in->at++) {
            if (in->raw[in->at])
                return fail_gzip(in, "something else stands behind the gzip data", err);
        }
        r = fill(in, err);
    } while (r > 0);
    in->at_end = true;
    return r;
}

static int64_t inflate_some(struct input *in, void *buf, size_t len, struct err *err)
{
    in->z.next_out = buf;
    in->z.avail_out = (uInt)len;
    while (in->z.avail_out == len && !in->at_end) {
        in->z.next_in = in->raw + in->at;
        in->z.avail_in = (uInt)(in->len - in->at);
        int z = inflate(&in->z, Z_NO_FLUSH), r = 0;
        in->at = in->len - in->z.avail_in;
        if (z == Z_MEM_ERROR)
            mem_exhausted();
        if (z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR)
            return fail_gzip(in, "the gzip data is damaged", err);
        if (z == Z_STREAM_END)
            r = next_member(in, err);
        else if (in->at == in->len && in->z.avail_out == len && (r = fill(in, err)) == 0)
            return fail_gzip(in, "the gzip data is cut short", err);
        if (r < 0)
            return r;
    }
    return (int64_t)(len - in->z.avail_out);
}

/* Chapter: reading. */

int64_t input_read(struct input *in, void *buf, size_t len, struct err *err)
{
    int r = in->is_first ? begin(in, err) : 0;
    if (r < 0 || in->at_end)
        return r;
    len = len < UINT32_MAX / 2 ? len : UINT32_MAX / 2;
    if (in->is_gzip)
        return inflate_some(in, buf, len, err);
    if (in->at == in->len)
        return read_raw(in, buf, len, err);
    size_t n = in->len - in->at < len ? in->len - in->at : len;
    memcpy(buf, in->raw + in->at, n);
    in->at += n;
    return (int64_t)n;
}

/* A pipe is first read to its end, so that the copy is whole. */
static int to_copy(struct input *in, struct err *err)
{
    int r;
    do {
        in->at = in->len;
        r = fill(in, err);
    } while (r > 0);
    if (r < 0)
        return r;
    close(in->fd);
    in->fd = in->copy;
    in->copy = -1;
    in->is_pipe = false;
    return 0;
}

int input_rewind(struct input *in, struct err *err)
{
    if (in->is_pipe && in->copy < 0)
        return err_set(err, ERR_INPUT, "%s can be read only once", in->name);
    int r = in->is_pipe ? to_copy(in, err) : 0;
    if (r < 0)
        return r;
    if (in->start < 0)
        in->start = 0;
    if (lseek(in->fd, in->start, SEEK_SET) < 0)
        return err_set_errno(err, ERR_INPUT, errno, "cannot read %s", in->name);
    in->is_first = true;
    in->at_end = false;
    in->at = in->len = 0;
    in->done = 0;
    return 0;
}

bool input_is_pipe(const struct input *in)
{
    return in->is_pipe;
}

const char *input_name(const struct input *in)
{
    return in->name;
}

int64_t input_done(const struct input *in)
{
    return in->done;
}

int64_t input_bytes(const struct input *in)
{
    return in->bytes;
}

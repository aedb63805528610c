/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* zip.c - result archives by libzip, compressed by libdeflate.
 *
 * Compression is most of what a result costs, and libdeflate needs a quarter of zlib's time.
 * libzip takes members that are deflated already: a source whose ZIP_SOURCE_STAT reports the
 * method together with both sizes and the checksum is copied as it is. */
#include "codec/zip.h"

#include <libdeflate.h>
#include <stdint.h>
#include <zip.h>

/* Of race features in CSV this makes a tenth more than zlib's level 6. Level 4 would make 2 % less
 * than that, but takes twice the time, and deflate is most of a key already. */
enum { DEFLATE_LEVEL = 1 };
enum { DOS_1980_01_01 = 1 << 5 | 1, DOS_MIDNIGHT = 0 };
enum { END_BYTES = 22, END_COMMENT_LEN = 20 }; /* the end-of-archive record (APPNOTE 4.3.16) */

/* A member that is deflated already, as libzip reads it. */
struct deflated {
    void *data;
    size_t len, at;
    size_t plain_len;
    uint32_t crc32;
    zip_error_t error;
};

static void deflated_free(struct deflated *d)
{
    if (!d)
        return;
    zip_error_fini(&d->error);
    free(d->data);
    free(d);
}

static struct deflated *deflated_new(struct libdeflate_compressor *c, const struct zip_member *m)
{
    struct deflated *d = MEM_NEW(struct deflated);
    size_t room = libdeflate_deflate_compress_bound(c, m->len);
    d->data = mem_alloc(room);
    d->len = libdeflate_deflate_compress(c, m->data, m->len, d->data, room);
    d->data = mem_realloc(d->data, d->len);
    d->plain_len = m->len;
    d->crc32 = m->crc32;
    zip_error_init(&d->error);
    return d;
}

static zip_int64_t deflated_stat(const struct deflated *d, zip_stat_t *st)
{
    zip_stat_init(st);
    st->valid = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_CRC | ZIP_STAT_COMP_METHOD;
    st->size = d->plain_len;
    st->comp_size = d->len;
    st->crc = d->crc32;
    st->comp_method = ZIP_CM_DEFLATE;
    return sizeof(*st);
}

static zip_int64_t deflated_read(struct deflated *d, void *buf, zip_uint64_t len)
{
    size_t n = d->len - d->at;
    if (n > len)
        n = (size_t)len;
    memcpy(buf, (const char *)d->data + d->at, n);
    d->at += n;
    return (zip_int64_t)n;
}

/* libzip's zip_source_callback. */
static zip_int64_t deflated_call(void *ctx, void *data, zip_uint64_t len, zip_source_cmd_t cmd)
{
    struct deflated *d = ctx;
    switch (cmd) {
    case ZIP_SOURCE_SUPPORTS:
        return ZIP_SOURCE_SUPPORTS_READABLE;
    case ZIP_SOURCE_OPEN:
        d->at = 0;
        return 0;
    case ZIP_SOURCE_READ:
        return deflated_read(d, data, len);
    case ZIP_SOURCE_CLOSE:
        return 0;
    case ZIP_SOURCE_STAT:
        return deflated_stat(d, data);
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&d->error, data, len);
    case ZIP_SOURCE_FREE:
        deflated_free(d);
        return 0;
    default:
        zip_error_set(&d->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

static int fail_pack(zip_error_t *error, struct err *err)
{
    int r = err_set(err, ERR_BUG, "cannot pack the archive: %s", zip_error_strerror(error));
    zip_error_fini(error);
    return r;
}

static int add_member(zip_t *archive, struct libdeflate_compressor *c, const struct zip_member *m,
                      struct err *err)
{
    struct deflated *d = deflated_new(c, m);
    zip_source_t *source = zip_source_function(archive, deflated_call, d);
    if (!source) {
        deflated_free(d);
        return err_set(err, ERR_BUG, "cannot pack %s: %s", m->name, zip_strerror(archive));
    }
    zip_int64_t i = zip_file_add(archive, m->name, source, ZIP_FL_ENC_UTF_8);
    if (i < 0) {
        zip_source_free(source);
        return err_set(err, ERR_BUG, "cannot pack %s: %s", m->name, zip_strerror(archive));
    }
    if (zip_file_set_dostime(archive, (zip_uint64_t)i, DOS_MIDNIGHT, DOS_1980_01_01, 0) < 0)
        return err_set(err, ERR_BUG, "cannot pack %s: %s", m->name, zip_strerror(archive));
    return 0;
}

static int add_comment(zip_t *archive, const struct str *comment, struct err *err)
{
    if (comment->len > UINT16_MAX)
        return err_set(err, ERR_BUG, "an archive comment of %zu bytes; zip allows 65535",
                       comment->len);
    if (zip_set_archive_comment(archive, comment->s, (zip_uint16_t)comment->len) < 0)
        return err_set(err, ERR_BUG, "cannot set the archive comment: %s", zip_strerror(archive));
    return 0;
}

static int fill_archive(zip_t *archive, struct zip_member *members, int n,
                        zip_comment_fn *comment_fn, void *ctx, struct err *err)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(DEFLATE_LEVEL);
    if (!c)
        mem_exhausted();
    int r = 0;
    for (int i = 0; i < n && r == 0; i++) {
        members[i].crc32 = libdeflate_crc32(0, members[i].data, members[i].len);
        r = add_member(archive, c, &members[i], err);
    }
    libdeflate_free_compressor(c);
    CLEANUP(str_deinit) struct str comment = {0};
    if (r == 0 && comment_fn) {
        comment_fn(ctx, members, n, &comment);
        r = add_comment(archive, &comment, err);
    }
    return r;
}

/* What was written into a buffer source. */
static int take_written(zip_source_t *source, struct str *ret, struct err *err)
{
    zip_stat_t st;
    if (zip_source_stat(source, &st) < 0 || zip_source_open(source) < 0)
        return fail_pack(zip_source_error(source), err);
    struct str bytes = {0};
    str_reserve(&bytes, (size_t)st.size);
    zip_int64_t n = zip_source_read(source, bytes.s, st.size);
    zip_source_close(source);
    if (n < 0 || (zip_uint64_t)n != st.size) {
        str_deinit(&bytes);
        return err_set(err, ERR_BUG, "cannot read back the packed archive");
    }
    bytes.len = (size_t)n;
    bytes.s[bytes.len] = '\0';
    str_deinit(ret);
    *ret = bytes;
    return 0;
}

int zip_pack(struct zip_member *members, int n, zip_comment_fn *comment_fn, void *ctx,
             struct str *ret, struct err *err)
{
    if (n < 1)
        return err_set(err, ERR_BUG, "an archive needs at least one member");
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, &error);
    if (!source)
        return fail_pack(&error, err);
    zip_t *archive = zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &error);
    if (!archive) {
        zip_source_free(source);
        return fail_pack(&error, err);
    }
    zip_source_keep(source); /* closing gives back one hold; ours stays to read the result */
    int r = fill_archive(archive, members, n, comment_fn, ctx, err);
    if (r == 0 && zip_close(archive) < 0)
        r = err_set(err, ERR_BUG, "cannot pack the archive: %s", zip_strerror(archive));
    else if (r == 0)
        archive = NULL;
    if (archive)
        zip_discard(archive);
    if (r == 0)
        r = take_written(source, ret, err);
    zip_source_free(source);
    return r;
}

/* ---- Reading ---- */

int zip_comment(const void *tail, size_t len, struct str *ret, struct err *err)
{
    const unsigned char *bytes = tail;
    for (size_t comment = 0; comment <= UINT16_MAX && comment + END_BYTES <= len; comment++) {
        const unsigned char *end = bytes + len - comment - END_BYTES;
        size_t says = end[END_COMMENT_LEN] | (size_t)end[END_COMMENT_LEN + 1] << 8;
        if (says != comment || memcmp(end, "PK\5\6", 4) != 0)
            continue;
        struct str text = {0};
        str_add(&text, end + END_BYTES, comment);
        str_deinit(ret);
        *ret = text;
        return 0;
    }
    return err_set(err, ERR_INPUT, "not a zip archive: it has no end-of-archive record");
}

/* Strictly: all of the file must make sense together. libzip takes no bytes at all for an
 * archive without members. */
static int open_archive(const void *bytes, size_t len, zip_t **ret, struct err *err)
{
    if (len == 0)
        return err_set(err, ERR_INPUT, "not a zip archive: it is empty");
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(bytes, len, 0, &error);
    zip_t *archive =
        source ? zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error) : NULL;
    if (archive) {
        *ret = archive;
        return 0;
    }
    int r = err_set(err, ERR_INPUT, "not a zip archive: %s", zip_error_strerror(&error));
    zip_source_free(source);
    zip_error_fini(&error);
    return r;
}

static int list_member(zip_t *archive, zip_uint64_t i, struct zip_member *ret, struct err *err)
{
    enum { NEEDED = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_CRC };
    zip_stat_t st;
    if (zip_stat_index(archive, i, 0, &st) < 0 || (st.valid & NEEDED) != NEEDED)
        return err_set(err, ERR_INPUT, "the zip archive's member %d cannot be read: %s", (int)i + 1,
                       zip_strerror(archive));
    *ret = (struct zip_member){.name = mem_strdup(st.name), .len = st.size, .crc32 = st.crc};
    return 0;
}

int zip_list(const void *archive, size_t len, struct zip_list *ret, struct err *err)
{
    zip_t *z = NULL;
    int r = open_archive(archive, len, &z, err);
    if (r < 0)
        return r;
    zip_int64_t n = zip_get_num_entries(z, 0);
    struct zip_list list = {.members = MEM_ARRAY(struct zip_member, (size_t)n)};
    for (; list.n < n && r == 0; list.n += r == 0)
        r = list_member(z, (zip_uint64_t)list.n, &list.members[list.n], err);
    zip_discard(z);
    if (r < 0)
        zip_list_free(&list);
    else
        *ret = list;
    return r;
}

void zip_list_free(struct zip_list *list)
{
    if (!list)
        return;
    for (int i = 0; i < list->n; i++) {
        free(list->members[i].name);
        free((void *)list->members[i].data);
    }
    free(list->members);
    *list = (struct zip_list){0};
}

/* To the end, where libzip compares the checksum. Grows as it reads: a damaged
 * archive may promise any size. */
static int read_file(zip_t *archive, zip_file_t *file, const char *member, struct str *ret,
                     struct err *err)
{
    enum { STEP = 1 << 18 };
    if (!file)
        return err_set(err, ERR_INPUT, "cannot read %s in the zip archive: %s", member,
                       zip_strerror(archive));
    struct str bytes = {0};
    zip_int64_t n;
    do {
        str_reserve(&bytes, STEP);
        n = zip_fread(file, bytes.s + bytes.len, STEP);
        bytes.len += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    int r = 0;
    if (n < 0)
        r = err_set(err, ERR_INPUT, "%s in the zip archive is damaged: %s", member,
                    zip_file_strerror(file));
    zip_fclose(file);
    if (r < 0) {
        str_deinit(&bytes);
        return r;
    }
    bytes.s[bytes.len] = '\0';
    str_deinit(ret);
    *ret = bytes;
    return 0;
}

int zip_read(const void *archive, size_t len, const char *member, struct str *ret, struct err *err)
{
    zip_t *z = NULL;
    int r = open_archive(archive, len, &z, err);
    if (r < 0)
        return r;
    r = read_file(z, zip_fopen(z, member, ZIP_FL_ENC_RAW), member, ret, err);
    zip_discard(z);
    return r;
}

int zip_unpack(const void *archive, size_t len, struct zip_list *ret, struct err *err)
{
    zip_t *z = NULL;
    int r = open_archive(archive, len, &z, err);
    if (r < 0)
        return r;
    zip_int64_t n = zip_get_num_entries(z, 0);
    struct zip_list list = {.members = MEM_ARRAY(struct zip_member, (size_t)n)};
    for (; list.n < n && r == 0; list.n++) {
        struct zip_member *member = &list.members[list.n];
        struct str content = {0};
        *member = (struct zip_member){0};
        r = list_member(z, (zip_uint64_t)list.n, member, err);
        if (r == 0)
            r = read_file(z, zip_fopen_index(z, (zip_uint64_t)list.n, 0), member->name, &content,
                          err);
        member->len = content.len;
        member->data = str_take(&content);
    }
    zip_discard(z);
    if (r < 0)
        zip_list_free(&list);
    else
        *ret = list;
    return r;
}

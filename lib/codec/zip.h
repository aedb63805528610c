/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* zip.h - result archives, by libzip. */
#ifndef CODEC_ZIP_H
#define CODEC_ZIP_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct zip_member {
    char *name; /* owned by the list's owner */
    const void *data;
    size_t len;
    uint32_t crc32; /* zlib's; filled in by zip_pack and zip_list */
};

/* Pack members into one archive in memory, with `comment` as archive comment. The same input gives
 * the same bytes (times are fixed to 1980-01-01). Fills in each member's crc32 first and calls
 * comment_fn(ctx, members, n, &comment) to make the comment, so that it can name the checksums. */
typedef void zip_comment_fn(void *ctx, const struct zip_member *members, int n,
                            struct str *comment);
int zip_pack(struct zip_member *members, int n, zip_comment_fn *comment_fn, void *ctx,
             struct str *ret, struct err *err);

/* The archive comment of the archive whose last bytes are `tail` (the whole file or its last
 * ZIP_TAIL bytes). ERR_INPUT when there is no end-of-archive record. */
enum { ZIP_TAIL = 22 + 65535 };
int zip_comment(const void *tail, size_t len, struct str *ret, struct err *err);

/* Names, sizes and checksums of the members, from the central directory. */
struct zip_list {
    struct zip_member *members; /* data is NULL, or owned after zip_unpack */
    int n;
};
int zip_list(const void *archive, size_t len, struct zip_list *ret, struct err *err);
void zip_list_free(struct zip_list *list);
MEM_CLEANUP_VALUE(zip_list_free, struct zip_list);

/* One member's content, checked against its CRC. These refuse what is cut or does not fit
 * together. */
int zip_read(const void *archive, size_t len, const char *member, struct str *ret, struct err *err);
int zip_unpack(const void *archive, size_t len, struct zip_list *ret, struct err *err); /* all */

#endif

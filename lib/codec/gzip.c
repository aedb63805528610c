/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* gzip.c - zlib's deflate: libdeflate, which is faster, wants all bytes at once. */
#include "codec/gzip.h"

#include <limits.h>
#include <zlib.h>

/* One thread compresses what many download: a low level. */
enum { LEVEL = 3, GZIP_WRAPPER = 16, STEP = 1 << 16, MEMORY = 8 };

struct gzip {
    z_stream z;
};

struct gzip *gzip_new(void)
{
    struct gzip *gzip = MEM_NEW(struct gzip);
    if (deflateInit2(&gzip->z, LEVEL, Z_DEFLATED, MAX_WBITS + GZIP_WRAPPER, MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        mem_exhausted();
    return gzip;
}

void gzip_free(struct gzip *gzip)
{
    if (!gzip)
        return;
    deflateEnd(&gzip->z);
    free(gzip);
}

/* Until all input is taken, and with Z_FINISH all output given. */
static void run(struct gzip *gzip, int flush, struct str *out)
{
    z_stream *z = &gzip->z;
    int r;
    do {
        str_reserve(out, STEP);
        z->next_out = (Bytef *)out->s + out->len;
        z->avail_out = STEP;
        r = deflate(z, flush);
        out->len += STEP - z->avail_out;
    } while (z->avail_out == 0 || (flush == Z_FINISH && r == Z_OK));
    out->s[out->len] = '\0';
}

void gzip_add(struct gzip *gzip, const void *data, size_t len, struct str *out)
{
    const char *p = data;
    while (len > 0) {
        size_t n = len < UINT_MAX ? len : UINT_MAX;
        gzip->z.next_in = (Bytef *)p;
        gzip->z.avail_in = (uInt)n;
        run(gzip, Z_NO_FLUSH, out);
        p += n;
        len -= n;
    }
}

void gzip_finish(struct gzip *gzip, struct str *out)
{
    gzip->z.avail_in = 0;
    run(gzip, Z_FINISH, out);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz_csv.c - any bytes as CSV, as text in memory and as a file, which may be gzip: fields are
 * valid text, as many as the header has, and both ways see the same. */
#include "fuzz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/utf8.h"
#include "codec/csv.h"

/* What a reading has seen. */
struct seen {
    int n_fields;
    int64_t records, bytes;
};

static void check_fields(struct seen *seen, const struct text *fields, int n_fields)
{
    for (int i = 0; i < n_fields; i++) {
        size_t len = (size_t)fields[i].len;
        if (fields[i].s && (!utf8_valid(fields[i].s, len) || memchr(fields[i].s, 0, len)))
            abort();
        seen->bytes += fields[i].len;
    }
    seen->records++;
}

static int on_header(void *ctx, const struct text *fields, int n_fields, int64_t line,
                     struct err *err)
{
    struct seen *seen = ctx;
    seen->n_fields = n_fields;
    check_fields(seen, fields, n_fields);
    return 0;
}

static int on_record(void *ctx, const struct text *fields, int n_fields, int64_t line,
                     struct err *err)
{
    struct seen *seen = ctx;
    if (n_fields != seen->n_fields)
        abort();
    check_fields(seen, fields, n_fields);
    return 0;
}

static void check_answer(int r, const struct seen *seen, const struct err *err)
{
    if (r == 0 ? seen->n_fields == 0 : r != ERR_INPUT || err->text[0] == '\0')
        abort();
}

/* By way of a file in memory. */
static int read_as_file(const uint8_t *data, size_t len, struct seen *seen, struct err *err)
{
    char path[64];
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, len) != (ssize_t)len)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int r = csv_read_file(path, on_header, on_record, seen, err);
    close(fd);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = {0}, file_err = {0};
    struct seen seen = {0}, file_seen = {0};
    int r = csv_read("input", data, len, on_header, on_record, &seen, &err);
    check_answer(r, &seen, &err);
    int s = read_as_file(data, len, &file_seen, &file_err);
    check_answer(s, &file_seen, &file_err);
    bool is_gzip = len >= 2 && data[0] == 0x1f && data[1] == 0x8b;
    if (!is_gzip && (r != s || memcmp(&seen, &file_seen, sizeof(seen)) != 0))
        abort();
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz_csv.c - any bytes as CSV: fields are valid text, as many as the header has. */
#include "fuzz.h"

#include "base/utf8.h"
#include "codec/csv.h"

static void check_fields(const struct text *fields, int n_fields)
{
    for (int i = 0; i < n_fields; i++) {
        size_t len = (size_t)fields[i].len;
        if (fields[i].s && (!utf8_valid(fields[i].s, len) || memchr(fields[i].s, 0, len)))
            abort();
    }
}

static int on_header(void *ctx, const struct text *fields, int n_fields, int64_t line,
                     struct err *err)
{
    *(int *)ctx = n_fields;
    check_fields(fields, n_fields);
    return 0;
}

static int on_record(void *ctx, const struct text *fields, int n_fields, int64_t line,
                     struct err *err)
{
    if (n_fields != *(int *)ctx)
        abort();
    check_fields(fields, n_fields);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = {0};
    int n_fields = 0;
    int r = csv_read("input", data, len, on_header, on_record, &n_fields, &err);
    if (r == 0 ? n_fields == 0 : r != ERR_INPUT || err.text[0] == '\0')
        abort();
    return 0;
}

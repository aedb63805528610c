/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz_s3.c - any bytes as a listing or an error of S3. */
#include "fuzz.h"

#include "store/s3_xml.h"

static int check_object(void *ctx, const char *key, const char *etag, int64_t bytes,
                        struct err *err)
{
    if (!*key || !*etag || bytes < 0)
        __builtin_trap();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *text = (const char *)data;
    struct s3_page page = {0};
    CLEANUP(str_deinit) struct str code = {0};
    CLEANUP(str_deinit) struct str message = {0};
    struct err err;
    s3_parse_page(text, len, check_object, NULL, &page, &err);
    if (s3_parse_error(text, len, &code, &message) && code.len == 0)
        __builtin_trap();
    str_deinit(&page.next);
    return 0;
}

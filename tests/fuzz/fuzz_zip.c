/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz_zip.c - any bytes as an archive: an answer or ERR_INPUT. */
#include "fuzz.h"

#include "codec/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = {0};
    CLEANUP(str_deinit) struct str comment = {0};
    int r = zip_comment(data, len, &comment, &err);
    if (r < 0 && r != ERR_INPUT)
        abort();
    CLEANUP(zip_list_free) struct zip_list list = {0};
    if (zip_list(data, len, &list, &err) < 0)
        return 0;
    for (int i = 0; i < list.n; i++) {
        CLEANUP(str_deinit) struct str text = {0};
        r = zip_read(data, len, list.members[i].name, &text, &err);
        if (r < 0 && r != ERR_INPUT)
            abort();
    }
    return 0;
}

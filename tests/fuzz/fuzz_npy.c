/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz_npy.c - any bytes as .npy: what is accepted lies within the file. */
#include "fuzz.h"

#include "codec/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = {0};
    struct npy_header h;
    int r = npy_parse(data, len, &h, &err);
    if (r < 0)
        return 0;
    size_t columns = h.columns ? (size_t)h.columns : 1;
    if (h.rows < 0 || h.columns < 0 || h.item_bytes == 0 || h.data_at % 64 != 0 ||
        h.data_at + (size_t)h.rows * columns * h.item_bytes != len)
        abort();
    return 0;
}

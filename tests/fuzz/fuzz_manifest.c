/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz_manifest.c - what hiwari reads of a destination: the first byte says as what the others are
 * read. An answer, ERR_INPUT, or ERR_CONFIG for a newer format. */
#include "fuzz.h"

#include <stdlib.h>

#include "batch/columns_types.h"
#include "batch/manifest.h"
#include "batch/result.h"
#include "snapshot/layout.h"

static struct err err;

static void check(int r)
{
    if (r != 0 && r != ERR_INPUT && r != ERR_CONFIG)
        abort();
}

static void fuzz_manifest(const char *text, size_t len)
{
    CLEANUP(manifest_free) struct manifest *manifest = NULL;
    int r = manifest_parse("_manifest.jsonl", text, len, &manifest, &err);
    check(r);
    for (int64_t i = 0; r == 0 && i < manifest->n; i++)
        if (manifest_find(manifest, manifest->lines[i].key) != &manifest->lines[i])
            abort();
}

static void fuzz_layout(const char *text, size_t len)
{
    CLEANUP(layout_deinit) struct layout layout = {0};
    CLEANUP(str_deinit) struct str copy = {0};
    str_add(&copy, text, len);
    int r = layout_parse("s", &copy, &layout, &err);
    check(r);
    for (int i = 0; r == 0 && i < layout.n_files; i++)
        if (layout_path_ok(layout.files[i].path) && strstr(layout.files[i].path, ".."))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char spec[SHA256_HEX] =
        "0000000000000000000000000000000000000000000000000000000000000000";
    CLEANUP(result_identity_free) struct result_identity *identity = NULL;
    CLEANUP(columns_types_deinit) struct columns_types types = {0};
    struct manifest_seal seal;
    if (len == 0)
        return 0;
    const char *text = (const char *)data + 1;
    switch (data[0]) {
    case 'm':
        fuzz_manifest(text, len - 1);
        break;
    case 's':
        check(manifest_seal_parse("_SUCCESS", text, len - 1, &seal, &err));
        break;
    case 'r':
        check(result_identity_parse(text, len - 1, &identity, &err));
        break;
    case 'c':
        check(columns_types_parse(text, len - 1, spec, &types, &err));
        break;
    default:
        fuzz_layout(text, len - 1);
    }
    return 0;
}

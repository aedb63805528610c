/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* content_type.c - the few kinds of objects that hiwari writes. */
#include "store/content_type.h"

#include "base/str.h"

const char *content_type(const char *name)
{
    static const char *const types[][2] = {
        {".zip", "application/zip"},
        {".json", "application/json"},
        {".jsonl", "application/x-ndjson"},
        {"_SUCCESS", "application/json"},
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (str_ends(name, types[i][0]))
            return types[i][1];
    return "application/octet-stream";
}

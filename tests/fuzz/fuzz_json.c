/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz_json.c - any bytes as JSON: the canonical form of what is accepted is its own
 * canonical form, and so is that of what is printed. */
#include "fuzz.h"

#include "codec/json.h"

static void check_again(const struct str *text, const struct str *canonical)
{
    struct err err = {0};
    CLEANUP(json_free) struct json *root = NULL;
    CLEANUP(str_deinit) struct str again = {0};
    if (json_parse("again", text->s, text->len, &root, &err) < 0)
        abort();
    json_canonical(root, &again);
    if (strcmp(again.s, canonical->s) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = {0};
    CLEANUP(json_free) struct json *root = NULL;
    int r = json_parse("input", (const char *)data, len, &root, &err);
    if (r < 0) {
        if (r != ERR_INPUT || root)
            abort();
        return 0;
    }
    CLEANUP(str_deinit) struct str canonical = {0};
    CLEANUP(str_deinit) struct str printed = {0};
    json_canonical(root, &canonical);
    check_again(&canonical, &canonical);
    json_print(root, true, &printed);
    check_again(&printed, &canonical);
    return 0;
}

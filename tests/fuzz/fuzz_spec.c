/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz_spec.c - any bytes as a spec: read or refused with words, and what was read has a canonical
 * text that reads as the same spec. */
#include "fuzz.h"

#include <stdlib.h>

#include "features/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(spec_free) struct spec *spec = NULL;
    CLEANUP(spec_free) struct spec *again = NULL;
    struct err err = {0};
    int rc = spec_parse("spec", (const char *)data, size, &spec, &err);
    if (rc) {
        if (err.code != rc || !err.text[0] || spec)
            abort();
        return 0;
    }
    if (spec_parse("spec", spec->canonical, strlen(spec->canonical), &again, &err) ||
        strcmp(spec->canonical, again->canonical) != 0 || spec->n_features != again->n_features)
        abort();
    for (int i = 0; i < spec->n_features; i++) {
        if (strcmp(spec->features[i].name, again->features[i].name) != 0)
            abort();
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* spec_schema.c - the JSON Schema of specs: spec.schema.json, put in here when hiwari is built. */
#include "features/spec.h"

static const char schema[] = {
#include "features/spec.schema.inc"
};

const char *spec_schema(void)
{
    return schema;
}

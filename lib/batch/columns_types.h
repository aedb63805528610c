/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* columns_types.h - the types that `_columns.json` says columns have, for those who have only CSV.
 */
#ifndef BATCH_COLUMNS_TYPES_H
#define BATCH_COLUMNS_TYPES_H

#include "codec/npz_writer.h"
#include "store/store.h"

struct columns_types {
    struct npz_hint *hints; /* names are owned */
    int n;
};
void columns_types_deinit(struct columns_types *types);
MEM_CLEANUP_VALUE(columns_types_deinit, struct columns_types);

/* Add those of the text, if it is of this spec: else none are added. ERR_INPUT when it is not a
 * `_columns.json`. */
int columns_types_parse(const char *text, size_t len, const char *spec_sha256,
                        struct columns_types *ret, struct err *err);

/* The destination's. Without such a file, or one of this spec, nothing is added. */
int columns_types_read(struct store *store, const char *spec_sha256, struct columns_types *ret,
                       struct err *err);

#endif

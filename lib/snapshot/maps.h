/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* maps.h - what an open snapshot keeps behind its tables: the parsed snapshot.json, which owns the
 * names, and the mapped files in its order. Shared by snapshot.c and verify.c. */
#ifndef SNAPSHOT_MAPS_H
#define SNAPSHOT_MAPS_H

#include "snapshot/layout.h"

struct map {
    void *at;
    size_t bytes;
};

struct snapshot_maps {
    struct layout layout;
    int n;           /* files mapped */
    struct map *map; /* n of layout.n_files */
};

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* build_parts.h - what a builder shows to the other files of this folder. */
#ifndef SNAPSHOT_BUILD_PARTS_H
#define SNAPSHOT_BUILD_PARTS_H

#include "snapshot/build.h"
#include "snapshot/layout.h"

const char *build_dir(const struct snapshot_builder *b); /* where its files are written; borrowed */
struct layout *build_layout(struct snapshot_builder *b);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* append.h - what a new snapshot takes from an old one. */
#ifndef SOURCE_APPEND_H
#define SOURCE_APPEND_H

#include "snapshot/snapshot.h"
#include "source/source.h"

/* Open the old snapshot and compare its files with their checksums: what is damaged must not be
 * copied and get a checksum that fits. ERR_CONFIG names it. */
int append_open(const char *dir, struct snapshot **ret, struct err *err);

/* Fill in roles of a table that the options leave open, and say what stays of it. Returns 1 when
 * rows stay and *ret is filled in, 0 when the table is to be read whole. ERR_USAGE: its roles are
 * others than in the old snapshot. */
int append_table(const struct snapshot *old, int since_days, struct source_table *table,
                 struct source_kept *ret, struct err *err);

/* Copy the tables that the options do not name. */
int append_rest(const struct snapshot *old, const struct source_options *options,
                struct snapshot_builder *builder, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* table_writer.h - one table of typed columns into its folder of a snapshot: checked, sorted, its
 * days found, hashed and written. */
#ifndef SNAPSHOT_TABLE_WRITER_H
#define SNAPSHOT_TABLE_WRITER_H

#include "snapshot/build.h"
#include "snapshot/layout.h"

/* Write the table below base, the snapshot's directory, and add it and its files to the layout. The
 * errors are those of build_add. */
int table_writer_write(const char *base, const struct build_table *table, struct layout *layout,
                       struct err *err);

#endif

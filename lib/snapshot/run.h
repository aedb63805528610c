/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* run.h - rows of a table that were sorted and spooled to disk. */
#ifndef SNAPSHOT_RUN_H
#define SNAPSHOT_RUN_H

#include "snapshot/merge.h"
#include "snapshot/spool.h"

struct run;

/* Sort the rows of a table in memory and spool them; row 0 is number `first` of all that came. */
int run_write(const struct build_table *table, int64_t first, struct spool *spool, struct run **ret,
              struct err *err);
void run_free(struct run *run);

/* The run as a part to merge, once the spool is mapped. Points into run and spool. */
struct merge_part run_part(struct run *run, const struct spool *spool);

#endif

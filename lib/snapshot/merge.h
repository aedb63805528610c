/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* merge.h - one table of several sorted parts: runs on disk, the rows in memory, the days that are
 * kept of another snapshot. */
#ifndef SNAPSHOT_MERGE_H
#define SNAPSHOT_MERGE_H

#include "snapshot/intake.h"
#include "snapshot/layout.h"
#include "snapshot/spool.h"

/* Rows of the table that are in its order, and stand there without copying: in memory or mapped. */
struct merge_part {
    int64_t rows;
    const struct column *columns; /* dictionaries sorted */
    const int32_t *order; /* position -> row of the columns; NULL: they are in order themselves */

    /* Row number `first` + arrival[position] (NULL: position) of the table came to this position.
     */
    int64_t first;
    const int32_t *arrival;
};

/* Write the table below base. Of table->columns names, types and scales are used. kept may be NULL;
 * all of its rows come before those of the parts, which are in order of arrival. ERR_INPUT names
 * both places of a key that occurs twice. spool: where the parts on disk lie, if there are any. */
int merge_write(const char *base, const struct build_table *table, const struct intake_kept *kept,
                const struct merge_part *parts, int n_parts, const struct spool *spool,
                struct layout *layout, struct err *err);

#endif

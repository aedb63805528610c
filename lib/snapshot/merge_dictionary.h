/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* merge_dictionary.h - one sorted dictionary of several, and what becomes of each one's codes. */
#ifndef SNAPSHOT_MERGE_DICTIONARY_H
#define SNAPSHOT_MERGE_DICTIONARY_H

#include "codec/column.h"
#include "snapshot/spool.h"

struct merge_source {
    struct dict dict;    /* borrowed */
    const uint8_t *used; /* by code: whether the string occurs; NULL: all do */
};

struct merge_dictionary {
    int n_sources;
    struct merge_source *sources; /* owned */
    struct dict dict;             /* the result; like final, in the mapped spool */
    const int32_t **final;        /* for each source: its code -> code of the result */
    int64_t offsets_at, bytes_at, *final_at;
};

/* Three steps, of which the second can be done for several dictionaries at once: set places in the
 * spool aside; merge; and, when the spool is mapped, look at the result. */
void merge_dictionary_reserve(struct merge_dictionary *m, struct spool *spool);
int merge_dictionary_write(struct merge_dictionary *m, struct spool *spool, struct err *err);
void merge_dictionary_mapped(struct merge_dictionary *m, const struct spool *spool);
void merge_dictionary_deinit(struct merge_dictionary *m);

#endif

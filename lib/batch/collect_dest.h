/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* collect_dest.h - one destination that is collected: its manifest held against its listing. */
#ifndef BATCH_COLLECT_DEST_H
#define BATCH_COLLECT_DEST_H

#include "batch/batch_file.h"
#include "batch/manifest.h"
#include "features/spec.h"

struct collect_dest {
    struct store *store;
    struct manifest *manifest;
    struct batch_file *batch; /* NULL: there is no `_batch.json` */
    struct spec *spec;        /* of the batch; NULL likewise */
    bool *listed;             /* of each line of the manifest: its object is there */
};

/* Open it, read what it says of itself, and list it. ERR_CONFIG: nothing to collect is there;
 * ERR_RETRY: its batch has not settled, unless allow_missing. */
int collect_dest_open(const char *url, bool allow_missing, struct collect_dest *ret,
                      struct err *err);
void collect_dest_deinit(struct collect_dest *dest);
MEM_CLEANUP_VALUE(collect_dest_deinit, struct collect_dest);

/* The key's line when its result is there, else NULL, and *ret_why (borrowed; NULL when there is
 * no more to say) tells in words. */
const struct manifest_line *collect_dest_find(const struct collect_dest *dest, const char *key,
                                              const char **ret_why);

/* Whether rows of a and b can be told to be the same: they keep the same columns of the target, and
 * where these are none but the time, spec and snapshot pick the same rows. *ret_need: names that
 * both results must have (borrowed from a's spec; the caller frees the array alone). */
int collect_dest_joinable(const struct collect_dest *a, const struct collect_dest *b,
                          struct name_list *ret_need, struct err *err);

#endif

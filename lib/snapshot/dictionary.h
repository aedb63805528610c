/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* dictionary.h - the distinct strings of a column, while a snapshot is made.
 *
 * Strings are added row by row and get provisional codes in order of arrival; when all are in, the
 * dictionary is sorted once and says which final code each provisional one has become. */
#ifndef SNAPSHOT_DICTIONARY_H
#define SNAPSHOT_DICTIONARY_H

#include "codec/column.h"

struct dictionary_slot;

struct dictionary {
    int32_t n;
    struct str bytes;
    int64_t *offsets; /* n + 1 */
    size_t offsets_cap;
    struct dictionary_slot *slots;
    size_t n_slots;
};

/* The code of a string; one that is new gets the code n. The bytes are copied. */
int32_t dictionary_add(struct dictionary *d, struct text text);

/* Sort by bytes. Returns the final code of each provisional one; the caller frees. Nothing can be
 * added afterwards. */
int32_t *dictionary_sort(struct dictionary *d);

struct dict dictionary_view(const struct dictionary *d); /* borrowed */

void dictionary_deinit(struct dictionary *d);
MEM_CLEANUP_VALUE(dictionary_deinit, struct dictionary);

#endif

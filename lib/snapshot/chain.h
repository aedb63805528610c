/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* chain.h - the hashes of a table: what makes two snapshots, or two days of them, the same data.
 *
 *     link 0      = SHA-256(schema: name, columns with type and scale, time, group, key)
 *     link d + 1  = SHA-256(link d, the day, its number of rows, for each column the
 *                           SHA-256 of the day's values)
 *     table hash  = the last link;   id = SHA-256(names and hashes of all tables)
 *
 * Values are hashed as values: a string as its length and bytes, never as its dictionary code,
 * and a null as a byte of its own. So an appended day, which renumbers dictionaries, may make
 * a column nullable and brings longer strings, changes no earlier link. What an appended day
 * can change is a type (integers that are followed by 1.5) or the scale of a decimal column:
 * then the schema differs and every link with it, also where the values are equal. That is
 * wanted, because the results differ too (sums are exact integers at the column's scale);
 * who knows more places are coming declares the scale.
 *
 * A static table has one link, over all of its rows. */
#ifndef SNAPSHOT_CHAIN_H
#define SNAPSHOT_CHAIN_H

#include "snapshot/snapshot.h"

/* The rows that one link covers: a day's, or for a static table all. */
struct chain_spans {
    int64_t n;
    const int64_t *start; /* n + 1 */
};
struct chain_spans chain_spans(const struct table *table, int64_t static_span[2]);

/* Feed rows [first, first + n) of a column; any division into calls gives the same hash. */
void chain_add(struct sha256 *h, const struct column *c, int64_t first, int64_t n);

void chain_schema(const struct table *table, uint8_t ret[SHA256_BYTES]);

/* Links from the columns' digests: digests[c][s] is of span s of column c. The first `known` links
 * are in ret already, and their digests are not needed. */
void chain_links(const struct table *table, uint8_t (*const *digests)[SHA256_BYTES], int64_t known,
                 uint8_t (*ret)[SHA256_BYTES]);

void chain_id(const struct table *tables, int n_tables, char ret[SHA256_HEX]);

#endif

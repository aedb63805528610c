/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* listing.h - a table for people: columns that fit the terminal, by libsmartcols. */
#ifndef HIWARI_LISTING_H
#define HIWARI_LISTING_H

#include <stdbool.h>

#include "base/mem.h"

struct listing;

/* Columns are divided by '|'. A name that begins with '>' is of numbers (right-aligned), one with
 * '~' is of long text that wraps when the terminal is narrow. */
struct listing *listing_new(const char *columns);
void listing_free(struct listing *listing);
MEM_CLEANUP(listing_free, struct listing *);

void listing_row(struct listing *listing); /* the cells that follow go into a new row */
void listing_cell(struct listing *listing, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int listing_rows(const struct listing *listing);
void listing_print(struct listing *listing); /* to standard output */

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* listing.c - the one place that includes libsmartcols. */
#include "listing.h"

#include <libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct listing {
    struct libscols_table *table;
    struct libscols_line *line;
    size_t column;
    int rows;
};

static void need(const void *made)
{
    if (!made)
        mem_exhausted();
}

struct listing *listing_new(const char *columns)
{
    struct listing *listing = MEM_NEW(struct listing);
    listing->table = scols_new_table();
    need(listing->table);
    CLEANUP(mem_free_chars) char *names = mem_strdup(columns);
    char *rest = names;
    for (char *name; (name = strsep(&rest, "|"));) {
        int flags = *name == '>' ? SCOLS_FL_RIGHT : *name == '~' ? SCOLS_FL_WRAP : 0;
        need(scols_table_new_column(listing->table, name + (flags != 0), 0, flags));
    }
    return listing;
}

void listing_free(struct listing *listing)
{
    if (!listing)
        return;
    scols_unref_table(listing->table);
    free(listing);
}

void listing_row(struct listing *listing)
{
    listing->line = scols_table_new_line(listing->table, NULL);
    need(listing->line);
    listing->column = 0;
    listing->rows++;
}

void listing_cell(struct listing *listing, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0 || scols_line_refer_data(listing->line, listing->column++, text) != 0)
        mem_exhausted();
}

int listing_rows(const struct listing *listing)
{
    return listing->rows;
}

void listing_print(struct listing *listing)
{
    fflush(stdout);
    scols_table_set_stream(listing->table, stdout);
    scols_print_table(listing->table);
}

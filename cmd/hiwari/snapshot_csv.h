/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* snapshot_csv.h - the tables that --csv options name.
 *
 *     NAME=FILE[,time=COL][,group=COL][,key=COL][,COL:TYPE…]
 *
 * FILE is a file, "-" for standard input, or a pattern with *, ? or [ for several files, in the
 * order of their names. The same NAME again adds files to the table, in the order in which they are
 * given. */
#ifndef HIWARI_SNAPSHOT_CSV_H
#define HIWARI_SNAPSHOT_CSV_H

#include "source/source.h"

struct snapshot_csv;

/* ERR_USAGE: an option is not understood, or contradicts another; ERR_INPUT: no file is of a
 * pattern. */
int snapshot_csv_parse(const char *const *given, int n, struct snapshot_csv **ret, struct err *err);
void snapshot_csv_free(struct snapshot_csv *csv);
MEM_CLEANUP(snapshot_csv_free, struct snapshot_csv *);

/* One for each name, in the order in which they came first; the caller may fill in roles. */
struct source_table *snapshot_csv_tables(struct snapshot_csv *csv, int *ret_n);

#endif

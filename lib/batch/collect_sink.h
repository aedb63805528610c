/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* collect_sink.h - the file that parts are collected into: CSV, CSV in gzip, or npz, by the ending
 * of its name. It appears whole or not at all. */
#ifndef BATCH_COLLECT_SINK_H
#define BATCH_COLLECT_SINK_H

#include "batch/columns_types.h"
#include "batch/part.h"

enum collect_form { COLLECT_CSV, COLLECT_CSV_GZ, COLLECT_NPZ };
/* False when the name ends in nothing of the sort. */
bool collect_form_of(const char *path, enum collect_form *ret);

struct collect_sink;

/* types: what is known of the columns, borrowed. */
int collect_sink_open(const char *path, const struct columns_types *types,
                      struct collect_sink **ret, struct err *err);
void collect_sink_free(struct collect_sink *sink); /* not finished: nothing is left behind */
MEM_CLEANUP(collect_sink_free, struct collect_sink *);

/* The rows of the next key: text for CSV, a typed frame for npz. ERR_INPUT when its columns are not
 * those of the first. */
int collect_sink_add(struct collect_sink *sink, const char *key, const struct part *part,
                     struct err *err);
/* Complete the file and give it its name. */
int collect_sink_finish(struct collect_sink *sink, int64_t *ret_bytes, int *ret_columns,
                        struct err *err);

#endif

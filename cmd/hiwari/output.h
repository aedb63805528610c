/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* output.h - what goes to standard output, in forms that several verbs share. */
#ifndef HIWARI_OUTPUT_H
#define HIWARI_OUTPUT_H

#include <stdint.h>

#include "codec/json.h"
#include "snapshot/snapshot.h"

void output_json(const struct json *root);

enum { OUTPUT_TEXT = 48 };
const char *output_count(int64_t n,
                         char *buf); /* 13,016; buf holds OUTPUT_TEXT bytes and is returned */
const char *output_many(int64_t n, const char *what, char *buf); /* 1 key, 547 keys */
const char *output_bytes(int64_t bytes, char *buf);              /* 1.2 MB */
const char *output_seconds(double s, char *buf);                 /* 1.9 s, 2:05, 1:02:05 */

int64_t output_snapshot_bytes(const struct snapshot *snapshot); /* of all its columns */

/* How to start a worker, when there is none: to standard error. */
void output_no_worker(const char *batch, const char *snapshot_dir);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* csv.h - CSV, both ways: RFC 4180, UTF-8, ',' and '"'. Reading is libcsv's.
 *
 * The one distinction plain CSV lacks is kept on both sides: an empty field is
 * null, a quoted empty field "" is the empty string. */
#ifndef CODEC_CSV_H
#define CODEC_CSV_H

#include "base/err.h"
#include "base/str.h"
#include "codec/column.h"
#include "codec/input.h"

/* Called for each record. fields[i].s is NULL for null; borrowed until it returns. line is
 * the record's first line, from 1. Returns 0, or a failure that stops the reading. */
typedef int csv_record_fn(void *ctx, const struct text *fields, int n_fields, int64_t line,
                          struct err *err);

/* Read all of an input. The first record is the header and is passed to on_header. Failures name
 * file, line and column: a quote that never ends, a stray quote, bytes that are not UTF-8, a NUL
 * byte, a record with more or fewer fields than the header, an empty file, a header without names
 * or with a name twice, a record of more than 64 MiB. Lines are physical ones; columns count bytes
 * from 1. A UTF-8 byte order mark is skipped; \r\n and \n end lines (a \r on its own outside of
 * quotes is refused); blank lines are skipped. Blanks around a field belong to it. What a callback
 * returns is passed on as it is. */
int csv_read_input(struct input *in, csv_record_fn *on_header, csv_record_fn *on_record, void *ctx,
                   struct err *err);

/* The same for a file, by its path; "-" is standard input. */
int csv_read_file(const char *path, csv_record_fn *on_header, csv_record_fn *on_record, void *ctx,
                  struct err *err);

/* The same for text in memory; `name` stands for the file in messages. */
int csv_read(const char *name, const void *text, size_t len, csv_record_fn *on_header,
             csv_record_fn *on_record, void *ctx, struct err *err);

/* Append a whole frame, header first. The form is SEMANTICS' chapter "Output". */
void csv_write_frame(struct str *out, const struct frame *frame);

#endif

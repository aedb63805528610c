/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* input.h - the bytes of a file, of a pipe or of standard input, unpacked where they are gzip (by
 * zlib; told by the first two bytes, whatever the name).
 *
 * They can be read a second time. What comes from a pipe cannot, and is therefore copied to a file
 * without a name while it is read, if a folder for that is given. */
#ifndef CODEC_INPUT_H
#define CODEC_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

#define INPUT_STDIN "-"

struct input;

/* path "-" is standard input. spool_dir: where a pipe is copied to; NULL: it is read once.
 * ERR_INPUT names a file that cannot be read, ERR_WRITE a folder that cannot be written. */
int input_open(const char *path, const char *spool_dir, struct input **ret, struct err *err);
void input_free(struct input *in);
MEM_CLEANUP(input_free, struct input *);

/* Up to len bytes into buf. Returns how many, 0 at the end, or an ERR_*: ERR_INPUT also for gzip
 * data that is damaged or cut short, ERR_WRITE when the copy cannot be written. */
int64_t input_read(struct input *in, void *buf, size_t len, struct err *err);

/* Back to the first byte. ERR_INPUT for a pipe that was not copied. */
int input_rewind(struct input *in, struct err *err);

bool input_is_pipe(const struct input *in);     /* it can be opened only once */
const char *input_name(const struct input *in); /* the path, or "standard input" */
int64_t input_done(const struct input *in);     /* bytes read since the first, as they are stored */
int64_t input_bytes(const struct input *in);    /* of the file; of a pipe 0 */

#endif

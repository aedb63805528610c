/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* new_file.h - a large file that is written piece by piece and exists whole or not at all.
 *
 * Until it is committed it has no name where the file system can do that (O_TMPFILE), so that a
 * killed process leaves nothing behind; elsewhere a hidden one beside the path. */
#ifndef BASE_NEW_FILE_H
#define BASE_NEW_FILE_H

#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

struct new_file;

/* The folder must be there. All failures are ERR_WRITE and name the path. */
int new_file_open(const char *path, struct new_file **ret, struct err *err);
int new_file_write(struct new_file *file, const void *data, size_t len, struct err *err);
int new_file_fd(const struct new_file *file); /* for those who write by themselves */

/* Make it durable and give it its name, in place of what is there. */
int new_file_commit(struct new_file *file, struct err *err);
void new_file_free(struct new_file *file); /* not committed: nothing is left */
MEM_CLEANUP(new_file_free, struct new_file *);

/* A file without a name in the folder of path, for what does not fit into memory. The descriptor,
 * or ERR_WRITE. */
int new_file_scratch(const char *path, struct err *err);

#endif

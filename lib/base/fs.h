/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fs.h - files and directories that exist whole or not at all. */
#ifndef BASE_FS_H
#define BASE_FS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

/* The whole file (0), or ERR_INPUT naming it when it cannot be read or has more than FS_READ_MAX
 * bytes: /dev/zero has no end. The small ones are keys, tokens and settings. */
enum { FS_READ_MAX = 1 << 30, FS_SMALL_MAX = 1 << 20 };
int fs_read(const char *path, struct str *ret, struct err *err);
int fs_read_small(const char *path, struct str *ret, struct err *err);

/* Map a whole file read-only and shared; the caller unmaps it. ERR_INPUT names a file that is
 * absent, empty or cannot be mapped. */
int fs_map(const char *path, void **ret, size_t *ret_bytes, struct err *err);

/* Write path by way of a temporary name beside it, fsync, rename, fsync of the folder.
 * A process that is killed can leave a file behind whose name begins with FS_TEMPORARY. */
#define FS_TEMPORARY ".tmp-"
int fs_write(const char *path, const void *data, size_t len, struct err *err);

/* A new file in the folder dir, to read and write, that has no name and is gone when it is closed.
 * Returns a descriptor, or -1 with errno. */
int fs_open_nameless(const char *dir);

/* All of it, however many calls to write(2) that takes. Returns 0 or an errno value. */
int fs_write_all(int fd, const void *data, size_t len);

int fs_mkdirs(const char *path, struct err *err);      /* like mkdir -p */
int fs_sync_dir(const char *path, struct err *err);    /* so that a rename in it lasts */
int fs_remove_tree(const char *path, struct err *err); /* like rm -r; absent is fine */
bool fs_exists(const char *path);
char *fs_join(const char *dir, const char *name); /* caller owns */
char *fs_absolute(const char *path);              /* against the working directory; caller owns */
char *fs_folder(const char *path);                /* that path is in; caller owns */

/* The names in a folder, without "." and "..", sorted; caller frees with fs_list_free. */
struct fs_list {
    char **names;
    size_t n;
};
int fs_list(const char *dir, struct fs_list *ret, struct err *err);
/* Only those that are wanted: a large folder need not be held whole. */
typedef bool fs_wanted_fn(void *ctx, const char *name);
int fs_list_wanted(const char *dir, fs_wanted_fn *wanted, void *ctx, struct fs_list *ret,
                   struct err *err);
void fs_list_free(struct fs_list *list);
MEM_CLEANUP_VALUE(fs_list_free, struct fs_list);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* replay.c - run a fuzz target over a corpus: each file whole, each of its beginnings, and
 * each with single bytes changed. Usage: fuzz_x CORPUS-FOLDER. */
#include "fuzz.h"

#include <stdio.h>

#include "base/fs.h"

enum { VARIANTS_MAX = 3000 }; /* of one file: large ones are sampled */

/* A copy of exactly len bytes, so that a sanitizer sees a read beyond them. */
static void run_one(const char *bytes, size_t len, size_t changed_at, char change)
{
    CLEANUP(mem_free_chars) char *copy = mem_alloc(len);
    memcpy(copy, bytes, len);
    if (changed_at < len)
        copy[changed_at] ^= change;
    LLVMFuzzerTestOneInput((const uint8_t *)copy, len);
}

static void run_file(const struct str *file)
{
    static const char changes[] = {0x01, 0x20, (char)0x80, (char)0xff};
    size_t step = 1 + file->len / VARIANTS_MAX;
    run_one(file->s, file->len, file->len, 0);
    for (size_t at = 0; at < file->len; at += step) {
        run_one(file->s, at, at, 0);
        for (size_t i = 0; i < sizeof(changes); i++)
            run_one(file->s, file->len, at, changes[i]);
    }
}

int main(int argc, char **argv)
{
    struct err err = {0};
    CLEANUP(fs_list_free) struct fs_list files = {0};
    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return 64;
    }
    int r = fs_list(argv[1], &files, &err);
    for (size_t i = 0; i < files.n && r == 0; i++) {
        CLEANUP(mem_free_chars) char *path = fs_join(argv[1], files.names[i]);
        CLEANUP(str_deinit) struct str file = {0};
        r = fs_read(path, &file, &err);
        if (r == 0)
            run_file(&file);
    }
    if (r == 0 && files.n == 0)
        r = err_set(&err, ERR_INPUT, "%s has no files", argv[1]);
    if (r < 0)
        fprintf(stderr, "%s: %s\n", argv[0], err.text);
    return err_exit_code(r);
}

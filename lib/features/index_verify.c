/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* index_verify.c - reading indexes to the last byte. */
#include <string.h>
#include <sys/mman.h>

#include "base/fs.h"
#include "base/hash.h"
#include "codec/json.h"
#include "features/index.h"
#include "snapshot/layout.h"

static int verify_file(const char *dir, const struct layout_entry *file, struct err *err)
{
    CLEANUP(mem_free_chars) char *path = fs_join(dir, file->path);
    void *map;
    size_t bytes;
    if (strchr(file->path, '/'))
        return err_set(err, ERR_CONFIG, "%s is not in the index's folder", path);
    if (fs_map(path, &map, &bytes, err) < 0)
        return ERR_CONFIG;
    uint32_t crc = crc32c(0, map, bytes);
    munmap(map, bytes);
    if ((int64_t)bytes != file->bytes)
        return err_set(err, ERR_CONFIG, "%s: %zu bytes long, not %lld", path, bytes,
                       (long long)file->bytes);
    if (crc != file->crc32c)
        return err_set(err, ERR_CONFIG, "%s: checksum differs (%08x, recorded %08x)", path, crc,
                       file->crc32c);
    return 0;
}

/* 1: an index of another format. */
static int verify_one(const char *dir, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    CLEANUP(json_free) struct json *root = NULL;
    CLEANUP(layout_deinit) struct layout files = {0};
    CLEANUP(mem_free_chars) char *path = fs_join(dir, INDEX_JSON);
    int64_t format;
    int r = fs_read(path, &text, err);
    if (r == 0)
        r = layout_check_sum(path, &text, err);
    if (r == 0)
        r = json_parse(path, text.s, text.len, &root, err);
    if (r == 0 && json_need_int(root, "format", &format, err) < 0)
        r = err_prefix(err, "%s", path);
    if (r == 0 && format != INDEX_FORMAT)
        return 1;
    if (r == 0 && layout_read_files(root, &files, err) < 0)
        r = err_prefix(err, "%s", path);
    for (int i = 0; r == 0 && i < files.n_files; i++)
        r = verify_file(dir, &files.files[i], err);
    return r;
}

static bool is_index(void *ctx, const char *name)
{
    (void)ctx;
    return strlen(name) == 32 && strspn(name, "0123456789abcdef") == 32;
}

int index_verify(const char *parent, int *ret_verified, struct err *err)
{
    CLEANUP(fs_list_free) struct fs_list list = {0};
    *ret_verified = 0;
    if (!fs_exists(parent))
        return 0;
    if (fs_list_wanted(parent, is_index, NULL, &list, err) < 0)
        return ERR_CONFIG;
    for (size_t i = 0; i < list.n; i++) {
        CLEANUP(mem_free_chars) char *dir = fs_join(parent, list.names[i]);
        int r = verify_one(dir, err);
        if (r < 0) {
            err->code = ERR_CONFIG;
            return err_prefix(
                err, "an index is damaged; remove the folder %s and run `hiwari snapshot index`",
                dir);
        }
        *ret_verified += r == 0;
    }
    return 0;
}

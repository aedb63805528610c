/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* damage.h - a folder of files with a JSON document that lists them, damaged as an input says.
 *
 *     byte 0        which file beside the document
 *     byte 1        1: give both the right checksums afterwards, 2: cut the file
 *     bytes 2, 3    with 2, the length it is cut to
 *     then patches  1 byte which (0: the document, else the file), 2 bytes where, 1 byte how many,
 *                   and the bytes */
#ifndef FUZZ_DAMAGE_H
#define FUZZ_DAMAGE_H

#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/hash.h"
#include "snapshot/layout.h"

enum { DAMAGE_SIGN = 1, DAMAGE_CUT = 2, DAMAGE_HEAD = 4 };

struct damage {
    const char *dir, *document, *file; /* borrowed */
    struct str good_document, good_file;
    bool signed_again;
};

static inline void need(bool ok)
{
    if (!ok)
        abort();
}

static char *damage_base; /* a temporary folder, in memory where there is such a place */

static inline void damage_remove_base(void)
{
    fs_remove_tree(damage_base, NULL);
}

static inline void damage_make_base(void)
{
    const char *in = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    damage_base = mem_printf("%s/hiwari-fuzz-XXXXXX", in);
    need(mkdtemp(damage_base) != NULL);
    atexit(damage_remove_base);
}

static inline void damage_read(const char *dir, const char *relative, struct str *ret)
{
    CLEANUP(mem_free_chars) char *path = fs_join(dir, relative);
    need(fs_read(path, ret, NULL) == 0);
}

/* Without fs_write's fsync, which is most of its time. */
static inline void damage_put(const char *dir, const char *relative, const struct str *content)
{
    CLEANUP(mem_free_chars) char *path = fs_join(dir, relative);
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    need(fd >= 0 && write(fd, content->s, content->len) == (ssize_t)content->len);
    close(fd);
}

static inline void damage_patch(struct str *document, struct str *file, const uint8_t *data,
                                size_t size)
{
    while (size >= 4) {
        struct str *into = data[0] ? file : document;
        size_t at = data[1] | (size_t)data[2] << 8, n = data[3];
        n = n < size - 4 ? n : size - 4;
        if (into->len) {
            at %= into->len;
            size_t fits = n < into->len - at ? n : into->len - at;
            memcpy(into->s + at, data + 4, fits);
        }
        data += 4 + n;
        size -= 4 + n;
    }
}

/* The digits of a checksum stand in quotes after its name. */
static inline void damage_write_crc(char *digits, const struct str *of)
{
    char crc[9];
    snprintf(crc, sizeof(crc), "%08x", crc32c(0, of->s, of->len));
    if (digits)
        memcpy(digits, crc, 8);
}

static inline void damage_sign(struct str *document, const char *name, const struct str *file)
{
    char *at = strstr(document->s, name);
    at = at ? strstr(at, "\"crc32c\": \"") : NULL;
    damage_write_crc(at && strlen(at) > 19 ? at + 11 : NULL, file);
    char *own = strstr(document->s, "\"checksum\": \"");
    if (!own || strlen(own) < 21)
        return;
    memcpy(own + 13, "00000000", 8);
    damage_write_crc(own + 13, document);
}

static inline bool same_text(const struct str *a, const struct str *b)
{
    return a->len == b->len && memcmp(a->s, b->s, a->len) == 0;
}

/* Whether nothing has changed. */
static inline bool damage_do(struct damage *d, const char *dir, const char *document,
                             const struct layout *layout, const uint8_t *data, size_t size)
{
    CLEANUP(str_deinit) struct str text = {0}, file = {0};
    *d = (struct damage){.dir = dir,
                         .document = document,
                         .file = layout->files[data[0] % layout->n_files].path,
                         .signed_again = data[1] & DAMAGE_SIGN};
    damage_read(dir, document, &d->good_document);
    damage_read(dir, d->file, &d->good_file);
    str_add(&text, d->good_document.s, d->good_document.len);
    str_add(&file, d->good_file.s, d->good_file.len);

    damage_patch(&text, &file, data + DAMAGE_HEAD, size - DAMAGE_HEAD);
    if (data[1] & DAMAGE_CUT)
        file.len = (data[2] | (size_t)data[3] << 8) % (file.len + 1);
    if (d->signed_again)
        damage_sign(&text, d->file, &file);
    damage_put(dir, d->file, &file);
    damage_put(dir, document, &text);
    return same_text(&text, &d->good_document) && same_text(&file, &d->good_file);
}

static inline void damage_undo(struct damage *d)
{
    damage_put(d->dir, d->file, &d->good_file);
    damage_put(d->dir, d->document, &d->good_document);
    str_deinit(&d->good_file);
    str_deinit(&d->good_document);
}

#endif

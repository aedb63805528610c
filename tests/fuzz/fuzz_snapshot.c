/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz_snapshot.c - a damaged snapshot: opened and verified, or refused with words; and damage
 * that is not covered up by new checksums is always found.
 *
 * The input says how a small good snapshot is damaged:
 *
 *     byte 0        which file beside snapshot.json
 *     byte 1        1: give both files the right checksums afterwards, 2: cut the file
 *     bytes 2, 3    with 2, the length it is cut to
 *     then patches  1 byte which (0: snapshot.json, else the file), 2 bytes where, 1 byte how many,
 *                   and the bytes */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "snapshot/layout.h"
#include "source/source.h"

enum { SIGN = 1, CUT = 2 };

static const char csv[] = "day,grp,n,d,f,seen,word\n"
                          "2024-01-02,b,5,1.5,1e3,2024-01-01 10:00,o\n"
                          "2024-01-01,,-7,0.25,,2024-01-01 09:00:00.5,\"\"\n"
                          "2024-01-01,a,,-3,0.5,,zebra\n"
                          "2024-01-04,a,9,,-2.5e-7,2024-01-03 00:00,\n";

static char *base, *dir; /* a temporary directory, and the snapshot in it */
static struct layout layout;
static struct str json;

static void need(bool ok)
{
    if (!ok)
        abort();
}

static void remove_base(void)
{
    fs_remove_tree(base, NULL);
}

static void make_snapshot(void)
{
    base = mem_printf("%s/hiwari-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    need(mkdtemp(base) != NULL);
    atexit(remove_base);
    CLEANUP(mem_free_chars) char *file = fs_join(base, "t.csv");
    CLEANUP(mem_free_chars) char *json_path = fs_join(base, "s/" LAYOUT_JSON);
    dir = fs_join(base, "s");
    need(fs_write(file, csv, strlen(csv), NULL) == 0);
    struct source_table table = {.name = "t", .file = file, .time = "day", .group = "grp"};
    struct source_options options = {.tables = &table, .n_tables = 1, .out_dir = dir};
    char id[SHA256_HEX];
    need(source_csv_create(&options, id, NULL) == 0);
    need(layout_read(dir, &layout, NULL) == 0);
    need(fs_read(json_path, &json, NULL) == 0);
}

/* Without fs_write's fsync, which is most of its time. */
static void put(const char *relative, const struct str *content)
{
    CLEANUP(mem_free_chars) char *path = fs_join(dir, relative);
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    need(fd >= 0 && write(fd, content->s, content->len) == (ssize_t)content->len);
    close(fd);
}

static void patch(struct str *a, struct str *b, const uint8_t *data, size_t size)
{
    while (size >= 4) {
        struct str *into = data[0] ? b : a;
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
static void write_crc(char *digits, const struct str *of)
{
    char crc[9];
    snprintf(crc, sizeof(crc), "%08x", crc32c(0, of->s, of->len));
    if (digits)
        memcpy(digits, crc, 8);
}

static void sign(struct str *text, const struct layout_entry *entry, const struct str *file)
{
    char *at = strstr(text->s, entry->path);
    at = at ? strstr(at, "\"crc32c\": \"") : NULL;
    write_crc(at && strlen(at) > 19 ? at + 11 : NULL, file);
    char *own = strstr(text->s, "\"checksum\": \"");
    if (!own || strlen(own) < 21)
        return;
    memcpy(own + 13, "00000000", 8);
    write_crc(own + 13, text);
}

static void try(bool untouched, bool signed_again)
{
    CLEANUP(snapshot_close) struct snapshot *s = NULL;
    struct err err = {0};
    int r = snapshot_open(dir, &s, &err);
    need(r == 0 || (r == ERR_CONFIG && err.code == r && err.text[0] && !s));
    if (r == 0) {
        for (int t = 0; t < s->n_tables; t++) {
            int64_t first, end;
            uint8_t hash[SHA256_BYTES];
            table_day(&s->tables[t], 19723, &first, &end);
            table_chain_at(&s->tables[t], 19724, hash);
        }
        r = snapshot_verify(s, &err);
        need(r == 0 || (r == ERR_CONFIG && err.text[0]));
    }
    need(untouched ? r == 0 : r != 0 || signed_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!base)
        make_snapshot();
    if (size < 4)
        return 0;
    const struct layout_entry *entry = &layout.files[data[0] % layout.n_files];
    CLEANUP(mem_free_chars) char *path = fs_join(dir, entry->path);
    CLEANUP(str_deinit) struct str text = {0}, file = {0}, good = {0};
    need(fs_read(path, &good, NULL) == 0);
    str_add(&file, good.s, good.len);
    str_add(&text, json.s, json.len);

    patch(&text, &file, data + 4, size - 4);
    if (data[1] & CUT)
        file.len = (data[2] | (size_t)data[3] << 8) % (file.len + 1);
    if (data[1] & SIGN)
        sign(&text, entry, &file);
    put(entry->path, &file);
    put(LAYOUT_JSON, &text);
    bool untouched = file.len == good.len && memcmp(file.s, good.s, good.len) == 0 &&
                     memcmp(text.s, json.s, json.len) == 0;
    try(untouched, data[1] & SIGN);
    put(entry->path, &good);
    put(LAYOUT_JSON, &json);
    return 0;
}

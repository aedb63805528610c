/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* remote.c - names and stores. */
#include "transfer/remote.h"

#include <string.h>

/* A name of the layout as stores take it. */
static char *escape(const char *name)
{
    struct str out = {0};
    for (const char *p = name; *p; p++) {
        if (*p == '%')
            str_addc(&out, '=');
        else if (*p == '@')
            str_addz(&out, "=40");
        else
            str_addc(&out, *p);
    }
    if (out.len > STORE_NAME_MAX) {
        uint8_t digest[SHA256_BYTES];
        char hex[SHA256_HEX];
        sha256_of(name, strlen(name), digest);
        hash_hex(digest, SHA256_BYTES, hex);
        str_clear(&out);
        str_addf(&out, "=%.32s", hex);
    }
    return str_take(&out);
}

int remote_open(const char *url, bool existing, struct remote *ret, struct err *err)
{
    return existing ? store_open_existing(url, &ret->root, err) : store_open(url, &ret->root, err);
}

/* A minute, and for large files as much as a slow network needs. */
static void set_patience(struct store *store, const struct layout *layout)
{
    enum { LEAST_MS = 60000, BYTES_PER_MS = 500 };
    int64_t largest = 0;
    for (int f = 0; f < layout->n_files; f++)
        largest = layout->files[f].bytes > largest ? layout->files[f].bytes : largest;
    store_set_patience(store, LEAST_MS + largest / BYTES_PER_MS);
}

static int open_tables(struct remote *remote, const struct layout *layout, bool existing,
                       struct err *err)
{
    remote->tables = mem_zalloc(((size_t)layout->n_tables + 1) * sizeof(*remote->tables));
    for (int t = 0; t < layout->n_tables; t++) {
        CLEANUP(mem_free_chars) char *dir = layout_table_dir(layout->tables[t].name);
        CLEANUP(mem_free_chars) char *name = escape(dir);
        CLEANUP(mem_free_chars) char *url = mem_printf("%s/%s", store_url(remote->root), name);
        int r = existing ? store_open_existing(url, &remote->tables[t], err)
                         : store_open(url, &remote->tables[t], err);
        if (r < 0)
            return r;
        remote->n_tables++;
        set_patience(remote->tables[t], layout);
    }
    return 0;
}

/* Which table's folder a path is in, or -1. */
static int table_of(const struct layout *layout, const char *path)
{
    size_t len = strcspn(path, "/");
    for (int t = 0; t < layout->n_tables; t++) {
        CLEANUP(mem_free_chars) char *dir = layout_table_dir(layout->tables[t].name);
        if (strlen(dir) == len && memcmp(dir, path, len) == 0)
            return t;
    }
    return -1;
}

int remote_open_tables(struct remote *remote, const struct layout *layout, bool existing,
                       struct err *err)
{
    int r = open_tables(remote, layout, existing, err);
    remote->objects = mem_zalloc(((size_t)layout->n_files + 1) * sizeof(*remote->objects));
    for (int f = 0; r == 0 && f < layout->n_files; f++) {
        const char *path = layout->files[f].path;
        int t = layout_path_ok(path) ? table_of(layout, path) : -1;
        if (t < 0)
            return err_set(err, ERR_CONFIG,
                           "%s/" LAYOUT_JSON " lists '%.100s', which is no file of a snapshot",
                           store_url(remote->root), path);
        remote->objects[remote->n_objects++] = (struct remote_object){
            .store = remote->tables[t], .name = escape(strchr(path, '/') + 1)};
    }
    return r;
}

void remote_close(struct remote *remote)
{
    for (int i = 0; i < remote->n_objects; i++)
        free(remote->objects[i].name);
    for (int t = 0; t < remote->n_tables; t++)
        store_close(remote->tables[t]);
    free(remote->objects);
    free(remote->tables);
    store_close(remote->root);
    *remote = (struct remote){0};
}

/* Whoever pushes and whoever pulls can do nothing with it, and the way out is the same. */
static int check_sum(const struct remote *remote, struct str *text, struct err *err)
{
    struct err why = {0};
    if (layout_check_sum(LAYOUT_JSON, text, &why) == 0)
        return 0;
    return err_set(err, ERR_CONFIG,
                   "the snapshot in %s is damaged: %s. Delete that " LAYOUT_JSON
                   " there and push the snapshot again: files that are whole are kept",
                   store_url(remote->root), why.text);
}

int remote_layout(struct remote *remote, struct layout *ret, struct str *ret_text, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    int r = store_get(remote->root, LAYOUT_JSON, 0, &text, NULL, err);
    if (r == 0)
        r = check_sum(remote, &text, err);
    if (r == 0)
        r = layout_parse(store_url(remote->root), &text, ret, err);
    if (r == 0 && ret_text) {
        str_deinit(ret_text);
        *ret_text = text;
        text = (struct str){0};
    }
    return r;
}

int64_t remote_total(const struct layout *layout)
{
    int64_t bytes = 0;
    for (int f = 0; f < layout->n_files; f++)
        bytes += layout->files[f].bytes;
    return bytes;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* layout.c - names of files, and the list of them. */
#include "snapshot/layout.h"

#include <string.h>

#include "base/utf8.h"

void layout_encode(const char *name, struct str *out)
{
    for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || *p == '_' || *p == '-';
        if (plain)
            str_addc(out, (char)*p);
        else
            str_addf(out, "%%%02X", *p);
    }
}

static void encode_table(const char *table, struct str *out)
{
    if (strcmp(table, "index") == 0)
        str_addz(out, "%69ndex");
    else
        layout_encode(table, out);
}

char *layout_table_dir(const char *table)
{
    struct str path = {0};
    encode_table(table, &path);
    return str_take(&path);
}

char *layout_file(const char *table, const char *column, const char *ending)
{
    struct str path = {0};
    encode_table(table, &path);
    str_addc(&path, '/');
    layout_encode(column, &path);
    str_addz(&path, ending);
    return str_take(&path);
}

char *layout_days_file(const char *table, const char *what)
{
    struct str path = {0};
    encode_table(table, &path);
    str_addf(&path, "/@%s.npy", what);
    return str_take(&path);
}

const char *layout_descr(enum type type)
{
    switch (type) {
    case TYPE_INT:
        return "<i8";
    case TYPE_DECIMAL:
    case TYPE_FLOAT:
        return "<f8";
    case TYPE_DATE:
        return "<M8[D]";
    case TYPE_TIMESTAMP:
        return "<M8[us]";
    case TYPE_STRING:
        return "<i4";
    case TYPE_NULL:
    case TYPE_BOOL:
        break;
    }
    return NULL; /* no column on disk has it */
}

int layout_check_name(const char *what, const char *name, struct err *err)
{
    if (!*name)
        return err_set(err, ERR_INPUT, "a %s has an empty name", what);
    CLEANUP(str_deinit) struct str encoded = {0};
    layout_encode(name, &encoded);
    if (encoded.len > LAYOUT_NAME_MAX)
        return err_set(err, ERR_INPUT,
                       "the %s name '%.*s…' is too long for a file name; give it a shorter one",
                       what, (int)utf8_valid_prefix(name, 60), name);
    return 0;
}

bool layout_path_ok(const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-%";
    size_t table = strspn(path, plain);
    if (table == 0 || path[table] != '/' || strncmp(path, "index/", 6) == 0)
        return false;
    const char *file = path + table + 1;
    file += *file == '@';
    size_t stem = strspn(file, plain);
    return stem > 0 && table + stem < 2 * LAYOUT_NAME_MAX &&
           (strcmp(file + stem, ".npy") == 0 || strcmp(file + stem, ".valid.npy") == 0 ||
            strcmp(file + stem, ".offsets.npy") == 0 || strcmp(file + stem, ".bytes.npy") == 0);
}

void layout_deinit(struct layout *layout)
{
    for (int t = 0; t < layout->n_tables; t++) {
        struct table *table = &layout->tables[t];
        for (int c = 0; c < table->n_columns; c++)
            free((char *)table->columns[c].name);
        free(table->columns);
        free((char *)table->name);
        free((char *)table->ties);
        free(layout->sources[t]);
    }
    for (int f = 0; f < layout->n_files; f++)
        free(layout->files[f].path);
    free(layout->tables);
    free(layout->sources);
    free(layout->files);
    *layout = (struct layout){0};
}

void layout_add_file(struct layout *layout, struct layout_entry entry)
{
    layout->files = mem_grow(layout->files, &layout->files_cap, (size_t)layout->n_files + 1,
                             sizeof(*layout->files));
    layout->files[layout->n_files++] = entry;
}

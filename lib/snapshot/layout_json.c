/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* layout_json.c - snapshot.json, written and read. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/fs.h"
#include "codec/json.h"
#include "snapshot/layout.h"

/* Chapter: writing. */

static const char *column_name_or_null(const struct table *table, int column)
{
    return column < 0 ? NULL : table->columns[column].name;
}

static void write_column(struct json *columns, const struct column *c)
{
    struct json *node = json_add_object(columns, NULL);
    json_add_string(node, "name", c->name);
    json_add_string(node, "type", type_name(c->type));
    if (c->type == TYPE_DECIMAL)
        json_add_int(node, "scale", c->scale);
    json_add_bool(node, "nullable", c->nullable);
    if (c->type == TYPE_STRING) {
        json_add_int(node, "distinct", c->dict.n);
        json_add_int(node, "max_chars", c->max_chars);
    }
}

static void write_table(struct json *tables, const struct table *table, const char *source)
{
    struct json *node = json_add_object(tables, NULL);
    json_add_string(node, "name", table->name);
    json_add_int(node, "rows", table->rows);
    json_add_string(node, "time", column_name_or_null(table, table->time));
    json_add_string(node, "group", column_name_or_null(table, table->group));
    json_add_string(node, "key", column_name_or_null(table, table->key));

    struct json *order = json_add_array(node, "order");
    const int by[] = {table->time, table->group, table->key};
    for (int i = 0; i < 3; i++) {
        if (by[i] >= 0)
            json_add_string(order, NULL, table->columns[by[i]].name);
    }

    if (table->time >= 0)
        json_add_int(node, "days", table->n_days);
    char hash[SHA256_HEX];
    hash_hex(table->hash, SHA256_BYTES, hash);
    json_add_string(node, "hash", hash);
    json_add_string(node, "source", source);
    if (table->ties)
        json_add_string(node, "ties", table->ties);

    struct json *columns = json_add_array(node, "columns");
    for (int c = 0; c < table->n_columns; c++)
        write_column(columns, &table->columns[c]);
}

void layout_print_files(const struct layout *layout, struct json *root)
{
    struct json *files = json_add_array(root, "files");
    for (int f = 0; f < layout->n_files; f++) {
        struct json *node = json_add_object(files, NULL);
        json_add_string(node, "path", layout->files[f].path);
        json_add_int(node, "bytes", layout->files[f].bytes);
        char crc[9];
        snprintf(crc, sizeof(crc), "%08x", layout->files[f].crc32c);
        json_add_string(node, "crc32c", crc);
    }
}

/* Where the eight digits of the document's own checksum stand: the last string in it. */
static char *find_checksum(const struct str *text)
{
    const char *quote = text->len ? memrchr(text->s, '"', text->len) : NULL;
    return quote && quote - text->s >= 9 && quote[-9] == '"' ? (char *)quote - 8 : NULL;
}

void layout_print_summed(struct json *root, struct str *out)
{
    json_add_string(root, "checksum", "00000000");
    json_print(root, true, out);
    str_addc(out, '\n');
    char crc[9];
    snprintf(crc, sizeof(crc), "%08x", crc32c(0, out->s, out->len));
    memcpy(find_checksum(out), crc, 8);
}

int layout_write(const struct layout *layout, const char *dir, struct err *err)
{
    CLEANUP(json_free) struct json *root = json_new_object();
    json_add_int(root, "format", SNAPSHOT_FORMAT);
    json_add_string(root, "id", layout->id);
    char now[TIMESTAMP_TEXT];
    timestamp_format(clock_wall_ms() / 1000 * 1000000, now);
    json_add_string(root, "created_utc", now);
    struct json *tables = json_add_array(root, "tables");
    for (int t = 0; t < layout->n_tables; t++)
        write_table(tables, &layout->tables[t], layout->sources[t]);
    layout_print_files(layout, root);
    CLEANUP(str_deinit) struct str text = {0};
    layout_print_summed(root, &text);
    CLEANUP(mem_free_chars) char *path = fs_join(dir, LAYOUT_JSON);
    return fs_write(path, text.s, text.len, err);
}

/* Chapter: reading. Every failure becomes ERR_CONFIG in layout_read. */

/* Like json_need_int, for a count or size within [0, max]. */
static int need_count(const struct json *node, const char *name, int64_t max, int64_t *ret,
                      struct err *err)
{
    int r = json_need_int(node, name, ret, err);
    if (r < 0)
        return r;
    if (*ret < 0 || *ret > max)
        return err_set(err, ERR_CONFIG, "%s is out of range", name);
    return 0;
}

static int need_list(const struct json *node, const char *name, const struct json **ret,
                     struct err *err)
{
    *ret = json_get(node, name);
    if (!*ret || json_type(*ret) != JSON_ARRAY)
        return err_set(err, ERR_CONFIG, "there is no list '%s'", name);
    return 0;
}

static int read_hex(const char *hex, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < 2 * n; i++) {
        int digit = hex[i] >= '0' && hex[i] <= '9'   ? hex[i] - '0'
                    : hex[i] >= 'a' && hex[i] <= 'f' ? hex[i] - 'a' + 10
                                                     : -1;
        if (digit < 0)
            return -1;
        out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | digit : digit << 4);
    }
    return hex[2 * n] ? -1 : 0;
}

static int need_hex(const struct json *node, const char *name, uint8_t *out, size_t n,
                    struct err *err)
{
    const char *hex;
    int r = json_need_string(node, name, &hex, err);
    if (r == 0 && read_hex(hex, out, n) < 0)
        r = err_set(err, ERR_CONFIG, "%s is not %zu hexadecimal digits", name, 2 * n);
    return r;
}

static bool type_from_name(const char *name, enum type *ret)
{
    for (enum type type = TYPE_INT; type <= TYPE_STRING; type++) {
        if (strcmp(name, type_name(type)) == 0) {
            *ret = type;
            return true;
        }
    }
    return false;
}

static int read_column(const struct json *node, int64_t rows, struct column *ret, struct err *err)
{
    const char *name, *type;
    int64_t scale = 0, distinct = 0, max_chars = 0;
    int r = json_need_string(node, "name", &name, err);
    if (r == 0)
        r = json_need_string(node, "type", &type, err);
    if (r < 0)
        return r;
    ret->name = mem_strdup(name);
    ret->rows = rows;
    if (!type_from_name(type, &ret->type))
        return err_set(err, ERR_CONFIG, "column %s has the unknown type '%s'", name, type);
    if (ret->type == TYPE_DECIMAL)
        r = need_count(node, "scale", 6, &scale, err);
    if (ret->type == TYPE_STRING) {
        r = need_count(node, "distinct", rows, &distinct, err);
        if (r == 0)
            r = need_count(node, "max_chars", INT32_MAX, &max_chars, err);
    }
    const struct json *nullable = json_get(node, "nullable");
    if (r == 0 && (!nullable || json_type(nullable) != JSON_BOOL))
        r = err_set(err, ERR_CONFIG, "nullable is missing");
    if (r < 0)
        return err_prefix(err, "column %s", name);
    ret->scale = (int)scale;
    ret->dict.n = (int32_t)distinct;
    ret->max_chars = (int32_t)max_chars;
    ret->nullable = json_bool(nullable);
    return 0;
}

/* time, group or key: null or the name of a column. */
static int read_role(const struct json *node, const char *role, const struct table *table, int *ret,
                     struct err *err)
{
    const struct json *name = json_get(node, role);
    *ret = -1;
    if (name && json_type(name) == JSON_NULL)
        return 0;
    if (name && json_type(name) == JSON_STRING)
        *ret = table_column(table, json_string(name));
    return *ret < 0 ? err_set(err, ERR_CONFIG, "%s names no column", role) : 0;
}

static int read_roles(const struct json *node, struct table *table, struct err *err)
{
    int r = read_role(node, "time", table, &table->time, err);
    if (r == 0)
        r = read_role(node, "group", table, &table->group, err);
    if (r == 0)
        r = read_role(node, "key", table, &table->key, err);
    if (r < 0)
        return r;
    if ((table->time >= 0) == (table->key >= 0) || (table->time < 0 && table->group >= 0))
        return err_set(err, ERR_CONFIG, "a table has either a time (and a group) or a key");
    if (table->time < 0)
        return 0;
    enum type type = table->columns[table->time].type;
    if (type != TYPE_DATE && type != TYPE_TIMESTAMP)
        return err_set(err, ERR_CONFIG, "its time is neither date nor timestamp");
    return need_count(node, "days", table->rows, &table->n_days, err);
}

static int read_table_members(const struct json *node, struct table *table, char **ret_source,
                              struct err *err)
{
    const struct json *columns = NULL, *source = json_get(node, "source");
    const struct json *ties = json_get(node, "ties");
    table->ties = ties && json_type(ties) == JSON_STRING ? mem_strdup(json_string(ties)) : NULL;
    *ret_source = mem_strdup(source && json_type(source) == JSON_STRING ? json_string(source) : "");
    int r = need_count(node, "rows", INT32_MAX, &table->rows, err);
    if (r == 0)
        r = need_hex(node, "hash", table->hash, SHA256_BYTES, err);
    if (r == 0)
        r = need_list(node, "columns", &columns, err);
    if (r < 0)
        return r;
    table->columns = mem_zalloc(((size_t)json_size(columns) + 1) * sizeof(*table->columns));
    for (const struct json *c = json_first(columns); c; c = json_next(c)) {
        r = read_column(c, table->rows, &table->columns[table->n_columns++], err);
        if (r < 0)
            return r;
    }
    return read_roles(node, table, err);
}

static int read_tables(const struct json *root, struct layout *layout, struct err *err)
{
    const struct json *tables = NULL;
    int r = need_list(root, "tables", &tables, err);
    if (r < 0)
        return r;
    layout->tables = mem_zalloc(((size_t)json_size(tables) + 1) * sizeof(*layout->tables));
    layout->sources = mem_zalloc(((size_t)json_size(tables) + 1) * sizeof(*layout->sources));
    for (const struct json *node = json_first(tables); node; node = json_next(node)) {
        const char *name;
        r = json_need_string(node, "name", &name, err);
        if (r < 0)
            return r;
        int t = layout->n_tables++;
        layout->tables[t].name = mem_strdup(name);
        r = read_table_members(node, &layout->tables[t], &layout->sources[t], err);
        if (r < 0)
            return err_prefix(err, "table %s", name);
    }
    return 0;
}

int layout_read_files(const struct json *root, struct layout *layout, struct err *err)
{
    const struct json *files = NULL;
    int r = need_list(root, "files", &files, err);
    if (r < 0)
        return r;
    for (const struct json *node = json_first(files); node; node = json_next(node)) {
        const char *path;
        int64_t bytes;
        uint8_t crc[4];
        r = json_need_string(node, "path", &path, err);
        if (r == 0)
            r = need_count(node, "bytes", INT64_MAX, &bytes, err);
        if (r == 0)
            r = need_hex(node, "crc32c", crc, sizeof(crc), err);
        if (r < 0)
            return err_prefix(err, "files");
        layout_add_file(layout, (struct layout_entry){
                                    .path = mem_strdup(path),
                                    .bytes = bytes,
                                    .crc32c = (uint32_t)crc[0] << 24 | (uint32_t)crc[1] << 16 |
                                              (uint32_t)crc[2] << 8 | crc[3],
                                });
    }
    return 0;
}

static int read_document(const struct json *root, struct layout *layout, struct err *err)
{
    int64_t format;
    int r = json_need_int(root, "format", &format, err);
    if (r < 0)
        return r;
    if (format != SNAPSHOT_FORMAT)
        return err_set(err, ERR_CONFIG, "its format is %lld and this hiwari reads format %d; %s",
                       (long long)format, SNAPSHOT_FORMAT,
                       format > SNAPSHOT_FORMAT ? "use a newer hiwari" : "create it again");
    uint8_t id[SHA256_BYTES];
    r = need_hex(root, "id", id, sizeof(id), err);
    if (r < 0)
        return r;
    hash_hex(id, sizeof(id), layout->id);
    r = read_tables(root, layout, err);
    return r < 0 ? r : layout_read_files(root, layout, err);
}

static int read_text(const char *dir, struct str *ret, struct err *err)
{
    CLEANUP(mem_free_chars) char *path = fs_join(dir, LAYOUT_JSON);
    if (!fs_exists(dir))
        return err_set(err, ERR_CONFIG, "there is no such directory");
    if (!fs_exists(path))
        return err_set(err, ERR_CONFIG,
                       "there is no " LAYOUT_JSON
                       " in it: not a snapshot; `hiwari snapshot create` makes one");
    return fs_read(path, ret, err);
}

static int parse(const struct str *text, struct layout *ret, struct err *err)
{
    CLEANUP(json_free) struct json *root = NULL;
    CLEANUP(layout_deinit) struct layout layout = {0};
    int r = json_parse(LAYOUT_JSON, text->s, text->len, &root, err);
    if (r == 0)
        r = read_document(root, &layout, err);
    if (r < 0)
        return r;
    *ret = layout;
    layout = (struct layout){0};
    return 0;
}

int layout_check_sum(const char *name, struct str *text, struct err *err)
{
    uint8_t digits[4];
    char *at = find_checksum(text), said[9] = "";
    if (at)
        memcpy(said, at, 8);
    if (!at || read_hex(said, digits, sizeof(digits)) < 0)
        return err_set(err, ERR_CONFIG, "%s has no checksum", name);
    memcpy(at, "00000000", 8);
    char crc[9];
    snprintf(crc, sizeof(crc), "%08x", crc32c(0, text->s, text->len));
    memcpy(at, said, 8);
    if (strcmp(crc, said) != 0)
        return err_set(err, ERR_CONFIG, "%s: checksum differs (%s, recorded %s)", name, crc, said);
    return 0;
}

int layout_parse(const char *where, struct str *text, struct layout *ret, struct err *err)
{
    int r = layout_check_sum(LAYOUT_JSON, text, err);
    if (r == 0)
        r = parse(text, ret, err);
    if (r == 0)
        return 0;
    if (err)
        err->code = ERR_CONFIG;
    err_prefix(err, "snapshot %s", where);
    return ERR_CONFIG;
}

int layout_read(const char *dir, struct layout *ret, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    int r = read_text(dir, &text, err);
    if (r == 0)
        r = parse(&text, ret, err);
    if (r == 0)
        return 0;
    if (err)
        err->code = ERR_CONFIG;
    err_prefix(err, "snapshot %s", dir);
    return ERR_CONFIG;
}

int layout_verify(const char *dir, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    int r = read_text(dir, &text, err);
    return r < 0 ? ERR_CONFIG : layout_check_sum(LAYOUT_JSON, &text, err);
}

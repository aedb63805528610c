/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* snapshot.c - opening: snapshot.json, then one mmap per file.
 *
 * snapshot.json lists the files in the order in which they are opened here, so that its sizes are
 * found without searching. Only headers, the first and last offset of each dictionary and the days
 * are read: a few hundred pages, whatever the size of the data. What that leaves unchecked (codes,
 * the middle of a dictionary) is what snapshot_verify reads; a file changed behind hiwari's back in
 * just the right way can crash it. */
#include "snapshot/snapshot.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "codec/npy.h"
#include "snapshot/chain.h"
#include "snapshot/maps.h"

/* Chapter: mapping one file after the other. */

/* Map dir/path, which must have `bytes` bytes. */
static int map_file(const char *dir, const struct layout_entry *entry, struct map *ret,
                    struct err *err)
{
    CLEANUP(mem_free_chars) char *path = fs_join(dir, entry->path);
    struct map map = {0};
    if (fs_map(path, &map.at, &map.bytes, err) == 0 && (int64_t)map.bytes == entry->bytes) {
        *ret = map;
        return 0;
    }
    if (!map.at)
        return err->code = ERR_CONFIG;
    munmap(map.at, map.bytes);
    return err_set(
        err, ERR_CONFIG,
        "%s has %zu bytes and must have %lld: it was cut short or changed; copy or create the "
        "snapshot again",
        entry->path, map.bytes, (long long)entry->bytes);
}

/* The next file of the list, which must be `path` (taken) with an array of this type and shape;
 * rows -1: any. */
static int next_array(struct snapshot *s, char *path, const char *descr, int64_t rows,
                      int64_t columns, const void **ret_data, int64_t *ret_rows, struct err *err)
{
    CLEANUP(mem_free_chars) char *wanted = path;
    struct snapshot_maps *maps = s->maps;
    if (maps->n == maps->layout.n_files || strcmp(maps->layout.files[maps->n].path, wanted) != 0)
        return err_set(err, ERR_CONFIG, "snapshot.json does not list %s in its place", wanted);
    struct map *map = &maps->map[maps->n];
    int r = map_file(s->dir, &maps->layout.files[maps->n], map, err);
    if (r < 0)
        return r;
    maps->n++;
    struct npy_header h;
    r = npy_parse(map->at, map->bytes, &h, err);
    if (r < 0)
        return err_prefix(err, "%s", wanted);
    if (strcmp(h.descr, descr) != 0 || (rows >= 0 && h.rows != rows) || h.columns != columns)
        return err_set(err, ERR_CONFIG,
                       "%s holds %" PRId64 " rows of %s; snapshot.json says otherwise", wanted,
                       h.rows, h.descr);
    *ret_data = (const char *)map->at + h.data_at;
    if (ret_rows)
        *ret_rows = h.rows;
    return 0;
}

static int map_dictionary(struct snapshot *s, const struct table *table, struct column *c,
                          struct err *err)
{
    const void *offsets, *bytes;
    int64_t n_bytes;
    int r = next_array(s, layout_file(table->name, c->name, ".offsets.npy"), "<i8",
                       (int64_t)c->dict.n + 1, 0, &offsets, NULL, err);
    if (r == 0)
        r = next_array(s, layout_file(table->name, c->name, ".bytes.npy"), "|u1", -1, 0, &bytes,
                       &n_bytes, err);
    if (r < 0)
        return r;
    c->dict.offsets = offsets;
    c->dict.bytes = bytes;
    if (c->dict.offsets[0] != 0 || c->dict.offsets[c->dict.n] != n_bytes)
        return err_set(err, ERR_CONFIG, "the dictionary of column %s does not fit its bytes",
                       c->name);
    if (c->dict.n == 0)
        c->dict.offsets = NULL;
    return 0;
}

static int map_column(struct snapshot *s, const struct table *table, struct column *c,
                      struct err *err)
{
    const void *data, *valid = NULL;
    int r = next_array(s, layout_file(table->name, c->name, ".npy"), layout_descr(c->type),
                       table->rows, 0, &data, NULL, err);
    if (r == 0 && c->nullable)
        r = next_array(s, layout_file(table->name, c->name, ".valid.npy"), "|b1", table->rows, 0,
                       &valid, NULL, err);
    if (r < 0)
        return r;
    c->data = (void *)data;
    c->valid = (uint8_t *)valid;
    return c->type == TYPE_STRING ? map_dictionary(s, table, c, err) : 0;
}

/* The days must ascend and share out the rows: lookups rely on it. */
static int check_days(const struct table *table, struct err *err)
{
    bool fits = table->day_start[0] == 0 && table->day_start[table->n_days] == table->rows;
    for (int64_t d = 0; fits && d < table->n_days; d++)
        fits = table->day_start[d] < table->day_start[d + 1] &&
               (d == 0 || table->day[d - 1] < table->day[d]);
    return fits ? 0
                : err_set(err, ERR_CONFIG, "table %s: its days do not fit its rows", table->name);
}

static int map_days(struct snapshot *s, struct table *table, struct err *err)
{
    const void *day, *start, *chain;
    int r = next_array(s, layout_days_file(table->name, "day"), "<M8[D]", table->n_days, 0, &day,
                       NULL, err);
    if (r == 0)
        r = next_array(s, layout_days_file(table->name, "start"), "<i8", table->n_days + 1, 0,
                       &start, NULL, err);
    if (r == 0)
        r = next_array(s, layout_days_file(table->name, "chain"), "|u1", table->n_days,
                       SHA256_BYTES, &chain, NULL, err);
    if (r < 0)
        return r;
    table->day = day;
    table->day_start = start;
    table->day_chain = chain;
    return check_days(table, err);
}

/* The last link must be the hash that snapshot.json records: files of two snapshots do not mix. */
static int check_hash(const struct table *table, struct err *err)
{
    uint8_t last[SHA256_BYTES];
    if (table->time < 0)
        return 0;
    table_chain_at(table, INT64_MAX, last);
    if (memcmp(last, table->hash, SHA256_BYTES) != 0)
        return err_set(err, ERR_CONFIG, "table %s: its last day's hash is not the table's",
                       table->name);
    return 0;
}

static int map_all(struct snapshot *s, struct err *err)
{
    struct snapshot_maps *maps = s->maps;
    int r = 0;
    for (int t = 0; r == 0 && t < s->n_tables; t++) {
        struct table *table = &s->tables[t];
        for (int c = 0; r == 0 && c < table->n_columns; c++)
            r = map_column(s, table, &table->columns[c], err);
        if (r == 0 && table->time >= 0)
            r = map_days(s, table, err);
        if (r == 0)
            r = check_hash(table, err);
    }
    if (r < 0)
        return r;
    char id[SHA256_HEX];
    chain_id(s->tables, s->n_tables, id);
    if (maps->n != maps->layout.n_files || strcmp(id, s->id) != 0)
        return err_set(err, ERR_CONFIG,
                       "snapshot.json contradicts itself; copy or create the snapshot again");
    return 0;
}

/* Chapter: life cycle. */

int snapshot_open(const char *dir, struct snapshot **ret, struct err *err)
{
    CLEANUP(snapshot_close) struct snapshot *s = MEM_NEW(struct snapshot);
    struct snapshot_maps *maps = s->maps = MEM_NEW(struct snapshot_maps);
    s->dir = mem_strdup(dir);
    int r = layout_read(dir, &maps->layout, err);
    if (r < 0)
        return r;
    memcpy(s->id, maps->layout.id, SHA256_HEX);
    s->n_tables = maps->layout.n_tables;
    s->tables = maps->layout.tables;
    maps->map = mem_zalloc(((size_t)maps->layout.n_files + 1) * sizeof(*maps->map));
    r = map_all(s, err);
    if (r < 0) {
        if (err)
            err->code = ERR_CONFIG;
        err_prefix(err, "snapshot %s", dir);
        return ERR_CONFIG;
    }
    *ret = s;
    s = NULL;
    return 0;
}

void snapshot_close(struct snapshot *s)
{
    if (!s)
        return;
    struct snapshot_maps *maps = s->maps;
    for (int i = 0; i < maps->n; i++)
        munmap(maps->map[i].at, maps->map[i].bytes);
    free(maps->map);
    layout_deinit(&maps->layout);
    free(maps);
    free(s->dir);
    free(s);
}

/* Chapter: lookups. */

const struct table *snapshot_table(const struct snapshot *s, const char *name)
{
    for (int t = 0; t < s->n_tables; t++) {
        if (strcmp(s->tables[t].name, name) == 0)
            return &s->tables[t];
    }
    return NULL;
}

int table_column(const struct table *table, const char *name)
{
    for (int c = 0; c < table->n_columns; c++) {
        if (strcmp(table->columns[c].name, name) == 0)
            return c;
    }
    return -1;
}

/* How many of the table's days are not after the given one. */
static int64_t days_until(const struct table *table, int64_t day)
{
    int64_t low = 0, high = table->n_days;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (table->day[middle] <= day)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool table_day(const struct table *table, int64_t day, int64_t *ret_first, int64_t *ret_end)
{
    int64_t n = days_until(table, day);
    bool found = n > 0 && table->day[n - 1] == day;
    *ret_first = found ? table->day_start[n - 1] : 0;
    *ret_end = found ? table->day_start[n] : 0;
    return found;
}

void table_chain_at(const struct table *table, int64_t day, uint8_t ret[SHA256_BYTES])
{
    int64_t n = days_until(table, day);
    if (table->time < 0)
        memcpy(ret, table->hash, SHA256_BYTES);
    else if (n > 0)
        memcpy(ret, table->day_chain[n - 1], SHA256_BYTES);
    else
        chain_schema(table, ret);
}

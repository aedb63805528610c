/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* index.c - building, writing and mapping of entity indexes.
 *
 * All arrays of an index are listed by index_arrays, from which writing, mapping and freeing
 * follow. index.json says the sizes that the request alone cannot tell, and every file's checksum
 * for index_verify. */
#include "features/index.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/date.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/retry.h"
#include "codec/json.h"
#include "codec/npy.h"
#include "features/group.h"
#include "snapshot/array_file.h"

enum { INDEX_MAX_ARRAYS = 16 + GROUP_MAX_BY * 4 };

/* ---- the arrays ---- */

struct index_array {
    char name[24];
    const char *descr;
    int64_t rows, columns;
    const void **at; /* the pointer in struct index */
};

struct index_own {
    bool mapped;
    struct index_array *arrays;
    int n_arrays;
    void **maps; /* of each array, when mapped */
    size_t *map_bytes;
};

static void list_array(struct index *x, const char *name, const char *descr, int64_t rows,
                       int64_t columns, void *at)
{
    struct index_own *own = x->own;
    struct index_array *a = &own->arrays[own->n_arrays++];
    *a = (struct index_array){.descr = descr, .rows = rows, .columns = columns, .at = at};
    snprintf(a->name, sizeof a->name, "%s", name);
}

static const char *value_descr(enum type type)
{
    return type == TYPE_BOOL                            ? "|b1"
           : type == TYPE_STRING                        ? "<i4"
           : type == TYPE_DECIMAL || type == TYPE_FLOAT ? "<f8"
           : type == TYPE_DATE                          ? "<M8[D]"
           : type == TYPE_TIMESTAMP                     ? "<M8[us]"
                                                        : "<i8";
}

/* valid: whether a file of nulls stands beside it; dict: whether the dictionary does. */
static void list_column(struct index *x, const char *prefix, int k, struct column *c, bool valid,
                        bool dict, int64_t dict_bytes)
{
    char name[24];
    snprintf(name, sizeof name, "%s%d", prefix, k);
    list_array(x, name, value_descr(c->type), c->rows, 0, &c->data);
    snprintf(name, sizeof name, "%s%d.valid", prefix, k);
    if (valid)
        list_array(x, name, "|b1", c->rows, 0, &c->valid);
    if (!dict || c->type != TYPE_STRING)
        return;
    snprintf(name, sizeof name, "%s%d.offsets", prefix, k);
    list_array(x, name, "<i8", c->dict.n + 1, 0, &c->dict.offsets);
    snprintf(name, sizeof name, "%s%d.bytes", prefix, k);
    list_array(x, name, "|u1", dict_bytes, 0, &c->dict.bytes);
}

static int64_t dict_bytes(const struct dict *d)
{
    return d->n ? d->offsets[d->n] : 0;
}

/* What the sizes in index.json say of one column. */
struct column_shape {
    bool valid, sums;
    int64_t dict_n, dict_bytes;
};

/* List every array, in the order in which they are written and mapped. shapes: of the fields. */
static void index_arrays(struct index *x, const struct index_request *q,
                         const struct column_shape *keys, const struct column_shape *fields)
{
    struct index_own *own = x->own;
    own->arrays =
        MEM_ARRAY(struct index_array, (size_t)(INDEX_MAX_ARRAYS + x->n_starts + 5 * x->n_columns));
    list_array(x, "offsets", "<i4", x->entities + 1, 0, &x->offsets);
    list_array(x, "rows", "<i4", x->n, 0, &x->rows);
    list_array(x, "entity", "<i4", x->table_rows, 0, &x->entity);
    list_array(x, "place", "<i4", x->table_rows, 0, &x->place);
    list_array(x, "slots", "<i4", x->n_slots, 0, &x->slots);
    if (q->time)
        list_array(x, "buckets", "<i4", index_n_buckets(x), 0, &x->buckets);
    if (q->time && q->time->type == TYPE_DATE)
        list_array(x, "day", "<i4", x->n, 0, &x->day);
    if (q->time && q->time->type == TYPE_TIMESTAMP)
        list_array(x, "us", "<i8", x->n, 0, &x->us);
    for (int k = 0; k < x->n_starts; k++) {
        char name[24];
        snprintf(name, sizeof name, "start%d", k);
        list_array(x, name, "<i4", x->table_rows, 0, &x->starts[k]);
    }
    for (int k = 0; k < x->n_by; k++)
        list_column(x, "by", k, &x->keys[k], false, true, keys[k].dict_bytes);
    for (int k = 0; k < x->n_columns; k++) {
        struct index_column *c = &x->columns[k];
        list_column(x, "column", k, &c->values, fields[k].valid, q->fields[k].own_dict,
                    fields[k].dict_bytes);
        char name[24];
        snprintf(name, sizeof name, "column%d.sums", k);
        if (fields[k].sums)
            list_array(x, name, "<i8", x->n + 1, c->stride == 2 ? 2 : 0, &c->sums);
    }
}

static struct index *index_new(const struct index_request *q)
{
    struct index *x = MEM_NEW(struct index);
    x->own = MEM_NEW(struct index_own);
    x->table_rows = q->table_rows;
    x->n_by = q->n_by;
    x->n_columns = q->n_fields;
    x->n_starts = q->n_starts;
    x->keys = mem_zalloc(sizeof *x->keys * (size_t)(q->n_by + 1));
    x->columns = mem_zalloc(sizeof *x->columns * (size_t)(q->n_fields + 1));
    x->starts = mem_zalloc(sizeof *x->starts * (size_t)(q->n_starts + 1));
    return x;
}

void index_free(struct index *x)
{
    if (!x)
        return;
    struct index_own *own = x->own;
    for (int i = 0; i < own->n_arrays; i++) {
        if (!own->mapped)
            free((void *)(uintptr_t)*own->arrays[i].at);
        else if (own->maps[i])
            munmap(own->maps[i], own->map_bytes[i]);
    }
    free(own->arrays);
    free(own->maps);
    free(own->map_bytes);
    free(own);
    free(x->keys);
    free(x->columns);
    free(x->starts);
    free(x);
}

/* ---- building ---- */

/* A copy of c with row order[p] at p. Dictionaries stay the source's unless own_dict. */
static void gather(const struct column *c, const int32_t *order, int64_t n, struct column *ret)
{
    *ret = *c;
    ret->own = NULL;
    ret->rows = n;
    size_t bytes = type_bytes(c->type);
    ret->data = mem_alloc((size_t)n * bytes + 1);
    for (int64_t p = 0; bytes == 8 && p < n; p++)
        ret->i[p] = c->i[order[p]];
    for (int64_t p = 0; bytes == 4 && p < n; p++)
        ret->code[p] = c->code[order[p]];
    for (int64_t p = 0; bytes == 1 && p < n; p++)
        ret->b[p] = c->b[order[p]];
    ret->valid = c->valid ? mem_alloc((size_t)n + 1) : NULL;
    for (int64_t p = 0; c->valid && p < n; p++)
        ret->valid[p] = c->valid[order[p]];
}

static void copy_dict(struct column *c)
{
    if (c->type != TYPE_STRING)
        return;
    int64_t bytes = dict_bytes(&c->dict);
    int64_t *offsets = mem_zalloc(((size_t)c->dict.n + 1) * sizeof *offsets);
    if (c->dict.n)
        memcpy(offsets, c->dict.offsets, ((size_t)c->dict.n + 1) * sizeof *offsets);
    char *copy = mem_alloc((size_t)bytes + 1);
    if (bytes)
        memcpy(copy, c->dict.bytes, (size_t)bytes);
    c->dict.offsets = offsets;
    c->dict.bytes = copy;
}

static int64_t exact_value(const struct column *c, int64_t p)
{
    static const double power[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    if (c->type == TYPE_BOOL)
        return c->b[p];
    return c->type == TYPE_INT ? c->i[p] : llround(c->f[p] * power[c->scale]);
}

/* Prefix sums, or none where they would not fit into int64. */
static void add_sums(struct index_column *c, int64_t n)
{
    c->stride = c->values.valid ? 2 : 1;
    int64_t *sums = MEM_ARRAY(int64_t, (size_t)(n + 1) * (size_t)c->stride);
    int64_t sum = 0, count = 0;
    for (int64_t p = 0; p <= n; p++) {
        sums[p * c->stride] = sum;
        if (c->stride == 2)
            sums[p * 2 + 1] = count;
        if (p == n || column_is_null(&c->values, p))
            continue;
        count++;
        if (__builtin_add_overflow(sum, exact_value(&c->values, p), &sum)) {
            free(sums);
            return;
        }
    }
    c->sums = sums;
}

/* Do sums pay? They cost two reads far apart, a scan one read and its length: measured at about a
 * dozen rows. Looks at 256 windows spread over the index. */
static bool sums_pay(const struct index *x, int64_t window_days)
{
    enum { SAMPLES = 256, ENOUGH = 12 };
    int64_t rows = 0, samples = 0;
    for (int64_t s = 0; s < SAMPLES && x->n; s++) {
        int64_t p = (2 * s + 1) * x->n / (2 * SAMPLES);
        int32_t e = x->entity[x->rows[p]], from = x->offsets[e];
        if (window_days && (x->day || x->us)) {
            int64_t now = x->day ? x->day[p] * DATE_US_PER_DAY : x->us[p];
            from = index_before(x, from, (int32_t)p, now - window_days * DATE_US_PER_DAY);
        }
        rows += p - from;
        samples++;
    }
    return samples && rows / samples >= ENOUGH;
}

static void build_times(struct index *x, const struct column *time)
{
    if (time && time->type == TYPE_DATE) {
        int32_t *day = MEM_ARRAY(int32_t, (size_t)x->n + 1);
        for (int64_t p = 0; p < x->n; p++)
            day[p] = (int32_t)time->i[x->rows[p]];
        x->day = day;
    } else if (time) {
        int64_t *us = MEM_ARRAY(int64_t, (size_t)x->n + 1);
        for (int64_t p = 0; p < x->n; p++)
            us[p] = time->i[x->rows[p]];
        x->us = us;
    }
}

static void build_order(struct index *x, const struct grouping *g, const uint8_t *keep)
{
    int32_t *offsets = MEM_ARRAY(int32_t, (size_t)g->n_groups + 1);
    int32_t *rows = MEM_ARRAY(int32_t, (size_t)x->table_rows + 1);
    group_order(g->group, g->n_groups, x->table_rows, keep, offsets, rows);
    x->n = offsets[g->n_groups];
    x->offsets = offsets;
    x->rows = rows;
}

/* Where a row would stand that the index leaves out. */
static int32_t place_left_out(const struct index *x, const struct column *time, int64_t row)
{
    int32_t e = x->entity[row], low = x->offsets[e], high = x->offsets[e + 1];
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (x->rows[middle] < row)
            low = middle + 1;
        else
            high = middle;
    }
    return x->day ? index_before(x, x->offsets[e], low, time->i[row] * DATE_US_PER_DAY) : low;
}

static void build_places(struct index *x, const struct index_request *q)
{
    int32_t *place = mem_zalloc(((size_t)x->table_rows + 1) * sizeof *place);
    for (int32_t e = 0; e < x->entities; e++) {
        int32_t at = x->offsets[e];
        for (int32_t p = at; p < x->offsets[e + 1]; p++) {
            at = x->day && x->day[p] == x->day[at] ? at : p;
            place[x->rows[p]] = at;
        }
    }
    for (int64_t row = 0; q->keep && row < x->table_rows; row++)
        if (x->entity[row] >= 0 && !q->keep[row])
            place[row] = place_left_out(x, q->time, row);
    x->place = place;
}

static void build_edges(struct index *x, const struct index_request *q)
{
    build_places(x, q);
    x->buckets = q->time ? index_buckets(x) : NULL;
    for (int k = 0; k < q->n_starts; k++)
        x->starts[k] = index_starts(x, q->time, q->keep, q->start_days[k]);
}

static void build_columns(struct index *x, const struct index_request *q)
{
    for (int k = 0; k < q->n_fields; k++) {
        const struct index_field *f = &q->fields[k];
        struct index_column *c = &x->columns[k];
        gather(f->column, x->rows, x->n, &c->values);
        if (f->own_dict)
            copy_dict(&c->values);
        if (f->sums && sums_pay(x, f->window_days))
            add_sums(c, x->n);
    }
}

void index_build(const struct index_request *q, struct index **ret)
{
    struct index *x = index_new(q);
    struct grouping g;
    group_rows(q->by, q->n_by, q->table_rows, GROUP_NULL_NONE, &g);
    x->entities = g.n_groups;
    x->n_slots = g.n_slots;
    x->entity = g.group;
    x->slots = g.slots;
    build_order(x, &g, q->keep);
    build_times(x, q->time);
    build_edges(x, q);
    for (int k = 0; k < q->n_by; k++) {
        gather(&q->by[k], g.first, g.n_groups, &x->keys[k]);
        free(x->keys[k].valid); /* a key has no null */
        x->keys[k].valid = NULL;
        copy_dict(&x->keys[k]);
    }
    free(g.first);
    build_columns(x, q);

    struct column_shape *shapes =
        mem_zalloc(sizeof *shapes * (size_t)(q->n_fields + GROUP_MAX_BY + 1));
    struct column_shape *fields = shapes + GROUP_MAX_BY;
    for (int k = 0; k < q->n_by; k++)
        shapes[k].dict_bytes = dict_bytes(&x->keys[k].dict);
    for (int k = 0; k < q->n_fields; k++)
        fields[k] = (struct column_shape){.valid = x->columns[k].values.valid != NULL,
                                          .sums = x->columns[k].sums != NULL,
                                          .dict_bytes = dict_bytes(&x->columns[k].values.dict)};
    index_arrays(x, q, shapes, fields);
    free(shapes);
    *ret = x;
}

/* ---- on disk ---- */

void index_name(const char *snapshot_id, const char *text, char ret[33])
{
    uint8_t hash[SHA256_BYTES];
    CLEANUP(str_deinit) struct str all = {0};
    str_addf(&all, "index %d of %s: %s", INDEX_FORMAT, snapshot_id, text);
    sha256_of(all.s, all.len, hash);
    hash_hex(hash, 16, ret);
}

static void add_shape(struct json *list, const struct column *c, const struct index_column *x)
{
    struct json *node = json_add_object(list, NULL);
    json_add_bool(node, "valid", c->valid != NULL);
    json_add_bool(node, "sums", x && x->sums);
    json_add_int(node, "dict_n", c->dict.n);
    json_add_int(node, "dict_bytes", dict_bytes(&c->dict));
    json_add_int(node, "max_chars", c->max_chars);
}

static void describe(const struct index *x, const char *text, const struct layout *files,
                     struct str *out)
{
    CLEANUP(json_free) struct json *root = json_new_object();
    json_add_int(root, "format", INDEX_FORMAT);
    json_add_string(root, "index_of", text);
    json_add_int(root, "table_rows", x->table_rows);
    json_add_int(root, "rows", x->n);
    json_add_int(root, "entities", x->entities);
    json_add_int(root, "slots", x->n_slots);
    struct json *keys = json_add_array(root, "keys"), *columns = json_add_array(root, "columns");
    for (int k = 0; k < x->n_by; k++)
        add_shape(keys, &x->keys[k], NULL);
    for (int k = 0; k < x->n_columns; k++)
        add_shape(columns, &x->columns[k].values, &x->columns[k]);
    layout_print_files(files, root);
    layout_print_summed(root, out);
}

static int write_arrays(const struct index *x, const char *dir, struct layout *ret_files,
                        struct err *err)
{
    const struct index_own *own = x->own;
    for (int i = 0; i < own->n_arrays; i++) {
        const struct index_array *a = &own->arrays[i];
        struct npy_header header;
        CLEANUP(str_deinit) struct str head = {0}, name = {0};
        npy_write_header(&head, a->descr, 0, 0);
        if (npy_parse(head.s, head.len, &header, err) < 0)
            return err_prefix(err, "index array %s", a->name);
        int64_t items = a->rows * (a->columns ? a->columns : 1);
        str_addf(&name, "%s.npy", a->name);
        struct layout_entry entry = {0};
        int r = array_file_write(dir, name.s, a->descr, a->rows, a->columns, *a->at,
                                 (size_t)items * header.item_bytes, &entry, err);
        if (r < 0)
            return r;
        layout_add_file(ret_files, entry);
    }
    return 0;
}

int index_write(const struct index *x, const char *text, const char *dir, struct err *err)
{
    CLEANUP(mem_free_chars)
    char *temporary = mem_printf("%s.tmp-%d-%016" PRIx64, dir, (int)getpid(), random_u64());
    CLEANUP(layout_deinit) struct layout files = {0};
    int r = fs_mkdirs(temporary, err);
    if (r == 0)
        r = write_arrays(x, temporary, &files, err);
    if (r == 0) {
        CLEANUP(str_deinit) struct str description = {0};
        CLEANUP(mem_free_chars) char *path = fs_join(temporary, INDEX_JSON);
        describe(x, text, &files, &description);
        r = fs_write(path, description.s, description.len, err);
    }
    if (r == 0 && rename(temporary, dir) < 0 && errno != EEXIST && errno != ENOTEMPTY)
        r = err_set_errno(err, ERR_WRITE, errno, "cannot rename %s to %s", temporary, dir);
    CLEANUP(mem_free_chars) char *parent = fs_join(dir, "..");
    if (r == 0)
        r = fs_sync_dir(parent, err);
    fs_remove_tree(temporary, NULL); /* on failure, or when another process was first */
    return r;
}

/* ---- mapping ---- */

static int map_array(const char *dir, const struct index_array *a, void **ret_map,
                     size_t *ret_bytes, struct err *err)
{
    CLEANUP(mem_free_chars) char *path = mem_printf("%s/%s.npy", dir, a->name);
    if (fs_map(path, ret_map, ret_bytes, err) < 0)
        return err->code = ERR_CONFIG;
    struct npy_header header;
    int r = npy_parse(*ret_map, *ret_bytes, &header, err);
    if (r == 0 && (strcmp(header.descr, a->descr) != 0 || header.rows != a->rows ||
                   header.columns != a->columns))
        r = err_set(err, ERR_CONFIG, "holds %" PRId64 " items of %s, not %" PRId64 " of %s",
                    header.rows, header.descr, a->rows, a->descr);
    if (r < 0) {
        err_prefix(err, "%s", path);
        err->code = ERR_CONFIG;
        return ERR_CONFIG;
    }
    *a->at = (const char *)*ret_map + header.data_at;
    return 0;
}

static int read_shape(const struct json *node, struct column *c, struct index_column *x,
                      bool own_dict, struct column_shape *ret, struct err *err)
{
    int64_t max_chars;
    if (json_need_int(node, "dict_n", &ret->dict_n, err) < 0 ||
        json_need_int(node, "dict_bytes", &ret->dict_bytes, err) < 0 ||
        json_need_int(node, "max_chars", &max_chars, err) < 0)
        return ERR_CONFIG;
    const struct json *valid = json_get(node, "valid"), *sums = json_get(node, "sums");
    ret->valid = valid && json_type(valid) == JSON_BOOL && json_bool(valid);
    ret->sums = sums && json_type(sums) == JSON_BOOL && json_bool(sums);
    if (own_dict && c->type == TYPE_STRING) {
        c->dict = (struct dict){.n = (int32_t)ret->dict_n};
        c->max_chars = (int32_t)max_chars;
    }
    if (x)
        x->stride = ret->valid ? 2 : 1;
    return 0;
}

static int read_description(const struct json *root, const struct index_request *q, struct index *x,
                            struct column_shape *keys, struct column_shape *fields, struct err *err)
{
    const char *text;
    int64_t format, rows, entities, slots, table_rows;
    if (json_need_int(root, "format", &format, err) < 0 ||
        json_need_string(root, "index_of", &text, err) < 0 ||
        json_need_int(root, "rows", &rows, err) < 0 ||
        json_need_int(root, "entities", &entities, err) < 0 ||
        json_need_int(root, "slots", &slots, err) < 0 ||
        json_need_int(root, "table_rows", &table_rows, err) < 0)
        return ERR_CONFIG;
    const struct json *key_list = json_get(root, "keys"), *column_list = json_get(root, "columns");
    if (format != INDEX_FORMAT || strcmp(text, q->text) != 0 || table_rows != q->table_rows ||
        rows < 0 || rows > table_rows || entities < 0 || slots < 1 || slots > INT32_MAX ||
        (slots & (slots - 1)) || json_size(key_list) != q->n_by ||
        json_size(column_list) != q->n_fields)
        return err_set(err, ERR_CONFIG, "is of another format or data");
    x->n = rows;
    x->entities = (int32_t)entities;
    x->n_slots = (uint32_t)slots;
    for (int k = 0; k < q->n_by; k++) {
        x->keys[k] = q->by[k];
        x->keys[k].rows = entities;
        if (read_shape(json_at(key_list, k), &x->keys[k], NULL, true, &keys[k], err) < 0)
            return ERR_CONFIG;
        x->keys[k].valid = NULL;
        x->keys[k].own = NULL;
    }
    for (int k = 0; k < q->n_fields; k++) {
        struct index_column *c = &x->columns[k];
        c->values = *q->fields[k].column;
        c->values.rows = rows;
        c->values.valid = NULL;
        c->values.own = NULL;
        if (read_shape(json_at(column_list, k), &c->values, c, q->fields[k].own_dict, &fields[k],
                       err) < 0)
            return ERR_CONFIG;
    }
    return 0;
}

static int map_arrays(struct index *x, const char *dir, struct err *err)
{
    struct index_own *own = x->own;
    own->mapped = true;
    own->maps = mem_zalloc((size_t)own->n_arrays * sizeof *own->maps);
    own->map_bytes = mem_zalloc((size_t)own->n_arrays * sizeof *own->map_bytes);
    for (int i = 0; i < own->n_arrays; i++) {
        int r = map_array(dir, &own->arrays[i], &own->maps[i], &own->map_bytes[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

int index_map(const char *dir, const struct index_request *q, struct index **ret, struct err *err)
{
    CLEANUP(mem_free_chars) char *path = fs_join(dir, INDEX_JSON);
    if (!fs_exists(path))
        return INDEX_ABSENT;
    CLEANUP(str_deinit) struct str text = {0};
    CLEANUP(json_free) struct json *root = NULL;
    CLEANUP(index_free) struct index *x = index_new(q);
    struct column_shape *shapes =
        mem_zalloc(sizeof *shapes * (size_t)(q->n_fields + GROUP_MAX_BY + 1));
    int r = fs_read(path, &text, err);
    if (r == 0)
        r = layout_check_sum(path, &text, err);
    if (r == 0)
        r = json_parse(path, text.s, text.len, &root, err);
    if (r == 0 && read_description(root, q, x, shapes, shapes + GROUP_MAX_BY, err) < 0)
        r = err_prefix(err, "%s", path);
    if (r == 0) {
        index_arrays(x, q, shapes, shapes + GROUP_MAX_BY);
        r = map_arrays(x, dir, err);
    }
    free(shapes);
    if (r < 0) {
        err->code = ERR_CONFIG;
        return err_prefix(
            err, "an index that does not fit; remove the folder %s to have it built anew", dir);
    }
    *ret = x;
    x = NULL;
    return 0;
}

/* ---- finding ---- */

int32_t index_find(const struct index *x, const struct column *values, int64_t at)
{
    return group_find(x->slots, x->n_slots, x->keys, values, x->n_by, at);
}

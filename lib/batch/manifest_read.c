/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* manifest_read.c - `_manifest.jsonl` and `_SUCCESS`, from text. */
#include "batch/manifest.h"

#include <inttypes.h>

#include "base/clock.h"
#include "batch/result.h"
#include "codec/json.h"

void manifest_free(struct manifest *manifest)
{
    if (!manifest)
        return;
    for (int64_t i = 0; i < manifest->n; i++) {
        struct manifest_line *line = &manifest->lines[i];
        free(line->key);
        free(line->crc32);
        free(line->class);
        free(line->error);
    }
    free(manifest->lines);
    free(manifest->batch);
    free(manifest->format);
    free(manifest);
}

const struct manifest_line *manifest_find(const struct manifest *manifest, const char *key)
{
    int64_t low = 0, high = manifest->n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int order = strcmp(manifest->lines[middle].key, key);
        if (order == 0)
            return &manifest->lines[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- members ---- */

static int need_count(const struct json *node, const char *name, int64_t *ret, struct err *err)
{
    int r = json_need_int(node, name, ret, err);
    if (r == 0 && *ret < 0)
        r = err_set(err, ERR_INPUT, "\"%s\" is %" PRId64 ", which cannot be", name, *ret);
    return r;
}

static bool parse_crc(const char *text, uint32_t *ret)
{
    if (strlen(text) != 8 || strspn(text, "0123456789abcdef") != 8)
        return false;
    *ret = (uint32_t)strtoul(text, NULL, 16);
    return true;
}

/* ---- a key's line ---- */

static int parse_sums(const struct json *list, struct manifest_line *line, struct err *err)
{
    if (!list || json_type(list) != JSON_ARRAY)
        return err_set(err, ERR_INPUT, "\"crc32\" is missing");
    line->crc32 = mem_zalloc(((size_t)json_size(list) + 1) * sizeof(*line->crc32));
    for (const struct json *item = json_first(list); item; item = json_next(item)) {
        if (json_type(item) != JSON_STRING ||
            !parse_crc(json_string(item), &line->crc32[line->n_members++]))
            return err_set(err, ERR_INPUT, "\"crc32\" is not of 8 hexadecimal digits each");
    }
    return 0;
}

static int parse_done(const struct json *node, struct manifest_line *line, struct err *err)
{
    const struct json *stale = json_get(node, "stale");
    int r = need_count(node, "rows", &line->rows, err);
    if (r == 0)
        r = need_count(node, "bytes", &line->bytes, err);
    if (r == 0)
        r = need_count(node, "generation", &line->generation, err);
    if (r == 0)
        r = parse_sums(json_get(node, "crc32"), line, err);
    line->stale = stale && json_type(stale) == JSON_BOOL && json_bool(stale);
    return r;
}

static int parse_failed(const struct json *node, struct manifest_line *line, struct err *err)
{
    const char *class, *error;
    int r = json_need_string(node, "class", &class, err);
    if (r == 0)
        r = json_need_string(node, "error", &error, err);
    if (r < 0)
        return r;
    line->class = mem_strdup(class);
    line->error = mem_strdup(error);
    return 0;
}

static int parse_key(const struct json *node, struct manifest_line *line, struct err *err)
{
    const char *key, *state;
    int r = json_need_string(node, "key", &key, err);
    if (r == 0)
        r = json_need_string(node, "state", &state, err);
    if (r < 0)
        return r;
    if (!result_key_ok(key))
        return err_set(err, ERR_INPUT, "\"key\" is '%.100s', which is no key", key);
    line->key = mem_strdup(key);
    line->done = strcmp(state, "done") == 0;
    if (!line->done && strcmp(state, "failed") != 0)
        return err_set(err, ERR_INPUT, "\"state\" is '%.50s'", state);
    return line->done ? parse_done(node, line, err) : parse_failed(node, line, err);
}

/* ---- the first line ---- */

static int check_format(const char *name, const struct json *root, struct err *err)
{
    int64_t format;
    int r = json_need_int(root, "hiwari", &format, err);
    if (r < 0 || format <= BATCH_FORMAT)
        return r;
    return err_set(err, ERR_CONFIG,
                   "%s was written by a newer hiwari (format %" PRId64 "): update this one", name,
                   format);
}

static int parse_head(const struct json *root, struct manifest *manifest, int64_t *ret_keys,
                      struct err *err)
{
    const char *batch, *format;
    int64_t version = 0;
    int r = json_need_string(root, "batch", &batch, err);
    if (r == 0)
        r = json_need_hex(root, "incarnation", BATCH_INCARNATION - 1, manifest->incarnation, err);
    if (r == 0)
        r = json_need_hex(root, "spec", SHA256_HEX - 1, manifest->spec, err);
    if (r == 0)
        r = json_need_hex(root, "snapshot", SHA256_HEX - 1, manifest->snapshot, err);
    if (r == 0)
        r = json_need_string(root, "format", &format, err);
    if (r == 0)
        r = need_count(root, "epoch", &manifest->epoch, err);
    if (r == 0)
        r = need_count(root, "result_version", &version, err);
    if (r == 0)
        r = need_count(root, "keys", ret_keys, err);
    if (r < 0)
        return r;
    if (!result_format_ok(format))
        return err_set(err, ERR_INPUT, "\"format\" is '%.50s'", format);
    manifest->batch = mem_strdup(batch);
    manifest->format = mem_strdup(format);
    manifest->result_version = (int)version;
    return 0;
}

/* ---- the whole ---- */

struct lines {
    const char *name;
    const char *p, *end;
    int64_t number; /* of the line that was read last, from 1 */
};

/* The next line as JSON; 1, 0 at the end, or an ERR_. */
static int next_line(struct lines *lines, struct json **ret, struct err *err)
{
    if (lines->p == lines->end)
        return 0;
    const char *feed = memchr(lines->p, '\n', (size_t)(lines->end - lines->p));
    lines->number++;
    if (!feed)
        return err_set(err, ERR_INPUT, "its last line has no end: it was cut");
    CLEANUP(mem_free_chars) char *name = mem_printf("line %" PRId64, lines->number);
    int r = json_parse(name, lines->p, (size_t)(feed - lines->p), ret, err);
    lines->p = feed + 1;
    return r < 0 ? r : 1;
}

static int parse_keys(struct lines *lines, struct manifest *manifest, struct err *err)
{
    size_t cap = 0;
    for (;;) {
        CLEANUP(json_free) struct json *node = NULL;
        int r = next_line(lines, &node, err);
        if (r <= 0)
            return r;
        manifest->lines =
            mem_grow(manifest->lines, &cap, (size_t)manifest->n + 1, sizeof(*manifest->lines));
        struct manifest_line *line = &manifest->lines[manifest->n++];
        *line = (struct manifest_line){0};
        r = parse_key(node, line, err);
        if (r == 0 && manifest->n > 1 && strcmp(line[-1].key, line->key) >= 0)
            r = err_set(err, ERR_INPUT, "its key is out of order");
        if (r < 0)
            return err_prefix(err, "line %" PRId64, lines->number);
        manifest->done += line->done;
        manifest->failed += !line->done;
    }
}

int manifest_parse(const char *name, const char *text, size_t len, struct manifest **ret,
                   struct err *err)
{
    CLEANUP(manifest_free) struct manifest *manifest = MEM_NEW(struct manifest);
    CLEANUP(json_free) struct json *head = NULL;
    struct lines lines = {.name = name, .p = text, .end = text + len};
    int64_t keys = 0;
    int r = next_line(&lines, &head, err);
    if (r == 0)
        r = err_set(err, ERR_INPUT, "it is empty");
    if (r > 0)
        r = check_format(name, head, err);
    if (r == ERR_CONFIG)
        return r;
    if (r == 0)
        r = parse_head(head, manifest, &keys, err);
    if (r == 0)
        r = parse_keys(&lines, manifest, err);
    if (r == 0 && manifest->n != keys)
        r = err_set(err, ERR_INPUT, "it has %" PRId64 " keys, and its first line says %" PRId64,
                    manifest->n, keys);
    if (r < 0)
        return err_prefix(err, "%s", name);
    *ret = manifest;
    manifest = NULL;
    return 0;
}

int manifest_seal_parse(const char *name, const char *text, size_t len, struct manifest_seal *ret,
                        struct err *err)
{
    CLEANUP(json_free) struct json *root = NULL;
    const char *crc;
    int r = json_parse(name, text, len, &root, err);
    if (r < 0)
        return r;
    r = check_format(name, root, err);
    if (r == ERR_CONFIG)
        return r;
    if (r == 0)
        r = json_need_hex(root, "incarnation", BATCH_INCARNATION - 1, ret->incarnation, err);
    if (r == 0)
        r = need_count(root, "epoch", &ret->epoch, err);
    if (r == 0)
        r = need_count(root, "keys", &ret->keys, err);
    if (r == 0)
        r = json_need_string(root, "manifest_crc32c", &crc, err);
    if (r == 0 && !parse_crc(crc, &ret->manifest_crc32c))
        r = err_set(err, ERR_INPUT, "\"manifest_crc32c\" is not 8 hexadecimal digits");
    return r < 0 ? err_prefix(err, "%s", name) : 0;
}

/* ---- from a destination ---- */

/* Both texts. 0 or STORE_ABSENT (no manifest); *ret_sealed: there is a `_SUCCESS`. */
static int read_both(struct store *store, struct str *manifest, struct str *success,
                     bool *ret_sealed, struct err *err)
{
    int r = store_get(store, BATCH_SUCCESS, 0, success, NULL, err);
    if (r < 0)
        return r;
    *ret_sealed = r == 0;
    return store_get(store, BATCH_MANIFEST, 0, manifest, NULL, err);
}

/* Is the seal of this text? 0, 1 no, or an ERR_. */
static int check_seal(const char *name, const struct str *manifest, const struct str *success,
                      struct err *err)
{
    struct manifest_seal seal;
    int r = manifest_seal_parse(name, success->s, success->len, &seal, err);
    return r < 0 ? r : crc32c(0, manifest->s, manifest->len) != seal.manifest_crc32c;
}

int manifest_read(struct store *store, struct manifest **ret, bool *ret_sealed, struct err *err)
{
    enum { TRIES = 3, WAIT_MS = 300 };
    CLEANUP(mem_free_chars)
    char *manifest_name = mem_printf("%s/" BATCH_MANIFEST, store_url(store));
    CLEANUP(mem_free_chars) char *success_name = mem_printf("%s/" BATCH_SUCCESS, store_url(store));
    CLEANUP(str_deinit) struct str manifest = {0};
    CLEANUP(str_deinit) struct str success = {0};
    int r = 1;
    /* Read just while a batch settles again, the two need not fit: they are read once more. */
    for (int i = 0; r == 1 && i < TRIES; i++) {
        clock_sleep_ms(i * WAIT_MS);
        r = read_both(store, &manifest, &success, ret_sealed, err);
        if (r != 0)
            return r;
        r = *ret_sealed ? check_seal(success_name, &manifest, &success, err) : 0;
    }
    if (r < 0)
        return r;
    if (r > 0)
        return err_set(err, ERR_INPUT,
                       "%s does not have the checksum that %s says: one of them was changed or "
                       "damaged. Delete " BATCH_SUCCESS " and enqueue the batch again: results are "
                       "kept, and both are written anew",
                       manifest_name, success_name);
    return manifest_parse(manifest_name, manifest.s, manifest.len, ret, err);
}

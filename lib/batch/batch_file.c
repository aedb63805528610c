/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* batch_file.c - `_batch.json` as text, both ways. */
#include "batch/batch_file.h"

#include "base/date.h"
#include "batch/result.h"
#include "codec/json.h"

void batch_file_free(struct batch_file *file)
{
    if (!file)
        return;
    for (int64_t i = 0; i < file->n_keys; i++)
        free(file->keys[i].key);
    free(file->keys);
    free(file->name);
    free(file->spec);
    free(file->dest);
    free(file->format);
    free(file->made_by);
    free(file->made_at);
    free(file);
}

static void hash_keys(const struct batch_file *file, char ret_hex[SHA256_HEX])
{
    struct sha256 h;
    uint8_t sum[SHA256_BYTES];
    sha256_init(&h);
    for (int64_t i = 0; i < file->n_keys; i++) {
        sha256_add(&h, file->keys[i].key, strlen(file->keys[i].key));
        sha256_add(&h, "\n", 1);
    }
    sha256_finish(&h, sum);
    sha256_deinit(&h);
    hash_hex(sum, SHA256_BYTES, ret_hex);
}

void batch_file_complete(struct batch_file *file)
{
    struct batch_settings *s = &file->settings;
    s->lease_ms = s->lease_ms ? s->lease_ms : 30 * 1000;
    s->key_ms = s->key_ms ? s->key_ms : 3600 * 1000;
    s->max_attempts = s->max_attempts ? s->max_attempts : 3;
    s->max_interruptions = s->max_interruptions ? s->max_interruptions : 10;
    hash_keys(file, file->keys_sha256);
}

int64_t batch_file_find(const struct batch_file *file, const char *key)
{
    int64_t low = 0, high = file->n_keys;
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        int order = strcmp(file->keys[mid].key, key);
        if (order == 0)
            return mid;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return -1;
}

/* ---- comparing ---- */

bool batch_file_same_work(const struct batch_file *a, const struct batch_file *b,
                          const char **ret_what)
{
    const char *what = NULL;
    if (strcmp(a->spec_sha256, b->spec_sha256) != 0)
        what = "spec";
    else if (strcmp(a->snapshot_id, b->snapshot_id) != 0)
        what = "snapshot";
    else if (strcmp(a->format, b->format) != 0)
        what = "format";
    else if (a->result_version != b->result_version)
        what = "result version";
    else if (strcmp(a->keys_sha256, b->keys_sha256) != 0)
        what = "set of keys";
    if (ret_what && what)
        *ret_what = what;
    return !what;
}

bool batch_file_same_settings(const struct batch_file *a, const struct batch_file *b)
{
    const struct batch_settings *s = &a->settings, *t = &b->settings;
    return a->replace_stale == b->replace_stale && s->lease_ms == t->lease_ms &&
           s->key_ms == t->key_ms && s->max_attempts == t->max_attempts &&
           s->max_interruptions == t->max_interruptions && s->newest_first == t->newest_first &&
           s->durable == t->durable && s->notify == t->notify;
}

struct queue_settings batch_file_queue_settings(const struct batch_file *file, const char *text)
{
    return (struct queue_settings){
        .lease_ms = file->settings.lease_ms,
        .key_ms = file->settings.key_ms,
        .max_attempts = file->settings.max_attempts,
        .max_interruptions = file->settings.max_interruptions,
        .newest_first = file->settings.newest_first,
        .result_version = file->result_version,
        .spec_sha256 = file->spec_sha256,
        .snapshot_id = file->snapshot_id,
        .dest = file->dest,
        .format = file->format,
        .batch_json = text,
    };
}

void batch_file_tell(const struct batch_file *file, struct store *store)
{
    if (file->unconditional)
        store_set_unconditional(store);
}

/* ---- printing ---- */

/* Are the keys dates, each the day after the one before? */
static bool keys_are_range(const struct batch_file *file)
{
    int64_t first = 0, day;
    for (int64_t i = 0; i < file->n_keys; i++) {
        const char *key = file->keys[i].key;
        if (!date_parse(key, strlen(key), &day) || (i > 0 && day != first + i))
            return false;
        if (i == 0)
            first = day;
    }
    return file->n_keys > 2;
}

static void print_keys(const struct batch_file *file, struct json *root)
{
    struct json *keys = json_add_object(root, "keys");
    json_add_int(keys, "count", file->n_keys);
    json_add_string(keys, "sha256", file->keys_sha256);
    if (keys_are_range(file)) {
        json_add_string(keys, "from", file->keys[0].key);
        json_add_string(keys, "to", file->keys[file->n_keys - 1].key);
    } else {
        struct json *list = json_add_array(keys, "list");
        for (int64_t i = 0; i < file->n_keys; i++)
            json_add_string(list, NULL, file->keys[i].key);
    }
    struct str data = {0};
    str_reserve(&data, (size_t)file->n_keys * (BATCH_DATA - 1));
    for (int64_t i = 0; i < file->n_keys; i++)
        str_add(&data, file->keys[i].data, BATCH_DATA - 1);
    json_add_string(keys, "data", data.s);
    str_deinit(&data);
}

static void print_settings(const struct batch_settings *settings, struct json *root)
{
    struct json *node = json_add_object(root, "settings");
    json_add_int(node, "lease_ms", settings->lease_ms);
    json_add_int(node, "key_ms", settings->key_ms);
    json_add_int(node, "max_attempts", settings->max_attempts);
    json_add_int(node, "max_interruptions", settings->max_interruptions);
    json_add_bool(node, "newest_first", settings->newest_first);
    json_add_bool(node, "durable", settings->durable);
    json_add_bool(node, "notify", settings->notify);
}

void batch_file_print(const struct batch_file *file, struct str *out)
{
    CLEANUP(json_free) struct json *root = json_new_object();
    json_add_int(root, "hiwari", BATCH_FORMAT);
    json_add_string(root, "batch", file->name);
    json_add_string(root, "incarnation", file->incarnation);
    json_add_string(root, "made_at", file->made_at);
    json_add_string(root, "made_by", file->made_by);
    json_add_string(root, "dest", file->dest);
    json_add_string(root, "format", file->format);
    json_add_int(root, "result_version", file->result_version);
    json_add_bool(root, "replace_stale", file->replace_stale);
    json_add_bool(root, "conditional_writes", !file->unconditional);
    json_add_string(root, "snapshot", file->snapshot_id);
    json_add_string(root, "spec_sha256", file->spec_sha256);
    json_add_string(root, "spec", file->spec);
    print_settings(&file->settings, root);
    print_keys(file, root);
    json_print(root, true, out);
    str_addc(out, '\n');
}

/* ---- parsing ---- */

static int need_text(const struct json *node, const char *name, char **ret, struct err *err)
{
    const char *text;
    int r = json_need_string(node, name, &text, err);
    if (r == 0)
        *ret = mem_strdup(text);
    return r;
}

static int need_range(const struct json *node, const char *name, int64_t low, int64_t high,
                      int64_t *ret, struct err *err)
{
    int r = json_need_int(node, name, ret, err);
    if (r == 0 && (*ret < low || *ret > high))
        r = err_set(err, ERR_INPUT, "\"%s\" is %lld, which cannot be", name, (long long)*ret);
    return r;
}

static bool get_bool(const struct json *node, const char *name)
{
    const struct json *member = json_get(node, name);
    return member && json_type(member) == JSON_BOOL && json_bool(member);
}

static int parse_settings(const struct json *node, struct batch_settings *ret, struct err *err)
{
    const int64_t year_ms = INT64_C(366) * 86400 * 1000;
    int64_t attempts = 0, interruptions = 0;
    int r = need_range(node, "lease_ms", 1, year_ms, &ret->lease_ms, err);
    if (r == 0)
        r = need_range(node, "key_ms", 1, year_ms, &ret->key_ms, err);
    if (r == 0)
        r = need_range(node, "max_attempts", 1, 1000000, &attempts, err);
    if (r == 0)
        r = need_range(node, "max_interruptions", 1, 1000000, &interruptions, err);
    ret->max_attempts = (int)attempts;
    ret->max_interruptions = (int)interruptions;
    ret->newest_first = get_bool(node, "newest_first");
    ret->durable = get_bool(node, "durable");
    ret->notify = get_bool(node, "notify");
    return r;
}

static int parse_key_range(const struct json *node, struct batch_file *file, struct err *err)
{
    const char *from, *to;
    int64_t first, last;
    char text[DATE_TEXT];
    int r = json_need_string(node, "from", &from, err);
    if (r == 0)
        r = json_need_string(node, "to", &to, err);
    if (r < 0)
        return r;
    if (!date_parse(from, strlen(from), &first) || !date_parse(to, strlen(to), &last) ||
        last - first + 1 != file->n_keys)
        return err_set(err, ERR_INPUT, "the range of keys is not of %lld dates",
                       (long long)file->n_keys);
    for (int64_t i = 0; i < file->n_keys; i++) {
        date_format(first + i, text);
        file->keys[i].key = mem_strdup(text);
    }
    return 0;
}

static int parse_key_list(const struct json *list, struct batch_file *file, struct err *err)
{
    if (json_type(list) != JSON_ARRAY || json_size(list) != file->n_keys)
        return err_set(err, ERR_INPUT, "the list of keys does not have %lld of them",
                       (long long)file->n_keys);
    const struct json *item = json_first(list);
    for (int64_t i = 0; i < file->n_keys; i++, item = json_next(item)) {
        if (json_type(item) != JSON_STRING || !result_key_ok(json_string(item)) ||
            (i > 0 && strcmp(file->keys[i - 1].key, json_string(item)) >= 0))
            return err_set(err, ERR_INPUT, "key number %lld is not a key, or out of order",
                           (long long)i + 1);
        file->keys[i].key = mem_strdup(json_string(item));
    }
    return 0;
}

static int parse_keys(const struct json *node, struct batch_file *file, struct err *err)
{
    char sum[SHA256_HEX], counted[SHA256_HEX];
    int64_t n = 0;
    const char *data;
    int r = need_range(node, "count", 0, 100000000, &n, err);
    if (r == 0)
        r = json_need_hex(node, "sha256", SHA256_HEX - 1, sum, err);
    if (r == 0)
        r = json_need_string(node, "data", &data, err);
    if (r < 0)
        return r;
    const size_t digits = BATCH_DATA - 1;
    if (strlen(data) != (size_t)n * digits)
        return err_set(err, ERR_INPUT, "\"data\" is not %zu digits for each of %lld keys", digits,
                       (long long)n);
    file->keys = mem_zalloc(((size_t)n + 1) * sizeof(*file->keys));
    file->n_keys = n;
    const struct json *list = json_get(node, "list");
    r = list ? parse_key_list(list, file, err) : parse_key_range(node, file, err);
    if (r < 0)
        return r;
    for (int64_t i = 0; i < n; i++)
        memcpy(file->keys[i].data, data + (size_t)i * digits, digits);
    hash_keys(file, counted);
    if (strcmp(sum, counted) != 0)
        return err_set(err, ERR_INPUT, "the checksum of the keys does not fit them");
    memcpy(file->keys_sha256, sum, sizeof(sum));
    return 0;
}

static int parse_root(const struct json *root, struct batch_file *file, struct err *err)
{
    int64_t version = 0;
    int r = need_text(root, "batch", &file->name, err);
    if (r == 0)
        r = json_need_hex(root, "incarnation", BATCH_INCARNATION - 1, file->incarnation, err);
    if (r == 0)
        r = need_text(root, "spec", &file->spec, err);
    if (r == 0)
        r = json_need_hex(root, "spec_sha256", SHA256_HEX - 1, file->spec_sha256, err);
    if (r == 0)
        r = json_need_hex(root, "snapshot", SHA256_HEX - 1, file->snapshot_id, err);
    if (r == 0)
        r = need_text(root, "dest", &file->dest, err);
    if (r == 0)
        r = need_text(root, "format", &file->format, err);
    if (r == 0)
        r = need_text(root, "made_by", &file->made_by, err);
    if (r == 0)
        r = need_text(root, "made_at", &file->made_at, err);
    if (r == 0)
        r = need_range(root, "result_version", 1, 1000000, &version, err);
    if (r == 0)
        r = parse_settings(json_get(root, "settings"), &file->settings, err);
    if (r == 0)
        r = parse_keys(json_get(root, "keys"), file, err);
    file->result_version = (int)version;
    file->replace_stale = get_bool(root, "replace_stale");
    const struct json *conditional = json_get(root, "conditional_writes");
    file->unconditional =
        conditional && json_type(conditional) == JSON_BOOL && !json_bool(conditional);
    if (r == 0 && !result_format_ok(file->format))
        r = err_set(err, ERR_INPUT, "\"format\" is '%.50s'", file->format);
    return r;
}

int batch_file_parse(const char *name, const char *text, size_t len, struct batch_file **ret,
                     struct err *err)
{
    CLEANUP(json_free) struct json *root = NULL;
    CLEANUP(batch_file_free) struct batch_file *file = MEM_NEW(struct batch_file);
    int64_t format = 0;
    int r = json_parse(name, text, len, &root, err);
    if (r < 0)
        return r;
    r = json_need_int(root, "hiwari", &format, err);
    if (r == 0 && format > BATCH_FORMAT)
        return err_set(err, ERR_CONFIG,
                       "%s was written by a newer hiwari (format %lld): update this one", name,
                       (long long)format);
    if (r == 0)
        r = parse_root(root, file, err);
    if (r < 0)
        return err_prefix(err, "%s", name);
    *ret = file;
    file = NULL;
    return 0;
}

int batch_file_read(struct store *store, struct batch_file **ret, int64_t *ret_generation,
                    struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    int64_t generation;
    int r = store_get(store, BATCH_FILE, 0, &text, &generation, err);
    if (r != 0)
        return r;
    CLEANUP(mem_free_chars) char *name = mem_printf("%s/" BATCH_FILE, store_url(store));
    r = batch_file_parse(name, text.s, text.len, ret, err);
    if (r == 0 && ret_generation)
        *ret_generation = generation;
    return r;
}

int batch_file_compare(const struct batch_file *file, const struct batch_file *there,
                       const struct store *store, struct err *err)
{
    if (!there || strcmp(file->incarnation, there->incarnation) == 0)
        return 0;
    return err_set(err, ERR_CONFIG,
                   "batch %s in Redis (incarnation %.8s) is not the one in %s (batch %s, "
                   "incarnation %.8s): enqueue it again",
                   file->name, file->incarnation, store_url(store), there->name,
                   there->incarnation);
}

int batch_file_check(const struct batch_file *file, struct store *store, struct err *err)
{
    CLEANUP(batch_file_free) struct batch_file *there = NULL;
    struct err why = {0};
    int r = batch_file_read(store, &there, NULL, &why);
    if (r < 0)
        return err_set(err, r == ERR_INPUT ? ERR_CONFIG : r, "%s", why.text);
    return batch_file_compare(file, there, store, err);
}

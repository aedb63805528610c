/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* result.c - packing a frame, and what to think of the object that is there already. */
#include "batch/result.h"

#include <inttypes.h>
#include <stdio.h>

#include "batch/batch_file.h"
#include "codec/csv.h"
#include "codec/json.h"
#include "codec/npz.h"

enum {
    IDENTITY_FORMAT = 1,
    COMMENT_MAX = 65535,    /* what the archive's end record has room for */
    TAIL_FIRST = 4096 + 22, /* holds nearly every identity line */
};

/* ---- names ---- */

bool result_format_ok(const char *format)
{
    return strcmp(format, "csv") == 0 || strcmp(format, "npz") == 0;
}

bool result_key_ok(const char *key)
{
    return store_name_ok(key) && key[0] != '_' &&
           strlen(key) + strlen(BATCH_RESULT_SUFFIX) <= STORE_NAME_MAX;
}

char *result_name(const char *key)
{
    return mem_printf("%s" BATCH_RESULT_SUFFIX, key);
}

bool result_key_of(const char *name, char *ret)
{
    size_t len = strlen(name), suffix = strlen(BATCH_RESULT_SUFFIX);
    if (len <= suffix || !str_ends(name, BATCH_RESULT_SUFFIX))
        return false;
    memcpy(ret, name, len - suffix);
    ret[len - suffix] = '\0';
    return result_key_ok(ret);
}

/* ---- identity ---- */

void result_identity_free(struct result_identity *identity)
{
    if (!identity)
        return;
    for (int i = 0; i < identity->n_members; i++)
        free(identity->members[i].name);
    free(identity->members);
    free(identity->key);
    free(identity->format);
    free(identity);
}

bool result_identity_same(const struct result_identity *a, const struct result_identity *b)
{
    size_t digits = strlen(a->data) < strlen(b->data) ? strlen(a->data) : strlen(b->data);
    return strcmp(a->key, b->key) == 0 && strcmp(a->spec, b->spec) == 0 &&
           strcmp(a->format, b->format) == 0 && a->result_version == b->result_version &&
           strncmp(a->data, b->data, digits) == 0;
}

static void identity_print(const struct result_identity *identity, bool with_members,
                           struct str *out)
{
    CLEANUP(json_free) struct json *root = json_new_object();
    json_add_int(root, "hiwari", IDENTITY_FORMAT);
    json_add_string(root, "key", identity->key);
    json_add_string(root, "spec", identity->spec);
    json_add_string(root, "data", identity->data);
    json_add_string(root, "format", identity->format);
    json_add_int(root, "result_version", identity->result_version);
    json_add_int(root, "rows", identity->rows);
    struct json *members = json_add_array(root, "members");
    for (int i = 0; with_members && i < identity->n_members; i++) {
        struct json *member = json_add_object(members, NULL);
        char crc[9];
        snprintf(crc, sizeof(crc), "%08" PRIx32, identity->members[i].crc32);
        json_add_string(member, "name", identity->members[i].name);
        json_add_int(member, "bytes", identity->members[i].bytes);
        json_add_string(member, "crc32", crc);
    }
    json_print(root, false, out);
}

static int parse_member(const struct json *node, struct result_member *ret, struct err *err)
{
    const char *name, *crc;
    int r = json_need_string(node, "name", &name, err);
    if (r == 0)
        r = json_need_int(node, "bytes", &ret->bytes, err);
    if (r == 0)
        r = json_need_string(node, "crc32", &crc, err);
    if (r < 0)
        return r;
    if (strlen(crc) != 8 || strspn(crc, "0123456789abcdef") != 8)
        return err_set(err, ERR_INPUT, "\"crc32\" is not 8 hexadecimal digits");
    ret->name = mem_strdup(name);
    ret->crc32 = (uint32_t)strtoul(crc, NULL, 16);
    return 0;
}

static int parse_members(const struct json *list, struct result_identity *identity, struct err *err)
{
    if (!list || json_type(list) != JSON_ARRAY)
        return err_set(err, ERR_INPUT, "\"members\" is missing");
    identity->members = mem_zalloc(((size_t)json_size(list) + 1) * sizeof(*identity->members));
    for (const struct json *item = json_first(list); item; item = json_next(item)) {
        int r = parse_member(item, &identity->members[identity->n_members], err);
        if (r < 0)
            return r;
        identity->n_members++;
    }
    return 0;
}

static int parse_identity(const struct json *root, struct result_identity *identity,
                          struct err *err)
{
    const char *key, *spec, *data, *format;
    int64_t hiwari = 0, version = 0;
    int r = json_need_int(root, "hiwari", &hiwari, err);
    if (r == 0)
        r = json_need_string(root, "key", &key, err);
    if (r == 0)
        r = json_need_string(root, "spec", &spec, err);
    if (r == 0)
        r = json_need_string(root, "data", &data, err);
    if (r == 0)
        r = json_need_string(root, "format", &format, err);
    if (r == 0)
        r = json_need_int(root, "result_version", &version, err);
    if (r == 0)
        r = json_need_int(root, "rows", &identity->rows, err);
    if (r < 0)
        return r;
    if (strlen(spec) != SHA256_HEX - 1 || strlen(data) != SHA256_HEX - 1)
        return err_set(err, ERR_INPUT, "\"spec\" and \"data\" are not SHA-256 sums");
    memcpy(identity->spec, spec, SHA256_HEX);
    memcpy(identity->data, data, SHA256_HEX);
    identity->key = mem_strdup(key);
    identity->format = mem_strdup(format);
    identity->result_version = (int)version;
    return parse_members(json_get(root, "members"), identity, err);
}

int result_identity_parse(const char *line, size_t len, struct result_identity **ret,
                          struct err *err)
{
    CLEANUP(json_free) struct json *root = NULL;
    CLEANUP(result_identity_free)
    struct result_identity *identity = MEM_NEW(struct result_identity);
    int r = json_parse("the archive comment", line, len, &root, err);
    if (r == 0)
        r = parse_identity(root, identity, err);
    if (r < 0)
        return err_prefix(err, "not a result of hiwari's");
    *ret = identity;
    identity = NULL;
    return 0;
}

/* ---- packing ---- */

static void members_take(struct result_identity *identity, const struct zip_member *members, int n)
{
    identity->members = mem_zalloc(((size_t)n + 1) * sizeof(*identity->members));
    identity->n_members = n;
    for (int i = 0; i < n; i++)
        identity->members[i] = (struct result_member){.name = mem_strdup(members[i].name),
                                                      .bytes = (int64_t)members[i].len,
                                                      .crc32 = members[i].crc32};
}

/* The archive comment: made when the checksums are known. */
static void make_comment(void *ctx, const struct zip_member *members, int n, struct str *comment)
{
    struct result_identity *identity = ctx;
    members_take(identity, members, n);
    identity_print(identity, true, comment);
    if (comment->len > COMMENT_MAX) {
        str_clear(comment);
        identity_print(identity, false, comment);
    }
}

static int pack_csv(const struct result_options *options, const struct frame *frame,
                    struct result *result, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    CLEANUP(mem_free_chars) char *name = mem_printf("%s.csv", options->key);
    csv_write_frame(&text, frame);
    struct zip_member member = {.name = name, .data = text.s, .len = text.len};
    return zip_pack(&member, 1, make_comment, result->identity, &result->zip, err);
}

static int pack_npz(const struct result_options *options, const struct frame *frame,
                    struct result *result, struct err *err)
{
    return npz_pack(frame, options->float32, make_comment, result->identity, &result->zip, err);
}

int result_pack(const struct result_options *options, const struct frame *frame, struct result *ret,
                struct err *err)
{
    CLEANUP(result_deinit) struct result result = {.identity = MEM_NEW(struct result_identity)};
    struct result_identity *identity = result.identity;
    identity->key = mem_strdup(options->key);
    identity->format = mem_strdup(options->format);
    snprintf(identity->spec, sizeof(identity->spec), "%s", options->spec_sha256);
    snprintf(identity->data, sizeof(identity->data), "%s", options->data_hash);
    identity->result_version = RESULT_VERSION;
    identity->rows = frame->rows;
    int r = strcmp(options->format, "npz") == 0 ? pack_npz(options, frame, &result, err)
                                                : pack_csv(options, frame, &result, err);
    if (r < 0)
        return r;
    *ret = result;
    result = (struct result){0};
    return 0;
}

void result_deinit(struct result *result)
{
    str_deinit(&result->zip);
    result_identity_free(result->identity);
    result->identity = NULL;
}

/* ---- the object that is there ---- */

static bool same_members(const struct result_identity *mine, const struct zip_list *theirs)
{
    if (mine->n_members != theirs->n)
        return false;
    for (int i = 0; i < theirs->n; i++) {
        const struct result_member *a = &mine->members[i];
        const struct zip_member *b = &theirs->members[i];
        if (strcmp(a->name, b->name) != 0 || a->bytes != (int64_t)b->len || a->crc32 != b->crc32)
            return false;
    }
    return true;
}

static void describe(const struct result_identity *identity, struct str *out)
{
    str_addf(out, "spec %.12s, data %.12s, %s, version %d, %" PRId64 " rows", identity->spec,
             identity->data, identity->format, identity->result_version, identity->rows);
    if (identity->n_members > 0)
        str_addf(out, ", crc32 %08" PRIx32, identity->members[0].crc32);
}

static int other_is_there(struct store *store, const char *name, const struct result_identity *mine,
                          const struct result_identity *theirs, const char *why, struct err *err)
{
    CLEANUP(str_deinit) struct str a = {0};
    CLEANUP(str_deinit) struct str b = {0};
    describe(mine, &a);
    if (theirs)
        describe(theirs, &b);
    else
        str_addf(&b, "%s", why);
    return err_set(
        err, ERR_INPUT,
        "%s/%s: another result is there and was not replaced: there (%s), computed (%s). "
        "`hiwari reconcile --replace-stale` replaces it; another destination keeps both",
        store_url(store), name, b.s, a.s);
}

/* The upload found something else than it expected: that object decides. */
static int judge_present(struct store *store, const char *name, const struct result *result,
                         int64_t *ret_generation, struct err *err)
{
    CLEANUP(str_deinit) struct str archive = {0};
    CLEANUP(str_deinit) struct str comment = {0};
    CLEANUP(result_identity_free) struct result_identity *theirs = NULL;
    struct zip_list list = {0};
    struct err why = {0};
    int64_t generation;
    int r = store_get(store, name, 0, &archive, &generation, err);
    if (r == STORE_ABSENT)
        return err_set(err, ERR_RETRY, "%s/%s changed while it was written", store_url(store),
                       name);
    if (r < 0)
        return r;
    r = zip_comment(archive.s, archive.len, &comment, &why);
    if (r == 0)
        r = result_identity_parse(comment.s, comment.len, &theirs, &why);
    if (r == 0)
        r = zip_list(archive.s, archive.len, &list, &why);
    if (r < 0)
        return other_is_there(store, name, result->identity, NULL, why.text, err);
    bool same =
        result_identity_same(result->identity, theirs) && same_members(result->identity, &list);
    zip_list_free(&list);
    if (!same)
        return other_is_there(store, name, result->identity, theirs, NULL, err);
    if (ret_generation)
        *ret_generation = generation;
    return RESULT_SAME;
}

/* The identity once more, for the object's metadata: the members stand in it where there is room.
 */
static void make_label(const struct result_identity *identity, struct str *out)
{
    identity_print(identity, true, out);
    if (store_label_ok(out->s))
        return;
    str_clear(out);
    identity_print(identity, false, out);
}

int result_put(struct store *store, const struct result *result, int64_t expect,
               int64_t *ret_generation, struct err *err)
{
    CLEANUP(mem_free_chars) char *name = result_name(result->identity->key);
    CLEANUP(str_deinit) struct str label = {0};
    make_label(result->identity, &label);
    struct store_upload upload = {.name = name,
                                  .data = result->zip.s,
                                  .len = result->zip.len,
                                  .expect = expect,
                                  .label = label.s};
    int r = store_upload(store, &upload, ret_generation, err);
    return r == STORE_CHANGED ? judge_present(store, name, result, ret_generation, err) : r;
}

int result_read_identity(struct store *store, const char *name, struct result_identity **ret,
                         int64_t *ret_generation, struct err *err)
{
    CLEANUP(str_deinit) struct str tail = {0};
    CLEANUP(str_deinit) struct str comment = {0};
    int64_t generation;
    int r = store_get(store, name, TAIL_FIRST, &tail, &generation, err);
    if (r == 0 && zip_comment(tail.s, tail.len, &comment, err) < 0) {
        r = store_get(store, name, ZIP_TAIL, &tail, &generation, err);
        if (r == 0)
            r = zip_comment(tail.s, tail.len, &comment, err);
    }
    if (r == 0)
        r = result_identity_parse(comment.s, comment.len, ret, err);
    if (r < 0)
        return err_prefix(err, "%s", name);
    if (r == 0 && ret_generation)
        *ret_generation = generation;
    return r;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* store_gcs.c - results in Google Cloud Storage, by its JSON API.
 *
 * Every write is conditional on a generation, so asking again after a lost answer is harmless: the
 * second one finds the first and is answered 412. Whether what is there is our own write is told by
 * a random word that each write leaves in the object's metadata; so a 412 means STORE_CHANGED only
 * when somebody else wrote.
 *
 * The server is given the content's CRC-32C and refuses anything else; what it says it has stored
 * is compared again. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/hash.h"
#include "codec/json.h"
#include "store/bucket_url.h"
#include "store/google_auth.h"
#include "store/google_token.h"
#include "store/store_driver.h"
#include "store/store_gcs.h"

#define ENDPOINT "https://storage.googleapis.com"
enum {
    BUCKET_MIN = 3,
    BUCKET_MAX = 222,
    LAST_LOOK_MS = 5000,
    PAGE = 1000,
    PAGE_BYTES = 64 << 20,
    WHOLE_BYTES = 1 << 30,
};

/* ---- open, close ---- */

static int check_bucket(const char *bucket, struct err *err)
{
    size_t len = strlen(bucket);
    bool good = len >= BUCKET_MIN && len <= BUCKET_MAX &&
                strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == len &&
                !strchr("-_.", bucket[0]) && !strchr("-_.", bucket[len - 1]) &&
                !strstr(bucket, "..");
    if (good)
        return 0;
    CLEANUP(mem_free_chars) char *shown = http_url_masked(bucket);
    return err_set(err, ERR_CONFIG,
                   "'%.250s' cannot be the name of a bucket: names have %d to %d of the characters "
                   "a-z 0-9 - _ . and begin and end with a letter or digit",
                   shown, BUCKET_MIN, BUCKET_MAX);
}

static void gcs_stop(struct store *store)
{
    http_stop(gcs_of(store)->http);
}

static void gcs_close(struct store *store)
{
    struct store_gcs *gcs = gcs_of(store);
    google_auth_free(gcs->auth);
    http_free(gcs->http);
    free(gcs->base);
    free(gcs->bucket);
    free(gcs->prefix);
    free(store->url);
    free(gcs);
}

/* Where the service is, and how it knows us. */
static int find_service(struct store_gcs *gcs, struct err *err)
{
    const char *emulator = getenv("STORAGE_EMULATOR_HOST");
    if (!emulator || !*emulator) {
        gcs->base = mem_strdup(ENDPOINT);
        return google_auth_new(gcs->http, &gcs->auth, err);
    }
    gcs->base = mem_printf("%s%s", strstr(emulator, "://") ? "" : "http://", emulator);
    for (size_t len = strlen(gcs->base); len > 0 && gcs->base[len - 1] == '/';)
        gcs->base[--len] = '\0';
    if (str_starts(gcs->base, "http://") || str_starts(gcs->base, "https://"))
        return 0;
    CLEANUP(mem_free_chars) char *shown = http_url_masked(emulator);
    return err_set(err, ERR_CONFIG,
                   "STORAGE_EMULATOR_HOST is '%.200s': it is a host and a port, with http:// or "
                   "https:// in front or nothing",
                   shown);
}

int gcs_ready(struct store_gcs *gcs, struct err *err)
{
    CLEANUP(str_deinit) struct str line = {0};
    return gcs->auth ? google_auth_line(gcs->auth, NULL, &line, err) : 0;
}

static int gcs_open(const char *rest, bool create, struct store **ret, struct err *err)
{
    struct store_gcs *gcs = MEM_NEW(struct store_gcs);
    gcs->store.driver = &store_gcs_driver;
    gcs->store.patience_ms = STORE_PATIENCE_MS;
    int r = bucket_split("gs", rest, &gcs->bucket, &gcs->prefix, err);
    if (r == 0)
        r = check_bucket(gcs->bucket, err);
    if (r == 0) {
        gcs->store.url = bucket_url("gs", gcs->bucket, gcs->prefix);
        gcs->http = http_new();
        r = find_service(gcs, err);
    }
    if (r == 0)
        r = gcs_ready(gcs, err);
    if (r == 0 && !create)
        r = store_check_there(&gcs->store, err);
    if (r < 0) {
        gcs_close(&gcs->store);
        return r;
    }
    *ret = &gcs->store;
    return 0;
}

/* ---- requests ---- */

void gcs_object_url(const struct store_gcs *gcs, const char *name, struct str *out)
{
    str_addf(out, "%s/storage/v1/b/%s/o/", gcs->base, gcs->bucket);
    http_escape(gcs->prefix, "", out);
    http_escape(name, "", out);
}

struct http_request gcs_request(struct store_gcs *gcs, const char *method, const struct str *url,
                                int64_t deadline_ms)
{
    int64_t patience_ms = atomic_load(&gcs->store.patience_ms);
    return (struct http_request){
        .method = method,
        .url = url->s,
        .deadline_ms = deadline_ms,
        .stall_ms = patience_ms / 3,
        .authorize = gcs->auth ? google_auth_line : NULL,
        .authorize_ctx = gcs->auth,
        .words = google_words,
    };
}

int gcs_failed(const struct store_gcs *gcs, const char *verb, const char *name, int r,
               struct err *err)
{
    err_prefix(err, "%s %s%s%s", verb, gcs->store.url, *name ? "/" : "", name);
    return r;
}

int gcs_refused(const struct store_gcs *gcs, const char *verb, const char *name,
                const struct http_request *request, const struct http_answer *answer,
                struct err *err)
{
    const char *advice = "";
    int code = ERR_WRITE;
    switch (answer->status) {
    case 401:
        advice = " (these credentials are not accepted)";
        break;
    case 403:
        advice = " (give them the role Storage Object User on this bucket)";
        break;
    case 404:
        advice = " (make the bucket, or choose another destination)";
        break;
    default:
        code = ERR_INPUT;
    }
    struct err words = {0};
    http_err(&words, code, request, answer);
    err_set(err, code, "%s%s", words.text, advice);
    return gcs_failed(gcs, verb, name, code, err);
}

/* ---- what is there ---- */

void gcs_crc(const void *data, size_t len, char ret[GCS_CRC])
{
    uint32_t crc = crc32c(0, data, len);
    uint8_t bytes[] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
                       (uint8_t)crc};
    CLEANUP(str_deinit) struct str text = {0};
    hash_base64(bytes, sizeof(bytes), &text);
    memcpy(ret, text.s, GCS_CRC);
}

static bool get_number(const struct json *node, const char *name, int64_t *ret)
{
    const char *text; /* 64-bit numbers are strings in Google's JSON */
    return json_need_string(node, name, &text, NULL) == 0 && str_to_i64(text, ret) && *ret >= 0;
}

static void copy_text(const struct json *node, const char *name, char *ret, size_t size)
{
    const char *text;
    ret[0] = '\0';
    if (node && json_need_string(node, name, &text, NULL) == 0)
        snprintf(ret, size, "%s", text);
}

static bool object_of(const struct json *root, struct gcs_object *ret)
{
    struct gcs_object object = {0};
    if (!get_number(root, "generation", &object.generation) || object.generation == 0 ||
        !get_number(root, "size", &object.bytes))
        return false;
    copy_text(root, "crc32c", object.crc, sizeof(object.crc));
    copy_text(json_get(root, "metadata"), GCS_WRITE, object.write, sizeof(object.write));
    *ret = object;
    return true;
}

bool gcs_object_parse(const char *text, size_t len, struct gcs_object *ret)
{
    CLEANUP(json_free) struct json *root = NULL;
    return json_parse("answer", text, len, &root, NULL) == 0 && object_of(root, ret);
}

static int senseless(const struct store_gcs *gcs, const char *verb, const char *name,
                     const struct http_answer *answer, struct err *err)
{
    CLEANUP(str_deinit) struct str words = {0};
    http_words(answer, &words);
    err_set(err, ERR_RETRY, "the answer cannot be understood: %s", words.s);
    return gcs_failed(gcs, verb, name, ERR_RETRY, err);
}

int gcs_stat(struct store_gcs *gcs, const char *name, int64_t deadline_ms, struct gcs_object *ret,
             struct err *err)
{
    CLEANUP(str_deinit) struct str url = {0};
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};
    gcs_object_url(gcs, name, &url);
    str_addz(&url, "?fields=generation,size,crc32c,metadata");
    int64_t soonest_ms = clock_ms() + LAST_LOOK_MS;
    struct http_request request =
        gcs_request(gcs, "GET", &url, deadline_ms > soonest_ms ? deadline_ms : soonest_ms);
    int r = http_call(gcs->http, &request, &answer, err);
    if (r < 0)
        return gcs_failed(gcs, "look at", name, r, err);
    if (answer.status == 404)
        return STORE_ABSENT;
    if (answer.status != 200)
        return gcs_refused(gcs, "look at", name, &request, &answer, err);
    if (!gcs_object_parse(answer.body.s ? answer.body.s : "", answer.body.len, ret))
        return senseless(gcs, "look at", name, &answer, err);
    return 0;
}

/* ---- get ---- */

static void range_header(struct store_span span, char *ret, size_t size)
{
    if (span.offset < 0)
        snprintf(ret, size, "Range: bytes=%" PRId64, span.offset);
    else
        snprintf(ret, size, "Range: bytes=%" PRId64 "-%" PRId64, span.offset,
                 span.offset + span.len - 1);
}

/* A whole object's checksum is in the answer; parts have none. */
static bool is_intact(const struct http_answer *answer)
{
    CLEANUP(str_deinit) struct str sums = {0};
    char crc[GCS_CRC];
    if (!http_header(answer, "x-goog-hash", &sums))
        return true;
    const char *theirs = strstr(sums.s, "crc32c=");
    gcs_crc(answer->body.s, answer->body.len, crc);
    return !theirs || strncmp(theirs + strlen("crc32c="), crc, strlen(crc)) == 0;
}

static bool get_generation(const struct http_answer *answer, int64_t *ret)
{
    CLEANUP(str_deinit) struct str text = {0};
    return http_header(answer, "x-goog-generation", &text) && str_to_i64(text.s, ret) && *ret > 0;
}

/* A range that lies beyond the end: nothing, but of which generation? */
static int get_beyond(struct store_gcs *gcs, const char *name, int64_t deadline_ms, struct str *ret,
                      int64_t *ret_generation, struct err *err)
{
    struct gcs_object object;
    int r = gcs_stat(gcs, name, deadline_ms, &object, err);
    if (r != 0)
        return r;
    str_clear(ret);
    *ret_generation = object.generation;
    return 0;
}

static int take_body(const struct store_gcs *gcs, const char *name, struct store_span span,
                     struct http_answer *answer, struct str *ret, int64_t *ret_generation,
                     struct err *err)
{
    bool whole = answer->status == 200;
    if (!get_generation(answer, ret_generation) || (size_t)span.len < answer->body.len)
        return senseless(gcs, "read", name, answer, err);
    if (whole && !is_intact(answer)) {
        err_set(err, ERR_RETRY, "the bytes that came are not those of its checksum");
        return gcs_failed(gcs, "read", name, ERR_RETRY, err);
    }
    str_deinit(ret);
    *ret = answer->body;
    answer->body = (struct str){0};
    return 0;
}

static int gcs_get(struct store *store, const char *name, struct store_span span, struct str *ret,
                   int64_t *ret_generation, struct err *err)
{
    struct store_gcs *gcs = gcs_of(store);
    CLEANUP(str_deinit) struct str url = {0};
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};
    char range[80];
    bool whole = span.offset == 0 && span.len == INT64_MAX;
    range_header(span, range, sizeof(range));
    const char *const headers[] = {range, NULL};
    gcs_object_url(gcs, name, &url);
    str_addz(&url, "?alt=media");
    int64_t expected = whole ? 0 : span.len;
    struct http_request request =
        gcs_request(gcs, "GET", &url, store_deadline(store, (size_t)expected));
    request.headers = whole ? NULL : headers;
    request.max_answer = whole ? WHOLE_BYTES : (size_t)span.len + 1;
    int r = http_call(gcs->http, &request, &answer, err);
    if (r < 0)
        return gcs_failed(gcs, "read", name, r, err);
    if (answer.status == 404)
        return STORE_ABSENT;
    if (answer.status == 416)
        return get_beyond(gcs, name, request.deadline_ms, ret, ret_generation, err);
    if (answer.status != (whole ? 200 : 206) && answer.status != 200)
        return gcs_refused(gcs, "read", name, &request, &answer, err);
    return take_body(gcs, name, span, &answer, ret, ret_generation, err);
}

/* ---- delete ---- */

static int gcs_remove(struct store *store, const char *name, int64_t expect, struct err *err)
{
    struct store_gcs *gcs = gcs_of(store);
    CLEANUP(str_deinit) struct str url = {0};
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};
    gcs_object_url(gcs, name, &url);
    if (expect >= 0)
        str_addf(&url, "?ifGenerationMatch=%" PRId64, expect);
    struct http_request request = gcs_request(gcs, "DELETE", &url, store_deadline(store, 0));
    int r = http_call(gcs->http, &request, &answer, err);
    if (r < 0)
        return gcs_failed(gcs, "delete", name, r, err);
    switch (answer.status) {
    case 204:
        return 0;
    case 200: /* emulators */
        return answer.body.len == 0 ? 0 : senseless(gcs, "delete", name, &answer, err);
    case 404:
        return answer.attempts > 1 ? 0 : STORE_ABSENT; /* an attempt without answer did it */
    case 412:
        return STORE_CHANGED;
    default:
        return gcs_refused(gcs, "delete", name, &request, &answer, err);
    }
}

/* ---- list ---- */

static int list_item(const struct store_gcs *gcs, const struct json *item, store_list_fn *fn,
                     void *ctx, struct err *err)
{
    const char *name, *label = NULL;
    struct gcs_object found;
    size_t skip = strlen(gcs->prefix);
    if (json_need_string(item, "name", &name, NULL) < 0 || !object_of(item, &found))
        return err_set(err, ERR_RETRY, "an object in it has no name, generation or size");
    if (strncmp(name, gcs->prefix, skip) != 0 || !store_name_ok(name + skip))
        return 0;
    const struct json *metadata = json_get(item, "metadata");
    if (metadata)
        json_need_string(metadata, GCS_LABEL, &label, NULL);
    struct store_object object = {.name = name + skip,
                                  .generation = found.generation,
                                  .bytes = found.bytes,
                                  .label = label,
                                  .crc32c = found.crc[0] ? found.crc : NULL};
    return fn(ctx, &object, err);
}

int gcs_list_page(const struct store_gcs *gcs, const struct http_answer *answer, struct str *token,
                  store_list_fn *fn, void *ctx, struct err *err)
{
    CLEANUP(json_free) struct json *root = NULL;
    const char *next = "", *kind = "";
    if (json_parse("answer", answer->body.s ? answer->body.s : "", answer->body.len, &root, NULL) <
            0 ||
        json_need_string(root, "kind", &kind, NULL) < 0 || strcmp(kind, "storage#objects") != 0)
        return senseless(gcs, "list", "", answer, err);
    const struct json *items = json_get(root, "items");
    for (const struct json *item = items ? json_first(items) : NULL; item; item = json_next(item)) {
        int r = list_item(gcs, item, fn, ctx, err);
        if (r != 0)
            return r;
    }
    json_need_string(root, "nextPageToken", &next, NULL);
    if (*next && token->len > 0 && strcmp(next, token->s) == 0)
        return senseless(gcs, "list", "", answer, err);
    str_clear(token);
    str_addz(token, next);
    return 0;
}

/* endOffset itself is excluded; '!' stands before all that a name can go on with. */
static void page_url(const struct store_gcs *gcs, struct store_range range, const struct str *token,
                     struct str *out)
{
    str_addf(out, "%s/storage/v1/b/%s/o?delimiter=%%2F&maxResults=%d&prefix=", gcs->base,
             gcs->bucket, PAGE);
    http_escape(gcs->prefix, "", out);
    if (range.from) {
        str_addz(out, "&startOffset=");
        http_escape(gcs->prefix, "", out);
        http_escape(range.from, "", out);
    }
    if (range.to) {
        str_addz(out, "&endOffset=");
        http_escape(gcs->prefix, "", out);
        http_escape(range.to, "", out);
        str_addz(out, "%21");
    }
    str_addz(out, "&fields=kind,nextPageToken,items(name,generation,size,crc32c,metadata)");
    if (token->len > 0) {
        str_addz(out, "&pageToken=");
        http_escape(token->s, "", out);
    }
}

static int gcs_list(struct store *store, struct store_range range, store_list_fn *fn, void *ctx,
                    struct err *err)
{
    struct store_gcs *gcs = gcs_of(store);
    CLEANUP(str_deinit) struct str token = {0};
    do {
        CLEANUP(str_deinit) struct str url = {0};
        CLEANUP(http_answer_deinit) struct http_answer answer = {0};
        page_url(gcs, range, &token, &url);
        struct http_request request = gcs_request(gcs, "GET", &url, store_deadline(store, 0));
        request.max_answer = PAGE_BYTES;
        int r = http_call(gcs->http, &request, &answer, err);
        if (r < 0)
            return gcs_failed(gcs, "list", "", r, err);
        if (answer.status != 200)
            return gcs_refused(gcs, "list", "", &request, &answer, err);
        r = gcs_list_page(gcs, &answer, &token, fn, ctx, err);
        if (r != 0)
            return r;
    } while (token.len > 0);
    return 0;
}

const struct store_driver store_gcs_driver = {
    .scheme = "gs",
    .form = "gs://bucket/prefix",
    .asks_again = true,
    .parallel = 32,
    .open = gcs_open,
    .close = gcs_close,
    .stop = gcs_stop,
    .put = gcs_put,
    .get = gcs_get,
    .remove = gcs_remove,
    .list = gcs_list,
};

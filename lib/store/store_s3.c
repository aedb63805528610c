/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* store_s3.c - results in S3, and in what speaks like it.
 *
 * S3 has no generations; ours is made of the ETag, which follows from the content.
 *
 * The destination s3://bucket/prefix is AWS unless the environment names an endpoint; then it is
 * s3+http://host:port/bucket/prefix, and that is what a batch records, so that its workers find the
 * same place. An endpoint in a worker's own environment comes first. */
#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "store/bucket_url.h"
#include "store/s3_xml.h"
#include "store/store_s3.h"

enum {
    BUCKET_MIN = 3,
    BUCKET_MAX = 63,
    PAGE = 1000,
    PAGE_BYTES = 16 << 20,
    WHOLE_BYTES = 1 << 30,
};
/* S3 takes no more in one request, and we send each object in one. */
#define PUT_BYTES (INT64_C(5) << 30)

/* ---- open, close ---- */

static int check_bucket(const char *bucket, struct err *err)
{
    size_t len = strlen(bucket);
    if (len >= BUCKET_MIN && len <= BUCKET_MAX && !strchr("-_.", bucket[0]) &&
        strspn(bucket, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
            len &&
        !strstr(bucket, ".."))
        return 0;
    CLEANUP(mem_free_chars) char *shown = http_url_masked(bucket);
    return err_set(err, ERR_CONFIG,
                   "'%.100s' cannot be the name of a bucket: names have %d to %d of the characters "
                   "a-z 0-9 - .",
                   shown, BUCKET_MIN, BUCKET_MAX);
}

/* "http://host:port" and nothing behind it. */
static int check_endpoint(const char *endpoint, struct err *err)
{
    const char *host = str_starts(endpoint, "https://")  ? endpoint + 8
                       : str_starts(endpoint, "http://") ? endpoint + 7
                                                         : "";
    size_t len = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."
                              "_:[]");
    if (len > 0 && (host[len] == '\0' || strcmp(host + len, "/") == 0))
        return 0;
    CLEANUP(mem_free_chars) char *shown = http_url_masked(endpoint);
    return err_set(err, ERR_CONFIG,
                   "'%.100s' cannot be an endpoint: it is http:// or https://, a host, and a port",
                   shown);
}

static void s3_stop(struct store *store)
{
    http_stop(s3_of(store)->http);
}

static void s3_close(struct store *store)
{
    struct store_s3 *s3 = s3_of(store);
    http_free(s3->http);
    aws_auth_deinit(&s3->auth);
    free(s3->base);
    free(s3->prefix);
    free(s3->session_line);
    free(store->url);
    free(s3);
}

static void place_at_aws(struct store_s3 *s3, const char *bucket)
{
    const char *region = s3->auth.region;
    const char *china = str_starts(region, "cn-") ? ".cn" : "";
    s3->store.url = bucket_url("s3", bucket, s3->prefix);
    if (strchr(bucket, '.')) /* its name would not fit the certificate */
        s3->base = mem_printf("https://s3.%s.amazonaws.com%s/%s", region, china, bucket);
    else
        s3->base = mem_printf("https://%s.s3.%s.amazonaws.com%s", bucket, region, china);
}

static int place_at_endpoint(struct store_s3 *s3, const char *endpoint, const char *bucket,
                             struct err *err)
{
    int r = check_endpoint(endpoint, err);
    if (r < 0)
        return r;
    size_t len = strlen(endpoint);
    len -= endpoint[len - 1] == '/';
    CLEANUP(mem_free_chars) char *scheme = mem_printf("s3+%.*s", (int)len, endpoint);
    char *host = strstr(scheme, "://");
    CLEANUP(mem_free_chars) char *place = mem_printf("%s/%s", host + 3, bucket);
    *host = '\0';
    s3->store.url = bucket_url(scheme, place, s3->prefix);
    s3->base = mem_printf("%.*s/%s", (int)len, endpoint, bucket);
    return 0;
}

static int open_at(const struct store_driver *driver, const char *recorded, const char *rest,
                   bool create, struct store **ret, struct err *err)
{
    struct store_s3 *s3 = MEM_NEW(struct store_s3);
    CLEANUP(mem_free_chars) char *bucket = NULL;
    const char *endpoint = aws_endpoint();
    s3->store.driver = driver;
    s3->store.patience_ms = STORE_PATIENCE_MS;
    endpoint = endpoint ? endpoint : recorded;
    int r = bucket_split("s3", rest, &bucket, &s3->prefix, err);
    if (r == 0)
        r = check_bucket(bucket, err);
    if (r == 0)
        r = aws_auth_find(&s3->auth, err);
    if (r == 0 && endpoint)
        r = place_at_endpoint(s3, endpoint, bucket, err);
    else if (r == 0)
        place_at_aws(s3, bucket);
    if (r == 0) {
        if (s3->auth.session)
            s3->session_line = mem_printf("x-amz-security-token: %s", s3->auth.session);
        s3->http = http_new();
        r = create ? 0 : store_check_there(&s3->store, err);
    }
    if (r < 0) {
        s3_close(&s3->store);
        return r;
    }
    *ret = &s3->store;
    return 0;
}

static int s3_open(const char *rest, bool create, struct store **ret, struct err *err)
{
    return open_at(&store_s3_driver, NULL, rest, create, ret, err);
}

static int open_recorded(const struct store_driver *driver, const char *scheme, const char *rest,
                         bool create, struct store **ret, struct err *err)
{
    size_t host = strcspn(rest, "/");
    CLEANUP(mem_free_chars) char *endpoint = mem_printf("%s://%.*s", scheme, (int)host, rest);
    return open_at(driver, endpoint, rest + host + (rest[host] == '/'), create, ret, err);
}

static int s3_open_http(const char *rest, bool create, struct store **ret, struct err *err)
{
    return open_recorded(&store_s3_http_driver, "http", rest, create, ret, err);
}

static int s3_open_https(const char *rest, bool create, struct store **ret, struct err *err)
{
    return open_recorded(&store_s3_https_driver, "https", rest, create, ret, err);
}

/* ---- get ---- */

static int take_body(const struct store_s3 *s3, const char *name, struct store_span span,
                     struct s3_call *call, struct str *ret, int64_t *ret_generation,
                     struct err *err)
{
    struct s3_there there;
    if (!s3_take_there(&call->answer, &there) || (size_t)span.len < call->answer.body.len)
        return s3_senseless(s3, "read", name, call, err);
    *ret_generation = there.generation;
    str_deinit(ret);
    *ret = call->answer.body;
    call->answer.body = (struct str){0};
    return 0;
}

/* A range that lies beyond the end: nothing, but of which generation? */
static int get_beyond(struct store_s3 *s3, const char *name, int64_t deadline_ms, struct str *ret,
                      int64_t *ret_generation, struct err *err)
{
    struct s3_there there;
    int r = s3_look(s3, name, deadline_ms, &there, err);
    if (r != 0)
        return r;
    str_clear(ret);
    *ret_generation = there.generation;
    return 0;
}

static int s3_get(struct store *store, const char *name, struct store_span span, struct str *ret,
                  int64_t *ret_generation, struct err *err)
{
    struct store_s3 *s3 = s3_of(store);
    CLEANUP(s3_call_deinit) struct s3_call call = {0};
    char range[80];
    bool whole = span.offset == 0 && span.len == INT64_MAX;
    if (span.offset < 0)
        snprintf(range, sizeof(range), "Range: bytes=%" PRId64, span.offset);
    else if (!whole)
        snprintf(range, sizeof(range), "Range: bytes=%" PRId64 "-%" PRId64, span.offset,
                 span.offset + span.len - 1);
    s3_add_header(&call, whole ? NULL : range);
    s3_object_url(s3, name, &call.url);
    call.request.max_answer = whole ? WHOLE_BYTES : (size_t)span.len + 1;
    int64_t deadline_ms = store_deadline(store, whole ? 0 : (size_t)span.len);
    int r = s3_ask(s3, "GET", deadline_ms, &call, err);
    if (r < 0)
        return s3_failed(s3, "read", name, r, err);
    if (call.answer.status == 404)
        return STORE_ABSENT;
    if (call.answer.status == 416)
        return get_beyond(s3, name, deadline_ms, ret, ret_generation, err);
    if (call.answer.status != 200 && (whole || call.answer.status != 206))
        return s3_refused(s3, "read", name, &call, err);
    return take_body(s3, name, span, &call, ret, ret_generation, err);
}

/* ---- delete ---- */

int s3_remove(struct store *store, const char *name, int64_t expect, struct err *err)
{
    struct store_s3 *s3 = s3_of(store);
    CLEANUP(s3_call_deinit) struct s3_call call = {0};
    int64_t deadline_ms = store_deadline(store, 0);
    if (expect > 0) {
        struct s3_there there;
        int r = s3_look(s3, name, deadline_ms, &there, err);
        if (r != 0)
            return r;
        if (there.generation != expect)
            return STORE_CHANGED;
    }
    s3_object_url(s3, name, &call.url);
    int r = s3_ask(s3, "DELETE", deadline_ms, &call, err);
    if (r < 0)
        return s3_failed(s3, "delete", name, r, err);
    if (call.answer.status == 404)
        return call.answer.attempts > 1 ? 0 : STORE_ABSENT;
    if (call.answer.status != 204 && call.answer.status != 200)
        return s3_refused(s3, "delete", name, &call, err);
    return 0;
}

/* ---- list ---- */

struct listing {
    const struct store_s3 *s3;
    store_list_fn *fn;
    void *ctx;
};

/* An ETag is the MD5 of the content where that came in one request and the bucket has no key of its
 * own; otherwise it is some other text, or a number that no content has. */
static bool md5_of_etag(const char *etag, char ret[MD5_HEX])
{
    const char *begin = etag + (*etag == '"');
    size_t len = strspn(begin, "0123456789abcdef");
    if (len != MD5_HEX - 1 || (begin[len] && strcmp(begin + len, "\"") != 0))
        return false;
    memcpy(ret, begin, len);
    ret[len] = '\0';
    return true;
}

static int on_object(void *ctx, const char *key, const char *etag, int64_t bytes, struct err *err)
{
    const struct listing *listing = ctx;
    char md5[MD5_HEX];
    size_t skip = strlen(listing->s3->prefix);
    if (strncmp(key, listing->s3->prefix, skip) != 0 || !store_name_ok(key + skip))
        return 0;
    struct store_object object = {.name = key + skip,
                                  .generation = s3_generation_of(etag),
                                  .bytes = bytes,
                                  .md5 = md5_of_etag(etag, md5) ? md5 : NULL};
    return listing->fn(listing->ctx, &object, err);
}

/* In the canonical order that the signature wants. start-after itself is excluded: we say the
 * beginning of the first name, which stands before it. */
static void page_url(const struct store_s3 *s3, struct store_range range, const struct str *token,
                     struct str *out)
{
    str_addf(out, "%s%s?", s3->base, strchr(strstr(s3->base, "://") + 3, '/') ? "" : "/");
    if (token->len > 0) {
        str_addz(out, "continuation-token=");
        http_escape(token->s, "", out);
        str_addc(out, '&');
    }
    str_addf(out, "delimiter=%%2F&list-type=2&max-keys=%d&prefix=", PAGE);
    http_escape(s3->prefix, "", out);
    if (range.from && *range.from) {
        CLEANUP(mem_free_chars) char *before = mem_strndup(range.from, strlen(range.from) - 1);
        str_addz(out, "&start-after=");
        http_escape(s3->prefix, "", out);
        http_escape(before, "", out);
    }
}

static int s3_list(struct store *store, struct store_range range, store_list_fn *fn, void *ctx,
                   struct err *err)
{
    struct store_s3 *s3 = s3_of(store);
    struct listing listing = {.s3 = s3, .fn = fn, .ctx = ctx};
    struct s3_page page = {0};
    CLEANUP(str_deinit) struct str token = {0};
    int r = 0;
    do {
        CLEANUP(s3_call_deinit) struct s3_call call = {0};
        page_url(s3, range, &token, &call.url);
        call.request.max_answer = PAGE_BYTES;
        r = s3_ask(s3, "GET", store_deadline(store, 0), &call, err);
        if (r < 0)
            r = s3_failed(s3, "list", "", r, err);
        else if (call.answer.status != 200)
            r = s3_refused(s3, "list", "", &call, err);
        else
            r = s3_parse_page(call.answer.body.s ? call.answer.body.s : "", call.answer.body.len,
                              on_object, &listing, &page, err);
        if (r < 0 && call.answer.status == 200)
            r = s3_failed(s3, "list", "", r, err);
        if (r == 0 && page.next.len > 0 && token.len > 0 && strcmp(page.next.s, token.s) == 0)
            r = s3_senseless(s3, "list", "", &call, err);
        str_clear(&token);
        if (r == 0 && page.next.len > 0)
            str_add(&token, page.next.s, page.next.len);
    } while (r == 0 && token.len > 0);
    str_deinit(&page.next);
    return r;
}

#define S3_VERBS                                                                                   \
    .asks_again = true, .parallel = 32, .max_bytes = PUT_BYTES, .close = s3_close,                 \
    .stop = s3_stop, .put = s3_put, .get = s3_get, .remove = s3_remove, .list = s3_list,           \
    .probe = s3_probe

const struct store_driver store_s3_driver = {
    .scheme = "s3", .form = "s3://bucket/prefix", .open = s3_open, S3_VERBS};
const struct store_driver store_s3_http_driver = {
    .scheme = "s3+http", .open = s3_open_http, S3_VERBS};
const struct store_driver store_s3_https_driver = {
    .scheme = "s3+https", .open = s3_open_https, S3_VERBS};

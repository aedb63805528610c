/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* store_s3.c - results in S3, and in what speaks like it.
 *
 * S3 has no generations; ours is made of the ETag, which follows from the content. Writes are
 * conditional on it: If-None-Match and If-Match, which AWS and some others honour, others answer
 * with 501, and others ignore. store_probe finds out. Where they are not honoured, what is there is
 * looked at before each write, which leaves a gap between the look and the write.
 *
 * Whether an object is our own, after a lost answer, is told as with gs://: by a random word in its
 * metadata. The SHA-256 of the content is a part of the signature, so that nothing else can arrive.
 *
 * The destination s3://bucket/prefix is AWS unless the environment names an endpoint; then it is
 * s3+http://host:port/bucket/prefix, and that is what a batch records, so that its workers find the
 * same place. An endpoint in a worker's own environment comes first. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/retry.h"
#include "http/http.h"
#include "store/aws_auth.h"
#include "store/bucket_url.h"
#include "store/content_type.h"
#include "store/s3_xml.h"
#include "store/store_driver.h"

enum {
    BUCKET_MIN = 3,
    BUCKET_MAX = 63,
    LAST_LOOK_MS = 5000,
    PAGE = 1000,
    PAGE_BYTES = 16 << 20,
    WHOLE_BYTES = 1 << 30,
    WRITE_MAX = 33,
    ETAG_MAX = 200,
    SKEW_S = 300,      /* S3 allows for 15 minutes */
    LABEL_PIECE = 256, /* Swift takes no longer values */
    LABEL_PIECES = (STORE_LABEL_MAX + LABEL_PIECE - 1) / LABEL_PIECE,
    HEADERS_MAX = 8 + LABEL_PIECES,
};

struct store_s3 {
    struct store store;
    struct http *http;
    struct aws_auth auth;
    char *
        base; /* with the bucket: https://bucket.s3.region.amazonaws.com, http://host:port/bucket */
    char *prefix;
    char *session_line; /* NULL: no session */
};

static struct store_s3 *s3_of(struct store *store)
{
    return (struct store_s3 *)store;
}

/* ---- open, close ---- */

static int check_bucket(const char *bucket, struct err *err)
{
    size_t len = strlen(bucket);
    if (len >= BUCKET_MIN && len <= BUCKET_MAX && !strchr("-_.", bucket[0]) &&
        strspn(bucket, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
            len &&
        !strstr(bucket, ".."))
        return 0;
    return err_set(err, ERR_CONFIG,
                   "'%.100s' cannot be the name of a bucket: names have %d to %d of the characters "
                   "a-z 0-9 - .",
                   bucket, BUCKET_MIN, BUCKET_MAX);
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
    return err_set(err, ERR_CONFIG,
                   "'%.100s' cannot be an endpoint: it is http:// or https://, a host, and a port",
                   endpoint);
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

static int note_any(void *ctx, const struct store_object *object, struct err *err)
{
    *(bool *)ctx = true;
    return 1;
}

static int check_there(struct store *store, struct err *err)
{
    bool any = false;
    int r = store->driver->list(store, "", note_any, &any, err);
    if (r < 0 || any)
        return r < 0 ? r : 0;
    return err_set(err, ERR_CONFIG, "there is no destination %s: nothing is there", store->url);
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
        r = create ? 0 : check_there(&s3->store, err);
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

/* ---- requests ---- */

static void words_of(const struct http_answer *answer, struct str *out)
{
    CLEANUP(str_deinit) struct str code = {0};
    CLEANUP(str_deinit) struct str message = {0};
    int64_t ahead_s;
    if (answer->body.len > 0 && s3_parse_error(answer->body.s, answer->body.len, &code, &message)) {
        str_addf(out, "HTTP %d: ", answer->status);
        http_quote(code.s, code.len, 60, out);
        str_addz(out, ": ");
        http_quote(message.s ? message.s : "", message.len, 240, out);
    } else {
        http_words(answer, out);
    }
    if (answer->status == 403 && http_clock_ahead(answer, &ahead_s) &&
        (ahead_s > SKEW_S || ahead_s < -SKEW_S))
        str_addf(out, " (this machine's clock is %lld s %s the server's)",
                 (long long)(ahead_s < 0 ? -ahead_s : ahead_s),
                 ahead_s < 0 ? "behind" : "ahead of");
}

static void object_url(const struct store_s3 *s3, const char *name, struct str *out)
{
    str_addf(out, "%s/", s3->base);
    http_escape(s3->prefix, "/", out);
    http_escape(name, "", out);
}

struct call {
    struct http_request request;
    const char *headers[HEADERS_MAX + 1];
    const char *secrets[3];
    int n_headers;
    struct str url;
    struct http_answer answer;
};

static void call_deinit(struct call *call)
{
    str_deinit(&call->url);
    http_answer_deinit(&call->answer);
}
MEM_CLEANUP_VALUE(call_deinit, struct call);

/* The line is borrowed. */
static void add_header(struct call *call, const char *line)
{
    if (line)
        call->headers[call->n_headers++] = line;
}

static int ask(struct store_s3 *s3, const char *method, int64_t deadline_ms, struct call *call,
               struct err *err)
{
    add_header(call, s3->session_line);
    call->secrets[0] = s3->auth.secret;
    call->secrets[1] = s3->auth.session;
    call->request.method = method;
    call->request.url = call->url.s;
    call->request.headers = call->headers;
    call->request.deadline_ms = deadline_ms;
    call->request.stall_ms = atomic_load(&s3->store.patience_ms) / 3;
    call->request.words = words_of;
    call->request.secrets = call->secrets;
    call->request.aws_region = s3->auth.region;
    call->request.aws_key_id = s3->auth.key_id;
    call->request.aws_secret = s3->auth.secret;
    return http_call(s3->http, &call->request, &call->answer, err);
}

static int failed(const struct store_s3 *s3, const char *verb, const char *name, int r,
                  struct err *err)
{
    err_prefix(err, "%s %s%s%s", verb, s3->store.url, *name ? "/" : "", name);
    return r;
}

static int refused(const struct store_s3 *s3, const char *verb, const char *name,
                   const struct call *call, struct err *err)
{
    int status = call->answer.status;
    int code = status == 401 || status == 403 || status == 404 ? ERR_WRITE : ERR_INPUT;
    const char *advice = status == 403   ? " (look at the keys and at what they may do there)"
                         : status == 404 ? " (make the bucket, or choose another destination)"
                                         : "";
    struct err words = {0};
    http_err(&words, code, &call->request, &call->answer);
    err_set(err, code, "%s%s", words.text, advice);
    return failed(s3, verb, name, code, err);
}

static int senseless(const struct store_s3 *s3, const char *verb, const char *name,
                     const struct call *call, struct err *err)
{
    CLEANUP(str_deinit) struct str words = {0};
    http_words(&call->answer, &words);
    err_set(err, ERR_RETRY, "the answer cannot be understood: %s", words.s);
    return failed(s3, verb, name, ERR_RETRY, err);
}

/* ---- what is there ---- */

struct there {
    int64_t generation;
    char etag[ETAG_MAX]; /* with its quotes */
    char write[WRITE_MAX];
};

/* 1 to 2^52, from the quoted text. */
static int64_t generation_of(const char *etag)
{
    uint8_t sum[SHA256_BYTES];
    uint64_t h = 0;
    if (str_starts(etag, "W/"))
        etag += 2;
    size_t len = strlen(etag);
    if (len >= 2 && etag[0] == '"' && etag[len - 1] == '"') {
        etag++;
        len -= 2;
    }
    sha256_of(etag, len, sum);
    for (int i = 0; i < 8; i++)
        h = h << 8 | sum[i];
    h &= (UINT64_C(1) << 52) - 1;
    return h ? (int64_t)h : 1;
}

static void copy_header(const struct http_answer *answer, const char *name, char *ret, size_t size)
{
    CLEANUP(str_deinit) struct str value = {0};
    ret[0] = '\0';
    if (http_header(answer, name, &value) && value.len < size)
        memcpy(ret, value.s, value.len + 1);
}

/* False when the answer has no ETag. */
static bool take_there(const struct http_answer *answer, struct there *ret)
{
    copy_header(answer, "etag", ret->etag, sizeof(ret->etag));
    copy_header(answer, "x-amz-meta-hiwari-write", ret->write, sizeof(ret->write));
    ret->generation = generation_of(ret->etag);
    return ret->etag[0] != '\0';
}

/* 0 or STORE_ABSENT. */
static int look(struct store_s3 *s3, const char *name, int64_t deadline_ms, struct there *ret,
                struct err *err)
{
    CLEANUP(call_deinit) struct call call = {0};
    int64_t soonest_ms = clock_ms() + LAST_LOOK_MS;
    object_url(s3, name, &call.url);
    int r = ask(s3, "HEAD", deadline_ms > soonest_ms ? deadline_ms : soonest_ms, &call, err);
    if (r < 0)
        return failed(s3, "look at", name, r, err);
    if (call.answer.status == 404)
        return STORE_ABSENT;
    if (call.answer.status != 200)
        return refused(s3, "look at", name, &call, err);
    return take_there(&call.answer, ret) ? 0 : senseless(s3, "look at", name, &call, err);
}

/* ---- put ---- */

struct put {
    struct store_s3 *s3;
    const struct store_upload *upload;
    int64_t deadline_ms;
    char write[WRITE_MAX];
    struct there made;
};

/* Is what is there what was expected? 0 with *ret filled in where there is something. */
static int compare(const struct put *put, struct there *ret, struct err *err)
{
    int64_t expect = put->upload->expect;
    int r = look(put->s3, put->upload->name, put->deadline_ms, ret, err);
    if (r < 0)
        return r;
    if (r == STORE_ABSENT)
        return expect > 0 ? STORE_CHANGED : 0;
    return expect == STORE_EXPECT_NOTHING || ret->generation != expect ? STORE_CHANGED : 0;
}

/* The condition of a write as a header line, after a look where that is needed; "" for none. */
static int condition(const struct put *put, char *ret, size_t size, struct err *err)
{
    int64_t expect = put->upload->expect;
    bool blind = atomic_load(&put->s3->store.unconditional);
    struct there there = {0};
    ret[0] = '\0';
    if (expect == STORE_EXPECT_ANYTHING)
        return 0;
    if (expect > 0 || blind) {
        int r = compare(put, &there, err);
        if (r != 0)
            return r;
    }
    if (!blind && expect > 0)
        snprintf(ret, size, "If-Match: %s", there.etag);
    else if (!blind)
        snprintf(ret, size, "If-None-Match: *");
    return 0;
}

enum { UNCONDITIONALLY = 50 };

static int judge(struct put *put, const struct call *call, bool conditional, struct err *err)
{
    switch (call->answer.status) {
    case 200:
    case 201:
        put->made = (struct there){0};
        if (take_there(&call->answer, &put->made))
            memcpy(put->made.write, put->write, sizeof(put->write));
        return 0;
    case 409: /* another write of it is under way */
    case 412:
        return STORE_CHANGED;
    case 501:
        if (conditional)
            return UNCONDITIONALLY;
        break;
    default:
        break;
    }
    return refused(put->s3, "upload", put->upload->name, call, err);
}

static int put_failed(const struct put *put, int r, struct err *err)
{
    failed(put->s3, "upload", put->upload->name, r, err);
    if (r == ERR_UNREACHABLE && err)
        err->code = ERR_RETRY;
    return r == ERR_UNREACHABLE ? ERR_RETRY : r;
}

/* x-amz-meta-hiwari-result-1 and so on. (No name may begin with another one: curl 7 would sign such
 * headers in a wrong order.) */
struct label_lines {
    char text[LABEL_PIECES][LABEL_PIECE + 40];
};

static void add_label(struct call *call, const char *label, struct label_lines *lines)
{
    for (int i = 0; label && *label && i < LABEL_PIECES; i++) {
        size_t len = strnlen(label, LABEL_PIECE);
        snprintf(lines->text[i], sizeof(lines->text[i]), "x-amz-meta-hiwari-result-%d: %.*s", i + 1,
                 (int)len, label);
        add_header(call, lines->text[i]);
        label += len;
    }
}

static int put_once(struct put *put, struct err *err)
{
    const struct store_upload *upload = put->upload;
    CLEANUP(call_deinit) struct call call = {0};
    struct label_lines label;
    CLEANUP(mem_free_chars) char *write = mem_printf("x-amz-meta-hiwari-write: %s", put->write);
    CLEANUP(mem_free_chars)
    char *type = mem_printf("Content-Type: %s", content_type(upload->name));
    char line[ETAG_MAX + 20];
    int r = condition(put, line, sizeof(line), err);
    if (r != 0)
        return r;
    object_url(put->s3, upload->name, &call.url);
    add_header(&call, type);
    add_label(&call, upload->label, &label);
    add_header(&call, write);
    add_header(&call, line[0] ? line : NULL);
    call.request.body = upload->data ? upload->data : "";
    call.request.body_len = upload->len;
    r = ask(put->s3, "PUT", put->deadline_ms, &call, err);
    return r < 0 ? put_failed(put, r, err) : judge(put, &call, line[0] != '\0', err);
}

/* Whose is it? See gs://. */
static int look_whose(struct put *put, int r, struct err *err)
{
    struct there there;
    int looked = look(put->s3, put->upload->name, put->deadline_ms, &there, err);
    if (looked < 0)
        return put_failed(put, looked, err);
    if (looked == 0 && strcmp(there.write, put->write) == 0) {
        put->made = there;
        return 0;
    }
    if (r == STORE_CHANGED)
        return r;
    err_set(err, ERR_RETRY, "the server said that it was stored, and it is not there");
    return put_failed(put, ERR_RETRY, err);
}

static int s3_put(struct store *store, const struct store_upload *upload, int64_t *ret_generation,
                  struct err *err)
{
    struct put put = {
        .s3 = s3_of(store), .upload = upload, .deadline_ms = store_deadline(store, upload->len)};
    snprintf(put.write, sizeof(put.write), "%016" PRIx64 "%016" PRIx64, random_u64(), random_u64());
    int r = put_once(&put, err);
    if (r == UNCONDITIONALLY) {
        store_set_unconditional(store);
        r = put_once(&put, err);
    }
    if (r == STORE_CHANGED || (r == 0 && !put.made.etag[0]))
        r = look_whose(&put, r, err);
    if (r == 0)
        *ret_generation = put.made.generation;
    return r;
}

/* ---- probe ---- */

/* A write on a condition that does not hold must be refused. */
static int probe_refusal(struct put *put, const char *condition, struct err *err)
{
    CLEANUP(call_deinit) struct call call = {0};
    object_url(put->s3, put->upload->name, &call.url);
    add_header(&call, "Content-Type: application/octet-stream");
    add_header(&call, condition);
    call.request.body = put->upload->data;
    call.request.body_len = put->upload->len;
    int r = ask(put->s3, "PUT", put->deadline_ms, &call, err);
    if (r < 0)
        return failed(put->s3, "probe", put->upload->name, r, err);
    if (call.answer.status == 412)
        return 0;
    if (call.answer.status / 100 == 2 || call.answer.status == 501)
        return STORE_UNCONDITIONAL;
    return refused(put->s3, "probe", put->upload->name, &call, err);
}

static int s3_remove(struct store *store, const char *name, int64_t expect, struct err *err);

static int s3_probe(struct store *store, struct err *err)
{
    CLEANUP(mem_free_chars) char *name = mem_printf("_probe-%016" PRIx64, random_u64());
    struct store_upload upload = {
        .name = name, .data = "probe", .len = 5, .expect = STORE_EXPECT_NOTHING};
    struct put put = {
        .s3 = s3_of(store), .upload = &upload, .deadline_ms = store_deadline(store, 0)};
    int64_t generation;
    int r = s3_put(store, &upload, &generation, err);
    if (r == STORE_CHANGED)
        return err_set(err, ERR_RETRY, "probe %s: another object of that random name is there",
                       store->url);
    if (r == 0 && atomic_load(&store->unconditional))
        r = STORE_UNCONDITIONAL;
    if (r == 0)
        r = probe_refusal(&put, "If-None-Match: *", err);
    if (r == 0)
        r = probe_refusal(&put, "If-Match: \"00000000000000000000000000000000\"", err);
    if (r >= 0) {
        int removed = s3_remove(store, name, STORE_EXPECT_ANYTHING, err);
        r = removed < 0 ? removed : r;
    }
    return r;
}

/* ---- get ---- */

static int take_body(const struct store_s3 *s3, const char *name, struct store_span span,
                     struct call *call, struct str *ret, int64_t *ret_generation, struct err *err)
{
    struct there there;
    if (!take_there(&call->answer, &there) || (size_t)span.len < call->answer.body.len)
        return senseless(s3, "read", name, call, err);
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
    struct there there;
    int r = look(s3, name, deadline_ms, &there, err);
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
    CLEANUP(call_deinit) struct call call = {0};
    char range[80];
    bool whole = span.offset == 0 && span.len == INT64_MAX;
    if (span.offset < 0)
        snprintf(range, sizeof(range), "Range: bytes=%" PRId64, span.offset);
    else if (!whole)
        snprintf(range, sizeof(range), "Range: bytes=%" PRId64 "-%" PRId64, span.offset,
                 span.offset + span.len - 1);
    add_header(&call, whole ? NULL : range);
    object_url(s3, name, &call.url);
    call.request.max_answer = whole ? WHOLE_BYTES : (size_t)span.len + 1;
    int64_t deadline_ms = store_deadline(store, whole ? 0 : (size_t)span.len);
    int r = ask(s3, "GET", deadline_ms, &call, err);
    if (r < 0)
        return failed(s3, "read", name, r, err);
    if (call.answer.status == 404)
        return STORE_ABSENT;
    if (call.answer.status == 416)
        return get_beyond(s3, name, deadline_ms, ret, ret_generation, err);
    if (call.answer.status != 200 && (whole || call.answer.status != 206))
        return refused(s3, "read", name, &call, err);
    return take_body(s3, name, span, &call, ret, ret_generation, err);
}

/* ---- delete ---- */

static int s3_remove(struct store *store, const char *name, int64_t expect, struct err *err)
{
    struct store_s3 *s3 = s3_of(store);
    CLEANUP(call_deinit) struct call call = {0};
    int64_t deadline_ms = store_deadline(store, 0);
    if (expect > 0) {
        struct there there;
        int r = look(s3, name, deadline_ms, &there, err);
        if (r != 0)
            return r;
        if (there.generation != expect)
            return STORE_CHANGED;
    }
    object_url(s3, name, &call.url);
    int r = ask(s3, "DELETE", deadline_ms, &call, err);
    if (r < 0)
        return failed(s3, "delete", name, r, err);
    if (call.answer.status == 404)
        return call.answer.attempts > 1 ? 0 : STORE_ABSENT;
    if (call.answer.status != 204 && call.answer.status != 200)
        return refused(s3, "delete", name, &call, err);
    return 0;
}

/* ---- list ---- */

struct listing {
    const struct store_s3 *s3;
    const char *prefix;
    store_list_fn *fn;
    void *ctx;
};

static int on_object(void *ctx, const char *key, const char *etag, int64_t bytes, struct err *err)
{
    const struct listing *listing = ctx;
    size_t skip = strlen(listing->s3->prefix);
    if (strncmp(key, listing->s3->prefix, skip) != 0 || !store_name_ok(key + skip) ||
        !str_starts(key + skip, listing->prefix))
        return 0;
    struct store_object object = {
        .name = key + skip, .generation = generation_of(etag), .bytes = bytes};
    return listing->fn(listing->ctx, &object, err);
}

/* In the canonical order that the signature wants. */
static void page_url(const struct store_s3 *s3, const char *prefix, const struct str *token,
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
    http_escape(prefix, "", out);
}

static int s3_list(struct store *store, const char *prefix, store_list_fn *fn, void *ctx,
                   struct err *err)
{
    struct store_s3 *s3 = s3_of(store);
    struct listing listing = {.s3 = s3, .prefix = prefix, .fn = fn, .ctx = ctx};
    struct s3_page page = {0};
    CLEANUP(str_deinit) struct str token = {0};
    int r = 0;
    do {
        CLEANUP(call_deinit) struct call call = {0};
        page_url(s3, prefix, &token, &call.url);
        call.request.max_answer = PAGE_BYTES;
        r = ask(s3, "GET", store_deadline(store, 0), &call, err);
        if (r < 0)
            r = failed(s3, "list", "", r, err);
        else if (call.answer.status != 200)
            r = refused(s3, "list", "", &call, err);
        else
            r = s3_parse_page(call.answer.body.s ? call.answer.body.s : "", call.answer.body.len,
                              on_object, &listing, &page, err);
        if (r < 0 && call.answer.status == 200)
            r = failed(s3, "list", "", r, err);
        if (r == 0 && page.next.len > 0 && token.len > 0 && strcmp(page.next.s, token.s) == 0)
            r = senseless(s3, "list", "", &call, err);
        str_clear(&token);
        if (r == 0 && page.next.len > 0)
            str_add(&token, page.next.s, page.next.len);
    } while (r == 0 && token.len > 0);
    str_deinit(&page.next);
    return r;
}

#define S3_VERBS                                                                                   \
    .parallel = 32, .close = s3_close, .put = s3_put, .get = s3_get, .remove = s3_remove,          \
    .list = s3_list, .probe = s3_probe

const struct store_driver store_s3_driver = {
    .scheme = "s3", .form = "s3://bucket/prefix", .open = s3_open, S3_VERBS};
const struct store_driver store_s3_http_driver = {
    .scheme = "s3+http", .open = s3_open_http, S3_VERBS};
const struct store_driver store_s3_https_driver = {
    .scheme = "s3+https", .open = s3_open_https, S3_VERBS};

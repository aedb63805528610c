/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* s3_call.c - a signed request to S3, what it says when it refuses, and what an object is there. */
#include "base/clock.h"
#include "base/hash.h"
#include "store/s3_xml.h"
#include "store/store_s3.h"

enum {
    LAST_LOOK_MS = 5000,
    SKEW_S = 300, /* S3 allows for 15 minutes */
};

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

void s3_object_url(const struct store_s3 *s3, const char *name, struct str *out)
{
    str_addf(out, "%s/", s3->base);
    http_escape(s3->prefix, "/", out);
    http_escape(name, "", out);
}

void s3_call_deinit(struct s3_call *call)
{
    str_deinit(&call->url);
    http_answer_deinit(&call->answer);
}

void s3_add_header(struct s3_call *call, const char *line)
{
    if (line)
        call->headers[call->n_headers++] = line;
}

int s3_ask(struct store_s3 *s3, const char *method, int64_t deadline_ms, struct s3_call *call,
           struct err *err)
{
    s3_add_header(call, s3->session_line);
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

int s3_failed(const struct store_s3 *s3, const char *verb, const char *name, int r, struct err *err)
{
    err_prefix(err, "%s %s%s%s", verb, s3->store.url, *name ? "/" : "", name);
    return r;
}

int s3_refused(const struct store_s3 *s3, const char *verb, const char *name,
               const struct s3_call *call, struct err *err)
{
    int status = call->answer.status;
    int code = status == 401 || status == 403 || status == 404 ? ERR_WRITE : ERR_INPUT;
    const char *advice = status == 403   ? " (look at the keys and at what they may do there)"
                         : status == 404 ? " (make the bucket, or choose another destination)"
                                         : "";
    struct err words = {0};
    http_err(&words, code, &call->request, &call->answer);
    err_set(err, code, "%s%s", words.text, advice);
    return s3_failed(s3, verb, name, code, err);
}

int s3_senseless(const struct store_s3 *s3, const char *verb, const char *name,
                 const struct s3_call *call, struct err *err)
{
    CLEANUP(str_deinit) struct str words = {0};
    http_words(&call->answer, &words);
    err_set(err, ERR_RETRY, "the answer cannot be understood: %s", words.s);
    return s3_failed(s3, verb, name, ERR_RETRY, err);
}

/* ---- what is there ---- */

int64_t s3_generation_of(const char *etag)
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

bool s3_take_there(const struct http_answer *answer, struct s3_there *ret)
{
    copy_header(answer, "etag", ret->etag, sizeof(ret->etag));
    copy_header(answer, "x-amz-meta-hiwari-write", ret->write, sizeof(ret->write));
    ret->generation = s3_generation_of(ret->etag);
    return ret->etag[0] != '\0';
}

int s3_look(struct store_s3 *s3, const char *name, int64_t deadline_ms, struct s3_there *ret,
            struct err *err)
{
    CLEANUP(s3_call_deinit) struct s3_call call = {0};
    int64_t soonest_ms = clock_ms() + LAST_LOOK_MS;
    s3_object_url(s3, name, &call.url);
    int r = s3_ask(s3, "HEAD", deadline_ms > soonest_ms ? deadline_ms : soonest_ms, &call, err);
    if (r < 0)
        return s3_failed(s3, "look at", name, r, err);
    if (call.answer.status == 404)
        return STORE_ABSENT;
    if (call.answer.status != 200)
        return s3_refused(s3, "look at", name, &call, err);
    return s3_take_there(&call.answer, ret) ? 0 : s3_senseless(s3, "look at", name, &call, err);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* gcs_upload.c - one object into Google Cloud Storage.
 *
 * Up to 8 MiB go in one request: description and content as two parts. Larger ones go in pieces of
 * 8 MiB through a resumable session: after a lost answer the server is asked how far it has come.
 * The session's URL is a secret; it is never shown, and no credentials are sent to it. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/retry.h"
#include "codec/json.h"
#include "store/store_gcs.h"
#include "store/content_type.h"

enum {
    PIECE = 8 << 20, /* a multiple of the 256 KiB that the protocol wants */
    ANSWER_BYTES = 1 << 20,
};

struct put {
    struct store_gcs *gcs;
    const struct store_upload *upload;
    int64_t deadline_ms;
    char crc[GCS_CRC];
    char write[GCS_WRITE_MAX]; /* this write's word */
    struct str description;
    struct gcs_object made; /* generation 0: not known */
};

static void describe(struct put *put)
{
    const struct store_upload *upload = put->upload;
    CLEANUP(json_free) struct json *root = json_new_object();
    CLEANUP(mem_free_chars) char *name = mem_printf("%s%s", put->gcs->prefix, upload->name);
    gcs_crc(upload->data, upload->len, put->crc);
    snprintf(put->write, sizeof(put->write), "%016" PRIx64 "%016" PRIx64, random_u64(),
             random_u64());
    json_add_string(root, "name", name);
    json_add_string(root, "contentType", content_type(upload->name));
    json_add_string(root, "crc32c", put->crc);
    struct json *metadata = json_add_object(root, "metadata");
    if (upload->label)
        json_add_string(metadata, GCS_LABEL, upload->label);
    json_add_string(metadata, GCS_WRITE, put->write);
    json_print(root, false, &put->description);
}

static void upload_url(const struct put *put, const char *type, struct str *out)
{
    const struct store_gcs *gcs = put->gcs;
    str_addf(out, "%s/upload/storage/v1/b/%s/o?uploadType=%s", gcs->base, gcs->bucket, type);
    if (put->upload->expect >= 0)
        str_addf(out, "&ifGenerationMatch=%" PRId64, put->upload->expect);
    str_addz(out, "&fields=generation,size,crc32c,metadata");
}

static int failed(const struct put *put, int r, struct err *err)
{
    gcs_failed(put->gcs, "upload", put->upload->name, r, err);
    if (r ==
        ERR_UNREACHABLE) { /* the service, not the credentials: that is this object's bad luck */
        if (err)
            err->code = ERR_RETRY;
        return ERR_RETRY;
    }
    return r;
}

/* What an answer to the last piece means. 0: the object was made, as far as it can be read. */
static int judge(struct put *put, const struct http_request *request,
                 const struct http_answer *answer, struct err *err)
{
    const char *body = answer->body.s ? answer->body.s : "";
    if (answer->status == 412)
        return STORE_CHANGED;
    if (answer->status != 200 && answer->status != 201)
        return gcs_refused(put->gcs, "upload", put->upload->name, request, answer, err);
    if (!gcs_object_parse(body, answer->body.len, &put->made))
        put->made = (struct gcs_object){0};
    return 0;
}

/* ---- in one request ---- */

static int put_at_once(struct put *put, struct err *err)
{
    CLEANUP(str_deinit) struct str url = {0};
    CLEANUP(str_deinit) struct str body = {0};
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};
    char boundary[40], type[100];
    snprintf(boundary, sizeof(boundary), "%016" PRIx64 "%016" PRIx64, random_u64(), random_u64());
    snprintf(type, sizeof(type), "Content-Type: multipart/related; boundary=%s", boundary);
    const char *const headers[] = {type, NULL};
    upload_url(put, "multipart", &url);
    str_reserve(&body, put->description.len + put->upload->len + 400);
    str_addf(&body, "--%s\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n%s\r\n", boundary,
             put->description.s);
    str_addf(&body, "--%s\r\nContent-Type: %s\r\n\r\n", boundary, content_type(put->upload->name));
    str_add(&body, put->upload->data, put->upload->len);
    str_addf(&body, "\r\n--%s--\r\n", boundary);
    struct http_request request = gcs_request(put->gcs, "POST", &url, put->deadline_ms);
    request.headers = headers;
    request.body = body.s;
    request.body_len = body.len;
    int r = http_call(put->gcs->http, &request, &answer, err);
    return r < 0 ? failed(put, r, err) : judge(put, &request, &answer, err);
}

/* ---- in pieces ---- */

struct session {
    struct str url;
    size_t sent;   /* bytes that the server has */
    bool in_doubt; /* it is to be asked how many those are */
};

static bool same_host(const char *a, const char *b)
{
    const char *host = strstr(b, "://");
    size_t len = host ? (size_t)(host - b) + 3 + strcspn(host + 3, "/?#") : 0;
    return len > 0 && strncmp(a, b, len) == 0 && (a[len] == '/' || a[len] == '?');
}

static int begin_session(struct put *put, struct session *session, struct err *err)
{
    CLEANUP(str_deinit) struct str url = {0};
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};
    char length[60], type[120];
    snprintf(length, sizeof(length), "X-Upload-Content-Length: %zu", put->upload->len);
    snprintf(type, sizeof(type), "X-Upload-Content-Type: %s", content_type(put->upload->name));
    const char *const headers[] = {"Content-Type: application/json; charset=UTF-8", length, type,
                                   NULL};
    upload_url(put, "resumable", &url);
    struct http_request request = gcs_request(put->gcs, "POST", &url, put->deadline_ms);
    request.headers = headers;
    request.body = put->description.s;
    request.body_len = put->description.len;
    int r = http_call(put->gcs->http, &request, &answer, err);
    if (r < 0)
        return failed(put, r, err);
    if (answer.status != 200)
        return judge(put, &request, &answer, err);
    session->sent = 0;
    session->in_doubt = false;
    if (http_header(&answer, "location", &session->url) &&
        same_host(session->url.s, put->gcs->base))
        return 0;
    err_set(err, ERR_RETRY, "the server began no upload session of its own");
    return failed(put, ERR_RETRY, err);
}

static int send_piece(struct put *put, const struct session *session, struct http_request *request,
                      struct http_answer *answer, struct err *err)
{
    size_t total = put->upload->len;
    size_t len = session->in_doubt               ? 0
                 : total - session->sent < PIECE ? total - session->sent
                                                 : PIECE;
    char range[100];
    if (len == 0)
        snprintf(range, sizeof(range), "Content-Range: bytes */%zu", total);
    else
        snprintf(range, sizeof(range), "Content-Range: bytes %zu-%zu/%zu", session->sent,
                 session->sent + len - 1, total);
    const char *const headers[] = {range, NULL};
    *request = gcs_request(put->gcs, "PUT", &session->url, put->deadline_ms);
    request->authorize = NULL;
    request->headers = headers;
    request->body = (const char *)put->upload->data + (len ? session->sent : 0);
    request->body_len = len;
    request->max_answer = ANSWER_BYTES;
    int r = http_send(put->gcs->http, request, answer, err);
    request->headers = NULL;
    return r;
}

/* "bytes=0-N": so many bytes are there. False when the answer cannot be that. */
static bool take_progress(const struct http_answer *answer, size_t total, size_t *ret)
{
    CLEANUP(str_deinit) struct str range = {0};
    int64_t last;
    *ret = 0;
    if (!http_header(answer, "range", &range))
        return true;
    if (!str_starts(range.s, "bytes=0-") || !str_to_i64(range.s + strlen("bytes=0-"), &last) ||
        last < 0 || (uint64_t)last >= total)
        return false;
    *ret = (size_t)last + 1;
    return true;
}

enum { GO_ON = 50, BEGIN_AGAIN };

/* The session after an answer that asks for more. */
static int on_progress(struct put *put, struct session *session, struct http_budget *budget,
                       const struct http_request *request, const struct http_answer *answer,
                       struct err *err)
{
    size_t before = session->sent, now;
    bool sensible = take_progress(answer, put->upload->len, &now);
    bool asked = session->in_doubt;
    session->in_doubt = !sensible || now == put->upload->len;
    if (sensible)
        session->sent = now;
    if (sensible && now > before)
        budget->wait_ms = 0;
    if (sensible && (asked || now > before) && !session->in_doubt)
        return GO_ON;
    struct http_answer again = {.status = 503}; /* not further than before: wait a little */
    int r = 0;
    if (http_again(put->gcs->http, budget, request, &again, &r, err))
        return GO_ON;
    err_set(err, ERR_RETRY, "the server takes no more of it than %zu bytes", now);
    return failed(put, ERR_RETRY, err);
}

static int step(struct put *put, struct session *session, struct http_budget *budget,
                struct err *err)
{
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};
    struct http_request request;
    int r = send_piece(put, session, &request, &answer, err);
    if (r == 0 && answer.status == 308)
        return on_progress(put, session, budget, &request, &answer, err);
    if (r == 0 && (answer.status == 404 || answer.status == 410))
        return BEGIN_AGAIN; /* the session is lost */
    if (http_again(put->gcs->http, budget, &request, &answer, &r, err)) {
        session->in_doubt = true;
        return GO_ON;
    }
    return r < 0 ? failed(put, r, err) : judge(put, &request, &answer, err);
}

static int put_in_pieces(struct put *put, struct err *err)
{
    CLEANUP(str_deinit) struct str url = {0};
    struct session session = {0};
    struct http_budget budget = {0};
    int r = BEGIN_AGAIN;
    for (int begun = 0; r == BEGIN_AGAIN || r == GO_ON;) {
        if (r == BEGIN_AGAIN && begun++ > 5)
            r = failed(put, err_set(err, ERR_RETRY, "the server loses upload sessions"), err);
        else if (r == BEGIN_AGAIN)
            r = begin_session(put, &session, err) ?: GO_ON;
        else
            r = step(put, &session, &budget, err);
    }
    str_deinit(&session.url);
    return r;
}

/* ---- whose is it? ---- */

/* The server says that something else is there, or nothing that can be read: look. */
static int look(struct put *put, int r, struct err *err)
{
    struct gcs_object there;
    int looked = gcs_stat(put->gcs, put->upload->name, put->deadline_ms, &there, err);
    if (looked < 0)
        return failed(put, looked, err);
    if (looked == 0 && strcmp(there.write, put->write) == 0) {
        put->made = there;
        return 0;
    }
    if (r == STORE_CHANGED)
        return r;
    err_set(err, ERR_RETRY, "the server said that it was stored, and it is not there");
    return failed(put, ERR_RETRY, err);
}

static int check_made(struct put *put, struct err *err)
{
    if (put->made.bytes == (int64_t)put->upload->len &&
        (!put->made.crc[0] || strcmp(put->made.crc, put->crc) == 0))
        return 0;
    err_set(err, ERR_RETRY,
            "other bytes were stored than were sent: %" PRId64 " with CRC-32C %s, sent %zu with %s",
            put->made.bytes, put->made.crc, put->upload->len, put->crc);
    return failed(put, ERR_RETRY, err);
}

int gcs_put(struct store *store, const struct store_upload *upload, int64_t *ret_generation,
            struct err *err)
{
    struct put put = {
        .gcs = gcs_of(store), .upload = upload, .deadline_ms = store_deadline(store, upload->len)};
    int r = gcs_ready(put.gcs, err);
    if (r < 0)
        return gcs_failed(put.gcs, "upload", upload->name, r, err);
    describe(&put);
    r = upload->len <= PIECE ? put_at_once(&put, err) : put_in_pieces(&put, err);
    bool doubtful = put.made.generation == 0 || strcmp(put.made.write, put.write) != 0;
    if (r == STORE_CHANGED || (r == 0 && doubtful))
        r = look(&put, r, err);
    if (r == 0)
        r = check_made(&put, err);
    if (r == 0)
        *ret_generation = put.made.generation;
    str_deinit(&put.description);
    return r;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* s3_upload.c - one object into S3, and whether S3 honours conditions.
 *
 * Writes are conditional on the ETag: If-None-Match and If-Match, which AWS and some others honour,
 * others answer with 501, and others ignore. The probe finds out. Where they are not honoured, what
 * is there is looked at before each write, which leaves a gap between the look and the write.
 *
 * Whether an object is our own, after a lost answer, is told as with gs://: by a random word in its
 * metadata. The SHA-256 of the content is a part of the signature, so that nothing else can arrive.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/retry.h"
#include "store/content_type.h"
#include "store/store_s3.h"

/* ---- put ---- */

struct put {
    struct store_s3 *s3;
    const struct store_upload *upload;
    int64_t deadline_ms;
    char write[S3_WRITE_MAX];
    struct s3_there made;
};

/* Is what is there what was expected? 0 with *ret filled in where there is something. */
static int compare(const struct put *put, struct s3_there *ret, struct err *err)
{
    int64_t expect = put->upload->expect;
    int r = s3_look(put->s3, put->upload->name, put->deadline_ms, ret, err);
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
    struct s3_there there = {0};
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

static int judge(struct put *put, const struct s3_call *call, bool conditional, struct err *err)
{
    switch (call->answer.status) {
    case 200:
    case 201:
        put->made = (struct s3_there){0};
        if (s3_take_there(&call->answer, &put->made))
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
    return s3_refused(put->s3, "upload", put->upload->name, call, err);
}

static int put_failed(const struct put *put, int r, struct err *err)
{
    s3_failed(put->s3, "upload", put->upload->name, r, err);
    if (r == ERR_UNREACHABLE && err)
        err->code = ERR_RETRY;
    return r == ERR_UNREACHABLE ? ERR_RETRY : r;
}

/* x-amz-meta-hiwari-result-1 and so on. (No name may begin with another one: curl 7 would sign such
 * headers in a wrong order.) */
struct label_lines {
    char text[S3_LABEL_PIECES][S3_LABEL_PIECE + 40];
};

static void add_label(struct s3_call *call, const char *label, struct label_lines *lines)
{
    for (int i = 0; label && *label && i < S3_LABEL_PIECES; i++) {
        size_t len = strnlen(label, S3_LABEL_PIECE);
        snprintf(lines->text[i], sizeof(lines->text[i]), "x-amz-meta-hiwari-result-%d: %.*s", i + 1,
                 (int)len, label);
        s3_add_header(call, lines->text[i]);
        label += len;
    }
}

static int put_once(struct put *put, struct err *err)
{
    const struct store_upload *upload = put->upload;
    CLEANUP(s3_call_deinit) struct s3_call call = {0};
    struct label_lines label;
    CLEANUP(mem_free_chars) char *write = mem_printf("x-amz-meta-hiwari-write: %s", put->write);
    CLEANUP(mem_free_chars)
    char *type = mem_printf("Content-Type: %s", content_type(upload->name));
    char line[S3_ETAG_MAX + 20];
    int r = condition(put, line, sizeof(line), err);
    if (r != 0)
        return r;
    s3_object_url(put->s3, upload->name, &call.url);
    s3_add_header(&call, type);
    add_label(&call, upload->label, &label);
    s3_add_header(&call, write);
    s3_add_header(&call, line[0] ? line : NULL);
    call.request.body = upload->data ? upload->data : "";
    call.request.body_len = upload->len;
    r = s3_ask(put->s3, "PUT", put->deadline_ms, &call, err);
    return r < 0 ? put_failed(put, r, err) : judge(put, &call, line[0] != '\0', err);
}

/* Whose is it? See gs://. */
static int look_whose(struct put *put, int r, struct err *err)
{
    struct s3_there there;
    int looked = s3_look(put->s3, put->upload->name, put->deadline_ms, &there, err);
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

int s3_put(struct store *store, const struct store_upload *upload, int64_t *ret_generation,
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
    CLEANUP(s3_call_deinit) struct s3_call call = {0};
    s3_object_url(put->s3, put->upload->name, &call.url);
    s3_add_header(&call, "Content-Type: application/octet-stream");
    s3_add_header(&call, condition);
    call.request.body = put->upload->data;
    call.request.body_len = put->upload->len;
    int r = s3_ask(put->s3, "PUT", put->deadline_ms, &call, err);
    if (r < 0)
        return s3_failed(put->s3, "probe", put->upload->name, r, err);
    if (call.answer.status == 412)
        return 0;
    if (call.answer.status / 100 == 2 || call.answer.status == 501)
        return STORE_UNCONDITIONAL;
    return s3_refused(put->s3, "probe", put->upload->name, &call, err);
}

int s3_probe(struct store *store, struct err *err)
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

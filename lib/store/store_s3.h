/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* store_s3.h - what the parts of the s3:// driver share: store_s3.c, s3_call.c and s3_upload.c. */
#ifndef STORE_STORE_S3_H
#define STORE_STORE_S3_H

#include "http/http.h"
#include "store/aws_auth.h"
#include "store/store_driver.h"

struct store_s3 {
    struct store store;
    struct http *http;
    struct aws_auth auth;
    char *
        base; /* with the bucket: https://bucket.s3.region.amazonaws.com, http://host:port/bucket */
    char *prefix;
    char *session_line; /* NULL: no session */
};

static inline struct store_s3 *s3_of(struct store *store)
{
    return (struct store_s3 *)store;
}

/* ---- one request ---- */

enum {
    S3_ETAG_MAX = 200,
    S3_WRITE_MAX = 33,
    S3_LABEL_PIECE = 256, /* Swift takes no longer values */
    S3_LABEL_PIECES = (STORE_LABEL_MAX + S3_LABEL_PIECE - 1) / S3_LABEL_PIECE,
    S3_HEADERS_MAX = 8 + S3_LABEL_PIECES,
};

/* {0} with a url; request.body and request.max_answer may be set before it is asked. */
struct s3_call {
    struct http_request request;
    const char *headers[S3_HEADERS_MAX + 1];
    const char *secrets[3];
    int n_headers;
    struct str url;
    struct http_answer answer;
};
void s3_call_deinit(struct s3_call *call);
MEM_CLEANUP_VALUE(s3_call_deinit, struct s3_call);

void s3_object_url(const struct store_s3 *s3, const char *name, struct str *out);
/* The line is borrowed; NULL: none. */
void s3_add_header(struct s3_call *call, const char *line);
/* http_call with the store's keys. */
int s3_ask(struct store_s3 *s3, const char *method, int64_t deadline_ms, struct s3_call *call,
           struct err *err);

/* All three return the failure: "verb s3://bucket/prefix/name: …". */
int s3_failed(const struct store_s3 *s3, const char *verb, const char *name, int r,
              struct err *err);
int s3_refused(const struct store_s3 *s3, const char *verb, const char *name,
               const struct s3_call *call, struct err *err);
int s3_senseless(const struct store_s3 *s3, const char *verb, const char *name,
                 const struct s3_call *call, struct err *err);

/* ---- what is there ---- */

struct s3_there {
    int64_t generation;
    char etag[S3_ETAG_MAX]; /* with its quotes */
    char write[S3_WRITE_MAX];
};

int64_t s3_generation_of(const char *etag); /* 1 to 2^52, from the text with its quotes */
bool s3_take_there(const struct http_answer *answer, struct s3_there *ret); /* false: no ETag */
/* 0 or STORE_ABSENT. */
int s3_look(struct store_s3 *s3, const char *name, int64_t deadline_ms, struct s3_there *ret,
            struct err *err);

int s3_put(struct store *store, const struct store_upload *upload, int64_t *ret_generation,
           struct err *err);
int s3_probe(struct store *store, struct err *err);
int s3_remove(struct store *store, const char *name, int64_t expect, struct err *err);

#endif

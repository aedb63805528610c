/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* store_gcs.h - what the two halves of the gs:// driver share: store_gcs.c and gcs_upload.c. */
#ifndef STORE_STORE_GCS_H
#define STORE_STORE_GCS_H

#include "http/http.h"
#include "store/google_auth.h"
#include "store/store_driver.h"

struct store_gcs {
    struct store store;
    struct http *http;
    struct google_auth *auth; /* NULL: an emulator, which asks for nothing */
    char *base;               /* https://storage.googleapis.com */
    char *bucket;
    char *prefix; /* "" or "a/b/" */
};

static inline struct store_gcs *gcs_of(struct store *store)
{
    return (struct store_gcs *)store;
}

/* Metadata of an object: its label, and the random word of the write that made it. */
#define GCS_LABEL "hiwari-result"
#define GCS_WRITE "hiwari-write"
enum { GCS_CRC = 9, GCS_WRITE_MAX = 33 };

struct gcs_object {
    int64_t generation, bytes;
    char crc[GCS_CRC]; /* base64 of CRC-32C, or "" */
    char write[GCS_WRITE_MAX];
};
/* An object's description in JSON. False when there is none. */
bool gcs_object_parse(const char *text, size_t len, struct gcs_object *ret);
void gcs_crc(const void *data, size_t len, char ret[GCS_CRC]);

/* Credentials are at hand; otherwise why not. */
int gcs_ready(struct store_gcs *gcs, struct err *err);
void gcs_object_url(const struct store_gcs *gcs, const char *name, struct str *out);
struct http_request gcs_request(struct store_gcs *gcs, const char *method, const struct str *url,
                                int64_t deadline_ms);
/* 0 or STORE_ABSENT. */
int gcs_stat(struct store_gcs *gcs, const char *name, int64_t deadline_ms, struct gcs_object *ret,
             struct err *err);

/* Both return the failure: "verb gs://bucket/prefix/name: …". */
int gcs_failed(const struct store_gcs *gcs, const char *verb, const char *name, int r,
               struct err *err);
int gcs_refused(const struct store_gcs *gcs, const char *verb, const char *name,
                const struct http_request *request, const struct http_answer *answer,
                struct err *err);

/* One page of a listing: its objects to fn, and the next page's token into *token (empty: it was
 * the last). */
int gcs_list_page(const struct store_gcs *gcs, const struct http_answer *answer, struct str *token,
                  store_list_fn *fn, void *ctx, struct err *err);

int gcs_put(struct store *store, const struct store_upload *upload, int64_t *ret_generation,
            struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* store.h - where results go: a flat set of named objects with conditional writes.
 *
 * A store is opened from a URL: file:///dir, gs://bucket/prefix or s3://bucket/prefix. An object is
 * there whole or not at all. Each has a generation, a positive number that differs whenever its
 * content was written anew (s3://: whenever its content differs). All functions may be called from
 * several threads at once. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct store;

/* Answers, not failures. */
enum {
    STORE_ABSENT = 1,        /* no such object */
    STORE_CHANGED = 2,       /* the precondition does not hold: another generation is there */
    STORE_UNCONDITIONAL = 3, /* store_probe: this store does not honour preconditions */
};

/* What a write or delete expects to find. */
enum { STORE_EXPECT_NOTHING = 0, STORE_EXPECT_ANYTHING = -1 }; /* else: a generation */

/* Open a destination; it is created when it can be (file://: the folder; buckets are not made).
 * ERR_CONFIG for a URL that cannot be understood (says which forms there are) and for wrong
 * credentials, ERR_WRITE or ERR_UNREACHABLE when it cannot be used. */
int store_open(const char *url, struct store **ret, struct err *err);
/* The same for one that must be there: ERR_CONFIG when it is not, and nothing is made. */
int store_open_existing(const char *url, struct store **ret, struct err *err);
void store_close(struct store *store);
MEM_CLEANUP(store_close, struct store *);
const char *
store_url(const struct store *store); /* as canonical text: absolute path, no trailing slash */

/* How many requests at the same time pay: few with a disk, many with a network. */
int store_parallel(const struct store *store);

/* Names are flat: [A-Za-z0-9._=-], at most STORE_NAME_MAX of them, not led by '.'. Others are
 * ERR_INPUT. */
enum { STORE_NAME_MAX = 200 };
bool store_name_ok(const char *name);

/* Where a network is between, the store asks again by itself, for so long per object (60 s at
 * first), or less when the server wants more time than that. After its ERR_RETRY there is nothing
 * left to try; elsewhere there may be. */
void store_set_patience(struct store *store, int64_t ms);
bool store_asks_again(const struct store *store);
/* The program ends: what is under way, and all that follows, fails at once, and whether it had its
 * effect is not known. */
void store_stop(struct store *store);

/* Write one object whole. 0: written and durable, *ret_generation (may be NULL) filled in;
 * STORE_CHANGED: what is there is not what was expected, nothing was written; ERR_RETRY: it may or
 * may not have been written; ERR_UNREACHABLE: there were no credentials to be had, nothing was
 * written; ERR_WRITE: the destination does not take it, nor any other; ERR_INPUT: not this one. */
int store_put(struct store *store, const char *name, const void *data, size_t len, int64_t expect,
              int64_t *ret_generation, struct err *err);

/* 0, or ERR_INPUT naming `name` when an object of so many bytes is more than the store takes.
 * Writes ask by themselves; this is for knowing before the first of many. */
int store_check_bytes(const struct store *store, const char *name, int64_t bytes, struct err *err);

/* Content that is made as it is written: hands on piece after piece. What it answers but 0 ends the
 * write; by then nothing has its name. */
typedef int store_piece_fn(void *sink, const void *data, size_t len, struct err *err);
typedef int store_content_fn(void *ctx, store_piece_fn *piece, void *sink, struct err *err);

/* The same with a label: one line of printable ASCII that is kept beside the object where the store
 * can do so, and comes back in listings where they have it. Content in pieces goes straight to a
 * disk, and is collected first for the other stores. */
enum { STORE_LABEL_MAX = 1500 };
struct store_upload {
    const char *name;
    const void *data;
    size_t len;
    store_content_fn *content; /* in place of data and len */
    void *ctx;                 /* its */
    int64_t expect;
    const char *label; /* NULL: none */
};
int store_upload(struct store *store, const struct store_upload *upload, int64_t *ret_generation,
                 struct err *err);
bool store_label_ok(const char *label);

/* Does this store honour what writes expect to find? Asks it by writing and deleting an object of
 * its own, for s3://. 0 or STORE_UNCONDITIONAL; from then on such a store is asked what is there
 * before each write, which cannot exclude that two writers pass each other. */
int store_probe(struct store *store, struct err *err);
void store_set_unconditional(struct store *store); /* it is known already */

/* Read a whole object, or only its last max_tail bytes (0: all). 0 or STORE_ABSENT. */
int store_get(struct store *store, const char *name, size_t max_tail, struct str *ret,
              int64_t *ret_generation, struct err *err);

/* Read len bytes from offset on; fewer only where the object ends, none beyond it. For objects too
 * large to be held: whoever reads part after part compares the generations. 0 or STORE_ABSENT. */
int store_get_part(struct store *store, const char *name, int64_t offset, int64_t len,
                   struct str *ret, int64_t *ret_generation, struct err *err);

/* 0, STORE_ABSENT, or STORE_CHANGED. */
int store_delete(struct store *store, const char *name, int64_t expect, struct err *err);

/* Every object with from <= name <= to (NULL: no bound) in byte order of names. What the callback
 * answers but 0 stops it. */
struct store_range {
    const char *from, *to;
};
#define STORE_ALL ((struct store_range){NULL, NULL})
struct store_object {
    const char *name; /* borrowed until the callback returns */
    int64_t generation;
    int64_t bytes;
    const char *label; /* NULL: none, or the listing does not have it */
    /* What the listing says of the content; NULL where it does not. */
    const char *crc32c; /* base64 of its four bytes, the highest first */
    const char *md5;    /* 32 lower-case digits */
};
typedef int store_list_fn(void *ctx, const struct store_object *object, struct err *err);
int store_list(struct store *store, struct store_range range, store_list_fn *fn, void *ctx,
               struct err *err);

#endif

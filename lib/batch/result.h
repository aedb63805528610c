/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* result.h - one key's result: a zip that says what it is.
 *
 * The identity of a result is (spec, data hash of the key, format, RESULT_VERSION); it
 * stands with row count and the members' checksums as one JSON line in the archive comment, at the
 * very end of the file, so that any store can tell what it holds by reading a tail:
 *
 *   {"hiwari":1,"key":"2019-10-01","spec":"…","data":"…","format":"csv","result_version":1,
 *    "rows":405,"members":[{"name":"2019-10-01.csv","bytes":81234,"crc32":"9ae0daaf"}]}
 *
 * Same identity, same member bytes. */
#ifndef BATCH_RESULT_H
#define BATCH_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "codec/column.h"
#include "codec/zip.h"
#include "store/store.h"

/* Changes only when the content of results changes for the same spec and data. */
enum { RESULT_VERSION = 1 };

struct result_member {
    char *name;
    int64_t bytes;
    uint32_t crc32;
};

struct result_identity {
    char *key;
    char spec[SHA256_HEX];
    char data[SHA256_HEX];
    char *format;
    int result_version;
    int64_t rows;
    struct result_member *members; /* none when the line would not fit into a comment */
    int n_members;
};

/* Parse the line. ERR_INPUT when it is not one of hiwari's. */
int result_identity_parse(const char *line, size_t len, struct result_identity **ret,
                          struct err *err);
void result_identity_free(struct result_identity *identity);
MEM_CLEANUP(result_identity_free, struct result_identity *);

/* Spec, format and version are the same, and the data hash begins alike. */
bool result_identity_same(const struct result_identity *a, const struct result_identity *b);

bool result_format_ok(const char *format); /* "csv" or "npz" */
bool result_key_ok(
    const char *key); /* can be the name of a result: [A-Za-z0-9._=-], not led by '.' or '_' */
char *result_name(const char *key); /* <key>.zip; caller owns */
/* The key of a result's name: true when it is one; ret holds at least strlen(name) + 1 bytes. */
bool result_key_of(const char *name, char *ret);

struct result_options {
    const char *key, *spec_sha256, *data_hash, *format;
    bool float32; /* spec's "output": {"float": "f32"} */
};
struct result {
    struct str zip;
    struct result_identity *identity; /* members filled in */
};
/* Format and pack a frame. ERR_INPUT when a column cannot be written. */
int result_pack(const struct result_options *options, const struct frame *frame, struct result *ret,
                struct err *err);
void result_deinit(struct result *result);
MEM_CLEANUP_VALUE(result_deinit, struct result);

/* Upload on the condition that the store holds what is expected (a generation, or
 * STORE_EXPECT_NOTHING). 0: it is there and durable; RESULT_SAME: the very same result was there
 * already; ERR_INPUT: a different one is there (err names both), nothing was replaced; otherwise
 * store_put's failures. */
enum { RESULT_SAME = 1 };
int result_put(struct store *store, const struct result *result, int64_t expect,
               int64_t *ret_generation, struct err *err);

/* The identity of the result in the store. 0, STORE_ABSENT, or ERR_INPUT when the object is not a
 * result of hiwari's or is damaged. */
int result_read_identity(struct store *store, const char *name, struct result_identity **ret,
                         int64_t *ret_generation, struct err *err);

#endif

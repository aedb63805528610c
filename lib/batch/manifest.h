/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* manifest.h - `_manifest.jsonl` and `_SUCCESS` as text.
 *
 * The first line says which batch, the others one key each, in key order: the listing of
 * the destination joined with what Redis knows (null where Redis lost it).
 *
 *   {"hiwari":1,"batch":…,"incarnation":…,"epoch":…,"spec":…,"snapshot":…,
 *    "format":…,"result_version":…,"keys":547,"done":546,"failed":1}
 *   {"key":"2019-10-01","state":"done","rows":405,"bytes":20123,"generation":…,
 *    "crc32":["9ae0daaf"],"attempts":0,"interruptions":0,"ms":3}
 *   {"key":"2019-10-02","state":"failed","attempts":3,"interruptions":0,
 *    "class":"error","error":"…"}
 */
#ifndef BATCH_MANIFEST_H
#define BATCH_MANIFEST_H

#include "batch/records.h"
#include "batch/survey.h"

struct manifest_counts {
    int64_t done, failed;
};
void manifest_print_header(const struct batch_file *batch, int64_t epoch,
                           const struct manifest_counts *counts, struct str *out);
/* The lines of a slice of its keys, of which these are survey and records. */
void manifest_print_keys(const struct batch_file *batch, struct batch_slice slice,
                         const struct survey *survey, const struct records *records,
                         struct str *out);

/* {"hiwari":1,"batch":…,"incarnation":…,"epoch":…,"keys":…,"manifest_crc32c":"…"} */
void manifest_success(const struct batch_file *batch, int64_t epoch, uint32_t manifest_crc32c,
                      struct str *out);

/* ---- reading them again ---- */

struct manifest_line {
    char *key;
    bool done; /* else failed */
    bool stale;
    int64_t rows, bytes, generation; /* done */
    uint32_t *crc32;                 /* done: of each member; none where the result names none */
    int n_members;
    char *class, *error; /* failed */
};

struct manifest {
    char *batch;
    char incarnation[BATCH_INCARNATION];
    int64_t epoch;
    char spec[SHA256_HEX];
    char snapshot[SHA256_HEX];
    char *format;
    int result_version;
    struct manifest_line *lines; /* keys ascend */
    int64_t n;
    int64_t done, failed;
};
/* ERR_INPUT names line and member; lines that do not come to what the first one says are refused.
 * A newer format is ERR_CONFIG. `name` stands for the document. */
int manifest_parse(const char *name, const char *text, size_t len, struct manifest **ret,
                   struct err *err);
void manifest_free(struct manifest *manifest);
MEM_CLEANUP(manifest_free, struct manifest *);
const struct manifest_line *manifest_find(const struct manifest *manifest, const char *key);

struct manifest_seal { /* `_SUCCESS` */
    char incarnation[BATCH_INCARNATION];
    int64_t epoch, keys;
    uint32_t manifest_crc32c;
};
int manifest_seal_parse(const char *name, const char *text, size_t len, struct manifest_seal *ret,
                        struct err *err);

/* The manifest of a destination, and whether `_SUCCESS` seals it: 0, or STORE_ABSENT when there is
 * no manifest. ERR_INPUT when `_SUCCESS` is of another manifest, though both were read again. */
int manifest_read(struct store *store, struct manifest **ret, bool *ret_sealed, struct err *err);

#endif

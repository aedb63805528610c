/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* batch_file.h - what a batch is: the `_batch.json` in its destination.
 *
 * It is written before Redis hears of the batch, and holds all that is needed to begin
 * again without Redis: the spec itself, the snapshot's id, the settings, and every key with
 * the beginning of its data hash. Whatever Redis forgets, this and the results remember. */
#ifndef BATCH_BATCH_FILE_H
#define BATCH_BATCH_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "queue/queue.h"
#include "store/store.h"

/* Objects beside the results. Names that begin with '_' are never keys. */
#define BATCH_FILE "_batch.json"
#define BATCH_MANIFEST "_manifest.jsonl"
#define BATCH_SUCCESS "_SUCCESS"
#define BATCH_RESULT_SUFFIX ".zip"

enum { BATCH_FORMAT = 1, BATCH_INCARNATION = 33, BATCH_DATA = 17 }; /* hex digits and a NUL */

struct batch_settings {
    int64_t lease_ms;      /* 0: 30 s */
    int64_t key_ms;        /* 0: 3600 s */
    int max_attempts;      /* 0: 3 */
    int max_interruptions; /* 0: 10 */
    bool newest_first;
    bool durable;
    bool notify; /* somebody wants to know; whom to tell is a secret, and stands in Redis alone */
};

struct batch_key {
    char *key;             /* a date for features */
    char data[BATCH_DATA]; /* the first 16 digits of its data hash */
};

struct batch_file {
    char *name;
    char incarnation[BATCH_INCARNATION]; /* random, new for every run of this name */
    char *spec;                          /* the canonical text: workers take the spec from here */
    char spec_sha256[SHA256_HEX];
    char snapshot_id[SHA256_HEX];
    char *dest;   /* store_url of the destination */
    char *format; /* "csv" or "npz" */
    int result_version;
    bool replace_stale;
    bool unconditional; /* the store was found not to honour conditional writes */
    struct batch_settings settings;
    struct batch_key *keys; /* ascending, no key twice */
    int64_t n_keys;
    char keys_sha256[SHA256_HEX]; /* of the keys, one a line */
    char *made_by;                /* user@host */
    char *made_at;                /* UTC, 2026-01-31T15:04:05Z */
};

/* Format and parse. The keys are written as a range where they are consecutive dates, else as a
 * list. Parsing checks everything, the sums included; ERR_INPUT names the document and the member;
 * a newer format is ERR_CONFIG. */
void batch_file_print(const struct batch_file *file, struct str *out);
int batch_file_parse(const char *name, const char *text, size_t len, struct batch_file **ret,
                     struct err *err);
void batch_file_free(struct batch_file *file);
MEM_CLEANUP(batch_file_free, struct batch_file *);

/* The one in the destination: 0, or STORE_ABSENT. ret_generation may be NULL. */
int batch_file_read(struct store *store, struct batch_file **ret, int64_t *ret_generation,
                    struct err *err);

/* Is the destination this batch's? ERR_CONFIG when `there`, its `_batch.json`, is another batch's
 * or another incarnation's, for which nobody but that one may write or take away `_SUCCESS`. NULL:
 * there is none, and nothing speaks against it. */
int batch_file_compare(const struct batch_file *file, const struct batch_file *there,
                       const struct store *store, struct err *err);
/* The same with the one that is in the destination now; one that cannot be read is ERR_CONFIG too.
 */
int batch_file_check(const struct batch_file *file, struct store *store, struct err *err);

/* What the batch knows about its store, which is open: whether it honours conditional writes. */
void batch_file_tell(const struct batch_file *file, struct store *store);

/* Defaults for what is 0, and the checksum of the keys (which must be sorted). */
void batch_file_complete(struct batch_file *file);

/* The number of a key, or -1. */
int64_t batch_file_find(const struct batch_file *file, const char *key);

/* Consecutive keys of a batch: what looks at keys does so slice by slice where all would be too
 * much to hold. */
struct batch_slice {
    int64_t first, n;
};
static inline struct batch_slice batch_file_whole(const struct batch_file *file)
{
    return (struct batch_slice){0, file->n_keys};
}

/* Do two batches ask for the same results: spec, snapshot, format, result version, keys? Otherwise
 * *ret_what (may be NULL; static text) names the first difference, for "with another ...". */
bool batch_file_same_work(const struct batch_file *a, const struct batch_file *b,
                          const char **ret_what);
bool batch_file_same_settings(const struct batch_file *a, const struct batch_file *b);

/* What queue_begin wants to know; text is _batch.json's, borrowed like everything else in it. */
struct queue_settings batch_file_queue_settings(const struct batch_file *file, const char *text);

/* Long work calls this about once a second; total 0: not known yet. */
typedef void batch_progress_fn(void *ctx, const char *what, int64_t done, int64_t total);
struct batch_progress {
    batch_progress_fn *fn; /* NULL: nobody is looking */
    void *ctx;
};

#endif

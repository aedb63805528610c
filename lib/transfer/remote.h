/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* remote.h - a snapshot's place in a store, inside lib/transfer only.
 *
 *     URL/snapshot.json                the last object to be written
 *     URL/_push.json                   who is pushing which snapshot; gone when it is whole
 *     URL/entries/race_date.npy        %XX in a name is =XX there, and @ is =40
 *
 * Names of objects are shorter than names of files may be: one that is too long is "=" and 32
 * digits of its SHA-256. */
#ifndef TRANSFER_REMOTE_H
#define TRANSFER_REMOTE_H

#include <stdatomic.h>

#include "snapshot/layout.h"
#include "store/store.h"
#include "transfer/transfer.h"

#define REMOTE_CLAIM "_push.json"
enum {
    REMOTE_PART = 8 << 20, /* bytes that are read at once */
    REMOTE_THREADS = 8,
};

struct remote_object {
    struct store *store; /* its table's */
    char *name;
};

struct remote {
    struct store *root;
    struct store **tables; /* one for each table of the layout */
    int n_tables;
    struct remote_object *objects; /* one for each file of the layout */
    int n_objects;
};

/* Only the root; existing: it must be there. */
int remote_open(const char *url, bool existing, struct remote *ret, struct err *err);
/* The rest. ERR_CONFIG for a path in the layout that no snapshot has. */
int remote_open_tables(struct remote *remote, const struct layout *layout, bool existing,
                       struct err *err);
void remote_close(struct remote *remote);
MEM_CLEANUP_VALUE(remote_close, struct remote);

/* 0, or STORE_ABSENT. ret_text may be NULL. */
int remote_layout(struct remote *remote, struct layout *ret, struct str *ret_text, struct err *err);

/* What a push or a pull counts while several threads work at it. */
struct transfer_counts {
    atomic_int_fast64_t done_bytes; /* sent, fetched or found to be there */
    atomic_int_fast64_t kept_bytes, kept_files;
};
int64_t remote_total(const struct layout *layout);

#endif

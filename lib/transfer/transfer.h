/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* transfer.h - snapshots between a directory and a store.
 *
 * A table is a folder below the URL, a file of it an object there; `snapshot.json` is written last,
 * so that a snapshot is there whole or not at all. Indexes are not carried: they can be made
 * anywhere. Whatever was interrupted goes on where it was when the same command is given again;
 * what is there already counts when its checksum is that of snapshot.json, also where the whole is
 * said to be there. */
#ifndef TRANSFER_TRANSFER_H
#define TRANSFER_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

struct transfer_options {
    /* Called about ten times a second with bytes; NULL: nobody is looking. */
    void (*progress)(void *ctx, int64_t done, int64_t total);
    void *ctx;
};

struct transfer_result {
    char id[SHA256_HEX];
    bool present;         /* the whole was there already, and nothing of it was damaged */
    int64_t files, bytes; /* of the snapshot, snapshot.json left out */
    int64_t kept_files;   /* of them: were there already */
    int64_t kept_bytes;
};

/* Send dir's snapshot to url, or what is missing or damaged of it there. ERR_CONFIG: dir is no
 * snapshot, or another one is at url (or was begun there); ERR_INPUT: a file of dir is damaged, or
 * larger than the store takes; ERR_RETRY, ERR_UNREACHABLE, ERR_WRITE: the store's; the same call
 * goes on later. */
int transfer_push(const char *dir, const char *url, const struct transfer_options *options,
                  struct transfer_result *ret, struct err *err);

/* Bring the snapshot of url to dir. ERR_CONFIG: there is none at url, or it is not whole;
 * ERR_INPUT: an object is damaged; ERR_WRITE: dir exists and is something else, or this snapshot
 * damaged, or the disk is full; ERR_RETRY: another pull is at it; ERR_UNREACHABLE. */
int transfer_pull(const char *url, const char *dir, const struct transfer_options *options,
                  struct transfer_result *ret, struct err *err);

#endif

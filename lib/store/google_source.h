/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* google_source.h - where an access token for Google comes from, in the order of Google's own
 * libraries: the file that GOOGLE_APPLICATION_CREDENTIALS names, the one that
 * `gcloud auth application-default login` leaves, the metadata server of the machine. */
#ifndef STORE_GOOGLE_SOURCE_H
#define STORE_GOOGLE_SOURCE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

enum google_kind {
    GOOGLE_SERVICE_ACCOUNT, /* a key file */
    GOOGLE_USER,            /* a person's refresh token */
    GOOGLE_EXTERNAL,        /* Workload Identity Federation with a token in a file */
    GOOGLE_METADATA,        /* the machine says who it is */
};

struct google_source {
    enum google_kind kind;
    char *path;            /* for messages: the file it came from, or the metadata server */
    char *token_url;       /* where a token is asked for */
    char *impersonate_url; /* then exchanged here for that of a service account; NULL: no */
    int lifetime_s;        /* of that one */

    char *client_email, *private_key, *private_key_id; /* service account */
    char *client_id, *client_secret, *refresh_token;   /* user */
    char *audience, *subject_type;                     /* external */
    char *subject_file, *subject_field;                /* field NULL: the file is the token */
    bool patient; /* metadata: this looks like a machine of Google's, its server may be starting */
};

/* Look at the environment and read the file. ERR_CONFIG naming the file and what is wrong. */
int google_source_find(struct google_source **ret, struct err *err);
int google_source_parse(const char *path, const char *text, size_t len, struct google_source **ret,
                        struct err *err);
void google_source_free(struct google_source *source);
MEM_CLEANUP(google_source_free, struct google_source *);

#endif

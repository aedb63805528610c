/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* google_auth.h - one access token for all threads, always fresh. */
#ifndef STORE_GOOGLE_AUTH_H
#define STORE_GOOGLE_AUTH_H

#include "http/http.h"

struct google_auth;

/* Finds the credentials; nothing is asked yet. http is borrowed. */
int google_auth_new(struct http *http, struct google_auth **ret, struct err *err);
void google_auth_free(struct google_auth *auth);

/* http_authorize_fn with the google_auth as ctx: "Authorization: Bearer …". */
int google_auth_line(void *ctx, const char *refused, struct str *ret, struct err *err);

#endif

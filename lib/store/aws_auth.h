/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* aws_auth.h - keys, region and endpoint for S3, as the tools of AWS find them: the environment,
 * then the shared files of the profile that AWS_PROFILE names. */
#ifndef STORE_AWS_AUTH_H
#define STORE_AWS_AUTH_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct aws_auth {
    char *key_id, *secret;
    char *session; /* token of temporary keys; NULL: none */
    char *region;
};

/* ERR_CONFIG says where keys were looked for. */
int aws_auth_find(struct aws_auth *ret, struct err *err);
void aws_auth_deinit(struct aws_auth *auth);

/* The endpoint that the environment names; NULL: AWS itself. */
const char *aws_endpoint(void);

/* The value of `name` in [section] of a file in AWS' ini format. False when it is not there. */
bool aws_ini_value(const char *text, size_t len, const char *section, const char *name,
                   struct str *ret);

#endif

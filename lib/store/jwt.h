/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* jwt.h - a signed statement (RFC 7519) with RS256: how a service account says who it is. */
#ifndef STORE_JWT_H
#define STORE_JWT_H

#include "base/err.h"
#include "base/str.h"

/* header and claims are JSON; key is a private RSA key in PEM. ERR_CONFIG, in words that hold
 * nothing of the key, when it cannot be used. */
int jwt_sign(const struct str *header, const struct str *claims, const char *key, struct str *ret,
             struct err *err);

#endif

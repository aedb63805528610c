/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* bucket_url.h - "bucket/prefix", what follows gs:// and s3://. For lib/store only. */
#ifndef STORE_BUCKET_URL_H
#define STORE_BUCKET_URL_H

#include "base/err.h"

/* *ret_prefix is "" or ends with '/'; both are the caller's. ERR_CONFIG when the prefix cannot be
 * one; the bucket is not looked at. */
int bucket_split(const char *scheme, const char *rest, char **ret_bucket, char **ret_prefix,
                 struct err *err);

/* "scheme://bucket/prefix" without a slash at its end; the caller's. */
char *bucket_url(const char *scheme, const char *bucket, const char *prefix);

#endif

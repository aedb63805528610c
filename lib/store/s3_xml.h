/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* s3_xml.h - what S3 answers in XML: listings and errors; the one place that includes expat. */
#ifndef STORE_S3_XML_H
#define STORE_S3_XML_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

/* One page of a listing (ListObjectsV2). The callback's strings are borrowed; what it returns, when
 * it is not 0, ends the parsing and is returned. */
typedef int s3_object_fn(void *ctx, const char *key, const char *etag, int64_t bytes,
                         struct err *err);
struct s3_page {
    struct str next; /* continuation token; empty: this was the last page */
};
/* ERR_RETRY when the text is no listing. Objects before the place where it breaks were seen. */
int s3_parse_page(const char *text, size_t len, s3_object_fn *fn, void *ctx, struct s3_page *ret,
                  struct err *err);

/* An error document's code and message. False when it is none. */
bool s3_parse_error(const char *text, size_t len, struct str *ret_code, struct str *ret_message);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* sign.h - Amazon's Signature Version 4 for S3, in a header. For lib/http only. */
#ifndef HTTP_SIGN_H
#define HTTP_SIGN_H

#include "http/http.h"

/* Lines to be sent with the request beside its own headers; all of those are signed too. */
struct sign_lines {
    char *date, *sum, *authorization;
};
void sign_lines_deinit(struct sign_lines *lines);
MEM_CLEANUP_VALUE(sign_lines_deinit, struct sign_lines);

/* wall_ms is now by clock_wall_ms. */
void sign_request(const struct http_request *request, int64_t wall_ms, struct sign_lines *ret);

#endif

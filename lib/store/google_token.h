/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* google_token.h - one access token from a source, and what Google's servers say when they refuse.
 */
#ifndef STORE_GOOGLE_TOKEN_H
#define STORE_GOOGLE_TOKEN_H

#include <stdint.h>

#include "http/http.h"
#include "store/google_source.h"

struct google_token {
    char *text;         /* owned */
    int64_t expires_ms; /* by clock_ms */
};

/* Ask for one, for up to 30 s. ERR_CONFIG when the source is refused (err says by whom and how to
 * mend it), ERR_UNREACHABLE when nobody answers. No secret is in err. */
int google_token_fetch(struct http *http, const struct google_source *source,
                       struct google_token *ret, struct err *err);

/* The answer of a token endpoint, at now_ms. False when it holds no token. */
bool google_token_parse(const char *text, size_t len, int64_t now_ms, struct google_token *ret);
/* The same of the endpoint that impersonates a service account; wall_ms is now by clock_wall_ms. */
bool google_token_parse_impersonated(const char *text, size_t len, int64_t now_ms, int64_t wall_ms,
                                     struct google_token *ret);

/* http_words_fn: {"error": {"message"}} and {"error", "error_description"}, else http_words. */
void google_words(const struct http_answer *answer, struct str *out);

#endif

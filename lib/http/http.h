/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* http.h - requests over HTTP; the one place that knows libcurl.
 *
 * A client has one thread that moves bytes and keeps connections alive. Any number of threads may
 * have a request with it at the same time, each waiting for its own; HTTP/2 carries them over one
 * connection where the server offers it. Nothing is buffered beyond the answers themselves, and
 * those are bounded.
 *
 * Certificates are checked. CURL_CA_BUNDLE, SSL_CERT_FILE and SSL_CERT_DIR name other authorities,
 * and http_proxy, https_proxy and no_proxy a proxy, as they do for the curl program. Redirects are
 * not followed: a store that answers with one is not the store that was meant. Neither errors nor
 * logs ever hold a URL, because some URLs are secrets. */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct http;

struct http *http_new(void);
/* Give up: what is under way and what is asked later fails, and nobody waits to ask again. */
void http_stop(struct http *http);
/* Wait for so long; false when http_stop comes first. */
bool http_wait(struct http *http, int64_t ms);
void http_free(struct http *http); /* no request may be under way */
MEM_CLEANUP(http_free, struct http *);

struct http_answer {
    int status;
    int attempts;       /* how often it was asked, this time included */
    struct str headers; /* lines as they came; see http_header */
    struct str body;
    struct str authorization; /* the line that it was asked with */
};
void http_answer_deinit(struct http_answer *answer);
MEM_CLEANUP_VALUE(http_answer_deinit, struct http_answer);

/* A header line for each attempt, fresh: credentials expire. refused: the line that was answered
 * with 401; NULL: none was. 0 with *ret empty (no such header) or a whole line without its end. */
typedef int http_authorize_fn(void *ctx, const char *refused, struct str *ret, struct err *err);
/* What an answer that is not a good one says, for a message: appended to *out. */
typedef void http_words_fn(const struct http_answer *answer, struct str *out);

struct http_request {
    const char *method; /* NULL: GET */
    const char *url;
    const char *const *headers; /* "Name: value", up to a NULL; or NULL */
    const void *body;           /* NULL: none */
    size_t body_len;
    int64_t deadline_ms; /* by clock_ms, for all attempts together */
    int64_t stall_ms;    /* an attempt in which nothing moves for so long has failed; 0: 20 s */
    size_t max_answer;   /* bytes of a good answer's body; 0: 1 MiB. More is an error */
    bool direct;         /* never through a proxy */

    http_authorize_fn *authorize; /* NULL: no such header */
    void *authorize_ctx;
    http_words_fn *words;       /* NULL: http_words */
    const char *const *secrets; /* what no message may hold, up to a NULL; or NULL */

    /* Signature Version 4 for S3; NULL: none. The URL's path and query must be in canonical form:
     * percent-encoded, the query sorted. */
    const char *aws_region, *aws_key_id, *aws_secret;
};

/* Ask, again where Google's rules for retries allow it (408, 429, 5xx but for S3's 501, and when no
 * answer came), with exponential backoff and jitter, not before Retry-After, until the deadline. A
 * 401 is asked once more with a fresh authorization.
 *
 * 0: any other answer, *ret filled in; the caller looks at the status. ERR_RETRY: the deadline is
 * over and the last answer was one of those; its own words. ERR_UNREACHABLE: the deadline is over
 * and the last attempt had no answer, or http_stop was called. ERR_CONFIG: the certificate is not
 * trusted, the URL cannot be, a redirect, or authorize's. ERR_INPUT: the answer is longer than
 * max_answer. When ret->attempts > 1 or a failure is returned, an earlier attempt may have had its
 * effect. */
int http_call(struct http *http, const struct http_request *request, struct http_answer *ret,
              struct err *err);

/* One attempt of the same: 0 with whatever was answered (401, 503 …), or a failure as above. */
int http_send(struct http *http, const struct http_request *request, struct http_answer *ret,
              struct err *err);

/* For exchanges of several requests: the same budget and rules, one request after the other. */
struct http_budget {
    int64_t deadline_ms, wait_ms;
    int attempts;
    bool renewed; /* the authorization, after a 401 */
};
/* Whether r and the answer of http_send ask for another attempt, after having waited for its time.
 * When it is false and r was 0, a retryable status with no time left has become ERR_RETRY, and a
 * redirect ERR_WRITE. */
bool http_again(struct http *http, struct http_budget *budget, const struct http_request *request,
                const struct http_answer *answer, int *r, struct err *err);

/* The value of a header, without regard to case; the last one where it stands several times.
 * False when there is none. */
bool http_header(const struct http_answer *answer, const char *name, struct str *ret);

/* "HTTP 403: words": what a server says, in one short line without markup and control characters.
 */
void http_words(const struct http_answer *answer, struct str *out);
/* An ERR_* with "HTTP 403: …" by the request's words; for statuses that are failures to the caller.
 */
int http_err(struct err *err, int code, const struct http_request *request,
             const struct http_answer *answer);

/* How far this machine's clock is ahead of the server's, in seconds; false when it did not say. */
bool http_clock_ahead(const struct http_answer *answer, int64_t *ret_s);

/* Clean text of at most max bytes: no control characters, no markup, no runs of spaces, and
 * nothing that looks like a token. */
void http_quote(const char *text, size_t len, size_t max, struct str *out);

/* Percent-encode all but unreserved characters (A-Z a-z 0-9 - . _ ~), and those of `keep`. */
void http_escape(const char *text, const char *keep, struct str *out);

/* May secrets be sent there: is it encrypted, or does it stay on this machine? Not with a user or a
 * password in it, which have no business in the URLs that this is asked about. */
bool http_url_is_safe(const char *url);

/* For messages: whether there is a user or a password in a URL, and the URL with *** instead of all
 * up to the last '@' (a password may have a '/' in it that nobody escaped). Caller owns it. */
bool http_url_has_user(const char *url);
char *http_url_masked(const char *url);

#endif

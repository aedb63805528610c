/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* call.c - asking again, and when not to.
 *
 * The rules are those that Google publishes for its storage: 408, 429 and 5xx are asked again, and
 * so is what had no answer; every other 4xx is final. Waits grow from half a second to 16 s, each
 * one random between its half and its whole, and never end before Retry-After. */
#include "http/http.h"

#include <curl/curl.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/retry.h"

enum { WAIT_FIRST_MS = 500, WAIT_MAX_MS = 16000 };

/* S3's way to say that it does not know a feature is 501, and that is for good. */
static bool is_retryable(const struct http_request *request, int status)
{
    if (status == 501 && request->aws_key_id)
        return false;
    return status == 408 || status == 429 || status / 100 == 5;
}

/* Seconds, or a date; 0 when the server did not say. */
static int64_t retry_after_ms(const struct http_answer *answer)
{
    CLEANUP(str_deinit) struct str value = {0};
    int64_t seconds;
    if (!http_header(answer, "retry-after", &value))
        return 0;
    if (!str_to_i64(value.s, &seconds)) {
        time_t at = curl_getdate(value.s, NULL);
        seconds = at < 0 ? 0 : (int64_t)at - clock_wall_ms() / 1000;
    }
    seconds = seconds < 0 ? 0 : seconds > 86400 ? 86400 : seconds;
    return seconds * 1000;
}

bool http_clock_ahead(const struct http_answer *answer, int64_t *ret_s)
{
    CLEANUP(str_deinit) struct str value = {0};
    time_t at = http_header(answer, "date", &value) ? curl_getdate(value.s, NULL) : -1;
    if (at < 0)
        return false;
    *ret_s = clock_wall_ms() / 1000 - (int64_t)at;
    return true;
}

/* True when the time was waited for; false when the deadline or the end comes first. */
static bool wait_again(struct http *http, struct http_budget *budget, int64_t deadline_ms,
                       int64_t at_least_ms)
{
    int64_t first = budget->wait_ms ? budget->wait_ms : WAIT_FIRST_MS;
    struct retry retry = retry_start(deadline_ms, first, WAIT_MAX_MS, random_u64());
    int64_t wait_ms = retry_next(&retry, clock_ms(), at_least_ms);
    budget->wait_ms = retry.wait_ms;
    return wait_ms >= 0 && http_wait(http, wait_ms);
}

static bool renew(struct http_budget *budget, const struct http_request *request,
                  const struct http_answer *answer, int *r, struct err *err)
{
    CLEANUP(str_deinit) struct str line = {0};
    if (answer->status != 401 || answer->authorization.len == 0 || budget->renewed)
        return false;
    budget->renewed = true;
    *r = request->authorize(request->authorize_ctx, answer->authorization.s, &line, err);
    return *r == 0 && line.len > 0;
}

static int with_attempts(struct err *err, int r, int attempts)
{
    struct err before;
    if (!err || attempts < 2)
        return r;
    before = *err;
    return err_set(err, r, "%s (attempt %d)", before.text, attempts);
}

/* Upload sessions say with 308 that they want more, and then name no other place. */
static bool is_redirect(const struct http_answer *answer)
{
    return answer->status / 100 == 3 &&
           (answer->status != 308 || http_header(answer, "location", NULL));
}

/* Where a redirect would lead, without what may be secret in it. */
static int refuse_redirect(const struct http_answer *answer, struct err *err)
{
    CLEANUP(str_deinit) struct str to = {0};
    CLEANUP(str_deinit) struct str host = {0};
    if (http_header(answer, "location", &to)) {
        const char *begin = strstr(to.s, "://");
        begin = begin ? begin + 3 : to.s;
        size_t len = strcspn(begin, "/?#");
        const char *at = memchr(begin, '@', len);
        len -= at ? (size_t)(at + 1 - begin) : 0;
        http_quote(at ? at + 1 : begin, len, 100, &host);
    }
    return err_set(err, ERR_WRITE,
                   "HTTP %d: a redirect%s%s, which is not followed: a proxy or a login page may be "
                   "in the way",
                   answer->status, host.len ? " to " : "", host.len ? host.s : "");
}

bool http_again(struct http *http, struct http_budget *budget, const struct http_request *request,
                const struct http_answer *answer, int *r, struct err *err)
{
    budget->attempts++;
    if (*r == ERR_UNREACHABLE) {
        if (wait_again(http, budget, request->deadline_ms, 0))
            return true;
        with_attempts(err, *r, budget->attempts);
        return false;
    }
    if (*r < 0)
        return false;
    if (is_redirect(answer)) {
        *r = refuse_redirect(answer, err);
        return false;
    }
    if (!is_retryable(request, answer->status))
        return renew(budget, request, answer, r, err);
    if (wait_again(http, budget, request->deadline_ms, retry_after_ms(answer)))
        return true;
    *r = http_err(err, ERR_RETRY, request, answer);
    with_attempts(err, *r, budget->attempts);
    return false;
}

int http_call(struct http *http, const struct http_request *request, struct http_answer *ret,
              struct err *err)
{
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};
    struct http_budget budget = {0};
    int r;
    do {
        r = http_send(http, request, &answer, err);
    } while (http_again(http, &budget, request, &answer, &r, err));
    if (r < 0)
        return r;
    if (answer.status / 100 == 3 &&
        (answer.status != 308 || http_header(&answer, "location", NULL)))
        return refuse_redirect(&answer, err);
    http_answer_deinit(ret);
    *ret = answer;
    ret->attempts = budget.attempts;
    answer = (struct http_answer){0};
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* webhook.c - see webhook.h. */
#include "notify/webhook.h"

#include "base/utf8.h"
#include "codec/json.h"
#include "http/http.h"

enum { STALL_MS = 5000, ANSWER_BYTES = 1 << 16 };

int webhook_check(const char *url, struct err *err)
{
    const char *host = str_starts(url, "https://")  ? url + strlen("https://")
                       : str_starts(url, "http://") ? url + strlen("http://")
                                                    : NULL;
    bool clean = host && *host && !strchr("/:@?#", *host);
    for (const char *p = url; *p; p++)
        clean = clean && *p > ' ' && *p < 127;
    if (clean)
        return 0;
    return err_set(err, ERR_USAGE,
                   "the webhook is no URL: it begins with https:// (or http://), as "
                   "https://hooks.slack.com/services/… does, and has no blanks");
}

int webhook_send(const char *url, const char *text, int64_t deadline_ms, struct err *err)
{
    static const char *const headers[] = {"Content-Type: application/json; charset=utf-8", NULL};
    CLEANUP(json_free) struct json *root = json_new_object();
    CLEANUP(str_deinit) struct str body = {0};
    json_add_string(root, "text", text);
    json_print(root, false, &body);
    CLEANUP(http_free) struct http *http = http_new();
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};
    const struct http_request request = {.method = "POST",
                                         .url = url,
                                         .headers = headers,
                                         .body = body.s,
                                         .body_len = body.len,
                                         .deadline_ms = deadline_ms,
                                         .stall_ms = STALL_MS,
                                         .max_answer = ANSWER_BYTES};
    int r = http_call(http, &request, &answer, err);
    if (r < 0)
        return r;
    if (answer.status >= 200 && answer.status < 300)
        return 0;
    return http_err(err, ERR_INPUT, &request, &answer);
}

void webhook_quote(const char *text, size_t max, struct str *out)
{
    size_t len = utf8_valid_prefix(text, strlen(text));
    if (len > max) /* not within a character: what is left of it is no UTF-8 */
        len = utf8_valid_prefix(text, max);
    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '&':
            str_addz(out, "&amp;");
            break;
        case '<':
            str_addz(out, "&lt;");
            break;
        case '>':
            str_addz(out, "&gt;");
            break;
        default:
            str_addc(out, (unsigned char)text[i] < ' ' ? ' ' : text[i]);
        }
    }
    if (text[len])
        str_addz(out, "…");
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* url.c - what a URL means, as curl will read it: whoever looks for the host with another rule can
 * be told a different one. */
#include <ctype.h>
#include <curl/curl.h>
#include <strings.h>

#include "http/http.h"

void http_escape(const char *text, const char *keep, struct str *out)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool plain = (*p < 0x80 && isalnum(*p)) || strchr("-._~", *p) || strchr(keep, *p);
        if (plain)
            str_addc(out, (char)*p);
        else
            str_addf(out, "%%%02X", *p);
    }
}

/* A part of it as text; "" when it has none. */
static void add_part(CURLU *url, CURLUPart part, struct str *out)
{
    char *text = NULL;
    str_addz(out, "");
    if (curl_url_get(url, part, &text, 0) == CURLUE_OK)
        str_addz(out, text);
    curl_free(text);
}

static bool is_this_machine(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
           strcmp(host, "[::1]") == 0;
}

bool http_url_is_safe(const char *text)
{
    CLEANUP(str_deinit) struct str scheme = {0};
    CLEANUP(str_deinit) struct str host = {0};
    CLEANUP(str_deinit) struct str user = {0};
    CURLU *url = curl_url();
    if (!url)
        mem_exhausted();
    if (curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK) {
        add_part(url, CURLUPART_SCHEME, &scheme);
        add_part(url, CURLUPART_HOST, &host);
        add_part(url, CURLUPART_USER, &user);
        add_part(url, CURLUPART_PASSWORD, &user);
    }
    curl_url_cleanup(url);
    if (!scheme.s || user.len > 0)
        return false;
    return strcasecmp(scheme.s, "https") == 0 ||
           (strcasecmp(scheme.s, "http") == 0 && is_this_machine(host.s));
}

/* ---- in messages ---- */

static const char *behind_scheme(const char *url)
{
    const char *colon = strstr(url, "://");
    return colon ? colon + 3 : url;
}

bool http_url_has_user(const char *url)
{
    const char *begin = behind_scheme(url);
    return memchr(begin, '@', strcspn(begin, "/?#")) != NULL;
}

char *http_url_masked(const char *url)
{
    const char *begin = behind_scheme(url), *at = strrchr(begin, '@');
    return at ? mem_printf("%.*s***%s", (int)(begin - url), url, at) : mem_strdup(url);
}

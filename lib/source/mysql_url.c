/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* mysql_url.c - see mysql_url.h. */
#include "source/mysql_url.h"

#include <ctype.h>

#include "base/str.h"

#define MYSQL_URL_FORM "mysql://[USER@][HOST][:PORT]/DATABASE[?socket=PATH]"

/* A view of a part of the URL. */
struct part {
    const char *s;
    size_t len;
};

static bool part_is(struct part part, const char *word)
{
    return part.len == strlen(word) && memcmp(part.s, word, part.len) == 0;
}

/* The part with every %XX as the byte that it stands for; NULL when it is empty. */
static char *part_decode(struct part part)
{
    if (part.len == 0)
        return NULL;
    CLEANUP(str_deinit) struct str out = {0};
    for (size_t i = 0; i < part.len; i++) {
        const char *s = part.s + i;
        if (*s == '%' && i + 2 < part.len && isxdigit((unsigned char)s[1]) &&
            isxdigit((unsigned char)s[2])) {
            char hex[3] = {s[1], s[2], 0};
            str_addc(&out, (char)strtol(hex, NULL, 16));
            i += 2;
        } else {
            str_addc(&out, *s);
        }
    }
    return str_take(&out);
}

static int take_user(struct mysql_url *url, struct part part, struct err *err)
{
    if (memchr(part.s, ':', part.len))
        return err_set(err, ERR_USAGE,
                       "--mysql: a password in the URL could be read by everybody on this machine; "
                       "leave it out, and put it into ~/.my.cnf ([client] password=…), a file for "
                       "--defaults-file, or MYSQL_PWD");
    url->user = part_decode(part);
    return 0;
}

static int take_port(struct mysql_url *url, struct part part, struct err *err)
{
    CLEANUP(mem_free_chars) char *digits = mem_strndup(part.s, part.len);
    int64_t port;
    if (!str_to_i64(digits, &port) || port < 1 || port > 65535)
        return err_set(
            err, ERR_USAGE,
            "--mysql: what follows ':' is not a port from 1 to 65535; the form is " MYSQL_URL_FORM
            ", and a password does not belong into it");
    url->port = (unsigned)port;
    return 0;
}

/* HOST, HOST:PORT or [IPv6]:PORT. */
static int take_host(struct mysql_url *url, struct part part, struct err *err)
{
    struct part host = part;
    const char *end = part.s + part.len, *after = part.s;
    if (part.len && *part.s == '[') {
        const char *close = memchr(part.s, ']', part.len);
        if (!close)
            return err_set(err, ERR_USAGE, "--mysql: '[' without ']' in the host");
        host = (struct part){part.s + 1, (size_t)(close - part.s - 1)};
        after = close + 1;
    } else {
        const char *colon = memchr(part.s, ':', part.len);
        after = colon ? colon : end;
        host.len = (size_t)(after - part.s);
    }
    url->host = part_decode(host);
    if (after == end)
        return 0;
    if (*after != ':')
        return err_set(err, ERR_USAGE, "--mysql: only :PORT may follow ']'");
    return take_port(url, (struct part){after + 1, (size_t)(end - after - 1)}, err);
}

static int take_tls(struct mysql_url *url, struct part value, struct err *err)
{
    if (part_is(value, "disabled"))
        url->tls = MYSQL_TLS_NONE;
    else if (part_is(value, "required"))
        url->tls = MYSQL_TLS_REQUIRED;
    else if (part_is(value, "verify"))
        url->tls = MYSQL_TLS_VERIFY;
    else
        return err_set(err, ERR_USAGE,
                       "--mysql: ssl-mode is disabled, required or verify, not '%.*s'",
                       (int)value.len, value.s);
    return 0;
}

static int take_parameter(struct mysql_url *url, struct part name, struct part value,
                          struct err *err)
{
    const struct {
        const char *name;
        char **text;
    } texts[] = {{"socket", &url->socket},
                 {"ssl-ca", &url->ssl_ca},
                 {"ssl-cert", &url->ssl_cert},
                 {"ssl-key", &url->ssl_key}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!part_is(name, texts[i].name))
            continue;
        free(*texts[i].text);
        *texts[i].text = part_decode(value);
        return *texts[i].text ? 0 : err_set(err, ERR_USAGE, "--mysql: %s is empty", texts[i].name);
    }
    if (part_is(name, "ssl-mode")) {
        url->tls_said = true;
        return take_tls(url, value, err);
    }
    return err_set(err, ERR_USAGE,
                   "--mysql: '%.*s' is not a parameter of the URL; those are socket, ssl-mode, "
                   "ssl-ca, ssl-cert and ssl-key",
                   (int)name.len, name.s);
}

static int take_parameters(struct mysql_url *url, const char *s, struct err *err)
{
    while (*s) {
        size_t len = strcspn(s, "&"), name = strcspn(s, "=&");
        struct part value = {s + name + (name < len), len - name - (name < len)};
        int r = take_parameter(url, (struct part){s, name}, value, err);
        if (r < 0)
            return r;
        s += len + (s[len] == '&');
    }
    return 0;
}

int mysql_url_parse(const char *text, struct mysql_url *ret, struct err *err)
{
    CLEANUP(mysql_url_deinit) struct mysql_url url = {0};
    const char *s = strstr(text, "://");
    if (!s || !(str_starts(text, "mysql://") || str_starts(text, "mariadb://")))
        return err_set(err, ERR_USAGE, "--mysql takes a URL: " MYSQL_URL_FORM);
    s += 3;
    size_t server = strcspn(s, "/?");
    const char *at = memrchr(s, '@', server);
    const char *host = at ? at + 1 : s, *path = s + server;
    int r = at ? take_user(&url, (struct part){s, (size_t)(at - s)}, err) : 0;
    if (r == 0)
        r = take_host(&url, (struct part){host, (size_t)(path - host)}, err);
    path += *path == '/';
    size_t database = strcspn(path, "?");
    url.database = part_decode((struct part){path, database});
    if (r == 0 && path[database] == '?')
        r = take_parameters(&url, path + database + 1, err);
    if (r < 0)
        return r;
    if (!url.tls_said && url.ssl_ca)
        url.tls = MYSQL_TLS_VERIFY;
    else if (!url.tls_said && (url.ssl_cert || url.ssl_key))
        url.tls = MYSQL_TLS_REQUIRED;
    *ret = url;
    url = (struct mysql_url){0};
    return 0;
}

void mysql_url_deinit(struct mysql_url *url)
{
    free(url->user);
    free(url->host);
    free(url->database);
    free(url->socket);
    free(url->ssl_ca);
    free(url->ssl_capath);
    free(url->ssl_cert);
    free(url->ssl_key);
    *url = (struct mysql_url){0};
}

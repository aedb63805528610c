/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis_url.c - see redis_url.h. */
#include "queue/redis_url.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum { REDIS_PORT = 6379, SENTINEL_PORT = 26379, PORT_MAX = 65535, DATABASE_MAX = 1000000 };

struct scheme {
    const char *name;
    bool tls, sentinel, path;
};

static const struct scheme schemes[] = {
    {"redis://", .tls = false},
    {"rediss://", .tls = true},
    {"unix://", .path = true},
    {"redis+sentinel://", .sentinel = true},
    {"rediss+sentinel://", .tls = true, .sentinel = true},
};

static char *decode(const char *s, size_t len)
{
    CLEANUP(str_deinit) struct str out = {0};
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '%' && i + 2 < len && isxdigit((unsigned char)s[i + 1]) &&
            isxdigit((unsigned char)s[i + 2])) {
            char hex[3] = {s[i + 1], s[i + 2], 0};
            str_addc(&out, (char)strtol(hex, NULL, 16));
            i += 2;
        } else {
            str_addc(&out, s[i]);
        }
    }
    return str_take(&out);
}

/* ---- user and password ---- */

/* user:password@ in front of the rest; returns the rest. */
static const char *take_credentials(struct redis_url *url, const char *s)
{
    const char *end = s + strcspn(s, "/?");
    const char *at = memrchr(s, '@', (size_t)(end - s));
    if (!at)
        return s;
    const char *colon = memchr(s, ':', (size_t)(at - s));
    size_t user = (size_t)((colon ? colon : at) - s);
    if (user > 0)
        url->user = decode(s, user);
    if (colon)
        url->password = decode(colon + 1, (size_t)(at - colon - 1));
    return at + 1;
}

/* A password with "/" in it looks like a host and a path; no message may show such a host. */
static int check_credentials(const char *rest, struct err *err)
{
    if (!strchr(rest + strcspn(rest, "/?"), '@'))
        return 0;
    return err_set(
        err, ERR_CONFIG,
        "Redis URL: there is \"@\" behind \"/\" or \"?\"; write @ : / ? and %% in a user, "
        "a password or a file's name as %%40 %%3A %%2F %%3F and %%25");
}

/* ---- hosts ---- */

static int take_port(const char *digits, size_t len, int *ret, struct err *err)
{
    CLEANUP(mem_free_chars) char *text = mem_strndup(digits, len);
    int64_t port;
    if (!str_to_i64(text, &port) || port < 1 || port > PORT_MAX)
        return err_set(err, ERR_CONFIG, "Redis URL: \"%s\" is not a port", text);
    *ret = (int)port;
    return 0;
}

/* host, host:port, [address], [address]:port; nothing at all is this machine. */
static int take_host(struct redis_url *url, const char *s, size_t len, struct err *err)
{
    const char *end = s + len;
    const char *name_end = end;
    const char *colon = memrchr(s, ':', len);
    if (len > 0 && *s == '[') {
        name_end = memchr(s, ']', len);
        if (!name_end)
            return err_set(err, ERR_CONFIG, "Redis URL: \"[\" without \"]\" in %s", url->shown);
        colon = name_end + 1 < end ? name_end + 1 : NULL;
        if (colon && *colon != ':')
            return err_set(err, ERR_CONFIG, "Redis URL: only a port may follow \"]\" in %s",
                           url->shown);
        s++;
    } else if (colon) {
        name_end = colon;
    }
    int port = url->master ? SENTINEL_PORT : REDIS_PORT;
    int r = colon ? take_port(colon + 1, (size_t)(end - colon - 1), &port, err) : 0;
    if (r < 0)
        return r;
    url->hosts = mem_realloc(url->hosts, ((size_t)url->n_hosts + 1) * sizeof(*url->hosts));
    url->hosts[url->n_hosts++] = (struct redis_host){
        .name = name_end > s ? decode(s, (size_t)(name_end - s)) : mem_strdup("127.0.0.1"),
        .port = port};
    return 0;
}

static int take_hosts(struct redis_url *url, const char *s, size_t len, struct err *err)
{
    for (const char *end = s + len;;) {
        const char *comma = memchr(s, ',', (size_t)(end - s));
        int r = take_host(url, s, (size_t)((comma ? comma : end) - s), err);
        if (r < 0 || !comma)
            return r;
        if (!url->master)
            return err_set(
                err, ERR_CONFIG,
                "Redis URL: %s names several hosts; of a cluster name any one, Sentinels "
                "are redis+sentinel://host:port,host:port/NAME",
                url->shown);
        s = comma + 1;
    }
}

/* ---- what follows the hosts ---- */

static int take_database(struct redis_url *url, const char *s, size_t len, struct err *err)
{
    CLEANUP(mem_free_chars) char *text = mem_strndup(s, len);
    if (len > 0 &&
        (!str_to_i64(text, &url->database) || url->database < 0 || url->database > DATABASE_MAX))
        return err_set(err, ERR_CONFIG, "Redis URL: \"%s\" is not the number of a database", text);
    return 0;
}

static int take_parameter(struct redis_url *url, const char *s, size_t len, struct err *err)
{
    const struct {
        const char *name;
        char **value;
    } known[] = {
        {"cacert=", &url->cacert}, {"cert=", &url->cert}, {"key=", &url->key}, {"sni=", &url->sni}};
    if (str_starts(s, "db="))
        return take_database(url, s + 3, len - 3, err);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t name = strlen(known[i].name);
        if (!str_starts(s, known[i].name))
            continue;
        if (!url->tls)
            return err_set(err, ERR_CONFIG, "Redis URL: ?%.*s is for rediss:// only",
                           (int)(name - 1), s);
        free(*known[i].value);
        *known[i].value = decode(s + name, len - name);
        return 0;
    }
    return err_set(err, ERR_CONFIG,
                   "Redis URL: there is no parameter \"%.*s\"; there are cacert, cert, key, sni "
                   "and db",
                   (int)strcspn(s, "=&"), s);
}

static int take_query(struct redis_url *url, const char *s, struct err *err)
{
    while (*s) {
        size_t len = strcspn(s, "&");
        int r = take_parameter(url, s, len, err);
        if (r < 0)
            return r;
        s += len + (s[len] == '&');
    }
    return 0;
}

/* ---- the whole ---- */

static int parse_path(struct redis_url *url, const char *s, struct err *err)
{
    size_t len = strcspn(s, "?");
    url->path = decode(s, len);
    if (url->path[0] != '/')
        return err_set(err, ERR_CONFIG,
                       "Redis URL: unix:// needs an absolute path, as in unix:///run/redis.sock");
    return s[len] ? take_query(url, s + len + 1, err) : 0;
}

/* hosts/db or hosts/NAME/db, and the query. */
static int parse_hosts(struct redis_url *url, const char *s, bool sentinel, struct err *err)
{
    size_t hosts = strcspn(s, "/?");
    const char *path = s + hosts + (s[hosts] == '/');
    const char *query = path + strcspn(path, "?");
    int r = check_credentials(s, err);
    if (r < 0)
        return r;
    if (sentinel) {
        size_t name = strcspn(path, "/?");
        if (name == 0)
            return err_set(err, ERR_CONFIG,
                           "Redis URL: behind the Sentinels the master's name is missing, as in "
                           "redis+sentinel://host:26379/mymaster");
        url->master = decode(path, name);
        path += name + (path[name] == '/');
    }
    r = take_hosts(url, s, hosts, err);
    if (r == 0)
        r = take_database(url, path, (size_t)(query - path), err);
    return r == 0 && *query ? take_query(url, query + 1, err) : r;
}

static int parse(const char *text, struct redis_url *url, struct err *err)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        const struct scheme *scheme = &schemes[i];
        if (!str_starts(text, scheme->name))
            continue;
        const char *rest = take_credentials(url, text + strlen(scheme->name));
        url->tls = scheme->tls;
        url->shown = mem_printf("%s%s", scheme->name, rest);
        return scheme->path ? parse_path(url, rest, err)
                            : parse_hosts(url, rest, scheme->sentinel, err);
    }
    return err_set(err, ERR_CONFIG,
                   "Redis URL: expected redis://[user:password@]host[:port][/db], rediss:// (TLS), "
                   "unix:///path or redis+sentinel://host[:port],…/NAME");
}

int redis_url_parse(const char *text, struct redis_url *ret, struct err *err)
{
    *ret = (struct redis_url){0};
    int r = parse(text, ret, err);
    if (r < 0)
        redis_url_deinit(ret);
    return r;
}

void redis_url_deinit(struct redis_url *url)
{
    for (int i = 0; i < url->n_hosts; i++)
        free(url->hosts[i].name);
    char *texts[] = {url->shown,  url->path, url->master, url->user, url->password,
                     url->cacert, url->cert, url->key,    url->sni};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        free(texts[i]);
    free(url->hosts);
    *url = (struct redis_url){0};
}

static void from_environment(char **value, const char *name)
{
    const char *text = getenv(name);
    if (!*value && text && *text)
        *value = mem_strdup(text);
}

int redis_url_environment(struct redis_url *url, struct err *err)
{
    if (!url->path)
        from_environment(&url->password, "HIWARI_REDIS_PASSWORD");
    if (!url->tls)
        return 0;
    from_environment(&url->cacert, "HIWARI_REDIS_CACERT");
    from_environment(&url->cert, "HIWARI_REDIS_CERT");
    from_environment(&url->key, "HIWARI_REDIS_KEY");
    if (!url->cert == !url->key)
        return 0;
    return err_set(err, ERR_CONFIG, "Redis %s: there is a client's %s without its %s", url->shown,
                   url->cert ? "certificate" : "key", url->cert ? "key" : "certificate");
}

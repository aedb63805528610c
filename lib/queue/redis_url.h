/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis_url.h - where Redis is and who we are to it, as one URL says; inside lib/queue only.
 *
 *   redis://[user[:password]@]host[:port][/db]     rediss://… the same with TLS
 *   unix://[user[:password]@]/path[?db=N]
 *   redis+sentinel://[user[:password]@]host[:port][,host[:port]…]/NAME[/db]   (rediss+sentinel://)
 *
 * The host may be any server of a cluster. Behind the scheme everything may be percent-encoded; in
 * users and passwords the characters @ : / ? and % must be. Parameters, as redis-cli calls them:
 * ?cacert=FILE (else the system's authorities), &cert=FILE&key=FILE (a client's certificate), and
 * &sni=NAME where the server's certificate has another name than the host. */
#ifndef QUEUE_REDIS_URL_H
#define QUEUE_REDIS_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

struct redis_host {
    char *name;
    int port;
};

struct redis_url {
    char *shown;              /* the URL for messages: without its password */
    char *path;               /* of a unix socket; NULL: there are hosts */
    struct redis_host *hosts; /* one Redis, or its Sentinels */
    int n_hosts;
    char *master;     /* what the Sentinels call it; NULL: no Sentinels */
    char *user;       /* NULL: the server's default user */
    char *password;   /* NULL: none */
    char *cacert;     /* NULL: the system's authorities */
    char *cert, *key; /* NULL: no client certificate */
    char *sni;        /* NULL: each host's own name */
    int64_t database;
    bool tls;
};

/* ERR_CONFIG says what is wrong, and never shows a password. */
int redis_url_parse(const char *text, struct redis_url *ret, struct err *err);
void redis_url_deinit(struct redis_url *url);
MEM_CLEANUP_VALUE(redis_url_deinit, struct redis_url);

/* What the URL does not say is taken from HIWARI_REDIS_PASSWORD (not for sockets, which are often
 * somebody's private ones) and, with TLS, HIWARI_REDIS_CACERT, _CERT and _KEY. ERR_CONFIG: a
 * certificate without its key, or the reverse. */
int redis_url_environment(struct redis_url *url, struct err *err);

#endif

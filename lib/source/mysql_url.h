/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* mysql_url.h - where a MySQL server is, as one word on a command line.
 *
 *     mysql://[USER@][HOST][:PORT][/DATABASE][?socket=PATH&ssl-ca=FILE&…]
 *
 * What the URL leaves open is taken from the option files, as all MySQL programs do. It never holds
 * a password: a command line can be read by everybody on the machine. Every part may be written
 * with %XX. */
#ifndef SOURCE_MYSQL_URL_H
#define SOURCE_MYSQL_URL_H

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"

enum mysql_tls {
    MYSQL_TLS_OPEN,     /* the URL does not say */
    MYSQL_TLS_NONE,     /* ssl-mode=disabled */
    MYSQL_TLS_REQUIRED, /* ssl-mode=required, or a certificate of the client's own: encrypted,
                           whoever the server is; where an authority is named all the same,
                           it must have signed the certificate, under whatever name */
    MYSQL_TLS_VERIFY,   /* ssl-mode=verify, or ssl-ca alone: its certificate and name are checked */
};

struct mysql_url {
    char *user, *host, *database, *socket; /* NULL: not said */
    unsigned port;                         /* 0: not said */
    char *ssl_ca, *ssl_cert, *ssl_key;     /* files; NULL: not said */
    char *ssl_capath;                      /* a directory; never said in the URL */
    enum mysql_tls tls;
    bool tls_said; /* by ssl-mode itself */
};

/* ERR_USAGE says what is wrong, and does not repeat a password. */
int mysql_url_parse(const char *text, struct mysql_url *ret, struct err *err);
void mysql_url_deinit(struct mysql_url *url);
MEM_CLEANUP_VALUE(mysql_url_deinit, struct mysql_url);

#endif

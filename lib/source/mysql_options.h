/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* mysql_options.h - what MySQL's option files say of the connection, beside what the URL says.
 *
 * The URL has the last word, part by part; what it leaves open is taken from the files. Who asks
 * for the server's certificate to be checked, there or here, gets it checked, unless ssl-mode in
 * the URL says otherwise; then a warning tells. */
#ifndef SOURCE_MYSQL_OPTIONS_H
#define SOURCE_MYSQL_OPTIONS_H

#include <mysql.h>

#include "source/mysql_url.h"

struct mysql_passed;

struct mysql_options {
    char *user, *password, *host, *database, *socket; /* NULL: not said */
    unsigned port;                                    /* 0: not said */
    char *ssl_ca, *ssl_capath, *ssl_cert, *ssl_key;
    enum mysql_tls mode;          /* ssl-mode, or ssl */
    int verify;                   /* ssl-verify-server-cert: 1, 0, or -1: not said */
    bool asks_checks;             /* names a list of revoked certificates */
    bool asks_pin;                /* names the server's fingerprint */
    bool drop_pin, drop_protocol; /* the URL says otherwise */
    struct mysql_passed *passed;  /* for the library, in order */
    size_t n_passed, passed_cap;
};

/* defaults_file: NULL, or the one to read instead of the usual ones. ERR_CONFIG names the file and
 * the line that is wrong. */
int mysql_options_read(const char *defaults_file, struct mysql_options *ret, struct err *err);

/* One option, as mysql_option_fn. ERR_CONFIG: it is misspelt or its value is wrong. Options that
 * have nothing to do with connecting belong to other programs and are passed over. */
int mysql_options_take(struct mysql_options *o, const char *name, const char *value,
                       struct err *err);

/* Fill in what the URL leaves open: *url is then what holds. */
void mysql_options_complete(struct mysql_options *o, struct mysql_url *url);

/* Hand to the library what only it understands. */
void mysql_options_pass(const struct mysql_options *o, MYSQL *mysql);

void mysql_options_deinit(struct mysql_options *o);
MEM_CLEANUP_VALUE(mysql_options_deinit, struct mysql_options);

#endif

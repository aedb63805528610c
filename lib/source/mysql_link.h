/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* mysql_link.h - the one connection to a MySQL server, and the one transaction on it.
 *
 * Everything is read inside a read-only transaction that sees the database as it was at one moment
 * (InnoDB's consistent snapshot). Text arrives in UTF-8, TIMESTAMP columns in UTC. */
#ifndef SOURCE_MYSQL_LINK_H
#define SOURCE_MYSQL_LINK_H

#include <mysql.h>

#include "base/err.h"
#include "base/str.h"
#include "source/mysql_url.h"
#include "source/source_mysql.h"

#ifdef MARIADB_PACKAGE_VERSION
typedef my_bool mysql_flag;
#else
typedef bool mysql_flag; /* Oracle's library has no my_bool any more */
#endif

struct mysql_link {
    MYSQL *mysql;
    char *where; /* "DATABASE on HOST", for people */
};

/* Connect and begin. ERR_UNREACHABLE: no server answers; ERR_CONFIG: it refuses this user, database
 * or certificate, is not what TLS was to prove, or an option file is wrong; ERR_USAGE: the URL. */
int mysql_link_open(const struct source_mysql *settings, struct mysql_link *ret, struct err *err);
void mysql_link_close(struct mysql_link *link);
MEM_CLEANUP_VALUE(mysql_link_close, struct mysql_link);

/* One statement. *ret is a result that is wholly here, for mysql_free_result; ret NULL: none is
 * wanted. */
int mysql_link_query(struct mysql_link *link, const char *sql, MYSQL_RES **ret, struct err *err);

/* `name` with its quotes, for a statement. */
void mysql_link_add_name(struct str *sql, const char *name);

/* What the server or the library said last, as a failure of ours: what happened, then the way out
 * where there is one. stmt NULL: of the connection. */
int mysql_link_failure(struct mysql_link *link, MYSQL_STMT *stmt, struct err *err);

#endif

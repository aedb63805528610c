/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* mysql_option_file.h - MySQL's option files, line by line.
 *
 *     [client]
 *     password = "s3cret w#rd"     # quotes keep blanks and #; \n, \t, \s, \\ and so on are known
 *     ssl-verify-server-cert       the same as =1
 *     !include /etc/racing.cnf     and !includedir DIRECTORY: its *.cnf, by name
 *
 * Of the groups only those are read that hiwari's options can stand in. They are read here and not
 * by the client library, which passes over what it does not understand: a file that is not there, a
 * line that is none, a wish for verification that is spelt otherwise than it expects. */
#ifndef SOURCE_MYSQL_OPTION_FILE_H
#define SOURCE_MYSQL_OPTION_FILE_H

#include <stddef.h>

#include "base/err.h"

/* One option, with dashes for underscores in its name. value NULL: the name stands alone. Both are
 * borrowed until it returns. A failure ends the reading and gets file and line in front. */
typedef int mysql_option_fn(void *ctx, const char *name, const char *value, struct err *err);

/* Every option of the usual files, later ones last: /etc/my.cnf, /etc/mysql/my.cnf, my.cnf in
 * $MARIADB_HOME or else $MYSQL_HOME, ~/.my.cnf; of `only` and no other where it is given. Those of
 * the usual ones that are not there are passed over, and with a warning those that may not be read.
 * ERR_CONFIG names the file, and the line where it is no option file. */
int mysql_option_files_read(const char *only, mysql_option_fn *fn, void *ctx, struct err *err);

/* The same of a text. path: for messages. */
int mysql_option_file_parse(const char *path, const char *text, size_t len, mysql_option_fn *fn,
                            void *ctx, struct err *err);

#endif

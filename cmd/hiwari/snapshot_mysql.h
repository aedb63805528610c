/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* snapshot_mysql.h - `snapshot create --mysql`: its options, its progress, its question for a
 * password. */
#ifndef HIWARI_SNAPSHOT_MYSQL_H
#define HIWARI_SNAPSHOT_MYSQL_H

#include "options.h"
#include "source/source.h"

/* NAME[=SQL][,time=COL][,group=COL][,key=COL]. Cuts text into pieces, which the table then points
 * into. Commas of the SELECT are its own: time, group and key are looked for at the end. */
int snapshot_mysql_table(char *text, struct source_table *ret, struct err *err);

/* source_mysql_create with the settings of the command line. */
int snapshot_mysql_create(const struct args *args, const struct source_options *options,
                          char ret_id[SHA256_HEX], struct err *err);

#endif

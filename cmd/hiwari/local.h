/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* local.h - a Redis of one's own, for the time of one command.
 *
 * It listens on a unix socket in a private directory and on no port, keeps nothing on
 * disk, and ends with hiwari. What a batch must remember is in its destination. */
#ifndef HIWARI_LOCAL_H
#define HIWARI_LOCAL_H

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"

struct local;

/* Make the private directory (under TMPDIR, else /tmp), clear away those of runs that were killed,
 * start redis-server and wait until its socket is there. ERR_CONFIG when redis-server is not
 * installed (says how to install it) or ends at once (says why). */
int local_start(struct local **ret, struct err *err);
void local_stop(struct local *local); /* ends Redis, removes the directory */
MEM_CLEANUP(local_stop, struct local *);

/* For a signal handler, before workers are started: end Redis, remove what is known to be in the
 * directory. Uses only what is safe there. */
void local_abandon(void);

const char *local_dir(const struct local *local); /* private; for sockets, logs and indexes */
const char *local_url(const struct local *local); /* unix://… */

/* ERR_UNREACHABLE with the last line of its log when Redis has ended by itself, else 0. */
int local_check(struct local *local, struct err *err);

#endif

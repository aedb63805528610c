/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis_sentinel.h - which server is the master now; inside lib/queue only. */
#ifndef QUEUE_REDIS_SENTINEL_H
#define QUEUE_REDIS_SENTINEL_H

#include "queue/redis_url.h"

/* Ask the URL's Sentinels, beginning with number *first (which becomes the one that answered), for
 * the master's address; ret->name is the caller's to free. A Sentinel that wants a password is
 * given Redis'. ERR_CONFIG: all answer, and none knows the name or lets us; ERR_UNREACHABLE. */
int redis_sentinel_ask(const struct redis_url *url, int *first, struct redis_host *ret,
                       struct err *err);

#endif

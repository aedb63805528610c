/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis.h - commands to Redis that are repeated until they are answered; inside lib/queue only.
 *
 * Commands are sent as a pipeline and repeated, with backoff, until each has an answer or patience
 * is over: on a lost connection, and on the answers of a server that is starting, failing over or
 * not yet a master. So every command that is given to redis_run must be one that may be repeated.
 * One Redis, the master behind Sentinels and a cluster look the same from here. */
#ifndef QUEUE_REDIS_H
#define QUEUE_REDIS_H

#include <hiredis.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "queue/redis_cmd.h"

struct redis;

/* Connect within patience_ms. ERR_CONFIG: the URL is wrong, or the server refuses user, password or
 * certificate; ERR_UNREACHABLE. */
int redis_open(const char *url, int64_t patience_ms, struct redis **ret, struct err *err);
void redis_close(struct redis *redis);
MEM_CLEANUP(redis_close, struct redis *);
const char *redis_url(const struct redis *redis); /* without password */
bool redis_is_cluster(const struct redis *redis);
/* How often it has connected: the same number before and after means one connection between. */
int64_t redis_connections(const struct redis *redis);

/* Run n commands. Each goes to the server that has its key; one without a key goes where the one
 * before it went. 0 with n replies, none of them an error; free each with freeReplyObject.
 * ERR_UNREACHABLE: no connection for the whole of patience. ERR_RETRY: the server is there but
 * cannot do it now (loading, out of memory …). ERR_CONFIG: it does not let us. ERR_BUG: it does not
 * understand. */
int redis_run(struct redis *redis, const struct redis_cmd *cmds, size_t n, redisReply **ret,
              struct err *err);

#endif

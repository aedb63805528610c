/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis_link.h - one connection to one server, and what its refusals mean; inside lib/queue only.
 */
#ifndef QUEUE_REDIS_LINK_H
#define QUEUE_REDIS_LINK_H

#include <hiredis.h>

#include "queue/redis_url.h"

/* Connect to the URL's socket (host NULL) or to a host, and begin TLS. ERR_UNREACHABLE, ERR_CONFIG.
 */
int redis_link_open(const struct redis_url *url, const char *host, int port, redisContext **ret,
                    struct err *err);

/* One command and its answer, which is not an error (free it). */
int redis_link_ask(const struct redis_url *url, redisContext *context, int argc, const char **argv,
                   redisReply **ret, struct err *err);

/* Say who we are, if the URL does. */
int redis_link_login(const struct redis_url *url, redisContext *context, struct err *err);

/* The connection has just failed: ERR_UNREACHABLE. */
int redis_link_lost(const struct redis_url *url, const redisContext *context, struct err *err);

/* A server's answer that is an error, in words: ERR_RETRY (not now), ERR_CONFIG (it does not let
 * us), ERR_BUG (it does not understand). */
int redis_refusal(const struct redis_url *url, const char *text, struct err *err);
/* Is it that memory is full? Waiting does not help against that. */
bool redis_refusal_is_full(const char *text);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis.h - one connection to Redis that repairs itself; inside lib/queue only.
 *
 * Commands are sent as a pipeline and repeated, with backoff, until each has an answer or patience
 * is over: on a lost connection, and on the answers of a server that is starting, failing over or
 * not yet a master. So every command that is given to redis_run must be one that may be repeated.
 * Scripts go as EVALSHA, and once as EVAL where the server does not know them. */
#ifndef QUEUE_REDIS_H
#define QUEUE_REDIS_H

#include <hiredis.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "queue/scripts.h"

struct redis;

/* Connect within patience_ms. ERR_CONFIG: the URL is wrong, or the server refuses user or password;
 * ERR_UNREACHABLE. */
int redis_open(const char *url, int64_t patience_ms, struct redis **ret, struct err *err);
void redis_close(struct redis *redis);
MEM_CLEANUP(redis_close, struct redis *);
const char *redis_url(const struct redis *redis); /* without password */
/* How often it has connected: the same number before and after means one connection between. */
int64_t redis_connections(const struct redis *redis);

/* A command: its words one after the other. Zeroed is empty. */
struct redis_cmd {
    struct str bytes;
    size_t *ends;
    size_t n, cap;
    const struct script_text *script; /* NULL: not a script */
};
void redis_cmd_deinit(struct redis_cmd *cmd);
MEM_CLEANUP_VALUE(redis_cmd_deinit, struct redis_cmd);
void redis_cmd_clear(struct redis_cmd *cmd);
void redis_cmd_script(struct redis_cmd *cmd, enum script script); /* the first two words */
void redis_cmd_add(struct redis_cmd *cmd, const void *word, size_t len);
void redis_cmd_addz(struct redis_cmd *cmd, const char *word);
void redis_cmd_addi(struct redis_cmd *cmd, int64_t word);

/* Run n commands. 0 with n replies, none of them an error; free each with freeReplyObject.
 * ERR_UNREACHABLE: no connection for the whole of patience. ERR_RETRY: the server is there but
 * cannot do it now (loading, out of memory …). ERR_CONFIG: it does not let us. ERR_BUG: it does not
 * understand. */
int redis_run(struct redis *redis, const struct redis_cmd *cmds, size_t n, redisReply **ret,
              struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis_cmd.h - one command to Redis: its words one after the other; inside lib/queue only.
 *
 * Zeroed is empty. Scripts go as EVALSHA, and as EVAL where the server does not know them. */
#ifndef QUEUE_REDIS_CMD_H
#define QUEUE_REDIS_CMD_H

#include <hiredis.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "queue/scripts.h"

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

/* Put it into the connection's output. whole: a script's text instead of its name. */
void redis_cmd_append(const struct redis_cmd *cmd, redisContext *context, bool whole);

/* The cluster's slot of the first key that it names, -1 where it names none. All keys of a command
 * are in one slot. */
int redis_cmd_slot(const struct redis_cmd *cmd);

#endif

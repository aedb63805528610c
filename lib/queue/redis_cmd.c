/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis_cmd.c - see redis_cmd.h. */
#include "queue/redis_cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/redis_slot.h"

enum { SCRIPT_KEY = 3, COMMAND_KEY = 1 }; /* which word is the first key */

void redis_cmd_deinit(struct redis_cmd *cmd)
{
    str_deinit(&cmd->bytes);
    free(cmd->ends);
    *cmd = (struct redis_cmd){0};
}

void redis_cmd_clear(struct redis_cmd *cmd)
{
    str_clear(&cmd->bytes);
    cmd->n = 0;
    cmd->script = NULL;
}

void redis_cmd_add(struct redis_cmd *cmd, const void *word, size_t len)
{
    str_add(&cmd->bytes, word, len);
    cmd->ends = mem_grow(cmd->ends, &cmd->cap, cmd->n + 1, sizeof(*cmd->ends));
    cmd->ends[cmd->n++] = cmd->bytes.len;
}

void redis_cmd_addz(struct redis_cmd *cmd, const char *word)
{
    redis_cmd_add(cmd, word, strlen(word));
}

void redis_cmd_addi(struct redis_cmd *cmd, int64_t word)
{
    char digits[24];
    redis_cmd_add(cmd, digits, (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)word));
}

void redis_cmd_script(struct redis_cmd *cmd, enum script script)
{
    cmd->script = &script_texts[script];
    redis_cmd_addz(cmd, "EVALSHA");
    redis_cmd_addz(cmd, cmd->script->sha1);
}

void redis_cmd_append(const struct redis_cmd *cmd, redisContext *context, bool whole)
{
    CLEANUP(free) void *argv_memory = MEM_ARRAY(const char *, cmd->n);
    CLEANUP(free) void *lens_memory = MEM_ARRAY(size_t, cmd->n);
    const char **argv = argv_memory;
    size_t *lens = lens_memory;
    for (size_t i = 0, start = 0; i < cmd->n; start = cmd->ends[i++]) {
        argv[i] = cmd->bytes.s + start;
        lens[i] = cmd->ends[i] - start;
    }
    if (whole && cmd->script) {
        argv[0] = "EVAL";
        lens[0] = strlen("EVAL");
        argv[1] = cmd->script->text;
        lens[1] = cmd->script->len;
    }
    redisAppendCommandArgv(context, (int)cmd->n, argv, lens);
}

static bool without_key(const char *verb, size_t len)
{
    static const char *const verbs[] = {"PING", "INFO", "TIME", "WAIT", "WAITAOF"};
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strlen(verbs[i]) == len && memcmp(verbs[i], verb, len) == 0)
            return true;
    return false;
}

int redis_cmd_slot(const struct redis_cmd *cmd)
{
    size_t at = cmd->script ? SCRIPT_KEY : COMMAND_KEY;
    if (at >= cmd->n || without_key(cmd->bytes.s, cmd->ends[0]))
        return -1;
    return redis_slot(cmd->bytes.s + cmd->ends[at - 1], cmd->ends[at] - cmd->ends[at - 1]);
}

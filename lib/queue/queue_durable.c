/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* queue_durable.c - waiting until what was written would outlive the server's machine.
 *
 * WAIT and WAITAOF speak of the writes of the connection that sends them, and the stream of writes
 * is one for the whole server: who waits for its newest write has waited for all before it, its own
 * on lost connections and those of others. So a small write goes before them; where the connection
 * was lost between the two, both are sent again. */
#include <stdlib.h>
#include <string.h>

#include "queue/queue_impl.h"

enum {
    WAIT_MS = 3000, /* below the time after which a silent server is taken for lost */
    WAIT_TRIES = 3,
    WAITAOF_SINCE = 702
};

/* The value of a line "name:value" of INFO; "" if there is none. */
static void info_value(const char *info, const char *name, char *ret, size_t size)
{
    CLEANUP(mem_free_chars) char *begin = mem_printf("\n%s:", name);
    const char *at = strstr(info, begin);
    at = at ? at + strlen(begin) : "";
    size_t len = strcspn(at, "\r\n");
    len = len < size ? len : size - 1;
    memcpy(ret, at, len);
    ret[len] = '\0';
}

static bool version_has_waitaof(const char *version)
{
    char *rest;
    long major = strtol(version, &rest, 10);
    long minor = *rest == '.' ? strtol(rest + 1, NULL, 10) : 0;
    return major * 100 + minor >= WAITAOF_SINCE;
}

/* What the server that has the batch says of itself. */
static int server_ask(struct queue *queue, struct queue_durable *ret, struct err *err)
{
    struct redis_cmd cmds[2] = {0};
    redisReply *replies[2] = {0};
    redis_cmd_addz(&cmds[0], "EXISTS");
    redis_cmd_addz(&cmds[0], queue->names[NAME_BATCH]);
    redis_cmd_addz(&cmds[1], "INFO");
    int r = redis_run(queue->redis, cmds, 2, replies, err);
    if (r == 0) {
        char word[24];
        const char *info = reply_text(replies[1]);
        info_value(info, "redis_version", ret->version, sizeof(ret->version));
        ret->can_tell = version_has_waitaof(ret->version);
        info_value(info, "aof_enabled", word, sizeof(word));
        ret->appends = strcmp(word, "1") == 0;
        info_value(info, "connected_slaves", word, sizeof(word));
        ret->replicas = strtoll(word, NULL, 10);
    }
    for (int i = 0; i < 2; i++) {
        reply_free(replies[i]);
        redis_cmd_deinit(&cmds[i]);
    }
    return r;
}

static void wait_command(const struct queue_durable *durable, struct redis_cmd *cmd)
{
    bool disk = durable->can_tell && durable->appends;
    redis_cmd_addz(cmd, disk ? "WAITAOF" : "WAIT");
    if (disk)
        redis_cmd_addi(cmd, 1);
    redis_cmd_addi(cmd, durable->replicas);
    redis_cmd_addi(cmd, WAIT_MS);
}

static int write_and_wait(struct queue *queue, struct queue_durable *ret, struct err *err)
{
    CLEANUP(mem_free_chars) char *name = mem_printf("hiwari:{%s}:durable", queue->batch);
    struct redis_cmd cmds[2] = {0};
    redisReply *replies[2];
    redis_cmd_addz(&cmds[0], "SET");
    redis_cmd_addz(&cmds[0], name);
    redis_cmd_addz(&cmds[0], "1");
    redis_cmd_addz(&cmds[0], "PX");
    redis_cmd_addi(&cmds[0], WAIT_MS);
    wait_command(ret, &cmds[1]);
    int r = redis_run(queue->redis, cmds, 2, replies, err);
    if (r == 0 && replies[1]->type == REDIS_REPLY_ARRAY) {
        ret->on_disk = reply_integer(reply_at(replies[1], 0)) > 0;
        ret->replicas_told = reply_integer(reply_at(replies[1], 1));
    } else if (r == 0) {
        ret->replicas_told = reply_integer(replies[1]);
    }
    for (int i = 0; i < 2; i++) {
        reply_free(replies[i]);
        redis_cmd_deinit(&cmds[i]);
    }
    return r;
}

int queue_wait_durable(struct queue *queue, struct queue_durable *ret, struct err *err)
{
    *ret = (struct queue_durable){0};
    int r = server_ask(queue, ret, err);
    if (r < 0 || (ret->replicas == 0 && !(ret->can_tell && ret->appends)))
        return r;
    for (int i = 0; i < WAIT_TRIES; i++) {
        int64_t before = redis_connections(queue->redis);
        r = write_and_wait(queue, ret, err);
        if (r < 0 || redis_connections(queue->redis) == before)
            return r;
    }
    return err_set(err, ERR_UNREACHABLE, "Redis %s loses the connection again and again",
                   redis_url(queue->redis));
}

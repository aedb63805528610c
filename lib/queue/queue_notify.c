/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* queue_notify.c - where word of a batch is sent to, and whose turn it is to send it. */
#include "queue/queue_impl.h"

int queue_notify_set(struct queue *queue, const char *url, struct err *err)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    queue_cmd(queue, &cmd, SCRIPT_NOTIFY);
    redis_cmd_addz(&cmd, url);
    return queue_run_plain(queue, &cmd, err);
}

int queue_notify_get(struct queue *queue, struct queue_notify *ret, struct err *err)
{
    static const char *const fields[] = {"inc", "notify", "epoch", "settled"};
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    redis_cmd_addz(&cmd, "HMGET");
    redis_cmd_addz(&cmd, queue->names[NAME_BATCH]);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        redis_cmd_addz(&cmd, fields[i]);
    CLEANUP(reply_free) redisReply *reply = NULL;
    int r = redis_run(queue->redis, &cmd, 1, &reply, err);
    if (r < 0)
        return r;
    if (strcmp(reply_text(reply_at(reply, 0)), queue->incarnation) != 0)
        return QUEUE_GONE;
    const char *url = reply_text(reply_at(reply, 1));
    *ret = (struct queue_notify){.url = *url ? mem_strdup(url) : NULL,
                                 .epoch = reply_integer(reply_at(reply, 2)),
                                 .settled = *reply_text(reply_at(reply, 3))};
    return 0;
}

void queue_notify_deinit(struct queue_notify *notify)
{
    free(notify->url);
    *notify = (struct queue_notify){0};
}

int queue_news(struct queue *queue, int64_t every_ms, struct queue_news *ret, struct err *err)
{
    CLEANUP(redis_cmd_deinit) struct redis_cmd cmd = {0};
    CLEANUP(reply_free) redisReply *reply = NULL;
    queue_cmd(queue, &cmd, SCRIPT_NEWS);
    redis_cmd_addi(&cmd, every_ms);
    int r = queue_run(queue, &cmd, &reply, err);
    if (r == 0)
        *ret = (struct queue_news){.failed_new = reply_integer(reply_at(reply, 1)),
                                   .failed = reply_integer(reply_at(reply, 2)),
                                   .wait_ms = reply_integer(reply_at(reply, 3))};
    return r;
}

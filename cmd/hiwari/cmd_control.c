/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_control.c - pause, resume, cancel, purge: one word to a batch. */
#include <stdio.h>

#include "connect.h"
#include "output.h"
#include "verbs.h"

static int control(const struct args *args, int (*verb)(struct queue *, struct err *),
                   const char *said, const char *next, struct err *err)
{
    const char *batch = args_at(args, 0);
    CLEANUP(queue_close) struct queue *queue = NULL;
    int r = connect_batch(args, batch, &queue, err);
    if (r == 0)
        r = verb(queue, err);
    if (r == QUEUE_GONE)
        return connect_gone(queue, batch, err);
    if (r < 0)
        return r;
    printf("%s %s", batch, said);
    if (next)
        printf("; to go on: hiwari %s %s", next, batch);
    printf("\n");
    return 0;
}

int cmd_pause(const struct args *args, struct err *err)
{
    return control(args, queue_pause, "is paused: workers finish what they hold", "resume", err);
}

int cmd_resume(const struct args *args, struct err *err)
{
    return control(args, queue_resume, "goes on", NULL, err);
}

int cmd_cancel(const struct args *args, struct err *err)
{
    return control(args, queue_cancel,
                   "is cancelled: workers drop their keys; results and records stay", NULL, err);
}

int cmd_purge(const struct args *args, struct err *err)
{
    const char *batch = args_at(args, 0);
    CLEANUP(queue_close) struct queue *queue = NULL;
    int64_t removed = 0;
    int r = connect_batch(args, batch, &queue, err);
    if (r == 0)
        r = queue_purge(queue, &removed, err);
    if (r == QUEUE_GONE)
        return connect_gone(queue, batch, err);
    if (r < 0)
        return r;
    char count[OUTPUT_TEXT];
    printf("%s is gone from Redis (%s entries); its results stay where they are\n", batch,
           output_count(removed, count));
    return 0;
}

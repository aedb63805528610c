/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_control.c - pause, resume, cancel, purge: one word to a batch. */
#include <stdio.h>

#include "connect.h"
#include "output.h"
#include "verbs.h"

/* A batch that is over: the verb came too late, whatever it was. */
static int control_refused(const char *batch, const char *done, int answer, struct err *err)
{
    if (answer == QUEUE_CANCELLED)
        return err_set(err, ERR_CONFIG,
                       "batch %s was cancelled for good, and is not %s: enqueue it again", batch,
                       done);
    return err_set(err, ERR_CONFIG,
                   "batch %s is settled: no key waits or is worked on, so it is not %s; failed "
                   "keys wait again with hiwari retry %s --all, and hiwari purge %s takes the "
                   "batch out of Redis",
                   batch, done, batch, batch);
}

struct control {
    int (*verb)(struct queue *, struct err *);
    const char *done; /* what the verb makes of a batch, for a refusal */
    const char *said; /* when it was done */
    const char *next; /* the verb that undoes it; NULL: none does */
};

static int control(const struct args *args, const struct control *c, struct err *err)
{
    const char *batch = args_at(args, 0);
    CLEANUP(queue_close) struct queue *queue = NULL;
    int r = connect_batch(args, batch, &queue, err);
    if (r == 0)
        r = c->verb(queue, err);
    if (r == QUEUE_GONE)
        return connect_gone(queue, batch, err);
    if (r == QUEUE_SETTLED || r == QUEUE_CANCELLED)
        return control_refused(batch, c->done, r, err);
    if (r < 0)
        return r;
    printf("%s %s", batch, c->said);
    if (c->next)
        printf("; to go on: hiwari %s %s", c->next, batch);
    printf("\n");
    return 0;
}

int cmd_pause(const struct args *args, struct err *err)
{
    static const struct control pause = {queue_pause, "paused",
                                         "is paused: workers finish what they hold", "resume"};
    return control(args, &pause, err);
}

int cmd_resume(const struct args *args, struct err *err)
{
    static const struct control resume = {queue_resume, "resumed", "goes on", NULL};
    return control(args, &resume, err);
}

int cmd_cancel(const struct args *args, struct err *err)
{
    static const struct control cancel = {
        queue_cancel, "cancelled",
        "is cancelled: workers drop their keys; results and records stay", NULL};
    return control(args, &cancel, err);
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

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* herald.c - when to look, and what to do with what is found. */
#include "worker/herald.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/retry.h"
#include "batch/notice.h"
#include "notify/notifier.h"

enum {
    LOOK_MS = 30000, /* also for keys that failed without any worker's word, and for a new URL */
    LEAVE_MS = 3000,
};

struct herald {
    char *url; /* NULL: not known, or there is none */
    struct notifier *notifier;
    int64_t look_ms; /* not before */
    bool complained;
};

struct herald *herald_new(void)
{
    return MEM_NEW(struct herald);
}

void herald_failed(struct herald *herald)
{
    herald->look_ms = 0;
}

/* Learn where to, and whether it is still the same. */
static int learn(struct herald *herald, struct queue *queue, struct err *err)
{
    CLEANUP(queue_notify_deinit) struct queue_notify notify = {0};
    int r = queue_notify_get(queue, &notify, err);
    if (r != 0 || (herald->url && notify.url && strcmp(herald->url, notify.url) == 0))
        return r;
    notifier_end(herald->notifier, 0);
    free(herald->url);
    herald->url = notify.url;
    herald->notifier = notify.url ? notifier_new(notify.url) : NULL;
    notify.url = NULL;
    return 0;
}

void herald_look(struct herald *herald, struct queue *queue)
{
    CLEANUP(str_deinit) struct str text = {0};
    struct err err = {0};
    int64_t now = clock_ms(), wait_ms = 0;
    if (now < herald->look_ms)
        return;
    int r = learn(herald, queue, &err);
    if (r == 0 && herald->url)
        r = notice_failed(queue, &text, &wait_ms, &err);
    if (r == NOTICE_SAY)
        notifier_post(herald->notifier, text.s);
    wait_ms = wait_ms > 0 && wait_ms < LOOK_MS ? wait_ms : LOOK_MS;
    herald->look_ms = now + wait_ms + (int64_t)(random_u64() % 1000); /* not all at once */
}

void herald_settled(struct herald *herald, struct queue *queue)
{
    struct err err = {0};
    if (notice_settled(queue, &err) < 0 && !herald->complained)
        log_warn(
            "the batch is settled, and its webhook could not be told; `hiwari reconcile` tries "
            "again",
            LOG_S("error", err.text));
    herald->complained = true;
}

void herald_end(struct herald *herald)
{
    notifier_end(herald->notifier, LEAVE_MS);
    free(herald->url);
    free(herald);
}

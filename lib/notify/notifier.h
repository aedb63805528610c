/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* notifier.h - sends messages to a webhook beside the work, in a thread of its own.
 *
 * Posting never waits. At most NOTIFIER_QUEUE messages wait for the one that is being sent; more
 * are dropped. A webhook that does not take messages is logged once, until it takes one again. */
#ifndef NOTIFY_NOTIFIER_H
#define NOTIFY_NOTIFIER_H

#include "base/mem.h"
#include "notify/webhook.h"

enum {
    NOTIFIER_QUEUE = 4,
    NOTIFIER_SEND_MS = 20000, /* how long one message is tried */
};

struct notifier;

struct notifier *notifier_new(const char *url);
void notifier_post(struct notifier *notifier, const char *text);

/* Give what waits up to wait_ms to leave. A message that is being sent just then is not waited for
 * any longer than that: the thread ends by itself. NULL is harmless. */
void notifier_end(struct notifier *notifier, int64_t wait_ms);

#endif

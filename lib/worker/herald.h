/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* herald.h - tells the batch's webhook, if it has one, what people want to know (batch/notice.h).
 *
 * It belongs to the courier and uses its connection, now and then and only while Redis answers;
 * messages leave in a thread of their own. Whatever fails here is logged, once, and changes nothing
 * about the work. */
#ifndef WORKER_HERALD_H
#define WORKER_HERALD_H

#include "queue/queue.h"

struct herald;

struct herald *herald_new(void);
void herald_failed(struct herald *herald);                       /* a key has: look soon */
void herald_look(struct herald *herald, struct queue *queue);    /* is there something to tell? */
void herald_settled(struct herald *herald, struct queue *queue); /* waits some seconds at most */
void herald_end(struct herald *herald);                          /* likewise */

#endif

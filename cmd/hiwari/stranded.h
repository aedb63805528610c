/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* stranded.h - keys wait, and nobody was seen for two minutes: somebody should look. */
#ifndef HIWARI_STRANDED_H
#define HIWARI_STRANDED_H

#include <stdbool.h>

#include "queue/queue.h"

int64_t stranded_waiting(const struct queue_status *status); /* pending, delayed or leased */
bool stranded_over(const struct queue_status *status);       /* settled or cancelled */
/* Not so for a batch that is paused, or younger than that. The queue has it in use. */
bool stranded_is(struct queue *queue, const struct queue_status *status);

#endif

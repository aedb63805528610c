/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* watch.h - a batch's status until it is settled or cancelled.
 *
 * On a terminal a screen that is drawn anew each second: progress bar, rate and remaining time,
 * counts, workers, latest failures, as much as fits. Elsewhere one line when something has changed,
 * and one for each key that has failed. With as_json one object each second. */
#ifndef HIWARI_WATCH_H
#define HIWARI_WATCH_H

#include <stdbool.h>

#include "queue/queue.h"

/* The queue has the batch in use. Returns what `hiwari status` exits with, or an ERR_*. */
int watch_batch(struct queue *queue, const char *batch, bool as_json, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* heartbeat.h - the thread that renews leases and watches the clock.
 *
 * It has a connection of its own, open while a lease is held, so that neither a busy
 * processor nor a slow store lets a lease run out. */
#ifndef WORKER_HEARTBEAT_H
#define WORKER_HEARTBEAT_H

#include "worker/held.h"
#include "worker/job.h"

struct heartbeat;

struct heartbeat *heartbeat_begin(const struct job *job, struct held *held,
                                  const struct queue_options *queue_options);
void heartbeat_end(struct heartbeat *heartbeat); /* after held_end; waits for it */

#endif

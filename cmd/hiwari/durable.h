/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* durable.h - what --durable has brought, in words: enqueue and reconcile say the same. */
#ifndef HIWARI_DURABLE_H
#define HIWARI_DURABLE_H

#include "queue/queue.h"

/* To standard error. */
void durable_report(const char *batch, const struct queue_durable *durable);

#endif

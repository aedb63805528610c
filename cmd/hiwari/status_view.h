/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* status_view.h - a batch's status, for people and for programs. */
#ifndef HIWARI_STATUS_VIEW_H
#define HIWARI_STATUS_VIEW_H

#include "codec/json.h"
#include "queue/queue.h"

void status_json(const char *batch, const struct queue_status *status, struct json *root);

/* Counts, workers and failures, to standard output. */
struct status_room { /* for how many there is room, and for how long an error */
    int workers, failures, error_bytes;
};
void status_print(const char *batch, const struct queue_status *status,
                  const struct status_room *room);

/* What a person should do about it: to standard error. */
void status_advise(const char *batch, const struct queue_status *status, bool stranded);

#endif

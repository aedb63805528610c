/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* uploader.h - threads that pack frames and put them into the store, while the next keys compute.
 */
#ifndef WORKER_UPLOADER_H
#define WORKER_UPLOADER_H

#include "worker/held.h"
#include "worker/job.h"

struct uploaders;

struct uploaders *uploaders_begin(const struct job *job, struct held *held, int threads);
void uploaders_end(struct uploaders *uploaders); /* after held_end; waits for them */

#endif

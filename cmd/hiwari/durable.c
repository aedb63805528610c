/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* durable.c - see durable.h. */
#include "durable.h"

#include <stdio.h>

#include "output.h"

void durable_report(const char *batch, const struct queue_durable *durable)
{
    char n[2][OUTPUT_TEXT];
    fprintf(stderr, "durable: ");
    if (durable->on_disk)
        fprintf(stderr, "the keys are on the disk of Redis");
    else if (!durable->appends)
        fprintf(stderr,
                "Redis has no append-only file (appendonly no), its machine may forget keys");
    else if (!durable->can_tell)
        fprintf(stderr,
                "Redis %s cannot say what is on its disk (7.2 can); with appendfsync everysec its "
                "machine may forget the last second",
                durable->version);
    else
        fprintf(stderr, "Redis has not yet written the keys to its disk (appendfsync)");
    if (durable->replicas)
        fprintf(stderr, "; %s of %s replicas have the keys %s",
                output_count(durable->replicas_told, n[0]), output_count(durable->replicas, n[1]),
                durable->on_disk ? "on disk too" : "in memory");
    fprintf(stderr, "\n");
    if (!durable->on_disk)
        fprintf(stderr, "if Redis loses the batch: hiwari reconcile %s --dest URL\n", batch);
}

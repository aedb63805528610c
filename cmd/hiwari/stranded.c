/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* stranded.c - see stranded.h. */
#include "stranded.h"

#include <string.h>

#include "base/clock.h"
#include "base/date.h"
#include "batch/batch_file.h"

enum { ALONE_MS = 120000 };

int64_t stranded_waiting(const struct queue_status *s)
{
    return s->pending + s->delayed + s->leased;
}

bool stranded_over(const struct queue_status *s)
{
    return strcmp(s->state, "settled") == 0 || strcmp(s->state, "cancelled") == 0;
}

static bool seen_lately(const struct queue_status *s)
{
    for (int i = 0; i < s->n_workers; i++)
        if (s->workers[i].seen_ms < ALONE_MS)
            return true;
    return false;
}

/* How long the batch has existed, from its _batch.json; 0 when that cannot be told. */
static int64_t age_ms(struct queue *queue)
{
    CLEANUP(mem_free_chars) char *text = NULL;
    CLEANUP(batch_file_free) struct batch_file *file = NULL;
    int64_t made_us;
    if (queue_batch_json(queue, &text, NULL) != 0 ||
        batch_file_parse("_batch.json", text, strlen(text), &file, NULL) != 0)
        return 0;
    size_t len = file->made_at ? strcspn(file->made_at, "Z") : 0;
    if (!len || !timestamp_parse(file->made_at, len, &made_us))
        return 0;
    return clock_wall_ms() - made_us / 1000;
}

bool stranded_is(struct queue *queue, const struct queue_status *s)
{
    return stranded_waiting(s) > 0 && !stranded_over(s) && strcmp(s->state, "paused") != 0 &&
           !seen_lately(s) && age_ms(queue) >= ALONE_MS;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* notice.h - word of a batch to the webhook that `enqueue --notify` has named.
 *
 * Three occasions: keys have failed (grouped: at most one message a minute, whoever asks first),
 * the batch has settled (at least once for each epoch, as long as anybody looks), keys wait and
 * nobody works. Whose turn it is is decided in Redis, so that of many workers one speaks. Nothing
 * here matters to the work: callers ignore failures, or log them. */
#ifndef BATCH_NOTICE_H
#define BATCH_NOTICE_H

#include "base/str.h"
#include "queue/queue.h"

enum {
    NOTICE_EVERY_MS = 60000,
    NOTICE_SEND_MS = 5000,      /* how long a message that is waited for is tried */
    NOTICE_STRANDED_MS = 600000 /* between two messages that nobody works */
};

/* 1 with the message appended to out: the caller is to send it. 0: not now; *ret_wait_ms says when
 * to ask again (0: when something has failed). QUEUE_GONE, or an ERR_*. The queue has the batch in
 * use; so below. */
enum { NOTICE_SAY = 1 };
int notice_failed(struct queue *queue, struct str *out, int64_t *ret_wait_ms, struct err *err);

/* Tell that the batch has settled, unless this epoch was told, or is being told, already. */
int notice_settled(struct queue *queue, struct err *err);

/* Tell that keys wait and no worker was seen for two minutes. */
int notice_stranded(struct queue *queue, struct err *err);

/* The texts, for Slack. */
void notice_failed_text(const char *batch, const struct queue_status *status, int64_t failed_new,
                        struct str *out);
void notice_settled_text(const char *batch, const char *dest, const struct queue_status *status,
                         struct str *out);
void notice_stranded_text(const char *batch, const struct queue_status *status, struct str *out);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* connect.h - from a verb's arguments to the Redis, the batch and the keys that it is about. */
#ifndef HIWARI_CONNECT_H
#define HIWARI_CONNECT_H

#include "base/str.h"
#include "batch/enqueue.h"
#include "options.h"
#include "queue/queue.h"

/* The Redis of --redis or HIWARI_REDIS: how to reach it (borrows from args), and a connection. */
struct queue_options connect_options(const struct args *args);
int connect_redis(const struct args *args, struct queue **ret, struct err *err);

/* ERR_USAGE when a batch cannot have this name. */
int connect_name(const char *batch, struct err *err);

/* connect_redis, with the batch in use. ERR_CONFIG when Redis does not have it: says which it has.
 */
int connect_batch(const struct args *args, const char *batch, struct queue **ret, struct err *err);
/* What to say when a verb answers QUEUE_GONE. */
int connect_gone(struct queue *queue, const char *batch, struct err *err);

/* The webhook of --notify or HIWARI_NOTIFY, checked; NULL: none. Borrowed. */
int connect_notify(const struct args *args, const char **ret, struct err *err);

/* --dest as a URL: a plain directory becomes file://. Caller owns. */
char *connect_dest(const char *dest);

/* --endpoint: where s3:// is, for this process and the workers that it starts. */
void connect_endpoint(const struct args *args);
/* Something to know about a store that does not honour conditional writes, on stderr. */
void connect_warn_unconditional(const struct enqueue_result *result);

/* --from, --to, --keys and --limit as enqueue_run takes them, with what they borrow from. */
struct key_args {
    struct str text;
    const char **keys;
    char *dest;
};
int key_args_read(const struct args *args, struct enqueue_options *ret, struct key_args *hold,
                  struct err *err);
void key_args_deinit(struct key_args *hold);
MEM_CLEANUP_VALUE(key_args_deinit, struct key_args);

#endif

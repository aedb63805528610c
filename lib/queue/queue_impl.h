/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* queue_impl.h - what the files of lib/queue share: a queue, and how a script is run for it. */
#ifndef QUEUE_QUEUE_IMPL_H
#define QUEUE_QUEUE_IMPL_H

#include "queue/queue.h"
#include "queue/redis.h"

enum { QUEUE_NAMES = 15, QUEUE_NONCE = 13 };

/* The names of all batches; in a cluster perhaps on another server than they. */
#define QUEUE_BATCHES "hiwari:batches"

/* The batch's keys in Redis, in the order in which every script takes them (prelude.lua). */
enum queue_name {
    NAME_BATCH,
    NAME_JSON,
    NAME_RECORDS,
    NAME_PENDING,
    NAME_DELAYED,
    NAME_LEASED,
    NAME_DONE,
    NAME_FAILED,
    NAME_ERRORS,
    NAME_HISTORY,
    NAME_WORKERS,
    NAME_SEEN,
    NAME_NAMES,
    NAME_RATE,
    NAME_LOCKS
};

struct queue {
    struct redis *redis;
    bool check_servers; /* of a cluster: that with a batch may evict although the first does not */
    char *batch, *incarnation;
    char *names[QUEUE_NAMES];
    char lease_nonce[QUEUE_NONCE]; /* of a lease call without an answer, else "" */
    bool walked[SCRIPTS];          /* the server has run this script for us */
    char *idler;                   /* the worker whose last lease call got nothing, or NULL */
    int64_t lease_at_ms;           /* when it calls lease once more, whatever it sees */
    char adder[QUEUE_NONCE];       /* for add.lua; "": keys may come twice */
    char *added_last;              /* the last of so many keys */
    int64_t added;
    int64_t reopened; /* the epoch that the last queue_reopen began */
};

void queue_names_set(struct queue *queue, const char *batch, const char *incarnation);
void queue_nonce(char nonce[QUEUE_NONCE]); /* 12 random hex digits */

/* A script's command up to and with its first argument, the incarnation. */
void queue_cmd(const struct queue *queue, struct redis_cmd *cmd, enum script script);

/* What a script's first word means: 0 for OK, a QUEUE_ answer, or ERR_BUG. */
int queue_answer(const redisReply *reply, struct err *err);

/* Run one script; 0 with its reply (free it) where it answers OK, else a QUEUE_ answer (no reply)
 * or an ERR_. */
int queue_run(struct queue *queue, const struct redis_cmd *cmd, redisReply **ret, struct err *err);
/* The same where only the answer counts. */
int queue_run_plain(struct queue *queue, const struct redis_cmd *cmd, struct err *err);

/* Is it certain that lease would find nothing? QUEUE_EMPTY or QUEUE_PAUSED with the milliseconds
 * until there may be something (at most 1000), QUEUE_GONE, QUEUE_SETTLED, QUEUE_CANCELLED; 0: call
 * lease; or an ERR_. */
int queue_look(struct queue *queue, int64_t *ret_wait_ms, struct err *err);

/* Give up the batch's claim on its destination, if it is still its own. */
int queue_unclaim(struct queue *queue, struct err *err);

/* Walk through items in steps of at most `step`, pipelined; fill adds item i to a command, use
 * takes the reply of the step that began at item `from`. 0, the first QUEUE_ answer, or an ERR_. */
struct queue_walk {
    enum script script;
    int64_t n;
    int step;
    /* Words before the items, the first of which is from; may be NULL. */
    void (*begin)(void *ctx, struct redis_cmd *cmd, int64_t from);
    void (*fill)(void *ctx, struct redis_cmd *cmd, int64_t i);
    int (*use)(void *ctx, const redisReply *reply, int64_t from, int64_t n, struct err *err);
    void *ctx;
};
int queue_walk(struct queue *queue, const struct queue_walk *walk, struct err *err);

static inline void reply_free(redisReply *reply)
{
    if (reply)
        freeReplyObject(reply);
}
MEM_CLEANUP(reply_free, redisReply *);

/* One page of HSCAN, ZSCAN or SSCAN over one of the batch's keys; 0, QUEUE_GONE or an ERR_. */
int queue_scan(struct queue *queue, const char *verb, const char *name, const char *cursor,
               redisReply **ret, struct err *err);

const char *reply_text(const redisReply *reply); /* "" for anything that is no text */
int64_t reply_integer(const redisReply *reply);  /* also of digits; 0 for anything else */
/* Element i of an array reply; a nil reply beyond its end. Borrowed. */
const redisReply *reply_at(const redisReply *reply, size_t i);

/* The eleven fields of a record or the fields of any text with `|` between them: text is cut up,
 * missing fields are "". */
enum record_field {
    RECORD_STATE,
    RECORD_ATTEMPTS,
    RECORD_INTERRUPTIONS,
    RECORD_EXPECT,
    RECORD_TOKEN,
    RECORD_WHY,
    RECORD_WORKER,
    RECORD_BEGIN,
    RECORD_HELD,
    RECORD_MS,
    RECORD_ROWS,
    RECORD_FIELDS
};
void fields_split(char *text, char **fields, int n);
int64_t field_integer(const char *field, int64_t missing);
bool key_state_of_letter(char letter, enum key_state *ret);
char key_state_letter(enum key_state state);

/* Keys must be safe in records and in file names. ERR_INPUT naming a key that is not. */
int queue_keys_check(const char *const *keys, int64_t n, struct err *err);

#endif

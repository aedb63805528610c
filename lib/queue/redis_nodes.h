/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis_nodes.h - the servers that a URL leads to, and which of them has a key; inside lib/queue
 * only.
 *
 * One Redis is one node. Behind Sentinels it is one node too, but which server that is they are
 * asked anew at each connection. A cluster shows itself when the first connection is made: its map
 * of slots is read then, and each MOVED corrects it. */
#ifndef QUEUE_REDIS_NODES_H
#define QUEUE_REDIS_NODES_H

#include <hiredis.h>

#include "queue/redis_slot.h"
#include "queue/redis_url.h"

struct redis_node {
    char *host; /* NULL: the URL's socket */
    int port;
    redisContext *context; /* NULL: not connected */
};

struct redis_nodes {
    struct redis_url url;
    struct redis_node **nodes;
    int n;
    int home;       /* where commands without a key go, and where a cluster is asked */
    int16_t *slots; /* cluster: number of the node of each slot, -1 unknown; NULL: no cluster */
    int sentinel;   /* the one that answered last */
    int64_t connections; /* made so far */
};

/* Takes the URL over. */
void redis_nodes_init(struct redis_nodes *nodes, struct redis_url *url);
void redis_nodes_deinit(struct redis_nodes *nodes);

/* The node that has this slot (-1: any), connected. ERR_UNREACHABLE, ERR_RETRY, ERR_CONFIG. */
int redis_nodes_find(struct redis_nodes *nodes, int slot, struct redis_node **ret, struct err *err);

/* A server has sent us elsewhere: the node that it names, connected; MOVED is remembered. */
int redis_nodes_follow(struct redis_nodes *nodes, const struct redis_node *from,
                       const struct redis_redirect *redirect, struct redis_node **ret,
                       struct err *err);

/* End all connections. What was known of Sentinels' master and a cluster's map is asked anew, by
 * way of the next known server. */
void redis_nodes_drop(struct redis_nodes *nodes);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis_nodes.c - see redis_nodes.h. */
#include "queue/redis_nodes.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "queue/redis_link.h"
#include "queue/redis_sentinel.h"

enum { NODES_MAX = 1000 };

/* ---- the list ---- */

static struct redis_node *node_add(struct redis_nodes *nodes, const char *host, int port)
{
    struct redis_node *node = MEM_NEW(struct redis_node);
    node->host = host ? mem_strdup(host) : NULL;
    node->port = port;
    nodes->nodes = mem_realloc(nodes->nodes, ((size_t)nodes->n + 1) * sizeof(struct redis_node *));
    nodes->nodes[nodes->n++] = node;
    return node;
}

static void node_free(struct redis_node *node)
{
    if (node->context)
        redisFree(node->context);
    free(node->host);
    free(node);
}

/* Its number, or -1 when there are too many to be true. */
static int node_number(struct redis_nodes *nodes, const char *host, int port)
{
    for (int i = 0; i < nodes->n; i++) {
        const struct redis_node *node = nodes->nodes[i];
        if (node->host && strcmp(node->host, host) == 0 && node->port == port)
            return i;
    }
    if (nodes->n == NODES_MAX)
        return -1;
    node_add(nodes, host, port);
    return nodes->n - 1;
}

void redis_nodes_init(struct redis_nodes *nodes, struct redis_url *url)
{
    *nodes = (struct redis_nodes){.url = *url};
    *url = (struct redis_url){0};
    if (nodes->url.path || nodes->url.master)
        node_add(nodes, NULL, 0);
    else
        node_add(nodes, nodes->url.hosts[0].name, nodes->url.hosts[0].port);
}

void redis_nodes_deinit(struct redis_nodes *nodes)
{
    for (int i = 0; i < nodes->n; i++)
        node_free(nodes->nodes[i]);
    free(nodes->nodes);
    free(nodes->slots);
    redis_url_deinit(&nodes->url);
}

void redis_nodes_drop(struct redis_nodes *nodes)
{
    for (int i = 0; i < nodes->n; i++) {
        if (nodes->nodes[i]->context)
            redisFree(nodes->nodes[i]->context);
        nodes->nodes[i]->context = NULL;
    }
    if (nodes->slots)
        nodes->home = (nodes->home + 1) % nodes->n;
    free(nodes->slots);
    nodes->slots = NULL;
}

/* ---- connecting to one ---- */

static int node_select(const struct redis_nodes *nodes, struct redis_node *node, struct err *err)
{
    if (nodes->url.database == 0)
        return 0;
    CLEANUP(mem_free_chars) char *database = mem_printf("%lld", (long long)nodes->url.database);
    redisReply *reply;
    int r = redis_link_ask(&nodes->url, node->context, 2, (const char *[]){"SELECT", database},
                           &reply, err);
    if (r == 0)
        freeReplyObject(reply);
    return r;
}

static void node_drop(struct redis_node *node)
{
    if (node->context)
        redisFree(node->context);
    node->context = NULL;
}

static int node_connect(struct redis_nodes *nodes, struct redis_node *node, struct err *err)
{
    int r = redis_link_open(&nodes->url, node->host, node->port, &node->context, err);
    if (r < 0)
        return r;
    nodes->connections++;
    r = redis_link_login(&nodes->url, node->context, err);
    if (r == 0)
        r = node_select(nodes, node, err);
    if (r < 0)
        node_drop(node);
    return r;
}

/* ---- Sentinels ---- */

/* A server that was told to be the master may not be it yet, and one that was may not know. */
static int check_role(struct redis_nodes *nodes, struct redis_node *node, struct err *err)
{
    redisReply *reply;
    int r = redis_link_ask(&nodes->url, node->context, 1, (const char *[]){"ROLE"}, &reply, err);
    if (r < 0)
        return r;
    bool master = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
                  reply->element[0]->type == REDIS_REPLY_STRING &&
                  strcmp(reply->element[0]->str, "master") == 0;
    freeReplyObject(reply);
    if (master)
        return 0;
    return err_set(err, ERR_RETRY,
                   "Redis %s cannot do it now: %s:%d, which the Sentinels name, is no master",
                   nodes->url.shown, node->host, node->port);
}

static int connect_to_master(struct redis_nodes *nodes, struct redis_node *node, struct err *err)
{
    struct redis_host host;
    int r = redis_sentinel_ask(&nodes->url, &nodes->sentinel, &host, err);
    if (r < 0)
        return r;
    free(node->host);
    node->host = host.name;
    node->port = host.port;
    r = node_connect(nodes, node, err);
    if (r == 0)
        r = check_role(nodes, node, err);
    if (r < 0)
        node_drop(node);
    return r;
}

/* ---- a cluster's map ---- */

/* A server that does not know its own name leaves it empty: it is where it was reached. */
static const char *host_or(const char *host, const struct redis_node *from)
{
    bool unknown = !*host || strcmp(host, "?") == 0;
    return !unknown ? host : from->host ? from->host : "127.0.0.1";
}

/* {host, port, …} as a node's number, or -1. */
static int take_server(struct redis_nodes *nodes, const struct redis_node *from,
                       const redisReply *server)
{
    if (server->type != REDIS_REPLY_ARRAY || server->elements < 2 ||
        server->element[1]->type != REDIS_REPLY_INTEGER)
        return -1;
    const redisReply *host = server->element[0];
    int64_t port = server->element[1]->integer;
    if (port < 1 || port > 65535)
        return -1;
    return node_number(nodes, host_or(host->type == REDIS_REPLY_STRING ? host->str : "", from),
                       (int)port);
}

/* {first slot, last slot, master, replicas …} */
static void take_range(struct redis_nodes *nodes, const struct redis_node *from,
                       const redisReply *range)
{
    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3 ||
        range->element[0]->type != REDIS_REPLY_INTEGER ||
        range->element[1]->type != REDIS_REPLY_INTEGER)
        return;
    int master = take_server(nodes, from, range->element[2]);
    for (int64_t slot = range->element[0]->integer; slot <= range->element[1]->integer; slot++) {
        if (slot < 0 || slot >= REDIS_SLOTS)
            return;
        nodes->slots[slot] = (int16_t)master;
    }
    for (size_t i = 3; i < range->elements; i++) /* a replica may be all that is left to ask */
        take_server(nodes, from, range->element[i]);
}

static void slots_new(struct redis_nodes *nodes)
{
    nodes->slots = MEM_ARRAY(int16_t, REDIS_SLOTS);
    for (int i = 0; i < REDIS_SLOTS; i++)
        nodes->slots[i] = -1;
}

/* Servers come and go: of those known, keep the URL's and this one. */
static void forget_others(struct redis_nodes *nodes, const struct redis_node *kept)
{
    int n = 1;
    for (int i = 1; i < nodes->n; i++) {
        if (nodes->nodes[i] == kept || nodes->nodes[i]->context)
            nodes->nodes[n++] = nodes->nodes[i];
        else
            node_free(nodes->nodes[i]);
    }
    nodes->n = n;
    for (int i = 0; i < n; i++)
        if (nodes->nodes[i] == kept)
            nodes->home = i;
}

/* Whoever may not ask, or asks a Redis that knows no clusters, has none. */
static int read_map(struct redis_nodes *nodes, struct redis_node *node, struct err *err)
{
    redisReply *info, *map;
    int r = redis_link_ask(&nodes->url, node->context, 2, (const char *[]){"INFO", "cluster"},
                           &info, err);
    if (r < 0)
        return r == ERR_CONFIG && !node->context->err ? 0 : r;
    bool cluster = info->type == REDIS_REPLY_STRING && strstr(info->str, "cluster_enabled:1");
    freeReplyObject(info);
    if (!cluster)
        return 0;
    r = redis_link_ask(&nodes->url, node->context, 2, (const char *[]){"CLUSTER", "SLOTS"}, &map,
                       err);
    if (r < 0)
        return r;
    forget_others(nodes, node);
    slots_new(nodes);
    for (size_t i = 0; map->type == REDIS_REPLY_ARRAY && i < map->elements; i++)
        take_range(nodes, node, map->element[i]);
    freeReplyObject(map);
    return 0;
}

/* ---- finding ---- */

static int connect_home(struct redis_nodes *nodes, struct err *err)
{
    struct redis_node *node = nodes->nodes[nodes->home];
    if (nodes->url.master)
        return connect_to_master(nodes, node, err);
    int r = node_connect(nodes, node, err);
    if (r == 0)
        r = read_map(nodes, node, err);
    if (r < 0) {
        node_drop(node);
        nodes->home = (nodes->home + 1) % nodes->n;
    }
    return r;
}

int redis_nodes_find(struct redis_nodes *nodes, int slot, struct redis_node **ret, struct err *err)
{
    int r = nodes->nodes[nodes->home]->context ? 0 : connect_home(nodes, err);
    if (r < 0)
        return r;
    int number = slot >= 0 && nodes->slots ? nodes->slots[slot] : -1;
    struct redis_node *node = nodes->nodes[number >= 0 ? number : nodes->home];
    r = node->context ? 0 : node_connect(nodes, node, err);
    if (r == 0)
        *ret = node;
    return r;
}

int redis_nodes_follow(struct redis_nodes *nodes, const struct redis_node *from,
                       const struct redis_redirect *redirect, struct redis_node **ret,
                       struct err *err)
{
    int number = node_number(nodes, host_or(redirect->host, from), redirect->port);
    if (number < 0)
        return err_set(err, ERR_RETRY, "Redis %s names more than %d servers", nodes->url.shown,
                       NODES_MAX);
    if (!redirect->ask) {
        if (!nodes->slots)
            slots_new(nodes);
        nodes->slots[redirect->slot] = (int16_t)number;
    }
    *ret = nodes->nodes[number];
    return (*ret)->context ? 0 : node_connect(nodes, *ret, err);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis_sentinel.c - see redis_sentinel.h. */
#include "queue/redis_sentinel.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "queue/redis_link.h"

/* The answer is an array of host and port, or nil. */
static int take_address(const struct redis_url *url, const redisReply *reply,
                        struct redis_host *ret, struct err *err)
{
    int64_t port = 0;
    bool there = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
                 reply->element[0]->type == REDIS_REPLY_STRING &&
                 reply->element[1]->type == REDIS_REPLY_STRING;
    if (!there)
        return err_set(err, ERR_CONFIG,
                       "Redis %s: the Sentinel does not know the name \"%s\"; in its configuration "
                       "it stands behind `sentinel monitor`",
                       url->shown, url->master);
    if (!str_to_i64(reply->element[1]->str, &port) || port < 1 || port > 65535)
        return err_set(err, ERR_BUG, "Redis %s: the Sentinel names the port \"%.20s\"", url->shown,
                       reply->element[1]->str);
    *ret = (struct redis_host){.name = mem_strdup(reply->element[0]->str), .port = (int)port};
    return 0;
}

static int ask_address(const struct redis_url *url, redisContext *context, redisReply **ret,
                       struct err *err)
{
    const char *words[] = {"SENTINEL", "get-master-addr-by-name", url->master};
    return redis_link_ask(url, context, 3, words, ret, err);
}

static int ask_one(const struct redis_url *url, const struct redis_host *sentinel,
                   struct redis_host *ret, struct err *err)
{
    redisContext *context;
    redisReply *reply = NULL;
    int r = redis_link_open(url, sentinel->name, sentinel->port, &context, err);
    if (r < 0)
        return err_prefix(err, "Sentinel %s:%d", sentinel->name, sentinel->port);
    r = ask_address(url, context, &reply, err);
    if (r == ERR_CONFIG && url->password && !context->err) {
        r = redis_link_login(url, context, err);
        if (r == 0)
            r = ask_address(url, context, &reply, err);
    }
    if (r == 0)
        r = take_address(url, reply, ret, err);
    if (reply)
        freeReplyObject(reply);
    redisFree(context);
    return r == 0 ? 0 : err_prefix(err, "Sentinel %s:%d", sentinel->name, sentinel->port);
}

int redis_sentinel_ask(const struct redis_url *url, int *first, struct redis_host *ret,
                       struct err *err)
{
    int code = 0;
    for (int i = 0; i < url->n_hosts; i++) {
        int at = (*first + i) % url->n_hosts;
        struct err one = {0};
        int r = ask_one(url, &url->hosts[at], ret, &one);
        if (r == 0) {
            *first = at;
            return 0;
        }
        if (code == 0 || r != ERR_UNREACHABLE) /* whoever answered has more to say */
            err_set(err, r, "%s", one.text);
        code = code == 0 || r == ERR_UNREACHABLE ? r : code; /* one that is away may know better */
    }
    if (err)
        err->code = code;
    return code;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis_link.c - see redis_link.h. */
#include "queue/redis_link.h"

#include <string.h>
#include <sys/time.h>

#include "base/str.h"
#include "queue/redis_tls.h"

enum {
    CONNECT_MS = 2000, /* one attempt */
    COMMAND_MS = 5000, /* a server that is silent for longer is taken for lost */
};

static bool begins_with_any(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (str_starts(text, *words))
            return true;
    return false;
}

bool redis_refusal_is_full(const char *text)
{
    return strstr(text, "OOM command not allowed");
}

int redis_refusal(const struct redis_url *url, const char *text, struct err *err)
{
    static const char *const later[] = {"LOADING",    "READONLY", "TRYAGAIN",  "CLUSTERDOWN",
                                        "MASTERDOWN", "BUSY ",    "UNBLOCKED", "MISCONF",
                                        "NOREPLICAS", NULL};
    static const char *const refused[] = {"NOAUTH",
                                          "WRONGPASS",
                                          "NOPERM",
                                          "ERR AUTH",
                                          "ERR invalid password",
                                          "ERR Client sent AUTH",
                                          "ERR DB index",
                                          "ERR SELECT is not allowed",
                                          NULL};
    if (redis_refusal_is_full(text))
        return err_set(
            err, ERR_RETRY,
            "Redis %s is full: raise its maxmemory, or purge batches that are settled (%.200s)",
            url->shown, text);
    if (begins_with_any(text, later) || strstr(text, "LOADING") || strstr(text, "READONLY"))
        return err_set(err, ERR_RETRY, "Redis %s cannot do it now: %.300s", url->shown, text);
    if (str_starts(text, "ERR max number of clients"))
        return err_set(err, ERR_UNREACHABLE, "Redis %s takes no more connections: %.300s",
                       url->shown, text);
    if (str_starts(text, "ERR ACL failure") || str_starts(text, "ERR The user executing"))
        return err_set(err, ERR_CONFIG,
                       "Redis %s refuses a command inside a script (`redis-cli ACL LOG` names it): "
                       "%.300s",
                       url->shown, text);
    if (begins_with_any(text, refused))
        return err_set(err, ERR_CONFIG, "Redis %s refuses: %.300s", url->shown, text);
    return err_set(err, ERR_BUG, "Redis %s: %.600s", url->shown, text);
}

int redis_link_lost(const struct redis_url *url, const redisContext *context, struct err *err)
{
    return err_set(err, ERR_UNREACHABLE, "Redis %s: the connection was lost: %s", url->shown,
                   context->errstr);
}

static redisContext *connect_to(const struct redis_url *url, const char *host, int port)
{
    struct timeval patience = {.tv_sec = CONNECT_MS / 1000};
    return host ? redisConnectWithTimeout(host, port, patience)
                : redisConnectUnixWithTimeout(url->path, patience);
}

int redis_link_open(const struct redis_url *url, const char *host, int port, redisContext **ret,
                    struct err *err)
{
    redisContext *context = connect_to(url, host, port);
    if (!context)
        mem_exhausted();
    int r = 0;
    if (context->err)
        r = err_set(err, ERR_UNREACHABLE, "Redis %s does not answer: %s; is it running?",
                    url->shown, context->errstr);
    if (r == 0) {
        redisSetTimeout(context, (struct timeval){.tv_sec = COMMAND_MS / 1000});
        if (host)
            redisEnableKeepAlive(context);
    }
    if (r == 0 && url->tls)
        r = redis_tls_start(url, host, context, err);
    if (r == 0)
        *ret = context;
    else
        redisFree(context);
    return r;
}

int redis_link_ask(const struct redis_url *url, redisContext *context, int argc, const char **argv,
                   redisReply **ret, struct err *err)
{
    redisReply *reply = redisCommandArgv(context, argc, argv, NULL);
    if (!reply)
        return redis_link_lost(url, context, err);
    if (reply->type != REDIS_REPLY_ERROR) {
        *ret = reply;
        return 0;
    }
    int r = redis_refusal(url, reply->str, err);
    freeReplyObject(reply);
    return r;
}

int redis_link_login(const struct redis_url *url, redisContext *context, struct err *err)
{
    const char *words[3] = {"AUTH"};
    int n = 1;
    if (!url->password)
        return 0;
    if (url->user)
        words[n++] = url->user;
    words[n++] = url->password;
    redisReply *reply = NULL;
    int r = redis_link_ask(url, context, n, words, &reply, err);
    if (r == 0)
        freeReplyObject(reply);
    return r;
}

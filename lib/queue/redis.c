/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis.c - see redis.h. */
#include "queue/redis.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/retry.h"

enum {
    REDIS_PORT = 6379,
    CONNECT_MS = 2000, /* one attempt */
    COMMAND_MS = 5000, /* a server that is silent for longer is taken for lost */
    BACKOFF_MS = 20,
    BACKOFF_MAX_MS = 1000,
};

struct redis {
    char *url; /* for messages: no password */
    char *host, *path, *user, *password;
    int port;
    int64_t database;
    int64_t patience_ms;
    redisContext *context; /* NULL: not connected */
    int64_t connections;   /* so far */
    bool full;             /* the last failure was a full memory: waiting does not help */
};

/* ---- the URL ---- */

static char *url_decode(const char *s, size_t len)
{
    CLEANUP(str_deinit) struct str out = {0};
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '%' && i + 2 < len && isxdigit((unsigned char)s[i + 1]) &&
            isxdigit((unsigned char)s[i + 2])) {
            char hex[3] = {s[i + 1], s[i + 2], 0};
            str_addc(&out, (char)strtol(hex, NULL, 16));
            i += 2;
        } else {
            str_addc(&out, s[i]);
        }
    }
    return str_take(&out);
}

/* user:password@ in front of the rest; returns the rest. */
static const char *url_credentials(struct redis *redis, const char *s)
{
    const char *end = s + strcspn(s, "/?");
    const char *at = memrchr(s, '@', (size_t)(end - s));
    if (!at)
        return s;
    const char *colon = memchr(s, ':', (size_t)(at - s));
    size_t user = (size_t)((colon ? colon : at) - s);
    if (user > 0)
        redis->user = url_decode(s, user);
    if (colon)
        redis->password = url_decode(colon + 1, (size_t)(at - colon - 1));
    return at + 1;
}

static int url_database(struct redis *redis, const char *s, struct err *err)
{
    if (*s && (!str_to_i64(s, &redis->database) || redis->database < 0))
        return err_set(err, ERR_CONFIG, "Redis URL: \"%s\" is not the number of a database", s);
    return 0;
}

static int url_parse_unix(struct redis *redis, const char *s, struct err *err)
{
    s = url_credentials(redis, s);
    const char *query = strchr(s, '?');
    redis->path = url_decode(s, query ? (size_t)(query - s) : strlen(s));
    redis->url = mem_printf("unix://%s", s);
    if (redis->path[0] != '/')
        return err_set(err, ERR_CONFIG,
                       "Redis URL: unix:// needs an absolute path, as in unix:///run/redis.sock");
    if (!query)
        return 0;
    if (!str_starts(query, "?db="))
        return err_set(err, ERR_CONFIG, "Redis URL: only ?db=N may follow the path");
    return url_database(redis, query + 4, err);
}

static int url_parse_tcp(struct redis *redis, const char *s, struct err *err)
{
    s = url_credentials(redis, s);
    redis->url = mem_printf("redis://%s", s);
    const char *end = s + strcspn(s, "/?");
    const char *host_end = end;
    redis->port = REDIS_PORT;
    const char *colon = memrchr(s, ':', (size_t)(end - s));
    if (*s == '[') { /* [IPv6] */
        const char *close = memchr(s, ']', (size_t)(end - s));
        if (!close)
            return err_set(err, ERR_CONFIG, "Redis URL: \"[\" without \"]\" in %s", redis->url);
        colon = close[1] == ':' ? close + 1 : NULL;
        host_end = close;
        s++;
    }
    if (colon) {
        CLEANUP(mem_free_chars) char *digits = mem_strndup(colon + 1, (size_t)(end - colon - 1));
        int64_t port;
        if (!str_to_i64(digits, &port) || port < 1 || port > 65535)
            return err_set(err, ERR_CONFIG, "Redis URL: \"%s\" is not a port", digits);
        redis->port = (int)port;
        host_end = host_end == end ? colon : host_end;
    }
    redis->host = host_end > s ? url_decode(s, (size_t)(host_end - s)) : mem_strdup("127.0.0.1");
    return *end == '/' ? url_database(redis, end + 1, err) : 0;
}

static int url_parse(struct redis *redis, const char *url, struct err *err)
{
    if (str_starts(url, "redis://"))
        return url_parse_tcp(redis, url + strlen("redis://"), err);
    if (str_starts(url, "unix://"))
        return url_parse_unix(redis, url + strlen("unix://"), err);
    if (str_starts(url, "rediss://"))
        return err_set(
            err, ERR_CONFIG,
            "Redis URL: rediss:// needs TLS, which this build has not; put a TLS proxy such as "
            "stunnel beside it, or use redis:// or unix://");
    return err_set(err, ERR_CONFIG,
                   "Redis URL: expected redis://[user:password@]host[:port][/db] or unix:///path");
}

/* ---- the connection ---- */

static void redis_drop(struct redis *redis)
{
    if (redis->context)
        redisFree(redis->context);
    redis->context = NULL;
}

/* Words for a server's answer that is an error, and what kind of failure it is. */
static int reply_failure(struct redis *redis, const char *text, struct err *err)
{
    static const char *const later[] = {"LOADING",     "READONLY",   "TRYAGAIN",
                                        "CLUSTERDOWN", "MASTERDOWN", "BUSY ",
                                        "UNBLOCKED",   "MISCONF",    "NOREPLICAS"};
    static const char *const refused[] = {"NOAUTH",
                                          "WRONGPASS",
                                          "NOPERM",
                                          "ERR AUTH",
                                          "ERR invalid password",
                                          "ERR Client sent AUTH",
                                          "ERR DB index",
                                          "MOVED",
                                          "ASK "};
    redis->full = strstr(text, "OOM command not allowed");
    if (redis->full)
        return err_set(
            err, ERR_RETRY,
            "Redis %s is full: raise its maxmemory, or purge batches that are settled (%.200s)",
            redis->url, text);
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
        if (str_starts(text, later[i]) || (i < 2 && strstr(text, later[i])))
            return err_set(err, ERR_RETRY, "Redis %s cannot do it now: %.300s", redis->url, text);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (str_starts(text, refused[i]))
            return err_set(err, ERR_CONFIG, "Redis %s refuses: %.300s", redis->url, text);
    return err_set(err, ERR_BUG, "Redis %s: %.600s", redis->url, text);
}

/* One command during connecting; 0 if the server agrees. */
static int greet(struct redis *redis, struct err *err, int argc, const char **argv)
{
    redisReply *reply = redisCommandArgv(redis->context, argc, argv, NULL);
    if (!reply)
        return err_set(err, ERR_UNREACHABLE, "Redis %s: %s", redis->url, redis->context->errstr);
    int r = reply->type == REDIS_REPLY_ERROR ? reply_failure(redis, reply->str, err) : 0;
    freeReplyObject(reply);
    return r;
}

static int redis_greet(struct redis *redis, struct err *err)
{
    int r = 0;
    if (redis->password && redis->user)
        r = greet(redis, err, 3, (const char *[]){"AUTH", redis->user, redis->password});
    else if (redis->password)
        r = greet(redis, err, 2, (const char *[]){"AUTH", redis->password});
    if (r == 0 && redis->database > 0) {
        CLEANUP(mem_free_chars) char *db = mem_printf("%lld", (long long)redis->database);
        r = greet(redis, err, 2, (const char *[]){"SELECT", db});
    }
    return r;
}

static int redis_connect(struct redis *redis, struct err *err)
{
    struct timeval connect = {.tv_sec = CONNECT_MS / 1000};
    struct timeval command = {.tv_sec = COMMAND_MS / 1000};
    redis->context = redis->path ? redisConnectUnixWithTimeout(redis->path, connect)
                                 : redisConnectWithTimeout(redis->host, redis->port, connect);
    if (!redis->context || redis->context->err) {
        err_set(err, ERR_UNREACHABLE, "Redis %s does not answer: %s; is it running?", redis->url,
                redis->context ? redis->context->errstr : "out of memory");
        redis_drop(redis);
        return ERR_UNREACHABLE;
    }
    redis->connections++;
    redisSetTimeout(redis->context, command);
    if (!redis->path)
        redisEnableKeepAlive(redis->context);
    int r = redis_greet(redis, err);
    if (r < 0)
        redis_drop(redis);
    return r;
}

/* Writing to a connection that the other side has closed must be an error, not the end of the
 * process; hiredis leaves this to the program. A handler that the program has set stays. */
static void ignore_sigpipe(void)
{
    struct sigaction old;
    if (sigaction(SIGPIPE, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
}

int redis_open(const char *url, int64_t patience_ms, struct redis **ret, struct err *err)
{
    CLEANUP(redis_close) struct redis *redis = MEM_NEW(struct redis);
    redis->patience_ms = patience_ms;
    int r = url_parse(redis, url, err);
    if (r < 0)
        return r;
    ignore_sigpipe();
    CLEANUP(redis_cmd_deinit) struct redis_cmd ping = {0};
    redis_cmd_addz(&ping, "PING");
    redisReply *reply;
    r = redis_run(redis, &ping, 1, &reply, err);
    if (r < 0)
        return r;
    freeReplyObject(reply);
    *ret = redis;
    redis = NULL;
    return 0;
}

void redis_close(struct redis *redis)
{
    if (!redis)
        return;
    redis_drop(redis);
    free(redis->url);
    free(redis->host);
    free(redis->path);
    free(redis->user);
    free(redis->password);
    free(redis);
}

const char *redis_url(const struct redis *redis)
{
    return redis->url;
}

int64_t redis_connections(const struct redis *redis)
{
    return redis->connections;
}

/* ---- commands ---- */

void redis_cmd_deinit(struct redis_cmd *cmd)
{
    str_deinit(&cmd->bytes);
    free(cmd->ends);
    *cmd = (struct redis_cmd){0};
}

void redis_cmd_clear(struct redis_cmd *cmd)
{
    str_clear(&cmd->bytes);
    cmd->n = 0;
    cmd->script = NULL;
}

void redis_cmd_add(struct redis_cmd *cmd, const void *word, size_t len)
{
    str_add(&cmd->bytes, word, len);
    cmd->ends = mem_grow(cmd->ends, &cmd->cap, cmd->n + 1, sizeof(*cmd->ends));
    cmd->ends[cmd->n++] = cmd->bytes.len;
}

void redis_cmd_addz(struct redis_cmd *cmd, const char *word)
{
    redis_cmd_add(cmd, word, strlen(word));
}

void redis_cmd_addi(struct redis_cmd *cmd, int64_t word)
{
    char digits[24];
    redis_cmd_add(cmd, digits, (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)word));
}

void redis_cmd_script(struct redis_cmd *cmd, enum script script)
{
    cmd->script = &script_texts[script];
    redis_cmd_addz(cmd, "EVALSHA");
    redis_cmd_addz(cmd, cmd->script->sha1);
}

/* whole: send the script's text, not its name. */
static void cmd_append(redisContext *context, const struct redis_cmd *cmd, bool whole)
{
    CLEANUP(free) void *argv_memory = MEM_ARRAY(const char *, cmd->n);
    CLEANUP(free) void *lens_memory = MEM_ARRAY(size_t, cmd->n);
    const char **argv = argv_memory;
    size_t *lens = lens_memory;
    for (size_t i = 0, start = 0; i < cmd->n; start = cmd->ends[i++]) {
        argv[i] = cmd->bytes.s + start;
        lens[i] = cmd->ends[i] - start;
    }
    if (whole) {
        argv[0] = "EVAL";
        lens[0] = strlen("EVAL");
        argv[1] = cmd->script->text;
        lens[1] = cmd->script->len;
    }
    redisAppendCommandArgv(context, (int)cmd->n, argv, lens);
}

static int lost(struct redis *redis, struct err *err, const char *why)
{
    err_set(err, ERR_UNREACHABLE, "Redis %s: connection lost: %s", redis->url, why);
    redis_drop(redis);
    return ERR_UNREACHABLE;
}

static void replies_free(redisReply **replies, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (replies[i])
            freeReplyObject(replies[i]);
        replies[i] = NULL;
    }
}

static bool reply_is_noscript(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR && str_starts(reply->str, "NOSCRIPT");
}

/* Read the answers of all commands that have none. Error answers are not kept: the worst of them is
 * returned, and the command stays without an answer. ret_unknown: a script was not known. */
static int replies_read(struct redis *redis, size_t n, redisReply **replies, bool *ret_unknown,
                        struct err *err)
{
    int worst = 0;
    *ret_unknown = false;
    for (size_t i = 0; i < n; i++) {
        if (replies[i])
            continue;
        void *answer = NULL;
        if (redisGetReply(redis->context, &answer) != REDIS_OK)
            return lost(redis, err, redis->context->errstr);
        redisReply *reply = answer;
        if (reply->type != REDIS_REPLY_ERROR) {
            replies[i] = reply;
            continue;
        }
        if (reply_is_noscript(reply))
            *ret_unknown = true;
        else if (worst == 0 || worst == ERR_RETRY)
            worst = reply_failure(redis, reply->str, err);
        freeReplyObject(reply);
    }
    return worst;
}

/* Send all commands that have no answer, and read their answers. */
static int exchange(struct redis *redis, const struct redis_cmd *cmds, size_t n,
                    redisReply **replies, struct err *err)
{
    if (fault_before("redis"))
        return lost(redis, err, "cut by a test before sending");
    bool whole = false;
    for (;;) {
        for (size_t i = 0; i < n; i++)
            if (!replies[i])
                cmd_append(redis->context, &cmds[i], whole && cmds[i].script);
        bool unknown;
        int r = replies_read(redis, n, replies, &unknown, err);
        if (r < 0)
            return r;
        if (!unknown)
            break;
        if (whole)
            return err_set(err, ERR_BUG, "Redis %s does not take a script's text", redis->url);
        whole = true;
    }
    if (fault_after("redis")) {
        replies_free(replies, n);
        return lost(redis, err, "cut by a test before the answer");
    }
    return 0;
}

int redis_run(struct redis *redis, const struct redis_cmd *cmds, size_t n, redisReply **ret,
              struct err *err)
{
    struct retry retry =
        retry_start(clock_ms() + redis->patience_ms, BACKOFF_MS, BACKOFF_MAX_MS, random_u64());
    memset(ret, 0, n * sizeof(*ret));
    for (;;) {
        int r = redis->context ? 0 : redis_connect(redis, err);
        if (r == 0)
            r = exchange(redis, cmds, n, ret, err);
        if (r == 0)
            return 0;
        bool worth = r == ERR_UNREACHABLE || (r == ERR_RETRY && !redis->full);
        int64_t wait = worth ? retry_next(&retry, clock_ms(), 0) : -1;
        if (wait < 0) {
            replies_free(ret, n);
            return r;
        }
        redis_drop(redis); /* a server that was a master may be found under its name no more */
        clock_sleep_ms(wait);
    }
}

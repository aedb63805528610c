/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis_server.h - a private redis-server for a test, on a unix socket in a temporary directory.
 *
 * It appends to a file, so that it comes back after a kill with what it had. It dies with the
 * process that started it. A failure to start or stop ends the test program with a message. */
#ifndef SUPPORT_REDIS_SERVER_H
#define SUPPORT_REDIS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct redis_server {
    char dir[64];
    char socket[96];
    char url[112]; /* unix://… */
    pid_t pid;     /* 0: not running */
};

/* False when there is no redis-server to start: tests say so and skip. */
bool redis_server_available(void);

/* Start in a new directory. extra: more words for redis-server's command line, ended by NULL; or
 * NULL. */
void redis_server_start(struct redis_server *server, const char *const *extra);
void redis_server_kill(struct redis_server *server); /* kill -9 */
void redis_server_restart(
    struct redis_server *server); /* again in the same directory, after a kill or a stop */
void redis_server_stop(struct redis_server *server); /* kill, and remove the directory */

/* Send one command as a line of text ("HDEL hash field"; quotes work as in redis-cli) and return
 * the answer as Redis writes it ("+OK", ":1", "$5\r\nhello"), up to 64 KB, without the last
 * newline. Caller owns. */
char *redis_server_command(const struct redis_server *server, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif

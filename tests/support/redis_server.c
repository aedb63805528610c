/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis_server.c - see redis_server.h. */
#include "redis_server.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"

enum { WORDS_MAX = 64, START_MS = 10000 };

static void die(const char *what, const struct redis_server *server)
{
    fprintf(stderr, "redis_server: %s (%s): %s\n", what, server->dir, strerror(errno));
    abort();
}

bool redis_server_available(void)
{
    return system("command -v redis-server >/dev/null 2>&1") == 0;
}

/* A connection to the server, or -1. */
static int server_connect(const struct redis_server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, server->socket, sizeof(address.sun_path) - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool answers(const struct redis_server *server)
{
    int fd = server_connect(server);
    if (fd < 0)
        return false;
    char buf[64];
    bool ok = write(fd, "PING\r\n", 6) == 6 && read(fd, buf, sizeof(buf)) > 0 &&
              (buf[0] == '+' || strncmp(buf, "-NOAUTH", 7) == 0);
    close(fd);
    return ok;
}

/* One read gives the whole of a short answer, because Redis writes it at once. */
char *redis_server_command(const struct redis_server *server, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *line = NULL;
    if (vasprintf(&line, fmt, ap) < 0)
        die("vasprintf", server);
    va_end(ap);
    enum { ANSWER_MAX = 65536 };
    char *answer = calloc(1, ANSWER_MAX);
    int fd = server_connect(server);
    if (fd < 0 || dprintf(fd, "%s\r\n", line) < 0 || read(fd, answer, ANSWER_MAX - 1) <= 0)
        die(line, server);
    close(fd);
    free(line);
    size_t len = strlen(answer);
    while (len > 0 && (answer[len - 1] == '\n' || answer[len - 1] == '\r'))
        answer[--len] = '\0';
    return answer;
}

static void run_server(const struct redis_server *server, const char *const *extra)
{
    const char *argv[WORDS_MAX] = {
        "redis-server", "--port",    "0",         "--unixsocket", server->socket, "--dir",
        server->dir,    "--save",    "",          "--appendonly", "yes",          "--appendfsync",
        "everysec",     "--logfile", "server.log"};
    int n = 15;
    for (int i = 0; extra && extra[i] && n < WORDS_MAX - 1; i++)
        argv[n++] = extra[i];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

static void launch(struct redis_server *server, const char *const *extra)
{
    unlink(server->socket);
    server->pid = fork();
    if (server->pid < 0)
        die("fork", server);
    if (server->pid == 0)
        run_server(server, extra);
    for (int ms = 0; !answers(server); ms += 5) {
        if (ms > START_MS || waitpid(server->pid, NULL, WNOHANG) == server->pid)
            die("redis-server does not start; see server.log there", server);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

void redis_server_start(struct redis_server *server, const char *const *extra)
{
    *server = (struct redis_server){0};
    strcpy(server->dir, "/tmp/hiwari-redis-XXXXXX");
    if (!mkdtemp(server->dir))
        die("mkdtemp", server);
    snprintf(server->socket, sizeof(server->socket), "%s/redis.sock", server->dir);
    snprintf(server->url, sizeof(server->url), "unix://%s", server->socket);
    launch(server, extra);
}

void redis_server_kill(struct redis_server *server)
{
    if (server->pid > 0 &&
        (kill(server->pid, SIGKILL) != 0 || waitpid(server->pid, NULL, 0) != server->pid))
        die("kill", server);
    server->pid = 0;
}

void redis_server_restart(struct redis_server *server)
{
    if (server->pid == 0)
        launch(server, NULL);
}

void redis_server_stop(struct redis_server *server)
{
    redis_server_kill(server);
    fs_remove_tree(server->dir, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* local.c - a private redis-server, and nothing of it left behind.
 *
 * The directory is held by a lock on a file in it. A run that was killed cannot remove its
 * directory, but its lock is gone with it: the next run sees that and removes it. */
#include "local.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"
#include "child.h"

#define LOCAL_PREFIX "hiwari-run-"
enum {
    LOCAL_START_MS = 10000,
    LOCAL_LONGEST = 90, /* of the directory's name: a socket's path has at most 107 bytes */
    LOCAL_YOUNG_S = 60, /* a directory without a lock file may be of a run that begins just now */
};

struct local {
    char *dir, *socket, *log, *url;
    int lock;
    pid_t redis;
};

/* What local_abandon needs, where a signal handler can read it. */
static struct {
    char dir[LOCAL_LONGEST + 1];
    volatile pid_t redis;
} abandon;

void local_abandon(void)
{
    static const char *const files[] = {"lock", "redis.sock", "redis.log"};
    if (abandon.redis > 0)
        kill(abandon.redis, SIGKILL);
    if (!abandon.dir[0] || chdir(abandon.dir) < 0)
        return;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        unlink(files[i]);
    rmdir(abandon.dir);
}

const char *local_dir(const struct local *local)
{
    return local->dir;
}

const char *local_url(const struct local *local)
{
    return local->url;
}

/* Does nobody hold this directory? */
static bool is_abandoned(const char *dir)
{
    struct stat st;
    if (lstat(dir, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
        return false;
    CLEANUP(mem_free_chars) char *lock = fs_join(dir, "lock");
    int fd = open(lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT && time(NULL) - st.st_mtime > LOCAL_YOUNG_S;
    bool free_now = flock(fd, LOCK_EX | LOCK_NB) == 0;
    close(fd);
    return free_now;
}

static void remove_abandoned(const char *under)
{
    CLEANUP(fs_list_free) struct fs_list list = {0};
    if (fs_list(under, &list, NULL) < 0)
        return;
    for (size_t i = 0; i < list.n; i++) {
        if (!str_starts(list.names[i], LOCAL_PREFIX))
            continue;
        CLEANUP(mem_free_chars) char *dir = fs_join(under, list.names[i]);
        if (is_abandoned(dir))
            fs_remove_tree(dir, NULL);
    }
}

static int make_dir(struct local *local, struct err *err)
{
    const char *under = getenv("TMPDIR");
    if (!under || !*under || strlen(under) > LOCAL_LONGEST - sizeof(LOCAL_PREFIX "XXXXXX"))
        under = "/tmp";
    remove_abandoned(under);
    char *dir = fs_join(under, LOCAL_PREFIX "XXXXXX");
    if (!mkdtemp(dir)) {
        int r = err_set_errno(err, ERR_WRITE, errno, "cannot make a directory under %s", under);
        free(dir);
        return r;
    }
    local->dir = dir;
    snprintf(abandon.dir, sizeof(abandon.dir), "%s", dir);
    CLEANUP(mem_free_chars) char *lock = fs_join(dir, "lock");
    local->lock = open(lock, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (local->lock < 0 || flock(local->lock, LOCK_EX | LOCK_NB) < 0)
        return err_set_errno(err, ERR_WRITE, errno, "cannot write to %s", dir);
    local->socket = fs_join(dir, "redis.sock");
    local->log = fs_join(dir, "redis.log");
    local->url = mem_printf("unix://%s", local->socket);
    return 0;
}

static int start_redis(struct local *local, struct err *err)
{
    const char *argv[] = {
        "redis-server",
        "--port",
        "0", /* no TCP at all */
        "--unixsocket",
        local->socket,
        "--unixsocketperm",
        "700",
        "--save",
        "",
        "--appendonly",
        "no", /* the destination is the memory */
        "--maxmemory-policy",
        "noeviction",
        "--dir",
        local->dir,
        "--daemonize",
        "no",
        "--loglevel",
        "warning",
        NULL,
    };
    int log = open(local->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0)
        return err_set_errno(err, ERR_WRITE, errno, "cannot write %s", local->log);
    bool absent = false;
    int r = child_start(&(struct child_options){.argv = argv, .output = log}, &local->redis,
                        &absent, err);
    close(log);
    abandon.redis = local->redis;
    if (r < 0 && absent)
        return err_set(
            err, ERR_CONFIG,
            "redis-server is not installed, and 'hiwari run' keeps its queue in one of its own; "
            "install it with: sudo apt-get install redis-server");
    return r;
}

/* The last line of text that says something. */
static void last_line(const char *text, char *ret, size_t size)
{
    const char *line = "it wrote nothing";
    size_t len = strlen(line);
    for (const char *p = text ? text : ""; *p;) {
        size_t n = strcspn(p, "\n");
        if (n)
            line = p, len = n;
        p += n + (p[n] == '\n');
    }
    len = len < size - 1 ? len : size - 1;
    memcpy(ret, line, len);
    ret[len] = '\0';
}

int local_check(struct local *local, struct err *err)
{
    int status;
    if (local->redis > 0 && waitpid(local->redis, &status, WNOHANG) == 0)
        return 0;
    local->redis = 0;
    CLEANUP(str_deinit) struct str log = {0};
    char words[300];
    fs_read(local->log, &log, NULL);
    last_line(log.s, words, sizeof(words));
    return err_set(err, ERR_UNREACHABLE, "the private redis-server has ended: %s", words);
}

int local_start(struct local **ret, struct err *err)
{
    CLEANUP(local_stop) struct local *local = MEM_NEW(struct local);
    local->lock = -1;
    int r = make_dir(local, err);
    if (r == 0)
        r = start_redis(local, err);
    if (r < 0)
        return r;
    int64_t until = clock_ms() + LOCAL_START_MS;
    while (!fs_exists(local->socket)) {
        if ((r = local_check(local, err)) < 0)
            return r;
        if (clock_ms() > until)
            return err_set(err, ERR_UNREACHABLE, "redis-server does not open its socket %s",
                           local->socket);
        clock_sleep_ms(2);
    }
    *ret = local;
    local = NULL;
    return 0;
}

void local_stop(struct local *local)
{
    if (!local)
        return;
    if (local->redis > 0) {
        kill(local->redis, SIGKILL); /* it has nothing to save */
        child_end(local->redis, 0);
    }
    if (local->dir)
        fs_remove_tree(local->dir, NULL);
    if (local->lock >= 0)
        close(local->lock);
    free(local->dir);
    free(local->socket);
    free(local->log);
    free(local->url);
    free(local);
}

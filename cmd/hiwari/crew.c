/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* crew.c - start workers, listen to them, start them again. */
#include "crew.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"
#include "child.h"
#include "codec/json.h"

enum {
    CREW_RESTARTS = 5, /* in a row without progress; then somebody has to look */
    CREW_LINES = 20,   /* of all workers that are shown; a bad batch must not flood the terminal */
    CREW_LEAVE_MS = 3000,
    EXIT_WRITE = 73,
    EXIT_CONFIG = 78,
};

struct hand {
    pid_t pid;       /* 0: not running */
    int fd;          /* what it writes; -1 */
    struct str said; /* a line that is not complete */
};

struct crew {
    struct crew_options options;
    char *program, *redis_variable;
    struct hand *hands;
    bool draining;
    int restarts, lines;
    int64_t mark; /* progress at the last restart */
};

/* Beside this program as installed, or where the build puts it; else in PATH. */
static char *find_worker(void)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash = NULL;
    if (n > 0) {
        self[n] = '\0';
        slash = strrchr(self, '/');
    }
    static const char *const places[] = {"hiwari-worker", "../hiwari-worker/hiwari-worker"};
    for (int i = 0; slash && i < 2; i++) {
        slash[1] = '\0';
        char *path = fs_join(self, places[i]);
        if (access(path, X_OK) == 0)
            return path;
        free(path);
    }
    return mem_strdup("hiwari-worker");
}

static int hand_start(struct crew *crew, struct hand *hand, struct err *err)
{
    const struct crew_options *o = &crew->options;
    const char *argv[] = {
        crew->program,   "--batch",   o->batch, "--snapshot",
        o->snapshot_dir, "--threads", "1",      o->index_dir ? "--index-dir" : NULL,
        o->index_dir,    NULL,
    };
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_set_errno(err, ERR_RETRY, errno, "cannot make a pipe");
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    bool absent = false;
    int r = child_start(&(struct child_options){.argv = argv,
                                                .environment = crew->redis_variable,
                                                .output = fds[1]},
                        &hand->pid, &absent, err);
    close(fds[1]);
    if (r < 0) {
        close(fds[0]);
        if (absent)
            err_set(err, ERR_CONFIG,
                    "hiwari-worker is not there; it belongs beside hiwari, or into PATH");
        return r;
    }
    hand->fd = fds[0];
    return 0;
}

int crew_start(const struct crew_options *options, struct crew **ret, struct err *err)
{
    CLEANUP(crew_free) struct crew *crew = MEM_NEW(struct crew);
    crew->options = *options;
    crew->program = find_worker();
    crew->redis_variable = mem_printf("HIWARI_REDIS=%s", options->redis);
    crew->hands = mem_zalloc((size_t)options->workers * sizeof(struct hand));
    for (int i = 0; i < options->workers; i++)
        crew->hands[i].fd = -1;
    for (int i = 0; i < options->workers; i++) {
        int r = hand_start(crew, &crew->hands[i], err);
        if (r < 0)
            return r;
    }
    *ret = crew;
    crew = NULL;
    return 0;
}

static void hand_close(struct hand *hand)
{
    if (hand->fd >= 0)
        close(hand->fd);
    hand->fd = -1;
}

/* Ask everybody to leave, and wait a little: a worker that is killed may leave a half-written
 * temporary file. */
static void crew_dismiss(struct crew *crew)
{
    crew_drain(crew);
    int64_t until = clock_ms() + CREW_LEAVE_MS;
    for (int i = 0; i < crew->options.workers; i++) {
        if (crew->hands[i].pid > 0)
            child_end(crew->hands[i].pid, until - clock_ms());
        crew->hands[i].pid = 0;
    }
}

void crew_free(struct crew *crew)
{
    if (!crew)
        return;
    crew_dismiss(crew);
    for (int i = 0; i < crew->options.workers; i++) {
        hand_close(&crew->hands[i]);
        str_deinit(&crew->hands[i].said);
    }
    free(crew->hands);
    free(crew->program);
    free(crew->redis_variable);
    free(crew);
}

int crew_poll(const struct crew *crew, struct pollfd *fds, int max)
{
    int n = 0;
    for (int i = 0; i < crew->options.workers && n < max; i++)
        if (crew->hands[i].fd >= 0)
            fds[n++] = (struct pollfd){.fd = crew->hands[i].fd, .events = POLLIN};
    return n;
}

/* A log line in words: "message (key 2019-10-01): error". False for those that a person need not
 * see. */
static bool line_in_words(const char *line, size_t len, struct str *out)
{
    CLEANUP(json_free) struct json *log = NULL;
    if (len == 0 || line[0] != '{' || json_parse("log", line, len, &log, NULL) != 0) {
        str_add(out, line, len); /* not one of ours: a crash, a sanitizer, the loader */
        return len > 0;
    }
    const char *severity = "", *message = "", *key = NULL, *error = NULL;
    json_need_string(log, "severity", &severity, NULL);
    json_need_string(log, "message", &message, NULL);
    json_need_string(log, "key", &key, NULL);
    json_need_string(log, "error", &error, NULL);
    str_addz(out, message);
    if (key)
        str_addf(out, " (key %s)", key);
    if (error)
        str_addf(out, ": %s", error);
    return strcmp(severity, "WARNING") == 0 || strcmp(severity, "ERROR") == 0 ||
           strcmp(severity, "CRITICAL") == 0;
}

static void hand_heard(struct crew *crew, int i, const char *line, size_t len)
{
    CLEANUP(str_deinit) struct str words = {0};
    if (!line_in_words(line, len, &words))
        return;
    if (crew->lines < CREW_LINES)
        progress_say(crew->options.progress, "worker %d: %s", i + 1, words.s);
    if (++crew->lines == CREW_LINES)
        progress_say(crew->options.progress, "(more of the workers' warnings are not shown)");
}

/* Whole lines of what a worker wrote; a line without end when it is gone. */
static void hand_listen(struct crew *crew, int i)
{
    struct hand *hand = &crew->hands[i];
    char buf[8192];
    ssize_t n = -1;
    while (hand->fd >= 0 && (n = read(hand->fd, buf, sizeof(buf))) > 0)
        str_add(&hand->said, buf, (size_t)n);
    if (hand->fd >= 0 && n == 0)
        hand_close(hand);
    size_t from = 0;
    for (const char *end; hand->said.len > from &&
                          (end = memchr(hand->said.s + from, '\n', hand->said.len - from));) {
        size_t len = (size_t)(end - hand->said.s) - from;
        hand_heard(crew, i, hand->said.s + from, len);
        from += len + 1;
    }
    if (hand->fd < 0 && from < hand->said.len) {
        hand_heard(crew, i, hand->said.s + from, hand->said.len - from);
        from = hand->said.len;
    }
    if (from) {
        memmove(hand->said.s, hand->said.s + from, hand->said.len - from);
        hand->said.len -= from;
    }
}

static void end_in_words(int status, char *ret, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(ret, size, "ended by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(ret, size, "exit code %d", WEXITSTATUS(status));
}

/* A worker has ended before the batch has. */
static int hand_lost(struct crew *crew, int i, int status, int64_t mark, struct err *err)
{
    struct hand *hand = &crew->hands[i];
    char how[100];
    end_in_words(status, how, sizeof(how));
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CONFIG)
        return err_set(err, ERR_CONFIG, "a worker refuses the batch; its words are above");
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_WRITE)
        return err_set(
            err, ERR_WRITE,
            "a worker cannot write; its words are above. What is written is safe: when that is "
            "mended, run the same command again");
    if (mark != crew->mark)
        crew->restarts = 0;
    crew->mark = mark;
    if (++crew->restarts > CREW_RESTARTS)
        return err_set(
            err, ERR_RETRY,
            "workers end again and again without getting anywhere (%s); their words are above",
            how);
    progress_say(crew->options.progress,
                 "worker %d has ended (%s); its keys go back, another one is started", i + 1, how);
    return hand_start(crew, hand, err);
}

int crew_watch(struct crew *crew, int64_t progress_mark, struct err *err)
{
    for (int i = 0; i < crew->options.workers; i++) {
        struct hand *hand = &crew->hands[i];
        hand_listen(crew, i);
        int status;
        if (hand->pid == 0 || waitpid(hand->pid, &status, WNOHANG) <= 0)
            continue;
        hand->pid = 0;
        hand_listen(crew, i);
        hand_close(hand);
        bool settled = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (settled || crew->draining)
            continue;
        int r = hand_lost(crew, i, status, progress_mark, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int crew_alive(const struct crew *crew)
{
    int n = 0;
    for (int i = 0; i < crew->options.workers; i++)
        n += crew->hands[i].pid > 0;
    return n;
}

void crew_drain(struct crew *crew)
{
    crew->draining = true;
    for (int i = 0; i < crew->options.workers; i++)
        if (crew->hands[i].pid > 0)
            kill(crew->hands[i].pid, SIGTERM);
}

void crew_kill(struct crew *crew)
{
    crew->draining = true;
    for (int i = 0; i < crew->options.workers; i++) {
        if (crew->hands[i].pid <= 0)
            continue;
        kill(crew->hands[i].pid, SIGKILL);
        child_end(crew->hands[i].pid, 0);
        crew->hands[i].pid = 0;
    }
}

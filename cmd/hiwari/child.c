/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* child.c - fork and exec, with the reason when exec fails. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

/* In the child. Only what is safe between fork and exec; a failure goes up the pipe. */
static void child_exec(const struct child_options *options, char **environment, pid_t parent,
                       int pipe_fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1); /* it died before the line above */
    setpgid(0, 0);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0 && dup2(null, 0) >= 0 && dup2(options->output, 1) >= 0 &&
        dup2(options->output, 2) >= 0)
        execvpe(options->argv[0], (char *const *)options->argv, environment);
    int failed = errno;
    if (write(pipe_fd, &failed, sizeof(failed)) < 0)
        _exit(126);
    _exit(127);
}

/* Ours, with `add` in front so that it is the one found. Caller frees. */
static char **environment_with(const char *add)
{
    size_t n = 0;
    while (environ[n])
        n++;
    char **all = MEM_ARRAY(char *, n + 2);
    size_t at = 0;
    if (add)
        all[at++] = (char *)add;
    for (size_t i = 0; i < n; i++)
        all[at++] = environ[i];
    all[at] = NULL;
    return all;
}

int child_start(const struct child_options *options, pid_t *ret_pid, bool *ret_absent,
                struct err *err)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return err_set_errno(err, ERR_RETRY, errno, "cannot make a pipe");
    char **environment = environment_with(options->environment);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        child_exec(options, environment, parent, pipe_fds[1]);
    int fork_errno = errno;
    free(environment);
    close(pipe_fds[1]);
    int failed = 0;
    ssize_t n = pid < 0 ? 0 : read(pipe_fds[0], &failed, sizeof(failed));
    close(pipe_fds[0]);
    if (pid < 0)
        return err_set_errno(err, ERR_RETRY, fork_errno, "cannot start %s", options->argv[0]);
    if (n == (ssize_t)sizeof(failed)) {
        waitpid(pid, NULL, 0);
        if (ret_absent)
            *ret_absent = failed == ENOENT;
        return err_set_errno(err, ERR_CONFIG, failed, "cannot start %s", options->argv[0]);
    }
    *ret_pid = pid;
    return 0;
}

int child_end(pid_t pid, int64_t wait_ms)
{
    int status = 0;
    int64_t until = clock_ms() + wait_ms;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (clock_ms() >= until) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            break;
        }
        clock_sleep_ms(5);
    }
    return status;
}

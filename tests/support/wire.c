/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* wire.c - see wire.h. */
#include "wire.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    abort();
}

static void run_proxy(const char *socket, const int in[2], const int out[2])
{
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execlp("python3", "python3", PROXY_PY, socket, NULL);
    _exit(127);
}

/* One line of its answers, without the newline. */
static void read_line(const struct wire *wire, char *ret, size_t size)
{
    size_t n = 0;
    while (n + 1 < size && read(wire->from, ret + n, 1) == 1 && ret[n] != '\n')
        n++;
    ret[n] = '\0';
    if (n == 0)
        die("proxy.py says nothing");
}

void wire_start(struct wire *wire, const char *socket)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        die("pipe");
    *wire = (struct wire){.pid = fork(), .to = in[1], .from = out[0]};
    if (wire->pid < 0)
        die("fork");
    if (wire->pid == 0)
        run_proxy(socket, in, out);
    close(in[0]);
    close(out[1]);
    strcpy(wire->url, "unix://");
    read_line(wire, wire->url + strlen("unix://"), sizeof(wire->url) - strlen("unix://"));
}

static void say(struct wire *wire, const char *words)
{
    char line[128];
    long long cuts, to_server, to_client;
    if (dprintf(wire->to, "%s\n", words) < 0)
        die("proxy.py");
    read_line(wire, line, sizeof(line));
    if (sscanf(line, "%lld %lld %lld", &cuts, &to_server, &to_client) != 3)
        die(line);
    wire->cuts = cuts;
    wire->to_server = to_server;
    wire->to_client = to_client;
}

void wire_cut_after(struct wire *wire, const char *direction, int64_t bytes)
{
    char line[64];
    snprintf(line, sizeof(line), "cut %s %lld", direction, (long long)bytes);
    say(wire, line);
}

void wire_reset(struct wire *wire)
{
    say(wire, "reset");
}

void wire_look(struct wire *wire)
{
    say(wire, "look");
}

void wire_stop(struct wire *wire)
{
    close(wire->to);
    close(wire->from);
    waitpid(wire->pid, NULL, 0);
}

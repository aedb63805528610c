/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* wire.h - proxy.py between a C test and its server: the connection is cut behind any byte. */
#ifndef SUPPORT_WIRE_H
#define SUPPORT_WIRE_H

#include <stdint.h>
#include <sys/types.h>

struct wire {
    char url[160]; /* unix:// of where the proxy listens */
    pid_t pid;
    int to, from;                 /* its standard input and output */
    int64_t cuts;                 /* so far, as of the last call */
    int64_t to_server, to_client; /* bytes that have passed since the last cut_after or reset */
};

/* All abort on failure. socket: of the server. */
void wire_start(struct wire *wire, const char *socket);
void wire_cut_after(struct wire *wire, const char *direction, int64_t bytes);
void wire_reset(struct wire *wire);
void wire_look(struct wire *wire); /* fills in cuts and bytes */
void wire_stop(struct wire *wire);

#endif

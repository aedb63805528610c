/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis_slot.h - the arithmetic of a cluster: slots of keys, and where an answer sends us; inside
 * lib/queue only. The Redis cluster specification, "key distribution model" and "redirections". */
#ifndef QUEUE_REDIS_SLOT_H
#define QUEUE_REDIS_SLOT_H

#include <stdbool.h>
#include <stddef.h>

enum { REDIS_SLOTS = 16384 };

/* CRC16 (XMODEM) of a key, or of what stands between its first { and the next } unless that is
 * nothing, modulo REDIS_SLOTS. */
int redis_slot(const char *key, size_t len);

/* "MOVED slot host:port", "ASK slot host:port". */
struct redis_redirect {
    char *host; /* owned; "" or "?" where the server does not know its name */
    int slot, port;
    bool ask; /* this once; else from now on */
};
/* False when text is no redirection; then nothing is owned. */
bool redis_redirect_parse(const char *text, struct redis_redirect *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis_tls.h - TLS on a connection to Redis; inside lib/queue only.
 *
 * Two files give it: redis_tls.c where hiredis has hiredis_ssl, redis_tls_absent.c where not. */
#ifndef QUEUE_REDIS_TLS_H
#define QUEUE_REDIS_TLS_H

#include <hiredis.h>

#include "queue/redis_url.h"

/* Is there TLS in this build? ERR_CONFIG says what to do if not. */
int redis_tls_available(const struct redis_url *url, struct err *err);

/* Speak TLS on a connection that has just been made to host. The server's certificate must come
 * from an authority that is trusted and carry the host's name, or that of ?sni=. The files are read
 * anew each time, because certificates are renewed while workers run. ERR_CONFIG: a file or a
 * certificate is wrong, or the server does not take ours; ERR_UNREACHABLE. */
int redis_tls_start(const struct redis_url *url, const char *host, redisContext *context,
                    struct err *err);

#endif

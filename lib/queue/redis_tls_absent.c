/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis_tls_absent.c - redis_tls.h where hiredis has no TLS (Debian 12's 0.14). */
#include "queue/redis_tls.h"

int redis_tls_available(const struct redis_url *url, struct err *err)
{
    return err_set(err, ERR_CONFIG,
                   "Redis %s needs TLS, which this build of hiwari has not: it was built with a "
                   "hiredis older than 1.0, as in Debian 12. Build it on Debian 13, or with "
                   "hiredis_ssl installed; or let a TLS tunnel such as stunnel stand beside it and "
                   "use redis:// or unix:// to that",
                   url->shown);
}

int redis_tls_start(const struct redis_url *url, const char *host, redisContext *context,
                    struct err *err)
{
    return redis_tls_available(url, err);
}

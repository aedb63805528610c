/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz_redis_url.c - any bytes as a URL of Redis, as a server's redirection, and as a key. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "queue/redis_slot.h"
#include "queue/redis_url.h"

static void check_url(const char *text)
{
    struct redis_url url;
    struct err err = {0};
    if (redis_url_parse(text, &url, &err) < 0)
        return;
    if (!url.shown || !url.path == (url.n_hosts == 0))
        abort();
    for (int i = 0; i < url.n_hosts; i++)
        if (url.hosts[i].port < 1 || url.hosts[i].port > 65535)
            abort();
    redis_url_deinit(&url);
}

static void check_redirect(const char *text)
{
    struct redis_redirect redirect;
    if (!redis_redirect_parse(text, &redirect))
        return;
    if (redirect.slot < 0 || redirect.slot >= REDIS_SLOTS || redirect.port < 1)
        abort();
    free(redirect.host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 1);
    if (!text)
        return 0;
    memcpy(text, data, len);
    text[len] = '\0';
    check_url(text);
    check_redirect(text);
    int slot = redis_slot((const char *)data, len);
    if (slot < 0 || slot >= REDIS_SLOTS)
        abort();
    free(text);
    return 0;
}

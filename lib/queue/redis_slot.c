/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis_slot.c - see redis_slot.h. */
#include "queue/redis_slot.h"

#include <string.h>

#include "base/str.h"

static unsigned crc16(const char *s, size_t len)
{
    unsigned crc = 0;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned)(unsigned char)s[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
    }
    return crc;
}

int redis_slot(const char *key, size_t len)
{
    const char *open = memchr(key, '{', len);
    const char *close = open ? memchr(open, '}', (size_t)(key + len - open)) : NULL;
    if (close && close > open + 1) {
        len = (size_t)(close - open - 1);
        key = open + 1;
    }
    return (int)(crc16(key, len) % REDIS_SLOTS);
}

bool redis_redirect_parse(const char *text, struct redis_redirect *ret)
{
    bool ask = str_starts(text, "ASK ");
    if (!ask && !str_starts(text, "MOVED "))
        return false;
    const char *slot_text = strchr(text, ' ') + 1;
    const char *host = strchr(slot_text, ' ');
    const char *colon = host ? strrchr(host, ':') : NULL; /* the last: an IPv6 host has more */
    if (!colon)
        return false;
    CLEANUP(mem_free_chars) char *digits = mem_strndup(slot_text, (size_t)(host - slot_text));
    int64_t slot, port;
    if (!str_to_i64(digits, &slot) || slot < 0 || slot >= REDIS_SLOTS ||
        !str_to_i64(colon + 1, &port) || port < 1 || port > 65535)
        return false;
    *ret = (struct redis_redirect){.host = mem_strndup(host + 1, (size_t)(colon - host - 1)),
                                   .slot = (int)slot,
                                   .port = (int)port,
                                   .ask = ask};
    return true;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* retry.c - how long to wait before trying again. */
#include "base/retry.h"

#include <stdlib.h>

struct retry retry_start(int64_t deadline_ms, int64_t first_ms, int64_t max_ms, uint64_t seed)
{
    return (struct retry){.deadline_ms = deadline_ms,
                          .wait_ms = first_ms < max_ms ? first_ms : max_ms,
                          .max_ms = max_ms,
                          .random = seed};
}

/* splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators"). */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

int64_t retry_next(struct retry *retry, int64_t now_ms, int64_t at_least_ms)
{
    retry->attempts++;
    int64_t half = retry->wait_ms / 2;
    uint64_t span = (uint64_t)(retry->wait_ms - half) + 1;
    int64_t wait = half + (int64_t)(random_next(&retry->random) % span);
    if (wait < at_least_ms)
        wait = at_least_ms;
    retry->wait_ms = retry->wait_ms < retry->max_ms / 2 ? retry->wait_ms * 2 : retry->max_ms;
    return wait <= retry->deadline_ms - now_ms ? wait : -1;
}

uint64_t random_u64(void)
{
    uint64_t value;
    arc4random_buf(&value, sizeof(value));
    return value;
}

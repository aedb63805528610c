/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* retry.h - a budget for trying again: exponential backoff with full jitter.
 *
 *     struct retry retry = retry_start(deadline_ms, 100, 10000, seed);
 *     while (attempt() failed && (wait_ms = retry_next(&retry, clock_ms(), 0)) >= 0)
 *         clock_sleep_ms(wait_ms);
 *
 * The wait doubles from first_ms to max_ms; each wait is uniform in [half, whole]. */
#ifndef BASE_RETRY_H
#define BASE_RETRY_H

#include <stdint.h>

struct retry {
    int64_t deadline_ms; /* monotonic; INT64_MAX: for ever */
    int64_t wait_ms, max_ms;
    uint64_t random;
    int attempts; /* that failed so far */
};

struct retry retry_start(int64_t deadline_ms, int64_t first_ms, int64_t max_ms, uint64_t seed);

/* After a failed attempt at now_ms: how long to wait, or -1 when the next attempt
 * would begin after the deadline. at_least_ms (Retry-After; else 0) is honoured. */
int64_t retry_next(struct retry *retry, int64_t now_ms, int64_t at_least_ms);

uint64_t random_u64(void); /* from the system, for seeds, tokens and incarnations */

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fault.h - the seam where tests make things fail.
 *
 * Two kinds, both absent from release builds (NDEBUG):
 *
 * A countdown inside one process. Code that changes something outside asks at two moments,
 *
 *     if (fault_before("store"))      nothing happened, and the call fails
 *     ... the effect ...
 *     if (fault_after("store"))       it happened, and the answer was lost
 *
 * and a test fails call 0, 1, 2 … until fault_tripped() says that there was none left to fail.
 *
 * A named point in the code, for tests with real processes.
 *
 * HIWARI_FAULT holds what a test with real processes wishes, wishes separated by commas:
 *
 *     kill:POINT[:N]         the process ends as if by kill -9, at passing number N (from 0)
 *     stop:POINT[:N]         the process stops as if by kill -STOP
 *     slow:POINT:MS[:N]      the thread sleeps so long, at each passing from number N on
 *     fail:SITE:MILLE:SEED   of a thousand calls at a countdown's site so many fail before their
 *                            effect, and as many after it; each is logged */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

enum fault_moment { FAULT_BEFORE, FAULT_AFTER };

#ifdef NDEBUG
static inline bool fault_before(const char *site)
{
    return false;
}
static inline bool fault_after(const char *site)
{
    return false;
}
static inline void fault_point(const char *name)
{
}
#else
bool fault_before(const char *site);
bool fault_after(const char *site);
void fault_point(const char *name);

/* Let the call number `countdown` (from 0) at this site fail, at that moment, once. */
void fault_arm(const char *site, int64_t countdown, enum fault_moment moment);
bool fault_tripped(void); /* since fault_arm */
void fault_disarm(void);
#endif

#endif

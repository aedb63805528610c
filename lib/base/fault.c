/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fault.c - countdowns and named points for tests; empty in release builds. */
#include "base/fault.h"

#ifndef NDEBUG
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static pthread_mutex_t fault_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char site[32];
    int64_t countdown;
    enum fault_moment moment;
    bool armed, tripped;
} armed;

void fault_arm(const char *site, int64_t countdown, enum fault_moment moment)
{
    pthread_mutex_lock(&fault_lock);
    strncpy(armed.site, site, sizeof(armed.site) - 1);
    armed.countdown = countdown;
    armed.moment = moment;
    armed.armed = true;
    armed.tripped = false;
    pthread_mutex_unlock(&fault_lock);
}

bool fault_tripped(void)
{
    pthread_mutex_lock(&fault_lock);
    bool tripped = armed.tripped;
    pthread_mutex_unlock(&fault_lock);
    return tripped;
}

void fault_disarm(void)
{
    pthread_mutex_lock(&fault_lock);
    armed.armed = false;
    pthread_mutex_unlock(&fault_lock);
}

static bool tick(const char *site, enum fault_moment moment)
{
    bool trips = false;
    pthread_mutex_lock(&fault_lock);
    if (armed.armed && armed.moment == moment && strcmp(armed.site, site) == 0 &&
        armed.countdown-- == 0) {
        trips = armed.tripped = true;
        armed.armed = false;
    }
    pthread_mutex_unlock(&fault_lock);
    return trips;
}

bool fault_before(const char *site)
{
    return tick(site, FAULT_BEFORE);
}

bool fault_after(const char *site)
{
    return tick(site, FAULT_AFTER);
}

/* One number after a colon, or `otherwise`; *at moves behind it. */
static int64_t number_at(const char **at, int64_t otherwise)
{
    char *end;
    if (**at != ':')
        return otherwise;
    int64_t n = strtoll(*at + 1, &end, 10);
    *at = end;
    return n;
}

/* HIWARI_FAULT is read at each passing: it is set in tests only, and then costs nothing that
 * matters. */
void fault_point(const char *name)
{
    static int64_t passed;
    const char *wish = getenv("HIWARI_FAULT");
    const char *at = wish ? strchr(wish, ':') : NULL;
    size_t len = strlen(name);
    if (!at || strncmp(at + 1, name, len) != 0 || (at[len + 1] != ':' && at[len + 1] != '\0'))
        return;
    at += len + 1;
    bool slow = strncmp(wish, "slow:", 5) == 0;
    int64_t ms = slow ? number_at(&at, 0) : 0;
    int64_t skip = number_at(&at, 0);
    int64_t before = __atomic_fetch_add(&passed, 1, __ATOMIC_RELAXED);
    if (slow && before >= skip)
        clock_sleep_ms(ms);
    else if (slow || before != skip)
        return;
    else if (strncmp(wish, "kill:", 5) == 0)
        kill(getpid(), SIGKILL);
    else if (strncmp(wish, "stop:", 5) == 0)
        raise(SIGSTOP); /* to this thread: sent to the process it might stop another one first */
}
#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fault.c - countdowns and named points for tests; empty in release builds.
 *
 * HIWARI_FAULT is read at each passing: it is set in tests only, and then costs nothing that
 * matters. */
#include "base/fault.h"

#ifndef NDEBUG
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { WISHES_MAX = 8 };

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

/* ---- the wishes of HIWARI_FAULT ---- */

struct wish {
    int number; /* its place among the wishes */
    char verb[8];
    int64_t first, second; /* the numbers behind its name; second 0 if it has one only */
};

/* Take the wish at *at apart; false when it is about another name. *at moves behind it. */
static bool wish_next(const char **at, const char *name, struct wish *ret)
{
    size_t len = strcspn(*at, ","), verb = strcspn(*at, ":,"), name_len = strlen(name);
    const char *wish = *at, *end = wish + len;
    *at = *end ? end + 1 : end;
    if (verb >= sizeof(ret->verb) || verb + 1 + name_len > len ||
        memcmp(wish + verb + 1, name, name_len) != 0)
        return false;
    memcpy(ret->verb, wish, verb);
    ret->verb[verb] = '\0';
    ret->first = ret->second = 0;
    wish += verb + 1 + name_len;
    if (*wish == ':')
        ret->first = strtoll(wish + 1, (char **)&wish, 10);
    if (*wish == ':')
        ret->second = strtoll(wish + 1, (char **)&wish, 10);
    return wish == end;
}

/* Steele, Lea and Flood's splitmix64. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static bool fails(const struct wish *wish)
{
    static uint64_t states[WISHES_MAX];
    static bool seeded[WISHES_MAX];
    pthread_mutex_lock(&fault_lock);
    if (!seeded[wish->number])
        states[wish->number] = (uint64_t)wish->second;
    seeded[wish->number] = true;
    bool fails = (int64_t)(draw(&states[wish->number]) % 1000) < wish->first;
    pthread_mutex_unlock(&fault_lock);
    return fails;
}

static bool wished(const char *site, const char *moment)
{
    const char *at = getenv("HIWARI_FAULT");
    struct wish wish;
    for (wish.number = 0; at && *at && wish.number < WISHES_MAX; wish.number++) {
        if (!wish_next(&at, site, &wish) || strcmp(wish.verb, "fail") != 0 || !fails(&wish))
            continue;
        log_warn("a call fails because a test wishes so", LOG_S("site", site),
                 LOG_S("moment", moment));
        return true;
    }
    return false;
}

bool fault_before(const char *site)
{
    return tick(site, FAULT_BEFORE) || wished(site, "before");
}

bool fault_after(const char *site)
{
    return tick(site, FAULT_AFTER) || wished(site, "after");
}

static void pass(const struct wish *wish)
{
    static int64_t passed[WISHES_MAX];
    bool slow = strcmp(wish->verb, "slow") == 0;
    int64_t skip = slow ? wish->second : wish->first;
    int64_t before = __atomic_fetch_add(&passed[wish->number], 1, __ATOMIC_RELAXED);
    if (slow && before >= skip)
        clock_sleep_ms(wish->first);
    else if (slow || before != skip)
        return;
    else if (strcmp(wish->verb, "kill") == 0)
        kill(getpid(), SIGKILL);
    else if (strcmp(wish->verb, "stop") == 0)
        raise(SIGSTOP); /* to this thread: sent to the process it might stop another one first */
}

void fault_point(const char *name)
{
    const char *at = getenv("HIWARI_FAULT");
    struct wish wish;
    for (wish.number = 0; at && *at && wish.number < WISHES_MAX; wish.number++)
        if (wish_next(&at, name, &wish))
            pass(&wish);
}
#endif

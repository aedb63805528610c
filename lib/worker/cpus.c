/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cpus.c - affinity and cgroup quotas, versions 1 and 2. */
#include "worker/cpus.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>

#include "base/fs.h"

static int rounded_up(int64_t quota, int64_t period)
{
    return quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

static int less_of(int a, int b)
{
    return a == 0 ? b : b == 0 ? a : a < b ? a : b;
}

/* cpu.max of one cgroup: "200000 100000" or "max 100000". */
static int quota_of(const char *dir)
{
    CLEANUP(str_deinit) struct str text = {0};
    CLEANUP(mem_free_chars) char *path = mem_printf("%s/cpu.max", dir);
    int64_t quota, period;
    if (fs_read(path, &text, NULL) < 0 ||
        sscanf(text.s, "%" SCNd64 " %" SCNd64, &quota, &period) != 2)
        return 0;
    return rounded_up(quota, period);
}

int cpus_quota(const char *root, const char *path)
{
    int least = quota_of(root);
    CLEANUP(mem_free_chars) char *dir = mem_printf("%s%s", root, path);
    size_t stop = strlen(root);
    for (;;) {
        least = less_of(least, quota_of(dir));
        char *slash = strrchr(dir, '/');
        if (!slash || (size_t)(slash - dir) < stop)
            break;
        *slash = '\0';
        if (strlen(dir) <= stop)
            break;
    }
    return least;
}

static int quota_v1(void)
{
    CLEANUP(str_deinit) struct str quota = {0};
    CLEANUP(str_deinit) struct str period = {0};
    if (fs_read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", &quota, NULL) < 0 ||
        fs_read("/sys/fs/cgroup/cpu/cpu.cfs_period_us", &period, NULL) < 0)
        return 0;
    return rounded_up(strtoll(quota.s, NULL, 10), strtoll(period.s, NULL, 10));
}

/* Where we are in the one hierarchy of version 2; "" when it cannot be told. */
static char *own_path(void)
{
    CLEANUP(str_deinit) struct str text = {0};
    if (fs_read("/proc/self/cgroup", &text, NULL) < 0)
        return mem_strdup("");
    const char *at = strstr(text.s, "0::/");
    if (!at || strncmp(at, "0::/\n", 5) == 0)
        return mem_strdup("");
    at += strlen("0::");
    return mem_strndup(at, strcspn(at, "\n"));
}

int cpus_allowed(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    CLEANUP(mem_free_chars) char *path = own_path();
    n = less_of(n, cpus_quota("/sys/fs/cgroup", path));
    n = less_of(n, quota_v1());
    return n < 1 ? 1 : n;
}

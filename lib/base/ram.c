/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* ram.c - /proc/meminfo and cgroups of version 2. Inside of a pod the own cgroup is the root of
 * what can be seen; elsewhere /proc/self/cgroup says where it is, and each of its parents has a
 * say. */
#include "base/ram.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/fs.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

/* A file with one number; -1 when it has none ("max"). */
static int64_t number_in(const char *dir, const char *name)
{
    CLEANUP(mem_free_chars) char *path = fs_join(dir, name);
    CLEANUP(str_deinit) struct str text = {0};
    int64_t number;
    return fs_read(path, &text, NULL) == 0 && sscanf(text.s, "%" SCNd64, &number) == 1 ? number
                                                                                       : -1;
}

/* What the cgroup has used counts without the files it has read: those can be dropped. */
static int64_t left_in(const char *dir)
{
    int64_t limit = number_in(dir, "memory.max"), used = number_in(dir, "memory.current");
    CLEANUP(mem_free_chars) char *path = fs_join(dir, "memory.stat");
    CLEANUP(str_deinit) struct str stat = {0};
    int64_t files = 0;
    if (limit < 0 || used < 0)
        return INT64_MAX;
    if (fs_read(path, &stat, NULL) == 0) {
        const char *at = strstr(stat.s, "\nfile ");
        if (at)
            sscanf(at, "\nfile %" SCNd64, &files);
    }
    return limit > used - files ? limit - (used - files) : 0;
}

static int64_t left_in_cgroups(void)
{
    CLEANUP(str_deinit) struct str text = {0};
    int64_t least = left_in(CGROUP_ROOT);
    const char *at = fs_read("/proc/self/cgroup", &text, NULL) == 0 ? strstr(text.s, "0::/") : NULL;
    if (!at)
        return least;
    CLEANUP(mem_free_chars)
    char *dir = mem_printf(CGROUP_ROOT "%.*s", (int)strcspn(at + 3, "\n"), at + 3);
    while (strlen(dir) > strlen(CGROUP_ROOT)) {
        int64_t left = left_in(dir);
        least = left < least ? left : least;
        *strrchr(dir, '/') = '\0';
    }
    return least;
}

int64_t ram_available(void)
{
    CLEANUP(str_deinit) struct str text = {0};
    int64_t kb = 0, left = left_in_cgroups();
    const char *at =
        fs_read("/proc/meminfo", &text, NULL) == 0 ? strstr(text.s, "MemAvailable:") : NULL;
    if (at)
        sscanf(at, "MemAvailable: %" SCNd64, &kb);
    if (kb > 0 && kb * 1024 < left)
        left = kb * 1024;
    return left == INT64_MAX ? 0 : left;
}

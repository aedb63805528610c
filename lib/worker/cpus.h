/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cpus.h - how many threads this process may keep busy. */
#ifndef WORKER_CPUS_H
#define WORKER_CPUS_H

/* The processors it is allowed to run on, or fewer where the cgroup's quota is less (rounded
 * up): a pod with `cpu: 2` on a node of 64 cores has 2. At least 1. */
int cpus_allowed(void);

/* The least quota of a cgroup (version 2) and its parents below root, rounded up; 0: no limit. path
 * begins with '/'. */
int cpus_quota(const char *root, const char *path);

#endif

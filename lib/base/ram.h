/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* ram.h - how much memory there is to be had. */
#ifndef BASE_RAM_H
#define BASE_RAM_H

#include <stdint.h>

/* Bytes that this process can still take: what the kernel calls available, and not more than its
 * cgroup (a pod's memory limit) has left. 0 when nobody says. */
int64_t ram_available(void);

#endif

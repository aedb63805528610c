/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* clock.h - the two clocks. Monotonic for durations and deadlines, wall for people. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_ms(void);          /* monotonic; goes on while the machine is suspended */
int64_t clock_us(void);          /* monotonic, microseconds */
int64_t clock_wall_ms(void);     /* since 1970-01-01 UTC */
void clock_sleep_ms(int64_t ms); /* whole, also when signals arrive */

#endif

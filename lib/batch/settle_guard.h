/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* settle_guard.h - keeps the settling lease while the destination is listed.
 *
 * A thread with its own connection renews the lease. Whoever settles asks before each
 * step that others can see whether it still holds it. */
#ifndef BATCH_SETTLE_GUARD_H
#define BATCH_SETTLE_GUARD_H

#include "batch/settle.h"

struct settle_guard;

struct settle_guard *settle_guard_begin(const struct settle_options *options,
                                        const struct settle_lease *lease);
/* Not lost, its deadline ahead, and nobody asked us to stop. */
bool settle_guard_holds(struct settle_guard *guard);
void settle_guard_end(struct settle_guard *guard);
MEM_CLEANUP(settle_guard_end, struct settle_guard *);

#endif

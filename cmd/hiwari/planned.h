/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* planned.h - a spec, a snapshot and the plan that binds them: how the verbs about specs begin. */
#ifndef HIWARI_PLANNED_H
#define HIWARI_PLANNED_H

#include "features/plan.h"
#include "options.h"

struct planned {
    struct spec *spec;
    struct snapshot *snapshot;
    struct plan *plan;
};

/* Read the spec and compile it against the snapshot of --snapshot. */
int planned_open(const struct args *args, const char *spec_path, struct planned *ret,
                 struct err *err);
void planned_close(struct planned *planned);
MEM_CLEANUP_VALUE(planned_close, struct planned);

/* Get the indexes ready; those that are not found in --index-dir (or the snapshot) are built with
 * all CPUs. */
int planned_index(const struct args *args, struct planned *planned, struct err *err);

/* The date of --key, or the last that the target table has. */
int planned_day(const struct args *args, const struct planned *planned, int64_t *ret,
                struct err *err);

#endif

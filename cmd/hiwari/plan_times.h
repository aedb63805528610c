/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan_times.h - how long keys take: said, or measured. */
#ifndef HIWARI_PLAN_TIMES_H
#define HIWARI_PLAN_TIMES_H

#include "base/str.h"
#include "options.h"

struct plan_times {
    double *seconds; /* of each key that was measured; one value when it was said */
    int64_t n;
    int64_t keys;     /* that are to do */
    struct str where; /* the numbers come from, in words */
};
void plan_times_deinit(struct plan_times *times);
MEM_CLEANUP_VALUE(plan_times_deinit, struct plan_times);

/* By --seconds-per-key, --batch or --sample, and --keys. ERR_USAGE when that is too little or too
 * much; ERR_INPUT when nothing has been measured there yet. */
int plan_times_read(const struct args *args, struct plan_times *ret, struct err *err);

/* A number of an option that is text; ERR_USAGE unless it is from low to high. */
int plan_number(const struct args *args, const char *name, double low, double high, double *ret,
                struct err *err);

#endif

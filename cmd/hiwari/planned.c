/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* planned.c - see planned.h. */
#include "planned.h"

#include <unistd.h>

int planned_open(const struct args *args, const char *spec_path, struct planned *ret,
                 struct err *err)
{
    CLEANUP(planned_close) struct planned p = {0};
    int r = spec_read(spec_path, &p.spec, err);
    if (r == 0)
        r = snapshot_open(args_text(args, "snapshot"), &p.snapshot, err);
    if (r == 0)
        r = plan_compile(p.spec, p.snapshot, &p.plan, err);
    if (r < 0)
        return r;
    *ret = p;
    p = (struct planned){0};
    return 0;
}

void planned_close(struct planned *p)
{
    plan_free(p->plan);
    snapshot_close(p->snapshot);
    spec_free(p->spec);
    *p = (struct planned){0};
}

int planned_index(const struct args *args, struct planned *p, struct err *err)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    return plan_index(p->plan, args_text(args, "index-dir"), cpus > 1 ? (int)cpus : 1, NULL, err);
}

int planned_day(const struct args *args, const struct planned *p, int64_t *ret, struct err *err)
{
    int64_t n;
    const int64_t *days = plan_days(p->plan, &n);
    if (args_date(args, "key", ret))
        return 0;
    if (n == 0)
        return err_set(err, ERR_INPUT, "the target table '%s' has no rows in %s", p->spec->target,
                       p->snapshot->dir);
    *ret = days[n - 1];
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* verbs.h - what the rows of main.c's table call. Each returns 0, an exit code of its own, or an
 * ERR_*. */
#ifndef HIWARI_VERBS_H
#define HIWARI_VERBS_H

#include "base/err.h"
#include "options.h"

int cmd_run(const struct args *args, struct err *err);
int cmd_snapshot_create(const struct args *args, struct err *err);
int cmd_snapshot_rate(const struct args *args, struct err *err);
int cmd_snapshot_index(const struct args *args, struct err *err);
int cmd_snapshot_show(const struct args *args, struct err *err);
int cmd_snapshot_push(const struct args *args, struct err *err);
int cmd_snapshot_pull(const struct args *args, struct err *err);
int cmd_snapshot_verify(const struct args *args, struct err *err);
int cmd_spec_check(const struct args *args, struct err *err);
int cmd_spec_explain(const struct args *args, struct err *err);
int cmd_spec_why(const struct args *args, struct err *err);
int cmd_features(const struct args *args, struct err *err);
int cmd_spec_schema(const struct args *args, struct err *err);
int cmd_enqueue(const struct args *args, struct err *err);
int cmd_status(const struct args *args, struct err *err);
int cmd_plan(const struct args *args, struct err *err);
int cmd_show(const struct args *args, struct err *err);
int cmd_retry(const struct args *args, struct err *err);
int cmd_reconcile(const struct args *args, struct err *err);
int cmd_collect(const struct args *args, struct err *err);
int cmd_fsck(const struct args *args, struct err *err);
int cmd_pause(const struct args *args, struct err *err);
int cmd_resume(const struct args *args, struct err *err);
int cmd_cancel(const struct args *args, struct err *err);
int cmd_purge(const struct args *args, struct err *err);

#endif

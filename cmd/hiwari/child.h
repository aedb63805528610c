/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* child.h - processes that end when hiwari ends, however it ends.
 *
 * The kernel kills them when their parent is gone (PR_SET_PDEATHSIG), so that a kill -9
 * of hiwari leaves nothing running. They have their own process group: Ctrl-C reaches
 * hiwari alone, which then stops them in order. */
#ifndef HIWARI_CHILD_H
#define HIWARI_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct child_options {
    const char *const *argv; /* argv[0] is the program: a path, or a name to be looked up in PATH */
    const char *environment; /* one NAME=value to add, or NULL */
    int output;              /* a descriptor that becomes its standard output and error */
};

/* Start a program. ERR_CONFIG when it cannot be executed (absent: *ret_absent is set where not
 * NULL). */
int child_start(const struct child_options *options, pid_t *ret_pid, bool *ret_absent,
                struct err *err);

/* Wait at most wait_ms for its end; then kill it. Returns the status of waitpid. */
int child_end(pid_t pid, int64_t wait_ms);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* progress.h - how far a long job is, on standard error.
 *
 * On a terminal one line that is drawn anew, as wide as the terminal is at that
 * moment; elsewhere a plain line now and then. A job that ends before delay_ms shows nothing. */
#ifndef HIWARI_PROGRESS_H
#define HIWARI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct progress {
    const char *unit; /* "keys" */
    bool terminal, utf8, drawn;
    int64_t start_ms, delay_ms;
    int64_t first;              /* what was done already at the start: not counted in the rate */
    int64_t seen_ms, seen_done; /* of the last look */
    double rate;      /* per second, smoothed over some seconds; negative: not known yet */
    int64_t spoke_ms; /* last plain line */
};

void progress_init(struct progress *p, const char *unit, int64_t delay_ms, int64_t now_ms);
void progress_begin(struct progress *p, int64_t done,
                    int64_t now_ms); /* the work begins now, at `done` */
void progress_show(struct progress *p, int64_t done, int64_t total, const char *note,
                   int64_t now_ms);
void progress_clear(struct progress *p); /* take the line away: something else is to be said */
void progress_say(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* For lib's long work (a batch_progress_fn): ctx is the progress, what its note. */
void progress_step(void *progress, const char *what, int64_t done, int64_t total);

/* The line itself, without escape codes; pure, so that it can be tested. total 0: not known. */
void progress_line(struct str *out, int width, bool utf8, int64_t done, int64_t total,
                   const char *unit, double rate, const char *note);

#endif

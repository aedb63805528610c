/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* watch.c - see watch.h. */
#include "watch.h"

#include <langinfo.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "connect.h"
#include "output.h"
#include "progress.h"
#include "status_view.h"
#include "stranded.h"

enum {
    WATCH_MS = 1000,
    LINE_MS = 30000, /* between plain lines when nothing changes */
    ROWS = 24,
    COLUMNS = 80,
    OTHER_ROWS = 13, /* of the screen, beside workers and failures */
    SHOWN_FAILURES = 3,
    FAILURE_ROWS = 2, /* an error as long as the screen is wide, in its column */
};

struct watch {
    const char *batch;
    bool terminal, as_json;
    bool utf8;
    struct str line; /* the last plain one */
    int64_t line_ms;
    int64_t failed; /* keys that were told of */
};

/* ---- a screen ---- */

static void screen_size(int *rows, int *columns)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    *rows = known && size.ws_row > 0 ? size.ws_row : ROWS;
    *columns = known ? size.ws_col : COLUMNS;
}

static void draw(const struct watch *w, const struct queue_status *s)
{
    CLEANUP(str_deinit) struct str bar = {0};
    int rows, columns;
    char note[64];
    screen_size(&rows, &columns);
    snprintf(note, sizeof(note), "%lld failed", (long long)s->failed);
    progress_line(&bar, columns, w->utf8, s->done, s->total, "keys", s->rate_per_s,
                  s->failed ? note : NULL);
    struct status_room room = {.failures = SHOWN_FAILURES, .error_bytes = columns};
    int failures = s->n_failures < SHOWN_FAILURES ? s->n_failures : SHOWN_FAILURES;
    room.workers = rows - OTHER_ROWS - FAILURE_ROWS * failures;
    room.workers = room.workers > 1 ? room.workers : 1;
    printf("\033[H\033[2J%s\n\n", bar.s);
    status_print(w->batch, s, &room);
}

/* ---- lines ---- */

static void say_failures(struct watch *w, const struct queue_status *s)
{
    for (int64_t i = s->failed - w->failed - 1; i >= 0; i--) /* the newest stand first */
        if (i < s->n_failures)
            printf("failed: %s (%s): %s\n", s->failures[i].key, s->failures[i].class,
                   s->failures[i].error);
    w->failed = s->failed;
}

static void say(struct watch *w, const struct queue_status *s)
{
    CLEANUP(str_deinit) struct str line = {0};
    char n[3][OUTPUT_TEXT];
    say_failures(w, s);
    str_addf(&line, "%s is %s: %s of %s done, %lld failed, %s", w->batch, s->state,
             output_count(s->done, n[0]), output_many(s->total, "key", n[1]), (long long)s->failed,
             output_many(s->worker_count, "worker", n[2]));
    if (w->line.s && strcmp(line.s, w->line.s) == 0 && clock_ms() - w->line_ms < LINE_MS)
        return;
    str_clear(&w->line);
    str_add(&w->line, line.s, line.len);
    w->line_ms = clock_ms();
    if (s->rate_per_s > 0 && stranded_waiting(s))
        str_addf(&line, ", %.1f keys/s", s->rate_per_s);
    if (s->eta_s >= 0 && stranded_waiting(s))
        str_addf(&line, ", %s left", output_seconds(s->eta_s, n[0]));
    printf("%s\n", line.s);
}

/* ---- the whole ---- */

static void show(struct watch *w, const struct queue_status *s)
{
    if (w->as_json) {
        CLEANUP(json_free) struct json *root = json_new_object();
        status_json(w->batch, s, root);
        output_json(root);
    } else if (w->terminal) {
        draw(w, s);
    } else {
        say(w, s);
    }
}

/* One look: 0 or 1 as `hiwari status` exits, or an ERR_*. */
static int look(struct queue *queue, struct watch *w, bool *ret_over, struct err *err)
{
    struct queue_status s = {0};
    int r = queue_status(queue, &s, err);
    if (r == QUEUE_GONE)
        return connect_gone(queue, w->batch, err);
    if (r < 0)
        return r;
    bool stranded = stranded_is(queue, &s);
    *ret_over = stranded_over(&s);
    show(w, &s);
    fflush(stdout);
    if (!w->as_json && (w->terminal || *ret_over))
        status_advise(w->batch, &s, stranded);
    r = s.failed || stranded ? 1 : 0;
    queue_status_free(&s);
    return r;
}

int watch_batch(struct queue *queue, const char *batch, bool as_json, struct err *err)
{
    struct watch w = {.batch = batch,
                      .as_json = as_json,
                      .terminal = !as_json && isatty(STDOUT_FILENO) == 1,
                      .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
    bool over = false;
    int r;
    while ((r = look(queue, &w, &over, err)) >= 0 && !over && !ferror(stdout))
        clock_sleep_ms(WATCH_MS);
    str_deinit(&w.line);
    return r;
}

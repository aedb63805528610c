/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* progress.c - a progress bar with rate and remaining time. */
#include "progress.h"

#include <langinfo.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    PLAIN_EVERY_MS = 10000, /* between plain lines */
    SMOOTH_MS = 3000,       /* how far back the rate looks */
    LOOK_MS = 100,          /* looks closer together than this say nothing about the rate */
    WIDEST_BAR = 40,
};

void progress_init(struct progress *p, const char *unit, int64_t delay_ms, int64_t now_ms)
{
    *p = (struct progress){.unit = unit, .delay_ms = delay_ms};
    p->terminal = isatty(STDERR_FILENO) == 1 && !getenv("HIWARI_PLAIN");
    p->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    progress_begin(p, 0, now_ms);
}

void progress_begin(struct progress *p, int64_t done, int64_t now_ms)
{
    p->start_ms = p->seen_ms = p->spoke_ms = now_ms;
    p->first = p->seen_done = done;
    p->rate = -1;
}

static void look(struct progress *p, int64_t done, int64_t now_ms)
{
    int64_t ms = now_ms - p->seen_ms;
    if (ms < LOOK_MS)
        return;
    double now_rate = (double)(done - p->seen_done) * 1000 / (double)ms;
    if (p->rate < 0)
        p->rate = done > p->first ? now_rate : -1;
    else
        p->rate += (now_rate - p->rate) * (1 - exp(-(double)ms / SMOOTH_MS));
    p->seen_ms = now_ms;
    p->seen_done = done;
}

static void add_duration(struct str *out, double seconds)
{
    int64_t s = (int64_t)ceil(seconds);
    if (s >= 3600)
        str_addf(out, "%lld:%02lld:%02lld", (long long)s / 3600, (long long)s / 60 % 60,
                 (long long)s % 60);
    else
        str_addf(out, "%lld:%02lld", (long long)s / 60, (long long)s % 60);
}

/* "312 of 547 keys  104 keys/s  0:03 left  2 workers" */
static void add_numbers(struct str *out, int64_t done, int64_t total, const char *unit, double rate,
                        const char *note)
{
    if (total > 0)
        str_addf(out, "%lld of %lld %s", (long long)done, (long long)total, unit);
    else
        str_addf(out, "%lld %s", (long long)done, unit);
    if (rate > 0 && (done < total || total <= 0))
        str_addf(out, rate < 10 ? "  %.1f %s/s" : "  %.0f %s/s", rate, unit);
    if (rate > 0 && done < total) {
        str_addz(out, "  ");
        add_duration(out, (double)(total - done) / rate);
        str_addz(out, " left");
    }
    if (note && *note)
        str_addf(out, "  %s", note);
}

void progress_line(struct str *out, int width, bool utf8, int64_t done, int64_t total,
                   const char *unit, double rate, const char *note)
{
    CLEANUP(str_deinit) struct str numbers = {0};
    add_numbers(&numbers, done, total, unit, rate, note);
    int bar = width - 1 - 2 - (int)numbers.len;
    bar = bar > WIDEST_BAR ? WIDEST_BAR : bar;
    if (bar >= 8) {
        int64_t full = total > 0 ? done * bar / total : 0;
        for (int64_t i = 0; i < bar; i++)
            str_addz(out, i < full ? (utf8 ? "█" : "#") : (utf8 ? "░" : "."));
        str_addz(out, "  ");
        str_add(out, numbers.s, numbers.len);
    } else {
        size_t room = width > 1 ? (size_t)width - 1 : 0;
        str_add(out, numbers.s, numbers.len < room ? numbers.len : room);
    }
}

static int terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

void progress_show(struct progress *p, int64_t done, int64_t total, const char *note,
                   int64_t now_ms)
{
    look(p, done, now_ms);
    if (now_ms - p->start_ms < p->delay_ms)
        return;
    CLEANUP(str_deinit) struct str line = {0};
    if (p->terminal) {
        str_addz(&line, "\r");
        progress_line(&line, terminal_width(), p->utf8, done, total, p->unit, p->rate, note);
        str_addz(&line, "\033[K");
        p->drawn = true;
    } else {
        if (now_ms - p->spoke_ms < PLAIN_EVERY_MS)
            return;
        p->spoke_ms = now_ms;
        add_numbers(&line, done, total, p->unit, p->rate, note);
        str_addc(&line, '\n');
    }
    fwrite(line.s, 1, line.len, stderr);
    fflush(stderr);
}

void progress_step(void *progress, const char *what, int64_t done, int64_t total)
{
    progress_show(progress, done, total, what, clock_ms());
}

void progress_clear(struct progress *p)
{
    if (!p->drawn)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    p->drawn = false;
}

void progress_say(struct progress *p, const char *fmt, ...)
{
    progress_clear(p);
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    fflush(stderr);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* log.c - log lines, as JSON for collectors or plain for people. */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/utf8.h"

enum { FORM_UNKNOWN, FORM_PLAIN, FORM_JSON };
static atomic_int lowest_level = LOG_INFO;
static atomic_int form = FORM_UNKNOWN;

void log_set_level(enum log_level lowest)
{
    atomic_store(&lowest_level, (int)lowest);
}

void log_set_json(bool json)
{
    atomic_store(&form, json ? FORM_JSON : FORM_PLAIN);
}

static bool is_json(void)
{
    int now = atomic_load(&form);
    if (now == FORM_UNKNOWN) {
        now = isatty(STDERR_FILENO) ? FORM_PLAIN : FORM_JSON;
        atomic_store(&form, now);
    }
    return now == FORM_JSON;
}

/* A JSON string; bytes that are not UTF-8 become U+FFFD, so that the line can always be read. */
static void add_quoted(struct str *line, const char *s)
{
    size_t len = strlen(s);
    str_addc(line, '"');
    for (size_t i = 0; i < len;) {
        uint32_t point;
        int n = utf8_decode(s + i, len - i, &point);
        if (n == 0)
            str_addz(line, "\\ufffd");
        else if (point == '"' || point == '\\')
            str_addf(line, "\\%c", s[i]);
        else if (point == '\n')
            str_addz(line, "\\n");
        else if (point < 0x20 || point == 0x7f)
            str_addf(line, "\\u%04x", (unsigned)point);
        else
            str_add(line, s + i, (size_t)n);
        i += n ? (size_t)n : 1;
    }
    str_addc(line, '"');
}

static void add_json(struct str *line, enum log_level level, const char *message,
                     const struct log_field *fields, size_t n)
{
    static const char *const severities[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
    int64_t now = clock_wall_ms();
    time_t seconds = now / 1000;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    str_addf(line, "{\"severity\":\"%s\",\"message\":", severities[level]);
    add_quoted(line, message);
    str_addf(line, ",\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"", tm.tm_year + 1900,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(now % 1000));
    for (size_t i = 0; i < n; i++) {
        str_addc(line, ',');
        add_quoted(line, fields[i].name);
        str_addc(line, ':');
        if (fields[i].text)
            add_quoted(line, fields[i].text);
        else
            str_addf(line, "%" PRId64, fields[i].number);
    }
    str_addz(line, "}\n");
}

/* Bare when a person can read it so: no blanks, quotes or control characters. */
static bool is_plain_word(const char *s)
{
    for (const char *p = s; *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == '"' || *p == '\\' || *p == 0x7f)
            return false;
    }
    return *s != '\0' && utf8_valid(s, strlen(s));
}

static void add_plain(struct str *line, enum log_level level, const char *message,
                      const struct log_field *fields, size_t n)
{
    static const char *const levels[] = {"debug", "info ", "warn ", "error"};
    time_t seconds = clock_wall_ms() / 1000;
    struct tm tm;
    localtime_r(&seconds, &tm);
    str_addf(line, "%02d:%02d:%02d %s %s", tm.tm_hour, tm.tm_min, tm.tm_sec, levels[level],
             message);
    for (size_t i = 0; i < n; i++) {
        str_addf(line, "%s%s=", i == 0 ? "  " : " ", fields[i].name);
        if (!fields[i].text)
            str_addf(line, "%" PRId64, fields[i].number);
        else if (is_plain_word(fields[i].text))
            str_addz(line, fields[i].text);
        else
            add_quoted(line, fields[i].text);
    }
    str_addc(line, '\n');
}

void log_event(enum log_level level, const char *message, const struct log_field *fields, size_t n)
{
    if ((int)level < atomic_load(&lowest_level))
        return;
    CLEANUP(str_deinit) struct str line = {0};
    if (is_json())
        add_json(&line, level, message, fields, n);
    else
        add_plain(&line, level, message, fields, n);
    while (write(STDERR_FILENO, line.s, line.len) < 0 && errno == EINTR)
        ;
}

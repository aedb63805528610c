/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* log.h - one line to stderr per event that an operator would act on.
 *
 *     log_warn("lease lost", LOG_S("key", key), LOG_I("held_ms", ms));
 *
 * JSON with the names that Cloud Logging reads (severity, message, time), or a
 * human form when stderr is a terminal. A line is written with one write(2), so
 * that lines of several threads and processes do not mix. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *name;
    const char *text; /* NULL: number */
    int64_t number;
};
#define LOG_S(n, s) ((struct log_field){.name = (n), .text = (s)})
#define LOG_I(n, i) ((struct log_field){.name = (n), .number = (i)})

void log_event(enum log_level level, const char *message, const struct log_field *fields, size_t n);
void log_set_level(enum log_level lowest); /* default LOG_INFO */
void log_set_json(bool json);              /* default: JSON unless stderr is a terminal */

#define LOG_FIELDS(...)                                                                            \
    (struct log_field[]){__VA_ARGS__},                                                             \
        sizeof((struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field)
#define log_debug(message, ...) log_event(LOG_DEBUG, message, LOG_FIELDS(__VA_ARGS__))
#define log_info(message, ...) log_event(LOG_INFO, message, LOG_FIELDS(__VA_ARGS__))
#define log_warn(message, ...) log_event(LOG_WARN, message, LOG_FIELDS(__VA_ARGS__))
#define log_error(message, ...) log_event(LOG_ERROR, message, LOG_FIELDS(__VA_ARGS__))

#endif

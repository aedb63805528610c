/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* webhook.h - one message to a webhook that understands Slack's: {"text": "…"}.
 *
 * Its URL is a secret: whoever has it can write there. No error and no log ever holds it. */
#ifndef NOTIFY_WEBHOOK_H
#define NOTIFY_WEBHOOK_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* ERR_USAGE when this is no http:// or https:// URL; the words do not repeat it. */
int webhook_check(const char *url, struct err *err);

/* Send text, trying again until deadline_ms (clock_ms) where that may help. 0: it was accepted.
 * Otherwise the failures of http_call, and ERR_INPUT with what the server said. */
int webhook_send(const char *url, const char *text, int64_t deadline_ms, struct err *err);

/* Append text with &, < and > as Slack wants them, cut to max bytes between characters, and line
 * ends as spaces: for what comes from data and errors. */
void webhook_quote(const char *text, size_t max, struct str *out);

#endif

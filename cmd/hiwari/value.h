/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* value.h - one value of a column, for people and for JSON. */
#ifndef HIWARI_VALUE_H
#define HIWARI_VALUE_H

#include "codec/column.h"
#include "codec/json.h"

/* As the CSV would have it; nothing for null. */
void value_words(const struct column *c, int64_t row, struct str *out);

/* As a member (or an element: name NULL): numbers and bools as such, dates, timestamps and strings
 * as strings. */
void value_json(const struct column *c, int64_t row, struct json *parent, const char *name);

#endif

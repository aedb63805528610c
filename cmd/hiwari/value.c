/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* value.c - see value.h. */
#include "value.h"

#include "base/date.h"
#include "codec/number.h"

void value_words(const struct column *c, int64_t row, struct str *out)
{
    char buf[NUMBER_TEXT + TIMESTAMP_TEXT];
    size_t len = 0;
    if (column_is_null(c, row))
        return;
    if (c->type == TYPE_STRING) {
        struct text t = dict_text(&c->dict, c->code[row]);
        str_add(out, t.s, (size_t)t.len);
        return;
    }
    if (c->type == TYPE_DATE)
        len = date_format(c->i[row], buf);
    else if (c->type == TYPE_TIMESTAMP)
        len = timestamp_format(c->i[row], buf);
    else if (c->type == TYPE_INT || c->type == TYPE_BOOL)
        len = number_i64(c->type == TYPE_BOOL ? c->b[row] : c->i[row], buf);
    else if (c->type == TYPE_DECIMAL || c->type == TYPE_FLOAT)
        len = number_f64(c->f[row], buf);
    str_add(out, buf, len);
}

void value_json(const struct column *c, int64_t row, struct json *parent, const char *name)
{
    CLEANUP(str_deinit) struct str text = {0};
    value_words(c, row, &text);
    if (column_is_null(c, row))
        json_add_null(parent, name);
    else if (c->type == TYPE_BOOL)
        json_add_bool(parent, name, c->b[row]);
    else if (c->type == TYPE_INT)
        json_add_int(parent, name, c->i[row]);
    else if (c->type == TYPE_DECIMAL || c->type == TYPE_FLOAT)
        json_add_number(parent, name, c->f[row]);
    else
        json_add_string(parent, name, text.len ? text.s : "");
}

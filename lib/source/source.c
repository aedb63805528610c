/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* source.c - what all sources have in common: declared types as text. */
#include "source/source.h"

#include <string.h>

int source_type_parse(const char *text, struct source_type *ret, struct err *err)
{
    ret->scale = SOURCE_SCALE_FOUND;
    for (enum type type = TYPE_INT; type <= TYPE_STRING; type++) {
        if (strcmp(text, type_name(type)) == 0) {
            ret->type = type;
            return 0;
        }
    }
    if (str_starts(text, "decimal(") && text[8] >= '0' && text[8] <= '6' &&
        strcmp(text + 9, ")") == 0) {
        ret->type = TYPE_DECIMAL;
        ret->scale = text[8] - '0';
        return 0;
    }
    return err_set(
        err, ERR_USAGE,
        "'%s' is not a type; the types are integer, decimal, decimal(PLACES) with 0 to 6 places, "
        "float, date, timestamp and string",
        text);
}

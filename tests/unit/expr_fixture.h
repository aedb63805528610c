/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* expr_fixture.h - the columns that the tests of expressions read: one value each, in every row.
 *
 * No snapshot is needed: a column is a name, a type and the text of its value. */
#ifndef UNIT_EXPR_FIXTURE_H
#define UNIT_EXPR_FIXTURE_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/date.h"
#include "features/expr.h"

enum { FIXTURE_ROWS = 1200 };

struct fixture_column {
    const char *name;
    enum type type;
    const char *value; /* NULL: null in every row */
};

static const struct fixture_column fixture_columns[] = {
    {"one", TYPE_INT, "1"},
    {"two", TYPE_INT, "2"},
    {"seven", TYPE_INT, "7"},
    {"minus7", TYPE_INT, "-7"},
    {"zero", TYPE_INT, "0"},
    {"big", TYPE_INT, "9223372036854775807"},
    {"least", TYPE_INT, "-9223372036854775808"},
    {"ni", TYPE_INT, NULL},
    {"half", TYPE_FLOAT, "0.5"},
    {"f25", TYPE_FLOAT, "2.5"},
    {"fm25", TYPE_FLOAT, "-2.5"},
    {"f0", TYPE_FLOAT, "0"},
    {"huge", TYPE_FLOAT, "1e308"},
    {"nf", TYPE_FLOAT, NULL},
    {"price", TYPE_DECIMAL, "1.25"},
    {"np", TYPE_DECIMAL, NULL},
    {"yes", TYPE_BOOL, "1"},
    {"no", TYPE_BOOL, "0"},
    {"nb", TYPE_BOOL, NULL},
    {"hv", TYPE_STRING, "HV"},
    {"st", TYPE_STRING, "ST"},
    {"empty", TYPE_STRING, ""},
    {"kanji", TYPE_STRING, "東京"},
    {"ns", TYPE_STRING, NULL},
    {"day1", TYPE_DATE, "2024-02-29"},
    {"day2", TYPE_DATE, "2024-03-10"},
    {"old", TYPE_DATE, "1969-12-31"},
    {"nd", TYPE_DATE, NULL},
    {"at1", TYPE_TIMESTAMP, "2024-02-29 15:04:05"},
    {"at2", TYPE_TIMESTAMP, "2024-03-01 00:00:00"},
    {"oldat", TYPE_TIMESTAMP, "1969-12-31 23:30:00"},
    {"nt", TYPE_TIMESTAMP, NULL},
    {"race id", TYPE_INT, "42"},
    {"in", TYPE_INT, "5"},
};
enum { FIXTURE_COLUMNS = sizeof(fixture_columns) / sizeof(fixture_columns[0]) };

/* Two dictionaries, so that strings can be compared by code and by text. */
static const char fixture_bytes[] = "ABCHVST東京";
static const int64_t fixture_offsets[] = {0, 0, 1, 3, 5, 7, 13};
static const struct dict fixture_dict = {6, fixture_offsets, fixture_bytes};
static const int64_t fixture_target_offsets[] = {3, 3, 5, 7, 13}; /* "", HV, ST, 東京 */
static const struct dict fixture_target_dict = {4, fixture_target_offsets, fixture_bytes};

/* Slot 2k is column k of the rows, slot 2k + 1 of the target. */
struct fixture {
    struct column columns[2 * FIXTURE_COLUMNS];
    struct expr_slot slots[2 * FIXTURE_COLUMNS];
    int32_t rows[FIXTURE_ROWS];
};

static inline void fixture_fill(struct column *c, const struct fixture_column *from, bool target)
{
    int64_t i = 0;
    const char *value = from->value ? from->value : "";
    size_t len = strlen(value);
    c->name = from->name;
    if (from->type == TYPE_STRING) {
        c->dict = target ? fixture_target_dict : fixture_dict;
        c->max_chars = 2;
    }
    if (!from->value)
        return;
    if (from->type == TYPE_DATE)
        date_parse(value, len, &i);
    else if (from->type == TYPE_TIMESTAMP)
        timestamp_parse(value, len, &i);
    else if (from->type == TYPE_STRING)
        i = dict_find(&c->dict, (struct text){value, (int64_t)len});
    else
        str_to_i64(value, &i);
    for (int64_t row = 0; row < c->rows; row++) {
        c->valid[row] = 1;
        if (from->type == TYPE_BOOL)
            c->b[row] = (uint8_t)i;
        else if (from->type == TYPE_STRING)
            c->code[row] = (int32_t)i;
        else if (from->type == TYPE_FLOAT || from->type == TYPE_DECIMAL)
            str_to_f64(value, &c->f[row]);
        else
            c->i[row] = i;
    }
}

static inline void fixture_init(struct fixture *fixture)
{
    for (int k = 0; k < FIXTURE_COLUMNS; k++) {
        for (int target = 0; target < 2; target++) {
            struct column *c = &fixture->columns[2 * k + target];
            column_alloc(c, fixture_columns[k].type, FIXTURE_ROWS, true);
            fixture_fill(c, &fixture_columns[k], target);
            c->nullable = !fixture_columns[k].value;
            c->scale = c->type == TYPE_DECIMAL ? 2 : 0;
            fixture->slots[2 * k + target] = (struct expr_slot){.column = c};
        }
    }
    for (int row = 0; row < FIXTURE_ROWS; row++)
        fixture->rows[row] = (row * 7) % FIXTURE_ROWS;
}

static inline void fixture_deinit(struct fixture *fixture)
{
    for (int k = 0; k < 2 * FIXTURE_COLUMNS; k++)
        column_deinit(&fixture->columns[k]);
}

static inline int fixture_resolve(void *ctx, const char *name, bool target,
                                  struct column *ret_column, int *ret_slot, struct err *err)
{
    const struct fixture *fixture = ctx;
    for (int k = 0; k < FIXTURE_COLUMNS; k++) {
        if (strcmp(fixture_columns[k].name, name) == 0) {
            *ret_slot = 2 * k + target;
            *ret_column = fixture->columns[*ret_slot];
            return 0;
        }
    }
    return err_set(err, ERR_INPUT, "no column %s", name);
}

#endif

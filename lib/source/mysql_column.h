/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* mysql_column.h - one column of a result: which type it has in a snapshot, where the library puts
 * its values, and how each becomes a value of that type. */
#ifndef SOURCE_MYSQL_COLUMN_H
#define SOURCE_MYSQL_COLUMN_H

#include "snapshot/intake.h"
#include "source/mysql_link.h"

struct mysql_column;
typedef int mysql_column_fn(struct mysql_column *c, struct intake *in, struct err *err);

struct mysql_column {
    char *name; /* owned */
    enum type type;
    int scale;             /* TYPE_DECIMAL */
    bool zero_dates_null;  /* dates that are none become null */
    int to;                /* number of the intake's column */
    mysql_column_fn *give; /* hand over the value that was fetched; it is not null */

    /* What the library fills in. */
    enum enum_field_types bind_type;
    union {
        long long i;
        unsigned long long u;
        float f;
        double d;
        MYSQL_TIME time;
    } value;
    bool is_unsigned;
    char *text; /* owned; NULL: the value is in `value` */
    unsigned long room, length;
    mysql_flag is_null, is_cut;

    int places;         /* TIME: digits after the point; DECIMAL: as declared */
    uint64_t last_date; /* the date that was seen last, and its day: mostly the next is the same */
    int64_t last_day;
};

/* What the column of a result is. Returns 0; or ERR_INPUT when snapshots have nothing like it, with
 * the column, its type and the way out in *err. */
int mysql_column_init(struct mysql_column *c, const MYSQL_FIELD *field, bool zero_dates_null,
                      struct err *err);
void mysql_column_deinit(struct mysql_column *c);

/* Where the library shall put values. Again after the room has grown. */
void mysql_column_bind(struct mysql_column *c, MYSQL_BIND *bind);

/* Whether the value that was fetched is null, or a date that shall be null. */
bool mysql_column_is_null(const struct mysql_column *c);

#endif

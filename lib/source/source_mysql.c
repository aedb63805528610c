/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* source_mysql.c - see source_mysql.h. */
#include "source/source_mysql.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/fault.h"
#include "base/log.h"
#include "snapshot/intake.h"
#include "source/mysql_table.h"

enum {
    ROWS_AT_ONCE = 512, /* between two looks at the clock */
    TELL_MS = 100,
};

struct mysql_source {
    struct mysql_link link;
    const struct source_mysql *settings;
    bool drop_null_time;
};

/* One table while it is read. */
struct reading {
    struct mysql_source *source;
    struct mysql_table table;
    struct intake *intake;
    struct source_mysql_progress progress;
    int64_t told_ms, dropped;
    int64_t since; /* only rows from this day on are read; INT64_MIN: all */
};

static void reading_deinit(struct reading *r)
{
    intake_free(r->intake);
    mysql_table_close(&r->table);
}
MEM_CLEANUP_VALUE(reading_deinit, struct reading);

static void tell(struct reading *reading, bool at_once)
{
    const struct source_mysql *settings = reading->source->settings;
    int64_t now = clock_ms();
    if (!settings->progress || (!at_once && now - reading->told_ms < TELL_MS))
        return;
    reading->told_ms = now;
    settings->progress(settings->ctx, &reading->progress);
}

/* Chapter: the shape. */

/* Where each column goes: in a snapshot that is added to, to the place that it has there. Returns
 * how many places there are. */
static int place_columns(struct mysql_table *t, const struct table *old)
{
    int n = old ? old->n_columns : 0;
    for (int c = 0; c < t->n_columns; c++) {
        int to = -1;
        for (int o = 0; old && o < old->n_columns; o++) {
            if (strcmp(old->columns[o].name, t->columns[c].name) == 0)
                to = o;
        }
        t->columns[c].to = to >= 0 ? to : n++;
    }
    return n;
}

/* The columns in the intake's order. */
static void fill_columns(const struct mysql_table *t, struct intake_column *columns)
{
    for (int c = 0; c < t->n_columns; c++) {
        const struct mysql_column *column = &t->columns[c];
        columns[column->to] = (struct intake_column){column->name, column->type, column->scale};
    }
}

/* Which row of the table it is: its number in the order in which rows come, which is not all of
 * them when rows are added to a snapshot. */
static void add_place(void *ctx, int64_t row, struct str *out)
{
    const struct reading *reading = ctx;
    str_addf(out, "row %" PRId64, row + 1);
    if (reading->since != INT64_MIN) {
        char day[DATE_TEXT];
        date_format(reading->since, day);
        str_addf(out, " of those from %s on", day);
    }
    str_addz(out, reading->table.key_order ? " in order of the primary key" : "");
}

/* Who adds to a snapshot shall get what a snapshot of everything would be. */
#define FULL "make a snapshot of everything, without --append"

/* Whether the columns are those of the snapshot that is added to. One that is gone has left a hole,
 * which has no name. */
static int check_columns(const struct intake_column *columns, int n, const struct table *old,
                         struct err *err)
{
    for (int c = 0; old && c < n; c++) {
        bool is_new = c >= old->n_columns;
        if (is_new || !columns[c].name)
            return err_set(err, ERR_INPUT,
                           "column %s is %s; " FULL ", or SELECT the columns that it has",
                           is_new ? columns[c].name : old->columns[c].name,
                           is_new ? "not in the snapshot to append to"
                                  : "in the snapshot to append to, and not in the database");
    }
    return 0;
}

/* What orders rows of equal time and group. */
static const char *ties(const struct mysql_table *t)
{
    return t->key_order ? t->key_order : "all columns";
}

/* Whether columns and rows stand in the order that they have in the snapshot that is added to.
 * Snapshots of older versions, and of CSV files, do not say what orders their rows. */
static int check_order(const struct mysql_table *t, const struct table *old, struct err *err)
{
    for (int c = 0; old && c < t->n_columns; c++) {
        if (t->columns[c].to != c)
            return err_set(err, ERR_INPUT,
                           "column %s is now column %d, and column %d in the snapshot to append "
                           "to; " FULL ", or SELECT the columns in that order",
                           t->columns[c].name, c + 1, t->columns[c].to + 1);
    }
    if (!old || !old->ties || strcmp(old->ties, ties(t)) == 0)
        return 0;
    return err_set(err, ERR_INPUT,
                   "rows of equal time stand in order of %s now (that is the primary key, or all "
                   "columns without one), and of %s in the snapshot to append to; " FULL,
                   ties(t), old->ties);
}

static int column_to(const struct mysql_table *t, int column)
{
    return column < 0 ? -1 : t->columns[column].to;
}

/* Chapter: rows. */

static int give_row(struct reading *reading, struct err *err)
{
    struct mysql_table *t = &reading->table;
    for (int i = 0; i < t->n_columns; i++) {
        struct mysql_column *c = &t->columns[i];
        if (mysql_column_is_null(c)) {
            intake_null(reading->intake, c->to);
            continue;
        }
        reading->progress.bytes += (int64_t)c->length;
        int r = c->give(c, reading->intake, err);
        if (r < 0) {
            CLEANUP(str_deinit) struct str place = {0};
            add_place(reading, reading->progress.rows + reading->dropped, &place);
            return err_prefix(err, "%s", place.s);
        }
    }
    return 0;
}

/* Up to ROWS_AT_ONCE rows. Returns how many were read, of which *ret_given were handed over. */
static int give_rows(struct reading *reading, int *ret_given, struct err *err)
{
    struct mysql_table *t = &reading->table;
    int read = 0, given = 0;
    bool drop = reading->source->drop_null_time && t->time >= 0;
    for (; read < ROWS_AT_ONCE; read++) {
        int r = mysql_table_next(t, &reading->source->link, err);
        if (r < 0)
            return err_prefix(err, "after %" PRId64 " rows", reading->progress.rows);
        if (r == 0)
            break;
        if (drop && mysql_column_is_null(&t->columns[t->time])) {
            reading->dropped++;
            continue;
        }
        r = give_row(reading, err);
        if (r < 0)
            return r;
        given++;
        reading->progress.rows++;
    }
    *ret_given = given;
    return read;
}

static int give_all(struct reading *reading, struct err *err)
{
    const char *name = reading->table.wish->name;
    int r = mysql_table_start(&reading->table, &reading->source->link, err);
    for (int given = 0, read = r < 0 ? r : ROWS_AT_ONCE; read == ROWS_AT_ONCE;) {
        fault_point("mysql-rows");
        read = r = give_rows(reading, &given, err);
        if (r < 0)
            break;
        r = intake_rows(reading->intake, given, err);
        if (r < 0)
            return r;
        tell(reading, false);
    }
    if (r < 0)
        return err_prefix(err, "table %s", name);
    reading->progress.is_read = true;
    tell(reading, true);
    if (reading->dropped)
        log_warn("rows without time are left out", LOG_S("table", name),
                 LOG_I("rows", reading->dropped));
    return intake_close(reading->intake, err);
}

/* Chapter: a table, and all of them. */

static int take_in(struct reading *reading, const struct source_target *target, struct err *err)
{
    struct mysql_table *t = &reading->table;
    const struct table *old = target->kept ? target->kept->intake.table : NULL;
    int n = place_columns(t, old);
    CLEANUP(free) void *columns_memory = mem_zalloc((size_t)n * sizeof(struct intake_column));
    CLEANUP(free) void *order_memory = mem_array((size_t)n, sizeof(int));
    struct intake_column *columns = columns_memory;
    int *order = order_memory;
    for (int c = 0; c < n; c++)
        order[c] = c;
    fill_columns(t, columns);
    int r = check_columns(columns, n, old, err);
    if (r == 0)
        r = check_order(t, old, err);
    if (r < 0)
        return err_prefix(err, "table %s", t->wish->name);
    CLEANUP(str_deinit) struct str source = {0};
    if (target->kept)
        source_kept_words(target->kept, &source);
    str_addf(&source, "MySQL %s: %s", reading->source->link.where,
             t->wish->sql ? t->wish->sql : t->wish->name);
    struct intake_shape shape = {
        .name = t->wish->name,
        .source = source.s,
        .n_columns = n,
        .columns = columns,
        .time = column_to(t, t->time),
        .group = column_to(t, t->group),
        .key = column_to(t, t->key),
        .order = order,
        .n_order = t->key_order ? 0 : n,
        .ties = ties(t),
        .memory = target->memory,
        .kept = target->kept ? &target->kept->intake : NULL,
        .place = add_place,
        .place_ctx = reading,
    };
    r = intake_open(target->builder, &shape, &reading->intake, err);
    return r < 0 ? r : give_all(reading, err);
}

static int add(void *ctx, const struct source_table *wish, const struct source_target *target,
               struct err *err)
{
    struct mysql_source *source = ctx;
    int64_t since = target->kept ? target->kept->day : INT64_MIN;
    CLEANUP(reading_deinit) struct reading reading = {.source = source, .since = since};
    int r = mysql_table_open(&source->link, wish, since, source->settings->zero_dates_null,
                             &reading.table, err);
    if (r < 0)
        return err_prefix(err, "table %s", wish->name);
    reading.progress.table = wish->name;
    reading.progress.rows_total = reading.table.rows;
    return take_in(&reading, target, err);
}

/* What is wrong with the fifth table shall not come out after four have been read, and nobody shall
 * alter it meanwhile. */
static int check_tables(struct mysql_source *source, const struct source_options *options,
                        struct err *err)
{
    bool unseen = false;
    for (int i = 0; i < options->n_tables; i++) {
        CLEANUP(mysql_table_close) struct mysql_table t = {0};
        int r = mysql_table_open(&source->link, &options->tables[i], INT64_MIN,
                                 source->settings->zero_dates_null, &t, err);
        if (r == 0)
            r = mysql_table_hold(&source->link, &options->tables[i], err);
        if (r == 0)
            r = mysql_table_check_engine(&source->link, &options->tables[i], err);
        if (r < 0)
            return err_prefix(err, "table %s", options->tables[i].name);
        unseen |= r > 0;
    }
    return unseen ? mysql_table_check_unseen(&source->link, err) : 0;
}

int source_mysql_create(const struct source_options *options, const struct source_mysql *settings,
                        char ret_id[SHA256_HEX], struct err *err)
{
    struct mysql_source source = {.settings = settings, .drop_null_time = options->drop_null_time};
    struct source_driver driver = {.ctx = &source, .add = add};
    int r = mysql_link_open(settings, &source.link, err);
    fault_point("mysql-begun");
    if (r == 0)
        r = check_tables(&source, options, err);
    if (r == 0)
        r = source_create(options, &driver, ret_id, err);
    mysql_link_close(&source.link);
    return r;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* append.c - see append.h. */
#include "source/append.h"

#include <string.h>

#include "base/date.h"
#include "base/log.h"

int append_open(const char *dir, struct snapshot **ret, struct err *err)
{
    CLEANUP(snapshot_close) struct snapshot *old = NULL;
    int r = snapshot_open(dir, &old, err);
    if (r == 0)
        r = snapshot_check_files(old, err);
    if (r < 0)
        return r;
    *ret = old;
    old = NULL;
    return 0;
}

/* The column that has a role in the old snapshot, unless the options name one, which must be the
 * same. */
static int take_role(const struct table *old, int column, const char *role, const char **named,
                     struct err *err)
{
    const char *name = column < 0 ? NULL : old->columns[column].name;
    if (*named && (!name || strcmp(*named, name) != 0))
        return err_set(err, ERR_USAGE,
                       "table %s: its %s is %s in the snapshot to append to, not %s", old->name,
                       role, name ? name : "not set", *named);
    *named = name;
    return 0;
}

int append_table(const struct snapshot *old, int since_days, struct source_table *table,
                 struct source_kept *ret, struct err *err)
{
    const struct table *t = snapshot_table(old, table->name);
    if (!t)
        return 0;
    int r = take_role(t, t->time, "time", &table->time, err);
    if (r == 0)
        r = take_role(t, t->group, "group", &table->group, err);
    if (r == 0)
        r = take_role(t, t->key, "key", &table->key, err);
    if (r < 0 || t->time < 0 || t->n_days == 0)
        return r;
    int64_t day = t->day[t->n_days - 1] - since_days + 1, days = t->n_days;
    while (days > 0 && t->day[days - 1] >= day)
        days--;
    if (days == 0)
        return 0;
    *ret = (struct source_kept){.intake = {.table = t, .days = days}, .day = day, .id = old->id};
    return 1;
}

void source_kept_words(const struct source_kept *kept, struct str *out)
{
    char day[DATE_TEXT];
    date_format(kept->day, day);
    str_addf(out, "rows before %s of snapshot %.16s, then ", day, kept->id);
}

static bool is_named(const struct source_options *options, const char *name)
{
    bool named = false;
    for (int i = 0; i < options->n_tables; i++)
        named |= strcmp(options->tables[i].name, name) == 0;
    return named;
}

int append_rest(const struct snapshot *old, const struct source_options *options,
                struct snapshot_builder *builder, struct err *err)
{
    int r = 0;
    for (int i = 0; r == 0 && i < old->n_tables; i++) {
        const struct table *table = &old->tables[i];
        if (is_named(options, table->name))
            continue;
        log_info("a table that is not named stays as it is in the old snapshot",
                 LOG_S("table", table->name), LOG_I("rows", table->rows));
        r = build_copy(builder, old, table, err);
    }
    return r;
}

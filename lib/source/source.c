/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* source.c - what all sources have in common: declared types as text, and one table after the other
 * into a snapshot. */
#include "source/source.h"

#include <string.h>

#include "base/ram.h"
#include "snapshot/build.h"
#include "source/append.h"

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

static int check_table(const struct source_table *t, struct err *err)
{
    if (!t->time && !t->key)
        return err_set(err, ERR_USAGE,
                       "table %s has neither time nor key: add time=COLUMN if its rows happened at "
                       "some time, or key=COLUMN if it is looked up by a key",
                       t->name);
    if (t->time && t->key)
        return err_set(
            err, ERR_USAGE,
            "table %s has both time and key: leave key out for a history, time for a static table",
            t->name);
    if (t->group && !t->time)
        return err_set(err, ERR_USAGE, "table %s has a group but no time: add time=COLUMN",
                       t->name);
    return 0;
}

static int check_options(const struct source_options *options, struct err *err)
{
    if (options->n_tables == 0)
        return err_set(err, ERR_USAGE, "no table is named: add --csv NAME=FILE,time=COLUMN");
    for (int i = 0; i < options->n_tables; i++) {
        int r = options->append ? 0 : check_table(&options->tables[i], err);
        if (r < 0)
            return r;
        for (int j = 0; j < i; j++) {
            if (strcmp(options->tables[i].name, options->tables[j].name) == 0)
                return err_set(err, ERR_USAGE, "table %s is named twice", options->tables[i].name);
        }
    }
    return 0;
}

/* Tables that the old snapshot has keep their names. */
static int check_names(const struct source_options *options, const struct snapshot *old,
                       struct err *err)
{
    for (int i = 0; i < options->n_tables; i++) {
        const struct source_table *t = &options->tables[i];
        if ((old && snapshot_table(old, t->name)) || build_check_name(t->name, err) == 0)
            continue;
        CLEANUP(mem_free_chars) char *why = mem_strdup(err->text);
        return err_set(err, ERR_INPUT, "%s; give it another name: %s", why,
                       t->file ? "--csv NAME=FILE" : "--table 'NAME=SELECT * FROM …'");
    }
    return 0;
}

/* Half of what is there: the other half is for everybody else, and for the pages of the files that
 * are read and written. */
static int64_t default_memory(void)
{
    enum { LEAST = 64 << 20 };
    int64_t half = ram_available() / 2;
    return half > LEAST ? half : LEAST;
}

static int add_table(const struct source_driver *driver, const struct source_table *named,
                     const struct snapshot *old, struct source_target *target, struct err *err)
{
    struct source_table table = *named;
    struct source_kept kept;
    int r = old ? append_table(old, target->options->since_days, &table, &kept, err) : 0;
    if (r < 0)
        return r;
    target->kept = r > 0 ? &kept : NULL;
    r = check_table(&table, err);
    return r < 0 ? r : driver->add(driver->ctx, &table, target, err);
}

int source_create(const struct source_options *options, const struct source_driver *driver,
                  char ret_id[SHA256_HEX], struct err *err)
{
    CLEANUP(build_free) struct snapshot_builder *builder = NULL;
    CLEANUP(snapshot_close) struct snapshot *old = NULL;
    int r = check_options(options, err);
    if (r == 0)
        r = build_open(options->out_dir, &builder, err);
    if (r == 0 && options->append)
        r = append_open(options->append, &old, err);
    if (r == 0)
        r = check_names(options, old, err);
    struct source_target target = {
        .builder = builder,
        .options = options,
        .memory = options->memory > 0 ? options->memory : default_memory(),
    };
    for (int i = 0; r == 0 && i < options->n_tables; i++)
        r = add_table(driver, &options->tables[i], old, &target, err);
    if (r == 0 && old)
        r = append_rest(old, options, builder, err);
    return r < 0 ? r : build_finish(builder, ret_id, err);
}

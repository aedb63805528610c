/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_snapshot.c - looking at a snapshot: show, verify, index. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/fs.h"
#include "features/index.h"
#include "features/plan.h"
#include "listing.h"
#include "output.h"
#include "snapshot/snapshot.h"
#include "verbs.h"

static int64_t nulls_of(const struct column *c)
{
    int64_t n = 0;
    for (int64_t i = 0; c->valid && i < c->rows; i++)
        n += !c->valid[i];
    return n;
}

/* "decimal(2)", "string" … */
static void type_words(const struct column *c, char *buf, size_t size)
{
    if (c->type == TYPE_DECIMAL)
        snprintf(buf, size, "decimal(%d)", c->scale);
    else
        snprintf(buf, size, "%s", type_name(c->type));
}

/* What the table's time, group or key is. */
static const char *role_of(const struct table *table, int column)
{
    return column == table->time    ? "time"
           : column == table->group ? "group"
           : column == table->key   ? "key"
                                    : "";
}

static void show_table_json(const struct table *table, struct json *parent)
{
    char text[DATE_TEXT];
    struct json *node = json_add_object(parent, NULL);
    json_add_string(node, "name", table->name);
    json_add_int(node, "rows", table->rows);
    json_add_int(node, "dates", table->n_days);
    for (int end = 0; end < 2; end++) {
        if (table->n_days)
            date_format(table->day[end ? table->n_days - 1 : 0], text);
        json_add_string(node, end ? "last" : "first", table->n_days ? text : NULL);
    }
    json_add_string(node, "time", table->time >= 0 ? table->columns[table->time].name : NULL);
    json_add_string(node, "group", table->group >= 0 ? table->columns[table->group].name : NULL);
    json_add_string(node, "key", table->key >= 0 ? table->columns[table->key].name : NULL);
    struct json *columns = json_add_array(node, "columns");
    for (int i = 0; i < table->n_columns; i++) {
        const struct column *c = &table->columns[i];
        char type[32];
        type_words(c, type, sizeof(type));
        struct json *column = json_add_object(columns, NULL);
        json_add_string(column, "name", c->name);
        json_add_string(column, "type", type);
        json_add_int(column, "nulls", nulls_of(c));
        if (c->type == TYPE_STRING)
            json_add_int(column, "distinct", c->dict.n);
    }
}

static void show_table(const struct table *table)
{
    char count[OUTPUT_TEXT], first[DATE_TEXT], last[DATE_TEXT];
    printf("\n%s: %s", table->name, output_many(table->rows, "row", count));
    if (table->n_days) {
        date_format(table->day[0], first);
        date_format(table->day[table->n_days - 1], last);
        printf(", %s from %s to %s", output_many(table->n_days, "date", count), first, last);
    }
    printf("\n");
    CLEANUP(listing_free)
    struct listing *listing = listing_new("COLUMN|TYPE|>NULLS|>DISTINCT|ROLE");
    for (int i = 0; i < table->n_columns; i++) {
        const struct column *c = &table->columns[i];
        char type[32];
        type_words(c, type, sizeof(type));
        listing_row(listing);
        listing_cell(listing, "%s", c->name);
        listing_cell(listing, "%s", type);
        listing_cell(listing, "%s", output_count(nulls_of(c), count));
        listing_cell(listing, "%s", c->type == TYPE_STRING ? output_count(c->dict.n, count) : "");
        listing_cell(listing, "%s", role_of(table, i));
    }
    listing_print(listing);
}

int cmd_snapshot_show(const struct args *args, struct err *err)
{
    CLEANUP(snapshot_close) struct snapshot *snapshot = NULL;
    int r = snapshot_open(args_at(args, 0), &snapshot, err);
    if (r < 0)
        return r;
    if (args_flag(args, "json")) {
        CLEANUP(json_free) struct json *root = json_new_object();
        json_add_string(root, "id", snapshot->id);
        json_add_string(root, "dir", snapshot->dir);
        json_add_int(root, "bytes", output_snapshot_bytes(snapshot));
        struct json *tables = json_add_array(root, "tables");
        for (int i = 0; i < snapshot->n_tables; i++)
            show_table_json(&snapshot->tables[i], tables);
        output_json(root);
        return 0;
    }
    char bytes[OUTPUT_TEXT];
    printf("snapshot %s\n%s in %s\n", snapshot->id,
           output_bytes(output_snapshot_bytes(snapshot), bytes), snapshot->dir);
    for (int i = 0; i < snapshot->n_tables; i++)
        show_table(&snapshot->tables[i]);
    return 0;
}

/* Where the snapshot's indexes are; caller owns. */
static char *index_folder(const struct args *args, const struct snapshot *snapshot)
{
    return args_given(args, "index-dir") ? mem_strdup(args_text(args, "index-dir"))
                                         : fs_join(snapshot->dir, "index");
}

int cmd_snapshot_verify(const struct args *args, struct err *err)
{
    CLEANUP(snapshot_close) struct snapshot *snapshot = NULL;
    int r = snapshot_open(args_at(args, 0), &snapshot, err);
    if (r == 0)
        r = snapshot_verify(snapshot, err);
    if (r < 0)
        return r;
    CLEANUP(mem_free_chars) char *dir = index_folder(args, snapshot);
    int indexes;
    r = index_verify(dir, &indexes, err);
    if (r < 0)
        return r;
    printf("snapshot %.16s is whole: every checksum, the order of rows and the id are right\n",
           snapshot->id);
    if (indexes > 0)
        printf("%d index%s in %s: every checksum is right\n", indexes, indexes == 1 ? "" : "es",
               dir);
    return 0;
}

int cmd_snapshot_index(const struct args *args, struct err *err)
{
    CLEANUP(snapshot_close) struct snapshot *snapshot = NULL;
    CLEANUP(spec_free) struct spec *spec = NULL;
    CLEANUP(plan_free) struct plan *plan = NULL;
    int r = snapshot_open(args_at(args, 0), &snapshot, err);
    if (r == 0)
        r = spec_read(args_text(args, "spec"), &spec, err);
    if (r == 0)
        r = plan_compile(spec, snapshot, &plan, err);
    if (r < 0)
        return r;
    CLEANUP(mem_free_chars) char *dir = index_folder(args, snapshot);
    int written = 0;
    int64_t start = clock_ms();
    r = plan_index_write(plan, dir, (int)sysconf(_SC_NPROCESSORS_ONLN), &written, err);
    if (r < 0)
        return r;
    char seconds[OUTPUT_TEXT];
    if (written)
        printf("%d index%s written to %s in %s\n", written, written == 1 ? "" : "es", dir,
               output_seconds((double)(clock_ms() - start) / 1000, seconds));
    else
        printf("nothing to do: all that this spec needs is in %s\n", dir);
    return 0;
}

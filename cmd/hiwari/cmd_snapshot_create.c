/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_snapshot_create.c - CSV files, or tables of MySQL, into a snapshot. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "features/spec.h"
#include "output.h"
#include "progress.h"
#include "snapshot/snapshot.h"
#include "snapshot_csv.h"
#include "snapshot_mysql.h"
#include "source/source.h"
#include "verbs.h"

/* What the command line leaves open, the spec may know. */
static void ask_spec(struct source_table *table, const struct spec *spec)
{
    const struct spec_table *known = spec ? spec_find_table(spec, table->name) : NULL;
    if (!known)
        return;
    if (!table->key && !table->time)
        table->time = known->time;
    if (!table->key && !table->group)
        table->group = known->group;
    if (!table->time && !table->key)
        table->key = known->key;
}

static void show_progress(void *ctx, int64_t done, int64_t total)
{
    progress_show(ctx, done / 1000000, total / 1000000, NULL, clock_ms());
}

static void print_made(const struct args *args, const struct snapshot *snapshot, double seconds)
{
    int64_t rows = 0, bytes = output_snapshot_bytes(snapshot);
    for (int i = 0; i < snapshot->n_tables; i++)
        rows += snapshot->tables[i].rows;
    if (args_flag(args, "json")) {
        CLEANUP(json_free) struct json *root = json_new_object();
        json_add_string(root, "id", snapshot->id);
        json_add_string(root, "dir", args_text(args, "out"));
        json_add_int(root, "tables", snapshot->n_tables);
        json_add_int(root, "rows", rows);
        json_add_int(root, "bytes", bytes);
        json_add_number(root, "seconds", seconds);
        output_json(root);
        return;
    }
    char a[OUTPUT_TEXT], b[OUTPUT_TEXT], c[OUTPUT_TEXT];
    printf("snapshot %.16s: %d table%s, %s, %s in %s\n", snapshot->id, snapshot->n_tables,
           snapshot->n_tables == 1 ? "" : "s", output_many(rows, "row", a), output_bytes(bytes, b),
           output_seconds(seconds, c));
    printf("  is in   %s\n  look    hiwari snapshot show %s\n", args_text(args, "out"),
           args_text(args, "out"));
}

/* 512M and the like; 0 when it is not given. */
static int memory_arg(const struct args *args, int64_t *ret, struct err *err)
{
    enum { LEAST = 64 << 10 };
    const char *text = args_text(args, "memory"), *units = "KMGT";
    *ret = 0;
    if (!text)
        return 0;
    size_t digits = strspn(text, "0123456789");
    const char *unit = text[digits] ? strchr(units, text[digits]) : NULL;
    CLEANUP(mem_free_chars) char *number = mem_strndup(text, digits);
    if (unit && !text[digits + 1] && str_to_i64(number, ret) && *ret < 1 << 20) {
        *ret <<= 10 * (unit - units + 1);
        if (*ret >= LEAST)
            return 0;
    }
    return err_set(err, ERR_USAGE, "--memory takes an amount as 512M or 4G, at least 64K, not '%s'",
                   text);
}

static int create(const struct args *args, struct source_table *tables, int n, struct err *err)
{
    CLEANUP(spec_free) struct spec *spec = NULL;
    int r = args_given(args, "spec") ? spec_read(args_text(args, "spec"), &spec, err) : 0;
    int64_t memory = 0;
    if (r == 0)
        r = memory_arg(args, &memory, err);
    if (r < 0)
        return r;
    for (int i = 0; i < n; i++)
        ask_spec(&tables[i], spec);
    struct progress progress;
    int64_t start = clock_ms();
    progress_init(&progress, "MB", 2000, start);
    struct source_options options = {
        .tables = tables,
        .n_tables = n,
        .out_dir = args_text(args, "out"),
        .drop_null_time = args_flag(args, "drop-null-time"),
        .memory = memory,
        .append = args_text(args, "append"),
        .since_days = (int)args_int(args, "since"),
        .progress = show_progress,
        .progress_ctx = &progress,
    };
    char id[SHA256_HEX];
    r = args_given(args, "mysql") ? snapshot_mysql_create(args, &options, id, err)
                                  : source_csv_create(&options, id, err);
    progress_clear(&progress);
    if (r < 0)
        return r;
    CLEANUP(snapshot_close) struct snapshot *snapshot = NULL;
    r = snapshot_open(options.out_dir, &snapshot, err);
    if (r < 0)
        return r;
    print_made(args, snapshot, (double)(clock_ms() - start) / 1000);
    return 0;
}

static int create_from_mysql(const struct args *args, struct err *err)
{
    const char *const *given;
    int n = args_list(args, "table", &given), r = 0;
    char **texts = mem_zalloc((size_t)n * sizeof(*texts));
    struct source_table *tables = MEM_ARRAY(struct source_table, (size_t)n);
    for (int i = 0; i < n && r == 0; i++) {
        texts[i] = mem_strdup(given[i]);
        r = snapshot_mysql_table(texts[i], &tables[i], err);
    }
    if (r == 0)
        r = create(args, tables, n, err);
    for (int i = 0; i < n; i++)
        free(texts[i]);
    free(texts);
    free(tables);
    return r;
}

static int create_from_csv(const struct args *args, struct err *err)
{
    const char *const *given;
    CLEANUP(snapshot_csv_free) struct snapshot_csv *csv = NULL;
    int n = args_list(args, "csv", &given);
    int r = snapshot_csv_parse(given, n, &csv, err);
    if (r < 0)
        return r;
    struct source_table *tables = snapshot_csv_tables(csv, &n);
    return create(args, tables, n, err);
}

int cmd_snapshot_create(const struct args *args, struct err *err)
{
    bool mysql = args_given(args, "mysql");
    if (mysql == args_given(args, "csv"))
        return err_set(err, ERR_USAGE,
                       "a snapshot is made either from files, --csv NAME=FILE, or from a database, "
                       "--mysql URL --table NAME");
    if (mysql != args_given(args, "table"))
        return err_set(err, ERR_USAGE,
                       "--mysql URL says where, and --table NAME which table: both "
                       "are needed");
    if (args_given(args, "since") && !args_given(args, "append"))
        return err_set(err, ERR_USAGE, "--since is for --append OLD");
    if (!mysql && args_given(args, "defaults-file"))
        return err_set(err, ERR_USAGE, "--defaults-file is for --mysql");
    return mysql ? create_from_mysql(args, err) : create_from_csv(args, err);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_snapshot_rate.c - the same snapshot with one table more: ratings. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "features/rate.h"
#include "output.h"
#include "snapshot/build.h"
#include "verbs.h"

static int number_arg(const struct args *args, const char *name, double *ret, struct err *err)
{
    const char *text = args_text(args, name);
    if (str_to_f64(text, ret))
        return 0;
    return err_set(err, ERR_USAGE, "--%s takes a number, not '%s'", name, text);
}

static int find_table(const struct args *args, const struct snapshot *snapshot,
                      const struct table **ret, struct err *err)
{
    const char *name = args_text(args, "table"), *as = args_text(args, "as");
    CLEANUP(str_deinit) struct str names = {0};
    for (int i = 0; i < snapshot->n_tables; i++)
        str_addf(&names, "%s%s", i ? ", " : "", snapshot->tables[i].name);
    if (snapshot_table(snapshot, as))
        return err_set(err, ERR_USAGE, "--as: %s has a table '%s' already (tables: %s)",
                       snapshot->dir, as, names.s);
    int r = build_check_name(as, err);
    if (r < 0)
        return err_prefix(err, "--as");
    *ret = snapshot_table(snapshot, name);
    if (*ret)
        return 0;
    return err_set(err, ERR_USAGE, "--table: %s has no table '%s' (tables: %s)", snapshot->dir,
                   name, names.s);
}

/* Ratings have no place: they were computed. */
static void place_row(void *ctx, int64_t row, struct str *out)
{
    str_addf(out, "%s, row %lld", (const char *)ctx, (long long)row);
}

static int add_ratings(struct snapshot_builder *builder, const struct args *args,
                       const struct rate_options *options, const struct frame *ratings,
                       struct err *err)
{
    CLEANUP(mem_free_chars)
    char *source =
        mem_printf("ratings of %s by %s within %s, order %s%s, k %.17g, start %.17g, scale %.17g",
                   args_text(args, "table"), options->by, options->within, options->order,
                   options->desc ? " descending" : "", options->k, options->start, options->scale);
    struct build_table table = {
        .name = args_text(args, "as"),
        .source = source,
        .rows = ratings->rows,
        .n_columns = ratings->n_columns,
        .columns = ratings->columns,
        .time = RATE_TIME,
        .group = -1,
        .key = -1,
        .place = place_row,
        .place_ctx = source,
    };
    return build_add(builder, &table, err);
}

static int write_snapshot(const struct args *args, const struct snapshot *snapshot,
                          const struct rate_options *options, const struct frame *ratings,
                          char ret_id[SHA256_HEX], struct err *err)
{
    CLEANUP(build_free) struct snapshot_builder *builder = NULL;
    int r = build_open(args_text(args, "out"), &builder, err);
    for (int i = 0; r == 0 && i < snapshot->n_tables; i++)
        r = build_copy(builder, snapshot, &snapshot->tables[i], err);
    if (r == 0)
        r = add_ratings(builder, args, options, ratings, err);
    return r == 0 ? build_finish(builder, ret_id, err) : r;
}

/* The columns of --by as a spec writes them, and as a part of a name. */
static void add_by(const struct frame *ratings, struct str *json, struct str *name)
{
    int n = ratings->n_columns - 3; /* beside the time, rating and games */
    for (int k = 0; k < n; k++) {
        const char *column = ratings->columns[RATE_BY + k].name;
        str_addf(json, "%s\"%s\"", k ? ", " : n > 1 ? "[" : "", column);
        str_addf(name, "%s%s", k ? "_" : "", column);
    }
    str_addz(json, n > 1 ? "]" : "");
}

static void print_made(const struct args *args, const struct frame *ratings, const char *id,
                       double seconds)
{
    const char *as = args_text(args, "as"), *out = args_text(args, "out");
    if (args_flag(args, "json")) {
        CLEANUP(json_free) struct json *root = json_new_object();
        json_add_string(root, "id", id);
        json_add_string(root, "dir", out);
        json_add_string(root, "table", as);
        json_add_int(root, "rows", ratings->rows);
        json_add_number(root, "seconds", seconds);
        output_json(root);
        return;
    }
    char a[OUTPUT_TEXT], b[OUTPUT_TEXT];
    CLEANUP(str_deinit) struct str by = {0}, name = {0};
    add_by(ratings, &by, &name);
    printf("snapshot %.16s: table %s has %s ratings, in %s\n", id, as,
           output_count(ratings->rows, a), output_seconds(seconds, b));
    printf("  is in     %s\n  in a spec \"tables\":   \"%s\": {\"time\": \"%s\"}\n"
           "            \"features\": \"%s_rating\": {\"asof\": \"%s.rating\", \"by\": %s}\n",
           out, as, ratings->columns[RATE_TIME].name, name.s, as, by.s);
}

int cmd_snapshot_rate(const struct args *args, struct err *err)
{
    CLEANUP(snapshot_close) struct snapshot *snapshot = NULL;
    CLEANUP(frame_deinit) struct frame ratings = {0};
    const struct table *table;
    char id[SHA256_HEX];
    int64_t start = clock_ms();
    struct rate_options options = {
        .by = args_text(args, "by"),
        .within = args_text(args, "within"),
        .order = args_text(args, "order"),
        .desc = args_flag(args, "desc"),
    };
    int r = number_arg(args, "k", &options.k, err);
    if (r == 0)
        r = number_arg(args, "start", &options.start, err);
    if (r == 0)
        r = number_arg(args, "scale", &options.scale, err);
    if (r == 0)
        r = snapshot_open(args_at(args, 0), &snapshot, err);
    if (r == 0)
        r = find_table(args, snapshot, &table, err);
    if (r == 0)
        r = rate_table(table, &options, &ratings, err);
    if (r == 0)
        r = write_snapshot(args, snapshot, &options, &ratings, id, err);
    if (r == 0)
        print_made(args, &ratings, id, (double)(clock_ms() - start) / 1000);
    return r;
}

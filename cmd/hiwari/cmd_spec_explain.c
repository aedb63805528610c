/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_spec_explain.c - a spec in English, and what its windows cost. */
#include <stdio.h>

#include "features/explain.h"
#include "listing.h"
#include "output.h"
#include "planned.h"
#include "verbs.h"

static void columns_json(const struct explanation *e, struct json *root)
{
    static const char *const reads[] = {[EXPLAIN_READS_NONE] = "nothing",
                                        [EXPLAIN_READS_ENDS] = "ends",
                                        [EXPLAIN_READS_SUMS] = "sums",
                                        [EXPLAIN_READS_ROWS] = "rows"};
    struct json *columns = json_add_array(root, "columns");
    for (int i = 0; i < e->n_columns; i++) {
        const struct explained_column *c = &e->columns[i];
        struct json *node = json_add_object(columns, NULL);
        json_add_string(node, "name", c->name);
        json_add_string(node, "type", type_name(c->type));
        json_add_string(node, "stage", c->stage);
        json_add_bool(node, "label", c->is_label);
        if (c->window >= 0) {
            json_add_int(node, "window", c->window);
            json_add_string(node, "reads", reads[c->reads]);
        }
        json_add_string(node, "says", c->sentence);
    }
}

static void windows_json(const struct explanation *e, struct json *root)
{
    struct json *windows = json_add_array(root, "windows");
    for (int i = 0; i < e->n_windows; i++) {
        const struct explained_window *w = &e->windows[i];
        struct json *node = json_add_object(windows, NULL);
        json_add_string(node, "rows", w->text);
        json_add_int(node, "columns", w->columns);
        json_add_int(node, "columns_by_rows", w->columns_by_rows);
        json_add_int(node, "columns_by_sums", w->columns_by_sums);
        json_add_number(node, "rows_per_key", w->rows_per_key);
        json_add_number(node, "rows_per_row", w->rows_per_row);
        json_add_bool(node, "index", w->on_disk);
        json_add_bool(node, "filtered", w->filtered);
    }
}

static void report_json(const struct planned *p, const struct explanation *e)
{
    CLEANUP(json_free) struct json *root = json_new_object();
    CLEANUP(str_deinit) struct str cutoff = {0};
    explain_cutoff(p->plan, &cutoff);
    json_add_string(root, "spec", p->spec->name);
    json_add_string(root, "sha256", p->spec->sha256);
    json_add_string(root, "cutoff", cutoff.s);
    json_add_int(root, "sampled_keys", e->keys);
    json_add_int(root, "sampled_rows", e->rows);
    columns_json(e, root);
    windows_json(e, root);
    output_json(root);
}

static void print_columns(const struct explanation *e)
{
    CLEANUP(listing_free) struct listing *listing = listing_new("COLUMN|TYPE|STAGE|~WHAT IT IS");
    for (int i = 0; i < e->n_columns; i++) {
        const struct explained_column *c = &e->columns[i];
        listing_row(listing);
        listing_cell(listing, "%s", c->name);
        listing_cell(listing, "%s", type_name(c->type));
        listing_cell(listing, "%s", c->stage);
        listing_cell(listing, "%s", c->sentence);
    }
    listing_print(listing);
}

/* How the columns over a window come to their values. */
static const char *way_of(const struct explained_window *w)
{
    if (w->filtered)
        return "looks at each row of history";
    if (w->columns_by_rows == 0)
        return w->columns_by_sums ? "sums: two reads a value" : "its ends: a few reads a value";
    return w->columns_by_sums ? "sums for some, every row for others" : "reads every row";
}

static void print_windows(const struct explanation *e)
{
    char per_key[OUTPUT_TEXT];
    CLEANUP(listing_free)
    struct listing *listing = listing_new("~WINDOW|>COLUMNS|>ROWS PER KEY|>PER ROW|INDEX|~HOW");
    bool missing = false;
    for (int i = 0; i < e->n_windows; i++) {
        const struct explained_window *w = &e->windows[i];
        listing_row(listing);
        listing_cell(listing, "%s", w->text);
        listing_cell(listing, "%d", w->columns);
        listing_cell(listing, "%s", output_count((int64_t)(w->rows_per_key + 0.5), per_key));
        listing_cell(listing, "%.1f", w->rows_per_row);
        listing_cell(listing, "%s", w->on_disk ? "there" : "not there");
        listing_cell(listing, "%s", way_of(w));
        missing = missing || !w->on_disk;
    }
    listing_print(listing);
    if (missing)
        printf("\nan index that is not there is built in memory by each worker; "
               "'hiwari snapshot index' and 'hiwari run' write it\n");
}

int cmd_spec_explain(const struct args *args, struct err *err)
{
    CLEANUP(planned_close) struct planned p = {0};
    CLEANUP(explanation_deinit) struct explanation e = {0};
    int r = planned_open(args, args_at(args, 0), &p, err);
    if (r == 0)
        r = planned_index(args, &p, err);
    if (r < 0)
        return r;
    plan_explain(p.plan, &e);
    r = plan_explain_cost(p.plan, args_text(args, "index-dir"), (int)args_int(args, "sample"), &e,
                          err);
    if (r < 0)
        return r;
    if (args_flag(args, "json")) {
        report_json(&p, &e);
        return 0;
    }
    print_columns(&e);
    if (e.n_windows == 0)
        return 0;
    char keys[OUTPUT_TEXT];
    printf("\nrows of history, the mean of %s key%s\n\n", output_count(e.keys, keys),
           e.keys == 1 ? "" : "s");
    print_windows(&e);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_spec_why.c - the rows behind one value. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/date.h"
#include "features/why.h"
#include "listing.h"
#include "output.h"
#include "planned.h"
#include "value.h"
#include "verbs.h"

/* The rows that are shown are the newest. */
static int64_t first_shown(const struct args *args, const struct why *why)
{
    int64_t limit = args_int(args, "limit");
    return why->rows.rows > limit ? why->rows.rows - limit : 0;
}

static const struct column *value_of(const struct why *why)
{
    return &why->target.columns[why->target.n_columns - 1];
}

/* A moment in as few words as it needs: a date when it is the start of one. */
static const char *moment(int64_t us, char buf[TIMESTAMP_TEXT])
{
    if (us == timestamp_day(us) * DATE_US_PER_DAY)
        date_format(timestamp_day(us), buf);
    else
        timestamp_format(us, buf);
    return buf;
}

/* ---- JSON ---- */

static void row_json(const struct frame *frame, int64_t row, struct json *node)
{
    for (int c = 0; c < frame->n_columns; c++)
        value_json(&frame->columns[c], row, node, frame->columns[c].name);
}

static void rows_json(const struct why *why, int64_t first, struct json *root)
{
    struct json *rows = json_add_array(root, "rows");
    for (int64_t row = first; row < why->rows.rows; row++) {
        struct json *node = json_add_object(rows, NULL);
        json_add_int(node, "table_row", why->row_numbers[row]);
        json_add_bool(node, "used", why->used[row]);
        if (why->kind == WHY_GROUP)
            json_add_bool(node, "self", row == why->self);
        row_json(&why->rows, row, json_add_object(node, "values"));
    }
}

static void report_json(const struct args *args, const char *key, const struct why *why)
{
    static const char *const kinds[] = {[WHY_NONE] = "kept",
                                        [WHY_HISTORY] = "history",
                                        [WHY_LOOKUP] = "lookup",
                                        [WHY_GROUP] = "group",
                                        [WHY_INPUTS] = "inputs"};
    CLEANUP(json_free) struct json *root = json_new_object();
    char text[TIMESTAMP_TEXT];
    json_add_string(root, "key", key);
    json_add_int(root, "row", args_int(args, "row"));
    json_add_string(root, "feature", value_of(why)->name);
    value_json(value_of(why), 0, root, "value");
    json_add_string(root, "says", why->sentence);
    json_add_string(root, "cutoff", moment(why->cutoff_us, text));
    if (why->kind == WHY_HISTORY) {
        json_add_string(root, "from", why->has_from ? moment(why->from_us, text) : NULL);
        json_add_string(root, "before", moment(why->before_us, text));
        json_add_int(root, "history_rows", why->entity_rows);
    }
    struct frame kept = why->target;
    kept.n_columns--;
    row_json(&kept, 0, json_add_object(root, "target"));
    json_add_string(root, "kind", kinds[why->kind]);
    json_add_int(root, "n_rows", why->rows.rows);
    if (why->kind != WHY_NONE)
        rows_json(why, first_shown(args, why), root);
    output_json(root);
}

/* ---- text ---- */

static void print_value(const struct column *c, int64_t row)
{
    CLEANUP(str_deinit) struct str text = {0};
    value_words(c, row, &text);
    printf("%s %s", c->name, column_is_null(c, row) ? "null" : text.len ? text.s : "\"\"");
}

static void print_target(const struct args *args, const char *key, const struct why *why)
{
    print_value(value_of(why), 0);
    printf(" on row %" PRId64 " of %s, counted from 0\n", args_int(args, "row"), key);
    for (int c = 0; c + 1 < why->target.n_columns; c++) {
        printf("%s", c == 0 ? "  " : ", ");
        print_value(&why->target.columns[c], 0);
    }
    printf("\n  %s\n", why->sentence);
}

static void print_window(const struct why *why)
{
    char from[TIMESTAMP_TEXT], before[TIMESTAMP_TEXT], cutoff[TIMESTAMP_TEXT], rows[OUTPUT_TEXT];
    printf("  cutoff %s: rows ", moment(why->cutoff_us, cutoff));
    if (why->has_from)
        printf("from %s on and ", moment(why->from_us, from));
    printf("before %s, of %s before that in all\n", moment(why->before_us, before),
           output_count(why->entity_rows, rows));
}

static const char *mark_of(const struct why *why, int64_t row)
{
    if (row == why->self)
        return why->used[row] ? "this row" : "this row, not used";
    return why->used[row] ? "yes" : "no";
}

static void print_rows(const struct why *why, int64_t first)
{
    CLEANUP(str_deinit) struct str heading = {0};
    for (int c = 0; c < why->rows.n_columns; c++)
        str_addf(&heading, "%s|", why->rows.columns[c].name);
    str_addz(&heading, "USED|>TABLE ROW");
    CLEANUP(listing_free) struct listing *listing = listing_new(heading.s);
    for (int64_t row = first; row < why->rows.rows; row++) {
        listing_row(listing);
        for (int c = 0; c < why->rows.n_columns; c++) {
            CLEANUP(str_deinit) struct str text = {0};
            value_words(&why->rows.columns[c], row, &text);
            listing_cell(listing, "%s", text.len ? text.s : "");
        }
        listing_cell(listing, "%s", mark_of(why, row));
        listing_cell(listing, "%d", why->row_numbers[row]);
    }
    putchar('\n');
    listing_print(listing);
}

static void print_inputs(const struct why *why)
{
    for (int c = 0; c < why->rows.n_columns; c++) {
        printf("    ");
        print_value(&why->rows.columns[c], 0);
        putchar('\n');
    }
}

static void report(const struct args *args, const char *key, const struct why *why)
{
    char shown[OUTPUT_TEXT], all[OUTPUT_TEXT];
    int64_t first = first_shown(args, why);
    print_target(args, key, why);
    if (why->kind == WHY_HISTORY)
        print_window(why);
    if (why->kind == WHY_INPUTS)
        print_inputs(why);
    else if (why->rows.rows > 0)
        print_rows(why, first);
    else if (why->kind != WHY_NONE)
        printf("  no such row\n");
    if (first > 0)
        printf("the newest %s of %s rows; --limit shows more\n",
               output_count(why->rows.rows - first, shown), output_count(why->rows.rows, all));
}

int cmd_spec_why(const struct args *args, struct err *err)
{
    CLEANUP(planned_close) struct planned p = {0};
    CLEANUP(why_deinit) struct why why = {0};
    int64_t day = 0;
    args_date(args, "key", &day);
    int r = planned_open(args, args_at(args, 0), &p, err);
    if (r == 0)
        r = planned_index(args, &p, err);
    if (r == 0)
        r = plan_why(p.plan, day, args_int(args, "row"), args_text(args, "feature"), &why, err);
    if (r < 0)
        return r;
    char key[DATE_TEXT];
    date_format(day, key);
    if (args_flag(args, "json"))
        report_json(args, key, &why);
    else
        report(args, key, &why);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_spec.c - a spec before it is used: check, schema. */
#include <stdio.h>
#include <string.h>

#include "base/date.h"
#include "features/reads.h"
#include "listing.h"
#include "output.h"
#include "planned.h"
#include "value.h"
#include "verbs.h"

int cmd_spec_schema(const struct args *args, struct err *err)
{
    const char *schema = spec_schema();
    fputs(schema, stdout);
    if (!str_ends(schema, "\n"))
        putchar('\n');
    return 0;
}

struct seen {
    int64_t nulls;
    bool constant; /* at least two values, all the same */
    struct str first;
};

static void column_look(const struct column *c, struct seen *ret)
{
    int64_t values = 0;
    CLEANUP(str_deinit) struct str text = {0};
    ret->constant = true;
    for (int64_t i = 0; i < c->rows; i++) {
        if (column_is_null(c, i)) {
            ret->nulls++;
            continue;
        }
        str_clear(&text);
        value_words(c, i, &text);
        if (values++ == 0)
            str_add(&ret->first, text.s, text.len);
        else if (text.len != ret->first.len || memcmp(text.s, ret->first.s, text.len) != 0)
            ret->constant = false;
    }
    ret->constant = ret->constant && values > 1;
}

/* What deserves a second look on the sample, or "". A column that is only kept may be what it
 * likes. */
static const char *remark_on(const struct spec *spec, const struct column *c,
                             const struct seen *seen)
{
    bool kept = strcmp(c->name, spec_find_table(spec, spec->target)->time) == 0;
    for (int i = 0; i < spec->keep.n; i++)
        kept = kept || strcmp(c->name, spec->keep.names[i]) == 0;
    if (kept)
        return "";
    if (c->rows && seen->nulls == c->rows)
        return "always null here";
    return seen->constant && seen->nulls == 0 ? "always the same here" : "";
}

static void report_json(const struct spec *spec, const char *key, const struct frame *frame,
                        struct json *root)
{
    json_add_string(root, "spec", spec->name);
    json_add_string(root, "sha256", spec->sha256);
    json_add_string(root, "key", key);
    json_add_int(root, "rows", frame->rows);
    struct json *columns = json_add_array(root, "columns");
    for (int i = 0; i < frame->n_columns; i++) {
        const struct column *c = &frame->columns[i];
        struct seen seen = {0};
        column_look(c, &seen);
        struct json *node = json_add_object(columns, NULL);
        json_add_string(node, "name", c->name);
        json_add_string(node, "type", type_name(c->type));
        json_add_int(node, "nulls", seen.nulls);
        json_add_string(node, "first", seen.first.len ? seen.first.s : NULL);
        json_add_string(node, "remark",
                        *remark_on(spec, c, &seen) ? remark_on(spec, c, &seen) : NULL);
        str_deinit(&seen.first);
    }
    output_json(root);
}

static void report(const struct spec *spec, const char *key, const struct frame *frame)
{
    char rows[OUTPUT_TEXT], columns[OUTPUT_TEXT];
    printf("%s is right: %s; on %s, as a sample, %s\n\n", spec->name,
           output_many(frame->n_columns, "column", columns), key,
           output_many(frame->rows, "row", rows));
    CLEANUP(listing_free)
    struct listing *listing = listing_new("COLUMN|TYPE|>NULLS|FIRST VALUE|~REMARK");
    for (int i = 0; i < frame->n_columns; i++) {
        const struct column *c = &frame->columns[i];
        struct seen seen = {0};
        column_look(c, &seen);
        listing_row(listing);
        listing_cell(listing, "%s", c->name);
        listing_cell(listing, "%s", type_name(c->type));
        listing_cell(listing, "%s", output_count(seen.nulls, rows));
        listing_cell(listing, "%s", seen.first.len ? seen.first.s : "");
        listing_cell(listing, "%s", remark_on(spec, c, &seen));
        str_deinit(&seen.first);
    }
    listing_print(listing);
}

/* What is not wrong and deserves a thought; to standard error too. */
static void add_note(struct json *notes, char *text)
{
    fprintf(stderr, "note: %s\n", text);
    json_add_string(notes, NULL, text);
    free(text);
}

static void add_notes(const struct planned *p, struct json *notes)
{
    const struct spec *spec = p->spec;
    for (int i = 0; i < spec->n_features; i++)
        if (spec->features[i].kind == SPEC_LOOKUP)
            add_note(notes, mem_printf("%s looks up %s, which has no time: the value of today "
                                       "stands on every row of the past",
                                       spec->features[i].at, spec->features[i].text));
    CLEANUP(unused_deinit) struct unused unused;
    plan_unused(p->plan, &unused);
    for (int i = 0; i < unused.n; i++)
        add_note(notes, mem_strdup(unused.texts[i]));
}

int cmd_spec_check(const struct args *args, struct err *err)
{
    CLEANUP(planned_close) struct planned p = {0};
    CLEANUP(json_free) struct json *root = NULL;
    CLEANUP(frame_deinit) struct frame frame = {0};
    int64_t day;
    int r = planned_open(args, args_at(args, 0), &p, err);
    if (r < 0)
        return r;
    root = json_new_object();
    add_notes(&p, json_add_array(root, "notes"));
    r = planned_day(args, &p, &day, err);
    if (r == 0)
        r = planned_index(args, &p, err);
    if (r == 0)
        r = plan_compute(p.plan, day, 1, &frame, err);
    if (r < 0)
        return r;
    char key[DATE_TEXT];
    date_format(day, key);
    if (args_flag(args, "json"))
        report_json(p.spec, key, &frame, root);
    else
        report(p.spec, key, &frame);
    return 0;
}

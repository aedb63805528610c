/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* source_rows.c - see source_rows.h. The text of each column is kept until the whole file is read,
 * and then converted, as source_csv.c does it for whole tables. */
#include "source/source_rows.h"

#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"
#include "codec/csv.h"
#include "snapshot/sort.h"
#include "source/text_column.h"

struct reader {
    const char *path;
    const struct table *table;
    int n_fields;
    int *column; /* field of the file -> column of the table, or -1 */
    struct text_column *texts;
    struct typed_column *typed; /* per column of the table, in the file's order of rows */
    int64_t *line;              /* likewise */
    size_t line_cap;
    int64_t n;
    struct str ignored;
    bool *present;
};

static void reader_deinit(struct reader *r)
{
    for (int c = 0; c < r->table->n_columns; c++) {
        text_column_deinit(&r->texts[c]);
        if (r->typed)
            typed_column_deinit(&r->typed[c]);
    }
    free(r->column);
    free(r->texts);
    free(r->typed);
    free(r->line);
    free(r->present);
    str_deinit(&r->ignored);
}
MEM_CLEANUP_VALUE(reader_deinit, struct reader);

/* ---- the file ---- */

static int take_header(void *ctx, const struct text *fields, int n, int64_t line, struct err *err)
{
    struct reader *r = ctx;
    const struct table *t = r->table;
    r->n_fields = n;
    r->column = MEM_ARRAY(int, (size_t)n + 1);
    for (int i = 0; i < n; i++) {
        CLEANUP(mem_free_chars) char *name = mem_strndup(fields[i].s, (size_t)fields[i].len);
        r->column[i] = table_column(t, name);
        if (r->column[i] >= 0)
            r->present[r->column[i]] = true;
        else
            str_addf(&r->ignored, "%s%s", r->ignored.len ? ", " : "", name);
    }
    if (r->present[t->time])
        return 0;
    return err_set(err, ERR_INPUT, "%s has no column '%s', the time of table '%s'", r->path,
                   t->columns[t->time].name, t->name);
}

static int take_record(void *ctx, const struct text *fields, int n, int64_t line, struct err *err)
{
    struct reader *r = ctx;
    const struct table *t = r->table;
    if (r->n == INT32_MAX)
        return err_set(err, ERR_INPUT, "%s: line %" PRId64 ": a table has at most %d rows", r->path,
                       line, INT32_MAX);
    r->line = mem_grow(r->line, &r->line_cap, (size_t)r->n + 1, sizeof *r->line);
    r->line[r->n++] = line;
    for (int i = 0; i < n; i++) {
        int c = r->column[i];
        if (c == t->time && !fields[i].s)
            return err_set(err, ERR_INPUT, "%s: line %" PRId64 ": the time '%s' is empty", r->path,
                           line, t->columns[c].name);
        if (c >= 0)
            text_column_add(&r->texts[c], fields[i]);
    }
    for (int c = 0; c < t->n_columns; c++)
        if (!r->present[c])
            text_column_add(&r->texts[c], (struct text){0});
    return 0;
}

static int convert(struct reader *r, int c, struct err *err)
{
    const struct column *shape = &r->table->columns[c];
    int64_t bad = text_column_convert(&r->texts[c], shape->type, shape->scale, &r->typed[c]);
    if (bad >= 0) {
        struct text value = text_column_at(&r->texts[c], bad);
        size_t shown = utf8_valid_prefix(value.s, value.len < 80 ? (size_t)value.len : 80);
        return err_set(
            err, ERR_INPUT,
            "%s: line %" PRId64 ", column %s: '%.*s' is not %s, as it is in the snapshot", r->path,
            r->line[bad], shape->name, (int)shown, value.s, text_column_form(shape->type));
    }
    struct column *column = &r->typed[c].column;
    column->name = shape->name;
    column->nullable = shape->nullable || column->valid;
    column->max_chars = shape->max_chars;
    if (shape->type == TYPE_STRING && dict_max_chars(&column->dict) > column->max_chars)
        column->max_chars = dict_max_chars(&column->dict);
    return 0;
}

/* ---- the order ---- */

static void in_order(struct reader *r, const int32_t *order, struct source_rows *ret)
{
    for (int c = 0; c < ret->n_columns; c++)
        column_take(&r->typed[c].column, order, r->n, &ret->columns[c]);
    for (int64_t row = 0; row < r->n; row++)
        ret->line[row] = r->line[order[row]];
}

/* What the file holds becomes the answer's; the columns' values are copied in order, the
 * dictionaries kept. */
static void hand_over(struct reader *r, struct source_rows *ret)
{
    const struct table *t = r->table;
    const struct column *keys[2] = {&r->typed[t->time].column};
    if (t->group >= 0)
        keys[1] = &r->typed[t->group].column;
    int32_t *order = sort_rows(keys, t->group >= 0 ? 2 : 1, r->n);
    if (!order) {
        order = MEM_ARRAY(int32_t, (size_t)r->n + 1);
        for (int64_t row = 0; row < r->n; row++)
            order[row] = (int32_t)row;
    }
    *ret = (struct source_rows){
        .n = r->n, .n_columns = t->n_columns, .record = order, .present = r->present};
    ret->columns = mem_zalloc(sizeof *ret->columns * (size_t)(t->n_columns + 1));
    ret->line = MEM_ARRAY(int64_t, (size_t)r->n + 1);
    ret->ignored = r->ignored.len ? str_take(&r->ignored) : NULL;
    in_order(r, order, ret);
    ret->own = r->typed;
    r->typed = NULL;
    r->present = NULL;
}

int source_rows_read(const char *path, const struct table *table, struct source_rows *ret,
                     struct err *err)
{
    CLEANUP(reader_deinit) struct reader r = {.path = path, .table = table};
    size_t n = (size_t)table->n_columns + 1;
    r.texts = mem_zalloc(n * sizeof *r.texts);
    r.typed = mem_zalloc(n * sizeof *r.typed);
    r.present = mem_zalloc(n * sizeof *r.present);
    int e = csv_read_file(path, take_header, take_record, &r, err);
    for (int c = 0; e == 0 && c < table->n_columns; c++)
        e = convert(&r, c, err);
    if (e < 0)
        return e;
    hand_over(&r, ret);
    return 0;
}

void source_rows_deinit(struct source_rows *rows)
{
    struct typed_column *typed = rows->own;
    for (int c = 0; c < rows->n_columns; c++) {
        column_deinit(&rows->columns[c]);
        typed_column_deinit(&typed[c]);
    }
    free(typed);
    free(rows->columns);
    free(rows->present);
    free(rows->record);
    free(rows->line);
    free(rows->ignored);
    *rows = (struct source_rows){0};
}

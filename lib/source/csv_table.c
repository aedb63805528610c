/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* csv_table.c - see csv_table.h. */
#include "source/csv_table.h"

#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"
#include "snapshot/build_parts.h"

/* What snapshot.json says of the table's origin; caller owns. */
static char *source_words(const struct csv_table *t)
{
    int n = csv_records_files(&t->records);
    struct str words = {0};
    if (t->target->kept)
        source_kept_words(t->target->kept, &words);
    str_addf(&words, n == 1 ? "CSV file %s" : "CSV files %s", csv_records_file(&t->records, 0));
    if (n > 1)
        str_addf(&words, " to %s (%d)", csv_records_file(&t->records, n - 1), n);
    return str_take(&words);
}

void csv_table_init(struct csv_table *t, const struct source_table *wish,
                    const struct source_target *target)
{
    *t = (struct csv_table){
        .wish = wish,
        .target = target,
        .records = {.wish = wish,
                    .spool_dir = build_dir(target->builder),
                    .drop_null_time = target->options->drop_null_time,
                    .time = -1},
    };
    t->file_at = mem_zalloc((size_t)csv_records_files(&t->records) * sizeof(*t->file_at));
    t->source = source_words(t);
    if (!target->kept)
        return;
    const struct table *old = target->kept->intake.table;
    t->records.names = mem_array((size_t)old->n_columns, sizeof(char *));
    for (int c = 0; c < old->n_columns; c++)
        t->records.names[c] = mem_strdup(old->columns[c].name);
    t->records.n_columns = old->n_columns;
    t->records.has_cut = true;
    t->records.cut_day = target->kept->day;
}

void csv_table_deinit(struct csv_table *t)
{
    for (int c = 0; t->texts && c < t->records.n_columns; c++) {
        text_column_deinit(&t->texts[c]);
        typed_column_deinit(&t->typed[c]);
    }
    intake_free(t->intake);
    csv_records_deinit(&t->records);
    free(t->types);
    free(t->texts);
    free(t->typed);
    free(t->fits);
    free(t->columns);
    free(t->lines);
    free(t->file_at);
    free(t->source);
}

/* Chapter: the header, and what the options say of it. */

/* The number of a column that an option names. */
static int find_column(const struct csv_table *t, const char *option, const char *name, int *ret,
                       struct err *err)
{
    char **names = t->records.names;
    const char *file = csv_records_file(&t->records, 0);
    for (int c = 0; c < t->records.n_columns; c++) {
        if (strcmp(names[c], name) == 0) {
            *ret = c;
            return 0;
        }
    }
    const char *near = str_nearest(name, (const char *const *)names, (size_t)t->records.n_columns);
    if (near)
        return err_set(err, ERR_INPUT, "%s has no column '%s' (%s); did you mean '%s'?", file, name,
                       option, near);
    CLEANUP(str_deinit) struct str list = {0};
    for (int c = 0; c < t->records.n_columns; c++)
        str_addf(&list, "%s%s", c ? ", " : "", names[c]);
    return err_set(err, ERR_INPUT, "%s has no column '%s' (%s); its columns are %s", file, name,
                   option, list.s);
}

static int find_role(const struct csv_table *t, const char *option, const char *name, int *ret,
                     struct err *err)
{
    *ret = -1;
    return name ? find_column(t, option, name, ret, err) : 0;
}

static int find_types(struct csv_table *t, struct err *err)
{
    for (int i = 0; i < t->wish->n_types; i++) {
        const struct source_type *type = &t->wish->types[i];
        int column;
        int r = find_column(t, "its type is declared", type->column, &column, err);
        if (r < 0)
            return r;
        if (t->types[column])
            return err_set(err, ERR_USAGE, "table %s: the type of column %s is declared twice",
                           t->wish->name, type->column);
        t->types[column] = type;
    }
    const struct source_type *time = t->time >= 0 ? t->types[t->time] : NULL;
    if (time && time->type != TYPE_DATE && time->type != TYPE_TIMESTAMP)
        return err_set(err, ERR_USAGE,
                       "table %s: the time column %s is declared %s, and must be date or "
                       "timestamp",
                       t->wish->name, time->column, type_name(time->type));
    return 0;
}

int csv_table_columns(struct csv_table *t, struct err *err)
{
    size_t n = (size_t)t->records.n_columns;
    t->types = mem_zalloc(n * sizeof(*t->types));
    t->texts = mem_zalloc(n * sizeof(*t->texts));
    t->typed = mem_zalloc(n * sizeof(*t->typed));
    t->fits = mem_zalloc(n * sizeof(*t->fits));
    t->columns = mem_zalloc(n * sizeof(*t->columns));

    int r = find_role(t, "time", t->wish->time, &t->time, err);
    if (r == 0)
        r = find_role(t, "group", t->wish->group, &t->group, err);
    if (r == 0)
        r = find_role(t, "key", t->wish->key, &t->key, err);
    t->records.time = t->time;
    return r < 0 ? r : find_types(t, err);
}

/* Chapter: the block. */

void csv_table_add(struct csv_table *t, const struct text *fields, int64_t line)
{
    for (; t->n_begun <= t->records.file; t->n_begun++)
        t->file_at[t->n_begun] = t->past + t->rows;
    t->lines = mem_grow(t->lines, &t->lines_cap, (size_t)t->rows + 1, sizeof(*t->lines));
    t->lines[t->rows++] = line;
    int n = t->records.n_columns;
    for (int c = 0; c < n; c++) {
        text_column_add(&t->texts[c], fields[c]);
        t->bytes += fields[c].len;
    }
    t->bytes += (int64_t)sizeof(*t->lines) + n * (int64_t)(sizeof(*t->texts->len) + 1);
}

void csv_table_clear(struct csv_table *t)
{
    for (int c = 0; c < t->records.n_columns; c++)
        text_column_clear(&t->texts[c]);
    t->past += t->rows;
    t->rows = t->bytes = 0;
}

/* Chapter: places. */

/* The last file that begins at or before a row. */
static const char *file_of(const struct csv_table *t, int64_t row)
{
    int f = t->n_begun - 1;
    while (f > 0 && t->file_at[f] > row)
        f--;
    return csv_records_file(&t->records, f);
}

/* A row that is gone from memory is found by reading the files once more: it is only asked for when
 * all is over. */
struct search {
    int64_t row, line;
};
enum { SEARCH_OVER = ERR_BUG };

static int search_columns(void *ctx, struct err *err)
{
    return 0;
}

static int search_row(void *ctx, const struct text *fields, int64_t line, struct err *err)
{
    struct search *search = ctx;
    search->line = line;
    return search->row-- == 0 ? SEARCH_OVER : 0;
}

void csv_table_place(void *ctx, int64_t row, struct str *out)
{
    struct csv_table *t = ctx;
    if (row >= t->past && row < t->past + t->rows) {
        str_addf(out, "%s: line %" PRId64, file_of(t, row), t->lines[row - t->past]);
        return;
    }
    struct search search = {.row = row};
    if (csv_records_read(&t->records, search_columns, search_row, &search, NULL) == SEARCH_OVER)
        str_addf(out, "%s: line %" PRId64, file_of(t, row), search.line);
    else
        str_addf(out, "%s: row %" PRId64 " of the table", file_of(t, row), row + 1);
}

int csv_table_refuse(const struct csv_table *t, int c, int64_t row, const char *form,
                     struct err *err)
{
    struct text value = text_column_at(&t->texts[c], row);
    size_t shown = utf8_valid_prefix(value.s, value.len < 80 ? (size_t)value.len : 80);
    return err_set(err, ERR_INPUT, "%s: line %" PRId64 ", column %s: '%.*s' is not %s",
                   file_of(t, t->past + row), t->lines[row], t->records.names[c], (int)shown,
                   value.s, form);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* source_csv.c - snapshots from CSV files.
 *
 * A file is read once, into the text of each column; then the columns are converted, as many at
 * once as there are threads, and given to the builder. Reading first and converting later is what
 * lets a type be found from all values, and a column that turns out to be of strings in its last
 * line loses nothing. */
#include "source/source.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/utf8.h"
#include "codec/csv.h"
#include "snapshot/build.h"
#include "source/text_column.h"

enum { PROGRESS_BYTES = 1 << 20 };

struct progress {
    source_progress_fn *fn;
    void *ctx;
    int64_t done, told, total;
};

/* csv.h does not say where it is in the file, so what the fields amount to is counted: short only
 * by quotes and carriage returns. */
static void progress_add(struct progress *p, int64_t bytes)
{
    p->done += bytes;
    if (!p->fn || p->done - p->told < PROGRESS_BYTES)
        return;
    p->told = p->done;
    p->fn(p->ctx, p->done < p->total ? p->done : p->total, p->total);
}

/* One file while it becomes a table. */
struct csv_table {
    const struct source_table *wish;
    bool drop_null_time;
    struct progress *progress;
    int n_columns;
    char **names;
    const struct source_type **types; /* declared ones, else NULL */
    int time, group, key;
    struct text_column *texts;
    struct typed_column *typed;
    int64_t rows, dropped;
    int64_t *lines; /* the file's line of each row */
    size_t lines_cap;
};

static void csv_table_deinit(struct csv_table *t)
{
    for (int c = 0; c < t->n_columns; c++) {
        free(t->names[c]);
        text_column_deinit(&t->texts[c]);
        typed_column_deinit(&t->typed[c]);
    }
    free(t->names);
    free(t->types);
    free(t->texts);
    free(t->typed);
    free(t->lines);
}
MEM_CLEANUP_VALUE(csv_table_deinit, struct csv_table);

/* Chapter: the header, and what the options say of it. */

/* The number of a column that an option names. */
static int find_column(const struct csv_table *t, const char *option, const char *name, int *ret,
                       struct err *err)
{
    for (int c = 0; c < t->n_columns; c++) {
        if (strcmp(t->names[c], name) == 0) {
            *ret = c;
            return 0;
        }
    }
    const char *near = str_nearest(name, (const char *const *)t->names, (size_t)t->n_columns);
    if (near)
        return err_set(err, ERR_INPUT, "%s has no column '%s' (%s); did you mean '%s'?",
                       t->wish->file, name, option, near);
    CLEANUP(str_deinit) struct str list = {0};
    for (int c = 0; c < t->n_columns; c++)
        str_addf(&list, "%s%s", c ? ", " : "", t->names[c]);
    return err_set(err, ERR_INPUT, "%s has no column '%s' (%s); its columns are %s", t->wish->file,
                   name, option, list.s);
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

static int take_header(void *ctx, const struct text *fields, int n, int64_t line, struct err *err)
{
    struct csv_table *t = ctx;
    t->n_columns = n;
    t->names = mem_zalloc((size_t)n * sizeof(*t->names));
    t->types = mem_zalloc((size_t)n * sizeof(*t->types));
    t->texts = mem_zalloc((size_t)n * sizeof(*t->texts));
    t->typed = mem_zalloc((size_t)n * sizeof(*t->typed));
    for (int c = 0; c < n; c++)
        t->names[c] = mem_strndup(fields[c].s, (size_t)fields[c].len);

    int r = find_role(t, "time", t->wish->time, &t->time, err);
    if (r == 0)
        r = find_role(t, "group", t->wish->group, &t->group, err);
    if (r == 0)
        r = find_role(t, "key", t->wish->key, &t->key, err);
    return r < 0 ? r : find_types(t, err);
}

/* Chapter: the records. */

static int take_record(void *ctx, const struct text *fields, int n, int64_t line, struct err *err)
{
    struct csv_table *t = ctx;
    int64_t bytes = 0;
    for (int c = 0; c < n; c++)
        bytes += fields[c].len + 1;
    progress_add(t->progress, bytes);
    if (t->drop_null_time && t->time >= 0 && !fields[t->time].s) {
        t->dropped++;
        return 0;
    }
    if (t->rows == INT32_MAX)
        return err_set(err, ERR_INPUT, "%s: line %" PRId64 ": a table has at most %d rows",
                       t->wish->file, line, INT32_MAX);
    t->lines = mem_grow(t->lines, &t->lines_cap, (size_t)t->rows + 1, sizeof(*t->lines));
    t->lines[t->rows++] = line;
    for (int c = 0; c < n; c++)
        text_column_add(&t->texts[c], fields[c]);
    return 0;
}

/* Chapter: types. */

static int refuse_value(const struct csv_table *t, int c, int64_t row, const char *form,
                        struct err *err)
{
    struct text value = text_column_at(&t->texts[c], row);
    size_t shown = utf8_valid_prefix(value.s, value.len < 80 ? (size_t)value.len : 80);
    return err_set(err, ERR_INPUT, "%s: line %" PRId64 ", column %s: '%.*s' is not %s",
                   t->wish->file, t->lines[row], t->names[c], (int)shown, value.s, form);
}

/* Every value must be a date, or every value a timestamp. The one that is blamed is the first that
 * is neither, or the first that is not what the others before it are. */
static int convert_time(struct csv_table *t, struct err *err)
{
    int c = t->time;
    const struct text_column *text = &t->texts[c];
    int64_t not_date = text_column_convert(text, TYPE_DATE, 0, &t->typed[c]);
    int64_t not_timestamp =
        not_date < 0 ? -1 : text_column_convert(text, TYPE_TIMESTAMP, 0, &t->typed[c]);
    if (not_date < 0 || not_timestamp < 0)
        return 0;
    return refuse_value(t, c, not_date > not_timestamp ? not_date : not_timestamp,
                        "in the form of a time column: YYYY-MM-DD in every row, or YYYY-MM-DD "
                        "HH:MM[:SS[.ffffff]] without zone in every row",
                        err);
}

static int convert_column(struct csv_table *t, int c, struct err *err)
{
    const struct source_type *type = t->types[c];
    int r = 0;
    if (type) {
        int64_t bad = text_column_convert(&t->texts[c], type->type, type->scale, &t->typed[c]);
        if (bad >= 0)
            r = refuse_value(t, c, bad, text_column_form(type->type), err);
    } else if (c == t->time) {
        r = convert_time(t, err);
    } else {
        text_column_find(&t->texts[c], &t->typed[c]);
    }
    text_column_deinit(&t->texts[c]);
    t->typed[c].column.name = t->names[c];
    return r;
}

static int convert_columns(struct csv_table *t, struct err *err)
{
    int n = t->n_columns;
    CLEANUP(free) void *memory = mem_zalloc((size_t)n * sizeof(struct err));
    struct err *errs = memory;
#pragma omp parallel for schedule(dynamic, 1)
    for (int c = 0; c < n; c++)
        convert_column(t, c, &errs[c]);
    for (int c = 0; c < n; c++) {
        if (errs[c].code)
            return err_set(err, errs[c].code, "%s", errs[c].text);
    }
    return 0;
}

/* Chapter: a table, and all of them. */

static void add_place(void *ctx, int64_t row, struct str *out)
{
    const struct csv_table *t = ctx;
    str_addf(out, "%s: line %" PRId64, t->wish->file, t->lines[row]);
}

static int hand_over(struct csv_table *t, struct snapshot_builder *builder, struct err *err)
{
    CLEANUP(free) void *memory = mem_array((size_t)t->n_columns, sizeof(struct column));
    struct column *columns = memory;
    for (int c = 0; c < t->n_columns; c++)
        columns[c] = t->typed[c].column;
    CLEANUP(mem_free_chars) char *source = mem_printf("CSV file %s", t->wish->file);
    struct build_table table = {
        .name = t->wish->name,
        .source = source,
        .rows = t->rows,
        .n_columns = t->n_columns,
        .columns = columns,
        .time = t->time,
        .group = t->group,
        .key = t->key,
        .place = add_place,
        .place_ctx = t,
    };
    return build_add(builder, &table, err);
}

static int add_table(const struct source_table *wish, const struct source_options *options,
                     struct progress *progress, struct snapshot_builder *builder, struct err *err)
{
    CLEANUP(csv_table_deinit)
    struct csv_table t = {
        .wish = wish, .drop_null_time = options->drop_null_time, .progress = progress};
    int r = csv_read_file(wish->file, take_header, take_record, &t, err);
    if (r == 0)
        r = convert_columns(&t, err);
    if (r < 0)
        return r;
    if (t.dropped)
        log_warn("rows without time are left out", LOG_S("table", wish->name),
                 LOG_I("rows", t.dropped));
    return hand_over(&t, builder, err);
}

static int add(void *ctx, const struct source_table *table, const struct source_target *target,
               struct err *err)
{
    return add_table(table, target->options, ctx, target->builder, err);
}

int source_csv_create(const struct source_options *options, char ret_id[SHA256_HEX],
                      struct err *err)
{
    struct progress progress = {.fn = options->progress, .ctx = options->progress_ctx};
    struct source_driver driver = {.ctx = &progress, .add = add};
    for (int i = 0; i < options->n_tables; i++) {
        struct stat st;
        if (stat(options->tables[i].file, &st) == 0)
            progress.total += st.st_size;
    }
    int r = source_create(options, &driver, ret_id, err);
    if (r == 0 && progress.fn)
        progress.fn(progress.ctx, progress.total, progress.total);
    return r;
}

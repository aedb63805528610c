/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* source_csv.c - snapshots from CSV files.
 *
 * Rows are read into the text of each column. When the files end and all of that is still in
 * memory, which is the usual case, the columns are converted, as many at once as there are threads,
 * and given to the builder: a type is found from all values, and a column that turns out to be of
 * strings in its last line loses nothing.
 *
 * When it gets too large, the text that is there serves to narrow down the types, is forgotten, and
 * so is the next block, up to the end of the files. Then the types are known, the files are read
 * again, and each block is converted and given to an intake. Where the types are known from the
 * start, because they are declared or because rows are appended, one reading does. */
#include "source/source.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/date.h"
#include "base/log.h"
#include "base/utf8.h"
#include "snapshot/build_parts.h"
#include "source/csv_records.h"
#include "source/kept_fit.h"
#include "source/text_column.h"

enum { PROGRESS_BYTES = 1 << 20 };

struct progress {
    source_progress_fn *fn;
    void *ctx;
    int64_t before, told, total; /* before: bytes of the readings that are over */
};

static void progress_show(struct progress *p, int64_t done)
{
    done += p->before;
    if (!p->fn || done - p->told < PROGRESS_BYTES)
        return;
    p->told = done;
    p->total = done > p->total ? done : p->total; /* nobody knows the length of a pipe */
    p->fn(p->ctx, done, p->total);
}

/* What is done with a block of rows when it is full. */
enum stage {
    HOLD, /* it is the first, and perhaps the only one */
    SCAN, /* types are found */
    GIVE, /* types are known: it is converted */
};

/* The files of one table on their way into a snapshot. */
struct csv_table {
    const struct source_table *wish;
    const struct source_target *target;
    struct progress *progress;
    struct csv_records records;
    const struct source_type **types; /* declared ones, else NULL */
    int time, group, key;

    enum stage stage;
    bool again; /* the files are read a second time */
    int64_t max_bytes;

    /* The block. */
    struct text_column *texts;
    int64_t *lines; /* the file's line of each row */
    size_t lines_cap;
    int64_t rows, bytes;
    int64_t past;     /* rows before it */
    int64_t *file_at; /* for each file that was begun: its first row */
    int n_begun;

    char *source; /* for people */
    struct text_fit *fits;
    struct typed_column *typed;
    struct intake_column *columns;
    struct intake *intake;
};

static int n_columns(const struct csv_table *t)
{
    return t->records.n_columns;
}

static void csv_table_deinit(struct csv_table *t)
{
    for (int c = 0; t->texts && c < n_columns(t); c++) {
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
MEM_CLEANUP_VALUE(csv_table_deinit, struct csv_table);

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

static void add_place(void *ctx, int64_t row, struct str *out)
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

/* Chapter: the header, and what the options say of it. */

/* The number of a column that an option names. */
static int find_column(const struct csv_table *t, const char *option, const char *name, int *ret,
                       struct err *err)
{
    char **names = t->records.names;
    const char *file = csv_records_file(&t->records, 0);
    for (int c = 0; c < n_columns(t); c++) {
        if (strcmp(names[c], name) == 0) {
            *ret = c;
            return 0;
        }
    }
    const char *near = str_nearest(name, (const char *const *)names, (size_t)n_columns(t));
    if (near)
        return err_set(err, ERR_INPUT, "%s has no column '%s' (%s); did you mean '%s'?", file, name,
                       option, near);
    CLEANUP(str_deinit) struct str list = {0};
    for (int c = 0; c < n_columns(t); c++)
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

/* The column that this one goes on; NULL without --append. */
static const struct column *kept_column(const struct csv_table *t, int c)
{
    return t->target->kept ? &t->target->kept->intake.table->columns[c] : NULL;
}

/* Which types each column can have. */
static void begin_fits(struct csv_table *t)
{
    for (int c = 0; c < n_columns(t); c++) {
        const struct source_type *type = t->types[c];
        if (t->target->kept)
            t->fits[c] = kept_fit(kept_column(t, c), intake_kept_rows(&t->target->kept->intake),
                                  c == t->time, type);
        else if (type)
            t->fits[c] = text_fit_declared(type->type, type->scale);
        else
            t->fits[c] = c == t->time ? text_fit_time() : text_fit_found();
    }
}

/* Types are known: what is read from now on is given to an intake. */
static int begin_giving(struct csv_table *t, struct err *err)
{
    for (int c = 0; c < n_columns(t); c++) {
        const struct column *old = kept_column(t, c);
        struct intake_column *column = &t->columns[c];
        column->name = t->records.names[c];
        column->type = text_fit_type(&t->fits[c], &column->scale);
        if (old && !t->types[c])
            column->type = old->type;
        if (old && (!t->types[c] || t->types[c]->scale < 0))
            column->scale = old->scale;
    }
    struct intake_shape shape = {
        .name = t->wish->name,
        .source = t->source,
        .n_columns = n_columns(t),
        .columns = t->columns,
        .time = t->time,
        .group = t->group,
        .key = t->key,
        .memory = t->target->memory / 2,
        .kept = t->target->kept ? &t->target->kept->intake : NULL,
        .place = add_place,
        .place_ctx = t,
    };
    t->stage = GIVE;
    return intake_open(t->target->builder, &shape, &t->intake, err);
}

static int take_columns(void *ctx, struct err *err)
{
    struct csv_table *t = ctx;
    size_t n = (size_t)n_columns(t);
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
    if (r == 0)
        r = find_types(t, err);
    if (r < 0)
        return r;
    begin_fits(t);
    t->records.time = t->time;
    return t->target->kept ? begin_giving(t, err) : 0;
}

/* Chapter: values that are refused. */

static int refuse_value(const struct csv_table *t, int c, int64_t row, const char *form,
                        struct err *err)
{
    struct text value = text_column_at(&t->texts[c], row);
    size_t shown = utf8_valid_prefix(value.s, value.len < 80 ? (size_t)value.len : 80);
    return err_set(err, ERR_INPUT, "%s: line %" PRId64 ", column %s: '%.*s' is not %s",
                   file_of(t, t->past + row), t->lines[row], t->records.names[c], (int)shown,
                   value.s, form);
}

static const char *const time_form =
    "in the form of a time column: YYYY-MM-DD in every row, or YYYY-MM-DD HH:MM[:SS[.ffffff]] "
    "without zone in every row";

/* Chapter: a table that fits into memory. */

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
    return refuse_value(t, c, not_date > not_timestamp ? not_date : not_timestamp, time_form, err);
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
    t->typed[c].column.name = t->records.names[c];
    return r;
}

typedef int column_fn(struct csv_table *t, int c, struct err *err);

/* For all columns, as many at once as there are threads; the first failure in their order counts.
 */
static int each_column(struct csv_table *t, column_fn *fn, struct err *err)
{
    int n = n_columns(t);
    CLEANUP(free) void *memory = mem_zalloc((size_t)n * sizeof(struct err));
    struct err *errs = memory;
#pragma omp parallel for schedule(dynamic, 1)
    for (int c = 0; c < n; c++)
        fn(t, c, &errs[c]);
    for (int c = 0; c < n; c++) {
        if (errs[c].code)
            return err_set(err, errs[c].code, "%s", errs[c].text);
    }
    return 0;
}

static int add_whole(struct csv_table *t, struct err *err)
{
    int r = each_column(t, convert_column, err);
    if (r < 0)
        return r;
    CLEANUP(free) void *memory = mem_array((size_t)n_columns(t), sizeof(struct column));
    struct column *columns = memory;
    for (int c = 0; c < n_columns(t); c++)
        columns[c] = t->typed[c].column;
    struct build_table table = {
        .name = t->wish->name,
        .source = t->source,
        .rows = t->rows,
        .n_columns = n_columns(t),
        .columns = columns,
        .time = t->time,
        .group = t->group,
        .key = t->key,
        .place = add_place,
        .place_ctx = t,
    };
    return build_add(t->target->builder, &table, err);
}

/* Chapter: a table that comes block by block. */

static int scan_column(struct csv_table *t, int c, struct err *err)
{
    int64_t bad = text_fit_add(&t->fits[c], &t->texts[c]);
    if (bad < 0)
        return 0;
    const char *form = t->types[c] ? text_column_form(t->types[c]->type) : time_form;
    return refuse_value(t, c, bad, form, err);
}

static int refuse_given(const struct csv_table *t, int c, int64_t row, struct err *err)
{
    CLEANUP(str_deinit) struct str form = {0};
    str_addz(&form, text_column_form(t->columns[c].type));
    if (t->target->kept && !t->types[c])
        str_addz(&form,
                 ", as all values of that column in the snapshot to append to are; a snapshot "
                 "of everything, without --append, would give the column another type");
    else if (t->again)
        str_addz(&form, ", and it was when the file was read first: it has changed meanwhile");
    return refuse_value(t, c, row, form.s, err);
}

static int give_column(struct csv_table *t, int c, struct err *err)
{
    struct text_reading reading = t->fits[c].reading;
    if (t->target->kept)
        reading.max_places = t->columns[c].scale;
    int64_t bad = text_column_give(&t->texts[c], t->columns[c].type, reading, t->intake, c);
    if (bad >= 0)
        return refuse_given(t, c, bad, err);
    if (t->target->kept)
        text_fit_add(&t->fits[c], &t->texts[c]);
    return 0;
}

/* Declared types leave nothing to be found, but for the places of a decimal. */
static bool types_are_known(const struct csv_table *t)
{
    bool known = true;
    for (int c = 0; c < n_columns(t); c++) {
        const struct source_type *type = t->types[c];
        known &= type && (type->type != TYPE_DECIMAL || type->scale >= 0);
    }
    return known;
}

/* The block is full, or the files have ended. */
static int flush(struct csv_table *t, struct err *err)
{
    int r = 0;
    if (t->stage == HOLD && types_are_known(t))
        r = begin_giving(t, err);
    else if (t->stage == HOLD)
        t->stage = SCAN;
    if (r == 0)
        r = each_column(t, t->stage == SCAN ? scan_column : give_column, err);
    if (r == 0 && t->stage == GIVE)
        r = intake_rows(t->intake, t->rows, err);
    for (int c = 0; c < n_columns(t); c++)
        text_column_clear(&t->texts[c]);
    t->past += t->rows;
    t->rows = t->bytes = 0;
    return r;
}

static int take_row(void *ctx, const struct text *fields, int64_t line, struct err *err)
{
    struct csv_table *t = ctx;
    progress_show(t->progress, t->records.done);
    for (; t->n_begun <= t->records.file; t->n_begun++)
        t->file_at[t->n_begun] = t->past + t->rows;
    t->lines = mem_grow(t->lines, &t->lines_cap, (size_t)t->rows + 1, sizeof(*t->lines));
    t->lines[t->rows++] = line;
    int n = n_columns(t);
    for (int c = 0; c < n; c++) {
        text_column_add(&t->texts[c], fields[c]);
        t->bytes += fields[c].len;
    }
    t->bytes += (int64_t)sizeof(*t->lines) + n * (int64_t)(sizeof(*t->texts->len) + 1);
    return t->bytes < t->max_bytes ? 0 : flush(t, err);
}

static int read_files(struct csv_table *t, struct err *err)
{
    t->n_begun = 0;
    t->past = t->rows = t->bytes = 0;
    int r = csv_records_read(&t->records, take_columns, take_row, t, err);
    t->progress->before += t->records.done;
    return r;
}

/* The second reading, with all types known. */
static int give_all(struct csv_table *t, struct err *err)
{
    int64_t rows = t->past;
    t->again = true;
    t->progress->total += t->records.done;
    int r = begin_giving(t, err);
    if (r == 0)
        r = read_files(t, err);
    if (r == 0)
        r = flush(t, err);
    if (r == 0 && t->past != rows)
        r = err_set(err, ERR_INPUT, "%s has changed while it was read",
                    csv_records_file(&t->records, 0));
    return r;
}

/* Columns whose types nobody declared and no value shows. */
static int refuse_unknown(const struct csv_table *t, struct err *err)
{
    CLEANUP(str_deinit) struct str names = {0};
    for (int c = 0; c < n_columns(t); c++) {
        if (!t->types[c])
            str_addf(&names, "%s%s", names.len ? ", " : "", t->records.names[c]);
    }
    if (!names.len)
        return 0;
    return err_set(err, ERR_INPUT,
                   "%s has a header and no rows, so that the types of its columns cannot be found: "
                   "give a file with rows, or declare the types (COL:TYPE) of %s",
                   csv_records_file(&t->records, 0), names.s);
}

static int check_kept_types(const struct csv_table *t, struct err *err)
{
    int r = 0;
    for (int c = 0; r == 0 && c < n_columns(t); c++)
        r = kept_fit_check(&t->fits[c], kept_column(t, c), err);
    return r < 0 ? err_prefix(err, "table %s", t->wish->name) : 0;
}

/* Days of the old snapshot that are to be read again must be in the files: those that end a history
 * come in new files, and old days would be lost for good. */
static int check_reach(const struct csv_table *t, struct err *err)
{
    const struct intake_kept *kept = &t->target->kept->intake;
    const struct csv_records *r = &t->records;
    if (kept->days == kept->table->n_days)
        return 0;
    int64_t needed = kept->table->day[kept->days];
    if (r->any_day && r->first_day <= needed)
        return 0;
    char from[DATE_TEXT], first[DATE_TEXT];
    date_format(needed, from);
    if (r->any_day)
        date_format(r->first_day, first);
    return err_set(
        err, ERR_INPUT,
        "table %s: the snapshot to append to has rows of %s, which are read again, but %s "
        "%s %s: give files that begin there or earlier, or --since 0 to add only what comes "
        "after the last date",
        t->wish->name, from, csv_records_file(r, 0), r->any_day ? "begins at" : "has no",
        r->any_day ? first : "rows");
}

static int add_blocks(struct csv_table *t, struct err *err)
{
    int r = flush(t, err);
    if (r == 0 && t->stage == SCAN)
        r = give_all(t, err);
    if (r == 0 && t->target->kept)
        r = check_kept_types(t, err);
    if (r == 0 && t->target->kept)
        r = check_reach(t, err);
    return r < 0 ? r : intake_close(t->intake, err);
}

/* Chapter: all of it. */

static void take_kept_names(struct csv_table *t)
{
    const struct table *old = t->target->kept->intake.table;
    t->records.names = mem_array((size_t)old->n_columns, sizeof(char *));
    for (int c = 0; c < old->n_columns; c++)
        t->records.names[c] = mem_strdup(old->columns[c].name);
    t->records.n_columns = old->n_columns;
    t->records.has_cut = true;
    t->records.cut_day = t->target->kept->day;
}

static void tell_left_out(const struct csv_table *t)
{
    const char *name = t->wish->name;
    char day[DATE_TEXT];
    if (t->records.dropped)
        log_warn("rows without time are left out", LOG_S("table", name),
                 LOG_I("rows", t->records.dropped));
    if (!t->records.passed)
        return;
    date_format(t->records.cut_day, day);
    log_info("rows of earlier dates are passed over: the old snapshot has those dates",
             LOG_S("table", name), LOG_S("before", day), LOG_I("rows", t->records.passed));
}

static int add(void *ctx, const struct source_table *wish, const struct source_target *target,
               struct err *err)
{
    CLEANUP(csv_table_deinit)
    struct csv_table t = {
        .wish = wish,
        .target = target,
        .progress = ctx,
        .max_bytes = target->memory / 4,
        .records = {.wish = wish,
                    .spool_dir = build_dir(target->builder),
                    .drop_null_time = target->options->drop_null_time,
                    .time = -1},
    };
    t.file_at = mem_zalloc((size_t)csv_records_files(&t.records) * sizeof(*t.file_at));
    t.source = source_words(&t);
    if (target->kept)
        take_kept_names(&t);
    int r = read_files(&t, err);
    if (r < 0)
        return r;
    tell_left_out(&t);
    if (t.past + t.rows == 0 && !target->kept)
        r = refuse_unknown(&t, err);
    if (r < 0)
        return r;
    return t.stage == HOLD ? add_whole(&t, err) : add_blocks(&t, err);
}

/* Only regular files have a size; the others are counted as they come. */
static int64_t bytes_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;
}

int source_csv_create(const struct source_options *options, char ret_id[SHA256_HEX],
                      struct err *err)
{
    struct progress progress = {.fn = options->progress, .ctx = options->progress_ctx};
    struct source_driver driver = {.ctx = &progress, .add = add};
    for (int i = 0; i < options->n_tables; i++) {
        const struct source_table *table = &options->tables[i];
        progress.total += bytes_of(table->file);
        for (int f = 0; f < table->n_more_files; f++)
            progress.total += bytes_of(table->more_files[f]);
    }
    int r = source_create(options, &driver, ret_id, err);
    if (r == 0 && progress.fn)
        progress.fn(progress.ctx, progress.total, progress.total);
    return r;
}

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
#include "snapshot/build.h"
#include "source/csv_table.h"
#include "source/kept_fit.h"

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

static int n_columns(const struct csv_table *t)
{
    return t->records.n_columns;
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
    return csv_table_refuse(t, c, not_date > not_timestamp ? not_date : not_timestamp, time_form,
                            err);
}

static int convert_column(struct csv_table *t, int c, struct err *err)
{
    const struct source_type *type = t->types[c];
    int r = 0;
    if (type) {
        int64_t bad = text_column_convert(&t->texts[c], type->type, type->scale, &t->typed[c]);
        if (bad >= 0)
            r = csv_table_refuse(t, c, bad, text_column_form(type->type), err);
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
        .place = csv_table_place,
        .place_ctx = t,
    };
    return build_add(t->target->builder, &table, err);
}

/* Chapter: a table that comes block by block. */

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
        .place = csv_table_place,
        .place_ctx = t,
    };
    t->stage = GIVE;
    return intake_open(t->target->builder, &shape, &t->intake, err);
}

static int scan_column(struct csv_table *t, int c, struct err *err)
{
    int64_t bad = text_fit_add(&t->fits[c], &t->texts[c]);
    if (bad < 0)
        return 0;
    const char *form = t->types[c] ? text_column_form(t->types[c]->type) : time_form;
    return csv_table_refuse(t, c, bad, form, err);
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
    return csv_table_refuse(t, c, row, form.s, err);
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
    csv_table_clear(t);
    return r;
}

/* A table that is being read, and who wants to know how far it is. */
struct work {
    struct csv_table *table;
    struct progress *progress;
};

/* The text of a table that is all there and its values take about the same, one column's text being
 * freed when its values are there; later there is an intake beside the block. */
static int64_t block_bytes(const struct csv_table *t)
{
    return t->target->memory / (t->stage == HOLD ? 2 : 4);
}

static int take_row(void *ctx, const struct text *fields, int64_t line, struct err *err)
{
    struct work *work = ctx;
    struct csv_table *t = work->table;
    progress_show(work->progress, t->records.done);
    csv_table_add(t, fields, line);
    return t->bytes < block_bytes(t) ? 0 : flush(t, err);
}

static int take_columns(void *ctx, struct err *err)
{
    struct csv_table *t = ((struct work *)ctx)->table;
    int r = csv_table_columns(t, err);
    if (r < 0)
        return r;
    begin_fits(t);
    return t->target->kept ? begin_giving(t, err) : 0;
}

static int read_files(struct csv_table *t, struct progress *progress, struct err *err)
{
    struct work work = {t, progress};
    t->n_begun = 0;
    t->past = t->rows = t->bytes = 0;
    int r = csv_records_read(&t->records, take_columns, take_row, &work, err);
    progress->before += t->records.done;
    return r;
}

/* The second reading, with all types known. */
static int give_all(struct csv_table *t, struct progress *progress, struct err *err)
{
    int64_t rows = t->past;
    t->again = true;
    progress->total += t->records.done;
    int r = begin_giving(t, err);
    if (r == 0)
        r = read_files(t, progress, err);
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
    if (t->records.dropped)
        return err_set(err, ERR_INPUT,
                       "%s has no row with a time: all %" PRId64
                       " are dropped (--drop-null-time), so that the types of the columns cannot "
                       "be found; is '%s' the column of the time? If so, declare the types "
                       "(COL:TYPE) of %s",
                       csv_records_file(&t->records, 0), t->records.dropped, t->wish->time,
                       names.s);
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

static int add_blocks(struct csv_table *t, struct progress *progress, struct err *err)
{
    int r = flush(t, err);
    if (r == 0 && t->stage == SCAN)
        r = give_all(t, progress, err);
    if (r == 0 && t->target->kept)
        r = check_kept_types(t, err);
    if (r == 0 && t->target->kept)
        r = check_reach(t, err);
    return r < 0 ? r : intake_close(t->intake, err);
}

/* Chapter: all of it. */

/* Files that go back as far as the old snapshot should have as many rows of the dates that stay. */
static void compare_passed(const struct csv_table *t)
{
    const struct intake_kept *kept = &t->target->kept->intake;
    int64_t rows = intake_kept_rows(kept);
    if (t->records.first_day > kept->table->day[0] || t->records.passed == rows)
        return;
    log_warn("the old snapshot has another number of rows of these dates, which stay as they are "
             "there; --since N reads more of its last days again",
             LOG_S("table", t->wish->name), LOG_I("rows", rows));
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
    compare_passed(t);
}

static int add(void *ctx, const struct source_table *wish, const struct source_target *target,
               struct err *err)
{
    CLEANUP(csv_table_deinit) struct csv_table t;
    csv_table_init(&t, wish, target);
    int r = read_files(&t, ctx, err);
    if (r < 0)
        return r;
    tell_left_out(&t);
    if (t.past + t.rows == 0 && !target->kept)
        r = refuse_unknown(&t, err);
    if (r < 0)
        return r;
    return t.stage == HOLD ? add_whole(&t, err) : add_blocks(&t, ctx, err);
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

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* table_writer.c - checks, sorting, and the files of one table. */
#include "snapshot/table_writer.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/date.h"
#include "base/fs.h"
#include "base/utf8.h"
#include "codec/number.h"
#include "snapshot/column_writer.h"
#include "snapshot/sort.h"

/* Chapter: checks. */

int table_writer_refuse_null(const struct build_table *t, int column, int64_t row, struct err *err)
{
    bool is_time = column == t->time;
    CLEANUP(str_deinit) struct str place = {0};
    t->place(t->place_ctx, row, &place);
    return err_set(err, ERR_INPUT, "%s: the %s column %s is empty; %s", place.s,
                   is_time ? "time" : "key", t->columns[column].name,
                   is_time ? "fill it in, or leave such rows out (--drop-null-time)"
                           : "every row of a static table needs one");
}

/* A value for a message: not all of a long string. */
static void add_value(const struct column *c, int64_t row, struct str *out)
{
    char buf[NUMBER_TEXT]; /* room for dates and timestamps too */
    _Static_assert((int)NUMBER_TEXT >= (int)TIMESTAMP_TEXT, "");
    if (c->type == TYPE_STRING) {
        struct text text = dict_text(&c->dict, c->code[row]);
        str_add(out, text.s, utf8_valid_prefix(text.s, text.len < 100 ? (size_t)text.len : 100));
    } else if (c->type == TYPE_INT) {
        str_add(out, buf, number_i64(c->i[row], buf));
    } else if (c->type == TYPE_DATE) {
        str_add(out, buf, date_format(c->i[row], buf));
    } else if (c->type == TYPE_TIMESTAMP) {
        str_add(out, buf, timestamp_format(c->i[row], buf));
    } else {
        str_add(out, buf, number_f64(c->f[row], buf));
    }
}

int table_writer_refuse_twice(const struct build_table *t, const struct column *key,
                              int64_t key_row, int64_t first, int64_t second, struct err *err)
{
    CLEANUP(str_deinit) struct str a = {0}, b = {0}, value = {0};
    t->place(t->place_ctx, first, &a);
    t->place(t->place_ctx, second, &b);
    add_value(key, key_row, &value);
    return err_set(
        err, ERR_INPUT,
        "%s and %s: both have %s %s, and a key must be unique; remove one row, or name a "
        "time column if this is a history",
        a.s, b.s, key->name, value.s);
}

static int check_unique(const struct build_table *t, const int32_t *order, struct err *err)
{
    const struct column *key = &t->columns[t->key];
    for (int64_t i = 1; i < t->rows; i++) {
        int64_t a = order ? order[i - 1] : i - 1, b = order ? order[i] : i;
        if (sort_compare(key, a, b) == 0)
            return table_writer_refuse_twice(t, key, b, a, b, err);
    }
    return 0;
}

int table_writer_check_names(const struct build_table *t, struct err *err)
{
    int r = layout_check_name("table", t->name, err);
    for (int c = 0; r == 0 && c < t->n_columns; c++)
        r = layout_check_name("column", t->columns[c].name, err);
    return r;
}

static int check_table(const struct build_table *t, struct err *err)
{
    if (t->rows > INT32_MAX)
        return err_set(err, ERR_INPUT, "it has more than %d rows", INT32_MAX);
    int r = table_writer_check_names(t, err);
    if (r < 0)
        return r;
    int column = t->time >= 0 ? t->time : t->key;
    const struct column *c = &t->columns[column];
    const uint8_t *null = c->valid ? memchr(c->valid, 0, (size_t)t->rows) : NULL;
    return null ? table_writer_refuse_null(t, column, null - c->valid, err) : 0;
}

int table_writer_keys(const struct build_table *t, int *ret)
{
    int n = 0;
    ret[n++] = t->time >= 0 ? t->time : t->key;
    if (t->time >= 0 && t->group >= 0)
        ret[n++] = t->group;
    for (int i = 0; i < t->n_order; i++)
        ret[n++] = t->order[i];
    return n;
}

int32_t *table_writer_order(const struct build_table *t)
{
    CLEANUP(free) void *a = mem_array((size_t)t->n_order + 2, sizeof(int));
    CLEANUP(free) void *b = mem_array((size_t)t->n_order + 2, sizeof(struct column *));
    int *number = a;
    const struct column **keys = b;
    int n = table_writer_keys(t, number);
    for (int i = 0; i < n; i++)
        keys[i] = &t->columns[number[i]];
    return sort_rows(keys, n, t->rows);
}

/* Chapter: days. */

void table_days_add(struct table_days *d, enum type type, int64_t time, int64_t row)
{
    if (d->n > 0 && time == d->last)
        return;
    d->last = time;
    int64_t day = type == TYPE_DATE ? time : timestamp_day(time);
    if (d->n > 0 && d->day[d->n - 1] == day)
        return;
    d->day = mem_grow(d->day, &d->day_cap, (size_t)d->n + 1, sizeof(*d->day));
    d->start = mem_grow(d->start, &d->start_cap, (size_t)d->n + 1, sizeof(*d->start));
    d->day[d->n] = day;
    d->start[d->n++] = row;
}

void table_days_end(struct table_days *d, int64_t rows)
{
    d->start = mem_grow(d->start, &d->start_cap, (size_t)d->n + 1, sizeof(*d->start));
    d->start[d->n] = rows;
}

void table_days_deinit(struct table_days *d)
{
    free(d->day);
    free(d->start);
    *d = (struct table_days){0};
}

/* Chapter: writing a table. */

/* What belongs to one table until its files are written. */
struct job {
    const char *base;
    struct layout *layout;
    const struct table_contents *contents;
    const struct build_table *source;
    struct table *table;
    uint8_t (*links)[SHA256_BYTES];
    struct chain_spans spans;
    int64_t static_span[2];
    struct column_writer *writers;
    struct err *errs;
};

static void job_deinit(struct job *job)
{
    for (int c = 0; job->writers && c < job->source->n_columns; c++)
        column_writer_deinit(&job->writers[c]);
    free(job->writers);
    free(job->errs);
    free(job->links);
}
MEM_CLEANUP_VALUE(job_deinit, struct job);

/* A table of the layout with names, types and roles. */
static struct table *add_shape(struct layout *layout, const struct build_table *source)
{
    size_t n = (size_t)layout->n_tables + 1;
    layout->tables = mem_realloc(layout->tables, n * sizeof(*layout->tables));
    layout->sources = mem_realloc(layout->sources, n * sizeof(*layout->sources));
    layout->sources[layout->n_tables] = mem_strdup(source->source);
    struct table *table = &layout->tables[layout->n_tables++];
    *table = (struct table){
        .name = mem_strdup(source->name),
        .rows = source->rows,
        .n_columns = source->n_columns,
        .columns = mem_zalloc((size_t)source->n_columns * sizeof(*table->columns)),
        .time = source->time,
        .group = source->group,
        .key = source->key,
        .ties = source->ties ? mem_strdup(source->ties) : NULL,
    };
    for (int c = 0; c < source->n_columns; c++) {
        const struct column *column = &source->columns[c];
        table->columns[c] = (struct column){
            .name = mem_strdup(column->name),
            .type = column->type,
            .scale = column->scale,
            .rows = source->rows,
            .dict.n = column->dict.n,
            .max_chars = column->type == TYPE_STRING ? dict_max_chars(&column->dict) : 0,
        };
    }
    return table;
}

static int write_column(struct job *job, int c, struct err *err)
{
    struct column shape = job->source->columns[c];
    struct column_writer *w = &job->writers[c];
    shape.rows = job->source->rows;
    int r = column_writer_open(w, job->base, job->source->name, &shape, job->spans,
                               job->contents->kept_days, err);
    if (r == 0)
        r = job->contents->write(job->contents, c, w, err);
    return r < 0 ? r : column_writer_close(w, err);
}

/* All columns, as many at once as there are threads; the first failure in column order counts. */
static int write_columns(struct job *job, struct err *err)
{
    int n = job->source->n_columns;
    job->writers = mem_zalloc((size_t)n * sizeof(*job->writers));
    job->errs = mem_zalloc((size_t)n * sizeof(*job->errs));
#pragma omp parallel for schedule(dynamic, 1)
    for (int c = 0; c < n; c++)
        write_column(job, c, &job->errs[c]);
    for (int c = 0; c < n; c++) {
        if (job->errs[c].code)
            return err_set(err, job->errs[c].code, "%s", job->errs[c].text);
    }
    for (int c = 0; c < n; c++) {
        struct column_writer *w = &job->writers[c];
        job->table->columns[c].nullable = w->nullable;
        for (int f = 0; f < w->n_files; f++) {
            layout_add_file(job->layout, w->files[f]);
            w->files[f].path = NULL;
        }
    }
    return 0;
}

static int write_days_file(struct job *job, const char *what, const char *descr, int64_t rows,
                           int64_t columns, const void *data, size_t len, struct err *err)
{
    CLEANUP(mem_free_chars) char *relative = layout_days_file(job->table->name, what);
    struct layout_entry entry;
    int r = array_file_write(job->base, relative, descr, rows, columns, data, len, &entry, err);
    if (r == 0)
        layout_add_file(job->layout, entry);
    return r;
}

static int write_days(struct job *job, struct err *err)
{
    int64_t n = job->table->n_days;
    size_t bytes = (size_t)n * sizeof(int64_t);
    int r = write_days_file(job, "day", "<M8[D]", n, 0, job->table->day, bytes, err);
    if (r == 0)
        r = write_days_file(job, "start", "<i8", n + 1, 0, job->table->day_start,
                            bytes + sizeof(int64_t), err);
    if (r == 0)
        r = write_days_file(job, "chain", "|u1", n, SHA256_BYTES, job->links,
                            (size_t)n * SHA256_BYTES, err);
    return r;
}

static void link_days(struct job *job)
{
    int n = job->source->n_columns;
    uint8_t(**digests)[SHA256_BYTES] = mem_zalloc((size_t)n * sizeof(*digests));
    for (int c = 0; c < n; c++)
        digests[c] = job->writers[c].digests;
    job->links = mem_zalloc(((size_t)job->spans.n + 1) * sizeof(*job->links));
    int64_t kept = job->contents->kept_days;
    if (kept)
        memcpy(job->links, job->contents->kept->day_chain, (size_t)kept * SHA256_BYTES);
    chain_links(job->table, (uint8_t(*const *)[SHA256_BYTES])digests, kept, job->links);
    free(digests);
    if (job->spans.n > 0)
        memcpy(job->table->hash, job->links[job->spans.n - 1], SHA256_BYTES);
    else
        chain_schema(job->table, job->table->hash);
}

static int write_table(struct job *job, struct err *err)
{
    CLEANUP(mem_free_chars) char *name = layout_table_dir(job->source->name);
    CLEANUP(mem_free_chars) char *dir = fs_join(job->base, name);
    if (mkdir(dir, 0777) < 0)
        return err_set_errno(err, ERR_WRITE, errno, "cannot create %s", dir);
    job->table = add_shape(job->layout, job->source);
    if (job->contents->days) {
        job->table->n_days = job->contents->days->n;
        job->table->day = job->contents->days->day;
        job->table->day_start = job->contents->days->start;
    }
    job->spans = chain_spans(job->table, job->static_span);
    int r = write_columns(job, err);
    if (r < 0)
        return r;
    link_days(job);
    r = job->source->time >= 0 ? write_days(job, err) : 0;
    job->table->day = job->table->day_start = NULL; /* borrowed, and gone soon */
    return r;
}

int table_writer_put(const char *base, const struct table_contents *contents, struct layout *layout,
                     struct err *err)
{
    CLEANUP(job_deinit)
    struct job job = {
        .base = base, .layout = layout, .contents = contents, .source = contents->table};
    return write_table(&job, err);
}

/* Chapter: a table that is in memory. */

/* Rows order[first .. first + block->rows) of c into the block's own memory. */
static void fill_block(const struct column *c, const int32_t *order, int64_t first,
                       struct column *block)
{
    order += first;
    for (int64_t i = 0; i < block->rows; i++) {
        if (c->type == TYPE_STRING)
            block->code[i] = c->code[order[i]];
        else
            block->i[i] = c->i[order[i]];
    }
    for (int64_t i = 0; c->valid && i < block->rows; i++)
        block->valid[i] = c->valid[order[i]];
}

static int write_from_memory(const struct table_contents *self, int column, struct column_writer *w,
                             struct err *err)
{
    const struct column *c = &self->table->columns[column];
    const int32_t *order = self->rows; /* NULL: as they are */
    CLEANUP(column_deinit) struct column room = {0};
    if (order)
        column_alloc(&room, c->type, TABLE_BLOCK_ROWS, c->valid != NULL);
    int r = 0;
    for (int64_t first = 0; r == 0 && first < c->rows; first += TABLE_BLOCK_ROWS) {
        int64_t n = c->rows - first < TABLE_BLOCK_ROWS ? c->rows - first : TABLE_BLOCK_ROWS;
        struct column block = column_slice(order ? &room : c, order ? 0 : first, n);
        block.dict = c->dict;
        if (order)
            fill_block(c, order, first, &block);
        r = column_writer_add(w, &block, err);
    }
    return r;
}

MEM_CLEANUP_VALUE(table_days_deinit, struct table_days);

int table_writer_write(const char *base, const struct build_table *table, struct layout *layout,
                       struct err *err)
{
    int r = check_table(table, err);
    if (r < 0)
        return r;
    CLEANUP(free) void *memory = table_writer_order(table);
    CLEANUP(table_days_deinit) struct table_days days = {0};
    const int32_t *order = memory;
    if (table->time < 0 && (r = check_unique(table, order, err)) < 0)
        return r;
    const struct column *time = table->time >= 0 ? &table->columns[table->time] : NULL;
    for (int64_t i = 0; time && i < table->rows; i++)
        table_days_add(&days, time->type, time->i[order ? order[i] : i], i);
    table_days_end(&days, table->rows);
    struct table_contents contents = {
        .table = table, .days = time ? &days : NULL, .write = write_from_memory, .rows = order};
    return table_writer_put(base, &contents, layout, err);
}

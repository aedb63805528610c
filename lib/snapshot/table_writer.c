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

enum { BLOCK_ROWS = 65536 };

/* Chapter: checks. */

static int check_present(const struct build_table *t, int column, const char *role,
                         const char *way_out, struct err *err)
{
    const struct column *c = &t->columns[column];
    const uint8_t *null = c->valid ? memchr(c->valid, 0, (size_t)t->rows) : NULL;
    if (!null)
        return 0;
    CLEANUP(str_deinit) struct str place = {0};
    t->place(t->place_ctx, null - c->valid, &place);
    return err_set(err, ERR_INPUT, "%s: the %s column %s is empty; %s", place.s, role, c->name,
                   way_out);
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

static int check_unique(const struct build_table *t, const int32_t *order, struct err *err)
{
    const struct column *key = &t->columns[t->key];
    for (int64_t i = 1; i < t->rows; i++) {
        int64_t a = order ? order[i - 1] : i - 1, b = order ? order[i] : i;
        if (sort_compare(key, a, b) != 0)
            continue;
        CLEANUP(str_deinit) struct str first = {0}, second = {0}, value = {0};
        t->place(t->place_ctx, a, &first);
        t->place(t->place_ctx, b, &second);
        add_value(key, b, &value);
        return err_set(
            err, ERR_INPUT,
            "%s and %s: both have %s %s, and a key must be unique; remove one row, or name a "
            "time column if this is a history",
            first.s, second.s, key->name, value.s);
    }
    return 0;
}

static int check_table(const struct build_table *t, struct err *err)
{
    if (t->rows > INT32_MAX)
        return err_set(err, ERR_INPUT, "it has more than %d rows", INT32_MAX);
    int r = layout_check_name("table", t->name, err);
    for (int c = 0; r == 0 && c < t->n_columns; c++)
        r = layout_check_name("column", t->columns[c].name, err);
    if (r < 0)
        return r;
    if (t->time >= 0)
        return check_present(t, t->time, "time",
                             "fill it in, or leave such rows out (--drop-null-time)", err);
    return check_present(t, t->key, "key", "every row of a static table needs one", err);
}

static int32_t *order_of(const struct build_table *t)
{
    const struct column *keys[2];
    int n = 0;
    if (t->time < 0)
        keys[n++] = &t->columns[t->key];
    else
        keys[n++] = &t->columns[t->time];
    if (t->time >= 0 && t->group >= 0)
        keys[n++] = &t->columns[t->group];
    return sort_rows(keys, n, t->rows);
}

/* Chapter: writing a table. */

/* What belongs to one table until its files are written. */
struct job {
    const char *base;
    struct layout *layout;
    const struct build_table *source;
    int32_t *order; /* NULL: as it is */
    struct table *table;
    int64_t *day, *day_start;
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
    free(job->order);
    free(job->day);
    free(job->day_start);
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

/* The days that the sorted time column runs through, and where each begins. */
static void find_days(struct job *job)
{
    const struct column *time = &job->source->columns[job->source->time];
    size_t cap = 0, cap_start = 0;
    int64_t n = 0, rows = job->source->rows;
    for (int64_t i = 0; i < rows; i++) {
        int64_t value = time->i[job->order ? job->order[i] : i];
        int64_t day = time->type == TYPE_DATE ? value : timestamp_day(value);
        if (n > 0 && job->day[n - 1] == day)
            continue;
        job->day = mem_grow(job->day, &cap, (size_t)n + 1, sizeof(*job->day));
        job->day_start =
            mem_grow(job->day_start, &cap_start, (size_t)n + 1, sizeof(*job->day_start));
        job->day[n] = day;
        job->day_start[n++] = i;
    }
    job->day_start = mem_grow(job->day_start, &cap_start, (size_t)n + 1, sizeof(*job->day_start));
    job->day_start[n] = rows;
    job->table->n_days = n;
    job->table->day = job->day;
    job->table->day_start = job->day_start;
}

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

static int write_blocks(struct column_writer *w, const struct column *c, const int32_t *order,
                        struct err *err)
{
    CLEANUP(column_deinit) struct column room = {0};
    if (order)
        column_alloc(&room, c->type, BLOCK_ROWS, c->valid != NULL);
    int r = 0;
    for (int64_t first = 0; r == 0 && first < c->rows; first += BLOCK_ROWS) {
        int64_t n = c->rows - first < BLOCK_ROWS ? c->rows - first : BLOCK_ROWS;
        struct column block = column_slice(order ? &room : c, order ? 0 : first, n);
        block.dict = c->dict;
        if (order)
            fill_block(c, order, first, &block);
        r = column_writer_add(w, &block, err);
    }
    return r;
}

static int write_column(struct job *job, int c, struct err *err)
{
    const struct column *column = &job->source->columns[c];
    struct column_writer *w = &job->writers[c];
    int r = column_writer_open(w, job->base, job->source->name, column, job->spans, err);
    if (r == 0)
        r = write_blocks(w, column, job->order, err);
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
    int r = write_days_file(job, "day", "<M8[D]", n, 0, job->day, bytes, err);
    if (r == 0)
        r = write_days_file(job, "start", "<i8", n + 1, 0, job->day_start, bytes + sizeof(int64_t),
                            err);
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
    chain_links(job->table, (uint8_t(*const *)[SHA256_BYTES])digests, job->links);
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
    if (job->source->time >= 0)
        find_days(job);
    job->spans = chain_spans(job->table, job->static_span);
    int r = write_columns(job, err);
    if (r < 0)
        return r;
    link_days(job);
    r = job->source->time >= 0 ? write_days(job, err) : 0;
    job->table->day = job->table->day_start = NULL; /* the job's, and gone with it */
    return r;
}

int table_writer_write(const char *base, const struct build_table *table, struct layout *layout,
                       struct err *err)
{
    CLEANUP(job_deinit) struct job job = {.base = base, .layout = layout, .source = table};
    int r = check_table(table, err);
    if (r < 0)
        return r;
    job.order = order_of(table);
    if (table->time < 0)
        r = check_unique(table, job.order, err);
    return r < 0 ? r : write_table(&job, err);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* intake.c - growing columns, and what becomes of them when they have grown too much, or when all
 * rows are in. */
#include "snapshot/intake.h"

#include <stdio.h>
#include <string.h>

#include "base/date.h"

#include "snapshot/build_parts.h"
#include "snapshot/dictionary.h"
#include "snapshot/merge.h"
#include "snapshot/run.h"
#include "snapshot/table_writer.h"

/* A column that grows. Of strings the codes are those of dict, which is sorted later. */
struct buffer {
    enum type type;
    int64_t rows;
    size_t cap;
    union {
        void *data;
        int64_t *i;
        double *f;
        int32_t *code;
    };
    uint8_t *valid; /* cap flags; NULL: no nulls so far */
    struct dictionary dict;
};

struct intake {
    struct snapshot_builder *builder;
    struct intake_shape shape;
    struct build_table table; /* the shape as the writer wants it; its columns are owned */
    struct column *columns;
    struct buffer *buffers;
    int64_t rows; /* in the buffers */
    int64_t past; /* in the runs */
    struct spool spool;
    int n_runs;
    struct run **runs;
    size_t runs_cap;
};

/* Chapter: one value. */

static void grow(struct buffer *b)
{
    size_t cap = b->cap;
    b->data = mem_grow(b->data, &b->cap, (size_t)b->rows + 1, type_bytes(b->type));
    if (b->valid && b->cap != cap)
        b->valid = mem_realloc(b->valid, b->cap);
}

/* Room for a value more; where there have been nulls, or this is one, it says which. */
static int64_t next_row(struct buffer *b, bool valid)
{
    if ((size_t)b->rows >= b->cap)
        grow(b);
    if (!valid && !b->valid) {
        b->valid = mem_alloc(b->cap);
        memset(b->valid, 1, (size_t)b->rows);
    }
    if (b->valid)
        b->valid[b->rows] = valid;
    return b->rows++;
}

void intake_int(struct intake *in, int column, int64_t value)
{
    struct buffer *b = &in->buffers[column];
    int64_t row = next_row(b, true);
    b->i[row] = value;
}

void intake_float(struct intake *in, int column, double value)
{
    struct buffer *b = &in->buffers[column];
    int64_t row = next_row(b, true);
    b->f[row] = value == 0 ? 0 : value; /* not -0 */
}

void intake_text(struct intake *in, int column, struct text value)
{
    struct buffer *b = &in->buffers[column];
    int64_t row = next_row(b, true);
    b->code[row] = dictionary_add(&b->dict, value);
}

void intake_null(struct intake *in, int column)
{
    struct buffer *b = &in->buffers[column];
    int64_t row = next_row(b, false);
    if (b->type == TYPE_STRING)
        b->code[row] = 0;
    else
        b->i[row] = 0;
}

/* Chapter: life cycle. */

static int refuse_other(const char *what, const char *now, const char *old, struct err *err)
{
    return err_set(err, ERR_INPUT,
                   "%s %s here and %s in the snapshot to append to; that would change every day's "
                   "hash: make a snapshot of everything, without --append",
                   what, now, old);
}

static void type_words(enum type type, int scale, struct str *out)
{
    str_addz(out, type_name(type));
    if (type == TYPE_DECIMAL)
        str_addf(out, "(%d)", scale);
}

static int check_kept_column(const struct column *new, const struct column *old, struct err *err)
{
    if (strcmp(new->name, old->name) != 0)
        return refuse_other("a column is", new->name, old->name, err);
    if (new->type == old->type && (new->type != TYPE_DECIMAL || new->scale == old->scale))
        return 0;
    CLEANUP(str_deinit) struct str a = {0}, b = {0};
    CLEANUP(mem_free_chars) char *what = mem_printf("column %s is", new->name);
    type_words(new->type, new->scale, &a);
    type_words(old->type, old->scale, &b);
    return refuse_other(what, a.s, b.s, err);
}

static int check_kept(const struct intake *in, struct err *err)
{
    const struct table *old = in->shape.kept->table;
    char now[24], then[24];
    snprintf(now, sizeof(now), "%d", in->table.n_columns);
    snprintf(then, sizeof(then), "%d", old->n_columns);
    if (in->table.n_columns != old->n_columns)
        return refuse_other("the number of columns is", now, then, err);
    int r = 0;
    for (int c = 0; r == 0 && c < old->n_columns; c++)
        r = check_kept_column(&in->columns[c], &old->columns[c], err);
    if (r == 0 && (in->table.time != old->time || in->table.group != old->group))
        r = refuse_other("time or group is one column", "", "another", err);
    return r;
}

static int check_shape(const struct intake *in, struct err *err)
{
    const struct intake_shape *s = &in->shape;
    int r = table_writer_check_names(&in->table, err);
    if (r == 0 && s->kept)
        r = check_kept(in, err);
    if (r < 0 || s->time < 0)
        return r;
    enum type type = s->columns[s->time].type;
    if (type == TYPE_DATE || type == TYPE_TIMESTAMP)
        return 0;
    return err_set(err, ERR_INPUT,
                   "the time column %s is of type %s, and must be date or timestamp",
                   s->columns[s->time].name, type_name(type));
}

int intake_open(struct snapshot_builder *builder, const struct intake_shape *shape,
                struct intake **ret, struct err *err)
{
    CLEANUP(intake_free) struct intake *in = MEM_NEW(struct intake);
    size_t n = (size_t)shape->n_columns;
    in->builder = builder;
    in->spool = SPOOL_NONE;
    in->shape = *shape;
    in->columns = mem_zalloc(n * sizeof(*in->columns));
    in->buffers = mem_zalloc(n * sizeof(*in->buffers));
    for (int c = 0; c < shape->n_columns; c++) {
        in->buffers[c].type = shape->columns[c].type;
        in->columns[c] = (struct column){.name = shape->columns[c].name,
                                         .type = shape->columns[c].type,
                                         .scale = shape->columns[c].scale};
    }
    in->table = (struct build_table){
        .name = shape->name,
        .source = shape->source,
        .n_columns = shape->n_columns,
        .columns = in->columns,
        .time = shape->time,
        .group = shape->group,
        .key = shape->key,
        .order = shape->order,
        .n_order = shape->n_order,
        .ties = shape->ties,
        .place = shape->place,
        .place_ctx = shape->place_ctx,
    };
    int r = check_shape(in, err);
    if (r < 0)
        return err_prefix(err, "table %s", shape->name);
    *ret = in;
    in = NULL;
    return 0;
}

void intake_free(struct intake *in)
{
    if (!in)
        return;
    for (int c = 0; c < in->shape.n_columns; c++) {
        free(in->buffers[c].data);
        free(in->buffers[c].valid);
        dictionary_deinit(&in->buffers[c].dict);
    }
    for (int i = 0; i < in->n_runs; i++)
        run_free(in->runs[i]);
    free(in->runs);
    spool_deinit(&in->spool);
    free(in->buffers);
    free(in->columns);
    free(in);
}

/* Chapter: runs. */

/* The buffer as a column with sorted dictionary. */
static void settle_column(struct intake *in, int c)
{
    struct buffer *b = &in->buffers[c];
    struct column *column = &in->columns[c];
    column->rows = in->rows;
    column->data = b->data;
    column->valid = b->valid;
    column->nullable = b->valid != NULL;
    if (b->type != TYPE_STRING)
        return;
    int32_t *final = dictionary_sort(&b->dict);
    for (int64_t row = 0; row < in->rows; row++) {
        if (!column_is_null(column, row))
            b->code[row] = final[b->code[row]];
    }
    free(final);
    column->dict = dictionary_view(&b->dict);
}

static void settle_columns(struct intake *in)
{
#pragma omp parallel for schedule(dynamic, 1)
    for (int c = 0; c < in->shape.n_columns; c++)
        settle_column(in, c);
    in->table.rows = in->rows;
}

/* What the rows take, and will take while they are sorted. Of a distinct string: its hash slots,
 * its offset, and what dictionary_sort makes for it. */
static int64_t memory_used(const struct intake *in)
{
    enum { SORTING_ROW = 36, STRING = 104 };
    int64_t bytes = in->rows * SORTING_ROW;
    for (int c = 0; c < in->shape.n_columns; c++) {
        const struct buffer *b = &in->buffers[c];
        bytes += in->rows * (int64_t)(type_bytes(b->type) + (b->valid != NULL));
        bytes += 2 * (int64_t)b->dict.bytes.len + STRING * (int64_t)b->dict.n;
    }
    return bytes;
}

/* The rows in the buffers become a run on disk, and the buffers are empty. */
static int spool_run(struct intake *in, struct err *err)
{
    int r = in->n_runs ? 0 : spool_open(&in->spool, build_dir(in->builder), err);
    if (r < 0)
        return r;
    settle_columns(in);
    in->runs = mem_grow(in->runs, &in->runs_cap, (size_t)in->n_runs + 1, sizeof(struct run *));
    r = run_write(&in->table, in->past, &in->spool, &in->runs[in->n_runs], err);
    if (r < 0)
        return r;
    in->n_runs++;
    in->past += in->rows;
    in->rows = 0;
    for (int c = 0; c < in->shape.n_columns; c++) {
        struct buffer *b = &in->buffers[c];
        dictionary_deinit(&b->dict);
        free(b->valid);
        b->valid = NULL;
        b->rows = 0;
    }
    return 0;
}

/* Chapter: rows. */

/* Kept days end before the first row that comes. */
static int check_after_kept(const struct intake *in, int64_t n, struct err *err)
{
    const struct intake_kept *kept = in->shape.kept;
    if (!kept || kept->days == 0)
        return 0;
    int64_t last = kept->table->day[kept->days - 1];
    const struct buffer *time = &in->buffers[in->shape.time];
    for (int64_t row = in->rows; row < in->rows + n; row++) {
        int64_t day = time->type == TYPE_DATE ? time->i[row] : timestamp_day(time->i[row]);
        if (day > last)
            continue;
        CLEANUP(str_deinit) struct str place = {0};
        char text[DATE_TEXT];
        date_format(last, text);
        in->shape.place(in->shape.place_ctx, in->past + row, &place);
        return err_set(err, ERR_INPUT,
                       "%s: its day is not after %s, and the rows up to then are kept", place.s,
                       text);
    }
    return 0;
}

static int check_rows(const struct intake *in, int64_t n, struct err *err)
{
    const struct intake_shape *s = &in->shape;
    int64_t kept = s->kept ? intake_kept_rows(s->kept) : 0;
    if (kept + in->past + in->rows + n > INT32_MAX)
        return err_set(err, ERR_INPUT, "it has more than %d rows", INT32_MAX);
    int role = s->time >= 0 ? s->time : s->key;
    const uint8_t *valid = in->buffers[role].valid;
    const uint8_t *null = valid ? memchr(valid + in->rows, 0, (size_t)n) : NULL;
    if (null)
        return table_writer_refuse_null(&in->table, role, in->past + (null - valid), err);
    return check_after_kept(in, n, err);
}

int intake_rows(struct intake *in, int64_t n, struct err *err)
{
    int r = check_rows(in, n, err);
    in->rows += n;
    if (r == 0 && in->shape.memory > 0 && memory_used(in) >= in->shape.memory)
        r = spool_run(in, err);
    return r < 0 ? err_prefix(err, "table %s", in->shape.name) : 0;
}

/* The runs and what is still in memory, in order of arrival. */
static int merge_all(struct intake *in, struct err *err)
{
    CLEANUP(free) void *parts_memory = mem_array((size_t)in->n_runs + 1, sizeof(struct merge_part));
    CLEANUP(free) void *order_memory = table_writer_order(&in->table);
    struct merge_part *parts = parts_memory;
    int r = in->n_runs ? spool_map(&in->spool, err) : 0;
    if (r < 0)
        return r;
    for (int i = 0; i < in->n_runs; i++)
        parts[i] = run_part(in->runs[i], &in->spool);
    parts[in->n_runs] = (struct merge_part){
        .rows = in->rows,
        .columns = in->columns,
        .order = order_memory,
        .first = in->past,
        .arrival = order_memory,
    };
    return merge_write(build_dir(in->builder), &in->table, in->shape.kept, parts, in->n_runs + 1,
                       &in->spool, build_layout(in->builder), err);
}

int intake_close(struct intake *in, struct err *err)
{
    settle_columns(in);
    if (in->n_runs == 0 && !in->shape.kept)
        return build_add(in->builder, &in->table, err);
    int r = merge_all(in, err);
    return r < 0 ? err_prefix(err, "table %s", in->shape.name) : 0;
}

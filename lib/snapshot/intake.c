/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* intake.c - growing columns, and what happens to them when all rows are in. */
#include "snapshot/intake.h"

#include <string.h>

#include "snapshot/build_parts.h"
#include "snapshot/dictionary.h"
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

static int check_shape(const struct intake *in, struct err *err)
{
    const struct intake_shape *s = &in->shape;
    int r = table_writer_check_names(&in->table, err);
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
    free(in->buffers);
    free(in->columns);
    free(in);
}

/* Chapter: rows. */

int intake_rows(struct intake *in, int64_t n, struct err *err)
{
    const struct intake_shape *s = &in->shape;
    int role = s->time >= 0 ? s->time : s->key;
    const uint8_t *valid = in->buffers[role].valid;
    const uint8_t *null = valid ? memchr(valid + in->rows, 0, (size_t)n) : NULL;
    if (null) {
        table_writer_refuse_null(&in->table, role, null - valid, err);
        return err_prefix(err, "table %s", s->name);
    }
    in->rows += n;
    if (in->rows > INT32_MAX)
        return err_set(err, ERR_INPUT, "table %s has more than %d rows", s->name, INT32_MAX);
    return 0;
}

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

int intake_close(struct intake *in, struct err *err)
{
    settle_columns(in);
    return build_add(in->builder, &in->table, err);
}

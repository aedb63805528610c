/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* column.c - typed columns, their dictionaries, and frames of them. */
#include "codec/column.h"

#include "base/utf8.h"

const char *type_name(enum type type)
{
    switch (type) {
    case TYPE_NULL:
        return "null";
    case TYPE_BOOL:
        return "bool";
    case TYPE_INT:
        return "integer";
    case TYPE_DECIMAL:
        return "decimal";
    case TYPE_FLOAT:
        return "float";
    case TYPE_DATE:
        return "date";
    case TYPE_TIMESTAMP:
        return "timestamp";
    case TYPE_STRING:
        return "string";
    }
    return "unknown";
}

bool type_is_number(enum type type)
{
    return type == TYPE_BOOL || type == TYPE_INT || type == TYPE_DECIMAL || type == TYPE_FLOAT;
}

size_t type_bytes(enum type type)
{
    switch (type) {
    case TYPE_NULL:
    case TYPE_BOOL:
        return 1;
    case TYPE_STRING:
        return sizeof(int32_t);
    default:
        return sizeof(int64_t);
    }
}

int text_compare(struct text a, struct text b)
{
    int64_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.s, b.s, (size_t)len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

int32_t dict_find(const struct dict *d, struct text t)
{
    int32_t low = 0, high = d->n;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        int order = text_compare(dict_text(d, middle), t);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

int32_t dict_max_chars(const struct dict *d)
{
    int64_t most = 0;
    for (int32_t i = 0; i < d->n; i++) {
        struct text t = dict_text(d, i);
        if (t.len <= most) /* never more characters than bytes */
            continue;
        int64_t chars = utf8_chars(t.s, (size_t)t.len);
        most = chars > most ? chars : most;
    }
    return most < INT32_MAX ? (int32_t)most : INT32_MAX;
}

double column_f64(const struct column *c, int64_t row)
{
    switch (c->type) {
    case TYPE_BOOL:
        return c->b[row];
    case TYPE_DECIMAL:
    case TYPE_FLOAT:
        return c->f[row];
    case TYPE_INT:
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
        return (double)c->i[row];
    default:
        return 0;
    }
}

/* One block: the values, then `valid`. */
void column_alloc(struct column *ret, enum type type, int64_t rows, bool with_valid)
{
    size_t bytes;
    size_t each = type_bytes(type) + with_valid;
    if (rows < 0 || __builtin_mul_overflow((size_t)rows, each, &bytes))
        mem_exhausted();
    uint8_t *block = mem_zalloc(bytes);
    *ret = (struct column){
        .type = type,
        .rows = rows,
        .data = block,
        .valid = with_valid ? block + (size_t)rows * type_bytes(type) : NULL,
        .nullable = with_valid,
        .own = block,
    };
}

void column_deinit(struct column *c)
{
    if (!c)
        return;
    free(c->own);
    *c = (struct column){0};
}

struct column column_slice(const struct column *c, int64_t first, int64_t n)
{
    struct column view = *c;
    view.rows = n;
    view.own = NULL;
    if (c->data)
        view.data = (uint8_t *)c->data + (size_t)first * type_bytes(c->type);
    if (c->valid)
        view.valid = c->valid + first;
    return view;
}

void column_take(const struct column *c, const int32_t *rows, int64_t n, struct column *ret)
{
    size_t size = type_bytes(c->type);
    struct column out;
    column_alloc(&out, c->type, n, c->valid != NULL);
    for (int64_t i = 0; i < n; i++) {
        memcpy((uint8_t *)out.data + (size_t)i * size,
               (const uint8_t *)c->data + (size_t)rows[i] * size, size);
        if (c->valid)
            out.valid[i] = c->valid[rows[i]];
    }
    out.name = c->name;
    out.scale = c->scale;
    out.dict = c->dict;
    out.nullable = c->nullable;
    out.max_chars = c->max_chars;
    *ret = out;
}

void frame_deinit(struct frame *frame)
{
    if (!frame)
        return;
    for (int i = 0; i < frame->n_columns; i++)
        column_deinit(&frame->columns[i]);
    free(frame->columns);
    *frame = (struct frame){0};
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* plan_value.c - single values into columns: answers of calculations, copies, fillings. */
#include "features/plan_parts.h"

#include <math.h>
#include <string.h>

#include "base/date.h"

void value_null(struct column *dst, int64_t to)
{
    memset((char *)dst->data + (size_t)to * type_bytes(dst->type), 0, type_bytes(dst->type));
    dst->valid[to] = 0;
}

/* Results that are not finite are null, and there is one zero. */
static void store_f64(struct column *dst, int64_t to, double value)
{
    dst->f[to] = isfinite(value) ? value + 0.0 : 0;
    dst->valid[to] = isfinite(value);
}

void value_copy(struct column *dst, int64_t to, const struct column *src, int64_t from)
{
    if (column_is_null(src, from)) {
        value_null(dst, to);
        return;
    }
    dst->valid[to] = 1;
    switch (type_bytes(dst->type)) {
    case 1:
        dst->b[to] = src->b[from];
        return;
    case 4:
        dst->code[to] = src->code[from];
        return;
    default:
        dst->i[to] = src->i[from];
    }
}

void value_store(struct column *dst, int64_t to, enum calc_result result, union calc_value value,
                 const struct column *arg)
{
    if (result == RESULT_ROW && dst->type == TYPE_FLOAT && arg->type == TYPE_INT) {
        if (column_is_null(arg, value.i))
            value_null(dst, to);
        else
            store_f64(dst, to,
                      (double)arg->i[value.i]); /* a fraction as `fill` made the column float */
    } else if (result == RESULT_ROW) {
        value_copy(dst, to, arg, value.i);
    } else if (dst->type == TYPE_INT) {
        dst->i[to] = value.i;
        dst->valid[to] = 1;
    } else {
        store_f64(dst, to, value.f);
    }
}

static int64_t fill_integer(const struct plan_feature *f)
{
    const struct spec_fill *fill = &f->spec->fill;
    int64_t value = 0;
    if (fill->type == JSON_STRING && f->shape.type == TYPE_DATE)
        date_parse(fill->text, strlen(fill->text), &value);
    else if (fill->type == JSON_STRING)
        timestamp_parse(fill->text, strlen(fill->text), &value);
    else
        value = (int64_t)fill->number;
    return value;
}

void value_fill_dict(const struct dict *from, const char *fill, struct filled_dict *ret)
{
    struct text text = {fill, (int64_t)strlen(fill)};
    int32_t n = from->n, at = 0;
    while (at < n && text_compare(dict_text(from, at), text) < 0)
        at++;
    bool there = at < n && text_compare(dict_text(from, at), text) == 0;
    int64_t bytes = n ? from->offsets[n] : 0, before = n ? from->offsets[at] : 0,
            more = there ? 0 : text.len;
    int64_t *offsets = MEM_ARRAY(int64_t, (size_t)n + 2);
    char *joined = mem_alloc((size_t)(bytes + more) + 1);
    offsets[0] = 0;
    for (int32_t k = 1; k <= n + !there; k++)
        offsets[k] = there || k <= at ? from->offsets[k] : (n ? from->offsets[k - 1] : 0) + more;
    if (before)
        memcpy(joined, from->bytes, (size_t)before);
    memcpy(joined + before, text.s, (size_t)more);
    if (bytes > before)
        memcpy(joined + before + more, from->bytes + before, (size_t)(bytes - before));
    *ret = (struct filled_dict){.dict = {n + !there, offsets, joined}, .code = at, .grown = !there};
}

void filled_dict_deinit(struct filled_dict *filled)
{
    free((void *)(uintptr_t)filled->dict.offsets);
    free((void *)(uintptr_t)filled->dict.bytes);
    *filled = (struct filled_dict){0};
}

void value_own_dict(struct column *c)
{
    size_t rows = (size_t)c->rows, bytes = (size_t)(c->dict.n ? c->dict.offsets[c->dict.n] : 0);
    size_t offsets_bytes = ((size_t)c->dict.n + 1) * sizeof(int64_t);
    char *block = mem_zalloc(offsets_bytes + rows * (sizeof(int32_t) + 1) + bytes + 1);
    int64_t *offsets = (int64_t *)block;
    int32_t *codes = (int32_t *)(block + offsets_bytes);
    uint8_t *valid = (uint8_t *)(codes + rows);
    char *texts = (char *)valid + rows;
    if (c->dict.n)
        memcpy(offsets, c->dict.offsets, offsets_bytes);
    memcpy(codes, c->code, rows * sizeof *codes);
    if (c->valid)
        memcpy(valid, c->valid, rows);
    if (bytes)
        memcpy(texts, c->dict.bytes, bytes);
    free(c->own);
    c->own = block;
    c->code = codes;
    c->valid = c->valid ? valid : NULL;
    c->dict.offsets = offsets;
    c->dict.bytes = texts;
}

static void fill_strings(struct column *c, const struct filled_dict *filled)
{
    for (int64_t row = 0; row < c->rows; row++) {
        if (!c->valid[row])
            c->code[row] = filled->code;
        else if (filled->grown && c->code[row] >= filled->code)
            c->code[row]++;
        c->valid[row] = 1;
    }
    c->dict = filled->dict;
}

/* Over windows the plan has made the dictionary once; elsewhere each key has its own. */
static void fill_text(const struct plan_feature *f, struct column *c)
{
    struct filled_dict filled = f->filled;
    if (f->how != HOW_WINDOW)
        value_fill_dict(&c->dict, f->spec->fill.text, &filled);
    fill_strings(c, &filled);
    if (f->how == HOW_WINDOW)
        return;
    value_own_dict(c);
    filled_dict_deinit(&filled);
}

void value_fill(const struct plan_feature *f, struct column *c)
{
    const struct spec_fill *fill = &f->spec->fill;
    if (fill->type == JSON_NULL || !c->valid || f->how == HOW_AGE)
        return;
    if (c->type == TYPE_STRING) {
        fill_text(f, c);
        return;
    }
    for (int64_t row = 0; row < c->rows; row++) {
        if (c->valid[row])
            continue;
        if (c->type == TYPE_BOOL)
            c->b[row] = fill->truth;
        else if (c->type == TYPE_FLOAT || c->type == TYPE_DECIMAL)
            c->f[row] = fill->number + 0.0;
        else
            c->i[row] = fill_integer(f);
        c->valid[row] = 1;
    }
}

struct series value_series(const struct column *c, int64_t first)
{
    return (struct series){.type = c->type,
                           .scale = c->scale,
                           .data = (char *)c->data + (size_t)first * type_bytes(c->type),
                           .valid = c->valid ? c->valid + first : NULL};
}

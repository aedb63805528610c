/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* text_frame.c - CSV and npz back into columns.
 *
 * A column of texts is one block: codes, flags, offsets, and the bytes one after the other. Its
 * dictionary has an entry for each row, in the order of rows: good for reading and writing, not for
 * dict_find. */
#include "codec/text_frame.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/date.h"
#include "base/utf8.h"
#include "codec/csv.h"
#include "codec/npy.h"
#include "codec/number.h"

void text_frame_deinit(struct frame *frame)
{
    for (int i = 0; i < frame->n_columns; i++)
        free((char *)frame->columns[i].name);
    frame_deinit(frame);
}

/* ---- a column of texts while it grows ---- */

struct texts {
    char *name;
    struct str bytes;
    int64_t *ends; /* of each row's text */
    bool *null;
    size_t n, ends_cap, null_cap;
};

static void texts_add(struct texts *t, struct text cell)
{
    t->ends = mem_grow(t->ends, &t->ends_cap, t->n + 1, sizeof(*t->ends));
    t->null = mem_grow(t->null, &t->null_cap, t->n + 1, sizeof(*t->null));
    if (cell.s)
        str_add(&t->bytes, cell.s, (size_t)cell.len);
    t->null[t->n] = !cell.s;
    t->ends[t->n++] = (int64_t)t->bytes.len;
}

/* The column, which takes the name. */
static void texts_finish(struct texts *t, struct column *ret)
{
    size_t n = t->n;
    int64_t *block = mem_zalloc((n + 1) * 8 + n * 4 + n + t->bytes.len + 1);
    int32_t *codes = (int32_t *)(block + n + 1);
    uint8_t *valid = (uint8_t *)(codes + n);
    char *bytes = (char *)valid + n;
    bool nulls = false;
    for (size_t i = 0; i < n; i++) {
        block[i + 1] = t->ends[i];
        codes[i] = (int32_t)i;
        valid[i] = !t->null[i];
        nulls |= t->null[i];
    }
    if (t->bytes.len)
        memcpy(bytes, t->bytes.s, t->bytes.len);
    *ret = (struct column){.name = t->name,
                           .type = TYPE_STRING,
                           .rows = (int64_t)n,
                           .code = codes,
                           .valid = nulls ? valid : NULL,
                           .nullable = nulls,
                           .own = block};
    ret->dict = (struct dict){.n = (int32_t)n, .offsets = block, .bytes = bytes};
    ret->max_chars = dict_max_chars(&ret->dict);
    t->name = NULL;
}

static void texts_free(struct texts *texts, int n)
{
    for (int i = 0; i < n; i++) {
        free(texts[i].name);
        free(texts[i].ends);
        free(texts[i].null);
        str_deinit(&texts[i].bytes);
    }
    free(texts);
}

/* ---- CSV ---- */

struct reading {
    struct texts *columns;
    int n;
};

static int on_header(void *ctx, const struct text *fields, int n, int64_t line, struct err *err)
{
    struct reading *reading = ctx;
    reading->columns = mem_zalloc(((size_t)n + 1) * sizeof(*reading->columns));
    reading->n = n;
    for (int i = 0; i < n; i++)
        reading->columns[i].name = mem_strndup(fields[i].s, (size_t)fields[i].len);
    return 0;
}

static int on_record(void *ctx, const struct text *fields, int n, int64_t line, struct err *err)
{
    struct reading *reading = ctx;
    for (int i = 0; i < n; i++)
        texts_add(&reading->columns[i], fields[i]);
    return 0;
}

static void frame_make(struct frame *frame, int n)
{
    frame->columns = mem_zalloc(((size_t)n + 1) * sizeof(*frame->columns));
    frame->n_columns = n;
}

int text_frame_csv(const char *name, const void *text, size_t len, struct frame *ret,
                   struct err *err)
{
    struct reading reading = {0};
    int r = csv_read(name, text, len, on_header, on_record, &reading, err);
    if (r == 0) {
        frame_make(ret, reading.n);
        for (int i = 0; i < reading.n; i++)
            texts_finish(&reading.columns[i], &ret->columns[i]);
        ret->rows = reading.n ? ret->columns[0].rows : 0;
    }
    texts_free(reading.columns, reading.n);
    return r;
}

/* ---- types ---- */

/* As number_i64 writes it; INT64_MIN is left out, since it stands for null. */
static bool parse_int(struct text t, int64_t *ret)
{
    char text[NUMBER_TEXT + 1], again[NUMBER_TEXT];
    if (t.len == 0 || t.len >= NUMBER_TEXT)
        return false;
    memcpy(text, t.s, (size_t)t.len);
    text[t.len] = '\0';
    return str_to_i64(text, ret) && *ret != INT64_MIN && number_i64(*ret, again) == (size_t)t.len &&
           memcmp(text, again, (size_t)t.len) == 0;
}

static bool parse_float(struct text t, double *ret)
{
    char text[NUMBER_TEXT + 1], again[NUMBER_TEXT];
    if (t.len == 0 || t.len >= NUMBER_TEXT)
        return false;
    memcpy(text, t.s, (size_t)t.len);
    text[t.len] = '\0';
    return str_to_f64(text, ret) && number_f64(*ret, again) == (size_t)t.len &&
           memcmp(text, again, (size_t)t.len) == 0;
}

static bool parse_timestamp(struct text t, int64_t *ret)
{
    char again[TIMESTAMP_TEXT];
    return timestamp_parse(t.s, (size_t)t.len, ret) &&
           timestamp_format(*ret, again) == (size_t)t.len && memcmp(t.s, again, (size_t)t.len) == 0;
}

static bool parse_cell(enum type type, struct text t, int64_t *ret)
{
    double number;
    switch (type) {
    case TYPE_INT:
        return parse_int(t, ret);
    case TYPE_DATE:
        return date_parse(t.s, (size_t)t.len, ret);
    case TYPE_TIMESTAMP:
        return parse_timestamp(t, ret);
    default:
        if (!parse_float(t, &number))
            return false;
        memcpy(ret, &number, sizeof(*ret));
        return true;
    }
}

static int64_t null_of(enum type type)
{
    double nan = (double)NAN;
    int64_t bits = INT64_MIN;
    if (type == TYPE_FLOAT)
        memcpy(&bits, &nan, sizeof(bits));
    return bits;
}

/* All of the column as this type, or false. */
static bool parse_as(enum type type, const struct column *column, struct column *ret)
{
    struct column out;
    column_alloc(&out, type, column->rows, column->valid != NULL);
    for (int64_t row = 0; row < column->rows; row++) {
        bool null = column_is_null(column, row);
        if (!null && !parse_cell(type, dict_text(&column->dict, column->code[row]), &out.i[row])) {
            column_deinit(&out);
            return false;
        }
        if (null)
            out.i[row] = null_of(type);
        if (out.valid)
            out.valid[row] = !null;
    }
    *ret = out;
    return true;
}

static bool all_null(const struct column *column)
{
    for (int64_t row = 0; row < column->rows; row++)
        if (!column_is_null(column, row))
            return false;
    return true;
}

void text_frame_type(const struct column *column, struct column *ret)
{
    static const enum type types[] = {TYPE_INT, TYPE_FLOAT, TYPE_DATE, TYPE_TIMESTAMP};
    bool found = all_null(column);
    if (found)
        *ret = (struct column){.type = TYPE_NULL, .rows = column->rows, .nullable = true};
    for (size_t i = 0; !found && i < sizeof(types) / sizeof(types[0]); i++)
        found = parse_as(types[i], column, ret);
    if (!found) {
        *ret = *column;
        ret->own = NULL;
    }
    ret->name = column->name;
    ret->max_chars = column->max_chars;
}

/* ---- npz ---- */

/* Values of 8 or 4 bytes, of which those equal to null's are null. */
static int read_numbers(const char *data, const struct npy_header *h, struct column *ret)
{
    bool f4 = strcmp(h->descr, "<f4") == 0, f8 = strcmp(h->descr, "<f8") == 0;
    enum type type = f4 || f8                           ? TYPE_FLOAT
                     : strcmp(h->descr, "<i8") == 0     ? TYPE_INT
                     : strcmp(h->descr, "<M8[D]") == 0  ? TYPE_DATE
                     : strcmp(h->descr, "<M8[us]") == 0 ? TYPE_TIMESTAMP
                                                        : TYPE_NULL;
    if (type == TYPE_NULL)
        return -1;
    column_alloc(ret, type, h->rows, type != TYPE_INT);
    for (int64_t row = 0; row < h->rows; row++) {
        float value;
        memcpy(f4 ? (void *)&value : &ret->i[row], data + (size_t)row * h->item_bytes,
               h->item_bytes);
        if (f4)
            ret->f[row] = value;
        if (type == TYPE_FLOAT)
            ret->valid[row] = isfinite(ret->f[row]);
        else if (ret->valid)
            ret->valid[row] = ret->i[row] != INT64_MIN;
    }
    return 0;
}

/* As UTF-8; what is no character becomes U+FFFD. */
static void add_point(struct str *out, uint32_t c)
{
    if ((c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
        c = 0xfffd;
    if (c < 0x80) {
        str_addc(out, (char)c);
        return;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t first[] = {0, 0xc0, 0xe0, 0xf0};
    str_addc(out, (char)(first[more] | c >> (6 * more)));
    for (int i = more - 1; i >= 0; i--)
        str_addc(out, (char)(0x80 | (c >> (6 * i) & 0x3f)));
}

static void read_strings(const char *data, const struct npy_header *h, struct column *ret)
{
    struct texts *texts = mem_zalloc(sizeof(*texts));
    CLEANUP(str_deinit) struct str cell = {0};
    for (int64_t row = 0; row < h->rows; row++) {
        str_clear(&cell);
        for (size_t at = 0; at < h->item_bytes; at += 4) {
            uint32_t point;
            memcpy(&point, data + (size_t)row * h->item_bytes + at, 4);
            if (point == 0)
                break;
            add_point(&cell, point);
        }
        texts_add(texts, (struct text){cell.len ? cell.s : NULL, (int64_t)cell.len});
    }
    texts_finish(texts, ret);
    ret->max_chars = (int32_t)(h->item_bytes / 4); /* of the whole snapshot */
    texts_free(texts, 1);
}

static int read_member(const struct zip_member *member, struct column *ret, char descr[16],
                       struct err *err)
{
    struct npy_header h;
    int r = npy_parse(member->data, member->len, &h, err);
    if (r < 0)
        return err_prefix(err, "%s", member->name);
    const char *data = (const char *)member->data + h.data_at;
    if (h.columns > 0 || !str_ends(member->name, ".npy"))
        return err_set(err, ERR_INPUT, "%s is not a column", member->name);
    if (str_starts(h.descr, "<U"))
        read_strings(data, &h, ret);
    else if (read_numbers(data, &h, ret) < 0)
        return err_set(err, ERR_INPUT, "%s has values of type \"%s\", which results have not",
                       member->name, h.descr);
    ret->name = mem_strndup(member->name, strlen(member->name) - strlen(".npy"));
    memcpy(descr, h.descr, sizeof(h.descr));
    return 0;
}

int text_frame_npz(const struct zip_list *members, struct frame *ret, bool *ret_float32,
                   struct err *err)
{
    CLEANUP(text_frame_deinit) struct frame frame = {0};
    bool f4 = false, f8 = false;
    frame_make(&frame, members->n);
    for (int i = 0; i < members->n; i++) {
        char descr[16];
        int r = read_member(&members->members[i], &frame.columns[i], descr, err);
        if (r < 0)
            return r;
        f4 |= strcmp(descr, "<f4") == 0;
        f8 |= strcmp(descr, "<f8") == 0;
        if (i > 0 && frame.columns[i].rows != frame.columns[0].rows)
            return err_set(err, ERR_INPUT, "%s and %s have different numbers of rows",
                           members->members[0].name, members->members[i].name);
    }
    frame.rows = members->n ? frame.columns[0].rows : 0;
    *ret_float32 = f4 && !f8;
    *ret = frame;
    frame = (struct frame){0};
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* npz_writer.c - columns as lists of segments of one type each.
 *
 * A column's newest segment grows in memory. When all of them together are too large, they are
 * written behind each other into the scratch file. At the end each column is read segment by
 * segment and turned into its final type, while libzip asks for its bytes.
 *
 * In a segment integers, dates and timestamps are int64 with INT64_MIN for null, floats are double
 * with NaN for null, strings UCS-4 in the width of the segment; one without values has no bytes. */
#include "codec/npz_writer.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/date.h"
#include "base/utf8.h"
#include "codec/npy.h"
#include "codec/number.h"
#include "codec/zip_stream.h"

enum { MEMORY = 32 << 20, BLOCK_ROWS = 4096, CELL_TEXT = 40 };

struct segment {
    enum type type; /* TYPE_NULL, INT, FLOAT, DATE, TIMESTAMP, STRING */
    int64_t rows;
    int64_t at; /* in the scratch file; negative: still in memory */
    int32_t width;
};

struct npz_column {
    char *name;
    struct segment *segments;
    size_t n, cap;
    struct str open; /* the bytes of the last segment */
    unsigned types;  /* bits of the segments' types */
    bool nulls, f4, f8;
    int32_t max_chars;

    /* The final form, and where its reading is. */
    enum type type;
    bool float32;
    int32_t width;
    size_t item;
    size_t segment;
    int64_t row;
    struct str head, out; /* what was made and not yet read begins at out_at */
    size_t out_at;
    struct npz_writer *writer;
};

struct npz_writer {
    int scratch;
    int64_t scratch_end;
    size_t memory;
    const struct npz_hint *hints;
    int n_hints;
    int64_t rows;
    struct npz_column *columns;
    int n_columns;
};

struct npz_writer *npz_writer_new(int scratch, size_t memory, const struct npz_hint *hints,
                                  int n_hints)
{
    struct npz_writer *w = MEM_NEW(struct npz_writer);
    w->scratch = scratch;
    w->memory = memory ? memory : MEMORY;
    w->hints = hints;
    w->n_hints = n_hints;
    return w;
}

void npz_writer_free(struct npz_writer *w)
{
    if (!w)
        return;
    for (int i = 0; i < w->n_columns; i++) {
        struct npz_column *c = &w->columns[i];
        free(c->name);
        free(c->segments);
        str_deinit(&c->open);
        str_deinit(&c->head);
        str_deinit(&c->out);
    }
    free(w->columns);
    close(w->scratch);
    free(w);
}

/* ---- taking frames ---- */

static size_t item_bytes(enum type type, int32_t width)
{
    return type == TYPE_NULL ? 0 : type == TYPE_STRING ? (size_t)width * 4 : 8;
}

static void put_null(enum type type, char *p)
{
    int64_t none = INT64_MIN;
    double nan = (double)NAN;
    memcpy(p, type == TYPE_FLOAT ? (const void *)&nan : &none, 8);
}

/* UCS-4, padded with zeros. */
static void put_text(char *p, struct text t, int32_t width)
{
    int32_t n = 0;
    for (int64_t i = 0; i < t.len && n < width; n++) {
        uint32_t point;
        int bytes = utf8_decode(t.s + i, (size_t)(t.len - i), &point);
        if (bytes == 0) {
            bytes = 1;
            point = 0xfffd;
        }
        memcpy(p + (size_t)n * 4, &point, 4);
        i += bytes;
    }
    memset(p + (size_t)n * 4, 0, (size_t)(width - n) * 4);
}

static struct segment *segment_begin(struct npz_column *c, enum type type, int32_t width)
{
    c->segments = mem_grow(c->segments, &c->cap, c->n + 1, sizeof(*c->segments));
    c->segments[c->n] = (struct segment){.type = type, .at = -1, .width = width};
    c->types |= 1u << type;
    return &c->segments[c->n++];
}

static int scratch_write(struct npz_writer *w, const struct str *bytes, struct err *err)
{
    const char *p = bytes->s;
    size_t left = bytes->len;
    while (left > 0) {
        ssize_t n = pwrite(w->scratch, p, left, w->scratch_end);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(err, ERR_WRITE, errno, "cannot write the scratch file");
        p += n;
        left -= (size_t)n;
        w->scratch_end += n;
    }
    return 0;
}

static int segment_close(struct npz_writer *w, struct npz_column *c, struct err *err)
{
    if (c->n == 0 || c->segments[c->n - 1].at >= 0)
        return 0;
    c->segments[c->n - 1].at = w->scratch_end;
    int r = scratch_write(w, &c->open, err);
    str_clear(&c->open);
    return r;
}

/* The segment that the column's rows go to: the open one, or a new one. */
static int segment_for(struct npz_writer *w, struct npz_column *c, const struct column *column,
                       struct segment **ret, struct err *err)
{
    int32_t width = column->type == TYPE_STRING ? (column->max_chars ? column->max_chars : 1) : 0;
    struct segment *last = c->n ? &c->segments[c->n - 1] : NULL;
    bool fits = last && last->at < 0 &&
                (last->type == column->type ? last->width >= width : column->type == TYPE_NULL);
    int r = fits ? 0 : segment_close(w, c, err);
    *ret = fits ? last : segment_begin(c, column->type, width);
    return r;
}

static void append(struct npz_column *c, struct segment *s, const struct column *column)
{
    size_t item = item_bytes(s->type, s->width);
    str_reserve(&c->open, item * (size_t)column->rows);
    char *p = c->open.s + c->open.len;
    for (int64_t row = 0; row < column->rows; row++, p += item) {
        bool null = column->type == TYPE_NULL || column_is_null(column, row);
        struct text t = {0};
        if (s->type == TYPE_STRING && !null)
            t = dict_text(&column->dict, column->code[row]);
        if (s->type == TYPE_STRING)
            put_text(p, t, s->width);
        else if (s->type != TYPE_NULL && null)
            put_null(s->type, p);
        else if (s->type != TYPE_NULL)
            memcpy(p, &column->i[row], 8);
        c->nulls |= null;
    }
    c->open.len += item * (size_t)column->rows;
    s->rows += column->rows;
}

static void columns_make(struct npz_writer *w, const struct frame *frame)
{
    w->columns = mem_zalloc(((size_t)frame->n_columns + 1) * sizeof(*w->columns));
    w->n_columns = frame->n_columns;
    for (int i = 0; i < frame->n_columns; i++) {
        w->columns[i].name = mem_strdup(frame->columns[i].name);
        w->columns[i].writer = w;
    }
}

static int flush_if_large(struct npz_writer *w, struct err *err)
{
    size_t held = 0;
    int r = 0;
    for (int i = 0; i < w->n_columns; i++)
        held += w->columns[i].open.len;
    for (int i = 0; held > w->memory && r == 0 && i < w->n_columns; i++)
        r = segment_close(w, &w->columns[i], err);
    return r;
}

int npz_writer_add(struct npz_writer *w, const struct frame *frame, bool float32, struct err *err)
{
    if (!w->columns)
        columns_make(w, frame);
    for (int i = 0; i < frame->n_columns; i++) {
        struct npz_column *c = &w->columns[i];
        const struct column *column = &frame->columns[i];
        struct segment *segment;
        int r = segment_for(w, c, column, &segment, err);
        if (r < 0)
            return r;
        append(c, segment, column);
        c->max_chars = column->max_chars > c->max_chars ? column->max_chars : c->max_chars;
        c->f4 |= column->type == TYPE_FLOAT && float32;
        c->f8 |= column->type == TYPE_FLOAT && !float32;
    }
    w->rows += frame->rows;
    return flush_if_large(w, err);
}

/* ---- the final form ---- */

static enum type final_type(unsigned types, bool nulls)
{
    enum { INT = 1u << TYPE_INT, FLOAT = 1u << TYPE_FLOAT };
    types &= ~(1u << TYPE_NULL);
    if (types == INT && !nulls)
        return TYPE_INT;
    if ((types & ~(unsigned)(INT | FLOAT)) == 0)
        return TYPE_FLOAT;
    if (types == 1u << TYPE_DATE)
        return TYPE_DATE;
    return types == 1u << TYPE_TIMESTAMP ? TYPE_TIMESTAMP : TYPE_STRING;
}

static const char *descr_of(const struct npz_column *c, char buf[16])
{
    switch (c->type) {
    case TYPE_INT:
        return "<i8";
    case TYPE_DATE:
        return "<M8[D]";
    case TYPE_TIMESTAMP:
        return "<M8[us]";
    case TYPE_STRING:
        snprintf(buf, 16, "<U%d", (int)c->width);
        return buf;
    default:
        return c->float32 ? "<f4" : "<f8";
    }
}

static void decide(struct npz_writer *w, struct npz_column *c)
{
    char descr[16];
    const struct npz_hint *hint = NULL;
    for (int i = 0; !hint && i < w->n_hints; i++)
        hint = strcmp(w->hints[i].name, c->name) == 0 ? &w->hints[i] : NULL;
    c->type = final_type(c->types | (hint ? 1u << hint->type : 0), c->nulls);
    c->float32 = hint && hint->type == TYPE_FLOAT ? hint->float32 : c->f4 && !c->f8;
    c->width = hint && hint->max_chars > c->max_chars ? hint->max_chars : c->max_chars;
    c->width = c->width > 0 ? c->width : 1;
    c->item = c->type == TYPE_STRING                ? (size_t)c->width * 4
              : c->float32 && c->type == TYPE_FLOAT ? 4
                                                    : 8;
    npy_write_header(&c->head, descr_of(c, descr), w->rows, 0);
}

/* A cell of a segment that is not of strings as the text that CSV would have had. */
static struct text cell_text(const struct segment *s, const char *p, char buf[CELL_TEXT])
{
    int64_t value;
    double number;
    memcpy(&value, p, 8);
    memcpy(&number, p, 8);
    size_t len = 0;
    if (s->type == TYPE_FLOAT)
        len = isnan(number) ? 0 : number_f64(number, buf);
    else if (value == INT64_MIN)
        len = 0;
    else if (s->type == TYPE_INT)
        len = number_i64(value, buf);
    else
        len = s->type == TYPE_DATE ? date_format(value, buf) : timestamp_format(value, buf);
    return (struct text){buf, (int64_t)len};
}

static void convert_to_string(const struct npz_column *c, const struct segment *s, const char *in,
                              char *out)
{
    char buf[CELL_TEXT];
    if (s->type == TYPE_STRING) {
        memcpy(out, in, (size_t)s->width * 4);
        memset(out + (size_t)s->width * 4, 0, (size_t)(c->width - s->width) * 4);
    } else {
        put_text(out, cell_text(s, in, buf), c->width);
    }
}

static void convert_to_float(const struct npz_column *c, const struct segment *s, const char *in,
                             char *out)
{
    double value;
    int64_t count;
    memcpy(&value, in, 8);
    memcpy(&count, in, 8);
    if (s->type == TYPE_INT)
        value = count == INT64_MIN ? (double)NAN : (double)count;
    float narrow = (float)value;
    memcpy(out, c->float32 ? (const void *)&narrow : &value, c->item);
}

static void convert(const struct npz_column *c, const struct segment *s, const char *in, char *out)
{
    if (c->type == TYPE_STRING && s->type == TYPE_NULL) {
        memset(out, 0, c->item);
    } else if (c->type == TYPE_STRING) {
        convert_to_string(c, s, in, out);
    } else if (s->type == TYPE_NULL) {
        char none[8];
        const struct segment null = {.type = c->type};
        put_null(c->type, none);
        if (c->type == TYPE_FLOAT)
            convert_to_float(c, &null, none, out);
        else
            memcpy(out, none, 8);
    } else if (c->type == TYPE_FLOAT) {
        convert_to_float(c, s, in, out);
    } else {
        memcpy(out, in, 8);
    }
}

/* ---- reading the final form ---- */

static int scratch_read(struct npz_writer *w, int64_t at, struct str *ret, size_t len,
                        struct err *err)
{
    str_clear(ret);
    str_reserve(ret, len);
    while (ret->len < len) {
        ssize_t n = pread(w->scratch, ret->s + ret->len, len - ret->len, at + (int64_t)ret->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set_errno(err, ERR_WRITE, n < 0 ? errno : EIO,
                                 "cannot read back the scratch file");
        ret->len += (size_t)n;
    }
    return 0;
}

/* The next rows into c->out; nothing when there are no more. */
static int make_more(struct npz_column *c, struct err *err)
{
    CLEANUP(str_deinit) struct str raw = {0};
    str_clear(&c->out);
    c->out_at = 0;
    while (c->segment < c->n && c->row == c->segments[c->segment].rows) {
        c->segment++;
        c->row = 0;
    }
    if (c->segment == c->n)
        return 0;
    const struct segment *s = &c->segments[c->segment];
    int64_t n = s->rows - c->row < BLOCK_ROWS ? s->rows - c->row : BLOCK_ROWS;
    size_t item = item_bytes(s->type, s->width);
    int r = scratch_read(c->writer, s->at + c->row * (int64_t)item, &raw, (size_t)n * item, err);
    if (r < 0)
        return r;
    str_reserve(&c->out, (size_t)n * c->item);
    for (int64_t i = 0; i < n; i++, c->out.len += c->item)
        convert(c, s, raw.s + (size_t)i * item, c->out.s + c->out.len);
    c->row += n;
    return 0;
}

static int64_t read_column(void *ctx, bool first, void *buf, size_t len, struct err *err)
{
    struct npz_column *c = ctx;
    char *p = buf;
    size_t left = len;
    if (first) {
        c->segment = 0;
        c->row = 0;
        c->out_at = 0;
        str_clear(&c->out);
        str_add(&c->out, c->head.s, c->head.len);
    }
    while (left > 0) {
        int r = c->out_at == c->out.len ? make_more(c, err) : 0;
        if (r < 0)
            return r;
        size_t n = c->out.len - c->out_at;
        if (n == 0)
            break;
        n = n < left ? n : left;
        memcpy(p, c->out.s + c->out_at, n);
        c->out_at += n;
        p += n;
        left -= n;
    }
    return (int64_t)(len - left);
}

int npz_writer_finish(struct npz_writer *w, int fd, struct err *err)
{
    int r = 0;
    struct zip_stream_member *members = mem_zalloc(((size_t)w->n_columns + 1) * sizeof(*members));
    for (int i = 0; r == 0 && i < w->n_columns; i++) {
        struct npz_column *c = &w->columns[i];
        r = segment_close(w, c, err);
        decide(w, c);
        members[i] =
            (struct zip_stream_member){.name = mem_printf("%s.npy", c->name),
                                       .bytes = (int64_t)c->head.len + w->rows * (int64_t)c->item,
                                       .ctx = c};
    }
    if (r == 0)
        r = zip_stream_write(fd, members, w->n_columns, read_column, err);
    for (int i = 0; i < w->n_columns; i++)
        free((char *)members[i].name);
    free(members);
    return r;
}

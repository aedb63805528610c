/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* csv.c - reading by libcsv, and writing.
 *
 * Reading: libcsv is fed one physical line at a time, so that line numbers are exact and
 * what it refuses has a place. Bytes are checked (UTF-8, no NUL) before it sees them. Blanks
 * around fields belong to the fields: libcsv's idea of a blank is turned off.
 *
 * Writing is on the hot path: each row's room is reserved once, and cells are stored
 * through a bare pointer. */
#include "codec/csv.h"

#include <csv.h>
#include <inttypes.h>
#include <math.h>

#include "base/date.h"
#include "base/utf8.h"
#include "codec/number.h"

enum { READ_BYTES = 1 << 20 };
/* A quote that never ends would otherwise swallow the rest of a file of any size. */
enum { RECORD_BYTES = 64 << 20 };

/* ---- Reading ---- */

struct reader {
    const char *name;
    csv_record_fn *on_header, *on_record;
    void *ctx;
    struct err *err;
    int r; /* the first failure */

    struct csv_parser parser;
    int64_t line;         /* that libcsv is fed, from 1 */
    int64_t record_line;  /* where the record began */
    size_t record_bytes;  /* since then; 0 between records */
    bool line_has_record; /* a record ended in this line */

    struct str bytes;    /* the record's fields, one after the other */
    struct text *fields; /* while the record grows, s counts from bytes.s */
    size_t n_fields, fields_cap;
    int n_header; /* fields of the header; 0 before it */
};

static int never_blank(unsigned char c)
{
    return 0;
}

static void on_field(void *data, size_t len, void *ctx)
{
    struct reader *reader = ctx;
    reader->fields =
        mem_grow(reader->fields, &reader->fields_cap, reader->n_fields + 1, sizeof(struct text));
    /* A length of -1 marks null until the record is whole. */
    reader->fields[reader->n_fields++] = (struct text){.len = data ? (int64_t)len : -1};
    if (data)
        str_add(&reader->bytes, data, len);
}

/* Now that bytes no longer moves. */
static void place_fields(struct reader *reader)
{
    const char *p = reader->bytes.s ? reader->bytes.s : "";
    for (size_t i = 0; i < reader->n_fields; i++) {
        struct text *field = &reader->fields[i];
        if (field->len < 0) {
            *field = (struct text){0};
            continue;
        }
        field->s = p;
        p += field->len;
    }
}

static int compare_texts(const void *a, const void *b)
{
    return text_compare(*(const struct text *)a, *(const struct text *)b);
}

static int check_header(struct reader *reader)
{
    size_t n = reader->n_fields;
    for (size_t i = 0; i < n; i++) {
        if (reader->fields[i].len == 0)
            return err_set(reader->err, ERR_INPUT,
                           "%s: line %" PRId64 ": column %zu of the header has no name",
                           reader->name, reader->record_line, i + 1);
    }
    CLEANUP(free) void *memory = mem_array(n, sizeof(struct text));
    struct text *sorted = memory;
    memcpy(sorted, reader->fields, n * sizeof(struct text));
    qsort(sorted, n, sizeof(struct text), compare_texts);
    for (size_t i = 1; i < n; i++) {
        if (text_compare(sorted[i - 1], sorted[i]) == 0)
            return err_set(reader->err, ERR_INPUT,
                           "%s: line %" PRId64 ": the header names column \"%.*s\" twice",
                           reader->name, reader->record_line, (int)sorted[i].len, sorted[i].s);
    }
    return 0;
}

static int take_record(struct reader *reader)
{
    place_fields(reader);
    int n = (int)reader->n_fields;
    if (reader->n_header == 0) {
        int r = check_header(reader);
        if (r < 0)
            return r;
        reader->n_header = n;
        return reader->on_header(reader->ctx, reader->fields, n, reader->record_line, reader->err);
    }
    if (n != reader->n_header)
        return err_set(reader->err, ERR_INPUT,
                       "%s: line %" PRId64 ": %d fields, but the header has %d columns",
                       reader->name, reader->record_line, n, reader->n_header);
    return reader->on_record(reader->ctx, reader->fields, n, reader->record_line, reader->err);
}

/* Two records in one line: a carriage return on its own ended the first. */
static int fail_bare_return(struct reader *reader)
{
    return err_set(reader->err, ERR_INPUT,
                   "%s: line %" PRId64 ": a carriage return without a line feed; lines must end "
                   "with \\n or \\r\\n, and a field that holds one needs quotes",
                   reader->name, reader->line);
}

static void on_end_of_record(int c, void *ctx)
{
    struct reader *reader = ctx;
    if (reader->r == 0)
        reader->r = reader->line_has_record ? fail_bare_return(reader) : take_record(reader);
    reader->line_has_record = true;
    reader->n_fields = 0;
    str_clear(&reader->bytes);
    reader->record_bytes = 0;
}

static int fail_open_quote(struct reader *reader)
{
    return err_set(reader->err, ERR_INPUT,
                   "%s: the record that begins in line %" PRId64 " opens a quote that never ends",
                   reader->name, reader->record_line);
}

/* Bytes that no field may have. */
static int check_bytes(struct reader *reader, const char *line, size_t len)
{
    const char *wrong = memchr(line, '\0', len);
    const char *what = "a NUL byte";
    size_t valid = utf8_valid_prefix(line, len);
    if (valid < len && (!wrong || line + valid < wrong)) {
        wrong = line + valid;
        what = "bytes that are not UTF-8; save the file as UTF-8";
    }
    if (!wrong)
        return 0;
    return err_set(reader->err, ERR_INPUT, "%s: line %" PRId64 ", column %td: %s", reader->name,
                   reader->line, wrong - line + 1, what);
}

static bool is_blank(const char *line, size_t len)
{
    return len == 0 || (len == 1 && line[0] == '\n') || (len == 2 && memcmp(line, "\r\n", 2) == 0);
}

/* One physical line, with its end if it has one. */
static int read_line(struct reader *reader, const char *line, size_t len)
{
    reader->line++;
    if (reader->line == 1 && len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
        line += 3;
        len -= 3;
    }
    int r = check_bytes(reader, line, len);
    if (r < 0)
        return r;
    if (reader->record_bytes == 0) {
        if (is_blank(line, len))
            return 0;
        reader->record_line = reader->line;
    }
    reader->record_bytes += len;
    if (reader->record_bytes > RECORD_BYTES)
        return fail_open_quote(reader);
    reader->line_has_record = false;
    size_t n = csv_parse(&reader->parser, line, len, on_field, on_end_of_record, reader);
    if (reader->r < 0)
        return reader->r;
    if (n < len && csv_error(&reader->parser) == CSV_EPARSE)
        return err_set(reader->err, ERR_INPUT,
                       "%s: line %" PRId64 ", column %zu: a stray quote; a field that holds quotes "
                       "stands in quotes, with each of them doubled",
                       reader->name, reader->line, n + 1);
    if (n < len)
        mem_exhausted();
    return 0;
}

/* The whole lines of text; *ret_used says how many bytes those are. */
static int read_lines(struct reader *reader, const char *text, size_t len, size_t *ret_used)
{
    const char *p = text, *end = text + len;
    const char *feed;
    int r = 0;
    while (r == 0 && p < end && (feed = memchr(p, '\n', (size_t)(end - p)))) {
        r = read_line(reader, p, (size_t)(feed + 1 - p));
        p = feed + 1;
    }
    *ret_used = (size_t)(p - text);
    return r;
}

static int read_end(struct reader *reader)
{
    reader->line_has_record = false;
    int failed = csv_fini(&reader->parser, on_field, on_end_of_record, reader);
    if (reader->r < 0)
        return reader->r;
    if (failed)
        return fail_open_quote(reader);
    if (reader->n_header == 0)
        return err_set(reader->err, ERR_INPUT,
                       "%s: empty, but the first line must name the columns", reader->name);
    return 0;
}

static int reader_init(struct reader *reader)
{
    if (csv_init(&reader->parser, CSV_STRICT | CSV_STRICT_FINI | CSV_EMPTY_IS_NULL) != 0)
        return err_set(reader->err, ERR_BUG, "libcsv does not start");
    csv_set_space_func(&reader->parser, never_blank);
    csv_set_realloc_func(&reader->parser, mem_realloc);
    csv_set_blk_size(&reader->parser, 4096);
    return 0;
}

static void reader_deinit(struct reader *reader)
{
    csv_free(&reader->parser);
    str_deinit(&reader->bytes);
    free(reader->fields);
}

int csv_read(const char *name, const void *text, size_t len, csv_record_fn *on_header,
             csv_record_fn *on_record, void *ctx, struct err *err)
{
    struct reader reader = {
        .name = name, .on_header = on_header, .on_record = on_record, .ctx = ctx, .err = err};
    int r = reader_init(&reader);
    size_t used = 0;
    if (r == 0)
        r = read_lines(&reader, text, len, &used);
    if (r == 0 && used < len)
        r = read_line(&reader, (const char *)text + used, len - used);
    if (r == 0)
        r = read_end(&reader);
    reader_deinit(&reader);
    return r;
}

/* Read on into buf behind what is there. Returns 1, 0 at the end, or an ERR_*. */
static int read_more(struct reader *reader, struct input *in, struct str *buf)
{
    str_reserve(buf, READ_BYTES);
    int64_t n = input_read(in, buf->s + buf->len, READ_BYTES, reader->err);
    if (n < 0)
        return (int)n;
    buf->len += (size_t)n;
    return n > 0;
}

static int read_all(struct reader *reader, struct input *in)
{
    CLEANUP(str_deinit) struct str buf = {0};
    int r;
    while ((r = read_more(reader, in, &buf)) > 0) {
        size_t used;
        r = read_lines(reader, buf.s, buf.len, &used);
        if (r < 0)
            return r;
        memmove(buf.s, buf.s + used, buf.len - used);
        buf.len -= used;
        if (buf.len > RECORD_BYTES)
            return err_set(reader->err, ERR_INPUT, "%s: line %" PRId64 " is longer than %d bytes",
                           reader->name, reader->line + 1, RECORD_BYTES);
    }
    if (r == 0 && buf.len > 0)
        r = read_line(reader, buf.s, buf.len);
    return r < 0 ? r : read_end(reader);
}

int csv_read_input(struct input *in, csv_record_fn *on_header, csv_record_fn *on_record, void *ctx,
                   struct err *err)
{
    struct reader reader = {.name = input_name(in),
                            .on_header = on_header,
                            .on_record = on_record,
                            .ctx = ctx,
                            .err = err};
    int r = reader_init(&reader);
    if (r == 0)
        r = read_all(&reader, in);
    reader_deinit(&reader);
    return r;
}

int csv_read_file(const char *path, csv_record_fn *on_header, csv_record_fn *on_record, void *ctx,
                  struct err *err)
{
    CLEANUP(input_free) struct input *in = NULL;
    int r = input_open(path, NULL, &in, err);
    return r < 0 ? r : csv_read_input(in, on_header, on_record, ctx, err);
}

/* ---- Writing ---- */

enum { CELL_BYTES = NUMBER_TEXT + 1 }; /* of anything but a string, with its comma */

/* Quotes are needed by ',', '"', line ends and the empty string. */
static bool needs_quotes(struct text t)
{
    bool special = t.len == 0;
    for (int64_t i = 0; i < t.len; i++) {
        char c = t.s[i];
        special |= (c == ',') | (c == '"') | (c == '\n') | (c == '\r');
    }
    return special;
}

static char *put_text(char *p, struct text t)
{
    if (!needs_quotes(t)) {
        memcpy(p, t.s, (size_t)t.len);
        return p + t.len;
    }
    *p++ = '"';
    for (int64_t i = 0; i < t.len; i++) {
        if (t.s[i] == '"')
            *p++ = '"';
        *p++ = t.s[i];
    }
    *p++ = '"';
    return p;
}

/* A string of any length; afterwards there is room for row_bytes again. */
static char *put_string(struct str *out, char *p, struct text t, size_t row_bytes)
{
    out->len = (size_t)(p - out->s);
    str_reserve(out, 2 * (size_t)t.len + 2 + row_bytes);
    return put_text(out->s + out->len, t);
}

static char *put_double(char *p, double value)
{
    return isfinite(value) ? p + number_f64(value, p) : p;
}

/* Anything but a string, and not null. */
static char *put_cell(char *p, const struct column *c, int64_t row)
{
    switch (c->type) {
    case TYPE_BOOL:
        *p = c->b[row] ? '1' : '0';
        return p + 1;
    case TYPE_INT:
        return p + number_i64(c->i[row], p);
    case TYPE_DECIMAL:
    case TYPE_FLOAT:
        return put_double(p, c->f[row]);
    case TYPE_DATE:
        return p + date_format(c->i[row], p);
    case TYPE_TIMESTAMP:
        return p + timestamp_format(c->i[row], p);
    default: /* the literal null */
        return p;
    }
}

static void write_header(struct str *out, const struct frame *frame)
{
    str_reserve(out, 1);
    char *p = out->s + out->len;
    for (int i = 0; i < frame->n_columns; i++) {
        struct text name = {frame->columns[i].name, (int64_t)strlen(frame->columns[i].name)};
        p = put_string(out, p, name, 1);
        *p++ = i + 1 < frame->n_columns ? ',' : '\n';
    }
    out->len = (size_t)(p - out->s);
}

void csv_write_frame(struct str *out, const struct frame *frame)
{
    size_t row_bytes = (size_t)frame->n_columns * CELL_BYTES + 1;
    write_header(out, frame);
    str_reserve(out, row_bytes + (size_t)frame->rows * (size_t)frame->n_columns * 8);
    for (int64_t row = 0; row < frame->rows; row++) {
        str_reserve(out, row_bytes);
        char *p = out->s + out->len;
        for (int i = 0; i < frame->n_columns; i++) {
            const struct column *c = &frame->columns[i];
            if (!column_is_null(c, row)) {
                if (c->type == TYPE_STRING)
                    p = put_string(out, p, dict_text(&c->dict, c->code[row]), row_bytes);
                else
                    p = put_cell(p, c, row);
            }
            *p++ = ',';
        }
        p[-1] = '\n';
        out->len = (size_t)(p - out->s);
    }
    out->s[out->len] = '\0';
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* npy.c - numpy's .npy: writing headers and columns, checking whole files.
 *
 * The header is a Python dictionary in ASCII. It is read by a scanner for just the three
 * members that must be there, in any order and spacing. */
#include "codec/npy.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/utf8.h"

#define NPY_MAGIC "\x93NUMPY\x01" /* and the minor version, 0 */
enum { NPY_PREFIX = 10, NPY_ALIGN = 64 };
static const int64_t not_a_time = INT64_MIN;

void npy_write_header(struct str *out, const char *descr, int64_t rows, int64_t columns)
{
    char dict[160], shape[64];
    if (columns > 0)
        snprintf(shape, sizeof(shape), "(%" PRId64 ", %" PRId64 ")", rows, columns);
    else
        snprintf(shape, sizeof(shape), "(%" PRId64 ",)", rows);
    int n = snprintf(dict, sizeof(dict), "{'descr': '%s', 'fortran_order': False, 'shape': %s, }",
                     descr, shape);
    size_t whole = (NPY_PREFIX + (size_t)n + 1 + NPY_ALIGN - 1) / NPY_ALIGN * NPY_ALIGN;
    size_t header = whole - NPY_PREFIX;
    str_reserve(out, whole);
    str_add(out, NPY_MAGIC "\0", 8);
    str_addc(out, (char)(header & 255));
    str_addc(out, (char)(header >> 8));
    str_addf(out, "%-*s\n", (int)header - 1, dict);
}

/* The bytes of one item, or 0 for a type that hiwari does not write. */
static size_t descr_bytes(const char *descr)
{
    static const struct {
        const char *descr;
        size_t bytes;
    } known[] = {{"<i8", 8}, {"<f8", 8}, {"<f4", 4},    {"<i4", 4},
                 {"|u1", 1}, {"|b1", 1}, {"<M8[D]", 8}, {"<M8[us]", 8}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(descr, known[i].descr) == 0)
            return known[i].bytes;
    }
    int64_t width;
    if (!str_starts(descr, "<U") || descr[2] < '1' || descr[2] > '9' ||
        !str_to_i64(descr + 2, &width) || width > INT32_MAX / 4)
        return 0;
    return (size_t)width * 4;
}

struct scan {
    const char *p, *end;
};

static void scan_blanks(struct scan *scan)
{
    while (scan->p < scan->end && (*scan->p == ' ' || *scan->p == '\t' || *scan->p == '\n'))
        scan->p++;
}

static bool scan_char(struct scan *scan, char c)
{
    scan_blanks(scan);
    if (scan->p == scan->end || *scan->p != c)
        return false;
    scan->p++;
    return true;
}

static bool scan_word(struct scan *scan, const char *word)
{
    scan_blanks(scan);
    size_t n = strlen(word);
    if ((size_t)(scan->end - scan->p) < n || memcmp(scan->p, word, n) != 0)
        return false;
    scan->p += n;
    return true;
}

/* A quoted string without escapes, shorter than size. */
static bool scan_string(struct scan *scan, char *ret, size_t size)
{
    scan_blanks(scan);
    if (scan->p == scan->end || (*scan->p != '\'' && *scan->p != '"'))
        return false;
    char quote = *scan->p++;
    size_t n = 0;
    while (scan->p < scan->end && *scan->p != quote) {
        if (n + 1 == size || *scan->p == '\\' || *scan->p == '\0')
            return false;
        ret[n++] = *scan->p++;
    }
    ret[n] = '\0';
    return scan_char(scan, quote);
}

static bool scan_count(struct scan *scan, int64_t *ret)
{
    scan_blanks(scan);
    int64_t value = 0;
    const char *first = scan->p;
    for (; scan->p < scan->end && *scan->p >= '0' && *scan->p <= '9'; scan->p++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *scan->p - '0', &value))
            return false;
    }
    *ret = value;
    return scan->p > first;
}

/* (rows,) or (rows, columns) with at least one column. */
static bool scan_shape(struct scan *scan, struct npy_header *h)
{
    h->columns = 0;
    if (!scan_char(scan, '(') || !scan_count(scan, &h->rows) || !scan_char(scan, ','))
        return false;
    if (scan_char(scan, ')'))
        return true;
    if (!scan_count(scan, &h->columns) || h->columns == 0)
        return false;
    scan_char(scan, ',');
    return scan_char(scan, ')');
}

enum { SEEN_DESCR = 1, SEEN_ORDER = 2, SEEN_SHAPE = 4, SEEN_ALL = 7 };

/* One member. Returns which, or an error. */
static int scan_member(struct scan *scan, struct npy_header *h, struct err *err)
{
    char name[32];
    if (!scan_string(scan, name, sizeof(name)) || !scan_char(scan, ':'))
        return err_set(err, ERR_INPUT, "the npy header is not a dictionary of names and values");
    if (strcmp(name, "descr") == 0) {
        if (!scan_string(scan, h->descr, sizeof(h->descr)))
            return err_set(err, ERR_INPUT, "the npy header's descr is not one plain type");
        return SEEN_DESCR;
    }
    if (strcmp(name, "fortran_order") == 0) {
        if (!scan_word(scan, "False"))
            return err_set(err, ERR_INPUT,
                           "the array is in Fortran order; save it with numpy.ascontiguousarray");
        return SEEN_ORDER;
    }
    if (strcmp(name, "shape") == 0) {
        if (!scan_shape(scan, h))
            return err_set(err, ERR_INPUT, "the array must have one or two dimensions");
        return SEEN_SHAPE;
    }
    return err_set(err, ERR_INPUT, "the npy header has an unknown member");
}

static int scan_dict(struct scan *scan, struct npy_header *h, struct err *err)
{
    int seen = 0;
    bool more = scan_char(scan, '{');
    bool closed = false;
    while (more && !(closed = scan_char(scan, '}'))) {
        int member = scan_member(scan, h, err);
        if (member < 0)
            return member;
        if (seen & member)
            return err_set(err, ERR_INPUT, "the npy header has a member twice");
        seen |= member;
        more = scan_char(scan, ',');
    }
    if (!more)
        closed = scan_char(scan, '}'); /* the last comma may be missing */
    scan_blanks(scan);
    if (seen != SEEN_ALL || !closed || scan->p != scan->end)
        return err_set(err, ERR_INPUT, "the npy header is not complete");
    return 0;
}

/* The file must hold exactly what the header says. */
static int check_size(const struct npy_header *h, size_t len, struct err *err)
{
    uint64_t bytes;
    uint64_t columns = h->columns ? (uint64_t)h->columns : 1;
    if (__builtin_mul_overflow((uint64_t)h->rows, columns, &bytes) ||
        __builtin_mul_overflow(bytes, h->item_bytes, &bytes) ||
        __builtin_add_overflow(bytes, h->data_at, &bytes) || bytes != len)
        return err_set(err, ERR_INPUT,
                       "the file has %zu bytes, which do not hold the %" PRId64 " x %" PRIu64
                       " values of type %s that its header promises; it is cut short or damaged",
                       len, h->rows, columns, h->descr);
    return 0;
}

int npy_parse(const void *file, size_t len, struct npy_header *ret, struct err *err)
{
    const unsigned char *bytes = file;
    if (len < NPY_PREFIX || memcmp(bytes, NPY_MAGIC, 6) != 0)
        return err_set(err, ERR_INPUT, "this is not a .npy file");
    if (bytes[6] != 1 || bytes[7] != 0)
        return err_set(err, ERR_INPUT, "npy version %d.%d, but only 1.0 is read", bytes[6],
                       bytes[7]);
    struct npy_header h = {.data_at = NPY_PREFIX + (bytes[8] | (size_t)bytes[9] << 8)};
    if (h.data_at > len)
        return err_set(err, ERR_INPUT, "the file ends within its npy header");
    struct scan scan = {(const char *)bytes + NPY_PREFIX, (const char *)bytes + h.data_at};
    int r = scan_dict(&scan, &h, err);
    if (r < 0)
        return r;
    h.item_bytes = descr_bytes(h.descr);
    if (h.item_bytes == 0)
        return err_set(err, ERR_INPUT, "values of numpy type \"%s\" are not read", h.descr);
    if (h.data_at % NPY_ALIGN != 0)
        return err_set(err, ERR_INPUT, "the data begins at byte %zu, not at a multiple of %d",
                       h.data_at, NPY_ALIGN);
    r = check_size(&h, len, err);
    if (r == 0)
        *ret = h;
    return r;
}

/* Room for the array's bytes at the end of out. */
static void *append_room(struct str *out, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        mem_exhausted();
    str_reserve(out, bytes);
    char *room = out->s + out->len;
    out->len += bytes;
    out->s[out->len] = '\0';
    return room;
}

/* The header's end is a multiple of 64 in its file, but not in memory: hence memcpy. */
static int write_int(struct str *out, const struct column *c, struct err *err)
{
    npy_write_header(out, "<i8", c->rows, 0);
    char *p = append_room(out, (size_t)c->rows, 8);
    for (int64_t row = 0; row < c->rows; row++, p += 8) {
        if (column_is_null(c, row))
            return err_set(err, ERR_BUG, "column \"%s\" has a null though it must not have any",
                           c->name);
        int64_t value = c->type == TYPE_BOOL ? c->b[row] : c->i[row];
        memcpy(p, &value, 8);
    }
    return 0;
}

static int write_f64(struct str *out, const struct column *c)
{
    npy_write_header(out, "<f8", c->rows, 0);
    char *p = append_room(out, (size_t)c->rows, 8);
    bool none = c->type == TYPE_NULL;
    for (int64_t row = 0; row < c->rows; row++, p += 8) {
        double value = none || column_is_null(c, row) ? (double)NAN : column_f64(c, row);
        memcpy(p, &value, 8);
    }
    return 0;
}

static int write_f32(struct str *out, const struct column *c, struct err *err)
{
    npy_write_header(out, "<f4", c->rows, 0);
    char *p = append_room(out, (size_t)c->rows, 4);
    bool none = c->type == TYPE_NULL;
    for (int64_t row = 0; row < c->rows; row++, p += 4) {
        double whole = none || column_is_null(c, row) ? (double)NAN : column_f64(c, row);
        float value = (float)whole;
        if (isinf(value))
            return err_set(err, ERR_INPUT,
                           "column \"%s\", row %" PRId64 ": %g is too large for f32; leave out "
                           "\"float\": \"f32\"",
                           c->name, row + 1, whole);
        memcpy(p, &value, 4);
    }
    return 0;
}

static int write_time(struct str *out, const struct column *c)
{
    npy_write_header(out, c->type == TYPE_DATE ? "<M8[D]" : "<M8[us]", c->rows, 0);
    char *p = append_room(out, (size_t)c->rows, 8);
    for (int64_t row = 0; row < c->rows; row++, p += 8)
        memcpy(p, column_is_null(c, row) ? &not_a_time : &c->i[row], 8);
    return 0;
}

/* One string as UCS-4, padded with zeros. False if it has more than `width` characters. */
static bool put_ucs4(char *p, struct text t, int32_t width)
{
    int32_t n = 0;
    for (int64_t i = 0; i < t.len; n++) {
        uint32_t point;
        int bytes = utf8_decode(t.s + i, (size_t)(t.len - i), &point);
        if (bytes == 0 || n == width)
            return false;
        memcpy(p + (size_t)n * 4, &point, 4);
        i += bytes;
    }
    memset(p + (size_t)n * 4, 0, (size_t)(width - n) * 4);
    return true;
}

static int write_string(struct str *out, const struct column *c, struct err *err)
{
    int32_t width = c->max_chars > 1 ? c->max_chars : 1;
    char descr[16];
    snprintf(descr, sizeof(descr), "<U%" PRId32, width);
    npy_write_header(out, descr, c->rows, 0);
    size_t item = (size_t)width * 4;
    char *p = append_room(out, (size_t)c->rows, item);
    for (int64_t row = 0; row < c->rows; row++, p += item) {
        struct text t = {0};
        if (!column_is_null(c, row))
            t = dict_text(&c->dict, c->code[row]);
        if (!put_ucs4(p, t, width))
            return err_set(err, ERR_BUG,
                           "column \"%s\", row %" PRId64 ": a string that is not UTF-8 or has "
                           "more than %" PRId32 " characters",
                           c->name, row + 1, width);
    }
    return 0;
}

int npy_write_column(struct str *out, const struct column *c, bool f32, struct err *err)
{
    switch (c->type) {
    case TYPE_STRING:
        return write_string(out, c, err);
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
        return write_time(out, c);
    case TYPE_BOOL:
    case TYPE_INT:
        if (!c->nullable)
            return write_int(out, c, err);
        break;
    default:
        break;
    }
    return f32 ? write_f32(out, c, err) : write_f64(out, c);
}

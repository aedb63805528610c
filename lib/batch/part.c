/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* part.c - see part.h. */
#include "batch/part.h"

#include <inttypes.h>

#include "codec/csv.h"

void part_deinit(struct part *part)
{
    str_deinit(&part->header);
    str_deinit(&part->records);
    text_frame_deinit(&part->frame);
}

/* ---- is it what the manifest says? ---- */

static int differs(const struct part_source *source, const char *what, int64_t is, int64_t should,
                   struct err *err)
{
    return err_set(err, ERR_INPUT,
                   "%s/%s" BATCH_RESULT_SUFFIX " is not what the manifest says: its %s is %" PRId64
                   ", there %" PRId64
                   ". It was changed after the batch had settled, or damaged; delete it and "
                   "`hiwari reconcile %s` has it computed again",
                   store_url(source->store), source->line->key, what, is, should,
                   source->manifest->batch);
}

static int is_another(const struct part_source *source, const char *why, struct err *err)
{
    return err_set(err, ERR_INPUT, "%s/%s" BATCH_RESULT_SUFFIX " is not what the manifest says: %s",
                   store_url(source->store), source->line->key, why);
}

static int check_identity(const struct part_source *source, const struct str *zip, struct err *err)
{
    const struct manifest *manifest = source->manifest;
    CLEANUP(str_deinit) struct str comment = {0};
    CLEANUP(result_identity_free) struct result_identity *is = NULL;
    struct err why = {0};
    int r = zip_comment(zip->s, zip->len, &comment, &why);
    if (r == 0)
        r = result_identity_parse(comment.s, comment.len, &is, &why);
    if (r < 0)
        return is_another(source, why.text, err);
    if (strcmp(is->key, source->line->key) != 0)
        return is_another(source, "it is another key's result", err);
    if (strcmp(is->spec, manifest->spec) != 0)
        return is_another(source, "it is of another spec", err);
    if (strcmp(is->format, manifest->format) != 0 || is->result_version != manifest->result_version)
        return is_another(source, "it is of another format", err);
    return is->rows == source->line->rows
               ? 0
               : differs(source, "number of rows", is->rows, source->line->rows, err);
}

/* Results with very many members name none in their comment, and so does the manifest. */
static int check_members(const struct part_source *source, const struct zip_list *members,
                         struct err *err)
{
    const struct manifest_line *line = source->line;
    if (line->n_members == 0)
        return 0;
    if (members->n != line->n_members)
        return differs(source, "number of members", members->n, line->n_members, err);
    for (int i = 0; i < members->n; i++)
        if (members->members[i].crc32 != line->crc32[i])
            return is_another(source, "the checksum of its content is another", err);
    return 0;
}

/* ---- reading ---- */

/* The bytes of the first record, its line end included. */
static size_t header_bytes(const char *text, size_t len)
{
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        quoted ^= text[i] == '"';
        if (text[i] == '\n' && !quoted)
            return i + 1;
    }
    return len;
}

static int take_csv(const struct part_source *source, const struct zip_list *members, bool as_text,
                    struct part *ret, struct err *err)
{
    CLEANUP(mem_free_chars) char *name = mem_printf("%s.csv", source->line->key);
    if (members->n != 1 || strcmp(members->members[0].name, name) != 0)
        return is_another(source, "it does not hold one CSV of its key", err);
    const char *text = members->members[0].data;
    size_t len = members->members[0].len;
    if (!as_text)
        return text_frame_csv(name, text, len, &ret->frame, err);
    size_t header = header_bytes(text, len);
    str_add(&ret->header, text, header);
    str_add(&ret->records, text + header, len - header);
    return 0;
}

int part_read(const struct part_source *source, bool as_text, struct part *ret, struct err *err)
{
    const struct manifest_line *line = source->line;
    CLEANUP(str_deinit) struct str zip = {0};
    CLEANUP(zip_list_free) struct zip_list members = {0};
    CLEANUP(mem_free_chars) char *name = result_name(line->key);
    int r = store_get(source->store, name, 0, &zip, NULL, err);
    if (r == STORE_ABSENT)
        return is_another(source, "it was deleted just now", err);
    if (r < 0)
        return r;
    if ((int64_t)zip.len != line->bytes)
        return differs(source, "size in bytes", (int64_t)zip.len, line->bytes, err);
    r = check_identity(source, &zip, err);
    if (r == 0) {
        struct err why = {0};
        r = zip_unpack(zip.s, zip.len, &members, &why);
        if (r < 0)
            return is_another(source, why.text, err);
        r = check_members(source, &members, err);
    }
    if (r < 0)
        return r;
    r = strcmp(source->manifest->format, "npz") == 0
            ? text_frame_npz(&members, &ret->frame, &ret->float32, err)
            : take_csv(source, &members, as_text, ret, err);
    if (r < 0)
        return err_prefix(err, "%s/%s", store_url(source->store), name);
    if (!as_text && ret->frame.rows != line->rows)
        return differs(source, "number of rows", ret->frame.rows, line->rows, err);
    return 0;
}

/* ---- joining ---- */

static const struct column *find_column(const struct frame *frame, const char *name)
{
    for (int i = 0; i < frame->n_columns; i++)
        if (strcmp(frame->columns[i].name, name) == 0)
            return &frame->columns[i];
    return NULL;
}

static bool same_cell(const struct column *a, const struct column *b, int64_t row)
{
    bool null_a = column_is_null(a, row), null_b = column_is_null(b, row);
    if (null_a || null_b)
        return null_a && null_b;
    if (a->type == TYPE_STRING && b->type == TYPE_STRING)
        return text_compare(dict_text(&a->dict, a->code[row]), dict_text(&b->dict, b->code[row])) ==
               0;
    if (type_is_number(a->type) && type_is_number(b->type))
        return column_f64(a, row) == column_f64(b, row);
    return a->type == b->type && a->i[row] == b->i[row];
}

/* Append the cell as CSV would have it. */
static void show_cell(const struct column *c, int64_t row, struct str *out)
{
    struct column cell = column_slice(c, row, 1);
    const struct frame frame = {.rows = 1, .n_columns = 1, .columns = &cell};
    CLEANUP(str_deinit) struct str text = {0};
    csv_write_frame(&text, &frame);
    size_t header = header_bytes(text.s, text.len);
    str_addf(out, "'%.*s'", (int)(text.len - header - 1), text.s + header);
}

static int compare_column(const struct column *a, const struct column *b, struct err *err)
{
    for (int64_t row = 0; row < a->rows; row++) {
        if (same_cell(a, b, row))
            continue;
        CLEANUP(str_deinit) struct str words = {0};
        show_cell(a, row, &words);
        str_addz(&words, " and ");
        show_cell(b, row, &words);
        return err_set(err, ERR_INPUT,
                       "row %" PRId64 " (from 0) has %.200s in column '%s': the rows are not the "
                       "same, or the column does not mean the same in both",
                       row, words.s, a->name);
    }
    return 0;
}

int part_join(struct part *a, struct part *b, const struct name_list *need, struct err *err)
{
    struct frame *to = &a->frame, *from = &b->frame;
    if (to->rows != from->rows)
        return err_set(err, ERR_INPUT, "there are %" PRId64 " and %" PRId64 " rows", to->rows,
                       from->rows);
    for (int i = 0; i < need->n; i++)
        if (!find_column(to, need->names[i]) || !find_column(from, need->names[i]))
            return err_set(err, ERR_INPUT, "only one of them has the column '%s'", need->names[i]);
    int n = to->n_columns;
    struct column *columns = mem_zalloc((size_t)(n + from->n_columns + 1) * sizeof(*columns));
    memcpy(columns, to->columns, (size_t)n * sizeof(*columns));
    free(to->columns);
    to->columns = columns;
    for (int i = 0; i < from->n_columns; i++) {
        const struct column *there = find_column(to, from->columns[i].name);
        int r = there ? compare_column(there, &from->columns[i], err) : 0;
        if (r < 0)
            return r;
        if (there)
            continue;
        to->columns[to->n_columns++] = from->columns[i];
        from->columns[i] = (struct column){0};
    }
    a->float32 &= b->float32;
    return 0;
}

/* ---- other forms ---- */

void part_type(struct part *part)
{
    for (int i = 0; i < part->frame.n_columns; i++) {
        struct column *c = &part->frame.columns[i];
        struct column typed;
        text_frame_type(c, &typed);
        if (typed.type == TYPE_STRING)
            continue;
        free(c->own);
        *c = typed;
    }
}

void part_to_text(struct part *part)
{
    struct str text = {0};
    csv_write_frame(&text, &part->frame);
    size_t header = header_bytes(text.s, text.len);
    str_add(&part->header, text.s, header);
    str_add(&part->records, text.s + header, text.len - header);
    str_deinit(&text);
    text_frame_deinit(&part->frame);
}

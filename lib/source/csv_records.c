/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* csv_records.c - see csv_records.h. */
#include "source/csv_records.h"

#include <inttypes.h>
#include <string.h>

#include "base/date.h"
#include "base/utf8.h"

/* A reading, and what comes only once. */
struct csv_records_own {
    csv_columns_fn *on_columns;
    csv_row_fn *on_row;
    void *ctx;
    int64_t done_before;  /* bytes of the files before this one */
    struct input *input;  /* of this file */
    int *place;           /* field of the file -> column */
    struct text *fields;  /* in the order of the columns */
    struct input **pipes; /* for each file: kept open if it cannot be opened again */
};

int csv_records_files(const struct csv_records *r)
{
    return 1 + r->wish->n_more_files;
}

static const char *path_of(const struct csv_records *r, int file)
{
    return file == 0 ? r->wish->file : r->wish->more_files[file - 1];
}

const char *csv_records_file(const struct csv_records *r, int file)
{
    const char *path = path_of(r, file);
    return strcmp(path, INPUT_STDIN) == 0 ? "standard input" : path;
}

void csv_records_deinit(struct csv_records *r)
{
    for (int c = 0; c < r->n_columns; c++)
        free(r->names[c]);
    free(r->names);
    if (r->own) {
        for (int f = 0; f < csv_records_files(r); f++)
            input_free(r->own->pipes[f]);
        free(r->own->pipes);
        free(r->own->place);
        free(r->own->fields);
        free(r->own);
    }
    *r = (struct csv_records){0};
}

/* Chapter: headers. */

static int column_of(const struct csv_records *r, struct text name)
{
    for (int c = 0; c < r->n_columns; c++) {
        if (strlen(r->names[c]) == (size_t)name.len &&
            memcmp(r->names[c], name.s, strlen(r->names[c])) == 0)
            return c;
    }
    return -1;
}

/* Where the columns come from, for messages. */
static const char *model_of(const struct csv_records *r)
{
    return r->has_cut ? "the snapshot to append to" : csv_records_file(r, 0);
}

static int map_header(struct csv_records *r, const struct text *fields, int n, struct err *err)
{
    const char *file = csv_records_file(r, r->file);
    CLEANUP(free) void *memory = mem_zalloc((size_t)r->n_columns + 1);
    bool *seen = memory;
    r->own->place = mem_realloc(r->own->place, (size_t)n * sizeof(int));
    for (int i = 0; i < n; i++) {
        int c = r->own->place[i] = column_of(r, fields[i]);
        if (c < 0)
            return err_set(err, ERR_INPUT, "%s has a column '%.*s' that %s does not have", file,
                           (int)fields[i].len, fields[i].s, model_of(r));
        seen[c] = true;
    }
    for (int c = 0; c < r->n_columns; c++) {
        if (!seen[c])
            return err_set(err, ERR_INPUT, "%s has no column '%s' as %s has it", file, r->names[c],
                           model_of(r));
    }
    return 0;
}

static int take_header(void *ctx, const struct text *fields, int n, int64_t line, struct err *err)
{
    struct csv_records *r = ctx;
    bool first = !r->own->fields;
    if (r->n_columns == 0) {
        r->n_columns = n;
        r->names = mem_zalloc((size_t)n * sizeof(*r->names));
        for (int c = 0; c < n; c++)
            r->names[c] = mem_strndup(fields[c].s, (size_t)fields[c].len);
    }
    if (first)
        r->own->fields = mem_zalloc((size_t)r->n_columns * sizeof(*r->own->fields));
    int e = map_header(r, fields, n, err);
    return e < 0 || !first ? e : r->own->on_columns(r->own->ctx, err);
}

/* Chapter: rows. */

/* The day of a row that has a time: 1 when the row is taken, 0 when it is passed over. */
static int check_day(struct csv_records *r, struct text time, int64_t line, struct err *err)
{
    int64_t day, us;
    if (date_parse(time.s, (size_t)time.len, &day))
        ;
    else if (timestamp_parse(time.s, (size_t)time.len, &us))
        day = timestamp_day(us);
    else
        return err_set(err, ERR_INPUT,
                       "%s: line %" PRId64 ", column %s: '%.*s' is neither a date nor a timestamp",
                       csv_records_file(r, r->file), line, r->names[r->time],
                       (int)utf8_valid_prefix(time.s, time.len < 80 ? (size_t)time.len : 80),
                       time.s);
    if (!r->any_day || day < r->first_day)
        r->first_day = day;
    r->any_day = true;
    return day >= r->cut_day;
}

static int take_record(void *ctx, const struct text *fields, int n, int64_t line, struct err *err)
{
    struct csv_records *r = ctx;
    struct csv_records_own *own = r->own;
    for (int i = 0; i < n; i++)
        own->fields[own->place[i]] = fields[i];
    r->done = own->done_before + input_done(own->input);
    const struct text *time = r->time >= 0 ? &own->fields[r->time] : NULL;
    if (time && !time->s && r->drop_null_time) {
        r->dropped++;
        return 0;
    }
    if (time && time->s && r->has_cut) {
        int taken = check_day(r, *time, line, err);
        r->passed += taken == 0;
        if (taken <= 0)
            return taken;
    }
    if (r->rows == INT32_MAX)
        return err_set(err, ERR_INPUT, "%s: line %" PRId64 ": a table has at most %d rows",
                       csv_records_file(r, r->file), line, INT32_MAX);
    r->rows++;
    return own->on_row(own->ctx, own->fields, line, err);
}

/* Chapter: files. */

static int open_file(struct csv_records *r, struct err *err)
{
    struct input **kept = &r->own->pipes[r->file];
    if (*kept) {
        r->own->input = *kept;
        return input_rewind(*kept, err);
    }
    int e = input_open(path_of(r, r->file), r->spool_dir, &r->own->input, err);
    if (e == 0 && input_is_pipe(r->own->input))
        *kept = r->own->input;
    return e;
}

static int read_file(struct csv_records *r, struct err *err)
{
    int e = open_file(r, err);
    if (e < 0)
        return e;
    e = csv_read_input(r->own->input, take_header, take_record, r, err);
    r->own->done_before += input_done(r->own->input);
    if (!r->own->pipes[r->file])
        input_free(r->own->input);
    r->own->input = NULL;
    return e;
}

int csv_records_read(struct csv_records *r, csv_columns_fn *on_columns, csv_row_fn *on_row,
                     void *ctx, struct err *err)
{
    int n = csv_records_files(r), e = 0;
    if (!r->own) {
        r->own = MEM_NEW(struct csv_records_own);
        r->own->pipes = mem_zalloc((size_t)n * sizeof(*r->own->pipes));
    }
    r->own->on_columns = on_columns;
    r->own->on_row = on_row;
    r->own->ctx = ctx;
    r->own->done_before = r->rows = r->dropped = r->passed = 0;
    r->any_day = false;
    for (r->file = 0; e == 0 && r->file < n; r->file++)
        e = read_file(r, err);
    return e;
}

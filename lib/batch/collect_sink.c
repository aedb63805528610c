/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* collect_sink.c - see collect_sink.h. */
#include "batch/collect_sink.h"

#include <unistd.h>

#include "base/fs.h"
#include "base/new_file.h"
#include "codec/csv.h"
#include "codec/gzip.h"

enum { BUFFER = 1 << 20 };

struct collect_sink {
    enum collect_form form;
    struct new_file *file;
    char *first_key; /* whose columns all others must have; NULL: none yet */
    struct str header;
    char **names; /* npz */
    int n_names;
    struct gzip *gzip;
    struct str buffer; /* on its way into the file */
    struct npz_writer *npz;
};

bool collect_form_of(const char *path, enum collect_form *ret)
{
    *ret = str_ends(path, ".csv")      ? COLLECT_CSV
           : str_ends(path, ".csv.gz") ? COLLECT_CSV_GZ
                                       : COLLECT_NPZ;
    return *ret != COLLECT_NPZ || str_ends(path, ".npz");
}

void collect_sink_free(struct collect_sink *sink)
{
    if (!sink)
        return;
    for (int i = 0; i < sink->n_names; i++)
        free(sink->names[i]);
    free(sink->names);
    free(sink->first_key);
    str_deinit(&sink->header);
    str_deinit(&sink->buffer);
    gzip_free(sink->gzip);
    npz_writer_free(sink->npz);
    new_file_free(sink->file);
    free(sink);
}

int collect_sink_open(const char *path, const struct columns_types *types,
                      struct collect_sink **ret, struct err *err)
{
    CLEANUP(collect_sink_free) struct collect_sink *sink = MEM_NEW(struct collect_sink);
    collect_form_of(path, &sink->form);
    CLEANUP(fs_list_free) struct fs_list list = {0};
    if (fs_list(path, &list, NULL) == 0)
        return err_set(err, ERR_WRITE, "%s is a folder: name a file", path);
    int r = new_file_open(path, &sink->file, err);
    if (r < 0)
        return r;
    if (sink->form == COLLECT_CSV_GZ)
        sink->gzip = gzip_new();
    if (sink->form == COLLECT_NPZ) {
        int scratch = new_file_scratch(path, err);
        if (scratch < 0)
            return scratch;
        sink->npz = npz_writer_new(scratch, 0, types->hints, types->n);
    }
    *ret = sink;
    sink = NULL;
    return 0;
}

/* ---- columns ---- */

static int other_columns(const struct collect_sink *sink, const char *key, struct err *err)
{
    return err_set(err, ERR_INPUT, "the result of %s has other columns than that of %s", key,
                   sink->first_key);
}

static void take_columns(struct collect_sink *sink, const char *key, const struct part *part)
{
    sink->first_key = mem_strdup(key);
    str_add(&sink->header, part->header.s, part->header.len);
    sink->names = mem_zalloc(((size_t)part->frame.n_columns + 1) * sizeof(*sink->names));
    for (int i = 0; i < part->frame.n_columns; i++)
        sink->names[sink->n_names++] = mem_strdup(part->frame.columns[i].name);
}

static bool has_columns(const struct collect_sink *sink, const struct part *part)
{
    if (sink->form != COLLECT_NPZ)
        return sink->header.len == part->header.len &&
               memcmp(sink->header.s, part->header.s, part->header.len) == 0;
    bool same = sink->n_names == part->frame.n_columns;
    for (int i = 0; same && i < sink->n_names; i++)
        same = strcmp(sink->names[i], part->frame.columns[i].name) == 0;
    return same;
}

/* ---- bytes ---- */

static int flush(struct collect_sink *sink, size_t above, struct err *err)
{
    if (sink->buffer.len <= above)
        return 0;
    int r = new_file_write(sink->file, sink->buffer.s, sink->buffer.len, err);
    str_clear(&sink->buffer);
    return r;
}

static int write_text(struct collect_sink *sink, const struct str *text, struct err *err)
{
    if (sink->gzip)
        gzip_add(sink->gzip, text->s, text->len, &sink->buffer);
    else
        str_add(&sink->buffer, text->s, text->len);
    return flush(sink, BUFFER, err);
}

int collect_sink_add(struct collect_sink *sink, const char *key, const struct part *part,
                     struct err *err)
{
    bool first = !sink->first_key;
    int r = 0;
    if (first)
        take_columns(sink, key, part);
    else if (!has_columns(sink, part))
        return other_columns(sink, key, err);
    if (sink->form == COLLECT_NPZ)
        return npz_writer_add(sink->npz, &part->frame, part->float32, err);
    if (first)
        r = write_text(sink, &part->header, err);
    return r < 0 ? r : write_text(sink, &part->records, err);
}

/* How many columns a CSV header names. */
static int on_header(void *ctx, const struct text *fields, int n, int64_t line, struct err *err)
{
    *(int *)ctx = n;
    return 0;
}

static int on_record(void *ctx, const struct text *fields, int n, int64_t line, struct err *err)
{
    return 0;
}

int collect_sink_finish(struct collect_sink *sink, int64_t *ret_bytes, int *ret_columns,
                        struct err *err)
{
    int r = 0;
    *ret_columns = sink->n_names;
    if (sink->form != COLLECT_NPZ)
        csv_read("header", sink->header.s, sink->header.len, on_header, on_record, ret_columns,
                 NULL);
    if (sink->form == COLLECT_NPZ)
        r = npz_writer_finish(sink->npz, new_file_fd(sink->file), err);
    else if (sink->gzip)
        gzip_finish(sink->gzip, &sink->buffer);
    if (r == 0)
        r = flush(sink, 0, err);
    if (r == 0)
        *ret_bytes = lseek(new_file_fd(sink->file), 0, SEEK_END);
    return r < 0 ? r : new_file_commit(sink->file, err);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_features.c - features of rows that the snapshot does not have: tomorrow's.
 *
 * The rows are computed in the snapshot's order, because ties and sums go by it, and written in the
 * order of the file, because that is what they will be joined with. */
#include <stdio.h>
#include <string.h>

#include "base/date.h"
#include "base/fs.h"
#include "codec/csv.h"
#include "codec/npz.h"
#include "features/reads.h"
#include "planned.h"
#include "source/source_rows.h"
#include "verbs.h"

static const struct table *target_of(const struct planned *p)
{
    return snapshot_table(p->snapshot, p->spec->target);
}

/* ---- what the file lacks, and what is worth a note ---- */

static int check_columns(const struct planned *p, const struct source_rows *rows, const char *path,
                         struct err *err)
{
    const struct table *t = target_of(p);
    CLEANUP(free) void *memory = mem_zalloc((size_t)t->n_columns + 1);
    CLEANUP(str_deinit) struct str missing = {0};
    bool *needed = memory;
    int n = 0;
    plan_target_reads(p->plan, needed);
    for (int c = 0; c < t->n_columns; c++)
        if (needed[c] && !rows->present[c])
            str_addf(&missing, "%s%s", n++ ? ", " : "", t->columns[c].name);
    if (n == 0)
        return 0;
    return err_set(err, ERR_INPUT,
                   "%s has no column%s %s, which the features read of each row; a column may be "
                   "empty where a value is "
                   "not known yet",
                   path, n == 1 ? "" : "s", missing.s);
}

static int64_t day_of(const struct column *time, int64_t row)
{
    return time->type == TYPE_DATE ? time->i[row] : timestamp_day(time->i[row]);
}

static void say_notes(const struct planned *p, const struct source_rows *rows, const char *path)
{
    const struct table *t = target_of(p);
    const struct column *time = &rows->columns[t->time];
    char text[DATE_TEXT];
    if (rows->ignored) {
        struct err note; /* a stranger's words, cleaned like those of an error */
        err_set(&note, 0, "%s: not columns of '%s', and ignored: %s", path, t->name, rows->ignored);
        fprintf(stderr, "note: %s\n", note.text);
    }
    for (int64_t row = 0; row < rows->n; row++) {
        int64_t day = day_of(time, row), first, end;
        if (row > 0 && day == day_of(time, row - 1))
            continue;
        date_format(day, text);
        if (table_day(t, day, &first, &end))
            fprintf(stderr,
                    "note: the snapshot has rows of %s too; groups are of the rows in %s alone\n",
                    text, path);
    }
    if (rows->n && day_of(time, 0) != day_of(time, rows->n - 1))
        fprintf(stderr,
                "note: %s has rows of several dates; its earlier rows are not history of the later "
                "ones\n",
                path);
}

/* ---- computing ---- */

struct place {
    const char *path;
    const struct source_rows *rows;
};

static void add_place(void *ctx, int64_t row, struct str *out)
{
    const struct place *place = ctx;
    str_addf(out, "%s: line %lld", place->path, (long long)place->rows->line[row]);
}

/* Rows of a frame as they stand in the file. chosen: the row that each row of the frame is, or
 * NULL. */
static int32_t *file_order(const struct source_rows *rows, const int32_t *chosen, int64_t n)
{
    int32_t *at = MEM_ARRAY(int32_t, (size_t)rows->n + 1); /* record -> row of the frame, or -1 */
    memset(at, -1, ((size_t)rows->n + 1) * sizeof *at);
    for (int64_t i = 0; i < n; i++)
        at[rows->record[chosen ? chosen[i] : i]] = (int32_t)i;
    int64_t kept = 0;
    for (int64_t record = 0; record < rows->n; record++)
        if (at[record] >= 0)
            at[kept++] = at[record];
    return at;
}

/* ret views strings of `frame`. */
static void in_file_order(const struct frame *frame, const int32_t *order, struct frame *ret)
{
    *ret = (struct frame){.rows = frame->rows, .n_columns = frame->n_columns};
    ret->columns = mem_zalloc(sizeof *ret->columns * (size_t)(frame->n_columns + 1));
    for (int c = 0; c < frame->n_columns; c++)
        column_take(&frame->columns[c], order, frame->rows, &ret->columns[c]);
}

/* ---- writing ---- */

static int pack_npz(const struct frame *frame, bool float32, struct str *ret, struct err *err)
{
    return npz_pack(frame, float32, NULL, NULL, ret, err);
}

static int write_frame(const struct spec *spec, const struct frame *frame, const char *out,
                       struct err *err)
{
    CLEANUP(str_deinit) struct str bytes = {0};
    int r = 0;
    if (str_ends(out, ".npz"))
        r = pack_npz(frame, spec->float32, &bytes, err);
    else
        csv_write_frame(&bytes, frame);
    if (r < 0)
        return r;
    if (strcmp(out, "-") != 0)
        return fs_write(out, bytes.s, bytes.len, err);
    fwrite(bytes.s, 1, bytes.len, stdout);
    return 0;
}

static int compute_and_write(const struct planned *p, const struct source_rows *rows,
                             const char *path, const char *out, struct err *err)
{
    CLEANUP(frame_deinit) struct frame computed = {0}, ordered = {0};
    struct place place = {path, rows};
    struct plan_rows given = {
        .columns = rows->columns, .n = rows->n, .place = add_place, .place_ctx = &place};
    int32_t *chosen = NULL;
    int r = plan_compute_rows(p->plan, &given, 1, &computed, &chosen, err);
    if (r < 0)
        return r;
    int32_t *order = file_order(rows, chosen, computed.rows);
    in_file_order(&computed, order, &ordered);
    free(chosen);
    free(order);
    return write_frame(p->spec, &ordered, out, err);
}

int cmd_features(const struct args *args, struct err *err)
{
    CLEANUP(planned_close) struct planned p = {0};
    CLEANUP(source_rows_deinit) struct source_rows rows = {0};
    const char *path = args_text(args, "rows"), *out = args_text(args, "out");
    if (strcmp(out, "-") != 0 && !str_ends(out, ".csv") && !str_ends(out, ".npz"))
        return err_set(err, ERR_USAGE,
                       "--out %s: name a file that ends in .csv or .npz, or - for standard output",
                       out);
    int r = planned_open(args, args_text(args, "spec"), &p, err);
    if (r == 0)
        r = source_rows_read(path, target_of(&p), &rows, err);
    if (r == 0)
        r = check_columns(&p, &rows, path, err);
    if (r < 0)
        return r;
    say_notes(&p, &rows, path);
    r = planned_index(args, &p, err);
    return r < 0 ? r : compute_and_write(&p, &rows, path, out, err);
}

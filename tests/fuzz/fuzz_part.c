/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz_part.c - a result's content, as `collect` reads it: any bytes as an archive of arrays, or as
 * CSV. What is accepted can be written as CSV, read again, typed, and put into an npz. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "codec/csv.h"
#include "codec/npz_writer.h"
#include "codec/text_frame.h"

static struct err err;

static int scratch(void)
{
    FILE *file = tmpfile();
    int fd = file ? dup(fileno(file)) : -1;
    if (fd < 0)
        abort();
    fclose(file);
    return fd;
}

/* The same values again, each column as the type that its text shows. */
static void type_and_pack(const struct str *csv)
{
    CLEANUP(text_frame_deinit) struct frame frame = {0};
    CLEANUP(npz_writer_free) struct npz_writer *writer = NULL;
    if (text_frame_csv("again", csv->s, csv->len, &frame, &err) < 0)
        return; /* a column of an npz may have a name that no CSV header can have */
    for (int i = 0; i < frame.n_columns; i++) {
        struct column typed;
        text_frame_type(&frame.columns[i], &typed);
        if (typed.type == TYPE_STRING)
            continue;
        free(frame.columns[i].own);
        frame.columns[i] = typed;
    }
    int fd = scratch();
    writer = npz_writer_new(scratch(), 64, NULL, 0);
    if (npz_writer_add(writer, &frame, false, &err) < 0 ||
        npz_writer_add(writer, &frame, true, &err) < 0)
        abort();
    int r = npz_writer_finish(writer, fd, &err);
    if (r < 0 && r != ERR_INPUT)
        abort();
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    CLEANUP(zip_list_free) struct zip_list members = {0};
    CLEANUP(text_frame_deinit) struct frame frame = {0};
    CLEANUP(str_deinit) struct str csv = {0};
    bool float32;
    int r = zip_unpack(data, len, &members, &err);
    if (r == 0)
        r = text_frame_npz(&members, &frame, &float32, &err);
    else
        r = text_frame_csv("input", data, len, &frame, &err);
    if (r < 0 && r != ERR_INPUT)
        abort();
    if (r == 0) {
        csv_write_frame(&csv, &frame);
        type_and_pack(&csv);
    }
    return 0;
}

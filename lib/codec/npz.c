/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* npz.c - see npz.h. */
#include "codec/npz.h"

#include "codec/npy.h"

int npz_pack(const struct frame *frame, bool f32, zip_comment_fn *comment_fn, void *ctx,
             struct str *ret, struct err *err)
{
    int n = frame->n_columns, r = 0;
    struct zip_member *members = mem_zalloc(((size_t)n + 1) * sizeof(*members));
    struct str *files = mem_zalloc(((size_t)n + 1) * sizeof(*files));
    for (int i = 0; r == 0 && i < n; i++) {
        r = npy_write_column(&files[i], &frame->columns[i], f32, err);
        members[i].name = mem_printf("%s.npy", frame->columns[i].name);
        members[i].data = files[i].s;
        members[i].len = files[i].len;
    }
    if (r == 0)
        r = zip_pack(members, n, comment_fn, ctx, ret, err);
    for (int i = 0; i < n; i++) {
        free(members[i].name);
        str_deinit(&files[i]);
    }
    free(members);
    free(files);
    return r;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* bench_features.c - how long the feature engine takes for all dates of a snapshot, in memory.
 *
 *     bench_features SNAPSHOT SPEC [--index-dir DIR] [--threads N] [--days N]
 *
 * Every output is kept until the clock has stopped, and only then summed up, so that nothing can be
 * left out. Prints one JSON object: seconds of each step, rows, and a checksum over all bytes of all
 * columns, which must be the same for every number of threads, with and without index. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "features/plan.h"

struct options {
    const char *snapshot, *spec, *index_dir;
    int threads;
    int64_t days;
};

static double seconds_since(int64_t start_us)
{
    return (double)(clock_us() - start_us) / 1e6;
}

static int usage(void)
{
    fprintf(stderr, "usage: bench_features SNAPSHOT SPEC [--index-dir DIR] [--threads N] [--days N]\n");
    return 64;
}

static bool parse(int argc, char **argv, struct options *o)
{
    *o = (struct options){.threads = 2, .days = INT64_MAX};
    for (int i = 1; i < argc; i++) {
        int64_t number = 0;
        bool more = i + 1 < argc;
        if (more && strcmp(argv[i], "--index-dir") == 0)
            o->index_dir = argv[++i];
        else if (more && strcmp(argv[i], "--threads") == 0 && str_to_i64(argv[i + 1], &number) && ++i)
            o->threads = (int)number;
        else if (more && strcmp(argv[i], "--days") == 0 && str_to_i64(argv[i + 1], &number) && ++i)
            o->days = number;
        else if (!o->snapshot)
            o->snapshot = argv[i];
        else if (!o->spec)
            o->spec = argv[i];
        else
            return false;
    }
    return o->spec != NULL;
}

static uint32_t checksum(const struct frame *f, uint32_t crc)
{
    for (int c = 0; c < f->n_columns; c++) {
        const struct column *column = &f->columns[c];
        crc = crc32c(crc, column->data, (size_t)f->rows * type_bytes(column->type));
        if (column->valid)
            crc = crc32c(crc, column->valid, (size_t)f->rows);
    }
    return crc;
}

static int run(const struct options *o, struct err *err)
{
    CLEANUP(snapshot_close) struct snapshot *snapshot = NULL;
    CLEANUP(spec_free) struct spec *spec = NULL;
    CLEANUP(plan_free) struct plan *plan = NULL;
    int built;
    int64_t n, start = clock_us();
    int r = snapshot_open(o->snapshot, &snapshot, err);
    if (r == 0)
        r = spec_read(o->spec, &spec, err);
    if (r == 0)
        r = plan_compile(spec, snapshot, &plan, err);
    double open_s = seconds_since(start);
    start = clock_us();
    if (r == 0)
        r = plan_index(plan, o->index_dir, o->threads, &built, err);
    double index_s = seconds_since(start);
    if (r < 0)
        return r;

    const int64_t *days = plan_days(plan, &n);
    n = n < o->days ? n : o->days;
    struct frame *frames = mem_zalloc(sizeof *frames * (size_t)(n + 1));
    start = clock_us();
    for (int64_t d = 0; d < n && r == 0; d++)
        r = plan_compute(plan, days[d], o->threads, &frames[d], err);
    double compute_s = seconds_since(start);

    int64_t rows = 0;
    uint32_t crc = 0;
    for (int64_t d = 0; d < n; d++) {
        rows += frames[d].rows;
        crc = checksum(&frames[d], crc);
        frame_deinit(&frames[d]);
    }
    free(frames);
    printf("{\"open_s\": %.4f, \"index_s\": %.4f, \"indexes_built\": %d, \"compute_s\": %.4f, \"days\": %" PRId64
           ", \"rows\": %" PRId64 ", \"crc32c\": \"%08" PRIx32 "\"}\n",
           open_s, index_s, built, compute_s, n, rows, crc);
    return r;
}

int main(int argc, char **argv)
{
    struct options o;
    struct err err = {0};
    if (!parse(argc, argv, &o))
        return usage();
    if (run(&o, &err) < 0) {
        fprintf(stderr, "bench_features: %s\n", err.text);
        return err_exit_code(err.code);
    }
    return 0;
}

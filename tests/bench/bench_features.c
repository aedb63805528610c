/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* bench_features.c - how long the feature engine takes for all dates of a snapshot, in memory.
 *
 *     bench_features SNAPSHOT SPEC [--index-dir DIR] [--threads N] [--within] [--days N]
 *
 * The threads share out the dates, as several workers would; with --within they work together on
 * one date after the other, as the threads of one worker do, and each output is summed up and given
 * away before the next date, on no date's clock: a worker does not keep its results either.
 *
 * Otherwise every output is kept until the clock has stopped, and only then summed up, so that
 * nothing can be left out. Prints one JSON object: seconds of each step, milliseconds of one date
 * (median, and what 99 of 100 stay below), rows, and a checksum over all bytes of all columns,
 * which must be the same for every number of threads, with and without index. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "features/plan.h"

struct options {
    const char *snapshot, *spec, *index_dir;
    int threads;
    bool within;
    int64_t days;
};

static double seconds_since(int64_t start_us)
{
    return (double)(clock_us() - start_us) / 1e6;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: bench_features SNAPSHOT SPEC [--index-dir DIR] [--threads N] [--within] "
            "[--days N]\n");
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
        else if (more && strcmp(argv[i], "--threads") == 0 && str_to_i64(argv[i + 1], &number) &&
                 ++i)
            o->threads = (int)number;
        else if (more && strcmp(argv[i], "--days") == 0 && str_to_i64(argv[i + 1], &number) && ++i)
            o->days = number;
        else if (strcmp(argv[i], "--within") == 0)
            o->within = true;
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

struct report {
    double open_s, index_s, compute_s;
    int indexes_built;
    int64_t days, rows;
    double day_ms_median, day_ms_p99;
    uint32_t crc;
};

static int compare_us(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void sum_up(struct frame *frame, struct report *ret)
{
    ret->rows += frame->rows;
    ret->crc = checksum(frame, ret->crc);
    frame_deinit(frame);
}

static void compute_day(struct plan *plan, int64_t day, int threads, struct frame *ret,
                        int64_t *ret_us, struct err *err)
{
    struct err why = {0};
    int64_t start = clock_us();
    if (plan_compute(plan, day, threads, ret, &why) < 0) {
#pragma omp critical
        *err = why;
    }
    *ret_us = clock_us() - start;
}

/* Computes all days; unless within, keeps their frames and sums up when the clock has stopped. */
static int compute_days(struct plan *plan, const struct options *o, struct report *ret,
                        struct err *err)
{
    int64_t n, start = clock_us();
    const int64_t *days = plan_days(plan, &n);
    n = n < o->days ? n : o->days;
    struct frame *frames = mem_zalloc(sizeof *frames * (size_t)(n + 1));
    int64_t *day_us = mem_zalloc(sizeof *day_us * (size_t)(n + 1));
    /* Not in a parallel region, within which threads would begin anew for each date. */
    for (int64_t d = 0; o->within && d < n; d++) {
        compute_day(plan, days[d], o->threads, &frames[d], &day_us[d], err);
        sum_up(&frames[d], ret);
    }
    if (!o->within) {
#pragma omp parallel for num_threads(o->threads) schedule(dynamic, 8)
        for (int64_t d = 0; d < n; d++)
            compute_day(plan, days[d], 1, &frames[d], &day_us[d], err);
    }
    ret->compute_s = (double)(clock_us() - start) / 1e6;
    ret->days = n;
    for (int64_t d = 0; d < n && !o->within; d++)
        sum_up(&frames[d], ret);
    qsort(day_us, (size_t)n, sizeof *day_us, compare_us);
    ret->day_ms_median = (double)day_us[n / 2] / 1e3;
    ret->day_ms_p99 = (double)day_us[n * 99 / 100] / 1e3;
    free(day_us);
    free(frames);
    return err->code;
}

static int run(const struct options *o, struct report *ret, struct err *err)
{
    CLEANUP(snapshot_close) struct snapshot *snapshot = NULL;
    CLEANUP(spec_free) struct spec *spec = NULL;
    CLEANUP(plan_free) struct plan *plan = NULL;
    int64_t start = clock_us();
    int r = snapshot_open(o->snapshot, &snapshot, err);
    if (r == 0)
        r = spec_read(o->spec, &spec, err);
    if (r == 0)
        r = plan_compile(spec, snapshot, &plan, err);
    ret->open_s = seconds_since(start);
    start = clock_us();
    if (r == 0)
        r = plan_index(plan, o->index_dir, o->threads, &ret->indexes_built, err);
    ret->index_s = seconds_since(start);
    return r < 0 ? r : compute_days(plan, o, ret, err);
}

static void print(const struct report *report)
{
    printf("{\"open_s\": %.4f, \"index_s\": %.4f, \"indexes_built\": %d, \"compute_s\": %.4f, "
           "\"day_ms_median\": %.3f, \"day_ms_p99\": %.3f, \"days\": %" PRId64
           ", \"rows\": %" PRId64 ", \"crc32c\": \"%08" PRIx32 "\"}\n",
           report->open_s, report->index_s, report->indexes_built, report->compute_s,
           report->day_ms_median, report->day_ms_p99, report->days, report->rows, report->crc);
}

int main(int argc, char **argv)
{
    struct options o;
    struct err err = {0};
    if (!parse(argc, argv, &o))
        return usage();
    struct report report = {0};
    if (run(&o, &report, &err) < 0) {
        fprintf(stderr, "bench_features: %s\n", err.text);
        return err_exit_code(err.code);
    }
    print(&report);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* bench_store.c - N objects into a store, by as many threads as a worker has uploaders.
 *
 *   bench_store URL N BYTES
 *
 * Prints seconds by the clock and seconds of processor time. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "store/store.h"

static struct store *store;
static char *data;
static size_t len;
static int64_t n;
static atomic_int_fast64_t next;
static atomic_int failures;

static void *put_some(void *ctx)
{
    struct err err = {0};
    for (int64_t i; (i = atomic_fetch_add(&next, 1)) < n;) {
        CLEANUP(mem_free_chars) char *name = mem_printf("%08lld.zip", (long long)i);
        struct store_upload upload = {.name = name,
                                      .data = data,
                                      .len = len,
                                      .expect = STORE_EXPECT_NOTHING,
                                      .label = "{\"what\":\"a label\"}"};
        if (store_upload(store, &upload, NULL, &err) != 0 && atomic_fetch_add(&failures, 1) == 0)
            fprintf(stderr, "bench_store: %s\n", err.text);
    }
    return NULL;
}

static double cpu_s(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    pthread_t threads[64];
    if (argc < 4)
        return 64;
    if (store_open(argv[1], &store, &err) < 0) {
        fprintf(stderr, "bench_store: %s\n", err.text);
        return 69;
    }
    n = atoll(argv[2]);
    len = (size_t)atoll(argv[3]);
    data = mem_alloc(len);
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(i * 2654435761u >> 13);
    int64_t begin_us = clock_us();
    double begin_cpu_s = cpu_s();
    int n_threads = store_parallel(store);
    for (int i = 0; i < n_threads; i++)
        if (pthread_create(&threads[i], NULL, put_some, NULL) != 0)
            return 70;
    for (int i = 0; i < n_threads; i++)
        pthread_join(threads[i], NULL);
    printf("%.6f %.6f\n", (double)(clock_us() - begin_us) / 1e6, cpu_s() - begin_cpu_s);
    store_close(store);
    free(data);
    return atomic_load(&failures) ? 1 : 0;
}

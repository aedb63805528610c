/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* main.c - hiwari-worker: settings -> worker_run(). */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "worker/worker.h"

enum { EXIT_USAGE = 64 };

static const char help[] =
    "hiwari-worker --batch BATCH --snapshot DIR [options]\n"
    "\n"
    "Leases keys of a batch from Redis, computes their features from the snapshot, and puts one\n"
    "result per key into the batch's destination, until the batch is settled. Start as many as\n"
    "you like, on any machine that sees Redis, the snapshot and the destination; each may be\n"
    "killed at any moment. What is computed, and where it goes, is the batch's (hiwari enqueue).\n"
    "\n"
    "  --batch BATCH         the batch to work on                        (or HIWARI_BATCH)\n"
    "  --snapshot DIR        the snapshot it was enqueued with           (or HIWARI_SNAPSHOT)\n"
    "  --redis URL           redis://host:6379, rediss://host?cacert=F,  (or HIWARI_REDIS)\n"
    "                        unix:///path, redis+sentinel://host,…/NAME; password and\n"
    "                        certificates also by HIWARI_REDIS_PASSWORD, _CACERT, _CERT, _KEY;\n"
    "                        the URL also in a file that HIWARI_REDIS_FILE names\n"
    "  --index-dir DIR       where the snapshot's indexes are, when not  (or HIWARI_INDEX_DIR)\n"
    "                        in the snapshot (a read-only volume)\n"
    "  --threads N           threads that compute; by default as many as the cgroup allows\n"
    "  --uploads N           results that are packed and stored at once\n"
    "  --lease-keys N        keys leased at once, at most; fewer when keys take long (16)\n"
    "  --linger S            leave with 0 after S seconds without work, not only when the batch\n"
    "                        is settled\n"
    "  --grace S             seconds from SIGTERM to the end (12, for the 15 of spot nodes)\n"
    "  --allow-eviction      accept a Redis whose maxmemory-policy is not noeviction\n"
    "  --help, --version\n"
    "\n"
    "Exit codes: 0 the batch is settled; 64 usage; 69 Redis is unreachable; 70 a key exceeded its\n"
    "time; 73 the destination cannot be written; 75 the batch is gone or cancelled, try again\n"
    "later; 78 snapshot, spec or version are not the batch's; 143 drained after SIGTERM.\n";

enum option_id {
    OPTION_BATCH = 1,
    OPTION_SNAPSHOT,
    OPTION_REDIS,
    OPTION_INDEX_DIR,
    OPTION_THREADS,
    OPTION_UPLOADS,
    OPTION_LEASE_KEYS,
    OPTION_LINGER,
    OPTION_GRACE,
    OPTION_ALLOW_EVICTION,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option options[] = {
    {"batch", required_argument, NULL, OPTION_BATCH},
    {"snapshot", required_argument, NULL, OPTION_SNAPSHOT},
    {"redis", required_argument, NULL, OPTION_REDIS},
    {"index-dir", required_argument, NULL, OPTION_INDEX_DIR},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"uploads", required_argument, NULL, OPTION_UPLOADS},
    {"lease-keys", required_argument, NULL, OPTION_LEASE_KEYS},
    {"linger", required_argument, NULL, OPTION_LINGER},
    {"grace", required_argument, NULL, OPTION_GRACE},
    {"allow-eviction", no_argument, NULL, OPTION_ALLOW_EVICTION},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {0},
};

/* A count within bounds, or usage. */
static int number(const char *name, const char *text, int64_t low, int64_t high, int64_t *ret)
{
    if (str_to_i64(text, ret) && *ret >= low && *ret <= high)
        return 0;
    fprintf(stderr, "hiwari-worker: --%s %s: it is a whole number from %lld to %lld\n", name, text,
            (long long)low, (long long)high);
    return EXIT_USAGE;
}

static int seconds(const char *name, const char *text, double low, int64_t *ret_ms)
{
    double s;
    if (str_to_f64(text, &s) && s >= low && s <= 86400) {
        *ret_ms = (int64_t)(s * 1000);
        return 0;
    }
    fprintf(stderr, "hiwari-worker: --%s %s: it is a number of seconds from %g to 86400\n", name,
            text, low);
    return EXIT_USAGE;
}

static int take_number(enum option_id id, const char *name, const char *text,
                       struct worker_options *worker)
{
    int64_t n = 0;
    int r = number(name, text, 1, id == OPTION_LEASE_KEYS ? 100 : 1024, &n);
    if (id == OPTION_THREADS)
        worker->threads = (int)n;
    else if (id == OPTION_UPLOADS)
        worker->uploads = (int)n;
    else
        worker->lease_keys = (int)n;
    return r;
}

/* 0, or the exit code. */
static int take(enum option_id id, const char *name, const char *text,
                struct worker_options *worker)
{
    switch (id) {
    case OPTION_BATCH:
        worker->batch = text;
        return 0;
    case OPTION_SNAPSHOT:
        worker->snapshot_dir = text;
        return 0;
    case OPTION_REDIS:
        worker->redis = text;
        return 0;
    case OPTION_INDEX_DIR:
        worker->index_dir = text;
        return 0;
    case OPTION_THREADS:
    case OPTION_UPLOADS:
    case OPTION_LEASE_KEYS:
        return take_number(id, name, text, worker);
    case OPTION_LINGER:
        return seconds(name, text, 0, &worker->linger_ms);
    case OPTION_GRACE:
        return seconds(name, text, 0.1, &worker->grace_ms);
    case OPTION_ALLOW_EVICTION:
        worker->allow_eviction = true;
        return 0;
    case OPTION_HELP:
    case OPTION_VERSION:
        break;
    }
    return EXIT_USAGE;
}

static const char *from_environment(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

static int missing(const char *what)
{
    fprintf(
        stderr,
        "hiwari-worker: which %s? It needs --batch BATCH and --snapshot DIR; --help tells more\n",
        what);
    return EXIT_USAGE;
}

/* Threads that wait must not spin: the uploaders need the processors. OpenMP reads this only
 * when the program is loaded, so it is loaded once more. */
static void wait_passively(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || setenv("OMP_WAIT_POLICY", "passive", 0) != 0)
        return;
    execv("/proc/self/exe", argv);
}

static int run(const struct worker_options *worker)
{
    struct err err = {0};
    signal(SIGPIPE, SIG_IGN); /* a peer that hangs up, */
    signal(SIGXFSZ, SIG_IGN); /* a file size limit: both are answered by errno */
    int exit_code = worker_run(worker, &err);
    if (err.code && exit_code)
        log_error(err.text, LOG_I("exit", exit_code));
    return exit_code;
}

int main(int argc, char **argv)
{
    struct worker_options worker = {.batch = from_environment("HIWARI_BATCH"),
                                    .snapshot_dir = from_environment("HIWARI_SNAPSHOT"),
                                    .index_dir = from_environment("HIWARI_INDEX_DIR"),
                                    .linger_ms = -1};
    wait_passively(argv);
    for (int id, at; (id = getopt_long(argc, argv, "h", options, &at)) != -1;) {
        if (id == OPTION_HELP || id == 'h')
            return fputs(help, stdout) < 0;
        if (id == OPTION_VERSION)
            return puts("hiwari-worker " HIWARI_VERSION) < 0;
        if (id == '?') /* getopt has said what is wrong */
            return EXIT_USAGE;
        int r = take((enum option_id)id, options[at].name, optarg, &worker);
        if (r != 0)
            return r;
    }
    if (optind < argc) {
        fprintf(stderr, "hiwari-worker: '%s' is not an option; --help lists them\n", argv[optind]);
        return EXIT_USAGE;
    }
    if (!worker.batch)
        return missing("batch");
    if (!worker.snapshot_dir)
        return missing("snapshot");
    return run(&worker);
}

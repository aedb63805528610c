/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_run.c - a whole batch on one machine.
 *
 * The same path as a batch on a hundred machines: a Redis (a private one), enqueue, workers,
 * settling. What makes it pleasant is here: one command that starts and ends all of it, and
 * that can be given again at any time, because results in the destination are never computed twice.
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "connect.h"
#include "crew.h"
#include "features/plan.h"
#include "local.h"
#include "run_report.h"
#include "verbs.h"

enum {
    RUN_LOOK_MS = 150,
    RUN_LEASE_MS =
        10000, /* workers are near: one that has died is noticed sooner than the usual 30 s */
    RUN_PATIENCE_MS = 2000, /* what enqueue does is shown when it takes longer */
    EXIT_STOPPED = 143,
};

struct run {
    const struct args *args;
    struct local *local;
    struct queue *queue;
    struct crew *crew;
    struct progress progress;
    int signals; /* signalfd, once workers are running */
    int asked;   /* how often we were asked to stop */
    bool dismissed;
    struct run_report report;
};

/* ---- before workers are running, a signal ends the run at once ---- */

static void on_early_signal(int number)
{
    static const char words[] =
        "\nhiwari: stopped before the first key; run the same command again\n";
    local_abandon();
    if (write(STDERR_FILENO, words, sizeof(words) - 1) < 0)
        _exit(EXIT_STOPPED);
    _exit(EXIT_STOPPED);
}

static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { N_STOP_SIGNALS = sizeof(stop_signals) / sizeof(stop_signals[0]) };

/* nohup and shells without job control have some of them ignored, and mean it. */
static bool is_ignored(int number)
{
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

static void catch_early_signals(void)
{
    for (int i = 0; i < N_STOP_SIGNALS; i++)
        if (!is_ignored(stop_signals[i]))
            sigaction(stop_signals[i], &(struct sigaction){.sa_handler = on_early_signal}, NULL);
}

/* From now on they are read in the loop, like the end of a worker. */
static int listen_to_signals(struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (int i = 0; i < N_STOP_SIGNALS; i++)
        if (!is_ignored(stop_signals[i]))
            sigaddset(&set, stop_signals[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 ? fd : err_set(err, ERR_BUG, "cannot make a signalfd");
}

/* ---- the parts, in their order ---- */

static int workers_wanted(const struct args *args)
{
    if (args_given(args, "workers"))
        return (int)args_int(args, "workers");
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return n < 2 ? 2 : n;
}

static int enqueue(struct run *run, struct err *err)
{
    CLEANUP(key_args_deinit) struct key_args hold = {0};
    struct enqueue_options options = {
        .batch = RUN_BATCH,
        .settings = {.lease_ms = RUN_LEASE_MS},
        .progress = {.fn = progress_step, .ctx = &run->progress},
    };
    int r = key_args_read(run->args, &options, &hold, err);
    if (r == 0)
        r = local_start(&run->local, err);
    if (r == 0)
        r = queue_open(&(struct queue_options){.url = local_url(run->local)}, &run->queue, err);
    options.queue = run->queue;
    if (r == 0)
        r = enqueue_run(&options, &run->report.enqueued, err);
    progress_clear(&run->progress);
    if (r == 0)
        connect_warn_unconditional(&run->report.enqueued);
    return r;
}

/* Written once for all workers. Where that is impossible each builds its own in memory, and the
 * results are the same. */
static int write_index(struct run *run, const char **ret_dir, struct err *err)
{
    CLEANUP(snapshot_close) struct snapshot *snapshot = NULL;
    CLEANUP(spec_free) struct spec *spec = NULL;
    CLEANUP(plan_free) struct plan *plan = NULL;
    int r = snapshot_open(args_text(run->args, "snapshot"), &snapshot, err);
    if (r == 0)
        r = spec_read(args_text(run->args, "spec"), &spec, err);
    if (r == 0)
        r = plan_compile(spec, snapshot, &plan, err);
    if (r < 0)
        return r;
    const char *given = args_text(run->args, "index-dir");
    CLEANUP(mem_free_chars) char *own = fs_join(snapshot->dir, "index");
    int threads = workers_wanted(run->args), written;
    *ret_dir = given;
    r = plan_index_write(plan, given ? given : own, threads, &written, err);
    if (r == ERR_WRITE && given)
        return r;
    return r == ERR_WRITE ? 0 : r;
}

/* One look at the batch. Returns 0, or QUEUE_GONE, or an ERR_*. */
static int look(struct run *run, struct queue_status *ret, struct err *err)
{
    queue_status_free(ret);
    *ret = (struct queue_status){0};
    int r = queue_status(run->queue, ret, err);
    if (r != 0)
        return r;
    char note[64];
    int alive = crew_alive(run->crew);
    int64_t over = ret->done + ret->failed;
    snprintf(note, sizeof(note),
             run->asked           ? "stopping"
             : over == ret->total ? "writing the manifest"
                                  : "%d worker%s",
             alive, alive == 1 ? "" : "s");
    progress_show(&run->progress, over, ret->total, note, clock_ms());
    return 0;
}

static void hear_signals(struct run *run)
{
    struct signalfd_siginfo info;
    while (read(run->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            continue;
        if (run->asked++ == 0) {
            progress_say(&run->progress,
                         "stopping: workers finish what they have begun (again to stop at once)");
            crew_drain(run->crew);
        } else {
            crew_kill(run->crew);
        }
    }
}

static void wait_for_news(struct run *run)
{
    struct pollfd fds[300] = {{.fd = run->signals, .events = POLLIN}};
    int n = 1 + crew_poll(run->crew, fds + 1, 299);
    poll(fds, (nfds_t)n, RUN_LOOK_MS);
}

/* A batch that is settled needs nobody: workers would notice when they look for work again, at most
 * a second later. */
static void dismiss(struct run *run, const struct queue_status *status)
{
    if (!run->dismissed && strcmp(status->state, "settled") == 0)
        crew_drain(run->crew);
    run->dismissed = run->dismissed || strcmp(status->state, "settled") == 0;
}

static int work(struct run *run, struct err *err)
{
    struct queue_status *status = &run->report.status;
    int64_t looked_ms = 0;
    while (crew_alive(run->crew) > 0) {
        wait_for_news(run);
        hear_signals(run);
        int64_t mark = status->done + status->failed + status->attempts + status->interruptions;
        int r = crew_watch(run->crew, mark, err);
        if (r == 0 && clock_ms() - looked_ms >= RUN_LOOK_MS) {
            if ((r = local_check(run->local, err)) == 0)
                r = look(run, status, err);
            looked_ms = clock_ms();
            dismiss(run, status);
        }
        if (r != 0) {
            progress_clear(&run->progress);
            return r;
        }
    }
    int r = look(run, status, err);
    progress_clear(&run->progress);
    return r;
}

/* Start the crew when there is something to do, if only the settling. */
static int work_off(struct run *run, struct err *err)
{
    const struct enqueue_result *enqueued = &run->report.enqueued;
    const char *index_dir = args_text(run->args, "index-dir");
    int workers = workers_wanted(run->args), r = 0;
    if (enqueued->added < workers)
        workers = enqueued->added > 0 ? (int)enqueued->added : 1;
    if (enqueued->added > 0)
        r = write_index(run, &index_dir, err);
    if (r < 0)
        return r;
    if ((run->signals = listen_to_signals(err)) < 0)
        return run->signals;
    struct crew_options options = {
        .batch = RUN_BATCH,
        .redis = local_url(run->local),
        .snapshot_dir = args_text(run->args, "snapshot"),
        .index_dir = index_dir,
        .workers = workers,
        .progress = &run->progress,
    };
    run->report.workers = workers;
    r = crew_start(&options, &run->crew, err);
    if (r < 0)
        return r;
    progress_begin(&run->progress, enqueued->total - enqueued->added, clock_ms());
    run->progress.delay_ms = 0; /* from here on the bar is shown at once */
    return work(run, err);
}

static void run_deinit(struct run *run)
{
    crew_free(run->crew);
    queue_close(run->queue);
    local_stop(run->local);
    queue_status_free(&run->report.status);
    run_report_deinit(&run->report);
    if (run->signals >= 0)
        close(run->signals);
}

int cmd_run(const struct args *args, struct err *err)
{
    struct run run = {.args = args, .signals = -1};
    int64_t start = clock_ms();
    progress_init(&run.progress, "keys", RUN_PATIENCE_MS, start);
    catch_early_signals();
    int r = enqueue(&run, err);
    if (r == 0)
        r = work_off(&run, err);
    if (r == 0)
        r = run_report_read(&run.report, run.queue, err);
    if (r == QUEUE_GONE)
        r = err_set(err, ERR_BUG, "the batch has vanished from the private Redis");
    run.report.seconds = (double)(clock_ms() - start) / 1000;
    run.report.stopped = run.asked > 0;
    if (r == 0)
        r = run_report_print(&run.report, args);
    run_deinit(&run);
    return run.report.stopped && r == 0 ? EXIT_STOPPED : r;
}

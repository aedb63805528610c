/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* cmd_plan.c - before anything is started: machines, time, cost, quota. */
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "fleet/fleet.h"
#include "listing.h"
#include "output.h"
#include "plan_times.h"
#include "verbs.h"

enum { ROWS_MAX = 32, LADDER = 6 };

struct plan_row {
    struct fleet fleet;
    double cpus; /* that the quota must have */
    struct fleet_outcome planned;
    struct fleet_spread spread;
};

struct plan {
    struct machine_table *table;
    struct machine machine; /* its type is the table's */
    struct worker_size size;
    enum machine_limit limit;
    int workers; /* on one machine */
    double boot_s;
    struct plan_times times;
    struct plan_row rows[ROWS_MAX];
    int n;
};

static void plan_deinit(struct plan *plan)
{
    machine_table_free(plan->table);
    plan_times_deinit(&plan->times);
}
MEM_CLEANUP_VALUE(plan_deinit, struct plan);

/* ---- what is asked ---- */

static int read_table(const struct args *args, struct plan *plan, struct err *err)
{
    const char *file = args_text(args, "machines"), *builtin = machine_table_builtin();
    if (!file)
        return machine_table_parse("machines.json", builtin, strlen(builtin), &plan->table, err);
    CLEANUP(str_deinit) struct str text = {0};
    int r = fs_read(file, &text, err);
    return r < 0 ? r : machine_table_parse(file, text.s, text.len, &plan->table, err);
}

static int read_machine(const struct args *args, struct plan *plan, struct err *err)
{
    const char *type = args_text(args, "machine");
    const struct machine *machine = machine_find(plan->table, type);
    if (!machine) {
        CLEANUP(str_deinit) struct str names = {0};
        for (int i = 0; i < plan->table->n; i++)
            str_addf(&names, "%s%s", i ? ", " : "", plan->table->machines[i].type);
        return err_set(err, ERR_USAGE,
                       "--machine %s: the table has %s; --machines FILE gives another", type,
                       names.s);
    }
    plan->machine = *machine;
    int r = 0;
    if (args_text(args, "usd-per-hour"))
        r = plan_number(args, "usd-per-hour", 0, 100000, &plan->machine.usd_per_hour, err);
    if (r == 0 && args_text(args, "preempted-per-hour"))
        r = plan_number(args, "preempted-per-hour", 0, 3600, &plan->machine.preempted_per_hour,
                        err);
    return r;
}

static int read_sizes(const struct args *args, struct plan *plan, struct err *err)
{
    int r = plan_number(args, "cpus", 0.01, 1024, &plan->size.cpus, err);
    if (r == 0)
        r = plan_number(args, "memory", 0.01, 65536, &plan->size.memory_gib, err);
    if (r == 0)
        r = plan_number(args, "boot-seconds", 0, 86400, &plan->boot_s, err);
    if (r < 0)
        return r;
    plan->workers = machine_workers(plan->table, &plan->machine, &plan->size, &plan->limit);
    if (plan->workers > 0)
        return 0;
    return err_set(err, ERR_CONFIG,
                   "no worker of %g CPUs and %g GiB fits on a %s, which has %.2f CPUs and %.2f GiB "
                   "left for pods: take a larger machine, or smaller workers",
                   plan->size.cpus, plan->size.memory_gib, plan->machine.type,
                   machine_pod_cpus(plan->machine.cpus) - plan->table->system_cpus,
                   machine_pod_gib(plan->machine.memory_gib) - plan->table->system_gib);
}

/* ---- the numbers of machines ---- */

static void add_row(struct plan *plan, int64_t nodes)
{
    if (plan->n == ROWS_MAX || (plan->n > 0 && plan->rows[plan->n - 1].fleet.nodes >= nodes))
        return;
    plan->rows[plan->n++] = (struct plan_row){
        .cpus = (double)nodes * plan->machine.cpus,
        .fleet = {.nodes = (int)nodes,
                  .workers = plan->workers,
                  .usd_per_hour = plan->machine.usd_per_hour,
                  .preempted_per_hour = plan->machine.preempted_per_hour,
                  .boot_s = plan->boot_s,
                  .wait_s = FLEET_JOB_WAIT_S},
    };
}

/* As many as can be had at once, and halves of it. */
static int ladder(struct plan *plan, double quota, struct err *err)
{
    int64_t all = (plan->times.keys + plan->workers - 1) / plan->workers;
    int64_t most = all < 10000 ? all : 10000;
    if (quota > 0 && (double)most * plan->machine.cpus > quota)
        most = (int64_t)(quota / plan->machine.cpus);
    if (most < 1)
        return err_set(err, ERR_CONFIG, "--quota %g: one %s has %g CPUs", quota, plan->machine.type,
                       plan->machine.cpus);
    for (int i = LADDER - 1; i >= 0; i--)
        add_row(plan, (most + (1 << i) - 1) >> i);
    return 0;
}

static int compare_numbers(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int given_rows(struct plan *plan, const char *const *texts, int n, double quota,
                      struct err *err)
{
    int64_t numbers[ROWS_MAX];
    if (n > ROWS_MAX)
        return err_set(err, ERR_USAGE, "--nodes may be given %d times", ROWS_MAX);
    for (int i = 0; i < n; i++) {
        if (!str_to_i64(texts[i], &numbers[i]) || numbers[i] < 1 || numbers[i] > 10000)
            return err_set(err, ERR_USAGE, "--nodes %s: it is a whole number from 1 to 10000",
                           texts[i]);
        if (quota > 0 && (double)numbers[i] * plan->machine.cpus > quota)
            return err_set(err, ERR_CONFIG, "%lld x %s need %g CPUs, and --quota is %g",
                           (long long)numbers[i], plan->machine.type,
                           (double)numbers[i] * plan->machine.cpus, quota);
    }
    qsort(numbers, (size_t)n, sizeof(*numbers), compare_numbers);
    for (int i = 0; i < n; i++)
        add_row(plan, numbers[i]);
    return 0;
}

static int make_rows(const struct args *args, struct plan *plan, struct err *err)
{
    const char *const *texts;
    int n = args_list(args, "nodes", &texts);
    double quota = args_given(args, "quota") ? (double)args_int(args, "quota") : 0;
    int r = n > 0 ? given_rows(plan, texts, n, quota, err) : ladder(plan, quota, err);
    if (r < 0)
        return r;
    struct fleet_work work = {
        .keys = plan->times.keys, .seconds = plan->times.seconds, .n_seconds = plan->times.n};
    for (int i = 0; i < plan->n; i++) {
        struct plan_row *row = &plan->rows[i];
        struct fleet calm = row->fleet;
        calm.preempted_per_hour = 0;
        fleet_run(&calm, &work, 0, &row->planned);
        fleet_simulate(&row->fleet, &work, (uint64_t)args_int(args, "seed"), &row->spread);
    }
    return 0;
}

/* ---- what is said ---- */

static double mean_seconds(const struct plan_times *times)
{
    double sum = 0;
    for (int64_t i = 0; i < times->n; i++)
        sum += times->seconds[i];
    return sum / (double)times->n;
}

static const char *limit_word(enum machine_limit limit)
{
    static const char *const words[] = {"CPUs", "memory", "the number of pods"};
    return words[limit];
}

static void print_inputs(const struct plan *plan)
{
    char keys[OUTPUT_TEXT];
    printf("%s of %.3g s (%s), %g s to boot, workers of %g CPUs and %g GiB\n",
           output_many(plan->times.keys, "key", keys), mean_seconds(&plan->times),
           plan->times.where.s, plan->boot_s, plan->size.cpus, plan->size.memory_gib);
    printf("%s: $%.4g an hour, %g CPUs and %g GiB, of which pods get %.2f and %.2f: %d workers "
           "(%s)\n\n",
           plan->machine.type, plan->machine.usd_per_hour, plan->machine.cpus,
           plan->machine.memory_gib,
           machine_pod_cpus(plan->machine.cpus) - plan->table->system_cpus,
           machine_pod_gib(plan->machine.memory_gib) - plan->table->system_gib, plan->workers,
           limit_word(plan->limit));
}

static void print_rows(const struct plan *plan)
{
    char text[OUTPUT_TEXT];
    CLEANUP(listing_free)
    struct listing *listing = listing_new(">NODES|>WORKERS|>CPU QUOTA|>TIME|>COST|>LOST NODES|"
                                          ">MEDIAN TIME|>MEDIAN COST|>P90 TIME|>P90 COST");
    for (int i = 0; i < plan->n; i++) {
        const struct plan_row *row = &plan->rows[i];
        const struct fleet_spread *spread = &row->spread;
        listing_row(listing);
        listing_cell(listing, "%d", row->fleet.nodes);
        listing_cell(listing, "%d", row->fleet.nodes * row->fleet.workers);
        listing_cell(listing, "%g", row->cpus);
        listing_cell(listing, "%s", output_seconds(row->planned.seconds, text));
        listing_cell(listing, "$%.2f", row->planned.usd);
        listing_cell(listing, "%.1f", spread->preemptions_mean);
        if (!spread->ended) {
            listing_cell(listing, "never");
            continue;
        }
        listing_cell(listing, "%s", output_seconds(spread->seconds_median, text));
        listing_cell(listing, "$%.2f", spread->usd_median);
        listing_cell(listing, "%s", output_seconds(spread->seconds_p90, text));
        listing_cell(listing, "$%.2f", spread->usd_p90);
    }
    listing_print(listing);
    printf("\nTIME and COST without losses, MEDIAN and P90 of %d simulated runs in which a machine "
           "is taken\naway %g times an hour on average. COST is of the machines alone, from the "
           "first second\nto the last key: add a minute or two until they go, ten where the "
           "cluster's autoscaler is\nnot set to optimize-utilization.\n",
           plan->rows[0].spread.runs, plan->machine.preempted_per_hour);
}

static void row_json(const struct plan_row *row, struct json *node)
{
    json_add_int(node, "nodes", row->fleet.nodes);
    json_add_int(node, "workers", row->fleet.nodes * row->fleet.workers);
    json_add_number(node, "cpu_quota", row->cpus);
    json_add_number(node, "seconds", row->planned.seconds);
    json_add_number(node, "usd", row->planned.usd);
    struct json *losses = json_add_object(node, "with_preemptions");
    json_add_int(losses, "runs", row->spread.runs);
    json_add_bool(losses, "ends", row->spread.ended);
    json_add_number(losses, "preemptions_mean", row->spread.preemptions_mean);
    json_add_number(losses, "lost_worker_seconds_mean", row->spread.lost_s_mean);
    json_add_number(losses, "seconds_median", row->spread.seconds_median);
    json_add_number(losses, "seconds_p90", row->spread.seconds_p90);
    json_add_number(losses, "usd_median", row->spread.usd_median);
    json_add_number(losses, "usd_p90", row->spread.usd_p90);
}

static void print_json(const struct plan *plan)
{
    CLEANUP(json_free) struct json *root = json_new_object();
    json_add_int(root, "keys", plan->times.keys);
    json_add_number(root, "seconds_per_key", mean_seconds(&plan->times));
    json_add_string(root, "seconds_per_key_from", plan->times.where.s);
    json_add_number(root, "boot_seconds", plan->boot_s);
    json_add_number(root, "worker_cpus", plan->size.cpus);
    json_add_number(root, "worker_memory_gib", plan->size.memory_gib);
    json_add_string(root, "machine", plan->machine.type);
    json_add_number(root, "usd_per_hour", plan->machine.usd_per_hour);
    json_add_number(root, "preempted_per_hour", plan->machine.preempted_per_hour);
    json_add_int(root, "workers_per_node", plan->workers);
    json_add_string(root, "limited_by", limit_word(plan->limit));
    struct json *plans = json_add_array(root, "plans");
    for (int i = 0; i < plan->n; i++)
        row_json(&plan->rows[i], json_add_object(plans, NULL));
    output_json(root);
}

int cmd_plan(const struct args *args, struct err *err)
{
    CLEANUP(plan_deinit) struct plan plan = {0};
    int r = read_table(args, &plan, err);
    if (r == 0)
        r = read_machine(args, &plan, err);
    if (r == 0)
        r = read_sizes(args, &plan, err);
    if (r == 0)
        r = plan_times_read(args, &plan.times, err);
    if (r == 0)
        r = make_rows(args, &plan, err);
    if (r < 0)
        return r;
    if (args_flag(args, "json")) {
        print_json(&plan);
        return 0;
    }
    print_inputs(&plan);
    print_rows(&plan);
    return 0;
}

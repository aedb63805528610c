/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fleet.h - how many machines, how long, and what it costs.
 *
 * Workers are pods of one size on machines of one type. A machine keeps a part of itself for its
 * system; what is left says how many workers fit. Each worker takes one key after the other until
 * none is left; a machine that is taken away loses what its workers had in hand, those keys wait
 * again, and another machine takes its place after its pods' delay and the time to boot.
 *
 * Pure arithmetic: no clock, no network, and the same answer for the same seed. */
#ifndef FLEET_FLEET_H
#define FLEET_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

/* ---- machines ---- */

struct machine {
    char *type;
    double cpus, memory_gib;
    double usd_per_hour;       /* of a spot machine */
    double preempted_per_hour; /* how often, on average, one is taken away */
};

struct machine_table {
    struct machine *machines;
    int n;
    double system_cpus, system_gib; /* what a cluster's own pods ask for on every node */
    int pods_max;                   /* that a node may have, the system's included */
    int system_pods;
};

/* The table that hiwari was built with: k8s/machines.json. */
const char *machine_table_builtin(void);

/* ERR_INPUT names the document and what is wrong in it. */
int machine_table_parse(const char *name, const char *text, size_t len, struct machine_table **ret,
                        struct err *err);
void machine_table_free(struct machine_table *table);
MEM_CLEANUP(machine_table_free, struct machine_table *);
/* NULL if there is none of this type. */
const struct machine *machine_find(const struct machine_table *table, const char *type);

/* What GKE leaves to pods, of a machine with so many CPUs and so much memory. It keeps 6 % of the
 * first CPU, 1 % of the second, 0.5 % of the next two and 0.25 % of the others; and of the memory
 * 25 % of the first 4 GiB, 20 % of the next 4, 10 % of the next 8, 6 % of the next 112 and 2 % of
 * the rest (255 MiB of a machine below 1 GiB), and 100 MiB for evictions. From "Plan GKE Standard
 * node sizes", cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes. */
double machine_pod_cpus(double cpus);
double machine_pod_gib(double memory_gib);

struct worker_size {
    double cpus, memory_gib;
};
enum machine_limit { LIMIT_CPUS, LIMIT_MEMORY, LIMIT_PODS };
/* Workers that fit on one machine beside the system's pods, 0 if none; *ret_limit: what decides. */
int machine_workers(const struct machine_table *table, const struct machine *machine,
                    const struct worker_size *size, enum machine_limit *ret_limit);

/* ---- time ---- */

struct fleet {
    int nodes, workers; /* workers on each node */
    double usd_per_hour, preempted_per_hour;
    double boot_s; /* from asking for a machine until its workers lease */
    double
        wait_s; /* before a lost worker's first replacement; doubles with each, as a Job's does */
};
/* What Kubernetes' Job controller waits: DefaultJobPodFailureBackOff, MaxJobPodFailureBackOff in
 * pkg/controller/job, for each index by itself (backoffLimitPerIndex). */
enum { FLEET_JOB_WAIT_S = 10, FLEET_WAIT_MAX_S = 600 };
struct fleet_work {
    int64_t keys;
    const double *seconds; /* what keys were seen to take; each key takes one of these */
    int64_t n_seconds;     /* at least 1 */
};
struct fleet_outcome {
    double seconds; /* until the last key is done */
    double usd;     /* of the machines alone, each paid from the first second to the last */
    int64_t preemptions;
    double lost_s; /* work that was done and lost, in worker seconds */
    bool ended;    /* false: keys are lost faster than they are done, and it was given up */
};
/* One run. preempted_per_hour 0 is a run without losses. */
void fleet_run(const struct fleet *fleet, const struct fleet_work *work, uint64_t seed,
               struct fleet_outcome *ret);

/* Many runs with different losses. */
struct fleet_spread {
    int runs;
    double seconds_median, seconds_p90, usd_median, usd_p90;
    double preemptions_mean, lost_s_mean;
    bool ended; /* all of them */
};
void fleet_simulate(const struct fleet *fleet, const struct fleet_work *work, uint64_t seed,
                    struct fleet_spread *ret);

#endif

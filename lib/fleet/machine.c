/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* machine.c - the table of machines, and what they leave to pods. */
#include <math.h>
#include <string.h>

#include "codec/json.h"
#include "fleet/fleet.h"

static const char builtin[] = {
#include "fleet/machines.inc"
};

const char *machine_table_builtin(void)
{
    return builtin;
}

/* ---- the table ---- */

void machine_table_free(struct machine_table *table)
{
    if (!table)
        return;
    for (int i = 0; i < table->n; i++)
        free(table->machines[i].type);
    free(table->machines);
    free(table);
}

/* A number within bounds; where names the object. */
static int need_number(const char *where, const struct json *object, const char *name, double low,
                       double high, double *ret, struct err *err)
{
    const struct json *node = json_get(object, name);
    if (!node || json_type(node) != JSON_NUMBER || !(json_number(node) >= low) ||
        json_number(node) > high)
        return err_set(err, ERR_INPUT, "%s: \"%s\" is a number from %g to %g", where, name, low,
                       high);
    *ret = json_number(node);
    return 0;
}

static int only(const char *where, const struct json *object, const char *const *names,
                struct err *err)
{
    for (const struct json *at = json_first(object); at; at = json_next(at)) {
        bool known = json_name(at)[0] == '#';
        for (int i = 0; names[i] && !known; i++)
            known = strcmp(json_name(at), names[i]) == 0;
        if (!known)
            return err_set(err, ERR_INPUT, "%s: there is no member \"%s\"", where, json_name(at));
    }
    return 0;
}

static int read_machine(const char *name, const struct json *node, struct machine *m,
                        struct err *err)
{
    static const char *const members[] = {"cpus", "memory_gib", "usd_per_hour",
                                          "preempted_per_hour", NULL};
    m->type = mem_strdup(json_name(node));
    CLEANUP(mem_free_chars) char *where = mem_printf("%s: machine %s", name, m->type);
    if (json_type(node) != JSON_OBJECT)
        return err_set(err, ERR_INPUT, "%s is not an object", where);
    int r = only(where, node, members, err);
    if (r == 0)
        r = need_number(where, node, "cpus", 0.25, 4096, &m->cpus, err);
    if (r == 0)
        r = need_number(where, node, "memory_gib", 0.25, 65536, &m->memory_gib, err);
    if (r == 0)
        r = need_number(where, node, "usd_per_hour", 0, 100000, &m->usd_per_hour, err);
    if (r == 0)
        r = need_number(where, node, "preempted_per_hour", 0, 3600, &m->preempted_per_hour, err);
    return r;
}

static int read_node(const char *name, const struct json *root, struct machine_table *table,
                     struct err *err)
{
    static const char *const members[] = {"system_cpus", "system_memory_gib", "pods_max",
                                          "system_pods", NULL};
    const struct json *node = json_get(root, "node");
    CLEANUP(mem_free_chars) char *where = mem_printf("%s: node", name);
    double pods = 0, system = 0;
    if (!node || json_type(node) != JSON_OBJECT)
        return err_set(err, ERR_INPUT, "%s: \"node\" is not an object", name);
    int r = only(where, node, members, err);
    if (r == 0)
        r = need_number(where, node, "system_cpus", 0, 64, &table->system_cpus, err);
    if (r == 0)
        r = need_number(where, node, "system_memory_gib", 0, 64, &table->system_gib, err);
    if (r == 0)
        r = need_number(where, node, "pods_max", 1, 1000, &pods, err);
    if (r == 0)
        r = need_number(where, node, "system_pods", 0, 1000, &system, err);
    table->pods_max = (int)pods;
    table->system_pods = (int)system;
    return r;
}

int machine_table_parse(const char *name, const char *text, size_t len, struct machine_table **ret,
                        struct err *err)
{
    static const char *const members[] = {"node", "machines", NULL};
    CLEANUP(json_free) struct json *root = NULL;
    CLEANUP(machine_table_free) struct machine_table *table = MEM_NEW(struct machine_table);
    int r = json_parse(name, text, len, &root, err);
    if (r < 0)
        return r;
    const struct json *machines = json_get(root, "machines");
    if (!machines || json_type(machines) != JSON_OBJECT || json_size(machines) == 0)
        return err_set(err, ERR_INPUT, "%s: \"machines\" is an object with at least one machine",
                       name);
    r = only(name, root, members, err);
    if (r == 0)
        r = read_node(name, root, table, err);
    table->machines = MEM_ARRAY(struct machine, (size_t)json_size(machines));
    for (const struct json *at = json_first(machines); at && r == 0; at = json_next(at)) {
        if (json_name(at)[0] == '#')
            continue;
        table->machines[table->n] = (struct machine){0};
        r = read_machine(name, at, &table->machines[table->n++], err);
    }
    if (r < 0)
        return r;
    *ret = table;
    table = NULL;
    return 0;
}

const struct machine *machine_find(const struct machine_table *table, const char *type)
{
    for (int i = 0; i < table->n; i++)
        if (strcmp(table->machines[i].type, type) == 0)
            return &table->machines[i];
    return NULL;
}

/* ---- what is left for pods ---- */

struct bracket {
    double size, share;
};

static double reserved(double whole, const struct bracket *brackets, int n)
{
    double sum = 0;
    for (int i = 0; i < n && whole > 0; i++) {
        double part = i == n - 1 || whole < brackets[i].size ? whole : brackets[i].size;
        sum += part * brackets[i].share;
        whole -= part;
    }
    return sum;
}

double machine_pod_cpus(double cpus)
{
    static const struct bracket brackets[] = {{1, 0.06}, {1, 0.01}, {2, 0.005}, {0, 0.0025}};
    return cpus - reserved(cpus, brackets, 4);
}

double machine_pod_gib(double memory_gib)
{
    static const struct bracket brackets[] = {
        {4, 0.25}, {4, 0.20}, {8, 0.10}, {112, 0.06}, {0, 0.02}};
    static const double eviction = 100.0 / 1024, least = 255.0 / 1024;
    double kept = memory_gib < 1 ? least : reserved(memory_gib, brackets, 5);
    return memory_gib - kept - eviction;
}

/* How many times size goes into whole; sums of tenths shall not cost one. */
static int fit(double whole, double size)
{
    double n = floor(whole / size + 1e-9);
    return n < 0 ? 0 : n > 100000 ? 100000 : (int)n;
}

int machine_workers(const struct machine_table *table, const struct machine *machine,
                    const struct worker_size *size, enum machine_limit *ret_limit)
{
    int cpus = fit(machine_pod_cpus(machine->cpus) - table->system_cpus, size->cpus);
    int memory = fit(machine_pod_gib(machine->memory_gib) - table->system_gib, size->memory_gib);
    int pods = table->pods_max - table->system_pods;
    int n = cpus;
    *ret_limit = LIMIT_CPUS;
    if (memory < n) {
        n = memory;
        *ret_limit = LIMIT_MEMORY;
    }
    if (pods < n) {
        n = pods;
        *ret_limit = LIMIT_PODS;
    }
    return n < 0 ? 0 : n;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fleet_run.c - one run, event by event, and many.
 *
 * Three things happen: a machine comes up (its workers are idle), a machine is taken away (the keys
 * in its workers' hands wait again), a key is done (its worker is idle). After each, idle workers
 * take waiting keys. A worker's event carries its machine's life; one from an earlier life is void.
 */
#include <math.h>
#include <string.h>

#include "fleet/fleet.h"

enum { RUNS_MAX = 200, RUNS_MIN = 5, EVENTS_PER_STUDY = 4000000, GIVE_UP = 50 };

/* ---- chance ---- */

/* splitmix64: small, and good enough to throw dice. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/* Above 0, at most 1. */
static double next_share(uint64_t *state)
{
    return (double)((next_random(state) >> 11) + 1) / 9007199254740992.0;
}

/* Hours between two losses of a machine that has no memory, in seconds. */
static double next_life(uint64_t *state, double per_hour)
{
    return -log(next_share(state)) / per_hour * 3600;
}

/* ---- what is to come, soonest first ---- */

enum event_kind { NODE_UP, NODE_LOST, KEY_DONE };
struct event {
    double at;
    enum event_kind kind;
    int node, life;
    int64_t key;
};

struct run {
    const struct fleet *fleet;
    const struct fleet_work *work;
    uint64_t random;
    struct event *heap;
    size_t n, cap;
    double *begun; /* of each key that somebody has: since when */
    int64_t fresh; /* keys from here on were never taken */
    int64_t *back; /* a stack of keys that were lost */
    size_t n_back, cap_back;
    int *life, *idle; /* of each node */
    int64_t done;
    struct fleet_outcome *out;
};

static bool sooner(const struct event *a, const struct event *b)
{
    if (a->at != b->at)
        return a->at < b->at;
    return a->kind != b->kind ? a->kind > b->kind : a->key < b->key; /* what is done is done */
}

static void push(struct run *run, struct event event)
{
    run->heap = mem_grow(run->heap, &run->cap, run->n + 1, sizeof(*run->heap));
    size_t at = run->n++;
    for (; at > 0 && sooner(&event, &run->heap[(at - 1) / 2]); at = (at - 1) / 2)
        run->heap[at] = run->heap[(at - 1) / 2];
    run->heap[at] = event;
}

static struct event pop(struct run *run)
{
    struct event top = run->heap[0], last = run->heap[--run->n];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= run->n)
            break;
        if (child + 1 < run->n && sooner(&run->heap[child + 1], &run->heap[child]))
            child++;
        if (!sooner(&run->heap[child], &last))
            break;
        run->heap[at] = run->heap[child];
        at = child;
    }
    run->heap[at] = last;
    return top;
}

/* ---- what happens ---- */

/* A key takes as long on every try: which of the seen times is its own is decided by its number. */
static double seconds_of(const struct run *run, int64_t key)
{
    return run->work->seconds[key % run->work->n_seconds];
}

/* The idle workers of one node take keys, those that came back before new ones. */
static void take(struct run *run, int node, double now)
{
    while (run->idle[node] > 0) {
        int64_t key;
        if (run->n_back > 0)
            key = run->back[--run->n_back];
        else if (run->fresh < run->work->keys)
            key = run->fresh++;
        else
            return;
        run->idle[node]--;
        run->begun[key] = now;
        push(run, (struct event){.at = now + seconds_of(run, key),
                                 .kind = KEY_DONE,
                                 .node = node,
                                 .life = run->life[node],
                                 .key = key});
    }
}

static void node_up(struct run *run, int node, double now)
{
    run->idle[node] = run->fleet->workers;
    if (run->fleet->preempted_per_hour > 0)
        push(run,
             (struct event){.at = now + next_life(&run->random, run->fleet->preempted_per_hour),
                            .kind = NODE_LOST,
                            .node = node,
                            .life = run->life[node]});
    take(run, node, now);
}

/* How long the pods of a node that was lost so often are not made anew. */
static double replacement_wait(const struct fleet *fleet, int losses)
{
    double wait = fleet->wait_s;
    for (int i = 1; i < losses && wait < FLEET_WAIT_MAX_S; i++)
        wait *= 2;
    return wait < FLEET_WAIT_MAX_S ? wait : FLEET_WAIT_MAX_S;
}

static void node_lost(struct run *run, int node, double now)
{
    run->out->preemptions++;
    run->life[node]++;
    run->idle[node] = 0;
    double wait = replacement_wait(run->fleet, run->life[node]);
    push(run, (struct event){.at = now + wait + run->fleet->boot_s,
                             .kind = NODE_UP,
                             .node = node,
                             .life = run->life[node]});
}

/* An event of a life that has ended: its key is lost, and known to be so since then. */
static void lost_key(struct run *run, int64_t key)
{
    run->back = mem_grow(run->back, &run->cap_back, run->n_back + 1, sizeof(*run->back));
    run->back[run->n_back++] = key;
}

/* The keys in the hands of a lost node wait again, at once: workers that drain say so. */
static void give_back(struct run *run, int node, double now)
{
    for (size_t i = 0; i < run->n; i++) {
        struct event *event = &run->heap[i];
        if (event->kind != KEY_DONE || event->node != node || event->life == -1 ||
            event->life != run->life[node] - 1)
            continue;
        event->life = -1; /* void */
        run->out->lost_s += now - run->begun[event->key];
        lost_key(run, event->key);
    }
    for (int i = 0; i < run->fleet->nodes && run->n_back > 0; i++)
        take(run, i, now);
}

static void step(struct run *run, const struct event *event)
{
    if (event->life != run->life[event->node])
        return;
    switch (event->kind) {
    case NODE_UP:
        node_up(run, event->node, event->at);
        return;
    case NODE_LOST:
        node_lost(run, event->node, event->at);
        give_back(run, event->node, event->at);
        return;
    case KEY_DONE:
        run->done++;
        run->idle[event->node]++;
        run->out->seconds = event->at;
        take(run, event->node, event->at);
        return;
    }
}

void fleet_run(const struct fleet *fleet, const struct fleet_work *work, uint64_t seed,
               struct fleet_outcome *ret)
{
    struct run run = {.fleet = fleet, .work = work, .random = seed, .out = ret};
    size_t nodes = (size_t)fleet->nodes, keys = (size_t)work->keys;
    *ret = (struct fleet_outcome){0};
    run.begun = MEM_ARRAY(double, keys);
    run.life = mem_zalloc(nodes * sizeof(int));
    run.idle = mem_zalloc(nodes * sizeof(int));
    for (int i = 0; i < fleet->nodes; i++)
        push(&run, (struct event){.at = fleet->boot_s, .kind = NODE_UP, .node = i});
    int64_t most = GIVE_UP * (work->keys + fleet->nodes);
    for (int64_t i = 0; i < most && run.done < work->keys && run.n > 0; i++) {
        struct event event = pop(&run);
        step(&run, &event);
    }
    ret->ended = run.done == work->keys;
    ret->usd = ret->seconds / 3600 * fleet->nodes * fleet->usd_per_hour;
    free(run.begun);
    free(run.life);
    free(run.idle);
    free(run.back);
    free(run.heap);
}

/* ---- many runs ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int runs_for(const struct fleet_work *work)
{
    int64_t runs = EVENTS_PER_STUDY / (work->keys + 1);
    return runs > RUNS_MAX ? RUNS_MAX : runs < RUNS_MIN ? RUNS_MIN : (int)runs;
}

void fleet_simulate(const struct fleet *fleet, const struct fleet_work *work, uint64_t seed,
                    struct fleet_spread *ret)
{
    double seconds[RUNS_MAX];
    int most = runs_for(work);
    *ret = (struct fleet_spread){.ended = true};
    while (ret->runs < most && ret->ended) {
        struct fleet_outcome out;
        fleet_run(fleet, work, next_random(&seed), &out);
        seconds[ret->runs++] = out.seconds;
        ret->preemptions_mean += (double)out.preemptions;
        ret->lost_s_mean += out.lost_s;
        ret->ended = out.ended; /* nothing is learned from more of those */
    }
    ret->preemptions_mean /= ret->runs;
    ret->lost_s_mean /= ret->runs;
    qsort(seconds, (size_t)ret->runs, sizeof(*seconds), compare);
    double usd_per_s = fleet->nodes * fleet->usd_per_hour / 3600;
    ret->seconds_median = seconds[ret->runs / 2];
    ret->seconds_p90 = seconds[ret->runs * 9 / 10];
    ret->usd_median = ret->seconds_median * usd_per_s;
    ret->usd_p90 = ret->seconds_p90 * usd_per_s;
}

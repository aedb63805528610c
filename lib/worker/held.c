/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* held.c - one list, one lock, a condition for each kind of thread.
 *
 * A worker holds a few dozen keys at most, so a list is enough. Thousands of keys pass in a second,
 * so each change wakes only whom it concerns.
 *
 * How many keys are leased at once follows from how long a key takes: about LEASE_AHEAD_US of work,
 * so that round trips do not matter for keys of half a millisecond, and none ahead as long as that
 * is not known. Behind a key that then takes LONG_MS none waits on: another worker may have nothing
 * to do. */
#include "worker/held.h"

#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

enum {
    LEASE_AHEAD_US = 50000, /* work that is leased at once */
    LEASE_LOW_US = 10000,   /* more is leased when less is left */
    LONG_MS = 5000,         /* so long at one key, and those that wait are given back */
    FRAMES_MAX_BYTES = 32 << 20,
};

struct held {
    pthread_mutex_t lock;
    pthread_cond_t keys_or_room; /* the main thread waits here, */
    pthread_cond_t frames_there; /* uploaders, */
    pthread_cond_t errands;      /* the courier, */
    pthread_cond_t beats;        /* the heartbeat */
    int64_t beat_at_ms;          /* when it wakes by itself */
    struct held_key *keys;       /* in the order of leasing */
    struct held_key **tail;
    int max_frames, max_lease;

    bool taker_waits;   /* the main thread has nothing to do */
    int64_t taken_us;   /* when it took its present key */
    int64_t average_us; /* from taking a key to handing over its frame; 0: not known yet */
    int frames;         /* computed or uploading */
    size_t frame_bytes;

    bool draining, stopping, ended;
    atomic_bool drain_flag; /* draining or ended */
    int exit_code;
    struct err stop_err;
    struct held_counts counts;
};

struct held *held_new(int max_frames, int max_lease)
{
    struct held *held = MEM_NEW(struct held);
    pthread_condattr_t attr;
    pthread_mutex_init(&held->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&held->keys_or_room, &attr);
    pthread_cond_init(&held->frames_there, &attr);
    pthread_cond_init(&held->errands, &attr);
    pthread_cond_init(&held->beats, &attr);
    pthread_condattr_destroy(&attr);
    held->tail = &held->keys;
    held->max_frames = max_frames;
    held->max_lease = max_lease;
    return held;
}

/* ---- the list; called with the lock held ---- */

static void key_free(struct held_key *key)
{
    free(key->lease.key);
    free(key->lease.token);
    free(key->text);
    frame_deinit(&key->frame);
    free(key);
}

static void unlink_key(struct held *held, struct held_key *key)
{
    struct held_key **at = &held->keys;
    while (*at != key)
        at = &(*at)->next;
    *at = key->next;
    if (held->tail == &key->next)
        held->tail = at;
    key_free(key);
}

static struct held_key *find_stage(struct held *held, enum held_stage stage)
{
    struct held_key *key = held->keys;
    while (key && key->stage != stage)
        key = key->next;
    return key;
}

static int count_stage(const struct held *held, enum held_stage stage)
{
    int n = 0;
    for (const struct held_key *key = held->keys; key; key = key->next)
        n += key->stage == stage;
    return n;
}

static bool leaving(const struct held *held)
{
    return held->draining || held->stopping || held->ended;
}

static struct held_key *computing(const struct held *held)
{
    struct held_key *key = held->keys;
    while (key && key->stage != HELD_COMPUTING)
        key = key->next;
    return key;
}

/* At work on a key that nobody waits for any more: how the batch is must be asked for, for no
 * other errand will tell. */
static bool works_in_vain(const struct held *held)
{
    const struct held_key *key = computing(held);
    return key && key->lost;
}

/* At work on a key that takes much longer than those before it, while others wait. */
static bool keeps_waiting(struct held *held)
{
    const struct held_key *key = computing(held);
    return key && clock_ms() - key->started_ms > LONG_MS;
}

static bool wants_lease(struct held *held)
{
    if (leaving(held) || works_in_vain(held))
        return !leaving(held);
    if (keeps_waiting(held) || count_stage(held, HELD_WAITING) * held->average_us > LEASE_LOW_US)
        return false;
    return held->taker_waits || (held->average_us && held->average_us < LEASE_LOW_US);
}

static void lock(struct held *held)
{
    pthread_mutex_lock(&held->lock);
}

static void unlock(struct held *held)
{
    pthread_mutex_unlock(&held->lock);
}

/* Until woken or until the time is there. clock_ms runs on in suspension where the condition's
 * clock does not, so the time is given as a distance. */
static void wait_until(struct held *held, pthread_cond_t *cond, int64_t until_ms)
{
    struct timespec at;
    int64_t ms = until_ms - clock_ms();
    if (ms <= 0)
        return;
    ms = ms > 60000 ? 60000 : ms;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += (ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(cond, &held->lock, &at);
}

static void wake_all(struct held *held)
{
    pthread_cond_broadcast(&held->keys_or_room);
    pthread_cond_broadcast(&held->frames_there);
    pthread_cond_broadcast(&held->errands);
    pthread_cond_broadcast(&held->beats);
}

void held_free(struct held *held)
{
    if (!held)
        return;
    while (held->keys)
        unlink_key(held, held->keys);
    pthread_cond_destroy(&held->keys_or_room);
    pthread_cond_destroy(&held->frames_there);
    pthread_cond_destroy(&held->errands);
    pthread_cond_destroy(&held->beats);
    pthread_mutex_destroy(&held->lock);
    free(held);
}

void held_set_frames(struct held *held, int max_frames)
{
    lock(held);
    held->max_frames = max_frames;
    unlock(held);
}

/* ---- the main thread ---- */

struct held_key *held_take(struct held *held)
{
    struct held_key *key = NULL;
    lock(held);
    while (!leaving(held) && !(key = find_stage(held, HELD_WAITING))) {
        if (!held->taker_waits) {
            held->taker_waits = true;
            pthread_cond_signal(&held->errands); /* the courier leases more */
        }
        pthread_cond_wait(&held->keys_or_room, &held->lock);
    }
    held->taker_waits = false;
    if (key) {
        key->stage = HELD_COMPUTING;
        key->started_ms = clock_ms();
        held->taken_us = clock_us();
        if (held->beat_at_ms > key->started_ms + HELD_NEWS_MS)
            pthread_cond_signal(&held->beats);
        if (wants_lease(held))
            pthread_cond_signal(&held->errands);
    }
    unlock(held);
    return key;
}

static bool too_many_frames(const struct held *held)
{
    return held->frames >= held->max_frames ||
           (held->frames > 0 && held->frame_bytes > FRAMES_MAX_BYTES);
}

static void took(struct held *held)
{
    int64_t us = clock_us() - held->taken_us;
    us = us < 1 ? 1 : us; /* 0 means: not known */
    held->average_us = held->average_us ? (7 * held->average_us + us) / 8 : us;
}

static size_t bytes_of(const struct frame *frame)
{
    size_t bytes = 0;
    for (int i = 0; i < frame->n_columns; i++)
        bytes += (size_t)frame->rows * type_bytes(frame->columns[i].type);
    return bytes;
}

void held_computed(struct held *held, struct held_key *key, struct frame *frame)
{
    lock(held);
    while (too_many_frames(held) && !held->ended)
        pthread_cond_wait(&held->keys_or_room, &held->lock);
    took(held);
    if (key->lost || held->ended) {
        frame_deinit(frame);
        unlink_key(held, key);
        pthread_cond_signal(&held->errands);
    } else {
        key->frame = *frame;
        key->frame_bytes = bytes_of(frame);
        key->stage = HELD_COMPUTED;
        held->frames++;
        held->frame_bytes += key->frame_bytes;
        pthread_cond_signal(&held->frames_there);
    }
    *frame = (struct frame){0};
    unlock(held);
}

static void frame_is_gone(struct held *held, struct held_key *key)
{
    frame_deinit(&key->frame);
    held->frames--;
    held->frame_bytes -= key->frame_bytes;
    pthread_cond_signal(&held->keys_or_room);
}

void held_failed(struct held *held, struct held_key *key, const char *class, const char *text)
{
    lock(held);
    if (key->stage == HELD_COMPUTING)
        took(held);
    else
        frame_is_gone(held, key);
    key->stage = HELD_FAILED;
    key->class = class;
    key->text = mem_strdup(text);
    pthread_cond_signal(&held->errands);
    unlock(held);
}

/* ---- uploaders ---- */

struct held_key *held_take_upload(struct held *held)
{
    struct held_key *key = NULL;
    lock(held);
    while (!held->ended && !(key = find_stage(held, HELD_COMPUTED)))
        pthread_cond_wait(&held->frames_there, &held->lock);
    if (key)
        key->stage = HELD_UPLOADING;
    unlock(held);
    return key;
}

bool held_may_upload(struct held *held, const struct held_key *key)
{
    lock(held);
    bool may = !key->lost && clock_ms() < key->lease.deadline_ms;
    unlock(held);
    return may;
}

void held_uploaded(struct held *held, struct held_key *key, int64_t rows)
{
    lock(held);
    frame_is_gone(held, key);
    key->stage = HELD_FINISHED;
    key->rows = rows;
    key->ms = clock_ms() - key->started_ms;
    pthread_cond_signal(&held->errands);
    unlock(held);
}

void held_drop(struct held *held, struct held_key *key)
{
    lock(held);
    if (!key->lost)
        held->counts.lost++;
    frame_is_gone(held, key);
    unlink_key(held, key);
    pthread_cond_signal(&held->errands);
    unlock(held);
}

/* ---- the courier ---- */

static bool gives_back(struct held *held)
{
    return (leaving(held) || keeps_waiting(held)) && find_stage(held, HELD_WAITING);
}

static bool has_to_tell(struct held *held)
{
    return find_stage(held, HELD_FINISHED) || find_stage(held, HELD_FAILED) || gives_back(held);
}

enum held_errand held_errand(struct held *held, int64_t lease_not_before_ms, int64_t until_ms)
{
    enum held_errand errand = HELD_NOTHING;
    lock(held);
    for (;;) {
        int64_t now = clock_ms();
        bool wants = wants_lease(held);
        if (has_to_tell(held))
            errand = HELD_TELL;
        else if (held->stopping || (held->draining && !held->keys))
            errand = HELD_DRAINED;
        else if (wants && now >= lease_not_before_ms)
            errand = HELD_LEASE;
        else if (now < until_ms && !held->ended) {
            bool by_lease = wants && lease_not_before_ms < until_ms;
            wait_until(held, &held->errands, by_lease ? lease_not_before_ms : until_ms);
            continue;
        }
        break;
    }
    unlock(held);
    return errand;
}

void held_refs_deinit(struct held_refs *refs)
{
    for (int i = 0; i < refs->n; i++) {
        free((char *)refs->refs[i].key);
        free((char *)refs->refs[i].token);
        free((char *)refs->text[i]);
    }
    free(refs->refs);
    free(refs->class);
    free(refs->text);
    *refs = (struct held_refs){0};
}

static void refs_add(struct held_refs *refs, const struct held_key *key)
{
    size_t n = (size_t)refs->n + 1;
    refs->refs = mem_realloc(refs->refs, n * sizeof(*refs->refs));
    refs->class = mem_realloc(refs->class, n * sizeof(*refs->class));
    refs->text = mem_realloc(refs->text, n * sizeof(*refs->text));
    refs->class[refs->n] = key->class;
    refs->text[refs->n] = key->text ? mem_strdup(key->text) : NULL;
    refs->refs[refs->n++] = (struct lease_ref){
        .key = mem_strdup(key->lease.key),
        .token = mem_strdup(key->lease.token),
        .started = key->stage != HELD_WAITING,
        .ms = key->ms,
        .rows = key->rows,
        .answer = LEASE_STALE,
        .deadline_ms = key->lease.deadline_ms,
    };
}

void held_list(struct held *held, enum held_stage stage, struct held_refs *ret)
{
    lock(held);
    for (const struct held_key *key = held->keys; key; key = key->next) {
        if (key->stage == stage)
            refs_add(ret, key);
    }
    unlock(held);
}

static struct held_key *find_token(struct held *held, const char *token)
{
    struct held_key *key = held->keys;
    while (key && strcmp(key->lease.token, token) != 0)
        key = key->next;
    return key;
}

void held_forget(struct held *held, const struct lease_ref *refs, int n)
{
    lock(held);
    for (int i = 0; i < n; i++) {
        struct held_key *key = find_token(held, refs[i].token);
        if (key && (key->stage == HELD_WAITING || key->stage >= HELD_FINISHED))
            unlink_key(held, key);
    }
    unlock(held);
}

bool held_gives_back(struct held *held)
{
    lock(held);
    bool yes = gives_back(held);
    unlock(held);
    return yes;
}

struct lease_wish held_lease_wish(struct held *held)
{
    lock(held);
    int64_t n = held->average_us ? LEASE_AHEAD_US / (held->average_us + 1) : 1;
    n = n > held->max_lease ? held->max_lease : n;
    n = works_in_vain(held) ? 0 : n < 1 ? 1 : n;
    struct lease_wish wish = {.max = (int)n,
                              .begins = held->taker_waits && !find_stage(held, HELD_WAITING)};
    unlock(held);
    return wish;
}

void held_add(struct held *held, struct lease_set *leases)
{
    lock(held);
    for (int i = 0; i < leases->n; i++) {
        struct held_key *key = MEM_NEW(struct held_key);
        key->lease = leases->leases[i];
        key->started_told = key->lease.begun;
        leases->leases[i] = (struct lease){0};
        *held->tail = key;
        held->tail = &key->next;
    }
    pthread_cond_signal(&held->keys_or_room);
    pthread_cond_signal(&held->beats);
    unlock(held);
}

void held_drop_all(struct held *held)
{
    lock(held);
    for (struct held_key *key = held->keys, *next; key; key = next) {
        next = key->next;
        held->counts.lost += !key->lost && key->stage < HELD_FINISHED;
        key->lost = true;
        if (key->stage == HELD_WAITING || key->stage >= HELD_FINISHED)
            unlink_key(held, key);
    }
    pthread_cond_signal(&held->errands);
    unlock(held);
}

bool held_empty(struct held *held)
{
    lock(held);
    bool empty = !held->keys;
    unlock(held);
    return empty;
}

/* ---- the heartbeat ---- */

void held_list_renewable(struct held *held, bool all, struct held_refs *ret)
{
    lock(held);
    for (const struct held_key *key = held->keys; key; key = key->next) {
        bool news = key->stage != HELD_WAITING && !key->started_told;
        if (!key->lost && (all || news))
            refs_add(ret, key);
    }
    unlock(held);
}

static void lose(struct held *held, struct held_key *key, const char *why)
{
    key->lost = true;
    held->counts.lost++;
    log_warn("a lease was lost: its key is dropped", LOG_S("key", key->lease.key),
             LOG_S("why", why));
    if (key->stage == HELD_WAITING)
        unlink_key(held, key);
}

void held_renewed(struct held *held, const struct lease_ref *refs, int n)
{
    lock(held);
    for (int i = 0; i < n; i++) {
        struct held_key *key = find_token(held, refs[i].token);
        if (!key)
            continue;
        if (refs[i].answer == LEASE_STALE) {
            if (!key->lost && key->stage < HELD_FINISHED)
                lose(held, key, "STALE");
            continue;
        }
        key->started_told |= refs[i].started;
        key->lease.deadline_ms = refs[i].deadline_ms;
    }
    pthread_cond_signal(&held->errands);
    unlock(held);
}

int held_fence(struct held *held, int64_t now_ms)
{
    int n = 0;
    lock(held);
    for (struct held_key *key = held->keys, *next; key; key = next) {
        next = key->next;
        if (key->lost || key->stage >= HELD_FINISHED || now_ms < key->lease.deadline_ms)
            continue;
        lose(held, key, "not renewed in time");
        n++;
    }
    if (n)
        pthread_cond_signal(&held->errands);
    unlock(held);
    return n;
}

bool held_overdue(struct held *held, int64_t now_ms, int64_t limit_ms, struct held_refs *ret)
{
    lock(held);
    for (const struct held_key *key = held->keys; key && ret->n == 0; key = key->next) {
        bool working = key->stage >= HELD_COMPUTING && key->stage <= HELD_UPLOADING;
        if (working && now_ms - key->started_ms > limit_ms)
            refs_add(ret, key);
    }
    unlock(held);
    return ret->n > 0;
}

bool held_wait(struct held *held, int64_t until_ms)
{
    lock(held);
    held->beat_at_ms = until_ms;
    if (!held->ended)
        wait_until(held, &held->beats, until_ms);
    bool ended = held->ended;
    unlock(held);
    return !ended;
}

bool held_has_news(struct held *held)
{
    bool news = false;
    lock(held);
    for (const struct held_key *key = held->keys; key && !news; key = key->next)
        news = key->stage == HELD_COMPUTING && !key->started_told && !key->lost;
    unlock(held);
    return news;
}

/* ---- ending ---- */

void held_drain(struct held *held)
{
    lock(held);
    held->draining = true;
    atomic_store(&held->drain_flag, true);
    wake_all(held);
    unlock(held);
}

bool held_draining(struct held *held)
{
    return atomic_load(&held->drain_flag);
}

const atomic_bool *held_drain_flag(const struct held *held)
{
    return &held->drain_flag;
}

void held_stop(struct held *held, const struct err *err)
{
    lock(held);
    if (!held->stopping)
        held->stop_err = *err;
    held->stopping = true;
    wake_all(held);
    unlock(held);
}

bool held_stopped(struct held *held, struct err *ret)
{
    lock(held);
    bool stopping = held->stopping;
    if (stopping)
        *ret = held->stop_err;
    unlock(held);
    return stopping;
}

void held_end(struct held *held, int exit_code)
{
    lock(held);
    if (!held->ended)
        held->exit_code = exit_code;
    held->ended = true;
    atomic_store(&held->drain_flag, true);
    wake_all(held);
    unlock(held);
}

bool held_ended(struct held *held, int *ret_exit_code)
{
    lock(held);
    bool ended = held->ended;
    if (ended)
        *ret_exit_code = held->exit_code;
    unlock(held);
    return ended;
}

bool held_any(struct held *held, enum held_stage first, enum held_stage last)
{
    bool any = false;
    lock(held);
    for (const struct held_key *key = held->keys; key && !any; key = key->next)
        any = key->stage >= first && key->stage <= last;
    unlock(held);
    return any;
}

void held_count(struct held *held, const struct held_counts *more)
{
    lock(held);
    held->counts.done += more->done;
    held->counts.failed += more->failed;
    held->counts.stale += more->stale;
    held->counts.lost += more->lost;
    unlock(held);
}

struct held_counts held_counts(struct held *held)
{
    lock(held);
    struct held_counts counts = held->counts;
    unlock(held);
    return counts;
}

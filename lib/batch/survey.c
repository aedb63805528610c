/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* survey.c - one listing, then the tails of the results, read by several threads.
 *
 * Where the listing has the results' labels there is no need for tails: a label is written in
 * the same step as the object, and says the same as its end. */
#include "batch/survey.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS_MAX = 64, TAILS_PER_THREAD = 128, FAR_TAILS_PER_THREAD = 4, NEAR = 8 };

const char *survey_state_name(enum survey_state state)
{
    static const char *const names[] = {"missing", "present", "stale", "foreign", "damaged"};
    return names[state];
}

void survey_free(struct survey *survey)
{
    if (!survey)
        return;
    for (int64_t i = 0; i < survey->n; i++) {
        free(survey->entries[i].why);
        free(survey->entries[i].crc32);
    }
    free(survey->entries);
    free(survey);
}

/* ---- the listing ---- */

struct listing {
    const struct batch_file *batch;
    struct batch_slice slice;
    struct survey *survey;
    int64_t *found; /* numbers of the keys that have an object */
    int64_t n_found;
};

static struct survey_entry *entry_of(const struct listing *listing, int64_t i)
{
    return &listing->survey->entries[i - listing->slice.first];
}

static const char *difference(const struct batch_file *batch, const struct result_identity *is)
{
    if (strcmp(is->spec, batch->spec_sha256) != 0)
        return "another spec";
    if (strcmp(is->format, batch->format) != 0)
        return "another format";
    if (is->result_version != batch->result_version)
        return "another result version";
    return NULL;
}

static void classify(const struct batch_file *batch, int64_t i, const struct result_identity *is,
                     struct survey_entry *entry)
{
    const char *other = difference(batch, is);
    entry->rows = is->rows;
    entry->n_members = is->n_members;
    entry->crc32 = mem_array((size_t)is->n_members + 1, sizeof(*entry->crc32));
    for (int m = 0; m < is->n_members; m++)
        entry->crc32[m] = is->members[m].crc32;
    if (strcmp(is->key, batch->keys[i].key) != 0) {
        entry->state = SURVEY_DAMAGED;
        entry->why = mem_printf("it is the result of %.100s under a wrong name", is->key);
    } else if (other) {
        entry->state = SURVEY_FOREIGN;
        entry->why = mem_printf("%s (spec %.12s, %s, result version %d)", other, is->spec,
                                is->format, is->result_version);
    } else if (strncmp(is->data, batch->keys[i].data, BATCH_DATA - 1) != 0) {
        entry->state = SURVEY_STALE;
    } else {
        entry->state = SURVEY_PRESENT;
    }
}

/* True when the label tells all there is to know. */
static bool take_label(const struct batch_file *batch, int64_t i, const char *label,
                       struct survey_entry *entry)
{
    CLEANUP(result_identity_free) struct result_identity *is = NULL;
    if (result_identity_parse(label, strlen(label), &is, NULL) < 0 || is->n_members == 0)
        return false;
    classify(batch, i, is, entry);
    return true;
}

static int on_object(void *ctx, const struct store_object *object, struct err *err)
{
    struct listing *listing = ctx;
    char key[STORE_NAME_MAX + 1];
    const struct batch_slice *slice = &listing->slice;
    int64_t i = result_key_of(object->name, key) ? batch_file_find(listing->batch, key) : -1;
    if (i < slice->first || i >= slice->first + slice->n)
        return 0;
    struct survey_entry *entry = entry_of(listing, i);
    entry->generation = object->generation;
    entry->bytes = object->bytes;
    if (object->label && take_label(listing->batch, i, object->label, entry))
        return 0;
    listing->found[listing->n_found++] = i;
    return 0;
}

/* List the names from the slice's least to its greatest: they need not be its first and last, as
 * '-' in a longer key stands before the '.' of a shorter one's name. */
static int list_slice(struct listing *listing, struct store *store, struct err *err)
{
    CLEANUP(mem_free_chars) char *least = NULL;
    CLEANUP(mem_free_chars) char *greatest = NULL;
    for (int64_t i = 0; i < listing->slice.n; i++) {
        char *name = result_name(listing->batch->keys[listing->slice.first + i].key);
        if (!greatest || strcmp(name, greatest) > 0) {
            free(greatest);
            greatest = mem_strdup(name);
        }
        if (!least || strcmp(name, least) < 0) {
            free(least);
            least = mem_strdup(name);
        }
        free(name);
    }
    return store_list(store, (struct store_range){least, greatest}, on_object, listing, err);
}

/* ---- the tails ---- */

struct tails {
    const struct survey_options *options;
    const struct listing *listing;
    atomic_int_fast64_t next;
    atomic_bool failed;
    pthread_mutex_t lock;
    struct err err; /* of the first failure */
    int result;
};

static int read_tail(struct tails *tails, int64_t i, struct err *err)
{
    const struct batch_file *batch = tails->options->batch;
    struct survey_entry *entry = entry_of(tails->listing, i);
    CLEANUP(mem_free_chars) char *name = result_name(batch->keys[i].key);
    CLEANUP(result_identity_free) struct result_identity *is = NULL;
    int64_t generation;
    int r = result_read_identity(tails->options->store, name, &is, &generation, err);
    if (r == STORE_ABSENT) { /* deleted since it was listed */
        *entry = (struct survey_entry){.state = SURVEY_MISSING};
        return 0;
    }
    if (r == ERR_INPUT) {
        entry->state = SURVEY_DAMAGED;
        entry->rows = -1;
        entry->why = mem_strdup(err->text);
        return 0;
    }
    if (r < 0)
        return r;
    entry->generation = generation;
    classify(batch, i, is, entry);
    return 0;
}

static void *tails_thread(void *ctx)
{
    struct tails *tails = ctx;
    while (!atomic_load(&tails->failed)) {
        struct err err = {0};
        int64_t at = atomic_fetch_add(&tails->next, 1);
        if (at >= tails->listing->n_found)
            break;
        int r = read_tail(tails, tails->listing->found[at], &err);
        if (r < 0) {
            pthread_mutex_lock(&tails->lock);
            if (!atomic_exchange(&tails->failed, true)) {
                tails->err = err;
                tails->result = r;
            }
            pthread_mutex_unlock(&tails->lock);
        }
    }
    return NULL;
}

/* Begin more threads; returns how many. The calling thread works too. */
static int threads_begin(struct tails *tails, pthread_t *threads)
{
    int64_t want = tails->options->threads, most = store_parallel(tails->options->store);
    if (want == 0) /* a network's answer takes longer than a thread's beginning */
        want = tails->listing->n_found / (most > NEAR ? FAR_TAILS_PER_THREAD : TAILS_PER_THREAD);
    most = most > THREADS_MAX ? THREADS_MAX : most;
    want = want > most ? most : want;
    int n = 0;
    while (n + 1 < want && pthread_create(&threads[n], NULL, tails_thread, tails) == 0)
        n++;
    return n;
}

static int read_tails(const struct survey_options *options, const struct listing *listing,
                      struct err *err)
{
    struct tails tails = {.options = options, .listing = listing};
    pthread_t threads[THREADS_MAX];
    pthread_mutex_init(&tails.lock, NULL);
    int n = threads_begin(&tails, threads);
    tails_thread(&tails);
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&tails.lock);
    if (tails.result < 0 && err)
        *err = tails.err;
    return tails.result;
}

static void count(struct survey *survey)
{
    for (int64_t i = 0; i < survey->n; i++) {
        enum survey_state state = survey->entries[i].state;
        survey->missing += state == SURVEY_MISSING;
        survey->present += state == SURVEY_PRESENT;
        survey->stale += state == SURVEY_STALE;
        survey->foreign += state == SURVEY_FOREIGN;
        survey->damaged += state == SURVEY_DAMAGED;
    }
}

int survey_run(const struct survey_options *options, struct survey **ret, struct err *err)
{
    int64_t n = options->slice.n;
    CLEANUP(survey_free) struct survey *survey = MEM_NEW(struct survey);
    survey->n = n;
    survey->entries = mem_zalloc(((size_t)n + 1) * sizeof(*survey->entries));
    struct listing listing = {.batch = options->batch, .slice = options->slice, .survey = survey};
    listing.found = mem_array((size_t)n + 1, sizeof(*listing.found));
    if (options->progress.fn)
        options->progress.fn(options->progress.ctx, "listing the destination", 0, n);
    int r = list_slice(&listing, options->store, err);
    if (r == 0)
        r = read_tails(options, &listing, err);
    free(listing.found);
    if (r < 0)
        return r;
    if (options->progress.fn)
        options->progress.fn(options->progress.ctx, "listing the destination", n, n);
    count(survey);
    *ret = survey;
    survey = NULL;
    return 0;
}

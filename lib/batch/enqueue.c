/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* enqueue.c - from a request to a sealed batch, whatever stands already.
 *
 * What is there is in three places: Redis (which may have forgotten), `_batch.json`, and the
 * results. They decide, in this order:
 *
 *   Redis has an unsettled batch of this name    its keys are there; if it is still being filled,
 * and asks for the same, it is completed; another spec, snapshot, format, destination is refused
 *   the destination is another unsettled batch's refused
 *   `_batch.json` asks for the same, and Redis   an enqueue died before Redis heard of it, or Redis
 * lost has it not                                   the batch: completed under the same incarnation
 *   settled, and asks for the same, and every    nothing to do
 *   result is there
 *   anything else                                a new incarnation
 */
#include "batch/enqueue.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/date.h"
#include "base/fault.h"
#include "base/retry.h"
#include "batch/fill.h"
#include "batch/survey.h"
#include "features/plan.h"

/* ---- the keys ---- */

struct days {
    int64_t *day;
    int64_t n;
};

static int parse_date(const char *what, const char *text, int64_t *ret, struct err *err)
{
    if (date_parse(text, strlen(text), ret))
        return 0;
    return err_set(err, ERR_INPUT, "%s '%.100s' is not a date: dates are written 2019-10-01", what,
                   text);
}

static int days_of_range(const struct enqueue_options *options, const int64_t *all, int64_t n_all,
                         struct days *ret, struct err *err)
{
    int64_t from = INT64_MIN, to = INT64_MAX;
    int r = options->from ? parse_date("--from", options->from, &from, err) : 0;
    if (r == 0 && options->to)
        r = parse_date("--to", options->to, &to, err);
    if (r < 0)
        return r;
    if (from > to)
        return err_set(err, ERR_INPUT, "--from %s is after --to %s", options->from, options->to);
    for (int64_t i = 0; i < n_all; i++) {
        if (all[i] >= from && all[i] <= to)
            ret->day[ret->n++] = all[i];
    }
    return 0;
}

static int compare_days(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int days_of_list(const struct enqueue_options *options, const int64_t *all, int64_t n_all,
                        struct days *ret, struct err *err)
{
    for (int64_t i = 0; i < options->n_keys; i++) {
        int64_t day;
        int r = parse_date("key", options->keys[i], &day, err);
        if (r < 0)
            return r;
        if (!bsearch(&day, all, (size_t)n_all, sizeof(*all), compare_days))
            return err_set(err, ERR_INPUT,
                           "key %s: the snapshot's target table has no rows on that date",
                           options->keys[i]);
        ret->day[ret->n++] = day;
    }
    qsort(ret->day, (size_t)ret->n, sizeof(*ret->day), compare_days);
    int64_t kept = 0;
    for (int64_t i = 0; i < ret->n; i++) {
        if (kept == 0 || ret->day[kept - 1] != ret->day[i])
            ret->day[kept++] = ret->day[i];
    }
    ret->n = kept;
    return 0;
}

/* Keep `limit` of them, the first and the last among them where there is room. */
static void days_spread(struct days *days, int64_t limit)
{
    if (limit <= 0 || limit >= days->n)
        return;
    for (int64_t i = 0; i < limit; i++) {
        int64_t at = limit == 1 ? days->n / 2 : i * (days->n - 1) / (limit - 1);
        days->day[i] = days->day[at];
    }
    days->n = limit;
}

static int choose_days(const struct enqueue_options *options, const struct plan *plan,
                       struct days *ret, struct err *err)
{
    int64_t n_all;
    const int64_t *all = plan_days(plan, &n_all);
    int64_t room = (options->keys ? options->n_keys : n_all) + 1;
    ret->day = mem_array((size_t)room, sizeof(*ret->day));
    int r = options->keys ? days_of_list(options, all, n_all, ret, err)
                          : days_of_range(options, all, n_all, ret, err);
    if (r < 0)
        return r;
    if (ret->n == 0)
        return err_set(err, ERR_INPUT, "there is no key: the target table has no rows %s",
                       options->keys ? "asked for" : "on these dates");
    days_spread(ret, options->limit);
    return 0;
}

static void take_keys(const struct plan *plan, const struct days *days, struct batch_file *file)
{
    char text[DATE_TEXT], data[SHA256_HEX];
    file->keys = mem_zalloc((size_t)days->n * sizeof(*file->keys));
    file->n_keys = days->n;
    for (int64_t i = 0; i < days->n; i++) {
        date_format(days->day[i], text);
        plan_data_hash(plan, days->day[i], data);
        file->keys[i].key = mem_strdup(text);
        memcpy(file->keys[i].data, data, BATCH_DATA - 1);
    }
}

/* ---- the request ---- */

static char *made_at_now(void)
{
    char text[32];
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return mem_strdup(text);
}

static char *made_by_me(void)
{
    char host[256] = "?";
    const char *user = getenv("USER");
    gethostname(host, sizeof(host) - 1);
    return user ? mem_printf("%s@%s", user, host) : mem_printf("uid%ld@%s", (long)getuid(), host);
}

static void new_incarnation(struct batch_file *file)
{
    snprintf(file->incarnation, sizeof(file->incarnation), "%016" PRIx64 "%016" PRIx64,
             random_u64(), random_u64());
}

static void take_settings(const struct enqueue_options *options, const struct spec *spec,
                          const struct snapshot *snapshot, struct batch_file *file)
{
    file->name = mem_strdup(options->batch);
    file->spec = mem_strdup(spec->canonical);
    memcpy(file->spec_sha256, spec->sha256, SHA256_HEX);
    memcpy(file->snapshot_id, snapshot->id, SHA256_HEX);
    file->format = mem_strdup(options->format ? options->format : "csv");
    file->result_version = RESULT_VERSION;
    file->replace_stale = options->replace_stale;
    file->settings = options->settings;
    file->settings.notify = options->notify != NULL;
    file->made_by = made_by_me();
    file->made_at = made_at_now();
    new_incarnation(file);
}

/* What is asked for, as the `_batch.json` it would be, but for its destination. */
static int request_make(const struct enqueue_options *options, struct batch_file **ret,
                        struct err *err)
{
    CLEANUP(spec_free) struct spec *spec = NULL;
    CLEANUP(snapshot_close) struct snapshot *snapshot = NULL;
    CLEANUP(plan_free) struct plan *plan = NULL;
    CLEANUP(batch_file_free) struct batch_file *file = MEM_NEW(struct batch_file);
    struct days days = {0};
    int r = spec_read(options->spec_path, &spec, err);
    if (r == 0)
        r = snapshot_open(options->snapshot_dir, &snapshot, err);
    if (r == 0)
        r = plan_compile(spec, snapshot, &plan, err);
    if (r == 0)
        r = choose_days(options, plan, &days, err);
    if (r == 0) {
        take_keys(plan, &days, file);
        take_settings(options, spec, snapshot, file);
        batch_file_complete(file);
        *ret = file;
        file = NULL;
    }
    free(days.day);
    return r;
}

/* ---- what stands already ---- */

struct standing {
    struct batch_file *redis; /* what Redis has under this name; NULL: nothing */
    bool filling, over;       /* its state; over: settled or cancelled */
    bool settled;
    int64_t failed;
    struct batch_file *there; /* the destination's `_batch.json`; NULL: none */
    struct str there_text;
    int64_t there_generation; /* 0: none */
};

static void standing_deinit(struct standing *s)
{
    batch_file_free(s->redis);
    batch_file_free(s->there);
    str_deinit(&s->there_text);
}
MEM_CLEANUP_VALUE(standing_deinit, struct standing);

/* What Redis has under a name: 0 with *ret NULL when it has nothing. */
static int look_in_redis(struct queue *queue, const char *name, struct batch_file **ret,
                         struct queue_status *ret_status, struct err *err)
{
    CLEANUP(mem_free_chars) char *text = NULL;
    int r = queue_use(queue, name, NULL, err);
    if (r == 0)
        r = queue_batch_json(queue, &text, err);
    if (r == 0)
        r = queue_status(queue, ret_status, err);
    if (r == QUEUE_GONE)
        return 0;
    return r < 0 ? r : batch_file_parse("_batch.json in Redis", text, strlen(text), ret, err);
}

static bool state_is(const struct queue_status *status, const char *state)
{
    return status->state && strcmp(status->state, state) == 0;
}

static int look(struct queue *queue, const char *name, struct store *store, struct standing *ret,
                struct err *err)
{
    struct queue_status status = {0};
    int r = look_in_redis(queue, name, &ret->redis, &status, err);
    ret->filling = state_is(&status, "filling");
    ret->settled = state_is(&status, "settled");
    ret->over = ret->settled || state_is(&status, "cancelled");
    ret->failed = status.failed;
    queue_status_free(&status);
    if (r < 0)
        return r;
    r = store_get(store, BATCH_FILE, 0, &ret->there_text, &ret->there_generation, err);
    if (r != 0)
        return r < 0 ? r : 0;
    CLEANUP(mem_free_chars) char *path = mem_printf("%s/" BATCH_FILE, store_url(store));
    return batch_file_parse(path, ret->there_text.s, ret->there_text.len, &ret->there, err);
}

/* Refuse a destination that another name's unsettled batch writes to. */
static int check_other_name(struct queue *queue, const struct batch_file *there, struct err *err)
{
    CLEANUP(batch_file_free) struct batch_file *other = NULL;
    struct queue_status status = {0};
    int r = look_in_redis(queue, there->name, &other, &status, err);
    bool over = state_is(&status, "settled") || state_is(&status, "cancelled");
    queue_status_free(&status);
    if (r < 0 || !other || over || strcmp(other->incarnation, there->incarnation) != 0)
        return r;
    return err_set(err, ERR_RETRY,
                   "%s is the destination of batch %s, which is not settled: choose another "
                   "destination, or wait (`hiwari status %s`), or `hiwari cancel %s`",
                   there->dest, there->name, there->name, there->name);
}

/* Refuse to change an unsettled batch. */
static int check_running(const struct standing *s, const struct batch_file *request,
                         struct err *err)
{
    const char *what = NULL;
    if (strcmp(s->redis->dest, request->dest) != 0)
        what = "destination";
    else if (batch_file_same_work(s->redis, request, &what))
        return 0;
    else if (!s->filling && strcmp(what, "set of keys") == 0)
        return 0; /* more keys are refused one by one */
    if (s->filling)
        return err_set(err, ERR_RETRY,
                       "batch %s was begun with another %s by an enqueue that was interrupted: run "
                       "that command again to complete it, or `hiwari purge %s`",
                       request->name, what, request->name);
    return err_set(err, ERR_RETRY,
                   "batch %s is not settled and has another %s: wait until it is (`hiwari status "
                   "%s`), choose another name, or `hiwari cancel %s`",
                   request->name, what, request->name, request->name);
}

static int check_standing(struct queue *queue, const struct standing *s,
                          const struct batch_file *request, struct err *err)
{
    if (s->there && strcmp(s->there->name, request->name) != 0)
        return check_other_name(queue, s->there, err);
    if (s->redis && !s->over) {
        int r = check_running(s, request, err);
        if (r == 0 && s->there && strcmp(s->there->incarnation, s->redis->incarnation) != 0)
            return err_set(err, ERR_CONFIG,
                           "batch %s in this Redis and in %s/" BATCH_FILE
                           " are not the same: another Redis may be using this destination. Use "
                           "that one, or `hiwari purge %s` here",
                           request->name, request->dest, request->name);
        return r;
    }
    return 0;
}

/* ---- the verb ---- */

/* Sealed and running: nothing can be added any more. */
static void report_running(const struct standing *s, const struct batch_file *request,
                           struct enqueue_result *ret)
{
    memcpy(ret->incarnation, s->redis->incarnation, sizeof(ret->incarnation));
    ret->total = s->redis->n_keys;
    for (int64_t i = 0; i < request->n_keys; i++) {
        if (batch_file_find(s->redis, request->keys[i].key) >= 0)
            ret->present++;
        else
            ret->refused++;
    }
}

static int refuse_others(const struct batch_file *request, const struct survey *survey,
                         struct err *err)
{
    int64_t first = 0;
    while (survey->entries[first].state != SURVEY_FOREIGN &&
           survey->entries[first].state != SURVEY_DAMAGED)
        first++;
    return err_set(err, ERR_CONFIG,
                   "%s holds %" PRId64 " results that do not fit this batch; the first is %s.zip: "
                   "%s. Nothing was enqueued. Either replace them with --replace-stale, or keep "
                   "them and choose another destination",
                   request->dest, survey->foreign + survey->damaged, request->keys[first].key,
                   survey->entries[first].why);
}

/* Which incarnation is to be filled: one that was begun, or a new one (as request has it). */
static const struct batch_file *choose(const struct standing *s, const struct batch_file *request)
{
    if (s->redis && s->filling)
        return s->redis;
    if (s->there && strcmp(s->there->name, request->name) == 0 &&
        (!s->redis || strcmp(s->redis->incarnation, s->there->incarnation) != 0) &&
        batch_file_same_work(s->there, request, NULL) &&
        batch_file_same_settings(s->there, request))
        return s->there;
    return request;
}

/* Settled with all that is asked for, but for keys that failed? */
static int nothing_to_do(struct store *store, const struct standing *s,
                         const struct batch_file *request, const struct survey *survey, bool *ret,
                         struct err *err)
{
    int64_t wanting = survey->missing + survey->foreign + survey->damaged +
                      (request->replace_stale ? survey->stale : 0);
    *ret = false;
    if (!s->redis || !s->settled || !batch_file_same_work(s->redis, request, NULL) ||
        wanting > s->failed)
        return 0;
    CLEANUP(str_deinit) struct str success = {0};
    int r = s->failed > 0 ? 0 : store_get(store, BATCH_SUCCESS, 0, &success, NULL, err);
    *ret = r == 0;
    return r < 0 ? r : 0;
}

/* `_SUCCESS` away, `_batch.json` there: from here on the same command completes what was begun. */
static int announce(struct store *store, const struct standing *s, const struct batch_file *file,
                    int64_t *ret_generation, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    int r = store_delete(store, BATCH_SUCCESS, STORE_EXPECT_ANYTHING, err);
    if (r < 0)
        return r;
    fault_point("enqueue-unsuccess");
    *ret_generation = s->there_generation;
    if (s->there && strcmp(s->there->incarnation, file->incarnation) == 0)
        return 0;
    batch_file_print(file, &text);
    r = store_put(store, BATCH_FILE, text.s, text.len, s->there_generation, ret_generation, err);
    if (r == STORE_CHANGED)
        return err_set(err, ERR_RETRY,
                       "%s/" BATCH_FILE " changed just now: somebody else enqueues to this "
                       "destination. Look at it, and try again",
                       store_url(store));
    fault_point("enqueue-announced");
    return r;
}

/* Redis refused the batch after all (somebody else was faster): put back what stood there. */
static void unannounce(struct store *store, const struct standing *s, int64_t generation)
{
    struct err ignored;
    if (generation == s->there_generation)
        return;
    if (s->there)
        store_put(store, BATCH_FILE, s->there_text.s, s->there_text.len, generation, NULL,
                  &ignored);
    else
        store_delete(store, BATCH_FILE, generation, &ignored);
}

static int fill(const struct enqueue_options *options, struct store *store,
                const struct standing *s, const struct batch_file *file,
                const struct survey *survey, struct enqueue_result *ret, struct err *err)
{
    struct fill_result filled;
    struct err busy = {0};
    int64_t generation;
    int r = announce(store, s, file, &generation, err);
    if (r < 0)
        return r;
    const struct fill_options fill_options = {.queue = options->queue,
                                              .batch = file,
                                              .survey = survey,
                                              .notify = options->notify,
                                              .progress = options->progress};
    r = fill_run(&fill_options, &filled, &busy);
    if (r == QUEUE_BUSY)
        unannounce(store, s, generation);
    if (r != 0)
        return err_set(err, r < 0 ? r : ERR_RETRY, "%s", busy.text);
    memcpy(ret->incarnation, file->incarnation, sizeof(ret->incarnation));
    ret->total = file->n_keys;
    ret->added = filled.added;
    ret->present = filled.present;
    ret->skipped = filled.skipped;
    ret->stale = survey->stale;
    ret->replaced = file->replace_stale ? survey->stale + survey->foreign + survey->damaged : 0;
    ret->next = s->redis && s->settled;
    return 0;
}

static int enqueue_into(const struct enqueue_options *options, struct store *store,
                        const struct batch_file *request, const struct standing *s,
                        struct enqueue_result *ret, struct err *err)
{
    CLEANUP(survey_free) struct survey *survey = NULL;
    if (s->redis && !s->over && !s->filling) {
        report_running(s, request, ret);
        return 0;
    }
    const struct batch_file *file = choose(s, request);
    struct survey_options survey_options = {.store = store,
                                            .batch = file,
                                            .slice = batch_file_whole(file),
                                            .progress = options->progress};
    int r = survey_run(&survey_options, &survey, err);
    if (r < 0)
        return r;
    if (survey->foreign + survey->damaged > 0 && !file->replace_stale)
        return refuse_others(request, survey, err);
    r = nothing_to_do(store, s, request, survey, &ret->nothing_to_do, err);
    if (r < 0)
        return r;
    if (!ret->nothing_to_do)
        return fill(options, store, s, file, survey, ret, err);
    memcpy(ret->incarnation, s->redis->incarnation, sizeof(ret->incarnation));
    ret->total = request->n_keys;
    ret->present = request->n_keys;
    ret->stale = survey->stale;
    ret->failed = s->failed;
    return 0;
}

/* A batch that was there already is told the URL too: it may be a new one. */
static int set_notify(const struct enqueue_options *options, struct err *err)
{
    if (!options->notify)
        return 0;
    int r = queue_use(options->queue, options->batch, NULL, err);
    if (r == 0)
        r = queue_notify_set(options->queue, options->notify, err);
    return r < 0 ? r : 0;
}

int enqueue_refuse_replacing(const char *dest, struct err *err)
{
    return err_set(err, ERR_CONFIG,
                   "%s does not honour conditional writes, so that a late worker could put an old "
                   "result over a new one: --replace-stale is refused there. Choose another "
                   "destination, or delete what is to be computed anew",
                   dest);
}

/* Does the store honour what an upload expects to find? The batch records the answer. */
static int probe(const struct standing *s, struct store *store, struct batch_file *request,
                 struct err *err)
{
    if (s->redis && !s->over && !s->filling)
        return 0; /* nothing will be written */
    int r = store_probe(store, err);
    if (r < 0)
        return r;
    request->unconditional = r == STORE_UNCONDITIONAL;
    if (request->unconditional && request->replace_stale)
        return enqueue_refuse_replacing(request->dest, err);
    return 0;
}

int enqueue_run(const struct enqueue_options *options, struct enqueue_result *ret, struct err *err)
{
    CLEANUP(store_close) struct store *store = NULL;
    CLEANUP(batch_file_free) struct batch_file *request = NULL;
    CLEANUP(standing_deinit) struct standing standing = {0};
    struct enqueue_result result = {0};
    if (!queue_name_ok(options->batch))
        return err_set(err, ERR_USAGE,
                       "'%.100s' cannot be the name of a batch: names have 1 to 100 of the "
                       "characters a-z 0-9 . -",
                       options->batch);
    if (options->format && !result_format_ok(options->format))
        return err_set(err, ERR_USAGE, "there is no format '%.50s': it is csv or npz",
                       options->format);
    int r = request_make(options, &request, err);
    if (r == 0)
        r = store_open(options->dest, &store, err);
    if (r < 0)
        return r;
    request->dest = mem_strdup(store_url(store));
    r = look(options->queue, options->batch, store, &standing, err);
    if (r == 0)
        r = check_standing(options->queue, &standing, request, err);
    if (r == 0)
        r = probe(&standing, store, request, err);
    result.unconditional = request->unconditional;
    if (r == 0)
        r = enqueue_into(options, store, request, &standing, &result, err);
    if (r == 0)
        r = set_notify(options, err);
    if (r == 0)
        *ret = result;
    return r;
}

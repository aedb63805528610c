/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* columns_file.c - a sample computed once more, profiled, explained and written.
 *
 * Keys of the sample are computed in the order of their bit-reversed numbers, so that however early
 * time runs out, what was computed is spread over all of them. */
#include "batch/columns_file.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/log.h"
#include "codec/json.h"
#include "features/explain.h"
#include "features/profile.h"

enum { COLUMNS_FORMAT = 1, KEYS_BITS = 7 };
_Static_assert(1 << KEYS_BITS == COLUMNS_KEYS_MAX, "numbers are reversed within these bits");

struct sampling {
    const struct columns_options *options;
    struct explanation explanation;
    bool *labels;
    struct profile *profile;
    int64_t keys;        /* that were computed */
    struct json *alarms; /* the document's list of names */
    struct str alarm_names;
};

static void sampling_deinit(struct sampling *s)
{
    explanation_deinit(&s->explanation);
    profile_free(s->profile);
    free(s->labels);
    str_deinit(&s->alarm_names);
}
MEM_CLEANUP_VALUE(sampling_deinit, struct sampling);

static bool goes_on(const struct columns_options *options)
{
    return !options->goes_on || options->goes_on(options->ctx);
}

/* ---- the sample ---- */

static int reversed(int number)
{
    int r = 0;
    for (int bit = 0; bit < KEYS_BITS; bit++)
        r |= (number >> bit & 1) << (KEYS_BITS - 1 - bit);
    return r;
}

/* A key that cannot be computed (its result is of older data) is passed over. */
static void sample_key(struct sampling *s, const char *key)
{
    const struct columns_source *source = s->options->source;
    CLEANUP(frame_deinit) struct frame frame = {0};
    int64_t day;
    if (!date_parse(key, strlen(key), &day) ||
        plan_compute(source->plan, day, source->threads, &frame, NULL) < 0)
        return;
    if (frame.n_columns != s->explanation.n_columns)
        return;
    profile_add(s->profile, &frame);
    s->keys++;
}

static void sample(struct sampling *s)
{
    const struct columns_options *o = s->options;
    int64_t until_ms = clock_ms() + COLUMNS_TIME_MS;
    int64_t n = o->n_keys < COLUMNS_KEYS_MAX ? o->n_keys : COLUMNS_KEYS_MAX;
    for (int i = 0; i < COLUMNS_KEYS_MAX && clock_ms() < until_ms && goes_on(o); i++) {
        int64_t number = reversed(i);
        if (number < n)
            sample_key(s, o->batch->keys[o->keys[number * o->n_keys / n]].key);
    }
}

static void explain(struct sampling *s)
{
    struct explanation *e = &s->explanation;
    plan_explain(s->options->source->plan, e);
    s->labels = mem_zalloc((size_t)e->n_columns + 1);
    for (int c = 0; c < e->n_columns; c++)
        s->labels[c] = e->columns[c].is_label;
    s->profile = profile_new(e->n_columns, s->labels);
}

/* ---- the text ---- */

/* What numpy calls the type of the array that npz has of the column. */
static void dtype_words(const struct column *shape, bool float32, char *buf, size_t size)
{
    switch (shape->type) {
    case TYPE_STRING:
        snprintf(buf, size, "<U%" PRId32, shape->max_chars > 1 ? shape->max_chars : 1);
        return;
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
        snprintf(buf, size, "datetime64[%s]", shape->type == TYPE_DATE ? "D" : "us");
        return;
    case TYPE_BOOL:
    case TYPE_INT:
        if (!shape->nullable) {
            snprintf(buf, size, "int64");
            return;
        }
        break;
    default:
        break;
    }
    snprintf(buf, size, float32 ? "float32" : "float64");
}

static void add_value(struct json *node, const char *name, enum type type, double value)
{
    char text[TIMESTAMP_TEXT];
    if (isnan(value)) {
        json_add_null(node, name);
    } else if (type == TYPE_DATE) {
        date_format((int64_t)floor(value), text);
        json_add_string(node, name, text);
    } else if (type == TYPE_TIMESTAMP) {
        timestamp_format((int64_t)value, text);
        json_add_string(node, name, text);
    } else {
        json_add_number(node, name, value);
    }
}

static void add_values(struct json *node, const struct profile_column *c)
{
    if (c->shape.type == TYPE_STRING) {
        json_add_int(node, "distinct", c->distinct);
        if (c->distinct_more)
            json_add_bool(node, "distinct_more", true);
        return;
    }
    add_value(node, "min", c->shape.type, c->min);
    add_value(node, "mean", c->shape.type, c->mean);
    add_value(node, "max", c->shape.type, c->max);
}

static void add_alarm(struct sampling *s, int column, int label, double r, struct json *node)
{
    const struct explained_column *columns = s->explanation.columns;
    if (s->labels[column] || !(fabs(r) > COLUMNS_ALARM) || json_get(node, "alarm"))
        return;
    CLEANUP(mem_free_chars)
    char *text = mem_printf("its correlation with the label %s is %.3f: make sure that it does not "
                            "know the result",
                            columns[label].name, r);
    json_add_string(node, "alarm", text);
    json_add_string(s->alarms, NULL, columns[column].name);
    str_addf(&s->alarm_names, "%s%s", s->alarm_names.len ? ", " : "", columns[column].name);
}

static void add_correlations(struct sampling *s, int column, struct json *node)
{
    struct json *all = json_add_object(node, "correlation");
    for (int l = 0; l < s->explanation.n_columns; l++) {
        int64_t rows;
        if (!s->labels[l])
            continue;
        double r = profile_correlation(s->profile, column, l, &rows);
        json_add_number(all, s->explanation.columns[l].name, r);
        if (rows >= COLUMNS_ALARM_ROWS)
            add_alarm(s, column, l, r, node);
    }
}

static void add_column(struct sampling *s, int column, struct json *parent)
{
    const struct explained_column *e = &s->explanation.columns[column];
    const struct profile_column c = profile_column(s->profile, column);
    int64_t rows = profile_rows(s->profile);
    char dtype[32];
    struct json *node = json_add_object(parent, NULL);
    dtype_words(&c.shape, s->options->source->float32, dtype, sizeof(dtype));
    json_add_string(node, "name", e->name);
    json_add_string(node, "dtype", dtype);
    json_add_string(node, "stage", e->is_label ? "label" : e->stage);
    json_add_bool(node, "label", e->is_label);
    json_add_string(node, "says", e->sentence);
    json_add_number(node, "nulls", rows ? (double)c.nulls / (double)rows : (double)NAN);
    add_values(node, &c);
    json_add_bool(node, "constant", c.constant);
    add_correlations(s, column, node);
}

static void print(struct sampling *s, struct str *out)
{
    const struct batch_file *batch = s->options->batch;
    CLEANUP(json_free) struct json *root = json_new_object();
    json_add_int(root, "hiwari", COLUMNS_FORMAT);
    json_add_string(root, "batch", batch->name);
    json_add_string(root, "spec", batch->spec_sha256);
    json_add_string(root, "snapshot", batch->snapshot_id);
    json_add_int(root, "result_version", batch->result_version);
    json_add_string(root, "keys_sha256", batch->keys_sha256);
    json_add_int(root, "keys", s->options->n_keys);
    json_add_int(root, "keys_sampled", s->keys);
    json_add_int(root, "rows_sampled", profile_rows(s->profile));
    s->alarms = json_add_array(root, "alarms");
    struct json *columns = json_add_array(root, "columns");
    for (int c = 0; c < s->explanation.n_columns; c++)
        add_column(s, c, columns);
    json_print(root, true, out);
    str_addc(out, '\n');
}

/* ---- the one that is there ---- */

static bool member_is(const struct json *root, const char *name, const char *value)
{
    const char *there;
    return json_need_string(root, name, &there, NULL) == 0 && strcmp(there, value) == 0;
}

static bool member_is_int(const struct json *root, const char *name, int64_t value)
{
    int64_t there;
    return json_need_int(root, name, &there, NULL) == 0 && there == value;
}

/* Is it of the same results, so that nothing but the batch's name could differ? */
static bool is_same(const struct str *text, const struct columns_options *options)
{
    const struct batch_file *batch = options->batch;
    CLEANUP(json_free) struct json *root = NULL;
    return text->len && json_parse(BATCH_COLUMNS, text->s, text->len, &root, NULL) == 0 &&
           member_is_int(root, "hiwari", COLUMNS_FORMAT) &&
           member_is_int(root, "result_version", batch->result_version) &&
           member_is_int(root, "keys", options->n_keys) &&
           member_is(root, "spec", batch->spec_sha256) &&
           member_is(root, "snapshot", batch->snapshot_id) &&
           member_is(root, "keys_sha256", batch->keys_sha256);
}

void columns_alarms_deinit(struct columns_alarms *alarms)
{
    for (int i = 0; i < alarms->n; i++)
        free(alarms->names[i]);
    free(alarms->names);
    *alarms = (struct columns_alarms){0};
}

int columns_file_alarms(struct store *store, struct columns_alarms *ret, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    CLEANUP(json_free) struct json *root = NULL;
    int r = store_get(store, BATCH_COLUMNS, 0, &text, NULL, err);
    if (r == 0)
        r = json_parse(BATCH_COLUMNS, text.s, text.len, &root, err);
    if (r != 0)
        return r;
    const struct json *alarms = json_get(root, "alarms");
    if (!alarms || json_type(alarms) != JSON_ARRAY)
        return err_set(err, ERR_INPUT, BATCH_COLUMNS " has no list of alarms");
    *ret = (struct columns_alarms){
        .names = mem_zalloc(((size_t)json_size(alarms) + 1) * sizeof(*ret->names))};
    for (const struct json *a = json_first(alarms); a; a = json_next(a)) {
        if (json_type(a) == JSON_STRING)
            ret->names[ret->n++] = mem_strdup(json_string(a));
    }
    return 0;
}

/* ---- the whole ---- */

int columns_file_write(const struct columns_options *options, struct err *err)
{
    CLEANUP(sampling_deinit) struct sampling s = {.options = options};
    CLEANUP(str_deinit) struct str there = {0};
    CLEANUP(str_deinit) struct str text = {0};
    int64_t generation = STORE_EXPECT_NOTHING;
    int r = store_get(options->store, BATCH_COLUMNS, 0, &there, &generation, err);
    if (r < 0 || (r == 0 && is_same(&there, options)))
        return r;
    explain(&s);
    sample(&s);
    if (s.keys == 0 || !goes_on(options))
        return 0;
    print(&s, &text);
    r = store_put(options->store, BATCH_COLUMNS, text.s, text.len, generation, NULL, err);
    if (r == 0 && s.alarm_names.len)
        log_warn("columns that may know the result: see _columns.json in the destination",
                 LOG_S("columns", s.alarm_names.s));
    return r < 0 ? r : 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* rate.c - one pass over a table in order of time.
 *
 * Rows are grouped by (time, within). The table is sorted by time, so the groups come in that order
 * too, and a step is a run of groups of one time: their results are added up per entity while all
 * ratings stay as they were, and are put into force when the step is over. */
#include "features/rate.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/date.h"
#include "features/group.h"
#include "features/steady.h"
#include "snapshot/sort.h"

struct entity {
    double rating, moved; /* moved: in this step */
    int64_t games;
    int32_t first; /* a row that names it */
    bool touched;  /* in this step */
};

struct rater {
    const struct table *table;
    const struct rate_options *options;
    const struct column *time, *within, *order;
    struct column by[GROUP_MAX_BY]; /* views of the table's */
    int n_by;
    struct grouping entities, groups;
    int32_t *offsets, *rows; /* rows of each group that take part */
    struct entity *entity;
    double *score; /* per row of a group */
    int32_t *touched;
    int32_t n_touched;
    /* the answer, row by row */
    int64_t n;
    struct answer {
        int64_t time, games;
        double rating;
        int32_t entity;
    } * answers;
    size_t cap;
};

static void rater_deinit(struct rater *r)
{
    grouping_deinit(&r->entities);
    grouping_deinit(&r->groups);
    free(r->offsets);
    free(r->rows);
    free(r->entity);
    free(r->score);
    free(r->touched);
    free(r->answers);
}
MEM_CLEANUP_VALUE(rater_deinit, struct rater);

/* ---- what is asked ---- */

static int find_column(const struct table *t, const char *option, const char *name,
                       const struct column **ret, struct err *err)
{
    int c = table_column(t, name);
    if (c >= 0) {
        *ret = &t->columns[c];
        return 0;
    }
    const char **names = MEM_ARRAY(const char *, (size_t)t->n_columns + 1);
    for (int i = 0; i < t->n_columns; i++)
        names[i] = t->columns[i].name;
    const char *near = str_nearest(name, names, (size_t)t->n_columns);
    free(names);
    return err_set(err, ERR_INPUT, "--%s: table '%s' has no column '%s'%s%s%s", option, t->name,
                   name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int check_numbers(const struct rate_options *o, struct err *err)
{
    if (!(o->k > 0) || o->k > RATE_NUMBER_MAX)
        return err_set(err, ERR_USAGE,
                       "--k: how far one game can move a rating is above 0 and at most %d, not %g",
                       RATE_NUMBER_MAX, o->k);
    if (!(o->scale > 0) || o->scale > RATE_NUMBER_MAX)
        return err_set(
            err, ERR_USAGE,
            "--scale: the lead that stands for ten wins to one is above 0 and at most %d, not %g",
            RATE_NUMBER_MAX, o->scale);
    if (!(fabs(o->start) <= RATE_NUMBER_MAX))
        return err_set(err, ERR_USAGE,
                       "--start: the rating of a newcomer is at most %d either way, not %g",
                       RATE_NUMBER_MAX, o->start);
    return 0;
}

/* The columns of the answer need names that differ. */
static int check_names(const struct rater *r, struct err *err)
{
    const char *names[GROUP_MAX_BY + 3] = {r->time->name, "rating", "games"};
    for (int k = 0; k < r->n_by; k++)
        names[3 + k] = r->by[k].name;
    for (int i = 0; i < r->n_by + 3; i++) {
        for (int j = 0; j < i; j++) {
            if (strcmp(names[i], names[j]) == 0)
                return err_set(
                    err, ERR_INPUT,
                    "the ratings would have two columns '%s' (they are the time '%s', the "
                    "entity '%s', rating and games): name another --by, or rename the column",
                    names[i], names[0], r->options->by);
        }
    }
    return 0;
}

static int add_by(struct rater *r, const char *name, struct err *err)
{
    const struct column *c;
    if (r->n_by == GROUP_MAX_BY)
        return err_set(err, ERR_INPUT, "--by takes at most %d columns", GROUP_MAX_BY);
    int rc = find_column(r->table, "by", name, &c, err);
    if (rc == 0)
        r->by[r->n_by++] = *c;
    return rc;
}

/* "horse,jockey", unless one column is called that. */
static int find_by(struct rater *r, struct err *err)
{
    CLEANUP(mem_free_chars) char *names = mem_strdup(r->options->by);
    char *rest = names;
    if (table_column(r->table, names) >= 0)
        return add_by(r, names, err);
    int rc = 0;
    for (char *name; rc == 0 && (name = strsep(&rest, ","));)
        rc = add_by(r, name, err);
    return rc;
}

static int find_columns(struct rater *r, struct err *err)
{
    const struct table *t = r->table;
    if (t->time < 0)
        return err_set(err, ERR_INPUT, "table '%s' is static: ratings need a table with a time",
                       t->name);
    r->time = &t->columns[t->time];
    int rc = find_by(r, err);
    if (rc == 0)
        rc = find_column(t, "within", r->options->within, &r->within, err);
    if (rc == 0)
        rc = find_column(t, "order", r->options->order, &r->order, err);
    if (rc == 0 && r->order->type == TYPE_STRING)
        rc =
            err_set(err, ERR_INPUT,
                    "--order: column '%s' is text; the order of a group is a number or a time, and "
                    "empty for who did not finish",
                    r->order->name);
    return rc == 0 ? check_names(r, err) : rc;
}

/* ---- one group ---- */

static double expected(const struct rate_options *o, double mine, double theirs)
{
    double x = (theirs - mine) / o->scale * 0x1.a934f0979a371p+1; /* log2(10) */
    x = x > 1000 ? 1000 : x < -1000 ? -1000 : x;
    return 1 / (1 + steady_exp2(x));
}

/* What row a gains against row b; b gains the opposite. */
static double gain(const struct rater *r, int32_t a, int32_t b)
{
    const struct entity *mine = &r->entity[r->entities.group[a]];
    const struct entity *theirs = &r->entity[r->entities.group[b]];
    int order = sort_compare(r->order, a, b);
    if (r->options->desc)
        order = -order;
    double actual = order < 0 ? 1 : order > 0 ? 0 : 0.5;
    return actual - expected(r->options, mine->rating, theirs->rating);
}

static void touch(struct rater *r, int32_t row, double moved)
{
    int32_t number = r->entities.group[row];
    struct entity *e = &r->entity[number];
    if (!e->touched)
        r->touched[r->n_touched++] = number;
    e->touched = true;
    e->moved += moved;
    e->games++;
}

static void rate_group(struct rater *r, const int32_t *rows, int32_t n)
{
    if (n < 2)
        return;
    memset(r->score, 0, (size_t)n * sizeof(*r->score));
    for (int32_t i = 0; i < n; i++) {
        for (int32_t j = i + 1; j < n; j++) {
            double g = gain(r, rows[i], rows[j]);
            r->score[i] += g;
            r->score[j] -= g;
        }
    }
    for (int32_t i = 0; i < n; i++)
        touch(r, rows[i], r->options->k / (n - 1) * r->score[i]);
}

static int check_size(const struct rater *r, int32_t row, int32_t n, struct err *err)
{
    char text[TIMESTAMP_TEXT];
    if (n <= RATE_GROUP_MAX)
        return 0;
    if (r->time->type == TYPE_DATE)
        date_format(r->time->i[row], text);
    else
        timestamp_format(r->time->i[row], text);
    return err_set(err, ERR_INPUT,
                   "--within: %" PRId32
                   " rows of %s share one '%s', and a group may have %d: name the "
                   "column that tells who met whom",
                   n, text, r->within->name, RATE_GROUP_MAX);
}

/* ---- one step ---- */

static int compare_entities(const void *a, const void *b, void *ctx)
{
    const struct rater *r = ctx;
    int32_t one = r->entity[*(const int32_t *)a].first,
            other = r->entity[*(const int32_t *)b].first;
    int order = 0;
    for (int k = 0; k < r->n_by && order == 0; k++)
        order = sort_compare(&r->by[k], one, other);
    return order;
}

static void end_step(struct rater *r, int64_t time)
{
    qsort_r(r->touched, (size_t)r->n_touched, sizeof(*r->touched), compare_entities, r);
    for (int32_t i = 0; i < r->n_touched; i++) {
        struct entity *e = &r->entity[r->touched[i]];
        e->rating += e->moved;
        e->moved = 0;
        e->touched = false;
        r->answers = mem_grow(r->answers, &r->cap, (size_t)r->n + 1, sizeof(*r->answers));
        r->answers[r->n++] = (struct answer){
            .time = time, .games = e->games, .rating = e->rating, .entity = r->touched[i]};
    }
    r->n_touched = 0;
}

static int rate_all(struct rater *r, struct err *err)
{
    for (int32_t g = 0; g < r->groups.n_groups; g++) {
        const int32_t *rows = r->rows + r->offsets[g];
        int32_t n = r->offsets[g + 1] - r->offsets[g], first = r->groups.first[g];
        int rc = check_size(r, first, n, err);
        if (rc < 0)
            return rc;
        rate_group(r, rows, n);
        bool last =
            g + 1 == r->groups.n_groups || r->time->i[r->groups.first[g + 1]] != r->time->i[first];
        if (last)
            end_step(r, r->time->i[first]);
    }
    return 0;
}

/* ---- before and after ---- */

static bool plays(const struct rater *r, int64_t row)
{
    bool named = true;
    for (int k = 0; k < r->n_by; k++)
        named &= !column_is_null(&r->by[k], row);
    return named && !column_is_null(r->order, row);
}

static void prepare(struct rater *r)
{
    size_t n = (size_t)r->table->rows;
    struct column met[] = {*r->time, *r->within};
    uint8_t *keep = mem_alloc(n + 1);
    for (int64_t row = 0; row < r->table->rows; row++)
        keep[row] = plays(r, row);
    group_rows(r->by, r->n_by, r->table->rows, GROUP_NULL_NONE, &r->entities);
    group_rows(met, 2, r->table->rows, GROUP_NULL_NONE, &r->groups);
    r->offsets = MEM_ARRAY(int32_t, (size_t)r->groups.n_groups + 1);
    r->rows = MEM_ARRAY(int32_t, n + 1);
    group_order(r->groups.group, r->groups.n_groups, r->table->rows, keep, r->offsets, r->rows);
    r->score = MEM_ARRAY(double, RATE_GROUP_MAX);
    r->touched = MEM_ARRAY(int32_t, (size_t)r->entities.n_groups + 1);
    r->entity = mem_zalloc(((size_t)r->entities.n_groups + 1) * sizeof(*r->entity));
    for (int32_t e = 0; e < r->entities.n_groups; e++)
        r->entity[e] = (struct entity){.rating = r->options->start, .first = r->entities.first[e]};
    free(keep);
}

/* The entities' strings, without those that have no rating, in one block with their codes. */
static void put_strings(const struct rater *r, const struct column *by, struct column *ret)
{
    const struct dict *from = &by->dict;
    int32_t *renamed = mem_zalloc(((size_t)from->n + 1) * sizeof(*renamed)), n = 0;
    int64_t bytes = 0;
    for (int64_t i = 0; i < r->n; i++)
        renamed[by->code[r->entity[r->answers[i].entity].first]] = 1;
    for (int32_t c = 0; c < from->n; c++)
        bytes += renamed[c] ? dict_text(from, c).len : 0;
    for (int32_t c = 0; c < from->n; c++)
        n += renamed[c];
    size_t offsets_bytes = ((size_t)n + 1) * sizeof(int64_t), codes_bytes = (size_t)r->n * 4;
    int64_t *offsets = mem_zalloc(offsets_bytes + codes_bytes + (size_t)bytes + 1);
    char *text = (char *)offsets + offsets_bytes + codes_bytes;
    ret->own = offsets;
    ret->code = (int32_t *)(void *)((char *)offsets + offsets_bytes);
    ret->dict = (struct dict){.n = n, .offsets = offsets, .bytes = text};
    n = 0;
    for (int32_t c = 0; c < from->n; c++) {
        struct text t = dict_text(from, c);
        if (!renamed[c])
            continue;
        memcpy(text + offsets[n], t.s, (size_t)t.len);
        offsets[n + 1] = offsets[n] + t.len;
        renamed[c] = n++;
    }
    for (int64_t i = 0; i < r->n; i++)
        ret->code[i] = renamed[by->code[r->entity[r->answers[i].entity].first]];
    ret->max_chars = dict_max_chars(&ret->dict);
    free(renamed);
}

static void put_entities(const struct rater *r, const struct column *by, struct column *ret)
{
    if (by->type == TYPE_STRING) {
        *ret = (struct column){.type = TYPE_STRING, .rows = r->n};
        put_strings(r, by, ret);
    } else {
        column_alloc(ret, by->type, r->n, false);
        ret->scale = by->scale;
        for (int64_t i = 0; i < r->n; i++) /* all the others have eight bytes */
            ret->i[i] = by->i[r->entity[r->answers[i].entity].first];
    }
    ret->name = by->name;
}

static void put_answers(const struct rater *r, struct frame *ret)
{
    int n = r->n_by + 3;
    struct column *columns = mem_zalloc((size_t)n * sizeof(*columns)), *time = &columns[RATE_TIME],
                  *rating = &columns[n - 2], *games = &columns[n - 1];
    column_alloc(time, r->time->type, r->n, false);
    for (int k = 0; k < r->n_by; k++)
        put_entities(r, &r->by[k], &columns[RATE_BY + k]);
    column_alloc(rating, TYPE_FLOAT, r->n, false);
    column_alloc(games, TYPE_INT, r->n, false);
    time->name = r->time->name;
    rating->name = "rating";
    games->name = "games";
    for (int64_t i = 0; i < r->n; i++) {
        time->i[i] = r->answers[i].time;
        rating->f[i] = r->answers[i].rating + 0.0; /* -0 is 0 in a snapshot */
        games->i[i] = r->answers[i].games;
    }
    *ret = (struct frame){.rows = r->n, .n_columns = n, .columns = columns};
}

int rate_table(const struct table *table, const struct rate_options *options, struct frame *ret,
               struct err *err)
{
    CLEANUP(rater_deinit) struct rater r = {.table = table, .options = options};
    int rc = check_numbers(options, err);
    if (rc == 0)
        rc = find_columns(&r, err);
    if (rc < 0)
        return rc;
    prepare(&r);
    rc = rate_all(&r, err);
    if (rc == 0)
        put_answers(&r, ret);
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* profile.c - moments of columns and of pairs of columns, frame by frame. */
#include "features/profile.h"

#include <math.h>

#include "snapshot/dictionary.h"

/* Means, sums of squares and of products about the means, of n pairs (x - x0, y - y0). The origins
 * are the first pair's values. */
struct moments {
    int64_t n;
    double x0, y0;
    double mean_x, mean_y;
    double xx, yy, xy;
};

struct entry {
    struct column shape;
    char *name;
    int64_t nulls;
    double min, max;
    struct moments own;       /* of the column with itself: its mean and whether it varies */
    struct moments *pairs;    /* with each label */
    struct dictionary *texts; /* TYPE_STRING */
    bool more_texts;
};

struct profile {
    int64_t rows;
    int n_columns;
    struct entry *entries;
    int n_labels;
    int *labels; /* their columns */
};

struct profile *profile_new(int n_columns, const bool *label)
{
    struct profile *p = MEM_NEW(struct profile);
    p->n_columns = n_columns;
    p->entries = mem_zalloc(((size_t)n_columns + 1) * sizeof(*p->entries));
    p->labels = MEM_ARRAY(int, (size_t)n_columns + 1);
    for (int c = 0; c < n_columns; c++) {
        if (label[c])
            p->labels[p->n_labels++] = c;
    }
    for (int c = 0; c < n_columns; c++)
        p->entries[c].pairs = mem_zalloc(((size_t)p->n_labels + 1) * sizeof(struct moments));
    return p;
}

void profile_free(struct profile *p)
{
    if (!p)
        return;
    for (int c = 0; c < p->n_columns; c++) {
        struct entry *e = &p->entries[c];
        if (e->texts)
            dictionary_deinit(e->texts);
        free(e->texts);
        free(e->pairs);
        free(e->name);
    }
    free(p->entries);
    free(p->labels);
    free(p);
}

/* ---- moments ---- */

/* Pairs of two arrays in which NaN stands for null. */
static struct moments moments_of(const double *x, const double *y, int64_t rows, double x0,
                                 double y0)
{
    struct moments m = {.x0 = x0, .y0 = y0};
    double sum_x = 0, sum_y = 0;
    for (int64_t i = 0; i < rows; i++) {
        if (isnan(x[i]) || isnan(y[i]))
            continue;
        m.n++;
        sum_x += x[i] - x0;
        sum_y += y[i] - y0;
    }
    if (m.n == 0)
        return m;
    m.mean_x = sum_x / (double)m.n;
    m.mean_y = sum_y / (double)m.n;
    for (int64_t i = 0; i < rows; i++) {
        if (isnan(x[i]) || isnan(y[i]))
            continue;
        double dx = x[i] - x0 - m.mean_x, dy = y[i] - y0 - m.mean_y;
        m.xx += dx * dx;
        m.yy += dy * dy;
        m.xy += dx * dy;
    }
    return m;
}

static void moments_merge(struct moments *a, const struct moments *b)
{
    if (b->n == 0)
        return;
    if (a->n == 0) {
        *a = *b;
        return;
    }
    int64_t n = a->n + b->n;
    double dx = b->x0 - a->x0 + b->mean_x - a->mean_x;
    double dy = b->y0 - a->y0 + b->mean_y - a->mean_y;
    double share = (double)b->n / (double)n, weight = (double)a->n * share;
    a->xx += b->xx + dx * dx * weight;
    a->yy += b->yy + dy * dy * weight;
    a->xy += b->xy + dx * dy * weight;
    a->mean_x += dx * share;
    a->mean_y += dy * share;
    a->n = n;
}

/* Take in the pairs of a frame, about the first pair ever seen. */
static void moments_add(struct moments *m, const double *x, const double *y, int64_t rows)
{
    int64_t first = 0;
    while (first < rows && (isnan(x[first]) || isnan(y[first])))
        first++;
    if (first == rows)
        return;
    struct moments more = moments_of(x, y, rows, m->n ? m->x0 : x[first], m->n ? m->y0 : y[first]);
    moments_merge(m, &more);
}

/* ---- frames ---- */

static bool correlates(enum type type)
{
    return type_is_number(type);
}

/* The values as doubles, NaN for null. */
static void read_values(const struct column *c, double *values)
{
    for (int64_t row = 0; row < c->rows; row++)
        values[row] = column_is_null(c, row) ? (double)NAN : column_f64(c, row);
}

static void add_shape(struct entry *e, const struct column *c)
{
    if (!e->name) {
        e->name = mem_strdup(c->name);
        e->shape = (struct column){
            .name = e->name, .type = c->type, .scale = c->scale, .max_chars = c->max_chars};
        e->min = INFINITY;
        e->max = -INFINITY;
    }
    e->shape.nullable |= c->nullable;
    if (c->max_chars > e->shape.max_chars)
        e->shape.max_chars = c->max_chars;
}

static void add_text(struct entry *e, struct text text)
{
    if (e->more_texts)
        return;
    if (!e->texts)
        e->texts = MEM_NEW(struct dictionary);
    dictionary_add(e->texts, text);
    e->more_texts = e->texts->n > PROFILE_DISTINCT_MAX;
}

static void add_column(struct entry *e, const struct column *c, const double *values)
{
    for (int64_t row = 0; row < c->rows; row++) {
        if (column_is_null(c, row)) {
            e->nulls++;
        } else if (c->type == TYPE_STRING) {
            add_text(e, dict_text(&c->dict, c->code[row]));
        } else {
            e->min = values[row] < e->min ? values[row] : e->min;
            e->max = values[row] > e->max ? values[row] : e->max;
        }
    }
    if (c->type != TYPE_STRING)
        moments_add(&e->own, values, values, c->rows);
}

void profile_add(struct profile *p, const struct frame *frame)
{
    size_t rows = (size_t)frame->rows;
    double **values = mem_zalloc(((size_t)p->n_columns + 1) * sizeof(*values));
    for (int c = 0; c < p->n_columns; c++) {
        const struct column *column = &frame->columns[c];
        values[c] = MEM_ARRAY(double, rows + 1);
        if (column->type != TYPE_STRING)
            read_values(column, values[c]);
        add_shape(&p->entries[c], column);
        add_column(&p->entries[c], column, values[c]);
    }
    for (int c = 0; c < p->n_columns; c++) {
        for (int l = 0; l < p->n_labels && correlates(frame->columns[c].type); l++) {
            if (correlates(frame->columns[p->labels[l]].type))
                moments_add(&p->entries[c].pairs[l], values[c], values[p->labels[l]], frame->rows);
        }
    }
    for (int c = 0; c < p->n_columns; c++)
        free(values[c]);
    free(values);
    p->rows += frame->rows;
}

static void merge_entry(struct entry *into, const struct entry *from, int n_labels)
{
    if (!from->name)
        return;
    add_shape(into, &from->shape);
    into->nulls += from->nulls;
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
    moments_merge(&into->own, &from->own);
    for (int l = 0; l < n_labels; l++)
        moments_merge(&into->pairs[l], &from->pairs[l]);
    for (int32_t i = 0; from->texts && i < from->texts->n; i++) {
        const struct dict view = dictionary_view(from->texts);
        add_text(into, dict_text(&view, i));
    }
}

void profile_merge(struct profile *into, const struct profile *from)
{
    for (int c = 0; c < into->n_columns; c++)
        merge_entry(&into->entries[c], &from->entries[c], into->n_labels);
    into->rows += from->rows;
}

/* ---- answers ---- */

int64_t profile_rows(const struct profile *p)
{
    return p->rows;
}

struct profile_column profile_column(const struct profile *p, int column)
{
    const struct entry *e = &p->entries[column];
    int64_t distinct = e->texts ? e->texts->n : 0;
    bool none = e->own.n == 0;
    bool all_null = e->nulls == p->rows;
    bool one_value =
        e->nulls == 0 && (e->shape.type == TYPE_STRING ? distinct == 1 : e->min == e->max);
    return (struct profile_column){
        .shape = e->shape,
        .nulls = e->nulls,
        .min = none ? (double)NAN : e->min,
        .mean = none ? (double)NAN : e->own.x0 + e->own.mean_x,
        .max = none ? (double)NAN : e->max,
        .distinct = e->more_texts ? PROFILE_DISTINCT_MAX : distinct,
        .distinct_more = e->more_texts,
        .constant = p->rows > 1 && (all_null || one_value),
    };
}

double profile_correlation(const struct profile *p, int column, int label, int64_t *ret_rows)
{
    const struct moments *m = NULL;
    for (int l = 0; l < p->n_labels; l++) {
        if (p->labels[l] == label)
            m = &p->entries[column].pairs[l];
    }
    *ret_rows = m ? m->n : 0;
    if (!m || m->n < 2 || !(m->xx > 0) || !(m->yy > 0))
        return (double)NAN;
    double both = m->xx * m->yy; /* its root is exact for a column with itself */
    double r = m->xy / (isnormal(both) ? sqrt(both) : sqrt(m->xx) * sqrt(m->yy));
    if (!isfinite(r)) /* values whose squares are beyond all doubles */
        return (double)NAN;
    return r > 1 ? 1 : r < -1 ? -1 : r;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* chain.c - hashes of schema, values and days. All integers are hashed little-endian. */
#include "snapshot/chain.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "values are hashed and mapped as they are");

struct chain_spans chain_spans(const struct table *table, int64_t static_span[2])
{
    if (table->time >= 0)
        return (struct chain_spans){table->n_days, table->day_start};
    static_span[0] = 0;
    static_span[1] = table->rows;
    return (struct chain_spans){1, static_span};
}

/* Values on their way to the hash: small pieces are collected, because a call for each would cost
 * more than the hashing. */
struct stage {
    struct sha256 *h;
    size_t len;
    uint8_t buf[4096];
};

static void stage_flush(struct stage *s)
{
    if (s->len)
        sha256_add(s->h, s->buf, s->len);
    s->len = 0;
}

static void stage_add(struct stage *s, const void *data, size_t len)
{
    if (s->len + len > sizeof(s->buf)) {
        stage_flush(s);
        if (len > sizeof(s->buf)) {
            sha256_add(s->h, data, len);
            return;
        }
    }
    if (len)
        memcpy(s->buf + s->len, data, len);
    s->len += len;
}

static void stage_text(struct stage *s, const char *text, int64_t len)
{
    stage_add(s, &len, sizeof(len));
    stage_add(s, text, (size_t)len);
}

static void stage_string(struct stage *s, const char *text)
{
    stage_text(s, text, (int64_t)strlen(text));
}

/* A null is the byte 0; a value the byte 1 and eight bytes, or for a string its length and bytes.
 */
void chain_add(struct sha256 *h, const struct column *c, int64_t first, int64_t n)
{
    static const uint8_t null = 0, value = 1;
    struct stage stage = {.h = h};
    for (int64_t row = first; row < first + n; row++) {
        if (column_is_null(c, row)) {
            stage_add(&stage, &null, 1);
            continue;
        }
        stage_add(&stage, &value, 1);
        if (c->type == TYPE_STRING) {
            struct text text = dict_text(&c->dict, c->code[row]);
            stage_text(&stage, text.s, text.len);
        } else {
            stage_add(&stage, &c->i[row], sizeof(c->i[row]));
        }
    }
    stage_flush(&stage);
}

static void add_role(struct stage *s, const struct table *table, int column)
{
    stage_string(s, column < 0 ? "" : table->columns[column].name);
}

void chain_schema(const struct table *table, uint8_t ret[SHA256_BYTES])
{
    struct sha256 h;
    sha256_init(&h);
    struct stage stage = {.h = &h};
    stage_string(&stage, "hiwari table 1");
    stage_string(&stage, table->name);
    add_role(&stage, table, table->time);
    add_role(&stage, table, table->group);
    add_role(&stage, table, table->key);
    for (int c = 0; c < table->n_columns; c++) {
        const struct column *column = &table->columns[c];
        int64_t scale = column->type == TYPE_DECIMAL ? column->scale : 0;
        stage_string(&stage, column->name);
        stage_string(&stage, type_name(column->type));
        stage_add(&stage, &scale, sizeof(scale));
    }
    stage_flush(&stage);
    sha256_finish(&h, ret);
    sha256_deinit(&h);
}

void chain_links(const struct table *table, uint8_t (*const *digests)[SHA256_BYTES], int64_t known,
                 uint8_t (*ret)[SHA256_BYTES])
{
    int64_t static_span[2];
    struct chain_spans spans = chain_spans(table, static_span);
    uint8_t link[SHA256_BYTES];
    if (known)
        memcpy(link, ret[known - 1], sizeof(link));
    else
        chain_schema(table, link);
    struct sha256 h;
    sha256_init(&h);
    for (int64_t s = known; s < spans.n; s++) {
        int64_t day = table->time >= 0 ? table->day[s] : 0;
        int64_t rows = spans.start[s + 1] - spans.start[s];
        sha256_add(&h, link, sizeof(link));
        sha256_add(&h, &day, sizeof(day));
        sha256_add(&h, &rows, sizeof(rows));
        for (int c = 0; c < table->n_columns; c++)
            sha256_add(&h, digests[c][s], SHA256_BYTES);
        sha256_finish(&h, link);
        memcpy(ret[s], link, sizeof(link));
    }
    sha256_deinit(&h);
}

void chain_id(const struct table *tables, int n_tables, char ret[SHA256_HEX])
{
    struct sha256 h;
    sha256_init(&h);
    struct stage stage = {.h = &h};
    stage_string(&stage, "hiwari snapshot 1");
    const char *last = NULL; /* in order of names: the next is the least that is greater */
    for (int i = 0; i < n_tables; i++) {
        const struct table *next = NULL;
        for (int t = 0; t < n_tables; t++) {
            const char *name = tables[t].name;
            if ((!last || strcmp(name, last) > 0) && (!next || strcmp(name, next->name) < 0))
                next = &tables[t];
        }
        if (!next)
            break; /* two tables of one name */
        stage_string(&stage, next->name);
        stage_add(&stage, next->hash, SHA256_BYTES);
        last = next->name;
    }
    stage_flush(&stage);
    uint8_t id[SHA256_BYTES];
    sha256_finish(&h, id);
    sha256_deinit(&h);
    hash_hex(id, sizeof(id), ret);
}

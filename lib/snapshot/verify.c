/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* verify.c - reading a snapshot to the last byte.
 *
 * First every file's checksum, which finds what disks and copies do to files. Then the rules that
 * readers rely on without looking (flags are 0 or 1, null slots 0, codes within the dictionary,
 * rows in order), and at last the chains and with them the id, which together find what a faulty
 * writer does. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/date.h"
#include "base/utf8.h"
#include "snapshot/chain.h"
#include "snapshot/maps.h"
#include "snapshot/sort.h"

static int verify_files(const struct snapshot_maps *maps, struct err *err)
{
    for (int f = 0; f < maps->n; f++) {
        const struct layout_entry *entry = &maps->layout.files[f];
        uint32_t crc = crc32c(0, maps->map[f].at, maps->map[f].bytes);
        if (crc != entry->crc32c)
            return err_set(err, ERR_CONFIG, "%s: checksum differs (%08x, recorded %08x)",
                           entry->path, crc, entry->crc32c);
    }
    return 0;
}

/* Chapter: what holds for one column. Each returns what is wrong, or NULL. */

static const char *check_valid(const struct column *c)
{
    bool nulls = false;
    for (int64_t row = 0; c->valid && row < c->rows; row++) {
        if (c->valid[row] > 1)
            return "its valid flags are not 0 and 1";
        if (!c->valid[row] && (c->type == TYPE_STRING ? c->code[row] : c->i[row]) != 0)
            return "a null slot is not 0";
        nulls |= !c->valid[row];
    }
    return c->nullable == nulls ? NULL : "it has a file of valid flags, and no null";
}

static const char *check_values(const struct column *c)
{
    for (int64_t row = 0; row < c->rows; row++) {
        if (!isfinite(c->f[row]))
            return "it holds a value that is not finite";
        if (c->i[row] == INT64_MIN) /* the bits of -0.0 */
            return "it holds a negative zero";
    }
    return NULL;
}

/* The bounds of every entry, before anything reads one. */
static const char *check_offsets(const struct dict *d)
{
    for (int32_t i = 0; i < d->n; i++) {
        if (d->offsets[i] > d->offsets[i + 1] || d->offsets[i + 1] > d->offsets[d->n])
            return "its dictionary's offsets do not ascend";
    }
    return NULL;
}

static const char *check_dictionary(const struct column *c)
{
    const struct dict *d = &c->dict;
    const char *wrong = check_offsets(d);
    if (wrong)
        return wrong;
    for (int32_t i = 0; i < d->n; i++) {
        struct text text = dict_text(d, i);
        if (i > 0 && text_compare(dict_text(d, i - 1), text) >= 0)
            return "its dictionary is not sorted";
        if (!utf8_valid(text.s, (size_t)text.len))
            return "its dictionary is not UTF-8";
    }
    return dict_max_chars(d) == c->max_chars ? NULL
                                             : "max_chars is not the length of its longest value";
}

static const char *check_codes(const struct column *c)
{
    CLEANUP(free) void *memory = mem_zalloc((size_t)c->dict.n + 1);
    uint8_t *used = memory;
    for (int64_t row = 0; row < c->rows; row++) {
        if (column_is_null(c, row))
            continue;
        if (c->code[row] < 0 || c->code[row] >= c->dict.n)
            return "a code is not in its dictionary";
        used[c->code[row]] = 1;
    }
    return memchr(used, 0, (size_t)c->dict.n) ? "its dictionary has a string that does not occur"
                                              : NULL;
}

static const char *check_column(const struct column *c)
{
    const char *wrong = check_valid(c);
    if (!wrong && (c->type == TYPE_FLOAT || c->type == TYPE_DECIMAL))
        wrong = check_values(c);
    if (!wrong && c->type == TYPE_STRING)
        wrong = check_dictionary(c);
    if (!wrong && c->type == TYPE_STRING)
        wrong = check_codes(c);
    return wrong;
}

/* Chapter: what holds for a table. */

static const char *check_order(const struct table *table)
{
    const struct column *first = &table->columns[table->time >= 0 ? table->time : table->key];
    const struct column *group = table->group >= 0 ? &table->columns[table->group] : NULL;
    if (first->nullable)
        return "its time or key has nulls";
    for (int64_t row = 1; row < table->rows; row++) {
        int order = sort_compare(first, row - 1, row);
        if (order == 0 && table->time < 0)
            return "a key occurs twice";
        if (order == 0 && group)
            order = sort_compare(group, row - 1, row);
        if (order > 0)
            return "its rows are out of order";
    }
    return NULL;
}

static const char *check_days(const struct table *table)
{
    const struct column *time = &table->columns[table->time];
    for (int64_t d = 0; d < table->n_days; d++) {
        for (int64_t row = table->day_start[d]; row < table->day_start[d + 1]; row++) {
            if (column_day(time, row) != table->day[d])
                return "its days are not those of its rows";
        }
    }
    return NULL;
}

static const char *check_chain(const struct table *table)
{
    int64_t static_span[2];
    struct chain_spans spans = chain_spans(table, static_span);
    size_t n = (size_t)table->n_columns, span_bytes = (size_t)spans.n * SHA256_BYTES;
    uint8_t *all = mem_alloc((n + 1) * span_bytes + SHA256_BYTES);
    uint8_t(**digests)[SHA256_BYTES] = mem_zalloc((n + 1) * sizeof(*digests));
    struct sha256 h;
    sha256_init(&h);
    for (size_t c = 0; c <= n; c++)
        digests[c] = (uint8_t(*)[SHA256_BYTES])(all + c * span_bytes);
    for (size_t c = 0; c < n; c++) {
        for (int64_t s = 0; s < spans.n; s++) {
            chain_add(&h, &table->columns[c], spans.start[s], spans.start[s + 1] - spans.start[s]);
            sha256_finish(&h, digests[c][s]);
        }
    }
    sha256_deinit(&h);
    uint8_t(*links)[SHA256_BYTES] = digests[n];
    chain_links(table, (uint8_t(*const *)[SHA256_BYTES])digests, 0, links);
    const void *recorded = table->time >= 0 ? (const void *)table->day_chain : table->hash;
    bool same = spans.n == 0 || memcmp(links, recorded, span_bytes) == 0;
    free(digests);
    free(all);
    return same ? NULL : "its contents do not have the recorded hashes";
}

static int verify_table(const struct table *table, struct err *err)
{
    for (int c = 0; c < table->n_columns; c++) {
        const char *wrong = check_column(&table->columns[c]);
        if (wrong)
            return err_set(err, ERR_CONFIG, "table %s, column %s: %s", table->name,
                           table->columns[c].name, wrong);
    }
    const char *wrong = check_order(table);
    if (!wrong && table->time >= 0)
        wrong = check_days(table);
    if (!wrong)
        wrong = check_chain(table);
    return wrong ? err_set(err, ERR_CONFIG, "table %s: %s", table->name, wrong) : 0;
}

int snapshot_check_files(const struct snapshot *snapshot, struct err *err)
{
    int r = layout_verify(snapshot->dir, err);
    if (r == 0)
        r = verify_files(snapshot->maps, err);
    return r < 0 ? err_prefix(err, "snapshot %s", snapshot->dir) : 0;
}

/* That the id is that of the tables' hashes was checked when it was opened. */
int snapshot_verify(const struct snapshot *snapshot, struct err *err)
{
    int r = layout_verify(snapshot->dir, err);
    if (r == 0)
        r = verify_files(snapshot->maps, err);
    for (int t = 0; r == 0 && t < snapshot->n_tables; t++)
        r = verify_table(&snapshot->tables[t], err);
    if (r < 0)
        return err_prefix(err, "snapshot %s", snapshot->dir);
    return 0;
}

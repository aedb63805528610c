/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* manifest.c - the lines. */
#include "batch/manifest.h"

#include <inttypes.h>
#include <stdio.h>

#include "codec/json.h"

static void print_line(const struct json *root, struct str *out)
{
    json_print(root, false, out);
    str_addc(out, '\n');
}

void manifest_print_header(const struct batch_file *batch, int64_t epoch,
                           const struct manifest_counts *counts, struct str *out)
{
    CLEANUP(json_free) struct json *root = json_new_object();
    json_add_int(root, "hiwari", BATCH_FORMAT);
    json_add_string(root, "batch", batch->name);
    json_add_string(root, "incarnation", batch->incarnation);
    json_add_int(root, "epoch", epoch);
    json_add_string(root, "spec", batch->spec_sha256);
    json_add_string(root, "snapshot", batch->snapshot_id);
    json_add_string(root, "format", batch->format);
    json_add_int(root, "result_version", batch->result_version);
    json_add_int(root, "keys", batch->n_keys);
    json_add_int(root, "done", counts->done);
    json_add_int(root, "failed", counts->failed);
    print_line(root, out);
}

static void add_known_int(struct json *root, const char *name, bool known, int64_t value)
{
    if (known)
        json_add_int(root, name, value);
    else
        json_add_null(root, name);
}

static void print_result(const struct survey_entry *entry, struct json *root)
{
    json_add_int(root, "rows", entry->rows);
    json_add_int(root, "bytes", entry->bytes);
    json_add_int(root, "generation", entry->generation);
    struct json *sums = json_add_array(root, "crc32");
    for (int i = 0; i < entry->n_members; i++) {
        char text[9];
        snprintf(text, sizeof(text), "%08" PRIx32, entry->crc32[i]);
        json_add_string(sums, NULL, text);
    }
    if (entry->state == SURVEY_STALE)
        json_add_bool(root, "stale", true);
}

static void print_key(const char *key, const struct survey_entry *entry,
                      const struct record *record, struct str *out)
{
    CLEANUP(json_free) struct json *root = json_new_object();
    bool failed = record->known && record->state == KEY_FAILED;
    bool worked = record->known && record->ms >= 0; /* not: its result was there before the batch */
    json_add_string(root, "key", key);
    json_add_string(root, "state", failed ? "failed" : "done");
    if (!failed)
        print_result(entry, root);
    add_known_int(root, "attempts", worked || failed, record->attempts);
    add_known_int(root, "interruptions", worked || failed, record->interruptions);
    add_known_int(root, "ms", worked, record->ms);
    if (failed) {
        json_add_string(root, "class", record->class);
        json_add_string(root, "error", record->error);
    }
    print_line(root, out);
}

void manifest_print_keys(const struct batch_file *batch, struct batch_slice slice,
                         const struct survey *survey, const struct records *records,
                         struct str *out)
{
    for (int64_t i = 0; i < slice.n; i++)
        print_key(batch->keys[slice.first + i].key, &survey->entries[i], &records->records[i], out);
}

void manifest_success(const struct batch_file *batch, int64_t epoch, uint32_t manifest_crc32c,
                      struct str *out)
{
    CLEANUP(json_free) struct json *root = json_new_object();
    char crc[9];
    snprintf(crc, sizeof(crc), "%08" PRIx32, manifest_crc32c);
    json_add_int(root, "hiwari", BATCH_FORMAT);
    json_add_string(root, "batch", batch->name);
    json_add_string(root, "incarnation", batch->incarnation);
    json_add_int(root, "epoch", epoch);
    json_add_int(root, "keys", batch->n_keys);
    json_add_string(root, "manifest_crc32c", crc);
    print_line(root, out);
}

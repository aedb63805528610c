/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* collect_dest.c - see collect_dest.h. */
#include "batch/collect_dest.h"

#include <inttypes.h>

#include "batch/result.h"

void collect_dest_deinit(struct collect_dest *dest)
{
    free(dest->listed);
    spec_free(dest->spec);
    batch_file_free(dest->batch);
    manifest_free(dest->manifest);
    store_close(dest->store);
    *dest = (struct collect_dest){0};
}

/* ---- opening ---- */

static int no_manifest(const struct collect_dest *dest, struct err *err)
{
    const char *url = store_url(dest->store);
    if (dest->batch)
        return err_set(err, ERR_RETRY,
                       "%s has no manifest yet: batch %s has not settled. `hiwari status %s` says "
                       "how far it is",
                       url, dest->batch->name, dest->batch->name);
    return err_set(err, ERR_CONFIG,
                   "there is nothing to collect in %s: it has neither " BATCH_MANIFEST
                   " nor " BATCH_FILE,
                   url);
}

/* Is the manifest the last word of the batch? */
static int check_settled(const struct collect_dest *dest, bool sealed, struct err *err)
{
    const struct manifest *manifest = dest->manifest;
    bool other = dest->batch && strcmp(dest->batch->incarnation, manifest->incarnation) != 0;
    if (!other && (sealed || manifest->failed > 0))
        return 0;
    return err_set(err, ERR_RETRY,
                   "batch %s of %s has not settled: %s. `hiwari status %s` says how far it is; "
                   "--allow-missing collects what the last manifest has",
                   manifest->batch, store_url(dest->store),
                   other ? "its manifest is of an earlier run" : "there is no " BATCH_SUCCESS,
                   manifest->batch);
}

static int on_object(void *ctx, const struct store_object *object, struct err *err)
{
    struct collect_dest *dest = ctx;
    char key[STORE_NAME_MAX + 1];
    if (!result_key_of(object->name, key))
        return 0;
    const struct manifest_line *line = manifest_find(dest->manifest, key);
    if (line)
        dest->listed[line - dest->manifest->lines] = true;
    return 0;
}

static int read_all(struct collect_dest *dest, bool allow_missing, struct err *err)
{
    bool sealed = false;
    int r = batch_file_read(dest->store, &dest->batch, NULL, err);
    if (r < 0)
        return r;
    r = manifest_read(dest->store, &dest->manifest, &sealed, err);
    if (r != 0)
        return r < 0 ? r : no_manifest(dest, err);
    r = allow_missing ? 0 : check_settled(dest, sealed, err);
    if (r == 0 && dest->batch)
        r = spec_parse("the spec in " BATCH_FILE, dest->batch->spec, strlen(dest->batch->spec),
                       &dest->spec, err);
    if (r < 0)
        return r;
    dest->listed = mem_zalloc((size_t)dest->manifest->n + 1);
    return store_list(dest->store, STORE_ALL, on_object, dest, err);
}

int collect_dest_open(const char *url, bool allow_missing, struct collect_dest *ret,
                      struct err *err)
{
    CLEANUP(collect_dest_deinit) struct collect_dest dest = {0};
    int r = store_open_existing(url, &dest.store, err);
    if (r == 0)
        r = read_all(&dest, allow_missing, err);
    if (r < 0)
        return r;
    *ret = dest;
    dest = (struct collect_dest){0};
    return 0;
}

/* ---- keys ---- */

const struct manifest_line *collect_dest_find(const struct collect_dest *dest, const char *key,
                                              const char **ret_why)
{
    const struct manifest_line *line = manifest_find(dest->manifest, key);
    *ret_why = NULL;
    if (!line)
        *ret_why = "not in the manifest";
    else if (!line->done)
        *ret_why = line->error;
    else if (!dest->listed[line - dest->manifest->lines])
        *ret_why = "deleted";
    return *ret_why ? NULL : line;
}

/* ---- rows ---- */

static bool has_name(const struct name_list *list, const char *name)
{
    for (int i = 0; i < list->n; i++)
        if (strcmp(list->names[i], name) == 0)
            return true;
    return false;
}

/* The first name of a that b does not have, or NULL. */
static const char *first_other(const struct name_list *a, const struct name_list *b)
{
    for (int i = 0; i < a->n; i++)
        if (!has_name(b, a->names[i]))
            return a->names[i];
    return NULL;
}

static bool same_text(const char *a, const char *b)
{
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static int not_joinable(const struct collect_dest *a, const struct collect_dest *b,
                        const char *words, const char *name, struct err *err)
{
    return err_set(err, ERR_INPUT, "%s and %s cannot be joined: %s%s%s%s", store_url(a->store),
                   store_url(b->store), words, name ? " '" : "", name ? name : "", name ? "'" : "");
}

/* Keeps are names of the target's columns; the time column stands in every result. */
int collect_dest_joinable(const struct collect_dest *a, const struct collect_dest *b,
                          struct name_list *ret_need, struct err *err)
{
    if (!a->spec || !b->spec)
        return not_joinable(a, b, "one of them has no " BATCH_FILE ", which says what its rows are",
                            NULL, err);
    if (strcmp(a->manifest->format, b->manifest->format) != 0)
        return not_joinable(a, b, "one holds csv and the other npz", NULL, err);
    const struct spec *s = a->spec, *t = b->spec;
    const struct spec_table *table = spec_find_table(s, s->target);
    const char *time = table ? table->time : NULL;
    const char *other = first_other(&s->keep, &t->keep);
    other = other ? other : first_other(&t->keep, &s->keep);
    if (other && !(time && strcmp(other, time) == 0))
        return not_joinable(a, b,
                            "their rows are not known to be the same, because only one spec keeps",
                            other, err);
    bool only_time = s->keep.n == 0 || (s->keep.n == 1 && same_text(s->keep.names[0], time));
    if (only_time &&
        (strcmp(a->manifest->snapshot, b->manifest->snapshot) != 0 ||
         strcmp(s->target, t->target) != 0 || !same_text(s->target_where, t->target_where)))
        return not_joinable(a, b,
                            "nothing but the time tells their rows apart, and they are not of the "
                            "same snapshot and target; let both specs \"keep\" what does",
                            NULL, err);
    *ret_need = (struct name_list){.names = mem_zalloc(((size_t)s->keep.n + 2) * sizeof(char *))};
    for (int i = 0; i < s->keep.n; i++)
        ret_need->names[ret_need->n++] = s->keep.names[i];
    if (time && !has_name(ret_need, time))
        ret_need->names[ret_need->n++] = (char *)time;
    return 0;
}

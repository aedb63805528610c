/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* store.c - from a URL to its driver; names are checked and faults are played here, for
 * all drivers alike. */
#include "store/store.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/fs.h"
#include "http/http.h"
#include "store/store_driver.h"

static const struct store_driver *const drivers[] = {
    &store_file_driver,    &store_gcs_driver,      &store_s3_driver,
    &store_s3_http_driver, &store_s3_https_driver,
};
enum { N_DRIVERS = sizeof(drivers) / sizeof(drivers[0]) };

/* Of a bucket, that is; the names of folders are their owner's affair. */
static int refuse_user(const char *url, struct err *err)
{
    CLEANUP(mem_free_chars) char *masked = http_url_masked(url);
    return err_set(err, ERR_CONFIG,
                   "the destination '%s' has a user or a password in it: leave them out. Keys come "
                   "from the environment or from files, as the tools of Google and AWS have them",
                   masked);
}

static int open_url(const char *url, bool create, struct store **ret, struct err *err)
{
    const char *colon = strstr(url, "://");
    if (colon && http_url_has_user(url))
        return refuse_user(url, err);
    for (int i = 0; colon && i < N_DRIVERS; i++) {
        size_t len = strlen(drivers[i]->scheme);
        if (len != (size_t)(colon - url) || memcmp(url, drivers[i]->scheme, len) != 0)
            continue;
        return drivers[i]->open(colon + 3, create, ret, err);
    }
    if (!colon) {
        CLEANUP(mem_free_chars) char *path = fs_absolute(url);
        return err_set(err, ERR_CONFIG,
                       "cannot understand the destination '%s': did you mean file://%s ?", url,
                       path);
    }
    struct str forms = {0};
    for (int i = 0; i < N_DRIVERS; i++)
        if (drivers[i]->form)
            str_addf(&forms, "%s%s", i ? " or " : "", drivers[i]->form);
    int r =
        err_set(err, ERR_CONFIG, "cannot understand the destination '%s': it is %s", url, forms.s);
    str_deinit(&forms);
    return r;
}

static int note_any(void *ctx, const struct store_object *object, struct err *err)
{
    *(bool *)ctx = true;
    return 1; /* one is enough */
}

int store_check_there(struct store *store, struct err *err)
{
    bool any = false;
    int r = store->driver->list(store, STORE_ALL, note_any, &any, err);
    if (r < 0 || any)
        return r < 0 ? r : 0;
    return err_set(err, ERR_CONFIG, "there is no destination %s: nothing is there", store->url);
}

int store_open(const char *url, struct store **ret, struct err *err)
{
    return open_url(url, true, ret, err);
}

int store_open_existing(const char *url, struct store **ret, struct err *err)
{
    return open_url(url, false, ret, err);
}

void store_close(struct store *store)
{
    if (store)
        store->driver->close(store);
}

void store_stop(struct store *store)
{
    if (store->driver->stop)
        store->driver->stop(store);
}

const char *store_url(const struct store *store)
{
    return store->url;
}

bool store_name_ok(const char *name)
{
    size_t len = strlen(name);
    size_t good =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._=-");
    return len > 0 && len <= STORE_NAME_MAX && good == len && name[0] != '.';
}

static int check_name(const struct store *store, const char *name, struct err *err)
{
    if (store_name_ok(name))
        return 0;
    return err_set(err, ERR_INPUT,
                   "'%.250s' cannot be the name of an object in %s: names have 1 to %d of the "
                   "characters A-Z a-z 0-9 . _ = - and do not begin with '.'",
                   name, store->url, STORE_NAME_MAX);
}

static int fault_err(const struct store *store, const char *verb, const char *name, struct err *err)
{
    return err_set(err, ERR_RETRY, "%s %s/%s: no answer", verb, store->url, name);
}

int store_parallel(const struct store *store)
{
    return store->driver->parallel;
}

bool store_asks_again(const struct store *store)
{
    return store->driver->asks_again;
}

void store_set_patience(struct store *store, int64_t ms)
{
    atomic_store(&store->patience_ms, ms);
}

int64_t store_deadline(const struct store *store, size_t bytes)
{
    const size_t slowest_bytes_per_ms = 1000;
    return clock_ms() + atomic_load(&store->patience_ms) + (int64_t)(bytes / slowest_bytes_per_ms);
}

bool store_label_ok(const char *label)
{
    size_t len = strlen(label);
    for (size_t i = 0; i < len; i++)
        if (label[i] < ' ' || label[i] > '~')
            return false;
    return len <= STORE_LABEL_MAX;
}

int store_put(struct store *store, const char *name, const void *data, size_t len, int64_t expect,
              int64_t *ret_generation, struct err *err)
{
    struct store_upload upload = {.name = name, .data = data, .len = len, .expect = expect};
    return store_upload(store, &upload, ret_generation, err);
}

int store_check_bytes(const struct store *store, const char *name, int64_t bytes, struct err *err)
{
    int64_t most = store->driver->max_bytes;
    if (most == 0 || bytes <= most)
        return 0;
    return err_set(err, ERR_INPUT,
                   "%s has %" PRId64 " bytes, and what is sent to %s may have %" PRId64
                   " at most: choose a destination that takes it, gs:// or file://",
                   name, bytes, store->url, most);
}

static int collect_piece(void *sink, const void *data, size_t len, struct err *err)
{
    str_add(sink, data, len);
    return 0;
}

static int put(struct store *store, const struct store_upload *upload, int64_t *ret_generation,
               struct err *err)
{
    CLEANUP(str_deinit) struct str whole = {0};
    struct store_upload collected = *upload;
    if (upload->content && !store->driver->takes_pieces) {
        str_addz(&whole, "");
        int r = upload->content(upload->ctx, collect_piece, &whole, err);
        if (r != 0)
            return r;
        collected.data = whole.s;
        collected.len = whole.len;
        upload = &collected;
    }
    int r = store_check_bytes(store, upload->name, (int64_t)upload->len, err);
    return r < 0 ? r : store->driver->put(store, upload, ret_generation, err);
}

int store_upload(struct store *store, const struct store_upload *upload, int64_t *ret_generation,
                 struct err *err)
{
    int r = check_name(store, upload->name, err);
    if (r == 0 && upload->label && !store_label_ok(upload->label))
        r = err_set(err, ERR_BUG, "the label of %s is no line of ASCII", upload->name);
    if (r < 0)
        return r;
    if (fault_before("store"))
        return fault_err(store, "write", upload->name, err);
    int64_t generation = 0;
    r = put(store, upload, &generation, err);
    if (fault_after("store"))
        return fault_err(store, "write", upload->name, err);
    if (r == 0 && ret_generation)
        *ret_generation = generation;
    return r;
}

static int get(struct store *store, const char *name, struct store_span span, struct str *ret,
               int64_t *ret_generation, struct err *err)
{
    int r = check_name(store, name, err);
    if (r < 0)
        return r;
    if (fault_before("store"))
        return fault_err(store, "read", name, err);
    int64_t generation = 0;
    r = store->driver->get(store, name, span, ret, &generation, err);
    if (r == 0 && ret_generation)
        *ret_generation = generation;
    return r;
}

int store_get(struct store *store, const char *name, size_t max_tail, struct str *ret,
              int64_t *ret_generation, struct err *err)
{
    struct store_span whole = {.offset = 0, .len = INT64_MAX};
    struct store_span tail = {.offset = -(int64_t)max_tail, .len = (int64_t)max_tail};
    return get(store, name, max_tail ? tail : whole, ret, ret_generation, err);
}

int store_get_part(struct store *store, const char *name, int64_t offset, int64_t len,
                   struct str *ret, int64_t *ret_generation, struct err *err)
{
    struct store_span part = {.offset = offset, .len = len};
    return get(store, name, part, ret, ret_generation, err);
}

int store_delete(struct store *store, const char *name, int64_t expect, struct err *err)
{
    int r = check_name(store, name, err);
    if (r < 0)
        return r;
    if (fault_before("store"))
        return fault_err(store, "delete", name, err);
    r = store->driver->remove(store, name, expect, err);
    if (fault_after("store"))
        return fault_err(store, "delete", name, err);
    return r;
}

int store_probe(struct store *store, struct err *err)
{
    int r = store->driver->probe ? store->driver->probe(store, err) : 0;
    if (r == STORE_UNCONDITIONAL)
        store_set_unconditional(store);
    return r;
}

void store_set_unconditional(struct store *store)
{
    atomic_store(&store->unconditional, true);
}

struct listing {
    struct store_range range;
    store_list_fn *fn;
    void *ctx;
};
enum { LISTING_OVER = 1000 };

static int list_object(void *ctx, const struct store_object *object, struct err *err)
{
    const struct listing *listing = ctx;
    if (listing->range.from && strcmp(object->name, listing->range.from) < 0)
        return 0;
    if (listing->range.to && strcmp(object->name, listing->range.to) > 0)
        return LISTING_OVER;
    return listing->fn(listing->ctx, object, err);
}

int store_list(struct store *store, struct store_range range, store_list_fn *fn, void *ctx,
               struct err *err)
{
    struct listing listing = {.range = range, .fn = fn, .ctx = ctx};
    if (fault_before("store"))
        return fault_err(store, "list", "", err);
    int r = store->driver->list(store, range, list_object, &listing, err);
    return r == LISTING_OVER ? 0 : r;
}

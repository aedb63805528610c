/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* push.c - claim the place, send the files, write snapshot.json, give the claim up.
 *
 * The claim (`_push.json`, made only where there is none) names the snapshot: two pushes of one
 * snapshot help each other, one of another is refused before it touches anything. A claim that a
 * killed push left behind is taken up by the next push of the same snapshot.
 *
 * An object that is there already counts when the store's listing has the right checksum, or else
 * when it was read back. That is looked at when the whole is said to be there too: an object may
 * have been damaged or deleted since, and to push again is how it is mended. */
#include "transfer/transfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fs.h"
#include "base/parallel.h"
#include "codec/json.h"
#include "transfer/remote.h"

enum { CRC_TEXT = 9 }; /* base64 of four bytes, with its NUL */

/* What the listing has of one file's object. */
struct seen {
    int64_t generation; /* 0: nothing is there */
    int64_t bytes;
    char crc32c[CRC_TEXT], md5[MD5_HEX]; /* "": the listing does not say */
};

struct push {
    const char *dir;
    const struct transfer_options *options;
    struct layout layout;
    struct remote remote;
    struct seen *seen; /* of each file */
    struct transfer_counts counts;
    int64_t total;
    bool unconditional; /* what the store was found to be */
};

static void push_deinit(struct push *push)
{
    free(push->seen);
    remote_close(&push->remote);
    layout_deinit(&push->layout);
}
MEM_CLEANUP_VALUE(push_deinit, struct push);

/* ---- whose place it is ---- */

static int other_snapshot(const struct push *push, const char *id, const char *how, struct err *err)
{
    return err_set(err, ERR_CONFIG,
                   "%s %s snapshot %.16s, and this one is %.16s: a snapshot is never written over. "
                   "Push to another URL, or delete what is there first",
                   store_url(push->remote.root), how, id, push->layout.id);
}

/* The snapshot that stands there: 0 with *ret_same, or STORE_ABSENT. */
static int look_there(struct push *push, struct err *err)
{
    CLEANUP(layout_deinit) struct layout there = {0};
    int r = remote_layout(&push->remote, &there, NULL, err);
    if (r == 0 && strcmp(there.id, push->layout.id) != 0)
        return other_snapshot(push, there.id, "holds", err);
    return r;
}

static void print_claim(const struct push *push, struct str *out)
{
    CLEANUP(json_free) struct json *root = json_new_object();
    char host[256] = "?";
    gethostname(host, sizeof(host) - 1);
    json_add_int(root, "hiwari", 1);
    json_add_string(root, "snapshot", push->layout.id);
    json_add_string(root, "by", host);
    json_print(root, false, out);
    str_addc(out, '\n');
}

/* Is the claim that is there this snapshot's? 0 with its generation, STORE_ABSENT, or a failure. */
static int check_claim(struct push *push, int64_t *ret_generation, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    CLEANUP(json_free) struct json *root = NULL;
    const char *id;
    int r = store_get(push->remote.root, REMOTE_CLAIM, 0, &text, ret_generation, err);
    if (r == 0)
        r = json_parse(REMOTE_CLAIM, text.s, text.len, &root, err);
    if (r == 0)
        r = json_need_string(root, "snapshot", &id, err);
    if (r < 0)
        return err_prefix(err, "%s", store_url(push->remote.root));
    if (r == 0 && strcmp(id, push->layout.id) != 0)
        return other_snapshot(push, id, "has a push, begun and not finished, of", err);
    return r;
}

static int claim(struct push *push, int64_t *ret_generation, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    print_claim(push, &text);
    for (int i = 0; i < 3; i++) {
        int r = store_put(push->remote.root, REMOTE_CLAIM, text.s, text.len, STORE_EXPECT_NOTHING,
                          ret_generation, err);
        if (r == STORE_CHANGED)
            r = check_claim(push, ret_generation, err);
        if (r != STORE_ABSENT)
            return r;
    }
    return err_set(err, ERR_RETRY, "%s: others are pushing there just now",
                   store_url(push->remote.root));
}

/* ---- what is there already ---- */

struct looking {
    struct push *push;
    struct store *store; /* the table's that is listed */
};

static int on_object(void *ctx, const struct store_object *object, struct err *err)
{
    struct looking *looking = ctx;
    struct push *push = looking->push;
    for (int f = 0; f < push->layout.n_files; f++) {
        const struct remote_object *mine = &push->remote.objects[f];
        if (mine->store != looking->store || strcmp(mine->name, object->name) != 0)
            continue;
        struct seen *seen = &push->seen[f];
        *seen = (struct seen){.generation = object->generation, .bytes = object->bytes};
        snprintf(seen->crc32c, CRC_TEXT, "%s", object->crc32c ? object->crc32c : "");
        snprintf(seen->md5, MD5_HEX, "%s", object->md5 ? object->md5 : "");
        break;
    }
    return 0;
}

static int look_at_tables(struct push *push, struct err *err)
{
    int r = 0;
    for (int t = 0; r == 0 && t < push->remote.n_tables; t++) {
        struct looking looking = {.push = push, .store = push->remote.tables[t]};
        r = store_list(looking.store, STORE_ALL, on_object, &looking, err);
    }
    return r;
}

/* Read an object back and compare. 1: it is what it should be; 0: it is not; or a failure. */
static int is_same(const struct remote_object *object, const struct layout_entry *entry,
                   struct err *err)
{
    uint32_t crc = 0;
    int64_t first = 0;
    for (int64_t at = 0; at < entry->bytes;) {
        CLEANUP(str_deinit) struct str part = {0};
        int64_t generation;
        int r =
            store_get_part(object->store, object->name, at, REMOTE_PART, &part, &generation, err);
        if (r != 0)
            return r < 0 ? r : 0;
        if (part.len == 0 || (at > 0 && generation != first))
            return 0;
        first = generation;
        crc = crc32c(crc, part.s, part.len);
        at += (int64_t)part.len;
    }
    return crc == entry->crc32c;
}

/* Is the listed CRC-32C the file's? */
static bool has_crc(const struct seen *seen, const struct layout_entry *entry)
{
    const uint32_t crc = entry->crc32c;
    const uint8_t bytes[] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
                             (uint8_t)crc};
    CLEANUP(str_deinit) struct str text = {0};
    hash_base64(bytes, sizeof(bytes), &text);
    return strcmp(seen->crc32c, text.s) == 0;
}

/* Is the listed MD5 that of our own file, and is that one whole? Reading it is cheaper than reading
 * the object. */
static bool has_md5(const struct push *push, const struct seen *seen,
                    const struct layout_entry *entry)
{
    CLEANUP(mem_free_chars) char *path = fs_join(push->dir, entry->path);
    char md5[MD5_HEX];
    void *data;
    size_t bytes;
    if (!seen->md5[0] || fs_map(path, &data, &bytes, NULL) < 0)
        return false;
    bool same = (int64_t)bytes == entry->bytes && md5_of(data, bytes, md5) &&
                strcmp(md5, seen->md5) == 0 && crc32c(0, data, bytes) == entry->crc32c;
    munmap(data, bytes);
    return same;
}

/* 1: the file's object is there and whole; 0: it is not; or a failure. */
static int is_there(const struct push *push, int file, struct err *err)
{
    const struct layout_entry *entry = &push->layout.files[file];
    const struct seen *seen = &push->seen[file];
    if (!seen->generation || seen->bytes != entry->bytes)
        return 0;
    if (seen->crc32c[0])
        return has_crc(seen, entry);
    return has_md5(push, seen, entry) ? 1 : is_same(&push->remote.objects[file], entry, err);
}

/* ---- sending ---- */

static void print_label(const struct layout_entry *entry, char label[32])
{
    snprintf(label, 32, "crc32c=%08" PRIx32, entry->crc32c);
}

static int put(struct push *push, int file, const void *data, struct err *err)
{
    const struct layout_entry *entry = &push->layout.files[file];
    const struct remote_object *object = &push->remote.objects[file];
    char label[32];
    print_label(entry, label);
    const struct store_upload upload = {.name = object->name,
                                        .data = data,
                                        .len = (size_t)entry->bytes,
                                        .expect = push->seen[file].generation,
                                        .label = label};
    int r = store_upload(object->store, &upload, NULL, err);
    if (r != STORE_CHANGED)
        return r;
    r = is_same(object, entry, err);
    if (r != 0)
        return r < 0 ? r : 0;
    return err_set(err, ERR_RETRY, "%s/%s changes while it is pushed: somebody else writes there",
                   store_url(object->store), object->name);
}

static int send(struct push *push, int file, struct err *err)
{
    const struct layout_entry *entry = &push->layout.files[file];
    CLEANUP(mem_free_chars) char *path = fs_join(push->dir, entry->path);
    void *data;
    size_t bytes;
    int r = fs_map(path, &data, &bytes, err);
    if (r < 0)
        return r;
    if ((int64_t)bytes != entry->bytes || crc32c(0, data, bytes) != entry->crc32c)
        r = err_set(err, ERR_INPUT,
                    "%s is damaged: it does not have the size and checksum that " LAYOUT_JSON
                    " says. Create the snapshot again, or pull it from where it is whole",
                    path);
    if (r == 0)
        r = put(push, file, data, err);
    munmap(data, bytes);
    return r;
}

/* In any thread. */
static int push_file(void *ctx, int64_t i, struct err *err)
{
    struct push *push = ctx;
    int file = (int)i;
    const struct layout_entry *entry = &push->layout.files[file];
    int there = is_there(push, file, err), r = 0;
    if (there < 0)
        return there;
    if (there) {
        atomic_fetch_add(&push->counts.kept_files, 1);
        atomic_fetch_add(&push->counts.kept_bytes, entry->bytes);
    } else {
        fault_point("pushing");
        r = send(push, file, err);
        fault_point("pushed");
    }
    atomic_fetch_add(&push->counts.done_bytes, entry->bytes);
    return r;
}

static void tick(void *ctx)
{
    struct push *push = ctx;
    if (push->options->progress)
        push->options->progress(push->options->ctx, atomic_load(&push->counts.done_bytes),
                                push->total);
}

static int push_files(struct push *push, struct err *err)
{
    const struct parallel_options parallel = {.n = push->layout.n_files,
                                              .threads = REMOTE_THREADS,
                                              .work = push_file,
                                              .max_weight = INT64_MAX,
                                              .tick = tick,
                                              .ctx = push};
    push->seen = mem_zalloc(((size_t)push->layout.n_files + 1) * sizeof(*push->seen));
    int r = look_at_tables(push, err);
    return r < 0 ? r : parallel_run(&parallel, err);
}

/* From now on the snapshot is there. */
static int publish(struct push *push, int64_t claim_generation, struct err *err)
{
    CLEANUP(mem_free_chars) char *path = fs_join(push->dir, LAYOUT_JSON);
    CLEANUP(str_deinit) struct str text = {0};
    int r = fs_read(path, &text, err);
    fault_point("push-publish");
    if (r == 0)
        r = store_put(push->remote.root, LAYOUT_JSON, text.s, text.len, STORE_EXPECT_NOTHING, NULL,
                      err);
    if (r == STORE_CHANGED)
        r = look_there(push, err);
    fault_point("push-published");
    if (r >= 0)
        r = store_delete(push->remote.root, REMOTE_CLAIM, claim_generation, err);
    return r < 0 ? r : 0;
}

/* ---- the whole ---- */

/* The claim of a push that ended between its last two steps. */
static int drop_old_claim(struct push *push, struct err *err)
{
    int64_t generation;
    int r = check_claim(push, &generation, err);
    if (r == 0)
        r = store_delete(push->remote.root, REMOTE_CLAIM, generation, err);
    return r < 0 ? r : 0;
}

/* Send whatever is not there. */
static int fill(struct push *push, struct err *err)
{
    int r = remote_open_tables(&push->remote, &push->layout, false, err);
    for (int t = 0; push->unconditional && t < push->remote.n_tables; t++)
        store_set_unconditional(push->remote.tables[t]);
    return r < 0 ? r : push_files(push, err);
}

static int push_all(struct push *push, struct err *err)
{
    int64_t generation;
    int r = claim(push, &generation, err);
    fault_point("push-claimed");
    if (r == 0)
        r = fill(push, err);
    return r < 0 ? r : publish(push, generation, err);
}

/* Its snapshot.json is there. That keeps other snapshots away, so there is nothing to claim. */
static int mend(struct push *push, struct err *err)
{
    int r = drop_old_claim(push, err);
    return r < 0 ? r : fill(push, err);
}

static int check_local(const char *dir, struct layout *ret, struct err *err)
{
    CLEANUP(snapshot_close) struct snapshot *snapshot = NULL;
    int r = snapshot_open(dir, &snapshot, err);
    if (r == 0)
        r = layout_verify(dir, err);
    return r < 0 ? r : layout_read(dir, ret, err);
}

/* Better said now than after an hour. */
static int check_sizes(const struct push *push, struct err *err)
{
    int r = 0;
    for (int f = 0; r == 0 && f < push->layout.n_files; f++) {
        const struct layout_entry *entry = &push->layout.files[f];
        r = store_check_bytes(push->remote.root, entry->path, entry->bytes, err);
    }
    return r;
}

int transfer_push(const char *dir, const char *url, const struct transfer_options *options,
                  struct transfer_result *ret, struct err *err)
{
    CLEANUP(push_deinit) struct push push = {.dir = dir, .options = options};
    int r = check_local(dir, &push.layout, err);
    if (r == 0)
        r = remote_open(url, false, &push.remote, err);
    if (r == 0)
        r = check_sizes(&push, err);
    if (r == 0)
        r = store_probe(push.remote.root, err);
    if (r < 0)
        return r;
    push.unconditional = r == STORE_UNCONDITIONAL;
    push.total = remote_total(&push.layout);
    r = look_there(&push, err);
    bool present = r == 0;
    if (r >= 0)
        r = present ? mend(&push, err) : push_all(&push, err);
    if (r < 0)
        return r;
    int64_t kept_files = atomic_load(&push.counts.kept_files);
    *ret = (struct transfer_result){.present = present && kept_files == push.layout.n_files,
                                    .files = push.layout.n_files,
                                    .bytes = push.total,
                                    .kept_files = kept_files,
                                    .kept_bytes = atomic_load(&push.counts.kept_bytes)};
    memcpy(ret->id, push.layout.id, SHA256_HEX);
    return 0;
}

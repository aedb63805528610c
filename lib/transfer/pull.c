/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* pull.c - into a hidden folder beside the target, verified, then renamed.
 *
 * The folder's name holds the snapshot's id, so that the next pull of the same snapshot finds what
 * an interrupted one has brought; a lock on it keeps two apart. Files grow in order, so a short one
 * is a good beginning or worth nothing, which its checksum tells in the end: then it is fetched
 * from its start, once. */
#include "transfer/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fs.h"
#include "base/parallel.h"
#include "transfer/remote.h"

enum { TRIES = 3 }; /* of one file whose object changes while it is read */

struct pull {
    const struct transfer_options *options;
    char *out, *parent; /* absolute */
    char *temporary;
    int lock; /* fd of the temporary folder, or -1 */
    struct layout layout;
    struct str json;
    struct remote remote;
    struct transfer_counts counts;
    int64_t total;
    atomic_bool stop;
};

static void pull_deinit(struct pull *pull)
{
    remote_close(&pull->remote);
    layout_deinit(&pull->layout);
    str_deinit(&pull->json);
    free(pull->temporary);
    free(pull->out);
    free(pull->parent);
    if (pull->lock >= 0)
        close(pull->lock);
}
MEM_CLEANUP_VALUE(pull_deinit, struct pull);

/* ---- the target ---- */

static void split_out(struct pull *pull, const char *dir)
{
    pull->out = fs_absolute(dir);
    for (size_t len = strlen(pull->out); len > 1 && pull->out[len - 1] == '/'; len--)
        pull->out[len - 1] = '\0';
    pull->parent = fs_folder(pull->out);
}

/* The snapshot is in the target: 1 when it is whole. It is not mended in place: others may be
 * reading it, and an index beside it may have been made of what is damaged. */
static int check_target(const struct pull *pull, struct err *err)
{
    CLEANUP(snapshot_close) struct snapshot *snapshot = NULL;
    struct err why = {0};
    int r = snapshot_open(pull->out, &snapshot, &why);
    if (r == 0)
        r = snapshot_check_files(snapshot, &why);
    if (r == 0)
        return 1;
    return err_set(
        err, ERR_WRITE,
        "%s has this snapshot already, and it is damaged (%s). Remove that directory and "
        "pull again, or name another one",
        pull->out, why.text);
}

/* Is the target the snapshot already? 1, 0 when nothing is there, or a failure. */
static int look_at_target(const struct pull *pull, struct err *err)
{
    CLEANUP(layout_deinit) struct layout there = {0};
    struct stat st;
    if (lstat(pull->out, &st) < 0)
        return 0;
    bool is_snapshot = layout_read(pull->out, &there, NULL) == 0;
    if (is_snapshot && strcmp(there.id, pull->layout.id) == 0)
        return check_target(pull, err);
    return err_set(err, ERR_WRITE,
                   "%s exists already and is %s%.16s: a snapshot is never written over. Name "
                   "another directory, or remove this one first",
                   pull->out, is_snapshot ? "snapshot " : "not this snapshot", there.id);
}

/* ---- the temporary folder ---- */

/* Folders that pulls of other snapshots have left, which nobody holds. */
static void remove_abandoned(const struct pull *pull, const char *prefix, const char *mine)
{
    CLEANUP(fs_list_free) struct fs_list list = {0};
    if (fs_list(pull->parent, &list, NULL) < 0)
        return;
    for (size_t i = 0; i < list.n; i++) {
        if (!str_starts(list.names[i], prefix) || strcmp(list.names[i], mine) == 0)
            continue;
        CLEANUP(mem_free_chars) char *path = fs_join(pull->parent, list.names[i]);
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            fs_remove_tree(path, NULL);
        close(fd);
    }
}

/* The same folder may be renamed by another pull between opening and locking it. */
static bool still_there(const struct pull *pull)
{
    struct stat a, b;
    return fstat(pull->lock, &a) == 0 && stat(pull->temporary, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

static int lock_temporary(struct pull *pull, struct err *err)
{
    pull->lock = open(pull->temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (pull->lock < 0)
        return err_set_errno(err, ERR_WRITE, errno, "cannot open %s", pull->temporary);
    if ((flock(pull->lock, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) || !still_there(pull))
        return err_set(err, ERR_RETRY, "another pull to %s is under way", pull->out);
    return 0;
}

static int make_folders(struct pull *pull, struct err *err)
{
    const char *name = strrchr(pull->out, '/') + 1;
    CLEANUP(mem_free_chars) char *prefix = mem_printf(".%s.pull-", name);
    CLEANUP(mem_free_chars) char *mine = mem_printf("%s%.16s", prefix, pull->layout.id);
    pull->temporary = fs_join(pull->parent, mine);
    int r = fs_mkdirs(pull->parent, err);
    remove_abandoned(pull, prefix, mine);
    if (r == 0)
        r = fs_mkdirs(pull->temporary, err);
    if (r == 0)
        r = lock_temporary(pull, err);
    for (int t = 0; r == 0 && t < pull->layout.n_tables; t++) {
        CLEANUP(mem_free_chars) char *dir = layout_table_dir(pull->layout.tables[t].name);
        CLEANUP(mem_free_chars) char *path = fs_join(pull->temporary, dir);
        r = fs_mkdirs(path, err);
    }
    return r;
}

/* What is still to come must fit: better said now than after an hour. */
static int check_room(const struct pull *pull, struct err *err)
{
    struct statvfs fs;
    int64_t have = 0;
    for (int f = 0; f < pull->layout.n_files; f++) {
        CLEANUP(mem_free_chars) char *path = fs_join(pull->temporary, pull->layout.files[f].path);
        struct stat st;
        have += stat(path, &st) == 0 ? st.st_blocks * 512 : 0;
    }
    if (statvfs(pull->parent, &fs) < 0 || fs.f_blocks == 0)
        return 0;
    int64_t room = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    if (pull->total - have <= room)
        return 0;
    return err_set(err, ERR_WRITE,
                   "%s has room for %" PRId64 " MB, and %" PRId64
                   " MB are to come: make room there, "
                   "or pull to another disk",
                   pull->parent, room / 1000000, (pull->total - have) / 1000000);
}

/* ---- one file ---- */

struct incoming {
    struct pull *pull;
    const struct layout_entry *entry;
    const struct remote_object *object;
    char *path;
    int fd;
    int64_t at;   /* bytes that are there, */
    uint32_t crc; /* and their checksum */
};

static int write_err(const struct incoming *in, struct err *err)
{
    return err_set_errno(err, ERR_WRITE, errno, "cannot write %s", in->path);
}

/* Read what is there; too much of it is nothing. */
static int measure(struct incoming *in, struct err *err)
{
    CLEANUP(free) void *buf = mem_alloc(1 << 20);
    ssize_t n;
    in->at = 0;
    in->crc = 0;
    while ((n = pread(in->fd, buf, 1 << 20, in->at)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return write_err(in, err);
        in->crc = crc32c(in->crc, buf, (size_t)n);
        in->at += n;
    }
    return 0;
}

static int start_again(struct incoming *in, struct err *err)
{
    atomic_fetch_sub(&in->pull->counts.done_bytes, in->at);
    in->at = 0;
    in->crc = 0;
    return ftruncate(in->fd, 0) < 0 ? write_err(in, err) : 0;
}

static int append(struct incoming *in, const struct str *part, struct err *err)
{
    for (size_t done = 0; done < part->len;) {
        ssize_t n = pwrite(in->fd, part->s + done, part->len - done, in->at + (int64_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return write_err(in, err);
        done += (size_t)n;
    }
    in->crc = crc32c(in->crc, part->s, part->len);
    in->at += (int64_t)part->len;
    atomic_fetch_add(&in->pull->counts.done_bytes, (int64_t)part->len);
    return 0;
}

static int is_damaged(const struct incoming *in, const char *how, struct err *err)
{
    return err_set(err, ERR_INPUT,
                   "%s/%s is damaged: %s. Push the same snapshot there again from where it is "
                   "whole: that sends what is missing or damaged",
                   store_url(in->object->store), in->object->name, how);
}

/* Fetch the rest. 0; 1: the object has changed meanwhile; or a failure. */
static int fetch(struct incoming *in, struct err *err)
{
    int64_t first = 0;
    while (in->at < in->entry->bytes) {
        CLEANUP(str_deinit) struct str part = {0};
        int64_t generation, left = in->entry->bytes - in->at;
        if (atomic_load(&in->pull->stop))
            return err_set(err, ERR_RETRY, "stopped");
        fault_point("pulling");
        int r = store_get_part(in->object->store, in->object->name, in->at,
                               left < REMOTE_PART ? left : REMOTE_PART, &part, &generation, err);
        if (r == STORE_ABSENT)
            return is_damaged(in, "it is not there", err);
        if (r < 0)
            return r;
        if (first && generation != first)
            return 1;
        first = generation;
        if (part.len == 0)
            return is_damaged(in, "it is shorter than " LAYOUT_JSON " says", err);
        r = append(in, &part, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* From what is there to the whole file. */
static int complete(struct incoming *in, struct err *err)
{
    for (int i = 0; i < TRIES; i++) {
        bool from_start = in->at == 0;
        int r = in->at > in->entry->bytes ? 1 : fetch(in, err);
        if (r < 0 || (r == 0 && in->crc == in->entry->crc32c))
            return r;
        if (r == 0 && from_start)
            return is_damaged(in, "its checksum is not what " LAYOUT_JSON " says", err);
        r = start_again(in, err);
        if (r < 0)
            return r;
    }
    return err_set(err, ERR_RETRY, "%s/%s changes while it is read: somebody writes there",
                   store_url(in->object->store), in->object->name);
}

static int bring(struct incoming *in, struct err *err)
{
    struct pull *pull = in->pull;
    int r = measure(in, err);
    if (r < 0)
        return r;
    atomic_fetch_add(&pull->counts.done_bytes, in->at);
    if (in->at == in->entry->bytes && in->crc == in->entry->crc32c)
        atomic_fetch_add(&pull->counts.kept_files, 1);
    int64_t kept = in->at;
    r = complete(in, err);
    if (r == 0 && kept <= in->at)
        atomic_fetch_add(&pull->counts.kept_bytes, kept);
    if (r == 0 && fsync(in->fd) < 0)
        r = write_err(in, err);
    return r;
}

/* In any thread. */
static int pull_file(void *ctx, int64_t i, struct err *err)
{
    struct pull *pull = ctx;
    struct incoming in = {
        .pull = pull, .entry = &pull->layout.files[i], .object = &pull->remote.objects[i]};
    in.path = fs_join(pull->temporary, in.entry->path);
    in.fd = open(in.path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    int r = in.fd < 0 ? write_err(&in, err) : bring(&in, err);
    if (in.fd >= 0 && close(in.fd) < 0 && r == 0)
        r = write_err(&in, err);
    fault_point("pulled");
    free(in.path);
    return r;
}

static void tick(void *ctx)
{
    struct pull *pull = ctx;
    if (pull->options->progress)
        pull->options->progress(pull->options->ctx, atomic_load(&pull->counts.done_bytes),
                                pull->total);
}

/* ---- the end ---- */

static int sync_folders(const struct pull *pull, struct err *err)
{
    int r = 0;
    for (int t = 0; r == 0 && t < pull->layout.n_tables; t++) {
        CLEANUP(mem_free_chars) char *dir = layout_table_dir(pull->layout.tables[t].name);
        CLEANUP(mem_free_chars) char *path = fs_join(pull->temporary, dir);
        r = fs_sync_dir(path, err);
    }
    return r;
}

/* Some network file systems have no RENAME_NOREPLACE; there rename refuses any target but an empty
 * directory. */
static int give_name(struct pull *pull, struct err *err)
{
    int r = renameat2(AT_FDCWD, pull->temporary, AT_FDCWD, pull->out, RENAME_NOREPLACE);
    if (r < 0 && (errno == EINVAL || errno == ENOSYS))
        r = rename(pull->temporary, pull->out);
    if (r == 0)
        return fs_sync_dir(pull->parent, err);
    int errnum = errno;
    r = look_at_target(pull, err);
    return r != 0 ? r
                  : err_set_errno(err, ERR_WRITE, errnum, "cannot rename %s to %s", pull->temporary,
                                  pull->out);
}

static int publish(struct pull *pull, struct err *err)
{
    CLEANUP(snapshot_close) struct snapshot *snapshot = NULL;
    CLEANUP(mem_free_chars) char *path = fs_join(pull->temporary, LAYOUT_JSON);
    int r = sync_folders(pull, err);
    if (r == 0)
        r = fs_write(path, pull->json.s, pull->json.len, err);
    fault_point("pull-written");
    if (r == 0) /* its parts fit together, and make up its id */
        r = snapshot_open(pull->temporary, &snapshot, err);
    if (r == 0)
        r = give_name(pull, err);
    fault_point("pull-published");
    return r < 0 ? r : 0;
}

/* ---- the whole ---- */

static int nothing_there(struct pull *pull, struct err *err)
{
    CLEANUP(str_deinit) struct str claim = {0};
    const char *url = store_url(pull->remote.root);
    int r = store_get(pull->remote.root, REMOTE_CLAIM, 0, &claim, NULL, err);
    if (r < 0)
        return r;
    if (r == 0)
        return err_set(err, ERR_CONFIG,
                       "the snapshot in %s is not whole: a push was begun there and has not "
                       "finished. The same `hiwari snapshot push` goes on",
                       url);
    return err_set(err, ERR_CONFIG, "there is no snapshot in %s: it has no " LAYOUT_JSON, url);
}

static int pull_files(struct pull *pull, struct err *err)
{
    const struct parallel_options parallel = {.n = pull->layout.n_files,
                                              .threads = REMOTE_THREADS,
                                              .work = pull_file,
                                              .max_weight = INT64_MAX,
                                              .tick = tick,
                                              .ctx = pull,
                                              .stop = &pull->stop};
    int r = make_folders(pull, err);
    if (r == 0)
        r = check_room(pull, err);
    if (r == 0)
        r = remote_open_tables(&pull->remote, &pull->layout, true, err);
    if (r == 0)
        r = parallel_run(&parallel, err);
    return r == 0 ? publish(pull, err) : r;
}

int transfer_pull(const char *url, const char *dir, const struct transfer_options *options,
                  struct transfer_result *ret, struct err *err)
{
    CLEANUP(pull_deinit) struct pull pull = {.options = options, .lock = -1};
    split_out(&pull, dir);
    int r = remote_open(url, true, &pull.remote, err);
    if (r == 0)
        r = remote_layout(&pull.remote, &pull.layout, &pull.json, err);
    if (r != 0)
        return r < 0 ? r : nothing_there(&pull, err);
    pull.total = remote_total(&pull.layout);
    int there = look_at_target(&pull, err);
    if (there >= 0)
        r = there ? 0 : pull_files(&pull, err);
    if (there < 0 || r < 0)
        return there < 0 ? there : r;
    *ret = (struct transfer_result){.present = there,
                                    .files = pull.layout.n_files,
                                    .bytes = pull.total,
                                    .kept_files = atomic_load(&pull.counts.kept_files),
                                    .kept_bytes = atomic_load(&pull.counts.kept_bytes)};
    memcpy(ret->id, pull.layout.id, SHA256_HEX);
    return 0;
}

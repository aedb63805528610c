/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* store_file.c - results in a folder: a local disk, or a volume that all workers mount.
 *
 * An object is a file. It is written under a hidden temporary name, fsynced, and then given its
 * name by a rename that refuses to replace; so it is there whole or not at all, and of two
 * writers who both expect nothing exactly one succeeds, on any number of machines.
 *
 * A generation is made of inode, modification time and size. The time is set by us to the
 * nanosecond, because the kernel's own has the grain of its tick, and inodes are used again.
 * Replacing or deleting a certain generation is compare, then rename: every writer that may replace
 * does this under an advisory lock (flock) on the folder.
 *
 * A name lasts only when the folder is fsynced too. Threads that put at the same time share that
 * fsync: whoever finds none running makes one for all names given until then, the others wait for
 * it.
 *
 * A writer that was killed leaves its temporary behind. Its name tells who made it; listing removes
 * those whose process is dead, and all that are older than a day. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fs.h"
#include "base/hash.h"
#include "store/store_driver.h"

struct store_file {
    struct store store;
    int dir;       /* the folder, open */
    uint32_t home; /* this boot and pid namespace: where our pid means something */
    atomic_uint_fast64_t counter;

    /* The shared fsync of the folder. */
    pthread_mutex_t lock;
    pthread_cond_t synced_more;
    uint64_t named, synced; /* names given so far; of them, those that will last */
    bool syncing;
};

static struct store_file *file_of(struct store *store)
{
    return (struct store_file *)store;
}

static int write_err(const struct store *store, const char *name, int errnum, struct err *err)
{
    const char *advice =
        errnum == ENOSPC || errnum == EDQUOT || errnum == EFBIG
            ? "make room there, or choose another destination"
        : errnum == EACCES || errnum == EPERM || errnum == EROFS
            ? "give this user the right to write there, or choose another destination"
            : "look at that disk";
    return err_set(err, ERR_WRITE, "cannot write %s/%s: %s (%s)", store->url, name,
                   strerror(errnum), advice);
}

static int64_t generation_of(const struct stat *st)
{
    uint64_t parts[] = {(uint64_t)st->st_ino, (uint64_t)st->st_mtim.tv_sec,
                        (uint64_t)st->st_mtim.tv_nsec, (uint64_t)st->st_size};
    uint64_t h = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        h = (h ^ parts[i]) * UINT64_C(0x9e3779b97f4a7c15); /* Fibonacci hashing, folded */
        h ^= h >> 32;
    }
    h &= (UINT64_C(1) << 52) - 1; /* exact as a double, wherever it travels */
    return h ? (int64_t)h : 1;
}

/* ---- open, close ---- */

static uint32_t home_of_pids(void)
{
    struct str boot = {0};
    struct stat ns = {0};
    if (fs_read("/proc/sys/kernel/random/boot_id", &boot, NULL) < 0)
        str_addz(&boot, "unknown");
    if (stat("/proc/self/ns/pid", &ns) < 0)
        ns.st_ino = 0;
    uint32_t home = crc32c(crc32c(0, boot.s, boot.len), &ns.st_ino, sizeof(ns.st_ino));
    str_deinit(&boot);
    return home;
}

static int file_open(const char *rest, bool create, struct store **ret, struct err *err)
{
    if (rest[0] != '/')
        return err_set(err, ERR_CONFIG,
                       "cannot understand the destination 'file://%s': a folder has three slashes, "
                       "file:///folder, and is given from the root",
                       rest);
    if (!create && !fs_exists(rest))
        return err_set(err, ERR_CONFIG, "there is no destination file://%s", rest);
    int r = create ? fs_mkdirs(rest, err) : 0;
    if (r < 0)
        return err_prefix(err, "destination file://%s", rest);
    CLEANUP(mem_free_chars) char *path = realpath(rest, NULL);
    int dir = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (dir < 0)
        return err_set_errno(err, ERR_WRITE, errno, "destination file://%s", rest);
    struct store_file *file = MEM_NEW(struct store_file);
    file->store = (struct store){.driver = &store_file_driver,
                                 .url = mem_printf("file://%s", path),
                                 .patience_ms = STORE_PATIENCE_MS};
    file->dir = dir;
    file->home = home_of_pids();
    pthread_mutex_init(&file->lock, NULL);
    pthread_cond_init(&file->synced_more, NULL);
    *ret = &file->store;
    return 0;
}

static void file_close(struct store *store)
{
    struct store_file *file = file_of(store);
    close(file->dir);
    pthread_cond_destroy(&file->synced_more);
    pthread_mutex_destroy(&file->lock);
    free(store->url);
    free(file);
}

/* ---- making names last ---- */

/* Wait until every name given before the call is durable. Returns an errno value. */
static int sync_names(struct store_file *file)
{
    int errnum = 0;
    pthread_mutex_lock(&file->lock);
    uint64_t mine = ++file->named;
    while (!errnum && file->synced < mine) {
        if (file->syncing) {
            pthread_cond_wait(&file->synced_more, &file->lock);
            continue;
        }
        file->syncing = true;
        uint64_t covered = file->named;
        pthread_mutex_unlock(&file->lock);
        if (fsync(file->dir) < 0 && errno != EINVAL) /* EINVAL: folders need no fsync there */
            errnum = errno;
        pthread_mutex_lock(&file->lock);
        file->syncing = false;
        if (!errnum)
            file->synced = covered;
        pthread_cond_broadcast(&file->synced_more);
    }
    pthread_mutex_unlock(&file->lock);
    return errnum;
}

/* ---- put ---- */

struct temporary {
    const struct store_file *file;
    const struct store_upload *upload;
    char name[64];
    int fd;
    struct stat st;
};

static int write_piece(void *sink, const void *data, size_t len, struct err *err)
{
    const struct temporary *temporary = sink;
    int errnum = fs_write_all(temporary->fd, data, len);
    return errnum ? write_err(&temporary->file->store, temporary->upload->name, errnum, err) : 0;
}

/* Its time, its bytes on the disk, its stat. Returns an errno value. */
static int seal_temporary(struct temporary *temporary)
{
    struct timespec times[2];
    int errnum = 0;
    if (clock_gettime(CLOCK_REALTIME, &times[1]) == 0) {
        times[0] = times[1];
        errnum = futimens(temporary->fd, times) < 0 ? errno : 0;
    }
    if (!errnum && (fsync(temporary->fd) < 0 || fstat(temporary->fd, &temporary->st) < 0))
        errnum = errno;
    return errnum;
}

static int write_temporary(struct store_file *file, struct temporary *temporary, struct err *err)
{
    const struct store_upload *upload = temporary->upload;
    snprintf(temporary->name, sizeof(temporary->name),
             FS_TEMPORARY "%08" PRIx32 "-%ld-%" PRIuFAST64, file->home, (long)getpid(),
             atomic_fetch_add(&file->counter, 1));
    temporary->fd =
        openat(file->dir, temporary->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (temporary->fd < 0)
        return write_err(&file->store, upload->name, errno, err);
    int r = upload->content ? upload->content(upload->ctx, write_piece, temporary, err)
                            : write_piece(temporary, upload->data, upload->len, err);
    int errnum = r == 0 ? seal_temporary(temporary) : 0;
    if (close(temporary->fd) < 0 && !errnum)
        errnum = errno;
    if (r == 0 && errnum)
        r = write_err(&file->store, upload->name, errnum, err);
    if (r != 0)
        unlinkat(file->dir, temporary->name, 0);
    return r;
}

/* Give the temporary its name unless that exists. Returns an errno value; EEXIST: it exists. */
static int name_new(struct store_file *file, const char *temporary, const char *name)
{
    if (renameat2(file->dir, temporary, file->dir, name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL &&
        errno != ENOSYS) /* this file system cannot: link does the same in two steps */
        return errno;
    if (linkat(file->dir, temporary, file->dir, name, 0) < 0)
        return errno;
    unlinkat(file->dir, temporary, 0);
    return 0;
}

/* Lock the folder against others who compare and replace. Returns a descriptor to close, or -1. */
static int folder_lock(struct store_file *file)
{
    int fd = openat(file->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd >= 0 && flock(fd, LOCK_EX) < 0) {
        if (errno == EINTR)
            continue;
        int errnum = errno;
        close(fd);
        errno = errnum;
        return -1;
    }
    return fd;
}

/* Is what is there what was expected? An errno value; ESTALE: no. ENOENT: there is nothing, and
 * that is not refused. */
static int compare(struct store_file *file, const char *name, int64_t expect)
{
    struct stat st;
    if (fstatat(file->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT && expect > 0 ? ESTALE : errno;
    if (expect == STORE_EXPECT_NOTHING || (expect > 0 && generation_of(&st) != expect))
        return ESTALE;
    return 0;
}

static int name_over(struct store_file *file, const char *temporary, const char *name,
                     int64_t expect)
{
    int lock = folder_lock(file);
    if (lock < 0)
        return errno;
    int errnum = compare(file, name, expect);
    if (errnum == 0 || errnum == ENOENT)
        errnum = renameat(file->dir, temporary, file->dir, name) < 0 ? errno : 0;
    close(lock);
    return errnum;
}

static int file_put(struct store *store, const struct store_upload *upload, int64_t *ret_generation,
                    struct err *err)
{
    struct store_file *file = file_of(store);
    const char *name = upload->name;
    struct temporary temporary = {.file = file, .upload = upload};
    int r = write_temporary(file, &temporary, err);
    if (r != 0)
        return r;
    fault_point("store-written");
    int errnum = upload->expect == STORE_EXPECT_NOTHING
                     ? name_new(file, temporary.name, name)
                     : name_over(file, temporary.name, name, upload->expect);
    if (errnum) {
        unlinkat(file->dir, temporary.name, 0);
        if (errnum == EEXIST)
            errnum =
                sync_names(file) ? EIO : ESTALE; /* whoever was first may not have come so far */
        if (errnum == ESTALE)
            return STORE_CHANGED;
        return write_err(store, name, errnum, err);
    }
    fault_point("store-named");
    errnum = sync_names(file);
    if (errnum)
        return write_err(store, name, errnum, err);
    *ret_generation = generation_of(&temporary.st);
    return 0;
}

/* ---- get ---- */

static int read_err(const struct store *store, const char *name, int errnum, struct err *err)
{
    return err_set_errno(err, ERR_INPUT, errnum, "cannot read %s/%s", store->url, name);
}

/* An errno value. */
static int read_from(int fd, off_t at, size_t len, struct str *ret)
{
    str_reserve(ret, len);
    while (len > 0) {
        ssize_t n = pread(fd, ret->s + ret->len, len, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO; /* shorter than its size: cut while we read */
        ret->len += (size_t)n;
        at += n;
        len -= (size_t)n;
    }
    ret->s[ret->len] = '\0';
    return 0;
}

/* The span as far as an object of size bytes reaches. */
static struct store_span within(struct store_span span, int64_t size)
{
    int64_t from = span.offset < 0 ? span.offset + size : span.offset;
    from = from < 0 ? 0 : from > size ? size : from;
    return (struct store_span){.offset = from,
                               .len = span.len < size - from ? span.len : size - from};
}

static int file_get(struct store *store, const char *name, struct store_span span, struct str *ret,
                    int64_t *ret_generation, struct err *err)
{
    int fd = openat(file_of(store)->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? STORE_ABSENT : read_err(store, name, errno, err);
    struct stat st;
    struct str text = {0};
    int errnum = fstat(fd, &st) < 0 ? errno : S_ISREG(st.st_mode) ? 0 : EISDIR;
    if (!errnum) {
        struct store_span there = within(span, st.st_size);
        errnum = read_from(fd, there.offset, (size_t)there.len, &text);
    }
    close(fd);
    if (errnum) {
        str_deinit(&text);
        return read_err(store, name, errnum, err);
    }
    str_deinit(ret);
    *ret = text;
    *ret_generation = generation_of(&st);
    return 0;
}

/* ---- delete ---- */

static int file_remove(struct store *store, const char *name, int64_t expect, struct err *err)
{
    struct store_file *file = file_of(store);
    int lock = folder_lock(file);
    int errnum = lock < 0 ? errno : compare(file, name, expect);
    if (!errnum && unlinkat(file->dir, name, 0) < 0)
        errnum = errno;
    if (lock >= 0)
        close(lock);
    if (errnum == ENOENT || (errnum == ESTALE && faccessat(file->dir, name, F_OK, 0) < 0))
        return STORE_ABSENT;
    if (errnum == ESTALE)
        return STORE_CHANGED;
    if (!errnum)
        errnum = sync_names(file);
    return errnum ? err_set_errno(err, ERR_WRITE, errnum, "cannot delete %s/%s", store->url, name)
                  : 0;
}

/* ---- list ---- */

/* Remove a temporary whose writer will not come back for it. */
static void clean_temporary(struct store_file *file, const char *name)
{
    uint32_t home;
    long pid;
    struct stat st;
    struct timespec now;
    if (fstatat(file->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    bool old = st.st_mtim.tv_sec < now.tv_sec - 24 * 3600;
    bool ours = sscanf(name, FS_TEMPORARY "%8" SCNx32 "-%ld-", &home, &pid) == 2 &&
                home == file->home && pid > 0;
    if (old || (ours && kill((pid_t)pid, 0) < 0 && errno == ESRCH))
        unlinkat(file->dir, name, 0);
}

static bool in_range(void *ctx, const char *name)
{
    const struct store_range *range = ctx;
    return str_starts(name, FS_TEMPORARY) ||
           (store_name_ok(name) && (!range->from || strcmp(name, range->from) >= 0) &&
            (!range->to || strcmp(name, range->to) <= 0));
}

static int file_list(struct store *store, struct store_range range, store_list_fn *fn, void *ctx,
                     struct err *err)
{
    struct store_file *file = file_of(store);
    CLEANUP(fs_list_free) struct fs_list names = {0};
    int r = fs_list_wanted(store->url + strlen("file://"), in_range, &range, &names, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < names.n; i++) {
        struct stat st;
        if (str_starts(names.names[i], FS_TEMPORARY)) {
            clean_temporary(file, names.names[i]);
            continue;
        }
        if (fstatat(file->dir, names.names[i], &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode))
            continue;
        struct store_object object = {
            .name = names.names[i], .generation = generation_of(&st), .bytes = st.st_size};
        r = fn(ctx, &object, err);
        if (r != 0)
            return r;
    }
    return 0;
}

const struct store_driver store_file_driver = {
    .scheme = "file",
    .form = "file:///folder",
    .takes_pieces = true,
    .parallel = 4,
    .open = file_open,
    .close = file_close,
    .put = file_put,
    .get = file_get,
    .remove = file_remove,
    .list = file_list,
};

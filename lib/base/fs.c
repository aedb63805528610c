/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fs.c - files and directories that exist whole or not at all. */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/retry.h"

enum { TOO_LONG = -1 };

/* An errno value, or TOO_LONG. */
static int read_all(int fd, size_t max, struct str *text)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        if (st.st_size > (off_t)max)
            return TOO_LONG;
        str_reserve(text, (size_t)st.st_size + 1); /* and one read that finds the end */
    }
    while (text->len <= max) {
        if (text->cap - text->len < 2)
            str_reserve(text, 65536);
        ssize_t n = read(fd, text->s + text->len, text->cap - text->len - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : 0;
        text->len += (size_t)n;
    }
    return TOO_LONG;
}

static int read_file(const char *path, size_t max, struct str *ret, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, ERR_INPUT, errno, "cannot read %s", path);
    struct str text = {0};
    str_reserve(&text, 0);
    int errnum = read_all(fd, max, &text);
    close(fd);
    if (errnum) {
        str_deinit(&text);
        return errnum == TOO_LONG
                   ? err_set(err, ERR_INPUT,
                             "%s has more than %zu bytes: that cannot be the file that is meant",
                             path, max)
                   : err_set_errno(err, ERR_INPUT, errnum, "cannot read %s", path);
    }
    text.s[text.len] = '\0';
    str_deinit(ret);
    *ret = text;
    return 0;
}

int fs_read(const char *path, struct str *ret, struct err *err)
{
    return read_file(path, FS_READ_MAX, ret, err);
}

int fs_read_small(const char *path, struct str *ret, struct err *err)
{
    return read_file(path, FS_SMALL_MAX, ret, err);
}

/* Some network file systems have no files without a name: there it is removed at once. */
int fs_open_nameless(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    CLEANUP(mem_free_chars) char *path = fs_join(dir, FS_TEMPORARY "XXXXXX");
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

int fs_write_all(int fd, const void *data, size_t len)
{
    for (const char *p = data; len > 0;) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

char *fs_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return mem_strdup(".");
    return mem_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static int write_temporary(const char *temporary, const void *data, size_t len)
{
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return errno;
    int errnum = fs_write_all(fd, data, len);
    if (!errnum && fsync(fd) < 0)
        errnum = errno;
    if (close(fd) < 0 && !errnum)
        errnum = errno;
    if (errnum)
        unlink(temporary);
    return errnum;
}

int fs_map(const char *path, void **ret, size_t *ret_bytes, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st = {0};
    if (fd < 0 || fstat(fd, &st) < 0) {
        int errnum = errno;
        if (fd >= 0)
            close(fd);
        return err_set_errno(err, ERR_INPUT, errnum, "cannot open %s", path);
    }
    void *at =
        st.st_size ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    int errnum = errno;
    close(fd);
    if (st.st_size == 0)
        return err_set(err, ERR_INPUT, "%s is empty: it was cut short", path);
    if (at == MAP_FAILED)
        return err_set_errno(err, ERR_INPUT, errnum, "cannot map %s", path);
    *ret = at;
    *ret_bytes = (size_t)st.st_size;
    return 0;
}

int fs_write(const char *path, const void *data, size_t len, struct err *err)
{
    CLEANUP(mem_free_chars) char *dir = fs_folder(path);
    CLEANUP(mem_free_chars)
    char *temporary = mem_printf("%s/" FS_TEMPORARY "%016" PRIx64, dir, random_u64());
    int errnum = write_temporary(temporary, data, len);
    if (!errnum && rename(temporary, path) < 0) {
        errnum = errno;
        unlink(temporary);
    }
    if (errnum)
        return err_set_errno(err, ERR_WRITE, errnum, "cannot write %s", path);
    return fs_sync_dir(dir, err);
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int make_folder(const char *path, struct err *err)
{
    if (mkdir(path, 0777) == 0)
        return 0;
    int errnum = errno;
    if (is_folder(path)) /* whatever mkdir said: "/" on a read-only disk is EROFS */
        return 0;
    return err_set_errno(err, ERR_WRITE, errnum, "cannot make folder %s", path);
}

int fs_mkdirs(const char *path, struct err *err)
{
    CLEANUP(mem_free_chars) char *part = mem_strdup(path);
    for (char *p = part; *p; p++) {
        if (*p != '/' || p == part)
            continue;
        *p = '\0';
        int r = make_folder(part, err);
        if (r < 0)
            return r;
        *p = '/';
    }
    return make_folder(path, err);
}

int fs_sync_dir(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, ERR_WRITE, errno, "cannot open folder %s", path);
    int errnum = fsync(fd) < 0 ? errno : 0;
    close(fd);
    if (errnum && errnum != EINVAL) /* EINVAL: this file system knows no fsync of folders */
        return err_set_errno(err, ERR_WRITE, errnum, "cannot sync folder %s", path);
    return 0;
}

static int remove_at(int dir_fd, const char *name);

/* Remove what the folder holds; takes fd. Returns an errno value. */
static int remove_contents(int fd)
{
    DIR *dir = fdopendir(fd);
    if (!dir) {
        int errnum = errno;
        close(fd);
        return errnum;
    }
    int errnum = 0;
    struct dirent *e;
    while (!errnum && (errno = 0, e = readdir(dir))) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            errnum = remove_at(dirfd(dir), e->d_name);
    }
    if (!errnum)
        errnum = errno;
    closedir(dir);
    return errnum;
}

static int remove_at(int dir_fd, const char *name)
{
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return errno;
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int errnum = remove_contents(fd);
    if (!errnum && unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        errnum = errno;
    return errnum;
}

int fs_remove_tree(const char *path, struct err *err)
{
    int errnum = remove_at(AT_FDCWD, path);
    return errnum ? err_set_errno(err, ERR_WRITE, errnum, "cannot remove %s", path) : 0;
}

bool fs_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

char *fs_join(const char *dir, const char *name)
{
    return mem_printf("%s%s%s", dir, *dir == '\0' || str_ends(dir, "/") ? "" : "/", name);
}

char *fs_absolute(const char *path)
{
    if (*path == '/')
        return mem_strdup(path);
    CLEANUP(mem_free_chars) char *here = getcwd(NULL, 0);
    return here ? fs_join(here, path) : mem_strdup(path);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool want_all(void *ctx, const char *name)
{
    return true;
}

int fs_list(const char *path, struct fs_list *ret, struct err *err)
{
    return fs_list_wanted(path, want_all, NULL, ret, err);
}

int fs_list_wanted(const char *path, fs_wanted_fn *wanted, void *ctx, struct fs_list *ret,
                   struct err *err)
{
    DIR *dir = opendir(path);
    if (!dir)
        return err_set_errno(err, ERR_INPUT, errno, "cannot list %s", path);
    struct fs_list list = {0};
    size_t cap = 0;
    struct dirent *e;
    while ((errno = 0, e = readdir(dir))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || !wanted(ctx, e->d_name))
            continue;
        list.names = mem_grow(list.names, &cap, list.n + 1, sizeof(*list.names));
        list.names[list.n++] = mem_strdup(e->d_name);
    }
    int errnum = errno;
    closedir(dir);
    if (errnum) {
        fs_list_free(&list);
        return err_set_errno(err, ERR_INPUT, errnum, "cannot list %s", path);
    }
    if (list.n)
        qsort(list.names, list.n, sizeof(*list.names), compare_names);
    *ret = list;
    return 0;
}

void fs_list_free(struct fs_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->n; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct fs_list){0};
}

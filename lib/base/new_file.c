/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* new_file.c - see new_file.h. A file without a name gets a hidden one by link, and then its own
 * by rename, because link does not replace. */
#include "base/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fs.h"
#include "base/retry.h"

struct new_file {
    char *path, *dir;
    char *temporary; /* its hidden name; NULL: it has none yet */
    int fd;
};

static int write_err(const char *path, int errnum, struct err *err)
{
    return err_set_errno(err, ERR_WRITE, errnum, "cannot write %s", path);
}

static char *hidden_name(const char *dir)
{
    return mem_printf("%s/" FS_TEMPORARY "%016" PRIx64, dir, random_u64());
}

/* An open file in dir; *ret_name is its hidden name, or NULL where it needs none. -1: errno. */
static int open_hidden(const char *dir, char **ret_name)
{
    *ret_name = NULL;
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd;
    *ret_name = hidden_name(dir);
    return open(*ret_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

int new_file_open(const char *path, struct new_file **ret, struct err *err)
{
    CLEANUP(new_file_free) struct new_file *file = MEM_NEW(struct new_file);
    file->path = mem_strdup(path);
    file->dir = fs_folder(path);
    file->fd = open_hidden(file->dir, &file->temporary);
    if (file->fd < 0)
        return write_err(path, errno, err);
    *ret = file;
    file = NULL;
    return 0;
}

int new_file_write(struct new_file *file, const void *data, size_t len, struct err *err)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(file->fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return write_err(file->path, errno, err);
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int new_file_fd(const struct new_file *file)
{
    return file->fd;
}

/* An errno value. */
static int give_hidden_name(struct new_file *file)
{
    char self[64];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", file->fd);
    char *name = hidden_name(file->dir);
    if (linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) < 0) {
        int errnum = errno;
        free(name);
        return errnum;
    }
    file->temporary = name;
    return 0;
}

int new_file_commit(struct new_file *file, struct err *err)
{
    int errnum = fsync(file->fd) < 0 ? errno : 0;
    if (!errnum && !file->temporary)
        errnum = give_hidden_name(file);
    fault_point("new-file-written");
    if (!errnum && rename(file->temporary, file->path) < 0)
        errnum = errno;
    if (errnum)
        return write_err(file->path, errnum, err);
    free(file->temporary);
    file->temporary = NULL;
    return fs_sync_dir(file->dir, err);
}

void new_file_free(struct new_file *file)
{
    if (!file)
        return;
    if (file->temporary)
        unlink(file->temporary);
    if (file->fd >= 0)
        close(file->fd);
    free(file->temporary);
    free(file->path);
    free(file->dir);
    free(file);
}

int new_file_scratch(const char *path, struct err *err)
{
    CLEANUP(mem_free_chars) char *dir = fs_folder(path);
    CLEANUP(mem_free_chars) char *name = NULL;
    int fd = open_hidden(dir, &name);
    if (fd < 0)
        return err_set_errno(err, ERR_WRITE, errno, "cannot write to %s", dir);
    if (name)
        unlink(name);
    return fd;
}

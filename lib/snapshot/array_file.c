/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* array_file.c - see array_file.h. */
#include "snapshot/array_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "codec/npy.h"

int array_file_open(struct array_file *file, const char *base, const char *relative,
                    const char *descr, int64_t rows, int64_t columns, struct err *err)
{
    *file = (struct array_file){.path = fs_join(base, relative)};
    file->fd = open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file->fd < 0) {
        err_set_errno(err, ERR_WRITE, errno, "cannot create %s", file->path);
        array_file_deinit(file);
        return ERR_WRITE;
    }
    CLEANUP(str_deinit) struct str header = {0};
    npy_write_header(&header, descr, rows, columns);
    return array_file_add(file, header.s, header.len, err);
}

int array_file_add(struct array_file *file, const void *data, size_t len, struct err *err)
{
    if (len == 0)
        return 0;
    file->crc32c = crc32c(file->crc32c, data, len);
    file->bytes += (int64_t)len;
    int errnum = fs_write_all(file->fd, data, len);
    return errnum ? err_set_errno(err, ERR_WRITE, errnum, "cannot write %s", file->path) : 0;
}

int array_file_close(struct array_file *file, const char *relative, struct layout_entry *ret,
                     struct err *err)
{
    int errnum = fsync(file->fd) < 0 ? errno : 0;
    if (close(file->fd) < 0 && !errnum)
        errnum = errno;
    file->fd = -1;
    if (errnum)
        err_set_errno(err, ERR_WRITE, errnum, "cannot write %s", file->path);
    else
        *ret = (struct layout_entry){mem_strdup(relative), file->bytes, file->crc32c};
    array_file_deinit(file);
    return errnum ? ERR_WRITE : 0;
}

void array_file_deinit(struct array_file *file)
{
    if (!file->path)
        return;
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    *file = (struct array_file){.fd = -1};
}

int array_file_write(const char *base, const char *relative, const char *descr, int64_t rows,
                     int64_t columns, const void *data, size_t len, struct layout_entry *ret,
                     struct err *err)
{
    struct array_file file = {.fd = -1};
    int r = array_file_open(&file, base, relative, descr, rows, columns, err);
    if (r == 0)
        r = array_file_add(&file, data, len, err);
    if (r == 0)
        r = array_file_close(&file, relative, ret, err);
    array_file_deinit(&file);
    return r;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* build.c - the temporary directory, and the rename that makes a snapshot of it.
 *
 * The temporary directory is .NAME.tmp-<pid>-<random> beside the target, so that the rename stays
 * within one file system. Its owner holds a lock on it. One whose process is gone and whose lock is
 * free was left by a killed run, and the next run for the same target removes it: the lock speaks
 * for processes of other containers, whose pids mean nothing here. */
#include "snapshot/build_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/retry.h"
#include "snapshot/chain.h"
#include "snapshot/table_writer.h"

struct snapshot_builder {
    char *out; /* absolute, without a slash at the end */
    char *parent;
    char *temporary; /* NULL: not made, or renamed */
    int lock;        /* fd of the temporary directory, or -1 */
    struct layout layout;
};

static void split_out(struct snapshot_builder *b, const char *out_dir)
{
    b->out = fs_absolute(out_dir);
    for (size_t len = strlen(b->out); len > 1 && b->out[len - 1] == '/'; len--)
        b->out[len - 1] = '\0';
    const char *slash = strrchr(b->out, '/');
    b->parent = slash == b->out ? mem_strdup("/") : mem_strndup(b->out, (size_t)(slash - b->out));
}

static int refuse_existing(const struct snapshot_builder *b, struct err *err)
{
    struct stat st;
    if (lstat(b->out, &st) < 0)
        return 0;
    return err_set(
        err, ERR_WRITE,
        "%s exists already, and a snapshot is never written over: name another directory, or "
        "remove this one first",
        b->out);
}

/* Whether .NAME.tmp-<pid>-<random> belongs to nobody any more. */
static bool is_abandoned(const char *path, const char *after_prefix)
{
    char *end;
    long pid = strtol(after_prefix, &end, 10);
    if (*end != '-' || pid <= 0 || kill((pid_t)pid, 0) == 0 || errno != ESRCH)
        return false;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_free = flock(fd, LOCK_EX | LOCK_NB) == 0;
    close(fd);
    return is_free;
}

static void remove_abandoned(const struct snapshot_builder *b, const char *prefix)
{
    CLEANUP(fs_list_free) struct fs_list list = {0};
    if (fs_list(b->parent, &list, NULL) < 0)
        return;
    for (size_t i = 0; i < list.n; i++) {
        if (!str_starts(list.names[i], prefix))
            continue;
        CLEANUP(mem_free_chars) char *path = fs_join(b->parent, list.names[i]);
        if (is_abandoned(path, list.names[i] + strlen(prefix)))
            fs_remove_tree(path, NULL);
    }
}

static int make_temporary(struct snapshot_builder *b, struct err *err)
{
    const char *name = b->out + strlen(b->parent) + (strcmp(b->parent, "/") != 0);
    CLEANUP(mem_free_chars) char *prefix = mem_printf(".%s.tmp-", name);
    remove_abandoned(b, prefix);
    CLEANUP(mem_free_chars)
    char *path =
        mem_printf("%s/%s%ld-%016" PRIx64, b->parent, prefix, (long)getpid(), random_u64());
    if (mkdir(path, 0777) < 0)
        return err_set_errno(err, ERR_WRITE, errno, "cannot create %s", path);
    b->temporary = path;
    path = NULL;
    b->lock = open(b->temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (b->lock >= 0)
        flock(b->lock, LOCK_EX | LOCK_NB); /* where there are no locks the pid alone speaks */
    return 0;
}

int build_open(const char *out_dir, struct snapshot_builder **ret, struct err *err)
{
    CLEANUP(build_free) struct snapshot_builder *b = MEM_NEW(struct snapshot_builder);
    b->lock = -1;
    split_out(b, out_dir);
    int r = refuse_existing(b, err);
    if (r == 0)
        r = fs_mkdirs(b->parent, err);
    if (r == 0)
        r = make_temporary(b, err);
    if (r < 0)
        return err_prefix(err, "snapshot %s", out_dir);
    *ret = b;
    b = NULL;
    return 0;
}

void build_free(struct snapshot_builder *b)
{
    if (!b)
        return;
    struct err err = {0};
    if (b->temporary && fs_remove_tree(b->temporary, &err) < 0)
        log_warn("a temporary directory stays behind", LOG_S("path", b->temporary),
                 LOG_S("error", err.text));
    if (b->lock >= 0)
        close(b->lock);
    layout_deinit(&b->layout);
    free(b->temporary);
    free(b->parent);
    free(b->out);
    free(b);
}

static int sync_folders(const struct snapshot_builder *b, struct err *err)
{
    for (int t = 0; t < b->layout.n_tables; t++) {
        CLEANUP(mem_free_chars) char *name = layout_table_dir(b->layout.tables[t].name);
        CLEANUP(mem_free_chars) char *path = fs_join(b->temporary, name);
        int r = fs_sync_dir(path, err);
        if (r < 0)
            return r;
    }
    return fs_sync_dir(b->temporary, err);
}

/* Some network file systems have no RENAME_NOREPLACE; there rename refuses any target but an empty
 * directory. */
static int publish(struct snapshot_builder *b, struct err *err)
{
    int r = renameat2(AT_FDCWD, b->temporary, AT_FDCWD, b->out, RENAME_NOREPLACE);
    if (r < 0 && (errno == EINVAL || errno == ENOSYS))
        r = rename(b->temporary, b->out);
    if (r < 0 && (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR))
        return refuse_existing(b, err);
    if (r < 0)
        return err_set_errno(err, ERR_WRITE, errno, "cannot rename %s to %s", b->temporary, b->out);
    free(b->temporary);
    b->temporary = NULL;
    return fs_sync_dir(b->parent, err);
}

int build_check_name(const char *name, struct err *err)
{
    if (strchr(name, '.'))
        return err_set(err, ERR_INPUT,
                       "a table's name may not hold a dot, as '%s' does: \"asof\" and \"lookup\" "
                       "write TABLE.COLUMN",
                       name);
    if (name[0] == '#')
        return err_set(err, ERR_INPUT,
                       "a table's name may not begin with #, as '%s' does: in a spec such a member "
                       "is a comment",
                       name);
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        if (*c < 0x20 || *c == 0x7f)
            return err_set(err, ERR_INPUT,
                           "a table's name may not hold control characters (tab, newline …), as "
                           "'%s' does: in a spec no name does",
                           name);
    return 0;
}

int build_add(struct snapshot_builder *b, const struct build_table *table, struct err *err)
{
    int r = table_writer_write(b->temporary, table, &b->layout, err);
    return r < 0 ? err_prefix(err, "table %s", table->name) : 0;
}

/* What is copied comes out of a snapshot, where all of this was checked. */
static void place_copied(void *ctx, int64_t row, struct str *out)
{
    str_addf(out, "%s, row %" PRId64, (const char *)ctx, row);
}

int build_copy(struct snapshot_builder *b, const struct snapshot *snapshot,
               const struct table *table, struct err *err)
{
    CLEANUP(mem_free_chars)
    char *source = mem_printf("table %s of snapshot %.16s", table->name, snapshot->id);
    struct build_table copy = {
        .name = table->name,
        .source = source,
        .rows = table->rows,
        .n_columns = table->n_columns,
        .columns = table->columns,
        .time = table->time,
        .group = table->group,
        .key = table->key,
        .ties = table->ties,
        .place = place_copied,
        .place_ctx = source,
    };
    return build_add(b, &copy, err);
}

const char *build_dir(const struct snapshot_builder *b)
{
    return b->temporary;
}

struct layout *build_layout(struct snapshot_builder *b)
{
    return &b->layout;
}

int build_finish(struct snapshot_builder *b, char ret_id[SHA256_HEX], struct err *err)
{
    chain_id(b->layout.tables, b->layout.n_tables, b->layout.id);
    int r = layout_write(&b->layout, b->temporary, err);
    if (r == 0)
        r = sync_folders(b, err);
    if (r == 0)
        r = publish(b, err);
    if (r < 0)
        return r;
    memcpy(ret_id, b->layout.id, SHA256_HEX);
    return 0;
}

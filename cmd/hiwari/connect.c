/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* connect.c - see connect.h. */
#include "connect.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/date.h"
#include "base/fs.h"
#include "notify/webhook.h"

struct queue_options connect_options(const struct args *args)
{
    return (struct queue_options){
        .url = args_given(args, "redis") ? args_text(args, "redis") : NULL,
        .allow_eviction = args_flag(args, "allow-eviction"),
    };
}

int connect_redis(const struct args *args, struct queue **ret, struct err *err)
{
    const struct queue_options options = connect_options(args);
    return queue_open(&options, ret, err);
}

int connect_name(const char *batch, struct err *err)
{
    if (queue_name_ok(batch))
        return 0;
    return err_set(err, ERR_USAGE, "'%s' cannot be a batch: names are of a-z, 0-9, '.' and '-'",
                   batch);
}

int connect_gone(struct queue *queue, const char *batch, struct err *err)
{
    char **names = NULL;
    int n = 0;
    int r = queue_list(queue, &names, &n, err);
    if (r < 0)
        return r;
    const char *near = str_nearest(batch, (const char *const *)names, (size_t)n);
    CLEANUP(str_deinit) struct str words = {0};
    if (near)
        str_addf(&words, ": did you mean '%s'?", near);
    else if (n == 0)
        str_addz(&words,
                 "; it has none at all. If Redis has lost it: hiwari reconcile BATCH --dest URL");
    else
        for (int i = 0; i < n && i < 5; i++)
            str_addf(&words, "%s '%s'", i ? "," : "; it has", names[i]);
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
    return err_set(err, ERR_CONFIG, "%s has no batch '%s'%s", queue_url(queue), batch, words.s);
}

int connect_batch(const struct args *args, const char *batch, struct queue **ret, struct err *err)
{
    CLEANUP(queue_close) struct queue *queue = NULL;
    int r = connect_name(batch, err);
    if (r == 0)
        r = connect_redis(args, &queue, err);
    if (r == 0)
        r = queue_use(queue, batch, NULL, err);
    if (r == QUEUE_GONE)
        return connect_gone(queue, batch, err);
    if (r < 0)
        return r;
    *ret = queue;
    queue = NULL;
    return 0;
}

int connect_notify(const struct args *args, const char **ret, struct err *err)
{
    const char *from_environment = getenv("HIWARI_NOTIFY");
    *ret = args_given(args, "notify") ? args_text(args, "notify") : from_environment;
    if (*ret && !**ret)
        *ret = NULL;
    return *ret ? webhook_check(*ret, err) : 0;
}

char *connect_dest(const char *dest)
{
    if (!dest || strstr(dest, "://"))
        return dest ? mem_strdup(dest) : NULL;
    CLEANUP(mem_free_chars) char *absolute = fs_absolute(dest);
    return mem_printf("file://%s", absolute);
}

void connect_endpoint(const struct args *args)
{
    const char *url = args_text(args, "endpoint");
    if (url && setenv("AWS_ENDPOINT_URL_S3", url, 1) < 0)
        mem_exhausted();
}

void connect_warn_unconditional(const struct enqueue_result *result)
{
    if (result->unconditional)
        fprintf(stderr,
                "this store does not honour conditional writes: that a late worker overwrites a "
                "result (with the same content) cannot be excluded\n");
}

/* All of a file, "-" being standard input. */
static int read_key_file(const char *path, struct str *ret, struct err *err)
{
    if (strcmp(path, "-") != 0)
        return fs_read(path, ret, err);
    char buf[65536];
    ssize_t n;
    while ((n = read(STDIN_FILENO, buf, sizeof(buf))) != 0) {
        if (n < 0 && errno != EINTR)
            return err_set_errno(err, ERR_INPUT, errno, "cannot read the keys from standard input");
        if (n > 0)
            str_add(ret, buf, (size_t)n);
    }
    return 0;
}

/* Lines of text, trimmed; empty ones and those that begin with '#' are not keys. Changes text. */
static int64_t split_keys(struct str *text, const char ***ret)
{
    size_t n = 0, cap = 0;
    const char **keys = NULL;
    char *rest = text->s;
    for (char *line; rest && (line = strsep(&rest, "\n"));) {
        line += strspn(line, " \t\r");
        size_t len = strlen(line);
        while (len && strchr(" \t\r", line[len - 1]))
            line[--len] = '\0';
        if (!len || *line == '#')
            continue;
        keys = mem_grow(keys, &cap, n + 1, sizeof(keys[0]));
        keys[n++] = line;
    }
    *ret = keys;
    return (int64_t)n;
}

int key_args_read(const struct args *args, struct enqueue_options *ret, struct key_args *hold,
                  struct err *err)
{
    int64_t from, to;
    bool has_from = args_date(args, "from", &from), has_to = args_date(args, "to", &to);
    if (args_given(args, "keys")) {
        if (has_from || has_to)
            return err_set(err, ERR_USAGE,
                           "--keys names the dates itself: leave out --from and --to");
        int r = read_key_file(args_text(args, "keys"), &hold->text, err);
        if (r < 0)
            return r;
        ret->n_keys = split_keys(&hold->text, &hold->keys);
        ret->keys = hold->keys;
        if (ret->n_keys == 0)
            return err_set(err, ERR_INPUT, "%s names no keys; one date a line is expected",
                           args_text(args, "keys"));
    }
    if (has_from && has_to && from > to)
        return err_set(err, ERR_USAGE, "--from %s is after --to %s", args_text(args, "from"),
                       args_text(args, "to"));
    ret->from = args_text(args, "from");
    ret->to = args_text(args, "to");
    ret->limit = args_int(args, "limit");
    ret->spec_path = args_text(args, "spec");
    ret->snapshot_dir = args_text(args, "snapshot");
    ret->format = args_text(args, "format");
    ret->replace_stale = args_flag(args, "replace-stale");
    connect_endpoint(args);
    hold->dest = connect_dest(args_text(args, "dest"));
    ret->dest = hold->dest;
    return 0;
}

void key_args_deinit(struct key_args *hold)
{
    str_deinit(&hold->text);
    free(hold->keys);
    free(hold->dest);
    *hold = (struct key_args){0};
}

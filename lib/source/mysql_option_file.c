/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* mysql_option_file.c - see mysql_option_file.h. */
#include "source/mysql_option_file.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"

enum { DEEPEST = 10 }; /* of files that include others */

struct reader {
    mysql_option_fn *fn;
    void *ctx;
    int depth;
};

/* Chapter: one line. */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cut blanks off both ends, in place. */
static char *trim(char *s)
{
    while (is_blank(*s))
        s++;
    size_t len = strlen(s);
    while (len && is_blank(s[len - 1]))
        s[--len] = '\0';
    return s;
}

/* What follows a # outside of quotes is a comment. */
static void cut_comment(char *s)
{
    char quote = '\0';
    for (; *s && (quote || *s != '#'); s++) {
        if (*s == '\\' && s[1])
            s++;
        else if (quote && *s == quote)
            quote = '\0';
        else if (!quote && (*s == '"' || *s == '\''))
            quote = *s;
    }
    *s = '\0';
}

/* \n and the like, in place. What has no meaning stays as it is. */
static void unescape(char *s)
{
    static const char names[] = "btnrs\\\"'", bytes[] = "\b\t\n\r \\\"'";
    char *out = s;
    for (; *s; s++) {
        const char *known = *s == '\\' && s[1] ? strchr(names, s[1]) : NULL;
        *out++ = known ? bytes[known - names] : *s;
        s += known != NULL;
    }
    *out = '\0';
}

static char *unquote(char *s)
{
    size_t len = strlen(s);
    if (len >= 2 && (*s == '"' || *s == '\'') && s[len - 1] == *s) {
        s[len - 1] = '\0';
        s++;
    }
    unescape(s);
    return s;
}

static int give_option(struct reader *reader, char *line, struct err *err)
{
    cut_comment(line);
    char *equals = strchr(line, '='), *value = NULL;
    if (equals) {
        *equals = '\0';
        value = unquote(trim(equals + 1));
    }
    char *name = trim(line);
    for (char *p = name; *p; p++)
        *p = *p == '_' ? '-' : *p;
    if (!*name || strpbrk(name, " \t"))
        return err_set(err, ERR_CONFIG, "this is no option; the form is name=value");
    return reader->fn(reader->ctx, name, value, err);
}

static bool is_our_group(const char *name)
{
    static const char *const groups[] = {"client", "client-server", "client-mariadb", "hiwari"};
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (strcmp(name, groups[i]) == 0)
            return true;
    }
    return false;
}

/* [name], perhaps with a comment behind it. */
static int take_group(char *line, bool *ret_ours, struct err *err)
{
    cut_comment(line);
    line = trim(line);
    size_t len = strlen(line);
    if (len < 3 || line[len - 1] != ']')
        return err_set(err, ERR_CONFIG, "the name of a group has no ]");
    line[len - 1] = '\0';
    *ret_ours = is_our_group(trim(line + 1));
    return 0;
}

/* Chapter: files. */

static int parse(struct reader *reader, const char *path, const char *text, size_t len,
                 struct err *err);

/* To a command that cannot read its settings it is no matter of data. */
static int not_readable(struct err *err)
{
    if (err)
        err->code = ERR_CONFIG;
    err_prefix(err, "option file of MySQL");
    return ERR_CONFIG;
}

static int read_file(struct reader *reader, const char *path, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    int r = fs_read_small(path, &text, err);
    if (r < 0)
        return not_readable(err);
    reader->depth++;
    r = parse(reader, path, text.s, text.len, err);
    reader->depth--;
    explicit_bzero(text.s, text.len); /* it may hold a password */
    return r;
}

/* A file that nobody has named: it need not be there, and may be for others only. */
static int read_found(struct reader *reader, const char *path, struct err *err)
{
    if (access(path, R_OK) == 0)
        return read_file(reader, path, err);
    if (errno != ENOENT && errno != ENOTDIR)
        log_warn("an option file of MySQL cannot be read, and is passed over", LOG_S("path", path));
    return 0;
}

static bool wants_cnf(void *ctx, const char *name)
{
    return str_ends(name, ".cnf");
}

static int read_dir(struct reader *reader, const char *dir, struct err *err)
{
    CLEANUP(fs_list_free) struct fs_list list = {0};
    if (fs_list_wanted(dir, wants_cnf, NULL, &list, err) < 0)
        return not_readable(err);
    int r = 0;
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        CLEANUP(mem_free_chars) char *path = fs_join(dir, list.names[i]);
        r = read_found(reader, path, err);
    }
    return r;
}

/* !include FILE or !includedir DIRECTORY */
static int include(struct reader *reader, char *line, struct err *err)
{
    size_t word = strcspn(line, " \t");
    bool is_file = word == 8 && str_starts(line, "!include");
    bool is_dir = word == 11 && str_starts(line, "!includedir");
    char *path = trim(line + word);
    if ((!is_file && !is_dir) || !*path)
        return err_set(err, ERR_CONFIG, "after ! comes include FILE or includedir DIRECTORY");
    if (reader->depth >= DEEPEST)
        return err_set(err, ERR_CONFIG, "more than %d files that include each other", DEEPEST);
    return is_file ? read_file(reader, path, err) : read_dir(reader, path, err);
}

/* in_group: -1 before the first, then whether it is one of ours. */
static int take_line(struct reader *reader, char *line, int *in_group, struct err *err)
{
    bool ours;
    line = trim(line);
    if (!*line || *line == '#' || *line == ';')
        return 0;
    if (*line == '!')
        return include(reader, line, err);
    if (*line == '[') {
        int r = take_group(line, &ours, err);
        *in_group = r == 0 && ours;
        return r;
    }
    if (*in_group < 0)
        return err_set(err, ERR_CONFIG, "this stands before the first group, such as [client]");
    return *in_group ? give_option(reader, line, err) : 0;
}

static int parse(struct reader *reader, const char *path, const char *text, size_t len,
                 struct err *err)
{
    int in_group = -1, r = 0, number = 0;
    if (memchr(text, 0, len))
        return err_set(err, ERR_CONFIG, "%s is no option file: it has NUL bytes in it", path);
    for (const char *p = text, *end = text + len; p < end && r == 0; number++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        stop = stop ? stop : end;
        char *line = mem_strndup(p, (size_t)(stop - p));
        r = take_line(reader, line, &in_group, err);
        explicit_bzero(line, (size_t)(stop - p));
        free(line);
        p = stop + (stop < end);
    }
    return r < 0 ? err_prefix(err, "%s, line %d", path, number) : 0;
}

int mysql_option_file_parse(const char *path, const char *text, size_t len, mysql_option_fn *fn,
                            void *ctx, struct err *err)
{
    struct reader reader = {.fn = fn, .ctx = ctx};
    return parse(&reader, path, text, len, err);
}

/* One of the usual places. */
static int read_usual(struct reader *reader, const char *dir, const char *name, struct err *err)
{
    if (!dir || !*dir)
        return 0;
    CLEANUP(mem_free_chars) char *path = fs_join(dir, name);
    return read_found(reader, path, err);
}

int mysql_option_files_read(const char *only, mysql_option_fn *fn, void *ctx, struct err *err)
{
    struct reader reader = {.fn = fn, .ctx = ctx};
    if (only)
        return read_file(&reader, only, err);
    const char *home = getenv("MARIADB_HOME");
    int r = read_usual(&reader, "/etc", "my.cnf", err);
    if (r == 0)
        r = read_usual(&reader, "/etc/mysql", "my.cnf", err);
    if (r == 0)
        r = read_usual(&reader, home ? home : getenv("MYSQL_HOME"), "my.cnf", err);
    return r < 0 ? r : read_usual(&reader, getenv("HOME"), ".my.cnf", err);
}

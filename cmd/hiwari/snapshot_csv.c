/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* snapshot_csv.c - see snapshot_csv.h. */
#include "snapshot_csv.h"

#include <glob.h>
#include <string.h>

#include "base/fs.h"
#include "codec/input.h"

/* What belongs to one table beside its row in `tables`. */
struct csv_table {
    struct source_type *types;
    size_t types_cap;
    char **files; /* all of them, the first too */
    size_t files_cap;
    int n_files;
};

struct snapshot_csv {
    char **texts; /* the options, cut into pieces: names and columns point into them */
    int n_texts;
    struct source_table *tables;
    struct csv_table *own;
    int n_tables;
};

void snapshot_csv_free(struct snapshot_csv *csv)
{
    if (!csv)
        return;
    for (int i = 0; i < csv->n_texts; i++)
        free(csv->texts[i]);
    for (int t = 0; t < csv->n_tables; t++) {
        for (int f = 0; f < csv->own[t].n_files; f++)
            free(csv->own[t].files[f]);
        free(csv->own[t].files);
        free(csv->own[t].types);
    }
    free(csv->texts);
    free(csv->tables);
    free(csv->own);
    free(csv);
}

struct source_table *snapshot_csv_tables(struct snapshot_csv *csv, int *ret_n)
{
    *ret_n = csv->n_tables;
    return csv->tables;
}

/* Chapter: files. */

static void add_file(struct csv_table *own, const char *path)
{
    own->files = mem_grow(own->files, &own->files_cap, (size_t)own->n_files + 1, sizeof(char *));
    own->files[own->n_files++] = mem_strdup(path);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A file that is called like a pattern is that file. */
static int add_files(struct csv_table *own, const char *name, const char *path, struct err *err)
{
    if (!strpbrk(path, "*?[") || fs_exists(path)) {
        add_file(own, path);
        return 0;
    }
    glob_t found = {0};
    int r = glob(path, GLOB_NOSORT, NULL, &found);
    if (r != 0 || found.gl_pathc == 0) {
        globfree(&found);
        return err_set(err, ERR_INPUT, "--csv %s: no file is called like %s", name, path);
    }
    qsort(found.gl_pathv, found.gl_pathc, sizeof(char *), compare_paths);
    for (size_t i = 0; i < found.gl_pathc; i++)
        add_file(own, found.gl_pathv[i]);
    globfree(&found);
    return 0;
}

/* Chapter: what stands behind the file. */

static int add_type(struct source_table *table, struct csv_table *own, char *column, char *colon,
                    struct err *err)
{
    *colon = '\0';
    struct source_type type = {.column = column};
    int r = source_type_parse(colon + 1, &type, err);
    if (r < 0)
        return err_prefix(err, "--csv %s: column %s", table->name, column);
    for (int i = 0; i < table->n_types; i++) {
        if (strcmp(own->types[i].column, column) == 0 && own->types[i].type == type.type &&
            own->types[i].scale == type.scale)
            return 0; /* as the table's option before says it */
    }
    own->types =
        mem_grow(own->types, &own->types_cap, (size_t)table->n_types + 1, sizeof(*own->types));
    own->types[table->n_types++] = type;
    table->types = own->types;
    return 0;
}

static int set_role(const struct source_table *table, const char *role, const char **ret,
                    const char *column, struct err *err)
{
    if (*ret && strcmp(*ret, column) != 0)
        return err_set(err, ERR_USAGE, "--csv %s: %s is given as %s and as %s", table->name, role,
                       *ret, column);
    *ret = column;
    return 0;
}

static int add_piece(struct source_table *table, struct csv_table *own, char *piece,
                     struct err *err)
{
    char *colon = strrchr(piece, ':');
    if (str_starts(piece, "time="))
        return set_role(table, "time", &table->time, piece + 5, err);
    if (str_starts(piece, "group="))
        return set_role(table, "group", &table->group, piece + 6, err);
    if (str_starts(piece, "key="))
        return set_role(table, "key", &table->key, piece + 4, err);
    if (colon && colon != piece)
        return add_type(table, own, piece, colon, err);
    return err_set(
        err, ERR_USAGE,
        "--csv %s: '%s' is not understood; after the file come time=COL, group=COL, key=COL and "
        "COL:TYPE",
        table->name, piece);
}

/* Chapter: options. */

/* The number of the table of this name, which may be new. */
static int find_table(struct snapshot_csv *csv, const char *name)
{
    int t = 0;
    while (t < csv->n_tables && strcmp(csv->tables[t].name, name) != 0)
        t++;
    if (t == csv->n_tables) {
        csv->tables[t] = (struct source_table){.name = name};
        csv->n_tables++;
    }
    return t;
}

static int parse_one(struct snapshot_csv *csv, const char *text, struct err *err)
{
    char *copy = csv->texts[csv->n_texts++] = mem_strdup(text), *rest = strchr(copy, '=');
    if (!rest || rest == copy || !rest[1] || rest[1] == ',')
        return err_set(
            err, ERR_USAGE,
            "--csv takes NAME=FILE[,time=COL][,group=COL][,key=COL][,COL:TYPE], not '%s'", text);
    *rest++ = '\0';
    int t = find_table(csv, copy);
    int r = add_files(&csv->own[t], copy, strsep(&rest, ","), err);
    for (char *piece; r == 0 && (piece = strsep(&rest, ","));)
        r = add_piece(&csv->tables[t], &csv->own[t], piece, err);
    return r;
}

/* What comes by standard input comes once. */
static int check_stdin(const struct snapshot_csv *csv, struct err *err)
{
    int n = 0;
    for (int t = 0; t < csv->n_tables; t++)
        for (int f = 0; f < csv->own[t].n_files; f++)
            n += strcmp(csv->own[t].files[f], INPUT_STDIN) == 0;
    return n > 1 ? err_set(err, ERR_USAGE, "--csv: standard input (-) can be read only once") : 0;
}

int snapshot_csv_parse(const char *const *given, int n, struct snapshot_csv **ret, struct err *err)
{
    CLEANUP(snapshot_csv_free) struct snapshot_csv *csv = MEM_NEW(struct snapshot_csv);
    csv->texts = mem_zalloc((size_t)n * sizeof(*csv->texts));
    csv->tables = mem_zalloc((size_t)n * sizeof(*csv->tables));
    csv->own = mem_zalloc((size_t)n * sizeof(*csv->own));
    int r = 0;
    for (int i = 0; i < n && r == 0; i++)
        r = parse_one(csv, given[i], err);
    if (r == 0)
        r = check_stdin(csv, err);
    if (r < 0)
        return r;
    for (int t = 0; t < csv->n_tables; t++) {
        csv->tables[t].file = csv->own[t].files[0];
        csv->tables[t].more_files = (const char *const *)csv->own[t].files + 1;
        csv->tables[t].n_more_files = csv->own[t].n_files - 1;
    }
    *ret = csv;
    csv = NULL;
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* spec_answers.c - all results of a spec, in one process and without queue or store, for tests that
 * compare many small cases with naive.py; it takes the same tables in the same words.
 *
 *     spec_answers --table NAME=FILE[,time=COL][,group=COL][,key=COL] ... --spec SPEC --work DIR
 *                  [--key DATE]
 *
 * Makes a snapshot in DIR/snapshot and writes DIR/answers/KEY.csv for every key, or one. Each key
 * is computed with one thread and without an index directory, again with three threads, and again
 * with the index mapped from DIR/index; the bytes must be equal. */
#include <stdio.h>

#include "base/date.h"
#include "base/fs.h"
#include "codec/csv.h"
#include "features/plan.h"
#include "source/source.h"

enum { TABLES_MAX = 8 };

struct arguments {
    struct source_table tables[TABLES_MAX];
    int n_tables;
    const char *spec, *work;
    int64_t key; /* ALL_KEYS, or the only one */
};
static const int64_t ALL_KEYS = INT64_MIN;

/* NAME=FILE[,time=COL][,group=COL][,key=COL]; the text is cut up and kept. */
static bool parse_table(char *text, struct source_table *ret)
{
    char *rest = NULL, *name = strtok_r(text, "=", &rest), *file = strtok_r(NULL, ",", &rest);
    if (!name || !file)
        return false;
    *ret = (struct source_table){.name = name, .file = file};
    for (char *option = strtok_r(NULL, ",", &rest); option; option = strtok_r(NULL, ",", &rest)) {
        if (str_starts(option, "time="))
            ret->time = option + strlen("time=");
        else if (str_starts(option, "group="))
            ret->group = option + strlen("group=");
        else if (str_starts(option, "key="))
            ret->key = option + strlen("key=");
        else
            return false;
    }
    return true;
}

static bool parse_arguments(int argc, char **argv, struct arguments *a)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--table") == 0 && a->n_tables < TABLES_MAX) {
            if (!parse_table(argv[i + 1], &a->tables[a->n_tables++]))
                return false;
        } else if (strcmp(argv[i], "--spec") == 0) {
            a->spec = argv[i + 1];
        } else if (strcmp(argv[i], "--work") == 0) {
            a->work = argv[i + 1];
        } else if (strcmp(argv[i], "--key") == 0) {
            if (!date_parse(argv[i + 1], strlen(argv[i + 1]), &a->key))
                return false;
        } else {
            return false;
        }
    }
    return argc % 2 == 1 && a->n_tables > 0 && a->spec && a->work;
}

/* One compiled spec and the way in which its keys are computed. */
struct way {
    const char *name;
    struct plan *plan;
    int threads;
};

static int way_open(struct way *way, const char *name, const struct spec *spec,
                    const struct snapshot *snapshot, const char *index_dir, int threads,
                    struct err *err)
{
    *way = (struct way){.name = name, .threads = threads};
    int r = plan_compile(spec, snapshot, &way->plan, err);
    if (r == 0 && index_dir)
        r = plan_index_write(way->plan, index_dir, threads, NULL, err);
    return r == 0 ? plan_index(way->plan, index_dir, threads, NULL, err) : r;
}

static int way_answer(const struct way *way, int64_t day, struct str *out, struct err *err)
{
    CLEANUP(frame_deinit) struct frame frame = {0};
    int r = plan_compute(way->plan, day, way->threads, &frame, err);
    if (r == 0)
        csv_write_frame(out, &frame);
    return r;
}

/* The answer of a day, the same whichever way it is computed. */
static int answer_day(const struct way *ways, int n_ways, int64_t day, const char *dir,
                      struct err *err)
{
    char key[DATE_TEXT];
    key[date_format(day, key)] = '\0';
    CLEANUP(str_deinit) struct str first = {0};
    CLEANUP(mem_free_chars) char *name = mem_printf("%s/%s.csv", dir, key);
    int r = way_answer(&ways[0], day, &first, err);
    for (int i = 1; i < n_ways && r == 0; i++) {
        CLEANUP(str_deinit) struct str other = {0};
        r = way_answer(&ways[i], day, &other, err);
        if (r == 0 && (first.len != other.len || memcmp(first.s, other.s, first.len) != 0))
            r = err_set(err, ERR_BUG, "%s: %s gives other bytes than %s", key, ways[i].name,
                        ways[0].name);
    }
    return r == 0 ? fs_write(name, first.s, first.len, err) : r;
}

static int answer_all(const struct arguments *a, const struct snapshot *snapshot, struct err *err)
{
    CLEANUP(spec_free) struct spec *spec = NULL;
    CLEANUP(mem_free_chars) char *answers = fs_join(a->work, "answers");
    CLEANUP(mem_free_chars) char *index = fs_join(a->work, "index");
    struct way ways[3] = {0};
    int64_t n = 0;
    int r = spec_read(a->spec, &spec, err);
    r = r ? r : fs_mkdirs(answers, err);
    r = r ? r : fs_mkdirs(index, err);
    r = r ? r : way_open(&ways[0], "one thread", spec, snapshot, NULL, 1, err);
    r = r ? r : way_open(&ways[1], "three threads", spec, snapshot, NULL, 3, err);
    r = r ? r : way_open(&ways[2], "a mapped index", spec, snapshot, index, 1, err);
    const int64_t *days = r ? NULL : plan_days(ways[0].plan, &n);
    for (int64_t d = 0; d < n && r == 0; d++)
        if (a->key == ALL_KEYS || a->key == days[d])
            r = answer_day(ways, 3, days[d], answers, err);
    for (int i = 0; i < 3; i++)
        plan_free(ways[i].plan);
    return r;
}

static int run(const struct arguments *a, struct err *err)
{
    CLEANUP(snapshot_close) struct snapshot *snapshot = NULL;
    CLEANUP(mem_free_chars) char *dir = fs_join(a->work, "snapshot");
    struct source_options options = {.tables = a->tables, .n_tables = a->n_tables, .out_dir = dir};
    char id[SHA256_HEX];
    int r = source_csv_create(&options, id, err);
    r = r ? r : snapshot_open(dir, &snapshot, err);
    return r ? r : answer_all(a, snapshot, err);
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.key = ALL_KEYS};
    struct err err = {0};
    if (!parse_arguments(argc, argv, &arguments)) {
        fprintf(stderr, "usage: spec_answers --table NAME=FILE[,time=COL][,group=COL][,key=COL] "
                        "... --spec SPEC --work DIR [--key DATE]\n");
        return 64;
    }
    if (run(&arguments, &err) < 0) {
        fprintf(stderr, "spec_answers: %s\n", err.text);
        return err_exit_code(err.code);
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_snapshot.c - order, days, chains, identity, and what opening and verifying refuse. */
#include "csv_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/date.h"
#include "codec/npy.h"
#include "snapshot/build.h"
#include "snapshot/layout.h"

/* Every type, nulls, and more than one table's worth of oddities. */
static const char mixed_csv[] = "day,grp,id,n,d,f,seen,word\n"
                                "2024-01-02,b,1,5,1.5,1e3,2024-01-01 10:00,ö\n"
                                "2024-01-01,,2,-7,0.25,,2024-01-01 09:00:00.5,\"\"\n"
                                "2024-01-01,a,3,,-3,0.5,,zebra\n"
                                "2024-01-04,a,4,9,,-2.5e-7,2024-01-03 00:00,\n";

/* Chapter: contents and order. */

START_TEST(test_columns_come_back_as_they_went_in)
{
    CLEANUP(snapshot_close) struct snapshot *s = fixture_make("s", mixed_csv, FIXTURE_GROUPED);
    const struct table *t = snapshot_table(s, "t");
    ck_assert_ptr_nonnull(t);
    ck_assert_ptr_null(snapshot_table(s, "u"));
    ck_assert_int_eq(t->rows, 4);
    ck_assert_int_eq(t->time, 0);
    ck_assert_int_eq(t->group, 1);
    ck_assert_int_eq(t->key, -1);
    ck_assert_int_eq(table_column(t, "nothing"), -1);

    const struct column *n = fixture_column(s, "n"), *d = fixture_column(s, "d");
    ck_assert_int_eq(n->type, TYPE_INT);
    ck_assert(n->nullable && column_is_null(n, 1) && !column_is_null(n, 0));
    ck_assert_int_eq(n->i[0], -7);
    ck_assert_int_eq(n->i[1], 0);
    ck_assert_int_eq(d->type, TYPE_DECIMAL);
    ck_assert_int_eq(d->scale, 2);
    ck_assert(d->f[0] == 0.25 && d->f[1] == -3 && d->f[2] == 1.5 && column_is_null(d, 3));

    const struct column *f = fixture_column(s, "f"), *seen = fixture_column(s, "seen");
    ck_assert_int_eq(f->type, TYPE_FLOAT);
    ck_assert(f->f[2] == 1000 && f->f[3] == -2.5e-7 && column_is_null(f, 0));
    ck_assert_int_eq(seen->type, TYPE_TIMESTAMP);
    int64_t us;
    ck_assert(timestamp_parse("2024-01-01 09:00:00.5", 21, &us));
    ck_assert_int_eq(seen->i[0], us);

    const struct column *word = fixture_column(s, "word"), *id = fixture_column(s, "id");
    ck_assert(!id->nullable && !id->valid);
    ck_assert_int_eq(word->dict.n, 3);
    ck_assert_int_eq(word->max_chars, 5);
    ck_assert(!column_is_null(word, 0) && column_is_null(word, 3));
    fixture_expect_strings(s, "word", " zebra ö -");
}
END_TEST

START_TEST(test_rows_are_sorted_by_time_then_group_then_source_order)
{
    CLEANUP(snapshot_close)
    struct snapshot *s =
        fixture_make("s",
                     "day,grp,word\n2024-01-02,10,e\n2024-01-01,9,b\n2024-01-01,10,d\n"
                     "2024-01-01,-3,a\n2024-01-01,9,c\n2024-01-02,9,z\n",
                     FIXTURE_GROUPED);
    fixture_expect_strings(s, "word", "a b c d z e");
}
END_TEST

START_TEST(test_a_null_group_sorts_first)
{
    CLEANUP(snapshot_close)
    struct snapshot *s = fixture_make(
        "s", "day,grp,word\n2024-01-01,-5,b\n2024-01-01,,a\n2024-01-01,0,c\n", FIXTURE_GROUPED);
    fixture_expect_strings(s, "word", "a b c");
}
END_TEST

START_TEST(test_groups_of_strings_and_floats_sort_by_value)
{
    CLEANUP(snapshot_close)
    struct snapshot *s = fixture_make(
        "s", "day,grp,word\n2024-01-01,é,c\n2024-01-01,\"\",a\n2024-01-01,b,b\n", FIXTURE_GROUPED);
    fixture_expect_strings(s, "word", "a b c");
    CLEANUP(snapshot_close)
    struct snapshot *f = fixture_make("f",
                                      "day,grp,word\n2024-01-01,1e9,d\n2024-01-01,-2e9,a\n"
                                      "2024-01-01,0.5e0,c\n2024-01-01,-1e-9,b\n",
                                      FIXTURE_GROUPED);
    fixture_expect_strings(f, "word", "a b c d");
}
END_TEST

START_TEST(test_many_rows_in_any_order_keep_ties_in_source_order)
{
    enum { ROWS = 150000 }; /* more than two blocks of the writer */
    struct str csv = {0};
    str_addz(&csv, "day,grp,seq,at\n");
    uint64_t random = 1;
    for (int i = 0; i < ROWS; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        char day[DATE_TEXT];
        date_format((int64_t)(random >> 60) - 8, day);
        str_addf(&csv, "%s,%d,%d,", day, (int)(random >> 56 & 15) - 8, i);
        str_addz(&csv, i % 7 ? "x\n" : "\n");
    }
    CLEANUP(snapshot_close) struct snapshot *s = fixture_make("s", csv.s, FIXTURE_GROUPED);
    str_deinit(&csv);
    const struct column *day = fixture_column(s, "day"), *group = fixture_column(s, "grp"),
                        *seq = fixture_column(s, "seq"), *at = fixture_column(s, "at");
    ck_assert_int_eq(s->tables[0].rows, ROWS);
    for (int64_t row = 1; row < ROWS; row++) {
        int64_t a = day->i[row - 1], b = day->i[row], g = group->i[row - 1], h = group->i[row];
        ck_assert(a < b || (a == b && (g < h || (g == h && seq->i[row - 1] < seq->i[row]))));
        ck_assert_int_eq(column_is_null(at, row), seq->i[row] % 7 == 0);
    }
}
END_TEST

START_TEST(test_a_static_table_is_sorted_by_its_key_and_has_one_hash)
{
    CLEANUP(snapshot_close)
    struct snapshot *s = fixture_make("s", "id,word\nh3,c\nh1,a\nh2,b\n", FIXTURE_STATIC);
    const struct table *t = &s->tables[0];
    fixture_expect_strings(s, "word", "a b c");
    ck_assert_int_eq(t->time, -1);
    ck_assert_int_eq(t->n_days, 0);
    uint8_t at[SHA256_BYTES];
    table_chain_at(t, -99999, at);
    ck_assert_mem_eq(at, t->hash, SHA256_BYTES);
    int64_t first, end;
    ck_assert(!table_day(t, 0, &first, &end));
}
END_TEST

START_TEST(test_tables_without_rows_are_tables_if_their_types_are_declared)
{
    struct source_type types[] = {
        {"day", TYPE_DATE, 0}, {"x", TYPE_INT, 0}, {"id", TYPE_STRING, 0}};
    struct source_table history = {.time = "day", .types = types, .n_types = 2};
    CLEANUP(snapshot_close) struct snapshot *s = fixture_make("s", "day,x\n", history);
    ck_assert_int_eq(s->tables[0].rows, 0);
    ck_assert_int_eq(s->tables[0].n_days, 0);
    ck_assert_int_eq(fixture_column(s, "x")->type, TYPE_INT);
    struct source_table keyed = {.key = "id", .types = types + 1, .n_types = 2};
    CLEANUP(snapshot_close) struct snapshot *k = fixture_make("k", "id,x\n", keyed);
    ck_assert_int_eq(k->tables[0].rows, 0);
    history.n_types = 1;
    fixture_expect(fixture_try("n", "day,x,y\n", history), ERR_INPUT, "n.csv", "no rows",
                   "of x, y");
}
END_TEST

START_TEST(test_a_string_column_without_values_has_an_empty_dictionary)
{
    struct source_type types[] = {{"word", TYPE_STRING, 0}};
    CLEANUP(snapshot_close)
    struct snapshot *s =
        fixture_make("s", "day,word\n2024-01-01,\n",
                     (struct source_table){.time = "day", .types = types, .n_types = 1});
    const struct column *word = fixture_column(s, "word");
    ck_assert_int_eq(word->dict.n, 0);
    ck_assert_int_eq(word->code[0], 0);
    ck_assert(column_is_null(word, 0));
}
END_TEST

/* Chapter: days. */

START_TEST(test_a_date_finds_its_rows)
{
    CLEANUP(snapshot_close) struct snapshot *s = fixture_make("s", mixed_csv, FIXTURE_GROUPED);
    const struct table *t = &s->tables[0];
    int64_t day = date_from_civil(2024, 1, 1), first = -1, end = -1;
    ck_assert_int_eq(t->n_days, 3);
    ck_assert(table_day(t, day, &first, &end) && first == 0 && end == 2);
    ck_assert(table_day(t, day + 1, &first, &end) && first == 2 && end == 3);
    ck_assert(!table_day(t, day + 2, &first, &end) && first == end);
    ck_assert(table_day(t, day + 3, &first, &end) && first == 3 && end == 4);
    ck_assert(!table_day(t, day - 1, &first, &end) && first == end);
    ck_assert(!table_day(t, day + 4, &first, &end) && first == end);
}
END_TEST

START_TEST(test_timestamps_belong_to_the_date_they_fall_on)
{
    CLEANUP(snapshot_close)
    struct snapshot *s = fixture_make("s",
                                      "day,x\n1969-12-31 23:59:59.999999,1\n1970-01-01 00:00,2\n"
                                      "1970-01-01 23:59,3\n",
                                      FIXTURE_HISTORY);
    const struct table *t = &s->tables[0];
    int64_t first, end;
    ck_assert_int_eq(t->n_days, 2);
    ck_assert(table_day(t, -1, &first, &end) && first == 0 && end == 1);
    ck_assert(table_day(t, 0, &first, &end) && first == 1 && end == 3);
}
END_TEST

/* Chapter: chains and the id. */

static void expect_links(const struct snapshot *a, const struct snapshot *b, int64_t same,
                         bool rest_differs)
{
    const struct table *x = &a->tables[0], *y = &b->tables[0];
    int64_t n = x->n_days < y->n_days ? x->n_days : y->n_days;
    for (int64_t d = 0; d < n; d++) {
        int difference = memcmp(x->day_chain[d], y->day_chain[d], SHA256_BYTES);
        if (d < same)
            ck_assert_msg(difference == 0, "link %" PRId64 " differs", d);
        else if (rest_differs)
            ck_assert_msg(difference != 0, "link %" PRId64 " is the same", d);
    }
}

static const char three_days[] = "day,grp,word,x\n2024-01-01,1,m,1\n2024-01-01,2,n,2\n"
                                 "2024-01-03,1,m,3\n2024-01-04,1,o,4\n";

START_TEST(test_an_appended_day_changes_no_earlier_link)
{
    CLEANUP(snapshot_close) struct snapshot *a = fixture_make("a", three_days, FIXTURE_GROUPED);
    /* The new day renumbers the dictionary, has a longer string, and makes x nullable. */
    CLEANUP(mem_free_chars) char *more = mem_printf("%s2024-01-05,1,abcdef,\n", three_days);
    CLEANUP(snapshot_close) struct snapshot *b = fixture_make("b", more, FIXTURE_GROUPED);
    ck_assert_int_eq(a->tables[0].n_days, 3);
    ck_assert_int_eq(b->tables[0].n_days, 4);
    expect_links(a, b, 3, true);
    ck_assert_str_ne(a->id, b->id);

    uint8_t at[SHA256_BYTES], same[SHA256_BYTES];
    table_chain_at(&b->tables[0], date_from_civil(2024, 1, 4), at);
    ck_assert_mem_eq(at, a->tables[0].hash, SHA256_BYTES);
    table_chain_at(&a->tables[0], date_from_civil(2030, 1, 1), at);
    ck_assert_mem_eq(at, a->tables[0].hash, SHA256_BYTES);
    /* Between days it is the day before; before the first the schema alone. */
    table_chain_at(&a->tables[0], date_from_civil(2024, 1, 2), at);
    ck_assert_mem_eq(at, a->tables[0].day_chain[0], SHA256_BYTES);
    table_chain_at(&a->tables[0], date_from_civil(2023, 1, 2), at);
    table_chain_at(&b->tables[0], 0, same);
    ck_assert_mem_eq(at, same, SHA256_BYTES);
    ck_assert_mem_ne(at, a->tables[0].day_chain[0], SHA256_BYTES);
}
END_TEST

START_TEST(test_a_corrected_value_changes_exactly_the_links_from_its_day_on)
{
    static const char *const corrected[] = {
        "day,grp,word,x\n2024-01-01,1,m,1\n2024-01-01,2,n,2\n2024-01-03,1,m,9\n2024-01-04,1,o,4\n",
        "day,grp,word,x\n2024-01-01,1,m,1\n2024-01-01,2,n,2\n2024-01-03,1,mm,3\n2024-01-04,1,o,4\n",
        "day,grp,word,x\n2024-01-01,1,m,1\n2024-01-01,2,n,2\n2024-01-03,1,m,\n2024-01-04,1,o,4\n",
        "day,grp,word,x\n2024-01-01,1,m,1\n2024-01-01,2,n,2\n2024-01-03,,m,3\n2024-01-04,1,o,4\n",
        "day,grp,word,x\n2024-01-01,1,m,1\n2024-01-01,2,n,2\n2024-01-02,1,m,3\n2024-01-04,1,o,4\n",
        "day,grp,word,x\n2024-01-01,1,m,1\n2024-01-01,2,n,2\n2024-01-03,1,m,3\n2024-01-03,1,m,3\n"
        "2024-01-04,1,o,4\n",
    };
    CLEANUP(snapshot_close) struct snapshot *a = fixture_make("a", three_days, FIXTURE_GROUPED);
    for (size_t i = 0; i < sizeof(corrected) / sizeof(*corrected); i++) {
        char name[] = {'b', (char)('0' + i), '\0'};
        CLEANUP(snapshot_close)
        struct snapshot *b = fixture_make(name, corrected[i], FIXTURE_GROUPED);
        expect_links(a, b, 1, true);
        ck_assert_str_ne(a->id, b->id);
    }
}
END_TEST

START_TEST(test_null_and_empty_string_and_zero_are_different_data)
{
    CLEANUP(snapshot_close)
    struct snapshot *a =
        fixture_make("a", "day,w,x\n2024-01-01,\"\",0\n2024-01-01,v,1\n", FIXTURE_HISTORY);
    CLEANUP(snapshot_close)
    struct snapshot *b =
        fixture_make("b", "day,w,x\n2024-01-01,,0\n2024-01-01,v,1\n", FIXTURE_HISTORY);
    CLEANUP(snapshot_close)
    struct snapshot *c =
        fixture_make("c", "day,w,x\n2024-01-01,\"\",\n2024-01-01,v,1\n", FIXTURE_HISTORY);
    ck_assert_str_ne(a->id, b->id);
    ck_assert_str_ne(a->id, c->id);
    ck_assert_str_ne(b->id, c->id);
}
END_TEST

START_TEST(test_an_appended_day_that_widens_a_type_changes_every_link)
{
    CLEANUP(snapshot_close) struct snapshot *a = fixture_make("a", three_days, FIXTURE_GROUPED);
    CLEANUP(mem_free_chars) char *more = mem_printf("%s2024-01-05,1,m,1.5\n", three_days);
    CLEANUP(snapshot_close) struct snapshot *b = fixture_make("b", more, FIXTURE_GROUPED);
    expect_links(a, b, 0, true);
}
END_TEST

START_TEST(test_schema_is_part_of_the_identity)
{
    CLEANUP(snapshot_close)
    struct snapshot *a = fixture_make("a", "day,x\n2024-01-01,1\n", FIXTURE_HISTORY);
    CLEANUP(snapshot_close)
    struct snapshot *column = fixture_make("b", "day,y\n2024-01-01,1\n", FIXTURE_HISTORY);
    CLEANUP(snapshot_close)
    struct snapshot *table = fixture_make("c", "day,x\n2024-01-01,1\n",
                                          (struct source_table){.name = "other", .time = "day"});
    CLEANUP(snapshot_close)
    struct snapshot *group = fixture_make("d", "day,x\n2024-01-01,1\n",
                                          (struct source_table){.time = "day", .group = "x"});
    ck_assert_str_ne(a->id, column->id);
    ck_assert_str_ne(a->id, table->id);
    ck_assert_str_ne(a->id, group->id);
}
END_TEST

START_TEST(test_the_same_data_in_another_source_order_has_the_same_id)
{
    CLEANUP(snapshot_close) struct snapshot *a = fixture_make("a", three_days, FIXTURE_GROUPED);
    CLEANUP(snapshot_close)
    struct snapshot *b = fixture_make("b",
                                      "day,grp,word,x\n2024-01-04,1,o,4\n2024-01-01,2,n,2\n"
                                      "2024-01-03,1,m,3\n2024-01-01,1,m,1\n",
                                      FIXTURE_GROUPED);
    ck_assert_str_eq(a->id, b->id);
    expect_links(a, b, 3, false);
}
END_TEST

static void create_two(const char *out, struct source_table first, struct source_table second,
                       char *ret_id)
{
    CLEANUP(mem_free_chars) char *dir = fixture_path(out);
    struct source_table tables[] = {first, second};
    struct source_options options = {.tables = tables, .n_tables = 2, .out_dir = dir};
    int r = source_csv_create(&options, ret_id, &fixture_err);
    ck_assert_msg(r == 0, "%s", fixture_err.text);
}

START_TEST(test_the_order_in_which_tables_are_named_is_not_part_of_the_id)
{
    fixture_write("h.csv", three_days);
    fixture_write("k.csv", "id,word\n1,a\n2,b\n");
    CLEANUP(mem_free_chars) char *h = fixture_path("h.csv"), *k = fixture_path("k.csv");
    struct source_table history = {.name = "h", .file = h, .time = "day", .group = "grp"};
    struct source_table keyed = {.name = "k", .file = k, .key = "id"};
    char a[SHA256_HEX], b[SHA256_HEX];
    create_two("a", history, keyed, a);
    create_two("b", keyed, history, b);
    ck_assert_str_eq(a, b);
    CLEANUP(snapshot_close) struct snapshot *s = fixture_open("b");
    ck_assert_int_eq(s->n_tables, 2);
    ck_assert_str_eq(s->id, a);
    ck_assert_int_eq(snapshot_table(s, "k")->rows, 2);
    ck_assert_int_eq(snapshot_verify(s, &fixture_err), 0);
}
END_TEST

/* Chapter: files. */

START_TEST(test_odd_names_become_safe_file_names)
{
    CLEANUP(snapshot_close)
    struct snapshot *s = fixture_make("s", "@day,a/b,..,日付,x.valid,x\n2024-01-01,1,2,3,,\n",
                                      (struct source_table){.name = "index", .time = "@day"});
    ck_assert_int_eq(fixture_column(s, "日付")->i[0], 3);
    ck_assert_int_eq(fixture_column(s, "..")->i[0], 2);
    CLEANUP(mem_free_chars) char *path = fixture_path("s/%69ndex/a%2Fb.npy");
    ck_assert(fs_exists(path));
}
END_TEST

START_TEST(test_numpy_opens_every_file)
{
    static const char script[] =
        "import sys, glob, os\n"
        "try:\n    import numpy as np\n"
        "except ImportError:\n    sys.exit(77)\n"
        "files = glob.glob(sys.argv[1] + '/t/*.npy')\n"
        "assert len(files) > 15, files\n"
        "for f in files:\n"
        "    a = np.load(f, mmap_mode='r')\n"
        "    assert a.offset % 64 == 0, f\n"
        "load = lambda n: np.load(sys.argv[1] + '/t/' + n + '.npy')\n"
        "assert str(load('day')[0]) == '2024-01-01', load('day')\n"
        "assert list(load('n.valid')) == [True, False, True, True]\n"
        "assert list(load('d')) == [0.25, -3, 1.5, 0]\n"
        "assert load('@chain').shape == (3, 32)\n"
        "assert list(load('@start')) == [0, 2, 3, 4]\n"
        "o, b, c = load('word.offsets'), load('word.bytes').tobytes(), load('word')\n"
        "assert [b[o[i]:o[i + 1]].decode() for i in c[:3]] == ['', 'zebra', 'ö']\n";
    snapshot_close(fixture_make("s", mixed_csv, FIXTURE_GROUPED));
    CLEANUP(mem_free_chars) char *dir = fixture_path("s");
    pid_t pid = fork();
    if (pid == 0) {
        execl("/usr/bin/python3", "python3", "-c", script, dir, (char *)NULL);
        _exit(77);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        fprintf(stderr,
                "SKIPPED: numpy is missing, so nobody has tried to open the files with it\n");
    else
        ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* Each file of a snapshot, with its path. */
typedef void file_fn(const char *path, const char *name, size_t size);

static void each_file(const char *out, file_fn *fn)
{
    CLEANUP(mem_free_chars) char *dir = fixture_path(out);
    const char *const folders[] = {"", "t"};
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(mem_free_chars) char *folder = fs_join(dir, folders[i]);
        CLEANUP(fs_list_free) struct fs_list list = {0};
        ck_assert_int_eq(fs_list(folder, &list, NULL), 0);
        ck_assert_int_ge((int)list.n, 2);
        for (size_t f = 0; f < list.n; f++) {
            CLEANUP(mem_free_chars) char *path = fs_join(folder, list.names[f]);
            struct stat st;
            ck_assert_int_eq(stat(path, &st), 0);
            if (S_ISREG(st.st_mode))
                fn(path, list.names[f], (size_t)st.st_size);
        }
    }
}

static void replace(const char *path, const void *data, size_t len)
{
    ck_assert_int_eq(fs_write(path, data, len, NULL), 0);
}

static int open_again(bool verify)
{
    CLEANUP(mem_free_chars) char *dir = fixture_path("s");
    CLEANUP(snapshot_close) struct snapshot *s = NULL;
    fixture_err = (struct err){0};
    int r = snapshot_open(dir, &s, &fixture_err);
    return r == 0 && verify ? snapshot_verify(s, &fixture_err) : r;
}

static void cut_file(const char *path, const char *name, size_t size)
{
    CLEANUP(str_deinit) struct str whole = {0};
    ck_assert_int_eq(fs_read(path, &whole, NULL), 0);
    const size_t lengths[] = {0, 1, 64, size / 2, size - 1};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        if (lengths[i] >= size)
            continue;
        replace(path, whole.s, lengths[i]);
        if (strcmp(name, LAYOUT_JSON) != 0)
            fixture_expect(open_again(false), ERR_CONFIG, name, "cut short");
        else if (lengths[i] + 1 < size) /* the newline at the end is nobody's loss until verify */
            fixture_expect(open_again(false), ERR_CONFIG, name);
        ck_assert_int_eq(open_again(true), ERR_CONFIG);
    }
    str_addc(&whole, 'x');
    replace(path, whole.s, whole.len);
    ck_assert_int_eq(open_again(true), ERR_CONFIG);
    unlink(path);
    fixture_expect(open_again(false), ERR_CONFIG, name);
    replace(path, whole.s, size);
    ck_assert_int_eq(open_again(true), 0);
}

START_TEST(test_a_file_cut_short_or_missing_is_named)
{
    snapshot_close(fixture_make("s", mixed_csv, FIXTURE_GROUPED));
    each_file("s", cut_file);
}
END_TEST

static void flip_bytes(const char *path, const char *name, size_t size)
{
    CLEANUP(str_deinit) struct str whole = {0};
    ck_assert_int_eq(fs_read(path, &whole, NULL), 0);
    /* In place: replacing the file for each byte would take its time. */
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    for (size_t at = 0; at < size; at += at + 9 < size ? 1 + size / 40 : 1) {
        char flipped = (char)(whole.s[at] ^ 4);
        ck_assert_int_eq(pwrite(fd, &flipped, 1, (off_t)at), 1);
        int r = open_again(true);
        ck_assert_msg(r == ERR_CONFIG, "%s: byte %zu flipped: %d", name, at, r);
        ck_assert_int_eq(pwrite(fd, &whole.s[at], 1, (off_t)at), 1);
    }
    close(fd);
}

START_TEST(test_verify_finds_a_flipped_byte_in_any_file)
{
    snapshot_close(fixture_make("s", mixed_csv, FIXTURE_GROUPED));
    each_file("s", flip_bytes);
    ck_assert_int_eq(open_again(true), 0);
}
END_TEST

/* Write into a file and give snapshot.json the new checksums, as a faulty writer would. */
static void forge(const char *file, size_t at, const void *data, size_t len)
{
    CLEANUP(mem_free_chars) char *inside = mem_printf("s/t/%s", file);
    CLEANUP(mem_free_chars)
    char *path = fixture_path(inside), *json = fixture_path("s/" LAYOUT_JSON);
    CLEANUP(str_deinit) struct str bytes = {0}, text = {0};
    ck_assert_int_eq(fs_read(path, &bytes, NULL), 0);
    struct npy_header h;
    ck_assert_int_eq(npy_parse(bytes.s, bytes.len, &h, NULL), 0);
    memcpy(bytes.s + h.data_at + at, data, len);
    replace(path, bytes.s, bytes.len);

    ck_assert_int_eq(fs_read(json, &text, NULL), 0);
    CLEANUP(mem_free_chars) char *listed = mem_printf("\"t/%s\"", file);
    char *entry = strstr(text.s, listed), crc[9];
    ck_assert_ptr_nonnull(entry);
    snprintf(crc, sizeof(crc), "%08x", crc32c(0, bytes.s, bytes.len));
    memcpy(strchr(strstr(entry, "crc32c\"") + 7, '"') + 1, crc, 8);
    char *own = strchr(strstr(text.s, "\"checksum\"") + 10, '"') + 1;
    memcpy(own, "00000000", 8);
    snprintf(crc, sizeof(crc), "%08x", crc32c(0, text.s, text.len));
    memcpy(own, crc, 8);
    replace(json, text.s, text.len);
}

START_TEST(test_forging_what_is_there_already_does_no_harm)
{
    const int64_t minus_seven = -7;
    snapshot_close(fixture_make("s", mixed_csv, FIXTURE_GROUPED));
    forge("n.npy", 0, &minus_seven, 8);
    ck_assert_int_eq(open_again(true), 0);
}
END_TEST

START_TEST(test_verify_finds_what_checksums_do_not)
{
    const int64_t one = 1, day = date_from_civil(2024, 1, 4);
    const int32_t code = 3, negative = -1;
    const double nan = __builtin_nan(""), zero = -0.0;
    const uint8_t two = 2, yes = 1;
    const char a = 'a', z = 'z';
    const struct {
        const char *file;
        size_t at;
        const void *data;
        size_t len;
        const char *words;
    } forgery[] = {
        {"n.npy", 0, &one, 8, "hashes"},
        {"n.npy", 8, &one, 8, "null slot"},
        {"n.valid.npy", 0, &two, 1, "valid flags"},
        {"n.valid.npy", 1, &yes, 1, "no null"},
        {"word.npy", 0, &code, 4, "not in its dictionary"},
        {"word.npy", 0, &negative, 4, "not in its dictionary"},
        {"word.bytes.npy", 5, &a, 1, "sorted"},
        {"word.bytes.npy", 6, &z, 1, "UTF-8"},
        {"word.offsets.npy", 8, &(const int64_t){900}, 8, "offsets"},
        {"f.npy", 16, &nan, 8, "finite"},
        {"f.npy", 16, &zero, 8, "negative zero"},
        {"day.npy", 0, &day, 8, "out of order"},
        {"day.npy", 24, &(const int64_t){20000}, 8, "days"},
        {"word.npy", 4, &(const int32_t){0}, 4, "does not occur"},
    };
    for (size_t i = 0; i < sizeof(forgery) / sizeof(*forgery); i++) {
        CLEANUP(mem_free_chars) char *dir = fixture_path("s");
        snapshot_close(fixture_make("s", mixed_csv, FIXTURE_GROUPED));
        forge(forgery[i].file, forgery[i].at, forgery[i].data, forgery[i].len);
        fixture_expect(open_again(true), ERR_CONFIG, forgery[i].words);
        ck_assert_int_eq(fs_remove_tree(dir, NULL), 0);
    }
}
END_TEST

static void edit_json(const char *from, const char *to)
{
    CLEANUP(mem_free_chars) char *path = fixture_path("s/" LAYOUT_JSON);
    CLEANUP(str_deinit) struct str text = {0}, edited = {0};
    ck_assert_int_eq(fs_read(path, &text, NULL), 0);
    char *at = strstr(text.s, from);
    ck_assert_msg(at != NULL, "%s is not in snapshot.json", from);
    str_add(&edited, text.s, (size_t)(at - text.s));
    str_addz(&edited, to);
    str_addz(&edited, at + strlen(from));
    replace(path, edited.s, edited.len);
}

START_TEST(test_a_newer_format_is_refused)
{
    snapshot_close(fixture_make("s", mixed_csv, FIXTURE_GROUPED));
    edit_json("\"format\": 1", "\"format\": 2");
    fixture_expect(open_again(false), ERR_CONFIG, "format is 2", "newer hiwari");
}
END_TEST

START_TEST(test_a_snapshot_json_that_does_not_fit_its_files_is_refused)
{
    static const char *const edits[][2] = {
        {"\"rows\": 4", "\"rows\": 5"},
        {"\"days\": 3", "\"days\": 2"},
        {"\"type\": \"float\"", "\"type\": \"date\""},
        {"\"type\": \"integer\"", "\"type\": \"int\""},
        {"\"type\": \"decimal\"", "\"type\": \"bool\""},
        {"\"scale\": 2", "\"scale\": 7"},
        {"\"scale\": 2", "\"scale\": 1"},
        {"\"distinct\": 3", "\"distinct\": 2"},
        {"\"time\": \"day\"", "\"time\": \"n\""},
        {"\"time\": \"day\"", "\"time\": \"nothing\""},
        {"\"time\": \"day\"", "\"time\": null"},
        {"\"group\": \"grp\"", "\"group\": null"},
        {"\"name\": \"t\"", "\"name\": \"../t\""},
        {"\"name\": \"n\"", "\"name\": \"m\""},
        {"\"nullable\": true", "\"nullable\": false"},
        {"t/@start.npy", "t/@chain.npy"},
        {"\"tables\"", "\"table\""},
        {"\"files\"", "\"file\""},
        {"\"key\": null", "\"key\": \"id\""},
    };
    for (size_t i = 0; i < sizeof(edits) / sizeof(*edits); i++) {
        CLEANUP(mem_free_chars) char *dir = fixture_path("s");
        snapshot_close(fixture_make("s", mixed_csv, FIXTURE_GROUPED));
        edit_json(edits[i][0], edits[i][1]);
        int r = open_again(i == 6 || i == 11); /* these two only show in the hashes */
        ck_assert_msg(r == ERR_CONFIG, "%s -> %s: %d", edits[i][0], edits[i][1], r);
        ck_assert_int_eq(fs_remove_tree(dir, NULL), 0);
    }
}
END_TEST

START_TEST(test_what_is_no_snapshot_is_called_so)
{
    CLEANUP(snapshot_close) struct snapshot *s = NULL;
    fixture_expect(snapshot_open("/nowhere/at/all", &s, &fixture_err), ERR_CONFIG,
                   "no such directory");
    fixture_expect(snapshot_open(fixture_dir, &s, &fixture_err), ERR_CONFIG, "not a snapshot");
}
END_TEST

/* Chapter: writing whole or not at all. */

START_TEST(test_what_exists_is_never_written_over)
{
    snapshot_close(fixture_make("s", mixed_csv, FIXTURE_GROUPED));
    fixture_expect(fixture_try("s", three_days, FIXTURE_GROUPED), ERR_WRITE, "exists already",
                   "another directory");
    ck_assert_int_eq(open_again(true), 0);
    ck_assert_int_eq(fixture_leftovers(), 1);
}
END_TEST

START_TEST(test_a_target_that_appears_meanwhile_is_not_written_over)
{
    CLEANUP(mem_free_chars) char *dir = fixture_path("s");
    CLEANUP(build_free) struct snapshot_builder *b = NULL;
    ck_assert_int_eq(build_open(dir, &b, &fixture_err), 0);
    ck_assert_int_eq(mkdir(dir, 0777), 0);
    char id[SHA256_HEX];
    fixture_expect(build_finish(b, id, &fixture_err), ERR_WRITE, "exists already");
    build_free(b);
    b = NULL;
    ck_assert_int_eq(fixture_leftovers(), 1);
}
END_TEST

START_TEST(test_parents_are_made_and_a_slash_at_the_end_is_fine)
{
    fixture_write("x.csv", three_days);
    CLEANUP(mem_free_chars) char *file = fixture_path("x.csv"), *dir = fixture_path("new/deep/s/");
    struct source_table table = {.name = "t", .file = file, .time = "day"};
    struct source_options options = {.tables = &table, .n_tables = 1, .out_dir = dir};
    char id[SHA256_HEX];
    ck_assert_int_eq(source_csv_create(&options, id, &fixture_err), 0);
    CLEANUP(snapshot_close) struct snapshot *s = NULL;
    ck_assert_int_eq(snapshot_open(dir, &s, &fixture_err), 0);
    ck_assert_str_eq(s->id, id);
}
END_TEST

START_TEST(test_an_unwritable_place_is_named)
{
    fixture_write("file.csv", "");
    CLEANUP(mem_free_chars) char *dir = fixture_path("file.csv/s");
    struct snapshot_builder *b = NULL;
    fixture_expect(build_open(dir, &b, &fixture_err), ERR_WRITE, "file.csv", "snapshot");
    fixture_expect(build_open("/proc/hiwari/s", &b, &fixture_err), ERR_WRITE, "/proc/hiwari");
}
END_TEST

/* Creates under a limit of bytes a file, as a full disk would have it. 0: made; 1: failed as it
 * should. */
static int create_limited(rlim_t limit)
{
    signal(SIGXFSZ, SIG_IGN);
    CLEANUP(mem_free_chars) char *file = fixture_path("full.csv"), *dir = fixture_path("full");
    struct source_table table = {.name = "t", .file = file, .time = "day", .group = "grp"};
    struct source_options options = {.tables = &table, .n_tables = 1, .out_dir = dir};
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, limit});
    char id[SHA256_HEX];
    struct err err = {0};
    int r = source_csv_create(&options, id, &err);
    if (r == 0)
        return 0;
    bool clear =
        r == ERR_WRITE && strstr(err.text, "cannot write") && strstr(err.text, fixture_dir);
    return clear && !fs_exists(dir) ? 1 : 2;
}

START_TEST(test_a_full_disk_leaves_nothing)
{
    fixture_write("full.csv", mixed_csv);
    int failures = 0;
    for (rlim_t limit = 0;; limit += limit < 1000 ? 100 : 400, failures++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(create_limited(limit));
        int status;
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFEXITED(status));
        if (WEXITSTATUS(status) == 0)
            break;
        ck_assert_int_eq(WEXITSTATUS(status), 1);
        ck_assert_int_eq(fixture_leftovers(), 0);
    }
    ck_assert_int_ge(failures, 3); /* headers, values, snapshot.json */
    ck_assert_int_eq(fixture_leftovers(), 1);
}
END_TEST

/* A child that dies with a snapshot half made. Returns its pid. */
static pid_t die_halfway(const char *dir)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct snapshot_builder *b = NULL;
        build_open(dir, &b, NULL);
        raise(SIGKILL);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    return pid;
}

START_TEST(test_the_next_run_removes_what_a_killed_one_left)
{
    CLEANUP(mem_free_chars) char *dir = fixture_path("s"), *other = fixture_path("other");
    die_halfway(dir);
    die_halfway(other);
    ck_assert_int_eq(fixture_leftovers(), 2);
    CLEANUP(build_free) struct snapshot_builder *living = NULL;
    ck_assert_int_eq(build_open(dir, &living, &fixture_err), 0);
    ck_assert_int_eq(fixture_leftovers(), 2); /* the other target's, and the living one's */
    snapshot_close(fixture_make("s", mixed_csv, FIXTURE_GROUPED));
    ck_assert_int_eq(fixture_leftovers(), 3);
    build_free(living);
    living = NULL;
    ck_assert_int_eq(fixture_leftovers(), 2);
}
END_TEST

static Suite *snapshot_suite(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *tests = tcase_create("snapshot");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, fixture_setup, fixture_teardown);
    tcase_add_test(tests, test_columns_come_back_as_they_went_in);
    tcase_add_test(tests, test_rows_are_sorted_by_time_then_group_then_source_order);
    tcase_add_test(tests, test_a_null_group_sorts_first);
    tcase_add_test(tests, test_groups_of_strings_and_floats_sort_by_value);
    tcase_add_test(tests, test_many_rows_in_any_order_keep_ties_in_source_order);
    tcase_add_test(tests, test_a_static_table_is_sorted_by_its_key_and_has_one_hash);
    tcase_add_test(tests, test_tables_without_rows_are_tables_if_their_types_are_declared);
    tcase_add_test(tests, test_a_string_column_without_values_has_an_empty_dictionary);
    tcase_add_test(tests, test_a_date_finds_its_rows);
    tcase_add_test(tests, test_timestamps_belong_to_the_date_they_fall_on);
    tcase_add_test(tests, test_an_appended_day_changes_no_earlier_link);
    tcase_add_test(tests, test_a_corrected_value_changes_exactly_the_links_from_its_day_on);
    tcase_add_test(tests, test_null_and_empty_string_and_zero_are_different_data);
    tcase_add_test(tests, test_an_appended_day_that_widens_a_type_changes_every_link);
    tcase_add_test(tests, test_schema_is_part_of_the_identity);
    tcase_add_test(tests, test_the_same_data_in_another_source_order_has_the_same_id);
    tcase_add_test(tests, test_the_order_in_which_tables_are_named_is_not_part_of_the_id);
    tcase_add_test(tests, test_odd_names_become_safe_file_names);
    tcase_add_test(tests, test_numpy_opens_every_file);
    tcase_add_test(tests, test_a_file_cut_short_or_missing_is_named);
    tcase_add_test(tests, test_verify_finds_a_flipped_byte_in_any_file);
    tcase_add_test(tests, test_forging_what_is_there_already_does_no_harm);
    tcase_add_test(tests, test_verify_finds_what_checksums_do_not);
    tcase_add_test(tests, test_a_newer_format_is_refused);
    tcase_add_test(tests, test_a_snapshot_json_that_does_not_fit_its_files_is_refused);
    tcase_add_test(tests, test_what_is_no_snapshot_is_called_so);
    tcase_add_test(tests, test_what_exists_is_never_written_over);
    tcase_add_test(tests, test_a_target_that_appears_meanwhile_is_not_written_over);
    tcase_add_test(tests, test_parents_are_made_and_a_slash_at_the_end_is_fine);
    tcase_add_test(tests, test_an_unwritable_place_is_named);
    tcase_add_test(tests, test_a_full_disk_leaves_nothing);
    tcase_add_test(tests, test_the_next_run_removes_what_a_killed_one_left);
    suite_add_tcase(suite, tests);
    return suite;
}

UNIT_MAIN(snapshot_suite)

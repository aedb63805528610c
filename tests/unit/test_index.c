/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_index.c - entity indexes: what they hold, how they are searched, and what is said of damaged
 * files. */
#include "features/index.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/date.h"
#include "base/fs.h"
#include "unit.h"

static uint64_t random_state;
static char *directory;
static struct err error;

static uint64_t random_next(void)
{
    random_state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return z ^ (z >> 31);
}

static int64_t random_below(int64_t n)
{
    return (int64_t)(random_next() % (uint64_t)n);
}

static void setup(void)
{
    random_state = 1;
    error = (struct err){0};
    directory = mem_strdup("/tmp/hiwari-unit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void teardown(void)
{
    ck_assert_int_eq(fs_remove_tree(directory, NULL), 0);
    free(directory);
}

/* ---- searching ---- */

/* Ascending times with runs of equal ones, gaps, and now and then a gap of years. */
static void random_times(int64_t *times, int n)
{
    int64_t step = random_below(3) ? 3 : 400, now = random_below(2000) - 1000;
    for (int i = 0; i < n; i++) {
        now += random_below(4) ? random_below(step) : 0;
        now += random_below(50) ? 0 : 3000;
        times[i] = now;
    }
}

static int32_t linear_search(const int64_t *end, int32_t from, int32_t to, int64_t edge)
{
    while (from < to && end[from] < edge)
        from++;
    return from;
}

enum { MOST = 300 };

static void search_once(bool dates)
{
    int64_t time[MOST], end[MOST];
    int32_t day[MOST];
    int n = (int)random_below(MOST) + 1;
    random_times(time, n);
    for (int i = 0; i < n; i++) {
        day[i] = (int32_t)time[i];
        end[i] = dates ? (time[i] + 1) * DATE_US_PER_DAY - 1 : time[i];
    }
    int32_t offsets[] = {0, n}, entity = 0;
    struct index x = {.n = n,
                      .entities = 1,
                      .offsets = offsets,
                      .day = dates ? day : NULL,
                      .us = dates ? NULL : time};
    int32_t *buckets = index_buckets(&x);
    x.buckets = buckets;
    for (int i = 0; i < 60; i++) {
        int32_t from = (int32_t)random_below(n), to = from + (int32_t)random_below(n - from + 1);
        int64_t edge = end[random_below(n)] + random_below(3) - 1;
        if (i % 3 == 0)
            edge = (time[random_below(n)] + random_below(3) - 1) * (dates ? DATE_US_PER_DAY : 1);
        if (i % 20 == 0)
            edge = random_below(2) ? INT64_C(-400000000000000000) : INT64_C(400000000000000000);
        int32_t expected = linear_search(end, from, to, edge);
        ck_assert_msg(index_before(&x, from, to, edge) == expected, "before %" PRId64, edge);
        int64_t cutoff = edge + DATE_US_PER_DAY;
        index_since(&x, 1, &entity, &cutoff, DATE_US_PER_DAY, &to, &from);
        ck_assert_msg(from == linear_search(end, 0, to, edge), "since %" PRId64, edge);
    }
    free(buckets);
}

START_TEST(test_searches_find_what_a_linear_search_finds)
{
    for (int round = 0; round < 3000; round++)
        search_once(round % 2);
}
END_TEST

/* Rows of a chunk are searched side by side: the answers are those of each alone. */
START_TEST(test_many_searches_at_once_are_as_good_as_one_by_one)
{
    enum { ROWS_AT_ONCE = 100, ENTITIES = 5 };
    int64_t end[ENTITIES * MOST], edge[ROWS_AT_ONCE];
    int32_t entity[ROWS_AT_ONCE], to[ROWS_AT_ONCE], expected[ROWS_AT_ONCE], found[ROWS_AT_ONCE];
    for (int round = 0; round < 500; round++) {
        int rows = (int)random_below(ROWS_AT_ONCE + 1);
        int64_t back = random_below(500);
        int32_t offsets[ENTITIES + 1] = {0};
        for (int e = 0; e < ENTITIES; e++) { /* the first may be empty, the others have rows */
            int n = (int)random_below(MOST) + (e > 0);
            random_times(end + offsets[e], n);
            offsets[e + 1] = offsets[e] + n;
        }
        struct index x = {
            .n = offsets[ENTITIES], .entities = ENTITIES, .offsets = offsets, .us = end};
        int32_t *buckets = index_buckets(&x);
        x.buckets = buckets;
        for (int i = 0; i < rows; i++) {
            entity[i] = (int32_t)random_below(ENTITIES + 1) - 1;
            int32_t from = entity[i] < 0 ? 0 : offsets[entity[i]];
            int32_t n = entity[i] < 0 ? 0 : offsets[entity[i] + 1] - from;
            to[i] = from + (int32_t)random_below(n + 1);
            edge[i] = end[random_below(x.n)] + random_below(600);
            expected[i] = linear_search(end, from, to[i], edge[i] - back);
        }
        index_since(&x, rows, entity, edge, back, to, found);
        for (int i = 0; i < rows; i++)
            ck_assert_int_eq(found[i], expected[i]);
        free(buckets);
    }
}
END_TEST

/* ---- building, writing, mapping ---- */

enum { ROWS = 500, DICT = 4 };

struct sample {
    struct column by[2], time, integer, decimal, text;
    uint8_t keep[ROWS];
    struct index_field fields[3];
    struct index_request request;
};

static const int64_t start_days[] = {1, 7, 100, 4000000};

static void sample_init(struct sample *s, bool filtered, enum type time)
{
    static const int64_t offsets[DICT + 1] = {0, 0, 1, 4, 6};
    column_alloc(&s->by[0], TYPE_STRING, ROWS, true);
    column_alloc(&s->by[1], TYPE_INT, ROWS, false);
    column_alloc(&s->time, time, ROWS, false);
    column_alloc(&s->integer, TYPE_INT, ROWS, false);
    column_alloc(&s->decimal, TYPE_DECIMAL, ROWS, true);
    column_alloc(&s->text, TYPE_STRING, ROWS, false);
    s->by[0].dict = s->text.dict = (struct dict){DICT, offsets, "aZoébb"};
    s->decimal.scale = 1;
    for (int row = 0; row < ROWS; row++) {
        s->by[0].valid[row] = random_below(10) != 0;
        s->by[0].code[row] = s->by[0].valid[row] ? (int32_t)random_below(DICT) : 0;
        s->by[1].i[row] = random_below(2);
        s->time.i[row] = time == TYPE_DATE ? row / 5 : (row / 2) * (DATE_US_PER_DAY / 3);
        s->integer.i[row] = random_below(1000) - 500;
        s->decimal.valid[row] = random_below(4) != 0;
        s->decimal.f[row] = s->decimal.valid[row] ? (double)random_below(100) / 10 : 0;
        s->text.code[row] = (int32_t)random_below(DICT);
        s->keep[row] = random_below(3) != 0;
    }
    s->fields[0] = (struct index_field){.column = &s->integer, .sums = true};
    s->fields[1] = (struct index_field){.column = &s->decimal, .sums = true};
    s->fields[2] = (struct index_field){.column = &s->text, .own_dict = true};
    s->request = (struct index_request){.text = "a sample",
                                        .table_rows = ROWS,
                                        .by = s->by,
                                        .n_by = 2,
                                        .keep = filtered ? s->keep : NULL,
                                        .time = &s->time,
                                        .start_days = start_days,
                                        .n_starts = 4,
                                        .fields = s->fields,
                                        .n_fields = 3};
}

static void sample_deinit(struct sample *s)
{
    column_deinit(&s->by[0]);
    column_deinit(&s->by[1]);
    column_deinit(&s->time);
    column_deinit(&s->integer);
    column_deinit(&s->decimal);
    column_deinit(&s->text);
}

static bool same_entity(const struct sample *s, int64_t a, int64_t b)
{
    return s->by[0].code[a] == s->by[0].code[b] && s->by[1].i[a] == s->by[1].i[b];
}

static int64_t date_of(const struct sample *s, int64_t row)
{
    return s->time.type == TYPE_DATE ? s->time.i[row] : timestamp_day(s->time.i[row]);
}

static bool is_history(const struct sample *s, int64_t row, int64_t other)
{
    return s->by[0].valid[other] && same_entity(s, row, other) &&
           (!s->request.keep || s->keep[other]);
}

static int32_t rows_before(const struct sample *s, int64_t row)
{
    int32_t n = 0;
    for (int64_t other = 0; other < row; other++)
        n += is_history(s, row, other);
    return n;
}

/* Those that are more than `days` dates before the row's own. */
static int32_t dates_before(const struct sample *s, int64_t row, int64_t days)
{
    int32_t n = 0;
    for (int64_t other = 0; other < row; other++)
        n += is_history(s, row, other) && date_of(s, other) < date_of(s, row) - days;
    return n;
}

static void expect_entities(const struct sample *s, const struct index *x)
{
    int64_t positions = 0;
    for (int64_t row = 0; row < ROWS; row++) {
        bool null = !s->by[0].valid[row], in = !null && (!s->request.keep || s->keep[row]);
        int32_t e = x->entity[row];
        ck_assert_int_eq(e < 0, null);
        ck_assert_int_eq(index_find(x, s->by, row), e);
        positions += in;
        if (null)
            continue;
        int32_t before = x->offsets[e] + rows_before(s, row);
        ck_assert(!in || x->rows[before] == row);
        ck_assert_int_eq(x->place[row], x->day ? x->offsets[e] + dates_before(s, row, 0) : before);
        for (int k = 0; k < x->n_starts; k++)
            ck_assert_int_eq(x->starts[k][row],
                             x->offsets[e] + dates_before(s, row, s->request.start_days[k]));
    }
    ck_assert_int_eq(x->n, positions);
}

static void expect_columns(const struct sample *s, const struct index *x)
{
    int64_t sum = 0, tenths = 0, count = 0;
    ck_assert_ptr_nonnull(x->columns[0].sums);
    ck_assert_int_eq(x->columns[0].stride, 1);
    ck_assert_int_eq(x->columns[1].stride, 2);
    for (int64_t p = 0; p <= x->n; p++) {
        ck_assert_int_eq(x->columns[0].sums[p], sum);
        ck_assert_int_eq(x->columns[1].sums[2 * p], tenths);
        ck_assert_int_eq(x->columns[1].sums[2 * p + 1], count);
        if (p == x->n)
            return;
        int32_t row = x->rows[p];
        struct text copied = dict_text(&x->columns[2].values.dict, x->columns[2].values.code[p]);
        ck_assert_int_eq(x->day ? x->day[p] : x->us[p], s->time.i[row]);
        ck_assert_int_eq(x->columns[0].values.i[p], s->integer.i[row]);
        ck_assert_int_eq(column_is_null(&x->columns[1].values, p),
                         column_is_null(&s->decimal, row));
        ck_assert_int_eq(text_compare(copied, dict_text(&s->text.dict, s->text.code[row])), 0);
        sum += s->integer.i[row];
        tenths += s->decimal.valid[row] ? (int64_t)(s->decimal.f[row] * 10 + 0.5) : 0;
        count += s->decimal.valid[row];
    }
}

static char *index_dir(void)
{
    return fs_join(directory, "index");
}

START_TEST(test_an_index_is_the_same_built_and_mapped)
{
    for (int round = 0; round < 4; round++) {
        struct sample s;
        CLEANUP(index_free) struct index *built = NULL, *mapped = NULL;
        CLEANUP(mem_free_chars) char *dir = index_dir();
        sample_init(&s, round % 2, round / 2 ? TYPE_TIMESTAMP : TYPE_DATE);
        index_build(&s.request, &built);
        expect_entities(&s, built);
        expect_columns(&s, built);
        ck_assert_int_eq(index_map(dir, &s.request, &mapped, &error), INDEX_ABSENT);
        ck_assert_msg(index_write(built, s.request.text, dir, &error) == 0, "%s", error.text);
        ck_assert_msg(index_map(dir, &s.request, &mapped, &error) == 0, "%s", error.text);
        expect_entities(&s, mapped);
        expect_columns(&s, mapped);
        ck_assert_int_eq(fs_remove_tree(dir, NULL), 0);
        sample_deinit(&s);
    }
}
END_TEST

START_TEST(test_an_index_that_is_there_already_stays)
{
    struct sample s;
    struct stat before, after;
    CLEANUP(index_free) struct index *built = NULL;
    CLEANUP(mem_free_chars) char *dir = index_dir(), *json = mem_printf("%s/index.json", dir);
    sample_init(&s, false, TYPE_DATE);
    index_build(&s.request, &built);
    ck_assert_int_eq(index_write(built, s.request.text, dir, &error), 0);
    ck_assert_int_eq(stat(json, &before), 0);
    ck_assert_int_eq(index_write(built, s.request.text, dir, &error), 0);
    ck_assert_int_eq(stat(json, &after), 0);
    ck_assert(before.st_ino == after.st_ino);
    struct fs_list list = {0};
    ck_assert_int_eq(fs_list(directory, &list, NULL), 0);
    ck_assert_int_eq((int)list.n, 1); /* nothing temporary is left */
    fs_list_free(&list);
    sample_deinit(&s);
}
END_TEST

/* ERR_CONFIG that names the file, and the folder to remove. */
static void expect_damage(const struct sample *s, const char *dir, const char *file)
{
    CLEANUP(index_free) struct index *mapped = NULL;
    error = (struct err){0};
    int r = index_map(dir, &s->request, &mapped, &error);
    ck_assert_msg(r == ERR_CONFIG, "%s: answer %d: %s", file, r, error.text);
    ck_assert_int_eq(error.code, ERR_CONFIG);
    ck_assert_msg(strstr(error.text, file) && strstr(error.text, dir), "%s is not named: %s", file,
                  error.text);
}

START_TEST(test_cut_and_overwritten_files_are_named)
{
    struct sample s;
    struct fs_list list = {0};
    CLEANUP(index_free) struct index *built = NULL;
    CLEANUP(mem_free_chars) char *dir = index_dir();
    sample_init(&s, true, TYPE_DATE);
    index_build(&s.request, &built);
    ck_assert_int_eq(index_write(built, s.request.text, dir, &error), 0);
    ck_assert_int_eq(fs_list(dir, &list, NULL), 0);
    ck_assert_int_ge((int)list.n, 12);
    for (size_t i = 0; i < list.n; i++) {
        CLEANUP(mem_free_chars) char *path = fs_join(dir, list.names[i]);
        CLEANUP(str_deinit) struct str whole = {0};
        ck_assert_int_eq(fs_read(path, &whole, &error), 0);
        size_t cuts[] = {0, 5, whole.len / 2, whole.len - 3};
        for (int c = 0; c < 4; c++) {
            ck_assert_int_eq(truncate(path, 0), 0);
            ck_assert_int_eq(fs_write(path, whole.s, cuts[c], &error), 0);
            expect_damage(&s, dir, list.names[i]);
        }
        CLEANUP(mem_free_chars) char *noise = mem_strndup(whole.s, whole.len);
        memset(noise, 'x', whole.len < 12 ? whole.len : 12);
        ck_assert_int_eq(fs_write(path, noise, whole.len, &error), 0);
        expect_damage(&s, dir, list.names[i]);
        ck_assert_int_eq(fs_write(path, whole.s, whole.len, &error), 0);
    }
    fs_list_free(&list);
    sample_deinit(&s);
}
END_TEST

/* How many indexes are whole in the folder that holds dir, or what is said. */
static int verify(int *ret_verified)
{
    error = (struct err){0};
    return index_verify(directory, ret_verified, &error);
}

START_TEST(test_one_changed_byte_of_any_file_is_found_by_verify)
{
    struct sample s;
    struct fs_list list = {0};
    int verified = -1;
    CLEANUP(index_free) struct index *built = NULL;
    CLEANUP(mem_free_chars) char *dir = mem_printf("%s/%032d", directory, 0);
    sample_init(&s, true, TYPE_DATE);
    index_build(&s.request, &built);
    ck_assert_int_eq(verify(&verified), 0);
    ck_assert_int_eq(verified, 0);
    ck_assert_int_eq(index_write(built, s.request.text, dir, &error), 0);
    ck_assert_int_eq(verify(&verified), 0);
    ck_assert_int_eq(verified, 1);
    ck_assert_int_eq(fs_list(dir, &list, NULL), 0);
    ck_assert_int_ge((int)list.n, 12);
    for (size_t i = 0; i < list.n; i++) {
        CLEANUP(mem_free_chars) char *path = fs_join(dir, list.names[i]);
        CLEANUP(str_deinit) struct str text = {0};
        ck_assert_int_eq(fs_read(path, &text, &error), 0);
        for (size_t at = 0; at < text.len; at += text.len / 7 + 1) {
            text.s[at] ^= 1;
            ck_assert_int_eq(fs_write(path, text.s, text.len, &error), 0);
            ck_assert_msg(verify(&verified) == ERR_CONFIG, "%s, byte %zu", path, at);
            ck_assert_msg(strstr(error.text, path) != NULL, "%s: %s", path, error.text);
            text.s[at] ^= 1;
        }
        ck_assert_int_eq(fs_write(path, text.s, text.len - 1, &error), 0);
        ck_assert_int_eq(verify(&verified), ERR_CONFIG);
        ck_assert_int_eq(fs_write(path, text.s, text.len, &error), 0);
    }
    fs_list_free(&list);
    ck_assert_int_eq(verify(&verified), 0);
    sample_deinit(&s);
}
END_TEST

START_TEST(test_a_missing_file_is_named)
{
    struct sample s;
    CLEANUP(index_free) struct index *built = NULL;
    CLEANUP(mem_free_chars) char *dir = index_dir(), *path = mem_printf("%s/place.npy", dir);
    sample_init(&s, false, TYPE_DATE);
    index_build(&s.request, &built);
    ck_assert_int_eq(index_write(built, s.request.text, dir, &error), 0);
    ck_assert_int_eq(unlink(path), 0);
    expect_damage(&s, dir, "place.npy");
    sample_deinit(&s);
}
END_TEST

START_TEST(test_an_index_of_something_else_does_not_fit)
{
    struct sample s;
    CLEANUP(index_free) struct index *built = NULL;
    CLEANUP(mem_free_chars) char *dir = index_dir();
    sample_init(&s, false, TYPE_DATE);
    index_build(&s.request, &built);
    ck_assert_int_eq(index_write(built, s.request.text, dir, &error), 0);
    s.request.text = "another sample";
    expect_damage(&s, dir, "index.json");
    s.request.text = "a sample";
    s.request.table_rows = ROWS - 1;
    expect_damage(&s, dir, "index.json");
    sample_deinit(&s);
}
END_TEST

START_TEST(test_names_depend_on_snapshot_and_text)
{
    char a[33], b[33], c[33];
    index_name("s1", "t1", a);
    index_name("s2", "t1", b);
    index_name("s1", "t2", c);
    ck_assert(strlen(a) == 32 && strcmp(a, b) != 0 && strcmp(a, c) != 0 && strcmp(b, c) != 0);
}
END_TEST

static Suite *index_suite(void)
{
    Suite *suite = suite_create("index");
    TCase *tc = tcase_create("index");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, test_searches_find_what_a_linear_search_finds);
    tcase_add_test(tc, test_many_searches_at_once_are_as_good_as_one_by_one);
    tcase_add_test(tc, test_an_index_is_the_same_built_and_mapped);
    tcase_add_test(tc, test_an_index_that_is_there_already_stays);
    tcase_add_test(tc, test_cut_and_overwritten_files_are_named);
    tcase_add_test(tc, test_one_changed_byte_of_any_file_is_found_by_verify);
    tcase_add_test(tc, test_a_missing_file_is_named);
    tcase_add_test(tc, test_an_index_of_something_else_does_not_fit);
    tcase_add_test(tc, test_names_depend_on_snapshot_and_text);
    return suite;
}

UNIT_MAIN(index_suite)

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_intake.c - rows that come one by one become the same files whether or not they fit into
 * memory. */
#include <math.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/date.h"
#include "csv_fixture.h"
#include "snapshot/intake.h"

/* A table of random rows: which column is what. */
enum { TIME, GROUP, COUNT, PRICE, RATIO, BORN, SEEN, TRACK, NOTE, EMPTY, N_COLUMNS };
static const struct intake_column columns[N_COLUMNS] = {
    [TIME] = {"time", TYPE_TIMESTAMP, 0}, [GROUP] = {"group", TYPE_STRING, 0},
    [COUNT] = {"count", TYPE_INT, 0},     [PRICE] = {"price", TYPE_DECIMAL, 2},
    [RATIO] = {"ratio", TYPE_FLOAT, 0},   [BORN] = {"born", TYPE_DATE, 0},
    [SEEN] = {"seen", TYPE_TIMESTAMP, 0}, [TRACK] = {"track", TYPE_STRING, 0},
    [NOTE] = {"note", TYPE_STRING, 0},    [EMPTY] = {"empty", TYPE_STRING, 0},
};

static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (random_state >> 33) % n;
}

static void place(void *ctx, int64_t row, struct str *out)
{
    str_addf(out, "arrival %" PRId64, row);
}

static void add_text(struct intake *in, int column, const char *text)
{
    intake_text(in, column, (struct text){text, (int64_t)strlen(text)});
}

/* A row at this time; values from the random state, with nulls, and strings few and many. */
static void add_values(struct intake *in, int64_t time)
{
    char text[64];
    intake_int(in, TIME, time);
    if (random_below(20) == 0) {
        intake_null(in, GROUP);
    } else {
        snprintf(text, sizeof(text), "g%d", (int)random_below(7));
        add_text(in, GROUP, text);
    }
    intake_int(in, COUNT, (int64_t)random_below(1000) - 500);
    intake_float(in, PRICE, (double)random_below(100000) / 100);
    if (random_below(3) == 0)
        intake_null(in, RATIO);
    else
        intake_float(in, RATIO, random_below(5) == 0 ? -0.0 : sqrt((double)random_below(1000)));
    intake_int(in, BORN, (int64_t)random_below(20000));
    intake_int(in, SEEN, (int64_t)random_below(1000) * 1000000);
    snprintf(text, sizeof(text), "track %d", (int)random_below(50));
    add_text(in, TRACK, text);
    if (random_below(50) == 0)
        intake_null(in, NOTE);
    else if (random_below(50) == 0)
        add_text(in, NOTE, "");
    else {
        snprintf(text, sizeof(text), "%x", (unsigned)random_below(UINT32_MAX));
        add_text(in, NOTE, text);
    }
    intake_null(in, EMPTY);
}

struct plan {
    int rows, days;
    bool sorted;       /* rows come in order of time */
    int64_t memory;    /* 0: all in memory */
    const int *order;  /* further columns to sort by */
    int n_order, step; /* how many rows are said to be complete at once */
    const struct intake_kept *kept;
    int64_t from; /* rows of earlier days are not given */
};

static int fill(struct intake *in, const struct plan *plan, uint64_t seed)
{
    random_state = seed;
    int pending = 0, r = 0;
    for (int i = 0; r == 0 && i < plan->rows; i++) {
        int64_t day = plan->sorted ? (int64_t)i * plan->days / plan->rows
                                   : (int64_t)random_below((uint64_t)plan->days);
        int64_t time = day * DATE_US_PER_DAY + (int64_t)random_below(3) * 3600000000;
        uint64_t before = random_state;
        random_state = before * 31 + 7; /* values that do not depend on which rows are left out */
        if (day >= plan->from) {
            add_values(in, time);
            pending++;
        }
        random_state = before;
        if (pending >= plan->step || (i + 1 == plan->rows && pending)) {
            r = intake_rows(in, pending, &fixture_err);
            pending = 0;
        }
    }
    return r;
}

static int make(const char *out, const struct plan *plan, uint64_t seed, char *ret_id)
{
    CLEANUP(mem_free_chars) char *dir = fixture_path(out);
    CLEANUP(build_free) struct snapshot_builder *builder = NULL;
    CLEANUP(intake_free) struct intake *in = NULL;
    struct intake_shape shape = {
        .name = "t",
        .source = "random",
        .n_columns = N_COLUMNS,
        .columns = columns,
        .time = TIME,
        .group = GROUP,
        .key = -1,
        .order = plan->order,
        .n_order = plan->n_order,
        .memory = plan->memory,
        .kept = plan->kept,
        .place = place,
    };
    fixture_err = (struct err){0};
    int r = build_open(dir, &builder, &fixture_err);
    if (r == 0)
        r = intake_open(builder, &shape, &in, &fixture_err);
    if (r == 0)
        r = fill(in, plan, seed);
    if (r == 0)
        r = intake_close(in, &fixture_err);
    return r == 0 ? build_finish(builder, ret_id, &fixture_err) : r;
}

static void must_make(const char *out, const struct plan *plan, uint64_t seed, char *ret_id)
{
    int r = make(out, plan, seed, ret_id);
    ck_assert_msg(r == 0, "%s", fixture_err.text);
    CLEANUP(snapshot_close) struct snapshot *s = fixture_open(out);
    ck_assert_msg(snapshot_verify(s, &fixture_err) == 0, "%s", fixture_err.text);
}

/* Every file of a table, byte by byte. */
static void expect_same_files(const char *a, const char *b)
{
    CLEANUP(mem_free_chars) char *x = fixture_path(a), *y = fixture_path(b);
    CLEANUP(mem_free_chars) char *xt = fs_join(x, "t"), *yt = fs_join(y, "t");
    CLEANUP(fs_list_free) struct fs_list left = {0}, right = {0};
    ck_assert_int_eq(fs_list(xt, &left, NULL), 0);
    ck_assert_int_eq(fs_list(yt, &right, NULL), 0);
    ck_assert_int_eq(left.n, right.n);
    for (size_t i = 0; i < left.n; i++) {
        ck_assert_str_eq(left.names[i], right.names[i]);
        CLEANUP(mem_free_chars)
        char *p = fs_join(xt, left.names[i]), *q = fs_join(yt, left.names[i]);
        CLEANUP(str_deinit) struct str f = {0}, g = {0};
        ck_assert_int_eq(fs_read(p, &f, NULL), 0);
        ck_assert_int_eq(fs_read(q, &g, NULL), 0);
        ck_assert_msg(f.len == g.len && memcmp(f.s, g.s, f.len) == 0, "%s differs", left.names[i]);
    }
}

START_TEST(test_rows_spooled_to_disk_become_the_same_files)
{
    static const struct plan plans[] = {
        {.rows = 4000, .days = 40, .sorted = true, .step = 1},
        {.rows = 4000, .days = 40, .sorted = false, .step = 1},
        {.rows = 4000, .days = 3, .sorted = false, .step = 77},
        {.rows = 150000, .days = 4000, .sorted = true, .step = 1000},
        {.rows = 1, .days = 1, .sorted = true, .step = 1},
    };
    for (size_t i = 0; i < sizeof(plans) / sizeof(*plans); i++) {
        CLEANUP(mem_free_chars) char *a = mem_printf("a%zu", i), *b = mem_printf("b%zu", i);
        struct plan plan = plans[i];
        char in_memory[SHA256_HEX], spooled[SHA256_HEX];
        must_make(a, &plan, i + 1, in_memory);
        plan.memory = plan.rows > 10000 ? 1 << 20 : plan.rows == 1 ? 1 : 64 << 10;
        must_make(b, &plan, i + 1, spooled);
        ck_assert_str_eq(in_memory, spooled);
        expect_same_files(a, b);
    }
    ck_assert_int_eq(fixture_leftovers(), 10);
}
END_TEST

START_TEST(test_rows_stand_in_order_of_further_columns_on_both_ways)
{
    static const int all[] = {TIME, GROUP, COUNT, PRICE, RATIO, BORN, SEEN, TRACK, NOTE, EMPTY};
    struct plan plan = {.rows = 3000, .days = 2, .step = 1, .order = all, .n_order = N_COLUMNS};
    char in_memory[SHA256_HEX], spooled[SHA256_HEX];
    must_make("a", &plan, 5, in_memory);
    plan.memory = 64 << 10;
    must_make("b", &plan, 5, spooled);
    expect_same_files("a", "b");
    CLEANUP(snapshot_close) struct snapshot *s = fixture_open("b");
    const struct column *c = s->tables[0].columns;
    for (int64_t row = 1; row < s->tables[0].rows; row++) {
        bool tie = c[TIME].i[row - 1] == c[TIME].i[row] &&
                   column_is_null(&c[GROUP], row - 1) == column_is_null(&c[GROUP], row) &&
                   c[GROUP].code[row - 1] == c[GROUP].code[row];
        ck_assert(!tie || c[COUNT].i[row - 1] <= c[COUNT].i[row]);
    }
}
END_TEST

START_TEST(test_kept_days_and_later_rows_are_as_everything_at_once)
{
    for (int days = 0; days <= 30; days += 15) {
        for (int spooled = 0; spooled < 2; spooled++) {
            CLEANUP(mem_free_chars)
            char *a = mem_printf("a%d%d", days, spooled), *b = mem_printf("b%d%d", days, spooled);
            struct plan plan = {.rows = 3000, .days = 30, .step = 10};
            char whole[SHA256_HEX], appended[SHA256_HEX];
            must_make(a, &plan, 9, whole);
            CLEANUP(snapshot_close) struct snapshot *old = fixture_open(a);
            struct intake_kept kept = {.table = &old->tables[0], .days = days};
            plan.kept = &kept;
            plan.from = days;
            plan.memory = spooled ? 64 << 10 : 0;
            must_make(b, &plan, 9, appended);
            ck_assert_str_eq(whole, appended);
            expect_same_files(a, b);
        }
    }
}
END_TEST

START_TEST(test_a_row_of_a_kept_day_is_refused)
{
    struct plan plan = {.rows = 300, .days = 30, .step = 1, .sorted = true};
    char id[SHA256_HEX];
    must_make("a", &plan, 9, id);
    CLEANUP(snapshot_close) struct snapshot *old = fixture_open("a");
    struct intake_kept kept = {.table = &old->tables[0], .days = 20};
    plan.kept = &kept;
    plan.from = 19;
    fixture_expect(make("b", &plan, 9, id), ERR_INPUT, "table t", "arrival 0", "1970-01-20");
    ck_assert_int_eq(fixture_leftovers(), 1);
}
END_TEST

/* A static table of n numbered rows, the last of which has the key of row `twice` (-1: its own). */
static int make_static(int64_t memory, int n, int twice)
{
    static const struct intake_column shape_columns[] = {{"id", TYPE_STRING, 0},
                                                         {"x", TYPE_INT, 0}};
    CLEANUP(mem_free_chars) char *dir = fixture_path("static");
    CLEANUP(build_free) struct snapshot_builder *builder = NULL;
    CLEANUP(intake_free) struct intake *in = NULL;
    struct intake_shape shape = {.name = "k",
                                 .source = "numbers",
                                 .n_columns = 2,
                                 .columns = shape_columns,
                                 .time = -1,
                                 .group = -1,
                                 .key = 0,
                                 .memory = memory,
                                 .place = place};
    int r = build_open(dir, &builder, &fixture_err);
    if (r == 0)
        r = intake_open(builder, &shape, &in, &fixture_err);
    for (int i = 0; r == 0 && i < n; i++) {
        char text[32];
        int key = i + 1 == n && twice >= 0 ? twice : i;
        snprintf(text, sizeof(text), "%d", key * 7919 % 10007); /* in no order */
        if (key == n + 1)
            intake_null(in, 0);
        else
            add_text(in, 0, text);
        intake_int(in, 1, i);
        r = intake_rows(in, 1, &fixture_err);
    }
    return r == 0 ? intake_close(in, &fixture_err) : r;
}

START_TEST(test_a_key_that_occurs_twice_is_named_with_both_places)
{
    for (int spooled = 0; spooled < 2; spooled++) {
        int64_t memory = spooled ? 64 << 10 : 0;
        ck_assert_int_eq(make_static(memory, 5000, -1), 0);
        fixture_expect(make_static(memory, 5000, 17), ERR_INPUT, "table k", "arrival 17",
                       "arrival 4999", "unique");
        fixture_expect(make_static(memory, 5000, 5001), ERR_INPUT, "table k", "arrival 4999",
                       "id is empty");
    }
    ck_assert_int_eq(fixture_leftovers(), 0);
}
END_TEST

START_TEST(test_a_time_that_is_none_and_columns_that_are_others_are_refused)
{
    CLEANUP(mem_free_chars) char *dir = fixture_path("s");
    CLEANUP(build_free) struct snapshot_builder *builder = NULL;
    ck_assert_int_eq(build_open(dir, &builder, &fixture_err), 0);
    struct intake_shape shape = {.name = "t",
                                 .n_columns = N_COLUMNS,
                                 .columns = columns,
                                 .time = COUNT,
                                 .group = -1,
                                 .key = -1};
    struct intake *in = NULL;
    fixture_expect(intake_open(builder, &shape, &in, &fixture_err), ERR_INPUT, "table t", "count",
                   "timestamp");
    struct plan plan = {.rows = 10, .days = 2, .step = 1};
    char id[SHA256_HEX];
    must_make("old", &plan, 1, id);
    CLEANUP(snapshot_close) struct snapshot *old = fixture_open("old");
    struct intake_kept kept = {.table = &old->tables[0], .days = 1};
    struct intake_column other[N_COLUMNS];
    memcpy(other, columns, sizeof(other));
    other[PRICE].scale = 3;
    shape = (struct intake_shape){.name = "t",
                                  .n_columns = N_COLUMNS,
                                  .columns = other,
                                  .time = TIME,
                                  .group = GROUP,
                                  .key = -1,
                                  .kept = &kept};
    fixture_expect(intake_open(builder, &shape, &in, &fixture_err), ERR_INPUT, "price",
                   "decimal(3)", "decimal(2)", "--append");
    other[PRICE].scale = 2;
    other[NOTE].name = "remark";
    fixture_expect(intake_open(builder, &shape, &in, &fixture_err), ERR_INPUT, "remark", "note");
}
END_TEST

/* In a child, because a limit of bytes a file cannot be taken back: a disk that is full after so
 * many bytes. 0: made; 1: failed as it should; 2: failed otherwise. */
static int make_limited(rlim_t limit)
{
    struct plan plan = {.rows = 3000, .days = 30, .step = 1, .memory = 64 << 10};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, limit});
    char id[SHA256_HEX];
    int r = make("full", &plan, 3, id);
    if (r == 0)
        return 0;
    return r == ERR_WRITE && strstr(fixture_err.text, fixture_dir) ? 1 : 2;
}

START_TEST(test_a_full_disk_is_told_and_leaves_nothing)
{
    int failed = 0;
    for (rlim_t limit = 100; limit < 1 << 20; limit = limit * 3 / 2) {
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0)
            _exit(make_limited(limit));
        int status;
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFEXITED(status));
        ck_assert_int_le(WEXITSTATUS(status), 1);
        failed += WEXITSTATUS(status);
        ck_assert_int_eq(fixture_leftovers(), WEXITSTATUS(status) ? 0 : 1);
        CLEANUP(mem_free_chars) char *dir = fixture_path("full");
        ck_assert_int_eq(fs_remove_tree(dir, NULL), 0);
    }
    ck_assert_int_gt(failed, 5);
}
END_TEST

static Suite *intake_suite(void)
{
    Suite *suite = suite_create("intake");
    TCase *tests = tcase_create("intake");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, fixture_setup, fixture_teardown);
    tcase_add_test(tests, test_rows_spooled_to_disk_become_the_same_files);
    tcase_add_test(tests, test_rows_stand_in_order_of_further_columns_on_both_ways);
    tcase_add_test(tests, test_kept_days_and_later_rows_are_as_everything_at_once);
    tcase_add_test(tests, test_a_row_of_a_kept_day_is_refused);
    tcase_add_test(tests, test_a_key_that_occurs_twice_is_named_with_both_places);
    tcase_add_test(tests, test_a_time_that_is_none_and_columns_that_are_others_are_refused);
    tcase_add_test(tests, test_a_full_disk_is_told_and_leaves_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}

UNIT_MAIN(intake_suite)

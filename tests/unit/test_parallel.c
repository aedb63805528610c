/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_parallel.c - worked on by many, taken in order by one. */
#include "unit.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/parallel.h"

enum { N = 500, THREADS = 8 };

struct state {
    atomic_int worked[N]; /* how often */
    atomic_int in_hand, most_in_hand;
    int64_t taken;
    int64_t fail_work, fail_take; /* items; negative: none */
    int slow_first_ms;
    atomic_bool stop;
    int ticks;
};

static int work(void *ctx, int64_t i, struct err *err)
{
    struct state *s = ctx;
    int now = atomic_fetch_add(&s->in_hand, 1) + 1;
    int most = atomic_load(&s->most_in_hand);
    while (now > most && !atomic_compare_exchange_weak(&s->most_in_hand, &most, now))
        ;
    if (i == 0)
        clock_sleep_ms(s->slow_first_ms);
    atomic_fetch_add(&s->worked[i], 1);
    return i == s->fail_work ? err_set(err, ERR_INPUT, "item %d", (int)i) : 0;
}

static int take(void *ctx, int64_t i, struct err *err)
{
    struct state *s = ctx;
    ck_assert_int_eq(i, s->taken);
    ck_assert_int_eq(atomic_load(&s->worked[i]), 1);
    s->taken++;
    atomic_fetch_sub(&s->in_hand, 1);
    return i == s->fail_take ? err_set(err, ERR_WRITE, "item %d", (int)i) : 0;
}

static void tick(void *ctx)
{
    ((struct state *)ctx)->ticks++;
}

static int64_t weigh(void *ctx, int64_t i)
{
    return i == 7 ? 1000 : 10;
}

static struct parallel_options usual(struct state *s)
{
    s->fail_work = s->fail_take = -1;
    return (struct parallel_options){.n = N,
                                     .threads = THREADS,
                                     .work = work,
                                     .take = take,
                                     .tick = tick,
                                     .ctx = s,
                                     .stop = &s->stop};
}

START_TEST(test_every_item_is_worked_on_once_and_taken_in_order)
{
    struct state s = {0};
    struct parallel_options options = usual(&s);
    ck_assert_int_eq(parallel_run(&options, NULL), 0);
    ck_assert_int_eq(s.taken, N);
    ck_assert(!atomic_load(&s.stop));
}
END_TEST

START_TEST(test_a_slow_first_item_does_not_fill_the_memory_with_those_behind_it)
{
    struct state s = {.slow_first_ms = 300};
    struct parallel_options options = usual(&s);
    options.max_weight = 20;
    ck_assert_int_eq(parallel_run(&options, NULL), 0);
    ck_assert_int_eq(s.taken, N);
    ck_assert_int_le(atomic_load(&s.most_in_hand), 20 + 1);
    ck_assert_int_ge(s.ticks, 1);
}
END_TEST

START_TEST(test_an_item_heavier_than_all_that_is_allowed_is_worked_on_alone)
{
    struct state s = {0};
    struct parallel_options options = usual(&s);
    options.weigh = weigh;
    options.max_weight = 50;
    ck_assert_int_eq(parallel_run(&options, NULL), 0);
    ck_assert_int_eq(s.taken, N);
    ck_assert_int_le(atomic_load(&s.most_in_hand), 6);
}
END_TEST

START_TEST(test_a_failure_of_work_ends_the_whole_and_says_why)
{
    struct state s = {0};
    struct err err = {0};
    struct parallel_options options = usual(&s);
    s.fail_work = 42;
    ck_assert_int_eq(parallel_run(&options, &err), ERR_INPUT);
    ck_assert_str_eq(err.text, "item 42");
    ck_assert_int_le(s.taken, 42 + 1);
    ck_assert(atomic_load(&s.stop));
}
END_TEST

START_TEST(test_a_failure_of_taking_ends_the_whole_too)
{
    struct state s = {0};
    struct err err = {0};
    struct parallel_options options = usual(&s);
    s.fail_take = 17;
    ck_assert_int_eq(parallel_run(&options, &err), ERR_WRITE);
    ck_assert_str_eq(err.text, "item 17");
    ck_assert_int_eq(s.taken, 18);
}
END_TEST

START_TEST(test_nothing_to_do_and_nothing_to_take_are_fine)
{
    struct state s = {0};
    struct parallel_options options = usual(&s);
    options.n = 0;
    ck_assert_int_eq(parallel_run(&options, NULL), 0);
    options.n = N;
    options.take = NULL;
    options.max_weight = INT64_MAX;
    ck_assert_int_eq(parallel_run(&options, NULL), 0);
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(atomic_load(&s.worked[i]), 1);
}
END_TEST

static Suite *parallel_suite(void)
{
    Suite *suite = suite_create("parallel");
    TCase *t = tcase_create("parallel");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_every_item_is_worked_on_once_and_taken_in_order);
    tcase_add_test(t, test_a_slow_first_item_does_not_fill_the_memory_with_those_behind_it);
    tcase_add_test(t, test_an_item_heavier_than_all_that_is_allowed_is_worked_on_alone);
    tcase_add_test(t, test_a_failure_of_work_ends_the_whole_and_says_why);
    tcase_add_test(t, test_a_failure_of_taking_ends_the_whole_too);
    tcase_add_test(t, test_nothing_to_do_and_nothing_to_take_are_fine);
    suite_add_tcase(suite, t);
    return suite;
}

UNIT_MAIN(parallel_suite)

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_fleet.c - what is left on a machine, and how runs go. */
#include "fleet/fleet.h"

#include <math.h>
#include <string.h>

#include "unit.h"

static struct machine_table *table(void)
{
    struct machine_table *table = NULL;
    const char *text = machine_table_builtin();
    struct err err = {0};
    ck_assert_msg(machine_table_parse("machines.json", text, strlen(text), &table, &err) == 0, "%s",
                  err.text);
    return table;
}

static void near(double got, double expected)
{
    ck_assert_msg(fabs(got - expected) < 1e-6 * fabs(expected) + 1e-9, "%.9f is not %.9f", got,
                  expected);
}

START_TEST(test_gke_keeps_what_its_page_says)
{
    /* The page's own cases: 4 CPUs keep 80 m; 96 keep 310 m. */
    near(machine_pod_cpus(1), 0.94);
    near(machine_pod_cpus(2), 1.93);
    near(machine_pod_cpus(4), 3.92);
    near(machine_pod_cpus(96), 95.69);
    near(machine_pod_gib(0.5), 0.5 - 255.0 / 1024 - 100.0 / 1024);
    near(machine_pod_gib(4), 3 - 100.0 / 1024);
    near(machine_pod_gib(16), 16 - 1 - 0.8 - 0.8 - 100.0 / 1024);
    near(machine_pod_gib(360), 360 - 1 - 0.8 - 0.8 - 6.72 - 232 * 0.02 - 100.0 / 1024);
}
END_TEST

START_TEST(test_the_scarcest_thing_decides_how_many_workers_fit)
{
    CLEANUP(machine_table_free) struct machine_table *t = table();
    const struct machine *m = machine_find(t, "n1-standard-96");
    enum machine_limit limit;
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(machine_workers(t, m, &(struct worker_size){1, 2}, &limit), 95);
    ck_assert_int_eq(limit, LIMIT_CPUS);
    ck_assert_int_eq(machine_workers(t, m, &(struct worker_size){1, 8}, &limit), 43);
    ck_assert_int_eq(limit, LIMIT_MEMORY);
    ck_assert_int_eq(machine_workers(t, m, &(struct worker_size){0.1, 0.1}, &limit), 98);
    ck_assert_int_eq(limit, LIMIT_PODS);
    ck_assert_int_eq(machine_workers(t, m, &(struct worker_size){200, 1}, &limit), 0);
    ck_assert_ptr_null(machine_find(t, "n9-standard-1"));
}
END_TEST

static struct fleet_outcome run(const struct fleet *fleet, int64_t keys, double seconds,
                                uint64_t seed)
{
    struct fleet_work work = {.keys = keys, .seconds = &seconds, .n_seconds = 1};
    struct fleet_outcome out;
    fleet_run(fleet, &work, seed, &out);
    return out;
}

/* 3,600 keys, 1 CPU and 2 GiB each, on machines of 96 CPUs at $0.96 an hour. With one time for a
 * key and one to boot, 38 machines take the published 20 minutes and $12.16, and the 6 machines of
 * the real run its 1.5 hours; 961 yen are $8.64 at 111.2 yen. */
START_TEST(test_the_published_case)
{
    struct fleet fleet = {.nodes = 38, .workers = 95, .usd_per_hour = 0.96, .boot_s = 500};
    struct fleet_outcome out = run(&fleet, 3600, 700, 1);
    near(out.seconds, 20 * 60);
    near(out.usd, 12.16);
    fleet.nodes = 6;
    out = run(&fleet, 3600, 700, 1);
    near(out.seconds, 1.5 * 3600);
    near(out.usd, 8.64);
    ck_assert(out.ended);
}
END_TEST

START_TEST(test_keys_of_unlike_length_are_taken_one_after_the_other)
{
    const double seconds[] = {10, 1, 1, 1};
    struct fleet fleet = {.nodes = 1, .workers = 2, .usd_per_hour = 3600, .boot_s = 5};
    struct fleet_work work = {.keys = 4, .seconds = seconds, .n_seconds = 4};
    struct fleet_outcome out;
    fleet_run(&fleet, &work, 0, &out);
    near(out.seconds, 15); /* one worker has the long key, the other the three short ones */
    near(out.usd, 15);
    work.keys = 8; /* 10 and 1 1 1 10, and then 1 1 1 */
    fleet_run(&fleet, &work, 0, &out);
    near(out.seconds, 5 + 13);
}
END_TEST

START_TEST(test_losses_cost_time_and_nothing_else)
{
    struct fleet calm = {.nodes = 4, .workers = 10, .usd_per_hour = 1, .boot_s = 60};
    struct fleet rough = calm;
    double seconds = 100;
    struct fleet_work work = {.keys = 2000, .seconds = &seconds, .n_seconds = 1};
    struct fleet_spread before, after, again;
    rough.preempted_per_hour = 2;
    fleet_simulate(&calm, &work, 7, &before);
    fleet_simulate(&rough, &work, 7, &after);
    fleet_simulate(&rough, &work, 7, &again);
    ck_assert(before.preemptions_mean == 0 && before.seconds_median == before.seconds_p90);
    near(before.seconds_median, 60 + 50 * 100);
    /* about 2 an hour of each of 4 machines during 1.5 hours */
    ck_assert(after.preemptions_mean > 8 && after.preemptions_mean < 16);
    ck_assert(after.lost_s_mean > 0 && after.ended);
    ck_assert(after.seconds_median > before.seconds_median);
    ck_assert(after.seconds_p90 >= after.seconds_median);
    near(after.usd_median, after.seconds_median * 4 / 3600);
    ck_assert(memcmp(&after, &again, sizeof(after)) == 0); /* the same seed, the same answer */
    fleet_simulate(&rough, &work, 8, &again);
    ck_assert(after.seconds_median != again.seconds_median ||
              after.lost_s_mean != again.lost_s_mean);
}
END_TEST

/* What is known by calculation: one worker that is lost at a rate of r while it needs s seconds for
 * its one key takes (e^(rs) - 1) (1/r + boot) on average, and boots once more. */
START_TEST(test_one_worker_with_losses_takes_as_long_as_theory_says)
{
    struct fleet fleet = {
        .nodes = 1, .workers = 1, .usd_per_hour = 1, .boot_s = 30, .preempted_per_hour = 36};
    double sum = 0, r = 36.0 / 3600, s = 100;
    enum { RUNS = 20000 };
    for (uint64_t seed = 0; seed < RUNS; seed++)
        sum += run(&fleet, 1, s, seed).seconds;
    double expected = 30 + (exp(r * s) - 1) * (1 / r + 30);
    ck_assert_msg(fabs(sum / RUNS - expected) < 0.03 * expected, "%f, expected %f", sum / RUNS,
                  expected);
}
END_TEST

/* A Job waits 10 s before it makes a lost pod anew, 20 the second time, and never more than 600. */
START_TEST(test_a_lost_worker_is_made_anew_after_a_delay_that_doubles)
{
    struct fleet fleet = {
        .nodes = 1, .workers = 1, .usd_per_hour = 1, .boot_s = 1, .preempted_per_hour = 60};
    for (uint64_t seed = 1; seed < 50; seed++) {
        fleet.wait_s = 0;
        struct fleet_outcome at_once = run(&fleet, 1, 100, seed);
        fleet.wait_s = 10;
        struct fleet_outcome later = run(&fleet, 1, 100, seed);
        double waits = 0;
        for (int64_t n = 0; n < later.preemptions; n++)
            waits += n < 6 ? 10 << n : 600;
        ck_assert(later.preemptions == at_once.preemptions);
        near(later.seconds, at_once.seconds + waits);
    }
}
END_TEST

START_TEST(test_what_never_ends_is_given_up)
{
    struct fleet fleet = {
        .nodes = 2, .workers = 2, .usd_per_hour = 1, .boot_s = 10, .preempted_per_hour = 3600};
    struct fleet_outcome out = run(&fleet, 10, 1000, 3);
    ck_assert(!out.ended && out.preemptions > 10);
}
END_TEST

START_TEST(test_a_table_says_what_is_wrong_in_it)
{
    static const char *const wrong[][2] = {
        {"{}", "machines"},
        {"{\"machines\": {}}", "at least one"},
        {"{\"machines\": {\"a\": {}}}", "node"},
        {"{\"node\": {\"system_cpus\": 1, \"system_memory_gib\": 1, \"pods_max\": 110, "
         "\"system_pods\": 9}, \"machines\": {\"a\": {\"cpus\": 0}}}",
         "machine a: \"cpus\""},
        {"{\"node\": {\"system_cpus\": 1, \"system_memory_gib\": 1, \"pods_max\": 110, "
         "\"system_pods\": 9}, \"machines\": {\"a\": {\"price\": 1}}}",
         "no member \"price\""},
        {"[", "line 1"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct machine_table *t = NULL;
        struct err err = {0};
        ck_assert_int_eq(machine_table_parse("t", wrong[i][0], strlen(wrong[i][0]), &t, &err),
                         ERR_INPUT);
        ck_assert_msg(strstr(err.text, wrong[i][1]) != NULL, "%s", err.text);
    }
}
END_TEST

static Suite *fleet_suite(void)
{
    Suite *suite = suite_create("fleet");
    TCase *tc = tcase_create("fleet");
    tcase_add_test(tc, test_gke_keeps_what_its_page_says);
    tcase_add_test(tc, test_the_scarcest_thing_decides_how_many_workers_fit);
    tcase_add_test(tc, test_the_published_case);
    tcase_add_test(tc, test_keys_of_unlike_length_are_taken_one_after_the_other);
    tcase_add_test(tc, test_losses_cost_time_and_nothing_else);
    tcase_add_test(tc, test_one_worker_with_losses_takes_as_long_as_theory_says);
    tcase_add_test(tc, test_a_lost_worker_is_made_anew_after_a_delay_that_doubles);
    tcase_add_test(tc, test_what_never_ends_is_given_up);
    tcase_add_test(tc, test_a_table_says_what_is_wrong_in_it);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(fleet_suite)

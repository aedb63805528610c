/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_steady.c - functions that are the same on every CPU, against wider arithmetic.
 *
 * References are computed in long double, or in __float128 where a sine near zero would need more
 * than that; errors are counted in units in the last place of the double nearest to the reference.
 */
#include "features/steady.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "unit.h"

enum { ROUNDS = 200000 };

static uint64_t random_state;

static uint64_t random_next(void)
{
    random_state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double random_between(double low, double high)
{
    return low + (high - low) * ((double)(random_next() >> 11) * 0x1p-53);
}

/* Any positive finite number: all exponents are equally likely, subnormal ones too. */
static double random_positive(void)
{
    uint64_t bits = random_next() >> 1;
    if (bits >> 52 == 0x7ff)
        bits &= UINT64_C(0x3fffffffffffffff);
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double ulp_of(double x)
{
    x = fabs(x);
    return x < DBL_MAX ? nextafter(x, INFINITY) - x : x - nextafter(x, 0);
}

static double worst; /* error so far, in ulp */

static void measure(double got, long double exact)
{
    double error = (double)(fabsl((long double)got - exact) / (long double)ulp_of((double)exact));
    worst = error > worst ? error : worst;
}

#define expect_worst(limit)                                                                        \
    ck_assert_msg(worst <= (limit) && worst > 0.3, "the largest error is %.4f ulp", worst)

START_TEST(test_exp_is_within_six_tenths_of_a_unit)
{
    random_state = 1;
    for (int round = 0; round < ROUNDS; round++) {
        double x = round % 3 == 0   ? random_between(-708, 709.7)
                   : round % 3 == 1 ? random_between(-2, 2)
                                    : ldexp(random_between(-1, 1), -(round % 60));
        measure(steady_exp(x), expl(x));
    }
    expect_worst(0.6);
}
END_TEST

START_TEST(test_exp_ends_in_infinity_and_goes_down_to_zero_through_subnormal_numbers)
{
    ck_assert(steady_exp(0) == 1 && steady_exp(-0.0) == 1);
    ck_assert(steady_exp(709.78) < DBL_MAX && steady_exp(709.78) > 1.7e308);
    ck_assert(isinf(steady_exp(709.79)) && isinf(steady_exp(1e300)) && isinf(steady_exp(INFINITY)));
    ck_assert(steady_exp(-745.13) == 0x1p-1074);
    ck_assert(steady_exp(-746) == 0 && steady_exp(-1e300) == 0 && steady_exp(-INFINITY) == 0);
    ck_assert(isnan(steady_exp(NAN)));
    random_state = 2;
    for (int round = 0; round < ROUNDS / 10; round++) {
        double x = random_between(-745, -708);
        measure(steady_exp(x), expl(x));
    }
    expect_worst(1);
}
END_TEST

START_TEST(test_ln_is_within_seven_tenths_of_a_unit)
{
    random_state = 3;
    for (int round = 0; round < ROUNDS; round++) {
        double x = round % 3 == 0   ? random_positive()
                   : round % 3 == 1 ? random_between(0.25, 4)
                                    : 1 + ldexp(random_between(-1, 1), -(round % 53));
        if (x != 1)
            measure(steady_ln(x), logl(x));
    }
    expect_worst(0.7);
}
END_TEST

START_TEST(test_log10_is_within_seven_tenths_of_a_unit)
{
    random_state = 4;
    for (int round = 0; round < ROUNDS; round++) {
        double x = round % 3 == 0   ? random_positive()
                   : round % 3 == 1 ? random_between(0.25, 4)
                                    : 1 + ldexp(random_between(-1, 1), -(round % 53));
        if (x != 1)
            measure(steady_log10(x), log10l(x));
    }
    expect_worst(0.7);
}
END_TEST

START_TEST(test_logarithms_of_powers_are_exact)
{
    double ten = 1;
    for (int i = 0; i <= 22; i++, ten *= 10)
        ck_assert_msg(steady_log10(ten) == i, "log10(1e%d) is %.17g", i, steady_log10(ten));
    for (int i = 1; i <= 22; i++) {
        double part = 1 / pow(10, i);
        ck_assert_msg(steady_log10(part) == -i, "log10(1e-%d) is %.17g", i, steady_log10(part));
    }
    for (int i = -1022; i < 1024; i++)
        ck_assert(steady_log2(ldexp(1, i)) == i);
    ck_assert(steady_ln(1) == 0 && !signbit(steady_ln(1)) && !signbit(steady_log10(1)));
    ck_assert(steady_ln(steady_exp(1)) == 1);
}
END_TEST

START_TEST(test_what_has_no_logarithm_has_none)
{
    double (*logarithms[])(double) = {steady_ln, steady_log10};
    for (int i = 0; i < 2; i++) {
        ck_assert(logarithms[i](0) == -INFINITY && logarithms[i](-0.0) == -INFINITY);
        ck_assert(isnan(logarithms[i](-1)) && isnan(logarithms[i](-INFINITY)) &&
                  isnan(logarithms[i](NAN)));
        ck_assert(logarithms[i](INFINITY) == INFINITY);
    }
}
END_TEST

/* They never turn back, not even by a bit, where a user could see it. */
START_TEST(test_exp_and_logarithms_rise)
{
    random_state = 5;
    for (int round = 0; round < ROUNDS; round++) {
        double x = round % 2 ? random_between(0.5, 2) : random_between(0, 700),
               next = nextafter(x, 1e300);
        ck_assert(steady_ln(x) <= steady_ln(next));
        ck_assert(steady_log10(x) <= steady_log10(next));
        ck_assert(steady_exp(x) <= steady_exp(next));
    }
}
END_TEST

START_TEST(test_exp2_is_within_one_unit_and_log2_within_three)
{
    random_state = 6;
    for (int round = 0; round < ROUNDS; round++) {
        double x = round % 2 ? random_between(-1021, 1023) : random_between(-2, 2);
        measure(steady_exp2(x), exp2l(x));
    }
    expect_worst(1);
    worst = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double x =
            round % 2 ? random_between(1, 1e6) : 1 + ldexp(random_between(0, 1), -(round % 53));
        if (x != 1)
            measure(steady_log2(x), log2l(x));
    }
    expect_worst(3);
}
END_TEST

/* ---- sine and cosine ---- */

/* sin(2 pi x / period), offset quarter turns further; fmodl is exact by definition. */
static __float128 sine_of(double x, double period, int offset)
{
    static const __float128 two_pi = (__float128)0x1.921fb54442d18p+2 +
                                     (__float128)0x1.1a62633145c06p-52 +
                                     (__float128)0x1.c1cd129024e09p-107;
    __float128 turn = (__float128)fmodl(x, period) / period + offset * (__float128)0.25;
    int halves = (int)(turn * 2 + (turn < 0 ? -0.5 : 0.5));
    __float128 a = (turn - (__float128)halves / 2) * two_pi, term = a, sum = a;
    for (int k = 2; k < 60; k += 2) {
        term *= -a * a / (k * (k + 1));
        sum += term;
    }
    return halves % 2 ? -sum : sum;
}

static void measure_turn(double x, double period)
{
    __float128 sine = sine_of(x, period, 0), cosine = sine_of(x, period, 1);
    __float128 of_sine = (steady_sin_turn(x, period) - sine) / ulp_of((double)sine);
    __float128 of_cosine = (steady_cos_turn(x, period) - cosine) / ulp_of((double)cosine);
    double a = fabs((double)of_sine), b = fabs((double)of_cosine);
    worst = a > worst && (double)sine != 0 ? a : worst;
    worst = b > worst && (double)cosine != 0 ? b : worst;
}

START_TEST(test_sine_and_cosine_are_within_one_and_a_half_units)
{
    static const double periods[] = {12, 7, 24, 365.25, 2.5, 1, 0.1, 1e-3, 86400, 3.14159};
    random_state = 7;
    for (int round = 0; round < ROUNDS / 2; round++) {
        double period = periods[round % 10];
        double x = round % 3 == 0   ? random_between(-1000, 1000) * period
                   : round % 3 == 1 ? random_between(-1e12, 1e12)
                                    : (double)(int64_t)random_between(-1e6, 1e6);
        measure_turn(x, period);
    }
    expect_worst(1.5);
}
END_TEST

START_TEST(test_sine_and_cosine_keep_their_figures_beside_a_zero)
{
    random_state = 8;
    for (int round = 0; round < ROUNDS / 10; round++) {
        double x = (double)(int64_t)random_between(-400, 400) * 3;
        x += ldexp(random_between(-1, 1), -(round % 40));
        measure_turn(x, 12);
    }
    expect_worst(1.5);
}
END_TEST

START_TEST(test_quarters_of_a_turn_are_exact)
{
    static const double periods[] = {12, 7, 365, 365.25, 2.5, 1, 0.1, 86400, 1e9};
    static const int sine[] = {0, 1, 0, -1};
    for (int p = 0; p < 9; p++) {
        for (int i = -4000; i <= 4000; i++) {
            double x = i * (periods[p] / 4);
            if (x / (periods[p] / 4) != i || fmod(x, periods[p] / 4) != 0)
                continue; /* such as 3 * 0.025, which is not a double */
            double s = steady_sin_turn(x, periods[p]), c = steady_cos_turn(x, periods[p]);
            ck_assert_msg(s == sine[i & 3] && c == sine[(i + 1) & 3], "%g of %g: %.17g, %.17g", x,
                          periods[p], s, c);
            ck_assert(!(s == 0 && signbit(s)) && !(c == 0 && signbit(c)));
        }
    }
    ck_assert(steady_sin_turn(-0.0, 12) == 0 && !signbit(steady_sin_turn(-0.0, 12)));
    ck_assert(steady_sin_turn(12e15 + 3 * 12, 12) == 0 && steady_cos_turn(12e15, 12) == 1);
}
END_TEST

START_TEST(test_sine_is_odd_and_cosine_even)
{
    random_state = 9;
    for (int round = 0; round < ROUNDS / 10; round++) {
        double x = random_between(0, 100);
        ck_assert(steady_sin_turn(-x, 7) == -steady_sin_turn(x, 7));
        ck_assert(steady_cos_turn(-x, 7) == steady_cos_turn(x, 7));
    }
}
END_TEST

/* The bits themselves, so that another CPU or compiler that gives others is noticed. */
START_TEST(test_the_bits_are_these)
{
    uint64_t sum = 0;
    random_state = 10;
    for (int round = 0; round < ROUNDS / 10; round++) {
        double x = random_between(0, 50),
               y[] = {steady_exp(x),  steady_ln(x),           steady_log10(x),       steady_exp2(x),
                      steady_log2(x), steady_sin_turn(x, 12), steady_cos_turn(x, 12)};
        for (int i = 0; i < 7; i++) {
            uint64_t bits;
            memcpy(&bits, &y[i], sizeof bits);
            sum = (sum ^ bits) * UINT64_C(0x100000001b3);
            sum ^= sum >> 32;
        }
    }
    ck_assert_msg(sum == UINT64_C(0x95013a6d3fc6a04d), "0x%016llx", (unsigned long long)sum);
}
END_TEST

static void setup(void)
{
    worst = 0;
}

static Suite *steady_suite(void)
{
    Suite *suite = suite_create("steady");
    TCase *tc = tcase_create("steady");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_set_timeout(tc, 120);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, test_exp_is_within_six_tenths_of_a_unit);
    tcase_add_test(tc, test_exp_ends_in_infinity_and_goes_down_to_zero_through_subnormal_numbers);
    tcase_add_test(tc, test_ln_is_within_seven_tenths_of_a_unit);
    tcase_add_test(tc, test_log10_is_within_seven_tenths_of_a_unit);
    tcase_add_test(tc, test_logarithms_of_powers_are_exact);
    tcase_add_test(tc, test_what_has_no_logarithm_has_none);
    tcase_add_test(tc, test_exp_and_logarithms_rise);
    tcase_add_test(tc, test_exp2_is_within_one_unit_and_log2_within_three);
    tcase_add_test(tc, test_sine_and_cosine_are_within_one_and_a_half_units);
    tcase_add_test(tc, test_sine_and_cosine_keep_their_figures_beside_a_zero);
    tcase_add_test(tc, test_quarters_of_a_turn_are_exact);
    tcase_add_test(tc, test_sine_is_odd_and_cosine_even);
    tcase_add_test(tc, test_the_bits_are_these);
    return suite;
}

UNIT_MAIN(steady_suite)

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* steady.h - elementary functions that give the same bits on every CPU.
 *
 * The C library picks one of several versions of exp, log, sin and their kin by what the CPU can do
 * (fused multiply-add), and these differ in the last bit. Results must not: a key that is computed
 * twice on different machines has to give equal bytes. These use IEEE additions, multiplications
 * and divisions only.
 *
 * Errors are in units in the last place (ulp), the largest met among six million arguments
 * each. tests/unit/test_steady.c tries fewer and fails above. Half an ulp is what rounding alone
 * costs. */
#ifndef FEATURES_STEADY_H
#define FEATURES_STEADY_H

/* 2^x, 0.6 ulp: 0 below the smallest normal result. x is finite and below 1024. */
double steady_exp2(double x);

/* The logarithm to base 2, 3 ulp, exact for powers of two. x is finite and at least DBL_MIN. */
double steady_log2(double x);

/* e^x, 0.6 ulp (subnormal results 0.8): 1 for 0, infinity above 709.78, below -745.13 zero, and
 * between gradually less. */
double steady_exp(double x);

/* The natural logarithm and the decimal one, 0.7 ulp, the latter exact for powers of ten: -infinity
 * of 0, NaN below. */
double steady_ln(double x);
double steady_log10(double x);

/* The sine and cosine of 2 pi x / period, 1.4 ulp, for finite x and a period that is neither 0 nor
 * near the ends of the range of doubles. At multiples of a quarter period exactly 0, 1 and -1,
 * never -0; x is reduced exactly, so that these errors hold for years of days as for the first
 * week. */
double steady_sin_turn(double x, double period);
double steady_cos_turn(double x, double period);

#endif

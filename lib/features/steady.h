/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* steady.h - elementary functions that give the same bits on every CPU.
 *
 * The C library picks one of several versions of exp2, log2 and their kin by what the CPU can do
 * (fused multiply-add), and these differ in the last bit. Results must not: a key that is computed
 * twice on different machines has to give equal bytes. These use IEEE additions, multiplications
 * and divisions only, and are within 4 units in the last place. */
#ifndef FEATURES_STEADY_H
#define FEATURES_STEADY_H

double
steady_exp2(double x); /* 0 below the smallest normal result; x must be finite and below 1024 */
double steady_log2(double x); /* x must be finite and at least DBL_MIN; exact for powers of two */

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* steady.c - exp2 and log2 from IEEE arithmetic alone. */
#include "features/steady.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static double double_from_bits(uint64_t bits)
{
    double f;
    memcpy(&f, &bits, sizeof(f));
    return f;
}

/* x = whole + j / 16 + rest, |rest| <= 1/32: 2^x = 2^whole * 2^(j/16) * e^(rest ln 2), the last
 * factor by its series, whose terms after the 7th are below 2^-59. */
double steady_exp2(double x)
{
    static const double sixteenth[16] = {
        0x1.0000000000000p+0, 0x1.0b5586cf9890fp+0, 0x1.172b83c7d517bp+0, 0x1.2387a6e756238p+0,
        0x1.306fe0a31b715p+0, 0x1.3dea64c123422p+0, 0x1.4bfdad5362a27p+0, 0x1.5ab07dd485429p+0,
        0x1.6a09e667f3bcdp+0, 0x1.7a11473eb0187p+0, 0x1.8ace5422aa0dbp+0, 0x1.9c49182a3f090p+0,
        0x1.ae89f995ad3adp+0, 0x1.c199bdd85529cp+0, 0x1.d5818dcfba487p+0, 0x1.ea4afa2a490dap+0,
    };
    if (x < -1022)
        return 0;
    int64_t sixteenths = llrint(x * 16);
    double t = (x - (double)sixteenths * 0.0625) * 0x1.62e42fefa39efp-1;
    double t2 = t * t;
    double even = t2 * (1.0 / 2 + t2 * (1.0 / 24 + t2 * (1.0 / 720)));
    double odd = t * (1.0 + t2 * (1.0 / 6 + t2 * (1.0 / 120 + t2 * (1.0 / 5040))));
    double fraction = sixteenth[sixteenths & 15];
    double scale = double_from_bits((uint64_t)((sixteenths >> 4) + 1023) << 52);
    return (fraction + fraction * (even + odd)) * scale;
}

/* x = 2^whole * m with m between sqrt(1/2) and sqrt(2); ln m = 2 artanh s, s = (m - 1) / (m + 1),
 * |s| < 0.172, by its series up to s^21, the rest being below 2^-58 of it. */
double steady_log2(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    int64_t whole = (int64_t)(bits >> 52) - 1023;
    double m = double_from_bits((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
    if (m > 0x1.6a09e667f3bcdp+0) {
        m *= 0.5;
        whole++;
    }
    double s = (m - 1) / (m + 1), s2 = s * s, s4 = s2 * s2;
    double one = 0,
           three = 0; /* terms 1/5, 1/9 ... and 1/3, 1/7 ...: two chains take half the time */
    for (int k = 19; k >= 3; k -= 4) {
        one = (one + 1.0 / (k + 2)) * s4;
        three = three * s4 + 1.0 / k;
    }
    double series = one + three * s2;
    return (double)whole + (s + s * series) * 0x1.71547652b82fep+1; /* 2 / ln 2 */
}

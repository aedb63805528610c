/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* steady.c - exponentials, logarithms, sine and cosine from IEEE arithmetic alone.
 *
 * Where a result must not lose more than its rounding, a number is kept as the sum hi + lo of two
 * doubles, lo being below half a unit in the last place of hi. Series are Taylor's, cut where the
 * next term cannot change a double. */
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

/* ---- sums of two doubles ---- */

struct pair {
    double hi, lo;
};

/* a + b exactly, whichever is larger (Knuth). */
static struct pair sum_exact(double a, double b)
{
    double hi = a + b, from_b = hi - a;
    return (struct pair){hi, (a - (hi - from_b)) + (b - from_b)};
}

/* a * b exactly, by halves of 26 bits (Dekker); both below 2^970. */
static struct pair product_exact(double a, double b)
{
    double split_a = a * 0x1.0000002p+27, split_b = b * 0x1.0000002p+27;
    double a1 = split_a - (split_a - a), b1 = split_b - (split_b - b);
    double a2 = a - a1, b2 = b - b1, hi = a * b;
    return (struct pair){hi, ((a1 * b1 - hi) + a1 * b2 + a2 * b1) + a2 * b2};
}

/* ---- exponentials ---- */

/* 2^(j/16) in two parts. */
static const struct pair sixteenth[16] = {
    {0x1.0000000000000p+0, 0},
    {0x1.0b5586cf9890fp+0, 0x1.8a62e4adc610bp-54},
    {0x1.172b83c7d517bp+0, -0x1.19041b9d78a76p-55},
    {0x1.2387a6e756238p+0, 0x1.9b07eb6c70573p-54},
    {0x1.306fe0a31b715p+0, 0x1.6f46ad23182e4p-55},
    {0x1.3dea64c123422p+0, 0x1.ada0911f09ebcp-55},
    {0x1.4bfdad5362a27p+0, 0x1.d4397afec42e2p-56},
    {0x1.5ab07dd485429p+0, 0x1.6324c054647adp-54},
    {0x1.6a09e667f3bcdp+0, -0x1.bdd3413b26456p-54},
    {0x1.7a11473eb0187p+0, -0x1.41577ee04992fp-55},
    {0x1.8ace5422aa0dbp+0, 0x1.6e9f156864b27p-54},
    {0x1.9c49182a3f090p+0, 0x1.c7c46b071f2bep-56},
    {0x1.ae89f995ad3adp+0, 0x1.7a1cd345dcc81p-54},
    {0x1.c199bdd85529cp+0, 0x1.11065895048ddp-55},
    {0x1.d5818dcfba487p+0, 0x1.2ed02d75b3707p-55},
    {0x1.ea4afa2a490dap+0, -0x1.e9c23179c2893p-54},
};

/* 2^(j/16) * e^t for |t| <= 0.022; the series' terms after the 7th are below 2^-59. */
static double sixteenth_times_exp(int64_t j, double t)
{
    double t2 = t * t;
    double even = t2 * (1.0 / 2 + t2 * (1.0 / 24 + t2 * (1.0 / 720)));
    double odd = t * (1.0 + t2 * (1.0 / 6 + t2 * (1.0 / 120 + t2 * (1.0 / 5040))));
    struct pair f = sixteenth[j & 15];
    return f.hi + (f.lo + f.hi * (even + odd));
}

static double power_of_two(int64_t exponent) /* -1022 .. 1023 */
{
    return double_from_bits((uint64_t)(exponent + 1023) << 52);
}

/* x = whole + j / 16 + rest, |rest| <= 1/32: 2^x = 2^whole * 2^(j/16) * e^(rest ln 2). */
double steady_exp2(double x)
{
    if (x < -1022)
        return 0;
    int64_t sixteenths = llrint(x * 16);
    double t = (x - (double)sixteenths * 0.0625) * 0x1.62e42fefa39efp-1;
    return sixteenth_times_exp(sixteenths, t) * power_of_two(sixteenths >> 4);
}

/* x = (16 whole + j) * ln 2 / 16 + rest. The first part of ln 2 / 16 has 36 bits, so that its
 * product with a number of 15 is exact. */
double steady_exp(double x)
{
    if (x != x)
        return x;
    if (x > 709.8)
        return INFINITY;
    if (x < -745.2)
        return 0;
    int64_t sixteenths = llrint(x * 0x1.71547652b82fep+4);
    double n = (double)sixteenths;
    double t = (x - n * 0x1.62e42fefap-5) - n * 0x1.cf79abc9e3b3ap-44;
    int64_t whole = sixteenths >> 4, half = whole / 2; /* 2^whole itself may be out of range */
    return sixteenth_times_exp(sixteenths, t) * power_of_two(half) * power_of_two(whole - half);
}

/* ---- logarithms ---- */

/* x = 2^whole * m with m between sqrt(1/2) and sqrt(2); x normal and positive. */
static double mantissa(double x, int64_t *ret_whole)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    double m = double_from_bits((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
    *ret_whole = (int64_t)(bits >> 52) - 1023;
    if (m <= 0x1.6a09e667f3bcdp+0)
        return m;
    ++*ret_whole;
    return m * 0.5;
}

/* artanh(s) / s - 1 = s^2 / 3 + s^4 / 5 ... for |s| < 0.172, up to s^20; the rest is below 2^-58.
 */
static double artanh_series(double s)
{
    double s2 = s * s, s4 = s2 * s2, s8 = s4 * s4;
    double low = 1.0 / 3 + s2 * (1.0 / 5) + s4 * (1.0 / 7 + s2 * (1.0 / 9));
    double middle = 1.0 / 11 + s2 * (1.0 / 13) + s4 * (1.0 / 15 + s2 * (1.0 / 17));
    return s2 * (low + s8 * (middle + s8 * (1.0 / 19 + s2 * (1.0 / 21))));
}

/* ln m = 2 artanh s, s = (m - 1) / (m + 1). */
double steady_log2(double x)
{
    int64_t whole;
    double m = mantissa(x, &whole), s = (m - 1) / (m + 1);
    return (double)whole + (s + s * artanh_series(s)) * 0x1.71547652b82fep+1; /* 2 / ln 2 */
}

/* With f = m - 1, which is exact, s = f / (2 + f) is f/2 - s f/2, so that
 *
 *     ln m = 2 s + 2 s series = f - f^2 / 2 + s (f^2 / 2 + 2 series)
 *
 * The first two terms are kept in two parts, the last is small. x normal and positive. */
static struct pair ln_normal(double x)
{
    int64_t whole;
    double f = mantissa(x, &whole) - 1, s = f / (2 + f), n = (double)whole;
    struct pair square = product_exact(f, f * 0.5);
    struct pair ln_m = sum_exact(f, -square.hi);
    ln_m.lo += s * (square.hi + 2 * artanh_series(s)) - square.lo;
    struct pair all =
        sum_exact(n * 0x1.62e42fefa38p-1, ln_m.hi); /* ln 2: 42 bits, times 11 exact */
    return sum_exact(all.hi, all.lo + (ln_m.lo + n * 0x1.ef35793c7673p-45));
}

/* Also for what has no logarithm, and for subnormal numbers. */
static struct pair ln_pair(double x)
{
    if (!(x > 0))
        return (struct pair){x == 0 ? -INFINITY : NAN, 0};
    if (x == INFINITY)
        return (struct pair){x, 0};
    if (x >= 0x1p-1022)
        return ln_normal(x);
    struct pair ln = ln_normal(x * 0x1p+54);
    struct pair all = sum_exact(ln.hi, -54 * 0x1.62e42fefa38p-1);
    return (struct pair){all.hi, all.lo + (ln.lo - 54 * 0x1.ef35793c7673p-45)};
}

double steady_ln(double x)
{
    struct pair ln = ln_pair(x);
    return ln.hi + ln.lo;
}

double steady_log10(double x)
{
    struct pair ln = ln_pair(x);
    if (isinf(ln.hi))
        return ln.hi;
    struct pair log = product_exact(ln.hi, 0x1.bcb7b1526e50ep-2); /* 1 / ln 10 */
    return log.hi + (log.lo + ln.hi * 0x1.95355baaafad3p-57 + ln.lo * 0x1.bcb7b1526e50ep-2);
}

/* ---- sine and cosine ---- */

/* A quarter turn, counted from 0 to 3, and what is beyond or short of it, in turns up to an eighth.
 */
struct quarter {
    int number;
    double rest;
};

/* All but the last division is exact: a remainder is by definition, so are the products with -2 ..
 * 2, and so is the difference of two numbers that are so close. */
static struct quarter quarter_of(double x, double period)
{
    double rest = remainder(x, period), quarter = period * 0.25;
    double number = rint(rest / quarter);
    return (struct quarter){(int)number & 3, (rest - number * quarter) / period};
}

/* sin a and cos a for a = hi + lo, |a| <= pi / 4; the terms left out are below 2^-58. */
static double sin_pair(struct pair a)
{
    double z = a.hi * a.hi, z2 = z * z, z4 = z2 * z2;
    double first = -1.0 / 6 + z * (1.0 / 120) + z2 * (-1.0 / 5040 + z * (1.0 / 362880));
    double rest = -1.0 / 39916800 + z * (1.0 / 6227020800) +
                  z2 * (-1.0 / 1307674368000 + z * (1.0 / 355687428096000));
    double tail = z * (first + z4 * rest);
    return a.hi + (a.hi * tail + a.lo * (1 - z * 0.5));
}

static double cos_pair(struct pair a)
{
    double z = a.hi * a.hi, half = z * 0.5, z2 = z * z, z4 = z2 * z2;
    double first = 1.0 / 24 + z * (-1.0 / 720) + z2 * (1.0 / 40320 + z * (-1.0 / 3628800));
    double rest = 1.0 / 479001600 + z * (-1.0 / 87178291200) +
                  z2 * (1.0 / 20922789888000 + z * (-1.0 / 6402373705728000));
    double w = 1 - half;
    return w + (((1 - w) - half) + (z2 * (first + z4 * rest) - a.hi * a.lo));
}

static double sin_of_quarter(struct quarter q)
{
    struct pair a = product_exact(q.rest, 0x1.921fb54442d18p+2); /* 2 pi */
    a.lo += q.rest * 0x1.1a62633145c07p-52;
    double y = q.number & 1 ? cos_pair(a) : sin_pair(a);
    return (q.number & 2 ? -y : y) + 0.0;
}

double steady_sin_turn(double x, double period)
{
    return sin_of_quarter(quarter_of(x, period));
}

double steady_cos_turn(double x, double period)
{
    struct quarter q = quarter_of(x, period);
    q.number = (q.number + 1) & 3;
    return sin_of_quarter(q);
}

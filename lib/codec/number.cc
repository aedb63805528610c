/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* number.cc - the one C++ file: std::to_chars has no equal in C. */
#include "codec/number.h"

#include <charconv>
#include <cmath>
#include <cstring>

namespace
{

/* Below it whole numbers are short decimals, with room for two places in 15 digits. */
constexpr double SHORT_BELOW = 1e13;

/* m / Scale in plain digits. A template, so that the division is by a constant. */
template <int Scale> size_t put_plain(char *buf, bool negative, int64_t m)
{
    char *p = buf;
    if (negative)
        *p++ = '-';
    p = std::to_chars(p, buf + NUMBER_TEXT, m / Scale).ptr;
    int rest = static_cast<int>(m % Scale);
    *p++ = '.';
    if (Scale == 100)
        *p++ = static_cast<char>('0' + rest / 10);
    *p++ = static_cast<char>('0' + rest % 10);
    return static_cast<size_t>(p - buf);
}

/* Whole numbers and those with one or two places are most of what is written, and need no
 * search for the shortest form: a decimal of at most 15 digits names one double only, so if
 * the division gives the value back, its digits are the shortest. */
size_t put_short_decimal(double value, char *buf)
{
    double size = std::fabs(value);
    if (!(size < SHORT_BELOW))
        return 0;
    bool negative = std::signbit(value);
    int64_t tenths = static_cast<int64_t>(size * 10 + 0.5);
    if (static_cast<double>(tenths) / 10 == size)
        return put_plain<10>(buf, negative, tenths);
    int64_t hundredths = static_cast<int64_t>(size * 100 + 0.5);
    if (static_cast<double>(hundredths) / 100 == size)
        return put_plain<100>(buf, negative, hundredths);
    return 0;
}

} // namespace

size_t number_f64(double value, char *buf)
{
    size_t n = put_short_decimal(value, buf);
    if (n)
        return n;
    n = static_cast<size_t>(std::to_chars(buf, buf + NUMBER_TEXT - 2, value).ptr - buf);
    if (std::fabs(value) >= SHORT_BELOW && !std::memchr(buf, '.', n) && !std::memchr(buf, 'e', n)) {
        buf[n++] = '.';
        buf[n++] = '0';
    }
    return n;
}

size_t number_i64(int64_t value, char *buf)
{
    return static_cast<size_t>(std::to_chars(buf, buf + NUMBER_TEXT, value).ptr - buf);
}

double number_from_f32(float value)
{
    char digits[NUMBER_TEXT];
    const char *end = std::to_chars(digits, digits + NUMBER_TEXT, value).ptr;
    double result = 0;
    std::from_chars(digits, end, result);
    return result;
}

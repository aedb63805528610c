/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* number.h - doubles and integers as text.
 *
 * Doubles in the shortest form that reads back as the same double (std::to_chars),
 * always recognisable as a double: 2.0, 0.1, 1e+22. */
#ifndef CODEC_NUMBER_H
#define CODEC_NUMBER_H

#include <stddef.h>
#include <stdint.h>

enum { NUMBER_TEXT = 32 };
#ifdef __cplusplus
extern "C" {
#endif
/* Both write at most NUMBER_TEXT bytes, without a NUL, and return how many. */
size_t number_f64(double value, char *buf); /* value is finite */
size_t number_i64(int64_t value, char *buf);
/* The double that reads as the shortest digits which name this float: 0.1f is 0.1, where widening
 * would give 0.10000000149011612. Different floats give different doubles. */
double number_from_f32(float value); /* value is finite */
#ifdef __cplusplus
}
#endif

#endif

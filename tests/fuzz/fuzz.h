/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz.h - what a fuzz target is: one function that must survive any bytes.
 *
 * libFuzzer brings its own main. Without it replay.c is the main, and the same target is a
 * plain test over the files of its corpus. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

__attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz_http.c - any bytes as an answer: what is found in it lies in it, and what is said of it is a
 * short line of text. */
#include "fuzz.h"

#include "base/utf8.h"
#include "http/http.h"

enum { LONGEST = 400 };

static void check_line(const struct str *line)
{
    if (line->len > LONGEST || !utf8_valid(line->s, line->len))
        __builtin_trap();
    for (size_t i = 0; i < line->len; i++)
        if ((unsigned char)line->s[i] < 0x20 || line->s[i] == 0x7f)
            __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const names[] = {"location", "etag", "x-goog-hash", "range", "a"};
    CLEANUP(http_answer_deinit) struct http_answer answer = {.status = 403};
    CLEANUP(str_deinit) struct str line = {0};
    CLEANUP(str_deinit) struct str value = {0};
    int64_t ahead_s;
    size_t half = len / 2;
    str_add(&answer.headers, data, half);
    str_add(&answer.body, data + half, len - half);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (http_header(&answer, names[i], &value) && value.len > half)
            __builtin_trap();
    http_clock_ahead(&answer, &ahead_s);
    http_words(&answer, &line);
    check_line(&line);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* str.c - growing strings, whole-string numbers, and the nearest word. */
#include "base/str.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

void str_deinit(struct str *str)
{
    free(str->s);
    *str = (struct str){0};
}

void str_reserve(struct str *str, size_t more)
{
    size_t need;
    if (__builtin_add_overflow(str->len, more, &need) || __builtin_add_overflow(need, 1, &need))
        mem_exhausted();
    bool fresh = !str->s;
    str->s = mem_grow(str->s, &str->cap, need, 1);
    if (fresh)
        str->s[0] = '\0';
}

void str_add(struct str *str, const void *data, size_t len)
{
    str_reserve(str, len);
    if (len)
        memcpy(str->s + str->len, data, len);
    str->len += len;
    str->s[str->len] = '\0';
}

void str_addz(struct str *str, const char *s)
{
    str_add(str, s, strlen(s));
}

void str_addc(struct str *str, char c)
{
    str_add(str, &c, 1);
}

void str_addf(struct str *str, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n > 0) {
        str_reserve(str, (size_t)n);
        vsnprintf(str->s + str->len, (size_t)n + 1, fmt, again);
        str->len += (size_t)n;
    }
    va_end(again);
}

void str_clear(struct str *str)
{
    str->len = 0;
    if (str->s)
        str->s[0] = '\0';
}

char *str_take(struct str *str)
{
    str_reserve(str, 0);
    char *s = str->s;
    *str = (struct str){0};
    return s;
}

bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t len = strlen(s), n = strlen(suffix);
    return len >= n && memcmp(s + len - n, suffix, n) == 0;
}

bool str_to_i64(const char *s, int64_t *ret)
{
    bool negative = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    if (!*s)
        return false;
    int64_t value = 0; /* counted downwards, where there is room for INT64_MIN */
    for (; *s; s++) {
        if (*s < '0' || *s > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, *s - '0', &value))
            return false;
    }
    if (!negative && value == INT64_MIN)
        return false;
    *ret = negative ? value : -value;
    return true;
}

static const char *skip_digits(const char *s, int *count)
{
    for (; *s >= '0' && *s <= '9'; s++)
        (*count)++;
    return s;
}

/* [sign] digits [. digits] [e [sign] digits]: strtod also takes hex, "inf" and blanks. */
static bool is_decimal(const char *s)
{
    int digits = 0;
    s = skip_digits(s + (*s == '-' || *s == '+'), &digits);
    if (*s == '.')
        s = skip_digits(s + 1, &digits);
    if (digits == 0)
        return false;
    if (*s == 'e' || *s == 'E') {
        int exponent = 0;
        s++;
        s = skip_digits(s + (*s == '-' || *s == '+'), &exponent);
        if (exponent == 0)
            return false;
    }
    return *s == '\0';
}

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void c_locale_init(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c_locale)
        mem_exhausted();
}

bool str_to_f64(const char *s, double *ret)
{
    if (!is_decimal(s))
        return false;
    pthread_once(&c_locale_once, c_locale_init);
    double value = strtod_l(s, NULL, c_locale);
    if (!isfinite(value))
        return false;
    *ret = value;
    return true;
}

enum { WORD_MAX = 64 };

/* Edit distance with swaps of neighbours counted once (optimal string alignment). */
static int edit_distance(const char *a, const char *b)
{
    int n = (int)strlen(b);
    int rows[3][WORD_MAX + 1];
    int *two = rows[0], *one = rows[1], *now = rows[2];
    for (int j = 0; j <= n; j++)
        now[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int *spare = two;
        two = one;
        one = now;
        now = spare;
        now[0] = i;
        for (int j = 1; j <= n; j++) {
            int best = one[j - 1] + (a[i - 1] != b[j - 1]);
            best = one[j] + 1 < best ? one[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                two[j - 2] + 1 < best)
                best = two[j - 2] + 1;
            now[j] = best;
        }
    }
    return now[n];
}

const char *str_nearest(const char *word, const char *const *candidates, size_t n)
{
    size_t len = strlen(word);
    if (len == 0 || len > WORD_MAX)
        return NULL;
    int limit = 1 + (int)len / 4; /* one slip, and one more per four letters */
    const char *nearest = NULL;
    for (size_t i = 0; i < n; i++) {
        if (strlen(candidates[i]) > WORD_MAX)
            continue;
        int distance = edit_distance(word, candidates[i]);
        if (distance <= limit && distance < (int)len) {
            nearest = candidates[i];
            limit = distance - 1;
        }
    }
    return nearest;
}

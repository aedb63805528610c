/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* mem.c - memory that is always there: the one place in lib/ that may end the process. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* write(2) and _exit: neither needs memory, and no atexit handler may run now. */
void mem_exhausted(void)
{
    static const char words[] =
        "hiwari: out of memory; give it more, or fewer threads and workers\n";
    ssize_t ignored = write(STDERR_FILENO, words, sizeof(words) - 1);
    (void)ignored;
    _exit(70);
}

static size_t size_product(size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        mem_exhausted();
    return bytes;
}

void *mem_alloc(size_t bytes)
{
    void *p = malloc(bytes ? bytes : 1);
    if (!p)
        mem_exhausted();
    return p;
}

void *mem_zalloc(size_t bytes)
{
    void *p = calloc(1, bytes ? bytes : 1);
    if (!p)
        mem_exhausted();
    return p;
}

void *mem_realloc(void *p, size_t bytes)
{
    void *q = realloc(p, bytes ? bytes : 1);
    if (!q)
        mem_exhausted();
    return q;
}

void *mem_array(size_t n, size_t size)
{
    return mem_alloc(size_product(n, size));
}

void *mem_grow(void *p, size_t *cap, size_t need, size_t size)
{
    if (p && need <= *cap)
        return p;
    size_t n = *cap < 8 ? 8 : *cap;
    while (n < need)
        n = size_product(n, 2);
    p = mem_realloc(p, size_product(n, size));
    *cap = n;
    return p;
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

char *mem_strndup(const char *s, size_t len)
{
    char *copy = mem_alloc(len + 1);
    if (len)
        memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *mem_printf(const char *fmt, ...)
{
    char *s = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&s, fmt, args);
    va_end(args);
    if (n < 0)
        mem_exhausted();
    return s;
}

void mem_free_chars(char *s)
{
    free(s);
}

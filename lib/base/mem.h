/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* mem.h - memory that is always there, and cleanup at the end of a scope.
 *
 * Running out of memory ends the process with a message and exit code 70: a
 * worker's leases then run out and its keys are waiting again. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

void *mem_alloc(size_t bytes);  /* not zeroed; never NULL */
void *mem_zalloc(size_t bytes); /* zeroed */
void *mem_realloc(void *p, size_t bytes);
void *mem_array(size_t n, size_t size);                         /* n * size, checked for overflow */
void *mem_grow(void *p, size_t *cap, size_t need, size_t size); /* doubles until cap >= need */
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t len);
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* For the allocations of other libraries that fail: what the functions above do then. */
void mem_exhausted(void) __attribute__((noreturn));

#define MEM_NEW(type) ((type *)mem_zalloc(sizeof(type)))
#define MEM_ARRAY(type, n) ((type *)mem_array((n), sizeof(type)))

/* MEM_CLEANUP(queue_free, struct queue *) defines what CLEANUP(queue_free) calls
 * at the end of the scope; queue_free itself must accept NULL. */
#define MEM_CLEANUP(fn, type)                                                                      \
    static inline void fn##_at_exit(type *p)                                                       \
    {                                                                                              \
        fn(*p);                                                                                    \
    }                                                                                              \
    struct mem_cleanup_needs_a_semicolon
/* The same for things that live in the caller's storage: str_deinit(struct str *). */
#define MEM_CLEANUP_VALUE(fn, type)                                                                \
    static inline void fn##_at_exit(type *p)                                                       \
    {                                                                                              \
        fn(p);                                                                                     \
    }                                                                                              \
    struct mem_cleanup_needs_a_semicolon
#define CLEANUP(fn) __attribute__((cleanup(fn##_at_exit)))

MEM_CLEANUP(free, void *); /* CLEANUP(free) void *p; for char *, use CLEANUP(mem_free_chars) */
void mem_free_chars(char *s);
MEM_CLEANUP(mem_free_chars, char *);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* store_driver.h - what one kind of destination must be able to do. For lib/store only.
 *
 * A driver's own struct begins with struct store. Names have been checked when a
 * driver is called; the contracts are those of store.h. */
#ifndef STORE_STORE_DRIVER_H
#define STORE_STORE_DRIVER_H

#include <stdatomic.h>

#include "store/store.h"

/* Which bytes of an object: len of them from offset on; a negative offset counts from the end. */
struct store_span {
    int64_t offset, len;
};

struct store_driver {
    const char *scheme; /* "file" */
    const char *form; /* for messages: "file:///folder"; NULL: another spelling of the one before */
    bool asks_again;  /* store_asks_again's answer */
    bool takes_pieces; /* put can be given content in place of data */
    int parallel;      /* store_parallel's answer */
    int64_t max_bytes; /* of an object; 0: no limit that anybody reaches */
    /* rest is what follows "scheme://"; create: it may be made. *ret is on the heap, with driver
     * and url filled in. */
    int (*open)(const char *rest, bool create, struct store **ret, struct err *err);
    void (*close)(struct store *store);
    void (*stop)(struct store *store); /* NULL: nothing ever waits */
    int (*put)(struct store *store, const struct store_upload *upload, int64_t *ret_generation,
               struct err *err);
    int (*get)(struct store *store, const char *name, struct store_span span, struct str *ret,
               int64_t *ret_generation, struct err *err);
    int (*remove)(struct store *store, const char *name, int64_t expect, struct err *err);
    /* In order; names outside of the range do no harm. */
    int (*list)(struct store *store, struct store_range range, store_list_fn *fn, void *ctx,
                struct err *err);
    int (*probe)(struct store *store, struct err *err); /* NULL: it honours preconditions */
};

struct store {
    const struct store_driver *driver;
    char *url; /* canonical; owned */
    atomic_int_fast64_t patience_ms;
    atomic_bool unconditional;
};

enum { STORE_PATIENCE_MS = 60000 };
/* The monotonic time at which an operation that moves so many bytes is given up. */
int64_t store_deadline(const struct store *store, size_t bytes);

/* ERR_CONFIG when nothing is there: what store_open_existing means where there are no folders. */
int store_check_there(struct store *store, struct err *err);

extern const struct store_driver store_file_driver;
extern const struct store_driver store_gcs_driver;
extern const struct store_driver store_s3_driver, store_s3_http_driver, store_s3_https_driver;

#endif

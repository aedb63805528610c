/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* store_tool.c - one operation of store.h, for tests that play the other side.
 *
 *   store_tool URL PATIENCE_MS put NAME FILE EXPECT [LABEL]   get NAME FILE [OFFSET LEN]
 *                              delete NAME EXPECT             list [FROM [TO]]   probe     open
 *                              hole NAME BYTES    (a put of so many bytes, all 0)
 *
 * Prints one line: "ok GENERATION", "absent", "changed", "unconditional" or "failed CODE: words";
 * list prints a line "NAME BYTES GENERATION LABEL" for each object first. Exits 0 but for usage. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/fs.h"
#include "store/store.h"

static int say(int r, int64_t generation, const struct err *err)
{
    static const char *const answers[] = {"ok", "absent", "changed", "unconditional"};
    if (r < 0)
        printf("failed %d: %s\n", r, err->text);
    else
        printf("%s %" PRId64 "\n", answers[r], generation);
    return 0;
}

static int put(struct store *store, char **args, int n)
{
    struct err err = {0};
    CLEANUP(str_deinit) struct str data = {0};
    int64_t generation = 0, expect = atoll(args[2]);
    int r = fs_read(args[1], &data, &err);
    struct store_upload upload = {.name = args[0],
                                  .data = data.s ? data.s : "",
                                  .len = data.len,
                                  .expect = expect,
                                  .label = n > 3 ? args[3] : NULL};
    if (r == 0)
        r = store_upload(store, &upload, &generation, &err);
    return say(r, generation, &err);
}

static int hole(struct store *store, char **args)
{
    struct err err = {0};
    int64_t generation = 0;
    size_t len = (size_t)atoll(args[1]);
    void *data = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED)
        return 1;
    int r = store_put(store, args[0], data, len, STORE_EXPECT_NOTHING, &generation, &err);
    munmap(data, len);
    return say(r, generation, &err);
}

static int get(struct store *store, char **args, int n)
{
    struct err err = {0};
    CLEANUP(str_deinit) struct str data = {0};
    int64_t generation = 0;
    int r = n > 3 ? store_get_part(store, args[0], atoll(args[2]), atoll(args[3]), &data,
                                   &generation, &err)
                  : store_get(store, args[0], n > 2 ? (size_t)atoll(args[2]) : 0, &data,
                              &generation, &err);
    if (r == 0)
        r = fs_write(args[1], data.s ? data.s : "", data.len, &err);
    return say(r, generation, &err);
}

static int show(void *ctx, const struct store_object *object, struct err *err)
{
    printf("%s %" PRId64 " %" PRId64 " %s\n", object->name, object->bytes, object->generation,
           object->label ? object->label : "-");
    return 0;
}

static int act(struct store *store, const char *verb, char **args, int n)
{
    struct err err = {0};
    if (strcmp(verb, "put") == 0 && n >= 3)
        return put(store, args, n);
    if (strcmp(verb, "hole") == 0 && n >= 2)
        return hole(store, args);
    if (strcmp(verb, "get") == 0 && n >= 2)
        return get(store, args, n);
    if (strcmp(verb, "delete") == 0 && n == 2)
        return say(store_delete(store, args[0], atoll(args[1]), &err), 0, &err);
    if (strcmp(verb, "list") == 0 && n <= 2) {
        const struct store_range range = {n > 0 ? args[0] : NULL, n > 1 ? args[1] : NULL};
        return say(store_list(store, range, show, NULL, &err), 0, &err);
    }
    if (strcmp(verb, "probe") == 0)
        return say(store_probe(store, &err), 0, &err);
    if (strcmp(verb, "open") == 0)
        return say(0, 0, &err);
    return 64;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    CLEANUP(store_close) struct store *store = NULL;
    if (argc < 4)
        return 64;
    int r = store_open(argv[1], &store, &err);
    if (r < 0)
        return say(r, 0, &err);
    store_set_patience(store, atoll(argv[2]));
    return act(store, argv[3], argv + 4, argc - 4);
}

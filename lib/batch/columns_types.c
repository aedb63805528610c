/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* columns_types.c - numpy's names of types, as columns_file.c writes them. */
#include "batch/columns_types.h"

#include "batch/columns_file.h"
#include "codec/json.h"

enum { WIDEST = 1 << 20 }; /* characters; a longer string is not a column's usual value */

void columns_types_deinit(struct columns_types *types)
{
    for (int i = 0; i < types->n; i++)
        free((char *)types->hints[i].name);
    free(types->hints);
    *types = (struct columns_types){0};
}

/* False for a type that results do not have. */
static bool parse_dtype(const char *dtype, struct npz_hint *hint)
{
    static const struct {
        const char *dtype;
        enum type type;
    } known[] = {{"int64", TYPE_INT},
                 {"float64", TYPE_FLOAT},
                 {"float32", TYPE_FLOAT},
                 {"datetime64[D]", TYPE_DATE},
                 {"datetime64[us]", TYPE_TIMESTAMP}};
    int64_t width;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(dtype, known[i].dtype) == 0) {
            hint->type = known[i].type;
            hint->float32 = strcmp(dtype, "float32") == 0;
            return true;
        }
    }
    if (!str_starts(dtype, "<U") || !str_to_i64(dtype + 2, &width) || width < 1 || width > WIDEST)
        return false;
    hint->type = TYPE_STRING;
    hint->max_chars = (int32_t)width;
    return true;
}

int columns_types_parse(const char *text, size_t len, const char *spec_sha256,
                        struct columns_types *ret, struct err *err)
{
    CLEANUP(json_free) struct json *root = NULL;
    const char *spec, *name, *dtype;
    int r = json_parse(BATCH_COLUMNS, text, len, &root, err);
    if (r == 0)
        r = json_need_string(root, "spec", &spec, err);
    if (r < 0)
        return r;
    const struct json *columns = json_get(root, "columns");
    if (!columns || json_type(columns) != JSON_ARRAY)
        return err_set(err, ERR_INPUT, BATCH_COLUMNS " has no list of columns");
    if (strcmp(spec, spec_sha256) != 0)
        return 0;
    size_t room = (size_t)ret->n + (size_t)json_size(columns) + 1;
    ret->hints = mem_realloc(ret->hints, room * sizeof(*ret->hints));
    for (const struct json *c = json_first(columns); c; c = json_next(c)) {
        struct npz_hint hint = {0};
        if (json_need_string(c, "name", &name, err) < 0 ||
            json_need_string(c, "dtype", &dtype, err) < 0)
            return ERR_INPUT;
        if (!parse_dtype(dtype, &hint))
            continue;
        hint.name = mem_strdup(name);
        ret->hints[ret->n++] = hint;
    }
    return 0;
}

int columns_types_read(struct store *store, const char *spec_sha256, struct columns_types *ret,
                       struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    int r = store_get(store, BATCH_COLUMNS, 0, &text, NULL, err);
    if (r != 0)
        return r < 0 ? r : 0;
    r = columns_types_parse(text.s, text.len, spec_sha256, ret, err);
    return r < 0 ? err_prefix(err, "%s", store_url(store)) : 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz_index.c - a damaged index: mapped, or refused with words; and damage that is not covered up
 * by new checksums is always found by index_verify.
 *
 * The input says how a small good index is damaged: see damage.h. */
#include "damage.h"

#include "codec/json.h"
#include "features/index.h"

enum { ROWS = 6 };

static int32_t codes[ROWS] = {1, 0, 1, 2, 0, 1};
static int64_t days[ROWS] = {19000, 19000, 19001, 19005, 19040, 19040};
static double prices[ROWS] = {1.25, -0.5, 0, 9.99, 0.07, 0.07};
static uint8_t there[ROWS] = {1, 1, 0, 1, 1, 1};
static int64_t offsets[] = {0, 1, 3, 6};
static struct column horse = {.name = "horse",
                              .type = TYPE_STRING,
                              .rows = ROWS,
                              .code = codes,
                              .dict = {.n = 3, .offsets = offsets, .bytes = "abbccc"},
                              .max_chars = 3};
static struct column day = {.name = "day", .type = TYPE_DATE, .rows = ROWS, .i = days};
static struct column odds = {.name = "odds",
                             .type = TYPE_DECIMAL,
                             .scale = 2,
                             .rows = ROWS,
                             .nullable = true,
                             .f = prices,
                             .valid = there};
static struct index_field fields[] = {{.column = &odds, .sums = true, .window_days = 30},
                                      {.column = &horse, .own_dict = true}};
static int64_t start_days[] = {30};
static struct index_request request = {.text = "a small table",
                                       .table_rows = ROWS,
                                       .by = &horse,
                                       .n_by = 1,
                                       .time = &day,
                                       .start_days = start_days,
                                       .n_starts = 1,
                                       .fields = fields,
                                       .n_fields = 2};

static char *dir; /* the index */
static struct layout files;

static void make_index(void)
{
    CLEANUP(index_free) struct index *index = NULL;
    CLEANUP(str_deinit) struct str text = {0};
    CLEANUP(json_free) struct json *root = NULL;
    damage_make_base();
    dir = mem_printf("%s/%032d", damage_base, 0);
    index_build(&request, &index);
    need(index_write(index, request.text, dir, NULL) == 0);
    damage_read(dir, INDEX_JSON, &text);
    need(json_parse(INDEX_JSON, text.s, text.len, &root, NULL) == 0);
    need(layout_read_files(root, &files, NULL) == 0);
}

static void try(bool untouched, bool signed_again)
{
    CLEANUP(index_free) struct index *index = NULL;
    struct err err = {0};
    int verified, r = index_map(dir, &request, &index, &err);
    need(r == 0 || (r == ERR_CONFIG && err.code == r && err.text[0] && !index));
    need(!untouched || r == 0);
    r = index_verify(damage_base, &verified, &err);
    need(r == 0 || (r == ERR_CONFIG && err.text[0]));
    need(untouched ? r == 0 && verified == 1 : r != 0 || signed_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!dir)
        make_index();
    if (size < DAMAGE_HEAD)
        return 0;
    struct damage damage;
    bool untouched = damage_do(&damage, dir, INDEX_JSON, &files, data, size);
    try(untouched, damage.signed_again);
    damage_undo(&damage);
    return 0;
}

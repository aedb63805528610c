/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz_snapshot.c - a damaged snapshot: opened and verified, or refused with words; and damage
 * that is not covered up by new checksums is always found.
 *
 * The input says how a small good snapshot is damaged: see damage.h. */
#include "damage.h"

#include "source/source.h"

static const char csv[] = "day,grp,n,d,f,seen,word\n"
                          "2024-01-02,b,5,1.5,1e3,2024-01-01 10:00,o\n"
                          "2024-01-01,,-7,0.25,,2024-01-01 09:00:00.5,\"\"\n"
                          "2024-01-01,a,,-3,0.5,,zebra\n"
                          "2024-01-04,a,9,,-2.5e-7,2024-01-03 00:00,\n";

static char *dir; /* the snapshot */
static struct layout layout;

static void make_snapshot(void)
{
    damage_make_base();
    CLEANUP(mem_free_chars) char *file = fs_join(damage_base, "t.csv");
    dir = fs_join(damage_base, "s");
    need(fs_write(file, csv, strlen(csv), NULL) == 0);
    struct source_table table = {.name = "t", .file = file, .time = "day", .group = "grp"};
    struct source_options options = {.tables = &table, .n_tables = 1, .out_dir = dir};
    char id[SHA256_HEX];
    need(source_csv_create(&options, id, NULL) == 0);
    need(layout_read(dir, &layout, NULL) == 0);
}

static void try(bool untouched, bool signed_again)
{
    CLEANUP(snapshot_close) struct snapshot *s = NULL;
    struct err err = {0};
    int r = snapshot_open(dir, &s, &err);
    need(r == 0 || (r == ERR_CONFIG && err.code == r && err.text[0] && !s));
    if (r == 0) {
        for (int t = 0; t < s->n_tables; t++) {
            int64_t first, end;
            uint8_t hash[SHA256_BYTES];
            table_day(&s->tables[t], 19723, &first, &end);
            table_chain_at(&s->tables[t], 19724, hash);
        }
        r = snapshot_verify(s, &err);
        need(r == 0 || (r == ERR_CONFIG && err.text[0]));
    }
    need(untouched ? r == 0 : r != 0 || signed_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!dir)
        make_snapshot();
    if (size < DAMAGE_HEAD)
        return 0;
    struct damage damage;
    bool untouched = damage_do(&damage, dir, LAYOUT_JSON, &layout, data, size);
    try(untouched, damage.signed_again);
    damage_undo(&damage);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* layout.h - which files a snapshot consists of, and what snapshot.json says of them.
 *
 *     snapshot.json
 *     entries/race_date.npy         values: <M8[D], <M8[us], <i8, <f8, or <i4 codes
 *     entries/race_date.valid.npy   |b1, only where there are nulls
 *     entries/track.offsets.npy     <i8, the dictionary: entry i is bytes
 *     entries/track.bytes.npy       |u1  [offsets[i], offsets[i + 1])
 *     entries/@day.npy              <M8[D], the dates that have rows
 *     entries/@start.npy            <i8, their first rows, and the number of rows
 *     entries/@chain.npy            |u1 (days, 32), the hash up to each
 *
 * In names of tables and columns every byte outside [A-Za-z0-9_-] is written %XX, so
 * that no name can leave the directory or meet a file of another kind; a table named
 * "index" becomes %69ndex, because index/ is where indexes are kept. */
#ifndef SNAPSHOT_LAYOUT_H
#define SNAPSHOT_LAYOUT_H

#include "snapshot/snapshot.h"

struct json;

#define LAYOUT_JSON "snapshot.json"
enum { LAYOUT_NAME_MAX = 240 }; /* of an encoded name: NAME_MAX less the longest ending */

void layout_encode(const char *name, struct str *out);
char *layout_table_dir(const char *table);                                    /* caller owns */
char *layout_file(const char *table, const char *column, const char *ending); /* likewise */
char *layout_days_file(const char *table, const char *what); /* "day", "start", "chain" */
const char *layout_descr(enum type type);

/* ERR_INPUT when a table or column name cannot become a file name. */
int layout_check_name(const char *what, const char *name, struct err *err);

/* One file as snapshot.json lists it. */
struct layout_entry {
    char *path; /* relative to the snapshot; owned */
    int64_t bytes;
    uint32_t crc32c;
};

/* What snapshot.json says. Files stand in the order in which layout.h names them: table by
 * table, column by column. Of the tables only names, shapes and flags are filled in. */
struct layout {
    char id[SHA256_HEX];
    int n_tables;
    struct table *tables; /* owned, with all names */
    char **sources;       /* one for each table: what it was made from, for people */
    int n_files;
    struct layout_entry *files;
    size_t files_cap;
};
void layout_deinit(struct layout *layout);
MEM_CLEANUP_VALUE(layout_deinit, struct layout);

void layout_add_file(struct layout *layout, struct layout_entry entry); /* takes entry.path */

/* For any document that lists files: the member "files", printed and read; the whole document with
 * a last member that is a checksum of itself, computed with eight zeros in its place; and whether
 * that is right (text is as before afterwards). ERR_CONFIG. */
void layout_print_files(const struct layout *layout, struct json *root);
int layout_read_files(const struct json *root, struct layout *layout, struct err *err);
void layout_print_summed(struct json *root, struct str *out);
int layout_check_sum(const char *name, struct str *text, struct err *err);

/* Write dir/snapshot.json. */
int layout_write(const struct layout *layout, const char *dir, struct err *err);

/* Read and check it. ERR_CONFIG names what is missing, wrong or newer. */
int layout_read(const char *dir, struct layout *ret, struct err *err);

/* Compare snapshot.json with its own checksum. */
int layout_verify(const char *dir, struct err *err);

/* Both, for a snapshot.json that was read from somewhere else; `where` is for messages. text is as
 * before afterwards. What it says of paths is not checked: see layout_path_ok. */
int layout_parse(const char *where, struct str *text, struct layout *ret, struct err *err);
/* Whether a path of its list can be that of a file in a snapshot: table, '/', file, both made of
 * what layout_encode writes. */
bool layout_path_ok(const char *path);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* main.c - the table of verbs, and the way from a command line to its row.
 *
 * To add a verb: one row here, one function in a cmd_<verb>.c. Help, completion and man page
 * follow. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "help.h"
#include "options.h"
#include "verbs.h"

/* ---- option rows that several verbs have ---- */

#define FLAG(n, words)                                                                             \
    {                                                                                              \
        .name = (n), .kind = OPTION_FLAG, .purpose = (words)                                       \
    }
#define TEXT(n, v, words)                                                                          \
    {                                                                                              \
        .name = (n), .kind = OPTION_TEXT, .value = (v), .purpose = (words)                         \
    }
#define NEEDED(n, v, words)                                                                        \
    {                                                                                              \
        .name = (n), .kind = OPTION_TEXT, .value = (v), .purpose = (words), .required = true       \
    }
#define COUNT(n, v, otherwise, lowest, highest, words)                                             \
    {                                                                                              \
        .name = (n), .kind = OPTION_INT, .value = (v), .fallback = (otherwise), .min = (lowest),   \
        .max = (highest), .purpose = (words)                                                       \
    }
#define DATE(n, words)                                                                             \
    {                                                                                              \
        .name = (n), .kind = OPTION_DATE, .value = "DATE", .purpose = (words)                      \
    }
#define CHOICE(n, words_allowed, otherwise, words)                                                 \
    {                                                                                              \
        .name = (n), .kind = OPTION_CHOICE, .value = (words_allowed), .fallback = (otherwise),     \
        .purpose = (words)                                                                         \
    }
#define END                                                                                        \
    {                                                                                              \
        0                                                                                          \
    }

#define OPTION_JSON FLAG("json", "print JSON instead of a table")
#define OPTIONS_REDIS                                                                              \
    {.name = "redis",                                                                              \
     .kind = OPTION_TEXT,                                                                          \
     .value = "URL",                                                                               \
     .fallback = "HIWARI_REDIS, else the file HIWARI_REDIS_FILE, else redis://127.0.0.1:6379",     \
     .purpose = "redis://[user[:password]@]host[:port][/db], rediss://…?cacert=FILE, "           \
                "unix:///path[?db=N] or redis+sentinel://host[:port],…/NAME"},                     \
        FLAG("allow-eviction", "use a Redis whose maxmemory-policy may drop keys without a word")
#define OPTION_FORMAT                                                                              \
    CHOICE("format", "csv|npz", "csv",                                                             \
           "what a zip holds: one CSV for pandas, or one array per column for numpy")
#define OPTION_NOTIFY                                                                              \
    {                                                                                              \
        .name = "notify", .kind = OPTION_TEXT, .value = "URL", .fallback = "HIWARI_NOTIFY",        \
        .purpose = "a webhook (as Slack's) to be told of failed keys and of the end; it is a "     \
                   "secret: HIWARI_NOTIFY keeps it out of the process list"                        \
    }
#define OPTION_REPLACE                                                                             \
    FLAG("replace-stale", "compute and replace results of older data, of another spec or format")
#define OPTION_ENDPOINT                                                                            \
    {                                                                                              \
        .name = "endpoint", .kind = OPTION_TEXT, .value = "URL", .fallback = NULL,                 \
        .purpose = "the server of s3://, when it is not AWS; otherwise AWS_ENDPOINT_URL"           \
    }
#define OPTIONS_WHAT                                                                               \
    NEEDED("snapshot", "DIR", "the snapshot to read"),                                             \
        NEEDED("spec", "FILE", "the feature spec, JSON"),                                          \
        NEEDED(                                                                                    \
            "dest", "URL",                                                                         \
            "where results go: gs://bucket/prefix, s3://bucket/prefix, file:///dir, or a plain "   \
            "directory"),                                                                          \
        OPTION_ENDPOINT
#define OPTIONS_KEYS                                                                               \
    DATE("from", "first date, inclusive; without it the first that the target table has"),         \
        DATE("to", "last date, inclusive; without it the last that the target table has"),         \
        TEXT("keys", "FILE|-", "take the dates from a file or from standard input, one a line"),   \
        COUNT("limit", "N", NULL, 1, INT64_C(2147483647),                                          \
              "only N dates, spread over the others: to see a few before paying for a decade")
#define OPTION_INDEX_DIR                                                                           \
    TEXT("index-dir", "DIR",                                                                       \
         "where the snapshot's index is kept if not in the snapshot (read-only disks)")

static const struct option options_run[] = {
    OPTIONS_WHAT,
    OPTIONS_KEYS,
    COUNT("workers", "N", "one per CPU, at least 2", 1, 256, "worker processes"),
    OPTION_FORMAT,
    OPTION_REPLACE,
    OPTION_INDEX_DIR,
    FLAG("json", "print one JSON object at the end instead of the summary"),
    END,
};
static const struct option options_create[] = {
    {.name = "csv",
     .kind = OPTION_LIST,
     .value = "NAME=FILE[,…]",
     .purpose =
         "a table: its name, its file, then time=COL, group=COL, key=COL and COL:TYPE where the "
         "type shall not be guessed (integer, decimal, float, date, timestamp, string); the file "
         "may be gzip, - for standard input, or a pattern like 'data/*.csv', and the same NAME "
         "again adds files"},
    TEXT("mysql", "URL",
         "the database: mysql://[USER@][HOST][:PORT]/DATABASE, then perhaps ?socket=PATH, "
         "?ssl-ca=FILE …; what is left out, and the password, comes from option files, "
         "MYSQL_PWD or the terminal"),
    {.name = "table",
     .kind = OPTION_LIST,
     .value = "NAME[=SELECT …][,…]",
     .purpose =
         "a table or view of the database, or a name and the SELECT behind it, then time=COL, "
         "group=COL and key=COL"},
    TEXT("defaults-file", "FILE",
         "the MySQL option file to read instead of the usual ones: groups [client] and [hiwari]"),
    CHOICE("zero-dates", "error|null", "error", "what to make of MySQL's 0000-00-00"),
    NEEDED("out", "DIR", "the directory to make"),
    TEXT("spec", "FILE", "take time, group and key of each table from this spec"),
    FLAG("drop-null-time", "leave out rows without a time instead of refusing them"),
    TEXT("append", "OLD",
         "start from this snapshot and add the rows from its last date on; the id is that of a "
         "snapshot of everything"),
    COUNT("since", "N", "1", 0, 100000,
          "with --append: how many of the last days of OLD are read again, for late corrections; "
          "with 0 only what comes after its last date is added"),
    TEXT("memory", "SIZE",
         "how much memory rows may take (512M, 4G); what does not fit is sorted on disk beside "
         "DIR. Otherwise half of what is free, which leaves room for others and for the disk's "
         "pages"),
    OPTION_JSON,
    END,
};
static const struct option options_rate[] = {
    NEEDED("table", "T", "the history to go through, in order of its time"),
    NEEDED("by", "COL[,COL]", "who is rated: a horse, a jockey, a team; several: each combination"),
    NEEDED("within", "COL", "rows of one time that share it have met: a race, a match"),
    NEEDED("order", "COL", "the smaller one is better; empty did not finish and does not count"),
    FLAG("desc", "the greater one is better: points, speed"),
    {.name = "k",
     .kind = OPTION_TEXT,
     .value = "X",
     .fallback = "24",
     .purpose = "how far one group can move a rating"},
    {.name = "start",
     .kind = OPTION_TEXT,
     .value = "X",
     .fallback = "1500",
     .purpose = "the rating of a newcomer"},
    {.name = "scale",
     .kind = OPTION_TEXT,
     .value = "X",
     .fallback = "400",
     .purpose = "the lead that stands for ten wins to one"},
    NEEDED("as", "NAME", "the new table's name"),
    NEEDED("out", "NEWDIR", "the directory to make"),
    OPTION_JSON,
    END,
};
static const struct option options_index[] = {
    NEEDED("spec", "FILE", "the spec whose windows are to be indexed"),
    TEXT("index-dir", "DIR", "where to write it; without it into the snapshot's own index/"),
    END,
};
static const struct option options_json[] = {OPTION_JSON, END};
static const struct option options_verify[] = {OPTION_INDEX_DIR, END};
static const struct option options_none[] = {END};
static const struct option options_check[] = {
    NEEDED("snapshot", "DIR", "the snapshot that the spec is for"),
    DATE("key", "the date to compute as a sample; without it the last one"),
    OPTION_INDEX_DIR,
    OPTION_JSON,
    END,
};
static const struct option options_explain[] = {
    NEEDED("snapshot", "DIR", "the snapshot that the spec is for"),
    COUNT("sample", "N", "20", 1, 100000,
          "count the rows of history on so many dates, spread over all"),
    OPTION_INDEX_DIR,
    OPTION_JSON,
    END,
};
static const struct option options_why[] = {
    NEEDED("snapshot", "DIR", "the snapshot that the spec is for"),
    {.name = "key", .kind = OPTION_DATE, .value = "DATE", .purpose = "the date", .required = true},
    {.name = "row",
     .kind = OPTION_INT,
     .value = "N",
     .min = 0,
     .max = INT64_C(2147483647),
     .required = true,
     .purpose = "the row of the date's output, counted from 0"},
    NEEDED("feature", "NAME", "the column of the output"),
    COUNT("limit", "N", "100", 1, INT64_C(2147483647), "show only the newest N rows"),
    OPTION_INDEX_DIR,
    OPTION_JSON,
    END,
};
static const struct option options_features[] = {
    NEEDED("snapshot", "DIR", "the history"),
    NEEDED("spec", "FILE", "the feature spec, JSON"),
    NEEDED("rows", "FILE", "the rows, CSV with the target table's columns"),
    NEEDED(
        "out", "FILE",
        "where the columns go: a file that ends in .csv or .npz, or - for CSV on standard output"),
    OPTION_INDEX_DIR,
    END,
};
static const struct option options_enqueue[] = {
    OPTIONS_WHAT,
    OPTIONS_KEYS,
    OPTION_FORMAT,
    FLAG("newest-first", "lease the newest dates first"),
    COUNT("lease-seconds", "S", "30", 1, 86400,
          "how long a silent worker keeps its keys, in seconds"),
    COUNT("key-seconds", "S", "3600", 1, 604800, "the longest that one key may take, in seconds"),
    COUNT("max-attempts", "N", "3", 1, 1000,
          "tries that may end in an error before a key has failed"),
    COUNT("max-interruptions", "N", "10", 1, 1000,
          "times that a key may lose its worker before it has failed"),
    OPTION_REPLACE,
    OPTION_NOTIFY,
    FLAG(
        "durable",
        "wait until the keys are on Redis' disk and its replicas, and say how far that can be had"),
    OPTIONS_REDIS,
    OPTION_JSON,
    END,
};
static const struct option options_status[] = {
    FLAG("watch", "draw it anew each second until the batch is settled"),
    OPTIONS_REDIS,
    OPTION_JSON,
    END,
};
static const struct option options_batch_json[] = {OPTIONS_REDIS, OPTION_JSON, END};
static const struct option options_batch[] = {OPTIONS_REDIS, END};
static const struct option options_retry[] = {
    FLAG("all", "every key that has failed"),
    OPTIONS_REDIS,
    OPTION_JSON,
    END,
};
static const struct option options_reconcile[] = {
    TEXT("dest", "URL", "the destination; needed when Redis has lost the batch"),
    OPTION_ENDPOINT,
    OPTION_REPLACE,
    FLAG("include-failed", "give failed keys another chance too"),
    FLAG("newest-first", "when the batch is rebuilt: lease the newest dates first"),
    FLAG("dry-run", "say what would be moved, and move nothing"),
    FLAG("allow-failed", "exit with 0 although keys have failed, as a step before others must"),
    OPTION_NOTIFY,
    OPTIONS_REDIS,
    OPTION_JSON,
    END,
};
#define VALUE(n, v, otherwise, words)                                                              \
    {                                                                                              \
        .name = (n), .kind = OPTION_TEXT, .value = (v), .fallback = (otherwise),                   \
        .purpose = (words)                                                                         \
    }
static const struct option options_plan[] = {
    COUNT("keys", "N", NULL, 1, INT64_C(10000000),
          "so many keys; with --batch those that wait, or all of a settled one"),
    TEXT("seconds-per-key", "S", "how long one worker takes for one key"),
    TEXT("batch", "BATCH", "measure it: the keys that this batch has done"),
    TEXT("sample", "URL", "measure it: a destination that 'hiwari run --limit N' has filled"),
    VALUE("boot-seconds", "S", "180", "from asking for a machine until its workers lease"),
    VALUE("cpus", "N", "1", "CPUs of one worker, as in its pod's requests"),
    VALUE("memory", "GIB", "2", "memory of one worker, in GiB"),
    VALUE("machine", "TYPE", "n2-standard-16", "a row of the table of machines"),
    {.name = "nodes",
     .kind = OPTION_LIST,
     .value = "N",
     .purpose = "so many machines; without it several numbers are shown"},
    COUNT("quota", "CPUS", NULL, 1, INT64_C(10000000), "show no plan that needs more CPUs"),
    TEXT("machines", "FILE", "a table of machines and prices, as k8s/machines.json"),
    TEXT("usd-per-hour", "X", "the price of one machine, instead of the table's"),
    TEXT("preempted-per-hour", "X", "how often a machine is taken away, instead of the table's"),
    COUNT("seed", "N", "1", 0, INT64_C(9007199254740991), "of the simulated losses"),
    OPTIONS_REDIS,
    OPTION_JSON,
    END,
};
static const struct option options_transfer[] = {
    OPTION_ENDPOINT,
    OPTION_JSON,
    END,
};
static const struct option options_collect[] = {
    {.name = "dest",
     .kind = OPTION_LIST,
     .value = "URL",
     .required = true,
     .purpose = "where the results are; of several, the columns are joined"},
    NEEDED("out", "FILE", "the file to make: its name ends in .csv, .csv.gz or .npz"),
    DATE("from", "first date, inclusive"),
    DATE("to", "last date, inclusive"),
    FLAG("allow-missing", "leave out keys that have no result, instead of refusing"),
    OPTION_ENDPOINT,
    OPTION_JSON,
    END,
};
static const struct option options_fsck[] = {
    FLAG("repair", "mend what is found"),
    OPTIONS_REDIS,
    OPTION_JSON,
    END,
};

/* ---- the verbs that are about the table itself ---- */

static int cmd_help(const struct args *args, struct err *err);
static int cmd_completion(const struct args *args, struct err *err);
static int cmd_man(const struct args *args, struct err *err);

/* ---- the table ---- */

static const struct verb rows[] = {
    {"run", "", 0, 0, "do a whole batch on this machine",
     "Computes every date of the target table (or those you name) and leaves one zip per date in "
     "the destination. It starts a Redis of its own on a unix socket and worker processes, and "
     "ends them all. Results that are there already are not computed again, so the same command "
     "goes on where an interrupted one stopped.",
     "hiwari run --snapshot data --spec spec.json --dest file:///srv/features",
     EXITS_FAILED | EXITS_INPUT | EXITS_UNREACHABLE | EXITS_WRITE | EXITS_RETRY | EXITS_CONFIG |
         EXITS_DRAINED,
     options_run, cmd_run},
    {"snapshot create", "", 0, 0, "make a snapshot from CSV files or from MySQL",
     "Sorts the rows by time and writes a directory of numpy arrays that workers map into memory. "
     "The directory appears whole or not at all. A table without time is static and has a key for "
     "lookups. Of CSV files the types of columns are found; an empty field is null, \"\" is an "
     "empty "
     "string. Of MySQL or MariaDB the types are those of the tables; all of them are read over one "
     "connection, as they were at one moment.",
     "hiwari snapshot create --csv entries=entries.csv,time=race_date,group=race_id --out data\n"
     "  hiwari snapshot create --mysql mysql://reader@db/racing --table "
     "entries,time=race_date,group=race_id --out data",
     EXITS_INPUT | EXITS_UNREACHABLE | EXITS_WRITE | EXITS_RETRY | EXITS_CONFIG, options_create,
     cmd_snapshot_create},
    {"snapshot index", "DIR", 1, 1, "prepare a snapshot for a spec, so that workers start at once",
     "Writes, beside the tables, the rows of each entity in order of time for the windows of a "
     "spec. Results are the same with and without it; a worker that does not find it builds it in "
     "memory. 'hiwari run' does this by itself.",
     "hiwari snapshot index data --spec spec.json", EXITS_INPUT | EXITS_WRITE | EXITS_CONFIG,
     options_index, cmd_snapshot_index},
    {"snapshot rate", "DIR", 1, 1, "add a table of Elo ratings to a copy of a snapshot",
     "Goes through a table once in order of time and rates all who meet: 1 / (1 + 10^((b - a) / "
     "scale)) is what a is expected to score against b, and a group of n counts as its pairs with "
     "weight 1 / (n - 1). Groups of one time start from the ratings before it. The new table has "
     "one row for each entity and time at which it has played: time, entity, rating, games. A spec "
     "reads it with asof, strictly before the cutoff, so that no result is seen too early.",
     "hiwari snapshot rate data --table runs --by horse --within race --order finish --as elo "
     "--out data2",
     EXITS_INPUT | EXITS_WRITE | EXITS_CONFIG, options_rate, cmd_snapshot_rate},
    {"snapshot show", "DIR", 1, 1, "what is in a snapshot",
     "Prints its id, tables, columns, types, nulls, rows and dates.", "hiwari snapshot show data",
     EXITS_CONFIG, options_json, cmd_snapshot_show},
    {"snapshot verify", "DIR", 1, 1, "read every byte of a snapshot and compare checksums",
     "Opening a snapshot checks the sizes of its files; this checks their content, the order of "
     "rows and the id, and the content of its indexes.",
     "hiwari snapshot verify data", EXITS_CONFIG, options_verify, cmd_snapshot_verify},
    {"snapshot push", "DIR URL", 2, 2, "send a snapshot to a bucket or another directory",
     "A table becomes a folder below URL, a column an object; snapshot.json is written last, so "
     "that the snapshot is there whole or not at all. Interrupted, the same command goes on. "
     "Another snapshot at that URL is never written over. Indexes are left out: 'hiwari snapshot "
     "index' makes them anywhere.",
     "hiwari snapshot push data gs://bucket/snapshots/2024-01-31",
     EXITS_INPUT | EXITS_UNREACHABLE | EXITS_WRITE | EXITS_RETRY | EXITS_CONFIG, options_transfer,
     cmd_snapshot_push},
    {"snapshot pull", "URL DIR", 2, 2, "bring a snapshot from where it was pushed to",
     "Into a hidden folder beside DIR, every file compared with its checksum, and renamed to DIR "
     "in the end. Interrupted, the same command goes on.",
     "hiwari snapshot pull gs://bucket/snapshots/2024-01-31 data",
     EXITS_INPUT | EXITS_UNREACHABLE | EXITS_WRITE | EXITS_RETRY | EXITS_CONFIG, options_transfer,
     cmd_snapshot_pull},
    {"spec check", "FILE", 1, 1, "check a spec against a snapshot",
     "Finds what is wrong before a key is computed: unknown tables, columns and calculations, "
     "types that do not fit, cycles, and every read that would look into the future. Then computes "
     "one date as a sample and shows its columns, so that one that is always null or always the "
     "same is noticed. Says what the spec has for nothing: tables, derived columns and windows "
     "that no feature reads.",
     "hiwari spec check spec.json --snapshot data", EXITS_INPUT | EXITS_CONFIG, options_check,
     cmd_spec_check},
    {"spec explain", "FILE", 1, 1, "one English sentence for each column, and what it costs",
     "Says of each column of the output what it is. Then, for each window, how many rows of "
     "history it holds for a date (the mean over some dates), whether the snapshot has its index, "
     "and whether sums kept in the index answer it without reading those rows.",
     "hiwari spec explain spec.json --snapshot data", EXITS_INPUT | EXITS_CONFIG, options_explain,
     cmd_spec_explain},
    {"spec why", "FILE", 1, 1, "the rows behind one value",
     "Prints the value of one feature on one row of a date, and what it was made from: the rows of "
     "history in the window with their values, the rows of the group, or what an expression read. "
     "Rows count from 0, in the order in which the date's result has them.",
     "hiwari spec why spec.json --snapshot data --key 2024-01-31 --row 0 --feature win_rate",
     EXITS_INPUT | EXITS_CONFIG, options_why, cmd_spec_why},
    {"spec schema", "", 0, 0, "print the JSON Schema of specs, for editors",
     "With it an editor completes and checks specs while they are written.",
     "hiwari spec schema > spec.schema.json", 0, options_none, cmd_spec_schema},
    {"features", "", 0, 0, "the features of rows that the snapshot does not have yet",
     "For tomorrow: reads target rows from a CSV file and writes, in the order of the file, "
     "exactly the columns that a batch would have for them. The file has the target table's "
     "columns, of the types that they have in the snapshot; result columns may be missing or "
     "empty, and labels are then null. History is the snapshot's, strictly before each row's "
     "cutoff. Groups are made of the file's rows alone, so give whole groups. Columns that the "
     "table does not have are ignored with a note.",
     "hiwari features --snapshot data --spec spec.json --rows tomorrow.csv --out "
     "tomorrow_features.csv",
     EXITS_INPUT | EXITS_WRITE | EXITS_CONFIG, options_features, cmd_features},
    {"enqueue", "BATCH", 1, 1, "put the dates of a batch into Redis, for workers anywhere",
     "Writes _batch.json into the destination, then adds the keys to Redis. Results that are there "
     "already are skipped. Running it twice adds nothing; running it again after it was "
     "interrupted completes it.",
     "hiwari enqueue nightly --spec spec.json --snapshot data --dest file:///srv/features",
     EXITS_INPUT | EXITS_UNREACHABLE | EXITS_WRITE | EXITS_RETRY | EXITS_CONFIG, options_enqueue,
     cmd_enqueue},
    {"status", "[BATCH]", 0, 1, "how far a batch is; without BATCH all of them",
     "Counts of keys, rate and remaining time, workers and failures. Exits 1 when keys have "
     "failed, and when keys wait and no worker was seen for two minutes.",
     "hiwari status nightly --watch", EXITS_FAILED | EXITS_UNREACHABLE | EXITS_CONFIG,
     options_status, cmd_status},
    {"show", "BATCH KEY", 2, 2, "everything about one key",
     "Its state, attempts, interruptions, last error and last leases.",
     "hiwari show nightly 2024-01-31", EXITS_UNREACHABLE | EXITS_CONFIG, options_batch_json,
     cmd_show},
    {"plan", "", 0, 0, "how many machines, how long, what it costs, and which quota it needs",
     "From the number of keys and the seconds that a worker takes for one (given, or measured): "
     "how "
     "many workers fit on a machine beside what its system keeps, and for several numbers of "
     "machines the time, the cost of the machines, and the CPU quota to have. Then the same with "
     "machines taken away at random and replaced: half of the simulated runs take no longer than "
     "the median, nine of ten no longer than p90. Prices are a table that you can edit "
     "(--machines).",
     "hiwari plan --batch nightly --machine n2-standard-16 --quota 400",
     EXITS_INPUT | EXITS_UNREACHABLE | EXITS_CONFIG, options_plan, cmd_plan},
    {"retry", "BATCH [KEY …]", 1, -1, "give failed keys another chance",
     "Moves failed keys back to waiting with fresh budgets: those named, or with --all every one.",
     "hiwari retry nightly --all", EXITS_INPUT | EXITS_UNREACHABLE | EXITS_WRITE | EXITS_CONFIG,
     options_retry, cmd_retry},
    {"reconcile", "BATCH", 1, 1, "enqueue again whatever has no result",
     "The destination is the truth: keys whose result is missing are moved to waiting, keys whose "
     "result is there are done. A Redis that has lost everything gets the batch again from "
     "_batch.json. Safe at any time, and in cron.",
     "hiwari reconcile nightly --dest file:///srv/features",
     EXITS_FAILED | EXITS_UNREACHABLE | EXITS_WRITE | EXITS_RETRY | EXITS_CONFIG, options_reconcile,
     cmd_reconcile},
    {"collect", "", 0, 0, "all results of a batch as one file",
     "Downloads the results in parallel, holds each against the manifest of its batch (and that "
     "against _SUCCESS), and writes them below each other in the order of dates. The file appears "
     "whole or not at all. With several --dest, as from two specs over the same rows, columns are "
     "joined row by row: columns that several have must agree in every row, and stand once. From "
     "CSV to npz, types are those that _columns.json has; from npz to CSV, a column that may be "
     "empty has floats.",
     "hiwari collect --dest file:///srv/features --out features.csv.gz",
     EXITS_INPUT | EXITS_UNREACHABLE | EXITS_WRITE | EXITS_RETRY | EXITS_CONFIG, options_collect,
     cmd_collect},
    {"fsck", "BATCH", 1, 1, "compare what Redis knows of a batch with itself",
     "Each key must be in exactly one of pending, delayed, leased, done and failed. Exits 1 when "
     "something is found that has not been repaired. What Redis alone cannot repair, hiwari "
     "reconcile does: keys that it has lost, and those of a settled batch that would have to wait.",
     "hiwari fsck nightly --repair", EXITS_FAILED | EXITS_UNREACHABLE | EXITS_CONFIG, options_fsck,
     cmd_fsck},
    {"pause", "BATCH", 1, 1, "hand out no more keys", "Workers finish what they hold and wait.",
     "hiwari pause nightly", EXITS_UNREACHABLE | EXITS_CONFIG, options_batch, cmd_pause},
    {"resume", "BATCH", 1, 1, "go on after pause", "Keys are handed out again.",
     "hiwari resume nightly", EXITS_UNREACHABLE | EXITS_CONFIG, options_batch, cmd_resume},
    {"cancel", "BATCH", 1, 1, "stop a batch for good",
     "Workers drop what they hold and exit 75. Results and records stay.", "hiwari cancel nightly",
     EXITS_UNREACHABLE | EXITS_CONFIG, options_batch, cmd_cancel},
    {"purge", "BATCH", 1, 1, "remove a batch from Redis",
     "Removes all that Redis knows of the batch; results in the destination stay. 'hiwari "
     "reconcile' can bring it back.",
     "hiwari purge nightly", EXITS_UNREACHABLE | EXITS_CONFIG, options_batch, cmd_purge},
    {"help", "[VERB]", 0, 2, "this list, or the help of one verb", "The same as --help.",
     "hiwari help run", 0, options_none, cmd_help},
    {"completion", "", 0, 0, "print a completion script for bash",
     "Made from the same rows as this help.", "source <(hiwari completion)", 0, options_none,
     cmd_completion},
    {"man", "", 0, 0, "print the man page", "Made from the same rows as this help.",
     "hiwari man | man -l -", 0, options_none, cmd_man},
};
enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

/* The table as help.h takes it. */
static const struct verb *const *all_verbs(void)
{
    static const struct verb *verbs[N_ROWS + 1];
    for (int i = 0; i < N_ROWS; i++)
        verbs[i] = &rows[i];
    return verbs;
}

/* The verb that argv begins with, which may be of two words; *ret_words says how many it took. */
static const struct verb *find_verb(int argc, const char *const *argv, int *ret_words)
{
    for (int words = argc < 2 ? argc : 2; words >= 1; words--) {
        CLEANUP(mem_free_chars)
        char *name = words == 2 ? mem_printf("%s %s", argv[0], argv[1]) : mem_strdup(argv[0]);
        *ret_words = words;
        for (int i = 0; i < N_ROWS; i++)
            if (strcmp(rows[i].name, name) == 0)
                return &rows[i];
    }
    return NULL;
}

static int unknown_verb(int argc, const char *const *argv, struct err *err)
{
    const char *names[N_ROWS];
    CLEANUP(str_deinit) struct str family = {0};
    for (int i = 0; i < N_ROWS; i++) {
        names[i] = rows[i].name;
        size_t len = strlen(argv[0]);
        if (strncmp(names[i], argv[0], len) == 0 && names[i][len] == ' ')
            str_addf(&family, "%s%s", family.len ? ", " : "", names[i]);
    }
    CLEANUP(mem_free_chars)
    char *two = argc > 1 ? mem_printf("%s %s", argv[0], argv[1]) : mem_strdup(argv[0]);
    const char *near = str_nearest(two, names, N_ROWS);
    near = near ? near : str_nearest(argv[0], names, N_ROWS);
    if (family.len && !(argc > 1 && near))
        return err_set(err, ERR_USAGE, "'hiwari %s' is followed by a second word: %s", argv[0],
                       family.s);
    if (near)
        return err_set(err, ERR_USAGE, "there is no 'hiwari %s': did you mean 'hiwari %s'?",
                       family.len ? two : argv[0], near);
    return err_set(err, ERR_USAGE, "there is no 'hiwari %s'; 'hiwari help' lists the verbs",
                   argv[0]);
}

static int print(const struct str *text)
{
    fwrite(text->s, 1, text->len, stdout);
    return 0;
}

static int cmd_help(const struct args *args, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    int words;
    if (args_count(args) == 0) {
        help_overview(all_verbs(), &text);
        return print(&text);
    }
    const char *const *names = args_all(args);
    const struct verb *verb = find_verb(args_count(args), names, &words);
    if (!verb)
        return unknown_verb(args_count(args), names, err);
    help_verb(verb, &text);
    return print(&text);
}

static int cmd_completion(const struct args *args, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    help_bash_completion(all_verbs(), &text);
    return print(&text);
}

static int cmd_man(const struct args *args, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    help_man_page(all_verbs(), HIWARI_VERSION, &text);
    return print(&text);
}

static int verb_run(const struct verb *verb, int argc, char **argv, struct err *err)
{
    CLEANUP(args_free) struct args *args = NULL;
    int r = args_parse(verb, argc, argv, &args, err);
    if (r < 0)
        return r;
    if (!args_help(args))
        return verb->run(args, err);
    CLEANUP(str_deinit) struct str text = {0};
    help_verb(verb, &text);
    return print(&text);
}

static int command_line(int argc, char **argv, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    if (argc == 0) {
        help_overview(all_verbs(), &text);
        fwrite(text.s, 1, text.len, stderr);
        return ERR_USAGE;
    }
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
        help_overview(all_verbs(), &text);
        return print(&text);
    }
    if (strcmp(argv[0], "--version") == 0) {
        puts("hiwari " HIWARI_VERSION);
        return 0;
    }
    int words;
    const struct verb *verb = find_verb(argc, (const char *const *)argv, &words);
    if (!verb)
        return unknown_verb(argc, (const char *const *)argv, err);
    return verb_run(verb, argc - words, argv + words, err);
}

/* A descriptor 0, 1 or 2 that is closed would be taken by the next file that is opened. */
static void hold_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
            _exit(70);
}

/* Has the reader of our pipe gone? */
static bool reader_has_gone(void)
{
    struct pollfd fd = {.fd = STDOUT_FILENO};
    return poll(&fd, 1, 0) == 1 && (fd.revents & POLLERR);
}

/* What was printed must have arrived; a reader that has enough (| head) is no failure. */
static int end_output(int r, struct err *err)
{
    errno = 0;
    if ((fflush(stdout) == 0 && !ferror(stdout)) || r < 0 || reader_has_gone())
        return r;
    if (errno)
        return err_set_errno(err, ERR_WRITE, errno, "cannot write to standard output");
    return err_set(err, ERR_WRITE, "cannot write all of it to standard output; is the disk full?");
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, ""); /* widths of characters; numbers stay in the C locale */
    hold_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is answered by errno */
    struct err err = {0};
    int r = end_output(command_line(argc - 1, argv + 1, &err), &err);
    if (r < 0 && err.text[0])
        fprintf(stderr, "hiwari: %s\n", err.text);
    return r < 0 ? err_exit_code(r) : r;
}

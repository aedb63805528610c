/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* output.c - see output.h. */
#include "output.h"

#include <stdio.h>
#include <string.h>

void output_json(const struct json *root)
{
    CLEANUP(str_deinit) struct str text = {0};
    json_print(root, true, &text);
    fwrite(text.s, 1, text.len, stdout);
}

const char *output_count(int64_t n, char *buf)
{
    char plain[OUTPUT_TEXT];
    int len = snprintf(plain, sizeof(plain), "%lld", (long long)n), at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && plain[i - 1] != '-' && (len - i) % 3 == 0)
            buf[at++] = ',';
        buf[at++] = plain[i];
    }
    buf[at] = '\0';
    return buf;
}

const char *output_many(int64_t n, const char *what, char *buf)
{
    char count[OUTPUT_TEXT];
    snprintf(buf, OUTPUT_TEXT, "%.20s %.20s%s", output_count(n, count), what, n == 1 ? "" : "s");
    return buf;
}

const char *output_bytes(int64_t bytes, char *buf)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    int unit = 0;
    for (; value >= 999.5 && unit < 5; unit++)
        value /= 1000;
    snprintf(buf, OUTPUT_TEXT, unit && value < 99.5 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return buf;
}

const char *output_seconds(double s, char *buf)
{
    int64_t whole = (int64_t)(s + 0.5);
    if (s < 60)
        snprintf(buf, OUTPUT_TEXT, "%.1f s", s);
    else if (whole < 3600)
        snprintf(buf, OUTPUT_TEXT, "%lld:%02lld", (long long)whole / 60, (long long)whole % 60);
    else
        snprintf(buf, OUTPUT_TEXT, "%lld:%02lld:%02lld", (long long)whole / 3600,
                 (long long)whole / 60 % 60, (long long)whole % 60);
    return buf;
}

int64_t output_snapshot_bytes(const struct snapshot *snapshot)
{
    int64_t bytes = 0;
    for (int t = 0; t < snapshot->n_tables; t++) {
        const struct table *table = &snapshot->tables[t];
        for (int i = 0; i < table->n_columns; i++) {
            const struct column *c = &table->columns[i];
            bytes += table->rows * ((int64_t)type_bytes(c->type) + (c->valid != NULL));
            if (c->type == TYPE_STRING && c->dict.offsets)
                bytes += c->dict.offsets[c->dict.n] + 8 * ((int64_t)c->dict.n + 1);
        }
    }
    return bytes;
}

void output_no_worker(const char *batch, const char *snapshot_dir)
{
    fflush(stdout); /* what it follows comes first, also where both go into one file */
    fprintf(stderr,
            "no worker is alive; start one where the snapshot is:\n  hiwari-worker --batch %s "
            "--snapshot %s\n",
            batch, snapshot_dir ? snapshot_dir : "DIR");
}

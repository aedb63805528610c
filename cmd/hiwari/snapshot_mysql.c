/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* snapshot_mysql.c - see snapshot_mysql.h. */
#include "snapshot_mysql.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "codec/json.h"
#include "output.h"
#include "progress.h"
#include "source/source_mysql.h"

/* Chapter: --table. */

/* Takes ",time=COL" and the like from the end of text. False: there is none. */
static bool take_role(char *text, struct source_table *table)
{
    const struct {
        const char *word;
        const char **column;
    } roles[] = {{",time=", &table->time}, {",group=", &table->group}, {",key=", &table->key}};
    char *comma = strrchr(text, ',');
    for (size_t i = 0; comma && i < sizeof(roles) / sizeof(roles[0]); i++) {
        size_t len = strlen(roles[i].word);
        if (strncmp(comma, roles[i].word, len) != 0 || !comma[len] || *roles[i].column)
            continue;
        *roles[i].column = comma + len;
        *comma = '\0';
        return true;
    }
    return false;
}

int snapshot_mysql_table(char *text, struct source_table *ret, struct err *err)
{
    struct source_table table = {.name = text};
    while (take_role(text, &table))
        ;
    char *sql = strchr(text, '=');
    if (sql)
        *sql++ = '\0';
    table.sql = sql;
    if (!*text || (sql && !*sql) || strchr(text, ','))
        return err_set(
            err, ERR_USAGE,
            "--table takes NAME[=SELECT …][,time=COL][,group=COL][,key=COL], not '%s%s%s'", text,
            sql ? "=" : "", sql ? sql : "");
    *ret = table;
    return 0;
}

/* Chapter: progress. */

enum { EVENT_MS = 1000 };

struct reporter {
    struct progress bar;
    bool events;       /* JSON lines instead of the bar */
    const char *table; /* that the bar is about */
    int64_t start_ms, told_ms;
};

/* {"event": "progress", "table": "entries", "rows": 81920, …}, one line to standard error. */
static void print_event(const struct source_mysql_progress *p, double seconds)
{
    CLEANUP(json_free) struct json *root = json_new_object();
    double rate = seconds > 0 ? (double)p->rows / seconds : 0;
    json_add_string(root, "event", p->is_read ? "read" : "progress");
    json_add_string(root, "table", p->table);
    json_add_int(root, "rows", p->rows);
    json_add_int(root, "bytes", p->bytes);
    json_add_number(root, "rows_per_s", rate);
    json_add_number(root, "seconds", seconds);
    if (!p->is_read && p->rows_total > 0) {
        json_add_int(root, "rows_estimated", p->rows_total);
        if (rate > 0 && p->rows_total > p->rows)
            json_add_number(root, "eta_s", (double)(p->rows_total - p->rows) / rate);
    }
    CLEANUP(str_deinit) struct str text = {0};
    json_print(root, false, &text);
    str_addc(&text, '\n');
    fwrite(text.s, 1, text.len, stderr);
    fflush(stderr);
}

static void show_progress(void *ctx, const struct source_mysql_progress *p)
{
    struct reporter *reporter = ctx;
    int64_t now = clock_ms();
    if (p->table != reporter->table) {
        reporter->table = p->table;
        reporter->start_ms = reporter->told_ms = now;
        progress_begin(&reporter->bar, 0, now);
    }
    if (reporter->events) {
        if (!p->is_read && now - reporter->told_ms < EVENT_MS)
            return;
        reporter->told_ms = now;
        print_event(p, (double)(now - reporter->start_ms) / 1000);
        return;
    }
    char bytes[OUTPUT_TEXT];
    CLEANUP(mem_free_chars)
    char *note = mem_printf("%s%s  %s", p->is_read ? "writing " : "", p->table,
                            output_bytes(p->bytes, bytes));
    int64_t estimated = p->rows_total > p->rows ? p->rows_total : 0; /* it may be far off */
    int64_t total = p->is_read ? p->rows : estimated;
    progress_show(&reporter->bar, p->rows, total, note, now);
}

/* Chapter: the command. */

/* Without a terminal nobody can be asked, and the server's refusal stands. */
static char *ask_password(void *ctx, const char *who)
{
    int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0)
        return NULL;
    close(terminal);
    CLEANUP(mem_free_chars) char *prompt = mem_printf("Password of %s: ", who);
    char *typed = getpass(prompt); /* without echo; the library's own memory */
    if (!typed)
        return NULL;
    char *password = mem_strdup(typed);
    explicit_bzero(typed, strlen(typed));
    return password;
}

int snapshot_mysql_create(const struct args *args, const struct source_options *options,
                          char ret_id[SHA256_HEX], struct err *err)
{
    struct reporter reporter = {.events = args_flag(args, "json") && isatty(STDERR_FILENO) != 1};
    progress_init(&reporter.bar, "rows", 2000, clock_ms());
    struct source_mysql settings = {
        .url = args_text(args, "mysql"),
        .defaults_file = args_text(args, "defaults-file"),
        .zero_dates_null = strcmp(args_text(args, "zero-dates"), "null") == 0,
        .ask_password = ask_password,
        .progress = show_progress,
        .ctx = &reporter,
    };
    int r = source_mysql_create(options, &settings, ret_id, err);
    progress_clear(&reporter.bar);
    return r;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* mysql_table.c - see mysql_table.h. */
#include "source/mysql_table.h"

#include <ctype.h>
#include <inttypes.h>
#include <mysqld_error.h>
#include <strings.h>

#include "base/date.h"
#include "base/log.h"

/* Chapter: the statement. */

/* The SELECT of the command line without what stands around it. */
static struct text trimmed(const char *sql)
{
    while (isspace((unsigned char)*sql))
        sql++;
    size_t len = strlen(sql);
    while (len && (isspace((unsigned char)sql[len - 1]) || sql[len - 1] == ';'))
        len--;
    return (struct text){sql, (int64_t)len};
}

/* Only what reads: everything else would at best end the transaction. */
static int check_select(struct text sql, struct err *err)
{
    if ((sql.len > 6 && strncasecmp(sql.s, "SELECT", 6) == 0) ||
        (sql.len > 4 && strncasecmp(sql.s, "WITH", 4) == 0) || (sql.len > 0 && *sql.s == '('))
        return 0;
    return err_set(err, ERR_INPUT,
                   "after NAME= comes a SELECT, not '%.*s'; a table or view of the database is "
                   "named alone",
                   (int)(sql.len < 60 ? sql.len : 60), sql.s);
}

/* "`entries`" or "(SELECT …) AS `entries`" */
static void add_from(struct str *out, const struct source_table *wish)
{
    if (wish->sql) {
        struct text sql = trimmed(wish->sql);
        str_addc(out, '(');
        str_add(out, sql.s, (size_t)sql.len);
        str_addz(out, "\n) AS "); /* a line of its own: the SELECT may end in a comment */
    }
    mysql_link_add_name(out, wish->name);
}

/* The columns of the primary key, as ORDER BY has them; nothing is added when there is none. */
static int add_primary_key(struct mysql_link *link, const struct source_table *wish,
                           struct str *out, struct err *err)
{
    CLEANUP(str_deinit) struct str sql = {0};
    str_addz(&sql, "SHOW INDEX FROM ");
    mysql_link_add_name(&sql, wish->name);
    str_addz(&sql, " WHERE Key_name = 'PRIMARY'");
    MYSQL_RES *rows;
    int r = mysql_link_query(link, sql.s, &rows, err);
    if (r < 0)
        return r;
    enum { COLUMN_NAME = 4, COLLATION = 5 }; /* of SHOW INDEX; parts come in the key's order */
    int n = 0;
    for (MYSQL_ROW row; (row = mysql_fetch_row(rows)); n++) {
        str_addz(out, n ? ", " : "");
        mysql_link_add_name(out, row[COLUMN_NAME]);
        str_addz(out, row[COLLATION] && *row[COLLATION] == 'D' ? " DESC" : "");
    }
    mysql_free_result(rows);
    return 0;
}

static int write_statement(struct mysql_table *t, struct mysql_link *link, int64_t since,
                           struct str *out, struct err *err)
{
    const struct source_table *wish = t->wish;
    if (wish->sql && since == INT64_MIN) {
        struct text sql = trimmed(wish->sql);
        str_add(out, sql.s, (size_t)sql.len);
        return 0;
    }
    str_addz(out, "SELECT * FROM ");
    add_from(out, wish);
    if (since != INT64_MIN) {
        char date[DATE_TEXT];
        date_format(since, date);
        str_addz(out, " WHERE ");
        mysql_link_add_name(out, wish->time);
        str_addf(out, " >= '%s' OR ", date);
        mysql_link_add_name(out, wish->time);
        str_addz(out, " IS NULL"); /* refused as in a table that is read whole */
    }
    CLEANUP(str_deinit) struct str key = {0};
    int r = wish->sql ? 0 : add_primary_key(link, wish, &key, err);
    if (key.len)
        str_addf(out, " ORDER BY %s", key.s);
    t->key_order = key.len ? str_take(&key) : NULL;
    return r;
}

/* Chapter: what the server knows of a table. */

/* Its line in a table of information_schema; *ret is for mysql_free_result. */
static int ask_about(struct mysql_link *link, const char *what, const char *name, MYSQL_RES **ret,
                     struct err *err)
{
    CLEANUP(str_deinit) struct str sql = {0};
    size_t len = strlen(name);
    CLEANUP(mem_free_chars) char *escaped = mem_alloc(2 * len + 1);
    mysql_real_escape_string(link->mysql, escaped, name, len);
    str_addf(&sql,
             "SELECT %s FROM information_schema.TABLES t "
             "LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE "
             "WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_NAME = '%s'",
             what, escaped);
    return mysql_link_query(link, sql.s, ret, err);
}

static int estimate_rows(struct mysql_table *t, struct mysql_link *link, struct err *err)
{
    MYSQL_RES *rows;
    int r = ask_about(link, "t.TABLE_ROWS", t->wish->name, &rows, err);
    if (r < 0)
        return r;
    MYSQL_ROW row = mysql_fetch_row(rows);
    if (row && row[0])
        str_to_i64(row[0], &t->rows);
    mysql_free_result(rows);
    return 0;
}

#define HALF_CHANGED "rows that change while it is read may be seen half changed"

int mysql_table_check_engine(struct mysql_link *link, const struct source_table *wish,
                             struct err *err)
{
    MYSQL_RES *rows;
    if (wish->sql)
        return 1;
    int r =
        ask_about(link, "t.TABLE_TYPE = 'VIEW', t.ENGINE, e.TRANSACTIONS", wish->name, &rows, err);
    if (r < 0)
        return r;
    MYSQL_ROW row = mysql_fetch_row(rows);
    if (row && row[1] && row[2] && strcmp(row[2], "YES") != 0)
        log_warn("the table's engine has no transactions: " HALF_CHANGED,
                 LOG_S("table", wish->name), LOG_S("engine", row[1]));
    bool is_view = row && row[0] && *row[0] == '1';
    mysql_free_result(rows);
    return is_view;
}

int mysql_table_check_unseen(struct mysql_link *link, struct err *err)
{
    enum { NAMED = 5 };
    MYSQL_RES *rows;
    int r = mysql_link_query(
        link,
        "SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.ENGINE FROM information_schema.TABLES t "
        "JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE "
        "WHERE t.TABLE_TYPE = 'BASE TABLE' AND e.TRANSACTIONS <> 'YES' AND t.TABLE_SCHEMA NOT IN "
        "('mysql', 'information_schema', 'performance_schema', 'sys') ORDER BY 1, 2 LIMIT 6",
        &rows, err);
    if (r < 0)
        return r;
    CLEANUP(str_deinit) struct str names = {0};
    int n = 0;
    for (MYSQL_ROW row; (row = mysql_fetch_row(rows)); n++) {
        if (n < NAMED)
            str_addf(&names, "%s%s.%s (%s)", n ? ", " : "", row[0], row[1], row[2]);
        else
            str_addz(&names, " and others");
    }
    mysql_free_result(rows);
    if (n)
        log_warn("it cannot be seen here which tables a view or a SELECT reads; if one of these, "
                 "whose engine has no transactions: " HALF_CHANGED,
                 LOG_S("tables", names.s));
    return 0;
}

/* A name that is like one of the database gets a did-you-mean. */
static int no_such_table(struct mysql_link *link, const char *name, struct err *err)
{
    enum { MOST = 4096 };
    MYSQL_RES *rows;
    if (mysql_link_query(link, "SHOW TABLES", &rows, NULL) < 0)
        return err->code;
    const char **names = MEM_ARRAY(const char *, MOST);
    size_t n = 0;
    for (MYSQL_ROW row; n < MOST && (row = mysql_fetch_row(rows));)
        names[n++] = row[0];
    const char *near = str_nearest(name, names, n);
    err_set(err, ERR_INPUT, "%s has no such table or view%s%s%s", link->where,
            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    free(names);
    mysql_free_result(rows);
    return err->code;
}

/* Chapter: columns. */

/* All columns, so that one run names everything that has to be changed. */
static int init_columns(struct mysql_table *t, const MYSQL_FIELD *fields, bool zero_dates_null,
                        struct err *err)
{
    CLEANUP(str_deinit) struct str refused = {0};
    for (int c = 0; c < t->n_columns; c++) {
        struct err one = {0};
        if (!*fields[c].name)
            return err_set(err, ERR_INPUT, "its column %d has no name: give it one with AS", c + 1);
        if (mysql_column_init(&t->columns[c], &fields[c], zero_dates_null, &one) < 0)
            str_addf(&refused, "%s%s", refused.len ? "; " : "", one.text);
        for (int b = 0; b < c && !refused.len; b++) {
            if (strcmp(t->columns[b].name, t->columns[c].name) == 0)
                return err_set(err, ERR_INPUT,
                               "it has two columns named %s: give one another name with AS, or "
                               "name the columns instead of *",
                               t->columns[c].name);
        }
    }
    return refused.len ? err_set(err, ERR_INPUT, "%s", refused.s) : 0;
}

static int find_role(const struct mysql_table *t, const char *role, const char *name, int *ret,
                     struct err *err)
{
    *ret = -1;
    for (int c = 0; name && c < t->n_columns; c++) {
        if (strcmp(t->columns[c].name, name) == 0)
            *ret = c;
    }
    if (!name || *ret >= 0)
        return 0;
    const char **names = MEM_ARRAY(const char *, (size_t)t->n_columns);
    CLEANUP(str_deinit) struct str list = {0};
    for (int c = 0; c < t->n_columns; c++) {
        names[c] = t->columns[c].name;
        str_addf(&list, "%s%s", c ? ", " : "", names[c]);
    }
    const char *near = str_nearest(name, names, (size_t)t->n_columns);
    if (near)
        err_set(err, ERR_INPUT, "it has no column '%s' (%s); did you mean '%s'?", name, role, near);
    else
        err_set(err, ERR_INPUT, "it has no column '%s' (%s); its columns are %s", name, role,
                list.s);
    free(names);
    return err->code;
}

static int bind(struct mysql_table *t, struct mysql_link *link, struct err *err)
{
    for (int c = 0; c < t->n_columns; c++)
        mysql_column_bind(&t->columns[c], &t->binds[c]);
    return mysql_stmt_bind_result(t->stmt, t->binds) ? mysql_link_failure(link, t->stmt, err) : 0;
}

static int take_columns(struct mysql_table *t, bool zero_dates_null, struct err *err)
{
    MYSQL_RES *shape = mysql_stmt_result_metadata(t->stmt);
    if (!shape || mysql_stmt_param_count(t->stmt) > 0) {
        mysql_free_result(shape);
        return err_set(err, ERR_INPUT, "the statement %s",
                       shape ? "has a '?' in it that nothing fills in" : "gives no rows");
    }
    size_t n = mysql_num_fields(shape);
    t->columns = mem_zalloc(n * sizeof(*t->columns));
    t->binds = mem_zalloc(n * sizeof(*t->binds));
    t->n_columns = (int)n;
    int r = init_columns(t, mysql_fetch_fields(shape), zero_dates_null, err);
    mysql_free_result(shape);
    if (r == 0)
        r = find_role(t, "time", t->wish->time, &t->time, err);
    if (r == 0)
        r = find_role(t, "group", t->wish->group, &t->group, err);
    return r < 0 ? r : find_role(t, "key", t->wish->key, &t->key, err);
}

/* Chapter: open, start, next. */

static int prepare(struct mysql_table *t, struct mysql_link *link, const struct str *sql,
                   struct err *err)
{
    t->stmt = mysql_stmt_init(link->mysql);
    if (!t->stmt)
        mem_exhausted();
    return mysql_stmt_prepare(t->stmt, sql->s, sql->len) ? mysql_link_failure(link, t->stmt, err)
                                                         : 0;
}

static int open_table(struct mysql_table *t, struct mysql_link *link, int64_t since,
                      bool zero_dates_null, struct err *err)
{
    CLEANUP(str_deinit) struct str sql = {0};
    int r = t->wish->sql ? check_select(trimmed(t->wish->sql), err) : 0;
    if (r == 0)
        r = write_statement(t, link, since, &sql, err);
    if (r < 0 && !t->wish->sql && mysql_errno(link->mysql) == ER_NO_SUCH_TABLE)
        return no_such_table(link, t->wish->name, err);
    if (r < 0)
        return r;
    r = prepare(t, link, &sql, err);
    if (r == 0)
        r = take_columns(t, zero_dates_null, err);
    if (r == 0)
        r = bind(t, link, err);
    if (r == 0 && !t->wish->sql && since == INT64_MIN)
        r = estimate_rows(t, link, err);
    return r;
}

int mysql_table_open(struct mysql_link *link, const struct source_table *wish, int64_t since,
                     bool zero_dates_null, struct mysql_table *ret, struct err *err)
{
    CLEANUP(mysql_table_close) struct mysql_table t = {.wish = wish};
    int r = open_table(&t, link, since, zero_dates_null, err);
    if (r < 0)
        return r;
    *ret = t;
    t = (struct mysql_table){0};
    return 0;
}

int mysql_table_hold(struct mysql_link *link, const struct source_table *wish, struct err *err)
{
    CLEANUP(str_deinit) struct str sql = {0};
    str_addz(&sql, "SELECT 1 FROM ");
    add_from(&sql, wish);
    str_addz(&sql, " LIMIT 0"); /* opens the tables and reads nothing */
    MYSQL_RES *rows;
    int r = mysql_link_query(link, sql.s, &rows, err);
    if (r == 0)
        mysql_free_result(rows);
    return r;
}

int mysql_table_start(struct mysql_table *t, struct mysql_link *link, struct err *err)
{
    return mysql_stmt_execute(t->stmt) ? mysql_link_failure(link, t->stmt, err) : 0;
}

/* Text that was longer than its room: make room, for this value and those to come. */
static int fetch_long_texts(struct mysql_table *t, struct mysql_link *link, struct err *err)
{
    for (int i = 0; i < t->n_columns; i++) {
        struct mysql_column *c = &t->columns[i];
        if (!c->text || c->is_null || c->length <= c->room)
            continue;
        unsigned long need = c->length;
        free(c->text);
        c->room = need + need / 2;
        c->text = mem_alloc(c->room + 1);
        mysql_column_bind(c, &t->binds[i]);
        if (mysql_stmt_fetch_column(t->stmt, &t->binds[i], (unsigned)i, 0))
            return mysql_link_failure(link, t->stmt, err);
        c->length = need;
    }
    return bind(t, link, err);
}

int mysql_table_next(struct mysql_table *t, struct mysql_link *link, struct err *err)
{
    int got = mysql_stmt_fetch(t->stmt);
    if (got == MYSQL_NO_DATA)
        return 0;
    if (got == MYSQL_DATA_TRUNCATED) {
        int r = fetch_long_texts(t, link, err);
        return r < 0 ? r : 1;
    }
    return got ? mysql_link_failure(link, t->stmt, err) : 1;
}

void mysql_table_close(struct mysql_table *t)
{
    if (t->stmt)
        mysql_stmt_close(t->stmt);
    for (int c = 0; c < t->n_columns; c++)
        mysql_column_deinit(&t->columns[c]);
    free(t->columns);
    free(t->binds);
    free(t->key_order);
    *t = (struct mysql_table){0};
}

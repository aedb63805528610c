/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* mysql_link.c - see mysql_link.h. */
#include "source/mysql_link.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fs.h"
#include "base/str.h"
#include "source/mysql_options.h"

enum { CONNECT_SECONDS = 20 };

/* Chapter: failures. */

/* Numbers that this hiwari is built without the names of: other servers' than the headers'. */
enum {
    MARIADB_CONNECTION_KILLED = 1927,
    MARIADB_STATEMENT_TIMEOUT = 1969,
    MYSQL_QUERY_TIMEOUT = 3024,
    MYSQL_ACCOUNT_LOCKED = 3118,
    MYSQL_IDLE_DISCONNECT = 4031,
    MARIADB_ACCOUNT_LOCKED = 4151,
};

#define AGAIN "; nothing was written, and the same command can be run again"
#define EXPIRED "; the user's password has expired: ALTER USER … IDENTIFIED BY … sets a new one"
#define LOCKED "; an administrator lets the user in again with ALTER USER … ACCOUNT UNLOCK"
#define LIMIT                                                                                      \
    "; the server allows a statement less time than this one takes: raise the limit for this "     \
    "user, or lift it with a line in the option file's group [hiwari], on MariaDB init-command="   \
    "\"SET max_statement_time=0\", on MySQL init-command=\"SET max_execution_time=0\""

/* What to make of a number, and the way out. The first row that fits; 0 ends the list. */
static const struct {
    unsigned number;
    int code;
    const char *way_out;
} failures[] = {
    {ER_ACCESS_DENIED_ERROR, ERR_CONFIG,
     "; the password comes from an option file (~/.my.cnf or --defaults-file, groups [client] and "
     "[hiwari]), from MYSQL_PWD or from the terminal"},
    {ER_ACCESS_DENIED_NO_PASSWORD_ERROR, ERR_CONFIG, ""},
    {ER_DBACCESS_DENIED_ERROR, ERR_CONFIG, ""},
    {ER_MUST_CHANGE_PASSWORD, ERR_CONFIG, EXPIRED},
    {ER_MUST_CHANGE_PASSWORD_LOGIN, ERR_CONFIG, EXPIRED},
    {MYSQL_ACCOUNT_LOCKED, ERR_CONFIG, LOCKED},
    {MARIADB_ACCOUNT_LOCKED, ERR_CONFIG, LOCKED},
    {ER_VIEW_INVALID, ERR_INPUT,
     "; SHOW CREATE VIEW shows what the view refers to: mend it, or give the rights to its "
     "definer, "
     "or name a SELECT in its place"},
    {ER_BAD_DB_ERROR, ERR_CONFIG, "; the URL names it: mysql://HOST/DATABASE"},
    {ER_HOST_NOT_PRIVILEGED, ERR_CONFIG, ""},
    {ER_TABLEACCESS_DENIED_ERROR, ERR_CONFIG, "; the user needs SELECT on it"},
    {ER_COLUMNACCESS_DENIED_ERROR, ERR_CONFIG, "; the user needs SELECT on it"},
    {ER_CON_COUNT_ERROR, ERR_RETRY, AGAIN},
    {ER_TOO_MANY_USER_CONNECTIONS, ERR_RETRY, AGAIN},
    {ER_USER_LIMIT_REACHED, ERR_RETRY, AGAIN},
    {ER_LOCK_WAIT_TIMEOUT, ERR_RETRY,
     "; another session holds a lock on the table, LOCK TABLES or ALTER TABLE perhaps (SHOW "
     "PROCESSLIST tells)" AGAIN},
    {ER_LOCK_DEADLOCK, ERR_RETRY, AGAIN},
    {ER_TABLE_DEF_CHANGED, ERR_RETRY,
     "; the table was altered or truncated between the begin of the transaction and its "
     "turn" AGAIN},
    {ER_QUERY_INTERRUPTED, ERR_RETRY, "; somebody has killed the query" AGAIN},
    {MARIADB_CONNECTION_KILLED, ERR_RETRY, "; somebody has killed the connection" AGAIN},
    {ER_SERVER_SHUTDOWN, ERR_RETRY, AGAIN},
    {MARIADB_STATEMENT_TIMEOUT, ERR_RETRY, LIMIT},
    {MYSQL_QUERY_TIMEOUT, ERR_RETRY, LIMIT},
    {MYSQL_IDLE_DISCONNECT, ERR_UNREACHABLE, AGAIN},
    {CR_SERVER_GONE_ERROR, ERR_UNREACHABLE, AGAIN},
    {CR_SERVER_LOST, ERR_UNREACHABLE, AGAIN},
    {CR_AUTH_PLUGIN_CANNOT_LOAD, ERR_CONFIG, ""},
    {CR_SSL_CONNECTION_ERROR, ERR_CONFIG,
     "; ssl-mode (disabled, required, verify) and ssl-ca=FILE in the URL say what is expected of "
     "the server"},
    {CR_NET_PACKET_TOO_LARGE, ERR_INPUT, ""},
    {CR_COMMANDS_OUT_OF_SYNC, ERR_BUG, ""},
};

static int failure(unsigned number, const char *words, struct err *err)
{
    size_t n = sizeof(failures) / sizeof(failures[0]);
    for (size_t i = 0; i < n; i++) {
        if (failures[i].number == number)
            return err_set(err, failures[i].code, "%s (MySQL error %u)%s", words, number,
                           failures[i].way_out);
    }
    bool of_client = number >= CR_MIN_ERROR && number <= CR_MAX_ERROR;
    return err_set(err, of_client ? ERR_UNREACHABLE : ERR_INPUT, "%s (MySQL error %u)", words,
                   number);
}

int mysql_link_failure(struct mysql_link *link, MYSQL_STMT *stmt, struct err *err)
{
    if (stmt && mysql_stmt_errno(stmt))
        return failure(mysql_stmt_errno(stmt), mysql_stmt_error(stmt), err);
    if (mysql_errno(link->mysql))
        return failure(mysql_errno(link->mysql), mysql_error(link->mysql), err);
    return err_set(err, ERR_UNREACHABLE, "the server went away without a word" AGAIN);
}

/* Chapter: connecting. */

#define SYSTEM_AUTHORITIES "/etc/ssl/certs"

static void set_tls(MYSQL *mysql, const struct mysql_url *url)
{
    if (url->ssl_ca)
        mysql_options(mysql, MYSQL_OPT_SSL_CA, url->ssl_ca);
    if (url->ssl_capath)
        mysql_options(mysql, MYSQL_OPT_SSL_CAPATH, url->ssl_capath);
    else if (!url->ssl_ca && url->tls == MYSQL_TLS_VERIFY) /* or newer libraries may be content */
        mysql_options(mysql, MYSQL_OPT_SSL_CAPATH, SYSTEM_AUTHORITIES); /* with less */
    if (url->ssl_cert)
        mysql_options(mysql, MYSQL_OPT_SSL_CERT, url->ssl_cert);
    if (url->ssl_key)
        mysql_options(mysql, MYSQL_OPT_SSL_KEY, url->ssl_key);
    if (url->tls == MYSQL_TLS_OPEN)
        return;
#ifdef MARIADB_PACKAGE_VERSION
    mysql_flag enforce = url->tls >= MYSQL_TLS_REQUIRED, verify = url->tls == MYSQL_TLS_VERIFY;
    mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &enforce);
    mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
#else
    static const unsigned modes[] = {
        [MYSQL_TLS_NONE] = SSL_MODE_DISABLED,
        [MYSQL_TLS_REQUIRED] = SSL_MODE_REQUIRED,
        [MYSQL_TLS_VERIFY] = SSL_MODE_VERIFY_IDENTITY,
    };
    mysql_options(mysql, MYSQL_OPT_SSL_MODE, &modes[url->tls]);
#endif
}

/* The library would say "unable to get certificate". */
static int check_tls_file(const char *name, const char *path, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    if (!path || fs_read_small(path, &text, err) == 0)
        return 0;
    if (err)
        err->code = ERR_CONFIG;
    err_prefix(err, "%s", name);
    return ERR_CONFIG;
}

static int check_tls_files(const struct mysql_url *url, struct err *err)
{
    int r = url->tls == MYSQL_TLS_NONE ? 1 : check_tls_file("ssl-ca", url->ssl_ca, err);
    if (r == 0)
        r = check_tls_file("ssl-cert", url->ssl_cert, err);
    if (r == 0)
        r = check_tls_file("ssl-key", url->ssl_key, err);
    return r < 0 ? r : 0;
}

/* The library reads no option file (see mysql_option_file.h), and never connects again by itself: a
 * second connection would see another moment of the database. */
static MYSQL *new_handle(const struct mysql_options *options, const struct mysql_url *url)
{
    MYSQL *mysql = mysql_init(NULL);
    if (!mysql)
        mem_exhausted();
    unsigned seconds = CONNECT_SECONDS, no_files = 0;
    mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no_files); /* a server could ask for any file */
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options_pass(options, mysql);
    unsigned tcp = MYSQL_PROTOCOL_TCP; /* else localhost means the socket, whatever the port */
    if (url->port)
        mysql_options(mysql, MYSQL_OPT_PROTOCOL, &tcp);
    set_tls(mysql, url);
    return mysql;
}

/* A host that has vanished without a word is noticed within two minutes, however long a statement
 * may take. */
static void watch_for_silence(MYSQL *mysql)
{
#ifdef MARIADB_PACKAGE_VERSION
    int fd = mysql_get_socket(mysql);
#else
    int fd = (int)mysql->net.fd;
#endif
    const int on = 1, idle_s = 30, every_s = 15, times = 6, unanswered_ms = 120000;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof(unanswered_ms));
}

/* One attempt. link->mysql is a handle in any case. */
static int attempt(struct mysql_link *link, const struct mysql_options *options,
                   const struct mysql_url *url, const char *password, struct err *err)
{
    if (link->mysql)
        mysql_close(link->mysql);
    link->mysql = new_handle(options, url);
    unsigned port = url->port ? url->port : options->port;
    if (!mysql_real_connect(link->mysql, url->host, url->user, password, url->database, port,
                            url->socket, 0))
        return mysql_link_failure(link, NULL, err);
    if (url->tls >= MYSQL_TLS_REQUIRED && !mysql_get_ssl_cipher(link->mysql))
        return err_set(err, ERR_CONFIG,
                       "the connection is not encrypted, and the URL or the option file demands "
                       "it; ssl-mode=disabled in the URL does without");
    return 0;
}

static char *who(const struct mysql_url *url)
{
    const char *user = url->user ? url->user : getenv("USER");
    return mem_printf("%s on %s", user ? user : "the user", url->host ? url->host : "localhost");
}

static bool wants_password(MYSQL *mysql)
{
    return mysql_errno(mysql) == ER_ACCESS_DENIED_ERROR &&
           strstr(mysql_error(mysql), "using password: NO");
}

static int connect_with_password(struct mysql_link *link, const struct source_mysql *settings,
                                 const struct mysql_options *options, const struct mysql_url *url,
                                 struct err *err)
{
    int r = attempt(link, options, url, options->password, err);
    if (r == 0 || !settings->ask_password || !wants_password(link->mysql))
        return r;
    CLEANUP(mem_free_chars) char *user = who(url);
    CLEANUP(mem_free_chars) char *password = settings->ask_password(settings->ctx, user);
    if (!password)
        return r;
    r = attempt(link, options, url, password, err);
    explicit_bzero(password, strlen(password));
    return r;
}

/* Chapter: the session. */

static int find_where(struct mysql_link *link, const struct mysql_url *url, struct err *err)
{
    MYSQL_RES *rows;
    int r = mysql_link_query(link, "SELECT DATABASE()", &rows, err);
    if (r < 0)
        return r;
    MYSQL_ROW row = mysql_fetch_row(rows);
    if (row && row[0])
        link->where = mem_printf("database %s on %s", row[0], url->host ? url->host : "localhost");
    mysql_free_result(rows);
    if (!link->where)
        return err_set(err, ERR_USAGE, "the URL names no database: mysql://HOST/DATABASE");
    return 0;
}

/* What a server, a user or an init-command may have set, set again. sql_select_limit would end
 * every table after so many rows, without a word. PAD_CHAR_TO_FULL_LENGTH would fill CHAR values
 * with blanks; the other modes say how a SELECT is to be read, and who wrote it for this server
 * knows them. (Names stand in backticks, which mean the same in all modes.) Waiting for a lock for
 * a day, which is the default, looks like hanging. On the other hand the server must be patient
 * while rows are sorted here. (To MySQL the lesser of two integers is none, without the cast.) */
static int begin(struct mysql_link *link, struct err *err)
{
    static const char *const statements[] = {
        "SET SESSION time_zone = '+00:00',"
        " sql_select_limit = 18446744073709551615,"
        " sql_mode = TRIM(BOTH ',' FROM REPLACE(CONCAT(',', @@SESSION.sql_mode, ','),"
        " ',PAD_CHAR_TO_FULL_LENGTH,', ',')),"
        " lock_wait_timeout = CAST(LEAST(@@SESSION.lock_wait_timeout, 60) AS UNSIGNED),"
        " net_write_timeout = CAST(GREATEST(@@SESSION.net_write_timeout, 3600) AS UNSIGNED),"
        " wait_timeout = CAST(GREATEST(@@SESSION.wait_timeout, 28800) AS UNSIGNED)"
        " /*M!100300 , idle_transaction_timeout = 0, idle_readonly_transaction_timeout = 0 */",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    };
    int r =
        mysql_set_character_set(link->mysql, "utf8mb4") ? mysql_link_failure(link, NULL, err) : 0;
    for (size_t i = 0; r == 0 && i < sizeof(statements) / sizeof(statements[0]); i++)
        r = mysql_link_query(link, statements[i], NULL, err);
    return r;
}

int mysql_link_open(const struct source_mysql *settings, struct mysql_link *ret, struct err *err)
{
    CLEANUP(mysql_url_deinit) struct mysql_url url = {0};
    CLEANUP(mysql_options_deinit) struct mysql_options options = {0};
    CLEANUP(mysql_link_close) struct mysql_link link = {0};
    int r = mysql_url_parse(settings->url, &url, err);
    if (r == 0)
        r = mysql_options_read(settings->defaults_file, &options, err);
    if (r < 0)
        return r;
    mysql_options_complete(&options, &url);
    r = check_tls_files(&url, err);
    if (r == 0)
        r = connect_with_password(&link, settings, &options, &url, err);
    if (r == 0)
        r = begin(&link, err);
    if (r == 0)
        r = find_where(&link, &url, err);
    if (r < 0)
        return err_prefix(err, "MySQL on %s", url.host ? url.host : "localhost");
    watch_for_silence(link.mysql);
    *ret = link;
    link = (struct mysql_link){0};
    return 0;
}

void mysql_link_close(struct mysql_link *link)
{
    if (link->mysql)
        mysql_close(link->mysql); /* and with it the transaction, which has changed nothing */
    free(link->where);
    *link = (struct mysql_link){0};
}

/* Chapter: statements. */

int mysql_link_query(struct mysql_link *link, const char *sql, MYSQL_RES **ret, struct err *err)
{
    if (mysql_query(link->mysql, sql))
        return mysql_link_failure(link, NULL, err);
    if (!ret)
        return 0;
    *ret = mysql_store_result(link->mysql);
    return *ret ? 0 : mysql_link_failure(link, NULL, err);
}

void mysql_link_add_name(struct str *sql, const char *name)
{
    str_addc(sql, '`');
    for (const char *p = name; *p; p++)
        str_addz(sql, *p == '`' ? "``" : (char[]){*p, 0});
    str_addc(sql, '`');
}

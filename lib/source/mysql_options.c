/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* mysql_options.c - see mysql_options.h. */
#include "source/mysql_options.h"

#include <stddef.h>
#include <strings.h>

#include "base/log.h"
#include "base/str.h"
#include "source/mysql_option_file.h"

/* Chapter: values. */

static int wrong(const char *name, const char *value, const char *form, struct err *err)
{
    return err_set(err, ERR_CONFIG, "%s takes %s, not '%s'", name, form, value ? value : "");
}

/* The name alone is a yes, as for all programs of MySQL. */
static int take_flag(const char *name, const char *value, bool *ret, struct err *err)
{
    static const char *const words[] = {"0", "1", "off", "on", "false", "true", "no", "yes"};
    *ret = true;
    for (size_t i = 0; value && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(value, words[i]) == 0) {
            *ret = i % 2;
            return 0;
        }
    }
    return value ? wrong(name, value, "1 or 0, on or off, true or false", err) : 0;
}

/* 67108864, 64M */
static int take_number(const char *name, const char *value, int64_t max, int64_t *ret,
                       struct err *err)
{
    static const char units[] = "KMGkmg";
    CLEANUP(mem_free_chars) char *digits = mem_strdup(value ? value : "");
    size_t len = strlen(digits);
    const char *unit = len ? strchr(units, digits[len - 1]) : NULL;
    if (unit)
        digits[len - 1] = '\0';
    int shift = unit ? 10 * (int)((unit - units) % 3 + 1) : 0;
    if (!str_to_i64(digits, ret) || *ret < 0 || *ret > max >> shift)
        return wrong(name, value, "a number", err);
    *ret <<= shift;
    return 0;
}

/* ---- the meaning of each ---- */

static int take_mode(struct mysql_options *o, const char *name, const char *value, struct err *err)
{
    static const struct {
        const char *word;
        enum mysql_tls mode;
    } modes[] = {
        {"disabled", MYSQL_TLS_NONE},     {"preferred", MYSQL_TLS_OPEN},
        {"required", MYSQL_TLS_REQUIRED}, {"verify_ca", MYSQL_TLS_VERIFY},
        {"verify", MYSQL_TLS_VERIFY},     {"verify_identity", MYSQL_TLS_VERIFY},
    };
    for (size_t i = 0; value && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcasecmp(value, modes[i].word) == 0) {
            o->mode = modes[i].mode;
            return 0;
        }
    }
    return wrong(name, value, "DISABLED, PREFERRED, REQUIRED or VERIFY_IDENTITY", err);
}

static int take_ssl(struct mysql_options *o, const char *name, const char *value, struct err *err)
{
    bool on;
    int r = take_flag(name, value, &on, err);
    if (r == 0)
        o->mode = on ? MYSQL_TLS_REQUIRED : MYSQL_TLS_NONE;
    return r;
}

static int take_verify(struct mysql_options *o, const char *name, const char *value,
                       struct err *err)
{
    bool on;
    int r = take_flag(name, value, &on, err);
    if (r == 0)
        o->verify = on;
    return r;
}

static int take_port(struct mysql_options *o, const char *name, const char *value, struct err *err)
{
    int64_t port;
    int r = take_number(name, value, 65535, &port, err);
    if (r == 0)
        o->port = (unsigned)port;
    return r;
}

/* Chapter: for the library. */

struct mysql_passed {
    enum mysql_option option;
    char *text; /* NULL: number */
    int64_t number;
};

static void pass(struct mysql_options *o, struct mysql_passed passed)
{
    o->passed = mem_grow(o->passed, &o->passed_cap, o->n_passed + 1, sizeof(*o->passed));
    o->passed[o->n_passed++] = passed;
}

static int take_protocol(struct mysql_options *o, const char *name, const char *value,
                         struct err *err)
{
    bool tcp = value && strcasecmp(value, "tcp") == 0;
    if (!tcp && (!value || strcasecmp(value, "socket") != 0))
        return wrong(name, value, "tcp or socket", err);
    pass(o, (struct mysql_passed){MYSQL_OPT_PROTOCOL,
                                  .number = tcp ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET});
    return 0;
}

static int take_compress(struct mysql_options *o, const char *name, const char *value,
                         struct err *err)
{
    bool on;
    int r = take_flag(name, value, &on, err);
    if (r == 0 && on)
        pass(o, (struct mysql_passed){.option = MYSQL_OPT_COMPRESS});
    return r;
}

static bool is_number(enum mysql_option option)
{
    return option == MYSQL_OPT_CONNECT_TIMEOUT || option == MYSQL_OPT_MAX_ALLOWED_PACKET;
}

static bool is_pin(enum mysql_option option)
{
#ifdef MARIADB_PACKAGE_VERSION
    return option == MARIADB_OPT_SSL_FP || option == MARIADB_OPT_SSL_FP_LIST;
#else
    return false;
#endif
}

static bool is_revocation(enum mysql_option option)
{
    return option == MYSQL_OPT_SSL_CRL || option == MYSQL_OPT_SSL_CRLPATH;
}

static int take_for_library(struct mysql_options *o, enum mysql_option option, const char *name,
                            const char *value, struct err *err)
{
    struct mysql_passed passed = {.option = option};
    if (is_number(option)) {
        int64_t max = option == MYSQL_OPT_CONNECT_TIMEOUT ? INT32_MAX : INT64_C(1) << 30;
        int r = take_number(name, value, max, &passed.number, err);
        if (r < 0)
            return r;
    } else if (!value || !*value) {
        return wrong(name, value, "a value", err);
    } else {
        passed.text = mem_strdup(value);
    }
    o->asks_pin |= is_pin(option);
    o->asks_checks |= is_revocation(option);
    pass(o, passed);
    return 0;
}

/* Chapter: names. */

typedef int take_fn(struct mysql_options *o, const char *name, const char *value, struct err *err);

/* One of text, take and option says what becomes of it. */
static const struct known {
    const char *name;
    size_t text; /* offset of a char * plus one */
    take_fn *take;
    enum mysql_option option;
} known[] = {
#define TEXT(member) .text = offsetof(struct mysql_options, member) + 1
    {"user", TEXT(user)},
    {"password", TEXT(password)},
    {"passwd", TEXT(password)},
    {"host", TEXT(host)},
    {"database", TEXT(database)},
    {"socket", TEXT(socket)},
    {"port", .take = take_port},
    {"protocol", .take = take_protocol},
    {"compress", .take = take_compress},
    {"init-command", .option = MYSQL_INIT_COMMAND},
    {"connect-timeout", .option = MYSQL_OPT_CONNECT_TIMEOUT},
    {"max-allowed-packet", .option = MYSQL_OPT_MAX_ALLOWED_PACKET},
    {"plugin-dir", .option = MYSQL_PLUGIN_DIR},
    {"default-auth", .option = MYSQL_DEFAULT_AUTH},
    {"bind-address", .option = MYSQL_OPT_BIND},
    {"server-public-key-path", .option = MYSQL_SERVER_PUBLIC_KEY},
    {"ssl", .take = take_ssl},
    {"ssl-enforce", .take = take_ssl},
    {"ssl-mode", .take = take_mode},
    {"ssl-verify-server-cert", .take = take_verify},
    {"ssl-verify-peer", .take = take_verify},
    {"ssl-ca", TEXT(ssl_ca)},
    {"ssl-capath", TEXT(ssl_capath)},
    {"ssl-cert", TEXT(ssl_cert)},
    {"ssl-key", TEXT(ssl_key)},
    {"ssl-cipher", .option = MYSQL_OPT_SSL_CIPHER},
    {"ssl-crl", .option = MYSQL_OPT_SSL_CRL},
    {"ssl-crlpath", .option = MYSQL_OPT_SSL_CRLPATH},
    {"ssl-version", .option = MYSQL_OPT_TLS_VERSION},
#ifdef MARIADB_PACKAGE_VERSION
    {"server-public-key", .option = MYSQL_SERVER_PUBLIC_KEY},
    {"ssl-passphrase", .option = MARIADB_OPT_TLS_PASSPHRASE},
    {"ssl-fp", .option = MARIADB_OPT_SSL_FP},
    {"ssl-fplist", .option = MARIADB_OPT_SSL_FP_LIST},
    {"ssl-fp-list", .option = MARIADB_OPT_SSL_FP_LIST},
#endif
#undef TEXT
};
enum { N_KNOWN = sizeof(known) / sizeof(known[0]) };

static const struct known *find_known(const char *name)
{
    for (size_t i = 0; i < N_KNOWN; i++) {
        if (strcmp(known[i].name, name) == 0)
            return &known[i];
    }
    return NULL;
}

/* A name without value, such as `password`, takes back what was said before. */
static int take_text(struct mysql_options *o, size_t offset, const char *value)
{
    char **text = (char **)((char *)o + offset);
    free(*text);
    *text = value && *value ? mem_strdup(value) : NULL;
    return 0;
}

/* Nobody shall believe that a connection is safer than it is. */
static int refuse_tls(const char *name, struct err *err)
{
    const char *names[N_KNOWN];
    for (size_t i = 0; i < N_KNOWN; i++)
        names[i] = known[i].name;
    const char *near = str_nearest(name, names, N_KNOWN);
    return err_set(err, ERR_CONFIG,
                   "hiwari knows no option %s%s%s%s; if it is meant for other programs, leave it "
                   "out of a file of hiwari's own and name that with --defaults-file",
                   name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

int mysql_options_take(struct mysql_options *o, const char *name, const char *value,
                       struct err *err)
{
    static const struct {
        const char *words, *value;
    } prefixes[] = {{"loose-", NULL}, {"skip-", "0"}, {"disable-", "0"}, {"enable-", "1"}};
    const char *flag = NULL;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (!str_starts(name, prefixes[i].words))
            continue;
        name += strlen(prefixes[i].words);
        flag = prefixes[i].value;
    }
    bool tls = str_starts(name, "tls-"), ssl = str_starts(name, "ssl");
    CLEANUP(mem_free_chars) char *plain = tls ? mem_printf("ssl-%s", name + 4) : mem_strdup(name);
    const struct known *k = find_known(plain);
    if (!k)
        return ssl || tls ? refuse_tls(name, err) : 0;
    if (k->text)
        return take_text(o, k->text - 1, flag ? NULL : value);
    if (k->take)
        return k->take(o, name, flag ? flag : value, err);
    return take_for_library(o, k->option, name, flag ? NULL : value, err);
}

/* Chapter: all of them. */

static int take(void *ctx, const char *name, const char *value, struct err *err)
{
    return mysql_options_take(ctx, name, value, err);
}

int mysql_options_read(const char *defaults_file, struct mysql_options *ret, struct err *err)
{
    CLEANUP(mysql_options_deinit) struct mysql_options o = {.verify = -1};
    int r = mysql_option_files_read(defaults_file, take, &o, err);
    if (r < 0)
        return r;
    *ret = o;
    o = (struct mysql_options){0};
    return 0;
}

/* What the files ask for. As in the URL, who names an authority wants it to be asked, and who shows
 * a certificate of his own wants to be talked to in private. */
static enum mysql_tls asked_for(const struct mysql_options *o)
{
    if (o->verify == 1)
        return MYSQL_TLS_VERIFY;
    if (o->mode != MYSQL_TLS_OPEN && (o->mode != MYSQL_TLS_REQUIRED || o->verify == 0))
        return o->mode;
    if (o->verify != 0 && (o->ssl_ca || o->ssl_capath || o->asks_checks))
        return MYSQL_TLS_VERIFY;
    bool private = o->ssl_ca || o->ssl_capath || o->ssl_cert || o->ssl_key || o->asks_pin;
    return private ? MYSQL_TLS_REQUIRED : o->mode;
}

static void complete_tls(struct mysql_options *o, struct mysql_url *url)
{
    enum mysql_tls asked = asked_for(o);
    o->drop_pin = url->tls == MYSQL_TLS_VERIFY; /* newer libraries would ask no authority then */
    if (o->drop_pin && o->asks_pin)
        log_warn("the server's fingerprint in the option file is not compared: the URL says by "
                 "which authority the server is known");
    if (!url->tls_said && asked > url->tls)
        url->tls = asked;
    else if (url->tls_said && asked > url->tls)
        log_warn("the option file asks for more of the connection than ssl-mode in the URL; the "
                 "URL counts");
}

static void fill(char **ret, const char *text)
{
    if (!*ret && text)
        *ret = mem_strdup(text);
}

void mysql_options_complete(struct mysql_options *o, struct mysql_url *url)
{
    complete_tls(o, url);
    o->drop_protocol = url->port || url->socket;
    if (!url->socket) /* who names a socket means this machine */
        fill(&url->host, o->host);
    if (!url->port)
        fill(&url->socket, o->socket);
    fill(&url->user, o->user);
    fill(&url->database, o->database);
    if (!url->ssl_ca) { /* other authorities would be trusted beside it */
        fill(&url->ssl_ca, o->ssl_ca);
        fill(&url->ssl_capath, o->ssl_capath);
    }
    if (!url->ssl_cert && !url->ssl_key) { /* they are a pair */
        fill(&url->ssl_cert, o->ssl_cert);
        fill(&url->ssl_key, o->ssl_key);
    }
}

void mysql_options_pass(const struct mysql_options *o, MYSQL *mysql)
{
    for (size_t i = 0; i < o->n_passed; i++) {
        const struct mysql_passed *p = &o->passed[i];
        if ((o->drop_protocol && p->option == MYSQL_OPT_PROTOCOL) ||
            (o->drop_pin && is_pin(p->option)))
            continue;
        unsigned number = (unsigned)p->number;
        unsigned long size = (unsigned long)p->number;
        const void *value = p->option == MYSQL_OPT_MAX_ALLOWED_PACKET ? (void *)&size : &number;
        mysql_options(mysql, p->option, p->text ? p->text : value);
    }
}

void mysql_options_deinit(struct mysql_options *o)
{
    if (o->password)
        explicit_bzero(o->password, strlen(o->password));
    char *const texts[] = {o->user,   o->password,   o->host,     o->database, o->socket,
                           o->ssl_ca, o->ssl_capath, o->ssl_cert, o->ssl_key};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        free(texts[i]);
    for (size_t i = 0; i < o->n_passed; i++)
        free(o->passed[i].text);
    free(o->passed);
    *o = (struct mysql_options){0};
}

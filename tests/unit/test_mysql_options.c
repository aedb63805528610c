/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_mysql_options.c - what option files say, and who has the last word: they or the URL. */
#include "unit.h"

#include <string.h>

#include "base/str.h"
#include "source/mysql_option_file.h"
#include "source/mysql_options.h"

static int note(void *ctx, const char *name, const char *value, struct err *err)
{
    str_addf(ctx, "%s=%s;", name, value ? value : "(none)");
    return 0;
}

START_TEST(test_quotes_comments_and_escapes_mean_what_they_mean_to_mysql)
{
    static const struct {
        const char *line, *option;
    } cases[] = {
        {"user=a", "user=a;"},
        {"  user\t=  a b \r", "user=a b;"},
        {"ssl", "ssl=(none);"},
        {"ssl_ca = x", "ssl-ca=x;"},
        {"password=", "password=;"},
        {"password=a#b", "password=a;"},
        {"password='a#b' # c", "password=a#b;"},
        {"password=\"it's\"", "password=it's;"},
        {"password=\"a\\\"#b\"", "password=a\"#b;"},
        {"password=a=b", "password=a=b;"},
        {"password=\"s\\sp\\\\q\\x\"", "password=s p\\q\\x;"},
        {"password='", "password=';"},
        {"# user=a", ""},
        {"; user=a", ""},
        {"[mysqld]\nuser=a\n[ hiwari ] # ours\nuser=b", "user=b;"},
        {"[client-mariadb]\nuser=a\n[clients]\nuser=b", "user=a;"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(str_deinit) struct str got = {0};
        CLEANUP(mem_free_chars) char *text = mem_printf("[client]\n%s", cases[i].line);
        struct err err = {0};
        str_addz(&got, "");
        ck_assert_msg(mysql_option_file_parse("f", text, strlen(text), note, &got, &err) == 0, "%s",
                      err.text);
        ck_assert_str_eq(got.s, cases[i].option);
    }
}
END_TEST

/* What holds when a URL meets a file; ';' stands for a new line in it. */
static struct mysql_url met(const char *url_text, const char *lines)
{
    CLEANUP(mysql_options_deinit) struct mysql_options o = {.verify = -1};
    struct mysql_url url = {0};
    struct err err = {0};
    CLEANUP(mem_free_chars) char *copy = mem_strdup(lines);
    ck_assert_int_eq(mysql_url_parse(url_text, &url, &err), 0);
    for (char *line = copy, *next; line && *line; line = next) {
        next = strchr(line, ';');
        if (next)
            *next++ = '\0';
        char *value = strchr(line, '=');
        if (value)
            *value++ = '\0';
        ck_assert_msg(mysql_options_take(&o, line, value, &err) == 0, "%s", err.text);
    }
    mysql_options_complete(&o, &url);
    return url;
}

START_TEST(test_the_stronger_wish_holds_unless_the_urls_ssl_mode_says_otherwise)
{
    static const struct {
        const char *url, *lines;
        enum mysql_tls tls;
    } cases[] = {
        {"mysql://h/d", "", MYSQL_TLS_OPEN},
        {"mysql://h/d", "ssl", MYSQL_TLS_REQUIRED},
        {"mysql://h/d", "ssl=off", MYSQL_TLS_NONE},
        {"mysql://h/d", "skip-ssl", MYSQL_TLS_NONE},
        {"mysql://h/d", "ssl-mode=preferred", MYSQL_TLS_OPEN},
        {"mysql://h/d", "ssl-ca=x", MYSQL_TLS_VERIFY},
        {"mysql://h/d", "ssl-capath=x", MYSQL_TLS_VERIFY},
        {"mysql://h/d", "tls-ca=x;ssl-verify-server-cert=0", MYSQL_TLS_REQUIRED},
        {"mysql://h/d", "ssl;ssl-ca=x", MYSQL_TLS_VERIFY},
        {"mysql://h/d", "ssl=0;ssl-ca=x", MYSQL_TLS_NONE},
        {"mysql://h/d", "ssl=0;ssl-verify-server-cert", MYSQL_TLS_VERIFY},
        {"mysql://h/d", "ssl-verify-server-cert;ssl-verify-server-cert=0", MYSQL_TLS_OPEN},
        {"mysql://h/d", "ssl-cert=x;ssl-key=y", MYSQL_TLS_REQUIRED},
        {"mysql://h/d", "ssl-crl=x", MYSQL_TLS_VERIFY},
        {"mysql://h/d?ssl-cert=x", "ssl=0", MYSQL_TLS_REQUIRED},
        {"mysql://h/d?ssl-cert=x", "ssl-verify-server-cert", MYSQL_TLS_VERIFY},
        {"mysql://h/d?ssl-ca=x", "ssl-verify-server-cert=0;ssl-mode=disabled", MYSQL_TLS_VERIFY},
        {"mysql://h/d?ssl-mode=verify", "skip-ssl", MYSQL_TLS_VERIFY},
        {"mysql://h/d?ssl-mode=required", "ssl-verify-server-cert", MYSQL_TLS_REQUIRED},
        {"mysql://h/d?ssl-mode=disabled", "ssl-ca=x", MYSQL_TLS_NONE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(mysql_url_deinit) struct mysql_url url = met(cases[i].url, cases[i].lines);
        ck_assert_msg(url.tls == cases[i].tls, "%s and %s: %d", cases[i].url, cases[i].lines,
                      url.tls);
    }
}
END_TEST

START_TEST(test_what_the_url_leaves_open_is_taken_from_the_files)
{
    CLEANUP(mysql_url_deinit)
    struct mysql_url url = met("mysql:///d?ssl-ca=mine", "user=u;host=h;database=e;ssl-ca=theirs;"
                                                         "ssl-capath=theirs;ssl-cert=c;ssl-key=k");
    ck_assert_str_eq(url.user, "u");
    ck_assert_str_eq(url.host, "h");
    ck_assert_str_eq(url.database, "d");
    ck_assert_str_eq(url.ssl_ca, "mine");
    ck_assert_ptr_null(url.ssl_capath); /* it would be trusted beside the URL's */
    ck_assert_str_eq(url.ssl_cert, "c");
    CLEANUP(mysql_url_deinit)
    struct mysql_url local = met("mysql:///d?socket=/s&ssl-key=mine", "host=far;socket=/t;"
                                                                      "ssl-cert=c");
    ck_assert_ptr_null(local.host); /* a socket is on this machine */
    ck_assert_str_eq(local.socket, "/s");
    ck_assert_ptr_null(local.ssl_cert); /* it does not belong to that key */
}
END_TEST

START_TEST(test_options_that_are_wrong_are_refused_and_others_passed_over)
{
    static const struct {
        const char *name, *value, *says;
    } cases[] = {
        {"ssl", "maybe", "on or off"},
        {"ssl-mode", NULL, "REQUIRED"},
        {"ssl-verify-servr-cert", NULL, "'ssl-verify-server-cert'"},
        {"tls-something", "1", "tls-something"},
        {"port", "65536", "number"},
        {"max-allowed-packet", "9G", "number"},
        {"protocol", "pipe", "socket"},
        {"init-command", NULL, "value"},
        {"no-auto-rehash", NULL, NULL},
        {"max-allowed-packet", "64M", NULL},
        {"skip-password", NULL, NULL},
        {"reconnect", "1", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(mysql_options_deinit) struct mysql_options o = {.verify = -1};
        struct err err = {0};
        int r = mysql_options_take(&o, cases[i].name, cases[i].value, &err);
        ck_assert_int_eq(r, cases[i].says ? ERR_CONFIG : 0);
        ck_assert_msg(!cases[i].says || strstr(err.text, cases[i].says), "%s", err.text);
        ck_assert_ptr_null(o.password);
    }
}
END_TEST

static Suite *mysql_options_suite(void)
{
    Suite *suite = suite_create("mysql_options");
    TCase *t = tcase_create("mysql_options");
    tcase_add_test(t, test_quotes_comments_and_escapes_mean_what_they_mean_to_mysql);
    tcase_add_test(t, test_the_stronger_wish_holds_unless_the_urls_ssl_mode_says_otherwise);
    tcase_add_test(t, test_what_the_url_leaves_open_is_taken_from_the_files);
    tcase_add_test(t, test_options_that_are_wrong_are_refused_and_others_passed_over);
    suite_add_tcase(suite, t);
    return suite;
}

UNIT_MAIN(mysql_options_suite)

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_mysql_url.c - what the URL of a MySQL server says, and what it must not. */
#include "unit.h"

#include <string.h>

#include "source/mysql_url.h"

static void check_text(const char *got, const char *expected)
{
    if (expected)
        ck_assert_str_eq(got, expected);
    else
        ck_assert_ptr_null(got);
}

START_TEST(test_every_part_may_be_left_out)
{
    static const struct {
        const char *url, *user, *host, *database;
        unsigned port;
    } cases[] = {
        {"mysql://", NULL, NULL, NULL, 0},
        {"mysql:///d", NULL, NULL, "d", 0},
        {"mysql://h", NULL, "h", NULL, 0},
        {"mariadb://h/d", NULL, "h", "d", 0},
        {"mysql://u@/d", "u", NULL, "d", 0},
        {"mysql://:3307/d", NULL, NULL, "d", 3307},
        {"mysql://u@h:3306/d", "u", "h", "d", 3306},
        {"mysql://u@[::1]:3306/d", "u", "::1", "d", 3306},
        {"mysql://u@[fe80::2]/d", "u", "fe80::2", "d", 0},
        {"mysql://a%40b@h/d%2Fe%25", "a@b", "h", "d/e%", 0},
        {"mysql://h/d%zz%4", NULL, "h", "d%zz%4", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(mysql_url_deinit) struct mysql_url url = {0};
        struct err err = {0};
        ck_assert_msg(mysql_url_parse(cases[i].url, &url, &err) == 0, "%s", err.text);
        check_text(url.user, cases[i].user);
        check_text(url.host, cases[i].host);
        check_text(url.database, cases[i].database);
        ck_assert_uint_eq(url.port, cases[i].port);
        ck_assert_int_eq(url.tls, MYSQL_TLS_OPEN);
    }
}
END_TEST

START_TEST(test_parameters_name_files_and_what_is_expected_of_the_server)
{
    CLEANUP(mysql_url_deinit) struct mysql_url url = {0};
    struct err err = {0};
    ck_assert_int_eq(
        mysql_url_parse("mysql://h/d?socket=/run/a%26b&ssl-ca=/c%3Fa&ssl-cert=x&ssl-key=y", &url,
                        &err),
        0);
    ck_assert_str_eq(url.socket, "/run/a&b");
    ck_assert_str_eq(url.ssl_ca, "/c?a");
    ck_assert_str_eq(url.ssl_cert, "x");
    ck_assert_str_eq(url.ssl_key, "y");
    ck_assert_int_eq(url.tls, MYSQL_TLS_VERIFY); /* who names an authority wants it to be asked */
}
END_TEST

START_TEST(test_ssl_mode_has_the_last_word)
{
    static const struct {
        const char *url;
        enum mysql_tls tls;
    } cases[] = {
        {"mysql://h/d?ssl-mode=disabled", MYSQL_TLS_NONE},
        {"mysql://h/d?ssl-mode=required&ssl-ca=x", MYSQL_TLS_REQUIRED},
        {"mysql://h/d?ssl-ca=x&ssl-mode=verify", MYSQL_TLS_VERIFY},
        {"mysql://h?ssl-mode=verify", MYSQL_TLS_VERIFY},
        {"mysql://h/d?ssl-cert=x&ssl-key=y", MYSQL_TLS_REQUIRED}, /* never shown in the open */
        {"mysql://h/d?ssl-cert=x&ssl-mode=disabled", MYSQL_TLS_NONE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(mysql_url_deinit) struct mysql_url url = {0};
        ck_assert_int_eq(mysql_url_parse(cases[i].url, &url, NULL), 0);
        ck_assert_int_eq(url.tls, cases[i].tls);
    }
}
END_TEST

START_TEST(test_a_wrong_url_is_refused_and_a_password_never_repeated)
{
    static const struct {
        const char *url, *says;
    } cases[] = {
        {"", "mysql://"},
        {"h/d", "mysql://"},
        {"postgres://h/d", "mysql://"},
        {"mysql:/h/d", "mysql://"},
        {"mysql://u:hush@h/d", "password"},
        {"mysql://:hush@h/d", "password"},
        {"mysql://u:hu@sh@h/d", "password"},
        {"mysql://u:hush/x@h/d", "port"},
        {"mysql://h:0/d", "port"},
        {"mysql://h:65536/d", "port"},
        {"mysql://h:/d", "port"},
        {"mysql://[::1/d", "]"},
        {"mysql://[::1]x/d", "]"},
        {"mysql://h/d?password=hush", "password"},
        {"mysql://h/d?socket", "socket is empty"},
        {"mysql://h/d?socket=", "socket is empty"},
        {"mysql://h/d?ssl-mode=on", "required"},
        {"mysql://h/d?=x", "parameter"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(mysql_url_deinit) struct mysql_url url = {0};
        struct err err = {0};
        ck_assert_int_eq(mysql_url_parse(cases[i].url, &url, &err), ERR_USAGE);
        ck_assert_msg(strstr(err.text, cases[i].says), "%s: %s", cases[i].url, err.text);
        ck_assert_ptr_null(strstr(err.text, "hush"));
    }
}
END_TEST

static Suite *mysql_url_suite(void)
{
    Suite *suite = suite_create("mysql_url");
    TCase *t = tcase_create("mysql_url");
    tcase_add_test(t, test_every_part_may_be_left_out);
    tcase_add_test(t, test_parameters_name_files_and_what_is_expected_of_the_server);
    tcase_add_test(t, test_ssl_mode_has_the_last_word);
    tcase_add_test(t, test_a_wrong_url_is_refused_and_a_password_never_repeated);
    suite_add_tcase(suite, t);
    return suite;
}

UNIT_MAIN(mysql_url_suite)

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_redis_url.c - URLs of Redis, taken apart; and a cluster's slots and redirections. */
#include <string.h>

#include "queue/redis_slot.h"
#include "queue/redis_url.h"
#include "unit.h"

static struct err err;

static struct redis_url parsed(const char *text)
{
    struct redis_url url;
    ck_assert_msg(redis_url_parse(text, &url, &err) == 0, "%s: %s", text, err.text);
    return url;
}

static void refused(const char *text, const char *words)
{
    struct redis_url url;
    ck_assert_msg(redis_url_parse(text, &url, &err) == ERR_CONFIG, "%s is taken", text);
    ck_assert_msg(strstr(err.text, words), "%s: %s", text, err.text);
    ck_assert_msg(!strstr(err.text, "hush"), "%s: %s", text, err.text);
}

static void host_is(const struct redis_url *url, int i, const char *name, int port)
{
    ck_assert_int_lt(i, url->n_hosts);
    ck_assert_str_eq(url->hosts[i].name, name);
    ck_assert_int_eq(url->hosts[i].port, port);
}

START_TEST(test_what_a_url_leaves_out_is_usual)
{
    CLEANUP(redis_url_deinit) struct redis_url url = parsed("redis://");
    host_is(&url, 0, "127.0.0.1", 6379);
    ck_assert_int_eq(url.n_hosts, 1);
    ck_assert(!url.tls && !url.user && !url.password && !url.master && url.database == 0);
    CLEANUP(redis_url_deinit) struct redis_url sentinel = parsed("redis+sentinel://a/m");
    host_is(&sentinel, 0, "a", 26379);
}
END_TEST

START_TEST(test_every_part_of_a_url_is_taken)
{
    CLEANUP(redis_url_deinit)
    struct redis_url url = parsed("rediss://an%6e:p%40s%3As%25@h.test:7000/12"
                                  "?cacert=/a%40b.pem&cert=c&key=k&sni=other.test");
    host_is(&url, 0, "h.test", 7000);
    ck_assert(url.tls);
    ck_assert_str_eq(url.user, "ann");
    ck_assert_str_eq(url.password, "p@s:s%");
    ck_assert_int_eq(url.database, 12);
    ck_assert_str_eq(url.cacert, "/a@b.pem");
    ck_assert_str_eq(url.cert, "c");
    ck_assert_str_eq(url.key, "k");
    ck_assert_str_eq(url.sni, "other.test");
    ck_assert(strstr(url.shown, "h.test:7000/12") && !strstr(url.shown, "p%40s"));
}
END_TEST

START_TEST(test_addresses_with_colons_stand_in_brackets)
{
    CLEANUP(redis_url_deinit) struct redis_url url = parsed("redis://:pw@[::1]:7001/1");
    host_is(&url, 0, "::1", 7001);
    CLEANUP(redis_url_deinit) struct redis_url bare = parsed("redis://[fe80::2]");
    host_is(&bare, 0, "fe80::2", 6379);
}
END_TEST

START_TEST(test_a_socket_may_have_user_and_database)
{
    CLEANUP(redis_url_deinit) struct redis_url url = parsed("unix://u:p@/run/a%20b@c.sock?db=3");
    ck_assert_str_eq(url.path, "/run/a b@c.sock");
    ck_assert_str_eq(url.user, "u");
    ck_assert_str_eq(url.password, "p");
    ck_assert_int_eq(url.database, 3);
    ck_assert_int_eq(url.n_hosts, 0);
}
END_TEST

START_TEST(test_sentinels_are_a_list_with_a_name)
{
    CLEANUP(redis_url_deinit)
    struct redis_url url = parsed("rediss+sentinel://:pw@a,b:7,[::1]:8/main/2?sni=x");
    ck_assert_int_eq(url.n_hosts, 3);
    host_is(&url, 0, "a", 26379);
    host_is(&url, 1, "b", 7);
    host_is(&url, 2, "::1", 8);
    ck_assert_str_eq(url.master, "main");
    ck_assert_int_eq(url.database, 2);
    ck_assert(url.tls);
}
END_TEST

START_TEST(test_wrong_urls_are_refused_without_their_password)
{
    static const char *const wrong[][2] = {
        {"", "expected redis://"},
        {"http://:hush@x", "expected redis://"},
        {":hush@x", "expected redis://"},
        {"redis://:hush@h:port", "not a port"},
        {"redis://:hush@h:0", "not a port"},
        {"redis://:hush@h:65536", "not a port"},
        {"redis://:hush@h/db", "number of a database"},
        {"redis://:hush@h/-1", "number of a database"},
        {"redis://:hush@[::1", "without"},
        {"redis://:hush@[::1]x", "only a port"},
        {"redis://:hush@a,b", "several hosts"},
        {"redis://:hush@h?cacert=x", "rediss:// only"},
        {"rediss://:hush@h?password=hush", "no parameter"},
        {"redis://ann:hu/hush@h", "%40"}, /* a password that was not encoded */
        {"redis://ann:hu?hush@h", "%40"},
        {"unix://hush/x", "absolute path"},
        {"unix:///x?x=1", "no parameter"},
        {"redis+sentinel://:hush@a:1", "name is missing"},
        {"redis+sentinel://:hush@a:1/", "name is missing"},
        {"redis+sentinel://:hush@a,:x/m", "not a port"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        refused(wrong[i][0], wrong[i][1]);
}
END_TEST

START_TEST(test_the_environment_fills_what_the_url_leaves_out)
{
    setenv("HIWARI_REDIS_PASSWORD", "from-env", 1);
    setenv("HIWARI_REDIS_CERT", "c.pem", 1);
    CLEANUP(redis_url_deinit) struct redis_url given = parsed("redis://:given@h");
    ck_assert_int_eq(redis_url_environment(&given, &err), 0);
    ck_assert_str_eq(given.password, "given");
    ck_assert_ptr_null(given.cert);
    CLEANUP(redis_url_deinit) struct redis_url open = parsed("redis://h");
    ck_assert_int_eq(redis_url_environment(&open, &err), 0);
    ck_assert_str_eq(open.password, "from-env");
    CLEANUP(redis_url_deinit) struct redis_url socket = parsed("unix:///s");
    ck_assert_int_eq(redis_url_environment(&socket, &err), 0);
    ck_assert_ptr_null(socket.password);
    CLEANUP(redis_url_deinit) struct redis_url tls = parsed("rediss://h");
    ck_assert_int_eq(redis_url_environment(&tls, &err), ERR_CONFIG); /* a certificate, no key */
    setenv("HIWARI_REDIS_KEY", "k.pem", 1);
    ck_assert_int_eq(redis_url_environment(&tls, &err), 0);
    ck_assert_str_eq(tls.key, "k.pem");
}
END_TEST

/* ---- clusters ---- */

static int slot(const char *key)
{
    return redis_slot(key, strlen(key));
}

START_TEST(test_slots_are_those_of_the_specification)
{
    ck_assert_int_eq(slot("123456789"), 0x31c3 % REDIS_SLOTS); /* the check value of the CRC */
    ck_assert_int_eq(slot("foo"), 12182);
    ck_assert_int_eq(slot("{user1000}.following"), slot("user1000"));
    ck_assert_int_eq(slot("foo{{bar}}zap"), slot("{bar"));
    ck_assert_int_eq(slot("foo{bar}{zap}"), slot("bar"));
    ck_assert_int_ne(slot("foo{}{bar}"), slot("bar"));
    ck_assert_int_eq(slot(""), 0);
}
END_TEST

START_TEST(test_redirections_are_read_and_nonsense_is_not)
{
    struct redis_redirect to;
    ck_assert(redis_redirect_parse("MOVED 3999 127.0.0.1:6381", &to));
    ck_assert(to.slot == 3999 && to.port == 6381 && !to.ask);
    ck_assert_str_eq(to.host, "127.0.0.1");
    free(to.host);
    ck_assert(redis_redirect_parse("ASK 1 fe80::1:7000", &to));
    ck_assert(to.ask && to.port == 7000);
    ck_assert_str_eq(to.host, "fe80::1");
    free(to.host);
    ck_assert(redis_redirect_parse("MOVED 1 :7000", &to));
    ck_assert_str_eq(to.host, "");
    free(to.host);
    static const char *const nonsense[] = {
        "",           "MOVED ",          "MOVED 1",    "MOVED 1 host", "MOVED x h:1",
        "ASK -1 h:1", "MOVED 16384 h:1", "MOVED 1 h:", "MOVED 1 h:0",  "MOVED 1 h:65536",
        "MOVE 1 h:1", "ERR MOVED 1 h:1"};
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
        ck_assert_msg(!redis_redirect_parse(nonsense[i], &to), "%s", nonsense[i]);
}
END_TEST

static Suite *redis_url_suite(void)
{
    Suite *suite = suite_create("redis_url");
    TCase *tcase = tcase_create("url");
    tcase_add_test(tcase, test_what_a_url_leaves_out_is_usual);
    tcase_add_test(tcase, test_every_part_of_a_url_is_taken);
    tcase_add_test(tcase, test_addresses_with_colons_stand_in_brackets);
    tcase_add_test(tcase, test_a_socket_may_have_user_and_database);
    tcase_add_test(tcase, test_sentinels_are_a_list_with_a_name);
    tcase_add_test(tcase, test_wrong_urls_are_refused_without_their_password);
    tcase_add_test(tcase, test_the_environment_fills_what_the_url_leaves_out);
    tcase_add_test(tcase, test_slots_are_those_of_the_specification);
    tcase_add_test(tcase, test_redirections_are_read_and_nonsense_is_not);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_MAIN(redis_url_suite)

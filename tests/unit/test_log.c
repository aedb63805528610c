/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_log.c - log lines as a collector and as a person read them. */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static int saved_stderr, pipe_end;

static void setup(void)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    saved_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    pipe_end = ends[0];
}

/* What was logged since the test began. */
static const char *logged(void)
{
    static char text[4096];
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    ssize_t n = read(pipe_end, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    close(pipe_end);
    return text;
}

START_TEST(test_a_line_is_json_where_no_person_looks)
{
    log_warn("lease lost", LOG_S("key", "2019-10-01"), LOG_I("held_ms", -12));
    const char *line = logged();
    static const char start[] =
        "{\"severity\":\"WARNING\",\"message\":\"lease lost\",\"time\":\"20";
    static const char end[] = "Z\",\"key\":\"2019-10-01\",\"held_ms\":-12}\n";
    ck_assert_msg(strncmp(line, start, strlen(start)) == 0, "%s", line);
    ck_assert_msg(strlen(line) > strlen(end) && strcmp(line + strlen(line) - strlen(end), end) == 0,
                  "%s", line);
}
END_TEST

START_TEST(test_json_stays_json_whatever_the_text)
{
    log_error("say \"a\\b\"\n\x01\xff", LOG_S("日", "割り"));
    const char *line = logged();
    ck_assert_ptr_nonnull(strstr(line, "\"say \\\"a\\\\b\\\"\\n\\u0001\\ufffd\""));
    ck_assert_ptr_nonnull(strstr(line, "\"日\":\"割り\""));
}
END_TEST

START_TEST(test_a_person_reads_plain_words)
{
    log_set_json(false);
    log_info("packed");
    log_warn("lease lost", LOG_S("key", "2019-10-01"), LOG_I("held_ms", 12), LOG_S("why", "a b"),
             LOG_S("empty", ""));
    const char *line = logged();
    ck_assert_msg(strlen(line) > 8 && strncmp(line + 8, " info  packed\n", 14) == 0, "%s", line);
    ck_assert_ptr_nonnull(
        strstr(line, " warn  lease lost  key=2019-10-01 held_ms=12 why=\"a b\" empty=\"\"\n"));
}
END_TEST

START_TEST(test_lines_below_the_level_are_not_written)
{
    log_debug("one");
    log_set_level(LOG_ERROR);
    log_warn("two");
    log_error("three");
    log_set_level(LOG_DEBUG);
    log_debug("four");
    const char *lines = logged();
    ck_assert_ptr_null(strstr(lines, "one"));
    ck_assert_ptr_null(strstr(lines, "two"));
    ck_assert_ptr_nonnull(strstr(lines, "three"));
    ck_assert_ptr_nonnull(strstr(lines, "\"DEBUG\",\"message\":\"four\""));
}
END_TEST

static Suite *log_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *t = tcase_create("log");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, test_a_line_is_json_where_no_person_looks);
    tcase_add_test(t, test_json_stays_json_whatever_the_text);
    tcase_add_test(t, test_a_person_reads_plain_words);
    tcase_add_test(t, test_lines_below_the_level_are_not_written);
    suite_add_tcase(suite, t);
    return suite;
}

UNIT_MAIN(log_suite)

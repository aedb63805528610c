/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_notice.c - who tells of a batch, how often, and in which words. */
#include "queue_fixture.h"

#include "batch/notice.h"
#include "notify/webhook.h"

/* Lease keys and let them fail for good. */
static void fail_keys(int n, const char *text)
{
    for (int i = 0; i < n; i++) {
        struct lease_set set = {0};
        ck_ok(queue_lease(queue, &w1, (struct lease_wish){.max = 1}, &set, &err));
        struct lease_ref ref = {.key = set.leases[0].key, .token = set.leases[0].token};
        ck_ok(queue_fail(queue, &w1, &ref, "input", text, &err));
        lease_set_free(&set);
    }
}

START_TEST(test_failed_keys_are_told_by_one_and_not_again_before_the_time)
{
    struct queue_news news;
    batch_usual(5);
    ck_ok(queue_news(queue, 60000, &news, &err));
    ck_assert_int_eq(news.failed_new, 0);
    ck_assert_int_eq(news.wait_ms, 0);
    fail_keys(2, "bad");
    ck_ok(queue_news(queue, 60000, &news, &err));
    ck_assert_int_eq(news.failed_new, 2);
    ck_ok(queue_news(queue, 60000, &news, &err));
    ck_assert_int_eq(news.failed_new, 0);
    ck_assert_int_eq(news.wait_ms, 0);
    fail_keys(1, "bad");
    ck_ok(queue_news(queue, 60000, &news, &err));
    ck_assert_int_eq(news.failed_new, 0);
    ck_assert_int_eq(news.failed, 3);
    ck_assert(news.wait_ms > 0 && news.wait_ms <= 60000);
}
END_TEST

START_TEST(test_when_the_time_is_over_what_has_failed_since_is_told)
{
    struct queue_news news;
    batch_usual(5);
    fail_keys(2, "bad");
    ck_ok(queue_news(queue, 50, &news, &err));
    ck_assert_int_eq(news.failed_new, 2);
    fail_keys(1, "bad");
    do
        ck_ok(queue_news(queue, 50, &news, &err));
    while (news.failed_new == 0 && news.wait_ms > 0);
    ck_assert_int_eq(news.failed_new, 1);
    ck_assert_int_eq(news.failed, 3);
}
END_TEST

START_TEST(test_keys_that_were_retried_and_fail_again_are_news)
{
    struct queue_news news;
    int64_t moved;
    batch_usual(3);
    fail_keys(3, "bad");
    ck_ok(queue_news(queue, 1, &news, &err));
    ck_ok(queue_retry(queue, NULL, 0, &moved, &err));
    ck_ok(queue_news(queue, 1, &news, &err));
    ck_assert_int_eq(news.failed_new, 0);
    fail_keys(2, "bad");
    clock_sleep_ms(2);
    ck_ok(queue_news(queue, 1, &news, &err));
    ck_assert_int_eq(news.failed_new, 2);
    ck_assert_int_eq(news.failed, 2);
}
END_TEST

START_TEST(test_the_url_is_kept_until_another_is_given)
{
    CLEANUP(queue_notify_deinit) struct queue_notify none = {0};
    CLEANUP(queue_notify_deinit) struct queue_notify one = {0};
    CLEANUP(queue_notify_deinit) struct queue_notify no_more = {0};
    batch_usual(1);
    ck_ok(queue_notify_get(queue, &none, &err));
    ck_assert_ptr_null(none.url);
    ck_assert_int_eq(none.epoch, 1);
    ck_assert(!none.settled);
    ck_ok(queue_notify_set(queue, "https://example.org/x", &err));
    ck_ok(queue_notify_get(queue, &one, &err));
    ck_assert_str_eq(one.url, "https://example.org/x");
    ck_ok(queue_notify_set(queue, "", &err));
    ck_ok(queue_notify_get(queue, &no_more, &err));
    ck_assert_ptr_null(no_more.url);
}
END_TEST

START_TEST(test_of_a_batch_that_is_gone_there_is_nothing_to_tell)
{
    CLEANUP(queue_notify_deinit) struct queue_notify notify = {0};
    struct queue_news news;
    int64_t removed;
    batch_usual(1);
    ck_ok(queue_purge(queue, &removed, &err));
    ck_gives(QUEUE_GONE, queue_notify_get(queue, &notify, &err));
    ck_gives(QUEUE_GONE, queue_notify_set(queue, "https://example.org/x", &err));
    ck_gives(QUEUE_GONE, queue_news(queue, 1, &news, &err));
    ck_gives(QUEUE_GONE, notice_settled(queue, &err));
}
END_TEST

START_TEST(test_the_message_names_the_first_keys_and_what_to_do)
{
    CLEANUP(str_deinit) struct str text = {0};
    int64_t wait_ms;
    batch_usual(8);
    fail_keys(7, "a <b> & c\nof two lines");
    ck_gives(NOTICE_SAY, notice_failed(queue, &text, &wait_ms, &err));
    ck_assert_int_eq(wait_ms, NOTICE_EVERY_MS);
    ck_assert_ptr_nonnull(strstr(text.s, "batch *b*: 7 of 8 keys have failed"));
    ck_assert_ptr_nonnull(strstr(text.s, "input, 1 attempt): a &lt;b&gt; &amp; c of two lines"));
    ck_assert_ptr_nonnull(strstr(text.s, "… and 2 more"));
    ck_assert_ptr_nonnull(strstr(text.s, "`hiwari status b` shows more, `hiwari retry b --all`"));
    str_clear(&text);
    ck_gives(0, notice_failed(queue, &text, &wait_ms, &err));
    ck_assert_uint_eq(text.len, 0);
}
END_TEST

START_TEST(test_texts_agree_with_their_numbers)
{
    CLEANUP(str_deinit) struct str text = {0};
    struct queue_status status = {.total = 10, .done = 9, .failed = 1, .epoch = 3};
    notice_settled_text("b", "file:///d", &status, &text);
    ck_assert_ptr_nonnull(strstr(text.s, "has settled (epoch 3): 9 keys are done, 1 has failed"));
    str_clear(&text);
    status = (struct queue_status){.total = 10, .done = 10, .epoch = 4};
    notice_settled_text("b", "file:///d", &status, &text);
    ck_assert_ptr_nonnull(strstr(text.s, "all 10 keys are done, results are in file:///d"));
    str_clear(&text);
    status = (struct queue_status){.total = 10, .failed = 5};
    notice_failed_text("b", &status, 1, &text);
    ck_assert_ptr_nonnull(strstr(text.s, "1 more key has failed, 5 of 10 by now"));
    str_clear(&text);
    status = (struct queue_status){.total = 10, .pending = 1};
    notice_stranded_text("b", &status, &text);
    ck_assert_ptr_nonnull(strstr(text.s, "1 key waits and no worker"));
}
END_TEST

START_TEST(test_quoted_text_is_cut_between_characters)
{
    CLEANUP(str_deinit) struct str out = {0};
    webhook_quote("日割り", 4, &out);
    ck_assert_str_eq(out.s, "日…");
    str_clear(&out);
    webhook_quote("日割り", 9, &out);
    ck_assert_str_eq(out.s, "日割り");
    str_clear(&out);
    webhook_quote("bad \xff bytes", 100, &out);
    ck_assert_str_eq(out.s, "bad …");
}
END_TEST

static Suite *notice_suite(void)
{
    Suite *suite = suite_create("notice");
    TCase *t = fixture_case(suite, "notice");
    tcase_add_test(t, test_failed_keys_are_told_by_one_and_not_again_before_the_time);
    tcase_add_test(t, test_when_the_time_is_over_what_has_failed_since_is_told);
    tcase_add_test(t, test_keys_that_were_retried_and_fail_again_are_news);
    tcase_add_test(t, test_the_url_is_kept_until_another_is_given);
    tcase_add_test(t, test_of_a_batch_that_is_gone_there_is_nothing_to_tell);
    tcase_add_test(t, test_the_message_names_the_first_keys_and_what_to_do);
    tcase_add_test(t, test_texts_agree_with_their_numbers);
    tcase_add_test(t, test_quoted_text_is_cut_between_characters);
    return suite;
}

UNIT_MAIN(notice_suite)

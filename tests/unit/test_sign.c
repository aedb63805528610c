/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_sign.c - signatures that Amazon publishes as examples, and what is like them and unlike. */
#include "unit.h"

#include <string.h>

#include "http/sign.h"

/* 2013-05-24 00:00:00, as in the examples, and their keys. */
#define THEN INT64_C(1369353600000)
#define EXAMPLE                                                                                    \
    .aws_region = "us-east-1", .aws_key_id = "AKIAIOSFODNN7EXAMPLE",                               \
    .aws_secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define HOST "https://examplebucket.s3.amazonaws.com"

static const char *signature(const struct http_request *request)
{
    static char text[65];
    CLEANUP(sign_lines_deinit) struct sign_lines lines = {0};
    sign_request(request, THEN, &lines);
    ck_assert_str_eq(lines.date, "x-amz-date: 20130524T000000Z");
    const char *found = strstr(lines.authorization, "Signature=");
    ck_assert_ptr_nonnull(found);
    ck_assert_uint_eq(strlen(found), 10 + 64);
    memcpy(text, found + 10, sizeof(text));
    return text;
}

START_TEST(test_a_range_of_an_object)
{
    const char *const headers[] = {"Range: bytes=0-9", NULL};
    struct http_request request = {.url = HOST "/test.txt", .headers = headers, EXAMPLE};
    ck_assert_str_eq(signature(&request),
                     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}
END_TEST

START_TEST(test_an_upload_with_headers)
{
    const char *const headers[] = {"Date: Fri, 24 May 2013 00:00:00 GMT",
                                   "x-amz-storage-class: REDUCED_REDUNDANCY", NULL};
    static const char body[] = "Welcome to Amazon S3.";
    struct http_request request = {.method = "PUT",
                                   .url = HOST "/test%24file.text",
                                   .headers = headers,
                                   .body = body,
                                   .body_len = strlen(body),
                                   EXAMPLE};
    ck_assert_str_eq(signature(&request),
                     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}
END_TEST

START_TEST(test_a_query)
{
    struct http_request request = {.url = HOST "/?max-keys=2&prefix=J", EXAMPLE};
    ck_assert_str_eq(signature(&request),
                     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    request.url = HOST "?max-keys=2&prefix=J"; /* no path is the path / */
    ck_assert_str_eq(signature(&request),
                     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    request.url = "https://examplebucket.s3.amazonaws.com:443/?max-keys=2&prefix=J";
    ck_assert_str_eq(signature(&request),
                     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    request.url = "https://examplebucket.s3.amazonaws.com:80/?max-keys=2&prefix=J";
    ck_assert_str_ne(signature(&request),
                     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}
END_TEST

START_TEST(test_spaces_and_case_of_headers_do_not_matter_and_their_order_neither)
{
    const char *const a[] = {"X-Amz-Meta-A: one two", "x-amz-meta-a-b: 3", "If-Match: \"x\"", NULL};
    const char *const b[] = {"if-match:\"x\"", "x-amz-meta-a-b:3 ", "x-amz-meta-a:  one   two ",
                             NULL};
    const char *const c[] = {"if-match:\"x\"", "x-amz-meta-a-b:3 ", "x-amz-meta-a: onetwo", NULL};
    struct http_request request = {.url = HOST "/a", .headers = a, EXAMPLE};
    char first[65];
    strcpy(first, signature(&request));
    request.headers = b;
    ck_assert_str_eq(signature(&request), first);
    request.headers = c;
    ck_assert_str_ne(signature(&request), first);
}
END_TEST

static Suite *sign_suite(void)
{
    Suite *suite = suite_create("sign");
    TCase *tc = tcase_create("sign");
    tcase_add_test(tc, test_a_range_of_an_object);
    tcase_add_test(tc, test_an_upload_with_headers);
    tcase_add_test(tc, test_a_query);
    tcase_add_test(tc, test_spaces_and_case_of_headers_do_not_matter_and_their_order_neither);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(sign_suite)

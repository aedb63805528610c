/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz_google.c - any bytes as whatever comes from Google: files of credentials, tokens, objects,
 * listings, errors. A token that is accepted fits into a header line. */
#include "fuzz.h"

#include "store/google_source.h"
#include "store/google_token.h"
#include "store/store_gcs.h"

static void check_token(bool good, struct google_token *token)
{
    if (!good)
        return;
    if (!token->text[0] || strpbrk(token->text, " \r\n") || token->expires_ms <= 0)
        __builtin_trap();
    free(token->text);
}

static int check_object(void *ctx, const struct store_object *object, struct err *err)
{
    if (!store_name_ok(object->name) || object->generation <= 0 || object->bytes < 0)
        __builtin_trap();
    return 0;
}

static void list(const struct http_answer *answer)
{
    char prefix[] = "p/";
    struct store_gcs gcs = {.prefix = prefix, .store = {.url = prefix}};
    CLEANUP(str_deinit) struct str next = {0};
    struct err err;
    gcs_list_page(&gcs, answer, &next, check_object, NULL, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *text = (const char *)data;
    CLEANUP(google_source_free) struct google_source *source = NULL;
    CLEANUP(http_answer_deinit) struct http_answer answer = {.status = 400};
    CLEANUP(str_deinit) struct str words = {0};
    struct google_token token;
    struct gcs_object object;
    struct err err;
    google_source_parse("file", text, len, &source, &err);
    check_token(google_token_parse(text, len, 0, &token), &token);
    check_token(google_token_parse_impersonated(text, len, 0, 0, &token), &token);
    if (gcs_object_parse(text, len, &object) && object.generation <= 0)
        __builtin_trap();
    str_add(&answer.body, text, len);
    google_words(&answer, &words);
    list(&answer);
    return 0;
}

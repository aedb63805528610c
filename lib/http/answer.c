/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* answer.c - reading what a server sends, which may be anything. */
#include "http/http.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/utf8.h"

enum {
    WORDS_MAX = 240,
    TOKEN_MIN = 40, /* a word as long as this is rather a token than a word */
};

/* ---- headers ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool http_header(const struct http_answer *answer, const char *name, struct str *ret)
{
    const char *line = answer->headers.s;
    const char *end = line ? line + answer->headers.len : NULL;
    size_t name_len = strlen(name);
    bool found = false;
    while (line && line < end) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        next = next ? next + 1 : end;
        const char *value = line + name_len, *stop = next;
        if (value < next && *value == ':' && strncasecmp(line, name, name_len) == 0) {
            value++;
            while (value < stop && is_space(*value))
                value++;
            while (stop > value && is_space(stop[-1]))
                stop--;
            found = true;
            if (ret) {
                str_clear(ret);
                str_add(ret, value, (size_t)(stop - value));
            }
        }
        line = next;
    }
    return found;
}

/* ---- words for people ---- */

static bool is_token_char(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '+' || c == '=';
}

/* A run of characters that tokens, keys and signatures are made of, as long as they are. */
static size_t token_length(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && is_token_char(text[n]))
        n++;
    return n;
}

/* Markup from '<' on: how long it is, 0 when it is a mere '<'. */
static size_t markup_length(const char *text, size_t len)
{
    if (len < 2 || !(isalpha((unsigned char)text[1]) || strchr("/!?", text[1])))
        return 0;
    const char *end = memchr(text, '>', len);
    return end ? (size_t)(end - text) + 1 : len;
}

static void add_space(struct str *out, size_t begin)
{
    if (out->len > begin && out->s[out->len - 1] != ' ')
        str_addc(out, ' ');
}

static size_t quote_one(const char *text, size_t len, size_t begin, struct str *out)
{
    uint32_t point;
    size_t n = *text == '<' ? markup_length(text, len) : 0;
    if (n > 0) {
        add_space(out, begin);
        return n;
    }
    n = token_length(text, len);
    if (n >= TOKEN_MIN) {
        str_addz(out, "[...]");
        return n;
    }
    if (n > 0) {
        str_add(out, text, n);
        return n;
    }
    n = (size_t)utf8_decode(text, len, &point);
    if (n == 0 || point < 0x20 || (point >= 0x7f && point < 0xa0) || point == ' ') {
        add_space(out, begin);
        return n ? n : 1;
    }
    str_add(out, text, n);
    return n;
}

void http_quote(const char *text, size_t len, size_t max, struct str *out)
{
    size_t begin = out->len;
    for (size_t at = 0; at < len && out->len - begin < max;)
        at += quote_one(text + at, len - at, begin, out);
    while (out->len > begin && out->s[out->len - 1] == ' ')
        out->s[--out->len] = '\0';
    if (out->len - begin > max) { /* the last piece was too much: cut between characters */
        out->len = begin + max;
        while (out->len > begin && ((unsigned char)out->s[out->len] & 0xc0) == 0x80)
            out->len--;
        out->s[out->len] = '\0';
    }
}

void http_words(const struct http_answer *answer, struct str *out)
{
    str_addf(out, "HTTP %d", answer->status);
    size_t before = out->len;
    str_addz(out, ": ");
    http_quote(answer->body.s ? answer->body.s : "", answer->body.len, WORDS_MAX, out);
    if (out->len == before + 2) {
        out->len = before;
        out->s[before] = '\0';
        str_addz(out, " without a word");
    }
}

static void mask(struct str *text, const char *secret)
{
    size_t len = strlen(secret);
    for (char *at = text->s; len > 0 && (at = strstr(at, secret)); at += len)
        memset(at, '*', len);
}

int http_err(struct err *err, int code, const struct http_request *request,
             const struct http_answer *answer)
{
    CLEANUP(str_deinit) struct str words = {0};
    (request->words ? request->words : http_words)(answer, &words);
    for (int i = 0; request->secrets && request->secrets[i]; i++)
        mask(&words, request->secrets[i]);
    return err_set(err, code, "%s", words.s);
}

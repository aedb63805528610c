/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* expr_lex.c - text into words. */
#include "features/expr_lex.h"

#include <ctype.h>
#include <stdio.h>

static const struct {
    const char *word;
    enum token_kind kind;
} keywords[] = {
    {"or", TOKEN_OR},     {"and", TOKEN_AND},         {"not", TOKEN_NOT},
    {"in", TOKEN_IN},     {"between", TOKEN_BETWEEN}, {"is", TOKEN_IS},
    {"true", TOKEN_TRUE}, {"false", TOKEN_FALSE},     {"null", TOKEN_NULL},
};
enum { N_KEYWORDS = sizeof(keywords) / sizeof(keywords[0]) };

static const struct {
    const char *sign; /* longer signs before their beginnings */
    enum token_kind kind;
} signs[] = {
    {"==", TOKEN_EQ},     {"!=", TOKEN_NE},       {"<>", TOKEN_NE},        {"<=", TOKEN_LE},
    {">=", TOKEN_GE},     {"<", TOKEN_LT},        {">", TOKEN_GT},         {"=", TOKEN_ASSIGN},
    {"+", TOKEN_PLUS},    {"-", TOKEN_MINUS},     {"*", TOKEN_STAR},       {"/", TOKEN_SLASH},
    {"%", TOKEN_PERCENT}, {",", TOKEN_COMMA},     {".", TOKEN_DOT},        {"(", TOKEN_OPEN},
    {")", TOKEN_CLOSE},   {"[", TOKEN_OPEN_LIST}, {"]", TOKEN_CLOSE_LIST},
};
enum { N_SIGNS = sizeof(signs) / sizeof(signs[0]) };

/* What people know from other languages. */
static const struct {
    const char *sign, *instead;
} foreign_signs[] = {
    {"&&", "and"}, {"||", "or"}, {"!", "not"}, {"&", "and"}, {"|", "or"},
};
enum { N_FOREIGN_SIGNS = sizeof(foreign_signs) / sizeof(foreign_signs[0]) };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static enum token_kind word_kind(const char *word, size_t len)
{
    for (int i = 0; i < N_KEYWORDS; i++) {
        if (strlen(keywords[i].word) == len && memcmp(keywords[i].word, word, len) == 0)
            return keywords[i].kind;
    }
    return TOKEN_NAME;
}

bool expr_is_keyword(const char *word, size_t len)
{
    return word_kind(word, len) != TOKEN_NAME;
}

/* Columns count characters: the bytes of UTF-8 that do not continue one. */
static void step(struct lexer *lexer, int bytes)
{
    for (int i = 0; i < bytes; i++)
        lexer->column += ((unsigned char)lexer->next[i] & 0xc0) != 0x80;
    lexer->next += bytes;
}

static int take_token(struct lexer *lexer, enum token_kind kind, int len)
{
    lexer->kind = kind;
    lexer->len = len;
    step(lexer, len);
    return 0;
}

static int digits_at(const char *s)
{
    int n = 0;
    while (is_digit(s[n]))
        n++;
    return n;
}

static int lex_number(struct lexer *lexer)
{
    const char *s = lexer->start;
    int len = digits_at(s);
    if (s[len] == '.') {
        int digits = digits_at(s + len + 1);
        if (digits == 0)
            return expr_error(lexer->err, lexer->at, "'%.*s' needs a digit after the point",
                              len + 1, s);
        len += 1 + digits;
    }
    if (s[len] == 'e' || s[len] == 'E') {
        int sign = s[len + 1] == '-' || s[len + 1] == '+';
        int digits = digits_at(s + len + 1 + sign);
        len += digits ? 1 + sign + digits : 0;
    }
    if (is_word_start(s[len]) || s[len] == '.')
        return expr_error(lexer->err, lexer->at, "'%.*s' is not a number", len + 1, s);
    return take_token(lexer, TOKEN_NUMBER, len);
}

/* A doubled quote stands for one. */
static int lex_quoted(struct lexer *lexer, enum token_kind kind)
{
    const char *s = lexer->start;
    char quote = s[0];
    str_clear(&lexer->value);
    str_reserve(&lexer->value, 0);
    int i = 1;
    for (; s[i] && (s[i] != quote || s[i + 1] == quote); i++) {
        str_addc(&lexer->value, s[i]);
        i += s[i] == quote;
    }
    if (!s[i])
        return expr_error(lexer->err, lexer->at, "the quote %c that begins here is not closed",
                          quote);
    if (kind == TOKEN_QUOTED_NAME && lexer->value.len == 0)
        return expr_error(lexer->err, lexer->at, "`` names no column");
    return take_token(lexer, kind, i + 1);
}

static int lex_word(struct lexer *lexer)
{
    const char *s = lexer->start;
    int len = 1;
    while (is_word_start(s[len]) || is_digit(s[len]))
        len++;
    str_clear(&lexer->value);
    str_add(&lexer->value, s, (size_t)len);
    return take_token(lexer, word_kind(s, (size_t)len), len);
}

static int lex_sign(struct lexer *lexer)
{
    const char *s = lexer->start;
    for (int i = 0; i < N_SIGNS; i++) {
        if (str_starts(s, signs[i].sign))
            return take_token(lexer, signs[i].kind, (int)strlen(signs[i].sign));
    }
    for (int i = 0; i < N_FOREIGN_SIGNS; i++) {
        if (str_starts(s, foreign_signs[i].sign))
            return expr_error(lexer->err, lexer->at, "'%s' is not known here; write %s",
                              foreign_signs[i].sign, foreign_signs[i].instead);
    }
    int len = 1;
    while (((unsigned char)s[len] & 0xc0) == 0x80)
        len++;
    if ((unsigned char)s[0] >= 0x80)
        return expr_error(lexer->err, lexer->at,
                          "unexpected '%.*s'; names with other than ASCII letters stand in "
                          "backquotes: `name`",
                          len, s);
    return expr_error(lexer->err, lexer->at, "unexpected '%c'", s[0]);
}

int lexer_next(struct lexer *lexer)
{
    lexer->before = lexer->start;
    lexer->before_len = lexer->len;
    step(lexer, (int)strspn(lexer->next, " \t\r\n"));
    lexer->start = lexer->next;
    lexer->at = lexer->column;
    char c = *lexer->start;
    if (!c)
        return take_token(lexer, TOKEN_END, 0);
    if (is_digit(c))
        return lex_number(lexer);
    if (c == '.' && is_digit(lexer->start[1]))
        return expr_error(lexer->err, lexer->at, "a number begins with a digit: write 0.%c",
                          lexer->start[1]);
    if (c == '\'' || c == '"')
        return lex_quoted(lexer, TOKEN_STRING);
    if (c == '`')
        return lex_quoted(lexer, TOKEN_QUOTED_NAME);
    return is_word_start(c) ? lex_word(lexer) : lex_sign(lexer);
}

int lexer_init(struct lexer *lexer, const char *text, struct err *err)
{
    *lexer = (struct lexer){.next = text, .column = 1, .err = err};
    return lexer_next(lexer);
}

void lexer_deinit(struct lexer *lexer)
{
    str_deinit(&lexer->value);
}

/* A keyword of another language's case is most likely meant as one. */
static const char *meant_keyword(const struct lexer *lexer)
{
    char word[16];
    if (lexer->kind != TOKEN_NAME || (size_t)lexer->len >= sizeof(word))
        return NULL;
    for (int i = 0; i < lexer->len; i++)
        word[i] = (char)tolower((unsigned char)lexer->start[i]);
    word[lexer->len] = '\0';
    for (int i = 0; i < N_KEYWORDS; i++) {
        if (strcmp(keywords[i].word, word) == 0)
            return keywords[i].word;
    }
    return NULL;
}

/* At most 40 bytes of a token, whole characters. */
static int shown(const char *s, int len)
{
    if (len <= 40)
        return len;
    int n = 40;
    while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
        n--;
    return n;
}

int lexer_expected(const struct lexer *lexer, const char *what)
{
    if (lexer->kind == TOKEN_END)
        return expr_error(lexer->err, lexer->at, "expected %s, found the end of the text", what);
    const char *keyword = meant_keyword(lexer);
    if (keyword)
        return expr_error(lexer->err, lexer->at,
                          "expected %s, found '%.*s'; write %s in lower case", what, lexer->len,
                          lexer->start, keyword);
    return expr_error(lexer->err, lexer->at, "expected %s, found '%.*s'", what,
                      shown(lexer->start, lexer->len), lexer->start);
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* expr_lex.h - the words of the expression language, private to expr_*.c. */
#ifndef FEATURES_EXPR_LEX_H
#define FEATURES_EXPR_LEX_H

#include "features/expr_tree.h"

enum token_kind {
    TOKEN_END,
    TOKEN_NUMBER,
    TOKEN_STRING,      /* value without quotes */
    TOKEN_NAME,        /* not a keyword */
    TOKEN_QUOTED_NAME, /* `in backquotes`, value without them */
    TOKEN_OR,
    TOKEN_AND,
    TOKEN_NOT,
    TOKEN_IN,
    TOKEN_BETWEEN,
    TOKEN_IS,
    TOKEN_TRUE,
    TOKEN_FALSE,
    TOKEN_NULL,
    TOKEN_EQ,
    TOKEN_NE,
    TOKEN_LT,
    TOKEN_LE,
    TOKEN_GT,
    TOKEN_GE,
    TOKEN_ASSIGN,
    TOKEN_PLUS,
    TOKEN_MINUS,
    TOKEN_STAR,
    TOKEN_SLASH,
    TOKEN_PERCENT,
    TOKEN_COMMA,
    TOKEN_DOT,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_OPEN_LIST,
    TOKEN_CLOSE_LIST,
};

struct lexer {
    const char *next; /* after the token */
    int column;       /* of next */
    struct err *err;

    enum token_kind kind; /* the token that is looked at */
    const char *start;
    int len;
    int at;           /* its column, from 1 */
    struct str value; /* of strings and names */

    const char *before; /* the token before it; NULL at the beginning */
    int before_len;
};

/* Look at the first token, at the next. ERR_INPUT for what is no token. */
int lexer_init(struct lexer *lexer, const char *text, struct err *err);
int lexer_next(struct lexer *lexer);
void lexer_deinit(struct lexer *lexer);
MEM_CLEANUP_VALUE(lexer_deinit, struct lexer);

/* "column 9: expected WHAT, found 'x'". Returns ERR_INPUT. */
int lexer_expected(const struct lexer *lexer, const char *what);

#endif

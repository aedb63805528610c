/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* json.h - JSON by cJSON, with the strictness a spec needs: positions in errors,
 * doubled members refused, one canonical form.
 *
 * struct json is a borrowed node of a document; json_free is called on the root only. */
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct json; /* cJSON's node, not named elsewhere */
enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* ERR_INPUT with line and column (in characters) for bad syntax, text after the end, bytes that are
 * not UTF-8, \u0000, numbers that are not finite, nesting beyond 200 levels, and a member given
 * twice (with its path). `name` stands for the document. Numbers are doubles: integers are exact up
 * to 2^53, and json_need_int refuses those beyond. */
int json_parse(const char *name, const char *text, size_t len, struct json **ret, struct err *err);
void json_free(struct json *root);
MEM_CLEANUP(json_free, struct json *);

enum json_type json_type(const struct json *node);
const char *json_type_name(enum json_type type);  /* "an object", "a string" … for messages */
const char *json_name(const struct json *node);   /* of a member; NULL for elements and the root */
const char *json_string(const struct json *node); /* JSON_STRING only */
double json_number(const struct json *node);      /* JSON_NUMBER only */
bool json_bool(const struct json *node);
int json_size(const struct json *node); /* members or elements */

/* NULL if the object has no such member, or is not an object. */
const struct json *json_get(const struct json *object, const char *name);
const struct json *json_at(const struct json *array, int i);
const struct json *json_first(const struct json *node); /* of an array or object; NULL if empty */
const struct json *json_next(const struct json *node);

/* Typed getters for documents that hiwari itself wrote: ERR_INPUT names the missing or wrong
 * member. */
int json_need_string(const struct json *object, const char *name, const char **ret,
                     struct err *err);
/* Copies so many digits [0-9a-f] and a NUL to ret. */
int json_need_hex(const struct json *object, const char *name, size_t digits, char *ret,
                  struct err *err);
int json_need_int(const struct json *object, const char *name, int64_t *ret, struct err *err);

/* Building. The add functions return the new node, owned by the document. Into an array, name is
 * NULL. A NULL string and a number that is not finite become null; integers are exact at any size.
 */
struct json *json_new_object(void);
struct json *json_add_object(struct json *parent, const char *name);
struct json *json_add_array(struct json *parent, const char *name);
struct json *json_add_string(struct json *parent, const char *name, const char *value);
struct json *json_add_int(struct json *parent, const char *name, int64_t value);
struct json *json_add_number(struct json *parent, const char *name, double value);
struct json *json_add_bool(struct json *parent, const char *name, bool value);
struct json *json_add_null(struct json *parent, const char *name);

void json_print(const struct json *node, bool indented, struct str *out);

/* The canonical form: no white space, members sorted by name's bytes, members whose name begins
 * with '#' left out, numbers in shortest form (2 and 2.0 are the same). A spec's sha256 is of it.
 */
void json_canonical(const struct json *node, struct str *out);

#endif

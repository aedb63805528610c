/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* json.c - JSON by cJSON, made strict.
 *
 * cJSON knows the structure but is lenient inside: it takes control characters for
 * blanks, lets them stand in strings, ends a string at \u0000, and reads 01 and 1e999. So the
 * text's tokens are checked first, with their positions; cJSON then builds the tree, and the
 * tree is searched for members given twice. Writing is done here, because cJSON's
 * numbers do not always read back as the same double. */
#include "codec/json.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include <cjson/cJSON.h>

#include "base/utf8.h"
#include "codec/number.h"

enum { DEPTH_MAX = 200 }; /* cJSON's own limit is 1000; all recursion here is bounded by this */
static const double exact_max = 9007199254740992.0; /* 2^53 */

static pthread_once_t hooks_once = PTHREAD_ONCE_INIT;

/* So that cJSON never fails for want of memory: a NULL from its parser is bad syntax. */
static void hooks_init(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = mem_alloc, .free_fn = free});
}

/* cJSON's functions take nodes that are not const. */
static cJSON *cjson_of(const struct json *node)
{
    return (cJSON *)node;
}

/* ---- The tokens of a text ---- */

struct source {
    const char *name, *text, *p, *end;
    int depth;
    struct err *err;
};

/* ERR_INPUT with the place of `at`; a column is a character, as editors count them. */
__attribute__((format(printf, 3, 4))) static int fail_at(struct source *s, const char *at,
                                                         const char *fmt, ...)
{
    char words[160];
    va_list args;
    va_start(args, fmt);
    vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    int line = 1;
    const char *line_start = s->text;
    for (const char *p = s->text; p < at; p++) {
        if (*p == '\n') {
            line++;
            line_start = p + 1;
        }
    }
    int64_t column = utf8_chars(line_start, (size_t)(at - line_start)) + 1;
    return err_set(s->err, ERR_INPUT, "%s: line %d, column %" PRId64 ": %s", s->name, line, column,
                   words);
}

static bool is_digit(const struct source *s, const char *p)
{
    return p < s->end && *p >= '0' && *p <= '9';
}

static const char *digits_end(const struct source *s, const char *p)
{
    while (is_digit(s, p))
        p++;
    return p;
}

static const char *number_end(const struct source *s)
{
    const char *p = s->p + (*s->p == '-');
    if (!is_digit(s, p))
        return NULL;
    p = *p == '0' ? p + 1 : digits_end(s, p);
    if (p < s->end && *p == '.') {
        if (!is_digit(s, p + 1))
            return NULL;
        p = digits_end(s, p + 1);
    }
    if (p < s->end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < s->end && (*p == '+' || *p == '-'))
            p++;
        if (!is_digit(s, p))
            return NULL;
        p = digits_end(s, p);
    }
    return p;
}

static int check_number(struct source *s)
{
    enum { DIGITS_MAX = 60 }; /* cJSON reads 63 characters of a number and no more */
    const char *end = number_end(s);
    if (!end || is_digit(s, end))
        return fail_at(s, s->p, "this is not a JSON number");
    if (end - s->p > DIGITS_MAX)
        return fail_at(s, s->p, "a number of more than %d characters", DIGITS_MAX);
    char text[DIGITS_MAX + 1];
    memcpy(text, s->p, (size_t)(end - s->p));
    text[end - s->p] = '\0';
    double value;
    if (!str_to_f64(text, &value))
        return fail_at(s, s->p, "the number %s is too large", text);
    s->p = end;
    return 0;
}

static int check_string(struct source *s)
{
    const char *start = s->p++;
    for (; s->p < s->end && *s->p != '"'; s->p++) {
        if ((unsigned char)*s->p < 0x20)
            return fail_at(
                s, s->p,
                "a line break or control character in a string; write \\n, \\t or \\u00XX");
        if (*s->p != '\\')
            continue;
        if (s->end - s->p >= 6 && memcmp(s->p, "\\u0000", 6) == 0)
            return fail_at(s, s->p, "\\u0000 is not allowed in a string");
        s->p += s->end - s->p > 1;
    }
    if (s->p == s->end)
        return fail_at(s, start, "this string never ends");
    s->p++;
    return 0;
}

/* One token, or one byte of what cJSON shall judge. */
static int check_token(struct source *s)
{
    char c = *s->p;
    if (c == '"')
        return check_string(s);
    if (c == '-' || (c >= '0' && c <= '9'))
        return check_number(s);
    if ((unsigned char)c < 0x20 && c != '\n' && c != '\r' && c != '\t')
        return fail_at(s, s->p, "a control character");
    if ((c == '{' || c == '[') && ++s->depth > DEPTH_MAX)
        return fail_at(s, s->p, "nested deeper than %d levels", DEPTH_MAX);
    if (c == '}' || c == ']')
        s->depth--;
    s->p++;
    return 0;
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

static int check_tokens(struct source *s)
{
    size_t len = (size_t)(s->end - s->text);
    size_t valid = utf8_valid_prefix(s->text, len);
    if (valid < len)
        return fail_at(s, s->text + valid, "bytes that are not UTF-8");
    if (skip_blanks(s->p, s->end) == s->end)
        return err_set(s->err, ERR_INPUT, "%s: empty, where a JSON document should be", s->name);
    while (s->p < s->end) {
        int r = check_token(s);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- Members given twice ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(cJSON *const *)a)->string, (*(cJSON *const *)b)->string);
}

/* An object's members sorted by name; caller frees. */
static cJSON **sorted_members(const cJSON *object, size_t *ret_n)
{
    cJSON **members = NULL;
    size_t n = 0, cap = 0;
    for (cJSON *m = object->child; m; m = m->next) {
        members = mem_grow(members, &cap, n + 1, sizeof(*members));
        members[n++] = m;
    }
    if (n)
        qsort(members, n, sizeof(*members), compare_names);
    *ret_n = n;
    return members;
}

/* The name of a member that the object has twice, or NULL. */
static const char *doubled_name(const cJSON *object)
{
    size_t n;
    CLEANUP(free) void *memory = sorted_members(object, &n);
    cJSON **members = memory;
    for (size_t i = 1; i < n; i++) {
        if (strcmp(members[i - 1]->string, members[i]->string) == 0)
            return members[i]->string;
    }
    return NULL;
}

/* path: where node stands, "" at the root; it is the same again on return. */
static int check_doubled(struct source *s, const cJSON *node, struct str *path)
{
    const char *doubled = cJSON_IsObject(node) ? doubled_name(node) : NULL;
    if (doubled)
        return err_set(s->err, ERR_INPUT, "%s: %s%smember \"%s\" is given twice", s->name,
                       path->len ? path->s : "", path->len ? ": " : "", doubled);
    int i = 0;
    size_t len = path->len;
    for (const cJSON *child = node->child; child; child = child->next, i++) {
        if (!child->child)
            continue;
        if (child->string)
            str_addf(path, "%s%s", len ? "." : "", child->string);
        else
            str_addf(path, "[%d]", i);
        int r = check_doubled(s, child, path);
        if (r < 0)
            return r;
        path->len = len;
    }
    return 0;
}

/* ---- Reading ---- */

/* cJSON names the last byte when it needed more than there is; brackets are then still open. */
static int fail_syntax(struct source *s, const char *at)
{
    at = skip_blanks(at, s->end);
    if (at >= s->end || (at == s->end - 1 && s->depth > 0))
        return fail_at(s, s->end, "the document ends too early");
    uint32_t point;
    int n = utf8_decode(at, (size_t)(s->end - at), &point);
    return fail_at(s, at, "'%.*s' is not expected here", n, at);
}

int json_parse(const char *name, const char *text, size_t len, struct json **ret, struct err *err)
{
    pthread_once(&hooks_once, hooks_init);
    struct source s = {.name = name, .text = text, .p = text, .end = text + len, .err = err};
    int r = check_tokens(&s);
    if (r < 0)
        return r;
    const char *stopped = text;
    cJSON *root = cJSON_ParseWithLengthOpts(text, len, &stopped, false);
    if (!root)
        return fail_syntax(&s, stopped);
    CLEANUP(str_deinit) struct str path = {0};
    if (skip_blanks(stopped, s.end) != s.end)
        r = fail_syntax(&s, stopped);
    else
        r = check_doubled(&s, root, &path);
    if (r < 0)
        cJSON_Delete(root);
    else
        *ret = (struct json *)root;
    return r;
}

void json_free(struct json *root)
{
    cJSON_Delete(cjson_of(root));
}

enum json_type json_type(const struct json *node)
{
    switch (cjson_of(node)->type & 0xff) {
    case cJSON_False:
    case cJSON_True:
        return JSON_BOOL;
    case cJSON_Number:
    case cJSON_Raw: /* json_add_int's */
        return JSON_NUMBER;
    case cJSON_String:
        return JSON_STRING;
    case cJSON_Array:
        return JSON_ARRAY;
    case cJSON_Object:
        return JSON_OBJECT;
    default:
        return JSON_NULL;
    }
}

const char *json_type_name(enum json_type type)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",       [JSON_BOOL] = "true or false", [JSON_NUMBER] = "a number",
        [JSON_STRING] = "a string", [JSON_ARRAY] = "an array",     [JSON_OBJECT] = "an object",
    };
    return names[type];
}

const char *json_name(const struct json *node)
{
    return cjson_of(node)->string;
}

const char *json_string(const struct json *node)
{
    return cjson_of(node)->valuestring;
}

double json_number(const struct json *node)
{
    return cjson_of(node)->valuedouble;
}

bool json_bool(const struct json *node)
{
    return cJSON_IsTrue(cjson_of(node));
}

int json_size(const struct json *node)
{
    return cJSON_GetArraySize(cjson_of(node));
}

const struct json *json_get(const struct json *object, const char *name)
{
    return (const struct json *)cJSON_GetObjectItemCaseSensitive(cjson_of(object), name);
}

const struct json *json_at(const struct json *array, int i)
{
    return (const struct json *)cJSON_GetArrayItem(cjson_of(array), i);
}

const struct json *json_first(const struct json *node)
{
    return (const struct json *)cjson_of(node)->child;
}

const struct json *json_next(const struct json *node)
{
    return (const struct json *)cjson_of(node)->next;
}

/* The member, or NULL with ERR_INPUT in *err. */
static const struct json *need(const struct json *object, const char *name, enum json_type type,
                               struct err *err)
{
    const struct json *node = json_get(object, name);
    if (!node) {
        err_set(err, ERR_INPUT, "member \"%s\" is missing", name);
        return NULL;
    }
    if (json_type(node) != type) {
        err_set(err, ERR_INPUT, "member \"%s\" must be %s, not %s", name, json_type_name(type),
                json_type_name(json_type(node)));
        return NULL;
    }
    return node;
}

int json_need_string(const struct json *object, const char *name, const char **ret, struct err *err)
{
    const struct json *node = need(object, name, JSON_STRING, err);
    if (!node)
        return ERR_INPUT;
    *ret = json_string(node);
    return 0;
}

int json_need_hex(const struct json *object, const char *name, size_t digits, char *ret,
                  struct err *err)
{
    const char *text;
    int r = json_need_string(object, name, &text, err);
    if (r < 0)
        return r;
    if (strlen(text) != digits || strspn(text, "0123456789abcdef") != digits)
        return err_set(err, ERR_INPUT, "\"%s\" is not %zu hexadecimal digits", name, digits);
    memcpy(ret, text, digits + 1);
    return 0;
}

int json_need_int(const struct json *object, const char *name, int64_t *ret, struct err *err)
{
    const struct json *node = need(object, name, JSON_NUMBER, err);
    if (!node)
        return ERR_INPUT;
    double value = json_number(node);
    if (fabs(value) > exact_max || value != floor(value))
        return err_set(err, ERR_INPUT, "member \"%s\" must be an integer of at most 2^53", name);
    *ret = (int64_t)value;
    return 0;
}

/* ---- Building ---- */

/* Memory never runs out, so adding fails only for a parent that is neither array nor object. */
static struct json *add(struct json *parent, const char *name, cJSON *child)
{
    if (name)
        cJSON_AddItemToObject(cjson_of(parent), name, child);
    else
        cJSON_AddItemToArray(cjson_of(parent), child);
    return (struct json *)child;
}

struct json *json_new_object(void)
{
    pthread_once(&hooks_once, hooks_init);
    return (struct json *)cJSON_CreateObject();
}

struct json *json_add_object(struct json *parent, const char *name)
{
    return add(parent, name, cJSON_CreateObject());
}

struct json *json_add_array(struct json *parent, const char *name)
{
    return add(parent, name, cJSON_CreateArray());
}

struct json *json_add_string(struct json *parent, const char *name, const char *value)
{
    return add(parent, name, value ? cJSON_CreateString(value) : cJSON_CreateNull());
}

struct json *json_add_int(struct json *parent, const char *name, int64_t value)
{
    char digits[NUMBER_TEXT + 1];
    digits[number_i64(value, digits)] = '\0';
    cJSON *node = cJSON_CreateRaw(digits);
    node->valuedouble = (double)value;
    return add(parent, name, node);
}

struct json *json_add_number(struct json *parent, const char *name, double value)
{
    return add(parent, name, isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull());
}

struct json *json_add_bool(struct json *parent, const char *name, bool value)
{
    return add(parent, name, cJSON_CreateBool(value));
}

struct json *json_add_null(struct json *parent, const char *name)
{
    return add(parent, name, cJSON_CreateNull());
}

/* ---- Writing ---- */

struct writer {
    struct str *out;
    bool indented;
    bool canonical;
    int depth;
};

static void write_string(struct str *out, const char *s)
{
    str_addc(out, '"');
    for (;;) {
        size_t plain = 0;
        while ((unsigned char)s[plain] >= 0x20 && s[plain] != '"' && s[plain] != '\\')
            plain++;
        str_add(out, s, plain);
        s += plain;
        if (*s == '\0')
            break;
        if (*s == '"' || *s == '\\')
            str_addf(out, "\\%c", *s);
        else if (*s == '\n')
            str_addz(out, "\\n");
        else if (*s == '\t')
            str_addz(out, "\\t");
        else
            str_addf(out, "\\u%04x", (unsigned)*s);
        s++;
    }
    str_addc(out, '"');
}

static void write_number(struct str *out, double value)
{
    char digits[NUMBER_TEXT];
    bool whole = fabs(value) <= exact_max && value == floor(value);
    str_add(out, digits, whole ? number_i64((int64_t)value, digits) : number_f64(value, digits));
}

static void write_break(struct writer *w)
{
    if (w->indented)
        str_addf(w->out, "\n%*s", 2 * w->depth, "");
}

static void write_node(struct writer *w, const cJSON *node);

static void write_member(struct writer *w, const cJSON *child, bool first)
{
    if (!first)
        str_addc(w->out, ',');
    write_break(w);
    if (child->string) {
        write_string(w->out, child->string);
        str_addz(w->out, w->indented ? ": " : ":");
    }
    write_node(w, child);
}

static void write_sorted(struct writer *w, const cJSON *object)
{
    size_t n;
    CLEANUP(free) void *memory = sorted_members(object, &n);
    cJSON **members = memory;
    bool first = true;
    for (size_t i = 0; i < n; i++) {
        if (members[i]->string[0] == '#')
            continue;
        write_member(w, members[i], first);
        first = false;
    }
}

static void write_children(struct writer *w, const cJSON *node)
{
    bool object = cJSON_IsObject(node);
    str_addc(w->out, object ? '{' : '[');
    w->depth++;
    if (object && w->canonical) {
        write_sorted(w, node);
    } else {
        for (const cJSON *child = node->child; child; child = child->next)
            write_member(w, child, child == node->child);
    }
    w->depth--;
    if (node->child)
        write_break(w);
    str_addc(w->out, object ? '}' : ']');
}

static void write_node(struct writer *w, const cJSON *node)
{
    switch (json_type((const struct json *)node)) {
    case JSON_NULL:
        str_addz(w->out, "null");
        break;
    case JSON_BOOL:
        str_addz(w->out, cJSON_IsTrue(node) ? "true" : "false");
        break;
    case JSON_NUMBER:
        if (cJSON_IsRaw(node))
            str_addz(w->out, node->valuestring);
        else
            write_number(w->out, node->valuedouble);
        break;
    case JSON_STRING:
        write_string(w->out, node->valuestring);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        write_children(w, node);
        break;
    }
}

void json_print(const struct json *node, bool indented, struct str *out)
{
    struct writer w = {.out = out, .indented = indented};
    write_node(&w, cjson_of(node));
    if (indented)
        str_addc(out, '\n');
}

void json_canonical(const struct json *node, struct str *out)
{
    struct writer w = {.out = out, .canonical = true};
    write_node(&w, cjson_of(node));
}

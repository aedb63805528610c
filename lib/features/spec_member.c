/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* spec_member.c - checks of single members, each with its path in the message. */
#include "features/spec_member.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static void place_add(const struct place *at, struct str *out)
{
    if (!at)
        return;
    place_add(at->up, out);
    if (!at->name)
        str_addf(out, "[%d]", at->index);
    else
        str_addf(out, "%s%s", out->len ? "." : "", at->name);
}

char *place_text(const struct place *at)
{
    struct str out = {0};
    place_add(at, &out);
    return str_take(&out);
}

int place_error(const struct place *at, struct err *err, const char *fmt, ...)
{
    CLEANUP(mem_free_chars) char *path = place_text(at);
    char words[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    return err_set(err, ERR_INPUT, "%s%s%s", path, *path ? ": " : "", words);
}

static const struct json *skip_comments(const struct json *member)
{
    while (member && json_name(member) && json_name(member)[0] == '#')
        member = json_next(member);
    return member;
}

const struct json *member_first(const struct json *object)
{
    return skip_comments(json_first(object));
}

const struct json *member_next(const struct json *member)
{
    return skip_comments(json_next(member));
}

int member_wrong_type(const struct place *at, const struct json *node, const char *must_be,
                      struct err *err)
{
    return place_error(at, err, "must be %s, but is %s", must_be, json_type_name(json_type(node)));
}

int member_is_object(const struct place *at, const struct json *node, struct err *err)
{
    return json_type(node) == JSON_OBJECT ? 0 : member_wrong_type(at, node, "an object", err);
}

void words_add(struct str *out, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        str_addf(out, "%s%s", i ? ", " : "", words[i]);
}

int member_is_known(const struct place *at, const char *name, const char *const *allowed, size_t n,
                    struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(name, allowed[i]) == 0)
            return 0;
    }
    CLEANUP(str_deinit) struct str words = {0};
    const char *nearest = str_nearest(name, allowed, n);
    if (nearest)
        str_addf(&words, "; did you mean \"%s\"?", nearest);
    else
        str_addz(&words, ".");
    str_addz(&words, " Known here: ");
    words_add(&words, allowed, n);
    str_addz(&words, " (and comments, which begin with #)");
    return place_error(at, err, "unknown member%s", words.s);
}

int member_all_known(const struct place *at, const struct json *object, const char *const *allowed,
                     size_t n, struct err *err)
{
    int rc = member_is_object(at, object, err);
    const struct json *member = rc ? NULL : member_first(object);
    for (; member && !rc; member = member_next(member)) {
        struct place here = {at, json_name(member), 0};
        rc = member_is_known(&here, json_name(member), allowed, n, err);
    }
    return rc;
}

int name_check(const struct place *at, const char *name, struct err *err)
{
    if (!*name)
        return place_error(at, err, "a name may not be empty");
    if (strlen(name) > SPEC_NAME_BYTES)
        return place_error(at, err, "a name may be at most %d bytes long; this one has %zu",
                           SPEC_NAME_BYTES, strlen(name));
    for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
        if (*c < 0x20 || *c == 0x7f)
            return place_error(at, err,
                               "a name may not hold control characters (tab, newline …): it "
                               "could not stand in a CSV header");
    }
    return 0;
}

int member_text(const struct place *at, const struct json *node, char **ret, struct err *err)
{
    if (json_type(node) != JSON_STRING)
        return member_wrong_type(at, node, "a string", err);
    if (!*json_string(node))
        return place_error(at, err, "may not be empty");
    *ret = mem_strdup(json_string(node));
    return 0;
}

int member_name(const struct place *at, const struct json *node, char **ret, struct err *err)
{
    if (json_type(node) != JSON_STRING)
        return member_wrong_type(at, node, "a string", err);
    int rc = name_check(at, json_string(node), err);
    if (!rc)
        *ret = mem_strdup(json_string(node));
    return rc;
}

static int list_add(const struct place *at, const struct json *node, struct name_list *list,
                    struct err *err)
{
    char *name = NULL;
    int rc = member_name(at, node, &name, err);
    if (rc)
        return rc;
    for (int i = 0; i < list->n; i++) {
        if (strcmp(list->names[i], name) == 0)
            rc = place_error(at, err, "\"%s\" stands in the list twice", name);
    }
    list->names[list->n++] = name;
    return rc;
}

int member_names(const struct place *at, const struct json *node, struct name_list *ret,
                 struct err *err)
{
    bool list = json_type(node) == JSON_ARRAY;
    if (!list && json_type(node) != JSON_STRING)
        return member_wrong_type(at, node, "a string or a list of strings", err);
    if (list && json_size(node) == 0)
        return place_error(at, err, "the list is empty; name at least one column");
    struct name_list names = {MEM_ARRAY(char *, list ? (size_t)json_size(node) : 1), 0};
    int rc = list ? 0 : list_add(at, node, &names, err);
    const struct json *element = list ? json_first(node) : NULL;
    for (int i = 0; element && !rc; i++, element = json_next(element)) {
        struct place here = {at, NULL, i};
        rc = list_add(&here, element, &names, err);
    }
    if (rc)
        name_list_deinit(&names);
    else
        *ret = names;
    return rc;
}

int member_int(const struct place *at, const struct json *node, int64_t min, int64_t max,
               int64_t *ret, struct err *err)
{
    if (json_type(node) != JSON_NUMBER)
        return member_wrong_type(at, node, "a whole number", err);
    double value = json_number(node);
    if (value != floor(value))
        return place_error(at, err, "must be a whole number, but is %g", value);
    if (value < (double)min || value > (double)max)
        return place_error(at, err, "must be from %lld to %lld, but is %.17g", (long long)min,
                           (long long)max, value);
    *ret = (int64_t)value;
    return 0;
}

int member_truth(const struct place *at, const struct json *node, bool *ret, struct err *err)
{
    if (json_type(node) != JSON_BOOL)
        return member_wrong_type(at, node, "true or false", err);
    *ret = json_bool(node);
    return 0;
}

int optional_name(const struct place *up, const struct json *object, const char *name, char **ret,
                  struct err *err)
{
    const struct json *node = json_get(object, name);
    struct place at = {up, name, 0};
    return node ? member_name(&at, node, ret, err) : 0;
}

int optional_text(const struct place *up, const struct json *object, const char *name, char **ret,
                  struct err *err)
{
    const struct json *node = json_get(object, name);
    struct place at = {up, name, 0};
    return node ? member_text(&at, node, ret, err) : 0;
}

int optional_names(const struct place *up, const struct json *object, const char *name,
                   struct name_list *ret, struct err *err)
{
    const struct json *node = json_get(object, name);
    struct place at = {up, name, 0};
    if (!node || (json_type(node) == JSON_ARRAY && json_size(node) == 0))
        return 0;
    return member_names(&at, node, ret, err);
}

int optional_truth(const struct place *up, const struct json *object, const char *name, bool *ret,
                   struct err *err)
{
    const struct json *node = json_get(object, name);
    struct place at = {up, name, 0};
    return node ? member_truth(&at, node, ret, err) : 0;
}

void name_list_copy(struct name_list *ret, const struct name_list *from)
{
    *ret = (struct name_list){MEM_ARRAY(char *, (size_t)from->n), from->n};
    for (int i = 0; i < from->n; i++)
        ret->names[i] = mem_strdup(from->names[i]);
}

void name_list_deinit(struct name_list *list)
{
    for (int i = 0; i < list->n; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct name_list){0};
}

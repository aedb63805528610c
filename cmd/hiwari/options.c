/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* options.c - a command line against a verb's rows. */
#include "options.h"

#include <stdio.h>
#include <string.h>

#include "base/date.h"
#include "base/str.h"

struct value {
    const char *text; /* the last one given */
    const char **list;
    int n;
    int64_t number; /* OPTION_INT, OPTION_DATE */
};

struct args {
    const struct verb *verb;
    struct value *values; /* one per row */
    const char **positional;
    int n_positional;
    bool help;
};

static int option_rows(const struct option *options)
{
    int n = 0;
    while (options && options[n].name)
        n++;
    return n;
}

void args_free(struct args *args)
{
    if (!args)
        return;
    for (int i = 0; i < option_rows(args->verb->options); i++)
        free(args->values[i].list);
    free(args->values);
    free(args->positional);
    free(args);
}

static bool choice_ok(const char *words, const char *given)
{
    size_t len = strlen(given);
    for (const char *p = words; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (len && strcspn(p, "|") == len && strncmp(p, given, len) == 0)
            return true;
    return false;
}

/* Check the text of one option and keep its value. */
static int value_set(const struct option *option, struct value *value, const char *text,
                     struct err *err)
{
    switch (option->kind) {
    case OPTION_INT:
        if (!str_to_i64(text, &value->number) || value->number < option->min ||
            value->number > option->max)
            return err_set(err, ERR_USAGE, "--%s takes a whole number from %lld to %lld, not '%s'",
                           option->name, (long long)option->min, (long long)option->max, text);
        break;
    case OPTION_DATE:
        if (!date_parse(text, strlen(text), &value->number))
            return err_set(err, ERR_USAGE, "--%s takes a date as 2024-01-31, not '%s'",
                           option->name, text);
        break;
    case OPTION_CHOICE:
        if (!choice_ok(option->value, text))
            return err_set(err, ERR_USAGE, "--%s takes one of %s, not '%s'", option->name,
                           option->value, text);
        break;
    default:
        break;
    }
    value->text = text;
    value->list = mem_realloc(value->list, (size_t)(value->n + 1) * sizeof(value->list[0]));
    value->list[value->n++] = text;
    return 0;
}

static int unknown_option(const struct verb *verb, const char *name, struct err *err)
{
    const char *names[64];
    size_t n = 0;
    for (const struct option *o = verb->options; o->name && n < 63; o++)
        names[n++] = o->name;
    names[n++] = "help";
    const char *near = str_nearest(name, names, n);
    if (near)
        return err_set(err, ERR_USAGE, "hiwari %s has no option --%s: did you mean --%s?",
                       verb->name, name, near);
    return err_set(err, ERR_USAGE, "hiwari %s has no option --%s; 'hiwari %s --help' lists them",
                   verb->name, name, verb->name);
}

/* argv[*i] begins with "--": take it and, where there is one, the value behind it. */
static int option_take(struct args *args, int argc, char **argv, int *i, struct err *err)
{
    char name[64];
    const char *text = argv[*i] + 2;
    size_t len = strcspn(text, "=");
    const char *value = text[len] == '=' ? text + len + 1 : NULL;
    snprintf(name, sizeof(name), "%.*s", (int)len, text);

    const struct verb *verb = args->verb;
    int row = 0;
    while (verb->options[row].name && strcmp(verb->options[row].name, name) != 0)
        row++;
    const struct option *option = &verb->options[row];
    if (!option->name)
        return unknown_option(verb, name, err);
    struct value *slot = &args->values[row];
    if (slot->n && option->kind != OPTION_LIST)
        return err_set(err, ERR_USAGE, "--%s is given twice", name);
    if (option->kind == OPTION_FLAG) {
        if (value)
            return err_set(err, ERR_USAGE, "--%s takes no value", name);
        return value_set(option, slot, "", err);
    }
    if (!value) {
        if (*i + 1 >= argc || str_starts(argv[*i + 1], "--"))
            return err_set(err, ERR_USAGE, "--%s needs a value: --%s %s", name, name,
                           option->value);
        value = argv[++*i];
    }
    return value_set(option, slot, value, err);
}

static int args_check(const struct args *args, struct err *err)
{
    const struct verb *verb = args->verb;
    if (args->n_positional < verb->min_arguments)
        return err_set(err, ERR_USAGE, "hiwari %s needs %s; 'hiwari %s --help' explains",
                       verb->name, verb->arguments, verb->name);
    if (verb->max_arguments >= 0 && args->n_positional > verb->max_arguments)
        return err_set(err, ERR_USAGE,
                       "hiwari %s does not know what to do with '%s'; 'hiwari %s --help' explains",
                       verb->name, args->positional[verb->max_arguments], verb->name);
    for (int i = 0; verb->options[i].name; i++)
        if (verb->options[i].required && !args->values[i].n)
            return err_set(err, ERR_USAGE, "hiwari %s needs --%s %s; 'hiwari %s --help' explains",
                           verb->name, verb->options[i].name, verb->options[i].value, verb->name);
    return 0;
}

int args_parse(const struct verb *verb, int argc, char **argv, struct args **ret, struct err *err)
{
    CLEANUP(args_free) struct args *args = MEM_NEW(struct args);
    args->verb = verb;
    args->values = mem_zalloc((size_t)(option_rows(verb->options) + 1) * sizeof(struct value));
    args->positional = mem_zalloc((size_t)(argc + 1) * sizeof(char *));
    bool only_arguments = false;
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        if (!only_arguments && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
            args->help = true;
        } else if (!only_arguments && strcmp(arg, "--") == 0) {
            only_arguments = true;
        } else if (!only_arguments && str_starts(arg, "--")) {
            int r = option_take(args, argc, argv, &i, err);
            if (r < 0)
                return r;
        } else if (!only_arguments && arg[0] == '-' && arg[1]) {
            return err_set(err, ERR_USAGE,
                           "options are written in full, such as --help; '%s' is not known", arg);
        } else {
            args->positional[args->n_positional++] = arg;
        }
    }
    if (!args->help) {
        int r = args_check(args, err);
        if (r < 0)
            return r;
    }
    *ret = args;
    args = NULL;
    return 0;
}

bool args_help(const struct args *args)
{
    return args->help;
}

int args_count(const struct args *args)
{
    return args->n_positional;
}

const char *args_at(const struct args *args, int i)
{
    return i < args->n_positional ? args->positional[i] : NULL;
}

const char *const *args_all(const struct args *args)
{
    return args->positional;
}

static int row_of(const struct args *args, const char *name)
{
    for (int i = 0; args->verb->options[i].name; i++)
        if (strcmp(args->verb->options[i].name, name) == 0)
            return i;
    fprintf(stderr, "hiwari: the row of verb %s has no option %s\n", args->verb->name, name);
    abort();
}

bool args_given(const struct args *args, const char *name)
{
    return args->values[row_of(args, name)].n > 0;
}

bool args_flag(const struct args *args, const char *name)
{
    return args_given(args, name);
}

const char *args_text(const struct args *args, const char *name)
{
    int row = row_of(args, name);
    return args->values[row].n ? args->values[row].text : args->verb->options[row].fallback;
}

int64_t args_int(const struct args *args, const char *name)
{
    int row = row_of(args, name);
    int64_t number = args->values[row].number;
    const char *fallback = args->verb->options[row].fallback;
    if (!args->values[row].n && (!fallback || !str_to_i64(fallback, &number)))
        return 0; /* a fallback in words: the verb works it out */
    return number;
}

bool args_date(const struct args *args, const char *name, int64_t *ret_days)
{
    int row = row_of(args, name);
    if (args->values[row].n)
        *ret_days = args->values[row].number;
    return args->values[row].n > 0;
}

int args_list(const struct args *args, const char *name, const char *const **ret)
{
    const struct value *value = &args->values[row_of(args, name)];
    *ret = value->list;
    return value->n;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* expr_function.c - the functions of the expression language by name. */
#include "features/calc.h"
#include "features/expr_tree.h"

static const struct expr_function functions[] = {
    {"if", OP_IF, 3, 3, "if(condition, then, else)"},
    {"coalesce", OP_COALESCE, 1, -1, "coalesce(a, b, ...)"},
    {"is_null", OP_IS_NULL, 1, 1, "is_null(x)"},
    {"min", OP_MIN, 2, -1, "min(a, b, ...)"},
    {"max", OP_MAX, 2, -1, "max(a, b, ...)"},
    {"clip", OP_CLIP, 3, 3, "clip(x, low, high)"},
    {"abs", OP_ABS, 1, 1, "abs(x)"},
    {"floor", OP_FLOOR, 1, 1, "floor(x)"},
    {"ceil", OP_CEIL, 1, 1, "ceil(x)"},
    {"round", OP_ROUND, 1, 2, "round(x) or round(x, digits)"},
    {"sqrt", OP_SQRT, 1, 1, "sqrt(x)"},
    {"ln", OP_LN, 1, 1, "ln(x)"},
    {"log10", OP_LOG10, 1, 1, "log10(x)"},
    {"exp", OP_EXP, 1, 1, "exp(x)"},
    {"year", OP_YEAR, 1, 1, "year(date)"},
    {"month", OP_MONTH, 1, 1, "month(date)"},
    {"day", OP_DAY, 1, 1, "day(date)"},
    {"weekday", OP_WEEKDAY, 1, 1, "weekday(date)"},
    {"day_of_year", OP_DAY_OF_YEAR, 1, 1, "day_of_year(date)"},
    {"hour", OP_HOUR, 1, 1, "hour(time)"},
    {"days_between", OP_DAYS_BETWEEN, 2, 2, "days_between(from, to)"},
    {"bin", OP_BIN, 2, 2, "bin(x, [edge, ...])"},
    {"cyc", OP_CYC, 2, 2, "cyc(x, period)"},
    {"onehot", OP_ONEHOT, 2, 2, "onehot(x, [value, ...])"},
};
enum { N_FUNCTIONS = sizeof(functions) / sizeof(functions[0]) };

static const struct expr_function *function_named(const char *name)
{
    for (int i = 0; i < N_FUNCTIONS; i++) {
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
    }
    return NULL;
}

static const char *nearest_function(const char *name)
{
    const char *names[N_FUNCTIONS];
    for (int i = 0; i < N_FUNCTIONS; i++)
        names[i] = functions[i].name;
    return str_nearest(name, names, N_FUNCTIONS);
}

int expr_function_find(const char *name, int at, const struct expr_function **ret, struct err *err)
{
    const struct expr_function *function = function_named(name);
    if (function) {
        *ret = function;
        return 0;
    }
    if (strcmp(name, "log") == 0)
        return expr_error(err, at, "log is not clear: write ln(x) or log10(x)");
    if (calc_find(name))
        return expr_error(err, at,
                          "%s is a calculation over many rows, not a function of one: make it a "
                          "column or feature of its own with \"calc\" and use that name here",
                          name);
    const char *near = nearest_function(name);
    if (near)
        return expr_error(err, at, "unknown function %.60s; did you mean %s?", name, near);
    CLEANUP(str_deinit) struct str all = {0};
    for (int i = 0; i < N_FUNCTIONS; i++)
        str_addf(&all, "%s%s", i ? ", " : "", functions[i].name);
    return expr_error(err, at, "unknown function %.60s; there are %s", name, all.s);
}

const char *expr_function_name(enum expr_op op)
{
    for (int i = 0; i < N_FUNCTIONS; i++) {
        if (functions[i].op == op)
            return functions[i].name;
    }
    return NULL;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* calc_use.c - one use of a calculation: a call checked against the table, its constants read. */
#include <math.h>

#include "features/calc.h"

/* ---- names ---- */

/* Functions of expressions that somebody may take for calculations. */
static const char *const expression_functions[] = {
    "abs",  "bin",    "ceil",  "clip", "coalesce", "cyc",         "day",   "days_between",
    "exp",  "floor",  "hour",  "if",   "is_null",  "ln",          "log10", "month",
    "year", "onehot", "round", "sqrt", "weekday",  "day_of_year",
};

/* What other tools call them. */
static const struct alias {
    const char *name, *calc;
} aliases[] = {
    {"avg", "mean"},
    {"average", "mean"},
    {"stddev", "std"},
    {"stdev", "std"},
    {"stddev_pop", "std0"},
    {"variance", "var"},
    {"var_pop", "var0"},
    {"skewness", "skew"},
    {"kurtosis", "kurt"},
    {"percentile", "quantile"},
    {"count_distinct", "nunique"},
    {"distinct", "nunique"},
    {"newest", "last"},
    {"oldest", "first"},
    {"diff", "delta"},
    {"ema", "ewma"},
    {"arg_max", "best_by"},
    {"percent_rank", "pct_rank"},
};

static const char *calc_nearest(const char *name)
{
    const char *names[128];
    int n;
    const struct calc *all = calc_all(&n);
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        if (strcmp(aliases[i].name, name) == 0)
            return aliases[i].calc;
    }
    for (int i = 0; i < n; i++)
        names[i] = all[i].name;
    return str_nearest(name, names, (size_t)n);
}

static int unknown_calc(const char *name, struct err *err)
{
    for (size_t i = 0; i < sizeof(expression_functions) / sizeof(expression_functions[0]); i++) {
        if (strcmp(expression_functions[i], name) == 0)
            return err_set(err, ERR_INPUT,
                           "%s is a function of expressions, not a calculation: write an \"expr\", "
                           "or use it inside a calculation, as in mean(%s(...))",
                           name, name);
    }
    const char *nearest = calc_nearest(name);
    if (nearest)
        return err_set(err, ERR_INPUT, "there is no calculation %.60s; did you mean %s?", name,
                       calc_find(nearest)->usage);
    return err_set(err, ERR_INPUT, "there is no calculation %.60s; see the list of calculations",
                   name);
}

static int check_place(const struct calc *calc, enum calc_place place, bool others, struct err *err)
{
    if (!(calc->places & (int)place) && place == CALC_WINDOW)
        return err_set(err, ERR_INPUT,
                       "%s compares the rows of a group: it needs \"within\", not \"by\" or "
                       "\"over\"",
                       calc->name);
    if (!(calc->places & (int)place))
        return err_set(err, ERR_INPUT,
                       "%s follows the order of rows in time, and the rows of a group have one "
                       "time: it needs \"by\" or \"over\", not \"within\"",
                       calc->name);
    if (others && !calc->others_ok)
        return err_set(err, ERR_INPUT,
                       "%s places a row among its whole group, itself included: it does not go "
                       "with \"others\"",
                       calc->name);
    return 0;
}

/* ---- arguments ---- */

enum given { GIVEN_NUMBER = 1, GIVEN_ORDER = 2, GIVEN_TIES = 4 }; /* bits: what a call had so far */

static int usage_error(const struct calc *calc, struct err *err)
{
    return err_set(err, ERR_INPUT, "write it as %s", calc->usage);
}

static bool takes(const struct calc *calc, char param)
{
    return strchr(calc->params, param) != NULL;
}

/* desc, asc, avg ...: ERR_INPUT for a word that the calculation does not take, or a second of its
 * kind. */
static int use_word(struct calc_use *use, const char *word, unsigned *given, struct err *err)
{
    static const char *const ties[] = {[TIES_MIN] = "min",
                                       [TIES_AVG] = "avg",
                                       [TIES_MAX] = "max",
                                       [TIES_DENSE] = "dense",
                                       [TIES_FIRST] = "first"};
    unsigned kind = 0;
    if (takes(use->calc, 'd') && (strcmp(word, "desc") == 0 || strcmp(word, "asc") == 0)) {
        kind = GIVEN_ORDER;
        use->params.descending = strcmp(word, "desc") == 0;
    }
    if (takes(use->calc, 'b') && strcmp(word, "asc") == 0) {
        kind = GIVEN_ORDER;
        use->params.from_smallest = true;
    }
    for (int i = TIES_MIN; i <= TIES_FIRST && takes(use->calc, 't'); i++) {
        if (strcmp(word, ties[i]) != 0)
            continue;
        kind = GIVEN_TIES;
        use->params.ties = i;
    }
    CLEANUP(mem_free_chars) char *shown = expr_excerpt(word, 1);
    if (kind == 0)
        return err_set(err, ERR_INPUT, "%s takes no %s; write it as %s", use->calc->name, shown,
                       use->calc->usage);
    if (*given & kind)
        return err_set(err, ERR_INPUT, "%s: %s contradicts what stands before it", use->calc->name,
                       word);
    *given |= kind;
    return 0;
}

enum { NUMBER_MAX = 1000000000 }; /* of lag and gap_to */

static int use_number(struct calc_use *use, double number, unsigned *given, struct err *err)
{
    const struct calc *calc = use->calc;
    if (*given & GIVEN_NUMBER || !(takes(calc, 'q') || takes(calc, 'n')))
        return usage_error(calc, err);
    if (takes(calc, 'q') && !(number >= 0 && number <= 1))
        return err_set(err, ERR_INPUT,
                       "%s: q must be from 0 to 1, not %.15g (0.9 is the 90th percentile)",
                       calc->usage, number);
    if (takes(calc, 'n') && !(number >= 1 && number <= NUMBER_MAX && floor(number) == number))
        return err_set(err, ERR_INPUT, "%s: the number must be a whole one from 1 to %d, not %.15g",
                       calc->usage, NUMBER_MAX, number);
    use->params.number = number;
    *given |= GIVEN_NUMBER;
    return 0;
}

static int use_extra_args(struct calc_use *use, const struct call *call, struct err *err)
{
    unsigned given = 0;
    for (int i = use->n_args; i < call->n_args; i++) {
        double number;
        const char *word = expr_bare_name(call->args[i]);
        int r;
        if (word)
            r = use_word(use, word, &given, err);
        else if (expr_literal(call->args[i], &number))
            r = use_number(use, number, &given, err);
        else
            r = usage_error(use->calc, err);
        if (r < 0)
            return r;
    }
    bool needs_number = takes(use->calc, 'q') || takes(use->calc, 'n');
    return needs_number && !(given & GIVEN_NUMBER) ? usage_error(use->calc, err) : 0;
}

/* halflife_rows=N or halflife_days=N. */
static int use_named(struct calc_use *use, const struct call *call, struct err *err)
{
    const struct calc *calc = use->calc;
    if (!takes(calc, 'h')) {
        if (call->n_named == 0)
            return 0;
        return err_set(err, ERR_INPUT, "%s takes no %.60s=; write it as %s", calc->name,
                       call->named[0].name, calc->usage);
    }
    if (call->n_named != 1)
        return usage_error(calc, err);
    const struct call_named *named = &call->named[0];
    bool by_days = strcmp(named->name, "halflife_days") == 0;
    if (!by_days && strcmp(named->name, "halflife_rows") != 0)
        return err_set(err, ERR_INPUT, "%s takes no %.60s=; write it as %s", calc->name,
                       named->name, calc->usage);
    if (!(named->value > 0 && isfinite(named->value)))
        return err_set(err, ERR_INPUT, "%s: %s must be greater than 0, not %.15g", calc->name,
                       named->name, named->value);
    use->params.number = named->value;
    use->params.by_days = by_days;
    return 0;
}

int calc_use(const struct call *call, enum calc_place place, bool others, struct calc_use *ret,
             struct err *err)
{
    struct calc_use use = {.calc = calc_find(call->name), .params = {.others = others}};
    if (!use.calc)
        return unknown_calc(call->name, err);
    int r = check_place(use.calc, place, others, err);
    if (r < 0)
        return r;
    for (const char *arg = use.calc->args; *arg; arg++) {
        if (use.n_args < call->n_args) {
            use.arg[use.n_args] = call->args[use.n_args];
            use.n_args++;
        } else if (*arg != 'V') {
            return usage_error(use.calc, err);
        }
    }
    r = use_extra_args(&use, call, err);
    if (r == 0)
        r = use_named(&use, call, err);
    if (r == 0)
        *ret = use;
    return r;
}

/* ---- types ---- */

static int check_number(const struct calc_use *use, const char *text, enum type type,
                        struct err *err)
{
    if (type_is_number(type))
        return 0;
    const char *hint = type == TYPE_STRING
                           ? "count, nunique, mode, top_share and entropy take strings"
                           : "days_between(a, b) makes a number of two dates";
    return err_set(err, ERR_INPUT, "%s needs a number, and %s is a %s; %s", use->calc->name, text,
                   type_name(type), hint);
}

static int check_arg(const struct calc_use *use, int i, enum type type, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    expr_print(use->arg[i], &text);
    CLEANUP(mem_free_chars) char *shown = expr_excerpt(text.s, 1);
    if (type == TYPE_NULL)
        return err_set(err, ERR_INPUT, "%s: %s is always null", use->calc->name, shown);
    if (use->calc->args[i] == 'c' && type != TYPE_BOOL)
        return err_set(
            err, ERR_INPUT,
            "%s needs a condition, and %s is of type %s; compare it with something, as in "
            "%s == 1",
            use->calc->name, shown, type_name(type), shown);
    return use->calc->args[i] == 'n' ? check_number(use, shown, type, err) : 0;
}

static enum type number_type(const struct calc_use *use, enum type arg)
{
    bool integer = arg == TYPE_BOOL || arg == TYPE_INT;
    return integer && !use->params.wide ? TYPE_INT : TYPE_FLOAT;
}

int calc_result_type(const struct calc_use *use, const struct column *args, enum type *ret_type,
                     int *ret_scale, struct err *err)
{
    for (int i = 0; i < use->n_args; i++) {
        int r = check_arg(use, i, args[i].type, err);
        if (r < 0)
            return r;
    }
    *ret_scale = 0;
    switch (use->calc->result) {
    case RESULT_INT: /* an average of ranks may be a half */
        *ret_type = use->params.ties == TIES_AVG ? TYPE_FLOAT : TYPE_INT;
        break;
    case RESULT_FLOAT:
        *ret_type = TYPE_FLOAT;
        break;
    case RESULT_ROW:
        *ret_type = args[0].type;
        *ret_scale = args[0].scale;
        break;
    case RESULT_NUMBER:
        *ret_type = number_type(use, args[0].type);
        break;
    }
    return 0;
}

/* ---- words ---- */

/* Ties share the lowest rank unless the spec says otherwise: that goes without saying. */
static const char *const says_ties[] = {[TIES_MIN] = "",
                                        [TIES_AVG] = ", ties at the mean of their ranks",
                                        [TIES_MAX] = ", ties at the greatest of their ranks",
                                        [TIES_DENSE] =
                                            ", ties at one rank and the next at the one after it",
                                        [TIES_FIRST] = ", ties in the order of rows"};

/* What stands for {field}: see calc.c. */
static void say_field(const struct calc_use *use, char field, struct str *out)
{
    const struct calc_params *p = &use->params;
    switch (field) {
    case 'x':
        expr_print(use->arg[0], out);
        break;
    case 'y':
        expr_print(use->arg[1], out);
        break;
    case 'n':
        str_addf(out, "%.15g", p->number);
        break;
    case 'e': /* equals */
        str_addz(out, says_ties[p->ties]);
        break;
    case 'u': /* unit */
        str_addz(out, p->by_days ? "days" : "rows");
        break;
    case 'f': /* first */
        str_addz(out, p->descending ? "largest" : "smallest");
        break;
    default: /* top */
        str_addz(out, p->from_smallest ? "smallest" : "largest");
    }
}

void calc_say(const struct calc_use *use, struct str *out)
{
    for (const char *s = use->calc->says; *s; s++) {
        if (*s == '[' && use->n_args == 0) {
            s = strchr(s, ']');
        } else if (*s == '{') {
            say_field(use, s[1], out);
            s = strchr(s, '}');
        } else if (*s != '[' && *s != ']') {
            str_addc(out, *s);
        }
    }
}

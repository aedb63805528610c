/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_expr_parse.c - how expressions and calculations are read, and what is said about wrong ones.
 */
#include "unit.h"

#include "expr_fixture.h"

static struct fixture fixture;

/* ---- the canonical text ---- */

static const struct {
    const char *text, *canonical;
} printed[] = {
    {" 1+2 ", "1 + 2"},
    {"1.50", "1.5"},
    {"1e3", "1000.0"},
    {"-1", "-1"},
    {"-(1)", "-1"},
    {"--1", "1"},
    {"--0", "0"},
    {"-(0.0)", "0.0"},
    {"--9223372036854775808", "--9223372036854775808"},
    {"- -x", "--x"},
    {"-(a+b)", "-(a + b)"},
    {"(a*b)+c", "a * b + c"},
    {"a*(b+c)", "a * (b + c)"},
    {"a-(b-c)", "a - (b - c)"},
    {"(a-b)-c", "a - b - c"},
    {"a/(b*c)", "a / (b * c)"},
    {"(a) == ((b))", "a == b"},
    {"a<>b", "a != b"},
    {"(a == b) == c", "(a == b) == c"},
    {"not(a)", "not a"},
    {"not (a and b)", "not (a and b)"},
    {"not a == b", "not a == b"},
    {"(not a) == b", "(not a) == b"},
    {"a or (b and c)", "a or b and c"},
    {"(a or b) and c", "(a or b) and c"},
    {"a in(1,2 ,3)", "a in (1, 2, 3)"},
    {"a not in ('x', null)", "not a in ('x', null)"},
    {"a between 1+1 and 5", "a between 1 + 1 and 5"},
    {"a not between (b or c) and d", "not a between (b or c) and d"},
    {"a between 1 and 2 and b", "a between 1 and 2 and b"},
    {"\"it's\"", "'it''s'"},
    {"'a\"b'", "'a\"b'"},
    {"`race id`", "`race id`"},
    {"`plain`", "plain"},
    {"`in`", "`in`"},
    {"`a``b`", "`a``b`"},
    {"target . x", "target.x"},
    {"target.`race id`", "target.`race id`"},
    {"target", "target"},
    {"day + `day`", "day + day"},
    {"if ( a,b ,null )", "if(a, b, null)"},
    {"cyc(month(d),12)", "cyc(month(d), 12)"},
    {"onehot(a, [1,-2.0,'x',true])", "onehot(a, [1, -2.0, 'x', true])"},
    {"bin(x,[1,2])", "bin(x, [1, 2])"},
    {"a\n+\tb", "a + b"},
};

START_TEST(test_the_canonical_text_has_the_same_meaning_and_is_its_own)
{
    for (size_t i = 0; i < sizeof(printed) / sizeof(printed[0]); i++) {
        const char *text = printed[i].text;
        for (int again = 0; again < 2; again++) {
            struct err err = {0};
            CLEANUP(expr_free) struct expr *e = NULL;
            CLEANUP(str_deinit) struct str s = {0};
            ck_assert_msg(expr_parse(text, &e, &err) == 0, "%s: %s", text, err.text);
            expr_print(e, &s);
            ck_assert_str_eq(s.s, printed[i].canonical);
            text = printed[i].canonical;
        }
    }
}
END_TEST

START_TEST(test_binding_does_not_change_the_text)
{
    static const char *const texts[] = {
        "one + half == 3 and day1 >= '2024-01-01'",
        "if(yes, null, 2.5) * yes",
        "bin(one, [0.5, 2])",
        "onehot(half, [1, 2])",
        "days_between(day1, '2024-01-01')",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct err err = {0};
        CLEANUP(expr_free) struct expr *e = NULL;
        CLEANUP(str_deinit) struct str s = {0};
        ck_assert_int_eq(expr_parse(texts[i], &e, &err), 0);
        ck_assert_msg(expr_bind(e, fixture_resolve, &fixture, &err) == 0, "%s", err.text);
        expr_print(e, &s);
        ck_assert_str_eq(s.s, texts[i]);
    }
}
END_TEST

/* ---- errors ---- */

struct error_case {
    const char *text, *message;
};

static const struct error_case syntax_errors[] = {
    {"", "column 1: the expression is empty"},
    {"  ", "column 1: the expression is empty"},
    {"one ==", "column 7: expected an operand after '==', found the end of the text"},
    {"* 2", "column 1: expected an operand, found '*'"},
    {"one + * 2", "column 7: expected an operand after '+', found '*'"},
    {"one two", "column 5: expected an operator or the end of the text, found 'two'"},
    {"one)", "column 4: expected an operator or the end of the text, found ')'"},
    {"(one",
     "column 5: expected the ')' that closes the '(' at column 1, found the end of the text"},
    {"abs(one",
     "column 8: expected ',' or the ')' that closes the '(' at column 4, found the end of "
     "the text"},
    {"abs(one,)", "column 9: expected an operand after ',', found ')'"},
    {"one = 2", "column 5: a comparison is written with two signs: write =="},
    {"one is null", "column 5: 'is' is not known here; write is_null(x) or not is_null(x)"},
    {"one AND two",
     "column 5: expected an operator or the end of the text, found 'AND'; write and in "
     "lower case"},
    {"one && two", "column 5: '&&' is not known here; write and"},
    {"one || two", "column 5: '||' is not known here; write or"},
    {"!yes", "column 1: '!' is not known here; write not"},
    {"one ^ 2", "column 5: unexpected '^'"},
    {"one; two", "column 4: unexpected ';'"},
    {"1 < one < 3", "column 9: comparisons do not chain: write a < b and b < c, or use brackets"},
    {"one == two in (1)",
     "column 12: comparisons do not chain: write a < b and b < c, or use brackets"},
    {"one not 2", "column 9: expected 'in' or 'between' after 'not', found '2'"},
    {"one in 1", "column 8: expected '(' and the values after 'in', found '1'"},
    {"one in ()", "column 5: 'in' needs at least one value: x in (1, 2)"},
    {"one in [1]", "column 8: expected '(' and the values after 'in', found '['"},
    {"one between 1 or 2",
     "column 15: expected 'and' and the upper bound of 'between', found 'or'"},
    {"'abc", "column 1: the quote ' that begins here is not closed"},
    {"one == \"abc'", "column 8: the quote \" that begins here is not closed"},
    {"`abc", "column 1: the quote ` that begins here is not closed"},
    {"``", "column 1: `` names no column"},
    {".5", "column 1: a number begins with a digit: write 0.5"},
    {"1.", "column 1: '1.' needs a digit after the point"},
    {"1.x", "column 1: '1.' needs a digit after the point"},
    {"3x", "column 1: '3x' is not a number"},
    {"1.2.3", "column 1: '1.2.' is not a number"},
    {"1e", "column 1: '1e' is not a number"},
    {"9223372036854775808",
     "column 1: the integer 9223372036854775808 is beyond 64 bits; write it with a point"},
    {"1e999", "column 1: the number 1e999 is too large"},
    {"ä + 1", "column 1: unexpected 'ä'; names with other than ASCII letters stand in backquotes: "
              "`name`"},
    {"'äö' == hv =", "column 12: a comparison is written with two signs: write =="},
    {"history.one", "column 1: 'history.' cannot stand before a name: only target. can"},
    {"target.",
     "column 8: expected the name of a column after 'target.', found the end of the text"},
    {"target.+", "column 8: expected the name of a column after 'target.', found '+'"},
    {"[1, 2]", "column 1: expected an operand: lists [..] stand only in bin(x, [..]) and "
               "onehot(x, [..]), found '['"},
    {"bin(one, 2)", "column 10: expected a list [..] as the second argument, found '2'"},
    {"bin(one, [])", "column 11: expected a number, a string, true or false (lists hold nothing "
                     "else), found ']'"},
    {"bin(one, [1 2])", "column 13: expected ',' or ']', found '2'"},
    {"bin(one, [two])", "column 11: expected a number, a string, true or false (lists hold nothing "
                        "else), found 'two'"},
    {"bin(one, [-'x'])",
     "column 12: expected a number, a string, true or false (lists hold nothing "
     "else), found ''x''"},
    {"log(one)", "column 1: log is not clear: write ln(x) or log10(x)"},
    {"mean(one)",
     "column 1: mean is a calculation over many rows, not a function of one: make it a "
     "column or feature of its own with \"calc\" and use that name here"},
    {"1 + count()",
     "column 5: count is a calculation over many rows, not a function of one: make it "
     "a column or feature of its own with \"calc\" and use that name here"},
    {"max(one)",
     "column 1: max compares at least two values of one row: max(a, b, ...); the max over "
     "many rows is a \"calc\""},
    {"wekday(day1)", "column 1: unknown function wekday; did you mean weekday?"},
    {"sqr(one)", "column 1: unknown function sqr; did you mean sqrt?"},
    {"frobnicate(one)",
     "column 1: unknown function frobnicate; there are if, coalesce, is_null, min, max, clip, abs, "
     "floor, ceil, round, sqrt, ln, log10, exp, year, month, day, weekday, day_of_year, hour, "
     "days_between, bin, cyc, onehot"},
    {"if(yes, 1)", "column 1: found 2 arguments; write if(condition, then, else)"},
    {"1 + abs()", "column 5: found 0 arguments; write abs(x)"},
    {"cyc(one)", "column 1: found 1 argument; write cyc(x, period)"},
    {"1 + cyc(one, 12)",
     "column 5: cyc makes several columns, so it can only be the whole \"expr\" of a feature"},
    {"cyc(one, 12) + 1",
     "column 1: cyc makes several columns, so it can only be the whole \"expr\" of a feature"},
    {"cyc(cyc(one, 12), 12)",
     "column 5: cyc makes several columns, so it can only be the whole \"expr\" of a feature"},
    {"abs(onehot(one, [1]))",
     "column 5: onehot makes several columns, so it can only be the whole \"expr\" of a feature"},
    {"averyveryverylongnamethatgoesonandonandonandon two",
     "column 48: expected an operator or the end of the text, found 'two'"},
};

static const struct error_case type_errors[] = {
    {"missing + 1", "no column missing"},
    {"1 + target.missing", "no column missing"},
    {"hv == one", "column 4: cannot compare hv (a string) with one (an integer)"},
    {"1.5 < 'x'", "column 5: cannot compare 1.5 (a float) with 'x' (a string)"},
    {"price == hv", "column 7: cannot compare price (a decimal) with hv (a string)"},
    {"day1 == one", "column 6: cannot compare day1 (a date) with one (an integer)"},
    {"day1 == hv", "column 6: cannot compare day1 (a date) with hv (a string)"},
    {"yes == hv", "column 5: cannot compare yes (a bool) with hv (a string)"},
    {"hv in ('a', 1)", "column 4: cannot compare hv (a string) with 1 (an integer)"},
    {"one between 1 and 'x'", "column 5: cannot compare one (an integer) with 'x' (a string)"},
    {"day1 > '2024-02-30'",
     "column 8: '2024-02-30' is not a date or timestamp; write 'YYYY-MM-DD' or "
     "'YYYY-MM-DD hh:mm:ss'"},
    {"at1 > '2024-02-28'",
     "column 7: a timestamp is compared with a whole day; write the time too: "
     "'2024-02-28 00:00:00'"},
    {"one + hv", "column 5: + needs numbers; hv is a string"},
    {"-hv", "column 1: - needs a number; hv is a string"},
    {"hv * 2 + 1", "column 4: * needs numbers; hv is a string"},
    {"day2 - day1",
     "column 6: - does not work on dates; the days from a to b are days_between(a, b)"},
    {"day1 + 1", "column 6: + does not work on dates; the days from a to b are days_between(a, b)"},
    {"day1 * 2", "column 6: * needs numbers; day1 is a date"},
    {"sqrt(hv)", "column 1: sqrt needs a number; hv is a string"},
    {"abs(day1)", "column 1: abs needs a number; day1 is a date"},
    {"one and yes",
     "column 5: and needs a condition; one is an integer: compare it, as in one != 0"},
    {"not half", "column 1: not needs a condition; half is a float: compare it, as in half != 0"},
    {"yes or hv", "column 5: or needs a condition; hv is a string"},
    {"if(one, 1, 2)",
     "column 1: if needs a condition; one is an integer: compare it, as in one != 0"},
    {"if(yes, 1, hv)", "column 1: if needs values of one type; 1 is an integer, hv is a string"},
    {"if(yes, day1, at1)",
     "column 1: if needs values of one type; day1 is a date, at1 is a timestamp"},
    {"if(yes, day1, '2024-01-01 10:00')", "column 1: if needs values of one type; day1 is a date, "
                                          "'2024-01-01 10:00' is a timestamp"},
    {"coalesce(ns, 0)",
     "column 1: coalesce needs values of one type; ns is a string, 0 is an integer"},
    {"min(hv, st)", "column 1: min needs numbers or dates; hv is a string"},
    {"max('a', 'b')", "column 1: max needs numbers or dates; 'a' is a string"},
    {"clip(one, day1, 2)",
     "column 1: clip needs values of one type; one is an integer, day1 is a date"},
    {"weekday(one)", "column 1: weekday needs dates or timestamps; one is an integer"},
    {"hour('2024-01-01 10:00')",
     "column 1: hour needs dates or timestamps; '2024-01-01 10:00' is a string"},
    {"days_between(day1, 5)", "column 1: days_between needs dates or timestamps; 5 is an integer"},
    {"days_between(day1, 'x')", "column 20: 'x' is not a date or timestamp; write 'YYYY-MM-DD' or "
                                "'YYYY-MM-DD hh:mm:ss'"},
    {"days_between('2024-01-01', '2024-01-02')",
     "column 1: days_between needs dates or timestamps; '2024-01-01' is a string"},
    {"round(one, two)", "column 12: the digits of round are an integer from -15 to 15"},
    {"round(half, 16)", "column 13: the digits of round are an integer from -15 to 15"},
    {"round(half, 1.5)", "column 13: the digits of round are an integer from -15 to 15"},
    {"bin(hv, ['a'])", "column 1: bin needs a number or date; hv is a string"},
    {"bin(one, ['a'])", "column 1: cannot compare one (an integer) with 'a' (a string)"},
    {"cyc(one, two)", "column 10: the period of cyc is a number above 0"},
    {"cyc(one, -12)", "column 10: the period of cyc is a number above 0"},
    {"cyc(hv, 12)", "column 1: cyc needs numbers; hv is a string"},
    {"onehot(hv, [1])", "column 1: cannot compare hv (a string) with 1 (an integer)"},
    {"onehot(hv, ['a', 'b', 'a'])", "column 23: onehot: 'a' is given twice"},
};

static void check_error(const struct error_case *c, bool bind)
{
    struct err err = {0};
    CLEANUP(expr_free) struct expr *e = NULL;
    int r = expr_parse(c->text, &e, &err);
    if (bind) {
        ck_assert_msg(r == 0, "%s: %s", c->text, err.text);
        r = expr_bind(e, fixture_resolve, &fixture, &err);
    }
    ck_assert_msg(r == ERR_INPUT, "%s is accepted", c->text);
    ck_assert_msg(strcmp(err.text, c->message) == 0, "%s\n  says %s\n  not  %s", c->text, err.text,
                  c->message);
}

START_TEST(test_wrong_texts_are_told_where_and_what)
{
    for (size_t i = 0; i < sizeof(syntax_errors) / sizeof(syntax_errors[0]); i++)
        check_error(&syntax_errors[i], false);
}
END_TEST

START_TEST(test_wrong_types_are_told_where_and_what)
{
    for (size_t i = 0; i < sizeof(type_errors) / sizeof(type_errors[0]); i++)
        check_error(&type_errors[i], true);
}
END_TEST

/* n times `open`, "1", n times `close`. */
static int nested(const char *open, int n, const char *close, struct err *err)
{
    CLEANUP(str_deinit) struct str s = {0};
    CLEANUP(expr_free) struct expr *e = NULL;
    for (int i = 0; i < n; i++)
        str_addz(&s, open);
    str_addz(&s, "1");
    for (int i = 0; i < n; i++)
        str_addz(&s, close);
    return expr_parse(s.s, &e, err);
}

START_TEST(test_depth_and_length_have_bounds)
{
    struct err err = {0};
    static const char *const opens[] = {"(", "-", "not ", "abs(", "1 in ("};
    static const char *const closes[] = {")", "", "", ")", ")"};
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(nested(opens[i], 99, closes[i], &err), 0);
        ck_assert_int_eq(nested(opens[i], 5000, closes[i], &err), ERR_INPUT);
        ck_assert_ptr_nonnull(strstr(err.text, "nested deeper than 100"));
    }
    ck_assert_int_eq(nested("1 + ", 900, "", &err), 0);
    ck_assert_int_eq(nested("1 + ", 10000, "", &err), ERR_INPUT);
    ck_assert_str_eq(err.text,
                     "column 3999: more than 1000 operators in a row: make columns of parts "
                     "of it");
    ck_assert_int_eq(nested("           ", 10000, "", &err), ERR_INPUT);
    ck_assert_str_eq(err.text, "the text is longer than 65536 bytes");
}
END_TEST

/* ---- names and literals ---- */

static int collect(void *ctx, const char *name, bool target, struct err *err)
{
    str_addf(ctx, "%s%s ", target ? "target." : "", name);
    return strcmp(name, "stop") == 0 ? err_set(err, ERR_INPUT, "stopped") : 0;
}

START_TEST(test_every_name_is_visited_in_order)
{
    struct err err = {0};
    CLEANUP(str_deinit) struct str s = {0};
    CLEANUP(expr_free) struct expr *e = NULL, *stop = NULL;
    ck_assert_int_eq(
        expr_parse("if(a > target.b, bin(c, [1]), -d) in (e, 2) or f between g and h", &e, &err),
        0);
    ck_assert_int_eq(expr_each_name(e, collect, &s, &err), 0);
    ck_assert_str_eq(s.s, "a target.b c d e f g h ");
    ck_assert_int_eq(expr_parse("a + stop + b", &stop, &err), 0);
    str_clear(&s);
    ck_assert_int_eq(expr_each_name(stop, collect, &s, &err), ERR_INPUT);
    ck_assert_str_eq(s.s, "a stop ");
}
END_TEST

START_TEST(test_literals_and_bare_names_are_recognised)
{
    static const struct {
        const char *text;
        const char *name;
        bool number;
        double value;
        const char *string;
    } table[] = {
        {"desc", "desc", false, 0, NULL},   {"`race id`", "race id", false, 0, NULL},
        {"target.x", NULL, false, 0, NULL}, {"x + 1", NULL, false, 0, NULL},
        {"3", NULL, true, 3, NULL},         {"-0.5", NULL, true, -0.5, NULL},
        {"-(2)", NULL, true, -2, NULL},     {"'ab'", NULL, false, 0, "ab"},
        {"true", NULL, false, 0, NULL},     {"null", NULL, false, 0, NULL},
        {"1 + 1", NULL, false, 0, NULL},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct err err = {0};
        CLEANUP(expr_free) struct expr *e = NULL;
        double value = 0;
        struct text text = {0};
        ck_assert_int_eq(expr_parse(table[i].text, &e, &err), 0);
        const char *name = expr_bare_name(e);
        ck_assert_msg((!name && !table[i].name) || strcmp(name, table[i].name) == 0, "%s",
                      table[i].text);
        ck_assert_msg(expr_literal(e, &value) == table[i].number, "%s", table[i].text);
        ck_assert(value == table[i].value);
        ck_assert_msg(expr_literal_text(e, &text) == (table[i].string != NULL), "%s",
                      table[i].text);
        ck_assert(!table[i].string || memcmp(text.s, table[i].string, (size_t)text.len) == 0);
    }
}
END_TEST

START_TEST(test_arguments_and_lists_can_be_looked_at)
{
    struct err err = {0};
    CLEANUP(expr_free) struct expr *e = NULL;
    double value;
    ck_assert_int_eq(expr_parse("onehot(draw, [1, 2, -3])", &e, &err), 0);
    ck_assert_str_eq(expr_bare_name(expr_arg(e, 0)), "draw");
    ck_assert_int_eq(expr_list_size(expr_arg(e, 0)), -1);
    ck_assert_int_eq(expr_list_size(expr_arg(e, 1)), 3);
    ck_assert(expr_literal(expr_list_at(expr_arg(e, 1), 2), &value) && value == -3);
}
END_TEST

/* ---- calculations ---- */

static void add_call(struct str *out, const struct call *call)
{
    str_addf(out, "%s:", call->name);
    for (int i = 0; i < call->n_args; i++) {
        str_addz(out, " ");
        expr_print(call->args[i], out);
        str_addz(out, ";");
    }
    for (int i = 0; i < call->n_named; i++)
        str_addf(out, " %s=%g", call->named[i].name, call->named[i].value);
}

START_TEST(test_calculations_are_read)
{
    static const struct {
        const char *text, *read;
    } table[] = {
        {"count()", "count:"},
        {" mean( won ) ", "mean: won;"},
        {"mean(finish <= 3)", "mean: finish <= 3;"},
        {"ewma(x, halflife_rows=3)", "ewma: x; halflife_rows=3"},
        {"ewma(x, halflife_days = -1.5)", "ewma: x; halflife_days=-1.5"},
        {"rank(form, desc)", "rank: form; desc;"},
        {"quantile(x, 0.9)", "quantile: x; 0.9;"},
        {"best_by(odds, speed)", "best_by: odds; speed;"},
        {"max(abs(a - b))", "max: abs(a - b);"},
        {"sum_if(x, target.y == 1)", "sum_if: x; target.y == 1;"},
        {"f(a == 1)", "f: a == 1;"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct err err = {0};
        CLEANUP(call_free) struct call *call = NULL;
        CLEANUP(str_deinit) struct str s = {0};
        ck_assert_msg(call_parse(table[i].text, &call, &err) == 0, "%s", err.text);
        add_call(&s, call);
        ck_assert_str_eq(s.s, table[i].read);
    }
}
END_TEST

START_TEST(test_wrong_calculations_are_told_where_and_what)
{
    static const struct error_case table[] = {
        {"",
         "column 1: expected a calculation such as count() or mean(x), found the end of the text"},
        {"3", "column 1: expected a calculation such as count() or mean(x), found '3'"},
        {"count",
         "column 6: expected '(' after the calculation 'count', found the end of the text"},
        {"mean(won", "column 9: expected ',' or ')', found the end of the text"},
        {"mean(won,)", "column 10: expected an argument after ',', found ')'"},
        {"mean(won) * 2",
         "column 11: expected the end of the text: a calc is one call, and arithmetic "
         "on its result is an \"expr\" of its own, found '*'"},
        {"ewma(halflife_rows=3, x)",
         "column 23: arguments without a name come before halflife_rows="},
        {"ewma(x, halflife_rows=y)", "column 23: halflife_rows= needs a number"},
        {"ewma(x, a=1, a=2)", "column 14: a= is given twice"},
        {"f(1, 2, 3, 4, 5)", "column 15: f has too many arguments"},
        {"f(a=1, b=2, c=3, d=4, e=5)", "column 23: too many named arguments"},
        {"mean(cyc(x, 12))",
         "column 6: cyc makes several columns, so it can only be the whole \"expr\" of a feature"},
        {"mean(log(x))", "column 6: log is not clear: write ln(x) or log10(x)"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct err err = {0};
        CLEANUP(call_free) struct call *call = NULL;
        ck_assert_msg(call_parse(table[i].text, &call, &err) == ERR_INPUT, "%s", table[i].text);
        ck_assert_str_eq(err.text, table[i].message);
    }
}
END_TEST

static void setup(void)
{
    fixture_init(&fixture);
}

static void teardown(void)
{
    fixture_deinit(&fixture);
}

static Suite *expr_parse_suite(void)
{
    Suite *suite = suite_create("expr_parse");
    TCase *tc = tcase_create("texts");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_the_canonical_text_has_the_same_meaning_and_is_its_own);
    tcase_add_test(tc, test_binding_does_not_change_the_text);
    tcase_add_test(tc, test_wrong_texts_are_told_where_and_what);
    tcase_add_test(tc, test_wrong_types_are_told_where_and_what);
    tcase_add_test(tc, test_depth_and_length_have_bounds);
    tcase_add_test(tc, test_every_name_is_visited_in_order);
    tcase_add_test(tc, test_literals_and_bare_names_are_recognised);
    tcase_add_test(tc, test_arguments_and_lists_can_be_looked_at);
    tcase_add_test(tc, test_calculations_are_read);
    tcase_add_test(tc, test_wrong_calculations_are_told_where_and_what);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(expr_parse_suite)

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* test_expr.c - what expressions give: each case is a text and the value it has in every row.
 *
 * Every case is evaluated in all the ways a plan does it: rows in order and gathered, one
 * row and many blocks, constant slots, with and without validity, as a whole column, as a filter.
 */
#include "unit.h"

#include <math.h>

#include "codec/number.h"
#include "expr_fixture.h"

static struct fixture fixture;

struct value_case {
    const char *text;
    const char *value; /* 5 is an integer, 5.0 a float, 'x' a string */
};

static const struct value_case arithmetic_cases[] = {
    {"1", "1"},
    {"1.5", "1.5"},
    {"1e3", "1000.0"},
    {"2.5E-1", "0.25"},
    {"007", "7"},
    {"-1", "-1"},
    {"- 1", "-1"},
    {"-0.0", "0.0"},
    {"--1", "1"},
    {"9223372036854775807", "9223372036854775807"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"one", "1"},
    {"`race id` + 1", "43"},
    {"`in`", "5"},
    {"target.two", "2"},
    {"target.`race id` - one", "41"},
    {"one + two", "3"},
    {"one - two", "-1"},
    {"two * seven", "14"},
    {"1 + 2 * 3", "7"},
    {"(1 + 2) * 3", "9"},
    {"7 - 2 - 1", "4"},
    {"7 - (2 - 1)", "6"},
    {"2 - -1", "3"},
    {"-two * 3", "-6"},
    {"-(one + two)", "-3"},
    {"seven / two", "3.5"},
    {"4 / 2", "2.0"},
    {"8 / 2 / 2", "2.0"},
    {"one + 0.5", "1.5"},
    {"0.5 + one", "1.5"},
    {"half * two", "1.0"},
    {"price", "1.25m"},
    {"price * 2", "2.5"},
    {"-price", "-1.25"},
    {"price + price", "2.5"},
    {"np + 1", "null float"},
    {"yes + yes", "2"},
    {"yes + no + one", "2"},
    {"yes * 2.5", "2.5"},
    {"yes / 2", "0.5"},
    {"-yes", "-1"},
    {"ni + 1", "null integer"},
    {"1 - ni", "null integer"},
    {"nf * 2", "null float"},
    {"2 / ni", "null float"},
    {"-ni", "null integer"},
    {"null + 1", "null integer"},
    {"null + 1.5", "null float"},
    {"null + null", "null integer"},
    {"null / 2", "null float"},
    {"null", "null"},
    {"big + 1", "null integer"},
    {"big + one", "null integer"},
    {"big + 0", "9223372036854775807"},
    {"least - 1", "null integer"},
    {"big * 2", "null integer"},
    {"-least", "null integer"},
    {"-big", "-9223372036854775807"},
    {"big * 1.0", "9223372036854775808.0"},
    {"one / zero", "null float"},
    {"zero / zero", "null float"},
    {"one / f0", "null float"},
    {"huge * 10", "null float"},
    {"huge + huge", "null float"},
    {"1 / (huge * 10)", "null float"},
    {"0 * -2.5", "0.0"},
    {"f0 * fm25", "0.0"},
    {"-f0", "0.0"},
    {"7 % 3", "1"},
    {"-7 % 3", "-1"},
    {"minus7 % two", "-1"},
    {"7 % -3", "1"},
    {"seven % zero", "null integer"},
    {"least % -1", "0"},
    {"7.5 % 2", "1.5"},
    {"-7.5 % 2", "-1.5"},
    {"f25 % f0", "null float"},
    {"ni % 2", "null integer"},
    {"2 * 3 % 4", "2"},
};

static const struct value_case comparison_cases[] = {
    {"one == 1", "true"},
    {"one != 1", "false"},
    {"one <> 2", "true"},
    {"one < two", "true"},
    {"two < one", "false"},
    {"one <= 1", "true"},
    {"one > two", "false"},
    {"two >= two", "true"},
    {"one == 1.0", "true"},
    {"half < one", "true"},
    {"price == 1.25", "true"},
    {"price > one", "true"},
    {"big == 9223372036854775806", "false"},
    {"big > 9223372036854775806", "true"},
    {"one + two == 3", "true"},
    {"yes == true", "true"},
    {"yes == 1", "true"},
    {"no < yes", "true"},
    {"yes != no", "true"},
    {"one == ni", "null bool"},
    {"ni == ni", "null bool"},
    {"ni != null", "null bool"},
    {"null == null", "null bool"},
    {"null < 1", "null bool"},
    {"hv == 'HV'", "true"},
    {"hv == \"HV\"", "true"},
    {"'HV' == hv", "true"},
    {"hv == 'XX'", "false"},
    {"hv != 'XX'", "true"},
    {"hv == 'hv'", "false"},
    {"hv != st", "true"},
    {"hv == hv", "true"},
    {"hv < st", "true"},
    {"hv <= st", "true"},
    {"st > hv", "true"},
    {"hv >= 'HV'", "true"},
    {"hv < 'HVA'", "true"},
    {"hv > 'H'", "true"},
    {"'a' < 'b'", "true"},
    {"'a' == 'a'", "true"},
    {"hv == target.hv", "true"},
    {"target.hv == hv", "true"},
    {"hv == target.st", "false"},
    {"hv < target.st", "true"},
    {"target.st == 'ST'", "true"},
    {"target.st == 'XX'", "false"},
    {"empty == ''", "true"},
    {"empty < hv", "true"},
    {"ns == 'HV'", "null bool"},
    {"ns != 'HV'", "null bool"},
    {"ns == hv", "null bool"},
    {"ns == target.hv", "null bool"},
    {"hv == null", "null bool"},
    {"kanji == '東京'", "true"},
    {"kanji > st", "true"},
    {"if(yes, hv, st) == 'HV'", "true"},
    {"if(yes, hv, st) == hv", "true"},
    {"'it''s' == \"it's\"", "true"},
    {"'say \"x\"' == \"say \"\"x\"\"\"", "true"},
    {"day1 < day2", "true"},
    {"day1 == '2024-02-29'", "true"},
    {"'2024-03-01' > day1", "true"},
    {"day1 >= '2024-03-01'", "false"},
    {"nd == '2024-03-01'", "null bool"},
    {"at1 < at2", "true"},
    {"at1 == '2024-02-29 15:04:05'", "true"},
    {"at1 == '2024-02-29T15:04:05.000000'", "true"},
    {"at1 >= '2024-02-29 15:04'", "true"},
    {"day1 > at1", "true"},
    {"day1 < at2", "true"},
    {"at1 < day1", "true"},
    {"day1 == '2024-02-29 23:59:59.999999'", "true"},
    {"day1 < nt", "null bool"},
    {"old < day1", "true"},
    {"one in (1, 2, 3)", "true"},
    {"one in (2, 3)", "false"},
    {"one not in (2, 3)", "true"},
    {"one not in (1)", "false"},
    {"one in (two, one)", "true"},
    {"one in (1.0)", "true"},
    {"half in (1, 0.5)", "true"},
    {"one in (2, null)", "null bool"},
    {"one in (1, null)", "true"},
    {"one not in (2, null)", "null bool"},
    {"ni in (1, 2)", "null bool"},
    {"ni not in (1, 2)", "null bool"},
    {"null in (1)", "null bool"},
    {"one in (null)", "null bool"},
    {"hv in ('ST', 'HV')", "true"},
    {"hv in ('ST', 'XX')", "false"},
    {"hv in ('ST', st)", "false"},
    {"hv in (st, target.hv)", "true"},
    {"hv in ('ST', null)", "null bool"},
    {"hv not in ('ST')", "true"},
    {"ns in ('ST')", "null bool"},
    {"target.hv in ('ST', 'HV')", "true"},
    {"day1 in ('2024-02-29', '2020-01-01')", "true"},
    {"yes in (true)", "true"},
    {"one + 1 in (2)", "true"},
    {"not one in (2)", "true"},
    {"two between 1 and 3", "true"},
    {"two between 2 and 2", "true"},
    {"two between 3 and 1", "false"},
    {"two not between 3 and 4", "true"},
    {"two between 1.5 and seven", "true"},
    {"f25 between 1 and 2", "false"},
    {"two between null and 1", "false"},
    {"two between null and 3", "null bool"},
    {"two between 3 and null", "false"},
    {"two not between 3 and null", "true"},
    {"ni between 1 and 2", "null bool"},
    {"two between 1 and 3 and one == 1", "true"},
    {"hv between 'A' and 'I'", "true"},
    {"hv between hv and st", "true"},
    {"hv between target.hv and target.st", "true"},
    {"day1 between '2024-01-01' and '2024-12-31'", "true"},
    {"old between '2024-01-01' and '2024-12-31'", "false"},
};

static const struct value_case logic_cases[] = {
    {"true", "true"},
    {"false", "false"},
    {"yes and yes", "true"},
    {"yes and no", "false"},
    {"no or yes", "true"},
    {"no or no", "false"},
    {"not yes", "false"},
    {"not no", "true"},
    {"not nb", "null bool"},
    {"nb and yes", "null bool"},
    {"nb and no", "false"},
    {"no and nb", "false"},
    {"nb or yes", "true"},
    {"yes or nb", "true"},
    {"nb or no", "null bool"},
    {"nb and nb", "null bool"},
    {"nb or nb", "null bool"},
    {"null and false", "false"},
    {"null or true", "true"},
    {"not null", "null bool"},
    {"yes or yes and no", "true"},
    {"(yes or yes) and no", "false"},
    {"not no and no", "false"},
    {"not (no and no)", "true"},
    {"not not yes", "true"},
    {"one == 1 and two == 2 and seven == 7", "true"},
    {"one == 2 or two == 3 or seven == 7", "true"},
    {"not one == 2", "true"},
    {"ni > 1 or yes", "true"},
    {"ni > 1 and no", "false"},
    {"is_null(ni)", "true"},
    {"is_null(one)", "false"},
    {"is_null(ns)", "true"},
    {"is_null(hv)", "false"},
    {"is_null(null)", "true"},
    {"is_null(one / 0)", "true"},
    {"not is_null(nd)", "false"},
    {"is_null(if(yes, null, null))", "true"},
};

static const struct value_case function_cases[] = {
    {"if(yes, 1, 2)", "1"},
    {"if(no, 1, 2)", "2"},
    {"if(nb, 1, 2)", "2"},
    {"if(null, 1, 2)", "2"},
    {"if(yes, 1, 2.5)", "1.0"},
    {"if(yes, ni, 2)", "null integer"},
    {"if(no, 1, null)", "null integer"},
    {"if(yes, null, 1.5)", "null float"},
    {"if(yes, null, null)", "null"},
    {"if(yes, hv, 'other')", "'HV'"},
    {"if(no, hv, 'other')", "'other'"},
    {"if(no, hv, target.st)", "'ST'"},
    {"if(yes, yes, no)", "true"},
    {"if(yes, yes, 2)", "1"},
    {"if(one > 2, 1, if(one > 0, 5, 9))", "5"},
    {"if(yes, day1, day2)", "2024-02-29"},
    {"if(yes, at1, null)", "2024-02-29 15:04:05"},
    {"if(yes, day1, '2020-01-01')", "2024-02-29"},
    {"if(no, day1, '2020-01-01')", "2020-01-01"},
    {"if(yes, price, 1)", "1.25"},
    {"coalesce(ni, 5)", "5"},
    {"coalesce(one, 5)", "1"},
    {"coalesce(ni, ni)", "null integer"},
    {"coalesce(ni, nf, 2)", "2.0"},
    {"coalesce(ns, 'x')", "'x'"},
    {"coalesce(hv, 'x')", "'HV'"},
    {"coalesce(ns, target.hv)", "'HV'"},
    {"coalesce(nb, yes)", "true"},
    {"coalesce(nb, nb)", "null bool"},
    {"coalesce(null, 1)", "1"},
    {"coalesce(nd, '1999-12-31')", "1999-12-31"},
    {"coalesce(price)", "1.25"},
    {"min(1, 2)", "1"},
    {"min(2, one, 3)", "1"},
    {"max(2, one, 3)", "3"},
    {"max(1, 2.5)", "2.5"},
    {"min(half, f25, fm25)", "-2.5"},
    {"max(half, f25, fm25)", "2.5"},
    {"min(1, ni)", "null integer"},
    {"max(nf, 1)", "null float"},
    {"max(1, null)", "null integer"},
    {"min(yes, no)", "0"},
    {"min(day1, day2)", "2024-02-29"},
    {"max(day1, '2024-03-01')", "2024-03-01"},
    {"max(at1, at2)", "2024-03-01 00:00:00"},
    {"clip(5, 1, 3)", "3"},
    {"clip(-5, 1, 3)", "1"},
    {"clip(2, 1, 3)", "2"},
    {"clip(f25, 0, 1)", "1.0"},
    {"clip(ni, 0, 1)", "null integer"},
    {"clip(1, null, 2)", "null integer"},
    {"abs(-3)", "3"},
    {"abs(minus7)", "7"},
    {"abs(fm25)", "2.5"},
    {"abs(least)", "null integer"},
    {"abs(big)", "9223372036854775807"},
    {"abs(ni)", "null integer"},
    {"abs(yes)", "1"},
    {"abs(one - target.seven) <= 6", "true"},
    {"floor(2.5)", "2.0"},
    {"floor(fm25)", "-3.0"},
    {"floor(seven)", "7"},
    {"ceil(2.1)", "3.0"},
    {"ceil(-0.5)", "0.0"},
    {"ceil(nf)", "null float"},
    {"round(2.5)", "3.0"},
    {"round(fm25)", "-3.0"},
    {"round(half)", "1.0"},
    {"round(0.49999999999999994)", "0.0"},
    {"round(-0.2)", "0.0"},
    {"round(seven)", "7"},
    {"round(price, 1)", "1.3"},
    {"round(2.345, 2)", "2.35"},
    {"round(2.5, 0)", "3.0"},
    {"round(1234.5, -2)", "1200.0"},
    {"round(1250, -2)", "1300"},
    {"round(-1250, -2)", "-1300"},
    {"round(1249, -2)", "1200"},
    {"round(big, -1)", "null integer"},
    {"round(seven, 2)", "7"},
    {"round(ni, -1)", "null integer"},
    {"round(huge, 15)", "1e+308"},
    {"sqrt(4)", "2.0"},
    {"sqrt(f25 * 2.5)", "2.5"},
    {"sqrt(-1)", "null float"},
    {"sqrt(ni)", "null float"},
    {"ln(1)", "0.0"},
    {"ln(0)", "null float"},
    {"ln(-1)", "null float"},
    {"ln(exp(1))", "1.0"},
    {"log10(1000)", "3.0"},
    {"log10(zero)", "null float"},
    {"exp(0)", "1.0"},
    {"exp(1000)", "null float"},
    {"exp(-1000)", "0.0"},
    {"1 / exp(1000)", "null float"},
    {"exp(null)", "null float"},
    {"year(day1)", "2024"},
    {"month(day1)", "2"},
    {"day(day1)", "29"},
    {"weekday(day1)", "4"},
    {"weekday(day2)", "0"},
    {"day_of_year(day1)", "60"},
    {"day_of_year(day2)", "70"},
    {"day_of_year(old)", "365"},
    {"hour(day1)", "0"},
    {"hour(at1)", "15"},
    {"hour(oldat)", "23"},
    {"day(oldat)", "31"},
    {"year(oldat)", "1969"},
    {"weekday(oldat)", "3"},
    {"month(nd)", "null integer"},
    {"hour(nt)", "null integer"},
    {"hour(nd)", "null integer"},
    {"hour(null)", "null integer"},
    {"days_between(day1, day2)", "10"},
    {"days_between(day2, day1)", "-10"},
    {"days_between(at1, at2)", "1"},
    {"days_between(at1, day2)", "10"},
    {"days_between(oldat, '1970-01-01')", "1"},
    {"days_between(day1, '2024-02-29 23:00')", "0"},
    {"days_between(nd, day1)", "null integer"},
    {"bin(5, [1, 5, 9])", "2"},
    {"bin(0, [1, 5, 9])", "0"},
    {"bin(100, [1, 5, 9])", "3"},
    {"bin(f25, [-1.5, 2.5, 3])", "2"},
    {"bin(one, [0.5])", "1"},
    {"bin(ni, [1])", "null integer"},
    {"bin(day1, ['2024-01-01', '2025-01-01'])", "1"},
    {"bin(seven, [-1, 7]) + 1", "3"},
};

/* ---- one value as text ---- */

static void add_value(struct str *out, const struct column *c, int64_t row)
{
    char buf[64];
    if (c->type == TYPE_BOOL) {
        str_addz(out, c->b[row] ? "true" : "false");
    } else if (c->type == TYPE_INT) {
        str_add(out, buf, number_i64(c->i[row], buf));
    } else if (c->type == TYPE_FLOAT || c->type == TYPE_DECIMAL) {
        str_add(out, buf, number_f64(c->f[row], buf));
        str_addz(out, c->type == TYPE_DECIMAL ? "m" : "");
    } else if (c->type == TYPE_DATE) {
        str_add(out, buf, date_format(c->i[row], buf));
    } else if (c->type == TYPE_TIMESTAMP) {
        str_add(out, buf, timestamp_format(c->i[row], buf));
    } else {
        struct text t = dict_text(&c->dict, c->code[row]);
        str_addf(out, "'%.*s'", (int)t.len, t.s);
    }
}

/* The first row says what the value is; all others must be like it. */
static void check_rows(const struct value_case *c, const struct expr *e, const struct column *got,
                       const char *way)
{
    CLEANUP(str_deinit) struct str s = {0};
    if (!column_is_null(got, 0))
        add_value(&s, got, 0);
    else
        str_addf(&s, expr_type(e) == TYPE_NULL ? "null" : "null %s", type_name(expr_type(e)));
    ck_assert_msg(strcmp(s.s, c->value) == 0, "%s: %s is %s, should be %s", way, c->text, s.s,
                  c->value);
    ck_assert_msg(expr_nullable(e) || !column_is_null(got, 0), "%s is not nullable?", c->text);
    size_t bytes = type_bytes(got->type);
    for (int64_t row = 1; row < got->rows; row++) {
        bool same = column_is_null(got, row) == column_is_null(got, 0) &&
                    memcmp(got->b + (size_t)row * bytes, got->b, bytes) == 0;
        if (!same)
            ck_abort_msg("%s: %s differs in row %d", way, c->text, (int)row);
    }
}

static void check_as_column(const struct value_case *c, const struct expr *e, int64_t n,
                            const char *way)
{
    CLEANUP(column_deinit) struct column got = {0};
    expr_column(e, fixture.slots, n, 1, &got);
    ck_assert_int_eq(got.rows, n);
    check_rows(c, e, &got, way);
    if (got.type == TYPE_STRING)
        ck_assert_int_le(got.max_chars, expr_max_chars(e));
}

/* Into the middle of a longer column, which must stay untouched around it. */
static void check_as_rows(const struct value_case *c, const struct expr *e, int64_t n,
                          const char *way)
{
    if (expr_type(e) == TYPE_STRING || expr_type(e) == TYPE_NULL)
        return;
    CLEANUP(column_deinit) struct column all = {0};
    column_alloc(&all, expr_type(e), n + 2, true);
    expr_eval(e, fixture.slots, n, &all, 1);
    ck_assert(column_is_null(&all, 0) && column_is_null(&all, n + 1));
    struct column got = column_slice(&all, 1, n);
    check_rows(c, e, &got, way);
}

static void check_as_filter(const struct value_case *c, const struct expr *e, int64_t n)
{
    uint8_t keep[FIXTURE_ROWS];
    if (expr_type(e) != TYPE_BOOL)
        return;
    expr_filter(e, fixture.slots, n, keep);
    for (int64_t row = 0; row < n; row++) {
        if (keep[row] != (strcmp(c->value, "true") == 0))
            ck_abort_msg("%s: the filter says %d in row %d", c->text, keep[row], (int)row);
    }
}

static void check_ways(const struct value_case *c, const struct expr *e, const char *way)
{
    static const int64_t counts[] = {1, 3, 511, 1100};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        check_as_column(c, e, counts[i], way);
        check_as_rows(c, e, counts[i], way);
        check_as_filter(c, e, counts[i]);
    }
}

static struct expr *parsed(const char *text)
{
    struct err err = {0};
    struct expr *e = NULL;
    int r = expr_parse(text, &e, &err);
    ck_assert_msg(r == 0, "%s: %s", text, err.text);
    r = expr_bind(e, fixture_resolve, &fixture, &err);
    ck_assert_msg(r == 0, "%s: %s", text, err.text);
    return e;
}

static void set_slots(const int32_t *rows, int64_t first, bool constant_targets, bool constant_all)
{
    for (int k = 0; k < 2 * FIXTURE_COLUMNS; k++) {
        struct expr_slot *slot = &fixture.slots[k];
        slot->rows = rows;
        slot->first = first;
        slot->constant = constant_all || (constant_targets && k % 2 == 1);
    }
}

/* Columns without nulls lose their `valid`, or get it back. */
static void set_valid(bool with)
{
    static uint8_t ones[FIXTURE_ROWS];
    memset(ones, 1, sizeof(ones));
    for (int k = 0; k < FIXTURE_COLUMNS; k++) {
        for (int target = 0; target < 2 && fixture_columns[k].value; target++)
            fixture.columns[2 * k + target].valid = with ? ones : NULL;
    }
}

static void check_case(const struct value_case *c)
{
    CLEANUP(expr_free) struct expr *e = parsed(c->text);
    for (int with_valid = 0; with_valid < 2; with_valid++) {
        set_valid(with_valid);
        set_slots(NULL, 0, false, false);
        check_ways(c, e, "in order");
        set_slots(NULL, 50, true, false);
        check_ways(c, e, "from row 50, constant targets");
        set_slots(fixture.rows, 0, true, false);
        check_ways(c, e, "gathered");
        set_slots(NULL, 7, true, true);
        check_ways(c, e, "all constant");
    }
}

#define CHECK_CASES(table)                                                                         \
    for (size_t case_i = 0; case_i < sizeof(table) / sizeof(table[0]); case_i++)                   \
    check_case(&table[case_i])

START_TEST(test_arithmetic)
{
    CHECK_CASES(arithmetic_cases);
}
END_TEST

START_TEST(test_comparison)
{
    CHECK_CASES(comparison_cases);
}
END_TEST

START_TEST(test_logic_of_three_values)
{
    CHECK_CASES(logic_cases);
}
END_TEST

START_TEST(test_functions)
{
    CHECK_CASES(function_cases);
}
END_TEST

/* ---- what binding tells ---- */

START_TEST(test_an_expression_is_nullable_unless_it_cannot_be_null)
{
    static const struct {
        const char *text;
        bool nullable;
    } table[] = {
        {"one", false},
        {"ni", true},
        {"one == two", false},
        {"one == ni", true},
        {"one == two and yes or no", false},
        {"one in (1, 2)", false},
        {"one in (1, null)", true},
        {"one between 1 and 2", false},
        {"is_null(ni)", false},
        {"if(nb, 1, 2)", false},
        {"if(yes, 1, ni)", true},
        {"coalesce(ni, 0)", false},
        {"coalesce(ni, ni)", true},
        {"one + two", true}, /* it may overflow */
        {"yes + yes + no", false},
        {"weekday(day1) * 24 + hour(at1)", false},
        {"weekday(nd)", true},
        {"days_between(day1, day2) / 7", true}, /* a float may not be finite */
        {"days_between(day1, day2) - 1", false},
        {"one % 10", false},
        {"one % two", true},
        {"abs(one)", true},
        {"abs(weekday(day1) - 6)", false},
        {"-weekday(day1)", false},
        {"min(weekday(day1), 3) + 1", false},
        {"clip(one, 1, 3)", false},
        {"floor(f25)", false},
        {"bin(one, [1, 2])", false},
        {"bin(ni, [1, 2])", true},
        {"sqrt(one)", true},
        {"hv", false},
        {"hv == 'HV'", false},
        {"null", true},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        CLEANUP(expr_free) struct expr *e = parsed(table[i].text);
        ck_assert_msg(expr_nullable(e) == table[i].nullable, "%s", table[i].text);
    }
}
END_TEST

START_TEST(test_a_bare_column_keeps_its_slot_and_scale)
{
    CLEANUP(expr_free) struct expr *price = parsed("(price)"), *sum = parsed("price + 0");
    ck_assert_int_eq(expr_type(price), TYPE_DECIMAL);
    ck_assert_int_eq(expr_scale(price), 2);
    ck_assert_ptr_eq(fixture.slots[expr_slot(price)].column->name, "price");
    ck_assert_int_eq(expr_type(sum), TYPE_FLOAT);
    ck_assert_int_eq(expr_slot(sum), -1);
}
END_TEST

START_TEST(test_a_string_is_as_long_as_its_longest_branch)
{
    CLEANUP(expr_free) struct expr *e = parsed("if(yes, coalesce('東京都', 'x'), 'ab')");
    ck_assert_int_eq(expr_max_chars(e), 3);
}
END_TEST

/* ---- several columns ---- */

static void check_part(const struct expr *e, int i, const char *suffix, const char *value)
{
    CLEANUP(str_deinit) struct str s = {0};
    expr_suffix(e, i, &s);
    ck_assert_str_eq(s.s ? s.s : "", suffix);
    struct value_case c = {suffix, value};
    check_as_column(&c, expr_part(e, i), 600, "part");
    check_as_rows(&c, expr_part(e, i), 600, "part");
}

START_TEST(test_cyc_makes_a_sine_and_a_cosine)
{
    CLEANUP(expr_free) struct expr *e = parsed("cyc(month(day2), 12)");
    ck_assert_str_eq(expr_outer_call(e), "cyc");
    ck_assert_int_eq(expr_parts(e), 2);
    check_part(e, 0, "_sin", "1.0");
    CLEANUP(column_deinit) struct column c = {0};
    expr_column(expr_part(e, 1), fixture.slots, 3, 1, &c);
    ck_assert(fabs(c.f[2]) < 1e-15);
    CLEANUP(expr_free) struct expr *null = parsed("cyc(ni, 7.5)");
    check_part(null, 1, "_cos", "null float");
}
END_TEST

START_TEST(test_onehot_makes_a_column_for_each_value)
{
    CLEANUP(expr_free) struct expr *e = parsed("onehot(hv, ['ST', 'HV', 'none'])");
    ck_assert_int_eq(expr_parts(e), 3);
    check_part(e, 0, "_ST", "0");
    check_part(e, 1, "_HV", "1");
    check_part(e, 2, "_none", "0");
    ck_assert(!expr_nullable(expr_part(e, 1)));
    CLEANUP(expr_free) struct expr *number = parsed("onehot(one + 0.5, [-1, 1.5, 2])");
    check_part(number, 0, "_-1", "0");
    check_part(number, 1, "_1.5", "1");
    CLEANUP(expr_free) struct expr *null = parsed("onehot(ns, ['HV'])");
    check_part(null, 0, "_HV", "null integer");
    CLEANUP(expr_free) struct expr *truth = parsed("onehot(one == 1, [true, false])");
    check_part(truth, 0, "_true", "1");
    check_part(truth, 1, "_false", "0");
    CLEANUP(expr_free) struct expr *plain = parsed("one");
    ck_assert_int_eq(expr_parts(plain), 1);
    ck_assert_ptr_null(expr_outer_call(plain));
    ck_assert_ptr_eq(expr_part(plain, 0), plain);
    check_part(plain, 0, "", "1");
}
END_TEST

/* ---- shapes of trees and of rows ---- */

START_TEST(test_a_tree_of_any_shape_is_evaluated)
{
    CLEANUP(str_deinit) struct str deep = {0}, chain = {0}, mixed = {0};
    for (int i = 0; i < 99; i++)
        str_addz(&deep, "1 + half * (");
    str_addz(&deep, "0");
    for (int i = 0; i < 99; i++)
        str_addc(&deep, ')');
    check_case(&(struct value_case){deep.s, "2.0"});
    for (int i = 0; i < 990; i++)
        str_addz(&chain, "one + ");
    str_addz(&chain, "10");
    check_case(&(struct value_case){chain.s, "1000"});
    for (int i = 0; i < 90; i++)
        str_addz(&mixed, "if(no or 2 - one == 3, 1, ");
    str_addz(&mixed, "5");
    for (int i = 0; i < 90; i++)
        str_addc(&mixed, ')');
    check_case(&(struct value_case){mixed.s, "5"});
}
END_TEST

START_TEST(test_a_dictionary_has_the_values_that_occur_sorted)
{
    static const char *const values[] = {"b", "", "c", "a", "b"};
    int64_t offsets[] = {0, 0, 1, 2, 3, 4};
    struct dict dict = {5, offsets, "abcd"};
    CLEANUP(column_deinit) struct column from = {0}, got = {0};
    column_alloc(&from, TYPE_STRING, 6, true);
    from.dict = dict;
    for (int row = 0; row < 5; row++) {
        from.code[row] = dict_find(&dict, (struct text){values[row], (int64_t)strlen(values[row])});
        from.valid[row] = 1;
    }
    struct expr_slot slots[2 * FIXTURE_COLUMNS] = {0};
    CLEANUP(expr_free) struct expr *e = parsed("if(hv == 'c', 'aa', hv)");
    for (int k = 0; k < 2 * FIXTURE_COLUMNS; k++)
        slots[k].column = &from;
    expr_column(e, slots, 6, 1, &got);
    ck_assert_int_eq(got.dict.n, 4);
    static const char *const want[] = {"", "a", "aa", "b"};
    for (int32_t code = 0; code < 4; code++) {
        struct text t = dict_text(&got.dict, code);
        ck_assert(t.len == (int64_t)strlen(want[code]) &&
                  memcmp(t.s, want[code], (size_t)t.len) == 0);
    }
    static const int32_t codes[] = {3, 0, 2, 1, 3, 0};
    ck_assert_mem_eq(got.code, codes, sizeof(codes));
    ck_assert(!column_is_null(&got, 4) && column_is_null(&got, 5));
    ck_assert_int_eq(got.max_chars, 2);
}
END_TEST

START_TEST(test_no_rows_give_an_empty_column)
{
    static const char *const texts[] = {"one", "hv", "if(yes, 'a', hv)", "half + 1", "yes", "null"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CLEANUP(column_deinit) struct column got = {0};
        CLEANUP(expr_free) struct expr *e = parsed(texts[i]);
        expr_column(e, fixture.slots, 0, 2, &got);
        ck_assert_int_eq(got.rows, 0);
        ck_assert_int_eq(got.dict.n, 0);
    }
}
END_TEST

START_TEST(test_two_threads_give_the_same_bytes)
{
    enum { ROWS = 100000 };
    CLEANUP(column_deinit) struct column x = {0}, one = {0}, two = {0};
    column_alloc(&x, TYPE_FLOAT, ROWS, true);
    for (int row = 0; row < ROWS; row++) {
        x.f[row] = row * 0.37;
        x.valid[row] = row % 11 != 0;
    }
    struct expr_slot slots[2 * FIXTURE_COLUMNS] = {0};
    for (int k = 0; k < 2 * FIXTURE_COLUMNS; k++)
        slots[k].column = &x;
    CLEANUP(expr_free) struct expr *e = parsed("ln(half) + sqrt(half) / (half - 37)");
    expr_column(e, slots, ROWS, 1, &one);
    expr_column(e, slots, ROWS, 2, &two);
    ck_assert_mem_eq(one.f, two.f, ROWS * sizeof(double));
    ck_assert_mem_eq(one.valid, two.valid, ROWS);
    ck_assert(column_is_null(&one, 0) && column_is_null(&one, 100) && !column_is_null(&one, 1));
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

static Suite *expr_suite(void)
{
    Suite *suite = suite_create("expr");
    TCase *tc = tcase_create("values");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_arithmetic);
    tcase_add_test(tc, test_comparison);
    tcase_add_test(tc, test_logic_of_three_values);
    tcase_add_test(tc, test_functions);
    tcase_add_test(tc, test_an_expression_is_nullable_unless_it_cannot_be_null);
    tcase_add_test(tc, test_a_bare_column_keeps_its_slot_and_scale);
    tcase_add_test(tc, test_a_string_is_as_long_as_its_longest_branch);
    tcase_add_test(tc, test_cyc_makes_a_sine_and_a_cosine);
    tcase_add_test(tc, test_onehot_makes_a_column_for_each_value);
    tcase_add_test(tc, test_a_tree_of_any_shape_is_evaluated);
    tcase_add_test(tc, test_a_dictionary_has_the_values_that_occur_sorted);
    tcase_add_test(tc, test_no_rows_give_an_empty_column);
    tcase_add_test(tc, test_two_threads_give_the_same_bytes);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(expr_suite)

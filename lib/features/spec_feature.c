/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* spec_feature.c - entries of "features" and "windows": which members go together, fan-out of
 * lists, and the feature built of what is left. */
#include "features/spec_feature.h"

#include <math.h>

#include "features/calc.h"

enum {
    MAX_DAYS = 10000000,   /* 27,000 years: keeps microseconds within int64 */
    MAX_ROWS = 2147483647, /* of a table */
    MAX_FEATURES = 10000,  /* of a spec: a grid multiplies fast */
};

const char *const member_words[MEMBER_COUNT] = {
    [MEMBER_CALC] = "calc",
    [MEMBER_EXPR] = "expr",
    [MEMBER_ASOF] = "asof",
    [MEMBER_LOOKUP] = "lookup",
    [MEMBER_BY] = "by",
    [MEMBER_OVER] = "over",
    [MEMBER_WITHIN] = "within",
    [MEMBER_OTHERS] = "others",
    [MEMBER_FROM] = "from",
    [MEMBER_DAYS] = "days",
    [MEMBER_LAST] = "last",
    [MEMBER_DELAY_DAYS] = "delay_days",
    [MEMBER_KNOWN_AT] = "known_at",
    [MEMBER_WHERE] = "where",
    [MEMBER_MIN_ROWS] = "min_rows",
    [MEMBER_FILL] = "fill",
    [MEMBER_PRIOR] = "prior",
    [MEMBER_MAX_AGE_DAYS] = "max_age_days",
    [MEMBER_AGE] = "age",
};

#define BIT(member) (1u << (member))

/* What each kind is made of, and the sentence that says why nothing else goes with it. */
static const struct {
    const char *word; /* the member that makes it this kind */
    unsigned members;
    const char *why;
} kinds[] = {
    [SPEC_WINDOW] = {"calc",
                     BIT(MEMBER_CALC) | BIT(MEMBER_BY) | BIT(MEMBER_OVER) | BIT(MEMBER_FROM) |
                         BIT(MEMBER_DAYS) | BIT(MEMBER_LAST) | BIT(MEMBER_DELAY_DAYS) |
                         BIT(MEMBER_KNOWN_AT) | BIT(MEMBER_WHERE) | BIT(MEMBER_MIN_ROWS) |
                         BIT(MEMBER_FILL) | BIT(MEMBER_PRIOR),
                     "it reads a window of history"},
    [SPEC_GROUP] = {"within",
                    BIT(MEMBER_CALC) | BIT(MEMBER_WITHIN) | BIT(MEMBER_OTHERS) | BIT(MEMBER_FILL),
                    "it reads the group of the target row, not a window of history"},
    [SPEC_EXPR] = {"expr", BIT(MEMBER_EXPR) | BIT(MEMBER_FILL),
                   "it reads the target row and other features, never history; for history "
                   "write \"calc\""},
    [SPEC_ASOF] = {"asof",
                   BIT(MEMBER_ASOF) | BIT(MEMBER_BY) | BIT(MEMBER_FILL) | BIT(MEMBER_MAX_AGE_DAYS) |
                       BIT(MEMBER_AGE),
                   "it reads the newest row of its table before the cutoff"},
    [SPEC_LOOKUP] = {"lookup", BIT(MEMBER_LOOKUP) | BIT(MEMBER_BY) | BIT(MEMBER_FILL),
                     "it reads the one row of a static table that has this key"},
};

static struct place entry_place(const struct entry *entry, enum member m)
{
    return (struct place){entry->at, member_words[m], 0};
}

void entry_collect(struct entry *entry, const struct place *at, const struct json *object)
{
    *entry = (struct entry){.at = at};
    for (int m = 0; m < MEMBER_COUNT; m++)
        entry->member[m].node = json_get(object, member_words[m]);
}

/* Which one of members [first, last] is there: the member, or MEMBER_COUNT for none; ERR_INPUT for
 * two. */
static int entry_one_of(const struct entry *entry, enum member first, enum member last,
                        struct err *err)
{
    int found = MEMBER_COUNT;
    for (int m = first; m <= (int)last; m++) {
        if (!entry->member[m].node)
            continue;
        if (found != MEMBER_COUNT)
            return place_error(entry->at, err,
                               "has both \"%s\" and \"%s\"; a feature has exactly one of them",
                               member_words[found], member_words[m]);
        found = m;
    }
    return found;
}

static int entry_check_members(const struct entry *entry, struct err *err)
{
    unsigned allowed = kinds[entry->kind].members;
    for (int m = 0; m < MEMBER_COUNT; m++) {
        if (!entry->member[m].node || (allowed & BIT(m)))
            continue;
        CLEANUP(str_deinit) struct str words = {0};
        for (int i = 0; i < MEMBER_COUNT; i++) {
            if (allowed & BIT(i))
                str_addf(&words, "%s%s", words.len ? ", " : "", member_words[i]);
        }
        struct place here = entry_place(entry, (enum member)m);
        return place_error(&here, err, "does not go with \"%s\": %s. Members of such a feature: %s",
                           kinds[entry->kind].word, kinds[entry->kind].why, words.s);
    }
    return 0;
}

int entry_find_kind(struct entry *entry, struct err *err)
{
    int what = entry_one_of(entry, MEMBER_CALC, MEMBER_LOOKUP, err);
    if (what < 0)
        return what;
    if (what == MEMBER_COUNT)
        return place_error(entry->at, err,
                           "says nothing to compute; it needs one of \"calc\", \"expr\", \"asof\", "
                           "\"lookup\"");
    if (what == MEMBER_CALC) {
        int span = entry_one_of(entry, MEMBER_BY, MEMBER_WITHIN, err);
        if (span < 0)
            return span;
        if (span == MEMBER_COUNT)
            return place_error(entry->at, err,
                               "\"calc\" needs one of \"by\" (history rows with equal values), "
                               "\"over\" (a named window) and \"within\" (the target row's group)");
        entry->kind = span == MEMBER_WITHIN ? SPEC_GROUP : SPEC_WINDOW;
    } else {
        entry->kind = what == MEMBER_EXPR   ? SPEC_EXPR
                      : what == MEMBER_ASOF ? SPEC_ASOF
                                            : SPEC_LOOKUP;
        bool by = entry->member[MEMBER_BY].node;
        if (what != MEMBER_EXPR && !by)
            return place_error(entry->at, err, "\"%s\" needs \"by\": the columns that are equal",
                               member_words[what]);
    }
    return entry_check_members(entry, err);
}

/* ---- one feature of plain members ---- */

/* Where a member stands, down to the element that was picked from it. `up` is the member's own
 * place. */
static struct place value_place(const struct entry *entry, enum member m, struct place *up)
{
    const struct entry_value *value = &entry->member[m];
    *up = entry_place(entry, m);
    return value->picked ? (struct place){up, json_name(value->node), value->index} : *up;
}

static int read_text(const struct entry *entry, enum member m, char **ret, struct err *err)
{
    struct place up, at = value_place(entry, m, &up);
    const struct json *node = entry->member[m].node;
    if (!node)
        return 0;
    if (json_type(node) == JSON_ARRAY || json_type(node) == JSON_OBJECT)
        return member_wrong_type(&at, node, "a string (several at once go into a \"grid\")", err);
    return member_text(&at, node, ret, err);
}

static int read_names(const struct entry *entry, enum member m, struct name_list *ret,
                      struct err *err)
{
    struct place up, at = value_place(entry, m, &up);
    const struct json *node = entry->member[m].node;
    return node ? member_names(&at, node, ret, err) : 0;
}

static int read_int(const struct entry *entry, enum member m, int64_t min, int64_t max,
                    int64_t *ret, struct err *err)
{
    struct place up, at = value_place(entry, m, &up);
    const struct json *node = entry->member[m].node;
    return node ? member_int(&at, node, min, max, ret, err) : 0;
}

static int read_truth(const struct entry *entry, enum member m, bool *ret, struct err *err)
{
    struct place up, at = value_place(entry, m, &up);
    const struct json *node = entry->member[m].node;
    return node ? member_truth(&at, node, ret, err) : 0;
}

static int read_prior(const struct entry *entry, double *ret, struct err *err)
{
    struct place up, at = value_place(entry, MEMBER_PRIOR, &up);
    const struct json *node = entry->member[MEMBER_PRIOR].node;
    *ret = NAN;
    if (!node)
        return 0;
    if (json_type(node) != JSON_NUMBER)
        return member_wrong_type(&at, node, "a number", err);
    if (!(json_number(node) > 0))
        return place_error(&at, err,
                           "must be greater than 0 (it counts as that many rows of the overall "
                           "mean), but is %g",
                           json_number(node));
    *ret = json_number(node);
    return 0;
}

static int read_fill(const struct entry *entry, struct spec_fill *ret, struct err *err)
{
    struct place up, at = value_place(entry, MEMBER_FILL, &up);
    const struct json *node = entry->member[MEMBER_FILL].node;
    if (!node)
        return 0;
    switch (json_type(node)) {
    case JSON_NUMBER:
        *ret = (struct spec_fill){.type = JSON_NUMBER, .number = json_number(node)};
        return 0;
    case JSON_BOOL:
        *ret = (struct spec_fill){.type = JSON_BOOL, .truth = json_bool(node)};
        return 0;
    case JSON_STRING:
        *ret = (struct spec_fill){.type = JSON_STRING, .text = mem_strdup(json_string(node))};
        return 0;
    default:
        return member_wrong_type(&at, node, "a number, a string, true or false", err);
    }
}

/* "there is no WHAT "NAME" in "WHATs"", with the nearest of those that there are. */
static int name_unknown(const struct place *at, const char *what, const char *name,
                        const char *const *names, int n, struct err *err)
{
    const char *near = str_nearest(name, names, (size_t)n);
    return place_error(at, err, "there is no %s \"%s\" in \"%ss\"%s%s%s", what, name, what,
                       near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* A table that is read besides the target's: declared, and of the kind that the reader needs. */
int feature_check_table(const struct spec *spec, const struct place *at, const char *name,
                        bool is_static, struct err *err)
{
    const struct spec_table *table = spec_find_table(spec, name);
    if (!table) {
        CLEANUP(free) void *words = MEM_ARRAY(const char *, (size_t)spec->n_tables);
        const char **tables = words;
        for (int i = 0; i < spec->n_tables; i++)
            tables[i] = spec->tables[i].name;
        return name_unknown(at, "table", name, tables, spec->n_tables, err);
    }
    if (is_static && !table->key)
        return place_error(at, err,
                           "\"lookup\" reads static tables, and \"%s\" has no \"key\"; the newest "
                           "row of a table with time is read by \"asof\"",
                           name);
    if (!is_static && !table->time)
        return place_error(at, err,
                           "table \"%s\" has no \"time\", so it has no history; a static table is "
                           "read by \"lookup\"",
                           name);
    return 0;
}

static int read_from(const struct spec *spec, const struct entry *entry, char **ret,
                     struct err *err)
{
    struct place up, at = value_place(entry, MEMBER_FROM, &up);
    const struct json *node = entry->member[MEMBER_FROM].node;
    if (!node)
        return 0;
    free(*ret);
    *ret = NULL;
    int rc = member_name(&at, node, ret, err);
    return rc ? rc : feature_check_table(spec, &at, *ret, false, err);
}

/* "TABLE.COLUMN" of asof and lookup. */
static int read_table_column(const struct spec *spec, const struct entry *entry, enum member m,
                             struct spec_feature *f, struct err *err)
{
    int rc = read_text(entry, m, &f->text, err);
    if (rc)
        return rc;
    struct place up, at = value_place(entry, m, &up);
    const char *dot = strchr(f->text, '.');
    if (!dot || dot == f->text || !dot[1])
        return place_error(&at, err, "must be \"TABLE.COLUMN\", but is \"%s\"", f->text);
    f->window.from = mem_strndup(f->text, (size_t)(dot - f->text));
    f->column = mem_strdup(dot + 1);
    return feature_check_table(spec, &at, f->window.from, m == MEMBER_LOOKUP, err);
}

static void replace_text(char **to, const char *from)
{
    *to = from ? mem_strdup(from) : NULL;
}

static int read_over(const struct spec_reader *reader, const struct entry *entry,
                     struct spec_window *ret, struct err *err)
{
    CLEANUP(mem_free_chars) char *name = NULL;
    int rc = read_text(entry, MEMBER_OVER, &name, err);
    if (rc || !name)
        return rc;
    CLEANUP(free) void *words = MEM_ARRAY(const char *, (size_t)reader->n_windows);
    const char **names = words;
    for (int i = 0; i < reader->n_windows; i++) {
        const struct spec_window *w = &reader->windows[i];
        names[i] = w->name;
        if (strcmp(w->name, name) != 0)
            continue;
        *ret = *w;
        replace_text(&ret->name, w->name);
        replace_text(&ret->from, w->from);
        replace_text(&ret->known_at, w->known_at);
        replace_text(&ret->where, w->where);
        name_list_copy(&ret->by, &w->by);
        return 0;
    }
    struct place up, at = value_place(entry, MEMBER_OVER, &up);
    return name_unknown(&at, "window", name, names, reader->n_windows, err);
}

/* A text that stands beside `over` takes the place of the named window's. */
static int read_over_text(const struct entry *entry, enum member m, char **ret, struct err *err)
{
    if (!entry->member[m].node)
        return 0;
    free(*ret);
    *ret = NULL;
    return read_text(entry, m, ret, err);
}

/* The members that shape a window, over what *w holds already. */
static int read_window(const struct spec *spec, const struct entry *entry, struct spec_window *w,
                       struct err *err)
{
    int rc = read_names(entry, MEMBER_BY, &w->by, err);
    rc = rc ? rc : read_from(spec, entry, &w->from, err);
    rc = rc ? rc : read_int(entry, MEMBER_DAYS, 1, MAX_DAYS, &w->days, err);
    rc = rc ? rc : read_int(entry, MEMBER_LAST, 1, MAX_ROWS, &w->last, err);
    rc = rc ? rc : read_int(entry, MEMBER_DELAY_DAYS, 0, MAX_DAYS, &w->delay_days, err);
    rc = rc ? rc : read_over_text(entry, MEMBER_KNOWN_AT, &w->known_at, err);
    return rc ? rc : read_over_text(entry, MEMBER_WHERE, &w->where, err);
}

static int read_lookup_by(const struct entry *entry, struct spec_feature *f, struct err *err)
{
    struct place up, at = value_place(entry, MEMBER_BY, &up);
    int rc = read_names(entry, MEMBER_BY, &f->window.by, err);
    if (!rc && f->window.by.n > 1)
        rc = place_error(&at, err, "the key of a static table is one column, but here are %d",
                         f->window.by.n);
    return rc;
}

int feature_check_others(const struct place *at, const char *calc, struct err *err)
{
    CLEANUP(call_free) struct call *call = NULL;
    struct calc_use use;
    struct err later = {0};
    if (call_parse(calc, &call, &later) < 0)
        return 0;
    const struct calc *known = calc_find(call->name);
    if (!known || known->places != CALC_GROUP || known->others_ok)
        return 0;
    calc_use(call, CALC_GROUP, true, &use, &later);
    return place_error(at, err, "in \"%s\": %s", calc, later.text);
}

static int read_group(const struct entry *entry, struct spec_feature *f, struct err *err)
{
    int rc = read_text(entry, MEMBER_CALC, &f->text, err);
    rc = rc ? rc : read_names(entry, MEMBER_WITHIN, &f->within, err);
    rc = rc ? rc : read_truth(entry, MEMBER_OTHERS, &f->others, err);
    return !rc && f->others ? feature_check_others(entry->at, f->text, err) : rc;
}

static int read_by_kind(const struct spec_reader *reader, const struct entry *entry,
                        struct spec_feature *f, struct err *err)
{
    int rc;
    switch (entry->kind) {
    case SPEC_WINDOW:
        rc = read_text(entry, MEMBER_CALC, &f->text, err);
        rc = rc ? rc : read_over(reader, entry, &f->window, err);
        rc = rc ? rc : read_window(reader->spec, entry, &f->window, err);
        rc = rc ? rc : read_int(entry, MEMBER_MIN_ROWS, 1, MAX_ROWS, &f->min_rows, err);
        return rc ? rc : read_prior(entry, &f->prior, err);
    case SPEC_GROUP:
        return read_group(entry, f, err);
    case SPEC_EXPR:
        return read_text(entry, MEMBER_EXPR, &f->text, err);
    case SPEC_ASOF:
        rc = read_table_column(reader->spec, entry, MEMBER_ASOF, f, err);
        rc = rc ? rc : read_names(entry, MEMBER_BY, &f->window.by, err);
        rc = rc ? rc : read_int(entry, MEMBER_MAX_AGE_DAYS, 1, MAX_DAYS, &f->max_age_days, err);
        return rc ? rc : read_truth(entry, MEMBER_AGE, &f->age, err);
    case SPEC_LOOKUP:
        rc = read_table_column(reader->spec, entry, MEMBER_LOOKUP, f, err);
        return rc ? rc : read_lookup_by(entry, f, err);
    }
    return err_set(err, ERR_BUG, "feature kind %d", (int)entry->kind);
}

static int check_age_name(const struct entry *entry, const struct spec_feature *f, struct err *err)
{
    if (!f->age)
        return 0;
    struct place at = entry_place(entry, MEMBER_AGE);
    CLEANUP(mem_free_chars) char *name = mem_printf("%s_age_days", f->name);
    return name_check(&at, name, err);
}

int feature_add(struct spec_reader *reader, const struct entry *entry, const char *name,
                struct err *err)
{
    struct spec *spec = reader->spec;
    if (spec->n_features == MAX_FEATURES)
        return place_error(entry->at, err, "the spec has more than %d features", MAX_FEATURES);
    int rc = name_check(entry->at, name, err);
    if (rc)
        return rc;
    size_t need = (size_t)spec->n_features + 1;
    spec->features = mem_grow(spec->features, &reader->feature_cap, need, sizeof *spec->features);
    struct spec_feature *f = &spec->features[spec->n_features++];
    *f = (struct spec_feature){
        .name = mem_strdup(name), .at = place_text(entry->at), .kind = entry->kind, .prior = NAN};
    rc = read_by_kind(reader, entry, f, err);
    rc = rc ? rc : check_age_name(entry, f, err);
    return rc ? rc : read_fill(entry, &f->fill, err);
}

/* ---- fan-out ---- */

static int list_size(const struct entry *entry, enum member m)
{
    const struct json *node = entry->member[m].node;
    return node && json_type(node) == JSON_ARRAY ? json_size(node) : -1;
}

/* Replace the list by its element number index, and say so in the name. */
static int pick(struct entry *to, const struct entry *from, enum member m, int index,
                struct str *name, struct err *err)
{
    if (list_size(from, m) < 0)
        return 0;
    to->member[m] =
        (struct entry_value){json_at(from->member[m].node, index), .picked = true, .index = index};
    struct place up, at = value_place(to, m, &up);
    int64_t value = 0, max = m == MEMBER_LAST ? MAX_ROWS : MAX_DAYS;
    int rc = member_int(&at, to->member[m].node, 1, max, &value, err);
    if (!rc)
        str_addf(name, m == MEMBER_LAST ? "_l%lld" : "_%lldd", (long long)value);
    return rc;
}

static int feature_fan_out(struct spec_reader *reader, const struct entry *entry, const char *name,
                           struct err *err)
{
    int n_last = list_size(entry, MEMBER_LAST), n_days = list_size(entry, MEMBER_DAYS);
    if (n_last == 0 || n_days == 0) {
        struct place here = entry_place(entry, n_last == 0 ? MEMBER_LAST : MEMBER_DAYS);
        return place_error(&here, err, "the list is empty: it would give no feature");
    }
    int rc = 0;
    for (int i = 0; i < (n_last < 0 ? 1 : n_last) && !rc; i++) {
        for (int j = 0; j < (n_days < 0 ? 1 : n_days) && !rc; j++) {
            CLEANUP(str_deinit) struct str full = {0};
            struct entry plain = *entry;
            str_addz(&full, name);
            rc = pick(&plain, entry, MEMBER_LAST, i, &full, err);
            rc = rc ? rc : pick(&plain, entry, MEMBER_DAYS, j, &full, err);
            rc = rc ? rc : feature_add(reader, &plain, full.s, err);
        }
    }
    return rc;
}

static int feature_read(struct spec_reader *reader, const struct place *at,
                        const struct json *object, struct err *err)
{
    const char *known[MEMBER_COUNT + 1];
    memcpy(known, member_words, sizeof member_words);
    known[MEMBER_COUNT] = "grid";
    if (json_type(object) == JSON_STRING)
        return place_error(at, err, "must be an object; an expression is {\"expr\": \"%s\"}",
                           json_string(object));
    int rc = member_all_known(at, object, known, MEMBER_COUNT + 1, err);
    if (rc)
        return rc;
    const struct json *grid = json_get(object, "grid");
    if (grid) {
        const struct json *only = member_first(object);
        if (only != grid || member_next(only))
            return place_error(at, err,
                               "beside \"grid\" stands nothing else; members that all "
                               "features of the grid share go into the grid");
        struct place here = {at, "grid", 0};
        return grid_read(reader, &here, grid, err);
    }
    struct entry entry;
    entry_collect(&entry, at, object);
    rc = entry_find_kind(&entry, err);
    return rc ? rc : feature_fan_out(reader, &entry, json_name(object), err);
}

int features_read(struct spec_reader *reader, const struct json *features, struct err *err)
{
    struct place at = {NULL, "features", 0};
    int rc = member_is_object(&at, features, err);
    const struct json *feature = rc ? NULL : member_first(features);
    for (; feature && !rc; feature = member_next(feature)) {
        struct place here = {&at, json_name(feature), 0};
        rc = name_check(&here, json_name(feature), err);
        rc = rc ? rc : feature_read(reader, &here, feature, err);
    }
    return rc;
}

/* ---- named windows ---- */

static int window_read(struct spec_reader *reader, const struct place *at,
                       const struct json *object, struct err *err)
{
    static const char *const known[] = {"by",         "from",     "days", "last",
                                        "delay_days", "known_at", "where"};
    struct spec_window *w = &reader->windows[reader->n_windows++];
    *w = (struct spec_window){.name = mem_strdup(at->name)};
    int rc = name_check(at, w->name, err);
    rc = rc ? rc : member_all_known(at, object, known, sizeof known / sizeof *known, err);
    if (rc)
        return rc;
    struct entry entry;
    entry_collect(&entry, at, object);
    if (!entry.member[MEMBER_BY].node)
        return place_error(at, err, "needs \"by\": the columns whose values are equal in history");
    for (int m = MEMBER_DAYS; m <= MEMBER_LAST; m++) {
        struct place here = entry_place(&entry, (enum member)m);
        if (list_size(&entry, (enum member)m) >= 0)
            return place_error(&here, err,
                               "a named window has one; a list of %s goes beside "
                               "\"over\", in the feature",
                               member_words[m]);
    }
    return read_window(reader->spec, &entry, w, err);
}

int windows_read(struct spec_reader *reader, const struct json *windows, struct err *err)
{
    struct place at = {NULL, "windows", 0};
    int rc = windows ? member_is_object(&at, windows, err) : 0;
    if (!windows || rc)
        return rc;
    reader->windows = MEM_ARRAY(struct spec_window, (size_t)json_size(windows));
    const struct json *window = member_first(windows);
    for (; window && !rc; window = member_next(window)) {
        struct place here = {&at, json_name(window), 0};
        rc = window_read(reader, &here, window, err);
    }
    return rc;
}

void window_deinit(struct spec_window *window)
{
    free(window->name);
    free(window->from);
    free(window->known_at);
    free(window->where);
    name_list_deinit(&window->by);
}

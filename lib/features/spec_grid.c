/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* spec_grid.c - "grid": one entry that multiplies into many features.
 *
 * Each member of the grid that is an object or a list is an axis; the features are the product of
 * all axes, in the order in which they are written, the first outermost. Under `by` a list is a
 * composite key, as everywhere, and no axis. The name template says where each axis shows: {days}
 * is the element of a list, the member's name in an object. */
#include "features/spec_feature.h"

struct axis {
    enum member member;
    const struct json *at; /* the element of the moment */
    int index;             /* its number */
};

struct grid {
    const struct place *at;
    struct entry entry;
    const char *name; /* the template */
    struct axis axes[MEMBER_COUNT];
    int n_axes;
};

static bool is_axis(enum member m, const struct json *node)
{
    enum json_type type = json_type(node);
    return type == JSON_OBJECT || (type == JSON_ARRAY && m != MEMBER_BY);
}

static enum member member_of_word(const char *word, size_t len)
{
    int m = 0;
    while (m < MEMBER_COUNT &&
           (strlen(member_words[m]) != len || memcmp(member_words[m], word, len) != 0))
        m++;
    return (enum member)m;
}

/* The axes in the order written; an axis without elements is an error. */
static int find_axes(struct grid *grid, const struct json *object, struct err *err)
{
    const struct json *node = member_first(object);
    for (; node; node = member_next(node)) {
        const char *word = json_name(node);
        enum member m = member_of_word(word, strlen(word));
        if (m == MEMBER_COUNT || !is_axis(m, node)) /* "name" */
            continue;
        struct place here = {grid->at, word, 0};
        const struct json *first = member_first(node);
        if (!first)
            return place_error(&here, err, "is empty: it would give no feature");
        grid->axes[grid->n_axes++] = (struct axis){m, first, 0};
    }
    return 0;
}

/* Each placeholder of the template names a member of the grid. */
static int check_placeholders(const struct grid *grid, const struct place *at, struct err *err)
{
    for (const char *c = grid->name; *c; c++) {
        if (*c == '}')
            return place_error(at, err, "\"}\" without \"{\" before it in \"%s\"", grid->name);
        if (*c != '{')
            continue;
        size_t len = strcspn(++c, "{}");
        if (c[len] != '}')
            return place_error(at, err, "\"{\" without \"}\" after it in \"%s\"", grid->name);
        enum member m = member_of_word(c, len);
        if (m == MEMBER_COUNT || !grid->entry.member[m].node)
            return place_error(at, err,
                               "{%.*s} is not a member of this grid; a placeholder is a member's "
                               "name, such as {%s}",
                               (int)len, c,
                               grid->n_axes ? member_words[grid->axes[0].member] : "calc");
        c += len;
    }
    return 0;
}

/* Each axis of several elements shows in the template, or names would be equal. */
static int check_axes(const struct grid *grid, const struct place *at, struct err *err)
{
    for (int i = 0; i < grid->n_axes; i++) {
        const char *word = member_words[grid->axes[i].member];
        CLEANUP(mem_free_chars) char *placeholder = mem_printf("{%s}", word);
        bool several = member_next(grid->axes[i].at);
        if (several && !strstr(grid->name, placeholder))
            return place_error(at, err,
                               "\"%s\" multiplies but is not in the name, so that names would be "
                               "equal; put %s into \"%s\"",
                               word, placeholder, grid->name);
    }
    return 0;
}

static int read_template(struct grid *grid, const struct json *object, struct err *err)
{
    const struct json *name = json_get(object, "name");
    struct place at = {grid->at, "name", 0};
    if (!name)
        return place_error(grid->at, err, "needs \"name\": a template such as \"{by}_{days}d\"");
    CLEANUP(mem_free_chars) char *checked = NULL;
    int rc = member_name(&at, name, &checked, err);
    if (rc)
        return rc;
    grid->name = json_string(name);
    rc = check_placeholders(grid, &at, err);
    return rc ? rc : check_axes(grid, &at, err);
}

/* What a placeholder stands for: the name an object gives it, else the value itself. */
static void add_value(const struct entry_value *value, struct str *out)
{
    const struct json *node = value->node;
    if (value->picked && json_name(node)) {
        str_addz(out, json_name(node));
    } else if (json_type(node) == JSON_STRING) {
        str_addz(out, json_string(node));
    } else if (json_type(node) == JSON_ARRAY) { /* a composite key */
        const struct json *part = json_first(node);
        for (int i = 0; part; i++, part = json_next(part))
            str_addf(out, "%s%s", i ? "_" : "",
                     json_type(part) == JSON_STRING ? json_string(part) : "");
    } else {
        json_canonical(node, out);
    }
}

static char *fill_template(const struct grid *grid, const struct entry *entry)
{
    struct str out = {0};
    for (const char *c = grid->name; *c; c++) {
        if (*c != '{') {
            str_addc(&out, *c);
            continue;
        }
        size_t len = strcspn(++c, "}");
        add_value(&entry->member[member_of_word(c, len)], &out);
        c += len;
    }
    return str_take(&out);
}

/* The next combination, the last axis fastest. False after the last one. */
static bool advance(struct grid *grid)
{
    for (int i = grid->n_axes - 1; i >= 0; i--) {
        struct axis *axis = &grid->axes[i];
        axis->at = member_next(axis->at);
        axis->index++;
        if (axis->at)
            return true;
        axis->at = member_first(grid->entry.member[axis->member].node);
        axis->index = 0;
    }
    return false;
}

static int add_combination(struct spec_reader *reader, const struct grid *grid, struct err *err)
{
    struct entry plain = grid->entry;
    for (int i = 0; i < grid->n_axes; i++) {
        const struct axis *axis = &grid->axes[i];
        plain.member[axis->member] = (struct entry_value){axis->at, true, axis->index};
    }
    CLEANUP(mem_free_chars) char *name = fill_template(grid, &plain);
    return feature_add(reader, &plain, name, err);
}

int grid_read(struct spec_reader *reader, const struct place *at, const struct json *object,
              struct err *err)
{
    const char *known[MEMBER_COUNT + 1];
    known[0] = "name";
    memcpy(known + 1, member_words, sizeof member_words);
    int rc = member_all_known(at, object, known, MEMBER_COUNT + 1, err);
    if (rc)
        return rc;
    struct grid grid = {.at = at};
    entry_collect(&grid.entry, at, object);
    rc = entry_find_kind(&grid.entry, err);
    rc = rc ? rc : find_axes(&grid, object, err);
    rc = rc ? rc : read_template(&grid, object, err);
    if (rc)
        return rc;
    do {
        rc = add_combination(reader, &grid, err);
    } while (!rc && advance(&grid));
    return rc;
}

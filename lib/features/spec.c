/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* spec.c - a spec document, top to bottom: version, tables, target, windows, features, labels.
 *
 * The order of reading is the order of what people get wrong: the version first, since a newer one
 * may have members that are unknown here; then the names of all members; then tables, which
 * everything after refers to. Output names are compared once, at the end, with all fan-out done. */
#include "features/spec.h"

#include <math.h>

#include "base/fs.h"
#include "features/spec_feature.h"

enum {
    SPEC_VERSION = 1,
    MAX_COLUMNS = 10000, /* derived, of a table: as many as a spec may have features */
};

static const char *const document_members[] = {"spec",     "tables", "target", "windows",
                                               "features", "labels", "output", "$schema"};

static int read_version(const struct json *document, struct err *err)
{
    const struct json *node = json_get(document, "spec");
    struct place at = {NULL, "spec", 0};
    if (!node)
        return err_set(err, ERR_INPUT,
                       "\"spec\" is missing; a spec begins with \"spec\": 1, the "
                       "version of its shape");
    if (json_type(node) != JSON_NUMBER)
        return member_wrong_type(&at, node, "the number 1", err);
    double version = json_number(node);
    if (version > SPEC_VERSION && version == floor(version))
        return err_set(err, ERR_CONFIG,
                       "spec: version %.0f is newer than this hiwari, which reads version %d; "
                       "upgrade hiwari",
                       version, SPEC_VERSION);
    if (version != SPEC_VERSION)
        return place_error(&at, err, "must be %d, but is %g", SPEC_VERSION, version);
    return 0;
}

/* A member of the document that has to be there. */
static int need(const struct json *document, const char *name, const char *what,
                const struct json **ret, struct err *err)
{
    *ret = json_get(document, name);
    return *ret ? 0 : err_set(err, ERR_INPUT, "\"%s\" is missing: %s", name, what);
}

/* ---- tables ---- */

static int read_group_statistic(const struct place *at, const struct json *node,
                                struct spec_column *c, struct err *err)
{
    static const char *const known[] = {"calc", "within", "others"};
    int rc = member_all_known(at, node, known, sizeof known / sizeof *known, err);
    rc = rc ? rc : optional_text(at, node, "calc", &c->calc, err);
    rc = rc ? rc : optional_names(at, node, "within", &c->within, err);
    rc = rc ? rc : optional_truth(at, node, "others", &c->others, err);
    if (!rc && !c->calc)
        rc = place_error(at, err, "needs \"calc\": a group statistic such as \"zscore(speed)\"");
    if (!rc && c->within.n == 0)
        rc = place_error(at, err, "needs \"within\": the columns that make the group");
    return !rc && c->others ? feature_check_others(at, c->calc, err) : rc;
}

static int read_column(const struct place *up, const struct json *node, int number,
                       struct spec_column *c, struct err *err)
{
    struct place at = {up, json_name(node), 0};
    int rc = name_check(&at, at.name, err);
    if (!rc && number == MAX_COLUMNS)
        rc = place_error(&at, err, "the table has more than %d derived columns", MAX_COLUMNS);
    *c = (struct spec_column){.name = mem_strdup(at.name), .at = place_text(&at)};
    if (rc)
        return rc;
    if (json_type(node) == JSON_STRING)
        return member_text(&at, node, &c->expr, err);
    if (json_type(node) == JSON_OBJECT)
        return read_group_statistic(&at, node, c, err);
    return member_wrong_type(&at, node, "an expression (a string) or {\"calc\": …, \"within\": …}",
                             err);
}

static int read_columns(const struct place *up, const struct json *object, struct spec_table *t,
                        struct err *err)
{
    const struct json *columns = json_get(object, "columns");
    struct place at = {up, "columns", 0};
    int rc = columns ? member_is_object(&at, columns, err) : 0;
    if (!columns || rc)
        return rc;
    t->columns = MEM_ARRAY(struct spec_column, (size_t)json_size(columns));
    const struct json *node = member_first(columns);
    for (; node && !rc; node = member_next(node), t->n_columns++)
        rc = read_column(&at, node, t->n_columns, &t->columns[t->n_columns], err);
    return rc;
}

static int check_table_kind(const struct place *at, const struct spec_table *t, struct err *err)
{
    if (!t->time && !t->key)
        return place_error(at, err,
                           "needs \"time\" (the column that says when a row happened), or \"key\" "
                           "for a static table");
    if (t->time && t->key)
        return place_error(at, err,
                           "has both \"time\" and \"key\"; a table with \"time\" is history, one "
                           "with \"key\" is static");
    if (t->group && !t->time)
        return place_error(at, err, "\"group\" goes with \"time\"; a static table has none");
    return 0;
}

/* What a static table says today, "lookup" brings to every target row of any date. */
static int check_results(const struct place *up, const struct json *node,
                         const struct spec_table *t, struct err *err)
{
    struct place at = {up, "result_columns", 0};
    if (!t->key || !json_get(node, at.name))
        return 0;
    return place_error(&at, err,
                       "does not go with \"key\": the columns of a static table are known at every "
                       "cutoff. What is known only after an event goes into a table with \"time\", "
                       "which history and \"asof\" read");
}

static int read_table(const struct place *up, const struct json *node, struct spec_table *t,
                      struct err *err)
{
    static const char *const known[] = {"time", "group", "key", "result_columns", "columns"};
    struct place at = {up, json_name(node), 0};
    *t = (struct spec_table){.name = mem_strdup(at.name)};
    int rc = name_check(&at, at.name, err);
    rc = rc ? rc : member_all_known(&at, node, known, sizeof known / sizeof *known, err);
    rc = rc ? rc : optional_name(&at, node, "time", &t->time, err);
    rc = rc ? rc : optional_name(&at, node, "group", &t->group, err);
    rc = rc ? rc : optional_name(&at, node, "key", &t->key, err);
    rc = rc ? rc : optional_names(&at, node, "result_columns", &t->result_columns, err);
    rc = rc ? rc : check_table_kind(&at, t, err);
    rc = rc ? rc : check_results(&at, node, t, err);
    return rc ? rc : read_columns(&at, node, t, err);
}

static int read_tables(struct spec *spec, const struct json *document, struct err *err)
{
    const struct json *tables;
    struct place at = {NULL, "tables", 0};
    int rc = need(document, "tables", "the tables that the spec reads, each with its time column",
                  &tables, err);
    rc = rc ? rc : member_is_object(&at, tables, err);
    if (rc)
        return rc;
    spec->tables = MEM_ARRAY(struct spec_table, (size_t)json_size(tables));
    const struct json *node = member_first(tables);
    for (; node && !rc; node = member_next(node))
        rc = read_table(&at, node, &spec->tables[spec->n_tables++], err);
    return rc;
}

/* ---- target, labels, output ---- */

static int read_target(struct spec *spec, const struct json *document, struct err *err)
{
    static const char *const known[] = {"table", "cutoff", "keep", "where"};
    const struct json *target;
    struct place at = {NULL, "target", 0}, table_at = {&at, "table", 0};
    int rc = need(document, "target", "it names the table whose rows get features", &target, err);
    rc = rc ? rc : member_all_known(&at, target, known, sizeof known / sizeof *known, err);
    rc = rc ? rc : optional_name(&at, target, "table", &spec->target, err);
    if (!rc && !spec->target)
        rc = place_error(&at, err, "needs \"table\": the table whose rows get features");
    rc = rc ? rc : feature_check_table(spec, &table_at, spec->target, false, err);
    rc = rc ? rc : optional_name(&at, target, "cutoff", &spec->cutoff, err);
    rc = rc ? rc : optional_names(&at, target, "keep", &spec->keep, err);
    rc = rc ? rc : optional_text(&at, target, "where", &spec->target_where, err);
    if (!rc && !spec->cutoff)
        spec->cutoff = mem_strdup("key");
    return rc;
}

static int read_label(struct spec_reader *reader, const struct place *at, const struct json *node,
                      struct err *err)
{
    if (json_type(node) != JSON_STRING)
        return member_wrong_type(at, node, "an expression (a string)", err);
    if (!*json_string(node))
        return place_error(at, err, "may not be empty");
    struct entry entry = {.at = at, .kind = SPEC_EXPR};
    int rc = feature_add(reader, &entry, json_name(node), err);
    if (rc)
        return rc;
    struct spec_feature *f = &reader->spec->features[reader->spec->n_features - 1];
    f->text = mem_strdup(json_string(node));
    f->is_label = true;
    return 0;
}

static int read_labels(struct spec_reader *reader, const struct json *document, struct err *err)
{
    const struct json *labels = json_get(document, "labels");
    struct place at = {NULL, "labels", 0};
    int rc = labels ? member_is_object(&at, labels, err) : 0;
    const struct json *node = labels && !rc ? member_first(labels) : NULL;
    for (; node && !rc; node = member_next(node)) {
        struct place here = {&at, json_name(node), 0};
        rc = read_label(reader, &here, node, err);
    }
    return rc;
}

static int read_output(struct spec *spec, const struct json *document, struct err *err)
{
    static const char *const known[] = {"float"};
    const struct json *output = json_get(document, "output");
    struct place at = {NULL, "output", 0}, float_at = {&at, "float", 0};
    if (!output)
        return 0;
    CLEANUP(mem_free_chars) char *word = NULL;
    int rc = member_all_known(&at, output, known, 1, err);
    rc = rc ? rc : optional_text(&at, output, "float", &word, err);
    if (rc || !word)
        return rc;
    spec->float32 = strcmp(word, "f32") == 0;
    if (!spec->float32 && strcmp(word, "f64") != 0)
        return place_error(&float_at, err, "must be \"f64\" or \"f32\", but is \"%s\"", word);
    return 0;
}

/* ---- equal names ---- */

struct output_name {
    char *name;
    char *at;
};

static int compare_output_names(const void *a, const void *b)
{
    const struct output_name *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->at, y->at);
}

static bool list_has(const struct name_list *list, const char *name)
{
    for (int i = 0; i < list->n; i++) {
        if (strcmp(list->names[i], name) == 0)
            return true;
    }
    return false;
}

/* Every output column that the text alone tells; names made by cyc and onehot are the plan's. */
static size_t collect_output_names(const struct spec *spec, struct output_name *names)
{
    const struct spec_table *target = spec_find_table(spec, spec->target);
    size_t n = 0;
    if (!list_has(&spec->keep, target->time))
        names[n++] = (struct output_name){
            mem_strdup(target->time),
            mem_printf("tables.%s.time (always the first column)", target->name)};
    for (int i = 0; i < spec->keep.n; i++)
        names[n++] =
            (struct output_name){mem_strdup(spec->keep.names[i]), mem_printf("target.keep[%d]", i)};
    for (int i = 0; i < spec->n_features; i++) {
        const struct spec_feature *f = &spec->features[i];
        names[n++] = (struct output_name){mem_strdup(f->name), mem_strdup(f->at)};
        if (f->age)
            names[n++] = (struct output_name){mem_printf("%s_age_days", f->name),
                                              mem_printf("%s.age", f->at)};
    }
    return n;
}

static int check_output_names(const struct spec *spec, struct err *err)
{
    size_t max = 1 + (size_t)spec->keep.n + 2 * (size_t)spec->n_features;
    struct output_name *names = MEM_ARRAY(struct output_name, max);
    size_t n = collect_output_names(spec, names);
    qsort(names, n, sizeof *names, compare_output_names);
    int rc = 0;
    for (size_t i = 1; i < n && !rc; i++) {
        const struct output_name *a = &names[i - 1], *b = &names[i];
        if (strcmp(a->name, b->name) != 0)
            continue;
        if (strcmp(a->at, b->at) == 0)
            rc = err_set(err, ERR_INPUT,
                         "%s makes two columns named \"%s\"; every output column "
                         "needs a name of its own",
                         a->at, a->name);
        else
            rc = err_set(err, ERR_INPUT,
                         "%s and %s both make a column named \"%s\"; every output "
                         "column needs a name of its own",
                         a->at, b->at, a->name);
    }
    for (size_t i = 0; i < n; i++) {
        free(names[i].name);
        free(names[i].at);
    }
    free(names);
    return rc;
}

/* ---- the canonical text ---- */

static void add_name(const char *name, struct str *out)
{
    struct json *holder = json_new_object();
    json_canonical(json_add_string(holder, "name", name), out);
    json_free(holder);
    str_addc(out, ':');
}

/* An object whose members mean something by their order: features and labels are output columns,
 * and a grid multiplies in the order written. json_canonical would sort them, and with it the
 * columns. */
static void add_in_order(const struct json *object, int depth, struct str *out)
{
    const struct json *first = member_first(object);
    str_addc(out, '{');
    for (const struct json *node = first; node; node = member_next(node)) {
        if (node != first)
            str_addc(out, ',');
        add_name(json_name(node), out);
        const struct json *grid = depth == 0 ? json_get(node, "grid") : NULL;
        bool ordered = grid || (depth > 0 && json_type(node) == JSON_OBJECT);
        if (ordered)
            add_in_order(node, depth + 1, out);
        else
            json_canonical(node, out);
    }
    str_addc(out, '}');
}

static char *canonical_text(const struct json *document)
{
    static const char *const sorted[] = {"features", "labels", "output", "spec",
                                         "tables",   "target", "windows"};
    struct str out = {0};
    str_addc(&out, '{');
    for (size_t i = 0; i < sizeof sorted / sizeof *sorted; i++) {
        const struct json *node = json_get(document, sorted[i]);
        if (!node)
            continue;
        if (out.len > 1)
            str_addc(&out, ',');
        add_name(sorted[i], &out);
        if (i < 2)
            add_in_order(node, 0, &out);
        else
            json_canonical(node, &out);
    }
    str_addc(&out, '}');
    return str_take(&out);
}

static void set_identity(struct spec *spec, const struct json *document)
{
    uint8_t digest[SHA256_BYTES];
    spec->canonical = canonical_text(document);
    sha256_of(spec->canonical, strlen(spec->canonical), digest);
    hash_hex(digest, sizeof digest, spec->sha256);
}

/* ---- the document ---- */

static int read_features(struct spec_reader *reader, const struct json *document, struct err *err)
{
    const struct json *features;
    int rc = need(document, "features", "the columns to compute", &features, err);
    rc = rc ? rc : windows_read(reader, json_get(document, "windows"), err);
    rc = rc ? rc : features_read(reader, features, err);
    return rc ? rc : read_labels(reader, document, err);
}

static int read_document(struct spec_reader *reader, const struct json *document, struct err *err)
{
    struct spec *spec = reader->spec;
    struct place at = {NULL, "$schema", 0};
    const struct json *schema = json_get(document, "$schema");
    int rc = member_is_object(NULL, document, err);
    rc = rc ? rc : read_version(document, err);
    rc = rc ? rc
            : member_all_known(NULL, document, document_members,
                               sizeof document_members / sizeof *document_members, err);
    if (!rc && schema && json_type(schema) != JSON_STRING)
        rc = member_wrong_type(&at, schema, "a string", err);
    rc = rc ? rc : read_tables(spec, document, err);
    rc = rc ? rc : read_target(spec, document, err);
    rc = rc ? rc : read_features(reader, document, err);
    rc = rc ? rc : read_output(spec, document, err);
    rc = rc ? rc : check_output_names(spec, err);
    if (!rc)
        set_identity(spec, document);
    return rc;
}

int spec_parse(const char *name, const char *text, size_t len, struct spec **ret, struct err *err)
{
    CLEANUP(json_free) struct json *document = NULL;
    int rc = json_parse(name, text, len, &document, err);
    if (rc)
        return rc;
    CLEANUP(spec_free) struct spec *spec = MEM_NEW(struct spec);
    spec->name = mem_strdup(name);
    struct spec_reader reader = {.spec = spec};
    rc = read_document(&reader, document, err);
    for (int i = 0; i < reader.n_windows; i++)
        window_deinit(&reader.windows[i]);
    free(reader.windows);
    if (rc)
        return err_prefix(err, "%s", name);
    *ret = spec;
    spec = NULL;
    return 0;
}

int spec_read(const char *path, struct spec **ret, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    int rc = fs_read(path, &text, err);
    return rc ? rc : spec_parse(path, text.s ? text.s : "", text.len, ret, err);
}

static void table_deinit(struct spec_table *t)
{
    for (int i = 0; i < t->n_columns; i++) {
        struct spec_column *c = &t->columns[i];
        free(c->name);
        free(c->at);
        free(c->expr);
        free(c->calc);
        name_list_deinit(&c->within);
    }
    free(t->columns);
    free(t->name);
    free(t->time);
    free(t->group);
    free(t->key);
    name_list_deinit(&t->result_columns);
}

static void feature_deinit(struct spec_feature *f)
{
    free(f->name);
    free(f->at);
    free(f->text);
    free(f->column);
    free(f->fill.text);
    window_deinit(&f->window);
    name_list_deinit(&f->within);
}

void spec_free(struct spec *spec)
{
    if (!spec)
        return;
    for (int i = 0; i < spec->n_tables; i++)
        table_deinit(&spec->tables[i]);
    for (int i = 0; i < spec->n_features; i++)
        feature_deinit(&spec->features[i]);
    free(spec->tables);
    free(spec->features);
    free(spec->name);
    free(spec->target);
    free(spec->cutoff);
    free(spec->target_where);
    free(spec->canonical);
    name_list_deinit(&spec->keep);
    free(spec);
}

const struct spec_table *spec_find_table(const struct spec *spec, const char *name)
{
    for (int i = 0; i < spec->n_tables; i++) {
        if (strcmp(spec->tables[i].name, name) == 0)
            return &spec->tables[i];
    }
    return NULL;
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* help.c - the rows of options.h as text for a terminal, for bash and for man. */
#include "help.h"

#include <string.h>

#include "base/utf8.h"

enum { HELP_WIDTH = 80 };

static const struct {
    unsigned bit; /* 0: every verb */
    int code;
    const char *meaning;
} exit_codes[] = {
    {0, 0, "done"},
    {EXITS_FAILED, 1, "keys have failed, or something was found that is not in order"},
    {0, 64, "the command line is wrong"},
    {EXITS_INPUT, 65, "the data or the spec is wrong"},
    {EXITS_UNREACHABLE, 69, "Redis or the destination cannot be reached"},
    {EXITS_WRITE, 73, "cannot write"},
    {EXITS_RETRY, 75, "not now: the same command may succeed later"},
    {EXITS_CONFIG, 78, "settings, snapshot and results do not fit each other"},
    {EXITS_DRAINED, 143, "stopped by a signal; nothing is lost"},
};
enum { N_EXIT_CODES = sizeof(exit_codes) / sizeof(exit_codes[0]) };

static bool exits_with(const struct verb *verb, int i)
{
    return !exit_codes[i].bit || (verb->exits & exit_codes[i].bit);
}

static size_t columns_of(const char *s, size_t len)
{
    return (size_t)utf8_chars(s, len);
}

/* Words of text, wrapped at HELP_WIDTH; `at` columns are already on the line. Newlines stay. */
static void add_wrapped(struct str *out, const char *text, size_t indent, size_t at)
{
    for (const char *p = text; *p;) {
        if (*p == '\n') {
            str_addc(out, '\n');
            at = 0;
            p++;
            continue;
        }
        size_t len = strcspn(p, " \n"), width = columns_of(p, len);
        if (at > indent && at + 1 + width > HELP_WIDTH) {
            str_addc(out, '\n');
            at = 0;
        }
        if (at > indent) {
            str_addc(out, ' ');
            at++;
        }
        for (; at < indent; at++)
            str_addc(out, ' ');
        str_add(out, p, len);
        at += width;
        p += len;
        p += *p == ' ';
    }
    str_addc(out, '\n');
}

/* "--dest URL" */
static void add_option_name(struct str *out, const struct option *option)
{
    str_addf(out, "--%s", option->name);
    if (option->value)
        str_addf(out, " %s", option->value);
}

/* " --dest URL" or " [--limit N]": what usage says of one option. */
static void add_usage_option(struct str *out, const struct option *option)
{
    str_addz(out, option->required ? " " : " [");
    add_option_name(out, option);
    str_addz(out, option->required ? "" : "]");
    str_addz(out, option->kind == OPTION_LIST ? " …" : "");
}

/* "hiwari snapshot create --out DIR …", wrapped between options; width 0: on one line. */
static void add_usage(struct str *out, const struct verb *verb, size_t width)
{
    size_t line = out->len;
    str_addf(out, "hiwari %s%s%s", verb->name, verb->arguments[0] ? " " : "", verb->arguments);
    for (const struct option *o = verb->options; o->name; o++) {
        CLEANUP(str_deinit) struct str piece = {0};
        add_usage_option(&piece, o);
        if (width &&
            columns_of(out->s + line, out->len - line) + columns_of(piece.s, piece.len) > width) {
            str_addz(out, "\n   ");
            line = out->len - 3;
        }
        str_add(out, piece.s, piece.len);
    }
}

/* The sentence, and what holds when the option is not given. */
static void add_purpose(struct str *out, const struct option *option)
{
    str_addz(out, option->purpose);
    if (option->required)
        str_addz(out, " (required)");
    else if (option->fallback)
        str_addf(out, " (default: %s)", option->fallback);
    if (option->kind == OPTION_LIST)
        str_addz(out, "; may be given several times");
}

void help_overview(const struct verb *const *verbs, struct str *out)
{
    str_addz(out,
             "hiwari splits years of feature computation into days: workers lease dates, read one\n"
             "snapshot and leave one zip per date.\n\n"
             "usage: hiwari VERB [options]; 'hiwari VERB --help' teaches each verb\n\n");
    size_t widest = 0;
    for (int i = 0; verbs[i]; i++)
        widest = strlen(verbs[i]->name) > widest ? strlen(verbs[i]->name) : widest;
    for (int i = 0; verbs[i]; i++) {
        str_addf(out, "  %-*s", (int)widest + 2, verbs[i]->name);
        add_wrapped(out, verbs[i]->purpose, widest + 4, widest + 4);
    }
    str_addz(out, "\nstart here:\n"
                  "  hiwari snapshot create --csv entries=entries.csv --spec spec.json --out data\n"
                  "  hiwari run --snapshot data --spec spec.json --dest results\n");
}

void help_verb(const struct verb *verb, struct str *out)
{
    CLEANUP(str_deinit) struct str title = {0};
    str_addf(&title, "hiwari %s - %s", verb->name, verb->purpose);
    add_wrapped(out, title.s, 0, 0);
    str_addc(out, '\n');
    str_addz(out, "usage: ");
    add_usage(out, verb, HELP_WIDTH - 7);
    str_addz(out, "\n\n");
    add_wrapped(out, verb->about, 0, 0);
    str_addz(out, "\noptions:\n");
    for (const struct option *o = verb->options; o->name; o++) {
        CLEANUP(str_deinit) struct str name = {0}, purpose = {0};
        add_option_name(&name, o);
        add_purpose(&purpose, o);
        str_addf(out, "  %-22s", name.s);
        size_t at = 2 + (columns_of(name.s, name.len) > 22 ? columns_of(name.s, name.len) : 22);
        if (at > 24) {
            str_addc(out, '\n');
            at = 0;
        }
        for (; at < 25; at++)
            str_addc(out, ' ');
        add_wrapped(out, purpose.s, 25, 25);
    }
    str_addz(out, "  --help                 this text\n\nexample:\n  ");
    str_addf(out, "%s\n\nexit codes:\n", verb->example);
    for (int i = 0; i < N_EXIT_CODES; i++)
        if (exits_with(verb, i))
            str_addf(out, "  %-4d %s\n", exit_codes[i].code, exit_codes[i].meaning);
}

/* ---- bash ---- */

/* What completes the value of an option. */
static void add_value_case(struct str *out, const struct option *option)
{
    if (!option->value)
        return;
    if (strstr(option->value, "FILE"))
        str_addf(out,
                 "        --%s) compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\")); "
                 "return ;;\n",
                 option->name);
    else if (strcmp(option->value, "DIR") == 0)
        str_addf(out,
                 "        --%s) compopt -o filenames; COMPREPLY=($(compgen -d -- \"$cur\")); "
                 "return ;;\n",
                 option->name);
    else if (option->kind == OPTION_CHOICE) {
        CLEANUP(mem_free_chars) char *words = mem_strdup(option->value);
        for (char *p = words; *p; p++)
            *p = *p == '|' ? ' ' : *p;
        str_addf(out, "        --%s) COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n",
                 option->name, words);
    } else
        str_addf(out, "        --%s) return ;;\n", option->name);
}

static void add_verb_case(struct str *out, const struct verb *verb)
{
    str_addf(out, "    '%s')\n        case $prev in\n", verb->name);
    for (const struct option *o = verb->options; o->name; o++)
        add_value_case(out, o);
    str_addz(out, "        esac\n        words='");
    for (const struct option *o = verb->options; o->name; o++)
        str_addf(out, "--%s ", o->name);
    str_addz(out, "--help' ;;\n");
}

/* Is this the first verb that begins with its first word? Rows of one family stand together. */
static bool is_new_word(const struct verb *const *verbs, int i)
{
    size_t len = strcspn(verbs[i]->name, " ");
    return i == 0 || strcspn(verbs[i - 1]->name, " ") != len ||
           strncmp(verbs[i - 1]->name, verbs[i]->name, len) != 0;
}

/* What follows the first word of verbs of two: "snapshot) words='create index …' ;;" */
static void add_family_case(struct str *out, const struct verb *const *verbs, int first)
{
    size_t len = strcspn(verbs[first]->name, " ");
    str_addf(out, "    %.*s) words='", (int)len, verbs[first]->name);
    for (int i = first; verbs[i] && (i == first || !is_new_word(verbs, i)); i++)
        str_addf(out, "%s ", verbs[i]->name + len + 1);
    str_addz(out, "' ;;\n");
}

void help_bash_completion(const struct verb *const *verbs, struct str *out)
{
    str_addz(out, "# bash completion for hiwari; made by 'hiwari completion'\n"
                  "_hiwari() {\n"
                  "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                  "    local verb=${COMP_WORDS[1]} words=\n"
                  "    COMPREPLY=()\n"
                  "    [ \"$COMP_CWORD\" -gt 1 ] || verb=\n"
                  "    case $verb in ''");
    for (int i = 0; verbs[i]; i++)
        if (is_new_word(verbs, i) && strchr(verbs[i]->name, ' '))
            str_addf(out, "|%.*s", (int)strcspn(verbs[i]->name, " "), verbs[i]->name);
    str_addz(out, ") [ \"$COMP_CWORD\" -le 2 ] || verb=\"$verb ${COMP_WORDS[2]}\" ;; esac\n"
                  "    case $verb in\n"
                  "    '') words='");
    for (int i = 0; verbs[i]; i++)
        if (is_new_word(verbs, i))
            str_addf(out, "%.*s ", (int)strcspn(verbs[i]->name, " "), verbs[i]->name);
    str_addz(out, "' ;;\n");
    for (int i = 0; verbs[i]; i++) {
        if (is_new_word(verbs, i) && strchr(verbs[i]->name, ' '))
            add_family_case(out, verbs, i);
        add_verb_case(out, verbs[i]);
    }
    str_addz(out, "    esac\n"
                  "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                  "    [ ${#COMPREPLY[@]} -gt 0 ] && return\n"
                  "    compopt -o filenames\n"
                  "    COMPREPLY=($(compgen -f -- \"$cur\"))\n"
                  "}\n"
                  "complete -F _hiwari hiwari\n");
}

/* ---- man ---- */

/* Text for roff: backslashes and minus signs escaped, a leading dot or quote made harmless. */
static void add_roff(struct str *out, const char *text)
{
    bool line_start = true;
    for (const char *p = text; *p; p++) {
        if (line_start && (*p == '.' || *p == '\''))
            str_addz(out, "\\&");
        if (*p == '\\')
            str_addz(out, "\\e");
        else if (*p == '-')
            str_addz(out, "\\-");
        else
            str_addc(out, *p);
        line_start = *p == '\n';
    }
}

static void add_man_verb(struct str *out, const struct verb *verb)
{
    CLEANUP(str_deinit) struct str usage = {0};
    add_usage(&usage, verb, 0);
    str_addz(out, ".SS ");
    add_roff(out, verb->name);
    str_addz(out, "\n.B ");
    add_roff(out, usage.s);
    str_addz(out, "\n.PP\n");
    add_roff(out, verb->about);
    str_addc(out, '\n');
    for (const struct option *o = verb->options; o->name; o++) {
        CLEANUP(str_deinit) struct str name = {0}, purpose = {0};
        add_option_name(&name, o);
        add_purpose(&purpose, o);
        str_addz(out, ".TP\n.B ");
        add_roff(out, name.s);
        str_addc(out, '\n');
        add_roff(out, purpose.s);
        str_addc(out, '\n');
    }
    str_addz(out, ".PP\nExample:\n.PP\n.nf\n");
    add_roff(out, verb->example);
    str_addz(out, "\n.fi\n");
}

void help_man_page(const struct verb *const *verbs, const char *version, struct str *out)
{
    str_addf(out,
             ".TH HIWARI 1 \"\" \"hiwari %s\" \"User Commands\"\n"
             ".SH NAME\nhiwari \\- machine-learning features, one day at a time\n"
             ".SH SYNOPSIS\n.B hiwari\n.I VERB\n[options]\n"
             ".SH DESCRIPTION\n"
             "hiwari splits years of feature computation into days. Workers lease dates from "
             "Redis, read one\n"
             "columnar snapshot and leave one zip per date in the destination.\n"
             ".SH VERBS\n",
             version);
    for (int i = 0; verbs[i]; i++)
        add_man_verb(out, verbs[i]);
    str_addz(out, ".SH EXIT STATUS\n");
    for (int i = 0; i < N_EXIT_CODES; i++)
        str_addf(out, ".TP\n.B %d\n%s\n", exit_codes[i].code, exit_codes[i].meaning);
    str_addz(
        out,
        ".SH ENVIRONMENT\n.TP\n.B HIWARI_REDIS\nthe Redis to use where \\-\\-redis is not given\n"
        ".TP\n.B HIWARI_REDIS_PASSWORD\nits password where the URL has none (not for unix://)\n"
        ".TP\n.B HIWARI_REDIS_CACERT, HIWARI_REDIS_CERT, HIWARI_REDIS_KEY\n"
        "PEM files for rediss:// where the URL has no cacert=, cert=, key=\n");
}

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* help.h - help, shell completion and man page, all made from the rows of options.h.
 *
 * A table of verbs is an array of pointers that ends with NULL. */
#ifndef HIWARI_HELP_H
#define HIWARI_HELP_H

#include "base/str.h"
#include "options.h"

void help_overview(const struct verb *const *verbs, struct str *out);
void help_verb(const struct verb *verb, struct str *out);
void help_bash_completion(const struct verb *const *verbs, struct str *out);
void help_man_page(const struct verb *const *verbs, const char *version, struct str *out);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* kept_fit.h - what a column's type would be found to be, of which the first rows are only there as
 * values of a snapshot, no longer as text.
 *
 * Rows that are appended must leave each column the type that a snapshot of everything would find,
 * or the two would differ in id. That type is the first that all values have, and the kept ones are
 * asked for evidence against each earlier type: one null less, and a column of nulls is no longer
 * float; one fraction, and it is not integer. Text that the values no longer show (1.50, 1e3) can
 * leave it open. Then, too, nothing is guessed: the type must be declared. */
#ifndef SOURCE_KEPT_FIT_H
#define SOURCE_KEPT_FIT_H

#include "source/source.h"
#include "source/text_column.h"

/* The types that a column can have after its first `rows` rows of an old snapshot. declared: NULL,
 * or the type that the user says. */
struct text_fit kept_fit(const struct column *old, int64_t rows, bool is_time,
                         const struct source_type *declared);

/* Whether the type that is found is the old one, now that all rows have been added. ERR_INPUT says
 * which else it could be, and what to do. */
int kept_fit_check(const struct text_fit *fit, const struct column *old, struct err *err);

#endif

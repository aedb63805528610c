/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* survey.h - which results of a batch are in its destination.
 *
 * The store is the truth and Redis is not: everything that decides what remains to be done
 * begins with a survey. It lists the destination and reads the tail of each result whose key is
 * asked for; other objects are ignored. */
#ifndef BATCH_SURVEY_H
#define BATCH_SURVEY_H

#include "batch/batch_file.h"
#include "batch/result.h"

enum survey_state {
    SURVEY_MISSING, /* no object */
    SURVEY_PRESENT, /* with the batch's identity */
    SURVEY_STALE,   /* the same but for its data hash: the data was corrected since */
    SURVEY_FOREIGN, /* of another spec, format or result version */
    SURVEY_DAMAGED, /* not a result that can be read */
};
const char *survey_state_name(enum survey_state state);

struct survey_entry {
    enum survey_state state;
    int64_t generation, bytes, rows; /* 0 when missing; rows -1 when damaged */
    uint32_t *crc32;                 /* of each member's content, in order; owned */
    int n_members;
    char *why; /* foreign, damaged: in words; else NULL */
};

struct survey {
    struct survey_entry *entries; /* entry i is of the slice's key i */
    int64_t n;
    int64_t missing, present, stale, foreign, damaged;
};

struct survey_options {
    struct store *store;
    const struct batch_file *batch;
    struct batch_slice slice;
    int threads; /* 0: as many as pay */
    struct batch_progress progress;
};
int survey_run(const struct survey_options *options, struct survey **ret, struct err *err);
void survey_free(struct survey *survey);
MEM_CLEANUP(survey_free, struct survey *);

#endif

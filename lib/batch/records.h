/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* records.h - what Redis knows about keys of a batch, in the order of the batch's keys. */
#ifndef BATCH_RECORDS_H
#define BATCH_RECORDS_H

#include "batch/batch_file.h"

struct record {
    bool known; /* Redis has one */
    enum key_state state;
    char *token;
    int attempts, interruptions;
    int64_t ms;
    char *class, *error; /* of a failed key, else NULL */
};

struct records {
    struct record *records; /* record i is of the slice's key i */
    int64_t n, known;
};

/* 0 or QUEUE_GONE. */
int records_read(struct queue *queue, const struct batch_file *batch, struct batch_slice slice,
                 struct records **ret, struct err *err);
void records_free(struct records *records);
MEM_CLEANUP(records_free, struct records *);

#endif

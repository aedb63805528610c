/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* manifest.h - `_manifest.jsonl` and `_SUCCESS` as text.
 *
 * The first line says which batch, the others one key each, in key order: the listing of
 * the destination joined with what Redis knows (null where Redis lost it).
 *
 *   {"hiwari":1,"batch":…,"incarnation":…,"epoch":…,"spec":…,"snapshot":…,
 *    "format":…,"result_version":…,"keys":547,"done":546,"failed":1}
 *   {"key":"2019-10-01","state":"done","rows":405,"bytes":20123,"generation":…,
 *    "crc32":["9ae0daaf"],"attempts":0,"interruptions":0,"ms":3}
 *   {"key":"2019-10-02","state":"failed","attempts":3,"interruptions":0,
 *    "class":"error","error":"…"}
 */
#ifndef BATCH_MANIFEST_H
#define BATCH_MANIFEST_H

#include "batch/records.h"
#include "batch/survey.h"

struct manifest_counts {
    int64_t done, failed;
};
void manifest_print(const struct batch_file *batch, int64_t epoch, const struct survey *survey,
                    const struct records *records, struct str *out, struct manifest_counts *ret);

/* {"hiwari":1,"batch":…,"incarnation":…,"epoch":…,"keys":…,"manifest_crc32c":"…"} */
void manifest_success(const struct batch_file *batch, int64_t epoch, const struct str *manifest,
                      struct str *out);

#endif

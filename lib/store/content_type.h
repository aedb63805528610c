/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* content_type.h - what an object is, by the end of its name. For lib/store only. */
#ifndef STORE_CONTENT_TYPE_H
#define STORE_CONTENT_TYPE_H

const char *content_type(const char *name);

#endif

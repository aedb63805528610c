/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* bucket_url.c - which prefixes can be one in every bucket and every URL. */
#include "store/bucket_url.h"

#include "base/str.h"
#include "base/utf8.h"
#include "http/http.h"

enum { PREFIX_MAX = 800 }; /* a name has 1024 bytes at most, and 200 of them are the object's own */

/* One part of it, up to the next '/': clients and servers drop empty parts, "." and "..". */
static bool is_part(const char *part, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)part[i] < 0x20 || part[i] == 0x7f)
            return false;
    return len > 0 && !(len <= 2 && strspn(part, ".") >= len);
}

static bool is_prefix(const char *prefix)
{
    if (strlen(prefix) > PREFIX_MAX)
        return false;
    while (*prefix) {
        size_t len = strcspn(prefix, "/");
        if (!is_part(prefix, len))
            return false;
        prefix += len + (prefix[len] == '/');
    }
    return true;
}

int bucket_split(const char *scheme, const char *rest, char **ret_bucket, char **ret_prefix,
                 struct err *err)
{
    size_t len = strlen(rest);
    while (len > 0 && rest[len - 1] == '/')
        len--;
    CLEANUP(mem_free_chars) char *path = mem_strndup(rest, len);
    char *slash = strchr(path, '/');
    const char *prefix = slash ? slash + 1 : "";
    bool valid = utf8_valid(path, len);
    if (!valid || !is_prefix(prefix)) {
        for (unsigned char *p = (unsigned char *)path; *p; p++) /* a message is one line of text */
            *p = *p < 0x20 || *p == 0x7f || (*p > 0x7f && !valid) ? '?' : *p;
        CLEANUP(mem_free_chars) char *shown = http_url_masked(path);
        return err_set(err, ERR_CONFIG,
                       "cannot understand the destination '%s://%.300s': after the bucket comes a "
                       "prefix of at most %d bytes of UTF-8, without control characters and "
                       "without empty, '.' or '..' parts",
                       scheme, shown, PREFIX_MAX);
    }
    *ret_bucket = mem_strndup(path, slash ? (size_t)(slash - path) : len);
    *ret_prefix = *prefix ? mem_printf("%s/", prefix) : mem_strdup("");
    return 0;
}

char *bucket_url(const char *scheme, const char *bucket, const char *prefix)
{
    size_t len = strlen(prefix);
    return mem_printf("%s://%s%s%.*s", scheme, bucket, len ? "/" : "", len ? (int)len - 1 : 0,
                      prefix);
}

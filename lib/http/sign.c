/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* sign.c - a signature over what must not change on the way: method, path, query, headers and the
 * hash of the body (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
 *
 * libcurl can sign too, but not alike from version to version: 7.88 wants the query in canonical
 * form, 8.14 makes it so and takes '+' for a space, by which the next page of a listing may be
 * refused, and it signs no path as it is. */
#include "http/sign.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/hash.h"

enum { DAY_TEXT = 9, TIME_TEXT = 17, HEADERS_MAX = 32 };

void sign_lines_deinit(struct sign_lines *lines)
{
    free(lines->date);
    free(lines->sum);
    free(lines->authorization);
}

/* ---- the canonical request ---- */

/* "https://host:443/path?query" in views; the default port is not sent and so not signed. */
struct place {
    const char *host, *path, *query;
    int host_len, path_len;
};

static struct place place_of(const char *url)
{
    bool tls = strncasecmp(url, "https:", 6) == 0;
    struct place place = {.host = strstr(url, "://") + 3};
    place.path = place.host + strcspn(place.host, "/?");
    place.query = strchr(place.path, '?');
    place.path_len = (int)strcspn(place.path, "?");
    place.host_len = (int)(place.path - place.host);
    const char *port = tls ? ":443" : ":80";
    int n = (int)strlen(port);
    if (place.host_len > n && strncmp(place.path - n, port, (size_t)n) == 0)
        place.host_len -= n;
    place.query = place.query ? place.query + 1 : "";
    return place;
}

/* "name:value\n" of a line: lower case, and no more than one space anywhere. */
static char *canonical_header(const char *line)
{
    struct str out = {0};
    size_t name = strcspn(line, ":");
    const char *p = line[name] ? line + name + 1 : line + name;
    for (size_t i = 0; i < name; i++)
        str_addc(&out, line[i] >= 'A' && line[i] <= 'Z' ? (char)(line[i] - 'A' + 'a') : line[i]);
    str_addc(&out, ':');
    for (bool first = true; *(p += strspn(p, " \t")); first = false) {
        size_t word = strcspn(p, " \t");
        if (!first)
            str_addc(&out, ' ');
        str_add(&out, p, word);
        p += word;
    }
    str_addc(&out, '\n');
    return str_take(&out);
}

struct headers {
    char *lines[HEADERS_MAX]; /* owned */
    int n;
};

static void add_header(struct headers *headers, const char *line)
{
    if (headers->n < HEADERS_MAX)
        headers->lines[headers->n++] = canonical_header(line);
}

/* By name; ':' comes after '-' and digits, so whole lines would be in another order. */
static int compare_names(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    size_t m = strcspn(x, ":"), n = strcspn(y, ":");
    int c = memcmp(x, y, m < n ? m : n);
    return c ? c : (m > n) - (m < n);
}

static void add_names(const struct headers *headers, struct str *out)
{
    for (int i = 0; i < headers->n; i++) {
        str_addz(out, i ? ";" : "");
        str_add(out, headers->lines[i], strcspn(headers->lines[i], ":"));
    }
}

static void canonical_request(const struct http_request *request, const struct headers *headers,
                              const char *sum, struct str *out)
{
    struct place place = place_of(request->url);
    const char *method = request->method ? request->method : request->body ? "POST" : "GET";
    str_addf(out, "%s\n%.*s\n%s\n", method, place.path_len ? place.path_len : 1,
             place.path_len ? place.path : "/", place.query);
    for (int i = 0; i < headers->n; i++)
        str_addz(out, headers->lines[i]);
    str_addc(out, '\n');
    add_names(headers, out);
    str_addf(out, "\n%s", sum);
}

/* ---- the signature ---- */

static void hex_sum(const void *data, size_t len, char ret[SHA256_HEX])
{
    uint8_t sum[SHA256_BYTES];
    sha256_of(data, len, sum);
    hash_hex(sum, sizeof(sum), ret);
}

static void signing_key(const struct http_request *request, const char *day,
                        uint8_t ret[SHA256_BYTES])
{
    const char *const words[] = {day, request->aws_region, "s3", "aws4_request"};
    CLEANUP(mem_free_chars) char *first = mem_printf("AWS4%s", request->aws_secret);
    const void *key = first;
    size_t len = strlen(first);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        hmac_sha256(key, len, words[i], strlen(words[i]), ret);
        key = ret;
        len = SHA256_BYTES;
    }
    explicit_bzero(first, strlen(first));
}

static void take_headers(const struct http_request *request, const struct sign_lines *lines,
                         struct headers *ret)
{
    struct place place = place_of(request->url);
    CLEANUP(mem_free_chars) char *host = mem_printf("host:%.*s", place.host_len, place.host);
    add_header(ret, host);
    add_header(ret, lines->date);
    add_header(ret, lines->sum);
    for (int i = 0; request->headers && request->headers[i]; i++)
        add_header(ret, request->headers[i]);
    qsort(ret->lines, (size_t)ret->n, sizeof(ret->lines[0]), compare_names);
}

static char *authorization(const struct http_request *request, const struct headers *headers,
                           const char *time, const char *sum)
{
    CLEANUP(str_deinit) struct str canonical = {0};
    CLEANUP(str_deinit) struct str names = {0};
    CLEANUP(mem_free_chars)
    char *scope = mem_printf("%.8s/%s/s3/aws4_request", time, request->aws_region);
    char day[DAY_TEXT] = {0}, hex[SHA256_HEX];
    uint8_t key[SHA256_BYTES], signature[SHA256_BYTES];
    canonical_request(request, headers, sum, &canonical);
    hex_sum(canonical.s, canonical.len, hex);
    CLEANUP(mem_free_chars)
    char *text = mem_printf("AWS4-HMAC-SHA256\n%s\n%s\n%s", time, scope, hex);
    memcpy(day, time, DAY_TEXT - 1);
    signing_key(request, day, key);
    hmac_sha256(key, sizeof(key), text, strlen(text), signature);
    explicit_bzero(key, sizeof(key));
    hash_hex(signature, sizeof(signature), hex);
    add_names(headers, &names);
    return mem_printf("Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, "
                      "Signature=%s",
                      request->aws_key_id, scope, names.s, hex);
}

void sign_request(const struct http_request *request, int64_t wall_ms, struct sign_lines *ret)
{
    char text[TIME_TEXT], sum[SHA256_HEX];
    time_t now = (time_t)(wall_ms / 1000);
    struct tm tm;
    struct headers headers = {0};
    gmtime_r(&now, &tm);
    strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &tm);
    hex_sum(request->body ? request->body : "", request->body ? request->body_len : 0, sum);
    ret->date = mem_printf("x-amz-date: %s", text);
    ret->sum = mem_printf("x-amz-content-sha256: %s", sum);
    take_headers(request, ret, &headers);
    ret->authorization = authorization(request, &headers, text, sum);
    for (int i = 0; i < headers.n; i++)
        free(headers.lines[i]);
}

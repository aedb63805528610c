/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* bench_store_server.c - an object store in memory, as fast as is easy, to measure clients with.
 *
 *   bench_store_server [DELAY_MS]
 *
 * Prints its port and serves until its standard input ends; then prints the seconds of processor
 * time that it has used. It speaks as much of Google's JSON API as a batch needs (uploads in one
 * request, objects, listings), takes any PUT, checks nothing, and keeps the bytes of all but zips.
 * Every request is answered DELAY_MS later. A thread per connection. */
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

enum { BUCKETS = 1 << 16, STACK = 256 << 10 };

struct object {
    char *name, *crc, *metadata; /* metadata: JSON */
    struct str data;             /* empty for zips: nobody reads them here */
    size_t bytes;
    int64_t generation;
    struct object *next;
};

static struct object *table[BUCKETS];
static struct object **sorted;
static size_t n_objects;
static int64_t generation = 1700000000000000;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t delay_ms;

/* ---- objects; called with the lock held ---- */

static struct object **place_of(const char *name)
{
    uint32_t h = 2166136261u;
    for (const char *p = name; *p; p++)
        h = (h ^ (unsigned char)*p) * 16777619u; /* FNV-1a */
    struct object **at = &table[h % BUCKETS];
    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

static void object_free(struct object *object)
{
    free(object->name);
    free(object->crc);
    free(object->metadata);
    str_deinit(&object->data);
    free(object);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct object *const *)a)->name, (*(struct object *const *)b)->name);
}

static void sort_objects(void)
{
    size_t n = 0;
    sorted = mem_realloc(sorted, (n_objects + 1) * sizeof(struct object *));
    for (int i = 0; i < BUCKETS; i++)
        for (struct object *object = table[i]; object; object = object->next)
            sorted[n++] = object;
    qsort(sorted, n, sizeof(struct object *), by_name);
}

static void describe(const struct object *object, struct str *out)
{
    str_addf(out,
             "{\"name\":\"%s\",\"generation\":\"%" PRId64
             "\",\"size\":\"%zu\",\"crc32c\":\"%s\",\"metadata\":%s}",
             object->name, object->generation, object->bytes, object->crc, object->metadata);
}

/* ---- text ---- */

static void unescape(char *text)
{
    char *to = text;
    for (const char *p = text; *p; p++) {
        char hex[3] = {p[0] == '%' ? p[1] : 0, p[0] == '%' && p[1] ? p[2] : 0, 0};
        if (strlen(hex) == 2) {
            *to++ = (char)strtol(hex, NULL, 16);
            p += 2;
        } else {
            *to++ = *p;
        }
    }
    *to = '\0';
}

/* The value of a parameter in a query; the caller's, NULL when it is absent. */
static char *parameter(const char *query, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = query; p && *p; p = strchr(p, '&') ? strchr(p, '&') + 1 : NULL) {
        if (strncmp(p, name, len) == 0 && p[len] == '=') {
            char *value = mem_strndup(p + len + 1, strcspn(p + len + 1, "& "));
            unescape(value);
            return value;
        }
    }
    return NULL;
}

/* "name":"value" in JSON as hiwari prints it, without escapes. */
static char *member(const char *json, const char *name)
{
    CLEANUP(mem_free_chars) char *key = mem_printf("\"%s\":\"", name);
    const char *at = strstr(json, key);
    return at ? mem_strndup(at + strlen(key), strcspn(at + strlen(key), "\"")) : mem_strdup("");
}

/* ---- requests ---- */

struct request {
    char *method, *path; /* the path with its query */
    const char *head, *body;
    size_t body_len;
};

static void answer(struct str *out, int status, const char *headers, const char *body, size_t len)
{
    str_addf(out, "HTTP/1.1 %d x\r\nContent-Length: %zu\r\n%s\r\n", status, len, headers);
    str_add(out, body, len);
}

static int upload(const struct request *request, const char *query, struct str *out)
{
    const char *json = memmem(request->body, request->body_len, "\r\n\r\n", 4);
    const char *head = json ? memmem(json + 4, request->body_len - 4, "\r\n\r\n", 4) : NULL;
    const char *mark_end = memchr(request->body, '\r', request->body_len);
    if (!json || !head || !mark_end)
        return -1;
    const char *data = head + 4;
    size_t tail = (size_t)(mark_end - request->body) + 6; /* CR LF, mark, "--", CR LF */
    struct object *made = MEM_NEW(struct object);
    CLEANUP(mem_free_chars) char *text = mem_strndup(json + 4, (size_t)(head - json - 4));
    CLEANUP(str_deinit) struct str body = {0};
    CLEANUP(mem_free_chars) char *expect = parameter(query, "ifGenerationMatch");
    const char *metadata = strstr(text, "\"metadata\":");
    made->name = member(text, "name");
    made->crc = member(text, "crc32c");
    made->metadata = mem_strdup("{}");
    if (metadata) { /* it is the last member, so it ends before the description does */
        free(made->metadata);
        metadata += strlen("\"metadata\":");
        const char *end = strstr(metadata, "}}\r\n");
        made->metadata = mem_strndup(metadata, end ? (size_t)(end - metadata) + 1 : 0);
    }
    made->bytes = (size_t)(request->body + request->body_len - data) - tail;
    if (!str_ends(made->name, ".zip"))
        str_add(&made->data, data, made->bytes);
    pthread_mutex_lock(&lock);
    struct object **at = place_of(made->name);
    int64_t there = *at ? (*at)->generation : 0;
    if (expect && atoll(expect) != there) {
        pthread_mutex_unlock(&lock);
        object_free(made);
        answer(out, 412, "", "", 0);
        return 0;
    }
    made->generation = ++generation;
    describe(made, &body);
    made->next = *at ? (*at)->next : NULL;
    if (*at)
        object_free(*at);
    else
        n_objects++;
    *at = made;
    pthread_mutex_unlock(&lock);
    answer(out, 200, "Content-Type: application/json\r\n", body.s, body.len);
    return 0;
}

static void list(const char *query, struct str *out)
{
    CLEANUP(str_deinit) struct str body = {0};
    CLEANUP(mem_free_chars) char *prefix = parameter(query, "prefix");
    CLEANUP(mem_free_chars) char *after = parameter(query, "pageToken");
    const char *last = NULL;
    size_t n = 0;
    str_addz(&body, "{\"kind\":\"storage#objects\",\"items\":[");
    pthread_mutex_lock(&lock);
    sort_objects();
    for (size_t i = 0; i < n_objects; i++) {
        const char *name = sorted[i]->name;
        if ((prefix && !str_starts(name, prefix)) || (after && strcmp(name, after) <= 0))
            continue;
        if (n == 1000) {
            str_addf(&body, "],\"nextPageToken\":\"%s\"}", last);
            break;
        }
        if (n++)
            str_addc(&body, ',');
        describe(sorted[i], &body);
        last = name;
        if (i + 1 == n_objects)
            break;
    }
    pthread_mutex_unlock(&lock);
    if (body.s[body.len - 1] != '}' || !strstr(body.s, "nextPageToken"))
        str_addz(&body, "]}");
    answer(out, 200, "Content-Type: application/json\r\n", body.s, body.len);
}

static void read_object(const struct request *request, const struct object *object, struct str *out)
{
    CLEANUP(mem_free_chars)
    char *headers = mem_printf("x-goog-generation: %" PRId64 "\r\n", object->generation);
    const char *range = strstr(request->head, "\r\nRange: bytes=");
    size_t from = 0, size = object->data.len, to = size;
    if (range) {
        const char *p = range + strlen("\r\nRange: bytes=");
        long long first = strtoll(p, (char **)&p, 10);
        from = first < 0 ? ((size_t)-first < size ? size - (size_t)-first : 0) : (size_t)first;
        long long end = first >= 0 ? strtoll(p + 1, NULL, 10) + 1 : (long long)size;
        to = (size_t)end < size ? (size_t)end : size;
    }
    if (range && from >= to)
        answer(out, 416, "", "", 0);
    else
        answer(out, range ? 206 : 200, headers, object->data.s + from, to - from);
}

static void on_object(const struct request *request, char *name, const char *query, struct str *out)
{
    CLEANUP(str_deinit) struct str body = {0};
    unescape(name);
    pthread_mutex_lock(&lock);
    struct object **at = place_of(name), *object = *at;
    if (!object) {
        answer(out, 404, "", "", 0);
    } else if (strcmp(request->method, "DELETE") == 0) {
        *at = object->next;
        n_objects--;
        object_free(object);
        answer(out, 204, "", "", 0);
    } else if (strstr(query, "alt=media")) {
        read_object(request, object, out);
    } else {
        describe(object, &body);
        answer(out, 200, "Content-Type: application/json\r\n", body.s, body.len);
    }
    pthread_mutex_unlock(&lock);
}

static void serve(struct request *request, struct str *out)
{
    char *query = strchr(request->path, '?');
    if (query)
        *query++ = '\0';
    char *object = strstr(request->path, "/o/");
    if (strcmp(request->method, "PUT") == 0)
        answer(out, 200, "", "", 0);
    else if (str_starts(request->path, "/upload/") && upload(request, query, out) == 0)
        return;
    else if (object)
        on_object(request, object + 3, query ? query : "", out);
    else
        list(query ? query : "", out);
}

/* ---- connections ---- */

static bool send_all(int fd, const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* How many bytes the request at the beginning has; 0: more must come first. */
static size_t whole_request(const struct str *in, size_t *ret_head)
{
    const char *end = in->len ? memmem(in->s, in->len, "\r\n\r\n", 4) : NULL;
    if (!end)
        return 0;
    *ret_head = (size_t)(end - in->s) + 4;
    const char *length = strcasestr(in->s, "\r\nContent-Length:");
    size_t body = length && length < end ? strtoull(length + 17, NULL, 10) : 0;
    return in->len >= *ret_head + body ? *ret_head + body : 0;
}

static bool answer_one(int fd, struct str *in, size_t head, size_t whole)
{
    CLEANUP(str_deinit) struct str out = {0};
    CLEANUP(mem_free_chars) char *line = mem_strndup(in->s, strcspn(in->s, "\r\n"));
    CLEANUP(mem_free_chars) char *lines = mem_strndup(in->s, head);
    char *path = strchr(line, ' ');
    if (!path)
        return false;
    *path++ = '\0';
    path[strcspn(path, " ")] = '\0';
    struct request request = {.method = line,
                              .path = path,
                              .head = lines,
                              .body = in->s + head,
                              .body_len = whole - head};
    serve(&request, &out);
    if (delay_ms > 0)
        clock_sleep_ms(delay_ms);
    return send_all(fd, out.s, out.len);
}

static void *connection(void *ctx)
{
    int fd = (int)(intptr_t)ctx, one = 1;
    CLEANUP(str_deinit) struct str in = {0};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    for (bool good = true; good;) {
        size_t head = 0, whole = whole_request(&in, &head);
        if (whole > 0) {
            good = answer_one(fd, &in, head, whole);
            memmove(in.s, in.s + whole, in.len - whole);
            in.len -= whole;
            continue;
        }
        str_reserve(&in, 64 << 10);
        ssize_t n = recv(fd, in.s + in.len, 64 << 10, 0);
        good = n > 0;
        in.len += n > 0 ? (size_t)n : 0;
        in.s[in.len] = '\0';
    }
    close(fd);
    return NULL;
}

static void *accept_all(void *ctx)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    for (;;) {
        pthread_t thread;
        int fd = accept((int)(intptr_t)ctx, NULL, NULL);
        if (fd >= 0 && pthread_create(&thread, &attr, connection, (void *)(intptr_t)fd) != 0)
            close(fd);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    pthread_t thread;
    char end;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    delay_ms = argc > 1 ? atoll(argv[1]) : 0;
    if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 256) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
        pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)fd) != 0)
        return 70;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    while (read(STDIN_FILENO, &end, 1) > 0)
        ;
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("%.3f\n", (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                         (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    fflush(stdout);
    _exit(0); /* connections may be open */
}

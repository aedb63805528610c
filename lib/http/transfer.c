/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* transfer.c - a request into curl's options, and curl's end of it into an answer. */
#include "http/transfer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/sign.h"

enum {
    CONNECT_MS = 10000,
    STALL_MS = 20000,
    PROBE_S = 5, /* some of them before a stall */
    ANSWER_MAX = 1 << 20,
    WORDS_MAX = 64 << 10,   /* of the body of an answer that is not a good one */
    HEADERS_MAX = 64 << 10, /* what is kept */
};

/* ---- what comes ---- */

static int status_now(const struct transfer *transfer)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

/* A line of a head. There may be several heads: 100 Continue before the answer. */
static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
    struct transfer *transfer = ctx;
    struct str *lines = &transfer->answer.headers;
    size_t len = size * n;
    if (transfer->head_ended)
        str_clear(lines);
    transfer->head_ended = len > 0 && (data[0] == '\r' || data[0] == '\n');
    if (lines->len + len <= HEADERS_MAX)
        str_add(lines, data, len);
    return len;
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    struct transfer *transfer = ctx;
    struct str *body = &transfer->answer.body;
    size_t len = size * n, most = transfer->request->max_answer;
    most = status_now(transfer) / 100 != 2 ? WORDS_MAX : most ? most : ANSWER_MAX;
    if (len > most - body->len) {
        transfer->too_long = true;
        len = most - body->len;
    }
    str_add(body, data, len);
    return transfer->too_long ? 0 : len;
}

/* ---- what goes ---- */

static void add_header(struct transfer *transfer, const char *line)
{
    struct curl_slist *list = curl_slist_append(transfer->headers, line);
    if (!list)
        mem_exhausted();
    transfer->headers = list;
}

static void add_signature(struct transfer *transfer)
{
    CLEANUP(sign_lines_deinit) struct sign_lines lines = {0};
    sign_request(transfer->request, clock_wall_ms(), &lines);
    add_header(transfer, lines.date);
    add_header(transfer, lines.sum);
    add_header(transfer, lines.authorization);
}

static int set_headers(struct transfer *transfer, struct err *err)
{
    const struct http_request *request = transfer->request;
    struct str *line = &transfer->answer.authorization;
    int r = request->authorize ? request->authorize(request->authorize_ctx, NULL, line, err) : 0;
    if (r < 0)
        return r;
    if (line->len > 0)
        add_header(transfer, line->s);
    for (int i = 0; request->headers && request->headers[i]; i++)
        add_header(transfer, request->headers[i]);
    if (request->aws_key_id)
        add_signature(transfer);
    if (request->body)
        add_header(transfer, "Expect:"); /* a question and its answer less */
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
    return 0;
}

static void set_method(struct transfer *transfer)
{
    const struct http_request *request = transfer->request;
    CURL *easy = transfer->easy;
    const char *method = request->method ? request->method : "GET";
    if (request->body) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
    }
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else if (strcmp(method, request->body ? "POST" : "GET") != 0)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static const char *from_environment(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

/* What the curl program does by itself, and its library leaves to programs. */
static void set_authorities(CURL *easy)
{
    const char *bundle = from_environment("CURL_CA_BUNDLE");
    const char *dir = from_environment("SSL_CERT_DIR");
    if (!bundle)
        bundle = from_environment("SSL_CERT_FILE");
    if (bundle)
        curl_easy_setopt(easy, CURLOPT_CAINFO, bundle);
    if (dir)
        curl_easy_setopt(easy, CURLOPT_CAPATH, dir);
}

static int64_t stall_ms(const struct transfer *transfer)
{
    return transfer->request->stall_ms > 0 ? transfer->request->stall_ms : STALL_MS;
}

/* curl's own low speed limit looks at the mean of five seconds, which is too much for a short
 * patience. */
bool transfer_is_stalled(struct transfer *transfer)
{
    curl_off_t up = 0, down = 0;
    long head = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
    curl_easy_getinfo(transfer->easy, CURLINFO_HEADER_SIZE, &head);
    int64_t now = clock_ms(), moved = up + down + head;
    if (moved != transfer->moved) {
        transfer->moved = moved;
        transfer->moved_ms = now;
    }
    return now - transfer->moved_ms > stall_ms(transfer);
}

static void set_times(struct transfer *transfer)
{
    int64_t left_ms = transfer->request->deadline_ms - clock_ms();
    int64_t connect_ms = stall_ms(transfer) < CONNECT_MS ? stall_ms(transfer) : CONNECT_MS;
    left_ms = left_ms < 1 ? 1 : left_ms;
    curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
    curl_easy_setopt(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    transfer->moved_ms = clock_ms();
}

/* A router that forgets a connection drops what is sent over it. TCP would send again for a quarter
 * of an hour, and curl would put ever more HTTP/2 requests on it. So the connection ends before its
 * requests are stalled, and so it does when a living peer takes nothing for that long. Best effort:
 * without it requests are given up one by one. */
static int on_socket(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
    const struct transfer *transfer = ctx;
    unsigned ms = (unsigned)(stall_ms(transfer) / 4 * 3);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
    return CURL_SOCKOPT_OK;
}

/* While only an answer is waited for, nothing is unacknowledged; so probes ask whether the peer is
 * there, and count as what was sent. */
static void set_socket(struct transfer *transfer)
{
    curl_easy_setopt(transfer->easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
    curl_easy_setopt(transfer->easy, CURLOPT_SOCKOPTDATA, transfer);
    curl_easy_setopt(transfer->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(transfer->easy, CURLOPT_TCP_KEEPIDLE, (long)PROBE_S);
    curl_easy_setopt(transfer->easy, CURLOPT_TCP_KEEPINTVL, (long)PROBE_S);
}

/* HTTP/2 is agreed upon while TLS begins, and a request rather waits for that, to share the
 * connection, than open one more. Where there is no TLS, curl would find out only by the first
 * answer, and let all wait for a server that is slow to give it. */
static void set_version(struct transfer *transfer)
{
    bool tls = strncasecmp(transfer->request->url, "https:", 6) == 0;
    curl_easy_setopt(transfer->easy, CURLOPT_HTTP_VERSION,
                     tls ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(transfer->easy, CURLOPT_PIPEWAIT, tls ? 1L : 0L);
}

static void set_all(struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->words);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_URL, transfer->request->url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* '..' in a name is a part of the name */
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "hiwari");
    set_version(transfer);
    set_socket(transfer);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    if (transfer->request->direct)
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    set_authorities(easy);
    set_times(transfer);
    set_method(transfer);
}

int transfer_init(struct transfer *transfer, const struct http_request *request, struct err *err)
{
    transfer->request = request;
    transfer->easy = curl_easy_init();
    if (!transfer->easy)
        mem_exhausted();
    pthread_mutex_init(&transfer->lock, NULL);
    pthread_cond_init(&transfer->finished, NULL);
    set_all(transfer);
    return set_headers(transfer, err);
}

void transfer_deinit(struct transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    http_answer_deinit(&transfer->answer);
    pthread_cond_destroy(&transfer->finished);
    pthread_mutex_destroy(&transfer->lock);
}

/* ---- its end ---- */

void transfer_finish(struct transfer *transfer, CURLcode code)
{
    pthread_mutex_lock(&transfer->lock);
    transfer->code = code;
    transfer->is_finished = true;
    pthread_cond_signal(&transfer->finished);
    pthread_mutex_unlock(&transfer->lock);
}

/* Is it a matter of settings, so that asking again is in vain? */
static bool is_settings(const struct transfer *transfer)
{
    switch (transfer->code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_URL_MALFORMAT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
        return true;
    case CURLE_UNSUPPORTED_PROTOCOL: /* curl says so of an answer that is not HTTP, too */
        return strncasecmp(transfer->request->url, "http", 4) != 0;
    default:
        return false;
    }
}

/* Which variable has named what is not good, or not enough. */
static void add_authorities(struct str *out)
{
    const char *const bundle =
        from_environment("CURL_CA_BUNDLE") ? "CURL_CA_BUNDLE" : "SSL_CERT_FILE";
    const char *const names[] = {bundle, "SSL_CERT_DIR"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char words[128];
        const char *path = from_environment(names[i]);
        if (!path)
            continue;
        str_addf(out, "; %s is %.200s", names[i], path);
        if (access(path, R_OK) < 0)
            str_addf(out, ", which cannot be read: %s", strerror_r(errno, words, sizeof(words)));
    }
}

static int failure(const struct transfer *transfer, struct err *err)
{
    CLEANUP(str_deinit) struct str words = {0};
    if (transfer->code == CURLE_ABORTED_BY_CALLBACK)
        return err_set(err, ERR_UNREACHABLE, "given up unanswered, for the program ends");
    const char *text = transfer->words[0] ? transfer->words : curl_easy_strerror(transfer->code);
    http_quote(text, strlen(text), 300, &words);
    if (transfer->code == CURLE_PEER_FAILED_VERIFICATION ||
        transfer->code == CURLE_SSL_CACERT_BADFILE) {
        add_authorities(&words);
        return err_set(err, ERR_CONFIG,
                       "the server's certificate is not trusted: %s (CURL_CA_BUNDLE names a file "
                       "of other authorities, SSL_CERT_DIR a folder of them)",
                       words.s);
    }
    return err_set(err, is_settings(transfer) ? ERR_CONFIG : ERR_UNREACHABLE, "%s", words.s);
}

int transfer_wait(struct transfer *transfer, struct http_answer *ret, struct err *err)
{
    pthread_mutex_lock(&transfer->lock);
    while (!transfer->is_finished)
        pthread_cond_wait(&transfer->finished, &transfer->lock);
    pthread_mutex_unlock(&transfer->lock);
    int status = status_now(transfer);
    if (transfer->too_long && status / 100 == 2)
        return err_set(err, ERR_INPUT, "the answer is longer than %zu bytes",
                       transfer->answer.body.len);
    if (transfer->code != CURLE_OK && !transfer->too_long)
        return failure(transfer, err);
    if (!transfer->head_ended) /* for curl that is the end of a short one */
        return err_set(err, ERR_UNREACHABLE, "the connection ended in the head of the answer");
    http_answer_deinit(ret);
    *ret = transfer->answer;
    ret->status = status;
    transfer->answer = (struct http_answer){0};
    return 0;
}

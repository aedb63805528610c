/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* redis_tls.c - redis_tls.h by hiredis_ssl.
 *
 * The session is made here and handed to hiredis, because hiredis itself does not compare a
 * certificate's name with the host: with a public authority anybody's certificate would do. */
#include "queue/redis_tls.h"

#include <fcntl.h>
#include <hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <string.h>

enum { VERDICT_MS = 300 };

int redis_tls_available(const struct redis_url *url, struct err *err)
{
    return 0;
}

/* OpenSSL's words for what went wrong last. */
static const char *reason(void)
{
    const char *words = ERR_reason_error_string(ERR_peek_last_error());
    return words ? words : "no reason given";
}

static int file_failed(const struct redis_url *url, const char *what, const char *file,
                       struct err *err)
{
    return err_set(err, ERR_CONFIG, "Redis %s: cannot use the %s %s: %s", url->shown, what, file,
                   reason());
}

static int load_files(const struct redis_url *url, SSL_CTX *ctx, struct err *err)
{
    ERR_clear_error();
    if (!url->cacert && SSL_CTX_set_default_verify_paths(ctx) != 1)
        return file_failed(url, "authorities of", "the system", err);
    if (url->cacert && SSL_CTX_load_verify_locations(ctx, url->cacert, NULL) != 1)
        return file_failed(url, "authorities in", url->cacert, err);
    if (url->cert && SSL_CTX_use_certificate_chain_file(ctx, url->cert) != 1)
        return file_failed(url, "certificate in", url->cert, err);
    if (url->key && SSL_CTX_use_PrivateKey_file(ctx, url->key, SSL_FILETYPE_PEM) != 1)
        return file_failed(url, "key in", url->key, err);
    return 0;
}

/* A session that will take only a certificate with this name or address. */
static SSL *session_new(SSL_CTX *ctx, const char *name)
{
    SSL *ssl = SSL_new(ctx);
    if (!ssl)
        mem_exhausted();
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, name) != 1) { /* not an address: a name */
        X509_VERIFY_PARAM_set1_host(param, name, 0);
        SSL_set_tlsext_host_name(ssl, name);
    }
    ERR_clear_error();
    return ssl;
}

/* Why the server ended the connection, where a person must mend it: alerts about certificates have
 * such words; NULL for a connection that merely broke. */
static const char *complaint_of_server(void)
{
    static const char *const words[] = {"certificate", "unknown ca", "access denied",
                                        "handshake failure", "protocol version"};
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    for (size_t i = 0; text && i < sizeof(words) / sizeof(words[0]); i++)
        if (strstr(text, words[i]))
            return text;
    return NULL;
}

static int handshake_failed(const struct redis_url *url, SSL *ssl, const redisContext *context,
                            const char *name, struct err *err)
{
    long verdict = SSL_get_verify_result(ssl);
    if (verdict != X509_V_OK)
        return err_set(err, ERR_CONFIG, "Redis %s: the certificate of %s is not accepted: %s%s",
                       url->shown, name, X509_verify_cert_error_string(verdict),
                       url->cacert ? "" : "; name its authority with ?cacert=FILE");
    const char *complaint = complaint_of_server();
    if (complaint)
        return err_set(err, ERR_CONFIG, "Redis %s refuses: %s", url->shown, complaint);
    return err_set(err, ERR_UNREACHABLE,
                   "Redis %s: TLS did not begin (%s); does this port speak it?", url->shown,
                   context->errstr);
}

/* The server asks for our certificate. */
static int note_request(SSL *ssl, void *asked)
{
    *(bool *)asked = true;
    return 1;
}

/* With TLS 1.3 a server judges our certificate after the handshake has ended for us, and says so
 * with an alert, which would be lost if we had written meanwhile: the connection would just be
 * reset. One that is content sends something too, as a rule: what resumes the session. */
static int await_verdict(const struct redis_url *url, SSL *ssl, redisContext *context,
                         struct err *err)
{
    char byte;
    struct pollfd fd = {.fd = context->fd, .events = POLLIN};
    int flags = fcntl(context->fd, F_GETFL);
    if (flags < 0 || poll(&fd, 1, VERDICT_MS) <= 0)
        return 0;
    ERR_clear_error();
    fcntl(context->fd, F_SETFL, flags | O_NONBLOCK);
    SSL_peek(ssl, &byte, 1);
    fcntl(context->fd, F_SETFL, flags);
    const char *complaint = complaint_of_server();
    ERR_clear_error();
    if (!complaint)
        return 0;
    return err_set(err, ERR_CONFIG, "Redis %s refuses: %s%s", url->shown, complaint,
                   url->cert ? "" : "; it may want ?cert=FILE&key=FILE");
}

int redis_tls_start(const struct redis_url *url, const char *host, redisContext *context,
                    struct err *err)
{
    bool asked = false;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        mem_exhausted();
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    int r = load_files(url, ctx, err);
    if (r == 0) {
        const char *name = url->sni ? url->sni : host;
        SSL *ssl = session_new(ctx, name);
        SSL_set_cert_cb(ssl, note_request, &asked);
        if (redisInitiateSSL(context, ssl) != REDIS_OK) { /* then it has not taken the session */
            r = handshake_failed(url, ssl, context, name, err);
            SSL_free(ssl);
        } else {
            SSL_set_cert_cb(ssl, NULL, NULL);
            r = asked ? await_verdict(url, ssl, context, err) : 0;
        }
    }
    SSL_CTX_free(ctx); /* the session holds on to it */
    return r;
}

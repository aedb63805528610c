/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* jwt.c - OpenSSL's signature over two pieces of JSON. */
#include "store/jwt.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/hash.h"

/* In the alphabet for URLs, without padding. */
static void base64url(const void *data, size_t len, struct str *out)
{
    size_t begin = out->len;
    hash_base64(data, len, out);
    while (out->len > begin && out->s[out->len - 1] == '=')
        out->len--;
    out->s[out->len] = '\0';
    for (char *p = out->s + begin; *p; p++)
        *p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
}

/* A key with a password is none: nobody is there to type it. */
static int no_password(char *buf, int size, int rwflag, void *ctx)
{
    return 0;
}

static int read_key(const char *text, EVP_PKEY **ret, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    if (!bio)
        mem_exhausted();
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    bool is_rsa = key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
    ERR_clear_error();
    if (is_rsa) {
        *ret = key;
        return 0;
    }
    EVP_PKEY_free(key);
    return err_set(err, ERR_CONFIG, "its private key is not an RSA key in PEM form");
}

static int sign(EVP_PKEY *key, const struct str *text, struct str *out, struct err *err)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = (size_t)EVP_PKEY_get_size(key);
    unsigned char *signature = mem_alloc(len + 1);
    if (!ctx)
        mem_exhausted();
    bool ok = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(ctx, signature, &len, (const unsigned char *)text->s, text->len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    if (ok)
        base64url(signature, len, out);
    free(signature);
    return ok ? 0 : err_set(err, ERR_CONFIG, "its private key cannot sign");
}

int jwt_sign(const struct str *header, const struct str *claims, const char *key, struct str *ret,
             struct err *err)
{
    CLEANUP(str_deinit) struct str token = {0};
    CLEANUP(str_deinit) struct str signature = {0};
    EVP_PKEY *rsa = NULL;
    int r = read_key(key, &rsa, err);
    if (r < 0)
        return r;
    base64url(header->s, header->len, &token);
    str_addc(&token, '.');
    base64url(claims->s, claims->len, &token);
    r = sign(rsa, &token, &signature, err);
    EVP_PKEY_free(rsa);
    if (r < 0)
        return r;
    str_addf(&token, ".%s", signature.s);
    str_add(ret, token.s, token.len);
    return 0;
}

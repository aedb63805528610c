/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* hash.c - SHA-256 by OpenSSL, CRC-32C by ISA-L (both use the CPU's instructions). */
#include "base/hash.h"

#include <isa-l.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/mem.h"

/* With valid arguments these calls fail only for want of memory. */
static void need(int ok)
{
    if (ok != 1)
        mem_exhausted();
}

void sha256_init(struct sha256 *h)
{
    h->ctx = EVP_MD_CTX_new();
    need(h->ctx != NULL);
    need(EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL));
}

void sha256_add(struct sha256 *h, const void *data, size_t len)
{
    need(EVP_DigestUpdate(h->ctx, data, len));
}

void sha256_finish(struct sha256 *h, uint8_t out[SHA256_BYTES])
{
    need(EVP_DigestFinal_ex(h->ctx, out, NULL));
    need(EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL));
}

void sha256_deinit(struct sha256 *h)
{
    EVP_MD_CTX_free(h->ctx);
    h->ctx = NULL;
}

void sha256_of(const void *data, size_t len, uint8_t out[SHA256_BYTES])
{
    need(EVP_Digest(data, len, out, NULL, EVP_sha256(), NULL));
}

void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t out[SHA256_BYTES])
{
    uint8_t sum[SHA256_BYTES];
    need(HMAC(EVP_sha256(), key, (int)key_len, data, len, sum, NULL) != NULL);
    memcpy(out, sum, sizeof(sum));
}

void hash_base64(const void *data, size_t len, struct str *out)
{
    if (len > INT_MAX / 2)
        mem_exhausted();
    str_reserve(out, 4 * (len / 3 + 1));
    int n = EVP_EncodeBlock((unsigned char *)out->s + out->len, data, (int)len);
    out->len += (size_t)n;
}

void hash_hex(const uint8_t *bytes, size_t n, char *out)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = hex[bytes[i] >> 4];
        out[2 * i + 1] = hex[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}

bool md5_of(const void *data, size_t len, char ret[MD5_HEX])
{
    uint8_t sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (EVP_Digest(data, len, sum, &n, EVP_md5(), NULL) != 1 || 2 * n + 1 != MD5_HEX)
        return false;
    hash_hex(sum, n, ret);
    return true;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
    enum { STEP = 1 << 30 }; /* ISA-L counts in int */
    unsigned char *p = (unsigned char *)data;
    crc = ~crc;
    for (; len > STEP; p += STEP, len -= STEP)
        crc = crc32_iscsi(p, STEP, crc);
    return ~crc32_iscsi(p, (int)len, crc);
}

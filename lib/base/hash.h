/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* hash.h - SHA-256 for identities, CRC-32C for storage checks, MD5 because S3 lists it. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum { SHA256_BYTES = 32, SHA256_HEX = 65 }; /* hex with its NUL */

struct sha256 {
    void *ctx; /* OpenSSL's EVP_MD_CTX */
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t len);
/* Afterwards h is as after sha256_init, and can be used again. */
void sha256_finish(struct sha256 *h, uint8_t out[SHA256_BYTES]);
void sha256_deinit(struct sha256 *h);

void sha256_of(const void *data, size_t len, uint8_t out[SHA256_BYTES]);
void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t out[SHA256_BYTES]);                     /* out may be the key */
void hash_base64(const void *data, size_t len, struct str *out); /* with padding; appended */
void hash_hex(const uint8_t *bytes, size_t n, char *out); /* 2n lower-case digits and a NUL */

/* In lower-case digits. False on a machine whose OpenSSL is not allowed to (FIPS). */
enum { MD5_HEX = 33 };
bool md5_of(const void *data, size_t len, char ret[MD5_HEX]);

/* CRC-32C (Castagnoli) as GCS has it; start with crc 0, feed the last result to go on. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif

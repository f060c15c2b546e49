/*
 * Reading Fernet tokens, in pieces: what the former product kept documents in (migration.md 7.2,
 * 7.3).  Never written.
 *
 * A token is read from its beginning by a function of the caller, twice: the MAC covers all of it,
 * and nothing is decrypted before the MAC was compared.
 */
#ifndef SLUICE_CRYPTO_FERNET_H
#define SLUICE_CRYPTO_FERNET_H

#include "crypto/crypto.h"

/* One reading of a key: what signs and what encrypts, 16 bytes each (Fernet, AES-128) or 32 each
 * (the doubled variant, AES-256). */
struct fernet_key {
    unsigned char sign[32], encrypt[32];
    size_t half; /* 16 or 32 */
};

enum { FERNET_READINGS_MAX = 12 };

/*
 * All readings of a stored key: its bytes raw, as base64, base32 or hex, of 32 or 64 bytes, and
 * either half first.  Returns how many, 0 when none fits; the usual one comes first.
 */
size_t fernet_readings(struct str material, struct fernet_key out[FERNET_READINGS_MAX]);

/* Where a token comes from: raw bytes (0x80...) or its text ("gAAAA..."). */
struct fernet_source {
    /* Bytes from `offset` of the stored token: how many, 0 at the end, -1 with an error. */
    ptrdiff_t (*read)(void *ctx, uint64_t offset, void *p, size_t n, struct err *e);
    void *ctx;
};

/*
 * Which of the keys signed the token; *which is its index.
 *
 * time_s  when it was made, by its own word; may be NULL.
 * ERR_CONFIG "seal does not open": bad form or no key; the cause is in e->detail.
 */
MUST_CHECK int fernet_verify(const struct fernet_source *src, const struct fernet_key *keys,
                             size_t n_keys, size_t *which, int64_t *time_s, struct err *e);

/* Decrypts a token that was verified. */
struct fernet_stream;
struct fernet_stream *fernet_open(const struct fernet_source *src, const struct fernet_key *key);
/* The next plain bytes; 0 at the end; -1: ERR_CONFIG "seal does not open" (it changed since it was
 * verified, or its padding is wrong). */
MUST_CHECK ptrdiff_t fernet_read(struct fernet_stream *s, void *p, size_t n, struct err *e);
void fernet_close(struct fernet_stream *s); /* takes NULL */

#endif

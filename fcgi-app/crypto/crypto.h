/*
 * Digests, MACs, sealing, passwords and tokens, over OpenSSL 3 and libargon2.
 *
 * Nothing here knows a table; keys come in as bytes.  Secrets are wiped after use and compared in
 * constant time.
 */
#ifndef SLUICE_CRYPTO_CRYPTO_H
#define SLUICE_CRYPTO_CRYPTO_H

#include "base/value.h"

/* A secret: no formatter prints it, its arena wipes it. */
struct secret {
    const unsigned char *p;
    size_t len;
};
struct secret secret_new(struct arena *a, const void *p, size_t n);
static inline struct str secret_text(struct secret s)
{
    return str_make((const char *)s.p, s.len);
}

/* From now on a crash of this process leaves no picture of its memory behind (migration.md 7.4). */
void crypto_no_core_dumps(void);

/* Cryptographic randomness; aborts when the system has none. */
void crypto_random(void *out, size_t n);
bool crypto_equal(const void *x, const void *y, size_t n); /* constant time */
void crypto_wipe(void *p, size_t n);

struct str crypto_hex(struct arena *a, const void *p, size_t n); /* lower case */
struct str crypto_b64(struct arena *a, struct str bytes);        /* standard, padded */
struct str crypto_b64url(struct arena *a, struct str bytes);     /* RFC 4648 5, without padding */
/* Either alphabet, with or without padding; false when it is not base64. */
bool crypto_unb64(struct arena *a, struct str text, struct str *out);

/* name: md5 sha1 sha224 sha256 sha384 sha512 blake2b blake2s.  false for an unknown name. */
bool crypto_digest(const char *name, struct str data, unsigned char out[64], size_t *len);
bool crypto_hmac(const char *name, struct str key, struct str data, unsigned char out[64],
                 size_t *len);

/*
 * Seal small values with AES-256-GCM (migration.md 7.5): 01 01 key-id nonce ciphertext tag; purpose
 * is "table.column", item the row id or JSON pointer.
 */
struct str crypto_seal(uint32_t key_id, const unsigned char key[32], struct str plain,
                       const char *purpose, struct str item, struct arena *a);
/* ERR_CONFIG "seal does not open"; the plain text is released only when the tag is right. */
MUST_CHECK int crypto_open(const unsigned char key[32], struct str sealed, const char *purpose,
                           struct str item, struct secret *out, struct arena *a, struct err *e);
/* Key id named by a seal of kind 01, 02 or 03; ERR_CONFIG "unknown seal version 4 (written by a
 * newer program?)". */
MUST_CHECK int crypto_seal_key_id(struct str sealed, uint32_t *id, struct err *e);
/* "sealed:" + base64url for JSON members. */
struct str crypto_seal_text(struct str sealed, struct arena *a);
bool crypto_seal_from_text(struct str text, struct str *sealed, struct arena *a);

/* argon2id, 19 MiB, t=2, p=1, PHC text form.  29 ms: workers only, at most half the cores at once.
 */
struct str password_hash(struct str password, struct arena *a);
bool password_verify(struct str hash, struct str password);
/* `n` characters: each class present at least once (lower, upper, digits, and special when asked).
 */
struct str password_generate(size_t n, bool special, struct arena *a);

/* RSA key pair for RS256, PEM texts. */
MUST_CHECK int jwt_keygen(struct str *private_pem, struct str *public_pem, struct arena *a,
                          struct err *e);

struct jwt_key; /* parsed; immutable, shared by threads */
/* A pair from its private half in PEM form; what it signs names `kid`.  ERR_CONFIG. */
MUST_CHECK int jwt_key_private(struct jwt_key **out, struct str pem, struct str kid,
                               struct arena *a, struct err *e);
/* The public half in PEM form, in `a`. */
struct str jwt_key_public_pem(const struct jwt_key *k, struct arena *a);
/* Signed compact form (RFC 7515), header {"alg":"RS256","typ":"JWT","kid":...}. */
MUST_CHECK int jwt_sign(const struct jwt_key *k, struct val claims, struct str *out,
                        struct arena *a, struct err *e);
/*
 * Verify signature and form against the keys; alg must be RS256 whatever the token says.  exp and
 * nbf are checked against now_s.  ERR_UNAUTHORIZED: "token expired", "token not valid".
 */
MUST_CHECK int jwt_verify(const struct jwt_key *const *keys, size_t n_keys, struct str token,
                          int64_t now_s, struct val *claims, struct arena *a, struct err *e);

/* Client certificate (chain, leaf first) and key, PEM: both there, readable, not encrypted,
 * belonging together; ERR_INVALID "TLS client key does not match the certificate". */
MUST_CHECK int crypto_tls_pair_check(struct str cert_pem, struct str key_pem, struct err *e);

/* When the first certificate of a PEM text ends, seconds since 1970; 0 when it cannot be read. */
int64_t crypto_tls_expires_s(struct str cert_pem);

#endif

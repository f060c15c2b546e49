/*
 * The key outside the database (migration.md 7.6): reading its file, and sealing data keys with it
 * (kind 03).
 */
#ifndef SLUICE_CRYPTO_KEY_WRAP_H
#define SLUICE_CRYPTO_KEY_WRAP_H

#include "crypto/crypto.h"

struct kek {
    unsigned char key[32];
    char fingerprint[17]; /* first 16 hex digits of its SHA-256 */
};

/*
 * Read the file: 32 raw bytes, 64 hex digits or 44 characters of base64, a line end behind the
 * texts allowed.
 *
 * Fails with ERR_CONFIG: `-kek: cannot read F: reason`, `-kek: expected 32 bytes, got 31`,
 * `-kek: F is readable by everyone (mode 0644)`.
 */
MUST_CHECK int kek_read(const char *path, struct kek *out, struct err *e);
void kek_of(const unsigned char key[32], struct kek *out);
void kek_wipe(struct kek *k);

/* Material of the row keys.id = key_id, sealed. */
struct str key_wrap(const struct kek *k, uint32_t key_id, struct str material, struct arena *a);
/* ERR_CONFIG "seal does not open". */
MUST_CHECK int key_unwrap(const struct kek *k, uint32_t key_id, struct str wrapped,
                          struct secret *out, struct arena *a, struct err *e);

#endif

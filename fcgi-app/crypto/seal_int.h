/*
 * What the seals share, and the seals with their nonce given, for the published vectors; programs
 * use the functions of crypto.h, document_seal.h and key_wrap.h.
 */
#ifndef SLUICE_CRYPTO_SEAL_INT_H
#define SLUICE_CRYPTO_SEAL_INT_H

#include "crypto/crypto.h"

enum { SEAL_NONCE = 12, SEAL_TAG = 16, SEAL_HEAD = 18 };
enum { KIND_VALUE = 1, KIND_DOCUMENT = 2, KIND_KEY = 3, ALGORITHM_GCM = 1 };

/* AES-256-GCM: `out` takes plain.len bytes and the tag behind them. */
void gcm_seal(const unsigned char key[32], const unsigned char nonce[SEAL_NONCE], struct str aad,
              struct str plain, unsigned char *out);
/* `sealed` ends in the tag; `out` takes sealed.len - SEAL_TAG bytes, wiped when the tag is wrong. */
bool gcm_open(const unsigned char key[32], const unsigned char nonce[SEAL_NONCE], struct str aad,
              struct str sealed, unsigned char *out);

/* Associated data: head, purpose, 00, item. */
struct str seal_associated(struct str head, const char *purpose, struct str item, struct arena *a);
void seal_put_id(unsigned char at[4], uint32_t id);

struct str seal_with_nonce(uint32_t key_id, const unsigned char key[32],
                           const unsigned char nonce[SEAL_NONCE], struct str plain,
                           const char *purpose, struct str item, struct arena *a);
/* Seals of one kind that look alike: 01 values, 03 wrapped keys. */
struct str seal_of_kind(unsigned char kind, uint32_t key_id, const unsigned char key[32],
                        const unsigned char nonce[SEAL_NONCE], struct str plain,
                        const char *purpose, struct str item, struct arena *a);
MUST_CHECK int open_of_kind(unsigned char kind, const unsigned char key[32], struct str sealed,
                            const char *purpose, struct str item, struct secret *out,
                            struct arena *a, struct err *e);
void document_head_with_nonce(uint32_t key_id, const unsigned char key[32],
                              const unsigned char nonce[SEAL_NONCE],
                              const unsigned char content_key[32], int64_t document_id,
                              unsigned char *head);

#endif

/*
 * The seal with its nonce given, for the published vectors; programs use crypto_seal().
 */
#ifndef SLUICE_CRYPTO_SEAL_INT_H
#define SLUICE_CRYPTO_SEAL_INT_H

#include "crypto/crypto.h"

enum { SEAL_NONCE = 12, SEAL_TAG = 16, SEAL_HEAD = 18 };

struct str seal_with_nonce(uint32_t key_id, const unsigned char key[32],
                           const unsigned char nonce[SEAL_NONCE], struct str plain,
                           const char *purpose, struct str item, struct arena *a);

#endif

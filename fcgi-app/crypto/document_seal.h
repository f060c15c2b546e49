/*
 * Sealing documents in chunks (migration.md 7.5, kind 02): a head of 68 bytes with the content key
 * under a data key, then chunks under the content key.
 *
 * Cutting, adding and swapping chunks fails, since a chunk's nonce holds its number and whether it
 * is the last one.  Changing the data key rewrites the head only.
 */
#ifndef SLUICE_CRYPTO_DOCUMENT_SEAL_H
#define SLUICE_CRYPTO_DOCUMENT_SEAL_H

#include "crypto/crypto.h"

enum {
    DOCUMENT_HEAD = 68,
    DOCUMENT_CHUNK_BITS = 16,
    DOCUMENT_CHUNK = 1 << DOCUMENT_CHUNK_BITS, /* plain bytes of every chunk but the last */
    DOCUMENT_TAG = 16,                         /* what a chunk grows by */
};

/* The head of a document with this id: content_key under `key`. */
void document_head_seal(uint32_t key_id, const unsigned char key[32],
                        const unsigned char content_key[32], int64_t document_id,
                        unsigned char head[DOCUMENT_HEAD]);
/*
 * The content key out of a head, and how long its chunks are (plain bytes).
 *
 * ERR_CONFIG "seal does not open": another key, another document, or changed bytes.
 */
MUST_CHECK int document_head_open(const unsigned char key[32], struct str head, int64_t document_id,
                                  unsigned char content_key[32], size_t *chunk, struct err *e);

/* Chunk `n` (from 0); `out` takes plain.len + DOCUMENT_TAG bytes. */
void document_chunk_seal(const unsigned char content_key[32], uint64_t n, bool last,
                         struct str plain, unsigned char *out);
/* `out` takes sealed.len - DOCUMENT_TAG bytes; false: it does not open, and nothing is in `out`. */
bool document_chunk_open(const unsigned char content_key[32], uint64_t n, bool last,
                         struct str sealed, unsigned char *out);

#endif

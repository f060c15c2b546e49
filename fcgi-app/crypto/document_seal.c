/*
 * Documents sealed in chunks (migration.md 7.5).
 *
 * Head: 02, 01, key id (4), chunk size as power of two, 00, nonce (12), sealed content key (32+16).
 * The nonce of a chunk: 3 zero bytes, its number (8), 01 for the last chunk.
 */
#include "crypto/document_seal.h"

#include "base/arena.h"
#include "crypto/seal_int.h"

#define PURPOSE "documents.content"

enum { AT_BITS = 6, AT_NONCE = 8, AT_KEY = 20, BITS_MIN = 8, BITS_MAX = 24 };

static struct str head_aad(const unsigned char *head, int64_t document_id, struct arena *a)
{
    return seal_associated(str_make((const char *)head, AT_KEY), PURPOSE,
                           str_printf(a, "%lld", (long long)document_id), a);
}

void document_head_with_nonce(uint32_t key_id, const unsigned char key[32],
                              const unsigned char nonce[SEAL_NONCE],
                              const unsigned char content_key[32], int64_t document_id,
                              unsigned char *head)
{
    struct arena *a = arena_new(256);

    head[0] = KIND_DOCUMENT;
    head[1] = ALGORITHM_GCM;
    seal_put_id(head + 2, key_id);
    head[AT_BITS] = DOCUMENT_CHUNK_BITS;
    head[AT_BITS + 1] = 0;
    memcpy(head + AT_NONCE, nonce, SEAL_NONCE);
    gcm_seal(key, nonce, head_aad(head, document_id, a), str_make((const char *)content_key, 32),
             head + AT_KEY);
    arena_free(a);
}

void document_head_seal(uint32_t key_id, const unsigned char key[32],
                        const unsigned char content_key[32], int64_t document_id,
                        unsigned char head[DOCUMENT_HEAD])
{
    unsigned char nonce[SEAL_NONCE];

    crypto_random(nonce, sizeof nonce);
    document_head_with_nonce(key_id, key, nonce, content_key, document_id, head);
}

int document_head_open(const unsigned char key[32], struct str head, int64_t document_id,
                       unsigned char content_key[32], size_t *chunk, struct err *e)
{
    const unsigned char *h = (const unsigned char *)head.p;
    struct arena *a;
    bool right;

    if (head.len != DOCUMENT_HEAD || h[0] != KIND_DOCUMENT || h[1] != ALGORITHM_GCM ||
        h[AT_BITS] < BITS_MIN || h[AT_BITS] > BITS_MAX || h[AT_BITS + 1] != 0) {
        err_set(e, ERR_CONFIG, "seal does not open");
        err_detail(e, "not the head of a document, %zu bytes", head.len);
        return -1;
    }
    a = arena_new(256);
    right = gcm_open(key, h + AT_NONCE, head_aad(h, document_id, a),
                     str_slice(head, AT_KEY, DOCUMENT_HEAD), content_key);
    arena_free(a);
    if (!right) {
        err_set(e, ERR_CONFIG, "seal does not open");
        err_detail(e, "head of document %lld", (long long)document_id);
        return -1;
    }
    *chunk = (size_t)1 << h[AT_BITS];
    return 0;
}

static void chunk_nonce(uint64_t n, bool last, unsigned char nonce[SEAL_NONCE])
{
    memset(nonce, 0, SEAL_NONCE);
    for (unsigned i = 0; i < 8; i++)
        nonce[3 + i] = (unsigned char)(n >> (56 - 8 * i));
    nonce[11] = last ? 1 : 0;
}

void document_chunk_seal(const unsigned char content_key[32], uint64_t n, bool last,
                         struct str plain, unsigned char *out)
{
    unsigned char nonce[SEAL_NONCE];

    chunk_nonce(n, last, nonce);
    gcm_seal(content_key, nonce, STR_NONE, plain, out);
}

bool document_chunk_open(const unsigned char content_key[32], uint64_t n, bool last,
                         struct str sealed, unsigned char *out)
{
    unsigned char nonce[SEAL_NONCE];

    chunk_nonce(n, last, nonce);
    return gcm_open(content_key, nonce, STR_NONE, sealed, out);
}

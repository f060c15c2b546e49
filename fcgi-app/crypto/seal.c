/*
 * Sealing small values with AES-256-GCM (migration.md 7.5).
 *
 * 01 version, 01 algorithm, key id (4, big-endian), nonce (12), cipher text, tag (16).  What is
 * bound to the seal without being in it: the first 18 bytes, the purpose ("table.column"), 00 and
 * the item.
 */
#include "crypto/crypto.h"

#include <openssl/crypto.h>

#include "crypto/crypto_int.h"
#include "crypto/seal_int.h"

#define SEAL_TEXT_PREFIX "sealed:"

struct str seal_of_kind(unsigned char kind, uint32_t key_id, const unsigned char key[32],
                        const unsigned char nonce[SEAL_NONCE], struct str plain,
                        const char *purpose, struct str item, struct arena *a)
{
    unsigned char *out = arena_alloc(a, SEAL_HEAD + plain.len + SEAL_TAG);
    struct str head = str_make((const char *)out, SEAL_HEAD);

    out[0] = kind;
    out[1] = ALGORITHM_GCM;
    seal_put_id(out + 2, key_id);
    memcpy(out + 6, nonce, SEAL_NONCE);
    gcm_seal(key, nonce, seal_associated(head, purpose, item, a), plain, out + SEAL_HEAD);
    return str_make((const char *)out, SEAL_HEAD + plain.len + SEAL_TAG);
}

struct str seal_with_nonce(uint32_t key_id, const unsigned char key[32],
                           const unsigned char nonce[SEAL_NONCE], struct str plain,
                           const char *purpose, struct str item, struct arena *a)
{
    return seal_of_kind(KIND_VALUE, key_id, key, nonce, plain, purpose, item, a);
}

struct str crypto_seal(uint32_t key_id, const unsigned char key[32], struct str plain,
                       const char *purpose, struct str item, struct arena *a)
{
    unsigned char nonce[SEAL_NONCE];

    crypto_random(nonce, sizeof nonce);
    return seal_with_nonce(key_id, key, nonce, plain, purpose, item, a);
}

int open_of_kind(unsigned char kind, const unsigned char key[32], struct str sealed,
                 const char *purpose, struct str item, struct secret *out, struct arena *a,
                 struct err *e)
{
    const unsigned char *in = (const unsigned char *)sealed.p;
    unsigned char *plain;
    struct str head, rest;

    if (sealed.len < SEAL_HEAD + SEAL_TAG || sealed.len > INT32_MAX || in[0] != kind ||
        in[1] != ALGORITHM_GCM) {
        err_set(e, ERR_CONFIG, "seal does not open");
        err_detail(e, "not a seal of kind %u, %zu bytes", kind, sealed.len);
        return -1;
    }
    head = str_slice(sealed, 0, SEAL_HEAD);
    rest = str_slice(sealed, SEAL_HEAD, sealed.len);
    plain = OPENSSL_malloc(rest.len);
    if (plain == NULL)
        crypto_broken("open");
    if (!gcm_open(key, in + 6, seal_associated(head, purpose, item, a), rest, plain)) {
        OPENSSL_free(plain);
        err_set(e, ERR_CONFIG, "seal does not open");
        err_detail(e, "purpose %s item %.*s", purpose, STR_ARG(item));
        return -1;
    }
    *out = secret_new(a, plain, rest.len - SEAL_TAG);
    OPENSSL_clear_free(plain, rest.len);
    return 0;
}

int crypto_open(const unsigned char key[32], struct str sealed, const char *purpose,
                struct str item, struct secret *out, struct arena *a, struct err *e)
{
    return open_of_kind(KIND_VALUE, key, sealed, purpose, item, out, a, e);
}

int crypto_seal_key_id(struct str sealed, uint32_t *id, struct err *e)
{
    const unsigned char *in = (const unsigned char *)sealed.p;

    if (sealed.len == 0) {
        err_set(e, ERR_CONFIG, "seal is empty");
        return -1;
    }
    if (in[0] < KIND_VALUE || in[0] > KIND_KEY) {
        err_set(e, ERR_CONFIG, "unknown seal version %u (written by a newer program?)", in[0]);
        return -1;
    }
    if (sealed.len < 6) {
        err_set(e, ERR_CONFIG, "seal is cut off");
        return -1;
    }
    *id = (uint32_t)in[2] << 24 | (uint32_t)in[3] << 16 | (uint32_t)in[4] << 8 | in[5];
    return 0;
}

struct str crypto_seal_text(struct str sealed, struct arena *a)
{
    struct str b64 = crypto_b64url(a, sealed);

    return str_printf(a, SEAL_TEXT_PREFIX "%.*s", STR_ARG(b64));
}

bool crypto_seal_from_text(struct str text, struct str *sealed, struct arena *a)
{
    if (!str_starts(text, STR(SEAL_TEXT_PREFIX)))
        return false;
    return crypto_unb64(a, str_slice(text, sizeof SEAL_TEXT_PREFIX - 1, text.len), sealed);
}

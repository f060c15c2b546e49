/*
 * Sealing small values with AES-256-GCM (migration.md 7.5).
 *
 * 01 version, 01 algorithm, key id (4, big-endian), nonce (12), cipher text, tag (16).  What is
 * bound to the seal without being in it: the first 18 bytes, the purpose ("table.column"), 00 and
 * the item.
 */
#include "crypto/crypto.h"

#include <openssl/evp.h>

#include "crypto/crypto_int.h"
#include "crypto/seal_int.h"

#define SEAL_TEXT_PREFIX "sealed:"

enum { KIND_VALUE = 1, KIND_DOCUMENT = 2, KIND_KEY = 3, ALGORITHM_GCM = 1 };

static struct str associated(const unsigned char head[SEAL_HEAD], const char *purpose,
                             struct str item, struct arena *a)
{
    size_t n_purpose = strlen(purpose);
    char *p = arena_alloc(a, SEAL_HEAD + n_purpose + 1 + item.len);

    memcpy(p, head, SEAL_HEAD);
    memcpy(p + SEAL_HEAD, purpose, n_purpose);
    p[SEAL_HEAD + n_purpose] = '\0';
    if (item.len > 0)
        memcpy(p + SEAL_HEAD + n_purpose + 1, item.p, item.len);
    return str_make(p, SEAL_HEAD + n_purpose + 1 + item.len);
}

struct str seal_with_nonce(uint32_t key_id, const unsigned char key[32],
                           const unsigned char nonce[SEAL_NONCE], struct str plain,
                           const char *purpose, struct str item, struct arena *a)
{
    unsigned char *out = arena_alloc(a, SEAL_HEAD + plain.len + SEAL_TAG);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    struct str aad;
    int n = 0;

    out[0] = KIND_VALUE;
    out[1] = ALGORITHM_GCM;
    for (unsigned i = 0; i < 4; i++)
        out[2 + i] = (unsigned char)(key_id >> (24 - 8 * i));
    memcpy(out + 6, nonce, SEAL_NONCE);
    aad = associated(out, purpose, item, a);
    if (plain.len > INT32_MAX || aad.len > INT32_MAX)
        crypto_broken("seal: value too long");
    if (ctx == NULL || EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) != 1 ||
        EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *)aad.p, (int)aad.len) != 1 ||
        (plain.len > 0 && EVP_EncryptUpdate(ctx, out + SEAL_HEAD, &n,
                                            (const unsigned char *)plain.p, (int)plain.len) != 1) ||
        EVP_EncryptFinal_ex(ctx, out + SEAL_HEAD + plain.len, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, SEAL_TAG, out + SEAL_HEAD + plain.len) != 1)
        crypto_broken("seal");
    EVP_CIPHER_CTX_free(ctx);
    return str_make((const char *)out, SEAL_HEAD + plain.len + SEAL_TAG);
}

struct str crypto_seal(uint32_t key_id, const unsigned char key[32], struct str plain,
                       const char *purpose, struct str item, struct arena *a)
{
    unsigned char nonce[SEAL_NONCE];

    crypto_random(nonce, sizeof nonce);
    return seal_with_nonce(key_id, key, nonce, plain, purpose, item, a);
}

int crypto_open(const unsigned char key[32], struct str sealed, const char *purpose,
                struct str item, struct secret *out, struct arena *a, struct err *e)
{
    const unsigned char *in = (const unsigned char *)sealed.p;
    EVP_CIPHER_CTX *ctx = NULL;
    unsigned char *plain = NULL;
    struct str aad;
    size_t len;
    int n = 0;
    int rc = -1;

    if (sealed.len < SEAL_HEAD + SEAL_TAG || sealed.len > INT32_MAX || in[0] != KIND_VALUE ||
        in[1] != ALGORITHM_GCM) {
        err_set(e, ERR_CONFIG, "seal does not open");
        err_detail(e, "not a sealed value of %zu bytes", sealed.len);
        return -1;
    }
    len = sealed.len - SEAL_HEAD - SEAL_TAG;
    aad = associated(in, purpose, item, a);
    ctx = EVP_CIPHER_CTX_new();
    plain = OPENSSL_malloc(len + 1);
    if (ctx == NULL || plain == NULL ||
        EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, in + 6) != 1)
        crypto_broken("open");
    if (EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *)aad.p, (int)aad.len) == 1 &&
        (len == 0 || EVP_DecryptUpdate(ctx, plain, &n, in + SEAL_HEAD, (int)len) == 1) &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, SEAL_TAG,
                            (void *)(uintptr_t)(in + SEAL_HEAD + len)) == 1 &&
        EVP_DecryptFinal_ex(ctx, plain + len, &n) == 1) {
        *out = secret_new(a, plain, len);
        rc = 0;
    } else {
        err_set(e, ERR_CONFIG, "seal does not open");
        err_detail(e, "purpose %s item %.*s", purpose, STR_ARG(item));
    }
    OPENSSL_clear_free(plain, len + 1);
    EVP_CIPHER_CTX_free(ctx);
    return rc;
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

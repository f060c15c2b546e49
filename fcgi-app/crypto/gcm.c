/*
 * AES-256-GCM through OpenSSL: what every seal is made of.
 */
#include <openssl/evp.h>

#include "base/arena.h"
#include "crypto/crypto_int.h"
#include "crypto/seal_int.h"

void seal_put_id(unsigned char at[4], uint32_t id)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (unsigned char)(id >> (24 - 8 * i));
}

struct str seal_associated(struct str head, const char *purpose, struct str item, struct arena *a)
{
    size_t n_purpose = strlen(purpose);
    char *p = arena_alloc(a, head.len + n_purpose + 1 + item.len);

    memcpy(p, head.p, head.len);
    memcpy(p + head.len, purpose, n_purpose);
    p[head.len + n_purpose] = '\0';
    if (item.len > 0)
        memcpy(p + head.len + n_purpose + 1, item.p, item.len);
    return str_make(p, head.len + n_purpose + 1 + item.len);
}

void gcm_seal(const unsigned char key[32], const unsigned char nonce[SEAL_NONCE], struct str aad,
              struct str plain, unsigned char *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;

    if (plain.len > INT32_MAX || aad.len > INT32_MAX)
        crypto_broken("seal: value too long");
    if (ctx == NULL || EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) != 1 ||
        (aad.len > 0 &&
         EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *)aad.p, (int)aad.len) != 1) ||
        (plain.len > 0 && EVP_EncryptUpdate(ctx, out, &n, (const unsigned char *)plain.p,
                                            (int)plain.len) != 1) ||
        EVP_EncryptFinal_ex(ctx, out + plain.len, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, SEAL_TAG, out + plain.len) != 1)
        crypto_broken("seal");
    EVP_CIPHER_CTX_free(ctx);
}

bool gcm_open(const unsigned char key[32], const unsigned char nonce[SEAL_NONCE], struct str aad,
              struct str sealed, unsigned char *out)
{
    const unsigned char *in = (const unsigned char *)sealed.p;
    EVP_CIPHER_CTX *ctx;
    size_t len;
    int n = 0;
    bool right;

    if (sealed.len < SEAL_TAG || sealed.len > INT32_MAX || aad.len > INT32_MAX)
        return false;
    len = sealed.len - SEAL_TAG;
    ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL || EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) != 1)
        crypto_broken("open");
    right = (aad.len == 0 || EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *)aad.p,
                                               (int)aad.len) == 1) &&
            (len == 0 || EVP_DecryptUpdate(ctx, out, &n, in, (int)len) == 1) &&
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, SEAL_TAG,
                                (void *)(uintptr_t)(in + len)) == 1 &&
            EVP_DecryptFinal_ex(ctx, out + len, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!right)
        crypto_wipe(out, len);
    return right;
}

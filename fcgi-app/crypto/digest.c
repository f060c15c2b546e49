/*
 * Digests and HMACs by name.
 */
#include "crypto/crypto.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "crypto/crypto_int.h"

static const struct algorithm {
    const char *name;
    const EVP_MD *(*md)(void);
} algorithms[] = {
    {"md5", EVP_md5},
    {"sha1", EVP_sha1},
    {"sha224", EVP_sha224},
    {"sha256", EVP_sha256},
    {"sha384", EVP_sha384},
    {"sha512", EVP_sha512},
    {"blake2b", EVP_blake2b512},
    {"blake2s", EVP_blake2s256},
};

static const EVP_MD *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(algorithms); i++)
        if (strcmp(algorithms[i].name, name) == 0)
            return algorithms[i].md();
    return NULL;
}

bool crypto_digest(const char *name, struct str data, unsigned char out[64], size_t *len)
{
    const EVP_MD *md = find(name);
    unsigned n = 0;

    if (md == NULL)
        return false;
    if (EVP_Digest(data.p != NULL ? data.p : "", data.len, out, &n, md, NULL) != 1)
        crypto_broken("EVP_Digest");
    *len = n;
    return true;
}

bool crypto_hmac(const char *name, struct str key, struct str data, unsigned char out[64],
                 size_t *len)
{
    const EVP_MD *md = find(name);
    unsigned n = 0;

    if (md == NULL || key.len > INT32_MAX)
        return false;
    if (HMAC(md, key.p != NULL ? key.p : "", (int)key.len,
             (const unsigned char *)(data.p != NULL ? data.p : ""), data.len, out, &n) == NULL)
        crypto_broken("HMAC");
    *len = n;
    return true;
}

/*
 * Digests and HMACs by name.
 */
#include "crypto/crypto.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdatomic.h>

#include "crypto/crypto_int.h"

static struct algorithm {
    const char *name;
    const char *library_name;
    _Atomic(EVP_MD *) md; /* fetched at the first use and kept: each look-up by the library takes locks */
} algorithms[] = {
    {.name = "md5", .library_name = "MD5"},
    {.name = "sha1", .library_name = "SHA1"},
    {.name = "sha224", .library_name = "SHA2-224"},
    {.name = "sha256", .library_name = "SHA2-256"},
    {.name = "sha384", .library_name = "SHA2-384"},
    {.name = "sha512", .library_name = "SHA2-512"},
    {.name = "blake2b", .library_name = "BLAKE2B-512"},
    {.name = "blake2s", .library_name = "BLAKE2S-256"},
};

static const EVP_MD *fetched(struct algorithm *alg)
{
    EVP_MD *md = atomic_load_explicit(&alg->md, memory_order_acquire), *none = NULL;

    if (md != NULL)
        return md;
    md = EVP_MD_fetch(NULL, alg->library_name, NULL);
    if (md == NULL)
        crypto_broken("EVP_MD_fetch");
    if (atomic_compare_exchange_strong(&alg->md, &none, md))
        return md;
    EVP_MD_free(md); /* another thread was faster */
    return none;
}

static const EVP_MD *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(algorithms); i++)
        if (strcmp(algorithms[i].name, name) == 0)
            return fetched(&algorithms[i]);
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

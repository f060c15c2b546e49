/*
 * Randomness, comparing and wiping.
 *
 * Everything random in the program comes from here, so that a broken source stops us instead of
 * weakening a key.
 */
#include "crypto/crypto.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/log.h"

void crypto_random(void *out, size_t n)
{
    unsigned char *p = out;

    while (n > 0) {
        int step = n > 4096 ? 4096 : (int)n;

        if (RAND_priv_bytes(p, step) != 1) {
            log_error("crypto.random", "why=\"the system has no randomness\"");
            abort();
        }
        p += step;
        n -= (size_t)step;
    }
}

bool crypto_equal(const void *x, const void *y, size_t n)
{
    return n == 0 || CRYPTO_memcmp(x, y, n) == 0;
}

void crypto_wipe(void *p, size_t n)
{
    if (p != NULL && n > 0)
        OPENSSL_cleanse(p, n);
}

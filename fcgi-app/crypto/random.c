/*
 * Randomness, comparing and wiping.
 *
 * Everything random in the program comes from here, so that a broken source stops us instead of
 * weakening a key.
 */
#include "crypto/crypto.h"

#include <stdlib.h>
#include <string.h>

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

/* A word at a time: a token is compared with each call, and CRYPTO_memcmp() takes byte for byte what its digest takes.  Only for whole words. */
static uint64_t differences(const unsigned char *x, const unsigned char *y, size_t n)
{
    uint64_t all = 0, a, b;

    for (size_t i = 0; i < n; i += sizeof a) {
        memcpy(&a, x + i, sizeof a);
        memcpy(&b, y + i, sizeof b);
        all |= a ^ b;
        __asm__ volatile("" : "+r"(all)); /* the compiler is not to see when it could stop */
    }
    return all;
}

bool crypto_equal(const void *x, const void *y, size_t n)
{
    size_t words = n / sizeof(uint64_t) * sizeof(uint64_t);
    uint64_t found = words > 0 ? differences(x, y, words) : 0;
    int rest = n > words ? CRYPTO_memcmp((const char *)x + words, (const char *)y + words, n - words) : 0;

    return ((found != 0) | (rest != 0)) == 0;
}

void crypto_wipe(void *p, size_t n)
{
    if (p != NULL && n > 0)
        OPENSSL_cleanse(p, n);
}

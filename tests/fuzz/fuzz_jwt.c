/*
 * Tokens as strangers send them: any bytes, and any header and claims under our own signature.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "crypto/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct jwt_key *key;

static void make_key(void)
{
    struct arena *a = arena_new(0); /* lives as long as the process */
    struct str priv;
    struct str pub;
    struct err e;

    if (jwt_keygen(&priv, &pub, a, &e) != 0 || jwt_key_private(&key, priv, STR("1"), a, &e) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(0);
    struct str in = str_make((const char *)data, size);
    const struct jwt_key *keys[1];
    struct val claims;
    struct str bytes;
    struct err e;

    if (key == NULL)
        make_key();
    keys[0] = key;
    if (jwt_verify(keys, 1, in, 1700000000, &claims, a, &e) == 0)
        abort(); /* nobody guesses a signature */
    if (crypto_unb64(a, in, &bytes) && bytes.len > size)
        abort();
    if (crypto_seal_from_text(in, &bytes, a)) {
        static const unsigned char zero[32];
        struct secret s;

        if (crypto_open(zero, bytes, "a.b", STR("1"), &s, a, &e) == 0)
            abort();
    }
    arena_free(a);
    return 0;
}

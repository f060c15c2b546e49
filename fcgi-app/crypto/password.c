/*
 * Passwords: argon2id hashes and generated ones.
 *
 * A hash takes 19 MiB and 29 ms, so a burst of logins could take every core and much memory: at
 * most half the cores work on hashes at a time, the others wait in line.
 */
#include "crypto/crypto.h"

#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include <argon2.h>

#include "crypto/crypto_int.h"

enum {
    COST_KIB = 19 * 1024,
    COST_PASSES = 2,
    COST_LANES = 1,
    SALT_LEN = 16,
    HASH_LEN = 32,
    ENCODED_MAX = 128
};

static sem_t turns;
static pthread_once_t turns_once = PTHREAD_ONCE_INIT;

static void turns_init(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (sem_init(&turns, 0, cores > 3 ? (unsigned)cores / 2 : 1) != 0)
        crypto_broken("sem_init");
}

static void turn_take(void)
{
    pthread_once(&turns_once, turns_init);
    while (sem_wait(&turns) != 0)
        ; /* a signal */
}

static void turn_give(void)
{
    sem_post(&turns);
}

struct str password_hash(struct str password, struct arena *a)
{
    char *encoded = arena_zalloc(a, ENCODED_MAX);
    unsigned char salt[SALT_LEN];
    int rc;

    crypto_random(salt, sizeof salt);
    turn_take();
    rc = argon2id_hash_encoded(COST_PASSES, COST_KIB, COST_LANES,
                               password.p != NULL ? password.p : "", password.len, salt,
                               sizeof salt, HASH_LEN, encoded, ENCODED_MAX);
    turn_give();
    if (rc != ARGON2_OK)
        crypto_broken(argon2_error_message(rc));
    return str_c(encoded);
}

bool password_verify(struct str hash, struct str password)
{
    char encoded[512];
    int rc;

    if (hash.len == 0 || hash.len >= sizeof encoded || !str_starts(hash, STR("$argon2id$")))
        return false;
    memcpy(encoded, hash.p, hash.len);
    encoded[hash.len] = '\0';
    turn_take();
    rc = argon2id_verify(encoded, password.p != NULL ? password.p : "", password.len);
    turn_give();
    return rc == ARGON2_OK;
}

/* A number below n <= 256, each equally likely. */
static size_t below(size_t n)
{
    size_t fair = 256 - 256 % n;
    unsigned char c;

    do
        crypto_random(&c, 1);
    while (c >= fair);
    return c % n;
}

struct str password_generate(size_t n, bool special, struct arena *a)
{
    /* easily confused characters (0 O 1 l I) are left out; '%' and '*' are in every published set
     * of special characters (http-api.md 6.2) */
    static const char *const classes[] = {
        "abcdefghijkmnopqrstuvwxyz",
        "ABCDEFGHJKLMNPQRSTUVWXYZ",
        "23456789",
        "%*",
    };
    size_t n_classes = special ? COUNT_OF(classes) : COUNT_OF(classes) - 1;
    char *out;

    if (n < n_classes)
        n = n_classes;
    out = arena_zalloc(a, n + 1);
    for (size_t i = 0; i < n; i++) {
        /* one of each class first, then letters and digits by their number */
        const char *from = i < n_classes ? classes[i] : NULL;

        if (from == NULL) {
            size_t at = below(25 + 24 + 8);

            from = at < 25 ? classes[0] : at < 49 ? classes[1] : classes[2];
        }
        out[i] = from[below(strlen(from))];
    }
    for (size_t i = n - 1; i > 0; i--) { /* shuffle: the first ones have known classes */
        size_t k = below(i < 255 ? i + 1 : 256);
        char c = out[i];

        out[i] = out[k];
        out[k] = c;
    }
    return str_make(out, n);
}

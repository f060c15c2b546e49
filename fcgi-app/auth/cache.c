/*
 * Callers known already: a fixed number of places, found by the digest of the token.
 *
 * Set-associative like a processor's cache: nothing is allocated to look up or to put in place, and
 * a stranger with many tokens drives out others but never grows it.  A shard's lock is held for a
 * few comparisons.
 */
#include "auth/auth_int.h"

#include <stdlib.h>

struct known *known_new(void)
{
    struct arena *a = arena_new(KIB);
    struct known *k = ARENA_NEW(a, struct known);

    k->a = a;
    atomic_init(&k->refs, 1);
    return k;
}

void known_unref(struct known *k)
{
    if (k != NULL && atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) == 1)
        arena_free(k->a);
}

void cache_init(struct cache *c)
{
    for (size_t i = 0; i < SHARDS; i++)
        pthread_mutex_init(&c->shards[i].lock, NULL);
}

void cache_release(struct cache *c)
{
    for (size_t i = 0; i < SHARDS; i++) {
        for (size_t k = 0; k < (size_t)SETS * WAYS; k++)
            known_unref(c->shards[i].slots[k / WAYS][k % WAYS].k);
        pthread_mutex_destroy(&c->shards[i].lock);
    }
}

static bool fresh(const struct known *k, const struct moment *m)
{
    return k->epoch == m->epoch && (k->keys == 0 || k->keys == m->keys) && m->now_us >= k->from_us && m->now_us < k->until_us;
}

struct known *cache_find(struct cache *c, const unsigned char digest[32], const struct moment *m)
{
    struct shard *s = &c->shards[digest[0] % SHARDS];
    struct slot *set = s->slots[digest[1] % SETS];
    struct known *found = NULL;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < WAYS && found == NULL; i++) {
        struct known *k = set[i].k;

        if (k != NULL && memcmp(k->digest, digest, sizeof k->digest) == 0 && fresh(k, m)) {
            atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
            set[i].used = ++s->tick;
            found = k;
        }
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

void cache_add(struct cache *c, struct known *k, const struct moment *m)
{
    struct shard *s = &c->shards[k->digest[0] % SHARDS];
    struct slot *set = s->slots[k->digest[1] % SETS];
    struct known *out;
    size_t place = 0;

    atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < WAYS; i++) {
        /* the same token, an empty or outdated place, else the one not used for longest */
        if (set[i].k == NULL || !fresh(set[i].k, m) ||
            memcmp(set[i].k->digest, k->digest, sizeof k->digest) == 0) {
            place = i;
            break;
        }
        if (set[i].used < set[place].used)
            place = i;
    }
    out = set[place].k;
    set[place] = (struct slot){k, ++s->tick};
    pthread_mutex_unlock(&s->lock);
    known_unref(out);
}

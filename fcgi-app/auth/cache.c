/*
 * Callers known already: a fixed number of places, found by a keyed tag of the token.
 *
 * The tag only says where to look; what counts is that the token is the same from its first byte to its last, compared in
 * constant time.  So a call with a known token costs no digest.
 *
 * Set-associative like a processor's cache: nothing is allocated to look up or to put in place, and
 * a stranger with many tokens drives out others but never grows it.  A shard's lock is held for a
 * few comparisons.
 */
#include "auth/auth_int.h"

#include <stdlib.h>

struct known *known_new(struct str token)
{
    struct arena *a = arena_new(2 * KIB);
    struct known *k = ARENA_NEW(a, struct known);
    struct secret copy = secret_new(a, token.p, token.len);

    k->a = a;
    k->token = secret_text(copy);
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
    crypto_random(c->key, sizeof c->key);
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

/* From its end, which is signature or random. */
static uint64_t tag_of(const struct cache *c, struct str token)
{
    uint64_t words[4] = {0}, tag = c->key[0] ^ token.len;
    size_t n = token.len < sizeof words ? token.len : sizeof words;

    if (n > 0)
        memcpy(words, token.p + token.len - n, n);
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        tag = (tag ^ words[i]) * (c->key[1] | 1);
        tag ^= tag >> 32;
    }
    return tag;
}

size_t cache_set(const struct cache *c, struct str token)
{
    return (size_t)(tag_of(c, token) % ((uint64_t)SHARDS * SETS));
}

static struct shard *shard_of(struct cache *c, uint64_t tag)
{
    return &c->shards[tag % SHARDS];
}

static struct slot *set_of(struct shard *s, uint64_t tag)
{
    return s->slots[tag / SHARDS % SETS];
}

static bool is_of(const struct known *k, uint64_t tag, struct str token)
{
    return k->tag == tag && k->token.len == token.len && crypto_equal(k->token.p, token.p, token.len);
}

struct known *cache_find(struct cache *c, struct str token, const struct moment *m)
{
    uint64_t tag = tag_of(c, token);
    struct shard *s = shard_of(c, tag);
    struct slot *set = set_of(s, tag);
    struct known *found = NULL;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < WAYS && found == NULL; i++) {
        struct known *k = set[i].k;

        if (k != NULL && fresh(k, m) && is_of(k, tag, token)) {
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
    struct shard *s;
    struct slot *set;
    struct known *out;
    size_t place = 0;

    k->tag = tag_of(c, k->token);
    s = shard_of(c, k->tag);
    set = set_of(s, k->tag);
    atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < WAYS; i++) {
        /* the same token, an empty or outdated place, else the one not used for longest */
        if (set[i].k == NULL || !fresh(set[i].k, m) || is_of(set[i].k, k->tag, k->token)) {
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

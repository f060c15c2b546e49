/*
 * Reading a caller's rows, once for all who ask at the same time.
 *
 * After a change of users, and at a token's first use, a page of the user interface or a bulk asks for the same caller on
 * many connections at once: the first one reads, the others wait for it.  Who asks after auth_forget() never gets what was
 * read before it.
 */
#include "auth/auth_int.h"

#include <stdlib.h>

enum {
    BEFORE_US = 1000000,     /* requests at the same time may have looked at the clock a little earlier */
    KEPT_US = 60 * 1000000,  /* not known any more after that, should a notice of a change get lost */
    AGAIN_US = 45 * 1000000, /* read again from then on, so that nobody has to wait for it */
};

struct flight {
    struct flight *next;
    unsigned char digest[32];
    uint64_t epoch;
    int refs; /* who reads and who waits */
    bool landed;
    struct known *k; /* NULL: e says why */
    struct err e;
};

void flights_init(struct flights *f)
{
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->landed, NULL);
}

void flights_release(struct flights *f)
{
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->landed);
}

static struct known *read_rows(struct auth *au, const struct flight *f, struct str token, const struct token_claims *t,
                               uint64_t keys, struct err *e)
{
    const struct moment m = {f->epoch, keys, clock_wall_us(au->clock)};
    struct known *k = known_new(token);
    struct db_conn *c = NULL;
    int rc = -1;

    memcpy(k->digest, f->digest, sizeof k->digest);
    k->epoch = m.epoch;
    k->keys = keys;
    k->from_us = m.now_us - BEFORE_US;
    k->until_us = m.now_us + KEPT_US;
    k->again_us = m.now_us + AGAIN_US;
    atomic_init(&k->ask_us, k->again_us);
    if (t != NULL && t->expires_s < k->until_us / 1000000)
        k->until_us = t->expires_s * 1000000;
    if (db_get(au->db, &c, e) == 0)
        rc = t != NULL ? store_known_by_claims(c, t, k, e) : store_known_by_m2m(c, m.now_us, k, e);
    db_put(au->db, c);
    if (rc != 0) {
        known_unref(k);
        return NULL;
    }
    cache_add(&au->cache, k, &m);
    return k;
}

/* ---- below with the lock held ------------------------------------------------------------------------------- */

static struct flight *find(const struct flights *all, const unsigned char digest[32], uint64_t epoch)
{
    struct flight *f = all->first;

    while (f != NULL && (f->epoch != epoch || memcmp(f->digest, digest, sizeof f->digest) != 0))
        f = f->next;
    return f;
}

static struct flight *take_off(struct flights *all, const unsigned char digest[32], uint64_t epoch)
{
    struct flight *f = calloc(1, sizeof *f);

    if (f == NULL)
        abort();
    memcpy(f->digest, digest, sizeof f->digest);
    f->epoch = epoch;
    f->refs = 1;
    f->next = all->first;
    all->first = f;
    all->begun++;
    return f;
}

static void land(struct flights *all, struct flight *f)
{
    struct flight **at = &all->first;

    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    f->landed = true;
    pthread_cond_broadcast(&all->landed);
}

/* What came of it, counted; the last one to leave frees it. */
static struct known *leave(struct flight *f, struct err *e)
{
    struct known *k = f->k;

    if (k != NULL)
        atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
    else
        *e = f->e;
    if (--f->refs == 0) {
        known_unref(f->k);
        free(f);
    }
    return k;
}

/* ------------------------------------------------------------------------------------------------------------- */

struct known *known_read(struct auth *au, struct str token, const unsigned char digest[32], const struct token_claims *t,
                         uint64_t keys, bool wait, struct err *e)
{
    uint64_t epoch = atomic_load_explicit(&au->epoch, memory_order_acquire);
    struct flights *all = &au->flights;
    struct flight *f;
    struct known *k = NULL;

    pthread_mutex_lock(&all->lock);
    f = find(all, digest, epoch);
    if (f == NULL) {
        f = take_off(all, digest, epoch);
        pthread_mutex_unlock(&all->lock);
        f->k = read_rows(au, f, token, t, keys, &f->e);
        pthread_mutex_lock(&all->lock);
        land(all, f);
        k = leave(f, e);
    } else if (wait) {
        f->refs++;
        all->joined++;
        while (!f->landed)
            pthread_cond_wait(&all->landed, &all->lock);
        k = leave(f, e);
    }
    pthread_mutex_unlock(&all->lock);
    return k;
}

struct auth_counts auth_counts(struct auth *au)
{
    struct auth_counts out;

    pthread_mutex_lock(&au->flights.lock);
    out = (struct auth_counts){au->flights.begun, au->flights.joined};
    pthread_mutex_unlock(&au->flights.lock);
    return out;
}

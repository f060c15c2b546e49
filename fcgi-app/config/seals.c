/*
 * How often the keys have sealed: counted in memory, written each minute, since random nonces bound
 * it (migration.md 7.4).  Up to a minute of counting is lost with a process that is killed, which
 * the distance between 2^30, where a label gets a new key, and the law of 2^32 pays for.
 */
#include "config/config_int.h"

#include <pthread.h>
#include <stdlib.h>

enum { COUNTED_MAX = 64 }; /* different keys between two writings */

struct seals {
    pthread_mutex_t lock;
    size_t n;
    struct counted {
        uint32_t id;
        uint64_t times;
    } list[COUNTED_MAX];
};

struct seals *seals_new(void)
{
    struct seals *s = calloc(1, sizeof *s);

    if (s == NULL)
        abort();
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void seals_free(struct seals *s)
{
    if (s == NULL)
        return;
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static void add(struct seals *s, uint32_t id, uint64_t times)
{
    size_t i = 0;

    pthread_mutex_lock(&s->lock);
    while (i < s->n && s->list[i].id != id)
        i++;
    if (i == s->n && s->n < COUNTED_MAX)
        s->list[s->n++] = (struct counted){.id = id};
    if (i < s->n)
        s->list[i].times += times;
    pthread_mutex_unlock(&s->lock);
}

int seals_write(struct seals *s, struct db_conn *c, struct err *e)
{
    struct counted list[COUNTED_MAX];
    size_t n, written = 0;
    int rc = 0;

    pthread_mutex_lock(&s->lock);
    n = s->n;
    memcpy(list, s->list, n * sizeof list[0]);
    s->n = 0;
    pthread_mutex_unlock(&s->lock);
    while (written < n && (rc = cfg_key_count(c, list[written].id, list[written].times, e)) == 0)
        written++;
    for (; written < n; written++)
        add(s, list[written].id, list[written].times);
    return rc;
}

void cfg_key_used(const struct cfg_key *k)
{
    if (k->seals != NULL)
        add(k->seals, k->id, 1);
}

struct str cfg_seal_text(const struct cfg_key *k, struct str plain, const char *purpose,
                         struct str item, struct arena *a)
{
    cfg_key_used(k);
    return crypto_seal_text(crypto_seal(k->id, k->material.p, plain, purpose, item, a), a);
}

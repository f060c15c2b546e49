/*
 * The fair queue: a ring of users who wait, each with the list of his calls.
 */
#include "fair.h"

#include <pthread.h>
#include <stdlib.h>

enum { BUCKETS = 64 };

/* A user who holds or waits for a place. */
struct fair_user {
    int64_t id;
    int active, n_waiting;
    struct fair_ticket *first, *last;
    struct fair_user *chain;       /* of its bucket */
    struct fair_user *next, *prev; /* in the ring, while calls of his wait */
};

struct fair {
    pthread_mutex_t lock;
    int places, active, n_waiting, n_users;
    uint64_t waited, refused;
    struct fair_user *turn; /* in the ring: who is next; NULL: nobody waits */
    struct fair_user *spare;
    struct fair_user *buckets[BUCKETS];
};

struct fair *fair_new(void)
{
    struct fair *f = calloc(1, sizeof *f);

    if (f == NULL)
        abort();
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

void fair_free(struct fair *f)
{
    if (f == NULL)
        return;
    while (f->spare != NULL) {
        struct fair_user *u = f->spare;

        f->spare = u->chain;
        free(u);
    }
    for (size_t i = 0; i < BUCKETS; i++)
        free(f->buckets[i]);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

/* All but the last eighth. */
static int share(int places)
{
    return places - places / 8;
}

static struct fair_user **bucket(struct fair *f, int64_t id)
{
    return &f->buckets[((uint64_t)id * 0x9e3779b97f4a7c15u) >> 58];
}

static struct fair_user *user_of(struct fair *f, int64_t id)
{
    struct fair_user **at = bucket(f, id), *u;

    for (u = *at; u != NULL; u = u->chain)
        if (u->id == id)
            return u;
    u = f->spare;
    if (u != NULL)
        f->spare = u->chain;
    else if ((u = malloc(sizeof *u)) == NULL)
        abort();
    *u = (struct fair_user){.id = id, .chain = *at};
    *at = u;
    f->n_users++;
    return u;
}

static void forget_idle(struct fair *f, struct fair_user *u)
{
    struct fair_user **at = bucket(f, u->id);

    if (u->active > 0 || u->n_waiting > 0)
        return;
    while (*at != u)
        at = &(*at)->chain;
    *at = u->chain;
    u->chain = f->spare;
    f->spare = u;
    f->n_users--;
}

static void ring_add(struct fair *f, struct fair_user *u)
{
    if (f->turn == NULL) {
        f->turn = u->next = u->prev = u;
        return;
    }
    u->next = f->turn; /* behind everybody else */
    u->prev = f->turn->prev;
    u->prev->next = u;
    u->next->prev = u;
}

static void ring_remove(struct fair *f, struct fair_user *u)
{
    if (u->next == u)
        f->turn = NULL;
    else if (f->turn == u)
        f->turn = u->next;
    u->prev->next = u->next;
    u->next->prev = u->prev;
    u->next = u->prev = NULL;
}

static void unlink_ticket(struct fair *f, struct fair_ticket *t)
{
    struct fair_user *u = t->user;

    if (t->prev != NULL)
        t->prev->next = t->next;
    else
        u->first = t->next;
    if (t->next != NULL)
        t->next->prev = t->prev;
    else
        u->last = t->prev;
    t->next = t->prev = NULL;
    t->waiting = false;
    f->n_waiting--;
    if (--u->n_waiting == 0)
        ring_remove(f, u);
}

enum fair_rc fair_enter(struct fair *f, struct fair_ticket *t, int64_t user_id, int places)
{
    struct fair_user *u;
    enum fair_rc rc;

    pthread_mutex_lock(&f->lock);
    f->places = places < 1 ? 1 : places;
    u = user_of(f, user_id);
    if (f->active < f->places && u->active < share(f->places) && u->n_waiting == 0) {
        t->user = u;
        u->active++;
        f->active++;
        rc = FAIR_GRANTED;
    } else if (f->n_waiting >= f->places) {
        rc = FAIR_FULL;
    } else if (u->n_waiting >= (f->places + 3) / 4) {
        rc = FAIR_TOO_MANY;
    } else {
        t->user = u;
        t->waiting = true;
        t->next = NULL;
        t->prev = u->last;
        if (u->last != NULL)
            u->last->next = t;
        else
            u->first = t;
        u->last = t;
        if (u->n_waiting++ == 0)
            ring_add(f, u);
        f->n_waiting++;
        f->waited++;
        rc = FAIR_WAITING;
    }
    if (rc == FAIR_FULL || rc == FAIR_TOO_MANY) {
        f->refused++;
        forget_idle(f, u);
    }
    pthread_mutex_unlock(&f->lock);
    return rc;
}

/* The next who may have a place: in turn, but for users who hold their share already. */
static struct fair_ticket *choose(struct fair *f)
{
    struct fair_user *u = f->turn;

    if (u == NULL || f->active >= f->places)
        return NULL;
    do {
        if (u->active < share(f->places)) {
            struct fair_ticket *t = u->first;

            f->turn = u->next;
            unlink_ticket(f, t);
            u->active++;
            f->active++;
            return t;
        }
        u = u->next;
    } while (u != f->turn);
    return NULL;
}

void fair_leave(struct fair *f, struct fair_ticket *t)
{
    struct fair_user *u = t->user;
    struct fair_ticket *next = NULL;

    if (u == NULL)
        return;
    pthread_mutex_lock(&f->lock);
    t->user = NULL;
    u->active--;
    f->active--;
    next = choose(f);
    forget_idle(f, u);
    pthread_mutex_unlock(&f->lock);
    if (next != NULL)
        next->granted(next->arg);
}

bool fair_give_up(struct fair *f, struct fair_ticket *t)
{
    bool yes;

    pthread_mutex_lock(&f->lock);
    yes = t->waiting;
    if (yes) {
        struct fair_user *u = t->user;

        unlink_ticket(f, t);
        t->user = NULL;
        f->refused++;
        forget_idle(f, u);
    }
    pthread_mutex_unlock(&f->lock);
    return yes;
}

struct fair_stats fair_stats(struct fair *f)
{
    struct fair_stats s;

    pthread_mutex_lock(&f->lock);
    s = (struct fair_stats){f->active, f->n_waiting, f->n_users, f->waited, f->refused};
    pthread_mutex_unlock(&f->lock);
    return s;
}

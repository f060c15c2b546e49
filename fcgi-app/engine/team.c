/*
 * The workers of one instance: see team.h.
 */
#include "engine/team.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "engine/instance_int.h"

enum { MEMBERS = 8 };

struct team {
    struct team_opts o;
    sem_t turn;     /* any thread may give back what another one took */
    sem_t through;  /* a helper is through, and the first worker waits */
    atomic_int refs;

    /* under the turn */
    struct instance *top;
    unsigned flags;
    int size; /* members, those still to come included */
    bool over, halted, waits;
};

static void take(sem_t *s)
{
    while (sem_wait(s) != 0 && errno == EINTR)
        ;
}

static void unref(struct team *t)
{
    if (atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    sem_destroy(&t->turn);
    sem_destroy(&t->through);
    free(t);
}

struct team *team_begin(struct instance *top, const struct team_opts *o)
{
    struct team *t = calloc(1, sizeof *t);

    if (t == NULL || sem_init(&t->turn, 0, 0) != 0 || sem_init(&t->through, 0, 0) != 0)
        abort();
    t->o = *o;
    if (t->o.max <= 0)
        t->o.max = MEMBERS;
    atomic_init(&t->refs, 1);
    t->top = top;
    t->size = 1;
    top->team = t;
    return t;
}

void team_end(struct instance *top)
{
    struct team *t = top->team;

    if (t == NULL)
        return;
    t->over = true;
    while (top->n_running > 0)
        team_wait(t);
    top->team = NULL;
    sem_post(&t->turn); /* who comes late finds that it is over */
    unref(t);
}

/* A helper: works on the instance until there is nothing for it to do. */
static void help(void *arg)
{
    struct team *t = arg;

    take(&t->turn);
    while (!t->over && instance_run(t->top, t->flags | INSTANCE_HELPS) == INSTANCE_STORE)
        if (t->over || t->o.store(t->o.ctx) != 0)
            t->over = true;
    t->size--;
    if (t->waits)
        sem_post(&t->through);
    t->waits = false;
    sem_post(&t->turn);
    unref(t);
}

void team_call(struct team *t, unsigned flags)
{
    if (t->over || t->halted || t->size >= t->o.max)
        return;
    t->flags = flags;
    t->size++;
    atomic_fetch_add(&t->refs, 1);
    if (t->o.work(t->o.ctx, help, t) == 0)
        return;
    t->size--;
    unref(t);
}

void team_wait(struct team *t)
{
    t->waits = true;
    sem_post(&t->turn);
    take(&t->through);
    take(&t->turn);
}

void team_leave(struct team *t)
{
    sem_post(&t->turn);
}

void team_enter(struct team *t)
{
    take(&t->turn);
}

bool team_try(struct team *t)
{
    return sem_trywait(&t->turn) == 0;
}

bool team_shared(const struct team *t)
{
    return t->size > 1;
}

void team_halt(struct team *t, bool halt)
{
    t->halted = halt;
}

bool team_halted(const struct team *t)
{
    return t->halted;
}

bool team_over(const struct team *t)
{
    return t->over;
}

/*
 * Runs that were claimed a little before they are due, and start at their moment.
 *
 * What a claim takes, a commit, is over by then.  Nothing of the instance is read before, so that
 * what the outside leaves for it meanwhile is seen.  The thread here only waits: the one that claims
 * may be waiting for the database just then.
 */
#include "engine/engine_int.h"

#include "base/log.h"

/* The first one that is to start now, or NULL after waiting for a change; jobs_lock is held. */
static struct run *next(struct engine *en)
{
    struct run *r = en->held;
    int64_t at_us = r != NULL ? r->start_us : 0;

    if (r == NULL) {
        pthread_cond_wait(&en->hold_wake, &en->jobs_lock);
        return NULL;
    }
    if (at_us > clock_mono_us(en->clock) && !en->jobs_stop) {
        struct timespec until = {at_us / 1000000, at_us % 1000000 * 1000};

        pthread_cond_timedwait(&en->hold_wake, &en->jobs_lock, &until);
        return NULL;
    }
    en->held = r->q_next;
    en->n_held--;
    return r;
}

static void *hold_main(void *arg)
{
    struct engine *en = arg;

    pthread_mutex_lock(&en->jobs_lock);
    while (!en->jobs_stop || en->held != NULL) {
        struct run *r = next(en);

        if (r == NULL)
            continue;
        pthread_mutex_unlock(&en->jobs_lock);
        dispatch_add(r);
        pthread_mutex_lock(&en->jobs_lock);
    }
    pthread_mutex_unlock(&en->jobs_lock);
    return NULL;
}

void hold_add(struct run *r, int64_t at_us)
{
    struct engine *en = r->en;
    struct run **at = &en->held;

    r->start_us = at_us;
    pthread_mutex_lock(&en->jobs_lock);
    while (*at != NULL && (*at)->start_us <= at_us)
        at = &(*at)->q_next;
    r->q_next = *at;
    *at = r;
    en->n_held++;
    if (en->held == r)
        pthread_cond_signal(&en->hold_wake);
    pthread_mutex_unlock(&en->jobs_lock);
}

int hold_room(const struct engine *en)
{
    return en->hold_running ? HOLD_MAX - en->n_held : 0;
}

void hold_start(struct engine *en)
{
    en->hold_running = jobs_here(en) && pthread_create(&en->hold_thread, NULL, hold_main, en) == 0;
    if (jobs_here(en) && !en->hold_running)
        log_error("jobs.hold", "could not start a thread");
}

void hold_stop(struct engine *en)
{
    pthread_mutex_lock(&en->jobs_lock);
    pthread_cond_broadcast(&en->hold_wake);
    pthread_mutex_unlock(&en->jobs_lock);
    if (en->hold_running)
        pthread_join(en->hold_thread, NULL);
    en->hold_running = false;
}

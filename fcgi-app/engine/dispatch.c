/*
 * Which run of those this process holds goes next.
 *
 * Runs stand in line by workflow (lane); runners, a bounded number of workers, take turns between
 * the lanes, and one lane never has all of them: an instance of another workflow finds a runner
 * although ten thousand slow ones of the first are due.
 *
 * Beyond what runs, others may be held that are being stored or wait for a runner, as many as were
 * finished in the last tick: enough to keep runners and writer busy when runs are short, nothing
 * that another process could do meanwhile when they are long.
 */
#include "engine/engine_int.h"

enum { LEAD_MAX = 512 };

/* ---- lanes; jobs_lock is held --------------------------------------------------------------- */

/* Runners one lane may have at most. */
static int lane_max(const struct engine *en)
{
    int spare = en->o.max_runs / 4;

    return en->o.max_runs - (spare > 0 ? spare : en->o.max_runs > 1);
}

static struct lane *lane_of(struct engine *en, int64_t id)
{
    struct lane *l = en->lanes;

    while (l != NULL && l->id != id)
        l = l->next;
    if (l != NULL)
        return l;
    l = en->lanes_free;
    if (l != NULL)
        en->lanes_free = l->next;
    else
        l = arena_alloc(en->lanes_arena, sizeof *l);
    *l = (struct lane){.next = en->lanes, .id = id};
    en->lanes = l;
    return l;
}

/* Lanes of which nothing is held any more are kept for others. */
static void lanes_trim(struct engine *en)
{
    for (struct lane **at = &en->lanes; *at != NULL;) {
        struct lane *l = *at;

        if (l->n_waiting > 0 || l->n_running > 0) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        l->next = en->lanes_free;
        en->lanes_free = l;
    }
}

/* The lane whose turn it is: the one with fewest runners, then the one that waited longest. */
static struct lane *lane_next(struct engine *en)
{
    struct lane *best = NULL;

    for (struct lane *l = en->lanes; l != NULL; l = l->next) {
        if (l->n_waiting == 0 || l->n_running >= lane_max(en))
            continue;
        if (best == NULL || l->n_running < best->n_running ||
            (l->n_running == best->n_running && l->served < best->served))
            best = l;
    }
    return best;
}

static struct run *take(struct engine *en)
{
    struct lane *l = en->n_running < en->o.max_runs && en->n_waiting > 0 ? lane_next(en) : NULL;
    struct run *r;

    if (l == NULL)
        return NULL;
    r = l->first;
    l->first = r->q_next;
    l->n_waiting--;
    l->n_running++;
    l->served = ++en->n_turns;
    en->n_waiting--;
    en->n_running++;
    return r;
}

static void ended(struct engine *en, int64_t lane)
{
    struct lane *l = lane_of(en, lane);

    l->n_running--;
    en->n_running--;
    lanes_trim(en);
}

/* Back to the head of its line: no worker took it. */
static void put_back(struct engine *en, struct run *r)
{
    struct lane *l = lane_of(en, r->lane);

    r->q_next = l->first;
    if (l->first == NULL)
        l->last = r;
    l->first = r;
    l->n_waiting++;
    l->n_running--;
    en->n_waiting++;
    en->n_running--;
}

int dispatch_places(const struct engine *en)
{
    return en->o.max_runs + en->lead;
}

int dispatch_room(const struct engine *en)
{
    return dispatch_places(en) - (en->n_leased - en->n_held);
}

int dispatch_idle(struct engine *en)
{
    int busy = en->n_leased - en->n_held - en->n_waiting; /* they run, or are being stored */

    return en->n_waiting > 0 && lane_next(en) == NULL && busy < en->o.max_runs ? en->o.max_runs - busy : 0;
}

void dispatch_tick(struct engine *en)
{
    en->lead = en->n_finished < LEAD_MAX ? en->n_finished : LEAD_MAX;
    en->n_finished = 0;
}

struct str dispatch_full_lanes(const struct engine *en, struct arena *a)
{
    int most = lane_max(en) + en->lead / 2;
    struct buf b;

    buf_init(&b, 64 * KIB, a);
    buf_putc(&b, '{');
    for (const struct lane *l = en->lanes; l != NULL; l = l->next)
        if (l->n_waiting + l->n_running >= most)
            buf_addf(&b, "%s%lld", b.len > 1 ? "," : "", (long long)l->id);
    buf_putc(&b, '}');
    return buf_str(&b);
}

/* ---- runners -------------------------------------------------------------------------------- */

/* A worker goes on with the next run by itself: handing over costs more than many runs take. */
static void runner(void *arg)
{
    struct run *r = arg;
    struct engine *en = r->en;

    while (r != NULL) {
        int64_t lane = r->lane;

        run_one(r);
        pthread_mutex_lock(&en->jobs_lock);
        ended(en, lane);
        r = take(en);
        pthread_mutex_unlock(&en->jobs_lock);
    }
}

void dispatch_more(struct engine *en)
{
    for (;;) {
        struct run *r;

        pthread_mutex_lock(&en->jobs_lock);
        r = take(en);
        pthread_mutex_unlock(&en->jobs_lock);
        if (r == NULL)
            return;
        if (http_server_work(en->o.server, runner, r) == 0)
            continue;
        pthread_mutex_lock(&en->jobs_lock);
        put_back(en, r);
        pthread_mutex_unlock(&en->jobs_lock);
        return;
    }
}

void dispatch_add(struct run *r)
{
    struct engine *en = r->en;
    struct lane *l;

    pthread_mutex_lock(&en->jobs_lock);
    l = lane_of(en, r->lane);
    r->q_next = NULL;
    if (l->first == NULL)
        l->first = r;
    else
        l->last->q_next = r;
    l->last = r;
    l->n_waiting++;
    en->n_waiting++;
    pthread_mutex_unlock(&en->jobs_lock);
    dispatch_more(en);
}

void dispatch_new(struct run *r)
{
    r->lane = r->in->activity_id;
    lease_list(r);
    dispatch_add(r);
}

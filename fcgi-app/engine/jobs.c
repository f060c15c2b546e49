/*
 * Stored instances: claiming what is due.  dispatch.c says which of them runs next, drive.c runs it.
 *
 * Every process with -workflows does this; the rows of `jobs` decide who works on what.  The
 * claiming thread sleeps until shortly before the earliest due job it knows of is due: each claim
 * tells what is next, and whoever parks a run here says so.  What was claimed before its time starts
 * at its time (hold.c).  What other processes store is seen by the next look, or at
 * once when they had no room for it themselves: then they NOTIFY, in a transaction of its own and
 * seldom, never in the one that stores.
 *
 * Of several processes that wake up for the same job one gets it.  Who comes too late lets the
 * others go first from then on, by up to LAG_MAX_MS, until it wins again: one of them does the work,
 * and the next one is there when that one is full or gone.
 *
 * Rules: DESIGN 3 and 4; workflow-engine.md 4.3, 4.16.
 */
#include "engine/engine_int.h"

#include <errno.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "crypto/crypto.h"

enum {
    TICK_MS = 100,        /* how often callers who wait are looked at */
    GAP_US = 1000,        /* between two claims */
    AHEAD_MS = 150,       /* how long before they are due jobs are claimed: longer than a claim takes */
    AHEAD_GAP_US = 25000, /* between two claims of what is not due yet */
    LAG_MAX_MS = 50,      /* how much later than others a process looks */
    FREE_MS = 400,        /* how often leases of dead processes are looked for */
    TELL_MS = 25,         /* between two NOTIFYs */
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 1000,
    SUSPECT_MS = 500, /* another suspect is looked at after that */
};

/* ---- statements ----------------------------------------------------------------------------- */

/* Claims count until the instance is a suspect (ATTEMPTS_SUSPECT), then its starts do. */
#define CLAIM_UPDATE                                                                               \
    "got AS (UPDATE jobs j SET state = 'leased', lease_owner = $2, "                               \
    "lease_until = now() + $3::bigint * interval '1 ms', fence = j.fence + 1, "                    \
    "attempts = j.attempts + (j.attempts < $6)::int FROM due WHERE j.id = due.id "                 \
    "RETURNING j.id, j.ref_id, j.ref_on, j.fence, j.attempts, j.lane, j.kind, due.due_on) "
/* The last column is how long until it is due, in microseconds.  The last row holds no job but tells
 * that of the next one, null when there is none. */
#define CLAIM_UNTIL(due) "ceil(extract(epoch FROM " due " - now()) * 1000000)::bigint"
#define CLAIM_SELECT                                                                               \
    "SELECT id, ref_id, " DB_TS("ref_on") ", fence, attempts, lane, kind, " DB_TS(                 \
        "due_on") ", " CLAIM_UNTIL("due_on") " FROM got UNION ALL "                                \
                  "SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "                        \
                  "(SELECT " CLAIM_UNTIL("n.due_on") " FROM jobs n WHERE n.kind = 'instance' AND " \
                  "n.state = 'ready' AND n.due_on > now() AND NOT EXISTS (SELECT FROM due WHERE "  \
                  "due.id = n.id) ORDER BY n.due_on LIMIT 1)"
#define CLAIM_MASS                                                                                 \
    "SELECT m.id, m.due_on FROM (SELECT id, due_on FROM jobs WHERE kind = 'mass' AND "             \
    "state = 'ready' AND due_on <= now() ORDER BY due_on LIMIT 1 FOR UPDATE SKIP LOCKED) m"

/* What is due, and up to $4 of those that are within $5 ms. */
const struct db_stmt job_stmt_claim = {
    "job_claim",
    "WITH due AS MATERIALIZED (" CLAIM_MASS " UNION ALL "
    "SELECT r.id, r.due_on FROM (SELECT id, due_on FROM jobs WHERE kind = 'instance' AND "
    "state = 'ready' AND due_on <= now() ORDER BY due_on, id LIMIT $1 FOR UPDATE SKIP LOCKED) r "
    "UNION ALL SELECT h.id, h.due_on FROM (SELECT id, due_on FROM jobs WHERE kind = 'instance' AND "
    "state = 'ready' AND due_on > now() AND due_on <= now() + $5::bigint * interval '1 ms' "
    "ORDER BY due_on, id LIMIT $4 FOR UPDATE SKIP LOCKED) h), "
    CLAIM_UPDATE CLAIM_SELECT,
    6};

/* The same when more is due than there is room for: lanes in turn, beginning behind the one served
 * last ($4); full ones ($5) come when they have room again. */
const struct db_stmt job_stmt_claim_fair = {
    "job_claim_fair",
    "WITH RECURSIVE lanes AS ("
    "(SELECT lane, due_on FROM jobs WHERE kind = 'instance' AND state = 'ready' "
    "ORDER BY lane, due_on LIMIT 1) UNION ALL "
    "SELECT n.lane, n.due_on FROM lanes l CROSS JOIN LATERAL (SELECT lane, due_on FROM jobs "
    "WHERE kind = 'instance' AND state = 'ready' AND lane > l.lane ORDER BY lane, due_on LIMIT 1) "
    "n), "
    "open AS MATERIALIZED (SELECT lane, count(*) OVER () AS n FROM lanes "
    "WHERE due_on <= now() AND NOT lane = ANY ($5::bigint[]) "
    "ORDER BY lane <= $4, lane LIMIT $1), "
    "due AS MATERIALIZED (" CLAIM_MASS " UNION ALL "
    "SELECT g.id, g.due_on FROM (SELECT f.id, f.due_on FROM open o CROSS JOIN LATERAL (SELECT id, due_on FROM jobs "
    "WHERE kind = 'instance' AND state = 'ready' AND lane = o.lane AND due_on <= now() "
    "ORDER BY due_on, id LIMIT greatest(1, $1 / o.n) FOR UPDATE SKIP LOCKED) f "
    "LIMIT $1) g), " CLAIM_UPDATE CLAIM_SELECT,
    6};

const struct db_stmt job_stmt_notify = {"job_notify", "SELECT pg_notify('sluice', 'jobs')", 0};

/* ---- what is due ---------------------------------------------------------------------------- */

bool jobs_here(const struct engine *en)
{
    return en->o.run_jobs && en->o.server != NULL && !en->jobs_stop;
}

/* A quarter of the places is left to what comes from the table, half of them when something waits
 * there, so that a flood of starts does not keep out what is due. */
bool jobs_room(struct engine *en)
{
    bool room;

    pthread_mutex_lock(&en->jobs_lock);
    room = dispatch_room(en) > dispatch_places(en) / (en->backlog ? 2 : 4);
    en->backlog = en->backlog || !room;
    pthread_mutex_unlock(&en->jobs_lock);
    return room && jobs_here(en);
}

void jobs_due(struct engine *en, int64_t due_us)
{
    int64_t in_us = due_us - clock_wall_us(en->clock);
    int64_t at_us = clock_mono_us(en->clock) + (in_us > 0 ? in_us : 0);

    pthread_mutex_lock(&en->jobs_lock);
    if (!jobs_here(en) || en->backlog)
        en->tell_others = en->tell_others || in_us < (en->o.poll_ms + TICK_MS) * 1000;
    if (at_us < en->next_due_us) {
        en->next_due_us = at_us;
        pthread_cond_broadcast(&en->jobs_wake);
    }
    pthread_mutex_unlock(&en->jobs_lock);
}

static void look(struct engine *en, bool told)
{
    pthread_mutex_lock(&en->jobs_lock);
    en->jobs_asked = true;
    if (!told && (!jobs_here(en) || en->backlog))
        en->tell_others = true;
    pthread_cond_broadcast(&en->jobs_wake);
    pthread_mutex_unlock(&en->jobs_lock);
}

void engine_wake(struct engine *en)
{
    look(en, false);
}

void engine_heard(struct engine *en)
{
    look(en, true);
}

int64_t jobs_jitter(int64_t ms)
{
    unsigned char r[2];

    crypto_random(r, sizeof r);
    return ms / 2 + ms * (r[0] << 8 | r[1]) / (2 * 65536);
}

/* ---- claiming ------------------------------------------------------------------------------- */

/* One suspect at a time: whether this one has to wait. */
static bool too_many_suspects(struct engine *en, int attempts)
{
    bool yes;

    pthread_mutex_lock(&en->jobs_lock);
    yes = attempts >= ATTEMPTS_SUSPECT && en->n_suspects > 0;
    pthread_mutex_unlock(&en->jobs_lock);
    return yes;
}

/* How the claiming thread sees the world. */
struct claimer {
    struct engine *en;
    struct arena *a;
    int64_t claimed_us, freed_ms, prolonged_ms, told_ms; /* monotonic: when that was done last */
    int64_t sent_us;                                     /* the last claim, wall clock */
    int64_t skew_us; /* by which PostgreSQL's clock is ahead of ours */
    int64_t lag_us;
    int64_t backoff_ms, not_before_us; /* after a failure */
    int64_t lane;                      /* served last */
    bool full;                         /* the last claim left something behind */
    bool passed_over;                  /* it left out lanes that hold enough */
};

/* The clocks are taken to agree as far as the time between question and answer allows it. */
static void compare_clocks(struct claimer *cl, int64_t theirs_us)
{
    int64_t least = theirs_us - clock_wall_us(cl->en->clock), most = theirs_us - cl->sent_us;

    cl->skew_us = cl->skew_us < least ? least : cl->skew_us > most ? most : cl->skew_us;
}

/* True: it is due now. */
static bool start_claimed(struct claimer *cl, const struct cfg *cfg, const PGresult *res, int row)
{
    struct engine *en = cl->en;
    struct run *r = run_new(en, cfg);
    int64_t until_us = db_int(res, row, 8);

    r->job_id = db_int(res, row, 0);
    r->claimed_id = db_int(res, row, 1);
    r->claimed_us = db_time_us(res, row, 2);
    r->fence = db_int(res, row, 3);
    r->attempts = (int)db_int(res, row, 4);
    r->lane = db_int(res, row, 5);
    r->mass = str_eq_c(db_str(res, row, 6), "mass");
    r->claimed_due_us = db_time_us(res, row, 7);
    r->job_stored = true;
    if (too_many_suspects(en, r->attempts)) {
        lease_return(r, jobs_jitter(SUSPECT_MS));
        run_free(r);
        return until_us <= 0;
    }
    lease_list(r);
    FAULT_DIE("jobs", STR("claimed"));
    if (until_us <= 0) {
        dispatch_add(r);
        return true;
    }
    compare_clocks(cl, r->claimed_due_us - until_us);
    hold_add(r, clock_mono_us(en->clock) + r->claimed_due_us - cl->skew_us - clock_wall_us(en->clock));
    return false;
}

static int claim_query(struct claimer *cl, int room, int ahead, PGresult **res)
{
    struct engine *en = cl->en;
    struct db_conn *c = NULL;
    struct str full;
    struct err e;
    int rc;

    arena_reset(cl->a);
    pthread_mutex_lock(&en->jobs_lock);
    full = dispatch_full_lanes(en, cl->a);
    pthread_mutex_unlock(&en->jobs_lock);
    cl->passed_over = full.len > 2;
    rc = db_get(en->o.key_db, &c, &e);
    cl->sent_us = clock_wall_us(en->clock);
    if (rc == 0 && (cl->full || cl->passed_over))
        rc = db_query(c, &job_stmt_claim_fair,
                      DB_ARGS(DB_INT(room), DB_C(en->owner), DB_INT(en->o.lease_ms),
                              DB_INT(cl->lane), DB_STR(full), DB_INT(ATTEMPTS_SUSPECT)),
                      res, &e);
    else if (rc == 0)
        rc = db_query(c, &job_stmt_claim,
                      DB_ARGS(DB_INT(room), DB_C(en->owner), DB_INT(en->o.lease_ms),
                              DB_INT(ahead), DB_INT(AHEAD_MS), DB_INT(ATTEMPTS_SUSPECT)),
                      res, &e);
    db_put(en->o.key_db, c);
    if (rc != 0) /* a database that is away is reported by the pool */
        log_debug("jobs.claim", "error=" LOG_Q, e.msg);
    return rc;
}

static void claim_failed(struct claimer *cl)
{
    cl->backoff_ms = cl->backoff_ms == 0                    ? BACKOFF_FIRST_MS
                     : cl->backoff_ms * 2 < BACKOFF_MAX_MS ? cl->backoff_ms * 2
                                                            : BACKOFF_MAX_MS;
    cl->not_before_us = clock_mono_us(cl->en->clock) + jobs_jitter(cl->backoff_ms) * 1000;
}

/* Start what was claimed, now or later; the last row says when to look again.  Returns how many are
 * due. */
static int claim_take(struct claimer *cl, const PGresult *res)
{
    struct engine *en = cl->en;
    const struct cfg *cfg = cfg_get(en->o.cfg);
    int n = PQntuples(res) - 1, n_due = 0;

    for (int row = 0; row < n; row++) {
        n_due += start_claimed(cl, cfg, res, row);
        cl->lane = db_int(res, row, 5);
    }
    cfg_put(cfg);
    if (n >= 0 && !db_is_null(res, n, 8)) {
        int64_t at_us = clock_mono_us(en->clock) + db_int(res, n, 8);

        pthread_mutex_lock(&en->jobs_lock);
        en->next_due_us = at_us < en->next_due_us ? at_us : en->next_due_us;
        pthread_mutex_unlock(&en->jobs_lock);
    }
    return n_due;
}

/* Take what is due or will be soon, as much as there is room for. */
static void claim(struct claimer *cl, bool asked)
{
    struct engine *en = cl->en;
    PGresult *res = NULL;
    int room, ahead, n_due;

    cl->claimed_us = clock_mono_us(en->clock);
    pthread_mutex_lock(&en->jobs_lock);
    room = dispatch_room(en);
    if (room <= 0) /* the lanes that fill it are passed over (claim_query) */
        room = dispatch_idle(en);
    ahead = hold_room(en);
    en->backlog = room <= 0;
    en->next_due_us = INT64_MAX; /* what is parked from here on says so again */
    pthread_mutex_unlock(&en->jobs_lock);
    if (room <= 0)
        return;
    if (claim_query(cl, room, ahead, &res) != 0) {
        claim_failed(cl);
        PQclear(res);
        return;
    }
    cl->backoff_ms = cl->not_before_us = 0;
    n_due = claim_take(cl, res);
    cl->full = n_due > 0 && n_due >= room;
    if (PQntuples(res) > 1)
        cl->lag_us = 0;
    else if (!asked)
        cl->lag_us = cl->lag_us * 2 + 2000 < LAG_MAX_MS * 1000 ? cl->lag_us * 2 + 2000
                                                               : LAG_MAX_MS * 1000;
    PQclear(res);
    if (cl->full || cl->passed_over) { /* there may be more: as soon as there is room again */
        pthread_mutex_lock(&en->jobs_lock);
        en->backlog = true;
        en->jobs_asked = en->jobs_asked || (cl->full && dispatch_room(en) > 0);
        pthread_mutex_unlock(&en->jobs_lock);
    }
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* Until somebody asks, a job is due, or the next tick; whether to look for jobs now. */
static bool sleep_until_due(struct claimer *cl, bool *asked)
{
    struct engine *en = cl->en;
    int64_t tick_us = clock_mono_us(en->clock) + TICK_MS * 1000, now_us;
    bool due = false;

    pthread_mutex_lock(&en->jobs_lock);
    while (!en->jobs_stop) {
        int64_t first_us = cl->claimed_us + GAP_US, at_us = tick_us;
        struct timespec until;

        now_us = clock_mono_us(en->clock);
        if (cl->not_before_us > first_us)
            first_us = cl->not_before_us;
        if (jobs_here(en) && en->jobs_asked)
            at_us = first_us;
        else if (jobs_here(en) && en->next_due_us < INT64_MAX) {
            int64_t ahead_us = en->next_due_us - AHEAD_MS * 1000;

            if (ahead_us < cl->claimed_us + AHEAD_GAP_US)
                ahead_us = cl->claimed_us + AHEAD_GAP_US;
            at_us = (ahead_us < en->next_due_us ? ahead_us : en->next_due_us) + cl->lag_us;
            at_us = at_us > first_us ? at_us : first_us;
        }
        due = now_us >= at_us && at_us != tick_us;
        if (due || now_us >= tick_us)
            break;
        at_us = at_us < tick_us ? at_us : tick_us;
        until.tv_sec = at_us / 1000000;
        until.tv_nsec = at_us % 1000000 * 1000;
        pthread_cond_timedwait(&en->jobs_wake, &en->jobs_lock, &until);
    }
    *asked = en->jobs_asked && due;
    if (due)
        en->jobs_asked = false;
    pthread_mutex_unlock(&en->jobs_lock);
    return due;
}

/* Others may have room for what was stored here and cannot be run here. */
static void tell_others(struct claimer *cl, int64_t now_ms)
{
    bool tell;

    if (now_ms - cl->told_ms < TELL_MS)
        return;
    pthread_mutex_lock(&cl->en->jobs_lock);
    tell = cl->en->tell_others;
    cl->en->tell_others = false;
    pthread_mutex_unlock(&cl->en->jobs_lock);
    if (!tell)
        return;
    cl->told_ms = now_ms;
    exec_logged(cl->en, &job_stmt_notify, DB_NO_ARGS);
}

static void tick(struct claimer *cl, int64_t now_ms)
{
    struct engine *en = cl->en;

    watch_expire(en);
    leases_prolong(en, now_ms - cl->prolonged_ms >= en->o.lease_ms / 4);
    if (now_ms - cl->prolonged_ms >= en->o.lease_ms / 4)
        cl->prolonged_ms = now_ms;
    if (!jobs_here(en))
        return;
    pthread_mutex_lock(&en->jobs_lock);
    dispatch_tick(en);
    pthread_mutex_unlock(&en->jobs_lock);
    dispatch_more(en);
    if (now_ms - cl->freed_ms >= FREE_MS && cl->backoff_ms == 0) {
        cl->freed_ms = now_ms;
        if (leases_free(en))
            engine_heard(en);
    }
}

static void *jobs_main(void *arg)
{
    struct engine *en = arg;
    struct claimer cl = {.en = en, .a = arena_new(0), .prolonged_ms = clock_mono_ms(en->clock)};
    int64_t ticked_ms = 0;

    if (jobs_here(en)) { /* what others left, before anything else */
        (void)leases_free(en);
        engine_heard(en);
    }
    while (!en->jobs_stop) {
        bool asked = false, due = sleep_until_due(&cl, &asked);
        int64_t now_us = clock_mono_us(en->clock);

        if (now_us / 1000 - ticked_ms >= TICK_MS) {
            ticked_ms = now_us / 1000;
            tick(&cl, ticked_ms);
        }
        if (jobs_here(en) && now_us >= cl.not_before_us &&
            (due || now_us - cl.claimed_us >= en->o.poll_ms * 1000))
            claim(&cl, asked || !due);
        tell_others(&cl, now_us / 1000);
    }
    arena_free(cl.a);
    return NULL;
}

void jobs_start(struct engine *en)
{
    hold_start(en);
    if (pthread_create(&en->jobs_thread, NULL, jobs_main, en) == 0)
        en->jobs_running = true;
    else
        log_error("jobs.start", "could not start a thread");
}

void jobs_stop(struct engine *en)
{
    int64_t until = clock_mono_ms(en->clock) + 10000;
    int left;

    pthread_mutex_lock(&en->jobs_lock);
    en->jobs_stop = true;
    pthread_cond_broadcast(&en->jobs_wake);
    pthread_mutex_unlock(&en->jobs_lock);
    if (en->jobs_running)
        pthread_join(en->jobs_thread, NULL);
    en->jobs_running = false;
    hold_stop(en);
    do {
        pthread_mutex_lock(&en->jobs_lock);
        left = en->n_leased;
        pthread_mutex_unlock(&en->jobs_lock);
        if (left > 0)
            usleep(20 * 1000);
    } while (left > 0 && clock_mono_ms(en->clock) < until);
    if (left > 0)
        log_warn("jobs.stop", "running=%d their leases expire by themselves", left);
}

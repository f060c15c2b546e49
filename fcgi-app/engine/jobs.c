/*
 * Stored instances: claiming them under leases, keeping the leases alive, running them, giving them
 * back.
 *
 * Every process with -workflows does this; the rows of `jobs` decide who works on what.  A lease
 * that is not prolonged is taken over; the fence then refuses whatever the former owner still tries
 * to store.
 *
 * Rules: DESIGN 3 and 4; workflow-engine.md 4.3, 4.16.
 */
#include "engine/engine_int.h"

#include <errno.h>
#include <unistd.h>

#include "base/log.h"

enum {
    TICK_MS = 250,        /* how often callers who wait are looked at */
    ORPHANS_MS = 5000,    /* how often leases of dead neighbours are looked for */
    STORE_RETRY_MS = 500, /* the database is away: try again after */
    TAKE_MS = 5000,       /* how long an operation waits for the lease of an instance */
    ATTEMPTS_MAX = 5,     /* claims without progress before an instance is left alone */
};

/* ---- statements ----------------------------------------------------------------------------- */

const struct db_stmt job_stmt_claim = {
    "job_claim",
    "WITH due AS (SELECT id FROM jobs WHERE kind = 'instance' AND "
    "((state = 'ready' AND due_on <= now()) OR (state = 'leased' AND lease_until < now())) "
    "ORDER BY priority DESC, due_on, id LIMIT $1 FOR UPDATE SKIP LOCKED) "
    "UPDATE jobs j SET state = 'leased', lease_owner = $2, lease_until = now() + $3::bigint * "
    "interval '1 ms', "
    "fence = j.fence + 1, attempts = j.attempts + 1 FROM due WHERE j.id = due.id "
    "RETURNING j.id, j.ref_id, " DB_TS("j.ref_on") ", j.fence, j.attempts",
    3};

const struct db_stmt job_stmt_owners = {
    "job_owners",
    "SELECT DISTINCT lease_owner FROM jobs WHERE state = 'leased' AND lease_owner <> $1", 1};

const struct db_stmt job_stmt_orphan = {"job_orphan",
                                        "UPDATE jobs SET lease_until = now() WHERE state = "
                                        "'leased' AND lease_owner = $1 AND lease_until > now()",
                                        1};

const struct db_stmt job_stmt_prolong = {
    "job_prolong",
    "UPDATE jobs SET lease_until = now() + $3::bigint * interval '1 ms' "
    "WHERE id = ANY ($1::bigint[]) AND lease_owner = $2 AND state = 'leased'",
    3};

const struct db_stmt job_stmt_take = {
    "job_take",
    "INSERT INTO jobs (id, kind, ref_id, ref_on, state, lease_owner, lease_until, fence) "
    "VALUES ($1, 'instance', $2, $3, 'leased', $4, now() + $5::bigint * interval '1 ms', 1) "
    "ON CONFLICT (kind, ref_id) WHERE ref_id IS NOT NULL DO UPDATE SET state = 'leased', "
    "lease_owner = $4, "
    "lease_until = now() + $5::bigint * interval '1 ms', fence = jobs.fence + 1, attempts = 0 "
    "WHERE jobs.state <> 'leased' OR jobs.lease_until < now() RETURNING id, fence",
    5};

const struct db_stmt job_stmt_return = {
    "job_return",
    "UPDATE jobs SET state = 'ready', lease_owner = NULL, lease_until = NULL, due_on = now() + "
    "$3::bigint * interval '1 ms' "
    "WHERE id = $1 AND fence = $2",
    3};

const struct db_stmt job_stmt_fail = {
    "job_fail",
    "UPDATE jobs SET state = 'failed', lease_owner = NULL, lease_until = NULL, last_error = $3 "
    "WHERE id = $1 AND fence = $2",
    3};

/* ---- leases of this process ----------------------------------------------------------------- */

bool jobs_here(const struct engine *en)
{
    return en->o.run_jobs && en->o.server != NULL && !en->jobs_stop;
}

bool jobs_room(struct engine *en)
{
    bool room;

    pthread_mutex_lock(&en->jobs_lock);
    room = en->n_leased < en->o.max_runs;
    en->backlog = en->backlog || !room;
    pthread_mutex_unlock(&en->jobs_lock);
    return room && jobs_here(en);
}

void lease_list(struct run *r)
{
    struct engine *en = r->en;

    pthread_mutex_lock(&en->jobs_lock);
    r->l_prev = NULL;
    r->l_next = en->leased;
    if (en->leased != NULL)
        en->leased->l_prev = r;
    en->leased = r;
    en->n_leased++;
    r->listed = true;
    pthread_mutex_unlock(&en->jobs_lock);
}

void lease_drop(struct run *r)
{
    struct engine *en = r->en;

    if (!r->listed)
        return;
    pthread_mutex_lock(&en->jobs_lock);
    if (r->l_prev != NULL)
        r->l_prev->l_next = r->l_next;
    else
        en->leased = r->l_next;
    if (r->l_next != NULL)
        r->l_next->l_prev = r->l_prev;
    r->listed = false;
    en->n_leased--;
    if (en->backlog && en->n_leased <= en->o.max_runs / 2) {
        en->jobs_asked = true; /* more waits: claim several at once, not one for each that ends */
        pthread_cond_broadcast(&en->jobs_wake);
    }
    pthread_mutex_unlock(&en->jobs_lock);
}

static void exec_logged(struct engine *en, const struct db_stmt *s, const struct db_arg *args,
                        size_t n)
{
    struct db_conn *c = NULL;
    struct err e;

    if (db_get(en->o.db, &c, &e) != 0 || db_exec(c, s, args, n, NULL, &e) != 0)
        log_err(LOG_WARN_LEVEL, s->name, &e); /* the lease expires by itself */
    db_put(en->o.db, c);
}

/* Somebody else may have it, after a while. */
void lease_return(struct run *r, int64_t after_ms)
{
    exec_logged(r->en, &job_stmt_return,
                DB_ARGS(DB_INT(r->job_id), DB_INT(r->fence), DB_INT(after_ms)));
}

int lease_take(struct run *r, int64_t instance_id, int64_t created_us, struct err *e)
{
    struct engine *en = r->en;
    int64_t until = clock_mono_ms(en->clock) + TAKE_MS, id;
    PGresult *res = NULL;

    if (ids_next(en->o.ids, IDS_JOB, &id, e) != 0)
        return -1;
    for (;;) {
        struct db_conn *c = NULL;
        int rc;

        rc = db_get(en->o.db, &c, e);
        if (rc == 0)
            rc = db_query_in(c, &job_stmt_take,
                             DB_ARGS(DB_INT(id), DB_INT(instance_id), DB_TIME(created_us),
                                     DB_C(en->owner), DB_INT(en->o.lease_ms)),
                             &res, r->a, e);
        db_put(en->o.db, c);
        if (rc != 0)
            return -1;
        if (PQntuples(res) > 0)
            break;
        if (clock_mono_ms(en->clock) >= until) {
            err_set(e, ERR_BUSY, "transaction %lld is being worked on", (long long)instance_id);
            return -1;
        }
        usleep(50 * 1000);
    }
    r->job_id = db_int(res, 0, 0);
    r->fence = db_int(res, 0, 1);
    r->job_stored = true;
    lease_list(r);
    return 0;
}

/* ---- running -------------------------------------------------------------------------------- */

/* Store, waiting out a database that is away; anything else means that the instance is not ours any
 * more. */
int run_store(struct run *r, enum lease_end lease, struct err *e)
{
    for (;;) {
        if (store_collect(r, lease, e) == 0 && writer_store(r->en->o.writer, &r->item, e) == 0) {
            store_committed(r);
            if (lease == LEASE_KEEP && !r->listed)
                lease_list(r);
            return 0;
        }
        if (e->code == ERR_INVALID && strstr(e->detail, "22012") != NULL)
            err_set(e, ERR_CONFLICT,
                    "the lease of transaction %lld was lost: another process has it",
                    (long long)r->in->id);
        if ((e->code != ERR_DB && e->code != ERR_BUSY && e->code != ERR_TIMEOUT) || r->broken ||
            r->en->jobs_stop)
            return -1;
        usleep(STORE_RETRY_MS * 1000);
    }
}

static void fire_due_timers(struct instance *in)
{
    int64_t now = clock_wall_us(in->env.clock);

    if (in->status != INSTANCE_ACTIVE)
        return;
    for (struct timer_row *t = in->timers; t != NULL; t = t->next) {
        struct task *task;

        if (t->status != TIMER_WAIT || t->at_us > now)
            continue;
        t->status = TIMER_STOP;
        t->dirty = true;
        task = task_find(in, t->task_id);
        if (task != NULL)
            task_wake(in, task);
    }
    for (uint32_t i = 0; i < in->n_tasks; i++)
        if (in->tasks[i]->sub != NULL && in->tasks[i]->sub->inst != NULL)
            fire_due_timers(in->tasks[i]->sub->inst);
}

int run_drive(struct run *r, struct err *e)
{
    struct instance *in = r->in;
    unsigned flags = INSTANCE_MAY_BLOCK | (in->step_durable ? INSTANCE_STEPS : 0);

    fire_due_timers(in);
    while (run_go(r, flags) == INSTANCE_STORE)
        if (run_store(r, LEASE_KEEP, e) != 0)
            return -1;
    atomic_fetch_add_explicit(&r->en->n_runs, 1, memory_order_relaxed);
    return run_store(r, LEASE_RELEASE, e);
}

static void drive(void *arg)
{
    struct run *r = arg;
    struct err e;

    if (r->en->jobs_stop)
        lease_return(r, 0);
    else if (run_drive(r, &e) != 0)
        log_err(LOG_WARN_LEVEL, "run.lost", &e);
    lease_drop(r);
    run_free(r);
}

void lease_run(struct run *r)
{
    lease_list(r);
    if (http_server_work(r->en->o.server, drive, r) == 0)
        return;
    /* no worker free: whoever has one takes it from the table */
    lease_drop(r);
    lease_return(r, 0);
    run_free(r);
}

/* ---- claiming ------------------------------------------------------------------------------- */

struct claim {
    struct run *run;
    int64_t instance_id, created_us;
    int attempts;
};

static void run_claimed(void *arg)
{
    struct claim *cl = arg;
    struct run *r = cl->run;
    struct err e;

    if (r->en->jobs_stop) {
        lease_return(r, 0);
    } else if (run_load(r, cl->instance_id, cl->created_us, &e) != 0) {
        log_err(LOG_WARN_LEVEL, "run.not_loaded", &e);
        if (e.code == ERR_DB || (e.code == ERR_BUSY && cl->attempts < ATTEMPTS_MAX))
            lease_return(r, 1000);
        else
            exec_logged(r->en, &job_stmt_fail,
                        DB_ARGS(DB_INT(r->job_id), DB_INT(r->fence), DB_C(e.msg)));
    } else {
        r->in->attempt = cl->attempts;
        if (run_drive(r, &e) != 0)
            log_err(LOG_WARN_LEVEL, "run.lost", &e);
    }
    lease_drop(r);
    run_free(r);
}

static void start_claimed(struct engine *en, const struct cfg *cfg, const PGresult *res, int row)
{
    struct run *r = run_new(en, cfg);
    struct claim *cl = ARENA_NEW(r->a, struct claim);

    r->job_id = db_int(res, row, 0);
    r->fence = db_int(res, row, 3);
    r->job_stored = true;
    *cl = (struct claim){
        .run = r,
        .instance_id = db_int(res, row, 1),
        .created_us = db_time_us(res, row, 2),
        .attempts = (int)db_int(res, row, 4),
    };
    atomic_fetch_add_explicit(&en->n_claimed, 1, memory_order_relaxed);
    if (cl->attempts > 1)
        atomic_fetch_add_explicit(&en->n_taken_over, 1, memory_order_relaxed);
    lease_list(r);
    if (http_server_work(en->o.server, run_claimed, cl) == 0)
        return;
    lease_drop(r);
    lease_return(r, 1000);
    run_free(r);
}

/* Take what is due, as much as there is room for.  A database that is away is reported by the pool.
 */
static void claim(struct engine *en)
{
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    const struct cfg *cfg;
    int room, n = 0;
    struct err e;

    pthread_mutex_lock(&en->jobs_lock);
    room = en->o.max_runs - en->n_leased;
    en->backlog = room <= 0;
    pthread_mutex_unlock(&en->jobs_lock);
    if (room <= 0)
        return;
    if (db_get(en->o.db, &c, &e) == 0 &&
        db_query(c, &job_stmt_claim, DB_ARGS(DB_INT(room), DB_C(en->owner), DB_INT(en->o.lease_ms)),
                 &res, &e) == 0) {
        db_put(en->o.db, c);
        c = NULL;
        n = PQntuples(res);
        pthread_mutex_lock(&en->jobs_lock);
        en->backlog = en->backlog || n == room;
        pthread_mutex_unlock(&en->jobs_lock);
        cfg = cfg_get(en->o.cfg);
        for (int row = 0; row < n; row++)
            start_claimed(en, cfg, res, row);
        cfg_put(cfg);
    } else {
        log_debug("jobs.claim", "error=" LOG_Q, e.msg);
    }
    PQclear(res);
    db_put(en->o.db, c);
}

/* Leases of processes that died on this host need not run out. */
static void free_orphans(struct engine *en)
{
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    struct err e;

    if (db_get(en->o.db, &c, &e) == 0 &&
        db_query(c, &job_stmt_owners, DB_ARGS(DB_C(en->owner)), &res, &e) == 0)
        for (int row = 0; row < PQntuples(res); row++) {
            struct str owner = db_str(res, row, 0);

            if (!owner_gone(owner))
                continue;
            log_info("jobs.orphans", "owner=%.*s its instances are taken over", STR_ARG(owner));
            if (db_exec(c, &job_stmt_orphan, DB_ARGS(DB_STR(owner)), NULL, &e) != 0)
                break;
        }
    PQclear(res);
    db_put(en->o.db, c);
}

static void prolong(struct engine *en)
{
    struct arena *a = arena_new(0);
    struct buf ids;

    buf_init(&ids, 1 * MIB, a);
    buf_putc(&ids, '{');
    pthread_mutex_lock(&en->jobs_lock);
    for (const struct run *r = en->leased; r != NULL; r = r->l_next)
        buf_addf(&ids, "%s%lld", ids.len > 1 ? "," : "", (long long)r->job_id);
    pthread_mutex_unlock(&en->jobs_lock);
    buf_putc(&ids, '}');
    if (ids.len > 2)
        exec_logged(en, &job_stmt_prolong,
                    DB_ARGS(DB_STR(buf_str(&ids)), DB_C(en->owner), DB_INT(en->o.lease_ms)));
    arena_free(a);
}

/* Sleep until the next tick, or until somebody asks. */
static bool sleep_tick(struct engine *en)
{
    struct timespec until;
    bool asked;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&en->jobs_lock);
    if (!en->jobs_asked && !en->jobs_stop)
        pthread_cond_timedwait(&en->jobs_wake, &en->jobs_lock, &until);
    asked = en->jobs_asked;
    en->jobs_asked = false;
    pthread_mutex_unlock(&en->jobs_lock);
    return asked;
}

static void *jobs_main(void *arg)
{
    struct engine *en = arg;
    int64_t claimed_ms = 0, orphans_ms = 0, prolonged_ms = clock_mono_ms(en->clock);

    while (!en->jobs_stop) {
        bool asked = sleep_tick(en);
        int64_t now = clock_mono_ms(en->clock);

        watch_expire(en);
        if (now - prolonged_ms >= en->o.lease_ms / 4) {
            prolong(en);
            prolonged_ms = now;
        }
        if (jobs_here(en) && now - orphans_ms >= ORPHANS_MS) {
            orphans_ms = now;
            free_orphans(en);
        }
        if (jobs_here(en) && (asked || now - claimed_ms >= en->o.poll_ms)) {
            claimed_ms = now;
            claim(en);
        }
    }
    return NULL;
}

void jobs_start(struct engine *en)
{
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

void engine_wake(struct engine *en)
{
    pthread_mutex_lock(&en->jobs_lock);
    en->jobs_asked = true;
    pthread_cond_broadcast(&en->jobs_wake);
    pthread_mutex_unlock(&en->jobs_lock);
}

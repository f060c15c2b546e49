/*
 * A stored run, from where it is to its next park: with a worker while its nodes run, with the
 * writer while what they did is committed.
 *
 * No worker waits for a commit: the run stands in line again when it is through.  So there may be
 * as many commits on their way as this process holds runs, and one flush of PostgreSQL's log serves
 * them all.  Exceptions keep their worker (run_store): a run whose other workers wait for its turn,
 * for these might be all there are; an operation of a person; and a database that is away.
 *
 * Rules: DESIGN 3 and 4; workflow-engine.md 4.3, 4.16.
 */
#include "engine/engine_int.h"

#include <unistd.h>

#include "base/log.h"

enum {
    STORE_RETRY_MS = 100, /* the database is away: try again after */
    RETURN_MAX_MS = 60000,
};

/* ---- statements ----------------------------------------------------------------------------- */

const struct db_stmt run_stmt_stored = {
    "run_stored",
    "SELECT EXISTS (SELECT FROM tasks WHERE instance_id = $1 AND instance_on = $2 AND id = $3 AND "
    "updated_on = $4 AND status = $5)",
    5};

/* ---- storing -------------------------------------------------------------------------------- */

/* After the commit. */
static void is_stored(struct run *r, enum lease_end lease)
{
    store_committed(r, lease);
    r->progress = true;
    r->unsure = false;
    if (lease == LEASE_KEEP && !r->listed)
        lease_list(r);
    else if (lease == LEASE_RELEASE && r->due_us != 0)
        jobs_due(r->en, r->due_us);
}

/*
 * A store that was refused, after one that got no answer: was that one committed?  When the rows
 * exist already it was, for ids are given once, and the fence, which is looked at first, is still
 * ours.  When the fence is not, it may have been the last one of the run, and that is all we ask.
 */
static bool was_stored(const struct run *r, enum lease_end lease, const struct err *e)
{
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    bool there = false;
    struct err why;

    if (!r->unsure || e->code == ERR_DB || r->mark.task_id == 0 ||
        (e->code != ERR_CONFLICT && lease == LEASE_KEEP))
        return false;
    if (db_get(r->en->o.key_db, &c, &why) == 0 &&
        db_query(c, &run_stmt_stored,
                 DB_ARGS(DB_INT(r->mark.instance_id), DB_TIME(r->mark.instance_us),
                         DB_INT(r->mark.task_id), DB_TIME(r->mark.updated_us),
                         DB_C(r->mark.status)),
                 &res, &why) == 0)
        there = db_bool(res, 0, 0);
    PQclear(res);
    db_put(r->en->o.key_db, c);
    return there;
}

/* Whether a store that failed is worth another attempt; if not, the instance is not ours any more. */
static bool may_store_later(struct run *r, struct err *e)
{
    r->unsure = r->unsure || e->code == ERR_DB;
    if (e->code == ERR_INVALID && strstr(e->detail, "22012") != NULL)
        err_set(e, ERR_CONFLICT, "the lease of transaction %lld was lost: another process has it",
                (long long)r->in->id);
    return (e->code == ERR_DB || e->code == ERR_BUSY || e->code == ERR_TIMEOUT) && !r->broken &&
           !r->en->jobs_stop;
}

int run_store(struct run *r, enum lease_end lease, struct err *e)
{
    while (store_collect(r, lease, e) != 0 || writer_store(r->en->o.writer, &r->item, e) != 0) {
        if (was_stored(r, lease, e)) {
            r->item.told = true; /* who knows */
            break;
        }
        if (!may_store_later(r, e))
            return -1;
        usleep(STORE_RETRY_MS * 1000);
    }
    is_stored(r, lease);
    return 0;
}

/* ---- to the next park ----------------------------------------------------------------------- */

/* Due is what was due by PostgreSQL's clock when the run was claimed, or is by ours. */
static void fire_due_timers(struct instance *in, int64_t now_us)
{
    if (in->status != INSTANCE_ACTIVE)
        return;
    for (struct timer_row *t = in->timers; t != NULL; t = t->next) {
        struct task *task;

        if (t->status != TIMER_WAIT || t->at_us > now_us)
            continue;
        t->status = TIMER_STOP;
        t->dirty = true;
        task = task_find(in, t->task_id);
        if (task != NULL)
            task_wake(in, task);
    }
    for (uint32_t i = 0; i < in->n_tasks; i++)
        if (in->tasks[i]->sub != NULL && in->tasks[i]->sub->inst != NULL)
            fire_due_timers(in->tasks[i]->sub->inst, now_us);
}

static int64_t due_until(const struct run *r)
{
    int64_t now_us = clock_wall_us(r->en->clock);

    return now_us > r->claimed_due_us ? now_us : r->claimed_due_us;
}

static unsigned flags_of(const struct run *r)
{
    unsigned flags = INSTANCE_MAY_BLOCK | (r->in->step_durable ? INSTANCE_STEPS : 0);

    if (r->attempts >= ATTEMPTS_SUSPECT) /* so that it is known where it dies */
        flags |= INSTANCE_STEPS | INSTANCE_CAREFUL;
    return flags;
}

int run_drive(struct run *r, struct err *e)
{
    fire_due_timers(r->in, due_until(r));
    while (run_go(r, flags_of(r)) == INSTANCE_STORE)
        if (run_store(r, LEASE_KEEP, e) != 0)
            return -1;
    return run_store(r, LEASE_RELEASE, e);
}

/* ---- the same without a worker in between ---------------------------------------------------- */

static void finish(struct run *r)
{
    lease_drop(r);
    run_free(r);
}

static void lost(struct run *r, const struct err *e)
{
    log_err(LOG_WARN_LEVEL, "run.lost", e);
    finish(r);
}

/* On the writer's thread, or where it did not take the run. */
static void through(void *arg, const struct err *failed)
{
    struct run *r = arg;
    struct err e;

    if (failed != NULL) {
        e = *failed;
        if (!may_store_later(r, &e)) {
            lost(r, &e);
            return;
        }
        r->stage = RUN_UNSTORED;
    } else {
        is_stored(r, r->lease);
        if (r->lease == LEASE_RELEASE) {
            finish(r);
            return;
        }
        r->stage = RUN_STORED;
    }
    dispatch_add(r);
}

static void store_soon(struct run *r, enum lease_end lease)
{
    struct err e;

    r->lease = lease;
    if (store_collect(r, lease, &e) == 0) {
        r->item.done = through;
        r->item.arg = r;
        if (writer_submit(r->en->o.writer, &r->item, &e) == 0)
            return;
    }
    through(r, &e);
}

static void go_on(struct run *r)
{
    struct err e;

    while (run_go(r, flags_of(r)) == INSTANCE_STORE) {
        if (!team_shared(r->in->team)) {
            store_soon(r, LEASE_KEEP);
            return;
        }
        if (run_store(r, LEASE_KEEP, &e) != 0) {
            lost(r, &e);
            return;
        }
    }
    store_soon(r, LEASE_RELEASE);
}

/* The database was away when the run was to be stored. */
static void store_again(struct run *r)
{
    struct err e;

    if (run_store(r, r->lease, &e) != 0)
        lost(r, &e);
    else if (r->lease == LEASE_RELEASE)
        finish(r);
    else
        go_on(r);
}

/* ---- claimed runs --------------------------------------------------------------------------- */

static int64_t return_after(int attempts)
{
    int64_t ms = 500;

    for (int i = 0; i < attempts && ms < RETURN_MAX_MS; i++)
        ms *= 2;
    return jobs_jitter(ms < RETURN_MAX_MS ? ms : RETURN_MAX_MS);
}

/* Claimed once too often: its tasks are blocked, and whoever looks at it sees why. */
static void block_poison(struct run *r)
{
    struct err e;

    if (poison_block(r->in, r->attempts - 1, due_until(r)) == 0) {
        err_set(&e, ERR_INTERNAL, "the process running this transaction died %d times in a row",
                r->attempts - 1);
        lease_fail(r, &e);
        lost(r, &e);
        return;
    }
    log_warn("run.poison", "instance=%lld attempts=%d left alone until a person replays it",
             (long long)r->in->id, r->attempts - 1);
    store_soon(r, LEASE_RELEASE);
}

/* The starts of a suspect count, not its claims: a process that is killed takes many with it that it
 * never came to. */
static int count_start(struct run *r, struct err *e)
{
    struct db_conn *c = NULL;
    int rc;

    if (r->attempts < ATTEMPTS_SUSPECT || r->attempts > ATTEMPTS_MAX)
        return 0;
    rc = db_get(r->en->o.key_db, &c, e);
    if (rc == 0)
        rc = db_exec(c, &job_stmt_start, DB_ARGS(DB_INT(r->job_id), DB_INT(r->fence)), NULL, e);
    db_put(r->en->o.key_db, c);
    return rc;
}

static void run_claimed(struct run *r)
{
    struct err e;

    if (count_start(r, &e) != 0 || run_load(r, r->claimed_id, r->claimed_us, &e) != 0) {
        log_err(LOG_WARN_LEVEL, "run.not_loaded", &e);
        if (e.code == ERR_DB || (e.code == ERR_BUSY && r->attempts < ATTEMPTS_MAX))
            lease_return(r, return_after(r->attempts));
        else
            lease_fail(r, &e);
        finish(r);
        return;
    }
    r->in->attempt = r->attempts;
    if (r->attempts > ATTEMPTS_MAX) {
        block_poison(r);
        return;
    }
    fire_due_timers(r->in, due_until(r));
    go_on(r);
}

static void run_mass(struct run *r)
{
    struct err e;

    if (count_start(r, &e) == 0)
        mass_run(r);
    else
        lease_return(r, return_after(r->attempts));
    finish(r);
}

void run_one(struct run *r)
{
    if (r->stage == RUN_UNSTORED) {
        store_again(r);
    } else if (r->en->jobs_stop) { /* all that is known of it stands in the table */
        lease_return(r, 0);
        finish(r);
    } else if (r->mass) {
        run_mass(r);
    } else if (r->in == NULL) {
        run_claimed(r);
    } else {
        if (r->stage == RUN_NEW)
            fire_due_timers(r->in, due_until(r));
        go_on(r);
    }
}

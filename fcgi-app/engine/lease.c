/*
 * Leases: which instances this process may run, and for how long.
 *
 * A lease that is not prolonged is taken over; the fence then refuses whatever the former owner
 * still tries to store.
 *
 * Rules: DESIGN 3 and 4; workflow-engine.md 4.15.
 */
#include "engine/engine_int.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

enum {
    TAKE_MS = 5000,  /* how long an operation waits for the lease of an instance */
    TAKE_PAUSE_MS = 20,
};

/* ---- statements ----------------------------------------------------------------------------- */

const struct db_stmt job_stmt_owners = {
    "job_owners",
    "SELECT DISTINCT lease_owner FROM jobs WHERE state = 'leased' AND lease_owner <> $1", 1};

const struct db_stmt job_stmt_orphan = {
    "job_orphan",
    "UPDATE jobs SET state = 'ready', due_on = now(), lease_owner = NULL, lease_until = NULL "
    "WHERE id IN (SELECT id FROM jobs WHERE state = 'leased' AND lease_owner = $1 FOR UPDATE SKIP LOCKED)",
    1};

/*
 * The claiming thread waits for no row: none of these statements does, for somebody may hold one for long, and every other lease
 * of this process would run out meanwhile.  What is held is looked at again soon.
 *
 * The fence stays: until somebody else claims the job, its owner may still come back to it.
 *
 * A lease that ends later than any can was given before PostgreSQL's clock was set back.  It is cut to the common length: an
 * owner who lives prolongs it, one who does not is not waited for until that time comes again.
 */
const struct db_stmt job_stmt_expire = {
    "job_expire",
    "WITH cut AS (UPDATE jobs SET lease_until = now() + $1::bigint * interval '1 ms' WHERE id IN (SELECT id FROM jobs "
    "WHERE state = 'leased' AND lease_until > now() + 2 * $1::bigint * interval '1 ms' FOR UPDATE SKIP LOCKED)) "
    "UPDATE jobs SET state = 'ready', due_on = now(), lease_owner = NULL, lease_until = NULL "
    "WHERE id IN (SELECT id FROM jobs WHERE state = 'leased' AND lease_until < now() FOR UPDATE SKIP LOCKED)",
    1};

const struct db_stmt job_stmt_prolong = {
    "job_prolong",
    "UPDATE jobs j SET lease_until = now() + $3::bigint * interval '1 ms' FROM (SELECT id FROM "
    "jobs WHERE id = ANY ($1::bigint[]) AND lease_owner = $2 AND state = 'leased' FOR UPDATE SKIP LOCKED) mine "
    "WHERE j.id = mine.id RETURNING j.id",
    3};

const struct db_stmt job_stmt_take = {
    "job_take",
    "INSERT INTO jobs (id, kind, ref_id, ref_on, state, lease_owner, lease_until, fence, lane) "
    "VALUES ($1, 'instance', $2, $3, 'leased', $4, now() + $5::bigint * interval '1 ms', 1, "
    "coalesce((SELECT activity_id FROM instances WHERE id = $2 AND created_on = $3), 0)) "
    "ON CONFLICT (kind, ref_id) WHERE ref_id IS NOT NULL DO UPDATE SET state = 'leased', "
    "lease_owner = $4, "
    "lease_until = now() + $5::bigint * interval '1 ms', fence = jobs.fence + 1, attempts = 0, "
    "last_error = NULL "
    "WHERE jobs.state <> 'leased' OR jobs.lease_until < now() RETURNING id, fence",
    5};

const struct db_stmt job_stmt_return = {
    "job_return",
    "UPDATE jobs SET state = 'ready', lease_owner = NULL, lease_until = NULL, due_on = now() + "
    "$3::bigint * interval '1 ms' "
    "WHERE id = $1 AND fence = $2",
    3};

const struct db_stmt job_stmt_start = {
    "job_start", "UPDATE jobs SET attempts = attempts + 1 WHERE id = $1 AND fence = $2", 2};

const struct db_stmt job_stmt_fail = {
    "job_fail",
    "WITH j AS (UPDATE jobs SET state = 'failed', lease_owner = NULL, lease_until = NULL, "
    "last_error = $3 WHERE id = $1 AND fence = $2 AND kind = 'instance' RETURNING ref_id, ref_on), "
    "i AS (UPDATE instances SET cnt_tasks_in_error = greatest(cnt_tasks_in_error, 1), "
    "updated_on = now() FROM j WHERE instances.id = j.ref_id AND instances.created_on = j.ref_on) "
    "INSERT INTO errors (id, instance_id, instance_on, cell_id, output, description, created_on) "
    "SELECT $4, ref_id, ref_on, '', 'cannot be run', $3, now() FROM j",
    4};

/* ---- those of this process ------------------------------------------------------------------ */

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
    en->n_suspects += r->attempts >= ATTEMPTS_SUSPECT;
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
    en->n_finished++;
    en->n_suspects -= r->attempts >= ATTEMPTS_SUSPECT;
    if (en->backlog && dispatch_room(en) >= dispatch_places(en) / 4) {
        en->jobs_asked = true; /* more waits: claim several at once, not one for each that ends */
        pthread_cond_broadcast(&en->jobs_wake);
    }
    pthread_mutex_unlock(&en->jobs_lock);
}

void exec_logged(struct engine *en, const struct db_stmt *s, const struct db_arg *args, size_t n)
{
    struct db_conn *c = NULL;
    struct err e;

    if (db_get(en->o.key_db, &c, &e) != 0 || db_exec(c, s, args, n, NULL, &e) != 0)
        log_err(LOG_WARN_LEVEL, s->name, &e); /* the lease expires by itself */
    db_put(en->o.key_db, c);
}

void lease_return(struct run *r, int64_t after_ms)
{
    exec_logged(r->en, &job_stmt_return,
                DB_ARGS(DB_INT(r->job_id), DB_INT(r->fence), DB_INT(after_ms)));
}

void lease_fail(struct run *r, const struct err *why)
{
    struct err e;
    int64_t id;

    if (ids_next(r->en->o.ids, IDS_ERROR, &id, &e) != 0) {
        lease_return(r, 1000);
        return;
    }
    exec_logged(r->en, &job_stmt_fail,
                DB_ARGS(DB_INT(r->job_id), DB_INT(r->fence), DB_C(why->msg), DB_INT(id)));
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

        rc = db_get(en->o.key_db, &c, e);
        if (rc == 0)
            rc = db_query_in(c, &job_stmt_take,
                             DB_ARGS(DB_INT(id), DB_INT(instance_id), DB_TIME(created_us),
                                     DB_C(en->owner), DB_INT(en->o.lease_ms)),
                             &res, r->a, e);
        db_put(en->o.key_db, c);
        if (rc != 0)
            return -1;
        if (PQntuples(res) > 0)
            break;
        if (clock_mono_ms(en->clock) >= until) {
            err_set(e, ERR_BUSY, "transaction %lld is being worked on", (long long)instance_id);
            return -1;
        }
        usleep(TAKE_PAUSE_MS * 1000);
    }
    r->job_id = db_int(res, 0, 0);
    r->fence = db_int(res, 0, 1);
    r->job_stored = true;
    lease_list(r);
    return 0;
}

/* ---- all of them ---------------------------------------------------------------------------- */

static struct str list_ids(struct engine *en, bool all, struct arena *a)
{
    struct buf ids;

    buf_init(&ids, 1 * MIB, a);
    buf_putc(&ids, '{');
    pthread_mutex_lock(&en->jobs_lock);
    for (struct run *r = en->leased; r != NULL; r = r->l_next) {
        r->behind = r->behind || all;
        if (r->behind)
            buf_addf(&ids, "%s%lld", ids.len > 1 ? "," : "", (long long)r->job_id);
    }
    pthread_mutex_unlock(&en->jobs_lock);
    buf_putc(&ids, '}');
    return buf_str(&ids);
}

static int by_id(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

    return (a > b) - (a < b);
}

/* res NULL: the database is away, all of them wait for the next round. */
static void not_behind(struct engine *en, const PGresult *res, struct arena *a)
{
    size_t n = (size_t)PQntuples(res); /* takes NULL */
    int64_t *ids = ARENA_ARRAY(a, int64_t, n + 1);

    for (size_t i = 0; i < n; i++)
        ids[i] = db_int(res, (int)i, 0);
    qsort(ids, n, sizeof *ids, by_id);
    pthread_mutex_lock(&en->jobs_lock);
    for (struct run *r = en->leased; r != NULL; r = r->l_next)
        r->behind = r->behind && res != NULL && bsearch(&r->job_id, ids, n, sizeof *ids, by_id) == NULL;
    pthread_mutex_unlock(&en->jobs_lock);
}

void leases_prolong(struct engine *en, bool all)
{
    struct arena *a = arena_new(0);
    struct str ids = list_ids(en, all, a);
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    struct err e;

    if (ids.len > 2) {
        if (db_get(en->o.key_db, &c, &e) != 0 ||
            db_query(c, &job_stmt_prolong, DB_ARGS(DB_STR(ids), DB_C(en->owner), DB_INT(en->o.lease_ms)), &res, &e) != 0)
            log_err(LOG_WARN_LEVEL, job_stmt_prolong.name, &e); /* the leases expire by themselves */
        not_behind(en, res, a);
        PQclear(res);
        db_put(en->o.key_db, c);
    }
    arena_free(a);
}

bool leases_free(struct engine *en)
{
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    int64_t n = 0;
    bool freed = false;
    struct err e;

    if (db_get(en->o.key_db, &c, &e) != 0)
        return false;
    if (db_query(c, &job_stmt_owners, DB_ARGS(DB_C(en->owner)), &res, &e) == 0)
        for (int row = 0; row < PQntuples(res); row++) {
            struct str owner = db_str(res, row, 0);

            if (!owner_gone(owner))
                continue;
            log_info("jobs.orphans", "owner=%.*s its instances are taken over", STR_ARG(owner));
            if (db_exec(c, &job_stmt_orphan, DB_ARGS(DB_STR(owner)), NULL, &e) != 0)
                break;
            freed = true;
        }
    PQclear(res);
    if (db_exec(c, &job_stmt_expire, DB_ARGS(DB_INT(en->o.lease_ms)), &n, &e) == 0 && n > 0) {
        log_info("jobs.expired", "leases=%lld", (long long)n);
        freed = true;
    }
    db_put(en->o.key_db, c);
    return freed;
}

/*
 * Operations on many instances: one after the other, not faster than asked for, each with a result.
 *
 * The operation is a row with a job, the instances are rows below it: a process that dies leaves the
 * rest to the next one.  What was in its hand then is tried again; an operation that took place
 * already answers so ("no task is in error").
 *
 * Rules: workflow-engine.md 4.15.
 */
#include "engine/engine_int.h"

#include <unistd.h>

#include "base/json.h"
#include "base/log.h"

enum {
    PER_SECOND = 20,
    PER_SECOND_MAX = 1000,
    CHUNK = 100,       /* items read at a time */
    RETRY_MS = 2000,   /* the database is away: somebody tries again after */
    SLEEP_MAX_MS = 50, /* at a time, so that a stop is not held up */
};

/* ---- statements ----------------------------------------------------------------------------- */

/* Operations of a month ago go with the next one that begins. */
const struct db_stmt mass_stmt_insert = {
    "mass_insert",
    "WITH old AS (DELETE FROM mass_operations WHERE status <> 'ACTIVE' AND "
    "created_on < now() - interval '30 days') "
    "INSERT INTO mass_operations (act, params, per_second, user_id, username) "
    "VALUES ($1, $2, $3, $4, $5) RETURNING id",
    5};

const struct db_stmt mass_stmt_job = {
    "mass_job",
    "WITH o AS (UPDATE mass_operations SET total = (SELECT count(*) FROM mass_items "
    "WHERE operation_id = $2) WHERE id = $2 RETURNING id, created_on) "
    "INSERT INTO jobs (id, kind, ref_id, ref_on, lane) SELECT $1, 'mass', id, created_on, -1 FROM o",
    2};

const struct db_stmt mass_stmt_head = {
    "mass_head",
    "SELECT act, params, per_second, coalesce(user_id, 0), username FROM mass_operations "
    "WHERE id = $1 AND status = 'ACTIVE'",
    1};

/* Nothing when the operation was cancelled meanwhile. */
const struct db_stmt mass_stmt_items = {
    "mass_items",
    "SELECT i.instance_id FROM mass_items i JOIN mass_operations o ON o.id = i.operation_id "
    "WHERE i.operation_id = $1 AND i.status = 'WAIT' AND o.status = 'ACTIVE' "
    "ORDER BY i.instance_id LIMIT $2",
    2};

/* Touches nothing when the job is somebody else's by now.  The count of owners that died begins
 * again. */
const struct db_stmt mass_stmt_result = {
    "mass_result",
    "WITH j AS (UPDATE jobs SET attempts = 1 WHERE id = $5 AND fence = $6 AND attempts > 1) "
    "UPDATE mass_items SET status = $3, message = $4, updated_on = now() "
    "WHERE operation_id = $1 AND instance_id = $2 AND status = 'WAIT' "
    "AND EXISTS (SELECT FROM jobs WHERE id = $5 AND fence = $6)",
    6};

const struct db_stmt mass_stmt_end = {
    "mass_end",
    "WITH j AS (DELETE FROM jobs WHERE id = $2 AND fence = $3 RETURNING ref_id) "
    "UPDATE mass_operations o SET status = 'DONE', closed_on = now() FROM j "
    "WHERE o.id = j.ref_id AND o.id = $1 AND o.status = 'ACTIVE'",
    3};

/* ---- beginning ------------------------------------------------------------------------------ */

static int check(const struct engine_mass *m, struct err *e)
{
    static const char *const acts[] = {"replay", "skip", "rollback", "close", "reopen", "context"};

    for (size_t i = 0; i < COUNT_OF(acts); i++) {
        if (!str_eq_c(m->act, acts[i]))
            continue;
        if (i != 5 || (val_get_text(m->params, "key", STR_NONE).len > 0 &&
                       !val_is_undef(val_get(m->params, "value"))))
            return 0;
        err_set(e, ERR_INVALID, "operation \"context\" needs \"key\" and \"value\"");
        return -1;
    }
    err_set(e, ERR_INVALID,
            "operation: expected replay, skip, rollback, close, reopen or context, got \"%.*s\"",
            STR_ARG(str_slice(m->act, 0, 100)));
    return -1;
}

int engine_mass_new(struct db_conn *c, const struct engine_mass *m, int64_t *id, struct err *e)
{
    struct arena *a = arena_new(0);
    int per_second = m->per_second != 0 ? m->per_second : PER_SECOND;
    PGresult *res = NULL;
    int rc = check(m, e);

    if (rc == 0 && (per_second < 1 || per_second > PER_SECOND_MAX)) {
        err_set(e, ERR_INVALID, "per_second: expected 1 to %d", PER_SECOND_MAX);
        rc = -1;
    }
    if (rc == 0)
        rc = db_query_in(
            c, &mass_stmt_insert,
            DB_ARGS(DB_STR(m->act),
                    DB_STR(val_is_undef(m->params) ? STR("{}") : json_text(m->params, a)),
                    DB_INT(per_second), m->who != NULL ? DB_INT(m->who->id) : DB_NULL,
                    DB_STR(m->who != NULL ? m->who->username : STR("system"))),
            &res, a, e);
    if (rc == 0)
        *id = db_int(res, 0, 0);
    arena_free(a);
    return rc;
}

int engine_mass_start(struct engine *en, struct db_conn *c, int64_t id, struct err *e)
{
    int64_t job;

    if (ids_next(en->o.ids, IDS_JOB, &job, e) != 0)
        return -1;
    return db_exec(c, &mass_stmt_job, DB_ARGS(DB_INT(job), DB_INT(id)), NULL, e);
}

/* ---- going on ------------------------------------------------------------------------------- */

struct mass {
    struct run *r;
    int64_t id;
    struct str act;
    struct val params;
    int64_t per_second;
    int64_t next_us; /* monotonic */
    int deaths;      /* of those who were at the first item before */
    struct principal who;
};

static int read_head(struct mass *m, struct db_conn *c, bool *open, struct err *e)
{
    struct arena *a = m->r->a;
    PGresult *res = NULL;

    if (db_query_in(c, &mass_stmt_head, DB_ARGS(DB_INT(m->id)), &res, a, e) != 0)
        return -1;
    *open = PQntuples(res) > 0;
    if (!*open)
        return 0;
    m->act = db_str(res, 0, 0);
    m->per_second = db_int(res, 0, 2);
    m->who.id = db_int(res, 0, 3);
    m->who.username = db_str(res, 0, 4);
    return json_parse(db_str(res, 0, 1), &m->params, a, e);
}

static int act(const struct mass *m, int64_t instance_id, struct err *e)
{
    struct engine *en = m->r->en;

    if (str_eq_c(m->act, "close"))
        return engine_set_status(en, instance_id, STR("CLOSED_IN_ERROR"), &m->who, e);
    if (str_eq_c(m->act, "reopen"))
        return engine_set_status(en, instance_id, STR("ACTIVE"), &m->who, e);
    if (str_eq_c(m->act, "context"))
        return engine_set_context(en, instance_id, val_get_text(m->params, "key", STR_NONE),
                                  val_get(m->params, "value"), &m->who, e);
    return engine_errors_act(en, instance_id,
                             str_eq_c(m->act, "skip")       ? ENGINE_SKIP
                             : str_eq_c(m->act, "rollback") ? ENGINE_ROLLBACK
                                                            : ENGINE_REPLAY,
                             &m->who, e);
}

/* Not faster than asked for; false when the process is to stop. */
static bool throttle(struct mass *m)
{
    struct engine *en = m->r->en;
    int64_t now_us = clock_mono_us(en->clock);

    while (now_us < m->next_us && !en->jobs_stop) {
        int64_t left_ms = (m->next_us - now_us) / 1000 + 1;

        usleep((useconds_t)(left_ms < SLEEP_MAX_MS ? left_ms : SLEEP_MAX_MS) * 1000);
        now_us = clock_mono_us(en->clock);
    }
    m->next_us = now_us + 1000000 / m->per_second;
    return !en->jobs_stop;
}

static int store_result(const struct mass *m, int64_t instance_id, const struct err *failed,
                        bool *ours, struct err *e)
{
    struct db_conn *c = NULL;
    int64_t n = 0;
    int rc = db_get(m->r->en->o.db, &c, e);

    if (rc == 0)
        rc = db_exec(c, &mass_stmt_result,
                     DB_ARGS(DB_INT(m->id), DB_INT(instance_id), DB_C(failed ? "ERROR" : "OK"),
                             failed != NULL ? DB_C(failed->msg) : DB_NULL, DB_INT(m->r->job_id),
                             DB_INT(m->r->fence)),
                     &n, e);
    db_put(m->r->en->o.db, c);
    *ours = n > 0;
    return rc;
}

/* The next instances, those of a second at most, so that a cancellation is seen; *n = 0: nothing is
 * left to do. */
static int chunk(const struct mass *m, int64_t *ids, int *n, struct err *e)
{
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    int rc = db_get(m->r->en->o.db, &c, e);

    if (rc == 0)
        rc = db_query(c, &mass_stmt_items, DB_ARGS(DB_INT(m->id), DB_INT(m->per_second < CHUNK ? m->per_second : CHUNK)),
                      &res, e);
    *n = 0;
    for (; rc == 0 && *n < PQntuples(res); (*n)++)
        ids[*n] = db_int(res, *n, 0);
    PQclear(res);
    db_put(m->r->en->o.db, c);
    return rc;
}

/* Every process that went on with this one has died: it is left alone. */
static bool is_poison(struct mass *m, struct err *e)
{
    int deaths = m->deaths;

    m->deaths = 0;
    if (deaths < ATTEMPTS_MAX)
        return false;
    err_set(e, ERR_INTERNAL, "the process at work on it died %d times in a row", deaths);
    return true;
}

/* 1: all is done; 0: not ours any more, or the process stops; -1: the database is away. */
static int go(struct mass *m, struct err *e)
{
    int64_t ids[CHUNK];
    int n;

    while (chunk(m, ids, &n, e) == 0) {
        if (n == 0)
            return 1;
        for (int i = 0; i < n; i++) {
            struct err failed;
            bool ours, ok;

            if (!throttle(m))
                return 0;
            ok = !is_poison(m, &failed) && act(m, ids[i], &failed) == 0;
            if (!ok && failed.code == ERR_DB) {
                *e = failed;
                return -1;
            }
            if (store_result(m, ids[i], ok ? NULL : &failed, &ours, e) != 0)
                return -1;
            if (!ours)
                return 0;
        }
    }
    return -1;
}

void mass_run(struct run *r)
{
    struct mass m = {.r = r, .id = r->claimed_id, .deaths = r->attempts - 1, .params = val_undef(NULL)};
    struct engine *en = r->en;
    struct db_conn *c = NULL;
    bool open = false;
    struct err e = {0};
    int rc;

    rc = db_get(en->o.db, &c, &e);
    if (rc == 0)
        rc = read_head(&m, c, &open, &e);
    db_put(en->o.db, c);
    if (rc == 0)
        rc = open ? go(&m, &e) : 1;
    if (rc < 0)
        log_err(LOG_WARN_LEVEL, "mass.interrupted", &e);
    if (rc > 0)
        exec_logged(en, &mass_stmt_end, DB_ARGS(DB_INT(m.id), DB_INT(r->job_id), DB_INT(r->fence)));
    else
        lease_return(r, rc < 0 ? RETRY_MS : 0);
}

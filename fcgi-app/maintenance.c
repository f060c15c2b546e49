/*
 * Upkeep of the history: partitions of the coming months, and the nightly clean-up.
 */
#include "maintenance.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "db/locks.h"

static const struct db_stmt stmt_prepare = {"maintenance_prepare", "SELECT history_prepare()", 0};

static const struct db_stmt stmt_lock = {
    "maintenance_lock",
    "SELECT pg_try_advisory_xact_lock(" DB_LOCK_MAINTENANCE ")",
    0,
};

static const struct db_stmt stmt_local_hour = {
    "maintenance_local_hour",
    "SELECT extract(hour FROM now() AT TIME ZONE $1)::int, to_char(now() AT TIME ZONE $1, 'YYYYMMDD')::int",
    1,
};

static const struct db_stmt stmt_months = {
    "maintenance_months",
    "SELECT history_months(now() - make_interval(months => $1::int))",
    1,
};

static const struct db_stmt stmt_remove = {
    "maintenance_remove",
    "SELECT history_remove($1::date, $2)",
    2,
};

/* Batches, so that no lock is held long and a restart loses little. */
static const struct db_stmt stmt_remove_gets = {
    "maintenance_remove_gets",
    "WITH old AS (SELECT id, created_on FROM requests WHERE created_on < now() - make_interval(months => $1::int) "
    "AND method = 'get' AND instance_id IS NULL LIMIT 10000) "
    "DELETE FROM requests r USING old WHERE r.id = old.id AND r.created_on = old.created_on",
    1,
};

static const struct db_stmt stmt_remove_scheduled = {
    "maintenance_remove_scheduled",
    "WITH old AS (SELECT id, created_on FROM instances WHERE created_on < now() - make_interval(months => $1::int) "
    "AND kind = 'schedule' AND status <> 'ACTIVE' LIMIT 1000), "
    "t AS (DELETE FROM tasks x USING old WHERE x.instance_id = old.id AND x.instance_on = old.created_on), "
    "tr AS (DELETE FROM traces x USING old WHERE x.instance_id = old.id AND x.instance_on = old.created_on), "
    "er AS (DELETE FROM errors x USING old WHERE x.instance_id = old.id AND x.instance_on = old.created_on), "
    "cx AS (DELETE FROM contexts x USING old WHERE x.instance_id = old.id AND x.instance_on = old.created_on), "
    "lo AS (DELETE FROM instance_logs x USING old WHERE x.instance_id = old.id AND x.instance_on = old.created_on) "
    "DELETE FROM instances i USING old WHERE i.id = old.id AND i.created_on = old.created_on",
    1,
};

static const struct db_stmt stmt_remove_tokens = {
    "maintenance_remove_tokens",
    "DELETE FROM refresh_tokens WHERE expires_on < now() - interval '1 day'",
    0,
};

static const struct db_stmt stmt_remove_links = {
    "maintenance_remove_links",
    "DELETE FROM one_time_tokens WHERE expires_on < now() - interval '7 days'",
    0,
};

/* Call-backs nobody fetched. */
static const struct db_stmt stmt_remove_callbacks = {
    "maintenance_remove_callbacks",
    "DELETE FROM external_callbacks WHERE instance_id IS NULL AND expires_on < now() - interval '7 days'",
    0,
};

static const struct db_stmt *const all[] = {&stmt_prepare, &stmt_lock,        &stmt_local_hour,       &stmt_months,
                                            &stmt_remove,  &stmt_remove_gets, &stmt_remove_scheduled, &stmt_remove_tokens,
                                            &stmt_remove_links, &stmt_remove_callbacks};
const struct db_stmts maintenance_stmts = {"maintenance", all, COUNT_OF(all)};

enum {
    NIGHT_HOUR = 3,
    ROUND_S = 60,
    PREPARE_EVERY = 60, /* rounds */
    BATCHES_MAX = 1000,
};

struct maintenance {
    struct db *db;
    struct cfg_store *cfg;
    struct usage *usage;
    bool cleanup;
    bool stop;
    int64_t done_day; /* local date of the last clean-up */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
};

/* Months the history is kept, 0 = for ever; older documents call it monthKept. */
static int64_t months(const struct cfg *cfg)
{
    int64_t now = cfg_int(cfg, "retention.default");

    return now > 0 ? now : val_get_int(val_path(cfg->doc, "retention"), "monthKept", 0);
}

/*
 * One statement of the clean-up in a transaction of its own, since what it locks keeps requests waiting.  *res NULL: another
 * process is at it.
 */
static int take_turn(struct db_conn *c, const struct db_stmt *s, const struct db_arg *args, size_t n_args, PGresult **res,
                     struct arena *a, struct err *e)
{
    PGresult *ours = NULL;

    *res = NULL;
    if (db_begin(c, e) != 0 || db_query_in(c, &stmt_lock, DB_NO_ARGS, &ours, a, e) != 0)
        return -1;
    if (!db_bool(ours, 0, 0)) {
        db_rollback(c);
        return 0;
    }
    if (db_query_in(c, s, args, n_args, res, a, e) != 0) {
        db_rollback(c);
        return -1;
    }
    return db_commit(c, e);
}

static int remove_months(struct db_conn *c, const struct cfg *cfg, int64_t keep, struct arena *a, struct err *e)
{
    bool keep_active = cfg_bool(cfg, "retention.exclude_active");
    PGresult *list = NULL, *res = NULL;

    if (keep <= 0)
        return 0;
    if (db_query_in(c, &stmt_months, DB_ARGS(DB_INT(keep)), &list, a, e) != 0)
        return -1;
    for (int i = 0; i < PQntuples(list); i++) {
        if (take_turn(c, &stmt_remove, DB_ARGS(DB_STR(db_str(list, i, 0)), DB_BOOL(keep_active)), &res, a, e) != 0)
            return -1;
        if (res != NULL)
            log_info("cleanup.month", "month=%.*s rows=%lld", STR_ARG(db_str(list, i, 0)), (long long)db_int(res, 0, 0));
    }
    return 0;
}

static int remove_batches(struct db_conn *c, const struct db_stmt *s, int64_t keep, struct arena *a, struct err *e)
{
    PGresult *res = NULL;

    if (keep <= 0)
        return 0;
    for (int i = 0; i < BATCHES_MAX; i++) {
        if (take_turn(c, s, DB_ARGS(DB_INT(keep)), &res, a, e) != 0)
            return -1;
        if (res == NULL || strcmp(PQcmdTuples(res), "0") == 0)
            break;
    }
    return 0;
}

static int clean(struct db_conn *c, const struct cfg *cfg, struct arena *a, struct err *e)
{
    PGresult *res = NULL;

    return remove_months(c, cfg, months(cfg), a, e) != 0 ||
                   remove_batches(c, &stmt_remove_gets, cfg_int(cfg, "retention.get_requests"), a, e) != 0 ||
                   remove_batches(c, &stmt_remove_scheduled, cfg_int(cfg, "retention.scheduled_jobs"), a, e) != 0 ||
                   take_turn(c, &stmt_remove_tokens, DB_NO_ARGS, &res, a, e) != 0 ||
                   take_turn(c, &stmt_remove_links, DB_NO_ARGS, &res, a, e) != 0 ||
                   take_turn(c, &stmt_remove_callbacks, DB_NO_ARGS, &res, a, e) != 0
               ? -1
               : 0;
}

int maintenance_run(struct db *db, const struct cfg *cfg, bool cleanup, struct err *e)
{
    struct arena *a = arena_new(0);
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    int rc = -1;

    if (db_get(db, &c, e) != 0 || db_query_in(c, &stmt_prepare, DB_NO_ARGS, &res, a, e) != 0)
        goto out;
    rc = cleanup ? clean(c, cfg, a, e) : 0;
out:
    db_put(db, c);
    arena_free(a);
    return rc;
}

/* Is it night in the platform's zone, and today's clean-up still to be done?  The day, or 0. */
static int64_t due_day(struct maintenance *m, const struct cfg *cfg)
{
    struct str zone = cfg->timezone.len > 0 ? cfg->timezone : STR("UTC");
    struct arena *a = arena_new(0);
    struct db_conn *c = NULL;
    PGresult *res = NULL;
    struct err e = {0};
    int64_t day = 0;

    if (db_get(m->db, &c, &e) == 0 && db_query_in(c, &stmt_local_hour, DB_ARGS(DB_STR(zone)), &res, a, &e) == 0 &&
        db_int(res, 0, 0) == NIGHT_HOUR && db_int(res, 0, 1) != m->done_day)
        day = db_int(res, 0, 1);
    db_put(m->db, c);
    arena_free(a);
    return day;
}

/* What could not be done, as somebody used a table, is tried again: at night in a minute. */
static void upkeep(struct maintenance *m, const struct cfg *cfg, unsigned round)
{
    int64_t night = m->cleanup ? due_day(m, cfg) : 0;
    struct err e = {0};

    if (night == 0 && round % PREPARE_EVERY != 0)
        return;
    if (maintenance_run(m->db, cfg, night != 0, &e) != 0)
        log_err(LOG_WARN_LEVEL, "maintenance.failed", &e);
    else if (night != 0)
        m->done_day = night;
}

static void work(struct maintenance *m, unsigned round)
{
    const struct cfg *cfg = cfg_get(m->cfg);
    struct err e = {0};

    if (cfg_store_poll(m->cfg, &e) != 0) /* table `keys` has no trigger */
        log_err(LOG_WARN_LEVEL, "config.rejected", &e);
    upkeep(m, cfg, round);
    if (usage_flush(m->usage, m->db, &e) != 0)
        log_err(LOG_DEBUG_LEVEL, "usage.later", &e);
    if (cfg_store_count_seals(m->cfg, &e) != 0)
        log_err(LOG_DEBUG_LEVEL, "seals.later", &e);
    cfg_put(cfg);
}

static void *maintenance_main(void *arg)
{
    struct maintenance *m = arg;
    struct timespec until;

    pthread_mutex_lock(&m->lock);
    for (unsigned round = 0; !m->stop; round++) {
        pthread_mutex_unlock(&m->lock);
        work(m, round);
        pthread_mutex_lock(&m->lock);
        until = clock_in_ms(ROUND_S * 1000);
        while (!m->stop && pthread_cond_timedwait(&m->wake, &m->lock, &until) != ETIMEDOUT)
            ;
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

struct maintenance *maintenance_new(struct db *db, struct cfg_store *cfg, struct usage *usage, bool cleanup)
{
    struct maintenance *m = calloc(1, sizeof *m);

    if (m == NULL)
        abort();
    m->db = db;
    m->cfg = cfg;
    m->usage = usage;
    m->cleanup = cleanup;
    pthread_mutex_init(&m->lock, NULL);
    clock_cond_init(&m->wake);
    if (pthread_create(&m->thread, NULL, maintenance_main, m) != 0)
        abort();
    return m;
}

void maintenance_free(struct maintenance *m)
{
    if (m == NULL)
        return;
    pthread_mutex_lock(&m->lock);
    m->stop = true;
    pthread_cond_broadcast(&m->wake);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    pthread_cond_destroy(&m->wake);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/*
 * The migrator's connection: running SQL so that a stop can cancel it, pausing, and saying what it
 * waits for.
 */
#include "db/migrate_int.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "db/locks.h"

enum { STOP_POLL_MS = 100 };

int migrator_goal(const struct migrator *m)
{
    return m->o->to > 0 ? m->o->to : migrate_last(m->list);
}

bool migrator_stopped(const struct migrator *m)
{
    return m->o->stop != NULL && *m->o->stop;
}

/* Sleep; false when we are to stop. */
bool migrator_pause(const struct migrator *m, int64_t ms)
{
    int64_t until = clock_mono_ms(&clock_system) + ms;

    while (!migrator_stopped(m)) {
        int64_t left = until - clock_mono_ms(&clock_system);

        if (left <= 0)
            return true;
        (void)poll(NULL, 0, (int)(left < STOP_POLL_MS ? left : STOP_POLL_MS));
    }
    return false;
}

enum rc migrator_stop(struct err *e)
{
    err_set(e, ERR_BUSY, "stopped while starting");
    return RC_FAIL;
}

/* Tell health and, once per cause, the log. */
void migrator_say(struct migrator *m, const char *why, int schema)
{
    if (strcmp(m->said, why) != 0) {
        log_warn("migrate.wait", "why=" LOG_Q, why);
        snprintf(m->said, sizeof m->said, "%s", why);
    }
    if (m->o->progress != NULL)
        m->o->progress(m->o->arg, why, schema, migrate_last(m->list));
}

/* After a stop, `patience_ms` later: ask the server to give up.  True: it was asked. */
static bool cancel_in_time(const struct migrator *m, int64_t patience_ms, int64_t *stopped_ms)
{
    int64_t now = clock_mono_ms(&clock_system);
    PGcancel *c;
    char text[64];

    if (!migrator_stopped(m))
        return false;
    *stopped_ms = *stopped_ms == 0 ? now : *stopped_ms;
    if (now - *stopped_ms < patience_ms)
        return false;
    c = PQgetCancel(m->pg);
    (void)PQcancel(c, text, sizeof text);
    PQfreeCancel(c);
    return true;
}

PGresult *migrator_run_patiently(const struct migrator *m, const char *sql, int64_t patience_ms,
                                 int *n_done)
{
    PGresult *kept = NULL, *r;
    int64_t stopped_ms = 0;
    bool cancelled = false;

    *n_done = 0;
    if (PQsendQuery(m->pg, sql) != 1)
        return NULL;
    for (;;) {
        struct pollfd p = {PQsocket(m->pg), POLLIN, 0};

        while (PQisBusy(m->pg) == 1) {
            if (poll(&p, 1, STOP_POLL_MS) > 0 && PQconsumeInput(m->pg) != 1)
                return kept;
            cancelled = cancelled || cancel_in_time(m, patience_ms, &stopped_ms);
        }
        r = PQgetResult(m->pg);
        if (r == NULL)
            return kept;
        if (kept != NULL && PQresultStatus(kept) == PGRES_FATAL_ERROR) {
            PQclear(r);
            continue;
        }
        *n_done += migrator_good(r) ? 1 : 0;
        PQclear(kept);
        kept = r;
    }
}

PGresult *migrator_run(const struct migrator *m, const char *sql)
{
    int n_done;

    return migrator_run_patiently(m, sql, 0, &n_done);
}

bool migrator_good(const PGresult *r)
{
    return PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK;
}

bool migrator_command(const struct migrator *m, const char *sql)
{
    PGresult *r = migrator_run(m, sql);
    bool ok = migrator_good(r);

    PQclear(r);
    return ok;
}

const char *migrator_state(const PGresult *r)
{
    const char *s = r != NULL ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;

    return s != NULL ? s : "";
}

/* First row of a SELECT of one text column, in the run's arena; NULL without. */
const char *migrator_text(const struct migrator *m, const char *sql)
{
    PGresult *r = migrator_run(m, sql);
    const char *text = NULL;

    if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) > 0 && !db_is_null(r, 0, 0))
        text = arena_strdup(m->a, PQgetvalue(r, 0, 0));
    PQclear(r);
    return text;
}

/* ---- who is in the way -------------------------------------------------------------------- */

/* Who has used a table of ours for longest: the likely reason why a lock was not granted. */
const char *migrator_table_holder(const struct migrator *m)
{
    return migrator_text(
        m, "SELECT format('%s (held by pid %s, %s, %s)', l.relation::regclass, a.pid, "
           "a.application_name, "
           "date_trunc('second', now() - a.xact_start)) "
           "FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
           "JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p') "
           "WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid() "
           "AND c.relnamespace = to_regnamespace(quote_ident(current_schema())) "
           "ORDER BY a.xact_start LIMIT 1");
}

const char *migrator_lock_holder(const struct migrator *m)
{
    return migrator_text(
        m, "SELECT format('%s, %s, pid %s', coalesce(host(a.client_addr), 'this host'), "
           "a.application_name, a.pid) FROM pg_catalog.pg_locks l "
           "JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' "
           "AND (l.classid, l.objid) = (" DB_LOCK_MIGRATE ") AND l.objsubid = 2 AND l.granted "
           "AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = "
           "current_database()) "
           "LIMIT 1");
}

/*
 * One migration: in a transaction of its own, or, for the few statements PostgreSQL refuses there,
 * outside of one.
 *
 * A file with the line "-- transaction: no" holds exactly one statement that may be repeated, such
 * as CREATE INDEX CONCURRENTLY IF NOT EXISTS; "-- index: NAME" names the index that a crash may
 * have left half-made.
 */
#include "db/migrate_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "db/locks.h"

/* Who waits for a table keeps those who come later waiting: so long at first, doubled after so many attempts so many times. */
enum { PATIENCE_MS = 60, PATIENCE_ATTEMPTS = 4, PATIENCE_DOUBLED = 3 };

static const char versions_table_sql[] =
    "CREATE TABLE IF NOT EXISTS schema_versions ("
    "version integer PRIMARY KEY, name text NOT NULL, sha256 bytea NOT NULL, "
    "state text NOT NULL CHECK (state IN ('running', 'done', 'failed')), additive boolean NOT NULL "
    "DEFAULT false, "
    "started_on timestamptz NOT NULL, finished_on timestamptz, program_version text NOT NULL, host "
    "text NOT NULL, "
    "pid integer NOT NULL)";

static const char CANCELED[] = "57014";

/* Somebody uses a table, or waits in a circle with us. */
static bool is_busy(const PGresult *r)
{
    return strcmp(migrator_state(r), "55P03") == 0 || strcmp(migrator_state(r), "40P01") == 0;
}

static const struct migration *find_migration(const struct migration *list, int version)
{
    for (; list->version != 0; list++) {
        if (list->version == version)
            return list;
    }
    return NULL;
}

/* Line of the text where the server points at, else where the statement behind those that went
 * through begins. */
static int error_line(const char *sql, const PGresult *r, int n_done)
{
    const char *position = PQresultErrorField(r, PG_DIAG_STATEMENT_POSITION);
    int64_t at;
    int line = 1;

    if (position == NULL || !str_to_int(str_c(position), &at))
        return migrate_statement_line(sql, n_done);
    for (const char *p = sql; *p != '\0' && at > 1; p++) {
        if (((unsigned char)*p & 0xc0) != 0x80)
            at--; /* counted in characters */
        if (*p == '\n')
            line++;
    }
    return line;
}

static enum rc lost(const struct migration *mig)
{
    log_warn("migrate.lost",
             "text=\"lost the database during migration %04d; it was rolled back or committed as a "
             "whole, checking\"",
             mig->version);
    return RC_AGAIN;
}

/* Explain a failed statement of a migration; RC_AGAIN when the connection is gone. */
static enum rc explain(const struct migrator *m, const struct migration *mig, const PGresult *r,
                       int n_done, const struct schema_state *s, struct err *e)
{
    char text[300];

    if (PQstatus(m->pg) != CONNECTION_OK || r == NULL || strncmp(migrator_state(r), "57P", 3) == 0)
        return lost(mig);
    db_first_line(PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY), text, sizeof text);
    if (migrator_stopped(m))
        (void)migrator_stop(e);
    else if (strcmp(migrator_state(r), "42501") == 0)
        err_set(e, ERR_CONFIG,
                "migrations %d to %d are needed, but role \"%s\" may not create in schema \"%s\"; "
                "make it the owner of "
                "the database, or run sluicectl migrate as the owner and start with "
                "-runMigration=false",
                mig->version, migrator_goal(m), PQuser(m->pg), s->schema);
    else
        err_set(e, ERR_INTERNAL, "migration %04d %s failed at line %d: %s; the schema stays at %d",
                mig->version, mig->name, error_line(mig->sql, r, n_done), text, s->current);
    err_detail(e, "%s %s", migrator_state(r), text);
    return RC_FAIL;
}

/*
 * How long to wait for tables in use: longer with every few attempts, but never until the server looks for circles (its
 * deadlock_timeout, of the request that waits for us), as it breaks one by failing somebody.  Giving up breaks it too.
 */
static int patience_ms(const struct migrator *m)
{
    const char *server = migrator_text(
        m, "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'deadlock_timeout'");
    int doubled = m->n_busy / PATIENCE_ATTEMPTS;
    int ms = PATIENCE_MS << (doubled < PATIENCE_DOUBLED ? doubled : PATIENCE_DOUBLED);
    int64_t circles_ms;

    if (server != NULL && str_to_int(str_c(server), &circles_ms) && circles_ms / 2 < ms)
        ms = circles_ms < 4 ? 2 : (int)(circles_ms / 2);
    return ms;
}

/* BEGIN and the lock; *locked false when somebody else has it (and nothing is open then). */
static bool begin_locked(const struct migrator *m, int table_ms, bool *locked)
{
    char sql[400];
    const char *got;

    snprintf(sql, sizeof sql,
             "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL timezone = 'UTC'; SET LOCAL "
             "lock_timeout = %d%s",
             table_ms,
             PQserverVersion(m->pg) >= 140000
                 ? "; SET LOCAL client_connection_check_interval = '5s'"
                 : "");
    *locked = false;
    if (!migrator_command(m, sql))
        return false;
    got = migrator_text(m, "SELECT pg_try_advisory_xact_lock(" DB_LOCK_MIGRATE ")::text");
    if (got == NULL)
        return false;
    *locked = strcmp(got, "true") == 0;
    return *locked || migrator_command(m, "ROLLBACK");
}

/* The row of a migration in that state; "done" also tells the running processes. */
static const char *record_sql(const struct migrator *m, const struct migration *mig,
                              const char *state)
{
    bool done = strcmp(state, "done") == 0;
    char digest[65];
    char host[64] = "";
    char *quoted;
    const char *sql;

    migrate_digest(mig, digest);
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    quoted = PQescapeLiteral(m->pg, host, strlen(host));
    /* names of files and our own version need no quoting */
    sql = arena_printf(
        m->a,
        "INSERT INTO schema_versions (version, name, sha256, state, additive, started_on, "
        "finished_on, "
        "program_version, host, pid) VALUES (%d, '%s', '\\x%s', '%s', %s, now(), %s, '%s', %s, "
        "%ld) "
        "ON CONFLICT (version) DO UPDATE SET sha256 = excluded.sha256, state = excluded.state, "
        "finished_on = excluded.finished_on, program_version = excluded.program_version, "
        "host = excluded.host, pid = excluded.pid%s",
        mig->version, mig->name, digest, state, mig->additive != 0 ? "true" : "false",
        done ? "clock_timestamp()" : "NULL", migrate_program_version(),
        quoted != NULL ? quoted : "''", (long)getpid(),
        done ? "; UPDATE generations SET n = n + 1, changed_on = now() WHERE topic = 'schema'; "
               "SELECT pg_notify('sluice', 'schema')"
             : "");
    PQfreemem(quoted);
    return sql;
}

static void log_done(const struct migration *mig, int64_t start_ms)
{
    log_info("migrate.done", "migration=%d name=%s ms=%lld", mig->version, mig->name,
             (long long)(clock_mono_ms(&clock_system) - start_ms));
}

/* With the lock: look again, now that nobody else changes it. */
static enum rc look_again(struct migrator *m, struct schema_state *s, struct err *e)
{
    if (migrate_look(m->pg, m->list, s, m->a, e) == 0 && migrate_judge(s, m->list, true, e) == 0)
        return RC_OK;
    return e->code == ERR_DB ? RC_AGAIN : RC_FAIL;
}

/* ---- in a transaction --------------------------------------------------------------------- */

/*
 * All tables the text will change, before anything else is done: from then on it waits for nobody, so nobody can wait for it in
 * a circle, however long it takes.  The time is that of the whole statement, over all tables and their partitions.
 */
static const char *tables_sql(const struct migrator *m, const struct migration *mig, int table_ms)
{
    const char *lock = *mig->locks == '\0' ? ""
                                           : arena_printf(m->a, "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE; ", mig->locks);

    return arena_printf(m->a, "SET LOCAL statement_timeout = %d; %sSET LOCAL statement_timeout = 0", table_ms, lock);
}

/* The text, its record and COMMIT; the lock is held. */
static enum rc run_locked(struct migrator *m, const struct migration *mig, int table_ms,
                          const struct schema_state *s, enum applied *how, struct err *e)
{
    enum { TABLES = 1 };
    int64_t start = clock_mono_ms(&clock_system);
    const char *steps[] = {versions_table_sql, tables_sql(m, mig, table_ms), mig->sql,
                           record_sql(m, mig, "done"), "COMMIT"};
    enum rc rc = RC_OK;

    if (FAULT("migrate.apply"))
        return lost(mig);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        int n_done;
        PGresult *r = migrator_run_patiently(m, steps[i], 0, &n_done);

        if (migrator_good(r)) {
            PQclear(r);
            continue;
        }
        if (is_busy(r) || (i == TABLES && strcmp(migrator_state(r), CANCELED) == 0 && !migrator_stopped(m)))
            *how = APPLY_TABLE_BUSY;
        else
            rc = explain(m, mig, r, n_done, s, e);
        PQclear(r);
        if (rc != RC_AGAIN && !migrator_command(m, "ROLLBACK"))
            return lost(mig);
        return rc;
    }
    log_done(mig, start);
    return RC_OK;
}

static enum rc in_transaction(struct migrator *m, const struct migration *mig,
                              struct schema_state *s, enum applied *how, struct err *e)
{
    int table_ms = patience_ms(m);
    bool locked;
    enum rc rc;

    if (!begin_locked(m, table_ms, &locked))
        return RC_AGAIN;
    if (!locked) {
        *how = APPLY_LOCKED;
        return RC_OK;
    }
    rc = look_again(m, s, e);
    if (rc != RC_OK)
        return rc;
    if (s->current >= mig->version) /* somebody did it meanwhile */
        return migrator_command(m, "ROLLBACK") ? RC_OK : RC_AGAIN;
    return run_locked(m, mig, table_ms, s, how, e);
}

/* ---- outside of a transaction -------------------------------------------------------------- */

/* Value of a line "-- name: value" among the comments at the head of a file; .p NULL when absent.
 */
static struct str head_line(const struct migration *mig, const char *name)
{
    struct str rest = str_make(mig->sql, mig->sql_len);

    while (str_starts(rest, STR("--"))) {
        struct str value = str_cut(&rest, '\n');
        struct str key;

        value = str_slice(value, 2, value.len);
        key = str_trim(str_cut(&value, ':'));
        if (str_eq_c(key, name))
            return str_trim(value);
    }
    return STR_NONE;
}

static const char *lock_sql(const struct migrator *m, const char *function)
{
    return arena_printf(m->a, "SELECT %s(" DB_LOCK_MIGRATE ")::text", function);
}

/*
 * Does the pooler give our backend to others between two transactions of ours?  Another connection
 * that gets it, or keeps us from it, says so.  Asked before the lock of the session is taken, which
 * would stay with the backend.
 */
static bool backend_is_shared(const struct migrator *m)
{
    static const char pid_sql[] = "SELECT pg_backend_pid()::text";
    struct migrator other = *m;
    const char *mine, *theirs, *again;
    struct err ignored;
    bool shared = true;

    mine = migrator_text(m, pid_sql);
    if (mine == NULL ||
        db_open(m->uri, m->shown, m->o->program, 0, 0, &other.pg, NULL, NULL, NULL, &ignored) !=
            0)
        return true;
    if (migrator_command(&other, "BEGIN") && (theirs = migrator_text(&other, pid_sql)) != NULL &&
        (again = migrator_text(m, pid_sql)) != NULL)
        shared = strcmp(mine, theirs) == 0 || strcmp(mine, again) != 0;
    PQfinish(other.pg);
    return shared;
}

/* What the server knows of the lock: that it is ours. */
static bool holds_lock(const struct migrator *m)
{
    const char *n = migrator_text(
        m, "SELECT count(*)::text FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted "
           "AND (classid, objid) = (" DB_LOCK_MIGRATE ") AND objsubid = 2 AND pid = "
           "pg_backend_pid()");

    return n != NULL && strcmp(n, "1") == 0;
}

/* An index that a crash left half-made is of no use and in the way. */
static bool drop_invalid(const struct migrator *m, struct str index)
{
    const char *bad;

    if (index.p == NULL)
        return true;
    bad = migrator_text(
        m, arena_printf(
               m->a,
               "SELECT format('DROP INDEX CONCURRENTLY %%I', c.relname) "
               "FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid "
               "WHERE c.relname = '%.*s' AND NOT i.indisvalid AND c.relnamespace = "
               "to_regnamespace(quote_ident(current_schema()))",
               STR_ARG(index)));
    return bad == NULL || migrator_command(m, bad);
}

/* The session lock is ours and the step is still to be done. */
static enum rc step_locked(struct migrator *m, const struct migration *mig,
                           const struct schema_state *s, struct err *e)
{
    int64_t start = clock_mono_ms(&clock_system);
    PGresult *r = NULL;
    enum rc rc;
    int n_done;

    if (!migrator_command(m, "SET statement_timeout = 0") ||
        !migrator_command(m, record_sql(m, mig, "running")) ||
        !drop_invalid(m, head_line(mig, "index")))
        return RC_AGAIN;
    r = migrator_run_patiently(m, mig->sql, m->o->drain_ms, &n_done);
    if (migrator_good(r)) {
        rc = migrator_command(m, record_sql(m, mig, "done")) ? RC_OK : RC_AGAIN;
        log_done(mig, start);
    } else {
        rc = explain(m, mig, r, n_done, s, e);
        if (rc == RC_FAIL && !migrator_stopped(m) &&
            !migrator_command(m, record_sql(m, mig, "failed")))
            log_warn("migrate.record", "text=\"could not record that migration %04d failed\"",
                     mig->version);
    }
    PQclear(r);
    return rc;
}

static enum rc outside(struct migrator *m, const struct migration *mig, struct schema_state *s,
                       enum applied *how, struct err *e)
{
    const char *got;
    bool shared = m->pooled && backend_is_shared(m);
    enum rc rc;

    got = shared ? "true" : migrator_text(m, lock_sql(m, "pg_try_advisory_lock"));
    if (got == NULL)
        return RC_AGAIN;
    if (strcmp(got, "true") != 0) {
        *how = APPLY_LOCKED;
        return RC_OK;
    }
    if (shared || !holds_lock(m)) {
        err_set(e, ERR_CONFIG,
                "DB goes through a pooler in transaction mode; migration %04d needs a direct "
                "connection (sluicectl "
                "migrate with the direct address)",
                mig->version);
        return RC_FAIL;
    }
    rc = look_again(m, s, e);
    if (rc == RC_OK && s->current < mig->version)
        rc = step_locked(m, mig, s, e);
    if (rc != RC_AGAIN && migrator_text(m, lock_sql(m, "pg_advisory_unlock")) == NULL)
        rc = rc == RC_OK ? RC_AGAIN : rc;
    return rc;
}

enum rc migrate_apply(struct migrator *m, int version, struct schema_state *s, enum applied *how,
                      struct err *e)
{
    const struct migration *mig = find_migration(m->list, version);

    *how = APPLIED;
    if (mig == NULL)
        return RC_OK;
    if (str_eq_c(head_line(mig, "transaction"), "no"))
        return outside(m, mig, s, how, e);
    return in_transaction(m, mig, s, how, e);
}

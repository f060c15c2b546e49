/*
 * Bringing the schema to where the program needs it, with any number of processes starting together.
 *
 * One connection of its own.  Each migration is a transaction that first takes an advisory lock for its own length,
 * by polling: who waits holds no snapshot and no lock, so nothing can deadlock, and it works behind a pooler.
 */
#include "db/migrate_int.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"

enum {
    CONNECT_FIRST_MS = 1000,
    CONNECT_MAX_MS = 30000,
    REFUSED_MS = 60000,      /* wrong password, no such database: a new container may still be making them */
    LOCK_POLL_MS = 600,      /* another migrator is at work */
    LOCK_SAY_MS = 30000,     /* say so that often */
    TABLE_WAIT_MS = 5000,    /* a table is in use: pause between attempts */
    TABLE_GIVE_UP_MS = 600000,
    WAIT_POLL_MS = 1000,     /* -runMigration=false: look again */
    STOP_POLL_MS = 100,
    SERVER_OLDEST = 130000,
};

enum rc { RC_OK, RC_AGAIN, RC_FAIL }; /* AGAIN: the connection was lost, start over */

struct run {
    const struct migration *list;
    const char *uri, *shown;
    const struct migrate_opts *o;
    PGconn *pg;
    struct arena *a;       /* one look at the database */
    char said[ERR_TEXT_MAX]; /* last cause in the log */
};

/* ---- small things ------------------------------------------------------------------------ */

static bool stopped(const struct run *m)
{
    return m->o->stop != NULL && *m->o->stop;
}

/* Sleep; false when we are to stop. */
static bool pause_ms(const struct run *m, int64_t ms)
{
    int64_t until = clock_mono_ms(&clock_system) + ms;

    while (!stopped(m)) {
        int64_t left = until - clock_mono_ms(&clock_system);

        if (left <= 0)
            return true;
        (void)poll(NULL, 0, (int)(left < STOP_POLL_MS ? left : STOP_POLL_MS));
    }
    return false;
}

static enum rc stop_rc(struct err *e)
{
    err_set(e, ERR_BUSY, "stopped while starting");
    return RC_FAIL;
}

/* Tell health and, once per cause, the log. */
static void say(struct run *m, const char *why, int schema)
{
    if (strcmp(m->said, why) != 0) {
        log_warn("migrate.wait", "why=" LOG_Q, why);
        snprintf(m->said, sizeof m->said, "%s", why);
    }
    if (m->o->progress != NULL)
        m->o->progress(m->o->arg, why, schema, migrate_last(m->list));
}

/* Run SQL and wait for it; a stop cancels it.  Returns the first failed or the last result. */
static PGresult *run_sql(const struct run *m, const char *sql)
{
    PGresult *kept = NULL, *r;
    bool cancelled = false;

    if (PQsendQuery(m->pg, sql) != 1)
        return NULL;
    for (;;) {
        struct pollfd p = {PQsocket(m->pg), POLLIN, 0};

        while (PQisBusy(m->pg) == 1) {
            if (poll(&p, 1, STOP_POLL_MS) > 0 && PQconsumeInput(m->pg) != 1)
                return kept;
            if (stopped(m) && !cancelled) {
                PGcancel *c = PQgetCancel(m->pg);
                char text[64];

                cancelled = true;
                (void)PQcancel(c, text, sizeof text);
                PQfreeCancel(c);
            }
        }
        r = PQgetResult(m->pg);
        if (r == NULL)
            return kept;
        if (kept != NULL && PQresultStatus(kept) == PGRES_FATAL_ERROR) {
            PQclear(r);
            continue;
        }
        PQclear(kept);
        kept = r;
    }
}

static bool good(const PGresult *r)
{
    return PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK;
}

static bool command(const struct run *m, const char *sql)
{
    PGresult *r = run_sql(m, sql);
    bool ok = good(r);

    PQclear(r);
    return ok;
}

static const char *state_of(const PGresult *r)
{
    const char *s = r != NULL ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;

    return s != NULL ? s : "";
}

/* First row of a SELECT of one text column, in the run's arena; NULL without. */
static const char *one_text(const struct run *m, const char *sql)
{
    PGresult *r = run_sql(m, sql);
    const char *text = NULL;

    if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) > 0 && !db_is_null(r, 0, 0))
        text = arena_strdup(m->a, PQgetvalue(r, 0, 0));
    PQclear(r);
    return text;
}

/* ---- reaching the database (migration.md 3.3) --------------------------------------------- */

/* What the server said, without "connection to server at ... failed: FATAL:". */
static const char *reason(const char *detail)
{
    const char *fatal = strstr(detail, "FATAL:  ");
    const char *colon;

    if (fatal != NULL)
        return fatal + 8;
    colon = strstr(detail, "failed: ");
    return colon != NULL ? colon + 8 : detail;
}

static bool is_refusal(const char *sqlstate)
{
    return strncmp(sqlstate, "28", 2) == 0 || strcmp(sqlstate, "3D000") == 0;
}

static int check_server(const struct run *m, struct err *e)
{
    int version = PQserverVersion(m->pg);
    const char *encoding = PQparameterStatus(m->pg, "server_encoding");

    if (version < SERVER_OLDEST) {
        err_set(e, ERR_CONFIG, "PostgreSQL %d.%d is too old; 13 or later is needed", version / 10000,
                version >= 100000 ? version % 10000 : version / 100 % 100);
        return -1;
    }
    if (encoding == NULL || strcmp(encoding, "UTF8") != 0) {
        err_set(e, ERR_CONFIG, "database \"%s\" has encoding %s; create it with UTF8", PQdb(m->pg),
                encoding != NULL ? encoding : "unknown");
        return -1;
    }
    return 0;
}

static void check_time_zone(const struct run *m)
{
    const char *zone = one_text(m, "SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'TimeZone'");

    if (zone != NULL && strcmp(zone, "UTC") != 0 && strcmp(zone, "Etc/UTC") != 0 && strcmp(zone, "GMT") != 0 &&
        strcmp(zone, "Etc/UCT") != 0)
        log_warn("migrate.timezone", "text=\"the database runs in %s, not Etc/UTC: reports made with other tools "
                                     "would differ\"", zone);
}

/* Connect, waiting for the database as long as waiting can help. */
static enum rc reach(struct run *m, struct err *e)
{
    int64_t wait_ms = CONNECT_FIRST_MS;
    int64_t refused_ms = 0; /* since when */
    char sqlstate[6];
    char why[ERR_TEXT_MAX];

    for (;;) {
        int64_t now = clock_mono_ms(&clock_system);
        struct err failed = {0};

        PQfinish(m->pg);
        m->pg = NULL;
        if (stopped(m))
            return stop_rc(e);
        if (db_open(m->uri, m->shown, m->o->program, 0, &m->pg, sqlstate, &failed) != 0) {
            refused_ms = !is_refusal(sqlstate) ? 0 : refused_ms == 0 ? now : refused_ms;
            if (refused_ms != 0 && now - refused_ms >= REFUSED_MS) {
                err_set(e, ERR_CONFIG, "the database refused %s: %s", m->shown, reason(failed.detail));
                return RC_FAIL;
            }
            snprintf(why, sizeof why, "could not reach the database %s (%s); retrying", m->shown,
                     reason(failed.detail));
        } else if (check_server(m, e) != 0) {
            return RC_FAIL;
        } else {
            const char *standby = one_text(m, "SELECT pg_catalog.pg_is_in_recovery()::text");

            if (standby != NULL && strcmp(standby, "false") == 0)
                break;
            snprintf(why, sizeof why, "%s: connected to a standby (read-only); waiting for a primary", m->shown);
        }
        say(m, why, 0);
        if (!pause_ms(m, wait_ms))
            return stop_rc(e);
        wait_ms = wait_ms * 2 > CONNECT_MAX_MS ? CONNECT_MAX_MS : wait_ms * 2;
    }
    check_time_zone(m);
    return RC_OK;
}

/* ---- one migration ----------------------------------------------------------------------- */

static const char versions_table_sql[] =
    "CREATE TABLE IF NOT EXISTS schema_versions ("
    "version integer PRIMARY KEY, name text NOT NULL, sha256 bytea NOT NULL, "
    "state text NOT NULL CHECK (state IN ('running', 'done', 'failed')), additive boolean NOT NULL DEFAULT false, "
    "started_on timestamptz NOT NULL, finished_on timestamptz, program_version text NOT NULL, host text NOT NULL, "
    "pid integer NOT NULL)";

static const struct migration *find_migration(const struct migration *list, int version)
{
    for (; list->version != 0; list++) {
        if (list->version == version)
            return list;
    }
    return NULL;
}

/* Line of the text where the server points at, 0 when it does not. */
static int error_line(const char *sql, const PGresult *r)
{
    const char *position = PQresultErrorField(r, PG_DIAG_STATEMENT_POSITION);
    int64_t at;
    int line = 1;

    if (position == NULL || !str_to_int(str_c(position), &at))
        return 0;
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
             "text=\"lost the database during migration %04d; it was rolled back or committed as a whole, checking\"",
             mig->version);
    return RC_AGAIN;
}

/* Explain a failed statement of a migration and roll back. */
static enum rc explain(const struct run *m, const struct migration *mig, const char *sql, const PGresult *r,
                       const struct schema_state *s, struct err *e)
{
    char text[300];
    char where[32] = "";
    int line;

    if (PQstatus(m->pg) != CONNECTION_OK || r == NULL || strncmp(state_of(r), "57P", 3) == 0)
        return lost(mig);
    db_first_line(PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY), text, sizeof text);
    line = error_line(sql, r);
    if (line > 0)
        snprintf(where, sizeof where, " at line %d", line);
    if (stopped(m))
        (void)stop_rc(e);
    else if (strcmp(state_of(r), "42501") == 0)
        err_set(e, ERR_CONFIG,
                "migrations %d to %d are needed, but role \"%s\" may not create in schema \"%s\"; make it the owner of "
                "the database, or run sluicectl migrate as the owner and start with -runMigration=false",
                mig->version, migrate_last(m->list), PQuser(m->pg), s->schema);
    else
        err_set(e, ERR_INTERNAL, "migration %04d %s failed%s: %s; the schema stays at %d", mig->version, mig->name,
                where, text, s->current);
    err_detail(e, "%s %s", state_of(r), text);
    return RC_FAIL;
}

/* Who has used a table of ours for longest: the likely reason why a lock was not granted. */
static const char *holder_of_tables(const struct run *m)
{
    return one_text(m, "SELECT format('%s (held by pid %s, %s, %s)', l.relation::regclass, a.pid, a.application_name, "
                       "date_trunc('second', now() - a.xact_start)) "
                       "FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
                       "JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p') "
                       "WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid() "
                       "AND c.relnamespace = to_regnamespace(quote_ident(current_schema())) "
                       "ORDER BY a.xact_start LIMIT 1");
}

static const char *holder_of_lock(const struct run *m)
{
    return one_text(m, "SELECT format('%s, %s, pid %s', coalesce(host(a.client_addr), 'this host'), "
                       "a.application_name, a.pid) FROM pg_catalog.pg_locks l "
                       "JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' "
                       "AND l.classid = 1399616867 AND l.objid = 1 AND l.objsubid = 2 AND l.granted "
                       "AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) "
                       "LIMIT 1");
}

/* BEGIN and the lock; *locked false when somebody else has it (and nothing is open then). */
static bool begin_locked(const struct run *m, bool *locked)
{
    char sql[400];
    const char *got;

    snprintf(sql, sizeof sql,
             "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL timezone = 'UTC'; SET LOCAL lock_timeout = '3s'%s",
             PQserverVersion(m->pg) >= 140000 ? "; SET LOCAL client_connection_check_interval = '5s'" : "");
    *locked = false;
    if (!command(m, sql))
        return false;
    snprintf(sql, sizeof sql, "SELECT pg_try_advisory_xact_lock(%d, %d)::text", MIGRATE_LOCK_CLASS, MIGRATE_LOCK);
    got = one_text(m, sql);
    if (got == NULL)
        return false;
    *locked = strcmp(got, "true") == 0;
    return *locked || command(m, "ROLLBACK");
}

static const char *record_sql(const struct run *m, const struct migration *mig)
{
    char digest[65];
    char host[64] = "";
    char *quoted;
    const char *sql;

    migrate_digest(mig, digest);
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    quoted = PQescapeLiteral(m->pg, host, strlen(host));
    /* names of files and our own version need no quoting */
    sql = arena_printf(m->a,
                       "INSERT INTO schema_versions (version, name, sha256, state, additive, started_on, finished_on, "
                       "program_version, host, pid) VALUES (%d, '%s', '\\x%s', 'done', %s, now(), clock_timestamp(), "
                       "'%s', %s, %ld); UPDATE generations SET n = n + 1, changed_on = now() WHERE topic = 'schema'; "
                       "SELECT pg_notify('sluice', 'schema')",
                       mig->version, mig->name, digest, mig->additive != 0 ? "true" : "false",
                       migrate_program_version(), quoted != NULL ? quoted : "''", (long)getpid());
    PQfreemem(quoted);
    return sql;
}

/* The lock is ours and the migration is still to be done: run its text, record it, commit. */
static enum rc apply_locked(const struct run *m, const struct migration *mig, const struct schema_state *s, bool *busy,
                            struct err *e)
{
    int64_t start = clock_mono_ms(&clock_system);
    const char *steps[4] = {versions_table_sql, mig->sql, record_sql(m, mig), "COMMIT"};
    enum rc rc;

    if (FAULT("migrate.apply"))
        return lost(mig);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        PGresult *r = run_sql(m, steps[i]);

        if (good(r)) {
            PQclear(r);
            continue;
        }
        *busy = strcmp(state_of(r), "55P03") == 0;
        rc = *busy ? RC_OK : explain(m, mig, steps[i], r, s, e);
        PQclear(r);
        if (rc != RC_AGAIN && !command(m, "ROLLBACK"))
            return lost(mig);
        return rc;
    }
    log_info("migrate.done", "migration=%d name=%s ms=%lld", mig->version, mig->name,
             (long long)(clock_mono_ms(&clock_system) - start));
    return RC_OK;
}

/* Somebody else migrates: say who, now and then, and pause. */
static enum rc wait_migrator(struct run *m, int current, int64_t *said_ms, struct err *e)
{
    int64_t now = clock_mono_ms(&clock_system);

    if (*said_ms == 0 || now - *said_ms >= LOCK_SAY_MS) {
        const char *who = holder_of_lock(m);
        char why[300];

        snprintf(why, sizeof why, "another process migrates (%s)", who != NULL ? who : "unknown");
        if (*said_ms != 0)
            log_info("migrate.wait", "why=" LOG_Q, why);
        *said_ms = now;
        say(m, why, current);
    }
    return pause_ms(m, LOCK_POLL_MS) ? RC_OK : stop_rc(e);
}

/* Everything from the current version to ours, one transaction each. */
static enum rc upgrade(struct run *m, struct schema_state *s, struct err *e)
{
    int64_t said_ms = 0, busy_since = 0;

    while (s->current < migrate_last(m->list)) {
        bool locked, busy = false;
        const struct migration *mig = NULL;

        if (stopped(m))
            return stop_rc(e);
        arena_reset(m->a);
        if (!begin_locked(m, &locked))
            return RC_AGAIN;
        if (!locked) {
            if (wait_migrator(m, s->current, &said_ms, e) != RC_OK)
                return RC_FAIL;
        } else {
            /* look again, now that nobody else changes it */
            if (migrate_look(m->pg, m->list, s, m->a, e) != 0 || migrate_judge(s, m->list, true, e) != 0)
                return e->code == ERR_DB ? RC_AGAIN : RC_FAIL;
            mig = find_migration(m->list, s->current + 1);
            if (mig != NULL) {
                enum rc rc = apply_locked(m, mig, s, &busy, e);

                if (rc != RC_OK)
                    return rc;
            } else if (!command(m, "ROLLBACK")) {
                return RC_AGAIN;
            }
        }
        if (busy && mig != NULL) {
            const char *who = holder_of_tables(m);

            busy_since = busy_since == 0 ? clock_mono_ms(&clock_system) : busy_since;
            say(m, arena_printf(m->a, "migration %04d waits for table %s", mig->version, who != NULL ? who : "unknown"),
                s->current);
            if (clock_mono_ms(&clock_system) - busy_since > TABLE_GIVE_UP_MS) {
                err_set(e, ERR_INTERNAL, "migration %04d %s failed: a table is in use for ten minutes; the schema "
                                         "stays at %d", mig->version, mig->name, s->current);
                return RC_FAIL;
            }
            if (!pause_ms(m, TABLE_WAIT_MS))
                return stop_rc(e);
        }
        if (migrate_look(m->pg, m->list, s, m->a, e) != 0)
            return e->code == ERR_DB ? RC_AGAIN : RC_FAIL;
    }
    return RC_OK;
}

/* ---- -runMigration=false ------------------------------------------------------------------ */

static void set_behind(const struct schema_state *s, int needed, struct err *e)
{
    for (size_t i = 0; i < s->n_rows; i++) {
        const struct version_row *row = &s->rows[i];

        if (row->version == s->unfinished) {
            err_set(e, ERR_CONFIG, "migration %04d did not finish (host %s, pid %s, %s)", row->version, row->host,
                    row->pid, row->when);
            return;
        }
    }
    err_set(e, ERR_CONFIG,
            "the schema is at version %d, this program needs %d; start the core (which migrates) or run sluicectl "
            "migrate",
            s->current, needed);
}

static enum rc wait_schema(struct run *m, struct schema_state *s, int64_t *waited_ms, struct err *e)
{
    int needed = migrate_last(m->list);
    char why[100];

    while (s->current < needed) {
        if (*waited_ms >= m->o->wait_ms) {
            set_behind(s, needed, e);
            return RC_FAIL;
        }
        snprintf(why, sizeof why, "the schema is at %d, %d is needed", s->current, needed);
        say(m, why, s->current);
        if (!pause_ms(m, WAIT_POLL_MS))
            return stop_rc(e);
        arena_reset(m->a);
        if (holder_of_lock(m) == NULL)
            *waited_ms += WAIT_POLL_MS; /* while somebody migrates the time does not count */
        if (migrate_look(m->pg, m->list, s, m->a, e) != 0 || migrate_judge(s, m->list, false, e) != 0)
            return e->code == ERR_DB ? RC_AGAIN : RC_FAIL;
    }
    return RC_OK;
}

/* ---- the whole --------------------------------------------------------------------------- */

static void report_others(const struct schema_state *s, const struct run *m)
{
    const char *schema = one_text(m, "SELECT pg_catalog.current_schema()");

    if (s->others > 0)
        log_warn("migrate.others", "text=\"schema %s holds our tables and %d others (first: %s); nothing was changed\"",
                 schema != NULL ? schema : "", s->others, s->first_other);
}

/* Partitions of the coming months: every start sees to them. */
static void prepare_history(const struct run *m)
{
    char line[200];

    if (one_text(m, "SELECT to_regprocedure('history_prepare()')::text") == NULL || command(m, "SELECT history_prepare()"))
        return;
    db_first_line(PQerrorMessage(m->pg), line, sizeof line);
    log_warn("migrate.partitions", "text=\"could not make the partitions of the coming months: %s\"", line);
}

static enum rc attempt(struct run *m, int64_t *waited_ms, struct err *e)
{
    struct schema_state s;
    enum rc rc = reach(m, e);

    if (rc != RC_OK)
        return rc;
    if (migrate_look(m->pg, m->list, &s, m->a, e) != 0 || migrate_judge(&s, m->list, m->o->run, e) != 0)
        return e->code == ERR_DB ? RC_AGAIN : RC_FAIL;
    report_others(&s, m);
    rc = m->o->run ? upgrade(m, &s, e) : wait_schema(m, &s, waited_ms, e);
    if (rc == RC_OK)
        prepare_history(m);
    return rc;
}

int migrate_run(const struct migration *list, const char *uri, const char *shown, const struct migrate_opts *o,
                struct err *e)
{
    struct run m = {.list = list, .uri = uri, .shown = shown, .o = o, .a = arena_new(0)};
    int64_t waited_ms = 0;
    enum rc rc;

    do {
        arena_reset(m.a);
        rc = attempt(&m, &waited_ms, e);
        if (rc == RC_AGAIN && !pause_ms(&m, CONNECT_FIRST_MS))
            rc = stop_rc(e);
    } while (rc == RC_AGAIN);
    PQfinish(m.pg);
    arena_free(m.a);
    return rc == RC_OK ? 0 : -1;
}

int migrate_start(const char *uri, const char *shown, const struct migrate_opts *o, struct err *e)
{
    return migrate_run(migrations_embedded, uri, shown, o, e);
}

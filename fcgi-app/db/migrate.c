/*
 * Bringing the schema to where the program needs it, with any number of processes starting
 * together.
 *
 * One connection of its own.  Each migration is a transaction that first takes an advisory lock for
 * its own length, by polling: who waits holds no snapshot and no lock, so nothing can deadlock, and
 * it works behind a pooler.  Then it takes the tables it changes, which it gives up after a moment
 * and tries again: requests go before.
 */
#include "db/migrate_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum {
    CONNECT_QUICK_MS = 100, /* who was restarted together with the database goes on with it */
    CONNECT_QUICKLY_MS = 10000 / MIGRATE_HASTE, /* for that long; then with growing pauses */
    CONNECT_FIRST_MS = 1000 / MIGRATE_HASTE,
    CONNECT_MAX_MS = 30000 / MIGRATE_HASTE,
    /* wrong password, no such database: a new container may still be making them */
    REFUSED_MS = 60000 / MIGRATE_HASTE,
    LOCK_POLL_MS = 600 / MIGRATE_HASTE,   /* another migrator is at work */
    LOCK_SAY_MS = 30000 / MIGRATE_HASTE,  /* say so that often */
    TABLE_FIRST_MS = 100 / MIGRATE_HASTE, /* a table is in use: pauses between attempts */
    TABLE_MAX_MS = 5000 / MIGRATE_HASTE,
    TABLE_GIVE_UP_MS = 600000 / MIGRATE_HASTE,
    WAIT_POLL_MS = 1000 / MIGRATE_HASTE, /* -runMigration=false: look again */
    SERVER_OLDEST = 130000,
};

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

/* Length of the user in "user@host:port/database". */
static int user_len(const char *shown)
{
    const char *at = strrchr(shown, '@');

    return at != NULL ? (int)(at - shown) : 0;
}

static bool is_refusal(const char *sqlstate)
{
    return strncmp(sqlstate, "28", 2) == 0 || strcmp(sqlstate, "3D000") == 0;
}

static int check_server(const struct migrator *m, struct err *e)
{
    int version = PQserverVersion(m->pg);
    const char *encoding = PQparameterStatus(m->pg, "server_encoding");

    if (version < SERVER_OLDEST) {
        err_set(e, ERR_CONFIG, "PostgreSQL %d.%d is too old; 13 or later is needed",
                version / 10000, version >= 100000 ? version % 10000 : version / 100 % 100);
        return -1;
    }
    if (encoding == NULL || strcmp(encoding, "UTF8") != 0) {
        err_set(e, ERR_CONFIG, "database \"%s\" has encoding %s; create it with UTF8", PQdb(m->pg),
                encoding != NULL ? encoding : "unknown");
        return -1;
    }
    return 0;
}

static void check_time_zone(const struct migrator *m)
{
    const char *zone =
        migrator_text(m, "SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'TimeZone'");

    if (zone != NULL && strcmp(zone, "UTC") != 0 && strcmp(zone, "Etc/UTC") != 0 &&
        strcmp(zone, "GMT") != 0 && strcmp(zone, "Etc/UCT") != 0)
        log_warn("migrate.timezone",
                 "text=\"the database runs in %s, not Etc/UTC: reports made with other tools "
                 "would differ\"",
                 zone);
}

/* Connect, waiting for the database as long as waiting can help. */
static enum rc reach(struct migrator *m, struct err *e)
{
    int64_t wait_ms = CONNECT_FIRST_MS;
    int64_t quick_until_ms = clock_mono_ms(&clock_system) + CONNECT_QUICKLY_MS;
    int64_t refused_ms = 0; /* since when */
    char sqlstate[6];
    char why[2 * ERR_TEXT_MAX];

    for (;;) {
        int64_t now = clock_mono_ms(&clock_system);
        struct err failed = {0};
        bool standby;

        PQfinish(m->pg);
        m->pg = NULL;
        if (migrator_stopped(m))
            return migrator_stop(e);
        if (db_open(m->uri, m->shown, m->o->program, 0, 0, &m->pg, &m->pooled, &standby, sqlstate,
                    &failed) != 0) {
            refused_ms = !is_refusal(sqlstate) ? 0 : refused_ms == 0 ? now : refused_ms;
            if (refused_ms != 0 && now - refused_ms >= REFUSED_MS) {
                err_set(e, ERR_CONFIG, "the database refused user \"%.*s\": %s", user_len(m->shown),
                        m->shown, reason(failed.detail));
                return RC_FAIL;
            }
            snprintf(why, sizeof why, "could not reach the database %s (%s); retrying", m->shown,
                     reason(failed.detail));
        } else if (check_server(m, e) != 0) {
            return RC_FAIL;
        } else {
            if (!standby)
                break;
            snprintf(why, sizeof why,
                     "%s: connected to a standby (read-only); waiting for a primary", m->shown);
        }
        migrator_say(m, why, 0);
        if (!migrator_pause(m, now < quick_until_ms ? CONNECT_QUICK_MS : wait_ms))
            return migrator_stop(e);
        if (now < quick_until_ms)
            continue;
        wait_ms = wait_ms * 2 > CONNECT_MAX_MS ? CONNECT_MAX_MS : wait_ms * 2;
    }
    check_time_zone(m);
    if (m->pooled)
        log_info("migrate.pooler", "text=\"the database is reached through a pooler: statements are "
                                   "not prepared, changes are looked for instead of heard\"");
    return RC_OK;
}

/* ---- upgrading --------------------------------------------------------------------------- */

/* Somebody else migrates: say who, now and then, and pause. */
static enum rc wait_migrator(struct migrator *m, int current, int64_t *said_ms, struct err *e)
{
    int64_t now = clock_mono_ms(&clock_system);

    if (*said_ms == 0 || now - *said_ms >= LOCK_SAY_MS) {
        const char *who = migrator_lock_holder(m);
        char why[300];

        snprintf(why, sizeof why, "another process migrates (%s)", who != NULL ? who : "unknown");
        if (*said_ms != 0)
            log_info("migrate.wait", "why=" LOG_Q, why);
        *said_ms = now;
        migrator_say(m, why, current);
    }
    return migrator_pause(m, LOCK_POLL_MS) ? RC_OK : migrator_stop(e);
}

/* A table is in use: say by whom, pause, give up after a while. */
static enum rc wait_table(struct migrator *m, int version, int current, int64_t *since_ms,
                          struct err *e)
{
    const char *who = migrator_table_holder(m);
    int64_t now = clock_mono_ms(&clock_system);
    int64_t pause_ms = (int64_t)TABLE_FIRST_MS << (m->n_busy < 8 ? m->n_busy : 8);

    m->n_busy++;
    *since_ms = *since_ms == 0 ? now : *since_ms;
    migrator_say(m,
                 arena_printf(m->a, "migration %04d waits for table %s", version,
                              who != NULL ? who : "unknown"),
                 current);
    if (now - *since_ms > TABLE_GIVE_UP_MS) {
        err_set(e, ERR_INTERNAL,
                "migration %04d failed: a table was in use all the time; the schema stays at %d",
                version, current);
        return RC_FAIL;
    }
    return migrator_pause(m, pause_ms < TABLE_MAX_MS ? pause_ms : TABLE_MAX_MS) ? RC_OK : migrator_stop(e);
}

/* Everything from the current version to ours, one after the other. */
static enum rc upgrade(struct migrator *m, struct schema_state *s, struct err *e)
{
    int64_t said_ms = 0, busy_ms = 0;
    enum rc rc = RC_OK;

    while (rc == RC_OK && s->current < migrator_goal(m)) {
        enum applied how = APPLIED;
        int next = s->current + 1;

        if (migrator_stopped(m))
            return migrator_stop(e);
        arena_reset(m->a);
        rc = migrate_apply(m, next, s, &how, e);
        if (rc == RC_OK && how == APPLY_LOCKED)
            rc = wait_migrator(m, s->current, &said_ms, e);
        else if (rc == RC_OK && how == APPLY_TABLE_BUSY)
            rc = wait_table(m, next, s->current, &busy_ms, e);
        else
            m->n_busy = 0;
        if (rc == RC_OK && migrate_look(m->pg, m->list, s, m->a, e) != 0)
            rc = e->code == ERR_DB ? RC_AGAIN : RC_FAIL;
    }
    return rc;
}

/* ---- -runMigration=false ------------------------------------------------------------------ */

static void set_behind(const struct schema_state *s, int needed, struct err *e)
{
    for (size_t i = 0; i < s->n_rows; i++) {
        const struct version_row *row = &s->rows[i];

        if (row->version == s->unfinished) {
            err_set(e, ERR_CONFIG, "migration %04d did not finish (host %s, pid %s, %s)",
                    row->version, row->host, row->pid, row->when);
            return;
        }
    }
    err_set(e, ERR_CONFIG,
            "the schema is at version %d, this program needs %d; start the core (which migrates) "
            "or run sluicectl "
            "migrate",
            s->current, needed);
}

static enum rc wait_schema(struct migrator *m, struct schema_state *s, int64_t *waited_ms,
                           struct err *e)
{
    int needed = migrate_last(m->list);
    char why[100];

    while (s->current < needed) {
        if (*waited_ms >= m->o->wait_ms) {
            set_behind(s, needed, e);
            return RC_FAIL;
        }
        snprintf(why, sizeof why, "the schema is at %d, %d is needed", s->current, needed);
        migrator_say(m, why, s->current);
        if (!migrator_pause(m, WAIT_POLL_MS))
            return migrator_stop(e);
        arena_reset(m->a);
        if (migrator_lock_holder(m) == NULL)
            *waited_ms += WAIT_POLL_MS; /* while somebody migrates the time does not count */
        if (migrate_look(m->pg, m->list, s, m->a, e) != 0 ||
            migrate_judge(s, m->list, false, e) != 0)
            return e->code == ERR_DB ? RC_AGAIN : RC_FAIL;
    }
    return RC_OK;
}

/* ---- the whole --------------------------------------------------------------------------- */

static void report_others(const struct schema_state *s, const struct migrator *m)
{
    const char *schema = migrator_text(m, "SELECT pg_catalog.current_schema()");

    if (s->others > 0)
        log_warn(
            "migrate.others",
            "text=\"schema %s holds our tables and %d others (first: %s); nothing was changed\"",
            schema != NULL ? schema : "", s->others, s->first_other);
}

/* Partitions of the coming months: every start sees to them. */
static void prepare_history(const struct migrator *m)
{
    char line[200];

    if (migrator_text(m, "SELECT to_regprocedure('history_prepare()')::text") == NULL ||
        migrator_command(m, "SELECT history_prepare()"))
        return;
    db_first_line(PQerrorMessage(m->pg), line, sizeof line);
    log_warn("migrate.partitions",
             "text=\"could not make the partitions of the coming months: %s\"", line);
}

static enum rc attempt(struct migrator *m, int64_t *waited_ms, struct err *e)
{
    struct schema_state s;
    enum rc rc = reach(m, e);

    if (rc != RC_OK)
        return rc;
    if (migrate_look(m->pg, m->list, &s, m->a, e) != 0 ||
        migrate_judge(&s, m->list, m->o->run, e) != 0)
        return e->code == ERR_DB ? RC_AGAIN : RC_FAIL;
    report_others(&s, m);
    rc = m->o->run ? upgrade(m, &s, e) : wait_schema(m, &s, waited_ms, e);
    if (rc == RC_OK)
        prepare_history(m);
    return rc;
}

int migrate_run(const struct migration *list, const char *uri, const char *shown,
                const struct migrate_opts *o, struct err *e)
{
    struct migrator m = {.list = list, .uri = uri, .shown = shown, .o = o, .a = arena_new(0)};
    int64_t waited_ms = 0;
    enum rc rc;

    do {
        arena_reset(m.a);
        rc = attempt(&m, &waited_ms, e);
        if (rc == RC_AGAIN && !migrator_pause(&m, CONNECT_FIRST_MS))
            rc = migrator_stop(e);
    } while (rc == RC_AGAIN);
    PQfinish(m.pg);
    arena_free(m.a);
    return rc == RC_OK ? 0 : -1;
}

int migrate_start(const char *uri, const char *shown, const struct migrate_opts *o, struct err *e)
{
    return migrate_run(migrations_embedded, uri, shown, o, e);
}

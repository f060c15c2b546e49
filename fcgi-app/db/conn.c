/*
 * One connection: opening it, its settings, and what its errors mean.  Not the pool (db.c).
 */
#include "db/db_int.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/ip_guard.h"
#include "base/log.h"

void db_first_line(const char *text, char *out, size_t out_len)
{
    size_t n = text != NULL ? strcspn(text, "\r\n") : 0;

    if (n >= out_len)
        n = out_len - 1;
    if (n > 0)
        memcpy(out, text, n);
    out[n] = '\0';
}

/*
 * Our settings; the answer is whether a pooler stands between, which gives its clients made-up process
 * ids, and whether the server is a standby.  Of these settings a pooler carries the first two and the last along; what the others say is
 * PostgreSQL's default too, but for those behind the CASE, which would stay with whoever gets the
 * backend next.
 *
 * A host that is gone says nothing, and PostgreSQL would keep the locks of its transaction for hours: it asks after half a minute
 * of silence, and takes no answer for the end half a minute later.
 */
static void session_sql(int64_t statement_ms, int64_t idle_ms, int pid, struct buf *out)
{
    buf_addf(
        out,
        "SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; "
        "SET extra_float_digits = 3; SET bytea_output = hex; SET standard_conforming_strings = on; "
        "SELECT CASE WHEN pg_catalog.pg_backend_pid() = %d THEN "
        "pg_catalog.set_config('statement_timeout', '%lld', false) || "
        "pg_catalog.set_config('idle_in_transaction_session_timeout', '%lld', false) || "
        "pg_catalog.set_config('tcp_keepalives_idle', '30', false) || "
        "pg_catalog.set_config('tcp_keepalives_interval', '10', false) || "
        "pg_catalog.set_config('tcp_keepalives_count', '3', false) END IS NULL, "
        "pg_catalog.pg_is_in_recovery()",
        pid, (long long)statement_ms, (long long)idle_ms);
}

enum { KEYWORDS = 6 };

static void keywords(const char *uri, const char *app_name, const char *names[KEYWORDS],
                     const char *values[KEYWORDS])
{
    size_t n = 0;

    /* what stands before the address yields to it, what stands behind wins */
    names[n] = "connect_timeout";
    values[n++] = "5";
    names[n] = "fallback_application_name";
    values[n++] = app_name;
    names[n] = "dbname";
    values[n++] = uri;
    names[n] = "client_encoding";
    values[n++] = "UTF8";
    names[n] = NULL;
    values[n] = NULL;
}

/* SQLSTATE out of "FATAL:  28P01: ...", whatever language the rest is in. */
static void state_of_text(const char *text, char sqlstate[6])
{
    for (const char *p = strstr(text, ":  "); p != NULL; p = strstr(p + 1, ":  ")) {
        if (strspn(p + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5) {
            memcpy(sqlstate, p + 3, 5);
            return;
        }
    }
}

/*
 * Why the server refuses us.  A refused PQconnectdb() does not tell the SQLSTATE, and its text is
 * in the language of the server; so connect once more in the way that lets us ask for it.
 */
static void connect_state(const char *const *names, const char *const *values, char sqlstate[6])
{
    PGconn *pg = PQconnectStartParams(names, values, 1);
    PostgresPollingStatusType want = PGRES_POLLING_WRITING;
    int64_t until = clock_mono_ms(&clock_system) + 3000;

    if (pg == NULL || PQstatus(pg) == CONNECTION_BAD)
        goto out;
    PQsetErrorVerbosity(pg, PQERRORS_VERBOSE);
    while (want != PGRES_POLLING_OK && want != PGRES_POLLING_FAILED) {
        struct pollfd p = {PQsocket(pg), want == PGRES_POLLING_READING ? POLLIN : POLLOUT, 0};
        int64_t left = until - clock_mono_ms(&clock_system);

        if (left <= 0 || poll(&p, 1, (int)left) == 0)
            goto out;
        want = PQconnectPoll(pg);
    }
    if (want == PGRES_POLLING_FAILED)
        state_of_text(PQerrorMessage(pg), sqlstate);
out:
    PQfinish(pg);
}

/* NOTICE and WARNING of the server: not on our stderr as they come. */
static void notice(void *arg, const char *text)
{
    char line[256];

    (void)arg;
    db_first_line(text, line, sizeof line);
    log_debug("db.notice", "text=" LOG_Q, line);
}

/* Workflows must not be led to the database.  A server with a Unix socket may listen on the port of that name too. */
static void guard(PGconn *pg)
{
    int64_t port;

    ip_guard_own_peer(PQsocket(pg));
    if (PQhost(pg) != NULL && PQhost(pg)[0] == '/' && str_to_int(str_c(PQport(pg)), &port))
        ip_guard_own_port((int)port);
}

int db_open(const char *uri, const char *shown, const char *app_name, int64_t statement_ms, int64_t idle_ms,
            PGconn **out, bool *pooled, bool *standby, char sqlstate[6], struct err *e)
{
    const char *names[KEYWORDS];
    const char *values[KEYWORDS];
    struct arena *a = arena_new(0);
    PGresult *r = NULL;
    PGconn *pg = NULL;
    struct buf sql;
    char line[256];
    int rc = -1;

    if (sqlstate != NULL)
        memset(sqlstate, 0, 6);
    if (FAULT("db.connect")) {
        err_set(e, ERR_DB, "could not reach the database");
        goto out;
    }
    keywords(uri, app_name, names, values);
    pg = PQconnectdbParams(names, values, 1);
    if (pg == NULL || PQstatus(pg) != CONNECTION_OK) {
        db_first_line(PQerrorMessage(pg), line, sizeof line);
        if (sqlstate != NULL)
            connect_state(names, values, sqlstate);
        err_set(e, ERR_DB, "could not reach the database");
        err_detail(e, "%s: %s", shown, line);
        goto out;
    }
    (void)PQsetNoticeProcessor(pg, notice, NULL);
    buf_init(&sql, KIB, a);
    session_sql(statement_ms, idle_ms, PQbackendPID(pg), &sql);
    r = PQexec(pg, buf_cstr(&sql));
    if (PQresultStatus(r) != PGRES_TUPLES_OK) {
        db_first_line(PQerrorMessage(pg), line, sizeof line);
        err_set(e, ERR_DB, "could not reach the database");
        err_detail(e, "%s: %s", shown, line);
        goto out;
    }
    if (standby == NULL && db_bool(r, 0, 1)) {
        err_set(e, ERR_DB, "the database is read-only at the moment");
        err_detail(e, "%s: connected to a standby", shown);
        goto out;
    }
    guard(pg);
    if (standby != NULL)
        *standby = db_bool(r, 0, 1);
    if (pooled != NULL)
        *pooled = db_bool(r, 0, 0);
    *out = pg;
    pg = NULL;
    rc = 0;
out:
    PQclear(r);
    PQfinish(pg);
    arena_free(a);
    return rc;
}

int db_plan_by_key(PGconn *pg, struct err *e)
{
    PGresult *r = PQexec(pg, "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; "
                             "SET enable_hashjoin = off; SET enable_mergejoin = off; "
                             "SET enable_bitmapscan = off");
    int rc = PQresultStatus(r) == PGRES_COMMAND_OK ? 0 : -1;

    if (rc != 0)
        (void)db_error(pg, r, "plans", e);
    PQclear(r);
    return rc;
}

/* What a SQLSTATE (its first characters) means to a caller; the first row that fits counts. */
static const struct meaning {
    const char *prefix;
    enum err_code code;
    bool broken;     /* the connection is of no more use */
    const char *msg; /* NULL: PostgreSQL's own text */
} meanings[] = {
    {"23505", ERR_CONFLICT, false, "it exists already"},
    {"23503", ERR_CONFLICT, false, "something refers to it, or what it refers to is gone"},
    {"22", ERR_INVALID, false, NULL},
    {"57014", ERR_TIMEOUT, false, "the database took too long"},
    {"55P03", ERR_BUSY, false, "the database is busy with this row or table"},
    {"40", ERR_BUSY, false, "somebody else changed the same rows; try again"},
    {"25006", ERR_DB, true, "the database is read-only at the moment"},
    {"26000", ERR_DB, true, "lost the connection to the database"},
    {"0A000", ERR_DB, true, "the database changed its structure; try again"},
    {"08", ERR_DB, true, "lost the connection to the database"},
    {"53", ERR_DB, false, "the database is out of resources"},
    {"57P", ERR_DB, true, "lost the connection to the database"},
    {"58", ERR_DB, false, "the database has trouble with its files"},
    {"", ERR_INTERNAL, false, "a database statement failed"},
};

bool db_error(PGconn *pg, const PGresult *r, const char *what, struct err *e)
{
    const char *state = r != NULL ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
    const char *text = r != NULL ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *constraint = r != NULL ? PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME) : NULL;
    const struct meaning *m = meanings;
    char line[256];

    if (state == NULL || PQstatus(pg) != CONNECTION_OK) {
        db_first_line(PQerrorMessage(pg), line, sizeof line);
        err_set(e, ERR_DB, "lost the connection to the database");
        err_detail(e, "%s: %s %s", what, state != NULL ? state : "", text != NULL ? text : line);
        return true;
    }
    while (strncmp(state, m->prefix, strlen(m->prefix)) != 0)
        m++;
    db_first_line(text, line, sizeof line);
    err_set(e, m->code, "%s", m->msg != NULL ? m->msg : line);
    err_detail(e, "%s: %s %s%s%s", what, state, line, constraint != NULL ? " constraint " : "",
               constraint != NULL ? constraint : "");
    return m->broken;
}

void db_time_text(int64_t us, char out[40])
{
    int64_t day_us = (int64_t)86400 * 1000000;
    int64_t days = us / day_us;
    int64_t rest = us % day_us;
    int y, m, d;

    if (rest < 0) {
        days--;
        rest += day_us;
    }
    clock_civil_from_days(days, &y, &m, &d);
    snprintf(out, 40, "%04d-%02d-%02d %02d:%02d:%02d.%06d+00", y, m, d, (int)(rest / 3600000000LL),
             (int)(rest / 60000000 % 60), (int)(rest / 1000000 % 60), (int)(rest % 1000000));
}

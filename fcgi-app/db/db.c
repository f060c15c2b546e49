/*
 * The pool: a bounded number of connections, made when needed, replaced when broken.
 */
#include "db/db_int.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <poll.h>

#include "base/fault.h"
#include "base/log.h"

enum {
    DEFAULT_CONNS = 16,
    DEFAULT_GET_MS = 5000,
    DEFAULT_STATEMENT_MS = 30000,
    RETRY_MS = 300, /* after a failed connect the next one waits that long: no storm against a dead
                       server */
};

struct db {
    struct arena *a;
    const char *uri, *shown, *app_name;
    int max_conns;
    int64_t get_timeout_ms, statement_ms, idle_ms;
    bool by_key, standby_too;
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct db_conn *idle; /* last used first */
    int n_open;           /* idle, lent and being made */
    int64_t failed_ms;    /* when the last connect failed, 0: it succeeded */
    bool away;            /* said so in the log */
};

struct db *db_new(const char *uri, const char *shown, const struct db_opts *o)
{
    struct arena *a = arena_new(0);
    struct db *db = ARENA_NEW(a, struct db);

    db->a = a;
    db->uri = arena_strdup(a, uri);
    db->shown = arena_strdup(a, shown);
    db->app_name = arena_strdup(a, o != NULL && o->app_name != NULL ? o->app_name : "sluice");
    db->max_conns = o != NULL && o->max_conns > 0 ? o->max_conns : DEFAULT_CONNS;
    db->get_timeout_ms = o != NULL && o->get_timeout_ms > 0 ? o->get_timeout_ms : DEFAULT_GET_MS;
    db->statement_ms = o != NULL && o->statement_ms > 0 ? o->statement_ms : DEFAULT_STATEMENT_MS;
    db->idle_ms = o != NULL ? o->idle_ms : 0;
    db->standby_too = o != NULL && o->standby_too;
    db->by_key = o != NULL && o->by_key;
    pthread_mutex_init(&db->lock, NULL);
    clock_cond_init(&db->freed);
    return db;
}

static void conn_free(struct db_conn *c)
{
    PQfinish(c->pg);
    arena_free(c->scratch);
    arena_free(c->names);
}

void db_free(struct db *db)
{
    if (db == NULL)
        return;
    while (db->idle != NULL) {
        struct db_conn *c = db->idle;

        db->idle = c->next;
        conn_free(c);
    }
    pthread_cond_destroy(&db->freed);
    pthread_mutex_destroy(&db->lock);
    arena_free(db->a);
}

const char *db_shown(const struct db *db)
{
    return db->shown;
}

const char *db_uri(const struct db *db)
{
    return db->uri;
}

const char *db_app_name(const struct db *db)
{
    return db->app_name;
}

/* What an idle connection has to say is mostly good-bye: read until nothing more comes, or the end
 * does. */
static bool still_good(struct db_conn *c)
{
    struct pollfd p = {PQsocket(c->pg), POLLIN, 0};

    while (PQstatus(c->pg) == CONNECTION_OK && poll(&p, 1, 0) > 0) {
        if (PQconsumeInput(c->pg) != 1)
            return false;
    }
    return PQstatus(c->pg) == CONNECTION_OK;
}

/* Give up one of the max_conns places. */
static void place_back(struct db *db)
{
    pthread_mutex_lock(&db->lock);
    db->n_open--;
    pthread_cond_signal(&db->freed);
    pthread_mutex_unlock(&db->lock);
}

/* Log once when the database goes and once when it is back. */
static void note_result(struct db *db, bool failed, const struct err *e)
{
    bool was;

    pthread_mutex_lock(&db->lock);
    was = db->away;
    db->away = failed;
    db->failed_ms = failed ? clock_mono_ms(&clock_system) : 0;
    pthread_mutex_unlock(&db->lock);
    if (failed && !was)
        log_warn("db.away", "why=" LOG_Q, e->detail);
    else if (!failed && was)
        log_info("db.back", "db=%s", db->shown);
}

static int conn_new(struct db *db, struct db_conn **out, struct err *e)
{
    struct arena *names;
    PGconn *pg = NULL;
    bool pooled = false, standby;
    int64_t failed_ms;

    pthread_mutex_lock(&db->lock);
    failed_ms = db->failed_ms;
    pthread_mutex_unlock(&db->lock);
    if (failed_ms != 0 && clock_mono_ms(&clock_system) - failed_ms < RETRY_MS) {
        err_set(e, ERR_DB, "could not reach the database");
        err_detail(e, "%s: tried a moment ago", db->shown);
        return -1;
    }
    if (db_open(db->uri, db->shown, db->app_name, db->statement_ms, db->idle_ms, &pg, &pooled,
                db->standby_too ? &standby : NULL, NULL, e) != 0 ||
        (db->by_key && !pooled && db_plan_by_key(pg, e) != 0)) {
        PQfinish(pg);
        note_result(db, true, e);
        return -1;
    }
    note_result(db, false, NULL);
    names = arena_new(0);
    *out = ARENA_NEW(names, struct db_conn);
    (*out)->names = names;
    (*out)->scratch = arena_new(0);
    (*out)->pg = pg;
    (*out)->pooled = pooled;
    (*out)->db = db;
    map_init(&(*out)->prepared, names);
    return 0;
}

/* An idle connection, or a place to make one (out NULL); ERR_BUSY after the time-out. */
static int take_place(struct db *db, struct db_conn **out, struct err *e)
{
    struct timespec until = clock_in_ms(db->get_timeout_ms);
    int rc = -1;

    pthread_mutex_lock(&db->lock);
    for (;;) {
        *out = db->idle;
        if (*out != NULL) {
            db->idle = (*out)->next;
            rc = 0;
            break;
        }
        if (db->n_open < db->max_conns) {
            db->n_open++;
            rc = 0;
            break;
        }
        if (pthread_cond_timedwait(&db->freed, &db->lock, &until) == ETIMEDOUT) {
            err_set(e, ERR_BUSY, "all database connections are in use");
            break;
        }
    }
    pthread_mutex_unlock(&db->lock);
    return rc;
}

int db_get(struct db *db, struct db_conn **out, struct err *e)
{
    struct db_conn *c = NULL;

    *out = NULL;
    if (take_place(db, &c, e) != 0)
        return -1;
    if (c != NULL && !still_good(c)) {
        conn_free(c);
        c = NULL;
    }
    if (c == NULL && conn_new(db, &c, e) != 0) {
        place_back(db);
        return -1;
    }
    *out = c;
    return 0;
}

void db_put(struct db *db, struct db_conn *c)
{
    if (c == NULL)
        return;
    if (!c->broken && PQstatus(c->pg) == CONNECTION_OK &&
        PQtransactionStatus(c->pg) != PQTRANS_IDLE)
        db_rollback(c);
    if (c->broken || PQstatus(c->pg) != CONNECTION_OK) {
        conn_free(c);
        place_back(db);
        return;
    }
    pthread_mutex_lock(&db->lock);
    c->next = db->idle;
    db->idle = c;
    pthread_cond_signal(&db->freed);
    pthread_mutex_unlock(&db->lock);
}
